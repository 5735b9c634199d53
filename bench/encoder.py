"""MiniLM.encode against SentenceTransformer.encode: speed, memory, difference."""

import os
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import _common
import numpy as np
from _common import Row, faster, in_turn, row

from course_utils import assets, corpora

TITLE = "The encoder of the course against the library's"
ABOUT = (
    "`MiniLM.encode` against `SentenceTransformer.encode`, both in float32 with their "
    "own defaults; memory is the peak of a fresh process that loads one and encodes."
)
Encode = Callable[[list[str]], np.ndarray]


def ours() -> Encode:
    from course_utils.encoder import MiniLM

    return MiniLM.load().encode


def library() -> Encode:
    model = assets.sentence_transformer()
    return lambda texts: model.encode(texts, show_progress_bar=False)


def kinds(quick: bool) -> dict[str, list[str]]:
    titles = [article.title for article in corpora.load_news()]
    pages = [page.text for page in corpora.load_runbooks()]
    long = [page for page in pages if len(page.split()) > 200]
    return {
        "short": titles[: 20 if quick else 200],
        "mixed": _common.mixed_texts(20 if quick else 1_000),
        "long": (long or pages)[: 2 if quick else 15],
    }


def peak(name: str, quick: bool) -> float:
    """Peak memory of a fresh process, in megabytes."""
    command = [sys.executable, str(Path(__file__).resolve()), f"--peak={name}"]
    done = subprocess.run(
        [*command, "--quick"] if quick else command,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ.copy(),
    )
    return float(done.stdout.split()[-1])


def measure(quick: bool = False) -> list[Row]:
    _common.use_threads()
    first, second = ours(), library()
    rows = []
    for kind, texts in kinds(quick).items():
        some = texts[:: 1 + len(texts) // 100]
        vectors = first(some), second(some)
        difference = float(np.abs(vectors[0] - vectors[1]).max())
        if not difference <= 1e-5:
            raise SystemExit(f"the vectors of the {kind} texts differ: {difference}")
        both = {
            "ours": lambda texts=texts: first(texts),
            "library": lambda texts=texts: second(texts),
        }
        seconds = in_turn(both, 2 if quick else 5, warm=False)
        rows.append(
            row(
                f"`MiniLM.encode`, {len(texts):,} {kind} texts",
                "`SentenceTransformer.encode`",
                faster(seconds, "ours", "library"),
                at_least=1.0 if kind == "mixed" else None,
                texts_per_second=len(texts) / min(seconds["ours"]),
                largest_difference=f"{difference:.0e}",
            )
        )
    runs = [
        (peak("ours", quick), peak("library", quick)) for _ in range(1 if quick else 5)
    ]
    mine, theirs = (statistics.median(sizes) for sizes in zip(*runs, strict=True))
    rows.append(
        row(
            "peak memory, `MiniLM`, 100 mixed texts",
            "`SentenceTransformer`",
            [own / other for own, other in runs],
            unit="times the memory",
            at_most=1.0,
            megabytes=f"{mine:.0f} against {theirs:.0f}",
        )
    )
    return rows


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    names = [arg[7:] for arg in sys.argv if arg.startswith("--peak=")]
    if names:
        _common.use_threads()
        encode = {"ours": ours, "library": library}[names[0]]()
        encode(kinds("--quick" in sys.argv)["mixed"][:100])
        print(_common.peak_megabytes())
    else:
        _common.run("encoder", TITLE, ABOUT, measure)
