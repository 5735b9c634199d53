"""All of all-MiniLM-L6-v2, assembled from the five modules of notebooks 01-05.

Library: ``sentence_transformers.SentenceTransformer``. Papers: Wang et al. 2020, MiniLM
(arXiv 2002.10957); Reimers and Gurevych 2019 (arXiv 1908.10084).

>>> model = MiniLM.load()
>>> model.encode(["The cat sat on the mat."]).shape
(1, 384)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from course_utils import assets, attention, lookup, pooling
from course_utils.encoder import reading, threads, tracing
from course_utils.encoder.batching import batches, pad
from course_utils.encoder.change import UNCHANGED, Change
from course_utils.encoder.identity import digest
from course_utils.encoder.tracing import Trace

# A batch of so few tokens is read as fast by one thread as by two (bench/threads.py).
LIGHT = 32

Kept = TypeVar("Kept")


class MiniLM(nn.Module):
    """all-MiniLM-L6-v2 in readable parts. Make one with ``MiniLM.load()``.

    Attributes:
        max_tokens: how many tokens of a text are read, special tokens included.
        variant: what was done to the model, for its fingerprint, such as ``:bfloat16``.
    """

    max_tokens = 256
    variant = ""

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
        return assets.wordpieces()

    @property
    def fingerprint(self) -> str:
        """What vectors of this encoder depend on; an index stores it and compares.

        Computed from the weights as they are in memory, anew each time.
        """
        settings = [
            (
                layer.attention.heads,
                layer.attention_norm.eps,
                layer.feed_forward_norm.eps,
            )
            for layer in self.layers
        ]
        weights = digest(self.numbers(), self.norm.eps, settings)
        return (
            f"MiniLM-L{len(self.layers)}:{weights}:mean:normalized:{self.max_tokens}"
            f"{self.variant}"
        )

    def numbers(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor that a vector is computed from, by name."""
        yield from (("words", self.words), ("positions", self.positions))
        yield "type_row", self.type_row
        yield from self.norm.state_dict(prefix="norm.").items()
        yield from self.layers.state_dict(prefix="layers.").items()

    # -- stages ------------------------------------------------------------------------

    def tokenize(self, texts: Iterable[str]) -> list[list[int]]:
        """Texts to ids with ``[CLS]`` and ``[SEP]``, cut at ``max_tokens``.

        Warns:
            TruncationWarning: once per call, with the number of texts that were cut.

        Raises:
            TypeError: one string instead of a list, or an entry that is no string.
        """
        return reading.token_ids(texts, self.max_tokens)

    def embed(self, ids: Tensor, change: Change = UNCHANGED) -> Tensor:
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
        change: Change = UNCHANGED,
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
        change: Change = UNCHANGED,
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
        change: Change = UNCHANGED,
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
        change: Change = UNCHANGED,
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

    def trace(self, text: str, change: Change = UNCHANGED) -> Trace:
        """Follow one text through every stage, see ``tracing.Trace``.

        Warns:
            TruncationWarning: the text is longer than ``max_tokens``.

        Raises:
            TypeError: not a string.
        """
        return tracing.follow(self, text, change)
