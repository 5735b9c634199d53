"""Where rows come from: skip-gram with negative sampling.

Built in notebook 02, used as ``lookup.train_skip_gram`` and so on. Library:
``gensim.models.Word2Vec(sg=1, negative=5)``. Paper: Mikolov et al. 2013
(arXiv 1310.4546).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils import guards
from course_utils.lookup.words import WordTable


def skip_gram_pairs(tokens: Sequence[int], window: int) -> list[tuple[int, int]]:
    """List (centre, context) for all neighbours at most ``window`` places away.

    >>> skip_gram_pairs([5, 6, 7], window=1)
    [(5, 6), (6, 5), (6, 7), (7, 6)]
    """
    window = guards.whole("window", window)
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    return [
        (centre, tokens[j])
        for i, centre in enumerate(tokens)
        for j in range(max(0, i - window), min(len(tokens), i + window + 1))
        if j != i
    ]


def train_skip_gram(
    sentences: Sequence[Sequence[str]],
    dim: int = 24,
    window: int = 2,
    negatives: int = 5,
    epochs: int = 60,
    learning_rate: float = 0.05,
    seed: int = 0,
    batch_size: int = 64,
) -> WordTable:
    """Learn a table from which words stand near which (skip-gram, negative sampling).

    For each neighbouring pair the two rows are pulled together, and the centre's row is
    pushed from ``negatives`` words drawn by frequency to the power 3/4.

    Args:
        sentences: lists of words.
        dim: numbers per row.
        window: how far a neighbour may be.
        negatives: random words per pair.
        epochs: passes over all pairs.
        learning_rate: step size of Adagrad.
        seed: decides the first rows and the draws.
        batch_size: pairs per step.

    Returns:
        The table of centre rows, words by frequency.

    Raises:
        ValueError: fewer than two different words, no word has a neighbour, or a
            setting is out of range.
    """

    def loss(centre: Tensor, context: Tensor, batch: Tensor, wrong: Tensor) -> Tensor:
        return skip_gram_loss(centre, context, batch[:, 0], batch[:, 1], wrong)

    numbers = dim, negatives, epochs, learning_rate, seed, batch_size
    return learn_table(
        sentences, lambda ids: skip_gram_pairs(ids, window), loss, *numbers
    )


def learn_table(
    sentences: Sequence[Sequence[str]],
    examples_of: Callable[[list[int]], Sequence[Sequence[int]]],
    loss_of: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
    dim: int,
    negatives: int,
    epochs: int,
    learning_rate: float,
    seed: int,
    batch_size: int,
) -> WordTable:
    """Train an input and an output table on examples of any kind; return the input's.

    Args:
        sentences: lists of words.
        examples_of: one sentence as ids -> its examples, rows of one length.
        loss_of: input table, output table, examples (batch, n) and drawn words
            (batch, negatives) -> a number.
        dim: numbers per row.
        negatives: random words per example.
        epochs: passes over all examples.
        learning_rate: step size of Adagrad.
        seed: decides the first rows and the draws.
        batch_size: examples per step.

    Raises:
        ValueError: as ``train_skip_gram``.
    """
    dim, negatives = guards.whole("dim", dim), guards.whole("negatives", negatives)
    epochs, seed = guards.whole("epochs", epochs), guards.whole("seed", seed)
    batch_size = guards.whole("batch_size", batch_size, low=1)
    learning_rate = guards.number("learning_rate", learning_rate, low=0)
    if dim < 1 or negatives < 1 or epochs < 0:
        raise ValueError(
            f"dim and negatives must be at least 1, epochs at least 0: got {dim}, "
            f"{negatives}, {epochs}"
        )
    frequency = Counter(word for sentence in sentences for word in sentence)
    if len(frequency) < 2:
        raise ValueError("learning needs at least two different words")
    words = [word for word, _ in frequency.most_common()]
    number = {word: i for i, word in enumerate(words)}
    as_ids = ([number[word] for word in sentence] for sentence in sentences)
    examples = torch.tensor([row for ids in as_ids for row in examples_of(ids)])
    if not len(examples):
        raise ValueError("no word has a neighbour: sentences need two words or more")
    generator = torch.Generator().manual_seed(seed)
    noise = torch.tensor([frequency[word] for word in words]).float() ** 0.75
    centre = (torch.rand(len(words), dim, generator=generator) - 0.5) / dim
    context = torch.zeros(len(words), dim)
    tables = [centre.requires_grad_(), context.requires_grad_()]
    optimiser = torch.optim.Adagrad(tables, lr=learning_rate)
    for _ in range(epochs):
        shuffled = examples[torch.randperm(len(examples), generator=generator)]
        for batch in shuffled.split(batch_size):
            drawn = len(batch) * negatives
            wrong = torch.multinomial(noise, drawn, True, generator=generator)
            loss = loss_of(centre, context, batch, wrong.view(-1, negatives))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return WordTable(words, centre.detach().numpy())


def skip_gram_loss(
    centre: Tensor, context: Tensor, centres: Tensor, contexts: Tensor, wrong: Tensor
) -> Tensor:
    """Return the mean of -log σ(c·o) - Σ log σ(-c·n) over a batch (Mikolov 2013).

    Args:
        centre: centre rows (words, dim).
        context: context rows (words, dim).
        centres: ids (batch,).
        contexts: ids of true neighbours (batch,).
        wrong: ids of drawn words (batch, negatives).
    """
    c = centre[centres]  # (batch, dim)
    positive = (c * context[contexts]).sum(dim=1)  # (batch,)
    negative = (context[wrong] @ c.unsqueeze(-1)).squeeze(-1)  # (batch, negatives)
    log_sigmoid = torch.nn.functional.logsigmoid
    return -(log_sigmoid(positive) + log_sigmoid(-negative).sum(dim=1)).mean()


def softmax_loss(
    centre: Tensor, context: Tensor, centres: Tensor, contexts: Tensor
) -> Tensor:
    """Return the mean cross-entropy of choosing each neighbour among all words.

    What negative sampling replaces: every row of ``context`` gets a gradient.
    Arguments as in ``skip_gram_loss``.
    """
    scores = centre[centres] @ context.T  # (batch, words)
    return torch.nn.functional.cross_entropy(scores, contexts)


def softmax_gradient(context: Tensor, centre: Tensor, observed: int) -> Tensor:
    """Gradient of ``-log P(observed | centre)`` at the centre's row, without autograd.

    The mean of all context rows, weighted by their probability, minus the one that was
    seen: *expected minus observed*.

    Args:
        context: context rows (words, dim).
        centre: one row (dim,).
        observed: number of the word that stood there.

    Returns:
        (dim,). ``torch.nn.functional.cross_entropy`` and ``backward`` give the same.

    >>> context = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    >>> softmax_gradient(context, torch.tensor([0.0, 0.0]), observed=0)
    tensor([-1.,  1.])
    """
    probabilities = (context @ centre).softmax(dim=0)  # (words,)
    return probabilities @ context - context[observed]
