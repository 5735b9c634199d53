"""How a model knows the order of its tokens. Built in notebook 03.

Four schemes behind one question: *what score do two vectors get at two places?*

Library: ``transformers.models.bert`` (learned), ``transformers.models.llama`` (rotary),
``transformers.models.gpt_neox`` and GPT-J (the two rotary conventions),
``transformers.models.bloom`` (ALiBi). Papers: Vaswani et al. 2017 (arXiv 1706.03762),
Su et al. 2021 (arXiv 2104.09864), Press et al. 2021 (arXiv 2108.12409).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils import assets, lookup


def _frequencies(dim: int, base: float) -> Tensor:
    if dim < 2 or dim % 2:
        raise ValueError(
            f"dim must be even and positive, got {dim}: sin and cos pair up"
        )
    if base <= 1:
        raise ValueError(f"base must be above 1, got {base}")
    return base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)  # (dim / 2,)


def sinusoidal(tokens: int, dim: int, base: float = 10000.0) -> Tensor:
    """Sines and cosines of falling frequency, one row per position: (tokens, dim).

    Even columns are sines, odd ones cosines of the same angle. The dot product of two
    rows depends on their distance only.

    Raises:
        ValueError: ``tokens`` is negative, ``dim`` is odd, or ``base`` is not above 1.

    >>> sinusoidal(2, 4).round(decimals=2)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8400, 0.5400, 0.0100, 1.0000]])
    """
    if tokens < 0:
        raise ValueError(f"tokens must not be negative, got {tokens}")
    numbers = torch.arange(tokens, dtype=torch.float64)
    angles = numbers.unsqueeze(1) * _frequencies(dim, base)  # (tokens, dim / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1).float()


def learned() -> Tensor:
    """MiniLM's own position table: (512, 384), a row per position, found by training.

    >>> tuple(learned().shape)
    (512, 384)
    """
    return assets.weights()["embeddings.position_embeddings.weight"]


def rope(
    x: Tensor, positions: Tensor, base: float = 10000.0, interleaved: bool = False
) -> Tensor:
    """Turn each pair of numbers by an angle that grows with the position (RoPE).

    Args:
        x: queries or keys (..., tokens, dim).
        positions: (tokens,), whole numbers or not.
        base: the slowest pair turns once in about ``2π · base`` positions.
        interleaved: which numbers form a pair. False: number i and i + dim/2 (Llama,
            GPT-NeoX, "half-split"). True: numbers 2i and 2i + 1 (GPT-J, the paper).
            Weights trained with one are useless with the other.

    Returns:
        The same shape; lengths are unchanged.

    Raises:
        ValueError: ``dim`` is odd, or there is not one position per token.

    >>> x = torch.tensor([[1.0, 0.0]])
    >>> rope(x, torch.tensor([1.0])).round(decimals=2)
    tensor([[0.5400, 0.8400]])
    """
    if x.ndim < 2 or positions.shape != x.shape[-2:-1]:
        raise ValueError(
            f"x has shape {tuple(x.shape)} (..., tokens, dim), positions "
            f"{tuple(positions.shape)}: give one position per token"
        )
    angles = positions.double().unsqueeze(1) * _frequencies(x.shape[-1], base)
    sin, cos = angles.sin().to(x.dtype), angles.cos().to(x.dtype)  # (tokens, dim / 2)
    first, second = (x[..., ::2], x[..., 1::2]) if interleaved else x.chunk(2, dim=-1)
    turned = first * cos - second * sin, first * sin + second * cos
    if interleaved:
        return torch.stack(turned, dim=-1).flatten(-2)
    return torch.cat(turned, dim=-1)


def alibi_slopes(heads: int) -> Tensor:
    """How fast attention fades with distance, per head: (heads,), a geometric series.

    >>> alibi_slopes(4)
    tensor([0.2500, 0.0625, 0.0156, 0.0039])
    """
    if heads < 1:
        raise ValueError(f"heads must be at least 1, got {heads}")
    whole = 2 ** (heads.bit_length() - 1)  # the largest power of two within
    slopes = [2 ** (-8 * (i + 1) / whole) for i in range(whole)]
    # As in the paper's code: the heads beyond take every other slope of the double.
    slopes += [2 ** (-4 * (i + 1) / whole) for i in range(0, 2 * (heads - whole), 2)]
    return torch.tensor(slopes)


def alibi_bias(heads: int, tokens: int) -> Tensor:
    """Add to the scores: minus slope times distance, (heads, tokens, tokens).

    The published model looks back only; this is the symmetric form for encoders. Where
    the key comes first, both are the same.

    Raises:
        ValueError: ``heads`` is below 1 or ``tokens`` is negative.

    >>> alibi_bias(1, 3)[0] * 256
    tensor([[ 0., -1., -2.],
            [-1.,  0., -1.],
            [-2., -1.,  0.]])
    """
    if tokens < 0:
        raise ValueError(f"tokens must not be negative, got {tokens}")
    places = torch.arange(tokens)
    distance = (places[:, None] - places[None, :]).abs()
    return alibi_slopes(heads)[:, None, None] * -distance


# -- one interface ---------------------------------------------------------------------


@dataclass(frozen=True)
class Scheme:
    """A way to bring positions into attention.

    Attributes:
        name: what papers call it.
        parameters: how many numbers training has to find.
        longest: how many positions it has; None if there is no end.
        scores: maps q and k (tokens, dim) and their places (tokens,) to the scores
            (tokens, tokens), before scaling and softmax.
    """

    name: str
    parameters: int
    longest: int | None
    scores: Callable[[Tensor, Tensor, Tensor], Tensor]


def none_scheme() -> Scheme:
    """No positions: a bag of tokens."""
    return Scheme("none", 0, None, lambda q, k, places: q @ k.T)


def table_scheme(name: str, table: Tensor, trained: bool) -> Scheme:
    """Rows of a table are added to the vectors, as in BERT and the transformer."""

    def scores(q: Tensor, k: Tensor, places: Tensor) -> Tensor:
        added = lookup.rows(table, places)
        return (q + added) @ (k + added).T

    return Scheme(name, table.numel() if trained else 0, len(table), scores)


def rope_scheme(base: float = 10000.0, interleaved: bool = False) -> Scheme:
    """Queries and keys are turned before they meet."""

    def scores(q: Tensor, k: Tensor, places: Tensor) -> Tensor:
        turned = (rope(x, places, base, interleaved) for x in (q, k))
        return torch.matmul(next(turned), next(turned).T)

    return Scheme("rotary", 0, None, scores)


def alibi_scheme(slope: float = 0.0625) -> Scheme:
    """Distance is subtracted from the scores, the vectors stay as they are."""

    def scores(q: Tensor, k: Tensor, places: Tensor) -> Tensor:
        return q @ k.T - slope * (places[:, None] - places[None, :]).abs()

    return Scheme("ALiBi", 0, None, scores)


def sees_order(scheme: Scheme, q: Tensor, k: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether swapping two tokens changes more than the order of the scores."""
    places = torch.arange(len(q))
    order = torch.arange(len(q)).flip(0)
    there = scheme.scores(q[order], k[order], places)
    expected = scheme.scores(q, k, places)[order][:, order]
    return not torch.allclose(there, expected, atol=tolerance)


def sees_direction(scheme: Scheme, q: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether "before" and "after" at the same distance get different scores."""
    same = q[:1].expand_as(q).contiguous()
    scores = scheme.scores(same, same.roll(1, dims=1), torch.arange(len(q)))
    return not torch.allclose(scores, scores.T, atol=tolerance)


def is_relative(
    scheme: Scheme, q: Tensor, k: Tensor, shift: int, tolerance: float = 1e-4
) -> bool:
    """Whether the scores stay the same when the whole text moves by ``shift``."""
    places = torch.arange(len(q))
    here, there = scheme.scores(q, k, places), scheme.scores(q, k, places + shift)
    return torch.allclose(here, there, atol=tolerance)
