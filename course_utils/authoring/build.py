"""Execute an edition in a fresh kernel and write it in a form that never churns."""

from __future__ import annotations

import difflib
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from course_utils.authoring import pictures
from course_utils.authoring.source import (
    NOTEBOOKS,
    ROOT,
    SOURCES,
    SourceError,
    edition_of,
    editions,
    path_of,
)

WIDGET = "application/vnd.jupyter.widget-view+json"
# What a notebook sees while it is built or tested: nobody at the keyboard, no network,
# sets in a fixed order, and the package of this checkout, whichever one is installed.
KERNEL_ENVIRONMENT = {
    "COURSE_STATIC": "1",
    "PYTHONHASHSEED": "0",
    "HF_HUB_OFFLINE": "1",
    "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "offline"), str(ROOT)]),
}


def _canonical_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    kept: list[NotebookNode] = []
    for output in outputs:
        if WIDGET in output.get("data", {}):
            continue
        last = kept[-1] if kept else None
        if (
            output.output_type == "stream"
            and last is not None
            and last.output_type == "stream"
            and last.name == output.name
        ):
            last.text += output.text
        else:
            kept.append(output)
    return kept


def canonical(notebook: NotebookNode) -> str:
    """Text of an executed notebook: tags only, merged streams, no widget views."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = _canonical_outputs(cell.outputs)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def execute(source: Path, edition: str) -> str:
    """Execute one edition of a source and return its canonical text.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; the message shows it.
    """
    os.environ.update(KERNEL_ENVIRONMENT)
    notebook = edition_of(source, edition)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    client.execute()
    return canonical(notebook)


def retext(source: Path, edition: str) -> str:
    """Write texts anew around stored outputs, without executing anything.

    Raises:
        SourceError: the code differs from what was executed, or nothing was.
    """
    path = path_of(source.stem, edition)
    if not path.exists():
        raise SourceError(f"{path.name} was never built")
    notebook = edition_of(source, edition)
    stored = nbformat.read(path, as_version=4)
    old, new = (
        [cell for cell in book.cells if cell.cell_type == "code"]
        for book in (stored, notebook)
    )
    if [cell.source for cell in old] != [cell.source for cell in new]:
        raise SourceError(f"{path.name}: the code has changed, build it in full")
    for before, after in zip(old, new, strict=True):
        after.outputs, after.execution_count = before.outputs, before.execution_count
    return canonical(notebook)


def _job(source: Path, edition: str) -> tuple[Path, str, str, float]:
    begun = time.perf_counter()
    try:
        text, problem = execute(source, edition), ""
    except Exception as error:
        text, problem = "", str(error)
    return path_of(source.stem, edition), text, problem, time.perf_counter() - begun


def sources(number: str = "") -> list[Path]:
    """Every source, or the one whose name begins with ``number``."""
    return sorted(SOURCES.glob(f"{number}*.py" if number else "*.py"))


def write_atomically(path: Path, text: str) -> None:
    """Write beside the file, then rename: a killed build leaves the old one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8", newline="\n")
    beside.replace(path)


def build(number: str = "", check: bool = False) -> int:
    """Build, or with ``check`` compare, and report one line per notebook.

    Returns:
        0 if everything was built (or, with ``check``, nothing differs), else 1.
    """
    chosen = sources(number)
    if not chosen:
        print(f"no source begins with {number!r} in {SOURCES.relative_to(ROOT)}")
        return 1
    failures = pictures.write_all(check)
    jobs = [(source, edition) for source in chosen for edition in editions(source.stem)]
    workers = min(len(jobs), os.cpu_count() or 1, 2)
    with ProcessPoolExecutor(workers) as pool:
        for path, text, problem, seconds in pool.map(_job, *zip(*jobs, strict=True)):
            name = path.relative_to(ROOT)
            old = path.read_text(encoding="utf-8") if path.exists() else ""
            if problem:
                failures += 1
                print(f"{name}: FAILED\n{problem}")
            elif text == old:
                print(f"{name}: same ({seconds:.0f} s)")
            elif check:
                failures += 1
                print(f"{name}: DIFFERS ({seconds:.0f} s)")
                _print_difference(old, text)
            else:
                write_atomically(path, text)
                print(f"{name}: written ({seconds:.0f} s, {len(text) // 1024} kB)")
            sys.stdout.flush()
    return 1 if failures else 0


def build_texts(number: str = "") -> int:
    """Take over changed texts of one notebook, or of all, and keep every output.

    Returns:
        0 if all went in, 1 if the code of one has changed.
    """
    failures = 0
    for source in sources(number):
        for edition in editions(source.stem):
            path = path_of(source.stem, edition)
            try:
                text = retext(source, edition)
            except SourceError as error:
                failures += 1
                print(error)
                continue
            old = path.read_text(encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: {'same' if text == old else 'written'}")
            if text != old:
                write_atomically(path, text)
    return 1 if failures else 0


def _print_difference(old: str, new: str) -> None:
    rows = difflib.unified_diff(
        old.splitlines(), new.splitlines(), "committed", "built now", "", "", 1, ""
    )
    for row, _ in zip(rows, range(30), strict=False):
        print(f"    {row[:140]}")
