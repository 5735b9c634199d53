"""An index that keeps up with a folder: only what has changed is embedded anew.

Each file is known by its size, time and sha256. A second look reads no file that has
kept size and time, embeds none that has kept its bytes, and forgets what is gone. What
is done is saved as a whole every few minutes and when you interrupt: the next run goes
on from there.

Used in notebook 14. Library: ``llama_index.core.ingestion.IngestionPipeline`` with a
document store.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils import guards
from course_utils.yours.folders import Entry, Unread, survey
from course_utils.yours.library import (
    Changes,
    Library,
    OtherFolder,
    Settings,
    cache_place,
)
from course_utils.yours.quarantine import Quarantine
from course_utils.yours.reading import Document, load_or_not, read_file

if TYPE_CHECKING:
    from course_utils.encoder import Encoder
    from course_utils.search import SearchIndex

LAYOUT = 1  # of the notes; another one is built anew
EVERY = 120.0  # seconds between two saves, or ten times what a save takes
SHARES, LEAST = 50, 20_000  # a batch is a 50th of the folder, but no fewer characters
_RACY = 2_000_000_000  # ns; a file may change again within one tick of its clock


def keep(
    folder: str | Path,
    encoder: Encoder,
    place: str | Path | None = None,
    settings: Settings | None = None,
    *,
    progress: Callable[[int, int], None] = lambda done, files: None,
    seconds: float = 60.0,
) -> Library:
    """Bring the index of a folder up to date, and hand it out.

    Args:
        folder: where your files lie.
        encoder: makes the vectors; an index of another encoder is built anew.
        place: where the index is kept; None means ``cache_place(folder)``.
        settings: None means the standard.
        progress: is told how many files of how many are done.
        seconds: how long the reader of one PDF, Word file or page may take.

    Raises:
        FileNotFoundError, NotADirectoryError, OSError: see ``survey``.
        ValueError: the size or the overlap of passages is none, see ``search.chunk``.
        OtherFolder: the place holds the index of another folder.
        FileExistsError: it holds something else.
        KeyboardInterrupt: you interrupted; what was done until then is saved.
    """
    from course_utils.search import chunk

    place = cache_place(folder) if place is None else guards.path(place)
    settings = settings or Settings()
    limit = encoder.max_tokens - 2
    chunk("", settings.size, settings.overlap, None, limit=limit)  # refuses early
    update = _Update(folder, encoder, place, settings)
    update.compare()
    try:
        update.read(progress, seconds)
    finally:
        update.save()
    return update.library()


class _Update:
    """One look at a folder and what follows from it."""

    def __init__(self, folder, encoder, place: Path, settings: Settings) -> None:
        self.root = guards.path(folder).resolve()
        self.encoder, self.place, self.settings = encoder, place, settings
        self.now = time.time_ns()
        self.entries, self.left = survey(
            self.root, skip=[place], largest=settings.largest
        )
        self.changes = Changes()
        self.files: dict[str, dict] = {}  # name -> what is noted of it
        self.waiting: list[Entry] = []
        self.index = self._load()
        self.dirty = self.index is None
        self.saved, self.pause = time.monotonic(), EVERY

    # -- what is known already ---------------------------------------------------------

    def _load(self) -> SearchIndex | None:
        from course_utils.search import DamagedIndex, OtherEncoder, SearchIndex

        try:
            index = SearchIndex.load(self.place, self.encoder)
        except FileNotFoundError:
            return None
        except OtherEncoder:
            self.changes.why = "another encoder made the index"
            return None
        except DamagedIndex as error:
            self.changes.why = f"the index was damaged ({error})"
            return None
        notes = index.notes
        if notes.get("folder") != str(self.root):
            raise OtherFolder(
                f"{self.place} holds the index of {notes.get('folder')}, not of "
                f"{self.root}: name another place"
            )
        if (notes.get("layout"), notes["settings"]) != (LAYOUT, self.settings.noted()):
            self.changes.why = "the settings have changed"
            return None
        return self._matched(index, notes["files"])

    def _matched(self, index: SearchIndex, files: dict) -> SearchIndex | None:
        """An interrupt may come between a document and its note: both count or none."""
        there = set(index.documents)
        self.files = {
            n: f for n, f in files.items() if there.issuperset(f["documents"])
        }
        noted = {name for one in self.files.values() for name in one["documents"]}
        if noted != there and noted:
            index.remove(there - noted)
        return index if noted else None

    def compare(self) -> None:
        """Find out what is new, what has changed and what is gone."""
        here = {entry.name for entry in self.entries}
        self.changes.removed = sorted(set(self.files) - here)
        for entry in self.entries:
            if entry.name not in self.files:
                self.changes.added.append(entry.name)
            elif self._same(entry, self.files[entry.name]):
                self.changes.kept.append(entry.name)
                continue
            else:
                self.changes.changed.append(entry.name)
            self.waiting.append(entry)
        self._forget([*self.changes.removed, *self.changes.changed])

    def _same(self, entry: Entry, known: dict) -> bool:
        """Whether a file has kept its bytes; they are read only if it may not have."""
        settled = self._settled(entry)
        seen = [entry.size, entry.changed, True]
        if seen == [known["size"], known["changed"], known["settled"]]:
            return True
        data = load_or_not(entry, self.settings.largest)
        if isinstance(data, Unread) or _digest(data) != known["sha256"]:
            return False
        if [entry.changed, settled] != [known["changed"], known["settled"]]:
            known.update(changed=entry.changed, settled=settled)
            self.dirty = True
        return True

    def _settled(self, entry: Entry) -> bool:
        """Whether a file that is written again would get another time."""
        return entry.changed < self.now - _RACY

    def _forget(self, names: list[str]) -> None:
        gone = [d for name in names for d in self.files.pop(name)["documents"]]
        self.dirty |= bool(names)
        if self.index is None or not gone:
            return
        if len(gone) == len(self.index):
            self.index = None
        else:
            self.index.remove(gone)

    # -- what is new -------------------------------------------------------------------

    def read(self, progress: Callable[[int, int], None], seconds: float) -> None:
        """Read and embed what is waiting, in batches; a file is noted when it is in."""
        size = max(LEAST, sum(entry.size for entry in self.waiting) // SHARES)
        batch: list[tuple[Entry, dict, list[Document]]] = []
        held = 0
        with Quarantine(seconds) as quarantine:
            for done, entry in enumerate(self.waiting):
                progress(done, len(self.waiting))
                noted, documents = self._one(entry, quarantine)
                batch.append((entry, noted, documents))
                held += sum(len(document.text) for document in documents)
                if held >= size:
                    self._flush(batch)
                    batch, held = [], 0
                    if time.monotonic() - self.saved > self.pause:
                        self.save()
            self._flush(batch)
        if self.waiting:
            progress(len(self.waiting), len(self.waiting))

    def _one(self, entry: Entry, quarantine: Quarantine) -> tuple[dict, list[Document]]:
        data = load_or_not(entry, self.settings.largest)
        found = list(read_file(entry, data, self.settings.options, quarantine))
        noted = {
            "size": entry.size,
            "changed": entry.changed,
            "settled": self._settled(entry),
            "sha256": "" if isinstance(data, Unread) else _digest(data),
            "unit": next((d.unit for d in found if isinstance(d, Document)), "line"),
            "documents": {},
            "left": [[u.name, u.reason] for u in found if isinstance(u, Unread)],
        }
        return noted, [one for one in found if isinstance(one, Document)]

    def _flush(self, batch: list[tuple[Entry, dict, list[Document]]]) -> None:
        documents = [document for _, _, some in batch for document in some]
        refused = self._add(documents)
        for entry, noted, some in batch:
            for document in some:
                if document.id in refused:
                    noted["left"].append([document.id, refused[document.id]])
                else:
                    noted["documents"][document.id] = [
                        document.starts,
                        document.numbers,
                    ]
            self.files[entry.name] = noted
            self.dirty = True

    def _add(self, documents: list[Document]) -> dict[str, str]:
        """Index documents; id -> reason of those that the index does not take."""
        from course_utils.search import SearchIndex

        if not documents:
            return {}
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", UserWarning)
            try:
                if self.index is None:
                    self.index = SearchIndex.build(
                        documents,
                        self.encoder,
                        size=self.settings.size,
                        overlap=self.settings.overlap,
                    )
                else:
                    self.index.add(documents)
            except ValueError as error:
                if len(documents) == 1:
                    return {documents[0].id: str(error)}
                half = len(documents) // 2
                return self._add(documents[:half]) | self._add(documents[half:])
        self.changes.remarks += dict.fromkeys(str(one.message) for one in said)
        return {}

    # -- what is kept ------------------------------------------------------------------

    def save(self) -> None:
        """Write the index, if there is one and it is not what is written already."""
        if not self.dirty or self.index is None:
            return
        begun = time.monotonic()
        self.index.notes = {
            "layout": LAYOUT,
            "folder": str(self.root),
            "settings": self.settings.noted(),
            "files": self.files,
        }
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds your texts
        self.index.save(self.place)
        self.dirty, self.saved = False, time.monotonic()
        self.pause = max(EVERY, 10 * (self.saved - begun))

    def library(self) -> Library:
        """What can be searched now."""
        texts = self.index.documents if self.index else {}
        documents, left = {}, list(self.left)
        for name, noted in self.files.items():
            left += [Unread(*pair) for pair in noted["left"]]
            for one, (starts, numbers) in noted["documents"].items():
                documents[one] = Document(
                    one, texts[one], name, noted["unit"], tuple(starts), tuple(numbers)
                )
        left.sort(key=lambda unread: unread.name)
        return Library(self.root, self.index, documents, left, self.changes)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
