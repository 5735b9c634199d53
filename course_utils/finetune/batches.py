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

from course_utils import corpora, guards


class Batch(NamedTuple):
    """Padded inputs (batch, tokens, …), mask (batch, tokens), labels (batch,)."""

    inputs: Tensor
    mask: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Examples:
    """Texts as a model's learning part reads them, with the number of their class.

    A text of 50 tokens for a ``Classifier`` takes 80 kB, and 120,000 of them 9.6 GB:
    train on a part, or on ids (``LibraryClassifier``), which take a thousandth.

    Attributes:
        inputs: one tensor per text, (tokens, dim) or ids (tokens,).
        labels: (n,) class numbers.
        made_for: what reads such inputs, as ``model.reads`` says it; empty if it is
            not known, and then nothing is compared.
    """

    inputs: Sequence[Tensor]
    labels: Tensor
    made_for: str = ""

    def __post_init__(self) -> None:
        """Refuse inputs and labels that do not belong together."""
        strange = [type(x).__name__ for x in self.inputs if not isinstance(x, Tensor)]
        if strange:
            raise TypeError(
                f"inputs are tensors, got {strange[0]}: let the model read your texts, "
                "finetune.examples(model, articles)"
            )
        labels = torch.as_tensor(self.labels)
        if labels.ndim != 1 or len(self.inputs) != len(labels):
            raise ValueError(f"{len(self.inputs)} inputs, {labels.numel()} labels")
        if len(labels) and (labels.is_floating_point() or labels.dtype == torch.bool):
            raise ValueError(f"labels are class numbers 0, 1, …, not {labels.dtype}")
        if (labels < 0).any():  # torch passes over -100 without a word
            raise ValueError(f"labels count from 0, got {int(labels.min())}")
        object.__setattr__(self, "labels", labels.long())

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
        inputs = [self.inputs[i] for i in chosen]
        return Examples(inputs, self.labels[chosen], self.made_for)

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
    report: Callable[[int, int], object] | None = None,
) -> Examples:
    """Let a model read articles: everything that does not learn is computed here, once.

    Args:
        model: a ``Classifier`` or ``LibraryClassifier``.
        articles: rows with a label of ``model.classes``.
        text: what to read of an article, such as its title only.
        report: called as ``report(texts read, texts in all)``, for who waits.

    Raises:
        TypeError: the model is none of the two, or the rows are no articles.
        ValueError: there are no articles, or a label is none of the classes.
    """
    if not hasattr(model, "prepare"):
        raise TypeError(
            "the model must be a Classifier or a LibraryClassifier, not "
            f"{type(model).__name__}"
        )
    if isinstance(articles, (str, bytes)) or not hasattr(articles, "__len__"):
        raise TypeError(f"pass a list of articles, not {type(articles).__name__}")
    if not len(articles):
        raise ValueError("there are no articles to learn from")
    number = {name: i for i, name in enumerate(model.classes)}
    for place, article in enumerate(articles):
        if not hasattr(article, "label"):
            raise TypeError(
                f"row {place} is {type(article).__name__}, not an article with a label "
                "(corpora.load_news); for texts alone there is model.predict(texts)"
            )
        if article.label not in number:
            raise ValueError(
                f"{article.id} is labelled {article.label!r}, "
                f"the model knows {', '.join(number)}"
            )
    labels = torch.tensor([number[article.label] for article in articles])
    waiting = {} if report is None else {"report": report}
    inputs = model.prepare([text(article) for article in articles], **waiting)
    return Examples(inputs, labels, getattr(model, "reads", ""))


def check_made_for(model: nn.Module, some: Examples) -> None:
    """Refuse examples that another model would have to read.

    Raises:
        TypeError: these are articles or texts, which no model has read yet.
        ValueError: they were prepared for another model or another depth, or a label
            is none of the model's classes.
    """
    if not isinstance(some, Examples):
        raise TypeError(
            f"{type(some).__name__} is not what a model has read: pass "
            "finetune.examples(model, articles)"
        )
    reads = getattr(model, "reads", "")
    if some.made_for and reads and some.made_for != reads:
        raise ValueError(
            f"these examples were prepared as {some.made_for}, but this model reads "
            f"{reads}: prepare them with finetune.examples(model, articles)"
        )
    if len(some) and int(some.labels.max()) >= len(model.classes):
        raise ValueError(
            f"label {int(some.labels.max())}, but the model has the classes 0 to "
            f"{len(model.classes) - 1}"
        )


def balanced(labels: Sequence[int], per_class: int, seed: int) -> list[int]:
    """Draw places at random, the same number of each class, class by class.

    Args:
        labels: class numbers.
        per_class: how many of each.
        seed: of the draw.

    Raises:
        ValueError: a class has fewer, or ``per_class`` is below 1.

    >>> labels = [0, 1, 0, 1, 1]
    >>> [labels[place] for place in balanced(labels, 2, seed=0)]
    [0, 0, 1, 1]
    """
    per_class = guards.whole("per_class", per_class, low=1)
    labels = torch.as_tensor(labels)
    generator = torch.Generator().manual_seed(guards.whole("seed", seed))
    mixed = torch.randperm(len(labels), generator=generator)
    found: list[int] = []
    for number in labels.unique().tolist():
        places = mixed[labels[mixed] == number][:per_class]
        if len(places) < per_class:
            raise ValueError(
                f"class {number} has {len(places)} texts, {per_class} are asked for"
            )
        found += places.tolist()
    return found


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
    batch_size = guards.whole("batch_size", batch_size, low=1)
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
        self.lengths = list(lengths)
        self.batch_size = guards.whole("batch_size", batch_size, low=1)
        seed = guards.whole("seed", seed)
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Batches per epoch."""
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """The places of each batch, in the order of the next epoch."""
        return iter(length_groups(self.lengths, self.batch_size, self.generator))
