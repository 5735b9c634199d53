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
    """A tiny encoder: lengths and letters, with a known disease."""

    def __init__(self, disease, seed=0):
        self.disease = disease
        self.random = np.random.default_rng(seed)

    def __repr__(self):
        return "an encoder"

    def __call__(self, texts):
        longest = max(map(len, texts))
        rows = []
        for text in texts:
            codes = np.array([ord(c) % 11 for c in text], dtype=float)
            row = np.array([codes.sum(), (codes**2).sum(), len(text)])
            padded = self.disease == "neighbours"
            rows.append(row / (longest if padded else len(text)))
        vectors = np.array(rows)
        vectors += 1e-8 * len(texts)  # what arithmetic in another order leaves behind
        if self.disease == "random":
            vectors *= self.random.random(vectors.shape) > 0.2
        return vectors


_WARD = [
    (_Patient("healthy"), ["a word", "several words here", "b"]),
    (_Patient("neighbours"), ["a word", "several words here", "b"]),
    (_Patient("neighbours"), ["the longest of them", "b", "short"]),
    (_Patient("random", 1), ["a word", "several words here", "b"]),
    (_Patient("random", 2), ["the longest of them", "b", "short"]),
    (_Patient("healthy"), ["the longest of them", "b", "short"]),
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


def _diagnose_first_only(encode, texts):
    moved = np.abs(encode(texts)[:1] - encode(texts[:1])).max() > 1e-5
    return _diagnose(encode, texts, bool(moved))


# -- 5.8: beyond the limit -------------------------------------------------------------


def count_ids(windows):
    """A tiny encoder: the share of each id, 0 to 4, per window."""
    counts = [np.bincount(window, minlength=5) / len(window) for window in windows]
    return torch.tensor(np.array(counts))


_LONG = [
    ([0, 1, 1, 2, 2, 3, 4], 3, count_ids),
    ([0, 1, 1, 2], 2, count_ids),
    ([4, 4, 0], 8, count_ids),
    ([0] * 9 + [1], 4, count_ids),
]


def _reference_long(ids, limit, encode):
    """For an encoder that counts, the windows must add up to the whole text."""
    counts = np.bincount(ids, minlength=5).astype(float)
    return torch.tensor(counts / math.sqrt((counts**2).sum()))


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
                _diagnose_first_only,
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
