"""Fusion, diversity, families of pages, silence: by hand, and as properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.search.ranking import (
    best_threshold,
    costs,
    fold,
    mmr,
    reciprocal_rank_fusion,
)


def test_fusion_by_hand():
    fused = dict(reciprocal_rank_fusion([["a", "b"], ["b", "c"]], constant=60))
    assert fused["a"] == 1 / 61
    assert fused["b"] == 1 / 62 + 1 / 61
    assert fused["c"] == 1 / 62
    assert list(fused) == ["b", "a", "c"]


@given(st.lists(st.lists(st.integers(0, 20), unique=True), max_size=4))
def test_fusion_keeps_every_item_once_and_only_ranks_matter(rankings):
    fused = reciprocal_rank_fusion(rankings)
    assert {item for item, _ in fused} == {item for r in rankings for item in r}
    assert len(fused) == len(dict(fused))
    scores = [score for _, score in fused]
    assert scores == sorted(scores, reverse=True)


def test_fusing_a_ranking_with_itself_changes_nothing():
    assert [i for i, _ in reciprocal_rank_fusion([[3, 1, 2]] * 2)] == [3, 1, 2]


@pytest.mark.parametrize(
    "rankings, constant, reason",
    [([["a"]], -1, "negative"), ([["a", "a"]], 60, "twice")],
)
def test_fusion_refuses_what_is_no_ranking(rankings, constant, reason):
    with pytest.raises(ValueError, match=reason):
        reciprocal_rank_fusion(rankings, constant)


ALIKE = np.array([[1, 0.99, 0], [0.99, 1, 0], [0, 0, 1.0]])


def test_mmr_prefers_the_unlike_to_the_repeated():
    assert mmr([0.9, 0.8, 0.5], ALIKE, 3) == [0, 2, 1]


def test_mmr_with_balance_one_is_the_plain_ranking():
    assert mmr([0.5, 0.9, 0.8], ALIKE, 3, balance=1) == [1, 2, 0]


def test_mmr_with_k_beyond_the_candidates_takes_all_once():
    assert sorted(mmr([0.5, 0.9, 0.8], ALIKE, 10)) == [0, 1, 2]


@pytest.mark.parametrize(
    "relevance, k, balance",
    [([0.5, 0.9], 1, 0.5), ([0.5, 0.9, 0.8], 0, 0.5), ([0.5, 0.9, 0.8], 1, 1.5)],
)
def test_mmr_refuses_what_does_not_fit(relevance, k, balance):
    with pytest.raises(ValueError):
        mmr(relevance, ALIKE, k, balance)


def test_fold_keeps_the_best_of_each_family():
    same_as = {"copy": "page", "old": "page"}
    assert fold(["x", "old", "page", "copy", "y"], same_as) == ["x", "old", "y"]


# -- silence ---------------------------------------------------------------------------

cases = st.lists(st.tuples(st.floats(-1, 1), st.booleans()), min_size=1, max_size=30)


@given(cases, st.floats(0.1, 10))
def test_no_threshold_is_cheaper_than_the_best(rows, price):
    confidence, right = zip(*rows, strict=True)
    best = best_threshold(confidence, right, price)
    tried = [*confidence, -2.0, 2.0, best]
    paid = costs(confidence, right, price, tried)
    assert paid[-1] == min(paid)


def test_costs_by_hand():
    confidence, right = [0.1, 0.4, 0.4, 0.8], [False, True, False, True]
    paid = costs(confidence, right, 2, [0.0, 0.4, 0.5, 1.0])
    assert paid.tolist() == [4, 2, 1, 2]


def test_if_answers_are_never_right_silence_is_best():
    assert best_threshold([0.1, 0.9], [False, False], 1) == math.inf


def test_among_equals_the_threshold_that_answers_most():
    assert best_threshold([0.2, 0.9], [True, True], 1) == 0.2


@pytest.mark.parametrize("confidence", [[], [math.nan]])
def test_nothing_to_calibrate_on_is_refused(confidence):
    with pytest.raises(ValueError):
        best_threshold(confidence, [True] * len(confidence), 1)


def test_a_string_is_no_ranking():
    with pytest.raises(TypeError, match="string 'ab'"):
        reciprocal_rank_fusion(["ab", "ba"])
    with pytest.raises(TypeError, match="string 'ab'"):
        fold("ab", {})
