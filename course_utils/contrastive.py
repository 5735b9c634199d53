"""Contrastive training: pull pairs together, push the rest away. Built in notebook 06.

What training makes of the space is measured in ``geometry``; a language and an encoder
that learns it in seconds live in ``tiny``, the copy of MiniLM that learns in
``adaptation``. All are used from here: ``contrastive.recall_at_1``.

Library: ``sentence_transformers.losses.MultipleNegativesRankingLoss``. Papers: van den
Oord et al. 2018 for InfoNCE (arXiv 1807.03748), Henderson et al. 2017 for negatives
from the batch (arXiv 1705.00652).

>>> pairs = torch.eye(4)
>>> round(info_nce(pairs, pairs, temperature=1.0).item(), 4)  # ln(e + 3) - 1
0.7437
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from course_utils.adaptation import embed, seal, trainable_copy
from course_utils.geometry import (
    alignment,
    check_rows,
    first_right,
    grouped_interval,
    recall_at_1,
    swap_accuracy,
    uniformity,
    unrelated_cosine,
)
from course_utils.pooling import normalize
from course_utils.tiny import (
    Meaning,
    TinyEncoder,
    ToyPairs,
    toy_language,
    toy_nli,
    toy_pairs,
    toy_vectors,
)

if TYPE_CHECKING:
    from course_utils.corpora import TrainingPair
    from course_utils.encoder import MiniLM

__all__ = [
    "Meaning",
    "TinyEncoder",
    "ToyPairs",
    "adapt",
    "alignment",
    "batches_without_twins",
    "circle_descent",
    "embed",
    "first_right",
    "grouped_interval",
    "info_nce",
    "loss_floor",
    "recall_at_1",
    "seal",
    "swap_accuracy",
    "toy_language",
    "toy_nli",
    "toy_pairs",
    "toy_vectors",
    "train_tiny",
    "trainable_copy",
    "uniformity",
    "unrelated_cosine",
]

# -- the loss --------------------------------------------------------------------------


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


# -- batches and training --------------------------------------------------------------


def batches_without_twins(keys: Sequence[Hashable], size: int) -> list[list[int]]:
    """Cut rows into batches in which no key occurs twice.

    Walks through the rows in order; a row whose key is already in the batch waits for a
    later one. The last batches may be short. In the library:
    ``BatchSamplers.NO_DUPLICATES``.

    Args:
        keys: what must not meet itself, one per row: a text, a page, a meaning.
        size: rows per batch.

    Returns:
        Row numbers, each exactly once.

    Raises:
        ValueError: ``size`` is below 1.

    >>> batches_without_twins(["a", "a", "b", "c"], size=2)
    [[0, 2], [1, 3]]
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    left, batches = list(range(len(keys))), []
    while left:
        batch, seen, waiting = [], set(), []
        for row in left:
            if len(batch) < size and keys[row] not in seen:
                batch.append(row)
                seen.add(keys[row])
            else:
                waiting.append(row)
        batches.append(batch)
        left = waiting
    return batches


def train_tiny(
    encoder: TinyEncoder,
    pairs: ToyPairs,
    steps: int,
    batch_size: int = 64,
    temperature: float = 0.05,
    loss: Callable[[Tensor, Tensor, Tensor | None], Tensor] | None = None,
    hard_negatives: bool = False,
    seed: int = 0,
    learning_rate: float = 2e-3,
) -> list[float]:
    """Train in place with Adam on batches drawn at random.

    Args:
        encoder: is changed.
        pairs: where the batches are drawn from; no pair is twice in a batch.
        steps: how many batches.
        batch_size: pairs per batch.
        temperature: of ``info_nce``, which is the loss unless another is given.
        loss: (anchors, positives, hard negatives or None) -> a number.
        hard_negatives: embed the hard negatives too and hand them to the loss.
        seed: decides which rows are drawn.
        learning_rate: Adam's.

    Returns:
        The loss of each step, before the step.

    Raises:
        ValueError: hard negatives are wanted and the pairs have none, or there are
            fewer pairs than a batch holds.
    """
    if hard_negatives and pairs.hard_negatives is None:
        raise ValueError("these pairs have no hard negatives: give triplets")
    if not 1 <= batch_size <= len(pairs):
        raise ValueError(f"a batch of {batch_size} cannot be drawn from {len(pairs)}")
    if loss is None:

        def loss(anchors, positives, negatives):
            return info_nce(anchors, positives, temperature, negatives)

    generator = torch.Generator().manual_seed(seed)
    learning = [p for p in encoder.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learning, lr=learning_rate)
    history: list[float] = []
    for _ in range(steps):
        rows = torch.randperm(len(pairs), generator=generator)[:batch_size]
        negatives = encoder(pairs.hard_negatives[rows]) if hard_negatives else None
        anchors, positives = (
            encoder(pairs.anchors[rows]),
            encoder(pairs.positives[rows]),
        )
        value = loss(anchors, positives, negatives)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        history.append(value.item())
    return history


def adapt(
    model: MiniLM,
    pairs: Sequence[TrainingPair],
    epochs: int = 1,
    batch_size: int = 32,
    learning_rate: float = 1e-4,
    temperature: float = 0.05,
    frozen_layers: int = 3,
    seed: int = 0,
    after: Callable[[int, int], object] | None = None,
) -> tuple[MiniLM, list[float]]:
    """Train a copy of the model on pairs; no two of a batch are from one runbook.

    Args:
        model: stays as it is.
        pairs: remarks in jargon with the same in plain words.
        epochs: passes over the pairs.
        batch_size: pairs per batch.
        learning_rate: AdamW's, constant.
        temperature: as in ``info_nce``.
        frozen_layers: as in ``trainable_copy``.
        seed: the order of the pairs; nothing else is random.
        after: called after each batch with how many pairs were read, and of how many.

    Returns:
        The trained copy, sealed, with a fingerprint of its own, and the loss of each
        step. A batch that is left with one pair teaches nothing and is passed over.

    Raises:
        ValueError: fewer than two runbooks, ``epochs`` below 1, or as
            ``trainable_copy`` and ``info_nce``.
    """
    if len({pair.runbook for pair in pairs}) < 2 or batch_size < 2:
        raise ValueError(
            "there are no negatives: give pairs of two runbooks at least, and batches "
            f"of two or more; got {len(pairs)} pairs and batches of {batch_size}"
        )
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    twin = trainable_copy(model, frozen_layers)
    learning = [p for p in twin.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=learning_rate, weight_decay=0.0)
    order, history, read = random.Random(seed), [], 0
    for _ in range(epochs):
        shuffled = order.sample(list(pairs), len(pairs))
        keys = [pair.runbook for pair in shuffled]
        for rows in batches_without_twins(keys, batch_size):
            read += len(rows)
            if len(rows) > 1:
                batch = [shuffled[row] for row in rows]
                texts = [p.anchor for p in batch] + [p.positive for p in batch]
                loss = info_nce(*embed(twin, texts).chunk(2), temperature)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                history.append(loss.item())
            if after:
                after(read, epochs * len(pairs))
    return seal(twin), history
