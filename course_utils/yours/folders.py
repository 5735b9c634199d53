"""What lies in a folder, and the bytes of one file: nothing else is ever opened.

A folder of yours may hold links that lead out of it, devices, pipes that never end, and
files of any size. Only regular files below the folder are opened, none of them is
waited for, and none is read further than a limit. Whatever is left out has a reason.

Used in notebook 14. Library: ``os.walk``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from course_utils import guards

LARGEST = 64 * 2**20  # bytes of a file; a book has one or two million
MOST = 200_000  # files of a folder
_TOOLS = {"__pycache__", "node_modules", "site-packages"}  # other people's files


@dataclass(frozen=True)
class Unread:
    """What was not read, and why.

    Attributes:
        name: the path below the folder, or a place in a file.
        reason: a sentence, without the name.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """A file that may be read.

    Attributes:
        name: the path below the folder, with ``/`` on every system.
        path: where it lies.
        size: bytes.
        changed: when it was written last, in nanoseconds.
    """

    name: str
    path: Path
    size: int
    changed: int


class Unreadable(ValueError):
    """A file cannot be read; the message is the reason."""


def survey(
    folder: str | Path, *, skip: Iterable[Path] = (), largest: int = LARGEST
) -> tuple[list[Entry], list[Unread]]:
    """List the regular files below a folder, and what is left out.

    Hidden files and folders, links, devices and pipes, the folders of tools and what is
    larger than ``largest`` bytes are left out, each with its reason. Links are never
    followed: what they lead to is read where it lies, if that is below the folder.

    Args:
        folder: where to look.
        skip: folders to pass over, such as the one that holds the index.
        largest: bytes of a file at most.

    Returns:
        The files in the order of their names, and the rest.

    Raises:
        FileNotFoundError: there is no such folder.
        NotADirectoryError: it is a file.
        OSError: the folder itself may not be opened.
    """
    root = guards.path(folder).resolve()
    if not root.exists():
        raise FileNotFoundError(f"there is no folder {folder}: check the spelling")
    if not root.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: name the one it lies in")
    passed = {Path(place).resolve() for place in skip}
    files: list[Entry] = []
    left: list[Unread] = []

    def failed(error: OSError) -> None:
        place = Path(error.filename or root)
        if place == root:
            raise error
        left.append(Unread(_name(place, root), f"cannot be opened ({error.strerror})"))

    for above, folders, names in os.walk(root, onerror=failed):
        here = Path(above)
        kept = []
        for name in sorted(folders):
            path = here / name
            if path in passed:
                continue
            reason = _reason_to_pass(path)
            if reason:
                left.append(Unread(_name(path, root), reason))
            else:
                kept.append(name)
        folders[:] = kept
        for name in sorted(names):
            found = _entry(here / name, root, largest)
            (files if isinstance(found, Entry) else left).append(found)
            if len(files) > MOST:
                raise OSError(f"{folder} holds more than {MOST:,} files: name a part")
    return sorted(files, key=lambda entry: entry.name), left


def _reason_to_pass(path: Path) -> str:
    """Why a folder is not entered; empty if it is."""
    if path.is_symlink() or getattr(os.path, "isjunction", lambda _: False)(path):
        return "is a link to a folder, links are not followed"
    if path.name.startswith("."):
        return "is hidden"
    if path.name in _TOOLS or (path / "pyvenv.cfg").exists():
        return "belongs to a tool, not to you"
    return ""


def _entry(path: Path, root: Path, largest: int) -> Entry | Unread:
    shown = _name(path, root)
    try:
        path.name.encode("utf-8")
    except UnicodeEncodeError:
        return Unread(shown, "its name is no text: rename it")
    if path.name.startswith("."):
        return Unread(shown, "is hidden")
    try:
        known = path.lstat()
    except OSError as error:
        return Unread(shown, f"cannot be opened ({error.strerror})")
    if stat.S_ISLNK(known.st_mode):
        return Unread(shown, "is a link, links are not followed")
    if not stat.S_ISREG(known.st_mode):
        return Unread(shown, "is a device, a pipe or a socket, not a file")
    if known.st_size > largest:
        return Unread(shown, too_large(known.st_size, largest))
    return Entry(shown, path, known.st_size, known.st_mtime_ns)


def too_large(size: int, largest: int) -> str:
    """The reason for a file that is larger than the limit."""
    return f"has {size / 2**20:,.0f} MB, more than the {largest / 2**20:,.0f} allowed"


def _name(path: Path, root: Path) -> str:
    """The path below the root; what is no character becomes one that says so."""
    shown = path.relative_to(root).as_posix()
    return shown.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def load(entry: Entry, largest: int = LARGEST) -> bytes:
    """The bytes of a file, if it is still the regular file that was listed.

    Raises:
        Unreadable: it is gone, not allowed, has become something else, or has grown
            over the limit since.
    """
    flags = os.O_RDONLY
    for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, flag, 0)
    try:
        handle = os.open(entry.path, flags)
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Unreadable("is a device, a pipe or a socket, not a file")
            data = stream.read(largest + 1)
    except OSError as error:
        raise Unreadable(f"cannot be opened ({error.strerror})") from None
    if len(data) > largest:
        raise Unreadable(too_large(len(data), largest))
    return data
