"""The loss: pull pairs together, push the rest away. Built in notebook 06.

Library: ``sentence_transformers.losses.MultipleNegativesRankingLoss``. Papers: van den
Oord et al. 2018 for InfoNCE (arXiv 1807.03748), Henderson et al. 2017 for negatives
from the batch (arXiv 1705.00652).

>>> pairs = torch.eye(4)
>>> round(info_nce(pairs, pairs, temperature=1.0).item(), 4)  # ln(e + 3) - 1
0.7437
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from course_utils import guards
from course_utils.contrastive.geometry import check_rows
from course_utils.pooling import normalize


def info_nce(
    anchors: Tensor,
    positives: Tensor,
    temperature: float = 0.05,
    hard_negatives: Tensor | None = None,
    symmetric: bool = False,
) -> Tensor:
    """Cross-entropy of "which of these texts belongs to this anchor?".

    The right answer for anchor i is positive i; every other row is a wrong one, whether
    it really is unrelated or not.

    Args:
        anchors: (batch, dim), of any length: cosines are taken.
        positives: (batch, dim), row i belongs to anchor i.
        temperature: cosines are divided by it; 0.05 is the library's ``scale=20``.
        hard_negatives: (any number, dim), more wrong answers for every anchor.
        symmetric: ask the question in both directions and average; hard negatives
            take part in the first one only.

    Returns:
        The mean over the batch, in nats, with a gradient.

    Raises:
        ValueError: shapes do not fit, the temperature is not positive, a vector is
            zero or not finite, or there is no wrong answer at all.

    >>> a = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> info_nce(a, a.flip(0), temperature=1.0)  # both wrong: ln(1 + e)
    tensor(1.3133)
    """
    check_rows(anchors=anchors, positives=positives)
    _check_temperature(temperature)
    candidates = positives
    if hard_negatives is not None:
        if hard_negatives.ndim != 2 or hard_negatives.shape[1] != anchors.shape[1]:
            raise ValueError(
                f"hard_negatives must be (number, {anchors.shape[1]}), got "
                f"{tuple(hard_negatives.shape)}"
            )
        check_rows(hard_negatives=hard_negatives)
        candidates = torch.cat([positives, hard_negatives])
    if len(candidates) < 2:
        raise ValueError(
            f"{len(candidates)} candidates hold no wrong answer, and the loss would be "
            "0 whatever the vectors: use a batch of two pairs or more"
        )
    scores = normalize(anchors) @ normalize(candidates).T / temperature
    right = torch.arange(len(anchors))  # scores: (batch, candidates)
    loss = functional.cross_entropy(scores, right)
    if symmetric:
        back = functional.cross_entropy(scores[:, : len(anchors)].T, right)
        loss = (loss + back) / 2
    return loss


def _check_temperature(temperature: float) -> None:
    if not 0 < temperature < math.inf:
        raise ValueError(
            f"temperature must be above 0 (0.05 is usual), got {temperature}: it "
            "divides the cosines"
        )


def loss_floor(batch_size: int, temperature: float = 0.05, copies: int = 1) -> float:
    """Return the smallest loss that any vectors can reach, in nats.

    The best that distinct texts can do is to stand equally far from each other, as the
    corners of a regular simplex: with n of them every wrong cosine is -1 / (n - 1).

    Args:
        batch_size: pairs in the batch.
        temperature: as in ``info_nce``.
        copies: how often each pair stands in the batch; copies cannot be told apart.

    Raises:
        ValueError: a number is not positive, or the batch is no multiple of ``copies``.

    >>> round(loss_floor(32, temperature=1.0), 4)  # the scale was forgotten
    2.4884
    >>> round(loss_floor(32, copies=2), 4)  # ln 2: every pair stands there twice
    0.6931
    """
    batch_size = guards.whole("batch_size", batch_size)
    copies = guards.whole("copies", copies)
    temperature = guards.number("temperature", temperature)
    if batch_size < 1 or copies < 1 or batch_size % copies or not temperature > 0:
        raise ValueError(
            f"batch_size {batch_size} must be a positive multiple of copies {copies}, "
            f"and temperature {temperature} above 0"
        )
    distinct = batch_size // copies
    if distinct == 1:
        return math.log(copies)
    gap = distinct / (distinct - 1) / temperature  # right score minus wrong score
    return math.log(copies + (batch_size - copies) * math.exp(-gap))


def circle_descent(angles: Tensor, temperature: float, steps: int) -> Tensor:
    """Let points on a circle follow the loss: the first half pairs with the second.

    Each step is gradient descent on the angles, with the gradient multiplied by the
    temperature, so that runs at different temperatures move at a similar pace.

    Args:
        angles: (2 · pairs,) in radians.
        temperature: as in ``info_nce``.
        steps: how many.

    Returns:
        (steps + 1, 2 · pairs): where the points were before each step and at the end.
    """
    if angles.ndim != 1 or len(angles) % 2 or len(angles) < 4:
        raise ValueError(
            f"angles must hold two pairs at least, as (2 · pairs,), got "
            f"{tuple(angles.shape)}"
        )
    path = [angles.double()]
    for _ in range(steps):
        now = path[-1].clone().requires_grad_()
        points = torch.stack([now.cos(), now.sin()], dim=1)
        loss = info_nce(*points.chunk(2), temperature=temperature)
        (slope,) = torch.autograd.grad(loss, now)
        path.append(path[-1] - 0.5 * temperature * slope)
    return torch.stack(path)
