"""The machinery behind ``check``: one line, never an exception."""

import importlib
import io
import sys
import threading
import time
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch

from course_utils.classroom import check, session
from course_utils.classroom.check import Exercise, Mistake, exercises, judge, same
from tests.classroom.test_show import assert_printable, hostile

machinery = importlib.import_module("course_utils.classroom.check")

DOUBLE = Exercise(
    id="9.1",
    title="Double a number",
    cases=[(1,), (3,), (0,)],
    reference=lambda x: 2 * x,
    mistakes=[
        Mistake("twice means times two, not plus two", lambda x: x + 2),
        Mistake("the number itself came back", lambda x: x),
    ],
)


@pytest.fixture(autouse=True)
def fresh_session():
    session.current.__init__(stem="01_tokenization")
    yield
    session.current.__init__()


def judged(attempt, exercise=DOUBLE):
    verdict = judge(exercise, attempt)
    return verdict.state, verdict.sentence


def exercise_for(result):
    """An exercise whose only right answer is this result."""
    return Exercise("9.2", "Return it", [(1,)], lambda x: result)


# -- when two results are the same -----------------------------------------------------


@pytest.mark.parametrize(
    "left, right",
    [
        (1, 1.0),
        (1.0, 1.0000000001),
        (float("nan"), float("nan")),
        ([1, 2], (1, 2)),
        ({"a": [1.0]}, {"a": (1,)}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (np.array([1.0, 2.0]), [1, 2]),
        (np.array([1.0]), torch.tensor([1.0])),
        (torch.ones(2, requires_grad=True), np.ones(2)),
        (np.float32(0.5), 0.5),
        (np.True_, True),
        (b"ab", b"ab"),
        ({1, 2}, {2, 1}),
        (None, None),
        (10**400, 10**400),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_results_of_equal_value_are_the_same(left, right):
    assert same(left, right) is True
    assert same(right, left) is True


@pytest.mark.parametrize(
    "left, right",
    [
        (1, 2),
        (True, 1),
        (0, False),
        ("1", 1),
        ("a", b"a"),
        ([1, 2], [1, 2, 3]),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 1, "b": 2}),
        (np.ones((2, 3)), np.ones((3, 2))),
        (np.ones((1, 2)), np.ones(2)),
        (None, 0),
        ([], None),
        ({1}, [1]),
        (float("nan"), 1.0),
        (float("inf"), float("-inf")),
        (10**400, 1.0),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_results_of_another_value_or_kind_are_not(left, right):
    assert same(left, right) is False
    assert same(right, left) is False


def test_the_tolerance_can_be_widened():
    assert not same(1.0, 1.01)
    assert same(1.0, 1.01, tolerance=0.1)


# -- the verdict -----------------------------------------------------------------------


@pytest.mark.parametrize("attempt", [..., None])
def test_an_open_exercise_is_not_started(attempt):
    assert judged(attempt) == ("not started", "")


def test_the_stub_is_not_started():
    def stub(x):
        raise NotImplementedError("your code here")

    assert judged(stub) == ("not started", "")


def test_a_right_function_is_correct():
    assert judged(lambda x: x + x) == ("correct", "")


@pytest.mark.parametrize("mistake", DOUBLE.mistakes, ids=lambda m: m.sentence)
def test_a_typical_mistake_gets_its_sentence(mistake):
    assert judged(mistake.function) == ("wrong", mistake.sentence)


def test_another_mistake_is_shown_the_first_case_that_differs():
    assert judged(lambda x: 2 if x == 1 else 7) == (
        "wrong",
        "for (3) it gives 7, not 6",
    )


def test_an_error_of_the_learner_is_a_result_like_any_other():
    state, sentence = judged(lambda x: 2 // (x - x))
    assert state == "wrong"
    assert sentence.startswith("for (1) it gives ZeroDivisionError: ")
    assert sentence.endswith(", not 2")


def test_the_error_that_is_asked_for_is_right():
    strict = Exercise("9.3", "Refuse", [("x",)], lambda x: int(x))

    def refuse(x):
        raise ValueError("another sentence")

    assert judged(refuse, strict) == ("correct", "")


def test_a_function_called_too_early_is_recognised():
    state, sentence = judged(2)
    assert (state, sentence) == (
        "wrong",
        "pass the function itself, not 2 (no brackets)",
    )


def test_a_missing_return_is_recognised():
    assert judged(lambda x: None) == (
        "wrong",
        "the function returns None: is the return missing?",
    )


def test_the_wrong_number_of_arguments_is_said():
    state, sentence = judged(lambda: 1)
    assert state == "wrong" and "TypeError" in sentence


def test_a_function_that_changes_its_argument_is_told_so():
    total = Exercise("9.4", "Sum", [([1, 2, 3],)], sum)

    def popping(numbers):
        result = 0
        while numbers:
            result += numbers.pop()
        return result

    state, sentence = judged(popping, total)
    assert state == "wrong" and "the argument was changed" in sentence


def test_an_array_that_is_changed_is_noticed_too():
    def in_place(x):
        x *= 2
        return x

    twice = Exercise("9.5", "Double", [(np.ones(2),)], lambda x: 2 * x)
    state, sentence = judged(in_place, twice)
    assert state == "wrong" and "the argument was changed" in sentence


def test_the_cases_survive_an_attempt_that_changes_them():
    exercise = Exercise("9.6", "Sort", [([3, 1],)], sorted)
    judge(exercise, lambda numbers: numbers.sort())
    assert exercise.cases == [([3, 1],)]


def test_a_property_must_hold_as_well():
    exercise = Exercise(
        *("9.7", "Add", [(1, 2)], lambda a, b: a + b),
        properties=[("the order does not matter", lambda f: f(5, 9) == f(9, 5))],
    )
    assert judged(lambda a, b: a + b, exercise) == ("correct", "")
    wrong = {(1, 2): 3, (5, 9): 1, (9, 5): 2}
    assert judged(lambda a, b: wrong[a, b], exercise) == (
        *("wrong", "the order does not matter"),
    )


def test_an_error_in_a_property_is_part_of_the_sentence():
    exercise = Exercise(
        *("9.8", "Add", [(1, 2)], lambda a, b: a + b),
        properties=[("zero is allowed", lambda f: f(0, 0) == 0)],
    )
    assert judged(lambda a, b: {(1, 2): 3}[a, b], exercise) == (
        *("wrong", "zero is allowed (KeyError: (0, 0))"),
    )


def test_a_set_that_is_changed_is_noticed_too():
    def emptying(names):
        return {names.pop() for _ in range(len(names))}

    keep = Exercise("9.5", "Copy", [({"a", "b"},)], lambda names: names)
    state, sentence = judged(emptying, keep)
    assert state == "wrong" and "the argument was changed" in sentence


def test_a_change_inside_a_dictionary_of_lists_is_noticed():
    def growing(table):
        table["a"].append(0)
        return 1

    count = Exercise("9.5", "Count", [({"a": [1]},)], lambda table: len(table))
    state, sentence = judged(growing, count)
    assert state == "wrong" and "the argument was changed" in sentence


def test_what_is_there_to_be_changed_may_change():
    class Box:
        number = 0

    def put(box):
        box.number += 1
        return box.number

    fill = Exercise("9.5", "Fill", [(Box(),)], lambda box: 1)
    assert judged(put, fill) == ("correct", "")


@pytest.mark.parametrize(
    "attempt",
    [
        lambda x: (n for n in [2 * x]),
        lambda x: map(int, [2 * x]),
        lambda x: (iter(()),),
    ],
    ids=["generator", "map", "inside a tuple"],
)
def test_a_generator_is_told_to_be_made_a_list(attempt):
    state, sentence = judged(attempt)
    assert state == "wrong" and "make it a list" in sentence
    assert "0x" not in sentence


def test_the_filters_of_a_learner_decide_no_verdict():
    def warning(x):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return 2 * x

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert judged(warning) == ("correct", "")
        exercise = Exercise("9.1", "Double", DOUBLE.cases, warning)
        assert judged(lambda x: 2 * x, exercise) == ("correct", "")


def test_a_long_result_is_cut():
    _, sentence = judged(lambda x: "y" * 10_000)
    assert len(sentence) < 150 and "…" in sentence


# -- never an exception ----------------------------------------------------------------


class Rude:
    """A result or an error that fails whatever one asks of it."""

    def __repr__(self, *others):
        raise RuntimeError("no")

    __str__ = __eq__ = __bool__ = __len__ = __repr__
    __hash__ = None


class RudeError(Exception):
    def __str__(self):
        raise RuntimeError("no")


def raise_rudely(x):
    raise RudeError


def endless(x):
    return endless(x)


LOOP = []
LOOP.append(LOOP)


NASTY = {
    "a result that cannot be printed": lambda x: Rude(),
    "an error that cannot be printed": raise_rudely,
    "something that cannot be printed": Rude(),
    "a very large number": lambda x: 10**400,
    "a list in itself": lambda x: LOOP,
    "an endless recursion": endless,
    "a table": lambda x: pd.DataFrame([x]),
    "an array": np.zeros(3),
    "a generator": lambda x: (i for i in [x]),
    "a function that wants to leave": lambda x: sys.exit(3),
    "a class": Rude,
}


@pytest.mark.parametrize("attempt", NASTY.values(), ids=NASTY.keys())
def test_no_attempt_breaks_the_check(attempt):
    state, sentence = judged(attempt)
    assert state == "wrong" and sentence
    assert_printable(sentence)


@pytest.mark.parametrize(
    "result",
    [pd.DataFrame([1]), LOOP, 10**400, Rude()],
    ids=["table", "loop", "n", "rude"],
)
def test_no_expected_result_breaks_the_check(result):
    assert judged(lambda x: result, exercise_for(result))[0] in ("correct", "wrong")


@hostile
def test_hostile_results_and_errors_are_printed_as_text(text):
    def fail(x):
        raise ValueError(text)

    for attempt in (lambda x: text, fail, text):
        assert_printable(judged(attempt)[1])


# -- a time limit ----------------------------------------------------------------------


@pytest.fixture
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(machinery, "SECONDS", 0.2)


def without_progress(x):
    i = 0
    while i < x:
        continue
    return 2 * x


def catching_everything(x):
    while x:
        try:
            x * x
        except:  # noqa: E722
            pass
    return 0


ENDLESS = {
    "nothing changes": without_progress,
    "an except that catches everything": catching_everything,
    "an endless generator that is summed": lambda x: sum(1 for _ in iter(int, 1)),
}


@pytest.mark.parametrize("attempt", ENDLESS.values(), ids=ENDLESS.keys())
def test_a_function_that_does_not_end_is_stopped(in_a_hurry, attempt):
    begun, threads = time.monotonic(), threading.active_count()
    assert judged(attempt) == (
        *("wrong", "for (1) it does not end: what changes in the loop?"),
    )
    time.sleep(0.05)
    assert time.monotonic() - begun < 30
    assert threading.active_count() <= threads  # nobody goes on counting


def test_the_case_that_does_not_end_is_named(in_a_hurry):
    _, sentence = judged(lambda x: without_progress(x) if x == 3 else 2 * x)
    assert sentence.startswith("for (3) it does not end")


def test_a_time_limit_holds_outside_the_main_thread_as_well(in_a_hurry):
    found = []
    thread = threading.Thread(target=lambda: found.append(judged(without_progress)))
    thread.start()
    thread.join(10)
    assert "does not end" in found[0][1]


def test_a_property_has_a_time_limit_too(in_a_hurry):
    exercise = Exercise(
        *("9.8", "Double", [(0,)], lambda x: 2 * x),
        properties=[("two is doubled", lambda f: f(2) == 4)],
    )
    assert judged(without_progress, exercise) == (
        *("wrong", "two is doubled (it does not end)"),
    )


def test_an_interrupt_of_the_learner_passes():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(DOUBLE, interrupted)


# -- check: one printed line -----------------------------------------------------------


@pytest.fixture
def printed(monkeypatch, capsys):
    """What ``check`` prints when the course has one exercise."""
    monkeypatch.setattr(machinery, "_find", {"9.1": DOUBLE}.get)
    monkeypatch.setattr(machinery, "exercises", lambda: {"9.1": DOUBLE})

    def run(*arguments):
        assert check(*arguments) is None
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize(
    "attempt, line",
    [
        (..., "[ ] 9.1 not started\n"),
        (lambda x: x + x, "[✓] 9.1 correct\n"),
        (lambda x: x, "[✗] 9.1 the number itself came back\n"),
    ],
    ids=["open", "right", "wrong"],
)
def test_a_check_prints_one_line(printed, attempt, line):
    assert printed("9.1", attempt) == line


def test_a_check_without_an_attempt_is_not_started(printed):
    assert printed("9.1") == "[ ] 9.1 not started\n"


def test_the_session_remembers_what_is_solved(printed):
    printed("9.1", lambda x: x)
    assert session.current.exercises == {"9.1": False}
    printed("9.1", lambda x: x + x)
    assert session.current.exercises == {"9.1": True}


def test_an_unknown_exercise_is_answered_with_the_known_ones(printed):
    assert printed("9.9") == "[✗] 9.9 is no exercise of this course. Known: 9.1\n"
    assert session.current.exercises == {}


@hostile
def test_a_hostile_name_of_an_exercise_is_printed_as_text(printed, text):
    assert_printable(printed(text))


@pytest.mark.parametrize("name", [1.1, ["1.1"], None, ...], ids=repr)
def test_a_name_that_is_no_text_is_unknown(printed, name):
    assert "is no exercise of this course" in printed(name)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8", "shift_jis", None])
@pytest.mark.parametrize("result", ["日本 🎉", "\ud800", "\x00é", "plain"], ids=ascii)
def test_no_console_breaks_the_check(monkeypatch, encoding, result):
    monkeypatch.setattr(machinery, "_find", {"9.1": DOUBLE}.get)
    raw = io.BytesIO()
    console = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", console)
    check("9.1", lambda x: x + x)
    check("9.1", lambda x: result)
    console.flush()
    right, wrong = raw.getvalue().decode(console.encoding).splitlines()
    marks = "✓✗" if encoding in ("utf-8", None) else "+-"
    assert right == f"[{marks[0]}] 9.1 correct"
    assert wrong.startswith(f"[{marks[1]}] 9.1 for (1) it gives '")
    assert wrong.endswith("', not 2")


def test_a_console_that_is_not_there_breaks_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    check("1.1")


# -- finding the exercises -------------------------------------------------------------


def test_every_exercise_is_found_by_its_number():
    found = exercises()
    assert all(key == exercise.id for key, exercise in found.items())
    assert {"1.1", "1.2"} <= set(found)


def test_two_exercises_of_one_number_are_refused(monkeypatch):
    twice = type(sys)("twice")
    twice.EXERCISES = [DOUBLE, DOUBLE]
    monkeypatch.setattr(machinery, "import_module", lambda name: twice)
    with pytest.raises(ValueError, match=r"two exercises are called 9\.1"):
        exercises()


def test_a_lesson_loads_the_checks_of_its_own_notebook_only(monkeypatch, capsys):
    loaded = []

    def watching(name):
        loaded.append(name.rpartition(".")[2])
        return importlib.import_module(name)

    monkeypatch.setattr(machinery, "import_module", watching)
    check("1.1")
    assert loaded == ["tokenization"]
    assert capsys.readouterr().out == "[ ] 1.1 not started\n"
