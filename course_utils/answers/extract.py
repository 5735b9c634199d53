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

from course_utils.answers.citations import (
    NOTHING_FOUND,
    Answer,
    Citation,
)
from course_utils.search import lines, units
from course_utils.tokenization import matching_words, normalise

if TYPE_CHECKING:
    from course_utils.search import Encoder, Hit

LEAST_WORDS = 3  # a shorter sentence says little; it is offered if there is no other


def _candidates(hits: Sequence[Hit]) -> list[Citation]:
    """Every sentence of prose in the hits, once, whole wherever that is possible."""
    found: dict[tuple[str, int, int], Citation] = {}
    parts = {hit.source: list(units(hit.source)) for hit in hits}
    for hit in hits:
        # The whole page is read: a passage may begin in the middle of a listing.
        for a, b, kind in parts[hit.source]:
            if kind == "prose" and a < hit.end and hit.start < b:
                for start, end in _inside(a, b, hit):
                    quote = hit.source[start:end]
                    start += len(quote) - len(quote.lstrip())
                    key = (hit.document, start, start + len(quote.strip()))
                    found.setdefault(key, Citation(*key, quote.strip()))
    counts = {key: len(matching_words(c.quote, signs=True)) for key, c in found.items()}
    least = LEAST_WORDS if max(counts.values(), default=0) >= LEAST_WORDS else 1
    return [citation for key, citation in found.items() if counts[key] >= least]


def _inside(a: int, b: int, hit: Hit) -> list[tuple[int, int]]:
    """What a hit holds of a sentence: all; or its whole lines; or what there is.

    A sentence that is longer than a passage (a log without full stops, a language that
    has none) is whole in no hit, and must not be lost.
    """
    if hit.start <= a and b <= hit.end:
        return [(a, b)]
    rows = [(a + i, a + j) for i, j in lines(hit.source[a:b])]
    whole = [(i, j) for i, j in rows if hit.start <= i and j <= hit.end]
    return whole or [(max(a, hit.start), min(b, hit.end))]


def _shared_words(question: str, texts: Sequence[str]) -> list[float]:
    """What each text shares with the question; words found everywhere count less."""
    bags = [set(matching_words(text, signs=True)) for text in texts]
    spread = Counter(word for bag in bags for word in bag)
    asked = set(matching_words(question))
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
        vectors = encoder.encode([normalise(text) for text in (question, *quotes)])
        scores = (vectors[1:] @ vectors[0]).tolist()
    best = sorted(range(len(found)), key=lambda i: -scores[i])[:count]
    chosen = [found[i] for i in sorted(best)]
    text = " ".join(
        f"{' '.join(c.quote.split())} [{i}]" for i, c in enumerate(chosen, 1)
    )
    return Answer(text, tuple(chosen))
