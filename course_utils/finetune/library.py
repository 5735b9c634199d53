"""A classifier on top of any encoder of the transformers library. Notebook 07.

Library: ``transformers.AutoModelForSequenceClassification``. Paper: Devlin et al. 2018
(arXiv 1810.04805), with mean pooling in place of ``[CLS]``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils import assets, corpora, guards, pooling
from course_utils.finetune.classifier import Reader, check_classes, head_of, list_of


class LibraryClassifier(Reader):
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
        if name is None:
            place = assets.folder(assets.MINILM)
        else:
            place = guards.path(name) if str(name).startswith("~") else name
        max_tokens = guards.whole("max_tokens", max_tokens, low=2)
        local = {"local_files_only": not assets.online()}
        try:
            tokenizer = AutoTokenizer.from_pretrained(place, **local)
            self.body = AutoModel.from_pretrained(
                place, use_safetensors=True, dtype=torch.float32, **local
            )
        except OSError as error:
            reason = str(error).splitlines()[0]
            command = "look at the name, and at the connection"
            if not assets.online() and not Path(place).is_dir():
                reason = "it is in no cache, and the network is off"
                command = "set COURSE_ONLINE=1 and start the kernel again"
            raise assets.AssetError(str(name), reason, command) from None
        check_classes(classes)
        limit = getattr(self.body.config, "max_position_embeddings", max_tokens)
        self.max_tokens = min(max_tokens, limit)
        self.classes, self._tokenizer = tuple(classes), tokenizer
        self.reads = f"ids of {place}, {self.max_tokens} at most"
        self.body.get_input_embeddings().requires_grad_(train_words)
        self.dropout = nn.Dropout(dropout)
        self.head = head_of(self.body.config.hidden_size, len(classes), seed)

    def prepare(
        self,
        texts: Sequence[str],
        report: Callable[[int, int], object] | None = None,
    ) -> list[Tensor]:
        """Tokenize: one tensor of ids per text; ``report`` is called once, at the end.

        Warns:
            UserWarning: with the number of texts that were cut at ``max_tokens``.

        Raises:
            TypeError: not a list of strings.
        """
        texts = list_of(texts)
        if not texts:
            return []
        whole = self._tokenizer(texts, verbose=False)["input_ids"]
        if report is not None:
            report(len(texts), len(texts))
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
