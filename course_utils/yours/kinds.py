"""One reader per kind of file: pages of the web, PDF, Word, notebooks, tables.

Each takes bytes and gives numbered parts, see ``texts.Found``; whatever its library
raises, ``formats.read`` makes a reason of it.

Used in notebook 14. Libraries: ``html5lib``, ``pypdf``, ``python-docx``.
"""

from __future__ import annotations

import io
import json

import regex

from course_utils.corpora import CorpusError, records_of, unix
from course_utils.tokenization import html_to_text
from course_utils.yours.folders import Unreadable
from course_utils.yours.texts import Found, Options, decoded

UNPACKED = 256 * 2**20  # bytes that a Word file may unpack to
PAGES = 5000
ROWS = 200_000


# -- pages of the web ------------------------------------------------------------------


def page(data: bytes, options: Options) -> Found:
    """Text of a page, each line with the line of its source."""
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


def pdf(data: bytes) -> Found:
    """Text of a PDF, page by page."""
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


def docx(data: bytes) -> Found:
    """Text of a Word file: headings, paragraphs, tables."""
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


def notebook(data: bytes) -> Found:
    """Sources of the cells; code stands between fences, outputs are left out."""
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


def table(data: bytes, suffix: str, options: Options) -> Found:
    """The named column of a table, a document per row."""
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
