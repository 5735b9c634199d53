r"""Where a quote stands, and whether it really does. Notebook 09.

>>> locate("the disk is full", "Warning:\n  the disk\n  is full.")
(11, 29)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import regex

from course_utils.tokenization import normalise

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


# Forms of one mark: whoever copies a text by hand types the plain one.
_MARKS = str.maketrans("‘’‚‛ʼ`´“”„‟", "'" * 7 + '"' * 4)


def locate(quote: str, source: str) -> tuple[int, int] | None:
    """Find a quote in a source, letter by letter.

    Only white space, what nobody sees (see ``normalise``) and the form of a quotation
    mark or apostrophe may differ; a place that agrees in these too is preferred.

    Returns:
        start and end in characters, of the first place; None if it is nowhere, or if
        the quote is blank.

    >>> locate("the disk's dump", "Save the disk’s du\u00admp.")
    (5, 21)
    """
    found = _search(quote, source)
    if found:
        return found.span()
    spelled, places = _spelled(source)
    found = _search(_spelled(quote)[0], spelled)
    return (places[found.start()][0], places[found.end() - 1][1]) if found else None


def _search(quote: str, source: str):
    parts = list(filter(None, regex.split(r"\s+", quote)))
    return parts and regex.search(r"\s+".join(map(regex.escape, parts)), source)


def _spelled(text: str) -> tuple[str, list[tuple[int, int]]]:
    """One spelling, and for each of its letters where it stands in the text."""
    letters, places = [], []
    for character in regex.finditer(r"\X", text):
        spelled = normalise(character[0]).translate(_MARKS)
        letters.append(spelled)
        places += [character.span()] * len(spelled)
    return "".join(letters), places


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
