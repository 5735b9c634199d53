"""Checks of notebook 05. References are libraries or formulas."""

from __future__ import annotations

import math

import numpy as np
import torch

from course_utils.classroom.check import Exercise, Mistake

# -- 5.1: the masked mean --------------------------------------------------------------

# Two texts of 3 and 2 tokens, padded to 4 with large numbers; by hand (3, -4), (4, 4).
_VECTORS = torch.tensor(
    [
        [[1.0, -6.0], [2.0, -4.0], [6.0, -2.0], [99.0, 99.0]],
        [[3.0, 0.0], [5.0, 8.0], [99.0, 99.0], [-99.0, 99.0]],
    ]
)
_MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
_BATCHES = [
    (_VECTORS, _MASK),
    (_VECTORS.flip(1), _MASK.flip(1)),
    (_VECTORS[:1, :3], _MASK[:1, :3]),
    (_VECTORS / 1000, _MASK),
]


def _reference_mean(vectors, mask):
    rows = zip(vectors.numpy(), mask.numpy(), strict=True)
    return torch.tensor(
        np.array([np.average(row, axis=0, weights=seen) for row, seen in rows])
    )


def _masked_sum(vectors, mask):
    return (vectors * mask.unsqueeze(-1)).sum(dim=1)


# -- 5.2: where the real tokens begin and end ------------------------------------------

_MASKS = [
    (torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]),),
    (torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]]),),
    (torch.tensor([[0, 1, 1, 0], [0, 0, 1, 0]]),),
]


def _reference_ends(mask):
    real = [np.flatnonzero(row) for row in mask.numpy()]
    return torch.tensor([r[0] for r in real]), torch.tensor([r[-1] for r in real])


def _flipped(mask):
    return mask.flip(1).argmax(dim=1)


# -- 5.3: separation -------------------------------------------------------------------

_SCORES = [
    ([0.9, 0.6], [0.5, 0.7, 0.1]),  # 5 of 6 by hand
    ([0.9, 0.8], [0.2, 0.1]),
    ([0.4, 0.3], [0.4, 0.3]),
    ([0.5], [0.5, 0.5, 0.2]),
    ([-0.1, 0.3, 0.3], [0.3, -0.2]),
    ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.35, 0.1, 0.2, 0.3, 0.45, 0.9]),
]


def _reference_separation(same, different):
    from scipy.stats import mannwhitneyu

    won = mannwhitneyu(same, different).statistic
    return float(won) / (len(same) * len(different))


def _won(same, different, tie):
    points = [1.0 if s > d else tie * (s == d) for s in same for d in different]
    return sum(points) / len(points)


# -- 5.4: the mean cosine --------------------------------------------------------------

_CLOUDS = [
    (torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]),),  # (0 + 1 + 0) / 3
    (torch.tensor([[1.0, 0.0], [-2.0, 0.0]]),),
    (torch.tensor([[3.0, 4.0], [4.0, 3.0], [0.0, -5.0], [6.0, 8.0]]),),
    (torch.tensor([[0.004, 0.003], [0.001, 0.007], [0.012, -0.005]]),),
]


def _reference_mean_cosine(vectors):
    from scipy.spatial.distance import pdist

    return float(1 - pdist(vectors.double().numpy(), "cosine").mean())


def _all_cosines(vectors):
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    return unit @ unit.T


def _off_diagonal(table):
    return float(table[~torch.eye(len(table), dtype=torch.bool)].mean())


# -- 5.5: three rankings ---------------------------------------------------------------

_QUERIES = [
    (
        torch.tensor([1.0, 0.0]),
        torch.tensor([[2.0, 0.5], [9.0, 9.0], [0.6, 0.3], [-1.0, 0.1]]),
    ),
    (
        torch.tensor([3.0, 4.0]),
        torch.tensor([[0.6, 0.8], [8.0, 6.0], [3.0, 3.0], [-6.0, -7.0], [0.0, 1.0]]),
    ),
    # Away by (3, 3) and by (0, 5): 4.2 and 5 in a straight line, 6 and 5 in blocks.
    (torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 7.0], [4.0, 5.0], [9.0, 9.0]])),
    (torch.tensor([2.0, -1.0]), torch.tensor([[2.0, 2.5], [4.0, 1.0], [9.0, 9.0]])),
    (torch.tensor([1.0, 0.0]), torch.tensor([[3.0, 30.0], [4.0, 1.0], [1.0, 1.0]])),
    (torch.tensor([0.001, 0.002]), torch.tensor([[0.004, 0.003], [0.002, 0.003]])),
]


def _reference_rankings(query, texts):
    from scipy.spatial.distance import cdist

    q, t = query.double().numpy()[None], texts.double().numpy()
    farther = (cdist(q, t, "cosine")[0], -(t @ q[0]), cdist(q, t, "euclidean")[0])
    return tuple(np.argsort(values, kind="stable").tolist() for values in farther)


def _rankings(query, texts, cosine=-1, dot=-1, distance=1):
    dots, gaps = texts @ query, (texts - query).norm(dim=1)
    scores = (cosine * dots / texts.norm(dim=1), dot * dots, distance * gaps)
    return tuple(score.argsort().tolist() for score in scores)


def _rankings_as_places(query, texts):
    return tuple(np.argsort(r).tolist() for r in _reference_rankings(query, texts))


# -- 5.6: receipts ---------------------------------------------------------------------

# Means (3, 4) of length 5 and (0, 2) of length 2: the cosine is 0.8.
_TEXTS = [
    (
        torch.tensor([[6.0, 0.0], [0.0, 8.0]]),
        torch.tensor([[-1.0, 2.0], [1.0, 2.0], [0.0, 2.0]]),
    ),
    (torch.tensor([[1.0, 2.0, 2.0]]), torch.tensor([[2.0, 0.0, 0.0], [4.0, 3.0, 1.0]])),
    (torch.tensor([[3.0, 4.0]]), torch.tensor([[-3.0, -4.0]])),
    (torch.tensor([[0.003, 0.004]]), torch.tensor([[0.001, 0.007], [0.002, -0.006]])),
]


def _means(a, b):
    return a.mean(dim=0), b.mean(dim=0)


def _reference_receipt(a, b):
    """Each token's share of its text's unit vector, multiplied pair by pair."""
    shares = []
    for tokens in (a.double().numpy(), b.double().numpy()):
        length = np.linalg.norm(np.mean(tokens, axis=0))
        shares.append([token / (len(tokens) * length) for token in tokens])
    return torch.tensor([[float(np.dot(x, y)) for y in shares[1]] for x in shares[0]])


def _receipt_of_cosines(a, b):
    one, other = (x / x.norm(dim=1, keepdim=True) for x in (a, b))
    return one @ other.T / (len(a) * len(b))


def _receipt_without_counts(a, b):
    one, other = _means(a, b)
    return a @ b.T / (one.norm() * other.norm())


def _receipt_of_the_dot_product(a, b):
    return a @ b.T / (len(a) * len(b))


# -- 5.7: what ails this encoder? ------------------------------------------------------


class _Patient:
    """A tiny encoder of texts, rows of length 1, with a known disease."""

    def __init__(self, disease, seed=0):
        self.disease = disease
        self.random = np.random.default_rng(seed)
        self.calls = 0

    def __repr__(self):
        return "an encoder"

    def __call__(self, texts):
        self.calls += 1
        longest = max(map(len, texts))
        rows = []
        for text in texts:
            codes = np.array([ord(c) % 11 for c in text], dtype=float)
            padding = longest - len(text) if self.disease == "neighbours" else 0
            rows.append([codes.mean() + 1, codes[0] - 5, 0.1 * padding])
        vectors = np.array(rows)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        # What arithmetic in another order leaves behind: the sixth digit.
        vectors += 1e-6 * (len(texts) - 1 + self.calls % 2)
        if self.disease == "random":
            vectors *= 0.5 + self.random.random(vectors.shape)
        return vectors


_TEXTS_OF = {
    "middle": ["a word", "several words here", "b"],
    "first": ["the longest of them", "b", "short"],
    "last": ["b", "short", "the longest of them"],
    "last again": ["no", "yes", "perhaps"],
    "pair": ["short", "no"],
    "only the fifth is short": ["same", "size", "here", "four", "no"],
}
_WARD = [
    (_Patient(disease, seed), texts)
    for seed, texts in enumerate(_TEXTS_OF.values(), start=1)
    for disease in ("healthy", "neighbours", "random")
]


def _alone(encode, texts):
    return np.concatenate([encode([text]) for text in texts])


def _diagnose(encode, texts, together=None, tolerance=1e-5, repeats=True):
    def differ(a, b):
        return bool(np.abs(a - b).max() > tolerance)

    if repeats and differ(encode(texts), encode(texts)):
        return "random"
    if together is None:
        together = differ(encode(texts), _alone(encode, texts))
    return "neighbours" if together else "healthy"


def _diagnose_one(part):
    """Try one text alone instead of all."""

    def diagnose(encode, texts):
        moved = np.abs(encode(texts)[part] - encode(texts[part])).max() > 1e-5
        return _diagnose(encode, texts, bool(moved))

    return diagnose


# -- 5.8: beyond the limit -------------------------------------------------------------


class _Reader:
    """A tiny encoder: the mean of one row per id, of the first ``limit`` ids."""

    def __init__(self, limit, rows):
        self.limit, self.rows = limit, rows

    def __repr__(self):
        return f"an encoder of {self.limit} ids"

    def __call__(self, windows):
        found = [self.rows[window[: self.limit]].mean(dim=0) for window in windows]
        return torch.stack(found)


_COUNTING = torch.eye(5, dtype=torch.float64)  # the mean is the share of each id
_SIGNED = torch.tensor(np.random.default_rng(5).normal(size=(5, 3)))
_LONG = [
    ([0, 1, 1, 2, 2, 3, 4], 3, _Reader(3, _COUNTING)),
    ([0, 1, 1, 2], 2, _Reader(2, _COUNTING)),
    ([4, 4, 0], 8, _Reader(8, _COUNTING)),
    ([0] * 9 + [1], 4, _Reader(4, _COUNTING)),
    ([3, 1, 4, 1, 2, 0, 0], 5, _Reader(5, _SIGNED)),
    ([2, 2, 3], 2, _Reader(2, -_SIGNED)),
]


def _reference_long(ids, limit, encode):
    """The mean over all ids at once, as if there were no limit."""
    mean = np.mean([encode.rows[i].numpy() for i in ids], axis=0)
    return torch.tensor(mean / math.sqrt((mean**2).sum()))


def _windows(ids, limit):
    return [ids[i : i + limit] for i in range(0, len(ids), limit)]


def _unit(vector):
    return vector / vector.norm()


def _weighted(windows, encode):
    weights = torch.tensor([len(window) for window in windows]).unsqueeze(1)
    return (encode(windows) * weights).sum(dim=0) / weights.sum()


def _long_without_the_rest(ids, limit, encode):
    windows = [window for window in _windows(ids, limit) if len(window) == limit]
    return _unit(_weighted(windows or [ids], encode))


EXERCISES = (
    Exercise(
        id="5.1",
        title="The mean of the real tokens",
        cases=_BATCHES,
        reference=_reference_mean,
        mistakes=[
            Mistake(
                "padding is averaged in: the mask says which tokens are real",
                lambda v, m: v.mean(dim=1),
            ),
            Mistake(
                "the sum is right, but it is divided by the padded length: divide by "
                "the mask's count",
                lambda v, m: _masked_sum(v, m) / v.shape[1],
            ),
            Mistake(
                "this is the sum: divide by the number of real tokens",
                _masked_sum,
            ),
            Mistake(
                "divided by the real tokens of the whole batch: count row by row "
                "(dim=1, keepdim=True)",
                lambda v, m: _masked_sum(v, m) / m.sum(),
            ),
            Mistake(
                "the axis of the batch is gone: the mean runs over the tokens, dim=1",
                lambda v, m: (v * m.unsqueeze(-1)).sum(dim=(0, 1)) / m.sum(),
            ),
        ],
    ),
    Exercise(
        id="5.2",
        title="The first and the last real token",
        cases=_MASKS,
        reference=_reference_ends,
        mistakes=[
            Mistake(
                "these are the ends of the padded row: with padding on the left the "
                "first token is padding, with padding on the right the last one is",
                lambda m: (m[:, 0] * 0, m[:, 0] * 0 + m.shape[1] - 1),
            ),
            Mistake(
                "right for padding on the right only: with padding on the left, count "
                "- 1 is not the last place",
                lambda m: (m.argmax(dim=1), m.sum(dim=1) - 1),
            ),
            Mistake(
                "the last place is counted from the end of the row: subtract it from "
                "tokens - 1",
                lambda m: (m.argmax(dim=1), _flipped(m)),
            ),
            Mistake(
                "one too far: the last place is tokens - 1 - (zeros behind it)",
                lambda m: (m.argmax(dim=1), m.shape[1] - _flipped(m)),
            ),
        ],
    ),
    Exercise(
        id="5.3",
        title="How well does a score separate?",
        cases=_SCORES,
        reference=_reference_separation,
        mistakes=[
            Mistake(
                "a tie counts as won: give it half a point",
                lambda s, d: _won(s, d, 1.0),
            ),
            Mistake(
                "a tie counts as lost: give it half a point",
                lambda s, d: _won(s, d, 0.0),
            ),
            Mistake(
                "this is the difference of the means, a level: compare every score of "
                "one list with every score of the other",
                lambda s, d: float(np.mean(s) - np.mean(d)),
            ),
            Mistake(
                "the lists are compared place by place: every score of one list meets "
                "every score of the other",
                lambda s, d: float(
                    np.mean([a > b for a, b in zip(s, d, strict=False)])
                ),
            ),
            Mistake(
                "this counts the wins of the different pairs: turn it round",
                lambda s, d: _won(d, s, 0.5),
            ),
        ],
    ),
    Exercise(
        id="5.4",
        title="How narrow is the cone?",
        cases=_CLOUDS,
        reference=_reference_mean_cosine,
        mistakes=[
            Mistake(
                "the cosine of each row with itself is in it, and that is always 1: "
                "leave the diagonal out",
                lambda v: float(_all_cosines(v).mean()),
            ),
            Mistake(
                "these are dot products: normalise the rows first",
                lambda v: _off_diagonal(v @ v.T),
            ),
            Mistake(
                "the diagonal is left out of the sum but not of the count: there are "
                "n · (n - 1) pairs",
                lambda v: float((_all_cosines(v).sum() - len(v)) / (len(v) * len(v))),
            ),
            Mistake(
                "the signs are lost: opposite directions count -1, not 1",
                lambda v: _off_diagonal(_all_cosines(v).abs()),
            ),
        ],
    ),
    Exercise(
        id="5.5",
        title="Three rankings",
        cases=_QUERIES,
        reference=_reference_rankings,
        mistakes=[
            Mistake(
                "a large distance is far away: the distance sorts upwards, the other "
                "two downwards",
                lambda q, t: _rankings(q, t, distance=-1),
            ),
            Mistake(
                "cosine and dot product run from worst to best: large is near",
                lambda q, t: _rankings(q, t, cosine=1, dot=1),
            ),
            Mistake(
                "the first list is the dot product again: divide by the lengths",
                lambda q, t: (_rankings(q, t)[1], *_rankings(q, t)[1:]),
            ),
            Mistake(
                "the distance adds up the steps along the axes: Euclid's is the root "
                "of the sum of squares",
                lambda q, t: (
                    *_rankings(q, t)[:2],
                    (t - q).abs().sum(dim=1).argsort().tolist(),
                ),
            ),
            Mistake(
                "these are places per text: return the texts in order, best first "
                "(argsort once, not twice)",
                _rankings_as_places,
            ),
        ],
    ),
    Exercise(
        id="5.6",
        title="The receipt of a cosine",
        cases=_TEXTS,
        reference=_reference_receipt,
        mistakes=[
            Mistake(
                "these are cosines of tokens: a long token vector weighs more in the "
                "mean, so leave their lengths alone and divide by those of the means",
                _receipt_of_cosines,
            ),
            Mistake(
                "the cells sum to n · m times the cosine: each mean divides by its "
                "number of tokens",
                _receipt_without_counts,
            ),
            Mistake(
                "this sums to the dot product of the means: divide by their lengths "
                "as well",
                _receipt_of_the_dot_product,
            ),
            Mistake(
                "rows and columns are swapped: cell (i, j) is token i of the first "
                "text and token j of the second",
                lambda a, b: _reference_receipt(b, a),
            ),
        ],
    ),
    Exercise(
        id="5.7",
        title="Puzzle: the vectors are different today",
        cases=_WARD,
        reference=lambda encode, texts: encode.disease,
        mistakes=[
            Mistake(
                "a healthy encoder is called sick: sums in another order differ in the "
                "last digits, so allow a small tolerance",
                lambda e, t: _diagnose(e, t, tolerance=0.0),
            ),
            Mistake(
                "chance is found, neighbours are not: encode each text alone as well "
                "(another order will not do: the longest text stays the same)",
                lambda e, t: _diagnose(e, t, together=False),
            ),
            Mistake(
                "only the first text is tried alone: if it is the longest, nothing is "
                "padded and nothing shows",
                _diagnose_one(slice(0, 1)),
            ),
            Mistake(
                "only the last text is tried alone: if it is the longest, nothing is "
                "padded and nothing shows",
                _diagnose_one(slice(-1, None)),
            ),
            Mistake(
                "a random encoder is called 'neighbours': first see whether it repeats "
                "itself on the very same list",
                lambda e, t: _diagnose(e, t, repeats=False),
            ),
        ],
    ),
    Exercise(
        id="5.8",
        title="Puzzle: the last sentence does not count",
        cases=_LONG,
        reference=_reference_long,
        mistakes=[
            Mistake(
                "only the first window is read: that is what the model does by itself",
                lambda i, n, e: _unit(e([i[:n]])[0]),
            ),
            Mistake(
                "a short last window weighs as much as a full one: weigh each by its "
                "number of ids",
                lambda i, n, e: _unit(e(_windows(i, n)).mean(dim=0)),
            ),
            Mistake(
                "the rest that does not fill a window is dropped, and the end of the "
                "text with it",
                _long_without_the_rest,
            ),
            Mistake(
                "the mean is right, its length is not: scale it to length 1 at the end",
                lambda i, n, e: _weighted(_windows(i, n), e),
            ),
        ],
    ),
)
