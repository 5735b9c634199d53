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

from course_utils import assets, guards, lookup


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
    return _waves(torch.arange(tokens), dim, base).float()


def _waves(places: Tensor, dim: int, base: float) -> Tensor:
    angles = places.double().unsqueeze(1) * _frequencies(dim, base)  # (tokens, dim / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def learned() -> Tensor:
    """MiniLM's own position table: (512, 384), a row per position, found by training.

    >>> tuple(learned().shape)
    (512, 384)
    """
    return assets.weights()["embeddings.position_embeddings.weight"]


def table_rows(table: Tensor, places: Tensor) -> Tensor:
    """Read the rows of a position table: (size, dim) and (tokens,) -> (tokens, dim).

    The library says ``IndexError: index out of range in self`` when a text is too long.

    Raises:
        ValueError: a place is negative or beyond the table's end.

    >>> table_rows(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1]))
    tensor([[3., 4.]])
    """
    if places.numel() and (places.min() < 0 or places.max() >= len(table)):
        raise ValueError(
            f"positions {int(places.min())} to {int(places.max())} do not fit a table "
            f"of {len(table)} rows: cut the text, or read it in parts"
        )
    return lookup.rows(table, places)


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
        ValueError: ``dim`` is odd, there is not one position per token, ``x`` holds
            whole numbers (sines would be rounded to 0), or a value is not finite.

    >>> x = torch.tensor([[1.0, 0.0]])
    >>> rope(x, torch.tensor([1.0])).round(decimals=2)
    tensor([[0.5400, 0.8400]])
    """
    if x.ndim < 2 or positions.shape != x.shape[-2:-1]:
        raise ValueError(
            f"x has shape {tuple(x.shape)} (..., tokens, dim), positions "
            f"{tuple(positions.shape)}: give one position per token"
        )
    if not x.is_floating_point():
        raise ValueError(f"x must hold floats, got {x.dtype}: pass x.float()")
    if not (torch.isfinite(x).all() and torch.isfinite(positions).all()):
        raise ValueError("x or positions holds NaN or infinity")
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
    heads = guards.whole("heads", heads, low=1)
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
        rule: maps checked q and k (tokens, dim) and places (tokens,) to the scores.
    """

    name: str
    parameters: int
    rule: Callable[[Tensor, Tensor, Tensor], Tensor]

    def scores(self, q: Tensor, k: Tensor, places: Tensor) -> Tensor:
        """How much each query wants each key, before scaling and softmax.

        Args:
            q: queries (tokens, dim).
            k: keys (tokens, dim).
            places: the position of each token (tokens,).

        Returns:
            (tokens, tokens).

        Raises:
            ValueError: the shapes do not fit, or a place is beyond a table's end.
        """
        if q.ndim != 2 or q.shape != k.shape or places.shape != q.shape[:1]:
            raise ValueError(
                f"q {tuple(q.shape)} and k {tuple(k.shape)} must both be (tokens, dim),"
                f" places {tuple(places.shape)} must be (tokens,)"
            )
        return self.rule(q, k, places)


def none_scheme() -> Scheme:
    """No positions: a bag of tokens."""
    return Scheme("none", 0, lambda q, k, places: q @ k.T)


def sinusoidal_scheme(base: float = 10000.0) -> Scheme:
    """Sinusoids are added to the vectors, at any position (the 2017 transformer)."""

    def rule(q: Tensor, k: Tensor, places: Tensor) -> Tensor:
        added = _waves(places, q.shape[1], base).to(q.dtype)
        return (q + added) @ (k + added).T

    return Scheme("sinusoidal", 0, rule)


def table_scheme(table: Tensor, name: str = "learned") -> Scheme:
    """Rows of a trained table are added to the vectors, as in BERT."""

    def rule(q: Tensor, k: Tensor, places: Tensor) -> Tensor:
        added = table_rows(table, places)
        return (q + added) @ (k + added).T

    return Scheme(name, table.numel(), rule)


def rope_scheme(base: float = 10000.0, interleaved: bool = False) -> Scheme:
    """Queries and keys are turned before they meet."""

    def rule(q: Tensor, k: Tensor, places: Tensor) -> Tensor:
        q, k = (rope(x, places, base, interleaved) for x in (q, k))
        return q @ k.T

    return Scheme("rotary", 0, rule)


def alibi_scheme(slope: float = 0.0625) -> Scheme:
    """Distance is subtracted from the scores, the vectors stay as they are."""

    def rule(q: Tensor, k: Tensor, places: Tensor) -> Tensor:
        return q @ k.T - slope * (places[:, None] - places[None, :]).abs()

    return Scheme("ALiBi", 0, rule)


# Five questions to a scheme, each answered by trying it on given vectors (tokens, dim).


def sees_order(scheme: Scheme, q: Tensor, k: Tensor, tolerance: float = 1e-3) -> bool:
    """Whether swapping the first two tokens changes more than the scores' order."""
    places = torch.arange(len(q))
    order = torch.cat([torch.tensor([1, 0]), places[2:]])
    there = scheme.scores(q[order], k[order], places)
    expected = scheme.scores(q, k, places)[order][:, order]
    return not torch.allclose(there, expected, atol=tolerance)


def sees_direction(scheme: Scheme, q: Tensor, tolerance: float = 1e-3) -> bool:
    """Whether "before" and "after" at the same distance get different scores."""
    same = q[:1].expand_as(q)
    scores = scheme.scores(same, same.roll(1, dims=1), torch.arange(len(q)))
    return not torch.allclose(scores, scores.T, atol=tolerance)


def is_relative(
    scheme: Scheme, q: Tensor, k: Tensor, shift: int, tolerance: float = 1e-3
) -> bool:
    """Whether the scores stay the same when the whole text moves by ``shift``."""
    places = torch.arange(len(q))
    here, there = scheme.scores(q, k, places), scheme.scores(q, k, places + shift)
    return torch.allclose(here, there, atol=tolerance)


def prefers_near(scheme: Scheme, q: Tensor) -> bool:
    """Whether, among equal keys, a nearer one always scores higher than a farther."""
    same = q[:1].expand_as(q)
    scores = scheme.scores(same, same, torch.arange(len(q)))[0]
    return bool((scores.diff() < 0).all())


def reaches(scheme: Scheme, q: Tensor, place: int) -> bool:
    """Whether the scheme has a score for a text that begins at ``place``."""
    try:
        scheme.scores(q, q, torch.arange(len(q)) + place)
    except ValueError:
        return False
    return True
