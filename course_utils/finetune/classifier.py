r"""A text classifier on top of MiniLM; ``library`` has one for all other encoders.

Built in notebook 07, and used through ``finetune``. What does not learn is computed
once per text, so a model comes in two parts: ``prepare`` (texts to tensors, frozen) and
``forward`` (padded tensors to logits).

Library: ``transformers.AutoModelForSequenceClassification``. Paper: Devlin et al. 2018
(arXiv 1810.04805), with mean pooling in place of ``[CLS]``.

>>> from course_utils.encoder import MiniLM
>>> from course_utils.finetune import evaluate, examples
>>> model = Classifier(MiniLM.load(), layers=1)
>>> some = examples(model, corpora.load_news("test")[:3])
>>> len(some), some.inputs[0].shape[1], evaluate(model, some).probabilities.shape
(3, 384, torch.Size([3, 4]))
>>> model.predict(["The cup final went to extra time."])[0] in model.classes
True
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from course_utils import corpora, guards, pooling
from course_utils.finetune import checkpoints
from course_utils.finetune.batches import Examples, length_groups
from course_utils.finetune.measuring import logits_of

if TYPE_CHECKING:
    from course_utils.encoder import MiniLM

# -- models ----------------------------------------------------------------------------


def check_classes(classes: Sequence[str]) -> None:
    """Refuse one class, twins, and a single string."""
    if isinstance(classes, str) or len(set(classes)) < max(2, len(classes)):
        raise ValueError(f"a classifier needs two classes or more, got {classes!r}")


def head_of(dim: int, classes: int, seed: int) -> nn.Linear:
    """The last layer, drawn from a seed of its own."""
    # Draws nothing from torch's RNG, and is float32 like the encoder, whatever torch's
    # default is at the moment.
    head = nn.utils.skip_init(nn.Linear, dim, classes, dtype=torch.float32)
    generator = torch.Generator().manual_seed(guards.whole("seed", seed))
    nn.init.normal_(head.weight, std=0.02, generator=generator)
    nn.init.zeros_(head.bias)
    return head


def list_of(texts: object) -> list[str]:
    """Texts as a list, each a string: no dictionary, and not one string alone."""
    if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable):
        raise TypeError(f"pass a list of texts, [text], not {type(texts).__name__}")
    found = list(texts)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise TypeError(f"text {place} is {type(text).__name__}, not a string")
    return found


class Reader(nn.Module):
    """What both classifiers do with texts once they are trained."""

    def probabilities(self, texts: Sequence[str], batch_size: int = 32) -> Tensor:
        """How sure the model is of each class, (len(texts), classes).

        Raises:
            TypeError: not a list of strings.
        """
        inputs = self.prepare(list_of(texts))
        some = Examples(inputs, torch.zeros(len(inputs), dtype=torch.long))
        return logits_of(self, some, batch_size).softmax(1)

    def predict(self, texts: Sequence[str], batch_size: int = 32) -> list[str]:
        """The most probable class of each text, by name.

        Library: ``pipeline("text-classification")`` of transformers.

        Raises:
            TypeError: not a list of strings.
        """
        found = self.probabilities(texts, batch_size)
        return [self.classes[i] for i in found.argmax(1).tolist()]


KIND = "a classifier on top of an encoder"


class Classifier(Reader):
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
            TypeError: the encoder is no ``MiniLM``, but a name, say.
            ValueError: the encoder has not as many blocks, those that shall learn are
                not float32, or there is one class only.
        """
        super().__init__()
        if not hasattr(encoder, "layers"):
            raise TypeError(
                f"a Classifier stands on MiniLM.load(), not {type(encoder).__name__}; "
                "a model of the library is taken by LibraryClassifier(name)"
            )
        layers = guards.whole("layers", layers)
        if not 0 <= layers <= len(encoder.layers):
            raise ValueError(f"layers must be 0 to {len(encoder.layers)}, got {layers}")
        check_classes(classes)
        self.classes, self.pool = tuple(classes), pool
        # In a tuple, so that torch does not count the encoder among the own parts.
        self._below = (encoder, len(encoder.layers) - layers)
        guards.learnable(encoder.layers[self._below[1] :], "a Classifier")
        self.blocks = copy.deepcopy(encoder.layers[self._below[1] :])
        self.blocks.requires_grad_(True)
        self.dropout = nn.Dropout(dropout)
        self.head = head_of(encoder.words.shape[1], len(classes), seed)

    @cached_property  # the part below never changes
    def reads(self) -> str:
        """What its examples must be: the state of a text below the learning blocks."""
        encoder, start = self._below
        name = getattr(encoder, "fingerprint", type(encoder).__name__)
        return f"what leaves {start} blocks of {name}"

    @property
    def fingerprint(self) -> str:
        """What its answers and vectors depend on, computed anew each time."""
        own = checkpoints.digest(self.state_dict().values())
        return f"{self._below[0].fingerprint}:classifier-{own}"

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are read, special tokens included."""
        return self._below[0].max_tokens

    def save(self, path: str | Path) -> None:
        """Keep the trained part in one file, all or nothing, as ``checkpoints.save``.

        The encoder is not in it: its fingerprint is, and ``load`` compares.

        Raises:
            OSError: the disk is full or nothing can be written there.
        """
        names = {function: name for name, function in pooling.POOLINGS.items()}
        facts = {
            "kind": KIND,
            "encoder": self._below[0].fingerprint,
            "layers": len(self.blocks),
            "classes": list(self.classes),
            "dropout": self.dropout.p,
            "pool": names.get(self.pool),
        }
        checkpoints.save(path, self.state_dict(), facts)

    @classmethod
    def load(
        cls,
        path: str | Path,
        encoder: MiniLM,
        pool: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> Classifier:
        """Read what ``save`` wrote, on top of the encoder it was trained on.

        Args:
            path: the file.
            encoder: the same as then.
            pool: only where it was a pooling of your own: that function.

        Raises:
            FileNotFoundError: there is no such file.
            CheckpointError: the file is damaged or holds something else.
            ValueError: the encoder is another, or a pooling of your own is missing.
        """
        tensors, facts = checkpoints.load(path)
        if facts.get("kind") != KIND:
            raise checkpoints.CheckpointError(f"{path} holds no saved Classifier")
        if facts["encoder"] != encoder.fingerprint:
            raise ValueError(
                f"trained on {facts['encoder']}, but this encoder is "
                f"{encoder.fingerprint}: load the same one"
            )
        pool = pool or pooling.POOLINGS.get(facts["pool"])
        if pool is None:
            raise ValueError("it pooled in a way of your own: pass it, pool=...")
        parts = facts["layers"], facts["classes"], facts["dropout"]
        model = cls(encoder, *parts, pool=pool)
        model.load_state_dict(tensors)
        return model.eval()

    @torch.no_grad()
    def prepare(
        self,
        texts: Sequence[str],
        batch_size: int = 32,
        report: Callable[[int, int], object] | None = None,
    ) -> list[Tensor]:
        """Run the part that does not learn: one (tokens, dim) per text.

        ``report`` is called after each batch: how many texts were read, of how many.
        """
        encoder, start = self._below
        found, read = encoder.tokenize(texts), 0
        states: list[Tensor] = [torch.empty(0)] * len(found)
        for chosen in length_groups([len(ids) for ids in found], batch_size):
            ids = [torch.tensor(found[i]) for i in chosen]
            batch = Examples(ids, torch.zeros(len(ids), dtype=torch.long)).batch()
            hidden, keys = encoder.embed(batch.inputs), batch.mask[:, None, None]
            for block in encoder.layers[:start]:
                hidden, _ = block(hidden, keys)
            for row, i in enumerate(chosen):
                states[i] = hidden[row, : len(found[i])].float().clone()
            read += len(chosen)
            if report is not None:
                report(read, len(found))
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
        shape = len(texts), self.head.in_features
        vectors = torch.empty(shape, dtype=torch.float32)
        for chosen in length_groups(some.lengths, batch_size):
            batch = some.batch(chosen)
            vectors[chosen] = self.vectors(batch.inputs, batch.mask)
        return functional.normalize(vectors, dim=1).numpy()

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, dim) and mask (batch, tokens) -> logits (batch, classes)."""
        return self.head(self.dropout(self.vectors(inputs, mask)))
