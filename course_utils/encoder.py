"""All of all-MiniLM-L6-v2, assembled from the five modules of notebooks 01-05.

Library: ``sentence_transformers.SentenceTransformer``. Papers: Wang et al. 2020, MiniLM
(arXiv 2002.10957); Reimers and Gurevych 2019 (arXiv 1908.10084).

>>> model = MiniLM.load()
>>> model.encode(["The cat sat on the mat."]).shape
(1, 384)
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from course_utils import assets, attention, lookup, pooling, threads

# A batch of so few tokens is read as fast by one thread as by two (bench/threads.py).
LIGHT = 32

Kept = TypeVar("Kept")


class TruncationWarning(UserWarning):
    """Texts were longer than the limit, and their ends were not read."""


@dataclass(frozen=True)
class Change:
    """What a lesson changes in the model, to see what it is good for.

    Attributes:
        positions: maps position numbers (tokens,) to rows (tokens, dim), in place of
            the learned table: ``zero_positions``, ``offset_positions(100)``.
        ablate: layer -> heads whose output becomes zero.
        attend: maps ids and mask (batch, tokens) to the keys that may be seen, the
            shape (batch, tokens) or (batch, tokens, tokens).
        pool: which pooling; its mask is never changed by ``attend``.
    """

    positions: Callable[[Tensor, Tensor], Tensor] | None = None
    ablate: Mapping[int, Sequence[int]] | None = None
    attend: Callable[[Tensor, Tensor], Tensor] | None = None
    pool: Callable[[Tensor, Tensor], Tensor] = pooling.mean_pool


def zero_positions(numbers: Tensor, table: Tensor) -> Tensor:
    """No positions at all: a ``Change(positions=zero_positions)``."""
    return torch.zeros(len(numbers), table.shape[1])


def offset_positions(offset: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Slide the text along the table: the first token gets row ``offset``."""

    def shifted(numbers: Tensor, table: Tensor) -> Tensor:
        return lookup.rows(table, numbers + offset)

    return shifted


def forget_mask(ids: Tensor, mask: Tensor) -> Tensor:
    """Attend to the padding as well: a ``Change(attend=forget_mask)``."""
    return torch.ones_like(mask)


@dataclass(frozen=True)
class Trace:
    """Every stage of one text, by name. ``hidden[0]`` is what enters the first block.

    Shapes: ids (tokens,), rows and with_positions (tokens, dim), hidden
    (layers + 1, tokens, dim), attention (layers, heads, tokens, tokens), pooled and
    vector (dim,).
    """

    text: str
    tokens: list[str]
    ids: Tensor
    rows: Tensor
    with_positions: Tensor
    hidden: Tensor
    attention: Tensor
    pooled: Tensor
    vector: Tensor


class MiniLM(nn.Module):
    """all-MiniLM-L6-v2 in readable parts. Make one with ``MiniLM.load()``.

    Attributes:
        max_tokens: how many tokens of a text are read, special tokens included.
    """

    max_tokens = 256

    def __init__(self, weights: Mapping[str, Tensor], config: Mapping) -> None:
        """Assemble the parts from a BERT checkpoint; the tensors are shared."""
        super().__init__()
        names = ("word_embeddings", "position_embeddings", "token_type_embeddings")
        tables = [weights[f"embeddings.{name}.weight"] for name in names]
        self.words, self.positions, types = tables
        # Every token of a single text has type 0, so its row is a constant.
        self.type_row = types[0]
        eps = config["layer_norm_eps"]
        self.norm = nn.LayerNorm(config["hidden_size"], eps)
        self.norm.load_state_dict(
            {p: weights[f"embeddings.LayerNorm.{p}"] for p in ("weight", "bias")},
            assign=True,
        )
        heads = config["num_attention_heads"]
        self.layers = nn.ModuleList(
            attention.load_layer(weights, layer, heads, eps)
            for layer in range(config["num_hidden_layers"])
        )
        self.requires_grad_(False).eval()

    @classmethod
    def load(cls) -> MiniLM:
        """Load the official weights, verified and memory-mapped."""
        return cls(assets.weights(), assets.config())

    @cached_property
    def vocabulary(self) -> list[str]:
        """The piece of each row of the lookup table, as shipped with the weights."""
        path = assets.folder(assets.MINILM) / "vocab.txt"
        return path.read_text(encoding="utf-8").splitlines()

    @cached_property
    def fingerprint(self) -> str:
        """What vectors of this encoder depend on; an index stores it and compares."""
        return (
            f"{assets.MODEL_NAME}:{assets.MINILM.sha256['model.safetensors'][:16]}"
            f":mean:normalized:{self.max_tokens}"
        )

    # -- stages ------------------------------------------------------------------------

    def tokenize(self, texts: Iterable[str]) -> list[list[int]]:
        """Texts to ids with ``[CLS]`` and ``[SEP]``, cut at ``max_tokens``.

        Warns:
            TruncationWarning: once per call, with the number of texts that were cut.

        Raises:
            TypeError: one string instead of a list, or an entry that is no string.
        """
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            raise TypeError(
                f"pass a list of texts, encode([text]), not {type(texts).__name__}"
            )
        texts = list(texts)
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"text {number} is {type(text).__name__}, not a string")
        if not texts:
            return []
        read = list(map(assets.encodable, texts))
        found = [one.ids for one in assets.fast_tokenizer().encode_batch_fast(read)]
        cut = sum(len(ids) > self.max_tokens for ids in found)
        if cut:
            warnings.warn(
                f"texts with more than {self.max_tokens} tokens: {cut} of {len(texts)};"
                " what lies behind was not read",
                TruncationWarning,
                stacklevel=3,
            )
            keep = self.max_tokens - 1
            found = [
                ids if len(ids) <= self.max_tokens else [*ids[:keep], ids[-1]]
                for ids in found
            ]
        return found

    def embed(self, ids: Tensor, change: Change = Change()) -> Tensor:
        """Lookup, positions, layer norm: (batch, tokens) -> (batch, tokens, dim).

        Raises:
            ValueError: ids is not a matrix, an id is not in the table, or there are
                more tokens than rows in the position table.
        """
        if ids.ndim != 2:
            raise ValueError(f"ids must be (batch, tokens), got {tuple(ids.shape)}")
        if ids.shape[1] > len(self.positions):
            raise ValueError(
                f"{ids.shape[1]} tokens, but the position table has "
                f"{len(self.positions)} rows: cut the text, or encode it in parts"
            )
        numbers = torch.arange(ids.shape[1])
        if change.positions is None:
            places = lookup.rows(self.positions, numbers)
        else:
            places = change.positions(numbers, self.positions)
        return self.norm(lookup.rows(self.words, ids) + self.type_row + places)

    def hidden_states(
        self,
        ids: Tensor,
        mask: Tensor,
        change: Change = Change(),
        with_weights: bool = False,
    ) -> tuple[list[Tensor], list[Tensor | None]]:
        """Run every block.

        Args:
            ids: (batch, tokens), padded with any id.
            mask: (batch, tokens), true or 1 at real tokens.
            change: what to change, for an experiment.
            with_weights: keep the attention weights.

        Returns:
            Layers + 1 tensors (batch, tokens, dim), the first before any block; and
            one (batch, heads, tokens, tokens) or None per layer.

        Raises:
            ValueError: the shapes differ, a row is all padding, a token may look at
                nothing, or a layer to be changed does not exist; else as ``embed``.
        """
        hidden, weights = zip(
            *self.blocks(ids, mask, change, with_weights), strict=True
        )
        return list(hidden), list(weights[1:])

    def blocks(
        self,
        ids: Tensor,
        mask: Tensor,
        change: Change = Change(),
        with_weights: bool = False,
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Run one block after the other; who keeps only the last needs less memory.

        Args and errors: as ``hidden_states``.

        Yields:
            What enters the first block with None, then what leaves each block with its
            weights.
        """
        if ids.shape != mask.shape:
            raise ValueError(
                f"ids has shape {tuple(ids.shape)} but mask has {tuple(mask.shape)}"
            )
        hidden = self.embed(ids, change)
        real = mask.bool()
        if not real.any(dim=1).all():
            row = int((~real.any(dim=1)).nonzero()[0])
            raise ValueError(f"row {row} is all padding: there is nothing to read")
        seen = (change.attend(ids, mask) if change.attend else real).bool()
        seen = seen[:, None] if seen.ndim == 2 else seen  # (batch, 1 or tokens, keys)
        # With nothing to hide, the fused kernel is faster without a mask.
        keys = None if seen.all() else seen[:, None]
        ablate = change.ablate or {}
        strange = set(ablate) - set(range(len(self.layers)))
        if strange:
            raise ValueError(
                f"layer {min(strange)} is none of 0 to {len(self.layers) - 1}"
            )
        yield hidden, None
        for number, layer in enumerate(self.layers):
            hidden, looked = layer(hidden, keys, ablate.get(number, ()), with_weights)
            yield hidden, looked

    # -- the whole way -----------------------------------------------------------------

    def encode(
        self,
        texts: Sequence[str],
        batch_size: int | None = None,
        normalize: bool = True,
        change: Change = Change(),
    ) -> np.ndarray:
        """Texts to vectors, the same as ``SentenceTransformer.encode`` gives.

        Texts of similar length share a batch, so that little is computed for padding;
        batches are computed side by side, each on one thread (``threads.spread``).

        Args:
            texts: any list of strings, an empty one too.
            batch_size: texts per batch; by default the number of tokens decides, see
                ``batches``.
            normalize: scale each vector to length 1, as the model's own files say.
            change: what to change, for an experiment; several batches may call its
                functions at the same time.

        Returns:
            float32 (len(texts), dim), in the order of the texts.

        Warns:
            TruncationWarning: some texts are longer than ``max_tokens``.

        Raises:
            TypeError: not a list of strings.
            ValueError: ``batch_size`` is below 1, or a vector is zero or not finite.
        """
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        found = self.tokenize(texts)
        if not found:
            return np.empty((0, self.words.shape[1]), dtype=np.float32)
        pooled = self.read(
            found,
            lambda last, mask: change.pool(last.float(), mask),
            batch_size,
            change,
        )
        vectors = torch.stack(pooled)
        return (pooling.normalize(vectors) if normalize else vectors).numpy()

    def read(
        self,
        found: Sequence[Sequence[int]],
        take: Callable[[Tensor, Tensor], Iterable[Kept]],
        batch_size: int | None = None,
        change: Change = Change(),
    ) -> list[Kept]:
        """Run the blocks over any number of texts and keep a part of what leaves them.

        Args:
            found: ids of each text, as ``tokenize`` gives them.
            take: maps the last hidden states (batch, tokens, dim) and the mask (batch,
                tokens) to what is kept of each row; it is called for several batches at
                the same time.
            batch_size: texts per batch; by default the number of tokens decides, see
                ``batches``.
            change: what to change, for an experiment.

        Returns:
            What was kept of each text, in their order.

        Raises:
            ValueError: as ``hidden_states``.
        """

        def one(chosen: list[int]) -> list[Kept]:
            with torch.inference_mode():
                ids, mask = pad([found[i] for i in chosen])
                for hidden, _ in self.blocks(ids, mask, change):
                    last = hidden
                return list(take(last, mask))

        lengths = list(map(len, found))
        shares = list(batches(lengths, batch_size))
        kept = threads.spread(one, shares, light=sum(lengths) <= LIGHT)
        order = [i for chosen in shares for i in chosen]
        by_text = dict(zip(order, itertools.chain(*kept), strict=True))
        return [by_text[i] for i in range(len(found))]

    def trace(self, text: str, change: Change = Change()) -> Trace:
        """Follow one text through every stage.

        Warns:
            TruncationWarning: the text is longer than ``max_tokens``.

        Raises:
            TypeError: not a string.
        """
        ids, mask = pad(self.tokenize([text]))
        with torch.inference_mode():
            hidden, weights = self.hidden_states(ids, mask, change, with_weights=True)
            pooled = change.pool(hidden[-1].float(), mask)
        rows = lookup.rows(self.words, ids[0])
        if change.positions is None:
            places = self.positions[: ids.shape[1]]
        else:
            places = change.positions(torch.arange(ids.shape[1]), self.positions)
        return Trace(
            text=text,
            tokens=list(map(assets.fast_tokenizer().id_to_token, ids[0].tolist())),
            ids=ids[0],
            rows=rows,
            with_positions=rows + places,
            hidden=torch.cat(hidden),
            attention=torch.cat(weights),
            pooled=pooled[0],
            vector=pooling.normalize(pooled)[0],
        )


def batches(
    lengths: Sequence[int], batch_size: int | None = None, budget: int | None = None
) -> Iterator[list[int]]:
    """Share texts out to batches of similar length, longest first.

    Args:
        lengths: tokens of each text.
        batch_size: texts per batch; by default as many as the budget allows.
        budget: tokens per batch at most, padding included, unless one text alone has
            more. By default none if there is a batch size. Else a quarter of all, so
            that a few texts too are work for several threads, but at least 64, and at
            most 512: what larger batches hold outgrows the processor's cache.

    Yields:
        The numbers of the texts in a batch.

    >>> list(batches([3, 9, 2, 3], budget=10))
    [[1], [0, 3, 2]]
    >>> list(batches([3, 9, 2, 3], batch_size=2))
    [[1, 0], [3, 2]]
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    if batch_size is None and budget is None:
        budget = min(512, max(64, sum(lengths) // 4))
    while order:
        fit = len(order)
        if budget is not None:
            fit = max(1, budget // max(1, lengths[order[0]]))
        fit = min(fit, batch_size or fit)
        yield order[:fit]
        order = order[fit:]


def pad(found: Sequence[Sequence[int]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """Fill lists of ids up to a rectangle, on the right.

    Returns:
        ids and mask, both (batch, longest); the mask is 1 at real tokens.

    >>> pad([[5, 6], [7]])
    (tensor([[5, 6],
            [7, 0]]), tensor([[1, 1],
            [1, 0]]))
    """
    longest = max(map(len, found))
    ids = [[*row, *[pad_id] * (longest - len(row))] for row in found]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in found]
    return torch.tensor(ids), torch.tensor(mask)
