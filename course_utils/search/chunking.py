r"""Cut a page into passages that a model reads to the end. Built in notebook 09.

A chunk is a span of the source: offsets, not a copy that has lost its place. Borders
are looked for where a reader would put them: before a heading, after a sentence, and
only when nothing else fits, inside one. What is a heading and what a listing, says
CommonMark, read by a parser that knows all its rules.

Library: ``markdown_it``; ``llama_index.core.node_parser.SentenceSplitter``.

>>> from course_utils.assets import vocabularies
>>> text = "# Disk\nThe disk is full. Delete the dump.\n# Memory\nAdd a limit."
>>> [c.text for c in chunk(text, 8, 0, vocabularies()["wordpiece"])]
['# Disk\nThe disk is full. ', 'Delete the dump.\n', '# Memory\nAdd a limit.']
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from numbers import Integral

import regex

from course_utils.assets import Vocabulary

Span = tuple[int, int]

SMALLEST = 8  # tokens; a single character may need several
READ_BY_MINILM = 254  # 256 with [CLS] and [SEP]
_CHARACTERS_PER_TOKEN = 40  # a run of blanks or marks counts too: no chunk is endless

_LINE = regex.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")  # as CommonMark counts them
# A sentence ends (but "1. " begins an item), with signs that need no blank behind them
# in most of the world's scripts; a line that ends one, the next item of a list or row
# of a table, an empty line.
_BORDER = regex.compile(
    r"(?<!^\s*\d{1,3})[.!?…؟][\"'”’»)\]*`]*\s+"
    r"|(?:(?![!?؟])\p{Sentence_Break=STerm}|．(?!\d))+[\p{Pe}\p{Pf}\"'*`]*\s*"
    r"|\n(?=\s*(?:[-*+|>]\s|\d{1,3}[.)]\s))"
    r"|\n\s*\n\s*",
    regex.MULTILINE,
)


@dataclass(frozen=True)
class Chunk:
    """A passage: ``source[start:end]``."""

    start: int
    end: int
    text: str


def sentences(text: str) -> list[Span]:
    r"""Cut prose into sentences, list items and paragraphs; the spans tile the text.

    >>> [("Ready? Yes.\n1. Stop.")[a:b] for a, b in sentences("Ready? Yes.\n1. Stop.")]
    ['Ready? ', 'Yes.\n', '1. Stop.']
    """
    ends = [match.end() for match in _BORDER.finditer(text)]
    borders = sorted({0, *ends, len(text)})
    return list(zip(borders, borders[1:], strict=False))


@cache
def _commonmark():
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").disable("reference")
    parser.core.ruler.enableOnly(
        ["normalize", "block"]
    )  # what stands in a line is free
    return parser


def lines(text: str) -> list[Span]:
    """The lines of a text, each with its end; the spans tile it."""
    return [match.span() for match in _LINE.finditer(text)]


def units(text: str) -> Iterator[tuple[int, int, str]]:
    """Cut Markdown into the smallest parts that a chunk keeps whole; they tile it.

    Library: ``markdown_it.MarkdownIt("commonmark").parse``, whose tokens know their
    lines.

    Yields:
        start, end and kind: ``"heading"``, ``"code"`` (one line of a fenced listing,
        the fences too) or ``"prose"`` (one sentence).
    """
    rows, prose = lines(text), 0
    for token in _commonmark().parse(text):
        heading = token.type == "heading_open" and token.level == 0
        if not (heading or token.type == "fence"):
            continue
        inside = rows[slice(*token.map)]
        if not inside:
            continue
        start, end = inside[0][0], inside[-1][1]
        for a, b in sentences(text[prose:start]):
            yield prose + a, prose + b, "prose"
        if heading:
            yield start, end, "heading"
        else:
            yield from ((a, b, "code") for a, b in inside)
        prose = end
    for a, b in sentences(text[prose:]):
        yield prose + a, prose + b, "prose"


# How a unit that is too long is cut: runs of words, words, characters as a reader sees
# them, code points; runs first, because counting tokens one by one is slow.
_FINER = (
    r"(?:\s*\S+\s*){1,8}",
    r"\s*\S+\s*",
    r"\X{1,16}",
    r"\X",
    r"(?s:.{1,8})",
    r"(?s:.)",
)


def _fitting(text, span, size, tokens, level=0) -> Iterator[tuple[int, int, int]]:
    """Cut a span until each part fits; with the count of tokens of each part."""
    count = tokens(*span)
    if count <= size or level == len(_FINER):
        yield *span, count
        return
    # A run of blanks is no word: the pattern finds nothing, the next one will.
    parts = regex.finditer(_FINER[level], text[span[0] : span[1]])
    places = [0, *(part.end() for part in parts)]
    places[-1] = span[1] - span[0]
    for a, b in zip(places, places[1:], strict=False):
        yield from _fitting(text, (span[0] + a, span[0] + b), size, tokens, level + 1)
    if len(places) == 1:
        yield from _fitting(text, span, size, tokens, level + 1)


def _checked(text: object, size: int, overlap: int, limit: int) -> None:
    if not isinstance(text, str):
        raise TypeError(f"chunk takes a string, not {type(text).__name__}: decode it")
    for name, value in {"size": size, "overlap": overlap}.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(f"{name} is {value!r}, not a whole number of tokens")
    if size > limit:
        raise ValueError(
            f"size {size} is more than the {limit} tokens that the model reads: the "
            f"end of every long chunk would be lost without a word; use at most {limit}"
        )
    if size < SMALLEST:
        raise ValueError(f"size {size} is too small: use at least {SMALLEST} tokens")
    if not 0 <= overlap < size:
        raise ValueError(
            f"overlap {overlap} must be at least 0 and less than the size {size}"
        )


def chunk(
    text: str,
    size: int,
    overlap: int,
    vocabulary: Vocabulary,
    *,
    limit: int = READ_BY_MINILM,
) -> list[Chunk]:
    """Cut a text into chunks of at most ``size`` tokens.

    A chunk never runs on into the next heading, so its overlap never does either; a
    sentence is cut only if it alone is too long. Nothing is lost: every character is in
    a chunk. Nothing is doubled but the overlap: whole sentences, at most ``overlap``
    tokens, that end one chunk and begin the next.

    Args:
        text: the page, as Markdown or plain text.
        size: tokens per chunk, special tokens not counted.
        overlap: tokens that two neighbours may share.
        vocabulary: the tokenizer of the model that will read the chunks.
        limit: what that model reads of one text, special tokens not counted.

    Returns:
        The chunks in order; none for an empty text.

    Raises:
        TypeError: the text is no string, or a size no whole number.
        ValueError: ``size`` is over the limit or too small, or ``overlap`` does not
            fit into it.
    """
    _checked(text, size, overlap, limit)

    def tokens(start: int, end: int) -> int:
        least = -(-(end - start) // _CHARACTERS_PER_TOKEN)
        if least > size:
            return least
        return max(least, len(vocabulary.encode(text[start:end])))

    spans, headings, before = [], [], ""
    for start, end, kind in units(text):
        if kind == "heading" != before:  # a title keeps the heading below it
            headings.append(len(spans))
        spans += _fitting(text, (start, end), size, tokens)
        before = kind
    headings.append(len(spans))
    starts = [start for start, _, _ in spans]
    sums = [0, *accumulate(count for _, _, count in spans)]
    chunks: list[Chunk] = []
    i = 0
    while i < len(spans):
        stop = headings[bisect_right(headings, i)]
        # The sum over parts may differ from the count of the whole, which decides.
        j = min(stop, bisect_right(sums, sums[i] + size) - 1)
        while j > i + 1 and tokens(starts[i], spans[j - 1][1]) > size:
            j -= 1
        j = max(j, i + 1)
        start, end = starts[i], spans[j - 1][1]
        chunks.append(Chunk(start, end, text[start:end]))
        k = j if j == stop else max(i + 1, bisect_left(sums, sums[j] - overlap))
        while k < j and (  # the next chunk must hold more than this one did
            sums[j + 1] - sums[k] > size
            or tokens(starts[k], end) > overlap
            or tokens(starts[k], spans[j][1]) > size
        ):
            k += 1
        i = k
    return chunks


def windows(places: Sequence[Span], size: int, overlap: int) -> Iterator[Span]:
    """Cut every ``size`` tokens, wherever that is: what ``chunk`` is compared with.

    Args:
        places: where each token stands in the text, as a fast tokenizer returns it with
            ``return_offsets_mapping=True``.
        size: tokens per window.
        overlap: tokens that two neighbours share.

    Yields:
        start and end of each window; the last one may be shorter.

    Raises:
        ValueError: ``overlap`` does not fit into ``size``.

    >>> list(windows([(0, 1), (2, 4), (5, 6)], 2, 1))
    [(0, 4), (2, 6)]
    """
    if not 0 <= overlap < size:
        raise ValueError(
            f"overlap {overlap} must be at least 0 and less than the size {size}"
        )
    for first in range(0, len(places), size - overlap):
        window = places[first : first + size]
        yield window[0][0], window[-1][1]
        if first + size >= len(places):
            return
