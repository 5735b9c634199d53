"""A folder of yours as documents that know where each of their words stands.

Markdown and other plain text, pages of the web, PDF, Word, notebooks, and tables with
a named column. What cannot be read is listed with its reason, and stops nothing.

Used in notebook 14. Library: ``llama_index.core.SimpleDirectoryReader``.

>>> from course_utils.corpora import data_file
>>> found = read_folder(data_file("ops/runbooks"))
>>> found.documents[0].id, str(found.documents[0].place(0))
('503-circuit-breaker-overflow.md', '503-circuit-breaker-overflow.md:1')
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path, PurePosixPath

from course_utils.yours import formats
from course_utils.yours.folders import LARGEST, Entry, Unread, Unreadable, load, survey
from course_utils.yours.quarantine import Quarantine
from course_utils.yours.texts import PLAIN, Found, Options

STRANGE = {"pdf", "docx", "page"}  # kinds that are read in another process
_BETWEEN = {"line": "\n"}  # what joins the parts of a document; else an empty line


@dataclass(frozen=True)
class Place:
    """Where something stands: a file, and a number that its reader can go to.

    Attributes:
        file: the path below the folder.
        unit: ``line``, ``page``, ``paragraph`` or ``cell``.
        number: which one, from 1.
    """

    file: str
    unit: str
    number: int

    def __str__(self) -> str:
        """``notes/disk.md:12``, which editors open, or ``report.pdf, page 3``."""
        if self.unit == "line":
            return f"{self.file}:{self.number}"
        return f"{self.file}, {self.unit} {self.number}"


@dataclass(frozen=True)
class Document:
    """A text that can be indexed, and how its places are counted.

    Attributes:
        id: the path of the file below the folder; a row of a table adds its line.
        text: all of it.
        file: the path of the file below the folder.
        unit: what is counted.
        starts: where each part begins in the text, in characters, ascending from 0.
        numbers: the number of each part.
    """

    id: str
    text: str
    file: str
    unit: str = "line"
    starts: tuple[int, ...] = (0,)
    numbers: tuple[int, ...] = (1,)

    def place(self, offset: int) -> Place:
        """Where the character at an offset stands.

        Raises:
            ValueError: there is no such character.

        >>> str(Document("a.md", "one\\ntwo", "a.md").place(4))
        'a.md:2'
        """
        if not 0 <= offset <= len(self.text):
            raise ValueError(f"{self.id} has {len(self.text)} characters, not {offset}")
        part = bisect_right(self.starts, offset) - 1
        number = self.numbers[part]
        if self.unit == "line":
            number += self.text.count("\n", self.starts[part], offset)
        return Place(self.file, self.unit, number)


@dataclass(frozen=True)
class Reading:
    """What a folder gave.

    Attributes:
        documents: what was read, in the order of the names.
        unread: what was not, with reasons.
    """

    documents: list[Document]
    unread: list[Unread]


def read_folder(
    folder: str | Path,
    options: Options = PLAIN,
    *,
    largest: int = LARGEST,
    seconds: float = 60.0,
) -> Reading:
    """Read every file below a folder that can be read.

    Args:
        folder: where they lie.
        options: the column of tables, the encoding of old files, further suffixes.
        largest: bytes of a file at most.
        seconds: how long the reader of one PDF, Word file or page may take.

    Raises:
        FileNotFoundError, NotADirectoryError, OSError: see ``survey``.
    """
    entries, left = survey(folder, largest=largest)
    documents: list[Document] = []
    with Quarantine(seconds) as quarantine:
        for entry in entries:
            for one in read_file(
                entry, load_or_not(entry, largest), options, quarantine
            ):
                (documents if isinstance(one, Document) else left).append(one)
    return Reading(documents, sorted(left, key=lambda unread: unread.name))


def load_or_not(entry: Entry, largest: int = LARGEST) -> bytes | Unread:
    """The bytes of a file, or why there are none."""
    try:
        return load(entry, largest)
    except Unreadable as error:
        return Unread(entry.name, str(error))


def read_file(
    entry: Entry, data: bytes | Unread, options: Options, quarantine: Quarantine
) -> Iterator[Document | Unread]:
    """The documents of one file, and what of it could not be read."""
    suffix = PurePosixPath(entry.name).suffix
    if isinstance(data, Unread):
        yield data
        return
    try:
        if formats.kind_of(suffix, options) in STRANGE:
            found = quarantine.read(data, suffix, options)
        else:
            found = formats.read(data, suffix, options)
    except Unreadable as error:
        yield Unread(entry.name, str(error))
        return
    yield from _documents(entry.name, found)


def _documents(name: str, found: Found) -> Iterator[Document | Unread]:
    for number, reason in found.left:
        yield Unread(f"{name}:{number}", reason)
    if found.apart:
        for number, text in found.parts:
            yield Document(f"{name}:{number}", text, name, found.unit, (0,), (number,))
    elif found.parts:
        between = _BETWEEN.get(found.unit, "\n\n")
        numbers, texts = zip(*found.parts, strict=True)
        steps = (len(text) + len(between) for text in texts[:-1])
        starts = tuple(accumulate(steps, initial=0))
        yield Document(name, between.join(texts), name, found.unit, starts, numbers)
