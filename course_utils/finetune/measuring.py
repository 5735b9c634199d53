"""What a model makes of examples. Built in notebook 07, and used through ``finetune``.

Library: ``transformers.Trainer.predict``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_utils.finetune.batches import Examples, check_made_for, length_groups


@dataclass(frozen=True)
class Evaluation:
    """What a model makes of some examples, in their order.

    Attributes:
        probabilities: (n, classes).
        losses: (n,) cross-entropy of each text, in nats.
        correct: (n,) whether the most probable class is the label.
    """

    probabilities: Tensor
    losses: Tensor
    correct: Tensor

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return self.losses.mean().item()

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.correct.double().mean().item()


@torch.no_grad()
def logits_of(model: nn.Module, some: Examples, batch_size: int = 32) -> Tensor:
    """(n, classes) for n examples, in their order; the model's mode comes back."""
    was_training = model.training
    model.eval()
    logits = torch.empty(len(some), len(model.classes), dtype=torch.float32)
    for chosen in length_groups(some.lengths, batch_size):
        batch = some.batch(chosen)
        logits[chosen] = model(batch.inputs, batch.mask)
    model.train(was_training)
    return logits


def evaluate(model: nn.Module, some: Examples, batch_size: int = 32) -> Evaluation:
    """Measure a model on examples, in their order; nothing is changed.

    Raises:
        TypeError: these are articles, which the model has not read: ``examples`` first.
        ValueError: there are none, or they were prepared for another model or depth.
    """
    check_made_for(model, some)
    if not len(some):
        raise ValueError("there is nothing to evaluate on")
    logits = logits_of(model, some, batch_size)
    losses = functional.cross_entropy(logits, some.labels, reduction="none")
    return Evaluation(logits.softmax(1), losses, logits.argmax(1) == some.labels)
