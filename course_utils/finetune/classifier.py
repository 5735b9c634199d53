r"""A text classifier on top of MiniLM, or of any encoder of the library.

Built in notebook 07, and used through ``finetune``. What does not learn is computed
once per text, so a model comes in two parts: ``prepare`` (texts to tensors, frozen) and
``forward`` (padded tensors to logits).

Library: ``transformers.AutoModelForSequenceClassification``. Paper: Devlin et al. 2018
(arXiv 1810.04805), with mean pooling in place of ``[CLS]``.

>>> from course_utils.encoder import MiniLM
>>> from course_utils.finetune.batches import examples
>>> model = Classifier(MiniLM.load(), layers=1)
>>> some = examples(model, corpora.load_news("test")[:3])
>>> len(some), some.inputs[0].shape[1], evaluate(model, some).probabilities.shape
(3, 384, torch.Size([3, 4]))
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from course_utils import assets, corpora, pooling
from course_utils.finetune.batches import Examples, length_groups

if TYPE_CHECKING:
    from course_utils.encoder import MiniLM

# -- models ----------------------------------------------------------------------------


def _check_classes(classes: Sequence[str]) -> None:
    if isinstance(classes, str) or len(set(classes)) < max(2, len(classes)):
        raise ValueError(f"a classifier needs two classes or more, got {classes!r}")


def _head(dim: int, classes: int, seed: int) -> nn.Linear:
    head = nn.utils.skip_init(nn.Linear, dim, classes)  # draws nothing from torch's RNG
    generator = torch.Generator().manual_seed(seed)
    nn.init.normal_(head.weight, std=0.02, generator=generator)
    nn.init.zeros_(head.bias)
    return head


class Classifier(nn.Module):
    """The top blocks of MiniLM as a trainable copy, pooling, one linear layer.

    The tables and the blocks below never change, so ``prepare`` runs them once per text
    instead of once per text and epoch. The encoder itself stays as it is.
    """

    def __init__(
        self,
        encoder: MiniLM,
        layers: int = 2,
        classes: Sequence[str] = corpora.NEWS_LABELS,
        dropout: float = 0.1,
        seed: int = 0,
        pool: Callable[[Tensor, Tensor], Tensor] = pooling.mean_pool,
    ) -> None:
        """Copy ``layers`` blocks, from none (only the head learns) to all.

        Args:
            encoder: where to start from.
            layers: how many blocks learn, counted from the top.
            classes: their names; the order gives the numbers.
            dropout: share of the pooled vector that is blanked out in training.
            seed: decides the first weights of the head.
            pool: (batch, tokens, dim) and mask -> (batch, dim).

        Raises:
            ValueError: the encoder has not as many blocks, or there is one class only.
        """
        super().__init__()
        if not 0 <= layers <= len(encoder.layers):
            raise ValueError(f"layers must be 0 to {len(encoder.layers)}, got {layers}")
        _check_classes(classes)
        self.classes, self.pool = tuple(classes), pool
        # In a tuple, so that torch does not count the encoder among the own parts.
        self._below = (encoder, len(encoder.layers) - layers)
        self.blocks = copy.deepcopy(encoder.layers[self._below[1] :])
        self.blocks.requires_grad_(True)
        self.dropout = nn.Dropout(dropout)
        self.head = _head(encoder.words.shape[1], len(classes), seed)

    @torch.no_grad()
    def prepare(self, texts: Sequence[str], batch_size: int = 32) -> list[Tensor]:
        """Run the part that does not learn: one (tokens, dim) per text."""
        encoder, start = self._below
        found = encoder.tokenize(texts)
        states: list[Tensor] = [torch.empty(0)] * len(found)
        for chosen in length_groups([len(ids) for ids in found], batch_size):
            ids = [torch.tensor(found[i]) for i in chosen]
            batch = Examples(ids, torch.zeros(len(ids), dtype=torch.long)).batch()
            hidden, keys = encoder.embed(batch.inputs), batch.mask[:, None, None]
            for block in encoder.layers[:start]:
                hidden, _ = block(hidden, keys)
            for row, i in enumerate(chosen):
                states[i] = hidden[row, : len(found[i])].clone()
        return states

    def vectors(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, dim) and mask (batch, tokens) -> pooled (batch, dim)."""
        keys = None if mask.all() else mask.bool()[:, None, None]
        for block in self.blocks:
            inputs, _ = block(inputs, keys)
        return self.pool(inputs, mask)

    @torch.no_grad()
    def encode(self, texts: Sequence[str], batch_size: int = 32) -> np.ndarray:
        """Vectors of length 1, (len(texts), dim), as ``MiniLM.encode`` gives them."""
        some = Examples(self.prepare(texts), torch.zeros(len(texts), dtype=torch.long))
        vectors = torch.empty(len(texts), self.head.in_features)
        for chosen in length_groups(some.lengths, batch_size):
            batch = some.batch(chosen)
            vectors[chosen] = self.vectors(batch.inputs, batch.mask)
        return functional.normalize(vectors, dim=1).numpy()

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, dim) and mask (batch, tokens) -> logits (batch, classes)."""
        return self.head(self.dropout(self.vectors(inputs, mask)))


class LibraryClassifier(nn.Module):
    """Any encoder of the transformers library, mean pooling, one linear layer.

    ``LibraryClassifier("distilbert-base-uncased")`` is downloaded with COURSE_ONLINE=1;
    a folder that ``save_pretrained`` wrote is read from the disk; without a name it is
    MiniLM from the installed package.
    """

    def __init__(
        self,
        name: str | Path | None = None,
        classes: Sequence[str] = corpora.NEWS_LABELS,
        train_words: bool = False,
        dropout: float = 0.1,
        seed: int = 0,
        max_tokens: int = 256,
    ) -> None:
        """Load the encoder; its word table learns only with ``train_words``.

        Args:
            name: on the Hub, or a folder; None is MiniLM.
            classes: their names; the order gives the numbers.
            train_words: whether the word table learns, the largest part of all.
            dropout: share of the pooled vector that is blanked out in training.
            seed: decides the first weights of the head.
            max_tokens: where texts are cut, special tokens included.

        Raises:
            AssetError: the model is in no cache and the network is off, or its weights
                are not stored as safetensors.
            ValueError: there is one class only.
        """
        from transformers import AutoModel, AutoTokenizer

        super().__init__()
        place = assets.folder(assets.MINILM) if name is None else name
        local = {"local_files_only": not assets.online()}
        try:
            tokenizer = AutoTokenizer.from_pretrained(place, **local)
            self.body = AutoModel.from_pretrained(place, use_safetensors=True, **local)
        except OSError as error:
            reason = str(error).splitlines()[0]
            command = "look at the name, and at the connection"
            if not assets.online() and not Path(place).is_dir():
                reason = "it is in no cache, and the network is off"
                command = "set COURSE_ONLINE=1 and start the kernel again"
            raise assets.AssetError(str(name), reason, command) from None
        _check_classes(classes)
        limit = getattr(self.body.config, "max_position_embeddings", max_tokens)
        self.max_tokens = min(max_tokens, limit)
        self.classes, self._tokenizer = tuple(classes), tokenizer
        self.body.get_input_embeddings().requires_grad_(train_words)
        self.dropout = nn.Dropout(dropout)
        self.head = _head(self.body.config.hidden_size, len(classes), seed)

    def prepare(self, texts: Sequence[str]) -> list[Tensor]:
        """Tokenize: one tensor of ids per text.

        Warns:
            UserWarning: with the number of texts that were cut at ``max_tokens``.
        """
        whole = self._tokenizer(list(texts), verbose=False)["input_ids"]
        cut = sum(len(ids) > self.max_tokens for ids in whole)
        if cut:
            warnings.warn(
                f"texts with more than {self.max_tokens} tokens: {cut} of {len(whole)};"
                " what lies behind was not read",
                stacklevel=3,
            )
        return [
            torch.tensor(ids[: self.max_tokens - 1] + ids[-1:])
            if len(ids) > self.max_tokens
            else torch.tensor(ids)
            for ids in whole
        ]

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Ids (batch, tokens) and mask (batch, tokens) -> logits (batch, classes)."""
        states = self.body(input_ids=inputs, attention_mask=mask.long())
        pooled = pooling.mean_pool(states.last_hidden_state, mask)
        return self.head(self.dropout(pooled))


# -- measuring -------------------------------------------------------------------------


@dataclass(frozen=True)
class Evaluation:
    """What a model makes of some examples, in their order.

    Attributes:
        probabilities: (n, classes).
        losses: (n,) cross-entropy of each text, in nats.
        correct: (n,) whether the most probable class is the label.
    """

    probabilities: Tensor
    losses: Tensor
    correct: Tensor

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return self.losses.mean().item()

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.correct.double().mean().item()


@torch.no_grad()
def evaluate(model: nn.Module, some: Examples, batch_size: int = 32) -> Evaluation:
    """Measure a model on examples, in their order; nothing is changed."""
    if not len(some):
        raise ValueError("there is nothing to evaluate on")
    was_training = model.training
    model.eval()
    logits = torch.empty(len(some), len(model.classes))
    for chosen in length_groups(some.lengths, batch_size):
        batch = some.batch(chosen)
        logits[chosen] = model(batch.inputs, batch.mask)
    model.train(was_training)
    losses = functional.cross_entropy(logits, some.labels, reduction="none")
    return Evaluation(logits.softmax(1), losses, logits.argmax(1) == some.labels)
