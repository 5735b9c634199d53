"""Checks of notebook 08. References are libraries or formulas."""

from __future__ import annotations

import math
import re

import numpy as np

from course_utils.classroom.check import Exercise, Mistake

# -- 8.1: the interval of a share ------------------------------------------------------

_SHARES = [(9, 10), (0, 10), (10, 10), (3, 9), (223, 248), (1, 1)]


def _reference_wilson(hits, n):
    from scipy.stats import binomtest, norm

    level = 1 - 2 * norm.sf(1.96)
    found = binomtest(hits, n).proportion_ci(level, method="wilson")
    return found.low, found.high


def _wilson(hits, n, z=1.96, root=math.sqrt, divide=True):
    share, weight = hits / n, z * z / n
    middle = share + weight / 2
    half = z * root(share * (1 - share) / n + weight / (4 * n))
    scale = 1 + weight if divide else 1
    return (middle - half) / scale, (middle + half) / scale


def _plus_minus(hits, n):
    share = hits / n
    half = 1.96 * math.sqrt(share * (1 - share) / n)
    return share - half, share + half


# -- 8.2: calibration error ------------------------------------------------------------

# By hand: bin up to .6 promises .55 and keeps .5, bin up to 1 promises .95 and keeps 1.
_ANSWERS = [
    ([0.52, 0.58, 0.95], [True, False, True]),
    ([0.9, 0.9, 0.9, 0.9], [True, False, False, False]),
    ([0.35, 0.41, 0.47, 0.66, 0.68, 0.93], [True, True, False, True, True, False]),
    ([0.31, 0.71, 0.72, 0.73], [False, True, True, True]),
    # An upper end belongs to its bin: 0.6 stands with 0.52, and 0.65 alone.
    ([0.6, 0.52, 0.65, 0.3], [False, True, True, True]),
    ([0.8, 0.74, 0.8, 0.85, 1.0, 0.1], [True, False, False, True, True, False]),
]


def _reference_ece(confidence, right):
    """The gap of the sums, bin by bin: no share and no mean is computed."""
    gap = dict.fromkeys(range(1, 11), 0.0)
    for promised, kept in zip(confidence, right, strict=True):
        gap[math.ceil(promised * 10 - 1e-9)] += promised - kept
    return sum(map(abs, gap.values())) / len(right)


def _by_bin(confidence, right):
    confidence, right = np.array(confidence), np.array(right, dtype=float)
    place = np.ceil(confidence * 10 - 1e-9)
    for number in np.unique(place):
        inside = place == number
        yield number, inside.mean(), confidence[inside].mean(), right[inside].mean()


def _floored_ece(confidence, right):
    confidence, right = np.array(confidence), np.array(right, dtype=float)
    place = np.minimum(np.floor(confidence * 10 + 1e-9), 9)
    return sum(
        abs((confidence - right)[place == number].sum()) for number in np.unique(place)
    ) / len(right)


# -- 8.3: labels to doubt --------------------------------------------------------------

_OUT_OF_FOLD = [
    (
        np.array(
            [[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.4, 0.3, 0.3], [0.1, 0.1, 0.8]]
        ),
        [0, 2, 0, 1],
        2,
    ),
    (
        np.array([[0.34, 0.33, 0.33], [0.98, 0.01, 0.01], [0.2, 0.5, 0.3]]),
        [0, 1, 0],
        3,
    ),
    (np.array([[0.6, 0.4], [0.3, 0.7], [0.8, 0.2], [0.45, 0.55]]), [1, 0, 0, 1], 1),
    (
        np.array(
            [
                [0.604, 0.396],
                [0.3, 0.7],
                [0.2, 0.8],
                [0.55, 0.45],
                [0.9, 0.1],
                [0.6, 0.4],
            ]
        ),
        [1, 1, 1, 0, 1, 1],
        4,
    ),
    (np.array([[0.102, 0.898], [0.101, 0.899], [0.5, 0.5]]), [0, 0, 1], 2),
]


def _reference_suspects(probabilities, labels, k):
    given = [
        float(row[label]) for row, label in zip(probabilities, labels, strict=True)
    ]
    return [i for _, i in sorted(zip(given, range(len(given)), strict=True))][:k]


def _least_sure(probabilities, labels, k):
    return np.argsort(probabilities.max(axis=1), kind="stable")[:k].tolist()


def _least_doubtful(probabilities, labels, k):
    return _reference_suspects(1 - probabilities, labels, k)


def _disagreeing(probabilities, labels, k):
    return np.flatnonzero(probabilities.argmax(axis=1) != np.array(labels))[:k].tolist()


# -- 8.4: an accuracy without leaks ----------------------------------------------------


def _unit(*angles):
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


# By hand: only the second test text has a neighbour (2 degrees away).
_LEAKS = [
    (_unit(0, 90), _unit(45, 92, -40, 150), [True, True, False, False], 0.99),
    (_unit(10, 20, 30), _unit(12, 60, 80), [True, False, True], 0.99),
    (
        _unit(0, 120, 240),
        _unit(1, 121, 60, 180, 300),
        [True, True, False, True, False],
        0.9,
    ),
    (_unit(0, 2), _unit(1, 90), [True, False], 0.99),
    (_unit(0, 20), _unit(5, 60), [True, False], 0.97),
    # Cosines that can be written down: exactly at the limit is a twin.
    (np.eye(2), np.array([[0.6, -0.8], [0.8, 0.6]]), [True, False], 0.8),
    (
        np.eye(2),
        np.array([[0.6, 0.8], [-1, 0], [0.803, 0.596]]),
        [True, False, True],
        0.8,
    ),
    (np.eye(2)[:1], np.array([[0.803, 0.596], [0.796, 0.605]]), [True, False], 0.8),
]


def _reference_honest(train, test, right, limit):
    fresh = [max(float(np.dot(a, b)) for b in train) < limit for a in test]
    return float(np.average(right, weights=fresh))


def _honest(fresh, right):
    return float(np.mean(np.array(right)[fresh]))


def _only_the_leaked(train, test, right, limit):
    return _honest((test @ train.T).max(axis=1) >= limit, right)


def _leaked_count_as_wrong(train, test, right, limit):
    return float(np.mean(np.array(right) * ((test @ train.T).max(axis=1) < limit)))


def _mean_instead_of_nearest(train, test, right, limit):
    return _honest((test @ train.T).mean(axis=1) < limit, right)


# -- 8.5: McNemar ----------------------------------------------------------------------

_DISPUTED = [(5, 0), (3, 3), (0, 0), (1, 6), (12, 4), (57, 52)]


def _reference_mcnemar(only_first, only_second):
    from scipy.stats import binomtest

    disputed = only_first + only_second
    return float(binomtest(only_first, disputed).pvalue) if disputed else 1.0


def _tail(only_first, only_second):
    disputed, fewer = only_first + only_second, min(only_first, only_second)
    return sum(math.comb(disputed, k) for k in range(fewer + 1)) / 2**disputed


def _chi_square(only_first, only_second):
    from scipy.stats import chi2

    disputed = only_first + only_second
    if not disputed:
        return 1.0
    return float(chi2.sf((only_first - only_second) ** 2 / disputed, 1))


# -- 8.6: another space ----------------------------------------------------------------


class _Encoder:
    """A tiny encoder; since the index was made, some texts are turned by an angle."""

    def __init__(self, change="none", angle=0.0, texts=()):
        self.change, self.angle, self.texts = change, math.radians(angle), texts

    def __repr__(self):
        return "an encoder"

    def __call__(self, texts):
        vectors = np.array(
            [[len(t) - 12, t.count("e") - 2, t.count(" ") - 1, 3] for t in texts], float
        )
        if self.change == "turned":  # every cosine within the new space is the same
            vectors = vectors[:, [1, 2, 3, 0]]
        if self.change == "wider":
            vectors = np.concatenate([vectors, vectors], axis=1)
        if self.change == "narrower":
            vectors = vectors[:, :3]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for place in [i for i, text in enumerate(texts) if text in self.texts]:
            across = np.array([0.0, 0.0, 1.0, 0.0])
            across -= across @ vectors[place] * vectors[place]
            across *= math.sin(self.angle) / np.linalg.norm(across)
            vectors[place] = math.cos(self.angle) * vectors[place] + across
        return vectors + (1e-7 if self.change == "another machine" else 0)


_CANARIES = [
    *("the disk is full", "a queue", "restart every node here", "a queue"),
    *("mail", "the lock file is there"),
]
_SPACES = [
    (_Encoder()(_CANARIES), _CANARIES, encoder)
    for encoder in (
        *map(_Encoder, ("none", "turned", "another machine", "wider", "narrower")),
        _Encoder("one far away", 53, _CANARIES[2:3]),
        _Encoder("one near", 18, _CANARIES[4:5]),
        _Encoder("the first far away", 53, _CANARIES[:1]),
        _Encoder("the last near", 18, _CANARIES[5:]),
        _Encoder("all near", 18, _CANARIES),
        _Encoder("all far away", 53, _CANARIES),
    )
]
_SPACES += [
    (_Encoder()(_CANARIES[:2]), _CANARIES[:2], _Encoder("another machine")),
    (_Encoder()(_CANARIES[4:]), _CANARIES[4:], _Encoder("none")),
]


def _reference_space(stored, texts, encode):
    return encode.change in ("none", "another machine")


def _space_by_shape(stored, texts, encode):
    return encode(texts).shape == stored.shape


def _space_by_geometry(stored, texts, encode):
    new = encode(texts)
    return bool(np.allclose(new @ new.T, stored @ stored.T, atol=1e-3))


def _space_to_the_last_digit(stored, texts, encode):
    return bool(np.array_equal(encode(texts), stored))


def _space_by(cosine_of):
    """One cosine for all canaries decides, and 0.9 is enough."""

    def belongs(stored, texts, encode):
        new = encode(texts)
        return new.shape == stored.shape and bool(
            cosine_of((stored * new).sum(axis=1)) > 0.9
        )

    return belongs


def _space_by_first(stored, texts, encode):
    new = encode(texts)
    return new.shape == stored.shape and bool(np.allclose(new[0], stored[0], atol=1e-3))


# -- 8.7: do numbers count? ------------------------------------------------------------


class _Candidate:
    """A tiny encoder of words; some candidates do something to numbers first."""

    def __init__(self, number="kept", noise=0.0):
        self.number, self.noise = number, noise
        self.calls = 0

    def __repr__(self):
        return "a candidate"

    @property
    def tells(self):
        return self.number == "kept"

    def __call__(self, texts):
        self.calls += 1
        rows = []
        for text in texts:
            if self.number == "masked":
                text = re.sub(r"\d", "0", text)
            if self.number == "dropped":
                text = re.sub(r"\d+", "", text)
            if self.number == "long ones masked":
                text = re.sub(r"\d{2,}", "0", text)
            row = np.ones(64)
            for word in re.findall(r"\w+", text.lower()):
                row[sum(ord(c) * 31**i for i, c in enumerate(word)) % 64] += 1
            noise = self.noise * (self.calls + len(rows))  # another one for each row
            rows.append(row / np.linalg.norm(row) + noise)
        return np.array(rows)


_CANDIDATES = [
    (_Candidate(),),
    (_Candidate("masked"),),
    (_Candidate("dropped", noise=1e-9),),
    (_Candidate("long ones masked"),),
    (_Candidate("long ones masked", noise=1e-9),),
    (_Candidate("masked", noise=1e-9),),
    (_Candidate(noise=1e-9),),
]
_PAIRS = [("wait 3 days", "wait 7 days"), ("room 12 is free", "room 48 is free")]


def _counts(encode, pairs=_PAIRS, gap=1e-4):
    cosines = [float(np.dot(*encode([a, b]))) for a, b in pairs]
    return all(1 - cosine > gap for cosine in cosines)


def _counts_to_the_last_digit(encode):
    return all(not np.array_equal(encode([a])[0], encode([b])[0]) for a, b in _PAIRS)


EXERCISES = (
    Exercise(
        id="8.1",
        title="The interval of a share",
        cases=_SHARES,
        reference=_reference_wilson,
        mistakes=[
            Mistake(
                "this is share ± error: with 10 of 10 it claims certainty. The middle "
                "of Wilson's interval is drawn towards one half",
                _plus_minus,
            ),
            Mistake(
                "z is 1 here: that holds 68 %, for 95 % it is 1.96",
                lambda hits, n: _wilson(hits, n, z=1.0),
            ),
            Mistake(
                "the square root is missing: a variance is no distance",
                lambda hits, n: _wilson(hits, n, root=lambda x: x),
            ),
            Mistake(
                "divide both ends by 1 + z²/n, or they leave 0 to 1",
                lambda hits, n: _wilson(hits, n, divide=False),
            ),
        ],
    ),
    Exercise(
        id="8.2",
        title="Expected calibration error",
        cases=_ANSWERS,
        reference=_reference_ece,
        mistakes=[
            Mistake(
                "a confidence of exactly 0.6 has gone up: each bin has its upper end, "
                "so it belongs to the bin up to 0.6 (np.ceil, not np.floor)",
                _floored_ece,
            ),
            Mistake(
                "every bin counts alike, a bin with one answer as much as one with a "
                "hundred: weigh by the share of answers in it",
                lambda c, r: float(
                    np.mean([abs(p - k) for _, _, p, k in _by_bin(c, r)])
                ),
            ),
            Mistake(
                "promises that are too high and too low cancel: take the distance in "
                "each bin, then add",
                lambda c, r: abs(sum(w * (p - k) for _, w, p, k in _by_bin(c, r))),
            ),
            Mistake(
                "the promise of a bin is the mean confidence in it, not its middle",
                lambda c, r: float(
                    sum(w * abs(n / 10 - 0.05 - k) for n, w, _, k in _by_bin(c, r))
                ),
            ),
        ],
    ),
    Exercise(
        id="8.3",
        title="Labels to doubt",
        cases=_OUT_OF_FOLD,
        reference=_reference_suspects,
        mistakes=[
            Mistake(
                "these are the articles about which the model is least sure: a wrong "
                "label is one that it is sure *against*. Look at p(given label)",
                _least_sure,
            ),
            Mistake(
                "the order is upside down: these are the labels to trust most",
                _least_doubtful,
            ),
            Mistake(
                "these are the first disagreements in the file: put them in order, the "
                "smallest probability of the given label first",
                _disagreeing,
            ),
        ],
    ),
    Exercise(
        id="8.4",
        title="An accuracy without leaks",
        cases=_LEAKS,
        reference=_reference_honest,
        mistakes=[
            Mistake(
                "the leaked articles count as wrong: leave them out of the count, "
                "above and below the line",
                _leaked_count_as_wrong,
            ),
            Mistake(
                "this is the accuracy on the leaked articles: keep the others",
                _only_the_leaked,
            ),
            Mistake(
                "one twin is enough for a leak: take the nearest training text, not "
                "the mean over all",
                _mean_instead_of_nearest,
            ),
            Mistake(
                "nothing was left out: this is the accuracy that was reported",
                lambda train, test, right, limit: float(np.mean(right)),
            ),
        ],
    ),
    Exercise(
        id="8.5",
        title="McNemar's test",
        cases=_DISPUTED,
        reference=_reference_mcnemar,
        mistakes=[
            Mistake(
                "this is one side: the other model could have been ahead as well, so "
                "double it (and stop at 1)",
                lambda b, c: _tail(b, c),
            ),
            Mistake(
                "a probability above 1: equal counts fall into both sides, stop at 1",
                lambda b, c: 2 * _tail(b, c),
            ),
            Mistake(
                "this is the formula for large counts, (b - c)² / (b + c): with five "
                "disputed articles, count the coins",
                _chi_square,
            ),
        ],
    ),
    Exercise(
        id="8.6",
        title="Do index and encoder belong together?",
        cases=_SPACES,
        reference=_reference_space,
        mistakes=[
            Mistake(
                "equal shapes say nothing: another model of the same width passes. "
                "Compare the vectors",
                _space_by_shape,
            ),
            Mistake(
                "you compare the canaries with each other: turn the whole space, and "
                "those cosines stay. Compare each with its own stored vector",
                _space_by_geometry,
            ),
            Mistake(
                "another machine differs in the seventh digit, and your search would "
                "stop: allow a cosine a little below 1",
                _space_to_the_last_digit,
            ),
            Mistake(
                "only the first canary is asked: every one must agree",
                _space_by_first,
            ),
            Mistake(
                "a mean over the canaries hides the one that has moved: every one must "
                "agree",
                _space_by(np.mean),
            ),
            Mistake(
                "every canary is asked, but a cosine of 0.9 is enough here: another "
                "model can reach that, the same one differs in the seventh digit",
                _space_by(np.min),
            ),
        ],
    ),
    Exercise(
        id="8.7",
        title="Do numbers count?",
        cases=_CANDIDATES,
        reference=lambda encode: encode.tells,
        mistakes=[
            Mistake(
                "a candidate that masks numbers slipped through: its vectors differ in "
                "the ninth digit only. Ask for a difference that means something",
                _counts_to_the_last_digit,
            ),
            Mistake(
                "a candidate that masks long numbers slipped through: test numbers of "
                "several digits, too",
                lambda encode: _counts(encode, _PAIRS[:1]),
            ),
            Mistake(
                "your test refuses an encoder that does see numbers: one different "
                "number in a sentence leaves the cosine high. Ask only that it is "
                "below 1",
                lambda encode: _counts(encode, gap=0.9),
            ),
        ],
    ),
)
