"""A folder of files that is either whole or refused. Used by ``search``, notebook 09.

The files of one save lie in a subfolder of their own, and ``manifest.json`` names it,
with the size and sha256 of every file. The manifest is replaced last, in one step: who
is killed before leaves the old save in force, who reads meanwhile gets the old or the
new one, never a mixture. One process may write at a time, any number may read.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from course_utils import guards

MANIFEST = "manifest.json"
_SAVE = re.compile(r"save-[0-9a-f]{16}")
_ABANDONED = 3600  # seconds after which a save that was never finished is removed


class DamagedIndex(RuntimeError):
    """A saved folder is incomplete or was altered; the message says what to do."""


class OtherVersion(DamagedIndex):
    """The folder holds the same kind of thing, saved by another version."""


def _family(kind: str) -> str:
    return kind.rpartition(" ")[0]


def write(folder: str | Path, kind: str, facts: Mapping, files: Mapping) -> None:
    """Save files into a folder, all or nothing.

    Args:
        folder: made if it does not exist; an earlier save of the same kind is replaced.
        kind: what the folder holds; another kind is never overwritten.
        facts: what the reader has to know, as JSON.
        files: name -> bytes.

    Raises:
        FileExistsError: the folder holds something else.
        OSError: the disk is full or the folder cannot be written; the old save stands.
    """
    folder = guards.path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    before = _own_save(folder, kind)
    name = f"save-{secrets.token_hex(8)}"
    place = folder / name
    place.mkdir()
    beside = folder / f".{name}.manifest"
    try:
        for file, data in files.items():
            _write_through(place / file, data)
        _sync_folder(place)
        manifest = {
            "kind": kind,
            "save": name,
            "facts": dict(facts),
            "files": {
                file: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for file, data in files.items()
            },
        }
        _write_through(beside, json.dumps(manifest, indent=1, default=_plain).encode())
        os.replace(beside, folder / MANIFEST)
    except BaseException:
        beside.unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        raise
    _sync_folder(folder)
    _clear(folder, keep=name, before=before)


def _plain(value: object) -> object:
    """A number of NumPy as Python's own: settings often come out of an array."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} cannot be saved: pass numbers, texts, lists")


def read(folder: str | Path, kind: str) -> tuple[dict, dict[str, bytes]]:
    """Read a save and verify every byte of it.

    Returns:
        The facts, and name -> bytes.

    Raises:
        FileNotFoundError: there is no such save.
        DamagedIndex: a file is missing, truncated or altered, or another version of
            the course wrote it.
    """
    folder = guards.path(folder)
    for _ in range(5):
        manifest = _manifest(folder, kind)
        try:
            return manifest["facts"], {
                name: _verified(folder / manifest["save"] / name, expected)
                for name, expected in manifest["files"].items()
            }
        except FileNotFoundError as error:
            # A writer has replaced the save while we read: look again.
            if _manifest(folder, kind)["save"] == manifest["save"]:
                raise DamagedIndex(
                    f"{folder}: {Path(error.filename).name} is missing; restore the "
                    "folder from a copy or build the index again"
                ) from None
    raise DamagedIndex(f"{folder}: it was replaced five times while it was read")


def _manifest(folder: Path, kind: str) -> dict:
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no saved index, {MANIFEST} is missing: save one first"
        )
    try:
        manifest = json.loads(path.read_bytes())
        names = [manifest["save"], *manifest["files"]]
        if _family(manifest["kind"]) == _family(kind) and manifest["kind"] != kind:
            raise OtherVersion(
                f"{folder} was saved as {manifest['kind']!r}, and this version of the "
                f"course reads {kind!r}: build it anew from your documents"
            )
        sound = manifest["kind"] == kind and isinstance(manifest["facts"], dict)
        # Names come from a file: none of them may lead out of the folder.
        sound &= bool(_SAVE.fullmatch(names[0]))
        sound &= all(re.fullmatch(r"[\w-]+\.\w+", name) for name in names[1:])
    except (ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise DamagedIndex(
            f"{path} is not a manifest of {kind!r}: it was truncated, altered or made "
            "by another program; restore it from a copy or build the index again"
        )
    return manifest


def _verified(path: Path, expected: Mapping) -> bytes:
    data = path.read_bytes()
    if len(data) != expected["bytes"]:
        reason = f"{len(data):,} bytes instead of {expected['bytes']:,}"
    elif hashlib.sha256(data).hexdigest() != expected["sha256"]:
        reason = "its sha256 is not the one in the manifest"
    else:
        return data
    raise DamagedIndex(
        f"{path.name} is truncated or altered ({reason}); restore the folder from a "
        "copy or build the index again"
    )


def _own_save(folder: Path, kind: str) -> str | None:
    """The save in force; refuse to write where something else lies."""
    if (folder / MANIFEST).exists():
        try:
            return _manifest(folder, kind)["save"]
        except OtherVersion:
            return None  # replaced; its files go when they are old
        except DamagedIndex:
            raise FileExistsError(
                f"{folder / MANIFEST} belongs to something else or is damaged: "
                "choose another folder, or remove it first"
            ) from None
    foreign = [p.name for p in folder.iterdir() if "save-" not in p.name]
    if foreign:
        raise FileExistsError(
            f"{folder} holds other files ({foreign[0]}): choose an empty folder"
        )
    return None


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:  # some shared and network folders know no such call
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
                raise
        finally:
            os.close(handle)


def _clear(folder: Path, keep: str, before: str | None) -> None:
    """Remove the save that was replaced, and what killed writers left behind."""
    for path in folder.iterdir():
        name = path.name.removeprefix(".").removesuffix(".manifest")
        if name == keep or not _SAVE.fullmatch(name):
            continue
        try:
            old = time.time() - path.stat().st_mtime > _ABANDONED
        except FileNotFoundError:
            continue
        if name == before or old:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
