"""What a measured accuracy, and a difference of two, is worth. Built in notebook 07.

Library: ``scipy.stats.bootstrap``, ``statsmodels.stats.contingency_tables.mcnemar``.
Papers: Efron 1979 on the bootstrap, McNemar 1947 on paired answers.

>>> round(z_score(448, 443, 500), 2)
0.51
>>> round(paired_z([True] * 448 + [False] * 52, [True] * 443 + [False] * 57), 2)
2.24
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from course_utils import guards


def bootstrap(
    values: np.ndarray, draws: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean and its interval, by drawing again with replacement: runs, and texts.

    Args:
        values: (texts,) or (runs, texts): right or wrong, or the difference of two
            models that read the same texts. With several runs, runs and texts are
            drawn both, so the interval holds the luck of training as well.
        draws: how often.
        seed: of the draws.
        level: how much of the draws lies inside.

    Returns:
        mean, low, high.

    Raises:
        ValueError: there is no value, one is no number, or a setting is out of range.

    Library: ``scipy.stats.bootstrap`` for one run. Paper: Efron 1979.

    >>> bootstrap(np.array([1, 1, 1, 1]))
    (1.0, 1.0, 1.0)
    """
    table = np.atleast_2d(np.asarray(values, dtype=float))  # (runs, texts)
    if not table.size or not np.isfinite(table).all():
        raise ValueError("an interval needs at least one value, and numbers only")
    draws = guards.whole("draws", draws, low=1)
    if not 0 < level < 1:
        raise ValueError(f"level lies between 0 and 1, got {level}")
    generator = np.random.default_rng(seed)
    runs, texts = (
        generator.integers(count, size=(draws, count)) for count in table.shape
    )
    drawn = np.array(
        [table[run][:, text].mean() for run, text in zip(runs, texts, strict=True)]
    )
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(table.mean()), float(low), float(high)


def z_score(hits_a: int, hits_b: int, n: int) -> float:
    """How many standard errors lie between two counts of hits out of ``n`` each.

    For two polls of different people. Two models that answer the same texts are
    paired: see ``paired_z``.

    Raises:
        ValueError: a count is not between 0 and ``n``, or no whole number.

    >>> round(z_score(448, 443, 500), 2)
    0.51
    """
    hits_a, hits_b, n = (guards.whole("a count", c) for c in (hits_a, hits_b, n))
    if n < 1 or not (0 <= hits_a <= n and 0 <= hits_b <= n):
        raise ValueError(f"hits must be 0 to n, got {hits_a} and {hits_b} of {n}")
    share = (hits_a + hits_b) / (2 * n)
    if share in (0, 1):
        return 0.0
    return (hits_a - hits_b) / n / math.sqrt(2 * share * (1 - share) / n)


def paired_z(right_a: Sequence[bool], right_b: Sequence[bool]) -> float:
    """How many standard errors lie between two models that read the same texts.

    Only the texts count on which one is right and the other is wrong: if both are
    equally good, each of them is a coin. This is the root of McNemar's statistic; the
    exact test is ``scipy.stats.binomtest(only_a, only_a + only_b)``.

    Args:
        right_a: (n,) True where the first model is right.
        right_b: (n,) the same of the second, text by text.

    Returns:
        (only a − only b) / √(only a + only b), 0.0 if nothing is disputed.

    Raises:
        ValueError: the two are not of the same texts, or hold something else than True
            and False.

    >>> a = [True, True, True, False, True]
    >>> z = paired_z(a, [False, False, True, False, False])
    >>> round(z, 4)
    1.7321
    """
    a, b = np.asarray(right_a), np.asarray(right_b)
    if a.dtype != bool or b.dtype != bool:
        raise ValueError(
            f"right_a and right_b say True or False for each text, not {a.dtype} and "
            f"{b.dtype}: compare the answers with the labels first"
        )
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(
            f"both models must have read the same texts, got {a.shape} and {b.shape}"
        )
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    if only_a == only_b:
        return 0.0
    return (only_a - only_b) / math.sqrt(only_a + only_b)
