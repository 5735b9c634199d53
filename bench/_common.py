"""What every benchmark shares: timing in turn, the machine, one file of results.

A figure is a ratio of two things that were measured in turn in one run, so that a busy
machine slows both; next to it stand the lowest and the highest of the runs. Each script
writes its own section of ``results.json``; ``README.md`` is made from that file and
from nothing else: ``python bench/_common.py`` writes it anew.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import course_utils  # noqa: E402, F401  (its defaults have to stand before torch)

RESULTS, PAGE = ROOT / "bench" / "results.json", ROOT / "bench" / "README.md"
TOPICS = (
    *("encoder", "precision", "threads", "tokenization", "recounting"),
    *("pairs", "search", "finetune", "kernels", "notebooks"),
)
PACKAGES = ("numpy", "torch", "transformers", "sentence-transformers") + (
    "tokenizers",
    "faiss-cpu",
)
# What a reader wants to know first: section, and how the row is named in it.
GLANCE = (
    ("encoder", "`MiniLM.encode`, 1,000 mixed texts"),
    ("encoder", "peak memory, `MiniLM`, 100 mixed texts"),
    ("precision", "int8"),
    ("precision", "nDCG@10 lost by int8"),
    ("kernels", "start to first vector, `MiniLM`"),
    ("kernels", "memory added by one more kernel"),
    ("tokenization", "`train_bpe`, 1,000 merges"),
    ("search", "`SearchIndex.search`: 100,000 vectors"),
    ("search", "HNSW, 16 links, ef 64: 100,000 vectors"),
    ("pairs", "encode 10,000 sentences and search exactly"),
)
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "bf16")


# -- one row ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: what was measured.
        against: what it is compared with; empty if it is no ratio.
        figure: the median of the runs.
        low: the lowest run.
        high: the highest run.
        runs: how many.
        unit: what the figure means, such as "times as fast".
        more: further facts by name.
        goal: such as "at least 1.0", or empty.
        met: whether the figure meets it; None without one.
    """

    name: str
    against: str
    figure: float
    low: float
    high: float
    runs: int
    unit: str
    more: Mapping[str, object] = field(default_factory=dict)
    goal: str = ""
    met: bool | None = None


def three_digits(value: float) -> float:
    """Round to three significant digits, whole numbers from 100 on.

    >>> three_digits(1.23456), three_digits(46123.4)
    (1.23, 46123)
    """
    return round(value) if abs(value) >= 100 else float(f"{value:.3g}")


def row(
    name: str,
    against: str,
    values: Sequence[float],
    unit: str = "times as fast",
    at_least: float | None = None,
    at_most: float | None = None,
    **more: object,
) -> Row:
    """Sum up the runs: median, lowest, highest, and whether the goal is met.

    >>> row("ours", "theirs", [1.5, 1.0, 2.0], at_least=1.2).met
    True
    """
    median = statistics.median(values)
    goal, met = "", None
    if at_least is not None:
        goal, met = f"at least {at_least:g}", median >= at_least
    if at_most is not None:
        goal, met = f"at most {at_most:g}", median <= at_most
    return Row(
        name,
        against,
        *map(three_digits, (median, min(values), max(values))),
        len(values),
        unit,
        {name: _short(value) for name, value in more.items()},
        goal,
        met,
    )


def _short(value: object) -> object:
    if isinstance(value, float):
        return three_digits(value)
    return value if isinstance(value, (int, str, bool)) else str(value)


# -- measuring -------------------------------------------------------------------------


def in_turn(
    functions: Mapping[str, Callable[[], object]],
    rounds: int = 5,
    warm: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time functions in turn, round after round, changing who begins.

    Returns:
        name -> seconds, one per round.
    """
    if warm:
        for function in functions.values():
            function()
    seconds = {name: [] for name in functions}
    for number in range(rounds):
        for name in list(functions)[:: -1 if number % 2 else 1]:
            begun = clock()
            functions[name]()
            seconds[name].append(clock() - begun)
    return seconds


def faster(seconds: Mapping[str, Sequence[float]], name: str, than: str) -> list[float]:
    """How many times as fast one is as the other, round by round.

    >>> faster({"a": [1.0, 2.0], "b": [3.0, 4.0]}, "a", "b")
    [3.0, 2.0]
    """
    pairs = zip(seconds[than], seconds[name], strict=True)
    return [other / own for other, own in pairs]


def peak_megabytes() -> float:
    """Peak memory of this process so far."""
    import resource

    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss begins with what the parent process had
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def use_threads() -> None:
    """As many threads as the course uses."""
    import torch

    torch.set_num_threads(min(2, os.cpu_count() or 1))


def machine() -> dict[str, object]:
    """The processor, what it offers, memory, system and versions; no names."""
    processor, flags = platform.processor() or platform.machine(), []
    path = Path("/proc/cpuinfo")
    if path.exists():
        facts = dict(
            (part.strip() for part in line.split(":", 1))
            for line in path.read_text().splitlines()
            if ":" in line
        )
        processor = facts.get("model name", processor)
        offered = set(facts.get("flags", facts.get("Features", "")).split())
        flags = [flag for flag in FLAGS if flag in offered]
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError):
        memory = 0
    return {
        "processor": processor,
        "offers": " ".join(flags),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "system": platform.system(),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
    }


# -- texts -----------------------------------------------------------------------------


def mixed_texts(number: int = 1_000, seed: int = 7) -> list[str]:
    """Real texts from one word to several pages, in a random but fixed order."""
    from course_utils import corpora

    pages = [page.text for page in corpora.load_runbooks()]
    lines = [line for page in pages for line in page.splitlines() if line.strip()]
    news = [article.text for article in corpora.load_news("train")]
    pairs = [text for pair in corpora.load_pairs() for text in (pair.a, pair.b)]
    rng = random.Random(seed)
    texts = [*pages[:20], *pairs]
    texts += rng.sample(lines, 250)
    texts += rng.sample(news, 1_000 - len(texts))
    return rng.sample(texts, number)


def megabyte() -> str:
    """One million bytes of prose, documentation and code, nothing repeated."""
    import inspect
    import pydoc_data.topics
    import typing

    from course_utils import corpora

    parts = [article.text for article in corpora.load_news()]
    parts += [page.text for page in corpora.load_runbooks()]
    parts += pydoc_data.topics.topics.values()
    parts += map(inspect.getsource, (argparse, statistics, typing))
    text = "\n".join(parts).encode("ascii", "ignore")[:1_000_000].decode()
    if len(text) < 1_000_000:
        raise SystemExit(f"only {len(text):,} bytes of text were found")
    return text


# -- results ---------------------------------------------------------------------------


def table(rows: Sequence[Mapping]) -> str:
    """Rows as a markdown table."""
    lines = [
        "| measured | against | median | lowest to highest | runs | goal | more |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        spread = f"{_number(one['low'])} to {_number(one['high'])}"
        goal = one["goal"]
        if goal:
            goal += ": met" if one["met"] else ": **missed**"
        more = "; ".join(f"{k.replace('_', ' ')} {v}" for k, v in one["more"].items())
        cells = (
            one["name"],
            one["against"],
            f"{_number(one['figure'])} {one['unit']}",
            spread if one["runs"] > 1 else "",
            one["runs"],
            goal,
            more,
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,}"


def glance(results: Mapping[str, Mapping]) -> str:
    """The ten rows of ``GLANCE``, as far as they were measured, in four columns."""
    lines = ["| measured | against | median | goal |", "|---|---|---|---|"]
    for topic, name in GLANCE:
        for one in results.get(topic, {"rows": []})["rows"]:
            if one["name"] == name:
                met = {True: "met", False: "**missed**", None: ""}[one["met"]]
                figure = f"{_number(one['figure'])} {one['unit']}"
                lines.append(f"| {name} | {one['against']} | {figure} | {met} |")
    return "\n".join(lines)


def page(results: Mapping[str, Mapping]) -> str:
    """The page bench/README.md, made from the results."""
    parts = [
        "# Benchmarks\n",
        "Made by `make bench` from `bench/results.json`; do not edit. Every ratio "
        "compares two things that were\nmeasured in turn in one run: the median of the "
        "runs, with the lowest and the highest. Absolute times mean\nlittle on another "
        "machine. One section alone: `python bench/encoder.py`.\n",
        "## At a glance\n",
        f"{glance(results)}\n",
    ]
    for topic in TOPICS:
        if topic not in results:
            continue
        section = results[topic]
        parts.append(f"## {section['title']}\n")
        parts.append(f"{section['about']}\n")
        parts.append(f"{table(section['rows'])}\n")
        at = section["machine"]
        versions = ", ".join(f"{k} {v}" for k, v in at["versions"].items())
        parts.append(
            f"`bench/{topic}.py`, {section['seconds']} seconds, load {section['load']} "
            f"at the start. {at['processor']}, {at['cores']} cores "
            f"({at['offers']}), {at['memory_gib']} GiB, {at['system']}; {versions}.\n"
        )
    return "\n".join(parts)


def record(topic: str, section: Mapping, results: Path, page_path: Path) -> None:
    """Replace one section of the results and make the page anew."""
    known = json.loads(results.read_text("utf-8")) if results.exists() else {}
    known[topic] = section
    ordered = {name: known[name] for name in TOPICS if name in known}
    text = json.dumps(ordered, indent=1, ensure_ascii=False) + "\n"
    for path, content in ((results, text), (page_path, page(ordered))):
        new = path.with_name(path.name + ".new")
        new.write_text(content, encoding="utf-8")
        new.replace(path)


def run(
    topic: str,
    title: str,
    about: str,
    measure: Callable[[bool], list[Row]],
    arguments: Sequence[str] | None = None,
    results: Path = RESULTS,
    page_path: Path = PAGE,
) -> None:
    """Measure, print the table, and record it unless it was a rehearsal."""
    parser = argparse.ArgumentParser(description=f"{title}. {about}")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, nothing is recorded"
    )
    quick = parser.parse_args(arguments).quick
    load, begun = round(os.getloadavg()[0], 1), time.perf_counter()
    if load > 0.5 and not quick:
        print(f"the machine is busy (load {load}): expect wide ranges", file=sys.stderr)
    rows = [asdict(one) for one in measure(quick)]
    section = {
        "title": title,
        "about": about,
        "seconds": round(time.perf_counter() - begun),
        "load": load,
        "machine": machine(),
        "rows": rows,
    }
    print(f"\n{title}\n\n{table(rows)}\n\n{section['seconds']} seconds")
    if not quick:
        record(topic, section, results, page_path)


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text("utf-8"))), encoding="utf-8")
