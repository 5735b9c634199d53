"""What a kernel costs: time and memory until the first vector, and per learner."""

import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import _common
from _common import Row, in_turn, row

TITLE = "Kernels: start, memory, learners per machine"
ABOUT = (
    "Fresh processes from start to first vector, and what each import adds to one; "
    "then real Jupyter kernels that each begin a lesson, load the course's encoder and "
    "encode texts. Memory shared by several kernels (weights, libraries) is counted "
    "once: PSS, on Linux."
)
FIRST = {
    "ours": (
        "from course_utils.encoder import MiniLM\n"
        "MiniLM.load().encode(['The cat sat on the mat.'])"
    ),
    "library": (
        "from course_utils import assets\n"
        "assets.sentence_transformer().encode(['The cat sat on the mat.'])"
    ),
}
IMPORTS = (
    "import numpy",
    "import torch",
    "from course_utils.encoder import MiniLM",
    "from transformers import AutoTokenizer",
    "import faiss",
    "import matplotlib.pyplot, pandas",
    "from course_utils import classroom",
    "import sentence_transformers",
)
LESSON = (
    "from course_utils import corpora\n"
    "from course_utils.encoder import MiniLM\n"
    "from course_utils.classroom import start\n"
    "start('05_pooling')\n"
    "model = MiniLM.load()\n"
    "vectors = model.encode([a.text for a in corpora.load_news('test')])\n"
)
MACHINE = 16e9  # bytes


def process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=_common.ROOT,
        env=os.environ.copy(),
    )
    return done.stdout


def memory(number: int | str = "self") -> tuple[float, float]:
    """RSS and PSS of a process in megabytes."""
    facts = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()[1:]
    )
    return tuple(int(facts[name].split()[0]) * 1024 / 1e6 for name in ("Rss", "Pss"))


def imported(lines: tuple[str, ...]) -> list[tuple[float, float]]:
    """Seconds and megabytes that each import adds, one after the other."""
    path = Path("/proc/self/smaps_rollup")
    code = (
        "import json, sys, time, warnings\n"
        "warnings.simplefilter('ignore')\n"
        f"sys.path.insert(0, {str(_common.ROOT / 'bench')!r})\n"
        "import kernels\n"
        "found, rss = [], kernels.memory()[0]\n"
        f"for line in {lines!r}:\n"
        "    begun = time.perf_counter()\n"
        "    exec(line)\n"
        "    spent, now = time.perf_counter() - begun, kernels.memory()[0]\n"
        "    found.append((spent, now - rss))\n"
        "    rss = now\n"
        "print(json.dumps(found))"
    )
    return json.loads(process(code).splitlines()[-1]) if path.exists() else []


def starting(rounds: int) -> list[Row]:
    seconds = in_turn(
        {name: lambda code=code: process(code) for name, code in FIRST.items()}, rounds
    )
    return [
        row(
            "start to first vector, `MiniLM`",
            "`SentenceTransformer`",
            [a / b for a, b in zip(seconds["library"], seconds["ours"], strict=True)],
            seconds=f"{statistics.median(seconds['ours']):.1f} against "
            f"{statistics.median(seconds['library']):.1f}",
        )
    ]


def importing(rounds: int) -> list[Row]:
    runs = [imported(IMPORTS) for _ in range(rounds)]
    if not runs[0]:
        return []
    rows = []
    for number, line in enumerate(IMPORTS):
        spent = [run[number][0] for run in runs]
        whole = [sum(seconds for seconds, _ in run) for run in runs]
        rows.append(
            row(
                f"`{line}`, after those above",
                "all of these imports",
                [own / total for own, total in zip(spent, whole, strict=True)],
                unit="of the time",
                seconds=statistics.median(spent),
                megabytes=statistics.median(run[number][1] for run in runs),
            )
        )
    return rows


def run_lesson(client) -> None:
    number = client.execute(LESSON, silent=True)
    begun = time.monotonic()
    while time.monotonic() - begun < 120:
        reply = client.get_shell_msg(timeout=120)
        if reply["parent_header"].get("msg_id") == number:
            if reply["content"]["status"] != "ok":
                raise SystemExit("\n".join(reply["content"]["traceback"]))
            return
    raise SystemExit("the lesson did not end")


def learners(most: int) -> list[Row]:
    """Start kernels one by one; after each, the sum of what all of them hold."""
    from jupyter_client.manager import KernelManager

    if not Path("/proc/self/smaps_rollup").exists():
        return []
    managers, held, resident = [], [], 0.0
    try:
        for _ in range(most):
            manager = KernelManager(kernel_name="python3")
            manager.start_kernel(cwd=str(_common.ROOT), env=os.environ.copy())
            managers.append(manager)
            client = manager.client()
            client.start_channels()
            client.wait_for_ready(timeout=120)
            run_lesson(client)
            client.stop_channels()
            sizes = [memory(each.provisioner.process.pid) for each in managers]
            held.append(sum(pss for _, pss in sizes))
            resident = statistics.median(rss for rss, _ in sizes)
    finally:
        for manager in managers:
            manager.shutdown_kernel(now=True)
    added = [after - before for before, after in zip(held, held[1:], strict=False)]
    each = statistics.median(added)
    fit = int(1 + (MACHINE - held[0] * 1e6) // (each * 1e6))
    return [
        row(
            "memory added by one more kernel",
            "",
            added,
            unit="MB",
            at_most=350,
            the_first_kernel=f"{held[0]:.0f} MB",
            resident=f"{resident:.0f} MB",
        ),
        row(
            "one more kernel",
            "the first kernel",
            [more / held[0] for more in added],
            unit="times the memory",
        ),
        row(
            "learners in 16 GB, if nothing else runs",
            "",
            [fit],
            unit="",
            with_a_fifth_kept_free=int(1 + (0.8 * MACHINE / 1e6 - held[0]) // each),
        ),
    ]


def measure(quick: bool = False) -> list[Row]:
    rounds = 1 if quick else 5
    return [*starting(rounds), *importing(rounds), *learners(2 if quick else 6)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    _common.run("kernels", TITLE, ABOUT, measure)
