"""A guess is kept before the result is seen, and compared with it."""

import importlib

import pytest

from course_utils.classroom import predict, reveal, scorecard, session
from tests.classroom.test_show import assert_printable, hostile, visible

widgets = importlib.import_module("course_utils.classroom.widgets")


@pytest.fixture(autouse=True)
def fresh_session(monkeypatch):
    monkeypatch.setenv("COURSE_STATIC", "1")
    session.current.__init__(stem="01_tokenization")
    yield
    session.current.__init__()


@pytest.fixture
def printed(capsys):
    """What was printed since the last look, as lines."""
    return lambda: capsys.readouterr().out.splitlines()


# -- asking ----------------------------------------------------------------------------


def test_a_question_with_choices_is_printed(printed):
    predict("dice", "How many faces?", ["4", "6"])
    assert printed() == [
        "Predict · How many faces?",
        "  choices: 4 | 6",
        "  your guess: none yet",
    ]


def test_a_question_for_a_number_says_how_near_is_near_enough(printed):
    predict("cosine", "Which cosine?", guess=0.5, tolerance=0.05)
    assert printed() == [
        "Predict · Which cosine?",
        "  a number, right within ±0.05",
        "  your guess: 0.5",
    ]


def test_a_guess_that_is_none_of_the_choices_is_refused():
    with pytest.raises(ValueError, match="guess '5' is none of the choices"):
        predict("dice", "How many faces?", ["4", "6"], guess="5")


@pytest.mark.parametrize("guess", ["many", [1], {}])
def test_a_guess_that_is_no_number_is_refused(guess):
    with pytest.raises(ValueError, match="guess a number, not"):
        predict("cosine", "Which cosine?", guess=guess)


def test_a_guess_that_can_never_be_right_is_refused():
    with pytest.raises(ValueError, match="guess a number, not nan"):
        predict("cosine", "Which cosine?", guess=float("nan"))


def test_a_refused_guess_keeps_no_question():
    with pytest.raises(ValueError):
        predict("dice", "How many faces?", ["4", "6"], guess="5")
    assert session.current.predictions == {}


# -- the result ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "guess, verdict",
    [("6", "your guess: 6 · right"), ("4", "your guess: 4 · not this time")],
)
def test_a_choice_is_right_or_not(printed, guess, verdict):
    predict("dice", "How many faces?", ["4", "6"], guess=guess)
    printed()
    reveal("dice", "6")
    assert printed() == [f"  measured: 6 · {verdict}"]


def test_without_a_guess_the_result_is_shown_all_the_same(printed):
    predict("dice", "How many faces?", ["4", "6"])
    printed()
    reveal("dice", 6)
    assert printed() == ["  measured: 6 · you made no guess"]


@pytest.mark.parametrize(
    "guess, measured, right",
    [
        (0.5, 0.55, True),
        (0.5, 0.65, False),
        ("0.5", 0.45, True),
        (0, 0.05, True),
        (0.8, 0.7, True),
        (0.7, 0.8, True),
        (0.3, 0.4, True),
        (0.8, 0.69, False),
    ],
)
def test_a_number_is_right_within_the_tolerance(guess, measured, right):
    predict("cosine", "Which cosine?", guess=guess, tolerance=0.1)
    reveal("cosine", measured)
    assert session.current.predictions["cosine"].right is right


def test_a_result_that_was_no_choice_is_refused():
    predict("dice", "How many faces?", ["4", "6"])
    with pytest.raises(ValueError, match=r"measured '8' is none of the choices"):
        reveal("dice", "8")


def test_a_result_that_is_no_number_is_refused_and_reveals_nothing():
    predict("cosine", "Which cosine?", guess=0.5)
    with pytest.raises(ValueError, match="measured 'high' is no number"):
        reveal("cosine", "high")
    assert not session.current.predictions["cosine"].revealed


def test_a_result_without_a_question_names_the_cell_to_run():
    with pytest.raises(KeyError, match="'dice': run its predict cell first"):
        reveal("dice", "6")


def test_asking_again_begins_anew(printed):
    predict("dice", "How many faces?", ["4", "6"], guess="4")
    reveal("dice", "6")
    predict("dice", "How many faces?", ["4", "6"], guess="6")
    assert session.current.predictions["dice"].right is None


# -- the scorecard ---------------------------------------------------------------------


def test_the_scorecard_sets_guesses_beside_results(printed):
    predict("a", "First?", ["x", "y"], guess="x")
    predict("b", "Second?", guess=1.0)
    predict("c", "Third?", ["x", "y"])
    predict("d", "Fourth?", ["x", "y"], guess="x")
    reveal("a", "x")
    reveal("b", 2.0)
    reveal("c", "y")
    printed()
    scorecard()
    assert printed() == [
        "Predictions: 1 right of 2 made, 4 asked",
        "  [✓] First? → x",
        "  [✗] Second? → 2.0",
        "  [ ] Third? → y",
        "  [ ] Fourth? → not measured yet",
    ]


def test_the_scorecard_counts_the_exercises(printed):
    session.current.exercises.update({"1.1": True, "1.2": False, "1.3": True})
    scorecard()
    assert printed() == [
        "Predictions: 0 right of 0 made, 0 asked",
        "Exercises: 2 of 3 solved",
    ]


# -- clicking instead of typing --------------------------------------------------------


@pytest.fixture
def buttons(monkeypatch):
    """The buttons that a person would see, by their text."""
    shown = []
    monkeypatch.setenv("COURSE_STATIC", "0")
    monkeypatch.setattr("IPython.display.display", lambda *parts: shown.extend(parts))
    return lambda: {
        child.description: child
        for box in shown
        for child in box.children
        if hasattr(child, "click")
    }


def test_a_click_is_a_guess(buttons):
    predict("dice", "How many faces?", ["4", "6"])
    assert list(buttons()) == ["4", "6"]
    buttons()["6"].click()
    reveal("dice", "6")
    assert session.current.predictions["dice"].right is True


def test_a_click_after_the_result_changes_nothing(buttons):
    predict("dice", "How many faces?", ["4", "6"], guess="4")
    reveal("dice", "6")
    buttons()["6"].click()
    assert session.current.predictions["dice"].guess == "4"


def test_a_number_has_no_buttons(buttons):
    predict("cosine", "Which cosine?")
    assert buttons() == {}


def test_nobody_at_the_keyboard_sees_no_buttons(buttons, monkeypatch):
    monkeypatch.setenv("COURSE_STATIC", "1")
    predict("dice", "How many faces?", ["4", "6"])
    assert buttons() == {}


# -- text from anyone ------------------------------------------------------------------


@hostile
def test_hostile_questions_guesses_and_results_are_printed_as_text(text, capsys):
    predict("k", text, [text, "other"], guess=text)
    reveal("k", text)
    scorecard()
    shown = capsys.readouterr().out
    assert_printable(shown)
    assert shown.count(visible(text)) >= 5
