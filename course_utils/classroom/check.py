"""Check an exercise: one line, never an exception, a sentence for each typical mistake.

An ``Exercise`` says what is right by a reference (a library or a formula, never the
solution's text) and what goes wrong by small wrong functions, each with the sentence
that helps. An attempt that behaves like a wrong function on every case gets its
sentence; one that is wrong in its own way is shown the first case that differs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from course_utils.classroom import session
from course_utils.classroom.show import visible


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer: the sentence for it and a function that makes it."""

    sentence: str
    function: Callable


@dataclass(frozen=True)
class Exercise:
    """What ``check`` needs to know about one exercise.

    Attributes:
        id: notebook and number, ``"1.3"``.
        title: what the learner builds.
        cases: argument tuples, worked by hand first, then awkward ones.
        reference: returns the right result for a case.
        mistakes: typical wrong answers, most likely first.
        properties: sentences with a predicate on the attempt that must hold as well.
    """

    id: str
    title: str
    cases: Sequence[tuple]
    reference: Callable
    mistakes: Sequence[Mistake] = ()
    properties: Sequence[tuple[str, Callable[[Callable], bool]]] = ()


@dataclass(frozen=True)
class Verdict:
    """The state of an exercise: ``"not started"``, ``"correct"`` or ``"wrong"``."""

    state: str
    sentence: str = ""


def _text(value: object, form: Callable[[object], str]) -> str:
    try:
        return form(value)
    except Exception:  # a learner's class may fail at anything
        return f"<{type(value).__name__} that cannot be shown>"


class _Raised:
    """An exception as a result, equal to another of the same type."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        return f"{type(self.error).__name__}: {_text(self.error, str)}"


def same(left: object, right: object, tolerance: float = 1e-6) -> bool:
    """Whether two results are equal, numbers within a tolerance, arrays by value.

    >>> same([1.0, {"a": 2}], (1.0000000001, {"a": 2}))
    True
    >>> same(True, 1), same("1", 1)
    (False, False)
    """
    try:
        return _same(left, right, tolerance)
    except Exception:  # a comparison that fails, a list in itself, a huge number
        return left is right


def _same(left: object, right: object, tolerance: float) -> bool:
    if isinstance(left, _Raised) or isinstance(right, _Raised):
        both = isinstance(left, _Raised) and isinstance(right, _Raised)
        return both and type(left.error) is type(right.error)
    if hasattr(left, "tolist") and hasattr(right, "tolist"):
        shapes = (getattr(left, "shape", ()), getattr(right, "shape", ()))
        return tuple(shapes[0]) == tuple(shapes[1]) and same(
            left.tolist(), right.tolist(), tolerance
        )
    if hasattr(left, "tolist") or hasattr(right, "tolist"):
        left = left.tolist() if hasattr(left, "tolist") else left
        right = right.tolist() if hasattr(right, "tolist") else right
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int) and isinstance(right, int):
        return left == right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        close = math.isclose(left, right, rel_tol=tolerance, abs_tol=tolerance)
        return close or (math.isnan(left) and math.isnan(right))
    if isinstance(left, str) or isinstance(right, str):
        return type(left) is type(right) and left == right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(
            same(left[key], right[key], tolerance) for key in left
        )
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(
            same(a, b, tolerance) for a, b in zip(left, right, strict=True)
        )
    if type(left) is not type(right):
        return False
    equal = left == right
    return bool(equal.all(axis=None)) if hasattr(equal, "all") else bool(equal)


def _run(function: Callable, arguments: tuple) -> object:
    try:
        return function(*copy.deepcopy(arguments))
    except NotImplementedError:
        raise
    except (Exception, SystemExit) as error:  # the learner's error is a result too
        return _Raised(error)


def _short(value: object, limit: int = 90) -> str:
    text = visible(_text(value, repr))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _changes_its_input(function: Callable, arguments: tuple) -> bool:
    mine = copy.deepcopy(arguments)
    try:
        function(*mine)
    except (Exception, SystemExit):
        return False
    return not all(
        same(after, before)
        for after, before in zip(mine, arguments, strict=True)
        if isinstance(before, (list, dict)) or hasattr(before, "tolist")
    )


def judge(exercise: Exercise, attempt: object) -> Verdict:
    """Judge an attempt without printing; never raises.

    Args:
        exercise: the exercise.
        attempt: the learner's function, or ``...`` for an open one.
    """
    if attempt is ... or attempt is None:
        return Verdict("not started")
    if not callable(attempt):
        return Verdict(
            "wrong", f"pass the function itself, not {_short(attempt)} (no brackets)"
        )
    try:
        got = [_run(attempt, case) for case in exercise.cases]
    except NotImplementedError:
        return Verdict("not started")
    wanted = [_run(exercise.reference, case) for case in exercise.cases]
    if all(map(same, got, wanted)):
        for case in exercise.cases:
            if _changes_its_input(attempt, case):
                return Verdict(
                    "wrong",
                    "the result is right, but the argument was changed: "
                    "work on a copy, others still need the original",
                )
        for sentence, holds in exercise.properties:
            try:
                if not holds(attempt):
                    return Verdict("wrong", sentence)
            except Exception as error:
                return Verdict("wrong", f"{sentence} ({_short(_Raised(error))})")
        return Verdict("correct")
    if all(result is None for result in got):
        return Verdict("wrong", "the function returns None: is the return missing?")
    for mistake in exercise.mistakes:
        if all(
            same(a, _run(mistake.function, case))
            for a, case in zip(got, exercise.cases, strict=True)
        ):
            return Verdict("wrong", mistake.sentence)
    for case, result, want in zip(exercise.cases, got, wanted, strict=True):
        if not same(result, want):
            inputs = ", ".join(_short(argument, 60) for argument in case)
            return Verdict(
                "wrong", f"for ({inputs}) it gives {_short(result)}, not {_short(want)}"
            )
    raise AssertionError("unreachable: some case differs")


def exercises() -> dict[str, Exercise]:
    """Every exercise of every notebook, by its id."""
    from course_utils.classroom import checks

    found: dict[str, Exercise] = {}
    for module in iter_modules(checks.__path__):
        for exercise in import_module(f"{checks.__name__}.{module.name}").EXERCISES:
            if exercise.id in found:
                raise ValueError(f"two exercises are called {exercise.id}")
            found[exercise.id] = exercise
    return found


def _find(exercise_id: str) -> Exercise | None:
    """Load only the checks of the notebook at hand: others may need heavy libraries."""
    from course_utils.classroom import checks

    topic = session.current.stem.partition("_")[2]
    names = {module.name for module in iter_modules(checks.__path__)}
    if topic in names:
        for exercise in import_module(f"{checks.__name__}.{topic}").EXERCISES:
            if exercise.id == exercise_id:
                return exercise
    return exercises().get(exercise_id)


def check(exercise_id: str, attempt: object = ...) -> None:
    """Check an attempt and print one line; never raises.

    ``[ ] 1.1 not started`` · ``[✓] 1.1 correct`` · ``[✗] 1.1 what to look at``
    """
    exercise = _find(exercise_id)
    if exercise is None:
        known = ", ".join(sorted(exercises()))
        name = visible(str(exercise_id))
        print(f"[✗] {name} is no exercise of this course. Known: {known}")
        return
    verdict = judge(exercise, attempt)
    session.current.exercises[exercise_id] = verdict.state == "correct"
    mark = {"not started": " ", "correct": "✓", "wrong": "✗"}[verdict.state]
    print(f"[{mark}] {exercise_id} {verdict.sentence or verdict.state}")
