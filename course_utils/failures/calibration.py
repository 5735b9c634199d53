"""May a confidence be believed? Reliability, its error, and the temperature that mends.

Built in notebook 08. A classifier is calibrated if, of all answers that it gives with
80 % confidence, 80 % are right.

Library: ``sklearn.calibration``. Paper: Guo et al. 2017 (arXiv 1706.04599).

>>> expected_calibration_error([0.9, 0.9], [True, False], bins=10)
0.4
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from course_utils import guards


def _answers(confidence, right) -> tuple[np.ndarray, np.ndarray]:
    confidence = guards.confidences("confidence", confidence)
    right = guards.truths("right", right)
    if confidence.shape != right.shape or not len(right):
        raise ValueError(f"{confidence.shape} confidences for {right.shape} answers")
    return confidence, right


def reliability(
    confidence: Sequence[float], right: Sequence[bool], bins: int = 10
) -> pd.DataFrame:
    """Sort answers into bins of equal width by confidence: what is promised, what kept?

    Args:
        confidence: (n,) between 0 and 1. A bin holds its upper edge, not its lower one.
        right: (n,) whether each answer was right.
        bins: how many.

    Returns:
        A row per bin that is not empty, indexed by its upper edge: ``count``,
        ``confidence`` (mean), ``accuracy``.

    Raises:
        ValueError: no answers, as many confidences as answers are needed, a confidence
            outside 0 to 1, an answer that is neither yes nor no, or bins below 1.

    >>> reliability([0.55, 0.6, 0.9], [1, 0, 1])["accuracy"].tolist()
    [0.5, 1.0]
    """
    confidence, right = _answers(confidence, right)
    bins = guards.whole("bins", bins, low=1)
    edges = np.arange(1, bins + 1) / bins
    # Thirds and the like: an edge counts as reached within a rounding error.
    place = np.searchsorted(edges, confidence - 1e-9).clip(max=bins - 1)
    frame = pd.DataFrame({"confidence": confidence, "accuracy": right.astype(float)})
    grouped = frame.groupby(edges[place].round(6))
    table = grouped.mean()
    table.insert(0, "count", grouped.size())
    return table.rename_axis("up to")


def expected_calibration_error(
    confidence: Sequence[float], right: Sequence[bool], bins: int = 10
) -> float:
    """Mean distance of promise and result over the bins, each by its share of answers.

    It depends on the bins and is never 0 in a finite sample: compare, with the same
    bins, and read it next to the diagram.

    Raises:
        ValueError: as ``reliability``.

    >>> round(expected_calibration_error([0.52, 0.58, 0.95], [True, False, True]), 4)
    0.05
    """
    table = reliability(confidence, right, bins)
    gaps = (table["confidence"] - table["accuracy"]).abs()
    return float(gaps @ table["count"] / table["count"].sum())


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Soften (above 1) or sharpen (below 1) probabilities; the winner stays the winner.

    softmax(log p / T), which is softmax(logits / T).

    Args:
        probabilities: (n, classes).
        temperature: above 0.

    Raises:
        ValueError: the temperature is not above 0, or a row is no distribution.

    >>> scale(np.array([[0.8, 0.2]]), 0.5).round(2).tolist()
    [[0.94, 0.06]]
    """
    probabilities = guards.probabilities(probabilities)
    if not 0 < temperature < np.inf:
        raise ValueError(f"a temperature is above 0, got {temperature}")
    logits = np.log(np.maximum(probabilities, np.finfo(float).tiny)) / temperature
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def log_loss(probabilities: np.ndarray, labels: Sequence[int]) -> float:
    """Mean of -log p(label), the loss that rewards an honest confidence.

    Library: ``sklearn.metrics.log_loss``.

    Args:
        probabilities: (n, classes), each row sums to 1.
        labels: (n,) class numbers; False and True are 0 and 1.

    Raises:
        ValueError: there are no rows, not one label per row, a row is no distribution
            (logits are none), or a label is no class.

    >>> round(log_loss([[0.1, 0.9], [0.8, 0.2]], [True, False]), 3)
    0.164
    """
    probabilities, labels = guards.labelled(probabilities, labels)
    if not len(labels):
        raise ValueError("0 labels: there is nothing to take the mean of")
    given = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(given, np.finfo(float).tiny)).mean())


def fit_temperature(probabilities: np.ndarray, labels: Sequence[int]) -> float:
    """The temperature between 0.05 and 20 under which the labels are least surprising.

    Fit it on texts that the classifier did not learn from.

    Args:
        probabilities: (n, classes).
        labels: (n,) class numbers, right ones.

    Raises:
        ValueError: as ``log_loss``.

    >>> modest = np.array([[0.6, 0.4], [0.4, 0.6], [0.6, 0.4], [0.4, 0.6]])
    >>> right, chance = [0, 1, 0, 1], [0, 1, 1, 0]
    >>> fit_temperature(modest, right) < 1 < fit_temperature(modest, chance)
    True
    """
    from scipy.optimize import minimize_scalar

    probabilities, labels = guards.labelled(probabilities, labels)
    found = minimize_scalar(
        lambda power: log_loss(scale(probabilities, np.exp(power)), labels),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def summary(probabilities: np.ndarray, labels: Sequence[int]) -> dict[str, float]:
    """Mean confidence, accuracy, calibration error (10 bins) and log loss, by name.

    Raises:
        ValueError: as ``log_loss``.

    >>> summary(np.array([[0.8, 0.2], [0.4, 0.6]]), [0, 0])["accuracy"]
    0.5
    """
    probabilities, labels = guards.labelled(probabilities, labels)
    loss = log_loss(probabilities, labels)  # refuses an empty table
    # A row may sum to a hair above 1, and so may its largest number.
    confidence = probabilities.max(axis=1).clip(max=1)
    right = probabilities.argmax(axis=1) == labels
    return {
        "mean confidence": float(confidence.mean()),
        "accuracy": float(right.mean()),
        "calibration error": expected_calibration_error(confidence, right),
        "log loss": loss,
    }


def abstention(
    confidence: Sequence[float], right: Sequence[bool], price: float
) -> dict[str, float]:
    """What the honest rule earns: answer from a confidence of 1 - 1 / price on.

    Args:
        confidence: (n,) calibrated ones, or the rule does not hold.
        right: (n,) whether each answer would be right.
        price: of a wrong answer; handing one over to a person costs 1.

    Returns:
        ``answered`` (share), ``right of these`` (share, NaN if none is answered),
        ``cost``, and ``cost, always answering``.

    Raises:
        ValueError: the price is below 1 (then answering is never dearer than silence),
            or not one confidence per answer; else as ``reliability``.

    >>> abstention([0.9, 0.6], [True, False], price=5)["cost"]
    1.0
    """
    price = guards.number("a price", price, low=1)
    confidence, right = _answers(confidence, right)
    answered = confidence >= 1 - 1 / price
    kept = right[answered]
    return {
        "answered": float(answered.mean()),
        "right of these": float(kept.mean()) if len(kept) else float("nan"),
        "cost": float((~kept).sum() * price + (~answered).sum()),
        "cost, always answering": float((~right).sum() * price),
    }
