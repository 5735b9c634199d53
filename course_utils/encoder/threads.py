"""Batches side by side, each on one thread.

The usual way shares every single matrix product out to all threads, and all wait for
the slowest, a hundred times per batch. If one core is taken by another process, each of
these waits is long. Whole batches have nothing to wait for: a thread that is held up
takes fewer of them. What several batches give is also the same for every number of
threads, to the last bit. A call made while another one runs does not wait for it: its
batches are computed one after the other, as they would be without this module.

Library: ``joblib.Parallel(prefer="threads")`` inside ``threadpoolctl``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")

# torch keeps one number of threads for the process, so one call at a time changes it.
_changing = threading.Lock()


def spread(
    function: Callable[[Job], Result], jobs: Iterable[Job], light: bool = False
) -> list[Result]:
    """Call a function for every job, on as many threads as torch uses.

    Args:
        function: computes with torch; several calls run at the same time.
        jobs: what to pass, one each; begun in this order.
        light: a single job is too small to be shared out to several threads.

    Returns:
        What the function returns, in the order of the jobs.

    Raises:
        Exception: the first that a call raised; jobs not yet begun are dropped.

    >>> spread(lambda job: job * 2, [1, 2, 3])
    [2, 4, 6]
    """
    jobs = list(jobs)
    threads = torch.get_num_threads()
    alone = len(jobs) < 2
    if threads < 2 or (alone and not light) or not _changing.acquire(blocking=False):
        return list(map(function, jobs))
    try:
        if alone:
            torch.set_num_threads(1)
            return list(map(function, jobs))
        with ThreadPoolExecutor(
            threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            return list(pool.map(function, jobs))
    finally:
        torch.set_num_threads(threads)
        _changing.release()
