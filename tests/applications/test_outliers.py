"""Strangers, the line of the alarm, and streams that change."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from course_utils.applications import outliers


def unit(n, dim=6, seed=0, shift=0.0):
    rows = np.random.default_rng(seed).normal(size=(n, dim))
    rows[:, 0] += shift
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 3, 20])
def test_strangeness_equals_the_librarys_neighbours(k):
    texts, reference = unit(7, seed=1), unit(20)
    finder = NearestNeighbors(n_neighbors=k, metric="cosine").fit(reference)
    distances, _ = finder.kneighbors(texts)
    ours = outliers.strangeness(texts, reference, k)
    assert np.allclose(ours, distances.mean(axis=1))


def test_left_out_strangeness_is_strangeness_to_the_others():
    reference = unit(9)
    rest = [np.delete(reference, i, axis=0) for i in range(9)]
    expected = [
        outliers.strangeness(reference[[i]], others, 3)[0]
        for i, others in enumerate(rest)
    ]
    assert np.allclose(outliers.own_strangeness(reference, 3), expected)


@pytest.mark.parametrize(
    "texts, reference, k, sentence",
    [
        (unit(2), unit(5), 6, "k is 1 to 5"),
        (unit(2), unit(5), 0, "k is 1 to 5"),
        (unit(2, dim=3), unit(5), 1, "two models"),
        (np.full((1, 6), np.nan), unit(5), 1, "NaN"),
    ],
)
def test_neighbours_that_do_not_exist_are_refused(texts, reference, k, sentence):
    with pytest.raises(ValueError, match=sentence):
        outliers.strangeness(texts, reference, k)


def test_one_text_has_no_others():
    with pytest.raises(ValueError, match="1 text, at least 2"):
        outliers.own_strangeness(unit(1), 1)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.25, 0.5])
def test_at_most_the_share_exceeds_the_line(share):
    own = np.random.default_rng(0).normal(size=200)
    line = outliers.alarm_line(own, share)
    assert (own > line).mean() <= share < (own >= line).mean()


@pytest.mark.parametrize(
    "own, share, sentence",
    [
        ([0.1] * 8, 0.05, "at least 20 are needed"),
        ([0.1] * 30, 5, "between 0 and 1"),
        ([0.1] * 30 + [np.nan], 0.1, "without NaN"),
    ],
)
def test_a_line_that_cannot_be_known_is_refused(own, share, sentence):
    with pytest.raises(ValueError, match=sentence):
        outliers.alarm_line(own, share)


def test_auroc_by_hand_and_without_one_side():
    assert outliers.auroc([1, 2], [3, 4]) == 1
    assert outliers.auroc([1], [1]) == 0.5
    with pytest.raises(ValueError, match="both needed"):
        outliers.auroc([], [1])


def test_equal_samples_differ_less_than_shifted_ones():
    a = unit(40)
    near = outliers.discrepancy(a, unit(40, seed=1))
    assert near < outliers.discrepancy(a, unit(40, seed=2, shift=2.0))
    with pytest.raises(ValueError, match="the second sample"):
        outliers.discrepancy(a, a[:1])


def test_a_quiet_stream_cries_wolf_about_as_often_as_promised():
    p = [
        outliers.drift_p(unit(30, seed=2 * s), unit(20, seed=2 * s + 1), 39, s)
        for s in range(60)
    ]
    assert np.mean(np.array(p) <= 0.1) < 0.25
    assert np.mean(p) == pytest.approx(0.5, abs=0.15)


def test_a_shifted_stream_is_noticed():
    assert outliers.drift_p(unit(40), unit(30, seed=1, shift=2.0), 99) == 0.01
