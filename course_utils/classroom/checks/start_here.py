"""Exercises of notebook 00: ten one-liners about shapes."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cosine as cosine_distance
from scipy.special import softmax as scipy_softmax
from sklearn.preprocessing import normalize as sklearn_normalize

from course_utils.classroom import session
from course_utils.classroom.check import Exercise, Mistake

_rng = np.random.default_rng(0)
_TABLE = _rng.normal(size=(7, 3))  # 7 rows, dim 3: no two sizes are equal
_TOKENS = _rng.normal(size=(5, 3))
_BATCH = _rng.normal(size=(2, 5, 3))
_MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
_FEWER = np.array([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]])
_SCORES = _rng.normal(size=(2, 5))
# Rows far above and far below each other: no one number suits both.
_LEVELS = np.array([[900.0, 901.0, 902.0], [-900.0, -901.0, -903.0]])
_Q, _K = _rng.normal(size=(4, 3)), _rng.normal(size=(6, 3))
_WIDE = _rng.normal(size=(5, 6))  # 5 tokens, 3 heads of 2


def _padded(rows):
    width = max(map(len, rows))
    return np.stack([np.pad(row, (0, width - len(row))) for row in rows])


EXERCISES = (
    Exercise(
        id="0.1",
        title="Take rows of a table",
        cases=[(_TABLE, np.array([2, 0, 2, 6])), (_TABLE, np.array([1]))],
        reference=lambda table, ids: np.take(table, ids, axis=0),
        mistakes=[
            Mistake(
                "these are the first rows: take the rows that ids names",
                lambda table, ids: table[: len(ids)],
            ),
            Mistake(
                "ids come off by one: row 0 is the first",
                lambda table, ids: table[np.asarray(ids) - 1],
            ),
        ],
    ),
    Exercise(
        id="0.2",
        title="Mean over the tokens",
        cases=[(_TOKENS,), (_TABLE,)],
        reference=lambda tokens: np.add.reduce(tokens, axis=0) / tokens.shape[0],
        mistakes=[
            Mistake(
                "this averages each token's own numbers: the tokens are axis 0",
                lambda tokens: tokens.mean(axis=1),
            ),
            Mistake(
                "this is one number: name the axis",
                lambda tokens: tokens.mean(),
            ),
            Mistake("this is the sum, not the mean", lambda t: t.sum(axis=0)),
        ],
    ),
    Exercise(
        id="0.3",
        title="Mean over the real tokens only",
        cases=[(_BATCH, _MASK), (_BATCH, np.ones_like(_MASK)), (_BATCH, _FEWER)],
        reference=lambda tokens, mask: np.stack(
            [
                np.average(t, axis=0, weights=m)
                for t, m in zip(tokens, mask, strict=True)
            ]
        ),
        mistakes=[
            Mistake(
                "padding is averaged in: multiply by the mask first",
                lambda tokens, mask: tokens.mean(axis=1),
            ),
            Mistake(
                "padding is left out of the sum but not of the count: divide by "
                "mask.sum(), not by the length",
                lambda tokens, mask: (tokens * mask[..., None]).mean(axis=1),
            ),
        ],
    ),
    Exercise(
        id="0.4",
        title="Cosine of two vectors",
        cases=[
            (_TOKENS[0], _TOKENS[1]),
            (3 * _TOKENS[0], _TOKENS[0]),
            (_TOKENS[0], -2 * _TOKENS[0]),
        ],
        reference=lambda a, b: float(1 - cosine_distance(a, b)),
        mistakes=[
            Mistake(
                "this is the dot product: divide by both lengths",
                lambda a, b: float(a @ b),
            ),
            Mistake(
                "one length is missing: divide by the length of a and of b",
                lambda a, b: float(a @ b / np.linalg.norm(a)),
            ),
            Mistake(
                "this is the cosine *distance*: 1 minus it is the cosine",
                lambda a, b: float(cosine_distance(a, b)),
            ),
        ],
    ),
    Exercise(
        id="0.5",
        title="Every query with every key",
        cases=[(_Q, _K), (_K, _Q)],
        reference=lambda q, k: np.einsum("id,jd->ij", q, k),
        mistakes=[
            Mistake(
                "rows and columns are exchanged: queries are the rows",
                lambda q, k: k @ q.T,
            ),
            Mistake(
                "this pairs query i with key i only: all pairs are wanted",
                lambda q, k: (q[: len(k)] * k[: len(q)]).sum(axis=1),
            ),
        ],
    ),
    Exercise(
        id="0.6",
        title="Softmax of each row",
        cases=[
            (_SCORES,),
            (_SCORES * 500,),
            (np.zeros((2, 4)),),
            (_LEVELS,),
            (_LEVELS.T,),
        ],
        reference=lambda scores: scipy_softmax(scores, axis=-1),
        mistakes=[
            Mistake(
                "each column sums to 1 here: softmax goes along the last axis",
                lambda scores: scipy_softmax(scores, axis=0),
            ),
            Mistake(
                "the whole matrix sums to 1 here: softmax goes along the last axis",
                lambda scores: scipy_softmax(scores),
            ),
            Mistake(
                "large scores overflow to nan: subtract each row's maximum before exp",
                lambda scores: _naive_softmax(scores),
            ),
        ],
    ),
    Exercise(
        id="0.7",
        title="The k best, best first",
        cases=[
            (_SCORES[0], 3),
            (np.array([1.0, 9.0, 5.0, 7.0]), 2),
            (_SCORES[1], 5),
            (np.array([0.102, 0.104, 0.101]), 2),
        ],
        reference=lambda scores, k: np.array(
            sorted(range(len(scores)), key=lambda i: -scores[i])[:k]
        ),
        mistakes=[
            Mistake(
                "these are the k worst: argsort counts upwards",
                lambda scores, k: np.argsort(scores)[:k],
            ),
            Mistake(
                "the right ones, but the best comes last: turn them round",
                lambda scores, k: np.argsort(scores)[-k:],
            ),
            Mistake(
                "these are the scores: return where they stand",
                lambda scores, k: np.sort(scores)[::-1][:k],
            ),
        ],
    ),
    Exercise(
        id="0.8",
        title="Split into heads",
        cases=[(_WIDE, 3), (_WIDE, 2)],
        reference=lambda x, heads: np.stack(np.split(x, heads, axis=1)),
        mistakes=[
            Mistake(
                "the shape is right, but tokens are cut up: reshape to "
                "(tokens, heads, dim) first, then exchange the first two axes",
                lambda x, heads: x.reshape(heads, len(x), -1),
            ),
            Mistake(
                "heads come first: exchange the first two axes",
                lambda x, heads: x.reshape(len(x), heads, -1),
            ),
        ],
    ),
    Exercise(
        id="0.9",
        title="Scale each row to length 1",
        cases=[(_TOKENS,), (_TABLE * 10,)],
        reference=sklearn_normalize,
        mistakes=[
            Mistake(
                "the whole matrix has length 1: each row should",
                lambda x: x / np.linalg.norm(x),
            ),
            Mistake(
                "each column has length 1: the rows are wanted, with keepdims=True",
                lambda x: x / np.linalg.norm(x, axis=0, keepdims=True),
            ),
            Mistake(
                "each row sums to 1 here: divide by the length, not by the sum",
                lambda x: x / x.sum(axis=1, keepdims=True),
            ),
        ],
    ),
    Exercise(
        id="0.10",
        title="Fill up to a rectangle",
        cases=[
            ([[5, 6, 7], [8]],),
            ([[1], [2, 3]],),
            ([[4, 4]],),
            ([[9], [1, 2, 3], [9], [4, 4], [7, 7, 7, 7], [5]],),
        ],
        reference=_padded,
        mistakes=[
            Mistake(
                "the padding is on the left: fill up on the right",
                lambda rows: np.stack(
                    [np.pad(r, (max(map(len, rows)) - len(r), 0)) for r in rows]
                ),
            ),
            Mistake(
                "the longer rows are cut: fill the shorter ones up with 0",
                lambda rows: np.array([r[: min(map(len, rows))] for r in rows]),
            ),
        ],
    ),
)


def _naive_softmax(scores):
    with np.errstate(all="ignore"):
        powers = np.exp(scores)
        return powers / powers.sum(axis=-1, keepdims=True)


def where_to_start() -> None:
    """Say which notebook to open next, from the warm-up answers that are correct."""
    solved = {key for key, ok in session.current.exercises.items() if ok}
    own = {exercise.id for exercise in EXERCISES}
    count = len(solved & own)
    print(f"{count} of {len(own)} solved.")
    if count == len(own):
        print("Start wherever you like: every notebook opens by itself.")
    elif count >= 6:
        print("Start with 01. Keep this notebook open for the shapes that are left.")
    elif count:
        print("Start with 01, and do the open ones here before 04 (attention).")
    else:
        print("Nothing tried yet: try a few, or start with 01, which needs no arrays.")
