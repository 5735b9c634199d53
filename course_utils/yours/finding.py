"""What a question finds in a library: passages, their places, and why they were found.

Used in notebook 14. Library: ``llama_index.core.query_engine.CitationQueryEngine``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from course_utils.tokenization import matching_words
from course_utils.yours.reading import Document, Place

if TYPE_CHECKING:
    from course_utils.search import Hit
    from course_utils.yours.library import Library

Mode = Literal["words", "meaning", "both"]
MODES: dict[str, str] = {"words": "lexical", "meaning": "dense", "both": "hybrid"}
DEPTH = 100  # how far down a receipt looks for a document in each ranking
QUOTES = 3


@dataclass(frozen=True)
class Match:
    """A passage that was found.

    Attributes:
        hit: the passage, see ``search.Hit``; its score is comparable within a mode.
        place: where to look first: the sentence that shares most with the question,
            or the beginning if none shares a word.
        first: where the first word of the passage stands.
        until: where its last word stands.
        focus: the offset of ``place`` in the document.
    """

    hit: Hit
    place: Place
    first: Place
    until: Place
    focus: int


@dataclass(frozen=True)
class Quote:
    """A sentence that may answer, and where it stands."""

    text: str
    place: Place


@dataclass(frozen=True)
class Receipt:
    """Why a passage stands where it does.

    Attributes:
        meaning: (rank, cosine) of its document by meaning; None below the first 100.
        words: (rank, BM25 score) by words; None if it shares no word.
        shared: the words of the question that the passage has.
        missing: those that it has not.
        passage: its number in the document, from 1, and of how many.
    """

    meaning: tuple[int, float] | None
    words: tuple[int, float] | None
    shared: list[str]
    missing: list[str]
    passage: tuple[int, int]


def find(
    library: Library, question: str, k: int = 5, mode: Mode = "both"
) -> list[Match]:
    """Find the passages that fit a question best, one per document.

    Args:
        library: see ``keep``.
        question: any text.
        k: how many at most.
        mode: ``"words"`` needs one in common, ``"meaning"`` always finds something,
            ``"both"`` fuses the two.

    Raises:
        ValueError: the mode is unknown; else as ``search.SearchIndex.search``.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}, not one of {', '.join(MODES)}")
    if library.index is None:
        return []
    asked = set(matching_words(question))
    found = library.index.search(question, k, MODES[mode])
    return [_match(library.documents[hit.document], hit, asked) for hit in found]


def _match(document: Document, hit: Hit, asked: set[str]) -> Match:
    text = hit.text
    first = hit.start + len(text) - len(text.lstrip())
    last = max(first, hit.start + len(text.rstrip()) - 1)
    focus = max(first, hit.start + _focus(text, asked))
    places = (document.place(offset) for offset in (focus, first, last))
    return Match(hit, *places, focus)


def _focus(text: str, asked: set[str]) -> int:
    """Where the sentence begins that has most of the words, the first of equals."""
    from course_utils.search import sentences

    spans = sentences(text) or [(0, 0)]
    shares = [len(asked & set(matching_words(text[a:b], signs=True))) for a, b in spans]
    best = spans[shares.index(max(shares))][0] if any(shares) else 0
    return best + len(text[best:]) - len(text[best:].lstrip())


def quotes(
    library: Library,
    question: str,
    matches: Sequence[Match],
    mode: Mode = "both",
    count: int = QUOTES,
) -> list[Quote]:
    """The sentences and listings of the matches that fit the question best.

    They are cut out of the documents, letter by letter: nothing can be invented.
    """
    from course_utils.answers import answer

    if not matches:
        return []
    hits = [match.hit for match in matches]
    encoder = None if mode == "words" else library.index.encoder
    found = answer(question, hits, encoder, count, by=mode)
    return [
        Quote(one.quote, library.documents[one.document].place(one.start))
        for one in found.citations
    ]


def receipts(
    library: Library, question: str, matches: Sequence[Match]
) -> list[Receipt]:
    """Say for each match by what it was found, whatever the mode was."""
    if not matches:
        return []
    ranks = {mode: _ranks(library, question, mode) for mode in ("dense", "lexical")}
    counts: dict[str, int] = {}
    for hit in library.index.chunks:
        counts[hit.document] = counts.get(hit.document, 0) + 1
    asked = list(dict.fromkeys(matching_words(question)))
    made = []
    for match in matches:
        name = match.hit.document
        there = set(matching_words(match.hit.text, signs=True))
        made.append(
            Receipt(
                ranks["dense"].get(name),
                ranks["lexical"].get(name),
                [word for word in asked if word in there],
                [word for word in asked if word not in there],
                (match.hit.chunk + 1, counts[name]),
            )
        )
    return made


def _ranks(library: Library, question: str, mode: str) -> dict[str, tuple[int, float]]:
    """Document -> rank and score; none if this mode cannot take the question."""
    try:
        hits = library.index.search(question, DEPTH, mode)
    except ValueError:  # longer than the encoder reads: its words can be found
        return {}
    return {hit.document: (rank, hit.score) for rank, hit in enumerate(hits, 1)}
