"""How sure a comparison is: by a fixed number of questions, or at every look.

Two searches answer the same questions; what counts are the differences, question by
question. An interval by resampling is true for one look at the end. Whoever looks after
every new label, and stops when the interval suits, needs one that is true at all times.

Used in notebook 14. Library: ``scipy.stats.norm``; ``confseq``. Papers: Efron 1979;
Waudby-Smith and Ramdas 2024, estimating means of bounded random variables by betting
(arXiv 2010.09686).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from course_utils import guards

STEPS = 1000  # of the scale on which an interval is looked for
_BOLD = 0.5  # the part of its money that a bet may lose at most


def questions_needed(
    differences: Sequence[float], worth: float, power: float = 0.8
) -> int:
    """How many questions show a difference of a size that is worth something.

    The number at which a two-sided test at 5 % finds a true mean difference of
    ``worth`` with probability ``power``, if further questions scatter as these do.

    Args:
        differences: (n,) one search minus the other, question by question; at least 2.
        worth: the smallest mean difference that would change your choice.
        power: how likely it shall be found.

    Returns:
        Questions in all; subtract those that you have. 2 at least.

    Raises:
        ValueError: fewer than two differences, ``worth`` is not above 0, or the power
            is not between 0 and 1.

    >>> questions_needed([1.0, -1.0, 0.0, 0.0], worth=0.1)
    524
    """
    from scipy.stats import norm

    found = guards.finite("differences", differences)
    if found.ndim != 1 or len(found) < 2:
        raise ValueError(f"at least two differences are needed, got {found.shape}")
    if not guards.number("worth", worth) > 0:
        raise ValueError(f"worth must be above 0, got {worth}")
    if not 0 < guards.number("power", power) < 1:
        raise ValueError(f"power must lie between 0 and 1, got {power}")
    spread = found.std(ddof=1)
    needed = ((norm.ppf(0.975) + norm.ppf(power)) * spread / worth) ** 2
    return max(2, math.ceil(needed - 1e-9))


def always_valid(
    differences: Sequence[float], error: float = 0.05
) -> tuple[float, float]:
    """An interval for the mean difference that is true at every look at once.

    With probability 1 - ``error`` it holds the true mean after the first label, after
    the second, and so on: look as often as you like, stop when you like. It is wider
    than one for a single look; that is its price. It is the set of means against which
    no careful bettor has become rich, see the paper.

    Args:
        differences: (n,) each from -1 to 1, in the order in which they were labelled.
        error: the probability that it misses the truth at any look.

    Returns:
        low and high, on a scale of 0.002.

    Raises:
        ValueError: a difference is outside -1 to 1, or the error outside 0 to 1.

    >>> always_valid([])
    (-1.0, 1.0)
    >>> low, high = always_valid([0.5, 0.3, 0.4] * 20)
    >>> 0 < low < 0.4 < high < 1
    True
    """
    found = guards.finite("differences", differences)
    if found.ndim != 1 or (np.abs(found) > 1).any():
        raise ValueError("differences must be (n,), each from -1 to 1")
    if not 0 < guards.number("error", error) < 1:
        raise ValueError(f"error must lie between 0 and 1, got {error}")
    means = np.linspace(0, 1, STEPS + 1)
    wealth = log_wealth((found + 1) / 2, means, error)[-1]
    # A whole step is added on either side: a true mean may lie between two of them.
    kept = np.flatnonzero(wealth < math.log(1 / error))
    kept = kept if len(kept) else np.array([wealth.argmin()])
    low, high = max(0, kept[0] - 1), min(STEPS, kept[-1] + 1)
    return float(2 * means[low] - 1), float(2 * means[high] - 1)


def log_wealth(values: np.ndarray, means: np.ndarray, error: float) -> np.ndarray:
    """What two careful bettors own together, who bet that a mean is too low or high.

    If a mean is the true one, their bets are fair, and they are unlikely ever to own
    ``1 / error`` times what they began with (Ville's inequality).

    Args:
        values: (n,) from 0 to 1, in their order.
        means: (m,) from 0 to 1, each is bet against.
        error: how careful the bets are.

    Returns:
        (n + 1, m) logarithms, 0 before the first bet.
    """
    count = np.arange(1, len(values) + 1)
    # What is known before each value decides how much is bet on it.
    running = (0.5 + np.cumsum(values)) / (count + 1)
    spread = (0.25 + np.cumsum((values - running) ** 2)) / (count + 1)
    before = np.concatenate([[0.25], spread[:-1]])[: len(values)]
    bets = np.sqrt(2 * math.log(2 / error) / (before * count * np.log(count + 1)))
    gain = values[:, None] - means  # (n, m)
    with np.errstate(divide="ignore"):
        up = np.minimum(bets[:, None], _BOLD / means)
        down = np.minimum(bets[:, None], _BOLD / (1 - means))
    start = np.zeros((1, len(means)))
    rich = [
        np.concatenate([start, np.cumsum(np.log1p(bet * gain), axis=0)])
        for bet in (up, -down)
    ]
    return np.logaddexp(*rich) - math.log(2)
