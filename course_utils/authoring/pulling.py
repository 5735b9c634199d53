"""Bring an edit made in JupyterLab back to the source, or say why it cannot be.

What a source cannot hold (a pasted picture, a raw cell, a line that begins a new cell,
an edit of a generated cell) is refused: nothing is lost in silence.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils.authoring.source import (
    _SOLUTION,
    BEGIN,
    END,
    SourceError,
    _edition_text,
    edition_of,
    path_of,
    read_source,
)


def _with_marks(edited: str, original: str, edition: str) -> str:
    """Put the solution marks of ``original`` back around the edited solution."""
    blocks = list(_SOLUTION.finditer(original))
    if edition == "student" or len(blocks) != 1:
        raise SourceError(
            "a cell with a solution was edited here; edit it in the solved edition, "
            f"or in the source itself:\n{edited}"
        )
    block = blocks[0]
    before = original[: block.start()]
    after = original[block.end() :].strip("\n")
    text = edited.rstrip("\n")
    if not (text.startswith(before) and text.endswith(after)):
        raise SourceError(
            "both the frame and the solution of an exercise were edited; "
            f"edit it in the source itself:\n{edited}"
        )
    body = text[len(before) : len(text) - len(after)].rstrip("\n")
    tail = f"\n{after}" if after else ""
    return f"{before}{block[1]}{BEGIN}\n{body}\n{block[1]}{END}{tail}"


def pull(path: Path, edition: str) -> str:
    """Return the source that an edited edition corresponds to, as percent text.

    Unchanged cells keep the source's own text, solutions included; new, moved, changed
    and deleted cells follow the notebook.

    Raises:
        SourceError: an exercise was edited in a way that leaves its solution unclear,
            or the notebook holds what a source cannot: a raw cell, a pasted picture, an
            edited generated cell, a line that begins a new cell.
    """
    originals = read_source(path)
    by_text: dict[str, list[str]] = {}
    for cell in originals:
        by_text.setdefault(_edition_text(cell, edition), []).append(cell.source)
    edited = nbformat.read(path_of(path.stem, edition), as_version=4)
    _refuse_what_is_lost(edited, edition_of(path, edition))
    cells = []
    # Exercises are recognised by their first line, the name of what is built.
    exercises = {
        cell.source.split("\n", 1)[0]: cell
        for cell in originals
        if _SOLUTION.search(cell.source)
    }
    gone, strangers = set(exercises), []
    for cell in edited.cells:
        tags = cell.metadata.get("tags", [])
        if "generated" in tags:
            continue
        first = cell.source.split("\n", 1)[0]
        if cell.source in by_text:
            twins = by_text[cell.source]
            kept = twins.pop(0) if len(twins) > 1 else twins[0]
            gone.discard(kept.split("\n", 1)[0])
        elif cell.cell_type == "code" and first in exercises:
            original = exercises[first].source
            gone.discard(first)
            kept = _with_marks(cell.source, original, edition)
        elif cell.cell_type == "markdown" and edition == "solutions":
            kept = cell.source.replace("](../../", "](../")
            kept = kept.replace("](../images/", "](images/")
            kept = re.sub(r"\]\(\.\./(9\d_\w+\.ipynb)", r"](\1", kept)
        else:
            kept = cell.source
            strangers += [first] if cell.cell_type == "code" else []
        new = new_markdown_cell if cell.cell_type == "markdown" else new_code_cell
        cells.append(new(kept))
        if tags:
            cells[-1].metadata.tags = list(tags)
        if _edition_text(cells[-1], edition).strip("\n") != cell.source.strip("\n"):
            raise SourceError(
                "this cell would come out differently when it is built; edit it in the "
                f"source itself:\n{cell.source}"
            )
    if gone and strangers:  # renamed? then its solution would be lost, or its marks
        raise SourceError(
            f"the exercise {min(gone)!r} is gone and {strangers[0]!r} is new; "
            "rename it in the source itself"
        )
    text = percent(cells)
    _refuse_other_cells(cells, jupytext.reads(text, fmt="py:percent").cells)
    return text


def _refuse_what_is_lost(edited: NotebookNode, made: NotebookNode) -> None:
    """A source holds text and code, and no generated cell."""
    for cell in edited.cells:
        if cell.cell_type not in ("markdown", "code"):
            raise SourceError(
                f"a source has no {cell.cell_type} cells; make it Markdown or code:\n"
                f"{cell.source}"
            )
        if cell.get("attachments"):
            raise SourceError(
                "a picture was pasted into this cell, and a source cannot hold it; "
                "save it under notebooks/images and write ![what it shows](images/…):"
                f"\n{cell.source}"
            )
    found, wanted = (
        [c.source for c in one.cells if "generated" in c.metadata.get("tags", [])]
        for one in (edited, made)
    )
    if found != wanted:
        raise SourceError(
            "a generated cell (the links below the title, or the bootstrap) was edited "
            "or deleted; it is made in course_utils/authoring/source.py, undo that edit"
        )


def _refuse_other_cells(
    meant: Sequence[NotebookNode], read: Sequence[NotebookNode]
) -> None:
    """A line such as ``# %%`` would begin a new cell when the source is read."""
    for one, other in itertools.zip_longest(meant, read):
        kept = one is not None and other is not None
        kept = kept and one.cell_type == other.cell_type
        kept = kept and one.source.strip("\n") == other.source.strip("\n")
        kept = kept and one.metadata.get("tags", []) == other.metadata.get("tags", [])
        if not kept:
            raise SourceError(
                "a source cannot hold this cell as it is (a line that begins with "
                "'# %%' starts a new cell there); change that line:\n"
                f"{(one or other).source}"
            )


def percent(cells: Sequence[NotebookNode]) -> str:
    """Cells as a percent script, the way the sources are written."""
    text = jupytext.writes(new_notebook(cells=list(cells)), fmt="py:percent")
    return re.sub(r"\A# ---\n.*?# ---\n+", "", text, flags=re.DOTALL)
