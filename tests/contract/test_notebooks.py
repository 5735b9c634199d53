"""What every notebook of the course promises, checked on the committed files."""

import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from course_utils.authoring import pictures
from course_utils.authoring.source import (
    NOTEBOOKS,
    ROOT,
    SOURCES,
    edition_of,
    editions,
    path_of,
)
from tests.contract import rules

PAIRS = [
    (source, edition)
    for source in sorted(SOURCES.glob("*.py"))
    for edition in editions(source.stem)
]
LESSONS = [pair for pair in PAIRS if len(editions(pair[0].stem)) == 2]
IDS = [f"{source.stem}-{edition}" for source, edition in PAIRS]
COMMITTED = sorted(NOTEBOOKS.glob("*.ipynb")) + sorted(
    NOTEBOOKS.glob("solutions/*.ipynb")
)


@pytest.fixture(params=PAIRS, ids=IDS)
def pair(request):
    return request.param


@pytest.fixture(params=LESSONS, ids=[f"{s.stem}-{edition}" for s, edition in LESSONS])
def lesson(request):
    """A notebook with exercises: works of reference (90, 91) have none."""
    return request.param


def stored(pair):
    source, edition = pair
    return nbformat.read(path_of(source.stem, edition), as_version=4)


@pytest.fixture
def notebook(pair):
    source, edition = pair
    return nbformat.read(path_of(source.stem, edition), as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def text_of(notebook):
    return "\n".join(
        output.get("text", "") + "".join(output.get("data", {}).get("text/plain", ""))
        for output in outputs(notebook)
    )


def test_every_notebook_has_a_source_and_every_source_its_editions():
    expected = {path_of(source.stem, edition) for source, edition in PAIRS}
    assert set(COMMITTED) == expected


def test_source_and_notebook_are_in_step(pair, notebook):
    """Cells, texts, tags and ids are what the source gives; `make nb` mends it."""
    made = edition_of(*pair)
    assert [(c.id, c.source) for c in notebook.cells] == [
        (c.id, c.source) for c in made.cells
    ]
    assert notebook.metadata == made.metadata


def test_every_rule_holds(pair, notebook):
    assert rules.problems(notebook) == []


def test_the_file_is_canonical(pair):
    path = path_of(pair[0].stem, pair[1])
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert text == nbformat.writes(notebook) + "\n"
    assert path.stat().st_size <= 500_000


def test_cells_are_short(lesson):
    cells = code_cells(stored(lesson))
    sizes = [rules.code_lines(cell.source) for cell in cells]
    assert max(sizes) <= 25
    assert max(cell.source.count("\n") + 1 for cell in cells) <= 25
    assert statistics.quantiles(sizes, n=10)[-1] <= 15
    assert statistics.median(sizes) <= 8
    content = [cell for cell in cells if not rules.is_check(cell.source)]
    assert 10 <= len(content) <= 48


def test_a_work_of_reference_may_be_long_but_is_still_read(pair, notebook):
    """Its cells may be many and longer than a lesson's, not endless."""
    cells = code_cells(notebook)
    assert len(cells) <= 150
    assert max(rules.code_lines(cell.source) for cell in cells) <= 40


def test_local_links_and_images_exist(pair, notebook):
    folder = path_of(pair[0].stem, pair[1]).parent
    for target in rules.local_targets(notebook):
        assert (folder / target).resolve().exists(), target


def test_the_solved_edition_solves_every_exercise_and_the_student_edition_none(lesson):
    printed = text_of(stored(lesson))
    lines = re.findall(r"^\[(.)\] (\d+\.\d+) (.*)$", printed, re.MULTILINE)
    last = {exercise: mark for mark, exercise, _ in lines}  # a demonstration may fail
    assert last
    assert set(last.values()) == {"✓" if lesson[1] == "solutions" else " "}, lines


def test_the_stub_hides_every_solution(lesson):
    text = "\n".join(cell.source for cell in stored(lesson).cells)
    assert "### BEGIN SOLUTION" not in text and "### END SOLUTION" not in text
    solved = lesson[0].read_text("utf-8").count("### BEGIN SOLUTION")
    assert text.count("your code here") == (solved if lesson[1] == "student" else 0)


@pytest.mark.parametrize(
    "path", sorted((NOTEBOOKS / "images").glob("*.svg")), ids=lambda p: p.stem
)
def test_pictures_are_generated_small_and_inert(path: Path):
    text = path.read_text("utf-8")
    assert text == pictures.pipeline(path.stem.removeprefix("pipeline_"))
    assert "<title>" in text and "<script" not in text and "http://www.w3.org" in text
    assert "https://" not in text and len(text) < 20_000


def test_nothing_is_stored_that_tells_where_it_was_built():
    for path in COMMITTED:
        text = path.read_text("utf-8")
        assert str(ROOT) not in text, path.name
        assert not re.search(r"/(home|Users|root|tmp)/", text), path.name
        json.loads(text)
