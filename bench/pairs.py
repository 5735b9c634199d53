"""The headline of Sentence-BERT: the most similar pair among 10,000 sentences."""

import inspect
import json
import pkgutil
import pydoc_data.topics
import random
import re
import warnings

import _common
import numpy as np
import torch
from _common import Row, in_turn, row

from course_utils import assets, corpora
from course_utils.encoder import MiniLM

TITLE = "The most similar pair among 10,000 sentences"
ABOUT = (
    "Encode all sentences and compare all vectors exactly, in full; against reading "
    "every pair jointly, at the measured rate of the same model with both sentences in "
    "one input. Reimers and Gurevych (2019) state 65 hours against 5 seconds, about "
    "46,000 times, on a GPU and with a larger model."
)
STATED = 46_000


def sentences(number: int, seed: int = 7) -> list[str]:
    """Real sentences, no two equal: news, runbooks, Python's documentation."""
    texts = [article.text for article in corpora.load_news()]
    texts += [page.text for page in corpora.load_runbooks()]
    texts += pydoc_data.topics.topics.values()
    for module in pkgutil.iter_modules(json.__path__[:1] + [_library()]):
        spec = module.module_finder.find_spec(module.name)
        if spec and spec.origin and spec.origin.endswith(".py"):
            with open(spec.origin, encoding="utf-8", errors="ignore") as file:
                texts += re.findall(r'"""(.+?)"""', file.read(), re.DOTALL)
    found = {
        " ".join(part.split())
        for text in texts
        for part in re.split(r"(?<=[.!?])\s+|\n\s*\n", text)
        if 5 <= len(part.split()) <= 40
    }
    if len(found) < number:
        raise SystemExit(f"only {len(found):,} different sentences were found")
    return random.Random(seed).sample(sorted(found), number)


def _library() -> str:
    return str(inspect.getfile(json)).rsplit("json", 1)[0]


def most_similar(vectors: np.ndarray, block: int = 1_000) -> tuple[int, int, float]:
    """Exact search over all pairs, one block of rows after the other."""
    best = (0, 0, -2.0)
    for begin in range(0, len(vectors), block):
        scores = vectors[begin : begin + block] @ vectors[begin:].T
        # Each pair once: only what lies right of the diagonal.
        scores[np.tril_indices(len(scores), 0, scores.shape[1])] = -2.0
        place = int(scores.argmax())
        a, b = divmod(place, scores.shape[1])
        if scores[a, b] > best[2]:
            best = (begin + a, begin + b, float(scores[a, b]))
    return best


def joint(model: MiniLM, pairs: list[tuple[str, str]]) -> np.ndarray:
    """Read both sentences of each pair in one input and score it: (pairs,).

    The score is that of a head with arbitrary weights: it costs what a trained one
    would cost. Likewise the type of the second sentence is left out, a row that would
    be added.
    """
    firsts, seconds = zip(*pairs, strict=True)
    found = assets.tokenizer()(list(firsts), list(seconds), truncation=True)
    found = [ids[: model.max_tokens] for ids in found["input_ids"]]
    head = torch.ones(model.words.shape[1])
    return np.array(model.read(found, lambda last, mask: last[:, 0] @ head))


def measure(quick: bool = False) -> list[Row]:
    _common.use_threads()
    number, tried, rounds = (40, 4, 2) if quick else (10_000, 400, 5)
    texts, model = sentences(number), MiniLM.load()
    rng = random.Random(7)
    pairs = [tuple(rng.sample(texts, 2)) for _ in range(tried * rounds)]
    share, parts = number // rounds, []
    model.encode(texts[: share // 10 + 1])
    joint(model, pairs[: tried // 10 + 1])
    # Each round encodes its share of the sentences, so that all rounds encode all.
    waiting = iter(range(2 * rounds))

    def encode() -> None:
        begin = share * len(parts)
        parts.append(model.encode(texts[begin : begin + share]))

    def read_jointly() -> None:
        begin = tried * (next(waiting) % rounds)
        joint(model, pairs[begin : begin + tried])

    seconds = in_turn({"encode": encode, "joint": read_jointly}, rounds, warm=False)
    vectors = np.concatenate(parts)
    search = in_turn({"search": lambda: most_similar(vectors)}, rounds)["search"]
    all_pairs = number * (number - 1) // 2
    once = [
        rounds * own + looked
        for own, looked in zip(seconds["encode"], search, strict=True)
    ]
    together = [all_pairs * spent / tried for spent in seconds["joint"]]
    a, b, score = most_similar(vectors)
    return [
        row(
            f"encode {number:,} sentences and search exactly",
            f"read {all_pairs:,} pairs jointly",
            [slow / fast for slow, fast in zip(together, once, strict=True)],
            stated=f"{STATED:,}",
            minutes=sum(seconds["encode"]) / 60 + np.median(search) / 60,
            days_jointly=float(np.median(together) / 86_400),
            pairs_per_second=tried / float(np.median(seconds["joint"])),
            best_cosine=round(score, 3),
        ),
        row(
            "the exact search alone",
            "all of it",
            [looked / whole for looked, whole in zip(search, once, strict=True)],
            unit="of the time",
        ),
    ]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    _common.run("pairs", TITLE, ABOUT, measure)
