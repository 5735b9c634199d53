"""Five vocabularies behind one interface."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from course_utils.assets.models import tokenizer
from course_utils.assets.places import MISTRAL, TIKTOKEN, folder


class Vocabulary(Protocol):
    """What the five vocabularies have in common. No special token is ever added."""

    name: str

    def encode(self, text: str) -> list[int]:
        """Text to ids."""

    def decode(self, ids: list[int]) -> str:
        """Ids to text; ``�`` stands for bytes that are no character by themselves."""

    def pieces(self, text: str) -> list[str]:
        """Text to readable pieces, one per id; bytes that are no text as ``<0xF0>``."""

    def __len__(self) -> int:
        """How many ids there are."""


@dataclass(frozen=True)
class _Vocabulary:
    name: str
    size: int
    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]
    piece: Callable[[int], str]

    def pieces(self, text: str) -> list[str]:
        return [self.piece(token_id) for token_id in self.encode(text)]

    def __len__(self) -> int:
        return self.size


def readable(piece: bytes) -> str:
    """Bytes as text; a byte that is no text by itself as ``<0xF0>``.

    >>> readable(b" caf\\xc3\\xa9"), readable(b" \\xf0\\x9f")
    (' café', ' <0xF0><0x9F>')
    """
    text = piece.decode("utf-8", errors="surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda m: f"<0x{ord(m[0]) - 0xDC00:02X}>", text)


def encodable(text: str) -> str:
    """Text that every tokenizer accepts: a lone surrogate, no character, becomes ``�``.

    >>> encodable("a\\ud800")
    'a�'
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _wordpiece() -> Vocabulary:
    fast = tokenizer().backend_tokenizer
    return _Vocabulary(
        "wordpiece",
        fast.get_vocab_size(),
        lambda text: tokenizer().encode(
            encodable(text), add_special_tokens=False, verbose=False
        ),
        lambda ids: tokenizer().decode(ids),
        fast.id_to_token,
    )


def _tiktoken(name: str) -> Vocabulary:
    import tiktoken

    # Left in force, it would send whatever you download later into our package.
    yours = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder(TIKTOKEN))
    try:
        encoding = tiktoken.get_encoding(f"{name}_base")
    finally:
        if yours is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = yours
    return _Vocabulary(
        name,
        encoding.n_vocab,
        lambda text: encoding.encode(encodable(text), disallowed_special=()),
        encoding.decode,
        lambda token_id: readable(encoding.decode_single_token_bytes(token_id)),
    )


def _tekken() -> Vocabulary:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    tekken = Tekkenizer.from_file(folder(MISTRAL) / "tekken_240911.json")
    return _Vocabulary(
        "tekken",
        tekken.n_words,
        lambda text: tekken.encode(encodable(text), bos=False, eos=False),
        tekken.decode,
        lambda token_id: readable(tekken.id_to_byte_piece(token_id)),
    )


def _sentencepiece() -> Vocabulary:
    from sentencepiece import SentencePieceProcessor

    model = SentencePieceProcessor()
    model.Load(str(folder(MISTRAL) / "tokenizer.model.v1"))
    return _Vocabulary(
        "sentencepiece",
        model.vocab_size(),
        lambda text: model.EncodeAsIds(encodable(text)),
        model.DecodeIds,
        model.IdToPiece,
    )


class _Vocabularies(Mapping[str, Vocabulary]):
    """Loads a vocabulary when it is first asked for."""

    _loaders: Mapping[str, Callable[[], Vocabulary]] = {
        "wordpiece": _wordpiece,
        "cl100k": lambda: _tiktoken("cl100k"),
        "o200k": lambda: _tiktoken("o200k"),
        "tekken": _tekken,
        "sentencepiece": _sentencepiece,
    }

    def __init__(self) -> None:
        self._loaded: dict[str, Vocabulary] = {}

    def __getitem__(self, name: str) -> Vocabulary:
        if name not in self._loaders:
            known = ", ".join(self._loaders)
            raise KeyError(f"no vocabulary is called {name!r}: choose one of {known}")
        if name not in self._loaded:
            self._loaded[name] = self._loaders[name]()
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaders)

    def __len__(self) -> int:
        return len(self._loaders)


@cache
def vocabularies() -> Mapping[str, Vocabulary]:
    """Return the five vocabularies of the course by name, each loaded on first use.

    ``wordpiece`` (BERT and MiniLM), ``cl100k`` and ``o200k`` (byte-level BPE of chat
    models), ``tekken`` (byte-level BPE of another family), ``sentencepiece`` (BPE with
    the ``▁`` word mark).

    None adds special tokens, and all but one read their names as plain text:
    ``<|endoftext|>`` becomes several ids. ``wordpiece`` reads ``[SEP]`` in a text as
    the special token, as BERT's own tokenizer does.

    Raises:
        KeyError: from the mapping, for a name that is none of the five.
        AssetError: when the package that carries a vocabulary is missing or altered.
    """
    return _Vocabularies()
