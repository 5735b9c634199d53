"""From n token vectors to one. Built in notebook 05.

Every pooling takes ``token_vectors`` (batch, tokens, dim) and ``mask`` (batch, tokens),
true or 1 at real tokens, whichever side the padding is on. Sums that the given type
cannot hold are taken in a wider one.

Library: ``Pooling``, ``Normalize`` and ``util.cos_sim`` of ``sentence_transformers``.
Paper: Reimers and Gurevych 2019 (arXiv 1908.10084).

>>> vectors = torch.tensor([[[1.0, 3.0], [3.0, 1.0], [9.0, 9.0]]])
>>> mean_pool(vectors, torch.tensor([[1, 1, 0]]))
tensor([[2., 2.]])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from course_utils import guards


def _wide(vectors: Tensor) -> Tensor:
    """float32 at least: a sum of 400 float16 numbers is too large or too coarse."""
    return vectors.to(torch.promote_types(vectors.dtype, torch.float32))


def _in_range(compute: Callable[[Tensor], Tensor], vectors: Tensor) -> Tensor:
    """Compute so that nothing overflows on the way; return the type that came."""
    found = compute(_wide(vectors))
    if not torch.isfinite(found).all():
        found = compute(vectors.double())
    found = found.to(vectors.dtype) if vectors.is_floating_point() else found
    if not torch.isfinite(found).all():
        raise ValueError(f"the values are too large for {vectors.dtype}: scale them")
    return found


def _checked(token_vectors: Tensor, mask: Tensor) -> Tensor:
    if token_vectors.ndim != 3:
        raise ValueError(
            "token_vectors must be (batch, tokens, dim), "
            f"got shape {tuple(token_vectors.shape)}"
        )
    if mask.shape != token_vectors.shape[:2]:
        raise ValueError(
            f"mask has shape {tuple(mask.shape)} but token_vectors has "
            f"{token_vectors.shape[0]} rows of {token_vectors.shape[1]} tokens"
        )
    mask = mask.bool()
    if not mask.any(dim=1).all():
        row = int((~mask.any(dim=1)).nonzero()[0])
        raise ValueError(f"row {row} is all padding: there is nothing to pool")
    if not torch.isfinite(token_vectors[mask]).all():
        raise ValueError("token_vectors holds NaN or infinity at a real token")
    return mask


def mean_pool(token_vectors: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real tokens' vectors: (batch, dim). What MiniLM was trained with.

    Raises:
        ValueError: shapes do not fit, a row is all padding, a value is not finite.
    """
    mask = _checked(token_vectors, mask)
    count, pad = mask.sum(dim=1, keepdim=True), ~mask.unsqueeze(-1)
    return _in_range(
        lambda x: x.masked_fill(pad, 0.0).sum(dim=1) / count, token_vectors
    )


def cls_pool(token_vectors: Tensor, mask: Tensor) -> Tensor:
    """Vector of the first real token, ``[CLS]`` in BERT: (batch, dim).

    Raises:
        ValueError: as ``mean_pool``.
    """
    mask = _checked(token_vectors, mask)
    first = mask.int().argmax(dim=1)
    return token_vectors[torch.arange(len(mask)), first]


def last_token_pool(token_vectors: Tensor, mask: Tensor) -> Tensor:
    """Vector of the last real token, as decoder-only embedders use it: (batch, dim).

    Raises:
        ValueError: as ``mean_pool``.
    """
    mask = _checked(token_vectors, mask)
    last = mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1)
    return token_vectors[torch.arange(len(mask)), last]


def max_pool(token_vectors: Tensor, mask: Tensor) -> Tensor:
    """Largest value in each dimension over the real tokens: (batch, dim).

    Raises:
        ValueError: as ``mean_pool``.
    """
    mask = _checked(token_vectors, mask)
    return token_vectors.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(dim=1)


def weighted_mean_pool(
    token_vectors: Tensor, mask: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Mean with a weight per token: (batch, dim).

    Args:
        token_vectors: (batch, tokens, dim).
        mask: (batch, tokens).
        weights: (batch, tokens), not negative, such as inverse document frequencies;
            None weighs the first real token 1, the second 2, and so on
            (Muennighoff 2022, arXiv 2202.08904).

    Raises:
        ValueError: as ``mean_pool``; a weight is negative or NaN, or a row's are all 0.
    """
    mask = _checked(token_vectors, mask)
    if weights is None:
        weights = mask.cumsum(dim=1)
    if weights.shape != mask.shape:
        raise ValueError(
            f"weights has shape {tuple(weights.shape)}, mask {tuple(mask.shape)}"
        )
    weights = _wide(weights).masked_fill(~mask, 0.0)
    if not (weights >= 0).all() or weights.isinf().any():
        raise ValueError("weights must not be negative, NaN or infinite")
    if not weights.any(dim=1).all():
        raise ValueError("the weights of a row are all 0")

    def weighted(vectors: Tensor) -> Tensor:
        total = (shares := weights.to(vectors.dtype)).sum(dim=1, keepdim=True)
        total = total.masked_fill(total.isinf(), torch.nan)  # then in float64
        cleaned = vectors.masked_fill(~mask.unsqueeze(-1), 0.0)
        return (cleaned * shares.unsqueeze(-1)).sum(dim=1) / total

    return _in_range(weighted, token_vectors)


def rarity(texts: Iterable[Iterable[int]], size: int) -> Tensor:
    """Weights for ``weighted_mean_pool``: inverse document frequencies, (size,).

    A token that is in every text weighs nothing, one that is in no text weighs most:
    the logarithm of (texts + 1) / (texts that have it + 1).

    Args:
        texts: the ids of each text.
        size: how many ids there are.

    Raises:
        ValueError: there is no text, or an id is not below ``size``.

    >>> rarity([[0, 1, 1], [0, 2]], size=4).round(decimals=2)
    tensor([0.0000, 0.4100, 0.4100, 1.1000])
    """
    size = guards.whole("size", size, low=1)
    having, number = torch.zeros(size, dtype=torch.long), 0
    for ids in texts:
        found = torch.tensor(sorted(set(ids)), dtype=torch.long)
        if len(found) and not 0 <= found[0] <= found[-1] < size:
            raise ValueError(f"ids run from 0 to {size - 1}, got {found.tolist()}")
        having[found] += 1
        number += 1
    if not number:
        raise ValueError("there is no text to count in")
    return torch.log((number + 1) / (having + 1))


POOLINGS = {
    "mean": mean_pool,
    "cls": cls_pool,
    "max": max_pool,
    "weighted mean": weighted_mean_pool,
    "last token": last_token_pool,
}


def leave_one_out(
    pool: Callable[[Tensor, Tensor], Tensor], token_vectors: Tensor, mask: Tensor
) -> Tensor:
    """How far a text's vector turns when one of its tokens is not pooled.

    Args:
        pool: one of ``POOLINGS``, or another with the same arguments.
        token_vectors: (batch, tokens, dim).
        mask: (batch, tokens).

    Returns:
        1 - cosine to the whole text's vector (batch, tokens); 0 at padding, and where
        a text has no other token.

    Raises:
        ValueError: as ``mean_pool``.

    >>> vectors = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]]])
    >>> leave_one_out(cls_pool, vectors, torch.ones(1, 3))
    tensor([[0., 0., 0.]])
    """
    mask = _checked(token_vectors, mask)
    token_vectors = _wide(token_vectors)
    whole = normalize(pool(token_vectors, mask))
    turned = torch.zeros(mask.shape)
    for place in range(mask.shape[1]):
        without = mask.clone()
        without[:, place] = False
        rows = mask[:, place] & without.any(dim=1)
        if rows.any():
            left = normalize(pool(token_vectors[rows], without[rows]))
            turned[rows, place] = 1 - (left * whole[rows]).sum(dim=1)
    return turned


def normalize(vectors: Tensor) -> Tensor:
    """Scale each vector to length 1: (..., dim).

    Raises:
        ValueError: a vector is zero (it has no direction) or not finite.

    >>> normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    if not torch.isfinite(vectors).all():
        raise ValueError("a vector holds NaN or infinity")
    wide = _wide(vectors)
    length = wide.norm(dim=-1, keepdim=True)
    extreme = (length < 1e-15) | (length > 1e15)  # the squares of such numbers are lost
    if extreme.any():
        largest = wide.abs().amax(dim=-1, keepdim=True)
        if (largest == 0).any():
            raise ValueError("a zero vector has no direction: it cannot be normalised")
        wide = torch.where(extreme, wide / largest, wide)
        length = wide.norm(dim=-1, keepdim=True)
    unit = wide / length
    return unit.to(vectors.dtype) if vectors.is_floating_point() else unit


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between vectors: every row of ``a`` with every row of ``b``.

    Args:
        a: (n, dim), or one vector (dim,).
        b: (m, dim), or one vector (dim,).

    Returns:
        (n, m), float32 or float64; an axis is dropped where one vector came in.

    Raises:
        ValueError: the dimensions differ, a vector is zero or not finite.

    >>> cosine(torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 2.0], [3.0, 0.0]]))
    tensor([0., 1.])
    """
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"a has dim {a.shape[-1]} but b has dim {b.shape[-1]}")
    a, b = normalize(_wide(a)), normalize(_wide(b))
    return a @ b.mT if b.ndim > 1 else a @ b


def mean_cosine(vectors: Tensor) -> float:
    """Average cosine of two different rows, how narrow the cone is that they fill.

    0 in all directions alike ("isotropic"), 1 if all rows point the same way
    (Ethayarajh 2019, arXiv 1909.00512).

    Args:
        vectors: (n, dim), two rows at least.

    Raises:
        ValueError: fewer than two rows, a row is zero or not finite.

    >>> round(mean_cosine(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])), 2)
    0.33
    """
    if vectors.ndim != 2 or len(vectors) < 2:
        raise ValueError(f"two rows at least are needed, got {tuple(vectors.shape)}")
    cosines, n = cosine(vectors, vectors), len(vectors)
    return float((cosines.sum() - cosines.diagonal().sum()) / (n * (n - 1)))


def receipt(a: Tensor, b: Tensor) -> Tensor:
    """Say which token earned what: a matrix that sums to the cosine of two mean pools.

    Under mean pooling the cosine *is* a sum over all pairs of tokens, so nothing is
    estimated here: cell (i, j) is the exact contribution of token i of the first text
    and token j of the second.

    Args:
        a: the real token vectors of the first text (n, dim), no padding.
        b: the real token vectors of the second text (m, dim).

    Returns:
        (n, m), and ``receipt(a, b).sum()`` equals ``cosine(a.mean(0), b.mean(0))``.

    Raises:
        ValueError: an input is not a matrix, is empty or not finite, the dimensions
            differ, or a mean is zero.

    >>> a, b = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 2.0]])
    >>> receipt(a, b)
    tensor([[0.5000],
            [0.5000]])
    """
    for name, vectors in (("a", a), ("b", b)):
        if vectors.ndim != 2 or not len(vectors):
            raise ValueError(
                f"{name} must be (tokens, dim) with a token at least, "
                f"got {tuple(vectors.shape)}"
            )
        if not torch.isfinite(vectors).all():
            raise ValueError(f"{name} holds NaN or infinity")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has dim {a.shape[1]} but b has dim {b.shape[1]}")
    one, other = a.double(), b.double()
    lengths = one.mean(dim=0).norm() * other.mean(dim=0).norm()
    if lengths == 0:
        raise ValueError("the mean of a text is zero: its cosine is not defined")
    return (one @ other.T / (len(a) * len(b) * lengths)).to(a.dtype)
