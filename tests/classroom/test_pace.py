"""A second of measurement, and what it says about the minutes of each lesson."""

import pytest

from course_utils.classroom import pace

RESULTS = {
    "encoder": {"rows": [{"figure": 2.0, "more": {"texts_per_second": 400}}]},
    "notebooks": {
        "rows": [
            {"name": "20 notebooks, two at a time", "more": {"minutes": 9}},
            {"name": "`notebooks/07_finetune`", "more": {"seconds": 120}},
            {"name": "`notebooks/00_start_here`", "more": {"seconds": 6}},
            {"name": "`notebooks/solutions/07_finetune`", "more": {"seconds": 99}},
        ]
    },
}


class Clock:
    """Each block of texts takes as long as its turn says."""

    def __init__(self, *turns):
        self.turns, self.now = list(turns), 0.0

    def __call__(self):
        return self.now

    def encode(self, texts):
        self.now += self.turns.pop(0) if self.turns else 1.0


def test_the_best_block_counts_and_the_first_only_warms_up():
    clock = Clock(0.01, 0.5, 0.1, 0.4)
    measured = pace.texts_per_second(clock.encode, ["a"] * 99, clock=clock)
    assert measured == pytest.approx(pace.BLOCK / 0.1)


def test_a_slow_machine_is_measured_all_the_same():
    clock = Clock(50.0, 80.0)
    measured = pace.texts_per_second(clock.encode, ["a"] * 10, clock=clock)
    assert measured == pytest.approx(10 / 80)


def test_half_as_fast_takes_twice_as_long():
    assert pace.reference(RESULTS) == (200, {"07": 120, "00": 6})
    assert pace.minutes(200, RESULTS) == pytest.approx({"00": 0.1, "07": 2.0})
    assert pace.minutes(100, RESULTS) == pytest.approx({"00": 0.2, "07": 4.0})


def test_the_benchmarks_name_lessons_that_there_are():
    from course_utils.authoring.workshop.lesson import stems

    there, seconds = pace.reference(pace.record())
    assert there > 10 and len(seconds) >= 10
    assert set(seconds) <= {stem.partition("_")[0] for stem in stems()}
