"""A small course is built, rebuilt to the byte, and caught when somebody alters it.

Kernels and pytest runs are slow, so the course is built once for all tests here.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils.authoring import build as module
from course_utils.authoring import pictures, source
from course_utils.authoring.__main__ import main
from course_utils.authoring.build import (
    WIDGET,
    build,
    build_texts,
    canonical,
    sources,
    write_atomically,
)
from tests.contract.rules import problems

ROOT = Path(__file__).parents[2]
LESSON = """\
# %% [markdown]
# # 01 · What is six times seven?
#
# ![The pipeline, with one box of it lit](images/pipeline_start_here.svg)

# %%
import os
import sys

print("first line")
print("an advice", file=sys.stderr) if os.environ.get("COURSE_STATIC") != "1" else None
print("the answer is", 6 * 7)


# %%
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %%
try:
    print("double(4) is", double(4))
except NotImplementedError:
    print("not started")

# %%
{word for word in "some words in a set".split()}

# %%
import socket

try:
    socket.create_connection(("example.org", 80), timeout=1)
except OSError as error:
    print(type(error).__name__)
"""


class OneAfterTheOther:
    """Stands in for the pool of processes, which would not see our folders."""

    def __init__(self, workers):
        self.map = map

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """An empty course folder that the authoring tools take for their own."""
    root = tmp_path_factory.mktemp("course")
    source.settings()
    with pytest.MonkeyPatch.context() as patch:
        for part in (source, module, pictures):
            for name, path in (
                ("ROOT", root),
                ("NOTEBOOKS", root / "notebooks"),
                ("SOURCES", root / "notebooks" / "source"),
            ):
                if hasattr(part, name):
                    patch.setattr(part, name, path)
        patch.setattr("course_utils.authoring.__main__.ROOT", root)
        patch.setattr(module, "ProcessPoolExecutor", OneAfterTheOther)
        patch.delenv("COURSE_STATIC", raising=False)
        path = root / "notebooks" / "source" / "01_made.py"
        path.parent.mkdir(parents=True)
        path.write_text(LESSON, encoding="utf-8")
        yield root


@pytest.fixture(scope="module")
def built(course):
    """The two files after a first build."""
    assert build("01") == 0
    return {edition: source.path_of("01_made", edition) for edition in source.EDITIONS}


@pytest.fixture
def student(built):
    return nbformat.read(built["student"], as_version=4)


def printed(notebook):
    return "".join(
        output.get("text", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )


# -- building --------------------------------------------------------------------------


def test_a_build_writes_both_editions_executed(built):
    student, solved = (
        printed(nbformat.read(path, as_version=4)) for path in built.values()
    )
    assert "the answer is 42\nnot started\n" in student
    assert "the answer is 42\ndouble(4) is 8\n" in solved


def test_a_build_keeps_every_rule_of_the_contract(built):
    for path in built.values():
        assert problems(nbformat.read(path, as_version=4)) == []


def test_a_build_leaves_no_half_written_file_behind(built, course):
    names = [path.name for path in (course / "notebooks").rglob("*") if path.is_file()]
    assert not [name for name in names if name.endswith(".new")]


def test_a_build_writes_the_pictures(built, course):
    found = {path.name for path in (course / "notebooks" / "images").iterdir()}
    assert {"pipeline_start_here.svg", "pipeline_tokenization.svg"} <= found


def test_the_kernel_knows_that_nobody_is_at_the_keyboard(student):
    assert "an advice" not in printed(student)


def test_the_kernel_cannot_reach_the_network(student):
    assert printed(student).endswith("NetworkIsCut\n")


def test_a_second_build_gives_the_same_bytes(built, capsys):
    before = {path: path.read_bytes() for path in built.values()}
    assert build("01") == 0
    assert {path: path.read_bytes() for path in built.values()} == before
    report = capsys.readouterr().out
    assert len(re.findall(r"01_made\.ipynb: same \(\d+ s\)", report)) == 2


def test_verification_finds_a_changed_byte_and_mends_nothing(built, capsys):
    path = built["student"]
    before = path.read_text("utf-8")
    altered = before.replace("the answer is 42", "the answer is 43")
    try:
        path.write_text(altered, encoding="utf-8")
        assert build("01", check=True) == 1
        assert path.read_text("utf-8") == altered
    finally:
        path.write_text(before, encoding="utf-8")
    report = capsys.readouterr().out
    assert "notebooks/01_made.ipynb: DIFFERS" in report
    assert '-      "the answer is 43\\n"' in report
    assert "notebooks/solutions/01_made.ipynb: same" in report


def test_changed_texts_go_in_around_the_stored_outputs(course, built, capsys):
    path = course / "notebooks" / "source" / "01_made.py"
    kept = [file.read_text("utf-8") for file in built.values()]
    path.write_text(LESSON.replace("six times seven?", "6 · 7?"), encoding="utf-8")
    try:
        assert build_texts("01") == 0
        assert capsys.readouterr().out.count("written") == 2
        notebook = nbformat.read(built["student"], as_version=4)
        assert notebook.cells[0].source.startswith("# 01 · What is 6 · 7?\n")
        assert "the answer is 42" in printed(notebook)
        assert problems(notebook) == []
    finally:
        path.write_text(LESSON, encoding="utf-8")
        assert build_texts("01") == 0
    assert [file.read_text("utf-8") for file in built.values()] == kept


def test_changed_code_needs_a_run(course, built, capsys):
    path = course / "notebooks" / "source" / "01_made.py"
    kept = [file.read_text("utf-8") for file in built.values()]
    path.write_text(LESSON.replace("6 * 7", "6 * 8"), encoding="utf-8")
    try:
        assert build_texts("01") == 1
        assert "the code has changed" in capsys.readouterr().out
    finally:
        path.write_text(LESSON, encoding="utf-8")
    assert [file.read_text("utf-8") for file in built.values()] == kept


def test_a_cell_that_fails_is_reported_and_writes_nothing(course, built, capsys):
    path = course / "notebooks" / "source" / "02_broken.py"
    try:
        path.write_text(
            "# %% [markdown]\n# # 02 · Why?\n\n# %%\n1 / 0\n", encoding="utf-8"
        )
        assert build("02") == 1
    finally:
        path.unlink()
    report = capsys.readouterr().out
    assert "notebooks/02_broken.ipynb: FAILED" in report
    assert "ZeroDivisionError" in report
    assert not (course / "notebooks" / "02_broken.ipynb").exists()


def test_a_number_without_a_source_is_said(course, capsys):
    assert build("77") == 1
    assert "no source begins with '77' in notebooks/source" in capsys.readouterr().out


def test_sources_are_chosen_by_their_number(course):
    assert [path.name for path in sources()] == ["01_made.py"]
    assert [path.name for path in sources("01")] == ["01_made.py"]
    assert sources("1") == []


# -- the form of a file ----------------------------------------------------------------


def notebook_with(*outputs, **metadata):
    cell = new_code_cell("x", execution_count=1, outputs=list(outputs))
    cell.metadata.update(metadata)
    return new_notebook(cells=[cell])


def outputs_of(notebook):
    return nbformat.reads(canonical(notebook), as_version=4).cells[0].outputs


def test_the_canonical_form_keeps_tags_and_nothing_else():
    notebook = notebook_with(tags=["a"], collapsed=True, execution={"x": "1"})
    notebook.metadata.update(widgets={"state": 1}, kernelspec=None)
    notebook.metadata.pop("kernelspec")
    read = nbformat.reads(canonical(notebook), as_version=4)
    assert read.cells[0].metadata == {"tags": ["a"]}
    assert read.metadata == {"language_info": {"name": "python"}}


def test_what_is_printed_in_parts_is_stored_in_one_piece():
    parts = [new_output("stream", name="stdout", text=text) for text in ("a", "b\n")]
    [output] = outputs_of(notebook_with(*parts))
    assert output.text == "ab\n"


def test_what_is_printed_to_different_streams_stays_apart():
    parts = [new_output("stream", name=name, text="a") for name in ("stdout", "stderr")]
    assert [output.name for output in outputs_of(notebook_with(*parts))] == [
        *("stdout", "stderr"),
    ]


def test_the_view_of_a_widget_is_not_stored():
    view = new_output("display_data", {WIDGET: {"model_id": "1"}, "text/plain": "w"})
    result = new_output("display_data", {"text/plain": "kept"})
    [output] = outputs_of(notebook_with(view, result))
    assert output.data == {"text/plain": "kept"}


def test_the_canonical_form_of_a_canonical_file_is_itself(built):
    for path in built.values():
        text = path.read_text("utf-8")
        assert canonical(nbformat.reads(text, as_version=4)) == text


def test_an_invalid_notebook_has_no_canonical_form():
    notebook = notebook_with()
    notebook.cells[0].pop("source")
    with pytest.raises((nbformat.ValidationError, AttributeError, KeyError)):
        canonical(notebook)


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "file.txt"
    write_atomically(path, "one\n")
    write_atomically(path, "zwei é\n")
    assert path.read_bytes() == "zwei é\n".encode()
    assert [found.name for found in path.parent.iterdir()] == ["file.txt"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    write_atomically(path, "whole")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "broken \ud800")
    assert path.read_text("utf-8") == "whole"


# -- the gates: nbval and the contract -------------------------------------------------


def alter(old, new):
    """A function that edits the text of a stored notebook by hand."""

    def altered(text):
        assert old in text
        return text.replace(old, new)

    return altered


def without_run(text, keep_outputs):
    """Say of one cell that it was never run."""
    notebook = nbformat.reads(text, as_version=4)
    cell = next(c for c in notebook.cells if "the answer" in c.source)
    cell.execution_count = None
    if not keep_outputs:
        cell.outputs = []
    return nbformat.writes(notebook)


ALTERED = {
    "honest": lambda text: text,
    "number": alter("the answer is 42", "the answer is 43"),
    "result": alter("'words'}", "'word'}"),
    "stripped": lambda text: without_run(text, keep_outputs=True),
    "cleared": lambda text: without_run(text, keep_outputs=False),
}


@pytest.fixture(scope="module")
def copies(built, tmp_path_factory):
    """The student edition in five states, one file each."""
    folder = tmp_path_factory.mktemp("copies") / "notebooks"
    folder.mkdir()
    text = built["student"].read_text("utf-8")
    for name, altered in ALTERED.items():
        (folder / f"{name}.ipynb").write_text(altered(text), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def gate(copies):
    """Run all five as `make test` does, with the course's settings and plugins."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml"),
            *("--rootdir", copies.parent, "-p", "conftest", "-p", "no:xdist"),
            *("--junit-xml", copies / "report.xml", copies),
        ],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    cases = ElementTree.parse(copies / "report.xml").iter("testcase")
    failed = {name: [] for name in ALTERED}
    for case in cases:
        if case.find("failure") is not None:
            name = case.get("classname").removesuffix(".ipynb").rpartition(".")[2]
            failed[name].append(case.get("name"))
    return SimpleNamespace(failed=failed, code=done.returncode, text=done.stdout)


def contract(copies, name):
    return problems(nbformat.read(copies / f"{name}.ipynb", as_version=4))


def test_an_honest_notebook_passes_both_gates(gate, copies):
    assert gate.failed["honest"] == []
    assert contract(copies, "honest") == []


def test_a_number_edited_by_hand_fails_the_run(gate):
    assert gate.failed["number"] == ["Cell 1"]
    assert gate.code == 1
    assert "the answer is 43" in gate.text


def test_a_result_edited_by_hand_fails_the_run(gate):
    assert gate.failed["result"] == ["Cell 4"]


def test_a_stripped_cell_fails_the_run_and_the_contract(gate, copies):
    assert gate.failed["stripped"] == ["Cell 1"]
    assert contract(copies, "stripped") == [
        "not executed top to bottom: [1, None, 3, 4, 5, 6]"
    ]


def test_a_cleared_cell_passes_the_run_and_fails_the_contract(gate, copies):
    """nbval never compares it: the hole that the contract closes."""
    assert gate.failed["cleared"] == []
    assert contract(copies, "cleared") == [
        "not executed top to bottom: [1, None, 3, 4, 5, 6]"
    ]


def test_the_run_ends_with_the_number_of_outputs_compared(gate):
    """Four outputs in each notebook; two stand in the cell that was never run."""
    found = re.search(r"(\d+) notebooks, (\d+) code cells run, (\d+) stored", gate.text)
    notebooks, cells, compared = map(int, found.groups())
    assert (notebooks, cells) == (5, 30)
    assert compared == 3 * 4 + 2 * 3


def figure(**metadata):
    return new_output("display_data", {"image/png": "aGk="}, metadata=metadata)


def change(**changes):
    """A function that changes the first printing cell of a notebook."""

    def apply(notebook):
        cell = next(c for c in notebook.cells if "the answer" in c.source)
        for name, value in changes.items():
            setattr(cell, name, value)

    return apply


def add(cell, place=3):
    return lambda notebook: notebook.cells.insert(place, cell)


BREACHES = {
    "a cell run out of order": (
        change(execution_count=9),
        "not executed top to bottom",
    ),
    "a stored error": (
        change(outputs=[new_output("error", ename="E", evalue="", traceback=[])]),
        "stored error E",
    ),
    "a stored warning": (
        change(outputs=[new_output("stream", name="stderr", text="look out")]),
        "stored stderr: 'look out'",
    ),
    "a figure without alt text": (
        change(outputs=[figure()]),
        "figure without alt text",
    ),
    "a figure without a fact": (
        change(outputs=[figure(**{"image/png": {"alt": "Bars of three values"}})]),
        "figure without a printed fact",
    ),
    "a script": (
        change(outputs=[new_output("display_data", {"text/html": "<script>"})]),
        "active or remote HTML",
    ),
    "a handler": (
        change(outputs=[new_output("display_data", {"text/html": "<p onclick=x>"})]),
        "active or remote HTML",
    ),
    "an object address": (
        change(outputs=[new_output("stream", text="<f at 0x7f3e0fce5bd0>")]),
        "an object address",
    ),
    "a progress bar": (
        change(outputs=[new_output("stream", text=" 10%\r 20%")]),
        "a progress bar or escape code",
    ),
    "a stored widget": (
        change(outputs=[new_output("display_data", {WIDGET: {"model_id": "1"}})]),
        "stored widget",
    ),
    "a wide line": (
        change(outputs=[new_output("stream", text="word " * 21)]),
        "printed wider than 100 columns",
    ),
    "a sentence that becomes a list": (
        add(new_markdown_cell("From 0 up to\n1. Then go on.")),
        "a wrapped line that begins a list",
    ),
    "a hidden output": (change(source="print('the answer');"), "trailing semicolon"),
    "a long line": (
        change(source="x = " + "1 + " * 30 + "1"),
        "longer than 88 columns",
    ),
    "too much to read": (
        add(new_markdown_cell("word " * 121)),
        "words before a code cell",
    ),
    "a jump in the headings": (
        add(new_markdown_cell("### Deep")),
        "heading jumps from 1",
    ),
    "a picture without alt text": (
        add(new_markdown_cell("![](images/x.svg)")),
        "alt text '' says too little",
    ),
    "a picture from elsewhere": (
        add(new_markdown_cell("![a b c d](https://x.y/z.png)")),
        "a picture from the network",
    ),
    "a dialect": (add(new_markdown_cell("> [!TIP]\n> Text")), "not plain CommonMark"),
    "more metadata": (
        change(metadata={"scrolled": True}),
        "metadata {'scrolled': True}",
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_of_the_contract_is_named(student, name):
    breach, named = BREACHES[name]
    breach(student)
    assert [problem for problem in problems(student) if named in problem], problems(
        student
    )


def test_stored_widget_state_is_named(student):
    student.metadata["widgets"] = {"state": {}}
    assert "stored widget state" in problems(student)


# -- bringing an edit back with one command --------------------------------------------


@pytest.fixture
def restored(course, built):
    """The course as it was, afterwards."""
    paths = [course / "notebooks" / "source" / "01_made.py", *built.values()]
    before = {path: path.read_bytes() for path in paths}
    yield paths[0]
    for path, content in before.items():
        path.write_bytes(content)


def edit(path, old, new):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, path)


def test_without_an_edit_there_is_nothing_to_pull(restored, capsys):
    before = restored.read_text("utf-8")
    assert main(["pull", "01"]) == 0
    assert (
        capsys.readouterr().out == "notebooks/source/01_made.py: nothing was edited\n"
    )
    assert restored.read_text("utf-8") == before


@pytest.mark.parametrize("edition", source.EDITIONS)
def test_an_edit_in_either_edition_is_pulled(restored, built, capsys, edition):
    edit(built[edition], "first line", "another line")
    assert main(["pull", "01"]) == 0
    assert 'print("another line")' in restored.read_text("utf-8")
    assert "now: make nb NB=01" in capsys.readouterr().out


def test_edits_in_both_editions_are_refused(restored, built, capsys):
    before = restored.read_text("utf-8")
    for path in built.values():
        edit(path, "first line", "another line")
    assert main(["pull", "01"]) == 1
    assert "both editions were edited" in capsys.readouterr().out
    assert restored.read_text("utf-8") == before


def test_an_edit_that_cannot_be_pulled_says_why(restored, built, capsys):
    before = restored.read_text("utf-8")
    edit(built["student"], source.STUB, "return 2 * x")
    assert main(["pull", "01"]) == 1
    assert "edit it in the solved edition" in capsys.readouterr().out
    assert restored.read_text("utf-8") == before


@pytest.mark.parametrize("number", ["", "77"])
def test_pulling_needs_one_notebook(restored, capsys, number):
    assert main(["pull", number]) == 1
    assert "name one notebook: make pull NB=01" in capsys.readouterr().out


def test_a_notebook_that_was_never_built_is_named(restored, built, capsys):
    aside = built["student"].with_suffix(".aside")
    shutil.move(built["student"], aside)
    try:
        assert main(["pull", "01"]) == 1
    finally:
        shutil.move(aside, built["student"])
    assert "make nb NB=01" in capsys.readouterr().out
