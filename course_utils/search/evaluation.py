"""Judge a search by a golden set: metrics with intervals, per kind of query.

Built in notebook 09. A ranking is a list of document ids (or of hits that have one),
best first. What is good is said by a golden set: queries, and for each the grades of
the documents that help.

Library: ``ir_measures`` (trec_eval) computes the metrics. Papers: Järvelin and
Kekäläinen 2002 for nDCG, Efron 1979 for the bootstrap.

>>> bootstrap_interval([0.5, 0.5, 0.5])
(0.5, 0.5)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

HELPS = 2  # a grade from which a document counts as found: 2 helps, 3 answers


class GoldenQuery(Protocol):
    """What ``evaluate`` needs to know of a query."""

    id: str
    kind: str
    text: str


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
        """The mean of a metric, over all queries or those of one kind.

        Raises:
            ValueError: there is no such metric or kind; the message names the known.
        """
        return float(self.values(metric, kind).mean())

    def values(self, metric: str, kind: str | None = None) -> pd.Series:
        """A metric, query by query, of all queries or those of one kind.

        Raises:
            ValueError: there is no such metric or kind; the message names the known.
        """
        if metric not in self.metrics:
            raise ValueError(
                f"no metric is called {metric!r}: choose one of {self.metrics}"
            )
        kinds = self.per_query["kind"]
        if kind is None:
            return self.per_query[metric]
        if kind not in set(kinds):
            raise ValueError(
                f"no query is of the kind {kind!r}: choose one of "
                f"{list(kinds.unique())}"
            )
        return self.per_query.loc[kinds == kind, metric]

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
        relevance: query id -> document id -> grade. Ids may be numbers: 7 and ``"7"``
            are the same. A query without a grade of at
            least ``HELPS`` is unanswerable: it enters no mean, but is counted.
        k: the depth of recall.

    Returns:
        recall@k, MRR and nDCG@10 per query. For recall and MRR a document counts from
        grade ``HELPS``, nDCG uses the grades as gains.

    Raises:
        TypeError: a search gives one string instead of a list.
        ValueError: there are no queries, an id comes twice, a grade is no whole number,
            none is answerable, or k is below 1.
        ImportError: ir-measures is not installed.
    """
    import pandas as pd

    k = _whole(k, "k")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    queries = list(queries)
    twice = [name for name, n in Counter(str(q.id) for q in queries).items() if n > 1]
    if twice:
        raise ValueError(
            f"{len(twice)} query ids come more than once, such as {twice[0]!r}: their "
            "rankings would overwrite each other"
        )
    found = {str(query.id): _ids(search(query.text)) for query in queries}
    grades = {
        str(query): {
            str(document): _whole(grade, f"the grade of {document!r} for {query!r}")
            for document, grade in judgements.items()
        }
        for query, judgements in relevance.items()
    }
    judged = {
        str(query.id): grades[str(query.id)]
        for query in queries
        if max(grades.get(str(query.id), {}).values(), default=0) >= HELPS
    }
    if not judged:
        raise ValueError(
            f"none of the {len(queries)} queries has a document of grade {HELPS} or "
            "more: do the ids of the queries and of the judgements fit?"
        )
    scores = _measure(found, judged, k)
    rows = [
        {"id": query.id, "kind": query.kind, **scores[str(query.id)]}
        for query in queries
        if str(query.id) in judged
    ]
    without = [str(query.id) for query in queries if str(query.id) not in judged]
    answered = sum(bool(found[query]) for query in without)
    return Evaluation(pd.DataFrame(rows).set_index("id"), answered, len(without))


def _ids(ranking) -> list[str]:
    """Document ids of a ranking, each where it comes first."""
    if isinstance(ranking, (str, bytes)):
        raise TypeError(
            f"the search gave {ranking!r}: a ranking is a list of ids or hits, [id]"
        )
    return list(dict.fromkeys(str(getattr(hit, "document", hit)) for hit in ranking))


def _whole(value, name: str) -> int:
    """A whole number of any library as Python's own."""
    try:
        if value == int(value):
            return int(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"{name} is {value!r}, not a whole number")


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


def overview(evaluations: Mapping[str, Evaluation]) -> pd.DataFrame:
    """One row per search: its means over all queries, with their intervals."""
    import pandas as pd

    rows = {name: found.table().loc["all"] for name, found in evaluations.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def by_kind(
    evaluations: Mapping[str, Evaluation], metric: str = "nDCG@10"
) -> pd.DataFrame:
    """One row per kind of query, one column per search: the mean of a metric."""
    import pandas as pd

    columns = {
        name: found.values(metric).groupby(found.per_query["kind"], sort=False).mean()
        for name, found in evaluations.items()
    }
    return pd.DataFrame(columns)


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
        ValueError: they did not answer the same queries, or there is no such metric or
            kind.
    """
    if list(after.per_query.index) != list(before.per_query.index):
        raise ValueError(
            "compare two evaluations of the same queries in the same order"
        )
    gain = after.values(metric, kind) - before.values(metric, kind)
    return Difference(float(gain.mean()), *bootstrap_interval(gain.to_numpy()))
