"""Check an exercise: one line, never an exception, a sentence for each typical mistake.

An ``Exercise`` says what is right by a reference (a library or a formula, never the
solution's text) and what goes wrong by small wrong functions, each with the sentence
that helps. An attempt that behaves like a wrong function on every case gets its
sentence; one that is wrong in its own way is shown the first case that differs.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from course_utils.classroom import memory, session
from course_utils.classroom.limit import DoesNotEnd, within
from course_utils.classroom.results import Raised, difference, same, shown

SECONDS = 10.0  # for one call of a learner's function: a slow machine, a cold library


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
        mistakes: typical wrong answers, most likely first. Each goes wrong in two cases
            or more, and no two agree on all of them: a sentence is only for its own.
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


def _run(function: Callable, arguments: tuple) -> object:
    try:
        return function(*copy.deepcopy(arguments))
    except NotImplementedError:
        raise
    except (Exception, SystemExit) as error:  # the learner's error is a result too
        return Raised(error)


def _limited(attempt: Callable) -> Callable:
    return lambda *arguments: within(SECONDS, attempt, *arguments)


def _given(arguments: tuple) -> str:
    return ", ".join(shown(argument, longest=60) for argument in arguments)


def _changes_its_input(function: Callable, arguments: tuple) -> bool:
    mine = copy.deepcopy(arguments)
    try:
        function(*mine)
    except (Exception, SystemExit):
        return False
    # What equals not even its own copy (a disk, an encoder) is there to be changed.
    return any(
        same(copy.deepcopy(before), before) and not same(after, before)
        for after, before in zip(mine, arguments, strict=True)
    )


def _is_lazy(result: object) -> bool:
    """Whether a result, or a part of it, yields its values once and later."""
    parts = result if isinstance(result, (list, tuple)) else ()
    return any(isinstance(part, Iterator) for part in (result, *parts))


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
            "wrong", f"pass the function itself, not {shown(attempt)} (no brackets)"
        )
    with warnings.catch_warnings():  # no filter of the learner's decides a verdict
        warnings.simplefilter("ignore")
        return _judge(exercise, _limited(attempt))


def _judge(exercise: Exercise, attempt: Callable) -> Verdict:
    got = []
    try:
        for case in exercise.cases:
            got.append(_run(attempt, case))
    except NotImplementedError:
        return Verdict("not started")
    except DoesNotEnd:
        return Verdict(
            "wrong",
            f"for ({_given(exercise.cases[len(got)])}) it does not end: "
            "what changes in the loop?",
        )
    wanted = [_run(exercise.reference, case) for case in exercise.cases]
    if all(map(same, got, wanted)):
        return _judge_the_rest(exercise, attempt)
    return Verdict("wrong", _what_is_wrong(exercise, got, wanted))


def _judge_the_rest(exercise: Exercise, attempt: Callable) -> Verdict:
    """All results are right: is the input whole, do the properties hold?"""
    sentence = "the second call with the same arguments went wrong"
    try:
        for case in exercise.cases:
            if _changes_its_input(attempt, case):
                return Verdict(
                    "wrong",
                    "the result is right, but the argument was changed: "
                    "work on a copy, others still need the original",
                )
        for sentence, holds in exercise.properties:
            if not holds(attempt):
                return Verdict("wrong", sentence)
    except DoesNotEnd:
        return Verdict("wrong", f"{sentence} (it does not end)")
    except (Exception, SystemExit) as error:
        return Verdict("wrong", f"{sentence} ({shown(Raised(error))})")
    return Verdict("correct")


def _what_is_wrong(exercise: Exercise, got: list, wanted: list) -> str:
    """The sentence of the mistake that fits every case, or the first difference."""
    if all(result is None for result in got):
        return "the function returns None: is the return missing?"
    if any(map(_is_lazy, got)) and not any(map(_is_lazy, wanted)):
        return (
            "a generator came back, which holds no values yet: make it a list, "
            "list(...) or [... for ... in ...]"
        )
    for mistake in exercise.mistakes:
        if all(
            same(a, _run(mistake.function, case))
            for a, case in zip(got, exercise.cases, strict=True)
        ):
            return mistake.sentence
    for case, result, want in zip(exercise.cases, got, wanted, strict=True):
        if not same(result, want):
            return f"for ({_given(case)}) it gives {difference(result, want)}"
    return "two looks at the same result do not agree: return plain numbers and lists"


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


def say(line: str) -> None:
    """Print a line on any console: what its encoding lacks is written as a code.

    The marks of ``check`` become ``+`` and ``-`` there.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        line.encode(encoding)
    except (UnicodeError, LookupError):
        line = line.replace("[✓]", "[+]").replace("[✗]", "[-]")
        try:
            line = line.encode(encoding, "backslashreplace").decode(encoding)
        except (UnicodeError, LookupError):
            line = line.encode("ascii", "backslashreplace").decode("ascii")
    print(line)


def check(exercise_id: str, attempt: object = ...) -> None:
    """Check an attempt and print one line; never raises.

    ``[ ] 1.1 not started`` · ``[✓] 1.1 correct`` · ``[✗] 1.1 what to look at``
    """
    exercise = _find(exercise_id) if isinstance(exercise_id, str) else None
    if exercise is None:
        known = ", ".join(sorted(exercises()))
        name = shown(exercise_id, str)
        say(f"[✗] {name} is no exercise of this course. Known: {known}")
        return
    verdict = judge(exercise, attempt)
    session.current.exercises[exercise_id] = verdict.state == "correct"
    if verdict.state != "not started":
        memory.keep_answer(exercise_id, attempt, verdict.state == "correct")
    mark = {"not started": " ", "correct": "✓", "wrong": "✗"}[verdict.state]
    say(f"[{mark}] {exercise_id} {verdict.sentence or verdict.state}")
