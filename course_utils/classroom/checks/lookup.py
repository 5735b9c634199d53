"""Exercises of notebook 02."""

from __future__ import annotations

import numpy as np

from course_utils.classroom.check import Exercise, Mistake

# -- 2.1: one-hot ----------------------------------------------------------------------


def _all_in_one(ids, size):
    row = np.zeros(size)
    row[list(ids)] = 1
    return row


# -- 2.2: nearest rows -----------------------------------------------------------------

# The longest row is not the nearest, the closest point neither, and two rows are equal
# in direction only nearly.
_BY_HAND = np.array([[1.0, 0.0], [6.0, 8.0], [0.5, 0.2], [-1.0, 0.0], [0.0, 3.0]])
_RANDOM = np.random.default_rng(2).normal(size=(9, 4)) * np.arange(1, 10)[:, None]
_NEAREST_CASES = [
    (np.array([1.0, 0.1]), _BY_HAND, 1),
    (np.array([1.0, 0.1]), _BY_HAND, 3),
    (np.array([0.0, -2.0]), _BY_HAND, 2),
    (_RANDOM[4], _RANDOM, 3),
    (-5 * _RANDOM[0], _RANDOM, 9),
    (np.array([1.0, 0.1]), np.array([[1.0, 0.104], [1.0, 0.101], [1.0, 0.09]]), 2),
]


def _reference_nearest(vector, vectors, k):
    import torch

    scores = torch.nn.functional.cosine_similarity(
        torch.tensor(vectors), torch.tensor(vector)[None]
    )
    return scores.topk(k).indices.tolist()


def _sorted_by(score):
    def function(vector, vectors, k):
        return np.argsort(score(vector, vectors), kind="stable")[:k].tolist()

    return function


def _cosines(vector, vectors):
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    return (vectors * vector).sum(axis=1) / lengths


# -- 2.3: the honest picture -----------------------------------------------------------

_TRUTH = np.random.default_rng(3).normal(size=(12, 6))
_TRUTH /= np.linalg.norm(_TRUTH, axis=1, keepdims=True)
_CIRCLE = np.array([[1, 0], [0.8, 0.6], [0, 1], [-0.8, 0.6], [-1, 0]])
_PICTURE_CASES = [
    (_CIRCLE, _CIRCLE, 1),
    (_CIRCLE, _CIRCLE[[0, 2, 4, 1, 3]], 2),
    (_TRUTH, 3 + 2 * _TRUTH[:, :2], 3),
    (_TRUTH, _TRUTH[:, 2:4] - 1, 5),
    (_TRUTH, _TRUTH[:, 2:4] / 1000, 2),
]


def _reference_kept(vectors, points, k):
    from sklearn.neighbors import NearestNeighbors

    found = [
        NearestNeighbors(n_neighbors=k, metric=metric).fit(data).kneighbors()[1]
        for data, metric in ((vectors, "cosine"), (points, "euclidean"))
    ]
    return np.array([len({*a} & {*b}) for a, b in zip(*found, strict=True)])


def _distances(points):
    return np.sqrt(((points[:, None] - points) ** 2).sum(axis=-1))


def _kept(vectors, points, k, truth=None, drawn=None, skip=1):
    truth = -(vectors @ vectors.T) if truth is None else truth
    drawn = _distances(points) if drawn is None else drawn
    first = np.argsort(truth, axis=1)[:, skip : k + skip]
    second = np.argsort(drawn, axis=1)[:, skip : k + skip]
    return np.array([len({*a} & {*b}) for a, b in zip(first, second, strict=True)])


def _barred(matrix):
    matrix = matrix.astype(float)
    np.fill_diagonal(matrix, -np.inf)
    return matrix  # the word itself sorts first and is skipped


def _farthest(points):
    return _barred(-_distances(points))


def _near_by_dot(points):
    return _barred(-(points @ points.T))


# -- 2.4: analogies --------------------------------------------------------------------

_UNITS = np.random.default_rng(4).normal(size=(14, 3))
_UNITS /= np.linalg.norm(_UNITS, axis=1, keepdims=True)
# Two directions, "royal" and "female", and something that only fruit has: man, king,
# woman, queen, apple.
_SMALL = np.array([[1, 0, 0], [1, 2, 0], [1, 0, 1], [1, 2, 1], [-1, 0, 3.0]])
_SMALL /= np.linalg.norm(_SMALL, axis=1, keepdims=True)
_ANALOGY_CASES = [
    (0, 1, 2, _SMALL),
    (2, 3, 0, _SMALL),
    *(
        (a, b, c, _UNITS)
        for a, b, c in (
            (0, 1, 2),
            (0, 1, 12),
            (0, 3, 11),
            (0, 4, 2),
            (5, 11, 12),
            (1, 5, 6),
            (8, 1, 6),
        )
    ),
]


def _reference_analogy(a, b, c, units):
    # The sum of three cosines, candidate by candidate (Levy and Goldberg 2014).
    def score(d):
        return units[d] @ units[b] - units[d] @ units[a] + units[d] @ units[c]

    return max((d for d in range(len(units)) if d not in (a, b, c)), key=score)


def _analogy(units, target, barred=()):
    return max(
        (d for d in range(len(units)) if d not in barred),
        key=lambda d: float(units[d] @ target),
    )


# -- 2.5: rows that were never learnt --------------------------------------------------

# Thirty short rows that are known, one of which somebody has moved; short and long
# others around them.
_random = np.random.default_rng(5)
_LENGTHS = np.concatenate([
    _random.uniform(0.42, 0.48, 30), _random.uniform(0.40, 0.50, 20),
    _random.uniform(0.6, 1.4, 50),
])  # fmt: skip
_LENGTHS[7] = 0.9
_MIXED = _random.permutation(100)
_SHUFFLED = _LENGTHS[_MIXED]
_KNOWN = np.flatnonzero(_MIXED < 30).tolist()
_LENGTH_CASES = [
    (_LENGTHS, list(range(30))),
    (_SHUFFLED, _KNOWN),
    (np.array([0.5, 1.0, 0.5, 0.4]), [0]),
    (np.array([0.5, 1.0, 2.0]), [0]),
]


def _reference_short(lengths, unused):
    import pandas as pd

    lengths = pd.Series(lengths)
    short = lengths <= lengths[unused].quantile(0.95)
    return short[short].index.difference(unused).tolist()


def _below(lengths, unused, limit, keep=False):
    return [
        i
        for i, length in enumerate(lengths)
        if length <= limit and (keep or i not in set(unused))
    ]


# -- 2.6: negative sampling ------------------------------------------------------------

_draw = np.random.default_rng(6)
_LOSS_CASES = [
    (np.array([1.0, 2.0]), np.array([2.0, 0.5]), np.array([[0.0, 1.0], [-1.0, 0.0]])),
    (np.zeros(3), np.ones(3), np.ones((4, 3))),
    *((_draw.normal(size=5), _draw.normal(size=5), _draw.normal(size=(k, 5)))
      for k in (1, 3, 7)),
    # Far from 0, where e to the x overflows.
    (np.array([30.0, 40.0]), np.array([-20.0, -10.0]), np.array([[0.1, 0.0]])),
    (np.array([30.0, 40.0]), np.array([0.0, 0.1]), np.array([[20.0, 9.0], [0.0, 1.0]])),
]  # fmt: skip


def _reference_loss(centre, context, drawn):
    import torch

    scores = torch.tensor([context @ centre, *(drawn @ centre)])
    labels = torch.tensor([1.0, *[0.0] * len(drawn)], dtype=torch.float64)
    return torch.nn.functional.binary_cross_entropy_with_logits(
        scores, labels, reduction="sum"
    ).item()


def _sigma(x):
    return 1 / (1 + np.exp(-x))


# -- 2.7: the wrong cloakroom ----------------------------------------------------------

_ROWS = ["[CLS]", "[SEP]", "[UNK]", "the", "cat", "dog", "sat", "down"]
_CANARY, _CANARY_IDS = "The cat sat the cat", [0, 3, 4, 6, 3, 4, 1]


class _Tokenizer:
    """Whole words, lower case, special tokens around; with illnesses on demand."""

    def __init__(self, pieces=_ROWS, shift=0, lower=True, specials=True, lacks=""):
        self.pieces, self.shift = list(pieces), shift
        self.lower, self.specials, self.lacks = lower, specials, lacks

    def get_vocab(self):
        rows = enumerate(self.pieces)
        return {piece: row for row, piece in rows if piece != self.lacks}

    def __call__(self, text):
        words = (text.lower() if self.lower else text).split()
        found = [word if word in self.pieces else "[UNK]" for word in words]
        if self.specials:
            found = ["[CLS]", *found, "[SEP]"]
        return {"input_ids": [self.pieces.index(p) + self.shift for p in found]}

    def decode(self, ids):
        pieces = [self.pieces[i - self.shift] for i in ids]
        return " ".join(p for p in pieces if p not in ("[CLS]", "[SEP]"))

    def __repr__(self):
        return (
            f"tokenizer with {len(self.pieces)} pieces, shift {self.shift}, "
            f"lower={self.lower}, specials={self.specials}"
        )


_SWAPPED = [*_ROWS[:5], "sat", "dog", "down"]
_ELSEWHERE = [*_ROWS[:5], "down", "sat", "dog"]  # the canary does not notice
_PATIENTS = [
    _Tokenizer(),
    _Tokenizer(shift=1),
    _Tokenizer(lower=False),
    _Tokenizer(specials=False),
    _Tokenizer(_SWAPPED),
    _Tokenizer(_ELSEWHERE),
    _Tokenizer([*_ROWS, "mat"]),
    _Tokenizer([*_ROWS, "mat", "rug"]),
    _Tokenizer(_ROWS[:-1]),
    _Tokenizer(lacks="dog"),
    _Tokenizer([*_ROWS[:2], "dog", "the", "cat", "[UNK]", "sat", "down"]),
    _Tokenizer([*_ROWS[:5], "sofa", "sat", "down"]),
]


def _reference_belongs(rows, canary, ids, tokenizer):
    vocab = tokenizer.get_vocab()
    numbers = sorted(vocab.items(), key=lambda item: item[1])
    matches = numbers == list(zip(rows, range(len(rows)), strict=True))
    return matches and tokenizer(canary)["input_ids"] == ids


def _round_trip(rows, canary, ids, tokenizer):
    back = tokenizer.decode(tokenizer(canary)["input_ids"])
    return back.lower() == canary.lower()


EXERCISES = (
    Exercise(
        id="2.1",
        title="One-hot",
        cases=[
            ([2, 0], 3),
            ([0], 2),
            ([1, 1, 3, 0], 5),
            ([], 4),
            ([3, 1, 0, 2, 1, 4], 6),
        ],
        reference=lambda ids, size: np.eye(size)[np.array(ids, dtype=int)],
        mistakes=[
            Mistake(
                "lines and columns are exchanged: one line per id, one column per "
                "possible id",
                lambda ids, size: np.eye(size)[np.array(ids, dtype=int)].T,
            ),
            Mistake(
                "the ones stand one place too far left: ids count from 0",
                lambda ids, size: np.eye(size)[np.array(ids, dtype=int) - 1],
            ),
            Mistake(
                "all ids share one line, so their order and repetitions are lost: "
                "each id gets a line of its own",
                _all_in_one,
            ),
            Mistake(
                "the ids themselves are written in: write a 1 at their place",
                lambda ids, size: (
                    np.eye(size)[np.array(ids, dtype=int)] * np.array(ids)[:, None]
                ),
            ),
        ],
    ),
    Exercise(
        id="2.2",
        title="Nearest rows",
        cases=_NEAREST_CASES,
        reference=_reference_nearest,
        mistakes=[
            Mistake(
                "long rows win here: divide by the length of each row, or it is a dot "
                "product and no cosine",
                _sorted_by(lambda v, rows: -(rows @ v)),
            ),
            Mistake(
                "the farthest come first: a large cosine is near, argsort puts the "
                "small ones in front",
                _sorted_by(_cosines),
            ),
            Mistake(
                "this is the distance between points: the cosine compares directions "
                "only",
                _sorted_by(lambda v, rows: np.linalg.norm(rows - v, axis=1)),
            ),
            Mistake(
                "all rows are returned: keep the first k",
                lambda v, rows, k: np.argsort(-_cosines(v, rows)).tolist(),
            ),
        ],
    ),
    Exercise(
        id="2.3",
        title="Score the picture",
        cases=_PICTURE_CASES,
        reference=_reference_kept,
        mistakes=[
            Mistake(
                "a word counts as its own neighbour: bar the diagonal before you sort",
                lambda v, p, k: _kept(v, p, k, skip=0),
            ),
            Mistake(
                "in the picture small distances are near: sort them ascending",
                lambda v, p, k: _kept(v, p, k, drawn=_farthest(p)),
            ),
            Mistake(
                "the picture is compared by dot product: the eye sees distances",
                lambda v, p, k: _kept(v, p, k, drawn=_near_by_dot(p)),
            ),
            Mistake(
                "one mean for all: return a count for each word",
                lambda v, p, k: _kept(v, p, k).mean(),
            ),
            Mistake(
                "a share is returned: count the neighbours, 0 to k",
                lambda v, p, k: _kept(v, p, k) / k,
            ),
        ],
    ),
    Exercise(
        id="2.4",
        title="Analogy with the rule",
        cases=_ANALOGY_CASES,
        reference=_reference_analogy,
        mistakes=[
            Mistake(
                "the inputs can win here: bar all three, a, b and c",
                lambda a, b, c, u: _analogy(u, u[b] - u[a] + u[c]),
            ),
            Mistake(
                "only c is barred, so b wins: bar all three",
                lambda a, b, c, u: _analogy(u, u[b] - u[a] + u[c], (c,)),
            ),
            Mistake(
                "a and b are exchanged: it is b - a + c, king - man + woman",
                lambda a, b, c, u: _analogy(u, u[a] - u[b] + u[c], (a, b, c)),
            ),
            Mistake(
                "this is the nearest neighbour of c: a and b play no part",
                lambda a, b, c, u: _analogy(u, u[c], (a, b, c)),
            ),
            Mistake(
                "this is the sum of all three: a must be subtracted",
                lambda a, b, c, u: _analogy(u, u[a] + u[b] + u[c], (a, b, c)),
            ),
        ],
    ),
    Exercise(
        id="2.5",
        title="Find rows that were never learnt",
        cases=_LENGTH_CASES,
        reference=_reference_short,
        mistakes=[
            Mistake(
                "one odd row decides: among the unused is one that has been moved, "
                "and with their maximum as the limit learnt rows are accused",
                lambda n, unused: _below(n, unused, max(n[unused])),
            ),
            Mistake(
                "the mean leaves out half of the unlearnt rows, or follows the odd "
                "one: take the length that 95 % do not exceed",
                lambda n, unused: _below(n, unused, n[unused].mean()),
            ),
            Mistake(
                "the unused rows are in the answer: they were known before",
                lambda n, unused: _below(n, unused, np.quantile(n[unused], 0.95), True),
            ),
            Mistake(
                "these are the long rows: the unlearnt ones are short",
                lambda n, unused: [
                    i
                    for i, length in enumerate(n)
                    if length > np.quantile(n[unused], 0.95) and i not in unused
                ],
            ),
            Mistake(
                "the limit is taken from all rows: take it from the unused ones",
                lambda n, unused: _below(n, unused, np.quantile(n, 0.95)),
            ),
        ],
    ),
    Exercise(
        id="2.6",
        title="Negative sampling",
        cases=_LOSS_CASES,
        reference=_reference_loss,
        mistakes=[
            Mistake(
                "the drawn words are pulled as well: inside their σ there is a minus",
                lambda c, o, n: float(
                    -np.log(_sigma(c @ o)) - np.log(_sigma(n @ c)).sum()
                ),
            ),
            Mistake(
                "the drawn words are averaged: the formula sums over them",
                lambda c, o, n: float(
                    -np.log(_sigma(c @ o)) - np.log(_sigma(-n @ c)).mean()
                ),
            ),
            Mistake(
                "the sign is turned: a loss is small when all is well, so it is minus "
                "the logarithms",
                lambda c, o, n: float(
                    np.log(_sigma(c @ o)) + np.log(_sigma(-n @ c)).sum()
                ),
            ),
            Mistake(
                "the logarithm is missing",
                lambda c, o, n: float(-_sigma(c @ o) - _sigma(-n @ c).sum()),
            ),
            Mistake(
                "the drawn words are missing: without them all rows fall together",
                lambda c, o, n: float(-np.log(_sigma(c @ o))),
            ),
            Mistake(
                "the drawn words are compared with the context: compare them with the "
                "centre",
                lambda c, o, n: float(
                    -np.log(_sigma(c @ o)) - np.log(_sigma(-n @ o)).sum()
                ),
            ),
        ],
    ),
    Exercise(
        id="2.7",
        title="Puzzle: the wrong cloakroom",
        cases=[(_ROWS, _CANARY, _CANARY_IDS, patient) for patient in _PATIENTS],
        reference=_reference_belongs,
        mistakes=[
            Mistake(
                "only the number of pieces is compared: ids off by one have it too",
                lambda rows, canary, ids, t: len(t.get_vocab()) == len(rows),
            ),
            Mistake(
                "the pieces are right, but nobody asked what the tokenizer *does*: "
                "one that adds 1 or keeps capitals passes; run the canary",
                lambda rows, canary, ids, t: (
                    list(t.get_vocab().items())
                    == [(piece, row) for row, piece in enumerate(rows)]
                ),
            ),
            Mistake(
                "the canary is well, but it meets only a few rows: exchange two "
                "others and it sings on; compare every piece",
                lambda rows, canary, ids, t: t(canary)["input_ids"] == ids,
            ),
            Mistake(
                "the tokenizer is asked about itself: encode and decode agree in "
                "every patient; compare with the model's rows and ids",
                _round_trip,
            ),
            Mistake(
                "the tokenizer lacks a piece that the model has, and nobody noticed: "
                "go through the model's rows, not through the tokenizer's pieces",
                lambda rows, canary, ids, t: (
                    all(rows[i : i + 1] == [p] for p, i in t.get_vocab().items())
                    and t(canary)["input_ids"] == ids
                ),
            ),
            Mistake(
                "the tokenizer has a piece that the model lacks, and nobody noticed: "
                "both must have the same pieces",
                lambda rows, canary, ids, t: (
                    all(t.get_vocab().get(p) == i for i, p in enumerate(rows))
                    and t(canary)["input_ids"] == ids
                ),
            ),
            Mistake(
                "the pieces are compared as a set: their numbers matter",
                lambda rows, canary, ids, t: (
                    set(t.get_vocab()) == set(rows) and t(canary)["input_ids"] == ids
                ),
            ),
        ],
    ),
)
