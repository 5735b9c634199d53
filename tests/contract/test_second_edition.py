"""What the second edition promises of a lesson, for those that are rewritten so far.

A lesson enters SECOND when it is; the others keep the looser limits of
``test_notebooks.py`` until then.
"""

import re
import statistics
import subprocess
import sys

import nbformat
import pytest

from course_utils.authoring.source import SOURCES, path_of
from tests.contract import rules

SECOND = ("00", "01", "02", "03", "04", "05", "06", "07", "08")
LIGHT = ("00",)  # a first screen and a way in: ten cells will do
ALL = sorted(SOURCES.glob("*.py"))
REWRITTEN = [source for source in ALL if source.stem[:2] in SECOND]
RECIPE = re.compile(
    r"<details><summary>Without this course.*?```python\n(.*?)```", re.DOTALL
)
each = pytest.mark.parametrize("source", REWRITTEN, ids=lambda source: source.stem)


def cells_of(source, kind="code"):
    notebook = nbformat.read(path_of(source.stem, "student"), as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def printed_by(source):
    return "\n".join(
        output.get("text", "") + "".join(output.get("data", {}).get("text/plain", ""))
        for cell in cells_of(source)
        for output in cell.outputs
    )


@each
def test_cells_are_few_and_short(source):
    cells = [c for c in cells_of(source) if not rules.is_check(c.source)]
    assert (10 if source.stem[:2] in LIGHT else 25) <= len(cells) <= 45
    sizes = [rules.code_lines(cell.source) for cell in cells_of(source)]
    assert statistics.median(sizes) <= 7
    assert statistics.quantiles(sizes, n=10)[-1] <= 14
    assert max(sizes) <= 20


@each
def test_no_line_of_code_has_to_be_scrolled(source):
    lines = [line for cell in cells_of(source) for line in cell.source.splitlines()]
    own = [line for line in lines if "%pip install" not in line]
    assert [line for line in own if len(line) > 80] == []


@each
def test_a_lesson_keeps_the_trials_that_change_its_story(source):
    assert len(set(re.findall(r"\bC\d{3}\b", source.read_text("utf-8")))) <= 8


@each
def test_there_is_something_to_look_at(source):
    """A picture, coloured tokens or a widget, at least one per six code cells."""
    cells = cells_of(source)
    seen = sum(
        "explore(" in cell.source
        or any(
            "image/png" in output.get("data", {})
            or "<span" in "".join(output.get("data", {}).get("text/html", ""))
            for output in cell.outputs
        )
        for cell in cells
    )
    content = [cell for cell in cells if not rules.is_check(cell.source)]
    assert seen * 6 >= len(content)


@each
def test_what_the_lesson_builds_is_shown(source):
    assert "show_source(" in source.read_text("utf-8")


@pytest.mark.parametrize(
    "source",
    [source for source in ALL if "Without this course" in source.read_text("utf-8")],
    ids=lambda source: source.stem,
)
def test_the_recipe_runs_without_the_course(source, tmp_path):
    """And ends where the lesson ended: what it prints, the lesson has printed."""
    text = "\n".join(cell.source for cell in cells_of(source, "markdown"))
    [recipe] = RECIPE.findall(text)
    assert "course_utils" not in recipe
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", recipe],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()
    if source in REWRITTEN:
        said = printed_by(source)
        assert [row for row in done.stdout.splitlines() if row not in said] == []


def test_every_rewritten_lesson_has_a_recipe():
    assert all("Without this course" in s.read_text("utf-8") for s in REWRITTEN)
