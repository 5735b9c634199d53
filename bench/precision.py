"""Fewer bits: how much faster, how close, and what the golden set says."""

import json
import os
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import _common
from _common import Row, faster, in_turn, row

from course_utils import assets, corpora
from course_utils.encoder import precision
from course_utils.search import SearchIndex, evaluate

TITLE = "Fewer bits"
ABOUT = (
    "`precision.load(name)` against `MiniLM` in float32. Close is the mean cosine to "
    "float32; recall and nDCG are those of exact search by meaning on the golden set "
    "of the operations corpus. `precision.fastest` chooses by a short measurement. The "
    "goal is 2.5 with matrix units (amx), 1.5 without; the second part forbids what "
    "goes beyond AVX2, so that an older processor is imitated on this one. "
    "All on 120 texts: so few fill four batches of the library, which then pads more "
    "than with a thousand (section above)."
)
BITS = tuple(precision.PRECISIONS)
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
}
LIBRARY = "`SentenceTransformer.encode`"


def golden(encoder) -> dict[str, float]:
    """nDCG@10 and recall@10 of dense search on the whole golden set."""
    index = SearchIndex.build(corpora.load_runbooks(), encoder)
    found = evaluate(
        lambda text: index.search(text, 10, "dense"),
        corpora.load_queries(),
        corpora.load_relevance(),
        k=10,
    )
    return {name: found.mean(name) for name in ("nDCG@10", "recall@10")}


def timed(texts: list[str], rounds: int) -> dict:
    """Seconds and closeness of every precision, and what ``fastest`` chooses."""
    _common.use_threads()
    encoders = {name: precision.load(name) for name in BITS}
    vectors = {name: encoders[name].encode(texts) for name in BITS}
    library = assets.sentence_transformer()
    library.encode(texts[:10])
    tasks = {name: partial(encoders[name].encode, texts) for name in BITS}
    tasks[LIBRARY] = partial(library.encode, texts, show_progress_bar=False)
    seconds = in_turn(tasks, rounds, warm=False)
    close = {
        name: float((vectors[name] * vectors["float32"]).sum(axis=1).mean())
        for name in BITS
    }
    chosen = precision.fastest(texts[:100], rounds=rounds).name
    return {"seconds": seconds, "close": close, "chosen": chosen}


def emulated(number: int, rounds: int) -> dict:
    """The same in a process that may not use more than AVX2."""
    command = [sys.executable, str(Path(__file__).resolve())]
    done = subprocess.run(
        [*command, f"--avx2={number},{rounds}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **AVX2},
    )
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(found: dict, where: str, goal: float, scores: dict) -> list[Row]:
    rows = []
    for name in BITS[1:]:
        chosen = name == found["chosen"]
        more = {"cosine": round(found["close"][name], 4)}
        for metric in scores.get(name, {}):
            own, standard = scores[name][metric], scores["float32"][metric]
            more[metric] = f"{own:.3f} against {standard:.3f}"
        rows.append(
            row(
                f"{name}{where}" + (", chosen by `fastest`" if chosen else ""),
                f"float32{where}",
                faster(found["seconds"], name, "float32"),
                at_least=goal if chosen else None,
                **more,
            )
        )
    if found["chosen"] == "float32":
        rows.append(
            row(
                f"float32{where}, chosen by `fastest`",
                f"float32{where}",
                [1.0],
                at_least=goal,
            )
        )
    for name in dict.fromkeys(("float32", found["chosen"])):
        rows.append(
            row(
                f"{name}{where}",
                f"{LIBRARY} in float32{where}",
                faster(found["seconds"], name, LIBRARY),
            )
        )
    return rows


def measure(quick: bool = False) -> list[Row]:
    rounds = 2 if quick else 5
    here = timed(_common.mixed_texts(10 if quick else 120), rounds)
    scores = {} if quick else {name: golden(precision.load(name)) for name in BITS}
    units = "amx_tile" in str(_common.machine()["offers"])
    rows = rows_of(here, "", 2.5 if units else 1.5, scores)
    if not quick:
        lost = scores["float32"]["nDCG@10"] - scores[here["chosen"]]["nDCG@10"]
        rows.append(
            row(
                f"nDCG@10 lost by {here['chosen']}",
                "float32",
                [lost],
                unit="",
                at_most=0.01,
                queries=len(corpora.load_queries()),
            )
        )
    rows += rows_of(
        emulated(6 if quick else 120, rounds), " with AVX2 only", 1.5, scores={}
    )
    return rows


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sizes = [arg[7:] for arg in sys.argv if arg.startswith("--avx2=")]
    if sizes:
        number, rounds = map(int, sizes[0].split(","))
        print(json.dumps(timed(_common.mixed_texts(number), rounds)))
    else:
        _common.run("precision", TITLE, ABOUT, measure)
