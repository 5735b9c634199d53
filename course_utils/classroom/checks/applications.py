"""Checks of notebook 10. References are libraries or formulas."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from course_utils.classroom.check import Exercise, Mistake


def _unit(*angles):
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


# -- 10.1: one round of k-means --------------------------------------------------------

# By hand: the third text of the first case is nearer to the second centre; in the
# second case nobody is nearest to the last centre; in the third the first of two wins.
_ROUNDS = [
    (_unit(0, 20, 80, 90), _unit(0, 90)),
    (_unit(0, 10, 60), np.array([[1.0, 0.0], [0.5, 0.8], [-1.0, -1.0]])),
    (np.array([[0.0, 1.0], [0.6, 0.8]]), np.array([[0.5, 0.0], [-0.5, 0.0]])),
    (_unit(5, 100, 200, 260, 340), _unit(90, 250, 350)),
    # After the move, 44 degrees is nearer to the other centre.
    (_unit(0, 0, 0, 0, 44, 46, 90), _unit(0, 90)),
    (_unit(180, 180, 180, 224, 226, 270), _unit(180, 270)),
    (_unit(200, 300, 20), _unit(300, 20, 200)),
    # Nearest by the straight line, not by the largest step.
    (np.array([[0.6, 0.8], [0.8, 0.6]]), np.array([[0.1, 0.3], [0.0, 0.8]])),
]


def _round(vectors, centres, pick=np.argmin, keep=True, unit=False, first=False):
    gaps = ((vectors[:, None] - centres[None]) ** 2).sum(axis=2)
    labels, moved = pick(gaps, axis=1), centres.copy()
    for k in range(len(centres)):
        if (labels == k).any():
            moved[k] = vectors[labels == k].mean(axis=0)
            if unit:
                moved[k] /= np.linalg.norm(moved[k])
        elif not keep:
            moved[k] = np.nan
    if first:
        gaps = ((vectors[:, None] - moved[None]) ** 2).sum(axis=2)
        labels = gaps.argmin(axis=1)
    return labels, moved


def _reference_round(vectors, centres):
    from scipy.spatial.distance import cdist

    labels = cdist(vectors, centres).argmin(axis=1)
    member = np.eye(len(centres))[labels].T  # (k, n)
    size = member.sum(axis=1, keepdims=True)
    return labels, np.where(size > 0, member @ vectors / np.maximum(size, 1), centres)


# -- 10.2: numbers that stay -----------------------------------------------------------

# By hand: 2, 0, 1 are the old 0, 1, 2. In the second case both new groups are mostly
# the old 0, so one of them must go to 1: greedy in the order of number loses.
_RUNS = [
    ([0, 0, 1, 1, 2, 2], [2, 2, 0, 0, 1, 1]),
    ([0, 0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 1, 0, 0]),
    ([0] * 9 + [1] * 4 + [2] * 3, [0] * 3 + [1] * 6 + [0, 0, 1, 2] + [2, 2, 1]),
    ([0, 1, 2, 2, 2, 1], [1, 2, 0, 0, 2, 2]),
]


def _reference_numbers(before, after):
    """Every renaming is tried."""
    before, after = np.array(before), np.array(after)
    size = before.max() + 1
    best = max(
        permutations(range(size)), key=lambda p: (np.array(p)[after] == before).sum()
    )
    return np.array(best)[after].tolist()


def _shared(before, after):
    counts = np.zeros((max(before) + 1,) * 2, dtype=int)
    np.add.at(counts, (np.array(before), np.array(after)), 1)
    return counts


def _most_frequent(before, after):
    return _shared(before, after).argmax(axis=0)[np.array(after)].tolist()


def _first_come(before, after):
    counts, new = _shared(before, after), {}
    for number in range(counts.shape[1]):
        free = [old for old in range(len(counts)) if old not in new.values()]
        new[number] = max(free, key=lambda old: counts[old, number])
    return [new[number] for number in after]


def _old_renamed(before, after):
    return _reference_numbers(after, before)


# -- 10.3: what a map keeps ------------------------------------------------------------

_MAPS = [
    (np.array([[1, 2], [0, 2], [1, 3]]), np.array([[2, 1], [2, 3], [0, 2]])),
    (np.array([[4, 1, 2], [5, 3, 0]]), np.array([[2, 3, 5], [3, 0, 5]])),
    (np.array([[1], [0]]), np.array([[1], [2]])),
]


def _reference_kept(true, seen):
    hits = (true[:, :, None] == seen[:, None, :]).any(axis=2)  # (n, k)
    return hits.sum(axis=1) / true.shape[1]


def _jaccard_kept(true, seen):
    rows = zip(true.tolist(), seen.tolist(), strict=True)
    return np.array([len({*a} & {*b}) / len({*a} | {*b}) for a, b in rows])


# -- 10.4: which pages stay ------------------------------------------------------------

# By hand: B is near A, C is near B and far from A: A and C stay.
_COSINES = [
    (np.array([[1, 0.9, 0.2], [0.9, 1, 0.9], [0.2, 0.9, 1]]), 0.8),
    (np.array([[1, 0.5], [0.5, 1]]), 0.5),
    (np.round(_unit(0, 90, 10, 170, 95) @ _unit(0, 90, 10, 170, 95).T, 3), 0.9),
    (
        np.array(
            [
                [1, 0.1, 0.8, 0.1],
                [0.1, 1, 0.3, 0.2],
                [0.8, 0.3, 1, 0.95],
                [0.1, 0.2, 0.95, 1],
            ]
        ),
        0.7,
    ),
    (np.eye(3), 0.9),
    (np.array([[1, -0.4, 0.25], [-0.4, 1, -0.9], [0.25, -0.9, 1]]), 0.25),
    (np.array([[1, -0.5], [-0.5, 1]]), -0.5),
    (np.array([[1, 0.849], [0.849, 1]]), 0.85),
    (np.round(_unit(0, 30, 15) @ _unit(0, 30, 15).T, 3), 0.96),
]


def _reference_stay(cosines, threshold):
    """Whether a page stays, asked of the pages before it, from the last one on."""

    def stays(place):
        near = (i for i in range(place) if cosines[i][place] >= threshold)
        return not any(stays(i) for i in near)

    return [place for place in range(len(cosines)) if stays(place)]


def _chain_heads(cosines, threshold):
    from scipy.sparse.csgraph import connected_components

    _, group = connected_components(np.asarray(cosines) >= threshold)
    return sorted({int(np.flatnonzero(group == g)[0]) for g in set(group.tolist())})


def _any_earlier(cosines, threshold):
    n = len(cosines)
    return [
        j for j in range(n) if not any(cosines[i][j] >= threshold for i in range(j))
    ]


def _last_kept(cosines, threshold):
    kept = []
    for place in range(len(cosines)):
        if not kept or cosines[kept[-1]][place] < threshold:
            kept.append(place)
    return kept


# -- 10.5: from where on is it an alarm? -----------------------------------------------

_REFERENCES = [
    (_unit(0, 10, 30, 60, 100), 0.2),
    (_unit(*np.cumsum([0, 3, 9, 1, 14, 4, 20, 2, 7, 11])), 0.3),
    (_unit(*(np.arange(12) ** 2)), 0.25),
    (_unit(0, 5, 170, 8), 0.5),
    (_unit(0, 110, 240), 0.4),  # even the nearest one looks away
]


def _own(reference, itself=False, take=np.max):
    cosines = reference @ reference.T
    if not itself:
        n = len(cosines)
        cosines = cosines[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    return 1 - take(cosines, axis=1)


def _reference_line(reference, share):
    from scipy.spatial.distance import cdist

    gaps = cdist(reference, reference, "cosine")
    own = sorted(np.partition(row, 1)[1] for row in gaps)
    return float(own[len(own) - 1 - round(share * len(own) - 1e-9)])


# -- 10.6: a description counts for some examples --------------------------------------

_DESCRIBED = [
    (_unit(0, 0), _unit(90)[0], 2),
    (_unit(10, 30, 50), _unit(80)[0], 4),
    (np.zeros((0, 2)), _unit(35)[0], 3),
    (_unit(15), _unit(60)[0], 1),
    (_unit(130, 200), _unit(250)[0], 2),
]


def _reference_prototype(examples, description, weight):
    rows = np.vstack([examples, description])
    mean = np.average(rows, axis=0, weights=[1] * len(examples) + [weight])
    return mean / np.linalg.norm(mean)


def _scaled(vector):
    return vector / np.linalg.norm(vector)


def _mean_of_means(examples, description, weight):
    mean = examples.mean(axis=0) if len(examples) else np.zeros(2)
    return _scaled(mean + weight * description)


# -- 10.7: false negatives, masked -----------------------------------------------------

_BATCHES = [
    (np.log([[4.0, 2.0, 1.0], [1.0, 3.0, 1.0], [9.0, 1.0, 1.0]]), [0, 1, 0]),
    (np.array([[2.0, 1.0], [0.5, 3.0]]), [4, 7]),
    (
        np.array([[5.0, -2, 5, 1], [0, 1, 2, 3], [4, 4, 4, 4], [1, 0, -6, 2.0]]),
        [1, 2, 1, 3],
    ),
    (np.array([[-3, 1], [2, -4]]), [5, 6]),
    (np.eye(6) * 4 - 2 + np.arange(36.0).reshape(6, 6) % 5, [0, 1, 2, 0, 1, 2]),
    (np.array([[900.0, 0.0, 899.0], [0.0, 1.0, 5.0], [3.0, 900.0, 1.0]]), [3, 3, 5]),
]


def _reference_masked(scores, keys):
    from scipy.special import logsumexp

    losses = []
    for i, row in enumerate(scores):
        allowed = [s for j, s in enumerate(row) if j == i or keys[j] != keys[i]]
        losses.append(logsumexp(allowed) - row[i])
    return float(np.mean(losses))


def _masked(scores, keys, value=-np.inf, diagonal=False, mask=True):
    from scipy.special import logsumexp

    keys, scores = np.array(keys), scores.copy()
    twins = keys[:, None] == keys[None]
    own = np.diagonal(scores).copy()
    if not diagonal:
        twins &= ~np.eye(len(keys), dtype=bool)
    if mask:
        scores[twins] = value
    return float((logsumexp(scores, axis=1) - own).mean())


EXERCISES = (
    Exercise(
        id="10.1",
        title="One round of k-means",
        cases=_ROUNDS,
        reference=_reference_round,
        mistakes=[
            Mistake(
                "a centre that nobody is nearest to becomes the mean of nothing, NaN: "
                "leave it where it is",
                lambda v, c: _round(v, c, keep=False),
            ),
            Mistake(
                "each text went to the farthest centre: take the smallest distance",
                lambda v, c: _round(v, c, pick=np.argmax),
            ),
            Mistake(
                "k-means takes the mean as it is: do not scale the centres to length 1",
                lambda v, c: _round(v, c, unit=True),
            ),
            Mistake(
                "the labels belong to the centres that came in: you asked again after "
                "they had moved, and that is the next round",
                lambda v, c: _round(v, c, first=True),
            ),
        ],
    ),
    Exercise(
        id="10.2",
        title="Numbers that stay",
        cases=_RUNS,
        reference=_reference_numbers,
        mistakes=[
            Mistake(
                "two new groups may get the same old number, and are one from then on: "
                "every old number can be given once only",
                _most_frequent,
            ),
            Mistake(
                "the first group takes the number that it likes best, even if the next "
                "one needs it more: weigh all of them together",
                _first_come,
            ),
            Mistake(
                "the old numbers were renamed: yesterday's reports would change. "
                "Rename `after`",
                _old_renamed,
            ),
            Mistake(
                "nothing was renamed: these are the numbers that came in",
                lambda before, after: list(after),
            ),
        ],
    ),
    Exercise(
        id="10.3",
        title="What a map keeps",
        cases=_MAPS,
        reference=_reference_kept,
        mistakes=[
            Mistake(
                "a neighbour counts wherever it stands in the row: you compare place "
                "by place",
                lambda true, seen: (true == seen).mean(axis=1),
            ),
            Mistake(
                "how many of the k true ones are kept: divide by k, not by all that "
                "either row has",
                _jaccard_kept,
            ),
            Mistake(
                "a share for each text is asked, not the mean over all of them",
                lambda true, seen: float(_reference_kept(true, seen).mean()),
            ),
        ],
    ),
    Exercise(
        id="10.4",
        title="Which pages stay",
        cases=_COSINES,
        reference=_reference_stay,
        mistakes=[
            Mistake(
                "a page was dropped for one that is dropped itself: nothing near to it "
                "is left. Compare with the pages that stay",
                _any_earlier,
            ),
            Mistake(
                "one page per chain stays: the ends of a chain have nothing in common",
                _chain_heads,
            ),
            Mistake(
                "compare with every page that stays, not with the last one only",
                _last_kept,
            ),
            Mistake(
                "at the threshold itself a page is near enough to be dropped: >=",
                lambda c, t: _reference_stay(c, t + 1e-9),
            ),
        ],
    ),
    Exercise(
        id="10.5",
        title="From where on is it an alarm?",
        cases=_REFERENCES,
        reference=_reference_line,
        mistakes=[
            Mistake(
                "every text is its own nearest neighbour, so nothing is strange at "
                "all: leave it out",
                lambda r, s: float(np.quantile(_own(r, True), 1 - s)),
            ),
            Mistake(
                "this is the line that nearly all of the normal texts exceed: the "
                "share is allowed above it, so take the quantile 1 - share",
                lambda r, s: float(np.quantile(_own(r), s, method="inverted_cdf")),
            ),
            Mistake(
                "the nearest other text counts, not the mean over all of them",
                lambda r, s: float(
                    np.quantile(_own(r, take=np.mean), 1 - s, method="inverted_cdf")
                ),
            ),
            Mistake(
                "the line lies between two texts: take one that a text has, with "
                'method="inverted_cdf"',
                lambda r, s: float(np.quantile(_own(r), 1 - s)),
            ),
        ],
    ),
    Exercise(
        id="10.6",
        title="A description counts for some examples",
        cases=_DESCRIBED,
        reference=_reference_prototype,
        mistakes=[
            Mistake(
                "the direction is right, the length is not 1: divide by it, or a class "
                "with many examples wins by its size",
                lambda e, d, w: e.sum(axis=0) + w * d,
            ),
            Mistake(
                "the weight of the description is ignored: it counts for `weight` "
                "examples",
                lambda e, d, w: _scaled(e.sum(axis=0) + d),
            ),
            Mistake(
                "the mean of the examples counts for one example, however many there "
                "are: add them up",
                _mean_of_means,
            ),
        ],
    ),
    Exercise(
        id="10.7",
        title="False negatives, masked",
        cases=_BATCHES,
        reference=_reference_masked,
        mistakes=[
            Mistake(
                "rows with the same key still count as wrong answers: mask them",
                lambda s, k: _masked(s, k, mask=False),
            ),
            Mistake(
                "a masked score of 0 is still a score, e^0 is 1: use minus infinity",
                lambda s, k: _masked(s, k, value=0.0),
            ),
            Mistake(
                "the right answer has the same key as its row, and was masked, too: "
                "leave the diagonal in",
                lambda s, k: _masked(s, k, diagonal=True),
            ),
        ],
    ),
)
