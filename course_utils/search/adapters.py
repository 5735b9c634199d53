"""Two encoders that can be indexed, and one that leaves for another framework.

Used in notebook 09.

>>> from course_utils.encoder import MiniLM
>>> encoder = CachedEncoder(MiniLM.load())
>>> encoder.encode(["twice", "twice"]).shape, len(encoder)
((2, 384), 1)
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence

import numpy as np

from course_utils import assets
from course_utils.encoder import Encoder, digest, listed
from course_utils.tokenization import normalise

UNLIMITED = sys.maxsize  # tokens, of a model that reads any text to its end


class SentenceTransformerEncoder:
    """Any sentence-transformers model as an ``Encoder``.

    The fingerprint is computed from what the model computes with, not from a name: one
    that was fine-tuned, pools otherwise or puts a prompt before each text has another.
    """

    def __init__(self, model) -> None:
        """Keep a ``SentenceTransformer``; nothing is computed yet."""
        self.model = model

    @property
    def max_tokens(self) -> int:
        """What the model reads of one text, its default prompt not counted."""
        limit = self.model.max_seq_length
        if limit is None or limit == math.inf:
            limit = self.wordpieces.limit or UNLIMITED
        prompt = self._prompt
        return int(limit) - (len(self.wordpieces.encode(prompt)) if prompt else 0)

    @property
    def _prompt(self) -> str:
        """What ``encode`` puts before every text, if nobody says otherwise."""
        return (self.model.prompts or {}).get(self.model.default_prompt_name) or ""

    @property
    def fingerprint(self) -> str:
        """``numbers:modules:limit``, computed anew each time.

        Changes with weights, their precision, settings of the modules, tokenizer,
        default prompt, limit and a cut of the dimensions.
        """
        modules, settings = [], []
        for module in self.model:
            name = type(module).__name__
            known = getattr(module, "get_config_dict", dict)()
            if name == "Pooling":
                modes = [v for k, v in known.items() if "mode" in k]
                name += f"({' '.join(map(str, modes))})"
            modules.append(name)
            inner = getattr(getattr(module, "auto_model", None), "config", None)
            settings += [sorted(known.items(), key=str), _computes_with(inner)]
        numbers = digest(
            sorted(self.model.state_dict().items()),
            settings,
            self.wordpieces.identity(),
            self._prompt,
            self.model.truncate_dim,
        )
        limit = self.max_tokens if self.max_tokens < UNLIMITED // 2 else "any length"
        return f"{numbers}:{'+'.join(modules)}:{limit}"

    @property
    def wordpieces(self) -> TokenizerOf:
        """The model's own tokenizer, as the other vocabularies of the course."""
        if getattr(self, "_read_by", (None,))[0] is not self.model.tokenizer:
            self._read_by = self.model.tokenizer, TokenizerOf(self.model.tokenizer)
        return self._read_by[1]

    def encode(self, texts: list[str]) -> np.ndarray:
        """Texts to unit vectors, float32 (len(texts), dim).

        Raises:
            TypeError: not a list of strings.
        """
        texts = [assets.encodable(text) for text in listed(texts)]
        if not texts:
            return np.empty((0, self.model.get_embedding_dimension()), np.float32)
        made = self.model.encode(
            texts, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(made, dtype=np.float32)


def _computes_with(config) -> list:
    """The settings of a transformers model, without names, paths and versions."""
    if config is None:
        return []
    beside = {"transformers_version", "architectures", "name_or_path", "id2label"}
    known = config.to_dict().items()
    return sorted((k, str(v)) for k, v in known if k[0] != "_" and k not in beside)


class TokenizerOf:
    """A model's tokenizer as a ``Vocabulary``; special tokens are never added.

    Takes one of transformers, or a bare one of ``tokenizers``, which static models
    bring along. It reads with a copy that never cuts: the model's own may be set
    otherwise at any time, also by another thread.

    Attributes:
        limit: where a bare tokenizer cuts on its own; None if it does not.
        unknown: the piece for what it does not know, or None.
    """

    def __init__(self, tokenizer) -> None:
        """Keep the tokenizer, and make the copy."""
        import tokenizers

        self.tokenizer, self.name = tokenizer, type(tokenizer).__name__
        bare = isinstance(tokenizer, tokenizers.Tokenizer)
        self._fast = (
            tokenizer if bare else getattr(tokenizer, "backend_tokenizer", None)
        )
        self.limit = (tokenizer.truncation or {}).get("max_length") if bare else None
        known = tokenizer.model if bare else tokenizer
        self.unknown: str | None = getattr(known, "unk_token", None)
        if self._fast is not None:
            self._copy = tokenizers.Tokenizer.from_str(self._fast.to_str())
            self._copy.no_truncation()
            self._copy.no_padding()

    def encode(self, text: str) -> list[int]:
        """Text to ids."""
        text = assets.encodable(text)
        if self._fast is not None:
            return self._copy.encode(text, add_special_tokens=False).ids
        return self.tokenizer.encode(text, add_special_tokens=False, verbose=False)

    def decode(self, ids: list[int]) -> str:
        """Ids to text."""
        return self.tokenizer.decode(ids)

    def pieces(self, text: str) -> list[str]:
        """Text to pieces, one per id."""
        if self._fast is not None:
            return list(map(self._copy.id_to_token, self.encode(text)))
        return self.tokenizer.convert_ids_to_tokens(self.encode(text))

    def identity(self) -> str:
        """All that decides how it cuts, as text; what a call sets does not count."""
        if self._fast is None:
            return repr(sorted(self.tokenizer.get_vocab().items()))
        known = json.loads(self._fast.to_str())
        return json.dumps({**known, "truncation": None, "padding": None})

    def __len__(self) -> int:
        """How many ids there are."""
        if self._fast is None:
            return len(self.tokenizer)
        return self._fast.get_vocab_size()


class CachedEncoder:
    """An encoder that remembers what it has encoded: the same text costs nothing.

    What was encoded before a change of the encoder is forgotten as soon as the
    fingerprint is asked for; after training in place make a new cache.
    """

    def __init__(self, encoder: Encoder, limit: int = 100_000) -> None:
        """Wrap an encoder; beyond ``limit`` texts the oldest are forgotten."""
        self.encoder, self.limit = encoder, limit
        self._known: dict[str, np.ndarray] = {}
        self._made_by = encoder.fingerprint
        if hasattr(encoder, "wordpieces"):
            self.wordpieces = encoder.wordpieces

    @property
    def max_tokens(self) -> int:
        """What the encoder reads of one text."""
        return self.encoder.max_tokens

    @property
    def fingerprint(self) -> str:
        """That of the encoder as it is now."""
        now = self.encoder.fingerprint
        if now != self._made_by:
            self._known, self._made_by = {}, now
        return now

    def __len__(self) -> int:
        """How many texts are remembered."""
        return len(self._known)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to unit vectors; only new ones are computed, in one call.

        Raises:
            TypeError: not a list of strings.
        """
        texts, memory = listed(texts), self._known
        found = {text: memory.get(text) for text in texts}
        new = [text for text, vector in found.items() if vector is None]
        if new:
            found.update(zip(new, self.encoder.encode(new), strict=True))
            memory.update((text, found[text]) for text in new)
            for text in list(memory)[: max(0, len(memory) - self.limit)]:
                memory.pop(text, None)
        if not texts:
            return self.encoder.encode([])
        return np.stack([found[text] for text in texts])


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
