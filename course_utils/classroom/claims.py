"""Popular statements on trial: what was read and stated, what is measured here."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real

from course_utils.classroom.show import escape, visible
from course_utils.corpora import data_file

VERDICTS = {"confirmed": "✓", "partly": "≈", "refuted": "✗"}


@dataclass(frozen=True)
class Statement:
    """A row of ``data/claims.csv``: a statement as it was read."""

    id: str
    source: str
    topic: str
    statement: str
    stated: str
    verdict: str


@dataclass(frozen=True)
class Claim:
    """A statement with what this notebook measured and the verdict that follows."""

    statement: Statement
    measured: str
    verdict: str

    def __repr__(self) -> str:
        """The trial in three lines of text."""
        s = self.statement
        return (
            f"Claim {visible(s.id)} · {visible(s.statement)} ({visible(s.source)})\n"
            f"  stated: {visible(s.stated)} · measured: {visible(self.measured)}\n"
            f"  {VERDICTS[self.verdict]} {self.verdict}"
        )

    def _repr_html_(self) -> str:
        return Trial([self])._repr_html_()


class Trial:
    """Several claims as one table."""

    def __init__(self, claims: list[Claim]) -> None:
        """Keep the claims in the order given."""
        self.claims = claims

    def __repr__(self) -> str:
        """The claims one after the other, then the count of verdicts."""
        return "\n".join([*map(repr, self.claims), self.summary()])

    def summary(self) -> str:
        """How many were confirmed, partly right, refuted."""
        counts = [
            f"{sum(claim.verdict == verdict for claim in self.claims)} {verdict}"
            for verdict in VERDICTS
        ]
        return f"{len(self.claims)} on trial: {', '.join(counts)}"

    def _repr_html_(self) -> str:
        left = 'style="text-align:left;vertical-align:top;max-width:22em"'
        rows = "".join(
            f"<tr><td {left}>{escape(claim.statement.id)}</td>"
            f"<td {left}>{escape(claim.statement.statement)}<br>"
            f'<span style="opacity:.75">{escape(claim.statement.source)}</span></td>'
            f"<td {left}>{escape(claim.statement.stated)}</td>"
            f"<td {left}>{escape(claim.measured)}</td>"
            f'<td style="text-align:left;vertical-align:top;white-space:nowrap">'
            f"{VERDICTS[claim.verdict]} {claim.verdict}</td></tr>"
            for claim in self.claims
        )
        head = "".join(
            f"<th {left}>{name}</th>"
            for name in ("", "statement, where read", "stated", "measured", "verdict")
        )
        foot = f"<p>{self.summary()}</p>" if len(self.claims) > 1 else ""
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{foot}"
        )


@cache
def registry() -> dict[str, Statement]:
    """Every statement that the course puts on trial, by its id."""
    with data_file("claims.csv").open(encoding="utf-8", newline="") as stream:
        return {row["id"]: Statement(**row) for row in csv.DictReader(stream)}


def claim(claim_id: str, measured: object, holds: bool | str) -> Claim:
    """Put one statement on trial.

    Args:
        claim_id: its id in ``data/claims.csv``.
        measured: what this notebook found, as a number or a short text.
        holds: the test, computed: True (confirmed), False (refuted) or ``"partly"``.

    Raises:
        KeyError: no statement has this id.
        ValueError: ``holds`` is neither a truth value nor ``"partly"``.
    """
    if claim_id not in registry():
        raise KeyError(f"no claim is called {claim_id!r}: see data/claims.csv")
    if isinstance(holds, str) and holds == "partly":
        verdict = "partly"
    elif isinstance(holds, bool) or type(holds).__name__ in ("bool", "bool_"):
        verdict = "confirmed" if holds else "refuted"
    else:
        raise ValueError(f"holds must be True, False or 'partly', not {holds!r}")
    fraction = isinstance(measured, Real) and not isinstance(measured, Integral)
    shown = f"{measured:.3f}" if fraction else str(measured)
    return Claim(registry()[claim_id], shown, verdict)


def trial(*claims: Claim) -> Trial:
    """Show several claims as one table."""
    return Trial(list(claims))
