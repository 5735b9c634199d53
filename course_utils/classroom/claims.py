"""Popular statements on trial: what was read and stated, what is measured here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real

from course_utils.classroom.show import escape, visible
from course_utils.corpora import data_file, read_table

VERDICTS = {"confirmed": "✓", "partly": "≈", "refuted": "✗"}
NOT_RUN = "not run"


@dataclass(frozen=True)
class Statement:
    """A row of ``data/claims.csv``: a statement as it was read.

    Attributes:
        id: ``C`` and three digits.
        source: title of the article.
        topic: where it belongs, in the course's order of topics.
        statement: what is stated.
        stated: the number, name or quality that is stated.
        verdict: what our own measurement came to, or ``"not run"``.
        reason: why it is not run; empty for all others.
        notebook: number of the notebook that explains it, such as ``"01"``, or empty.
    """

    id: str
    source: str
    topic: str
    statement: str
    stated: str
    verdict: str
    reason: str = ""
    notebook: str = ""


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
    """Every statement of ``data/claims.csv`` by its id, those not run as well."""
    table = read_table(data_file("claims.csv"))
    return {row["id"]: Statement(**row) for _, row in table}


def verdict(holds: bool, in_part: bool = False) -> str:
    """The plain word that follows from a measurement.

    Args:
        holds: whether the measurement bears the statement out.
        in_part: if it does not, whether a weaker form of it holds.

    >>> verdict(3 > 2), verdict(3 > 4, in_part=3 > 2), verdict(3 > 4)
    ('confirmed', 'partly', 'refuted')
    """
    if holds:
        return "confirmed"
    return "partly" if in_part else "refuted"


def claim(claim_id: str, measured: object, holds: bool | str) -> Claim:
    """Put one statement on trial.

    Args:
        claim_id: its id in ``data/claims.csv``.
        measured: what this notebook found, as a number or a short text.
        holds: the verdict, computed: ``"confirmed"``, ``"partly"`` or ``"refuted"``, or
            the test itself, True for confirmed and False for refuted.

    Raises:
        KeyError: no statement has this id.
        ValueError: ``holds`` is neither a verdict nor a truth value, or the registry
            says that the statement cannot be run.
    """
    if claim_id not in registry():
        raise KeyError(f"no claim is called {claim_id!r}: see data/claims.csv")
    statement = registry()[claim_id]
    if statement.verdict == NOT_RUN:
        raise ValueError(
            f"{claim_id} is listed as not run ({statement.reason}): if it can be run "
            "now, mend its row in data/claims.csv"
        )
    if isinstance(holds, str) and holds in VERDICTS:
        found = holds
    elif isinstance(holds, bool) or type(holds).__name__ in ("bool", "bool_"):
        found = verdict(bool(holds))
    else:
        raise ValueError(
            f"holds must be True, False or a verdict ({', '.join(VERDICTS)}), "
            f"not {holds!r}"
        )
    fraction = isinstance(measured, Real) and not isinstance(measured, Integral)
    shown = f"{measured:.3f}" if fraction else str(measured)
    return Claim(statement, shown, found)


def trial(*claims: Claim) -> Trial:
    """Show several claims as one table."""
    return Trial(list(claims))
