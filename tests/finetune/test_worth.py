"""Specifications of what an accuracy, and a difference of two, is worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import finetune

steady = settings(derandomize=True, deadline=None, max_examples=40)


# -- two polls, and an interval --------------------------------------------------------


def test_five_of_five_hundred_articles_are_half_a_standard_error():
    assert finetune.z_score(448, 443, 500) == pytest.approx(0.508, abs=0.001)
    assert finetune.z_score(443, 448, 500) == pytest.approx(-0.508, abs=0.001)


@steady
@given(st.integers(1, 300), st.data())
def test_z_squared_is_the_chi_squared_of_the_table(n, data):
    from scipy.stats import chi2_contingency

    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    if a + b in (0, 2 * n):
        assert finetune.z_score(a, b, n) == 0
        return
    table = chi2_contingency([[a, n - a], [b, n - b]], correction=False)
    assert finetune.z_score(a, b, n) ** 2 == pytest.approx(table.statistic, abs=1e-9)


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="12 and 3 of 10"):
        finetune.z_score(12, 3, 10)


@steady
@given(st.lists(st.booleans(), min_size=20, max_size=200))
def test_the_interval_holds_the_mean_and_is_about_two_standard_errors_wide(values):
    mean, low, high = finetune.bootstrap(np.array(values))
    assert low <= mean <= high
    error = np.std(values) / np.sqrt(len(values))
    assert high - low == pytest.approx(2 * 1.96 * error, abs=0.25 * error + 0.03)


def test_the_luck_of_training_widens_the_interval():
    """Two runs that are all right and all wrong: the texts vary not at all."""
    mean, low, high = finetune.bootstrap(np.array([[1] * 50, [0] * 50]))
    assert (mean, low, high) == (0.5, 0.0, 1.0)


@pytest.mark.parametrize("values", [[], [[]], [1.0, np.nan]])
def test_an_interval_of_nothing_is_refused(values):
    with pytest.raises(ValueError, match="at least one value, and numbers only"):
        finetune.bootstrap(np.array(values))


# -- two models, the same texts --------------------------------------------------------


def test_the_same_five_articles_are_worth_more_when_they_are_paired():
    a, b = np.arange(500) < 448, np.arange(500) < 443
    assert finetune.paired_z(a, b) == pytest.approx(5**0.5)
    assert finetune.paired_z(b, a) == pytest.approx(-(5**0.5))


@steady
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_it_is_the_root_of_mcnemars_statistic(pairs):
    a, b = np.array(pairs).T
    only_a, only_b = (a & ~b).sum(), (b & ~a).sum()
    found = finetune.paired_z(a, b)
    if only_a == only_b:
        assert found == 0
        return
    assert found**2 == pytest.approx((only_a - only_b) ** 2 / (only_a + only_b))
    assert (found > 0) == (a.mean() > b.mean())


def test_where_nothing_is_disputed_nothing_is_divided():
    assert finetune.paired_z([True, False], [True, False]) == 0.0


@pytest.mark.parametrize(
    "a, b, message",
    [
        ([True], [True, False], "the same texts"),
        ([[True]], [[True]], "the same texts"),
        ([1, 0], [True, False], "True or False for each text, not int64"),
        (["World"], ["Sports"], "compare the answers with the labels first"),
    ],
)
def test_what_is_no_pair_of_answers_is_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        finetune.paired_z(a, b)
