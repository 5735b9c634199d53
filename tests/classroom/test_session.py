"""The beginning of a lesson: fresh, seeded, quiet."""

import random
import subprocess
import sys
import warnings
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest

from course_utils.classroom import session
from course_utils.classroom.predict import Prediction
from course_utils.classroom.session import SEED, start


@pytest.fixture(autouse=True)
def one_lesson():
    """Give back what a lesson sets for the whole process."""
    state, numbers = random.getstate(), np.random.get_state()
    with matplotlib.rc_context(), pd.option_context("display.width", 80):
        yield
    session.current.__init__()
    random.setstate(state)
    np.random.set_state(numbers)


def test_who_waits_sees_a_line_that_goes_away_and_nothing_is_stored(
    capsys, monkeypatch
):
    session.progress(1, 2)
    assert capsys.readouterr().out == ""  # a build or a test: nobody waits
    monkeypatch.delenv("COURSE_STATIC")
    session.progress(1, 2, "part")
    session.progress(2, 2, "part")
    seen = capsys.readouterr().out
    assert seen == "\rpart 1 of 2\rpart 2 of 2\r" + " " * 11 + "\r"


def test_a_lesson_begins_with_one_fixed_line(capsys):
    start("01_tokenization")
    assert capsys.readouterr() == ("01 tokenization: ready\n", "")


def test_the_line_reads_as_words(capsys):
    start("08_failures")
    assert capsys.readouterr().out == "08 failures: ready\n"


def test_a_lesson_without_its_folder_shows_the_picture(capsys, monkeypatch):
    """As on Colab; the package brings a copy."""
    shown = []
    monkeypatch.setattr(
        "course_utils.classroom.session.pipeline", lambda topic: f"of {topic}"
    )
    monkeypatch.setattr("IPython.display.display", shown.append)
    start("01_tokenization")
    assert shown == ["of tokenization"]
    assert capsys.readouterr().out == "01 tokenization: ready\n"


def test_the_lesson_knows_which_notebook_it_is():
    start("05_pooling")
    assert session.current.stem == "05_pooling"


def test_the_session_is_still_the_one_that_others_hold():
    before = session.current
    start("05_pooling")
    assert session.current is before


def test_a_new_lesson_forgets_the_old_one():
    session.current.predictions["k"] = Prediction("q?", None, 0.1)
    session.current.exercises["1.1"] = True
    start("01_tokenization")
    assert session.current.predictions == {} and session.current.exercises == {}


def test_every_lesson_draws_the_same_numbers():
    drawn = []
    for _ in range(2):
        start("01_tokenization")
        drawn.append((random.random(), float(np.random.rand())))
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    "stem",
    ["", "tokenization", "01", "01_", "_tokenization", "01-tokenization", "01_a b"],
)
def test_a_name_of_another_form_is_refused(stem):
    with pytest.raises(ValueError, match="takes a name such as '01_tokenization', not"):
        start(stem)


def test_a_refused_name_leaves_the_session_alone():
    start("01_tokenization")
    with pytest.raises(ValueError):
        start("nonsense")
    assert session.current.stem == "01_tokenization"


def test_figures_get_the_style_of_the_course():
    matplotlib.rcParams["figure.figsize"] = (1, 1)
    start("01_tokenization")
    assert matplotlib.rcParams["figure.figsize"] == [6, 3.5]


def test_libraries_stay_quiet_about_the_future():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        start("01_tokenization")
        warnings.warn("soon", FutureWarning, stacklevel=1)
        warnings.warn("gone", DeprecationWarning, stacklevel=1)
        warnings.warn("look here", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in heard] == ["look here"]


def test_torch_is_seeded_and_gets_fixed_threads_where_it_is_in_use(monkeypatch):
    called = {}
    torch = SimpleNamespace(
        manual_seed=lambda seed: called.update(seed=seed),
        set_num_threads=lambda count: called.update(threads=count),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    start("01_tokenization")
    assert called["seed"] == SEED
    assert called["threads"] in (1, 2)


def test_a_lesson_loads_neither_torch_nor_transformers():
    code = (
        "import sys\n"
        "from course_utils.classroom import start\n"
        "start('01_tokenization')\n"
        "print({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["01 tokenization: ready", "set()"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    "value, expected", [(None, True), ("", True), ("0", True), ("1", False)]
)
def test_a_person_may_move_things_unless_nobody_is_there(monkeypatch, value, expected):
    if value is None:
        monkeypatch.delenv("COURSE_STATIC", raising=False)
    else:
        monkeypatch.setenv("COURSE_STATIC", value)
    assert session.live() is expected


# -- the picture -----------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with its pictures, and an empty folder to work in."""
    monkeypatch.setattr("course_utils.corpora.reading._PACKAGE", tmp_path)
    (tmp_path / "_data" / "images").mkdir(parents=True)
    text = '<svg xmlns="http://www.w3.org/2000/svg"><title>The pipeline</title></svg>'
    (tmp_path / "_data" / "images" / "pipeline_lookup.svg").write_text(text, "utf-8")
    folder = tmp_path / "content"
    (folder / "solutions").mkdir(parents=True)
    return folder


def test_a_notebook_without_its_folder_gets_the_picture_of_the_package(installed):
    assert "The pipeline" in session.pipeline("lookup", installed).data


def test_a_picture_that_lies_beside_is_not_shown_twice(installed):
    """Beside the student edition, and one folder up from the solved one."""
    (installed / "images").mkdir()
    (installed / "images" / "pipeline_lookup.svg").write_text("<svg/>", "utf-8")
    assert session.pipeline("lookup", installed) is None
    assert session.pipeline("lookup", installed / "solutions") is None


def test_a_topic_without_a_picture_shows_none(installed):
    assert session.pipeline("nonsense", installed) is None
