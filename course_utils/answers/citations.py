r"""Where a quote stands, and whether it really does. Notebook 09.

>>> locate("the disk is full", "Warning:\n  the disk\n  is full.")
(11, 29)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import regex

NOTHING_FOUND = "No page answers this."


@dataclass(frozen=True)
class Citation:
    """Where a quote stands: ``source[start:end]`` of a document."""

    document: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True)
class Answer:
    """A text with numbered citations; ``[1]`` in the text is the first of them."""

    text: str
    citations: tuple[Citation, ...] = ()

    def __str__(self) -> str:
        """The text, and below it where each quote stands."""
        rows = [
            f"  [{i}] {c.document}, characters {c.start}-{c.end}"
            for i, c in enumerate(self.citations, 1)
        ]
        return "\n".join([self.text, *rows])


def locate(quote: str, source: str) -> tuple[int, int] | None:
    """Find a quote in a source, letter by letter; only white space may differ.

    Returns:
        start and end in characters, of the first place; None if it is nowhere, or if
        the quote is blank.
    """
    if not quote.split():
        return None
    parts = filter(None, regex.split(r"\s+", quote))
    found = regex.search(r"\s+".join(map(regex.escape, parts)), source)
    return found.span() if found else None


def check_citations(found: Answer, sources: Mapping[str, str]) -> list[str]:
    """Look every citation up in the sources; return one sentence per problem.

    Args:
        found: an answer, from wherever.
        sources: document -> its whole text.
    """
    problems = []
    for number, citation in enumerate(found.citations, 1):
        source = sources.get(citation.document)
        if source is None:
            problems.append(f"[{number}] there is no page {citation.document!r}")
        elif source[citation.start : citation.end] != citation.quote:
            problems.append(
                f"[{number}] {citation.document} says something else at "
                f"{citation.start}-{citation.end}"
            )
    return problems
