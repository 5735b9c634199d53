"""Which thread setting is good both alone and beside a busy neighbour."""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import _common
import psutil
from _common import Row, faster, in_turn, row

from course_utils import corpora

TITLE = "Threads, alone and beside a busy neighbour"
ABOUT = (
    "`MiniLM.encode` in one process per setting, in turn, the others halted; the "
    "neighbour is a process that computes without a pause. The course computes whole "
    "batches side by side, each on one thread; the other settings share every product "
    "out to two threads, which wait for each other as `OMP_WAIT_POLICY` says, or use "
    "one thread. The goal, for lists of texts: never under 0.9 of the best setting. "
    "One query is a single small batch, which the course reads on one thread: best "
    "beside a neighbour; alone two threads are faster, if they wait without sleeping."
)
COURSE = "whole batches side by side (the course)"
# name -> side by side, threads, waiting: PASSIVE sleeps, "" is what OpenMP does
SETTINGS = {
    COURSE: (True, 2, "PASSIVE"),
    "two threads per batch that sleep": (False, 2, "PASSIVE"),
    "two threads per batch, OpenMP's own waiting": (False, 2, ""),
    "two threads per batch that spin": (False, 2, "ACTIVE"),
    "one thread": (False, 1, "PASSIVE"),
}
# kind -> the shortest and longest text in characters, and how many
KINDS = {"short": (1, 200, 100), "mixed": (1, 10**6, 45), "long": (1_200, 10**6, 7)}
ONE = "one query"


def texts_of(kind: str, quick: bool) -> list[list[str]]:
    """What ``encode`` gets, call by call."""
    if kind == ONE:
        queries = [query.text for query in corpora.load_queries()]
        return [[query] for query in queries[: 3 if quick else 16]]
    shortest, longest, number = KINDS[kind]
    texts = [t for t in _common.mixed_texts() if shortest <= len(t) <= longest]
    return [texts[: 3 if quick else number]]


class Worker:
    """A process with one setting that encodes the texts whenever it is told to."""

    def __init__(self, name: str, quick: bool) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).resolve()),
                f"--work={name}",
                *["--quick"] * quick,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.wait()

    def wait(self) -> None:
        """Until it is ready; then halt it, for a thread that spins needs a core."""
        if self.process.stdout.readline().strip() != "ready":
            self.close()
            raise SystemExit("a worker ended before its time")
        psutil.Process(self.process.pid).suspend()

    def __call__(self, kind: str) -> None:
        psutil.Process(self.process.pid).resume()
        self.process.stdin.write(f"{kind}\n")
        self.process.stdin.flush()
        self.wait()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def work(name: str, quick: bool) -> None:
    side_by_side, number, waiting = SETTINGS[name]
    # The course has set its own way by now; torch reads it when it is loaded.
    os.environ.pop("OMP_WAIT_POLICY")
    if waiting:
        os.environ["OMP_WAIT_POLICY"] = waiting
    import torch

    from course_utils.encoder import MiniLM, threads

    if not side_by_side:
        threads.spread = lambda function, jobs, light=False: list(map(function, jobs))
    torch.set_num_threads(number)
    model = MiniLM.load()
    calls = {kind: texts_of(kind, quick) for kind in (*KINDS, ONE)}
    model.encode(calls["mixed"][0][:10])
    print("ready", flush=True)
    for line in sys.stdin:
        for texts in calls[line.strip()]:
            model.encode(texts)
        print("ready", flush=True)


@contextmanager
def neighbour(place: str) -> Iterator[None]:
    if place == "alone":
        yield
        return
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def measure(quick: bool = False) -> list[Row]:
    workers, rows = {}, []
    try:
        for name in SETTINGS:
            workers[name] = Worker(name, quick)
        for kind in (*KINDS, ONE):
            for place in ("alone", "beside a neighbour"):
                with neighbour(place):
                    seconds = in_turn(
                        {n: partial(worker, kind) for n, worker in workers.items()},
                        rounds=2 if quick else 5,
                    )
                for name in list(SETTINGS)[1:]:
                    goal = None if kind == ONE else 0.9  # see ABOUT
                    ratios = faster(seconds, COURSE, name)
                    rows.append(
                        row(f"{COURSE}: {kind}, {place}", name, ratios, at_least=goal)
                    )
    finally:
        for worker in workers.values():
            worker.close()
    return rows


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asked = [arg[7:] for arg in sys.argv if arg.startswith("--work=")]
    if asked:
        work(asked[0], "--quick" in sys.argv)
    else:
        _common.run("threads", TITLE, ABOUT, measure)
