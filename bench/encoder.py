"""MiniLM.encode against SentenceTransformer.encode: speed, memory, difference.

Run alone: ``python bench/encoder.py`` (under three minutes). The speed is the median
ratio of runs that alternate in one process, so that a busy machine slows both; the
memory is the peak of a fresh process each. Other benchmarks import ``compare``.
"""

import os
import random
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np  # noqa: E402

from course_utils import assets, corpora  # noqa: E402

Encode = Callable[[list[str]], np.ndarray]


@dataclass(frozen=True)
class Result:
    """What ``compare`` found: ratios above 1 mean that the first is faster."""

    ratios: list[float]
    difference: float

    @property
    def ratio(self) -> float:
        """Median of the paired ratios."""
        return statistics.median(self.ratios)


def mixed_texts(number: int = 1_000, seed: int = 7) -> list[str]:
    """Real texts from one word to several pages, in a random but fixed order."""
    pages = [page.text for page in corpora.load_runbooks()]
    lines = [line for page in pages for line in page.splitlines() if line.strip()]
    news = [article.text for article in corpora.load_news("train")]
    pairs = [text for pair in corpora.load_pairs() for text in (pair.a, pair.b)]
    rng = random.Random(seed)
    texts = [*pages[:20], *pairs]
    texts += rng.sample(lines, number // 4)
    texts += rng.sample(news, max(0, number - len(texts)))
    return rng.sample(texts, number)


def ours() -> Encode:
    from course_utils.encoder import MiniLM

    return MiniLM.load().encode


def library() -> Encode:
    model = assets.sentence_transformer()
    return lambda texts: model.encode(texts, show_progress_bar=False)


def seconds(encode: Encode, texts: list[str]) -> float:
    begun = time.perf_counter()
    encode(texts)
    return time.perf_counter() - begun


def compare(
    first: Encode, second: Encode, texts: list[str], runs: int = 7, budget: float = 90.0
) -> Result:
    """Time two encoders in turn on the same texts, changing who begins.

    Stops after ``runs`` pairs, or when ``budget`` seconds are over and there are three.
    """
    warm = texts[:100]
    difference = float(np.abs(first(warm) - second(warm)).max())
    begun, ratios = time.perf_counter(), []
    for run in range(runs):
        if run % 2:
            other = seconds(second, texts)
            mine = seconds(first, texts)
        else:
            mine = seconds(first, texts)
            other = seconds(second, texts)
        ratios.append(other / mine)
        if len(ratios) >= 3 and time.perf_counter() - begun > budget:
            break
    return Result(ratios, difference)


def peak_megabytes(name: str) -> float:
    """Peak memory of a fresh process that loads one encoder and encodes the texts."""
    command = [sys.executable, str(Path(__file__).resolve()), "--peak", name]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )
    return float(done.stdout.split()[-1])


def _peak_here(name: str) -> float:
    {"ours": ours, "library": library}[name]()(mixed_texts())
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss begins with what the parent process had
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def main() -> None:
    import torch

    torch.set_num_threads(min(2, os.cpu_count() or 1))
    texts = mixed_texts()
    result = compare(ours(), library(), texts)
    print(f"| {len(texts):,} texts of mixed length | |\n|---|---|")
    print(
        "| `MiniLM.encode`, times as fast as `SentenceTransformer.encode` "
        f"(median of {len(result.ratios)} pairs) | {result.ratio:.2f} |"
    )
    print(f"| slowest and fastest pair | {min(result.ratios):.2f}, "
          f"{max(result.ratios):.2f} |")  # fmt: skip
    print(f"| largest difference of a number | {result.difference:.0e} |")
    mine, theirs = peak_megabytes("ours"), peak_megabytes("library")
    print(f"| peak memory, `MiniLM` | {mine:.0f} MB |")
    print(f"| peak memory, `SentenceTransformer` | {theirs:.0f} MB |")
    if result.difference > 1e-5:
        raise SystemExit("the vectors differ")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == ["--peak"]:
        print(_peak_here(sys.argv[2]))
    else:
        main()
