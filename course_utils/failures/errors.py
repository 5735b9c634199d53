"""Read errors, doubt labels, find leaks. Built in notebook 08.

Library: ``sklearn.metrics``, ``cleanlab``. Paper: Northcutt et al. 2021
(arXiv 1911.00068) for wrong labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from course_utils import guards
from course_utils.failures.shares import wilson_interval

if TYPE_CHECKING:
    import pandas as pd


def slice_table(
    right: Sequence[bool],
    slices: Mapping[str, Sequence[bool]],
    rest: bool = False,
) -> pd.DataFrame:
    """Accuracy of each slice with its 95 % interval.

    Library: ``scipy.stats.fisher_exact`` for the test against the rest.

    Args:
        right: (n,) whether each answer is right.
        slices: name -> (n,) which rows belong to it.
        rest: compare each slice with all rows outside it, which intervals do not: two
            that overlap can be told apart. With many slices, ask for a smaller p.

    Returns:
        A row per slice: ``n``, ``accuracy``, ``95 %`` (Wilson, as text); with ``rest``
        also the accuracy of the ``others`` and Fisher's exact ``p``.

    Raises:
        ValueError: a slice is empty, or does not say yes or no for every row, or leaves
            nothing to compare it with.

    >>> slice_table([True, False, True], {"first two": [True, True, False]})
               n accuracy          95 %
    first two  2     0.50  0.09 to 0.91
    >>> right, late = [True] * 6 + [False] * 4, [False] * 6 + [True] * 4
    >>> slice_table(right, {"late": late}, rest=True)[["others", "p"]].values.tolist()
    [['1.00', '0.005']]
    """
    import pandas as pd

    right, rows = guards.truths("right", right), {}
    for name, inside in slices.items():
        inside = guards.truths(name, inside)
        if inside.shape != right.shape or not inside.any():
            raise ValueError(
                f"{name}: {inside.sum()} of {inside.shape} for {right.shape}"
            )
        hits, n = int(right[inside].sum()), int(inside.sum())
        low, high = wilson_interval(hits, n)
        rows[name] = [n, f"{hits / n:.2f}", f"{low:.2f} to {high:.2f}"]
        if rest:
            rows[name] += _against(right[inside], right[~inside], name)
    columns = ["n", "accuracy", "95 %", *(["others", "p"] if rest else [])]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _against(inside: np.ndarray, outside: np.ndarray, name: str) -> list[str]:
    from scipy.stats import fisher_exact

    if not len(outside):
        raise ValueError(f"{name} holds every row: there is nothing to compare it with")
    table = [[part.sum(), (~part).sum()] for part in (inside, outside)]
    return [f"{outside.mean():.2f}", f"{fisher_exact(table).pvalue:.3f}"]


# -- wrong labels ----------------------------------------------------------------------


def label_loss(probabilities: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """How surprised a classifier is by each given label: -log p(label).

    Only worth looking at if the classifier did not learn from that very label: pass
    out-of-fold probabilities (``sklearn.model_selection.cross_val_predict``).

    Args:
        probabilities: (n, classes), each row sums to 1.
        labels: (n,) class numbers as they stand in the file; False and True are 0 and
            1.

    Returns:
        (n,) losses; the largest are the labels to doubt first.

    Raises:
        ValueError: shapes do not fit, a row is no distribution, a label is no class.

    >>> label_loss(np.array([[0.5, 0.5], [0.25, 0.75]]), [0, 0]).round(2).tolist()
    [0.69, 1.39]
    """
    probabilities, labels = guards.labelled(probabilities, labels)
    given = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.maximum(given, np.finfo(float).tiny))


# -- leaks -----------------------------------------------------------------------------


class Twin(NamedTuple):
    """A test text and the training text nearest to it."""

    test: int
    train: int
    cosine: float


def near_duplicates(
    train: np.ndarray, test: np.ndarray, threshold: float = 0.9
) -> list[Twin]:
    """Find test texts that the training set has seen in nearly the same words.

    Args:
        train: (n, dim) vectors of length 1.
        test: (m, dim) vectors of length 1.
        threshold: the cosine from which two texts count as the same; it belongs to a
            model and a kind of text, so look at a few pairs on both sides of it.

    Returns:
        One ``Twin`` per test text with a neighbour at or above it, nearest first.

    Raises:
        ValueError: the dimensions differ, or a vector is not of length 1.

    >>> a = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> near_duplicates(a, np.array([[0.6, 0.8], [0.0, 1.0]]))
    [Twin(test=1, train=1, cosine=1.0)]
    """
    train, test = np.asarray(train), np.asarray(test)
    guards.number("threshold", threshold)
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        raise ValueError(f"vectors of unlike shape: {train.shape} and {test.shape}")
    for name, vectors in (("train", train), ("test", test)):
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
            raise ValueError(f"{name} has vectors whose length is not 1: normalise")
    if not len(train) or not len(test):
        return []
    cosines = test @ train.T  # (m, n)
    nearest = cosines.argmax(axis=1)
    highest = cosines[np.arange(len(test)), nearest]
    found = [
        Twin(int(i), int(nearest[i]), float(highest[i]))
        for i in np.flatnonzero(highest >= threshold)
    ]
    return sorted(found, key=lambda twin: -twin.cosine)


# -- who comes first? ------------------------------------------------------------------


def first_ranks(
    queries: np.ndarray, texts: np.ndarray, relevant: np.ndarray
) -> np.ndarray:
    """At which rank the first relevant text stands, for each query.

    Args:
        queries: (q, dim).
        texts: (n, dim); the score is the inner product.
        relevant: (q, n) of bool.

    Returns:
        (q,) ranks, 1 is best. A text with an equal score does not push one down.

    Raises:
        ValueError: shapes do not fit, a number is NaN or infinite, or a query has no
            relevant text.

    >>> texts = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> first_ranks(np.array([[1.0, 0.0]]), texts, np.array([[False, True, True]]))
    array([2])
    """
    queries, texts = guards.finite("queries", queries), guards.finite("texts", texts)
    relevant = guards.truths("relevant", relevant)
    if relevant.shape != (len(queries), len(texts)):
        raise ValueError(
            f"{len(queries)} queries and {len(texts)} texts, relevant {relevant.shape}"
        )
    if not relevant.any(axis=1).all():
        row = int((~relevant.any(axis=1)).argmax())
        raise ValueError(f"query {row} has no relevant text")
    scores = guards.finite("a score", queries @ texts.T)
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)
    return (scores > best).sum(axis=1) + 1


def first_hits(queries: np.ndarray, texts: np.ndarray, wanted: Sequence[int]) -> float:
    """Share of the queries whose own text comes first.

    Args:
        queries: (q, dim).
        texts: (n, dim); the score is the inner product.
        wanted: (q,) the place of each query's own text.

    Raises:
        ValueError: there is no query, not one wanted text per query, a wanted place is
            none, or a number is NaN or infinite.

    >>> first_hits(np.eye(2), np.array([[1.0, 0.0], [0.9, 0.1]]), [0, 1])
    1.0
    """
    if not len(queries) or len(queries) != len(wanted):
        raise ValueError(f"{len(queries)} queries, {len(wanted)} wanted texts")
    places = [guards.whole("a wanted text", p, 0, len(texts) - 1) for p in wanted]
    for name, vectors in (("queries", queries), ("texts", texts)):
        guards.finite(name, vectors)
    # In the precision that came in: a tie stays one.
    scores = np.asarray(queries) @ np.asarray(texts).T
    guards.finite("a score", scores)
    return float((scores.argmax(axis=1) == places).mean())


# -- another space ---------------------------------------------------------------------


def same_space(
    stored: np.ndarray,
    texts: Sequence[str],
    encode: Callable[[list[str]], np.ndarray],
    tolerance: float = 1e-3,
) -> bool:
    """Whether stored vectors and an encoder belong together: encode a few texts again.

    Args:
        stored: (n, dim) what the index holds for ``texts``.
        texts: n canary texts whose vectors were stored.
        encode: the encoder of today.
        tolerance: how far below 1 a cosine may fall (other batches, other machines).

    Raises:
        ValueError: no canary, not one vector per text, or a number is not finite.

    >>> turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    >>> letters = lambda texts: np.array([[1.0, len(t)] for t in texts])
    >>> kept = letters(["a", "abc"])
    >>> same_space(kept, ["a", "abc"], letters)
    True
    >>> same_space(kept, ["a", "abc"], lambda texts: letters(texts) @ turn)
    False
    """
    stored = guards.finite("stored", stored)
    if stored.ndim != 2 or not len(stored) or len(stored) != len(texts):
        raise ValueError(f"{len(texts)} canaries need as many vectors: {stored.shape}")
    today = guards.finite("what the encoder gives", encode(list(texts)))
    if today.shape != stored.shape:
        return False
    lengths = np.linalg.norm(stored, axis=1) * np.linalg.norm(today, axis=1)
    return bool(((stored * today).sum(axis=1) >= (1 - tolerance) * lengths).all())
