"""Files of the course, and CSV as typed rows or one error with its line."""

from __future__ import annotations

import csv
import io
import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Literal, TypeVar, get_args, get_origin, get_type_hints

from course_utils import guards

Row = TypeVar("Row")


class CorpusError(ValueError):
    """A data file is malformed; the message names the file, the line and the reason."""


_PACKAGE = Path(__file__).resolve().parents[1]
# What the course ships: kind -> where it lies in the package, and in the repository
# (there the pictures lie beside the notebooks, which need no help).
_SHIPPED = {
    "data": ("_data", "../data"),
    "images": ("_data/images",),
    "bench": ("_data", "../bench"),
    "source": ("_data/source", "../notebooks/source"),
    "constraints": ("_data", ".."),
}


def shipped(name: str, kind: str = "data") -> Path:
    """Find a file that comes with the course, in the repository or the package.

    Args:
        name: such as ``"pairs.csv"``.
        kind: ``"data"``, ``"images"``, ``"source"``, ``"bench"`` or ``"constraints"``.

    Raises:
        FileNotFoundError: there is no such file in either place.
    """
    for folder in _SHIPPED[kind]:
        path = (_PACKAGE / folder).resolve() / name
        if path.exists():
            return path
    raise FileNotFoundError(f"{kind}/{name} is not part of this course")


def data_file(name: str) -> Path:
    """Find a file of ``data/``, see ``shipped``."""
    return shipped(name, "data")


def _fill(kind: type[Row], record: dict[str, str | None], where: str) -> Row:
    values = {}
    for name, hint in get_type_hints(kind).items():
        text = record.get(name)
        if text is None:
            raise CorpusError(f"{where}: column {name!r} is missing")
        values[name] = _convert(name, text, hint, where)
    return kind(**values)


def _convert(name: str, text: str, hint: object, where: str) -> object:
    parts = get_args(hint)
    if get_origin(hint) is not Literal and type(None) in parts:
        if not text:
            return None
        hint = parts[0]
    if get_origin(hint) is Literal:
        by_text = {str(allowed): allowed for allowed in get_args(hint)}
        if text not in by_text:
            known = ", ".join(by_text)
            raise CorpusError(f"{where}: {name} is {text!r}, not one of {known}")
        return by_text[text]
    if hint is float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise CorpusError(f"{where}: {name} is {text!r}, not a number")
        return value
    if not text.strip():
        raise CorpusError(f"{where}: {name} is empty")
    return text


def read_text(path: str | Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    A line ends with one character whatever system wrote it: a checkout on Windows may
    have put two there.

    Raises:
        CorpusError: it is not UTF-8, with the line.
    """
    path = guards.path(path)
    raw = path.read_bytes()
    try:
        return unix(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        reason = f"not UTF-8 ({error.reason})"
        raise CorpusError(f"{path.name} line {line}: {reason}") from None


def unix(text: str) -> str:
    r"""Text as this course writes it: no byte order mark, ``\n`` ends a line.

    >>> unix("\ufeffone\r\ntwo")
    'one\ntwo'
    """
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


_LIMIT = threading.Lock()  # csv knows one limit for the whole process


def read_records(
    path: str | Path, skip_blanks: bool = False
) -> list[tuple[int, list[str]]]:
    """Read the records of a CSV file, each with the line on which it begins.

    Args:
        path: a UTF-8 file.
        skip_blanks: whether blanks after a comma are no part of a value.

    Raises:
        CorpusError: it is not UTF-8 or no CSV (a quote that is never closed, text
            behind one), with the line on which that record begins.
    """
    path = guards.path(path)
    return records_of(read_text(path), path.name, skip_blanks)


def records_of(
    text: str, name: str, skip_blanks: bool = False, delimiter: str = ","
) -> list[tuple[int, list[str]]]:
    """The records of a text in CSV, each with the line on which it begins.

    Args:
        text: all of it, with ``\\n`` at the ends of lines.
        name: of the file, for messages.
        skip_blanks: whether blanks after a comma are no part of a value.
        delimiter: what stands between two values.

    Raises:
        CorpusError: it is no CSV, see ``read_records``.

    >>> records_of('a,"b\\nc"\\nd,e', "")
    [(1, ['a', 'b\\nc']), (3, ['d', 'e'])]
    """
    records, begins = [], 1
    with _LIMIT, io.StringIO(text, newline="") as stream:
        before = csv.field_size_limit(len(text) + 1)
        try:
            reader = csv.reader(
                stream, strict=True, skipinitialspace=skip_blanks, delimiter=delimiter
            )
            for record in reader:
                if record:
                    records.append((begins, record))
                begins = reader.line_num + 1
        except csv.Error as error:
            raise CorpusError(f"{name} line {begins}: {error}") from None
        finally:
            csv.field_size_limit(before)
    return records


def read_table(
    path: str | Path, expected: Iterable[str] | None = None
) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV file with a header: every row by column, with its line.

    Args:
        path: a UTF-8 file.
        expected: the columns, in any order; None takes what the header says.

    Raises:
        CorpusError: as ``read_records``; the columns are others, one is named twice, a
            row has more or fewer values, or there are no rows.
    """
    path = guards.path(path)
    records = read_records(path)
    header = records[0][1] if records else []
    wanted = sorted(header if expected is None else expected)
    if sorted(header) != wanted or len(set(header)) < len(header):
        raise CorpusError(
            f"{path.name} line 1: columns {sorted(header)}, expected {wanted}"
        )
    rows = []
    for line, record in records[1:]:
        where = f"{path.name} line {line}"
        if len(record) > len(header):
            raise CorpusError(f"{where}: more values than columns")
        if len(record) < len(header):
            raise CorpusError(f"{where}: column {header[len(record)]!r} is missing")
        rows.append((line, dict(zip(header, record, strict=True))))
    if not rows:
        raise CorpusError(f"{path.name}: there are no rows")
    return rows


def read_rows(path: str | Path, kind: type[Row], key: str | None = "id") -> list[Row]:
    """Read a CSV file with a header into typed rows.

    Args:
        path: the file, UTF-8.
        kind: a dataclass whose fields are the columns.
        key: the column that must not repeat; None where rows have no key.

    Raises:
        CorpusError: a column is missing or superfluous, a value is not of its kind, a
            key repeats, the text is not UTF-8; with file, line and reason.
    """
    path = guards.path(path)
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for line, record in read_table(path, [field.name for field in fields(kind)]):
        where = f"{path.name} line {line}"
        rows.append(_fill(kind, record, where))
        if key is None:
            continue
        name = record[key]
        if name in seen:
            raise CorpusError(f"{where}: {key} {name!r} was used in line {seen[name]}")
        seen[name] = line
    return rows


def select(
    rows: list[Row], wanted: Iterable[str] | None, key: Callable[[Row], str]
) -> list[Row]:
    """Keep the rows whose key is wanted; None keeps all.

    Raises:
        TypeError: one string instead of a list of names.
        ValueError: a name that no row has.
    """
    if wanted is None:
        return rows
    if isinstance(wanted, str):
        raise TypeError(f"pass a list of names, such as [{wanted!r}]")
    wanted = list(wanted)
    known = {key(row) for row in rows}
    for name in wanted:
        if name not in known:
            raise ValueError(f"{name!r} is unknown: choose from {sorted(known)}")
    return [row for row in rows if key(row) in wanted]
