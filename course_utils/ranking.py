"""Judge and mend a ranking: metrics with intervals, fusion, diversity, silence.

Built in notebook 09. A ranking is a list of document ids (or of hits that have one),
best first. What is good is said by a golden set: queries, and for each the grades of
the documents that help.

Library: ``ir_measures`` (trec_eval) computes the metrics. Papers: Cormack et al. 2009
for reciprocal rank fusion, Carbonell and Goldstein 1998 for maximal marginal relevance,
Järvelin and Kekäläinen 2002 for nDCG.

>>> reciprocal_rank_fusion([["a", "b"], ["b", "c"]], constant=1)
[('b', 0.8333333333333333), ('a', 0.5), ('c', 0.3333333333333333)]
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Item = TypeVar("Item", bound=Hashable)
HELPS = 2  # a grade from which a document counts as found: 2 helps, 3 answers


class GoldenQuery(Protocol):
    """What ``evaluate`` needs to know of a query."""

    id: str
    kind: str
    text: str


# -- metrics ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one search, query by query.

    Attributes:
        per_query: a row per answerable query: ``kind``, ``recall@k``, ``MRR`` (the
            reciprocal rank; its mean is MRR), ``nDCG@10``.
        answered: how many unanswerable queries got hits nevertheless.
        unanswerable: how many there are.
    """

    per_query: pd.DataFrame
    answered: int
    unanswerable: int

    @property
    def metrics(self) -> list[str]:
        """The names of the metrics."""
        return [name for name in self.per_query.columns if name != "kind"]

    def mean(self, metric: str, kind: str | None = None) -> float:
        """The mean of a metric, over all queries or those of one kind."""
        rows = self.per_query
        if kind is not None:
            rows = rows[rows["kind"] == kind]
        return float(rows[metric].mean())

    def table(self) -> pd.DataFrame:
        """One row per kind and one for all: ``0.64 [0.56, 0.71]``, mean and interval.

        The interval is the middle 95 % of the means of 2,000 resamples of the queries.
        """
        import pandas as pd

        kinds = dict(iter(self.per_query.groupby("kind", sort=False)))
        rows = {}
        for kind, group in {**kinds, "all": self.per_query}.items():
            rows[kind] = {"queries": len(group)}
            for name in self.metrics:
                low, high = bootstrap_interval(group[name].to_numpy())
                rows[kind][name] = f"{group[name].mean():.2f} [{low:.2f}, {high:.2f}]"
        return pd.DataFrame.from_dict(rows, orient="index")


def bootstrap_interval(
    values: Sequence[float], resamples: int = 2000, seed: int = 7
) -> tuple[float, float]:
    """The middle 95 % of the means of resamples drawn with replacement.

    Raises:
        ValueError: there are no values.

    >>> bootstrap_interval([0.5, 0.5, 0.5])
    (0.5, 0.5)
    """
    values = np.asarray(values, dtype=float)
    if not len(values):
        raise ValueError("there are no values to resample")
    drawn = np.random.default_rng(seed).integers(
        len(values), size=(resamples, len(values))
    )
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def evaluate(
    search: Callable[[str], Sequence],
    queries: Iterable[GoldenQuery],
    relevance: Mapping[str, Mapping[str, int]],
    k: int = 5,
) -> Evaluation:
    """Run every query of a golden set and measure what comes back.

    Args:
        search: query text -> ranking, as ids or as hits with ``.document``. A document
            that comes twice counts where it comes first.
        queries: each with ``id``, ``kind`` and ``text``.
        relevance: query id -> document id -> grade. A query without a grade of at
            least ``HELPS`` is unanswerable: it enters no mean, but is counted.
        k: the depth of recall.

    Returns:
        recall@k, MRR and nDCG@10 per query. For recall and MRR a document counts from
        grade ``HELPS``, nDCG uses the grades as gains.

    Raises:
        ValueError: there are no queries, or none is answerable, or k is below 1.
        ImportError: ir-measures is not installed.
    """
    import pandas as pd

    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    queries = list(queries)
    found = {
        query.id: list(
            dict.fromkeys(getattr(hit, "document", hit) for hit in search(query.text))
        )
        for query in queries
    }
    judged = {
        query.id: dict(relevance[query.id])
        for query in queries
        if max(relevance.get(query.id, {}).values(), default=0) >= HELPS
    }
    if not judged:
        raise ValueError(
            f"none of the {len(queries)} queries has a document of grade {HELPS} or "
            "more: do the ids of the queries and of the judgements fit?"
        )
    scores = _measure(found, judged, k)
    rows = [
        {"id": query.id, "kind": query.kind, **scores[query.id]}
        for query in queries
        if query.id in judged
    ]
    without = [query.id for query in queries if query.id not in judged]
    answered = sum(bool(found[query]) for query in without)
    return Evaluation(pd.DataFrame(rows).set_index("id"), answered, len(without))


def _measure(found, judged, k) -> dict[str, dict[str, float]]:
    try:
        import ir_measures
        from ir_measures import RR, R, nDCG
    except ImportError:
        raise ImportError(
            "evaluate needs ir-measures: python -m pip install ir-measures"
        ) from None
    names = {
        R(rel=HELPS) @ k: f"recall@{k}",
        RR(rel=HELPS): "MRR",
        nDCG @ 10: "nDCG@10",
    }
    # trec_eval sorts by score and knows no ranks: the score is minus the rank.
    run = {
        query: {document: -float(rank) for rank, document in enumerate(found[query])}
        for query in judged
    }
    scores = {query: dict.fromkeys(names.values(), 0.0) for query in judged}
    for result in ir_measures.iter_calc(list(names), judged, run):
        scores[result.query_id][names[result.measure]] = result.value
    return scores


@dataclass(frozen=True)
class Difference:
    """How much better one search is than another, with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def proven(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        """``+0.12 [+0.04, +0.20]``, and whether that is more than chance."""
        verdict = "" if self.proven else ", which may be chance"
        return f"{self.mean:+.2f} [{self.low:+.2f}, {self.high:+.2f}]{verdict}"


def compare(
    after: Evaluation,
    before: Evaluation,
    metric: str = "nDCG@10",
    kind: str | None = None,
) -> Difference:
    """Compare two searches query by query: paired, so hard queries cancel out.

    Raises:
        ValueError: they did not answer the same queries.
    """
    if list(after.per_query.index) != list(before.per_query.index):
        raise ValueError(
            "compare two evaluations of the same queries in the same order"
        )
    gain = after.per_query[metric] - before.per_query[metric]
    if kind is not None:
        gain = gain[after.per_query["kind"] == kind]
    return Difference(float(gain.mean()), *bootstrap_interval(gain.to_numpy()))


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
        ValueError: the constant is negative, or a ranking names an item twice.
    """
    if constant < 0:
        raise ValueError(f"constant must not be negative, got {constant}")
    scores: dict[Item, float] = {}
    for ranking in rankings:
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
        ValueError: the shapes do not fit, k is below 1, balance is outside 0 to 1.

    >>> alike = np.array([[1, 0.99, 0], [0.99, 1, 0], [0, 0, 1]])
    >>> mmr([0.9, 0.8, 0.5], alike, 2)
    [0, 2]
    """
    relevance, similarity = np.asarray(relevance, float), np.asarray(similarity, float)
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

    >>> costs([0.2, 0.6], [False, True], 3, [0.0, 0.5, 0.9]).tolist()
    [3.0, 0.0, 1.0]
    """
    confidence, right = np.asarray(confidence, float), np.asarray(right, bool)
    if confidence.shape != right.shape:
        raise ValueError(f"{confidence.shape} confidences for {right.shape} answers")
    answered = confidence[None, :] >= np.asarray(thresholds, float)[:, None]
    return (answered & ~right).sum(1) * float(wrong_answer) + (~answered & right).sum(1)


def best_threshold(
    confidence: Sequence[float], right: Sequence[bool], wrong_answer: float
) -> float:
    """The confidence from which it pays to answer; infinity if it never does.

    Among equals the lowest, which answers most.

    Raises:
        ValueError: there is nothing to learn from.

    >>> best_threshold([0.2, 0.6, 0.7], [False, True, True], wrong_answer=3)
    0.6
    """
    if not len(confidence) or not np.isfinite(confidence).all():
        raise ValueError("calibrate on at least one query, with finite confidences")
    tried = np.append(np.unique(np.asarray(confidence, float)), np.inf)
    return float(tried[costs(confidence, right, wrong_answer, tried).argmin()])
