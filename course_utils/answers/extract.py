r"""Answers that can be checked: quotes with their place in the source. Notebook 09.

``answer`` extracts: it can only say what stands in a page, and says where. A language
model phrases more freely, and may invent: see ``chat``.

Library: ``llama_index.core.query_engine.CitationQueryEngine``. Paper: Lewis et al.
2020, retrieval-augmented generation (arXiv 2005.11401).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from course_utils.answers.citations import (
    NOTHING_FOUND,
    Answer,
    Citation,
)
from course_utils.answers.quotable import quotable
from course_utils.search import lines, reciprocal_rank_fusion
from course_utils.tokenization import matching_words, normalise

if TYPE_CHECKING:
    from course_utils.search import Encoder, Hit

LEAST_WORDS = 3  # a shorter sentence says little; it is offered if there is no other


def _candidates(hits: Sequence[Hit], listings: bool) -> list[Citation]:
    """Every sentence and listing of the hits, whole wherever that is possible.

    What two pages say in the same words is offered once, from the better hit.
    """
    found: dict[str, tuple[Citation, int]] = {}
    parts = {hit.source: list(quotable(hit.source)) for hit in hits}
    for hit in hits:
        # The whole page is read: a passage may begin in the middle of a listing.
        for a, b, kind in parts[hit.source]:
            if (kind == "code" and not listings) or b <= hit.start or hit.end <= a:
                continue
            for start, end in _inside(a, b, hit):
                quote = hit.source[start:end]
                start += len(quote) - len(quote.lstrip())
                quote = quote.strip()
                # A command may be short; a short sentence says little.
                size = len(matching_words(quote, signs=True))
                size = LEAST_WORDS if size and kind == "code" else size
                place = Citation(hit.document, start, start + len(quote), quote)
                found.setdefault(" ".join(quote.split()), (place, size))
    most = max((size for _, size in found.values()), default=0)
    least = LEAST_WORDS if most >= LEAST_WORDS else 1
    return [citation for citation, size in found.values() if size >= least]


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


def _places(scores: Sequence[float]) -> list[int]:
    """The numbers of the candidates, best first, equals in their order."""
    return sorted(range(len(scores)), key=lambda i: -scores[i])


def answer(
    question: str,
    hits: Sequence[Hit],
    encoder: Encoder | None = None,
    count: int = 3,
    *,
    by: Literal["words", "meaning", "both"] = "both",
    listings: bool = True,
) -> Answer:
    """Answer with the sentences and listings of the hits that fit the question best.

    Nothing is phrased, so nothing can be invented: each quote is a span of a source,
    and its citation says which.

    Args:
        question: what was asked.
        hits: what was found, best first; none means that there is no answer.
        encoder: compares quote and question by meaning; None by shared words alone.
        count: how many quotes at most, in the order of the hits and pages.
        by: with an encoder, what decides: shared words, meaning, or the ranks of both
            (reciprocal rank fusion with constant 1).
        listings: whether code between fences may be quoted; commands often stand there
            and nowhere else.

    Raises:
        ValueError: ``count`` is below 1, or ``by`` is unknown.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    if by not in ("words", "meaning", "both"):
        raise ValueError(f"by is 'words', 'meaning' or 'both', not {by!r}")
    found = _candidates(hits, listings)
    if not found:
        return Answer(NOTHING_FOUND)
    quotes = [citation.quote for citation in found]
    rankings = []
    if encoder is not None and by != "words":
        vectors = encoder.encode([normalise(text) for text in (question, *quotes)])
        rankings.append(_places((vectors[1:] @ vectors[0]).tolist()))
    if encoder is None or by != "meaning":
        rankings.append(_places(_shared_words(question, quotes)))
    best = [i for i, _ in reciprocal_rank_fusion(rankings, constant=1)][:count]
    chosen = [found[i] for i in sorted(best)]
    text = " ".join(
        f"{' '.join(c.quote.split())} [{i}]" for i, c in enumerate(chosen, 1)
    )
    return Answer(text, tuple(chosen))
