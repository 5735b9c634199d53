"""Search at scale: our index against bare faiss, and the kinds of index by size."""

import gc
import math
import random
import statistics
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import _common
import faiss
import numpy as np
from _common import Row, faster, in_turn, row
from threadpoolctl import threadpool_limits

from course_utils import corpora
from course_utils.encoder import MiniLM
from course_utils.search import SearchIndex

TITLE = "Search, from ten thousand to a million vectors"
ABOUT = (
    "384 dimensions, one query at a time on one thread, ten hits. The vectors lie "
    "between real text vectors, a little off the line; the queries are real texts that "
    "are not among them. HNSW is left out at a million: building it alone takes "
    "minutes. The last rows say how the time of a query grows with the number n of "
    "vectors, as the exponent p of n^p."
)
QUERIES, K, COMPARED = 100, 10, 100_000


# -- data ------------------------------------------------------------------------------


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale to length 1, in place."""
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def real_vectors(number: int = 2_000, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Vectors to mix from, and queries that are not among them."""
    texts = [article.title for article in corpora.load_news("train")]
    texts += [
        line
        for page in corpora.load_runbooks()
        for line in page.text.splitlines()
        if 20 < len(line) < 300
    ]
    random.Random(seed).shuffle(texts)
    real = MiniLM.load().encode(texts[:number])
    return real[QUERIES:], np.ascontiguousarray(real[:QUERIES])


def mixed(base: np.ndarray, number: int, seed: int = 7) -> np.ndarray:
    """Vectors between two real ones, with noise of 0.3 times their length."""
    rng = np.random.default_rng(seed)
    made = np.empty((number, base.shape[1]), np.float32)
    for begin in range(0, number, 50_000):
        part = made[begin : begin + 50_000]
        left, right = rng.integers(len(base), size=(2, len(part)))
        weight = rng.random((len(part), 1), dtype=np.float32)
        part[:] = weight * base[left] + (1 - weight) * base[right]
        noise = rng.standard_normal(part.shape, dtype=np.float32)
        part += 0.3 * unit(noise)
        unit(part)
    return made


# -- what is compared ------------------------------------------------------------------


@dataclass
class Prepared:
    """An encoder that knows its vectors by the name of the text, in no time."""

    vectors: dict[str, np.ndarray]
    max_tokens: int = 256
    fingerprint: str = "prepared"

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.stack([self.vectors[text] for text in texts])

    @property
    def wordpieces(self) -> "Blanks":
        return Blanks()


class Blanks:
    """A tokenizer that costs nothing: this is not about tokens."""

    def encode(self, text: str) -> list[int]:
        return list(range(len(text.split())))

    def pieces(self, text: str) -> list[str]:
        return text.split()


def kinds(vectors: np.ndarray) -> dict[str, Callable[[], faiss.Index]]:
    """Approximate indexes by name, each made only when its turn comes."""
    number, dim = vectors.shape
    inner = faiss.METRIC_INNER_PRODUCT
    # At least 39 training vectors a cell, as faiss asks for.
    cells = min(2 ** round(math.log2(math.sqrt(number))), number // 39)

    def hnsw() -> faiss.Index:
        index = faiss.IndexHNSWFlat(dim, 16, inner)
        index.hnsw.efConstruction, index.hnsw.efSearch = 60, 64
        return index

    def ivf() -> faiss.Index:
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, cells, inner)
        index.cp.niter, index.nprobe = 8, max(1, cells // 16)
        return index

    def bytes_only() -> faiss.Index:
        kind = faiss.ScalarQuantizer.QT_8bit
        return faiss.IndexScalarQuantizer(dim, kind, inner)

    found = {
        f"IVF, {max(1, cells // 16)} of {cells} cells": ivf,
        "SQ8, one byte a number": bytes_only,
    }
    if number <= 100_000:
        found["HNSW, 16 links, ef 64"] = hnsw
    return found


def filled(index: faiss.Index, vectors: np.ndarray) -> faiss.Index:
    faiss.omp_set_num_threads(2)
    if not index.is_trained:
        index.train(vectors[: max(20_000, 40 * getattr(index, "nlist", 1))])
    index.add(vectors)
    faiss.omp_set_num_threads(1)
    return index


def singly(index: faiss.Index, queries: np.ndarray) -> Callable[[], None]:
    def run() -> None:
        for query in queries:
            index.search(query[None], K)

    return run


def with_numpy(vectors: np.ndarray, queries: np.ndarray) -> Callable[[], None]:
    def run() -> None:
        with threadpool_limits(1):
            for query in queries:
                scores = vectors @ query
                best = np.argpartition(-scores, K)[:K]
                best[np.argsort(-scores[best])]

    return run


def through_our_index(
    vectors: np.ndarray, queries: np.ndarray, exact: np.ndarray
) -> Callable[[list[int]], None]:
    """Search by text with SearchIndex, after a proof that it finds the same."""
    names = [f"text {i}" for i in range(len(vectors))]
    asked = [f"query {i}" for i in range(len(queries))]
    known = dict(zip(names + asked, [*vectors, *queries], strict=True))
    index = SearchIndex.build({name: name for name in names}, Prepared(known))
    for text, places in zip(asked, exact, strict=True):
        hits = index.search(text, K, "dense")
        if [hit.document for hit in hits] != [names[place] for place in places]:
            raise SystemExit(f"SearchIndex and faiss differ for {text}")

    def run(number: int) -> None:
        for text in asked[:number]:
            index.search(text, K, "dense")

    return run


# -- measuring -------------------------------------------------------------------------


def one_size(
    vectors: np.ndarray, queries: np.ndarray, rounds: int, compare: bool
) -> tuple[list[Row], dict[str, float]]:
    """Rows for one number of vectors, and the seconds per query of each kind."""
    number = len(vectors)
    flat = filled(faiss.IndexFlatIP(vectors.shape[1]), vectors)
    _, exact = flat.search(queries, K)
    asked = queries[: max(5, min(30, 3_000_000 // number))]
    standard = singly(flat, asked)
    rows, cost, size = [], {}, f"{number:,} vectors"

    def add(name: str, other: Callable[[], None], **more: object) -> None:
        seconds = in_turn({"flat": standard, "other": other}, rounds)
        cost["Flat (exact)"] = statistics.median(seconds["flat"]) / len(asked)
        cost[name.split(",")[0]] = statistics.median(seconds["other"]) / len(asked)
        rows.append(
            row(
                f"{name}: {size}",
                "bare faiss, Flat",
                faster(seconds, "other", "flat"),
                unit="times as fast",
                **more,
            )
        )

    if compare:
        ours = through_our_index(vectors, queries, exact)
        seconds = in_turn(
            {"flat": standard, "ours": lambda: ours(len(asked))}, max(rounds, 2)
        )
        rows.append(
            row(
                f"`SearchIndex.search`: {size}",
                "bare faiss, Flat",
                faster(seconds, "flat", "ours"),
                unit="times the time",
                at_most=1.2,
                same_hits=True,
            )
        )
        del ours
        gc.collect()
    add(
        "NumPy, exact",
        with_numpy(vectors, asked),
        recall_at_10=1.0,
        megabytes=vectors.nbytes / 1e6,
    )
    for name, make in kinds(vectors).items():
        index = filled(make(), vectors)
        _, found = index.search(queries, K)
        pairs = zip(found, exact, strict=True)
        recall = statistics.mean(len(set(a) & set(b)) / K for a, b in pairs)
        megabytes = faiss.serialize_index(index).nbytes / 1e6
        gc.collect()
        add(name, singly(index, asked), recall_at_10=recall, megabytes=megabytes)
        del index
        gc.collect()
    return rows, cost


def exponent(numbers: list[int], seconds: list[float]) -> float:
    """The slope of log(seconds) over log(n): p in seconds ~ n^p."""
    return float(np.polyfit(np.log(numbers), np.log(seconds), 1)[0])


def measure(quick: bool = False) -> list[Row]:
    sizes, rounds = ([500, 2_000], 2) if quick else ([10_000, 100_000, 1_000_000], 5)
    compared = 2_000 if quick else COMPARED
    base, queries = real_vectors(200 if quick else 2_000)
    rows, costs = [], {}
    for number in sizes:
        vectors = mixed(base, number)
        found, costs[number] = one_size(vectors, queries, rounds, number == compared)
        rows += found
        del vectors
        gc.collect()
    for name in costs[sizes[0]]:
        known = [number for number in sizes if name in costs[number]]
        seconds = [costs[number][name] for number in known]
        rows.append(
            row(
                f"growth, {name}",
                f"n from {known[0]:,} to {known[-1]:,}",
                [exponent(known, seconds)],
                unit="is the exponent",
            )
        )
    return rows


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    _common.run("search", TITLE, ABOUT, measure)
