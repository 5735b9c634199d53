"""What a source cannot hold is refused, and never lost with a friendly word."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from course_utils.authoring import __main__ as commands
from course_utils.authoring.pulling import pull
from course_utils.authoring.source import SourceError, edition_of, path_of
from tests.authoring.test_source import (  # noqa: F401  (fixtures)
    EDITIONS,
    LESSON,
    at,
    folder,
    lesson,
    write,
)


@pytest.fixture
def edited(lesson):  # noqa: F811
    """Store an edition after a change of its cells, and pull it."""

    def pulled(edition, change):
        notebook = edition_of(lesson, edition)
        change(notebook.cells)
        nbformat.write(notebook, path_of("01_made", edition))
        return pull(lesson, edition)

    return pulled


def paste(cells):
    at(cells, "The end").attachments = {"me.png": {"image/png": "iVBORw0KGgo="}}


def edit_the_links(cells):
    cells[1].source += " and a word of mine"


def edit_the_bootstrap(cells):
    next(c for c in cells if "find_spec" in c.source).source += "\nprint(1)"


def delete_the_bootstrap(cells):
    cells.remove(next(c for c in cells if "find_spec" in c.source))


LOST = {
    "a picture was pasted": paste,
    "no raw cell": lambda cells: cells.append(new_raw_cell("as it is")),
    "a generated cell": edit_the_links,
    "generated cell .* was edited": edit_the_bootstrap,
    "edited or deleted": delete_the_bootstrap,
    "a line that begins with": lambda cells: cells.append(
        new_code_cell("x = 1\n# %% second part\ny = 2")
    ),
    "starts a new cell": lambda cells: cells.append(
        new_code_cell("# %% [markdown]\n# no text")
    ),
}


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("reason", LOST)
def test_what_a_source_cannot_hold_is_refused(lesson, edited, edition, reason):  # noqa: F811
    with pytest.raises(SourceError, match=reason):
        edited(edition, LOST[reason])
    assert lesson.read_text("utf-8") == LESSON


def test_a_link_that_would_lead_elsewhere_after_the_build_is_refused(edited):
    """In the solved edition one folder up is the student's own folder."""
    with pytest.raises(SourceError, match="come out differently when it is built"):
        edited("solutions", lambda c: c.append(new_markdown_cell("[x](../a.ipynb)")))


def test_a_solution_mark_typed_by_a_student_is_refused(edited):
    typed = new_code_cell("### BEGIN SOLUTION\nx = 1\n### END SOLUTION")
    with pytest.raises(SourceError, match="come out differently"):
        edited("student", lambda cells: cells.append(typed))


def changed_type(cells):
    cell = at(cells, "print(pi)")
    cell.cell_type = "raw"
    del cell["outputs"], cell["execution_count"]


def changed_tags(cells):
    at(cells, "print(pi)").metadata.tags = ["fast"]


@pytest.mark.parametrize("change", [paste, changed_type, changed_tags])
def test_an_edit_is_seen_where_no_text_changed(lesson, change):  # noqa: F811
    """Not "nothing was edited" about a picture, a type or a tag."""
    notebook = edition_of(lesson, "student")
    nbformat.write(notebook, path_of("01_made", "student"))
    assert not commands._changed(lesson, "student")
    change(notebook.cells)
    nbformat.write(notebook, path_of("01_made", "student"))
    assert commands._changed(lesson, "student")
