"""A training run that is ill in several places, and its sound twin, to be bisected.

Built in notebook 08. Nothing in the ill run raises an error: each fault has to be found
by giving one part an input whose right output is known. Its lines are the ones to look
for in code of your own.

Library: ``transformers.Trainer`` does what ``Sound`` does. Read:
https://karpathy.github.io/2019/04/25/recipe/

>>> answers = torch.eye(4)
>>> Ill(None).metric(answers, range(4)), Sound(None).metric(answers, range(4))
(0.0, 1.0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from course_utils import corpora, guards, pooling

if TYPE_CHECKING:
    from course_utils.encoder import MiniLM

NAMES = list(corpora.NEWS_LABELS)


class Result(NamedTuple):
    """The loss of each step, before it was taken, and the metric on test."""

    losses: list[float]
    accuracy: float


class Ill:
    """Headlines to four desks: a frozen model and a linear head. Find the faults."""

    def __init__(self, model: MiniLM, rows: int = 240) -> None:
        """Keep the frozen model, and how many headlines of each part are used."""
        self.model, self.rows = model, rows

    def data(self, part: str) -> tuple[list[str], Tensor]:
        """Headlines, the shortest first (less padding), and class numbers."""
        rows = corpora.load_news(part, corrected=True)[: self.rows]
        labels = [NAMES.index(row.label) for row in rows]
        return sorted([row.title for row in rows], key=len), torch.tensor(labels)

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids, filled up to 40 places, and their mask: (texts, 40) each."""
        ids = [row + [0] * (40 - len(row)) for row in self.model.tokenize(list(texts))]
        return torch.tensor(ids), torch.ones(len(ids), 40).long()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The frozen model, then the mean over the tokens: (texts, dim)."""
        with torch.no_grad():
            return pooling.mean_pool(self.model.hidden_states(ids, mask)[0][-1], mask)

    def loss(self, said: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the class probabilities."""
        return functional.cross_entropy(said.softmax(dim=1), labels)

    def step(
        self, head: nn.Module, vectors: Tensor, labels: Tensor, optimizer
    ) -> float:
        """Forward, backward, update; the loss before the update."""
        loss = self.loss(head(vectors), labels)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        return loss.item()

    def metric(self, said: Tensor, labels: Sequence[int]) -> float:
        """Share of the headlines that got the right name."""
        desks = sorted(NAMES)
        pairs = zip(said.argmax(dim=1).tolist(), labels, strict=True)
        return sum(desks[i] == NAMES[j] for i, j in pairs) / len(labels)

    # -- what puts the parts together is sound -----------------------------------------

    def head(self, dim: int = 384) -> nn.Linear:
        """A head that has no opinion yet: all zeros."""
        head = nn.Linear(dim, len(NAMES))
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return head

    def one_batch(self, vectors: Tensor, labels: Tensor, steps: int = 300) -> Result:
        """Learn a few rows by heart: (rows, dim) and (rows,)."""
        head = self.head(vectors.shape[1])
        optimizer = torch.optim.AdamW(head.parameters(), 0.05, weight_decay=0)
        losses = [self.step(head, vectors, labels, optimizer) for _ in range(steps)]
        hits = head(vectors).argmax(dim=1) == labels
        return Result(losses, hits.float().mean().item())

    def run(self, epochs: int = 15) -> Result:
        """Learn from the headlines of ``train``, measure on those of ``test``."""
        (texts, labels), (asked, truth) = self.data("train"), self.data("test")
        vectors, order = self.read(texts), torch.Generator().manual_seed(0)
        head, losses = self.head(vectors.shape[1]), []
        optimizer = torch.optim.AdamW(head.parameters(), 0.01, weight_decay=0)
        for _ in range(guards.whole("epochs", epochs, low=1)):
            for rows in torch.randperm(len(texts), generator=order).split(32):
                losses.append(self.step(head, vectors[rows], labels[rows], optimizer))
        with torch.no_grad():
            said = head(self.read(asked))
        return Result(losses, float(self.metric(said, truth.tolist())))

    def read(self, texts: Sequence[str]) -> Tensor:
        """Texts through the frozen model, once for each way to make a batch."""
        return _read(type(self).batch, type(self).forward, self.model, tuple(texts))


class Sound(Ill):
    """The same run with its five faults mended."""

    def data(self, part: str) -> tuple[list[str], Tensor]:
        """Headlines and class numbers, sorted together."""
        rows = corpora.load_news(part, corrected=True)[: self.rows]
        rows = sorted(rows, key=lambda row: len(row.title))
        labels = [NAMES.index(row.label) for row in rows]
        return [row.title for row in rows], torch.tensor(labels)

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids, filled up to the longest text, and where they are real."""
        rows = [torch.tensor(row) for row in self.model.tokenize(list(texts))]
        real = [torch.ones_like(row) for row in rows]
        ids, mask = (pad_sequence(some, batch_first=True) for some in (rows, real))
        return ids, mask

    def loss(self, said: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy, which does the softmax itself."""
        return functional.cross_entropy(said, labels)

    def step(
        self, head: nn.Module, vectors: Tensor, labels: Tensor, optimizer
    ) -> float:
        """Forget old gradients, then forward, backward, update."""
        optimizer.zero_grad()
        loss = self.loss(head(vectors), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    def metric(self, said: Tensor, labels: Sequence[int]) -> float:
        """Share of the rows whose largest number stands at the label."""
        return (said.argmax(dim=1) == torch.tensor(list(labels))).float().mean().item()


FAULTS = tuple(name for name in vars(Sound) if not name.startswith("_"))


def repaired(model: MiniLM, parts: Sequence[str], rows: int = 240) -> Ill:
    """The ill run with some parts of the sound one.

    Args:
        model: the frozen encoder.
        parts: some of ``FAULTS``.
        rows: how many headlines of each part.

    Raises:
        ValueError: a part that is not ill.

    >>> FAULTS
    ('data', 'batch', 'loss', 'step', 'metric')
    >>> repaired(None, ["metric"]).metric(torch.eye(4), range(4))
    1.0
    """
    unknown = [part for part in parts if part not in FAULTS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not ill: choose from {', '.join(FAULTS)}")
    sound = {part: vars(Sound)[part] for part in parts}
    return type("Repaired", (Ill,), sound)(model, rows)


@lru_cache(maxsize=8)
def _read(
    batch: Callable, forward: Callable, model: MiniLM, texts: tuple[str, ...]
) -> Tensor:
    run = Ill(model)
    parts = [
        forward(run, *batch(run, texts[i : i + 40])) for i in range(0, len(texts), 40)
    ]
    return torch.cat(parts)
