"""Attention and the block around it, as BERT and MiniLM have it. Built in notebook 04.

Library: ``torch.nn.functional.scaled_dot_product_attention``,
``transformers.models.bert.modeling_bert.BertLayer``. Papers: Vaswani et al. 2017
(arXiv 1706.03762), Devlin et al. 2018 (arXiv 1810.04805). The block is *post*-LN: the
sum is normalised after each sub-layer, not before it.

Two functions help to read the weights afterwards: how spread out they are (``entropy``)
and what a look is worth (``MultiHeadAttention.value_lengths``).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional


def _check_mask(mask: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a mask that torch would add, stretch or turn into NaN without a word."""
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be bool (True = may be seen), not {mask.dtype}")
    try:
        fits = torch.broadcast_shapes(mask.shape, shape) == shape
    except RuntimeError:
        fits = False
    if not fits or mask.shape[-1] != shape[-1]:
        raise ValueError(f"mask {tuple(mask.shape)} does not fit the weights {shape}")
    if not mask.any(dim=-1).all():
        raise ValueError("a query may see no key at all: its mask is all False")


def _check_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> None:
    for name, x in (("q", q), ("k", k), ("v", v)):
        if x.ndim < 2:
            raise ValueError(f"{name} must be (..., tokens, dim), got {tuple(x.shape)}")
        if not x.is_meta and not torch.isfinite(x).all():
            raise ValueError(f"{name} holds NaN or infinity")
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(
            f"q has dim {q.shape[-1]} but k has dim {k.shape[-1]}: "
            "they are multiplied with each other"
        )
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"{k.shape[-2]} keys but {v.shape[-2]} values")
    if not k.shape[-2]:
        raise ValueError("there are no keys to look at")
    if mask is not None:
        lead = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2])
        _check_mask(mask, (*lead, q.shape[-2], k.shape[-2]))


def scaled_dot_product_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Each query takes a weighted mean of the values; similar keys weigh more.

    Args:
        q: queries (..., tokens, dim).
        k: keys (..., keys, dim).
        v: values (..., keys, value dim).
        mask: bool, broadcastable to (..., tokens, keys), True where a key may be seen.

    Returns:
        The output (..., tokens, value dim) and the weights (..., tokens, keys); each
        row of weights sums to 1.

    Raises:
        ValueError: shapes do not fit, a value is not finite, the mask is not bool or
            hides every key.

    >>> q = torch.tensor([[1.0, 0.0]])
    >>> k = v = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> scaled_dot_product_attention(q, k, v)[1]
    tensor([[0.5000, 0.5000]])
    """
    _check_attention(q, k, v, mask)
    scores = _products(q, k) / math.sqrt(q.shape[-1])  # (..., tokens, keys)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)
    return (weights @ v.to(weights.dtype)).to(v.dtype), weights.to(v.dtype)


def _products(q: Tensor, k: Tensor) -> Tensor:
    """Every query times every key: float32 at least, float64 where that overflows."""
    wide = torch.float64 if q.dtype == torch.float64 else torch.float32
    for dtype in (wide, torch.float64):
        found = q.to(dtype) @ k.to(dtype).transpose(-2, -1)
        if found.is_meta or torch.isfinite(found).all():
            return found
    raise ValueError("queries times keys are too large even for float64: scale them")


class MultiHeadAttention(nn.Module):
    """Several small attentions side by side, each on its own slice of the vectors."""

    def __init__(self, dim: int, heads: int) -> None:
        """Make the four projections.

        Raises:
            ValueError: ``dim`` cannot be shared out evenly among ``heads``.
        """
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"dim {dim} cannot be split into {heads} equal heads")
        self.heads, self.head_dim = heads, dim // heads
        self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.value, self.output = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def split(self, x: Tensor) -> Tensor:
        """(batch, tokens, dim) -> (batch, heads, tokens, head dim)."""
        batch, tokens, _ = x.shape
        return x.view(batch, tokens, self.heads, self.head_dim).transpose(1, 2)

    def _check(
        self, hidden: Tensor, mask: Tensor | None, ablate: Collection[int]
    ) -> None:
        dim = self.heads * self.head_dim
        if hidden.ndim != 3 or hidden.shape[-1] != dim:
            raise ValueError(
                f"hidden must be (batch, tokens, {dim}), got {tuple(hidden.shape)}"
            )
        if mask is not None:
            batch, tokens, _ = hidden.shape
            _check_mask(mask, (batch, self.heads, tokens, tokens))
        strange = [head for head in ablate if not 0 <= head < self.heads]
        if strange:
            raise ValueError(f"head {strange[0]} is none of 0 to {self.heads - 1}")

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None = None,
        ablate: Collection[int] = (),
        with_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Let every token look at every other.

        Args:
            hidden: (batch, tokens, dim).
            mask: bool, broadcastable to (batch, heads, tokens, tokens).
            ablate: heads whose output is replaced by zeros.
            with_weights: return the weights too; without them torch's fused kernel
                computes the same output faster.

        Returns:
            The output (batch, tokens, dim), and the weights
            (batch, heads, tokens, tokens) or None.

        Raises:
            ValueError: a shape or the mask does not fit, or there is no such head.
        """
        self._check(hidden, mask, ablate)
        q = self.split(self.query(hidden))  # (batch, heads, tokens, head dim)
        k, v = self.split(self.key(hidden)), self.split(self.value(hidden))
        weights = None
        if with_weights:
            mixed, weights = scaled_dot_product_attention(q, k, v, mask)
        else:
            rows = None if mask is None else torch.atleast_2d(mask)
            kind = torch.float32 if q.dtype == torch.float16 else q.dtype
            q, k, v = (x.to(kind) for x in (q, k, v))  # float16 would overflow
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=rows)
            mixed = mixed.to(hidden.dtype)
        if ablate:
            mixed = mixed.clone()
            mixed[:, list(ablate)] = 0.0
        return self.output(mixed.transpose(1, 2).flatten(2)), weights

    def value_lengths(self, hidden: Tensor) -> Tensor:
        """How long is what a token hands to whoever looks at it, per head.

        A weight says how much of a value is taken; this says how much there is to take:
        the length of the value after the output projection (Kobayashi et al. 2020,
        arXiv 2004.10102).

        Args:
            hidden: (batch, tokens, dim), what enters the attention.

        Returns:
            (batch, heads, tokens).
        """
        self._check(hidden, None, ())
        values = self.split(self.value(hidden))  # (batch, heads, tokens, head dim)
        output = self.output.weight.view(-1, self.heads, self.head_dim)
        wide = torch.promote_types(values.dtype, torch.float32)
        for kind in (wide, torch.float64):
            handed = torch.einsum("bhtd,ohd->bhto", values.to(kind), output.to(kind))
            lengths = handed.norm(dim=-1)
            if torch.isfinite(lengths).all():
                break
        return lengths.to(wide)


class FeedForward(nn.Module):
    """Each token by itself: widen, GELU, narrow again."""

    def __init__(self, dim: int, inner: int) -> None:
        """Make the two projections, ``dim -> inner -> dim``."""
        super().__init__()
        self.widen, self.narrow = nn.Linear(dim, inner), nn.Linear(inner, dim)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, tokens, dim) -> (batch, tokens, dim)."""
        return self.narrow(functional.gelu(self.widen(hidden)))


class EncoderLayer(nn.Module):
    """One block: attention, add, normalise; feed-forward, add, normalise (post-LN)."""

    def __init__(self, dim: int, heads: int, inner: int, eps: float = 1e-12) -> None:
        """Make the parts; ``eps`` is the layer norm's, BERT's by default."""
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.attention_norm = nn.LayerNorm(dim, eps)
        self.feed_forward = FeedForward(dim, inner)
        self.feed_forward_norm = nn.LayerNorm(dim, eps)

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None = None,
        ablate: Collection[int] = (),
        with_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(batch, tokens, dim) -> the same shape, and the weights if asked for."""
        mixed, weights = self.attention(hidden, mask, ablate, with_weights)
        hidden = self.attention_norm(hidden + mixed)
        return self.feed_forward_norm(hidden + self.feed_forward(hidden)), weights


# Where each of our parameters is found in a BERT checkpoint.
BERT_NAMES = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_forward.widen": "intermediate.dense",
    "feed_forward.narrow": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}


def load_layer(
    weights: Mapping[str, Tensor], layer: int, heads: int, eps: float = 1e-12
) -> EncoderLayer:
    """Build one block from a BERT checkpoint, sharing the tensors instead of copying.

    Args:
        weights: every tensor by its name, as ``assets.weights()`` returns them.
        layer: which block, from 0.
        heads: number of heads; the checkpoint does not say it.
        eps: the layer norm's epsilon.

    Raises:
        KeyError: the checkpoint has no such layer.
    """
    prefix = f"encoder.layer.{layer}."
    if not any(name.startswith(prefix) for name in weights):
        raise KeyError(f"the checkpoint has no layer {layer}: they count from 0")
    state = {
        f"{ours}.{part}": weights[f"{prefix}{theirs}.{part}"]
        for ours, theirs in BERT_NAMES.items()
        for part in ("weight", "bias")
    }
    inner, dim = state["feed_forward.widen.weight"].shape
    with torch.device("meta"):  # no memory for values that are replaced at once
        block = EncoderLayer(dim, heads, inner, eps)
    block.load_state_dict(state, assign=True)
    return block.requires_grad_(False).eval()


# -- reading the weights ---------------------------------------------------------------


def entropy(weights: Tensor) -> Tensor:
    """How spread out each row of weights is, in nats: (..., keys) -> (...).

    0 means that one key takes all; the most is the logarithm of the number of keys.

    Raises:
        ValueError: a weight is not between 0 and 1: these are no attention weights.

    >>> entropy(torch.tensor([[0.0, 1.0], [0.5, 0.5]])).round(decimals=2)
    tensor([0.0000, 0.6900])
    """
    if not ((weights >= 0) & (weights <= 1.01)).all():  # NaN is neither
        raise ValueError("attention weights lie between 0 and 1: scores need a softmax")
    wide = torch.promote_types(weights.dtype, torch.float32)
    return torch.special.entr(weights.to(wide)).sum(dim=-1)
