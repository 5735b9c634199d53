"""A folder that can be searched: what it holds, and what its index depends on.

Used in notebook 14. Library: ``platformdirs``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import regex

from course_utils import guards
from course_utils.yours.folders import LARGEST, Unread
from course_utils.yours.reading import Document
from course_utils.yours.texts import PLAIN, Options

if TYPE_CHECKING:
    from course_utils.search import SearchIndex


class OtherFolder(ValueError):
    """The place holds the index of another folder."""


@dataclass(frozen=True)
class Settings:
    """What an index depends on besides the files and the encoder.

    Attributes:
        size: tokens per passage.
        overlap: tokens that neighbours share.
        options: how files are read.
        largest: bytes of a file at most.
    """

    size: int = 128
    overlap: int = 0
    options: Options = PLAIN
    largest: int = LARGEST

    def noted(self) -> dict:
        """As JSON gives it back."""
        return {**asdict(self), "options": _listed(asdict(self.options))}


def _listed(values: Mapping) -> dict:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@dataclass
class Changes:
    """What an update did, as names of files.

    Attributes:
        added: read for the first time.
        changed: read anew, since their bytes are others.
        removed: in the index, but no longer in the folder.
        kept: as they were.
        why: why everything was built anew, or empty.
        remarks: what the index said about documents.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    why: str = ""
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Library:
    """A folder that can be searched.

    Attributes:
        folder: where the files lie.
        index: their passages, see ``search.SearchIndex``; None if none could be read.
        documents: id -> document, which knows its places.
        unread: what is not in the index, with reasons.
        changes: what the update did that made it.
    """

    folder: Path
    index: SearchIndex | None
    documents: Mapping[str, Document]
    unread: list[Unread]
    changes: Changes


def cache_place(folder: str | Path) -> Path:
    """Where the index of a folder is kept if you name no place: in your cache.

    Library: ``platformdirs.user_cache_path``.
    """
    from platformdirs import user_cache_path

    root = guards.path(folder).resolve()
    name = regex.sub(r"[^\w-]+", "-", root.name)[:40] or "root"
    digest = hashlib.sha256(bytes(str(root), "utf-8", "surrogateescape")).hexdigest()
    return user_cache_path("course_utils") / "search" / f"{name}-{digest[:12]}"
