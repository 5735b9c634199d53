"""Questions with a reason for every choice, readable without a kernel."""

import re
from importlib import import_module
from pkgutil import iter_modules

import pytest

from course_utils.classroom import Quiz, quiz, quizzes, session
from course_utils.classroom.quizzes import tokenization
from tests.classroom.test_show import (
    Reader,
    assert_inert,
    assert_printable,
    hostile,
)

TOPICS = [module.name for module in iter_modules(quizzes.__path__)]
SUM = Quiz("2 + 2?", {"4": "Count.", "5": "One too many."}, "4")


@pytest.fixture(autouse=True)
def fresh_session():
    session.current.__init__()
    yield
    session.current.__init__()


# -- one question ----------------------------------------------------------------------


def test_the_text_form_has_choices_and_reasons():
    assert repr(SUM).splitlines() == [
        "Quiz: 2 + 2?",
        "  A. 4",
        "  B. 5",
        "  Reasons: A right: Count. / B no: One too many.",
    ]


def test_each_answer_is_closed_until_it_is_opened():
    html = SUM._repr_html_()
    assert Reader(html).tags.count("details") == 2
    assert "open" not in [name for name, _ in Reader(html).attributes]


def test_an_opened_answer_says_whether_it_is_right_and_why():
    answers = re.findall(r"<details.*?</details>", SUM._repr_html_(), re.DOTALL)
    texts = [Reader(answer).text for answer in answers]
    assert texts == ["A. 4✓ Right. Count.", "B. 5✗ No. One too many."]


def test_the_closed_question_does_not_tell_the_answer():
    summaries = re.findall(r"<summary[^>]*>.*?</summary>", SUM._repr_html_())
    shapes = {re.sub(r">.*<", "><", summary) for summary in summaries}
    assert len(summaries) == 2 and len(shapes) == 1


def test_the_page_needs_no_script():
    assert_inert(SUM._repr_html_())


@pytest.mark.parametrize(
    "choices, correct, reason",
    [
        ({}, "4", "at least two choices"),
        ({"4": "Count."}, "4", "at least two choices"),
        ({"4": "Count.", "5": "No."}, "6", r"'6' is none of the choices \['4', '5'\]"),
        ({"4": "Count.", "5": " "}, "4", "give a reason for '5'"),
    ],
)
def test_a_broken_question_is_refused(choices, correct, reason):
    with pytest.raises(ValueError, match=reason):
        Quiz("2 + 2?", choices, correct)


def test_no_choice_is_dropped_in_silence():
    """There are letters for eight."""
    choices = {str(number): "Because." for number in range(9)}
    with pytest.raises(ValueError, match="at most eight"):
        Quiz("Which?", choices, "8")


def test_later_changes_of_the_choices_do_not_change_the_question():
    choices = {"4": "Count.", "5": "No."}
    question = Quiz("2 + 2?", choices, "4")
    choices.clear()
    assert "A. 4" in repr(question)


@hostile
def test_hostile_text_in_a_question_is_inert(text):
    question = Quiz(text, {text: text, "other": text}, text)
    assert_inert(question._repr_html_(), text)
    assert_printable(repr(question))


# -- the questions of a notebook -------------------------------------------------------


def test_a_notebook_shows_its_own_questions():
    session.current.stem = "01_tokenization"
    assert quiz().parts == tokenization.QUESTIONS


def test_without_a_lesson_there_is_no_quiz():
    with pytest.raises(RuntimeError, match=r"run the cell with start\(...\) first"):
        quiz()


def test_a_notebook_without_questions_says_so():
    session.current.stem = "99_nothing"
    with pytest.raises(RuntimeError, match="nothing has no quiz"):
        quiz()


@pytest.mark.parametrize("topic", TOPICS)
def test_every_question_of_the_course_is_well_made(topic):
    questions = import_module(f"{quizzes.__name__}.{topic}").QUESTIONS
    assert 3 <= len(questions) <= 5
    for question in questions:
        assert 3 <= len(question.choices) <= 4
        assert all(len(reason.split()) >= 3 for reason in question.choices.values())
        assert_inert(question._repr_html_())
        assert_printable(repr(question))
