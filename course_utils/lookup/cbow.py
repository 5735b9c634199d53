"""The other half of word2vec: several neighbours together predict the word between.

Built in notebook 02, used as ``lookup.train_cbow``. Library:
``gensim.models.Word2Vec(sg=0, negative=5)``. Paper: Mikolov et al. 2013
(arXiv 1301.3781): *continuous bag of words*.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils import guards
from course_utils.lookup.skipgram import learn_table
from course_utils.lookup.words import WordTable

NOBODY = -1  # fills the window where a sentence begins or ends


def cbow_windows(tokens: Sequence[int], window: int) -> list[list[int]]:
    """List ``[centre, neighbour, neighbour, …]`` for each token that has a neighbour.

    All rows have 1 + 2 · ``window`` entries; what is missing is ``NOBODY``, -1.

    Raises:
        ValueError: ``window`` is below 1.

    >>> cbow_windows([5, 6, 7], window=1)
    [[5, 6, -1], [6, 5, 7], [7, 6, -1]]
    """
    window = guards.whole("window", window, low=1)
    rows = []
    for i, centre in enumerate(tokens):
        near = [*tokens[max(0, i - window) : i], *tokens[i + 1 : i + window + 1]]
        if near:
            rows.append([centre, *near, *[NOBODY] * (2 * window - len(near))])
    return rows


def cbow_loss(
    inputs: Tensor, outputs: Tensor, windows: Tensor, centres: Tensor, wrong: Tensor
) -> Tensor:
    """Return the mean of -log σ(m·o) - Σ log σ(-m·n), m the mean of the window's rows.

    Args:
        inputs: rows of the neighbours (words, dim).
        outputs: rows of the word to be guessed (words, dim).
        windows: ids of the neighbours (batch, places), ``NOBODY`` where none stands.
        centres: ids of the words between them (batch,).
        wrong: ids of drawn words (batch, negatives).
    """
    there = (windows != NOBODY).unsqueeze(-1)  # (batch, places, 1)
    rows = inputs[windows.clamp(min=0)] * there  # (batch, places, dim)
    mean = rows.sum(dim=1) / there.sum(dim=1)  # (batch, dim)
    positive = (mean * outputs[centres]).sum(dim=1)  # (batch,)
    negative = (outputs[wrong] @ mean.unsqueeze(-1)).squeeze(-1)  # (batch, negatives)
    log_sigmoid = torch.nn.functional.logsigmoid
    return -(log_sigmoid(positive) + log_sigmoid(-negative).sum(dim=1)).mean()


def train_cbow(
    sentences: Sequence[Sequence[str]],
    dim: int = 24,
    window: int = 2,
    negatives: int = 5,
    epochs: int = 60,
    learning_rate: float = 0.05,
    seed: int = 0,
    batch_size: int = 64,
) -> WordTable:
    """Learn a table by guessing each word from the mean of its neighbours (CBOW).

    Arguments, result and errors as in ``train_skip_gram``; the table that is returned
    is the one that is averaged.
    """

    def loss(inputs: Tensor, outputs: Tensor, batch: Tensor, wrong: Tensor) -> Tensor:
        return cbow_loss(inputs, outputs, batch[:, 1:], batch[:, 0], wrong)

    numbers = dim, negatives, epochs, learning_rate, seed, batch_size
    return learn_table(sentences, lambda ids: cbow_windows(ids, window), loss, *numbers)
