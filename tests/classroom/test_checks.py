"""Every exercise: open is not started, right is correct, each mistake its sentence."""

import pytest

from course_utils.classroom.check import exercises, judge

ALL = exercises()
MISTAKES = [
    pytest.param(exercise, mistake, id=f"{exercise.id}: {mistake.sentence[:40]}")
    for exercise in ALL.values()
    for mistake in exercise.mistakes
]


def stub(*arguments):
    raise NotImplementedError("your code here")


@pytest.mark.parametrize("exercise", ALL.values(), ids=ALL)
def test_a_stub_is_not_started(exercise):
    assert judge(exercise, stub).state == "not started"
    assert judge(exercise, ...).state == "not started"


@pytest.mark.parametrize("exercise", ALL.values(), ids=ALL)
def test_the_reference_is_correct(exercise):
    verdict = judge(exercise, exercise.reference)
    assert verdict.state == "correct", verdict.sentence


@pytest.mark.parametrize("exercise, mistake", MISTAKES)
def test_a_typical_mistake_gets_its_own_sentence(exercise, mistake):
    verdict = judge(exercise, mistake.function)
    assert (verdict.state, verdict.sentence) == ("wrong", mistake.sentence)


@pytest.mark.parametrize("exercise", ALL.values(), ids=ALL)
def test_at_least_two_mistakes_are_known(exercise):
    sentences = {mistake.sentence for mistake in exercise.mistakes}
    assert len(sentences) == len(exercise.mistakes) >= 2
