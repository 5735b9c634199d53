"""Read a source and derive its two editions; ``pulling`` brings an edit back.

A source is a percent script. A lesson has two editions; a work of reference, whose
number begins with 9 (the ledger, the glossary), has one. Between ``### BEGIN SOLUTION``
and ``### END SOLUTION`` stands what only the solved edition shows. Two cells are
generated and never written by hand: the links below the title and the bootstrap cell
before the first code.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
SOURCES = NOTEBOOKS / "source"
EDITIONS = ("student", "solutions")
REFERENCE = "9"  # numbers of works of reference: nothing to solve, one edition
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = 'raise NotImplementedError("your code here")'
_SOLUTION = re.compile(
    rf"^([ \t]*){re.escape(BEGIN)}[ \t]*\n(.*?)^[ \t]*{re.escape(END)}[ \t]*(?:\n|$)",
    re.MULTILINE | re.DOTALL,
)


class SourceError(ValueError):
    """A source or an edited notebook is not of the form that can be built."""


def editions(stem: str) -> tuple[str, ...]:
    """Which editions a source has.

    >>> editions("01_tokenization"), editions("90_claims")
    (('student', 'solutions'), ('student',))
    """
    return EDITIONS[:1] if stem.startswith(REFERENCE) else EDITIONS


def path_of(stem: str, edition: str) -> Path:
    """Where an edition lies: ``notebooks/`` or ``notebooks/solutions/``."""
    folder = NOTEBOOKS if edition == "student" else NOTEBOOKS / "solutions"
    return folder / f"{stem}.ipynb"


@cache
def settings() -> dict:
    """Read ``[tool.course]`` of pyproject.toml: repository and branch."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["tool"]["course"]


def elsewhere(file: str) -> str:
    """Links that open a notebook where nothing has to be installed, in Markdown."""
    repository, branch = settings()["repository"], settings()["branch"]
    return (
        f"[Open in Colab](https://colab.research.google.com/github/{repository}/blob/"
        f"{branch}/{file}) · "
        f"[Open in Binder](https://mybinder.org/v2/gh/{repository}/{branch}"
        f"?urlpath=lab/tree/{file})"
    )


def _links(stem: str, edition: str) -> NotebookNode:
    file = path_of(stem, edition).relative_to(ROOT).as_posix()
    if len(editions(stem)) == 1:
        cell = new_markdown_cell(elsewhere(file))
        cell.metadata.tags = ["generated"]
        return cell
    other = EDITIONS[1 - EDITIONS.index(edition)]
    there = f"solutions/{stem}.ipynb" if edition == "student" else f"../{stem}.ipynb"
    name = "Solved" if other == "solutions" else "Student"
    cell = new_markdown_cell(f"{elsewhere(file)} · [{name} edition]({there})")
    cell.metadata.tags = ["generated"]
    return cell


def _bootstrap() -> NotebookNode:
    repository, branch = settings()["repository"], settings()["branch"]
    cell = new_code_cell(
        "from importlib.util import find_spec\n\n"
        'if find_spec("course_utils") is None:  # on Colab only: install the course\n'
        f'    %pip install --quiet "git+https://github.com/{repository}@{branch}"\n'
        "    from course_utils.hosted import after_install\n\n"
        "    print(after_install())"
    )
    cell.metadata.tags = ["generated"]
    return cell


def student_text(text: str) -> str:
    """Replace every solution by the stub, at the solution's own indentation.

    >>> print(student_text("def f():\\n    ### BEGIN SOLUTION\\n    return 1\\n"
    ...                    "    ### END SOLUTION"))
    def f():
        raise NotImplementedError("your code here")
    """
    return _SOLUTION.sub(lambda found: f"{found[1]}{STUB}\n", text).rstrip("\n")


def solved_text(text: str) -> str:
    """Drop the marker lines and keep what is between them."""
    return _SOLUTION.sub(lambda found: found[2], text).rstrip("\n")


def _solved_markdown(text: str) -> str:
    """Relative links of a cell, seen from ``notebooks/solutions/``."""
    text = re.sub(r"\]\(\.\./", "](../../", text)
    text = re.sub(r"\]\(images/", "](../images/", text)
    return re.sub(r"\]\((9\d_\w+\.ipynb)", r"](../\1", text)  # of one edition


def _edition_text(cell: NotebookNode, edition: str) -> str:
    if cell.cell_type == "markdown":
        return cell.source if edition == "student" else _solved_markdown(cell.source)
    return (student_text if edition == "student" else solved_text)(cell.source)


def read_source(path: Path) -> list[NotebookNode]:
    """Parse a percent script into cells.

    Raises:
        SourceError: it does not begin with a title, holds a cell of another kind, or
            a solution is not closed.
    """
    cells = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells
    if not cells or not cells[0].source.startswith("# "):
        raise SourceError(
            f"{path.name}: the first cell must be a title, '# NN · a question'"
        )
    for cell in cells:
        if cell.cell_type not in ("markdown", "code"):
            raise SourceError(f"{path.name}: no cells of type {cell.cell_type}")
        if cell.cell_type == "markdown" and _SOLUTION.search(cell.source):
            raise SourceError(f"{path.name}: a solution in a text cell\n{cell.source}")
        left = _SOLUTION.sub(r"\2", cell.source)
        if BEGIN in left or END in left:
            raise SourceError(f"{path.name}: unpaired solution mark in\n{cell.source}")
    return cells


def _generated(text: str) -> NotebookNode:
    cell = new_markdown_cell(text)
    cell.metadata.tags = ["generated"]
    return cell


def _page(stem: str) -> list[str]:
    """What a work of reference takes from the data: the glossary, its terms."""
    if stem != "91_glossary":
        return []
    from course_utils.authoring.glossary import page

    return page()


def edition_of(path: Path, edition: str) -> NotebookNode:
    """Make one edition of a source, not yet executed, with its generated cells.

    Raises:
        SourceError: as ``read_source``, the source has no such edition, or one of one
            edition holds a solution.
    """
    if edition not in editions(path.stem):
        raise SourceError(f"{path.name} has one edition: there is nothing to solve")
    made, cells = [], read_source(path)
    if len(editions(path.stem)) == 1:
        for cell in cells:
            if _SOLUTION.search(cell.source):
                raise SourceError(
                    f"{path.name} has one edition, in which a solution would be hidden:"
                    f"\n{cell.source}"
                )
    for cell in cells:
        if cell.cell_type == "code" and not any(c.cell_type == "code" for c in made):
            made.append(_bootstrap())
        new = new_markdown_cell if cell.cell_type == "markdown" else new_code_cell
        made.append(new(_edition_text(cell, edition)))
        if tags := cell.metadata.get("tags"):
            made[-1].metadata.tags = list(tags)
        if len(made) == 1:
            made.append(_links(path.stem, edition))
    made += [_generated(text) for text in _page(path.stem)]
    notebook = new_notebook(cells=number(made))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    return notebook


def number(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Give each cell an id from its content; twins are told apart by their order."""
    seen: dict[str, int] = {}
    for cell in cells:
        key = f"{cell.cell_type}\n{cell.source}"
        seen[key] = seen.get(key, 0) + 1
        digest = hashlib.sha256(f"{key}\n{seen[key]}".encode()).hexdigest()
        cell.id = digest[:12]
    return list(cells)
