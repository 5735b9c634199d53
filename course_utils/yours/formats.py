r"""From the bytes of a file to its text, in parts that have a number to point at.

A part is a page of a PDF, a paragraph of a Word file, a cell of a notebook, a row of a
table, a line of a page of the web; other texts are one part, and lines are counted.
Nothing is run: no script, no macro, no cell, no formula, no link is followed.

Used in notebook 14. Libraries: ``pypdf``, ``python-docx``, ``html5lib``.

>>> read(b"\xef\xbb\xbf# Disk\r\nfull", ".md").parts
[(1, '# Disk\nfull')]
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import regex

from course_utils.corpora import CorpusError, records_of, unix
from course_utils.tokenization import html_to_text
from course_utils.yours.folders import Unreadable

UNPACKED = 256 * 2**20  # bytes that a Word file may unpack to
PAGES = 5000
ROWS = 200_000
TEXT = frozenset(
    ".md .markdown .mdown .txt .text .rst .org .adoc .asciidoc .log .tex".split()
)
PAGE = frozenset(".html .htm .xhtml".split())
TABLE = frozenset(".csv .tsv .jsonl .ndjson".split())


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


def kind_of(suffix: str, options: Options = PLAIN) -> str | None:
    """``text``, ``page``, ``table``, ``pdf``, ``docx``, ``ipynb``; None: not read."""
    suffix = suffix.lower()
    known = {".pdf": "pdf", ".docx": "docx", ".ipynb": "ipynb"}
    if suffix in PAGE:
        return "page"
    if suffix in TABLE:
        return "table"
    if suffix in known:
        return known[suffix]
    also = {s.lower() if s.startswith(".") else f".{s.lower()}" for s in options.also}
    return "text" if not suffix or suffix in TEXT | also else None


def read(data: bytes, suffix: str, options: Options = PLAIN) -> Found:
    """Take the text out of a file.

    Args:
        data: all of the file.
        suffix: the end of its name, which says what it is: ``".pdf"``.
        options: how tables and old encodings are read.

    Raises:
        Unreadable: it is damaged, locked, empty, binary, not of its kind, or of a kind
            that is not read; with the reason.
    """
    kind = kind_of(suffix, options)
    if kind is None:
        raise Unreadable(f"files of the kind {suffix} are not read")
    readers: dict[str, Callable[[], Found]] = {
        "text": lambda: Found("line", [(1, decoded(data, options))]),
        "page": lambda: _page(data, options),
        "table": lambda: _table(data, suffix.lower(), options),
        "pdf": lambda: _pdf(data),
        "docx": lambda: _docx(data),
        "ipynb": lambda: _notebook(data),
    }
    try:
        found = readers[kind]()
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable("is nested too deep") from None
    except MemoryError:
        raise Unreadable("needs too much memory") from None
    except Exception as error:  # a reader met bytes that its author never saw
        raise Unreadable(f"is damaged or no {suffix}: {_brief(error)}") from None
    if not found.left and not any(text.strip() for _, text in found.parts):
        more = ": are its pages pictures?" if kind == "pdf" else ""
        raise Unreadable(f"holds no text{more}")
    return found


def _brief(error: Exception) -> str:
    said = " ".join(str(error).split())[:100]
    return said or type(error).__name__


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


# -- pages of the web ------------------------------------------------------------------


def _page(data: bytes, options: Options) -> Found:
    from bs4.dammit import EncodingDetector

    declared = EncodingDetector.find_declared_encoding(data, is_html=True)
    source = decoded(data, options, declared)
    return Found("line", _with_lines(html_to_text(source), source))


def _with_lines(text: str, source: str) -> list[tuple[int, str]]:
    """Each line of the text with the line of the source where its words stand."""
    parts, at, line = [], 0, 1
    for row in text.split("\n"):
        # Marks may be written as entities, and tags may stand anywhere but in words.
        first = regex.search(r"\w{2,}(?: \w+)?", row)
        if first:
            place = source.find(first[0], at)
            place = source.find(first[0].split()[0], at) if place < 0 else place
            if place >= 0:
                line += source.count("\n", at, place)
                at = place
        parts.append((line, row))
    return parts


# -- documents -------------------------------------------------------------------------


def _pdf(data: bytes) -> Found:
    import logging

    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        pages = PdfReader(io.BytesIO(data)).pages
        if len(pages) > PAGES:
            raise Unreadable(f"has {len(pages):,} pages, more than {PAGES:,}")
        parts = [(n, unix(page.extract_text())) for n, page in enumerate(pages, 1)]
    except (FileNotDecryptedError, DependencyError):
        raise Unreadable("is locked with a password") from None
    return Found("page", parts)


def _docx(data: bytes) -> Found:
    import zipfile

    from docx import Document
    from docx.table import Table

    members = zipfile.ZipFile(io.BytesIO(data)).infolist()
    unpacked = sum(member.file_size for member in members)
    if unpacked > UNPACKED or len(members) > ROWS:
        raise Unreadable(
            f"would unpack to {unpacked / 2**20:,.0f} MB, more than the "
            f"{UNPACKED / 2**20:,.0f} allowed"
        )
    parts = []
    for number, item in enumerate(Document(io.BytesIO(data)).iter_inner_content(), 1):
        if isinstance(item, Table):
            # A cell that spans several is handed out once for each of them.
            rows = (dict.fromkeys(c.text for c in row.cells) for row in item.rows)
            text = "\n".join(" | ".join(row) for row in rows)
        else:
            level = regex.fullmatch(
                r"Heading (\d)", item.style.name if item.style else ""
            )
            text = f"{'#' * int(level[1])} {item.text}" if level else item.text
        if text.strip():
            parts.append((number, text))
    return Found("paragraph", parts)


def _notebook(data: bytes) -> Found:
    cells = json.loads(decoded(data)).get("cells")
    if not isinstance(cells, list):
        raise Unreadable("has no cells: open it once in Jupyter and save it")
    parts = []
    for number, cell in enumerate(cells, 1):
        text = unix("".join(cell["source"]))
        if cell["cell_type"] == "code" and text.strip():
            longest = max(map(len, regex.findall("`+", text)), default=0)
            fence = "`" * max(3, longest + 1)
            text = f"{fence}python\n{text}\n{fence}"
        if text.strip():
            parts.append((number, text))
    return Found("cell", parts)


# -- tables ----------------------------------------------------------------------------


def _table(data: bytes, suffix: str, options: Options) -> Found:
    text = decoded(data, options)
    if suffix in (".jsonl", ".ndjson"):
        found = _json_rows(text, options.column)
    else:
        found = _csv_rows(text, "\t" if suffix == ".tsv" else ",", options.column)
    if len(found.parts) > ROWS:
        raise Unreadable(f"has {len(found.parts):,} rows, more than {ROWS:,}")
    return found


def _csv_rows(text: str, delimiter: str, column: str) -> Found:
    try:
        records = records_of(text, "", delimiter=delimiter)
    except CorpusError as error:
        raise Unreadable(f"is no table:{error}") from None
    header = records[0][1] if records else []
    if column not in header:
        raise Unreadable(_no_column(column, header))
    place = header.index(column)
    found = Found("line", [], apart=True)
    for line, record in records[1:]:
        if len(record) != len(header):
            reason = f"has {len(record)} values for {len(header)} columns"
            found.left.append((line, reason))
        elif record[place].strip():
            found.parts.append((line, record[place]))
    return found


def _json_rows(text: str, column: str) -> Found:
    found = Found("line", [], apart=True)
    for line, row in enumerate(text.split("\n"), 1):
        if not row.strip():
            continue
        try:
            record = json.loads(row)
        except (ValueError, RecursionError):
            found.left.append((line, "is no JSON"))
            continue
        value = record.get(column) if isinstance(record, dict) else None
        if isinstance(value, str) and value.strip():
            found.parts.append((line, unix(value)))
        else:
            known = list(record) if isinstance(record, dict) else []
            found.left.append((line, _no_column(column, known)))
    if not found.parts and found.left:
        line, reason = found.left[0]
        raise Unreadable(f"has no row that can be read; line {line} {reason}")
    return found


def _no_column(column: str, known: list[str]) -> str:
    names = ", ".join(str(name)[:30] for name in known[:8]) or "none"
    return f"has no text in a column {column!r}: its columns are {names}"
