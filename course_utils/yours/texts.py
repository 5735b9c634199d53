r"""Bytes as text, without a guess: what a reader of files gives, and how it is told.

Used in notebook 14. Library: ``codecs``; ``charset_normalizer`` guesses.

>>> decoded(b"\xef\xbb\xbf# Disk\r\nfull")
'# Disk\nfull'
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field

from course_utils.corpora import unix
from course_utils.yours.folders import Unreadable


@dataclass(frozen=True)
class Found:
    """What a reader made of a file.

    Attributes:
        unit: what the numbers count: ``line``, ``page``, ``paragraph`` or ``cell``.
        parts: (number, text) in the order of the file.
        apart: whether each part is a document of its own, as the rows of a table are.
        left: (number, reason) of parts that could not be read.
    """

    unit: str
    parts: list[tuple[int, str]]
    apart: bool = False
    left: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Options:
    """How files are read.

    Attributes:
        column: the column of a table that holds the text.
        encoding: of files that are neither UTF-8 nor say what they are.
        also: further suffixes to be read as plain text, such as ``.py``.
    """

    column: str = "text"
    encoding: str | None = None
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an encoding that there is none of.

        Raises:
            ValueError: Python knows no encoding of this name.
        """
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            raise ValueError(f"no encoding is called {self.encoding!r}") from None


PLAIN = Options()


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(data: bytes, options: Options = PLAIN, declared: str | None = None) -> str:
    r"""Bytes to text with ``\n`` at the ends of lines.

    A byte order mark is believed, then UTF-8 if it fits, then what the file itself
    declares, then ``options.encoding``. Nothing is guessed: a wrong guess is found by
    nobody, and its words by no search.

    Raises:
        Unreadable: none of them fits, or it is no text at all.
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if marked is None and b"\0" in data[:8192]:
        raise Unreadable("is binary, no text")
    for encoding in dict.fromkeys((marked, "utf-8", declared, options.encoding)):
        try:
            if encoding:
                return unix(data.decode(encoding))
        except (UnicodeDecodeError, LookupError):
            continue
    line = data.count(b"\n", 0, _first_strange(data)) + 1
    raise Unreadable(
        f"is not UTF-8 (line {line}): save it as UTF-8, or name its encoding"
    )


def _first_strange(data: bytes) -> int:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return 0
