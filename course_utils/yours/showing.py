"""What was found, as lines for people and as JSON for programs.

Used in notebook 14. Library: ``json``; ``rich``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import regex

from course_utils.yours.finding import Match, Quote, Receipt
from course_utils.yours.library import Library

SHOWN = 300  # characters of a passage
_STEERING = regex.compile(r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}--[\n\t]]", regex.V1)


def plain(text: str) -> str:
    r"""A text that no terminal takes for an order: steering signs become ``�``.

    >>> plain("\x1b[31mred")
    '�[31mred'
    """
    return _STEERING.sub("�", text)


def excerpt(text: str, most: int = SHOWN) -> str:
    """A passage in one line, cut behind a word."""
    line = " ".join(text.split())
    if len(line) <= most:
        return plain(line)
    return plain(line[:most].rpartition(" ")[0] or line[:most]) + " …"


def excerpt_of(match: Match) -> str:
    """The passage in one line, from the sentence on that shares most words."""
    hit = match.hit
    cut = "… " if hit.source[hit.start : match.focus].strip() else ""
    return cut + excerpt(hit.source[match.focus : hit.end])


def as_lines(
    matches: Sequence[Match], given: Sequence[Quote], why: Sequence[Receipt]
) -> list[str]:
    """The result for people: quotes first, then passages with their places."""
    rows = []
    for number, quote in enumerate(given, 1):
        rows.append(f"[{number}] {excerpt(quote.text)}")
        rows.append(f"    {plain(str(quote.place))}")
    rows += [""] if given else []
    for number, match in enumerate(matches, 1):
        rows.append(f"{number}. {plain(str(match.place))}  ({match.hit.score:.3f})")
        rows.append(f"   {excerpt_of(match)}")
        if why:
            rows += [f"   | {row}" for row in explained(why[number - 1])]
    return rows


def explained(receipt: Receipt) -> list[str]:
    """A receipt in words."""
    meaning = words = "not among the first 100"
    if receipt.meaning:
        meaning = f"rank {receipt.meaning[0]}, cosine {receipt.meaning[1]:.3f}"
    if receipt.words:
        words = f"rank {receipt.words[0]}, BM25 {receipt.words[1]:.2f}"
    elif not receipt.shared:
        words = "no word in common"
    number, of = receipt.passage
    return [
        f"by meaning: {meaning}",
        f"by words: {words}",
        f"words in common: {', '.join(map(plain, receipt.shared)) or 'none'}",
        f"words it lacks: {', '.join(map(plain, receipt.missing)) or 'none'}",
        f"passage {number} of {of} of its document",
    ]


def as_json(
    question: str,
    mode: str,
    library: Library,
    matches: Sequence[Match],
    given: Sequence[Quote],
    why: Sequence[Receipt] = (),
) -> dict:
    """The result for programs; texts are whole and as they are in the files."""
    hits = [
        {
            "document": match.hit.document,
            **asdict(match.place),
            "first": match.first.number,
            "until": match.until.number,
            "start": match.hit.start,
            "end": match.hit.end,
            "score": match.hit.score,
            "text": match.hit.text,
        }
        for match in matches
    ]
    for hit, receipt in zip(hits, why, strict=False):
        hit["receipt"] = asdict(receipt)
    changes = asdict(library.changes)
    return {
        "question": question,
        "mode": mode,
        "folder": str(library.folder),
        "hits": hits,
        "quotes": [{"text": quote.text, **asdict(quote.place)} for quote in given],
        "unread": [asdict(unread) for unread in library.unread],
        "files": {k: len(v) for k, v in changes.items() if isinstance(v, list)},
    }
