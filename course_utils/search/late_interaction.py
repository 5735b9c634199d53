"""Pool later, or not at all: late chunking and MaxSim. Used in notebook 09.

A model reads a text once and gives a vector per token. Late chunking pools them passage
by passage afterwards; late interaction keeps them all and lets each token of a question
look for its best match.

Library: ``colbert-ai`` and ``pylate`` train models for it. Papers: Khattab and Zaharia
2020, ColBERT (arXiv 2004.12832); Günther et al. 2024, late chunking (arXiv 2409.04701).

>>> question, page = torch.eye(2), torch.tensor([[0.6, 0.8], [1.0, 0.0]])
>>> round(max_sim(question, page), 2)  # 1.0 for the first token, 0.8 for the second
1.8
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from course_utils import assets, pooling

if TYPE_CHECKING:
    from course_utils.encoder import MiniLM


def token_states(model: MiniLM, texts: Sequence[str]) -> list[Tensor]:
    """The last hidden states of each text, with those of ``[CLS]`` and ``[SEP]``.

    Args:
        model: the encoder.
        texts: each is read up to ``model.max_tokens``.

    Returns:
        One (tokens, dim) per text; their mean, scaled to length 1, is ``encode(text)``.
    """

    def real(last: Tensor, mask: Tensor) -> list[Tensor]:
        sizes = mask.sum(dim=1)
        wide = last.float()  # bfloat16 would not go into NumPy
        return [rows[:size].clone() for rows, size in zip(wide, sizes, strict=True)]

    return model.read(model.tokenize(texts), real)


def late_chunks(
    text: str, states: Tensor, spans: Iterable[tuple[int, int]]
) -> tuple[list[int], Tensor]:
    """Pool passages of a text that was read as a whole.

    Args:
        text: the text, as it was read.
        states: what ``token_states`` gave for it, (tokens, dim).
        spans: start and end of each passage, in characters.

    Returns:
        The numbers of the passages that have a token of their own, and their vectors,
        (passages, dim) of length 1.

    Raises:
        ValueError: the states are not those of this text, or no passage has a token.
    """
    read = assets.encodable(text)
    if len(read) < len(text):  # characters in two halves were put together
        halves = [len(assets.encodable(text[:i])) for i in range(len(text) + 1)]
        spans = [(halves[start], halves[end]) for start, end in spans]
    places = assets.fast_tokenizer().encode(read).offsets
    if len(places) != len(states):
        raise ValueError(
            f"the text has {len(places)} tokens but the states are of {len(states)}: "
            "pass the text that was read, cut to the model's limit"
        )
    kept, pooled = [], []
    for number, (start, end) in enumerate(spans):
        rows = [i for i, (a, b) in enumerate(places) if start <= a < b <= end]
        if rows:
            kept.append(number)
            pooled.append(states[rows].mean(dim=0))
    if not kept:
        raise ValueError("no passage has a token: pass spans in characters")
    return kept, pooling.normalize(torch.stack(pooled))


def max_sim(question: Tensor, page: Tensor) -> float:
    """The sum, over the tokens of a question, of the best cosine in a page.

    Args:
        question: (tokens, dim), rows of length 1.
        page: (other tokens, dim), rows of length 1.

    Raises:
        ValueError: a vector holds NaN or infinity.
    """
    scores = question.float() @ page.float().T
    if not torch.isfinite(scores).all():
        raise ValueError("a vector holds NaN or infinity: nothing can be found by it")
    return float(scores.max(dim=1).values.sum())


def max_sims(question: Tensor, pages: Sequence[Tensor]) -> np.ndarray:
    """``max_sim`` of one question against many pages, in one product.

    Args:
        question: (tokens, dim), rows of length 1.
        pages: each (its tokens, dim), rows of length 1, at least one row.

    Returns:
        One sum per page, (pages,).

    Raises:
        ValueError: there are no pages, or one has no token.

    >>> max_sims(torch.eye(2), [torch.eye(2)[:1], torch.eye(2)]).tolist()
    [1.0, 2.0]
    """
    lengths = [len(page) for page in pages]
    if not lengths or min(lengths) < 1:
        raise ValueError("max_sims needs pages, each with at least one token")
    starts = np.cumsum([0, *lengths[:-1]])
    cosines = (question @ torch.cat(list(pages)).T).numpy()  # (tokens, all tokens)
    return np.maximum.reduceat(cosines, starts, axis=1).sum(axis=0)
