"""Batches side by side: every result in its place, and torch as it was before."""

import threading
import time

import pytest
import torch

from course_utils.encoder import threads


@pytest.fixture(autouse=True)
def two():
    """Two threads, also on a machine with one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def seen(_=None):
    """Where a job runs and how many threads torch would use there."""
    return threading.current_thread(), torch.get_num_threads()


def test_results_stand_in_the_order_of_the_jobs_though_the_first_takes_longest():
    def slow(job):
        time.sleep(0.05 if job == 0 else 0.0)
        return -job

    assert threads.spread(slow, range(20)) == [-job for job in range(20)]


def test_several_jobs_run_at_the_same_time_each_on_one_thread():
    meet = threading.Barrier(2, timeout=30)

    def both(_):
        meet.wait()  # would wait for ever if one ran after the other
        return seen()

    (one, count), (other, same) = threads.spread(both, [1, 2])
    assert one is not other and count == same == 1
    assert threading.current_thread() not in (one, other)


def test_a_single_job_is_shared_out_unless_it_is_light():
    here = threading.current_thread()
    assert threads.spread(seen, [0]) == [(here, 2)]
    assert threads.spread(seen, [0], light=True) == [(here, 1)]


def test_without_jobs_nothing_is_done():
    assert threads.spread(seen, []) == threads.spread(seen, [], light=True) == []


def test_with_one_thread_the_jobs_follow_each_other_in_the_callers():
    torch.set_num_threads(1)
    here = threading.current_thread()
    assert threads.spread(seen, [0, 1, 2]) == [(here, 1)] * 3
    torch.set_num_threads(2)


def test_an_error_reaches_the_caller_and_later_jobs_are_dropped():
    begun = []

    def breaks(job):
        begun.append(job)
        time.sleep(0.01)
        if job == 1:
            raise ValueError(f"job {job}")
        return job

    with pytest.raises(ValueError, match="job 1"):
        threads.spread(breaks, range(1_000))
    assert len(begun) < 100
    assert len({thread for thread, _ in threads.spread(seen, range(50))}) <= 2


def test_a_job_may_spread_jobs_of_its_own():
    def inner(job):
        return sum(threads.spread(lambda number: number, [job, job]))

    assert threads.spread(inner, [1, 2, 3]) == [2, 4, 6]


def test_calls_from_several_threads_do_not_disturb_each_other():
    found = {}

    def call(name):
        found[name] = threads.spread(lambda job: (name, job), range(200))

    callers = [threading.Thread(target=call, args=(name,)) for name in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert found == {name: [(name, job) for job in range(200)] for name in range(4)}
