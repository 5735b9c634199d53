"""Mend a ranking: fusion, diversity, families of pages, silence. Notebook 09.

A ranking is a list of document ids (or of hits that have one), best first. How good it
is, ``evaluation`` says.

Papers: Cormack et al. 2009 for reciprocal rank fusion, Carbonell and Goldstein 1998 for
maximal marginal relevance.

>>> reciprocal_rank_fusion([["a", "b"], ["b", "c"]], constant=1)
[('b', 0.8333333333333333), ('a', 0.5), ('c', 0.3333333333333333)]
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from course_utils import guards

Item = TypeVar("Item", bound=Hashable)


# -- better rankings -------------------------------------------------------------------


def reciprocal_rank_fusion(
    rankings: Iterable[Sequence[Item]], constant: float = 60
) -> list[tuple[Item, float]]:
    """Fuse rankings by rank alone: each gives ``1 / (constant + rank)``, from rank 1.

    Scores of different searches cannot be added (a cosine, a BM25 sum); ranks can. A
    small constant trusts the first places, a large one counts votes.

    Returns:
        ``(item, score)``, best first; among equals the one that was seen first.

    Raises:
        TypeError: a ranking is a string, whose letters would be fused.
        ValueError: the constant is negative, or a ranking names an item twice.
    """
    if not constant >= 0:
        raise ValueError(f"constant must not be negative, got {constant}")
    scores: dict[Item, float] = {}
    for ranking in rankings:
        if isinstance(ranking, str):
            raise TypeError(f"a ranking is a list of items, not the string {ranking!r}")
        if len(set(ranking)) < len(ranking):
            raise ValueError("a ranking names an item twice: keep its first place only")
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (constant + rank)
    return sorted(scores.items(), key=lambda pair: -pair[1])


def mmr(
    relevance: Sequence[float],
    similarity: np.ndarray,
    k: int,
    balance: float = 0.7,
) -> list[int]:
    """Maximal marginal relevance: take what is relevant and unlike what was taken.

    Args:
        relevance: (n,) how well each candidate fits the query.
        similarity: (n, n) how alike candidates are, on the same scale.
        k: how many to take; all of them if there are fewer.
        balance: 1 looks at relevance only, 0 at novelty only.

    Returns:
        Numbers of candidates, in the order in which they are taken.

    Raises:
        ValueError: the shapes do not fit, a number is NaN or infinite, k is below 1,
            balance is outside 0 to 1.

    >>> alike = np.array([[1, 0.99, 0], [0.99, 1, 0], [0, 0, 1]])
    >>> mmr([0.9, 0.8, 0.5], alike, 2)
    [0, 2]
    """
    relevance = guards.finite("relevance", relevance)
    similarity = guards.finite("similarity", similarity)
    n = len(relevance)
    if similarity.shape != (n, n):
        raise ValueError(f"{n} candidates need ({n}, {n}), got {similarity.shape}")
    if k < 1 or not 0 <= balance <= 1:
        raise ValueError(f"k must be at least 1, balance in 0 to 1: {k}, {balance}")
    taken: list[int] = []
    while len(taken) < min(k, n):
        known = similarity[:, taken].max(axis=1) if taken else np.zeros(n)
        gain = balance * relevance - (1 - balance) * known
        gain[taken] = -np.inf
        taken.append(int(gain.argmax()))
    return taken


def fold(ranking: Iterable, same_as: Mapping[str, str]) -> list:
    """Keep the best of each family of documents that say the same.

    Args:
        ranking: ids, or hits with ``.document``.
        same_as: document -> the one that it repeats.

    >>> fold(["copy", "other", "original"], {"copy": "original"})
    ['copy', 'other']
    """
    if isinstance(ranking, str):
        raise TypeError(
            f"a ranking is a list of ids or hits, not the string {ranking!r}"
        )
    kept: dict[str, object] = {}
    for hit in ranking:
        document = getattr(hit, "document", hit)
        kept.setdefault(same_as.get(document, document), hit)
    return list(kept.values())


# -- silence ---------------------------------------------------------------------------


def costs(
    confidence: Sequence[float],
    right: Sequence[bool],
    wrong_answer: float,
    thresholds: Sequence[float],
) -> np.ndarray:
    """What each threshold costs: a wrong answer ``wrong_answer``, a lost right one 1.

    Args:
        confidence: (n,) per query; it is answered from the threshold on.
        right: (n,) whether the answer would be right; False if there is none.
        wrong_answer: the price of a wrong answer.
        thresholds: (t,) to try.

    Returns:
        (t,) sums over the queries.

    Raises:
        ValueError: not one answer per confidence, a confidence or the price is NaN or
            infinite, an answer is neither right nor wrong, or a threshold is NaN.

    >>> costs([0.2, 0.6], [False, True], 3, [0.0, 0.5, 0.9]).tolist()
    [3.0, 0.0, 1.0]
    """
    confidence, right = _answers(confidence, right)
    price = guards.number("wrong_answer", wrong_answer, low=0)
    limits = np.asarray(thresholds, float)
    if limits.ndim != 1 or np.isnan(limits).any():
        raise ValueError(f"thresholds are a list of numbers, got {thresholds!r}")
    answered = confidence[None, :] >= limits[:, None]
    return (answered & ~right).sum(1) * price + (~answered & right).sum(1)


def _answers(confidence, right) -> tuple[np.ndarray, np.ndarray]:
    confidence = guards.finite("confidence", confidence)
    right = guards.truths("right", right)
    if confidence.ndim != 1 or confidence.shape != right.shape:
        raise ValueError(f"{confidence.shape} confidences for {right.shape} answers")
    return confidence, right


def best_threshold(
    confidence: Sequence[float], right: Sequence[bool], wrong_answer: float
) -> float:
    """The confidence from which it pays to answer; infinity if it never does.

    Among equals the lowest, which answers most.

    Raises:
        ValueError: there is nothing to learn from; else as ``costs``.

    >>> best_threshold([0.2, 0.6, 0.7], [False, True, True], wrong_answer=3)
    0.6
    """
    if not len(confidence):
        raise ValueError("calibrate on at least one query, with finite confidences")
    tried = np.append(np.unique(guards.finite("confidence", confidence)), np.inf)
    return float(tried[costs(confidence, right, wrong_answer, tried).argmin()])
