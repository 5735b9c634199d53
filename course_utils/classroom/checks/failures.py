"""Checks of notebook 08. References are libraries or formulas."""

from __future__ import annotations

import math
import re

import numpy as np

from course_utils.classroom.check import Exercise, Mistake

# -- 8.1: the price of a guess ---------------------------------------------------------

# By hand: ln 2; and 3/4 ln(4/3) + 1/4 ln 4.
_LABELS = [
    ([0, 0, 0, 1], 2),
    ([0, 1, 2, 3, 0, 1, 2, 3], 4),
    ([2, 2, 0, 2, 1], 3),
    ([1, 1, 1], 2),
    ([3, 0, 3, 3, 0], 5),
    (np.array([1, 0, 1, 4]), 6),
]


def _reference_guess(labels, classes):
    from scipy.stats import entropy

    shares = np.bincount(labels, minlength=classes)
    return float(-np.log(1 / classes)), float(entropy(shares))


def _guess(labels, classes, log=math.log, constant=None, seen=None):
    shares = np.bincount(labels) / len(labels)
    found = -sum(share * log(share) for share in shares if share)
    return log(seen(labels) if seen else classes), constant or found


def _unseen_counts(labels, classes):
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.bincount(labels, minlength=classes) / len(labels)
        return math.log(classes), float(-(shares * np.log(shares)).sum())


# -- 8.2: the interval of a share ------------------------------------------------------

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


# -- 8.3: calibration error ------------------------------------------------------------

# By hand: bin up to .6 promises .55 and keeps .5, bin up to 1 promises .95 and keeps 1.
_ANSWERS = [
    ([0.52, 0.58, 0.95], [True, False, True]),
    ([0.9, 0.9, 0.9, 0.9], [True, False, False, False]),
    ([0.35, 0.41, 0.47, 0.66, 0.68, 0.93], [True, True, False, True, True, False]),
    ([0.31, 0.71, 0.72, 0.73], [False, True, True, True]),
    # An upper end belongs to its bin: 0.6 stands with 0.52, and 0.65 alone.
    ([0.6, 0.52, 0.65, 0.3], [False, True, True, True]),
    ([0.8, 0.74, 0.8, 0.85, 1.0, 0.1], [True, False, False, True, True, False]),
    # The first bin begins at 0: a confidence of 0 stands with 0.08 and 0.1.
    ([0.0, 0.08, 0.1, 0.0], [True, False, False, True]),
    ([0.0, 0.06, 0.95], [True, False, True]),
    # And it ends at 0.1: 0.15 stands in the next one.
    ([0.05, 0.15, 0.95, 0.12], [True, False, True, False]),
]


def _reference_ece(confidence, right):
    """The gap of the sums, bin by bin: no share and no mean is computed."""
    gap = dict.fromkeys(range(1, 11), 0.0)
    for promised, kept in zip(confidence, right, strict=True):
        gap[max(1, math.ceil(promised * 10 - 1e-9))] += promised - kept
    return sum(map(abs, gap.values())) / len(right)


def _by_bin(confidence, right):
    confidence, right = np.array(confidence), np.array(right, dtype=float)
    place = np.ceil(confidence * 10 - 1e-9).clip(1)
    for number in np.unique(place):
        inside = place == number
        yield number, inside.mean(), confidence[inside].mean(), right[inside].mean()


def _zero_apart(confidence, right):
    confidence, right = np.array(confidence), np.array(right, dtype=float)
    place = np.ceil(confidence * 10 - 1e-9)  # -0 for 0: a bin of its own
    return sum(
        abs((confidence - right)[place == number].sum()) for number in np.unique(place)
    ) / len(right)


def _floored_ece(confidence, right):
    confidence, right = np.array(confidence), np.array(right, dtype=float)
    place = np.minimum(np.floor(confidence * 10 + 1e-9), 9)
    return sum(
        abs((confidence - right)[place == number].sum()) for number in np.unique(place)
    ) / len(right)


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
        title="The price of a guess",
        cases=_LABELS,
        reference=_reference_guess,
        mistakes=[
            Mistake(
                "this is counted in bits: a loss in torch is in nats, with the natural "
                "logarithm",
                lambda labels, classes: _guess(labels, classes, log=math.log2),
            ),
            Mistake(
                "the first number counts the classes that occur: a head that has no "
                "opinion gives the others their share as well",
                lambda labels, classes: _guess(
                    labels, classes, seen=lambda given: len(np.unique(given))
                ),
            ),
            Mistake(
                "the second number is that of equal shares: take the share of each "
                "class in the labels",
                lambda labels, classes: (math.log(classes), math.log(classes)),
            ),
            Mistake(
                "the second number is the loss of always saying the most frequent "
                "class's share: every label costs the logarithm of its own share",
                lambda labels, classes: (
                    math.log(classes),
                    -math.log(np.bincount(labels).max() / len(labels)),
                ),
            ),
            Mistake(
                "a class that never occurs makes 0 · ln 0, which is no number: leave "
                "it out, it costs nothing",
                _unseen_counts,
            ),
        ],
    ),
    Exercise(
        id="8.2",
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
        id="8.3",
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
                "a confidence of 0 stands in a bin of its own: the first bin holds "
                "everything from 0 up to 0.1 (np.ceil gives 0 there: .clip(1))",
                _zero_apart,
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
