"""How long the whole course takes: every notebook, both editions, outputs compared."""

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import _common
from _common import Row, row

TITLE = "The course: every notebook of both editions"
ABOUT = (
    "All notebooks executed with every stored output compared, as `make test` does, "
    "two at a time, each on two threads; seconds of work per notebook. It takes longer "
    "than the others, as long as the course, and so runs once."
)


def compared(paths: list[Path], workers: int) -> tuple[dict[str, float], str, float]:
    """Seconds per notebook, what pytest says at the end, and seconds in all."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers)]
        command += ["--dist", "loadfile", f"--junitxml={report}", *map(str, paths)]
        begun = time.perf_counter()
        done = subprocess.run(
            command, cwd=_common.ROOT, capture_output=True, text=True, check=False
        )
        whole = time.perf_counter() - begun
        if done.returncode:
            raise SystemExit(f"a notebook failed:\n{done.stdout[-3000:]}")
        seconds: Counter = Counter()
        for case in ElementTree.parse(report).iter("testcase"):
            seconds[case.get("classname")] += float(case.get("time"))
    return dict(seconds), done.stdout, whole


def measure(quick: bool = False) -> list[Row]:
    folder = _common.ROOT / "notebooks"
    paths = sorted([*folder.glob("*.ipynb"), *folder.glob("solutions/*.ipynb")])
    paths = paths[:1] if quick else paths
    seconds, said, whole = compared(paths, 1 if quick else 2)
    [(notebooks, cells, outputs)] = re.findall(
        r"(\d+) notebooks, (\d+) code cells run, (\d+) stored outputs compared", said
    )
    if int(notebooks) != len(paths):
        raise SystemExit(f"{len(paths)} notebooks, but {notebooks} were compared")
    work = sum(seconds.values())
    rows = [
        row(
            f"{notebooks} notebooks, two at a time",
            "their seconds added up",
            [work / whole],
            unit="seconds of work in a second",
            minutes=whole / 60,
            code_cells=int(cells),
            outputs_compared=int(outputs),
        )
    ]
    for name in sorted(seconds):
        path = name.replace(".", "/").removesuffix("/ipynb")
        rows.append(
            row(
                f"`{path}`",
                "the whole course",
                [seconds[name] / work],
                unit="of the work",
                seconds=seconds[name],
            )
        )
    return rows


if __name__ == "__main__":
    _common.run("notebooks", TITLE, ABOUT, measure)
