"""Two training loops: a tiny encoder from nothing, MiniLM on. Built in notebook 06.

Library: ``sentence_transformers.SentenceTransformerTrainer`` and
``BatchSamplers.NO_DUPLICATES``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_utils import guards
from course_utils.contrastive.adaptation import embed, seal, trainable_copy
from course_utils.contrastive.loss import info_nce
from course_utils.contrastive.tiny import TinyEncoder, ToyPairs

if TYPE_CHECKING:
    from course_utils.corpora import TrainingPair
    from course_utils.encoder import MiniLM


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
    size = guards.whole("size", size, low=1)
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


def page_batches(
    pairs: Sequence[TrainingPair], size: int = 32, seed: int = 0
) -> list[list[TrainingPair]]:
    """Shuffle pairs and cut them into batches in which no page occurs twice.

    A batch that is left with one pair holds no wrong answer and is dropped.

    Args:
        pairs: remarks with the same in plain words, and the page they are about.
        size: pairs per batch.
        seed: of the order.

    Raises:
        ValueError: ``size`` is below 1.
    """
    order = random.Random(guards.whole("seed", seed))
    shuffled = order.sample(list(pairs), len(pairs))
    cut = batches_without_twins([pair.runbook for pair in shuffled], size)
    return [[shuffled[row] for row in rows] for rows in cut if len(rows) > 1]


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
    after: Callable[[int], object] | None = None,
) -> list[float]:
    """Train in place with Adam on batches drawn at random.

    Args:
        encoder: is changed.
        pairs: where the batches are drawn from; no pair is twice in a batch.
        steps: how many batches.
        batch_size: pairs per batch.
        temperature: of ``info_nce``, which is the loss unless another is given.
        loss: (anchors, positives, hard negatives or None) -> a number. If it has
            weights of its own, as ``SoftmaxLoss``, they learn along.
        hard_negatives: embed the hard negatives too and hand them to the loss.
        seed: decides which rows are drawn.
        learning_rate: Adam's.
        after: called with the number of each step when it is done.

    Returns:
        The loss of each step, before the step.

    Raises:
        ValueError: hard negatives are wanted and the pairs have none, or there are
            fewer pairs than a batch holds.
    """
    steps, seed = guards.whole("steps", steps, low=0), guards.whole("seed", seed)
    batch_size = guards.whole("batch_size", batch_size)
    learning_rate = guards.number("learning_rate", learning_rate, low=0)
    if hard_negatives and pairs.hard_negatives is None:
        raise ValueError("these pairs have no hard negatives: give triplets")
    if not 1 <= batch_size <= len(pairs):
        raise ValueError(f"a batch of {batch_size} cannot be drawn from {len(pairs)}")
    if loss is None:

        def loss(anchors, positives, negatives):
            return info_nce(anchors, positives, temperature, negatives)

    generator = torch.Generator().manual_seed(seed)
    learning = [p for p in encoder.parameters() if p.requires_grad]
    learning += loss.parameters() if isinstance(loss, nn.Module) else []
    optimiser = torch.optim.Adam(learning, lr=learning_rate)
    history: list[float] = []
    for step in range(1, steps + 1):
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
        if after:
            after(step)
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
    epochs, seed = guards.whole("epochs", epochs), guards.whole("seed", seed)
    batch_size = guards.whole("batch_size", batch_size)
    learning_rate = guards.number("learning_rate", learning_rate, low=0)
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
