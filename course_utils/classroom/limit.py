"""A time limit for a learner's function, the same on every system and in any thread.

A second thread keeps the time and raises an exception in the thread that runs the
function. Signals would do it on Linux and macOS in the main thread only, and a worker
thread that is given up would go on burning a core for the rest of the session.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from threading import Event, Lock, Thread, get_ident

AGAIN = 0.3  # seconds between two tries


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
    caller, over, late, turn = get_ident(), Event(), Event(), Lock()

    def watch() -> None:
        # Again and again: a bare ``except`` in a loop may catch the first.
        while not over.wait(AGAIN if late.is_set() else seconds):
            with turn:
                if not over.is_set():
                    late.set()
                    _raise_in(caller, DoesNotEnd)

    try:
        Thread(target=watch, daemon=True).start()
    except RuntimeError:
        return function(*arguments)
    try:
        try:
            return function(*arguments)
        finally:
            _end(caller, over, turn)
    except DoesNotEnd:  # it may have come before the clock was stopped
        _end(caller, over, turn)
        raise


def _end(caller: int, over: Event, turn: Lock) -> None:
    """Stop the clock; an error that is on its way arrives here or is taken back."""
    while True:
        try:
            with turn:
                over.set()
            _raise_in(caller, None)
            return
        except DoesNotEnd:
            continue
