"""No wrong version of a solution is called correct, no right one wrong.

When a mutant lives, first look for a legal input on which it differs from the solution:
add it to the cases in ``course_utils/classroom/checks``. If there is none, add a line
to ``mutants/equivalent.txt`` under the reason. ``python -m pytest -s`` prints how many
mutants were tried.
"""

import importlib
from collections import defaultdict
from pathlib import Path

import pytest

from course_utils.classroom.check import exercises, judge
from course_utils.classroom.results import same
from tests.classroom.mutants import SOURCES, mutants, solutions
from tests.classroom.mutants.handmade import RIGHT, WRONG

machinery = importlib.import_module("course_utils.classroom.check")
ALL = exercises()
SOLUTIONS = [
    solution
    for path in sorted(SOURCES.glob("*.py"))
    for solution in solutions(path.stem)
    if solution.id in ALL
]
# The letters of the patients are the cases here: each mistake is about one of them.
ONE_CASE = {"4.7", "4.8"}


def read_equivalent():
    """Exercise -> the changes that no check can see, from the list with reasons."""
    found, reason = defaultdict(set), ""
    path = Path(__file__).parent / "mutants" / "equivalent.txt"
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("= "):
            reason = line[2:]
        elif line and not line.startswith("#"):
            exercise, _, change = line.partition(" | ")
            assert reason and change, line
            found[exercise].add(change)
    return found


EQUIVALENT = read_equivalent()


def by_id(found):
    return pytest.mark.parametrize("solution", found, ids=lambda found: found.id)


@by_id(SOLUTIONS)
def test_the_solution_is_correct(solution):
    verdict = judge(ALL[solution.id], solution.build(solution.text))
    assert (verdict.state, verdict.sentence) == ("correct", "")


@by_id(SOLUTIONS)
def test_no_mutant_is_called_correct(solution, monkeypatch):
    exercise = ALL[solution.id]
    judge(exercise, solution.build(solution.text))  # loads what is slow to load
    monkeypatch.setattr(machinery, "SECONDS", 0.5)
    tried = mutants(solution, list(exercise.cases))
    verdicts = {change: judge(exercise, mutant) for change, mutant in tried.items()}
    alive = {c for c, verdict in verdicts.items() if verdict.state == "correct"}
    # On a busy machine a harmless mutant may take longer than its time.
    late = {c for c, v in verdicts.items() if "does not end" in v.sentence}
    known = EQUIVALENT[solution.id]
    print(f"{solution.id}: {len(tried)} mutants, {len(alive)} alive and equivalent")
    assert len(tried) >= 10
    assert not alive - known, "a check calls these correct: add a case"
    assert not known - alive - late, "these are rejected now: take them off the list"


def test_every_solution_is_read():
    assert {solution.id for solution in SOLUTIONS} == set(ALL)
    assert set(EQUIVALENT) <= set(ALL)


@pytest.mark.parametrize(
    "id, name, attempt, says", WRONG, ids=[f"{w[0]}: {w[1]}" for w in WRONG]
)
def test_a_wrong_answer_gets_the_sentence_for_it_and_no_other(
    id, name, attempt, says, monkeypatch
):
    monkeypatch.setattr(machinery, "SECONDS", 4)
    verdict = judge(ALL[id], attempt)
    assert verdict.state == "wrong"
    assert says in verdict.sentence
    if says == "for (":
        known = [mistake.sentence for mistake in ALL[id].mistakes]
        assert verdict.sentence not in known


@pytest.mark.parametrize(
    "id, name, attempt", RIGHT, ids=[f"{r[0]}: {r[1]}" for r in RIGHT]
)
def test_another_right_answer_is_correct(id, name, attempt):
    verdict = judge(ALL[id], attempt)
    assert (verdict.state, verdict.sentence) == ("correct", "")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("id", sorted(set(ALL) - ONE_CASE))
def test_a_mistake_is_confirmed_by_a_second_case(id):
    exercise = ALL[id]
    wanted = [machinery._run(exercise.reference, case) for case in exercise.cases]
    for mistake in exercise.mistakes:
        got = [machinery._run(mistake.function, case) for case in exercise.cases]
        wrong = sum(not same(a, b) for a, b in zip(got, wanted, strict=True))
        assert wrong >= 2, mistake.sentence
