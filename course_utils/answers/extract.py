r"""Answers that can be checked: sentences with their place in the source. Notebook 09.

``answer`` extracts: it can only say what stands in a page, and says where. A language
model phrases more freely, and may invent: see ``chat``.

Library: ``llama_index.core.query_engine.CitationQueryEngine``. Paper: Lewis et al.
2020, retrieval-augmented generation (arXiv 2005.11401).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import regex

from course_utils.answers.citations import (
    NOTHING_FOUND,
    Answer,
    Citation,
)
from course_utils.search import units

if TYPE_CHECKING:
    from course_utils.search import Encoder, Hit

_WORD = regex.compile(r"[\p{L}\p{N}]+")


def _candidates(hits: Sequence[Hit]) -> list[Citation]:
    """Every whole sentence of prose in the hits, once."""
    found: dict[tuple[str, int, int], Citation] = {}
    for hit in hits:
        # The whole page is read: a passage may begin in the middle of a listing.
        for a, b, kind in units(hit.source):
            if kind != "prose" or a < hit.start or b > hit.end:
                continue
            sentence = hit.source[a:b]
            start = a + len(sentence) - len(sentence.lstrip())
            quote = sentence.strip()
            if len(_WORD.findall(quote)) > 2:
                key = (hit.document, start, start + len(quote))
                found.setdefault(key, Citation(*key, quote))
    return list(found.values())


def _shared_words(question: str, texts: Sequence[str]) -> list[float]:
    """What each text shares with the question; words found everywhere count less."""
    bags = [set(map(str.lower, _WORD.findall(text))) for text in texts]
    spread = Counter(word for bag in bags for word in bag)
    asked = set(map(str.lower, _WORD.findall(question)))
    return [
        sum(math.log(1 + len(bags) / spread[word]) for word in asked & bag)
        for bag in bags
    ]


def answer(
    question: str,
    hits: Sequence[Hit],
    encoder: Encoder | None = None,
    count: int = 3,
) -> Answer:
    """Answer with the sentences of the hits that fit the question best.

    Nothing is phrased, so nothing can be invented: each sentence is a span of a source,
    and its citation says which.

    Args:
        question: what was asked.
        hits: what was found, best first; none means that there is no answer.
        encoder: compares sentence and question by meaning; None by shared words.
        count: how many sentences at most, in the order of the hits and pages.

    Raises:
        ValueError: ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    found = _candidates(hits)
    if not found:
        return Answer(NOTHING_FOUND)
    quotes = [citation.quote for citation in found]
    if encoder is None:
        scores = _shared_words(question, quotes)
    else:
        vectors = encoder.encode([question, *quotes])
        scores = (vectors[1:] @ vectors[0]).tolist()
    best = sorted(range(len(found)), key=lambda i: -scores[i])[:count]
    chosen = [found[i] for i in sorted(best)]
    text = " ".join(
        f"{' '.join(c.quote.split())} [{i}]" for i, c in enumerate(chosen, 1)
    )
    return Answer(text, tuple(chosen))
