"""A process of its own that opens what strangers made: it may hang, swell or break.

A PDF can be written so that its reader never ends or fills the memory. Such files are
read in another process with a limit of memory, and whoever takes longer than a limit is
ended; the next file gets a new process. Run by ``python -m`` it is that process.

Used in notebook 14. Library: ``subprocess``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue

from course_utils.yours import formats
from course_utils.yours.folders import Unreadable
from course_utils.yours.texts import PLAIN, Found, Options

MEMORY = 2 * 2**30  # bytes of address space; where the system can set it
SECONDS = 60.0
_ROOT = Path(__file__).resolve().parents[2]


class Quarantine:
    """Reads files in another process; use it in a ``with``, which ends the process.

    >>> with Quarantine() as quarantine:
    ...     quarantine.read(b"<p>Disk <b>full</b>.", ".html").parts
    [(1, 'Disk full.')]
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        """Nothing is started before the first file comes."""
        self.seconds = seconds
        self._process: subprocess.Popen | None = None
        self._answers: SimpleQueue[str] = SimpleQueue()

    def __enter__(self) -> Quarantine:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()

    def read(self, data: bytes, suffix: str, options: Options = PLAIN) -> Found:
        """As ``formats.read``, within the limits.

        Raises:
            Unreadable: as ``formats.read``; or it took too long or too much memory.
        """
        self._start()
        request = {
            "suffix": suffix,
            "options": asdict(options),
            "data": base64.b64encode(data).decode(),
        }
        sent = threading.Thread(target=self._send, args=(json.dumps(request),))
        sent.start()
        try:
            answer = self._answers.get(timeout=self.seconds)
        except Empty:
            self.close()
            raise Unreadable(f"took longer than {self.seconds:g} seconds") from None
        except BaseException:
            self.close()  # the answer to this request must not meet the next one
            raise
        finally:
            if self._process is None:
                sent.join()
        sent.join()
        if not answer:
            self.close()
            raise Unreadable("made its reader break down")
        found = json.loads(answer)
        if "reason" in found:
            raise Unreadable(found["reason"])
        pairs = {key: [tuple(x) for x in found.pop(key)] for key in ("parts", "left")}
        return Found(**found, **pairs)

    def _start(self) -> None:
        if self._process is not None:
            return
        paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            # Ctrl-C is for the one who asked: here it would only look like a crash.
            start_new_session=True,
        )
        self._answers = SimpleQueue()
        hear = (self._process.stdout, self._answers.put)
        threading.Thread(target=_hear, args=hear, daemon=True).start()
        self._answers.get()  # it is ready: from now on its time is counted

    def _send(self, request: str) -> None:
        process = self._process
        with contextlib.suppress(OSError, ValueError, AttributeError):
            process.stdin.write(request.encode() + b"\n")
            process.stdin.flush()


def _hear(stream, put: Callable[[str], None]) -> None:
    """Hand on every line; an empty one says that no more will come."""
    with contextlib.suppress(OSError, ValueError):
        for line in stream:
            put(line.decode())
    put("")


def serve(requests, answers) -> None:
    """The other side: say that it is there, and answer each line of JSON with one."""
    answers.write(b"ready\n")
    answers.flush()
    for line in requests:
        request = json.loads(line)
        chosen = request["options"]
        options = Options(**{**chosen, "also": tuple(chosen["also"])})
        data = base64.b64decode(request["data"])
        try:
            answer = asdict(formats.read(data, request["suffix"], options))
        except Unreadable as error:
            answer = {"reason": str(error)}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _requests(stream):
    """Lines as they come; whoever can ask no more ends this process, also at work."""
    lines: SimpleQueue[bytes] = SimpleQueue()

    def hear() -> None:
        for line in stream:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=hear, daemon=True).start()
    while True:
        yield lines.get()


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _limit_memory()
    # What a reader prints must not be taken for an answer.
    answering = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(_requests(sys.stdin.buffer), answering)
