"""Which encoder for your texts: every one at hand answers your own questions.

A leaderboard measures other people's texts and questions. What it cannot know is in
your golden set; what it does not show is on a model's ``cards``.

Used in notebook 14. Library: ``sentence_transformers``; ``mteb``. Paper: Muennighoff et
al. 2023, MTEB (arXiv 2210.07316).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from course_utils import assets
from course_utils.yours.comparing import comparisons, evaluations
from course_utils.yours.golden import GoldenSet

if TYPE_CHECKING:
    import pandas as pd

    from course_utils.encoder import Encoder
    from course_utils.search import Evaluation


def at_hand() -> dict[str, Callable[[], Encoder]]:
    """The encoders that come with the course, by name; each is loaded when called."""

    def six() -> Encoder:
        from course_utils.encoder import MiniLM

        return MiniLM.load()

    def rounded() -> Encoder:
        from course_utils.encoder import precision

        return precision.load("int8")

    def three() -> Encoder:
        from course_utils.encoder import MiniLM

        return MiniLM(*assets.second_model())

    return {"MiniLM L6": six, "MiniLM L6, int8": rounded, "MiniLM L3": three}


def from_folder(place: str | Path) -> Encoder:
    """Any sentence-transformers model: a folder, or a name with ``COURSE_ONLINE=1``.

    Code that comes with a model is never run.

    Raises:
        FileNotFoundError: there is no such folder, and the network is not asked.
    """
    from sentence_transformers import SentenceTransformer

    from course_utils.search import SentenceTransformerEncoder

    if not Path(place).is_dir() and not assets.online():
        raise FileNotFoundError(
            f"there is no folder {place}: name one, or set COURSE_ONLINE=1 to ask the "
            "Hub for a model of this name"
        )
    made = SentenceTransformer(
        str(place), trust_remote_code=False, local_files_only=not assets.online()
    )
    return SentenceTransformerEncoder(made)


@dataclass(frozen=True)
class Candidate:
    """How an encoder did on your texts.

    Attributes:
        name: as you called it.
        dimensions: of its vectors.
        tokens: how many it reads, special tokens included.
        model: bytes of its weights in memory; None if it does not show them.
        index: bytes of the vectors of all passages.
        milliseconds: per passage, on this machine and in this run.
        evaluation: of a search by meaning, see ``search.Evaluation``.
    """

    name: str
    dimensions: int
    tokens: int
    model: int | None
    index: int
    milliseconds: float
    evaluation: Evaluation


def trial(
    encoders: Mapping[str, Callable[[], Encoder]],
    documents: Mapping[str, str],
    golden: GoldenSet,
    *,
    size: int = 128,
    k: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[list[Candidate], dict[str, str]]:
    """Let every encoder search your texts by meaning, one after the other.

    Args:
        encoders: name -> function that loads one, such as ``at_hand()``.
        documents: id -> text, such as ``library.index.documents``.
        golden: your questions and judgements.
        size: tokens per passage; a model that reads fewer takes as many as it reads.
        k: the depth of recall.
        clock: seconds.

    Returns:
        The candidates, and name -> reason of those that could not be tried.

    Raises:
        ValueError: there are no documents, or no question is judged.
    """
    from course_utils.search import SearchIndex

    found, refused = [], {}
    for name, load_encoder in encoders.items():
        try:
            timed = _Timed(load_encoder(), clock)
            fitting = min(size, timed.max_tokens - 2)
            index = SearchIndex.build(documents, timed, size=fitting)
        except (RuntimeError, OSError, assets.AssetError) as error:
            refused[name] = str(error)
            continue
        milliseconds = 1000 * timed.seconds / max(1, timed.count)
        searches = {name: lambda q, index=index: index.search(q, max(10, k), "dense")}
        found.append(
            Candidate(
                name,
                index.vectors.shape[1],
                timed.max_tokens,
                weight_bytes(timed.encoder),
                index.vectors.nbytes,
                milliseconds,
                evaluations(golden, searches, k)[name],
            )
        )
    return found, refused


class _Timed:
    """An encoder whose time is taken."""

    def __init__(self, encoder: Encoder, clock: Callable[[], float]) -> None:
        self.encoder, self.clock, self.seconds, self.count = encoder, clock, 0.0, 0

    def __getattr__(self, name: str):
        return getattr(self.encoder, name)

    def encode(self, texts: list[str]) -> np.ndarray:
        begun = self.clock()
        made = self.encoder.encode(texts)
        self.seconds += self.clock() - begun
        self.count += len(texts)
        return made


def weight_bytes(encoder: Encoder) -> int | None:
    """Bytes of the numbers that an encoder computes with; None if they are hidden."""
    if hasattr(encoder, "numbers"):
        tensors = [tensor for _, tensor in encoder.numbers()]
    elif hasattr(getattr(encoder, "model", None), "state_dict"):
        tensors = list(encoder.model.state_dict().values())
    else:
        return None
    return sum(tensor.nbytes for tensor in tensors)


def table(
    candidates: list[Candidate], base: str, metric: str = "nDCG@10"
) -> pd.DataFrame:
    """One row per candidate: what it costs, what it finds, and the gain over one.

    Times are of one run on one machine: they are no column to compare to a digit.

    Raises:
        ValueError: no candidate is called ``base``, or there is no such metric.
    """
    import pandas as pd

    by_name = {one.name: one.evaluation for one in candidates}
    compared = {one.name: one for one in comparisons(by_name, base, metric)}
    rows = {}
    for one in candidates:
        gain = compared[one.name]
        rows[one.name] = {
            "dimensions": one.dimensions,
            "reads": one.tokens,
            "model MB": None if one.model is None else round(one.model / 1e6, 1),
            "index MB": round(one.index / 1e6, 2),
            "ms per passage": round(one.milliseconds, 1),
            metric: one.evaluation.table().loc["all", metric],
            "gain": f"{gain.gain:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]",
            "at every look": f"[{gain.always[0]:+.2f}, {gain.always[1]:+.2f}]",
        }
    return pd.DataFrame.from_dict(rows, orient="index")
