"""Which thread setting is good both alone and beside a busy neighbour."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import _common
import psutil
from _common import Row, faster, in_turn, row

TITLE = "Threads, alone and beside a busy neighbour"
ABOUT = (
    "`MiniLM.encode` of mixed texts in one process per setting, in turn, the others "
    "halted; the neighbour is a process that computes without a pause. The course sets "
    "two threads and `OMP_WAIT_POLICY=PASSIVE`. The goal: never under 0.9 of the best "
    "setting."
)
COURSE = "two threads that sleep (the course)"
# name -> threads, waiting: as the course sets it, as OpenMP does, or spinning long
SETTINGS = {
    COURSE: (2, "PASSIVE"),
    "two threads, OpenMP's own waiting": (2, ""),
    "two threads that spin": (2, "ACTIVE"),
    "one thread": (1, "PASSIVE"),
}


class Worker:
    """A process with one setting that encodes the texts whenever it is told to."""

    def __init__(self, threads: int, waiting: str, texts: int) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).resolve()),
                f"--work={threads},{texts},{waiting}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.wait()

    def wait(self) -> None:
        """Until it is ready; then halt it, for a thread that spins needs a core."""
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit("a worker ended before its time")
        psutil.Process(self.process.pid).suspend()

    def __call__(self) -> None:
        psutil.Process(self.process.pid).resume()
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.wait()

    def close(self) -> None:
        psutil.Process(self.process.pid).resume()
        self.process.stdin.close()
        self.process.wait(timeout=60)


def work(threads: int, number: int, waiting: str) -> None:
    # The course has set its own way by now; torch reads it when it is loaded.
    os.environ.pop("OMP_WAIT_POLICY")
    if waiting:
        os.environ["OMP_WAIT_POLICY"] = waiting
    import torch

    from course_utils.encoder import MiniLM

    torch.set_num_threads(threads)
    model, texts = MiniLM.load(), _common.mixed_texts(number)
    model.encode(texts[:10])
    print("ready", flush=True)
    for _ in sys.stdin:
        model.encode(texts)
        print("ready", flush=True)


def measure(quick: bool = False) -> list[Row]:
    texts, rounds = (5, 2) if quick else (100, 7)
    workers = {name: Worker(*how, texts) for name, how in SETTINGS.items()}
    rows = []
    try:
        for place in ("alone", "beside a neighbour"):
            neighbour = None
            if place != "alone":
                neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            try:
                seconds = in_turn(workers, rounds)
            finally:
                if neighbour:
                    neighbour.kill()
                    neighbour.wait()
            for name in list(SETTINGS)[1:]:
                rows.append(
                    row(
                        f"{COURSE}, {place}",
                        name,
                        faster(seconds, COURSE, name),
                        at_least=0.9,
                    )
                )
    finally:
        for worker in workers.values():
            worker.close()
    return rows


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asked = [arg[7:] for arg in sys.argv if arg.startswith("--work=")]
    if asked:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        threads, number, waiting = asked[0].split(",")
        work(int(threads), int(number), waiting)
    else:
        _common.run("threads", TITLE, ABOUT, measure)
