"""How long will each lesson compute on this machine, about?

For a second the library's encoder reads headlines; how many it reads is compared with
the machine on which the benchmarks have timed every lesson (``bench/results.json``).
What a lesson does besides is not measured: take the minutes as a guess, good for
"coffee or not". That the library can be imported at all is found out on the way.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr

from course_utils import assets, corpora

BLOCK = 40  # headlines read at a time


def texts_per_second(
    encode: Callable[[Sequence[str]], object],
    texts: Sequence[str],
    seconds: float = 1.0,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Measure: the best of the blocks that a second holds, after one that warms up."""
    block = list(texts[:BLOCK])
    encode(block)
    best, begun = float("inf"), clock()
    while True:
        start = clock()
        encode(block)
        best = min(best, clock() - start)
        if clock() - begun >= seconds:
            return len(block) / best


def record() -> Mapping:
    """What the benchmarks have found, from the repository or the installed package."""
    path = corpora.shipped("results.json", "bench")
    return json.loads(path.read_text(encoding="utf-8"))


def reference(results: Mapping) -> tuple[float, dict[str, float]]:
    """Headlines in a second, and seconds per lesson, where the lessons were timed."""
    short = results["encoder"]["rows"][0]
    theirs = short["more"]["texts_per_second"] / short["figure"]
    seconds = {}
    for row in results["notebooks"]["rows"]:
        if found := re.fullmatch(r"`notebooks/(\d\d[a-z]?)_\w+`", row["name"]):
            seconds[found[1]] = row["more"]["seconds"]
    return theirs, seconds


def minutes(measured: float, results: Mapping | None = None) -> dict[str, float]:
    """Minutes per lesson here, about; lessons that were never timed are left out.

    Args:
        measured: from ``texts_per_second``.
        results: as ``record`` gives them.
    """
    there, seconds = reference(results or record())
    return {
        number: took * there / measured / 60 for number, took in sorted(seconds.items())
    }


def measure() -> float:
    """Load the library's encoder, quietly, and measure.

    Raises:
        ImportError: the library cannot be imported here.
    """
    titles = [article.title for article in corpora.load_news("train")]
    with redirect_stderr(io.StringIO()):  # a bar that says how far loading is
        model = assets.sentence_transformer()
        return texts_per_second(
            lambda texts: model.encode(texts, show_progress_bar=False), titles
        )
