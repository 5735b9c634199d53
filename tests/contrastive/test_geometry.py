"""Alignment, uniformity, who is found, and intervals over groups."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import label_ranking_average_precision_score

from course_utils.contrastive.geometry import (
    alignment,
    first_right,
    grouped_interval,
    recall_at_1,
    swap_accuracy,
    uniformity,
    unrelated_cosine,
)

steady = settings(derandomize=True, deadline=None, max_examples=60)
seeds = st.integers(0, 10_000)

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


def random_tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# -- the two forces --------------------------------------------------------------------


@pytest.mark.parametrize(
    "anchors, positives, value",
    [
        ([EAST], [EAST], 0.0),
        ([EAST], [NORTH], 2.0),
        ([EAST], [WEST], 4.0),
        ([EAST, EAST], [EAST, [0.0, 7.0]], 1.0),  # lengths do not matter
    ],
)
def test_alignment_by_hand(anchors, positives, value):
    found = alignment(torch.tensor(anchors), torch.tensor(positives))
    assert found == pytest.approx(value, abs=1e-6)


def test_uniformity_by_hand():
    assert uniformity(torch.tensor([EAST, EAST])) == 0
    assert uniformity(torch.tensor([EAST, NORTH])) == pytest.approx(-4)
    # Squared distances 2, 2 and 4.
    three = math.log((2 * math.exp(-4) + math.exp(-8)) / 3)
    assert uniformity(torch.tensor([EAST, NORTH, WEST])) == pytest.approx(three)


@steady
@given(seeds)
def test_alignment_is_two_minus_two_cosines(seed):
    a, p = random_tensor(2, 6, 4, seed=seed).double()
    cosines = torch.nn.functional.cosine_similarity(a, p)
    assert alignment(a, p) == pytest.approx((2 - 2 * cosines).mean().item())


@steady
@given(seeds)
def test_a_rotation_changes_neither(seed):
    a, p = random_tensor(2, 6, 4, seed=seed).double()
    turn, _ = torch.linalg.qr(random_tensor(4, 4, seed=seed + 1).double())
    assert alignment(a @ turn, p @ turn) == pytest.approx(alignment(a, p))
    assert uniformity(a @ turn) == pytest.approx(uniformity(a))


def test_many_vectors_in_high_dimensions_come_near_minus_four():
    assert uniformity(random_tensor(500, 384)) == pytest.approx(-4, abs=0.05)


@pytest.mark.parametrize("shape", [(1, 3), (3,), (0, 3)])
def test_uniformity_needs_two_vectors(shape):
    with pytest.raises(ValueError, match="two vectors at least"):
        uniformity(torch.ones(shape))


@steady
@given(seeds)
def test_the_unrelated_cosine_leaves_the_pairs_out(seed):
    a, p = random_tensor(2, 5, 4, seed=seed).double()
    cosines = torch.nn.functional.cosine_similarity(a[:, None], p[None], dim=2)
    wanted = cosines[~torch.eye(5, dtype=bool)].mean().item()
    assert unrelated_cosine(a, p) == pytest.approx(wanted)
    with pytest.raises(ValueError, match="no unrelated partner"):
        unrelated_cosine(a[:1], p[:1])


# -- who is found ----------------------------------------------------------------------


def test_recall_by_hand():
    anchors = torch.tensor([EAST, NORTH, [1.0, 0.9]])
    positives = torch.tensor([[1.0, 0.1], [0.0, 9.0], [0.2, -1.0]])
    assert recall_at_1(anchors, positives) == pytest.approx(2 / 3)


def test_a_collapsed_space_finds_nothing():
    assert recall_at_1(torch.ones(5, 3), torch.ones(5, 3)) == 0
    nearly = torch.ones(5, 3) + 1e-8 * random_tensor(5, 3)
    assert recall_at_1(nearly, nearly) == 0


@steady
@given(seeds)
def test_recall_is_the_share_of_right_argmaxes(seed):
    a, p = random_tensor(2, 8, 3, seed=seed).double()
    scores = (
        torch.nn.functional.normalize(a, dim=1)
        @ torch.nn.functional.normalize(p, dim=1).T
    )
    right = (scores.argmax(dim=1) == torch.arange(8)).double().mean().item()
    assert recall_at_1(a, p) == pytest.approx(right)


def test_a_tie_between_the_roles_counts_half():
    a, p = random_tensor(2, 6, 4)
    assert swap_accuracy(a, p, p) == 0.5
    assert swap_accuracy(a, a, -a) == 1
    assert swap_accuracy(a, -a, a) == 0
    two = torch.tensor([EAST, EAST])
    assert swap_accuracy(two, two, torch.tensor([EAST, NORTH])) == 0.75


@pytest.mark.parametrize("measure", [alignment, recall_at_1])
def test_rows_must_stand_beside_each_other(measure):
    with pytest.raises(ValueError, match=r"anchors \(2, 3\), positives \(3, 3\)"):
        measure(torch.ones(2, 3), torch.ones(3, 3))
    with pytest.raises(ValueError, match="positives holds NaN or infinity in row 0"):
        measure(torch.ones(2, 3), torch.full((2, 3), torch.nan))
    with pytest.raises(ValueError, match="zero vector"):
        measure(torch.ones(2, 3), torch.zeros(2, 3))


def test_all_three_columns_of_a_swap_are_looked_at():
    with pytest.raises(ValueError, match=r"swapped \(1, 3\)"):
        swap_accuracy(torch.ones(2, 3), torch.ones(2, 3), torch.ones(1, 3))


def test_the_rank_of_the_best_right_candidate():
    scores = [[0.9, 0.2, 0.4], [0.1, 0.8, 0.3]]
    ranks = first_right(np.array(scores), ["disk", "dns"], ["dns", "disk", "disk"])
    assert ranks.tolist() == [2, 3]


def test_a_tie_counts_as_if_the_wrong_one_were_ahead():
    assert first_right([[0.5, 0.5]], ["a"], ["a", "b"]).tolist() == [2]
    assert first_right([[0.5, 0.5]], ["a"], ["a", "a"]).tolist() == [1]


@steady
@given(seeds)
def test_with_one_right_candidate_its_reciprocal_is_what_sklearn_says(seed):
    rng = np.random.default_rng(seed)
    scores, wanted = rng.random((5, 7)), rng.integers(7, size=5)
    ranks = first_right(scores, wanted.tolist(), list(range(7)))
    theirs = label_ranking_average_precision_score(np.eye(7)[wanted], scores)
    assert np.mean(1 / ranks) == pytest.approx(theirs)


@pytest.mark.parametrize(
    "scores, wanted, offered, sentence",
    [
        ([[1.0, 2.0]], ["a"], ["a"], "1 queries and 1 candidates"),
        ([[1.0, 2.0]], ["a"], ["b", "c"], "no candidate is about 'a'"),
        ([[1.0, math.nan]], ["a"], ["a", "b"], "NaN"),
    ],
)
def test_ranks_without_a_meaning_are_refused(scores, wanted, offered, sentence):
    with pytest.raises(ValueError, match=sentence):
        first_right(np.array(scores), wanted, offered)


# -- intervals -------------------------------------------------------------------------


def mean_of(values):
    return lambda rows: values[rows].mean()


def test_equal_groups_leave_no_doubt():
    values = np.array([0.0, 1.0, 0.0, 1.0])
    assert grouped_interval(mean_of(values), list("aabb")) == (0.5, 0.5)


def test_rows_that_go_together_widen_the_interval():
    values = np.repeat(np.random.default_rng(0).random(40) > 0.5, 5).astype(float)
    alone = grouped_interval(mean_of(values), range(200))
    together = grouped_interval(mean_of(values), np.repeat(range(40), 5).tolist())
    assert np.diff(together) > 1.8 * np.diff(alone)  # √5 if it were exact


def test_the_interval_of_a_mean_is_the_one_of_the_textbook():
    values = np.random.default_rng(1).normal(size=400)
    low, high = grouped_interval(mean_of(values), range(400), resamples=3_000)
    error = values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.01)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.01)


def test_the_same_seed_draws_the_same():
    values = np.random.default_rng(2).random(30)
    drawn = [grouped_interval(mean_of(values), range(30), 50, s) for s in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("groups, resamples", [([], 10), (["a", "a"], 10), ("ab", 0)])
def test_an_interval_of_one_group_is_refused(groups, resamples):
    with pytest.raises(ValueError, match="two groups and one resample"):
        grouped_interval(mean_of(np.ones(2)), groups, resamples)
