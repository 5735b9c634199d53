"""Two encoders that can be indexed, and one that leaves for another framework.

Used in notebook 09.

>>> from course_utils.encoder import MiniLM
>>> encoder = CachedEncoder(MiniLM.load())
>>> encoder.encode(["twice", "twice"]).shape, len(encoder)
((2, 384), 1)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from course_utils import assets
from course_utils.encoder import Encoder
from course_utils.tokenization import normalise


class SentenceTransformerEncoder:
    """Any sentence-transformers model as an ``Encoder``.

    The fingerprint is computed from the tensors themselves, not from a name: a model
    that was fine-tuned, or pools otherwise, has another one.
    """

    def __init__(self, model) -> None:
        """Keep a ``SentenceTransformer``; nothing is computed yet."""
        self.model = model

    @property
    def max_tokens(self) -> int:
        """What the model reads of one text."""
        return int(self.model.max_seq_length)

    @cached_property
    def fingerprint(self) -> str:
        """``weights:modules:limit``; changes with weights, pooling and normalising."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(f"{name}{tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().float().numpy().tobytes())
        modules = []
        for module in self.model:
            name = type(module).__name__
            if name == "Pooling":
                modes = [v for k, v in module.get_config_dict().items() if "mode" in k]
                name += f"({' '.join(map(str, modes))})"
            modules.append(name)
        return f"{digest.hexdigest()[:16]}:{'+'.join(modules)}:{self.max_tokens}"

    @cached_property
    def wordpieces(self) -> assets.Vocabulary:
        """The model's own tokenizer, as the other vocabularies of the course."""
        return _TokenizerOf(self.model.tokenizer)

    def encode(self, texts: list[str]) -> np.ndarray:
        """Texts to unit vectors, float32 (len(texts), dim)."""
        return self.model.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False
        )


class _TokenizerOf:
    """A transformers tokenizer as a ``Vocabulary``; special tokens are never added."""

    def __init__(self, tokenizer) -> None:
        self.tokenizer, self.name = tokenizer, type(tokenizer).__name__

    def encode(self, text: str) -> list[int]:
        text = assets.encodable(text)
        return self.tokenizer.encode(text, add_special_tokens=False, verbose=False)

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids)

    def pieces(self, text: str) -> list[str]:
        return self.tokenizer.convert_ids_to_tokens(self.encode(text))

    def __len__(self) -> int:
        return len(self.tokenizer)


class CachedEncoder:
    """An encoder that remembers what it has encoded: the same text costs nothing.

    A change of the encoder would need a new cache, so the fingerprint is taken over.
    """

    def __init__(self, encoder: Encoder, limit: int = 100_000) -> None:
        """Wrap an encoder; beyond ``limit`` texts the oldest are forgotten."""
        self.encoder, self.limit = encoder, limit
        self.max_tokens, self.fingerprint = encoder.max_tokens, encoder.fingerprint
        self._known: dict[str, np.ndarray] = {}
        if hasattr(encoder, "wordpieces"):
            self.wordpieces = encoder.wordpieces

    def __len__(self) -> int:
        """How many texts are remembered."""
        return len(self._known)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to unit vectors; only new ones are computed, in one call."""
        texts = list(texts)
        known = {text: self._known[text] for text in texts if text in self._known}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, self.encoder.encode(new), strict=True))
            self._known.update((text, known[text]) for text in new)
            for text in list(self._known)[: max(0, len(self._known) - self.limit)]:
                self._known.pop(text, None)
        if not texts:
            return self.encoder.encode([])
        return np.stack([known[text] for text in texts])


def llama_embedding(encoder: Encoder):
    """An encoder as an embedding model of LlamaIndex, texts normalised as ours are.

    Library: ``llama_index.core.embeddings.BaseEmbedding``.
    """
    from llama_index.core.embeddings import BaseEmbedding

    class Embedding(BaseEmbedding):
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return encoder.encode([normalise(text) for text in texts]).tolist()

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        _get_query_embedding = _get_text_embedding

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

    return Embedding()
