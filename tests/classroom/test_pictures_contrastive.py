"""Pictures of notebook 06: alt text and fact say what the data say."""

import math

import numpy as np
import pytest
import torch

from course_utils.classroom.pictures import contrastive as pictures


@pytest.mark.parametrize(
    "table, right", [([[0.9, 0.1], [0.8, 0.2]], 1), (torch.eye(2), 2)]
)
def test_rows_with_their_own_on_top_are_counted(shown, table, right):
    pictures.exam(table, ["nbf", "504"])
    alt, fact = shown[0]
    assert fact.startswith(f"{right} of 2 remarks") and f"{right} of 2 rows" in alt


def test_the_first_loss_is_told_in_guesses(shown):
    pictures.learning({0: 0.0, 5: 0.98}, [2 * math.log(64), 0.1], batch=64)
    alt, fact = shown[0]
    assert "before: 0.00, after 5 steps: 0.98" in fact and "2.0 × ln 64" in fact
    assert "from 0.0 to 1.0" in alt


def test_losses_are_told_by_their_means_and_by_the_order_of_every_seed(shown):
    curves = {
        "softmax": [[0.0, 0.1, 0.2], [0.0, 0.3, 0.4], [0.0, 0.9, 0.9]],
        "ranking": [[0.9, 0.8, 1.0], [0.8, 0.6, 0.9], [0.8, 0.7, 0.8]],
    }
    pictures.yardstick((10, 20, 30), curves)
    alt, fact = shown[0]
    assert "softmax  mean of 3 seeds after 20 steps 0.4, after 30 steps 0.5" in fact
    assert "ranking  mean of 3 seeds after 20 steps 0.7, after 30 steps 0.9" in fact
    assert fact.endswith("after 20 steps 2 of 3 seeds agree on the order")
    assert alt.endswith("the highest in the end is ranking.")


def test_a_circle_says_what_it_shows():
    angles = torch.tensor([0.0, 2.0, 0.0, 2.0])
    now = torch.stack([angles.cos(), angles.sin()], dim=1)
    drawn = pictures.circle(now, now, 0.05, 7, "alignment 0.00")
    assert "2 pairs on a circle, temperature 0.05, step 7: alignment 0.00" in drawn.alt
    assert drawn.alt.endswith("the right choice gets 100%")


def test_seeds_in_which_the_larger_batch_wins_are_counted(shown):
    pictures.batches((8, 64), {"same steps": [[0.1, 0.2, 0.9], [0.8, 0.8, 0.8]]})
    alt, fact = shown[0]
    assert fact == "same steps: 64 beats 8 in 2 of 3 seeds" and fact in alt


def test_a_shelf_is_told_by_its_height(shown):
    curve = np.r_[np.full(60, math.log(2)), np.zeros(20)]
    pictures.shelf({"hard": curve})
    alt, fact = shown[0]
    assert "steps 40 to 60: 0.7, at the end: 0.0" in fact
    assert "steps 40 to 60: 0.7" in alt and "ln 2 = 0.7" in fact


def test_false_negatives_are_told_rank_by_rank(shown):
    pictures.mined([0.25, 0.1], random=0.02)
    alt, fact = shown[0]
    assert (
        fact == "rank 1 to 2: 0.25 0.10; drawn at random: 0.02" and "0.25 0.10" in alt
    )


def test_a_change_counts_when_its_interval_leaves_zero(shown):
    rows = {
        "known": ([0.2, 0.3], (0.1, 0.4)),
        "unseen": ([0.1, 0.0], (-0.1, 0.1)),
        "natural": ([-0.1, -0.2], (-0.3, -0.1)),
    }
    pictures.changes(rows)
    alt, fact = shown[0]
    assert fact == "gain beyond chance: known; loss: natural" and fact in alt
