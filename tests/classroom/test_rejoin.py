"""Into the middle of a lesson, with all that is needed and little else."""

import subprocess
import sys
import textwrap

import matplotlib
import nbformat
import pytest

from course_utils.authoring.source import path_of
from course_utils.authoring.workshop.lesson import lesson, stems
from course_utils.classroom import rejoin as module
from course_utils.classroom import session, start
from course_utils.classroom.needs import look, needed
from course_utils.classroom.rejoin import cells_of, rejoin, source_of, without_start

each_lesson = pytest.mark.parametrize("stem", stems())

# -- what a cell does with names -------------------------------------------------------


@pytest.mark.parametrize(
    "text, uses",
    {
        "x = y + 1": {"y"},
        "x = 1\nprint(x)": {"print"},
        "print(x)\nx = 1": {"print", "x"},
        "for name in names:\n    print(name)": {"print", "names"},
        "for a in b:\n    c = a\nprint(c)": {"print", "b"},
        "def f(a):\n    return a + outer": {"outer"},
        "rows = [word for word in words if word]": {"words"},
        "with open(path) as file:\n    text = file.read()": {"open", "path"},
        "x += 1": {"x"},
        "if ready:\n    x = 1\nprint(x)": {"ready", "print", "x"},
        "try:\n    a\nexcept ValueError as error:\n    print(b)": {
            *("a", "ValueError", "print", "b"),
        },
        "lambda a: a + b": {"b"},
        "reveal('k', 1)": {"reveal", "?k"},
    }.items(),
)
def test_what_a_cell_needs_from_before(text, uses):
    assert look(text).uses - {"error"} == uses


@pytest.mark.parametrize(
    "text, changes",
    {
        "rows.append(1)": {"rows"},
        "table['a'] = 1": {"table"},
        "model.layers[0].weight = w": {"model"},
        "loss = train(model, data)": {"train", "model", "data"},
        "y = model(x)": {"model", "x"},
        "print(rows)": set(),
        "n = len(rows)": set(),
        "total += 1": {"total"},
        "run(a, many=b)": {"run", "a", "b"},
    }.items(),
)
def test_what_a_cell_may_change(text, changes):
    assert look(text).changes == changes


@pytest.mark.parametrize(
    "texts, begin, found",
    [
        (["a = 1", "b = 2", "print(a)"], 2, [0]),
        (["a = 1", "b = a", "print(b)"], 2, [0, 1]),
        (["a = 1", "a = 2", "print(a)"], 2, [1]),  # the first value is gone
        (["a = []", "a.append(1)", "len(a)", "print(a)"], 3, [0, 1]),
        (["import torch", "torch.zeros(1)", "torch.ones(1)"], 2, [0]),
        (["a = 1", "a = 2\nprint(a)", "b = 3", "print(b)"], 3, [2]),
        (["predict('k', '?')", "predict('l', '?')", "reveal('k', 1)"], 2, [0]),
        (["for k in s: predict(k, '?')", "reveal('k', 1)"], 1, [0]),
        (["def f(): return a", "a = 1", "print(f())"], 2, [0, 1]),
        (["a = 1", "print(a)"], 0, []),
    ],
)
def test_only_what_is_leaned_on_is_run(texts, begin, found):
    assert needed(texts, begin) == found


# -- the lessons -----------------------------------------------------------------------


@each_lesson
def test_the_cells_are_those_of_the_student_edition(stem):
    made = [
        cell.source
        for cell in nbformat.read(path_of(stem, "student"), as_version=4).cells
        if cell.cell_type == "code" and "generated" not in cell.metadata.get("tags", [])
    ]
    assert [text.strip() for text in cells_of(source_of(stem))[0]] == [
        text.strip() for text in made
    ]


@each_lesson
def test_every_exercise_of_a_lesson_can_be_rejoined_at(stem):
    begins = cells_of(source_of(stem))[1]
    assert {task.first for task in lesson(stem).tasks} <= set(begins)


@each_lesson
def test_nothing_is_left_out_that_a_later_cell_reads(stem):
    """Every name that is read from an exercise on was bound by a cell that is run."""
    texts, begins = cells_of(source_of(stem))
    for begin in set(begins.values()):
        bound = set().union(*(look(texts[n]).binds for n in needed(texts, begin)))
        above = set().union(*(look(text).binds for text in texts[:begin]))
        for text in texts[begin:]:
            missing = (look(text).uses - bound) & above
            assert {name for name in missing if name[0] != "?"} == set(), text
            bound, above = (names | look(text).binds for names in (bound, above))


def test_much_of_a_lesson_is_not_run():
    texts, begins = cells_of(source_of("04_attention"))
    assert len(needed(texts, begins["4.8"])) < 0.6 * begins["4.8"]


# -- running ---------------------------------------------------------------------------

SOURCE = """\
# %% [markdown]
# # 55 · Toy

# %%
import math
from course_utils.classroom import check, start
start("55_toy")

# %%
print("seen by nobody")
a = [math.floor(1.5)]

# %% [markdown]
# ### Exercise 55.1 · One (core, 5 minutes)

# %%
def one(x):
    ### BEGIN SOLUTION
    return x
    ### END SOLUTION

# %%
unused = 1 / 0

# %% [markdown]
# ### Exercises 55.2 to 55.4 · Two (core, 5 minutes)

# %%
print(a, one)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A lesson of its own and an empty notebook: where it is, what is in memory."""
    (tmp_path / "55_toy.py").write_text(SOURCE, "utf-8")
    space = {}

    def run(text):
        exec(text, space)

    monkeypatch.setattr(module, "runner", lambda: (run, space))
    yield tmp_path, space
    session.current.__init__()


def test_what_is_needed_is_in_memory_and_nothing_else_was_run(toy, capsys):
    folder, space = toy
    rejoin("55_toy", "55.3", folder)
    assert space["a"] == [1] and "unused" not in space
    with pytest.raises(NotImplementedError, match="your code here"):
        space["one"](1)
    assert "at 55.3: 3 of 4 cells before it were run" in capsys.readouterr().out


def test_the_learners_own_answers_take_the_place_of_the_stubs(toy, monkeypatch, capsys):
    folder, space = toy
    mine = {
        "55.1": ("def one(x):\n    return x + 1\n", True),
        "55.2": ("def later(): ...\n", True),
    }
    monkeypatch.setattr(module.memory, "answers", lambda: mine)
    rejoin("55_toy", "55.2", folder)
    assert space["one"](1) == 2 and "later" not in space
    assert "your own answers in memory: 55.1" in capsys.readouterr().out


def test_an_exercise_that_there_is_not_is_refused_by_name(toy):
    with pytest.raises(ValueError, match="no exercise '55.9'; it has 55.1, 55.2, 55.3"):
        rejoin("55_toy", "55.9", toy[0])


def test_a_cell_that_fails_is_named(toy):
    folder, _ = toy
    (folder / "55_toy.py").write_text(SOURCE.replace("1.5", "'x'"), "utf-8")
    with pytest.raises(RuntimeError, match="the cell 'print.*TypeError"):
        rejoin("55_toy", "55.2", folder)


def test_a_lesson_does_not_begin_twice():
    text = "import math\nstart('01_tokenization', at='1.1')"
    assert without_start(text) == "import math"
    assert without_start("x = 1  # as it was") == "x = 1  # as it was"


def test_a_lesson_begins_at_an_exercise(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(module, "rejoin", lambda *given: asked.append(given))
    with matplotlib.rc_context():
        start("01_tokenization", at="1.4")
    session.current.__init__()
    assert asked == [("01_tokenization", "1.4")]


def test_in_a_real_shell_nothing_is_shown_and_the_names_are_the_learners(tmp_path):
    """And a function that was run so still has a source to be kept."""
    (tmp_path / "55_toy.py").write_text(SOURCE, "utf-8")
    code = textwrap.dedent(f"""
        from pathlib import Path
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.run_cell("from course_utils.classroom.rejoin import rejoin")
        shell.run_cell("from pathlib import Path")
        shell.run_cell("rejoin('55_toy', '55.2', Path({str(tmp_path)!r}))")
        from course_utils.classroom.memory import source_of
        print(sorted({{"a", "check", "one", "unused"}} & set(shell.user_ns)))
        print(source_of(shell.user_ns["one"]).splitlines()[0])
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    said = done.stdout.splitlines()
    assert said[0].startswith("at 55.2: 3 of 4 cells before it were run in ")
    assert said[1:] == ["['a', 'check', 'one']", "def one(x):"]
