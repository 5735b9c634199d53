"""How strange is a text, from where on is it an alarm, and has the stream changed?

Built in notebook 10. Library: ``sklearn.neighbors``. Papers: Ramaswamy et al. 2000
(doi 10.1145/342009.335437), Gretton et al. 2012 (jmlr.org/papers/v13/gretton12a.html).

>>> reference = np.array([[1.0, 0.0], [0.8, 0.6]])
>>> strangeness(np.array([[0.0, 1.0]]), reference, k=1).round(2).tolist()
[0.4]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course_utils.applications.inputs import checked


def strangeness(vectors: np.ndarray, reference: np.ndarray, k: int = 10) -> np.ndarray:
    """1 - the mean cosine to the k nearest reference texts: (n,).

    With k = 1 this is the published "highest cosine", upside down.

    Args:
        vectors: (n, dim), the texts in question.
        reference: (m, dim), texts that are known to be normal; none of ``vectors``.
        k: how many neighbours; at most m.

    Raises:
        ValueError: k is not between 1 and m, or the dimensions differ.

    >>> reference = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> strangeness(np.array([[1.0, 0.0]]), reference, k=2).round(2).tolist()
    [0.1]
    """
    vectors, reference = checked(vectors), checked(reference, name="reference")
    if vectors.shape[1] != reference.shape[1]:
        raise ValueError(
            f"texts have {vectors.shape[1]} numbers, the reference "
            f"{reference.shape[1]}: two models?"
        )
    if not 1 <= k <= len(reference):
        raise ValueError(f"k is 1 to {len(reference)} (reference texts), got {k}")
    cosines = np.sort(vectors @ reference.T, axis=1)[:, -k:]  # (n, k)
    return 1 - cosines.mean(axis=1)


def own_strangeness(reference: np.ndarray, k: int = 10) -> np.ndarray:
    """How strange each reference text is to the others: leave one out, (m,).

    Raises:
        ValueError: fewer than k + 1 reference texts.

    >>> own_strangeness(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), k=1).round(2)
    array([0.2, 0.2, 0.4])
    """
    reference = checked(reference, least=k + 1, name="reference")
    cosines = reference @ reference.T
    np.fill_diagonal(cosines, -np.inf)  # a text does not speak for itself
    return 1 - np.sort(cosines, axis=1)[:, -k:].mean(axis=1)


def alarm_line(own: Sequence[float], false_alarms: float = 0.05) -> float:
    """The strangeness that at most this share of the reference itself exceeds.

    Args:
        own: (m,), from ``own_strangeness``.
        false_alarms: the share of normal texts that may be called strange.

    Raises:
        ValueError: the share is not between 0 and 1, NaN, or too few texts to know it
            (5 % of eight texts is none of them).

    >>> alarm_line(range(100), 0.05)
    94.0
    """
    own = np.sort(np.asarray(own, dtype=float))
    if not 0 < false_alarms < 1:
        raise ValueError(
            f"the share of false alarms is between 0 and 1: {false_alarms}"
        )
    if own.ndim != 1 or not np.isfinite(own).all():
        raise ValueError(f"own must be a list of numbers without NaN, got {own.shape}")
    allowed = int(false_alarms * len(own) + 1e-9)
    if not allowed:
        raise ValueError(
            f"{len(own)} reference texts cannot show a share of {false_alarms:g}: at "
            f"least {int(np.ceil(1 / false_alarms - 1e-9))} are needed"
        )
    return float(own[-allowed - 1])


def auroc(normal: Sequence[float], odd: Sequence[float]) -> float:
    """How often a strange text scores above a normal one; a tie counts half.

    Library: ``sklearn.metrics.roc_auc_score``.

    >>> auroc([0.1, 0.4], [0.3, 0.9])
    0.75
    """
    from sklearn.metrics import roc_auc_score

    if not len(normal) or not len(odd):
        raise ValueError(f"{len(normal)} normal and {len(odd)} odd texts: both needed")
    truth = [0] * len(normal) + [1] * len(odd)
    return float(roc_auc_score(truth, [*normal, *odd]))


def discrepancy(a: np.ndarray, b: np.ndarray) -> float:
    """Squared MMD of two samples, unbiased, with the kernel exp((cos - 1) / s).

    Zero on average if both come from one source; s is 0.5.

    Raises:
        ValueError: fewer than two texts in a sample.

    >>> one, other = np.array([[1.0, 0.0]] * 3), np.array([[0.0, 1.0]] * 3)
    >>> discrepancy(one, one), round(discrepancy(one, other), 3)  # 2 - 2 exp(-2)
    (0.0, 1.729)
    """
    a, b = checked(a, 2, "the first sample"), checked(b, 2, "the second sample")
    return _discrepancy(_kernel(np.vstack([a, b])), len(a))


def _kernel(vectors: np.ndarray) -> np.ndarray:
    return np.exp((vectors @ vectors.T - 1) / 0.5)


def _discrepancy(kernel: np.ndarray, n: int) -> float:
    m = len(kernel) - n
    aa, bb, ab = kernel[:n, :n], kernel[n:, n:], kernel[:n, n:]
    within = (aa.sum() - aa.trace()) / (n * (n - 1))
    within += (bb.sum() - bb.trace()) / (m * (m - 1))
    return float(within - 2 * ab.mean())


def drift_p(
    reference: np.ndarray, window: np.ndarray, rounds: int = 199, seed: int = 0
) -> float:
    """How often would two samples differ so much if they came from one stream?

    The texts of both are shuffled and dealt again ``rounds`` times.

    Args:
        reference: (m, dim), texts of before.
        window: (n, dim), texts of now.
        rounds: how many shuffles; the smallest p is 1 / (rounds + 1).
        seed: of the shuffles.

    >>> same = np.random.default_rng(0).normal(size=(40, 8))
    >>> drift_p(same[:20], same[20:]) > 0.05
    True
    """
    a = checked(reference, 2, "the reference")
    b = checked(window, 2, "the window")
    kernel, rng = _kernel(np.vstack([a, b])), np.random.default_rng(seed)
    seen, at_least = _discrepancy(kernel, len(a)), 1
    for _ in range(rounds):
        order = rng.permutation(len(kernel))
        at_least += _discrepancy(kernel[np.ix_(order, order)], len(a)) >= seen
    return at_least / (rounds + 1)
