"""A time limit for a learner's function, the same on every system and in any thread.

A second thread keeps the time and raises an exception in the thread that runs the
function. Signals would do it on Linux and macOS in the main thread only, and a worker
thread that is given up would go on burning a core for the rest of the session.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from threading import Lock, Thread, get_ident

AGAIN = 1.0  # seconds between two tries: far longer than one takes to arrive


class DoesNotEnd(BaseException):
    """The time is up. No ``Exception``: a learner's ``except`` must not swallow it."""


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise an error in a thread before its next step; None takes it back."""
    raised = ctypes.py_object(error) if error is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


def within(seconds: float, function: Callable, *arguments: object) -> object:
    """Call a function and stop it when the time is up.

    Python code is stopped between two steps, so a single call into C that never comes
    back is not. Where no thread can be started (a browser), nothing is limited.

    Args:
        seconds: how long the function may take.
        function: what to call, in the calling thread.
        arguments: what to call it with.

    Returns:
        What the function returns.

    Raises:
        DoesNotEnd: the time was up.

    >>> within(5, max, 2, 3)
    3
    """
    clock = _Clock(seconds)
    try:
        Thread(target=clock.run, daemon=True).start()
    except RuntimeError:
        return function(*arguments)
    try:
        try:
            clock.begin.release()
            return function(*arguments)
        finally:
            clock.stop()
    except DoesNotEnd:  # it may have come before the clock was stopped
        clock.stop()
        raise


class _Clock:
    """Keeps the time of one call.

    The exception may strike between any two steps of ``stop`` as well, and inside a
    lock of Python's own making it would leave that locked for ever. So only what
    happens at once is used: bare locks and lists.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.caller = seconds, get_ident()
        self.over: list[bool] = []  # the caller needs no clock any more
        self.gone: list[bool] = []  # the clock raises nothing any more
        self.begin, self.wake, self.left = Lock(), Lock(), Lock()
        for lock in (self.begin, self.wake, self.left):
            lock.acquire()

    def run(self) -> None:
        self.begin.acquire()  # the caller is ready to catch what comes
        wait = self.seconds
        while not self.wake.acquire(timeout=wait) and not self.over:
            # Again and again: a bare ``except`` in a loop may catch the first.
            _raise_in(self.caller, DoesNotEnd)
            wait = AGAIN
        self.gone.append(True)
        self.left.release()

    def stop(self) -> None:
        """Wait until nothing can come any more; what is on its way is taken back."""
        while True:
            try:
                if not self.over:
                    self.over.append(True)
                    self.wake.release()
                while not self.gone:
                    self.left.acquire(timeout=0.05)
                _raise_in(self.caller, None)
                return
            except DoesNotEnd:
                continue
