"""What a share is worth, and the difference of two. Built in notebook 08.

Library: ``statsmodels.stats``. Papers: Wilson 1927 for the interval of a share, McNemar
1947 for two models on the same texts.

>>> wilson_interval(9, 10)
(0.5958..., 0.9821...)
"""

from __future__ import annotations

import math

from course_utils import guards


def wilson_interval(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Where the true share lies when ``hits`` of ``n`` were counted.

    Unlike share ± error it never leaves 0 to 1, and says something even at 0 or n hits.
    Library: ``statsmodels.stats.proportion.proportion_confint(method="wilson")``.

    Args:
        hits: how many of the n.
        n: how many were looked at.
        z: width in standard errors; 1.96 for 95 %.

    Raises:
        ValueError: n is below 1, hits is not between 0 and n, or one is no whole
            number.

    >>> low, high = wilson_interval(0, 10)
    >>> low, round(high, 2)
    (0.0, 0.28)
    """
    hits, n = guards.whole("hits", hits), guards.whole("n", n)
    if n < 1 or not 0 <= hits <= n:
        raise ValueError(f"hits must lie between 0 and n, n at least 1: {hits} of {n}")
    share, weight = hits / n, z * z / n
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(weight * share * (1 - share) + weight * weight / 4) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar(only_first: int, only_second: int) -> float:
    """How often chance alone would split the disputed texts at least this unevenly.

    Two models read the same texts. Where both are right or both are wrong, nothing can
    be learnt about which is better; the rest is a coin thrown for each text.
    Library: ``statsmodels.stats.contingency_tables.mcnemar(exact=True)``.

    Args:
        only_first: texts that only the first model has right.
        only_second: texts that only the second model has right.

    Returns:
        The exact two-sided p-value: 1.0 if there is nothing to see.

    Raises:
        ValueError: a count is negative or no whole number.

    >>> mcnemar(5, 0), mcnemar(3, 3)
    (0.0625, 1.0)
    """
    only_first = guards.whole("only_first", only_first)
    only_second = guards.whole("only_second", only_second)
    if only_first < 0 or only_second < 0:
        raise ValueError(f"counts cannot be negative: {only_first}, {only_second}")
    disputed, fewer = only_first + only_second, min(only_first, only_second)
    ways = sum(math.comb(disputed, k) for k in range(fewer + 1))
    return min(1.0, 2 * ways / 2**disputed)


def mcnemar_range(hits_a: int, hits_b: int, n: int) -> tuple[float, float]:
    """Between what p-values McNemar's test must lie when only the two totals are known.

    Two totals fix by how much the two kinds of disputed texts differ, not how many
    there are. The fewest are the difference itself: the weaker model has nothing right
    that the stronger one has wrong. The most: they share no error, or no success.

    Returns:
        The smallest and the largest p-value over all pairings.

    Raises:
        ValueError: n is below 1, a total is not between 0 and n, or one is no whole
            number.

    >>> mcnemar_range(10, 10, 10)
    (1.0, 1.0)
    """
    hits_a, hits_b, n = (guards.whole("a count", c) for c in (hits_a, hits_b, n))
    if n < 1 or not (0 <= hits_a <= n and 0 <= hits_b <= n):
        raise ValueError(f"hits must lie between 0 and n: {hits_a} and {hits_b} of {n}")
    gap, fewer = abs(hits_a - hits_b), min(hits_a, hits_b)
    most = min(fewer, n - max(hits_a, hits_b))  # texts that only the weaker has right
    values = [mcnemar(gap + only, only) for only in range(most + 1)]
    return min(values), max(values)
