"""What runs beside a search and rings when it changes: alarms that were calibrated.

Nothing here needs a judged query. A window is what was seen in some time: the best
cosine of each query, or the vectors themselves. An alarm's limit comes from quiet
windows, drawn anew from quiet data, so that its false alarms are known beforehand.

Library: ``scipy.stats``, ``evidently``. Papers: Rabanser et al. 2019 (two-sample
classifier); Yurdakul 2018 (how large PSI becomes by chance alone).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from course_utils import guards
from course_utils.encoder import Encoder
from course_utils.production.compression import table

Measure = Callable[[np.ndarray, np.ndarray], float]


# -- how much has a window changed? ----------------------------------------------------


def psi(before: np.ndarray, now: np.ndarray, bins: int = 10) -> float:
    """The population stability index of two samples of one number.

    Bins hold equal shares of ``before``; half a count is added to each, so that an
    empty one does not make it infinite. By chance alone it is about
    ``(bins - 1) * (1 / len(before) + 1 / len(now))``: the customary limits .1 and .25
    know nothing of the size of a window.

    Args:
        before: (n,), what was usual.
        now: (m,), what is seen in the window.
        bins: at least 2.

    >>> same = np.arange(1000)
    >>> psi(same, same) < 1e-9 < 0.1 < psi(same, same + 300)
    True
    """
    before, now = guards.finite("before", before), guards.finite("now", now)
    bins = guards.whole("bins", bins, low=2)
    if not before.size or not now.size:
        raise ValueError(f"both need values, got {before.size} and {now.size}")
    edges = np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1])
    shares = []
    for values in (before, now):
        counts = np.bincount(np.searchsorted(edges, values, "right"), minlength=bins)
        shares.append((counts + 0.5) / (len(values) + 0.5 * bins))
    usual, seen = shares
    return float(((seen - usual) * np.log(seen / usual)).sum())


def distance(before: np.ndarray, now: np.ndarray) -> float:
    """How far the means of two samples of vectors are apart, less what chance does.

    The squared distance of the means in an unbiased form (*MMD* with a linear kernel):
    0 on average when nothing has changed, whatever the sizes of the samples.

    Args:
        before: (n, dim), at least two rows.
        now: (m, dim), at least two rows.

    Returns:
        The estimate; below 0 by chance at times.
    """
    before, now = table("before", before), table("now", now)
    parts = []
    for rows in (before, now):
        n = len(rows)
        if n < 2:
            raise ValueError(f"a sample needs two vectors, got {n}")
        whole = rows.astype(np.float64).sum(axis=0)
        parts.append(
            (whole @ whole - (rows.astype(np.float64) ** 2).sum()) / (n * (n - 1))
        )
    cross = before.mean(axis=0, dtype=np.float64) @ now.mean(axis=0, dtype=np.float64)
    return float(parts[0] + parts[1] - 2 * cross)


def told_apart(before: np.ndarray, now: np.ndarray, seed: int = 0) -> float:
    """How well a classifier tells two samples of vectors apart: AUROC, .5 to 1.

    A logistic regression, judged on what it did not learn from (five folds). It sees
    any shift of the vectors, also one that leaves every cosine as it was.

    Args:
        before: (n, dim), at least ten rows.
        now: (m, dim), at least ten rows.
        seed: of the folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    before, now = table("before", before), table("now", now)
    if min(len(before), len(now)) < 10:
        raise ValueError(f"ten rows each at least, got {len(before)} and {len(now)}")
    rows = np.concatenate([before, now])
    later = np.repeat([0, 1], [len(before), len(now)])
    folds = StratifiedKFold(5, shuffle=True, random_state=guards.whole("seed", seed))
    head = LogisticRegression(solver="newton-cg", class_weight="balanced")
    sure = cross_val_predict(head, rows, later, cv=folds, method="predict_proba")
    return float(max(roc_auc_score(later, sure[:, 1]), 0.5))


# -- when does it ring? ----------------------------------------------------------------


def limit(
    quiet: np.ndarray,
    measure: Measure,
    window: int,
    rate: float = 0.01,
    rounds: int = 1_000,
    seed: int = 0,
) -> float:
    """The value that a measure passes in this share of quiet windows.

    Windows are drawn (with replacement) from one half of the quiet data and compared
    with the other half, as a window of tomorrow is compared with the past.

    Args:
        quiet: values (n,) or vectors (n, dim) from a time without a fault.
        measure: such as ``psi`` or ``distance``, of (before, now).
        window: how many rows a window holds.
        rate: the share of false alarms that is accepted.
        rounds: how many windows are drawn; a rate of .01 needs some hundreds.
        seed: of the draws.

    Returns:
        Ring when ``measure(before, now)`` is larger than this.

    Raises:
        ValueError: too few windows for the rate, or a rate outside (0, 1).
    """
    rate = guards.number("rate", rate)
    rounds = guards.whole("rounds", rounds, low=1)
    window = guards.whole("window", window, low=1)
    if not 0 < rate < 1:
        raise ValueError(f"rate must lie between 0 and 1, got {rate}")
    if rounds * rate < 5:
        raise ValueError(
            f"{rounds} windows say nothing of a share of {rate:g}: take "
            f"{int(5 / rate) + 1}"
        )
    chance = np.random.default_rng(guards.whole("seed", seed, low=0))
    quiet = np.asarray(quiet)
    order = chance.permutation(len(quiet))
    past, source = quiet[order[: len(quiet) // 2]], quiet[order[len(quiet) // 2 :]]
    drawn = (source[chance.integers(0, len(source), window)] for _ in range(rounds))
    return float(np.quantile([measure(past, now) for now in drawn], 1 - rate))


# -- canaries --------------------------------------------------------------------------


def canaries(
    encoder: Encoder, kept: Mapping[str, np.ndarray], cosine: float = 0.999
) -> dict[str, float]:
    """Texts that no longer get the vector that is stored for them: text -> cosine.

    A handful of stored passages, encoded again. Exact where distributions are blind:
    another model on both sides, texts cut short, another normalisation.

    Args:
        encoder: the one that answers queries now.
        kept: text -> its vector in the index, of any length.
        cosine: what counts as the same; the same model elsewhere gives .99999.

    Returns:
        Those below, nothing if all is well; -1 for a vector of another dimension, of
        length 0 or with NaN.

    >>> class Constant:
    ...     def encode(self, texts):
    ...         return np.array([[0.6, 0.8]] * len(texts))
    >>> canaries(Constant(), {"a": np.array([3.0, 4.0]), "b": np.array([1.0, 0.0])})
    {'b': 0.6}
    """
    if not kept:
        raise ValueError("no canaries: keep some passages with their vectors")
    found = np.asarray(encoder.encode(list(kept)), dtype=np.float64)
    lost = {}
    for text, new, old in zip(kept, found, kept.values(), strict=True):
        old = np.asarray(old, dtype=np.float64)
        same = -1.0
        if old.shape == new.shape and (size := np.linalg.norm(old)) > 0:
            same = float(old @ new / size / max(np.linalg.norm(new), 1e-12))
        if not same >= cosine:
            lost[text] = round(same, 6) if np.isfinite(same) else -1.0
    return lost
