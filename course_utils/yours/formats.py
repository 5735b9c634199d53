r"""From the bytes of a file to its text, in parts that have a number to point at.

A part is a page of a PDF, a paragraph of a Word file, a cell of a notebook, a row of a
table, a line of a page of the web; other texts are one part, and lines are counted.
Nothing is run: no script, no macro, no cell, no formula, no link is followed.

Used in notebook 14. Libraries: ``pypdf``, ``python-docx``, ``html5lib``.

>>> read(b"\xef\xbb\xbf# Disk\r\nfull", ".md").parts
[(1, '# Disk\nfull')]
"""

from __future__ import annotations

from collections.abc import Callable

from course_utils.yours import kinds
from course_utils.yours.folders import Unreadable
from course_utils.yours.texts import PLAIN, Found, Options, decoded

TEXT = frozenset(
    ".md .markdown .mdown .txt .text .rst .org .adoc .asciidoc .log .tex".split()
)
PAGE = frozenset(".html .htm .xhtml".split())
TABLE = frozenset(".csv .tsv .jsonl .ndjson".split())


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
        "page": lambda: kinds.page(data, options),
        "table": lambda: kinds.table(data, suffix.lower(), options),
        "pdf": lambda: kinds.pdf(data),
        "docx": lambda: kinds.docx(data),
        "ipynb": lambda: kinds.notebook(data),
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
