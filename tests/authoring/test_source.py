"""One source, two editions, and the way back from an edited notebook."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_utils.authoring import source
from course_utils.authoring.pulling import percent, pull
from course_utils.authoring.source import (
    BEGIN,
    END,
    STUB,
    SourceError,
    edition_of,
    number,
    path_of,
    read_source,
    solved_text,
    student_text,
)

EDITIONS = ("student", "solutions")
LESSON = '''\
# %% [markdown]
# # 01 · A question
#
# ![Three boxes in a row and an arrow](images/pipeline.svg)
# See [the data](../data/README.md), [the next](02_lookup.ipynb) and [a site](https://x.y).

# %%
from math import pi

# %% [markdown]
# ## Exercise 1.1
#
# Return twice the number.


# %%
def double(x):
    """2 -> 4"""
    ### BEGIN SOLUTION
    result = 2 * x
    return result
    ### END SOLUTION


# %% tags=["slow"]
print(pi)

# %%
def half(x):
    ### BEGIN SOLUTION
    y = x / 2
    ### END SOLUTION
    return y


# %% [markdown]
# The end.
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A course of one lesson in an empty folder; ``settings`` stay the course's."""
    source.settings()
    monkeypatch.setattr(source, "ROOT", tmp_path)
    monkeypatch.setattr(source, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(source, "SOURCES", tmp_path / "notebooks" / "source")
    (tmp_path / "notebooks" / "source").mkdir(parents=True)
    (tmp_path / "notebooks" / "solutions").mkdir()
    return tmp_path / "notebooks"


@pytest.fixture
def write(folder):
    """Write a source and return its path."""

    def write(text, stem="01_made"):
        path = folder / "source" / f"{stem}.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def lesson(write):
    return write(LESSON)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def cells_of(path):
    return [(cell.cell_type, cell.source) for cell in read_source(path)]


# -- what a student and what a reader of the solutions sees ----------------------------

MARKED = f"""def f(x):
    {BEGIN}
    y = x
    return y
    {END}"""


def test_a_student_sees_the_stub_in_the_place_of_the_solution():
    assert student_text(MARKED) == f"def f(x):\n    {STUB}"


def test_the_solved_edition_shows_the_solution_without_its_marks():
    assert solved_text(MARKED) == "def f(x):\n    y = x\n    return y"


def test_what_stands_around_a_solution_stays():
    text = f"a = 1\n{BEGIN}\nb = 2\n{END}\nc = 3"
    assert student_text(text) == f"a = 1\n{STUB}\nc = 3"
    assert solved_text(text) == "a = 1\nb = 2\nc = 3"


def test_a_cell_may_have_several_solutions():
    text = "\n".join([MARKED, MARKED.replace("f(x)", "g(x)")])
    assert student_text(text).count(STUB) == 2
    assert "return y" in solved_text(text) and BEGIN not in solved_text(text)


@pytest.mark.parametrize("indent", ["", "    ", "        ", "\t"])
def test_the_stub_stands_where_the_solution_stood(indent):
    text = f"{indent}{BEGIN}\n{indent}x = 1\n{indent}{END}"
    assert student_text(text) == f"{indent}{STUB}"


def test_a_text_without_marks_stays_as_it_is():
    text = "# BEGIN SOLUTION of the riddle\nx = 1"
    assert student_text(text) == solved_text(text) == text


# -- reading a source ------------------------------------------------------------------


def test_a_source_is_read_cell_by_cell(lesson):
    kinds = [kind for kind, _ in cells_of(lesson)]
    assert kinds == [
        *("markdown", "code", "markdown", "code", "code", "code", "markdown"),
    ]


@pytest.mark.parametrize(
    "text", ["", "# %%\nprint(1)\n", "# %% [markdown]\n# No title here.\n"]
)
def test_a_source_must_begin_with_a_title(write, text):
    with pytest.raises(
        SourceError, match=r"01_made\.py: the first cell must be a title"
    ):
        read_source(write(text))


TITLE = "# %% [markdown]\n# # 01 · A question\n\n# %%\n"


@pytest.mark.parametrize(
    "text",
    {
        "never closed": f"{BEGIN}\nx = 1\n",
        "never opened": f"x = 1\n{END}\n",
        "the wrong way round": f"{END}\nx = 1\n{BEGIN}\n",
        "opened twice": f"{BEGIN}\nx = 1\n{BEGIN}\ny = 2\n{END}\n",
        "closed twice": f"{BEGIN}\nx = 1\n{END}\n{END}\n",
        "closed in the next cell": f"{BEGIN}\nx = 1\n\n# %%\ny = 2\n{END}\n",
        "closed with more behind it": f"{BEGIN}\nx = 1\n{END} of 1.1\n",
    }.items(),
    ids=lambda item: item[0],
)
def test_an_unpaired_mark_is_refused(write, text):
    with pytest.raises(SourceError, match=r"01_made\.py: unpaired solution mark"):
        read_source(write(TITLE + text[1]))


def test_a_solution_in_a_text_cell_is_refused(write):
    """It would be shown to the student."""
    text = f"# %% [markdown]\n# # T\n#\n# {BEGIN}\n# 42\n# {END}\n"
    with pytest.raises(SourceError, match=r"01_made\.py: .*solution"):
        read_source(write(text))


def test_a_raw_cell_is_refused(write):
    with pytest.raises(SourceError, match="no cells of type raw"):
        read_source(write(TITLE + "x = 1\n\n# %% [raw]\n# text\n"))


# -- the generated cells ---------------------------------------------------------------


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_links_stand_below_the_title_and_the_bootstrap_before_the_code(
    lesson, edition
):
    cells = edition_of(lesson, edition).cells
    generated = [
        i for i, c in enumerate(cells) if c.metadata.get("tags") == ["generated"]
    ]
    assert generated == [1, 2]
    assert cells[0].source.startswith("# 01 · A question")
    assert cells[2].source.startswith("from importlib.util import find_spec")


def test_each_edition_links_to_the_other_and_to_itself_elsewhere(lesson):
    student, solved = (
        edition_of(lesson, edition).cells[1].source for edition in EDITIONS
    )
    assert "[Solved edition](solutions/01_made.ipynb)" in student
    assert "[Student edition](../01_made.ipynb)" in solved
    assert "/blob/main/notebooks/01_made.ipynb)" in student
    assert "lab/tree/notebooks/solutions/01_made.ipynb)" in solved


def test_the_address_of_the_repository_is_written_in_one_place(lesson):
    repository = source.settings()["repository"]
    links, bootstrap = edition_of(lesson, "student").cells[1:3]
    assert links.source.count(repository) == 2
    assert f"git+https://github.com/{repository}@" in bootstrap.source


def test_the_bootstrap_does_nothing_where_the_course_is_installed(lesson):
    bootstrap = edition_of(lesson, "student").cells[2].source
    assert 'if find_spec("course_utils") is None:' in bootstrap
    assert bootstrap.count("%pip") == 1 and "    %pip install --quiet" in bootstrap


def test_a_lesson_without_code_needs_no_bootstrap(write):
    path = write("# %% [markdown]\n# # 01 · A question\n")
    assert [c.cell_type for c in edition_of(path, "student").cells] == ["markdown"] * 2


# -- the two editions ------------------------------------------------------------------


def test_the_student_edition_has_stubs_and_the_solved_edition_has_solutions(lesson):
    student, solved = (edition_of(lesson, edition) for edition in EDITIONS)
    assert STUB in code(student)[2].source and "2 * x" not in code(student)[2].source
    assert STUB not in code(solved)[2].source and "2 * x" in code(solved)[2].source
    assert len(student.cells) == len(solved.cells)


def test_relative_links_of_the_solved_edition_lead_one_folder_up(lesson):
    student, solved = (
        edition_of(lesson, edition).cells[0].source for edition in EDITIONS
    )
    assert "(images/pipeline.svg)" in student and "(../data/README.md)" in student
    assert "(../images/pipeline.svg)" in solved and "(../../data/README.md)" in solved
    for text in (student, solved):
        assert "(02_lookup.ipynb)" in text and "(https://x.y)" in text


def test_the_editions_lie_in_two_folders(folder):
    assert path_of("01_made", "student") == folder / "01_made.ipynb"
    assert path_of("01_made", "solutions") == folder / "solutions" / "01_made.ipynb"


def test_a_lesson_has_two_editions_and_a_work_of_reference_one():
    assert source.editions("01_made") == ("student", "solutions")
    assert source.editions("90_made") == source.editions("91_made") == ("student",)


def test_a_work_of_reference_links_to_no_other_edition(write):
    text = "# %% [markdown]\n# # 90 · A list?\n\n# %%\n1 + 1\n"
    made = edition_of(write(text, "90_made"), "student")
    links = made.cells[1].source
    assert "Open in Colab" in links and "notebooks/90_made.ipynb" in links
    assert "edition" not in links
    assert made.cells[1].metadata.tags == ["generated"]


def test_a_work_of_reference_has_no_solved_edition(write):
    path = write("# %% [markdown]\n# # 90 · A list?\n", "90_made")
    with pytest.raises(SourceError, match="90_made.py has one edition"):
        edition_of(path, "solutions")


def test_in_a_work_of_reference_nothing_may_be_hidden(write):
    marked = f"# %%\n{BEGIN}\nx = 1\n{END}\n"
    path = write(f"# %% [markdown]\n# # 90 · A list?\n\n{marked}", "90_made")
    with pytest.raises(SourceError, match="a solution would be hidden"):
        edition_of(path, "student")


def test_tags_travel_and_nothing_else_does(lesson):
    notebook = edition_of(lesson, "student")
    tagged = [c for c in notebook.cells if c.metadata.get("tags") == ["slow"]]
    assert [cell.source for cell in tagged] == ["print(pi)"]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)


@pytest.mark.parametrize("edition", EDITIONS)
def test_an_edition_is_a_valid_notebook_that_was_not_run(lesson, edition):
    notebook = edition_of(lesson, edition)
    nbformat.validate(notebook)
    assert all(
        cell.execution_count is None and not cell.outputs for cell in code(notebook)
    )


# -- ids -------------------------------------------------------------------------------


def test_ids_are_the_same_each_time(lesson):
    first, second = ([c.id for c in edition_of(lesson, "student").cells] for _ in "ab")
    assert first == second
    assert len(set(first)) == len(first)


def test_an_id_depends_on_the_content_and_on_nothing_around_it():
    one, other = new_code_cell("x = 1"), new_code_cell("y = 2")
    alone = number([new_code_cell("x = 1")])[0].id
    assert number([other, one])[1].id == alone


def test_twins_are_told_apart_by_their_order():
    ids = [cell.id for cell in number([new_code_cell("x") for _ in range(3)])]
    assert len(set(ids)) == 3
    assert ids[:2] == [
        cell.id for cell in number([new_code_cell("x") for _ in range(2)])
    ]


def test_a_text_and_a_code_cell_of_the_same_words_differ():
    ids = [cell.id for cell in number([new_code_cell("x"), new_markdown_cell("x")])]
    assert len(set(ids)) == 2


def test_changing_one_cell_changes_one_id(write, lesson):
    before = [cell.id for cell in edition_of(lesson, "student").cells]
    write(LESSON.replace("print(pi)", "print(2 * pi)"))
    after = [cell.id for cell in edition_of(lesson, "student").cells]
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


# -- bringing an edited notebook back --------------------------------------------------


@pytest.fixture
def edit(lesson):
    """Store an edition after a change of its cells, pull it, and read the result."""

    def pulled(edition, change=lambda cells: None):
        notebook = edition_of(lesson, edition)
        change(notebook.cells)
        nbformat.write(notebook, path_of("01_made", edition))
        text = pull(lesson, edition)
        lesson.write_text(text, encoding="utf-8")
        return text

    return pulled


def at(cells, start):
    """The cell that begins with these words."""
    [found] = [cell for cell in cells if cell.source.startswith(start)]
    return found


def replace(start, old, new):
    def change(cells):
        cell = at(cells, start)
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return change


@pytest.mark.parametrize("edition", EDITIONS)
class TestPulling:
    def test_an_unchanged_notebook_gives_the_same_source(self, lesson, edit, edition):
        before = cells_of(lesson)
        edit(edition)
        assert cells_of(lesson) == before

    def test_pulling_twice_changes_nothing_more(self, edit, edition):
        assert edit(edition) == edit(edition)

    def test_the_tags_come_back(self, lesson, edit, edition):
        edit(edition)
        tags = [cell.metadata.get("tags") for cell in read_source(lesson)]
        assert tags.count(["slow"]) == 1

    def test_no_generated_cell_comes_back(self, edit, edition):
        text = edit(edition)
        assert "colab" not in text and "find_spec" not in text

    def test_an_edited_text_comes_back(self, lesson, edit, edition):
        before = cells_of(lesson)
        edit(edition, replace("The end", "The end.", "The end, almost."))
        assert cells_of(lesson)[:-1] == before[:-1]
        assert cells_of(lesson)[-1] == ("markdown", "The end, almost.")

    def test_a_new_cell_comes_back_at_its_place(self, lesson, edit, edition):
        before = cells_of(lesson)
        edit(edition, lambda cells: cells.insert(-1, new_code_cell("x = 42")))
        assert cells_of(lesson) == [*before[:-1], ("code", "x = 42"), before[-1]]

    def test_a_deleted_cell_is_gone(self, lesson, edit, edition):
        before = cells_of(lesson)
        edit(edition, lambda cells: cells.remove(at(cells, "print(pi)")))
        assert cells_of(lesson) == [c for c in before if c[1] != "print(pi)"]

    def test_a_moved_exercise_keeps_its_solution(self, lesson, edit, edition):
        before = cells_of(lesson)
        edit(edition, lambda cells: cells.append(cells.pop(-2)))
        assert cells_of(lesson) == [*before[:-2], before[-1], before[-2]]

    def test_a_magic_command_comes_back_as_one(self, lesson, edit, edition):
        edit(edition, lambda cells: cells.append(new_code_cell("%timeit 1 + 1")))
        assert cells_of(lesson)[-1] == ("code", "%timeit 1 + 1")


def test_an_edited_solution_keeps_its_marks(lesson, edit):
    edit("solutions", replace("def double", "2 * x", "x + x"))
    found = at(read_source(lesson), "def double").source
    assert student_text(found) == f'def double(x):\n    """2 -> 4"""\n    {STUB}'
    assert "result = x + x\n    return result" in solved_text(found)


def test_an_edited_solution_keeps_what_follows_it(lesson, edit):
    edit("solutions", replace("def half", "x / 2", "0.5 * x"))
    found = at(read_source(lesson), "def half").source
    assert student_text(found) == f"def half(x):\n    {STUB}\n    return y"
    assert solved_text(found) == "def half(x):\n    y = 0.5 * x\n    return y"


def test_a_longer_solution_stays_between_its_marks(lesson, edit):
    edit(
        "solutions",
        replace("def double", "return result", "x = 0\n\n    return result"),
    )
    found = at(read_source(lesson), "def double").source
    assert found.endswith(f"    x = 0\n\n    return result\n    {END}")
    assert found.count(BEGIN) == found.count(END) == 1


@pytest.mark.parametrize(
    "start, old, new",
    [
        ("def double", '"""2 -> 4"""', '"""3 -> 6"""'),
        ("def half", "return y", "return y + 0"),
    ],
)
def test_an_edited_frame_of_an_exercise_is_refused(lesson, edit, start, old, new):
    before = lesson.read_text("utf-8")
    with pytest.raises(SourceError, match=r"edit it in the source itself:\n" + start):
        edit("solutions", replace(start, old, new))
    assert lesson.read_text("utf-8") == before


@pytest.mark.parametrize("old", [STUB, '"""2 -> 4"""'])
def test_an_exercise_edited_in_the_student_edition_is_refused(edit, old):
    with pytest.raises(SourceError, match="edit it in the solved edition"):
        edit("student", replace("def double", old, "return 2 * x"))


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_renamed_exercise_does_not_lose_its_solution_in_silence(edit, edition):
    """It can no longer be told which solution it had, or that it had marks."""
    with pytest.raises(SourceError, match="def double"):
        edit(edition, replace("def double", "def double", "def twice"))


def test_exercises_that_look_alike_to_students_keep_their_own_solutions(write):
    """Two cells of which a student sees nothing but the stub."""
    solutions = [f"{BEGIN}\nx = {i}\n{END}" for i in (1, 2)]
    path = write(TITLE + "\n\n# %%\n".join(["y = 0", *solutions]) + "\n")
    nbformat.write(edition_of(path, "student"), path_of("01_made", "student"))
    path.write_text(pull(path, "student"), encoding="utf-8")
    assert [text for _, text in cells_of(path)][2:] == solutions


def test_links_edited_in_the_solved_edition_come_back_as_the_student_sees_them(
    lesson, edit
):
    edit("solutions", replace("# 01 ·", "A question", "Another question"))
    first = cells_of(lesson)[0][1]
    assert "(images/pipeline.svg)" in first and "(../data/README.md)" in first


def test_a_source_has_no_header():
    text = percent([new_markdown_cell("# Title"), new_code_cell("x = 1")])
    assert text == "# %% [markdown]\n# # Title\n\n# %%\nx = 1\n"
