"""All statements on trial, topic by topic: one line each, the article once per group.

A lesson shows the few that change its story with ``trial``; the ledger shows every one.
Cells enter what they measured, a page shows a topic, and nothing that can be run is
left out: a page with a gap is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from course_utils.classroom.claims import (
    NOT_RUN,
    VERDICTS,
    Claim,
    Statement,
    claim,
    registry,
)
from course_utils.classroom.show import escape, visible

# In the order of the course; the last is what articles say of models and of themselves.
TOPICS = (
    "tokenization",
    "lookup",
    "positions",
    "attention",
    "pooling",
    "contrastive",
    "finetune",
    "failures",
    "search",
    "applications",
    "production",
    "articles",
)
LEFT = 'style="text-align:left"'


class Table:
    """Lines in groups, as an HTML table and as text."""

    def __init__(
        self,
        head: Sequence[str],
        groups: Iterable[tuple[str, Sequence[Sequence[str]]]],
        foot: str,
    ) -> None:
        """Keep the column names, the groups ``(name, lines)`` and the last line."""
        self.head, self.groups, self.foot = list(head), list(groups), foot

    def __repr__(self) -> str:
        """The text form: two lines per statement, the second with what was found."""
        lines = []
        for name, rows in self.groups:
            lines.append(visible(name))
            for number, statement, *cells in rows:
                named = zip(self.head[2:], cells, strict=True)
                found = " · ".join(f"{key}: {cell}" for key, cell in named if cell)
                lines += [visible(f"  {number} {statement}"), visible(f"    {found}")]
        return "\n".join([*lines, self.foot])

    def _repr_html_(self) -> str:
        head = "".join(f"<th {LEFT}>{escape(name)}</th>" for name in self.head)
        body = []
        for name, rows in self.groups:
            span = f'colspan="{len(self.head)}"'
            body.append(f"<tr><th {span} {LEFT}>{escape(name)}</th></tr>")
            for row in rows:
                cells = "".join(f"<td {LEFT}>{escape(cell)}</td>" for cell in row)
                body.append(f"<tr>{cells}</tr>")
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
            f"</table><p>{escape(self.foot)}</p>"
        )


class Ledger:
    """Collects measurements and shows them.

    >>> book = Ledger()
    >>> book.enter("C004", 384, "confirmed")
    >>> book.verdicts["C004"]
    'confirmed'
    """

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self._entered: dict[str, Claim] = {}

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of every statement entered so far, by its id."""
        return {key: made.verdict for key, made in self._entered.items()}

    def enter(self, claim_id: str, measured: object, verdict: bool | str) -> None:
        """Put a statement on trial; arguments and errors as ``claim``.

        Raises:
            ValueError: also if the statement was entered before.
        """
        if claim_id in self._entered:
            raise ValueError(f"{claim_id} was entered before")
        self._entered[claim_id] = claim(claim_id, measured, verdict)

    def page(self, topic: str) -> Table:
        """Every statement of a topic that can be run, by article.

        Raises:
            ValueError: there is no such topic, or one of its statements is missing.
        """
        wanted = [s for s in _runnable() if s.topic == topic]
        if not wanted:
            known = ", ".join(TOPICS)
            raise ValueError(f"no topic is called {topic!r}: choose one of {known}")
        missing = [s.id for s in wanted if s.id not in self._entered]
        if missing:
            raise ValueError(f"not measured yet in {topic}: {', '.join(missing)}")
        lines = [
            (
                s,
                (
                    self._entered[s.id].measured,
                    f"{VERDICTS[self.verdicts[s.id]]} {self.verdicts[s.id]}",
                    s.notebook,
                ),
            )
            for s in wanted
        ]
        head = ("", "statement", "stated", "measured", "verdict", "explained in")
        return Table(head, _by_article(lines), self._count(wanted))

    def not_run(self) -> Table:
        """Every statement that is not run here, with the reason, by article."""
        rest = [s for s in registry().values() if s.verdict == NOT_RUN]
        lines = [(s, (s.reason,)) for s in rest]
        head = ("", "statement", "stated", "why it is not run")
        return Table(head, _by_article(lines), f"{len(rest)} are not run here")

    def summary(self) -> Table:
        """How many of each topic were confirmed, partly right, refuted.

        Raises:
            ValueError: a statement that can be run is missing.
        """
        missing = [s.id for s in _runnable() if s.id not in self._entered]
        if missing:
            raise ValueError(f"not measured yet: {', '.join(missing)}")
        rows = []
        for topic in TOPICS:
            found = Counter(
                self.verdicts[s.id] for s in _runnable() if s.topic == topic
            )
            counts = [str(found[word]) for word in VERDICTS]
            rows.append((topic, str(found.total()), *counts))
        groups = [("all articles", rows)]
        head = ("topic", "measured", *VERDICTS)
        return Table(head, groups, self._count(_runnable()))

    def _count(self, statements: Sequence[Statement]) -> str:
        found = Counter(self.verdicts[s.id] for s in statements)
        counts = ", ".join(f"{found[word]} {word}" for word in VERDICTS)
        return f"{len(statements)} measured: {counts}"


def _runnable() -> list[Statement]:
    return [s for s in registry().values() if s.verdict != NOT_RUN]


def _by_article(
    lines: Iterable[tuple[Statement, tuple[str, ...]]],
) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Group lines by the title of the article, in the order in which they come."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for s, cells in lines:
        row = (s.id, s.statement, s.stated, *cells)
        groups.setdefault(s.source, []).append(row)
    return list(groups.items())
