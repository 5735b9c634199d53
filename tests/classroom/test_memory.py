"""Guesses and answers outlive a kernel, in one file beside the notebooks."""

import json
import sys
from pathlib import Path

import matplotlib
import pytest

from course_utils.classroom import check, memory, predict, session, start
from course_utils.classroom.memory import my_answer

STEM = "01_tokenization"
CORRECT = "def pair_counts(ids):\n    return 1\n"


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A learner at the keyboard, in a folder of their own."""
    monkeypatch.delenv("COURSE_STATIC", raising=False)
    monkeypatch.delenv("COURSE_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    module = sys.modules["course_utils.classroom.predict"]
    monkeypatch.setattr(module, "_buttons", lambda *_: None)
    monkeypatch.setattr(session, "pipeline", lambda topic: None)
    with matplotlib.rc_context():
        start(STEM)
        yield tmp_path / ".progress" / f"{STEM}.json"
    session.current.__init__()


def restart(capsys):
    """Another kernel begins the same lesson."""
    capsys.readouterr()
    session.current.__init__()
    start(STEM)
    return capsys.readouterr().out


def test_a_guess_survives_a_restart(room, capsys):
    predict("n", "how many?", ["one", "two"], guess="two")
    said = restart(capsys)
    assert "welcome back: solved nothing yet; guesses kept: 1" in said
    predict("n", "how many?", ["one", "two"])
    assert "your guess: two" in capsys.readouterr().out


def test_a_number_survives_as_a_number(room, capsys):
    predict("x", "how large?", guess=0.4)
    restart(capsys)
    predict("x", "how large?")
    assert session.current.predictions["x"].guess == 0.4


def test_a_guess_is_no_answer_to_another_question(room, capsys):
    """A new version of the course asks something else under the same key."""
    predict("n", "how many?", ["one", "two"], guess="two")
    predict("n", "how few?", ["one", "two"])
    assert session.current.predictions["n"].guess is None
    predict("n", "how many?", ["one", "three"])
    assert session.current.predictions["n"].guess is None


def test_a_click_is_kept_like_a_written_guess(room, monkeypatch, capsys):
    clicked = []
    monkeypatch.undo()
    monkeypatch.delenv("COURSE_STATIC", raising=False)
    monkeypatch.chdir(room.parent.parent)
    monkeypatch.setattr(
        "course_utils.classroom.widgets.choose",
        lambda choices, keep: clicked.append(keep),
    )
    predict("n", "how many?", ["one", "two"])
    clicked[0]("one")
    assert memory.guess_for("n", "how many?") == "one"


def attempt(text, folder: Path):
    """A function as a learner would have typed it."""
    path = folder / "typed.py"
    path.write_text(text, encoding="utf-8")
    space = {}
    exec(compile(text, str(path), "exec"), space)
    return next(value for name, value in space.items() if name == "pair_counts")


def test_an_answer_survives_and_a_wrong_one_does_not_replace_it(room, tmp_path):
    memory.keep_answer("1.1", attempt(CORRECT, tmp_path), True)
    wrong = attempt(CORRECT.replace("1", "2"), tmp_path)
    memory.keep_answer("1.1", wrong, False)
    assert memory.answers() == {"1.1": (CORRECT, True)}


def test_a_check_keeps_what_it_has_checked(room, tmp_path, capsys):
    check("1.1", attempt(CORRECT, tmp_path))
    assert memory.answers()["1.1"] == (CORRECT, False)
    check("1.1")  # not started: nothing to keep
    assert memory.answers()["1.1"] == (CORRECT, False)


def test_what_was_solved_counts_again(room, tmp_path, capsys):
    memory.keep_answer("1.1", attempt(CORRECT, tmp_path), True)
    assert "welcome back: solved 1.1" in restart(capsys)
    assert session.current.exercises == {"1.1": True}


def test_an_answer_is_printed_to_be_pasted(room, tmp_path, capsys):
    memory.keep_answer("1.1", attempt(CORRECT, tmp_path), True)
    my_answer("1.1")
    assert capsys.readouterr().out == f"# 1.1, correct\n{CORRECT}\n"
    my_answer("1.2")
    assert "no answer to '1.2' is kept here; kept: 1.1" in capsys.readouterr().out


def test_a_newer_version_of_the_notebooks_leaves_it_alone(room, tmp_path, capsys):
    """It lies in a folder that git ignores."""
    memory.keep_guess("n", "how many?", "one")
    (tmp_path / f"{STEM}.ipynb").write_text("{}", "utf-8")
    assert memory.guess_for("n", "how many?") == "one"
    ignored = Path(__file__).parents[2] / ".gitignore"
    assert ".progress/" in ignored.read_text("utf-8").split()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"form": 9}', '{"form": 1}', "null"])
def test_a_file_that_cannot_be_read_is_set_aside(room, text):
    room.parent.mkdir()
    room.write_text(text, "utf-8")
    assert memory.answers() == {}
    assert not room.exists() and room.with_suffix(".unreadable").exists()
    memory.keep_guess("n", "how many?", "one")
    assert json.loads(room.read_text("utf-8"))["guesses"]


def test_entries_of_another_shape_are_passed_over(room):
    room.parent.mkdir()
    kept = {"form": 1, "guesses": {"n": "one"}, "answers": {"1.1": 3, "1.2": {}}}
    room.write_text(json.dumps(kept), "utf-8")
    assert memory.answers() == {} and memory.guess_for("n", "how many?") is None
    memory.keep_answer("1.1", attempt(CORRECT, room.parent), False)
    assert memory.answers() == {"1.1": (CORRECT, False)}


def test_a_folder_that_cannot_be_written_stops_nobody(room):
    room.parent.write_text("a file stands where the folder would", "utf-8")
    memory.keep_guess("n", "how many?", "one")
    assert memory.guess_for("n", "how many?") is None


def test_a_build_a_test_and_the_solved_edition_keep_nothing(room, monkeypatch):
    solved = room.parent.parent / "solutions"
    solved.mkdir()
    monkeypatch.chdir(solved)
    memory.keep_guess("n", "how many?", "one")
    monkeypatch.chdir(room.parent.parent)
    monkeypatch.setenv("COURSE_STATIC", "1")
    memory.keep_guess("n", "how many?", "one")
    assert not room.exists() and not (solved / ".progress").exists()


def test_the_place_can_be_chosen(room, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "elsewhere"))
    memory.keep_guess("n", "how many?", "one")
    assert (tmp_path / "elsewhere" / f"{STEM}.json").exists()


class Hostile:
    """Callable, and nothing about it can be looked up."""

    def __call__(self, *arguments):
        return 1

    def __getattr__(self, name):
        raise RuntimeError("keep out")


def test_what_has_no_source_is_checked_all_the_same(room, capsys):
    for strange in (len, Hostile(), "text", lambda ids: 1):
        check("1.1", strange)
    assert set(memory.answers()) <= {"1.1"}
    assert capsys.readouterr().out.count("[✗] 1.1 ") == 4
