"""From one encoder to the next without a bad day: merge, bridge, gate.

Vectors of two encoders do not belong into one list: their cosines mean different
things. While both are in use, ``merged`` compares each with its own scale; ``bridge``
turns the old into the new as far as a rotation can; ``gate`` says whether the new one
may answer.

Library: ``scipy.linalg.orthogonal_procrustes``. Papers: Schönemann 1966 (the rotation);
Schuirmann 1987 (not inferior, by a margin).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course_utils import guards
from course_utils.production.compression import table, unit

# -- two encoders side by side ---------------------------------------------------------


def merged(old: np.ndarray, new: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """One score per page from two encoders, each on its own scale: (pages,).

    A page that has moved is scored by the new encoder, the others by the old one. Both
    columns become *z-scores* first: how many standard deviations above the mean of all
    pages this page lies for this query.

    Args:
        old: cosines of one query with all pages by the old encoder, (pages,).
        new: by the new encoder; where a page has not moved, the value is not used.
        moved: which pages have a vector of the new encoder, (pages,) of bool.

    Raises:
        ValueError: columns of different lengths; fewer than two pages on a side that is
            used (no scale can be seen in one value).

    >>> old, new = np.array([0.1, 0.3, 0.2, 0.9]), np.array([0.5, 0.6, 0.91, 0.93])
    >>> merged(old, new, np.array([False, False, True, True])).round(2).tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    old, new = guards.finite("old", old), np.asarray(new, dtype=float)
    moved = guards.truths("moved", moved)
    if not old.shape == new.shape == moved.shape or old.ndim != 1:
        raise ValueError(
            f"one value per page each, got {old.shape}, {new.shape}, {moved.shape}"
        )
    scores = np.empty(len(old))
    for side, column in ((~moved, old), (moved, new)):
        values = column[side]
        if not len(values):
            continue
        guards.finite("new", values)
        if len(values) < 2:
            raise ValueError("one page alone has no scale: move another one with it")
        scores[side] = (values - values.mean()) / (values.std() or 1)
    return scores


def bridge(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The rotation that brings old vectors closest to new ones: (dim, dim).

    Args:
        old: vectors of some texts by the old encoder, (n, dim).
        new: of the same texts by the new one, (n, dim).

    Returns:
        R with ``old @ R`` near ``new`` and every cosine among the old kept.

    >>> rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    >>> bool(np.allclose(bridge(rows, rows @ turn), turn))
    True
    """
    old = table("old", old)
    new = table("new", new, old.shape[1])
    if len(old) != len(new) or not len(old):
        raise ValueError(f"the same texts, at least one: {len(old)} and {len(new)}")
    left, _, right = np.linalg.svd(unit(old).T @ unit(new))
    return left @ right


# -- may the new one answer? -----------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What a gate found.

    Attributes:
        gain: mean of new minus old, over the queries.
        low: lower end of its interval.
        high: upper end.
        passes: whether ``low`` lies above ``-margin``: not worse by more than that.
    """

    gain: float
    low: float
    high: float
    passes: bool


def gate(
    old: Sequence[float],
    new: Sequence[float],
    margin: float,
    rounds: int = 5_000,
    seed: int = 0,
) -> Verdict:
    """Is the new one not worse by more than a margin, on the same queries?

    The interval (95 %) is a paired bootstrap. "No significant difference" would be the
    wrong question: few queries never show one, and many always do.

    Args:
        old: nDCG or the like of each query, with the old encoder.
        new: of the same queries in the same order, with the new one.
        margin: the loss that you would accept, at least 0.
        rounds: of the bootstrap.
        seed: of the bootstrap.

    >>> gate([0.5, 0.6, 0.7, 0.4], [0.6, 0.6, 0.8, 0.5], margin=0.02).passes
    True
    """
    old, new = guards.finite("old", old), guards.finite("new", new)
    margin = guards.number("margin", margin, low=0)
    if old.shape != new.shape or old.ndim != 1 or len(old) < 2:
        raise ValueError(f"the same queries, two at least: {old.shape} and {new.shape}")
    gains = new - old
    chance = np.random.default_rng(guards.whole("seed", seed, low=0))
    rounds = guards.whole("rounds", rounds, low=100)
    means = gains[chance.integers(0, len(gains), (rounds, len(gains)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Verdict(float(gains.mean()), float(low), float(high), bool(low > -margin))
