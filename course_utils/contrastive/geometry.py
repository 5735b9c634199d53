"""What training made of a space: how close, how spread, who is found.

A part of ``contrastive``, used as ``contrastive.alignment`` and so on; built in
notebook 06. Library: ``InformationRetrievalEvaluator`` and ``TripletEvaluator`` of
``sentence_transformers.evaluation``. Papers: Wang and Isola 2020 for alignment and
uniformity (arXiv 2005.10242), Efron 1979 for the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from course_utils import guards
from course_utils.pooling import normalize

TIE = 1e-6  # cosines that differ by less are one and the same


def check_rows(**columns: Tensor) -> None:
    """Refuse columns of a batch that are not all (batch, dim), row i beside row i.

    Raises:
        ValueError: a column is no matrix or has another shape, a value is not finite.
    """
    shapes = {name: tuple(vectors.shape) for name, vectors in columns.items()}
    if len(set(shapes.values())) > 1 or len(next(iter(shapes.values()))) != 2:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"all must be (batch, dim), row i beside row i; got {found}")
    for name, vectors in columns.items():
        if not torch.isfinite(vectors).all():
            row = int((~torch.isfinite(vectors).all(dim=1)).nonzero()[0])
            raise ValueError(
                f"{name} holds NaN or infinity in row {row}: the run went astray "
                "before this step, try a smaller learning rate"
            )


# -- the two forces --------------------------------------------------------------------


def alignment(anchors: Tensor, positives: Tensor) -> float:
    """Mean squared distance of the two texts of a pair: 0 is best, 4 is worst.

    Args:
        anchors: (batch, dim), of any length.
        positives: (batch, dim), row i belongs to anchor i.

    Raises:
        ValueError: shapes do not fit, a vector is zero or not finite.

    >>> alignment(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]))
    2.0
    """
    check_rows(anchors=anchors, positives=positives)
    return (normalize(anchors) - normalize(positives)).pow(2).sum(1).mean().item()


def uniformity(vectors: Tensor) -> float:
    """Log of the mean of exp(-2 · squared distance) over all pairs; lower is better.

    0 means that all vectors are one; the best that many vectors in high dimensions can
    reach is near -4.

    Args:
        vectors: (n, dim), of any length.

    Raises:
        ValueError: fewer than two vectors, a vector is zero or not finite.

    >>> uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    -8.0
    """
    if vectors.ndim != 2 or len(vectors) < 2:
        raise ValueError(
            "uniformity compares two vectors at least, (n, dim), got shape "
            f"{tuple(vectors.shape)}"
        )
    return functional.pdist(normalize(vectors)).pow(2).mul(-2).exp().mean().log().item()


def unrelated_cosine(anchors: Tensor, positives: Tensor) -> float:
    """Mean cosine of an anchor with a positive that is not its own; near 1: collapse.

    Args:
        anchors: (batch, dim), of any length, two rows at least.
        positives: (batch, dim), row i belongs to anchor i.

    Raises:
        ValueError: shapes do not fit, a vector is zero or not finite, or one pair only.

    >>> unrelated_cosine(torch.eye(3), torch.eye(3))
    0.0
    """
    check_rows(anchors=anchors, positives=positives)
    if len(anchors) < 2:
        raise ValueError("one pair alone has no unrelated partner: give two at least")
    scores, n = normalize(anchors) @ normalize(positives).T, len(anchors)
    return ((scores.sum() - scores.trace()) / (n * (n - 1))).item()


# -- who is found ----------------------------------------------------------------------


def recall_at_1(anchors: Tensor, positives: Tensor) -> float:
    """Share of anchors whose nearest candidate is their own positive.

    A tie with a wrong candidate does not count: a collapsed space finds nothing.

    Args:
        anchors: (batch, dim), of any length.
        positives: (batch, dim), row i belongs to anchor i.

    Raises:
        ValueError: shapes do not fit, a vector is zero or not finite.

    >>> recall_at_1(torch.eye(2), torch.tensor([[1.0, 0.1], [1.0, 0.1]]))
    0.0
    """
    check_rows(anchors=anchors, positives=positives)
    scores = normalize(anchors) @ normalize(positives).T  # (batch, batch)
    wrong = scores.clone().fill_diagonal_(-torch.inf).amax(dim=1)
    return (scores.diagonal() > wrong + TIE).double().mean().item()


def swap_accuracy(anchors: Tensor, positives: Tensor, swapped: Tensor) -> float:
    """Share of anchors nearer to their positive than to its twin with swapped roles.

    A tie counts half: guessing gives 0.5.

    Args:
        anchors: (batch, dim), of any length.
        positives: (batch, dim), who did what to whom as in the anchor.
        swapped: (batch, dim), the same with the roles exchanged.

    Raises:
        ValueError: shapes do not fit, a vector is zero or not finite.

    >>> east, north = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> swap_accuracy(east, east, north), swap_accuracy(east, north, north)
    (1.0, 0.5)
    """
    check_rows(anchors=anchors, positives=positives, swapped=swapped)
    ahead = (normalize(anchors) * (normalize(positives) - normalize(swapped))).sum(1)
    return ((ahead > TIE).double() + (ahead >= -TIE).double()).mean().item() / 2


def first_right(
    scores: np.ndarray, wanted: Sequence[Hashable], offered: Sequence[Hashable]
) -> np.ndarray:
    """Rank of the best right candidate of each query: 1 is a hit.

    Args:
        scores: (queries, candidates), higher is nearer.
        wanted: what each query is about, such as its runbook.
        offered: what each candidate is about.

    Returns:
        int (queries,). A tie with a wrong candidate counts as if that were ahead.

    Raises:
        ValueError: the labels do not fit the scores, a score is not finite, or a query
            has no right candidate.

    >>> first_right(np.array([[0.9, 0.2, 0.4]]), ["disk"], ["dns", "disk", "disk"])
    array([2])
    """
    scores = np.asarray(scores, dtype=float)
    if scores.shape != (len(wanted), len(offered)):
        raise ValueError(
            f"{len(wanted)} queries and {len(offered)} candidates need as many scores, "
            f"got {scores.shape}"
        )
    if not np.isfinite(scores).all():
        raise ValueError("a score is NaN or infinite: nothing can be ranked by it")
    right = np.array([[want == offer for offer in offered] for want in wanted])
    if not right.any(axis=1).all():
        lost = wanted[int(right.any(axis=1).argmin())]
        raise ValueError(f"no candidate is about {str(lost)!r}: it has no rank")
    best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
    return 1 + ((scores >= best) & ~right).sum(axis=1)


def grouped_interval(
    statistic: Callable[[np.ndarray], float],
    groups: Sequence[Hashable],
    resamples: int = 1_000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % interval of a statistic when whole groups are drawn again at random.

    Rows of one group (two remarks about one page) are not independent, so they stay or
    go together. ``ranking.bootstrap_interval`` is the same for the mean of single rows.

    Args:
        statistic: takes row numbers, in which a row may occur several times.
        groups: the group of each row; all different draws the rows one by one.
        resamples: how many drawings.
        seed: of the drawings.

    Raises:
        ValueError: fewer than two groups, no resamples, or a statistic that is NaN.

    >>> gains = np.array([1.0, 1.0, 0.0, 0.0])
    >>> grouped_interval(lambda rows: gains[rows].mean(), ["a", "a", "b", "b"])
    (0.0, 1.0)
    """
    resamples = guards.whole("resamples", resamples)
    members: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    if len(members) < 2 or resamples < 1:
        raise ValueError(
            f"an interval needs two groups and one resample at least, got "
            f"{len(members)} and {resamples}"
        )
    parts = [np.array(rows) for rows in members.values()]
    chosen = np.random.default_rng(seed).integers(
        len(parts), size=(resamples, len(parts))
    )
    drawn = [statistic(np.concatenate([parts[i] for i in row])) for row in chosen]
    drawn = guards.finite("the statistic of a resample", drawn)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
