"""Texts as a model's learning part reads them, in batches with little padding.

Built in notebook 07, and used through ``finetune``.

Library: ``transformers.DataCollatorWithPadding``, and
``TrainingArguments(train_sampling_strategy="group_by_length")``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_utils import corpora


class Batch(NamedTuple):
    """Padded inputs (batch, tokens, …), mask (batch, tokens), labels (batch,)."""

    inputs: Tensor
    mask: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Examples:
    """Texts as a model's learning part reads them, with the number of their class.

    Attributes:
        inputs: one tensor per text, (tokens, dim) or ids (tokens,).
        labels: (n,) class numbers.
    """

    inputs: Sequence[Tensor]
    labels: Tensor

    def __post_init__(self) -> None:
        """Refuse inputs and labels that do not belong together."""
        if len(self.inputs) != len(self.labels):
            raise ValueError(f"{len(self.inputs)} inputs, {len(self.labels)} labels")

    def __len__(self) -> int:
        """How many texts."""
        return len(self.inputs)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each text."""
        return [len(one) for one in self.inputs]

    def take(self, chosen: Sequence[int]) -> Examples:
        """Return the examples at the given places, in that order."""
        chosen = [int(i) for i in chosen]
        return Examples([self.inputs[i] for i in chosen], self.labels[chosen])

    def batch(self, chosen: Sequence[int] | None = None) -> Batch:
        """Fill the chosen examples up to the longest *of them*, with zeros.

        >>> ids = [torch.tensor([5, 6]), torch.tensor([7])]
        >>> two = Examples(ids, torch.tensor([0, 1]))
        >>> two.batch().inputs.tolist(), two.batch().mask.tolist()
        ([[5, 6], [7, 0]], [[True, True], [True, False]])
        """
        some = self if chosen is None else self.take(chosen)
        lengths = torch.tensor(some.lengths)
        inputs = nn.utils.rnn.pad_sequence(list(some.inputs), batch_first=True)
        return Batch(
            inputs, torch.arange(inputs.shape[1]) < lengths[:, None], some.labels
        )


def examples(
    model: nn.Module,
    articles: Sequence[corpora.Article],
    text: Callable[[corpora.Article], str] = lambda article: article.text,
) -> Examples:
    """Let a model read articles: everything that does not learn is computed here, once.

    Args:
        model: a ``Classifier`` or ``LibraryClassifier``.
        articles: rows with a label of ``model.classes``.
        text: what to read of an article, such as its title only.

    Raises:
        ValueError: there are no articles, or a label is none of the classes.
    """
    if not articles:
        raise ValueError("there are no articles to learn from")
    number = {name: i for i, name in enumerate(model.classes)}
    for article in articles:
        if article.label not in number:
            raise ValueError(
                f"{article.id} is labelled {article.label!r}, "
                f"the model knows {', '.join(number)}"
            )
    labels = torch.tensor([number[article.label] for article in articles])
    return Examples(model.prepare([text(article) for article in articles]), labels)


def length_groups(
    lengths: Sequence[int], batch_size: int, generator: torch.Generator | None = None
) -> list[list[int]]:
    """Share out places 0 … n-1 to batches in which the lengths are similar.

    Args:
        lengths: tokens of each text.
        batch_size: texts per batch; the last one may be smaller.
        generator: shuffles first, sorts only within runs of eight batches, and shuffles
            the batches; None sorts everything, for evaluation.

    Raises:
        ValueError: ``batch_size`` is below 1.

    >>> length_groups([9, 2, 8, 3], batch_size=2)
    [[1, 3], [2, 0]]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    count = len(lengths)
    places = list(range(count))
    if generator is not None:
        places = torch.randperm(count, generator=generator).tolist()
    run = count if generator is None else 8 * batch_size
    groups = []
    for start in range(0, count, max(run, 1)):
        some = sorted(places[start : start + run], key=lambda i: lengths[i])
        groups += [some[i : i + batch_size] for i in range(0, len(some), batch_size)]
    if generator is not None:
        mixed = torch.randperm(len(groups), generator=generator).tolist()
        groups = [groups[i] for i in mixed]
    return groups


class GroupedBatches:
    """``length_groups`` as a batch sampler of torch's ``DataLoader``."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """Keep what decides the order; the same seed gives the order of our loop."""
        self.lengths, self.batch_size = list(lengths), batch_size
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Batches per epoch."""
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """The places of each batch, in the order of the next epoch."""
        return iter(length_groups(self.lengths, self.batch_size, self.generator))
