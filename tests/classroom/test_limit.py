"""A time limit that leaves nothing behind: no thread, no late exception."""

import threading
import time

import pytest

from course_utils.classroom import limit
from course_utils.classroom.limit import DoesNotEnd, within


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "done"


def fail(seconds):
    spin(seconds)
    raise ValueError("my own")


def swallow(seconds):
    """Catch what comes, as a loop with a bare except does, but for a while only."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            spin(0.05)
        except BaseException:
            pass
    return "survived"


def test_a_result_comes_through():
    assert within(5, divmod, 7, 2) == (3, 1)


def test_an_error_of_the_function_comes_through():
    with pytest.raises(ValueError, match="my own"):
        within(5, fail, 0)


def test_the_time_is_up():
    begun = time.monotonic()
    with pytest.raises(DoesNotEnd):
        within(0.1, spin, 60)
    assert time.monotonic() - begun < 10


def test_an_ordinary_except_does_not_swallow_it():
    assert not issubclass(DoesNotEnd, Exception)


def test_a_limit_inside_a_limit():
    def inner():
        with pytest.raises(DoesNotEnd):
            within(0.05, spin, 60)
        return "inner over"

    assert within(30, inner) == "inner over"


@pytest.mark.parametrize("function", [spin, fail, swallow])
def test_nothing_comes_late_when_the_end_and_the_limit_meet(function, monkeypatch):
    monkeypatch.setattr(limit, "AGAIN", 0.2)
    for _ in range(30):
        try:
            within(0.002, function, 0.002)
        except (ValueError, DoesNotEnd):
            pass
        spin(0.002)  # an exception that was on its way would end the test here
    spin(0.1)


def test_no_thread_is_left():
    before = threading.active_count()
    for _ in range(20):
        within(60, divmod, 7, 2)
    time.sleep(0.2)
    assert threading.active_count() <= before


def test_without_threads_nothing_is_limited(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(limit.Thread, "start", refuse)
    assert within(0.001, spin, 0.05) == "done"
