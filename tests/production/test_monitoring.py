"""Alarms: right by their formulas, quiet when nothing changes, loud when it does."""

import numpy as np
import pytest
from scipy.stats import entropy

from course_utils.production import monitoring

CHANCE = np.random.default_rng(0)
QUIET = CHANCE.normal(size=2_000)
ROWS = CHANCE.normal(size=(2_000, 8)) + 1


def test_psi_is_the_symmetric_divergence_of_the_shares():
    before, now = np.repeat([0, 1, 2, 3], 25), np.repeat([0, 1, 2, 3], [40, 30, 20, 10])
    edges = [0.75, 1.5, 2.25]  # quartiles of before
    shares = [
        (np.bincount(np.searchsorted(edges, v, "right"), minlength=4) + 0.5) / 102
        for v in (before, now)
    ]
    expected = entropy(*shares) + entropy(*shares[::-1])
    assert monitoring.psi(before, now, bins=4) == pytest.approx(expected)


def test_by_chance_psi_is_as_large_as_the_formula_says_and_passes_a_tenth():
    values = [
        monitoring.psi(QUIET, CHANCE.choice(QUIET, 100, replace=True))
        for _ in range(300)
    ]
    assert np.mean(values) == pytest.approx(9 * (1 / 2_000 + 1 / 100), rel=0.15)
    assert 0.2 < np.mean(np.array(values) > 0.1) < 0.6  # the customary limit


def test_the_distance_is_unbiased():
    same = [
        monitoring.distance(CHANCE.normal(size=(n, 8)), CHANCE.normal(size=(50, 8)))
        for n in [5] * 400
    ]
    assert abs(np.mean(same)) < 3 * np.std(same) / 20
    moved = monitoring.distance(ROWS, ROWS[:500] + 0.5)
    assert moved == pytest.approx(8 * 0.25, rel=0.2)


def test_the_classifier_sees_a_turn_that_no_cosine_sees():
    turn, _ = np.linalg.qr(CHANCE.normal(size=(8, 8)))
    before, now = ROWS[:200], ROWS[200:400]
    assert np.allclose(now @ now.T, (now @ turn) @ (now @ turn).T)
    assert monitoring.told_apart(before, now) < 0.62
    assert monitoring.told_apart(before, now @ turn) > 0.9


@pytest.mark.parametrize(
    "quiet, measure", [(QUIET, monitoring.psi), (ROWS, monitoring.distance)]
)
def test_false_alarms_are_as_rare_as_agreed(quiet, measure):
    half = len(quiet) // 2
    ring = monitoring.limit(quiet[:half], measure, window=50, rate=0.05, rounds=400)
    later = CHANCE.integers(half, len(quiet), size=(400, 50))
    rang = np.mean([measure(quiet[:half], quiet[row]) > ring for row in later])
    assert rang < 0.13
    shifted = np.mean([measure(quiet[:half], quiet[row] + 1.5) > ring for row in later])
    assert shifted > 0.95


def test_limits_repeat():
    both = [monitoring.limit(QUIET, monitoring.psi, 50, 0.1, 60, seed=3) for _ in "ab"]
    assert both[0] == both[1]


class Fixed:
    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, texts):
        return np.array([self.vectors[text] for text in texts])


def test_canaries_name_what_changed():
    kept = {text: row for text, row in zip("abcdef", ROWS, strict=False)}
    assert monitoring.canaries(Fixed(kept), kept) == {}
    assert monitoring.canaries(Fixed(kept), {k: 3 * v for k, v in kept.items()}) == {}
    stale = kept | {"b": -kept["b"], "c": kept["c"][:4], "d": kept["d"] * np.nan}
    stale |= {"e": kept["e"] * 0}
    lost = monitoring.canaries(Fixed(kept), stale)
    assert lost == {"b": -1.0, "c": -1.0, "d": -1.0, "e": -1.0}


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: monitoring.psi([], [1]), "got 0 and 1"),
        (lambda: monitoring.psi([1, np.nan], [1]), "NaN"),
        (lambda: monitoring.psi([1], [1], bins=1), "bins must be at least 2"),
        (lambda: monitoring.distance(ROWS[:1], ROWS), "two vectors"),
        (lambda: monitoring.told_apart(ROWS[:9], ROWS), "ten rows"),
        (lambda: monitoring.limit(QUIET, monitoring.psi, 9, 0.01, 100), "take 501"),
        (lambda: monitoring.limit(QUIET, monitoring.psi, 9, 1.0), "between 0 and 1"),
        (lambda: monitoring.canaries(Fixed({}), {}), "no canaries"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
