"""Two encoders side by side: scales, the rotation between them, and a gate."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.stats import zscore

from course_utils.production import migration
from course_utils.production.compression import unit

CHANCE = np.random.default_rng(0)
OLD, NEW = unit(CHANCE.normal(size=(2, 300, 12)).reshape(600, 12)).reshape(2, 300, 12)


def test_each_side_is_on_its_own_scale():
    old, new = CHANCE.normal(size=20), CHANCE.normal(size=20) * 0.01 + 0.9
    moved = np.arange(20) < 8
    found = migration.merged(old, np.where(moved, new, np.nan), moved)
    assert np.allclose(found[moved], zscore(new[moved]))
    assert np.allclose(found[~moved], zscore(old[~moved]))


@pytest.mark.parametrize("moved", [False, True])
def test_with_one_side_only_the_order_is_its_own(moved):
    side = OLD @ OLD[0] if not moved else NEW @ NEW[0]
    found = migration.merged(OLD @ OLD[0], NEW @ NEW[0], np.full(300, moved))
    assert np.argsort(found).tolist() == np.argsort(side).tolist()


def test_pages_that_all_look_alike_get_zero():
    moved = np.array([True, True, False, False])
    found = migration.merged(np.ones(4), np.ones(4), moved)
    assert found.tolist() == [0, 0, 0, 0]


def test_the_bridge_is_that_of_procrustes_and_keeps_cosines():
    turn = migration.bridge(OLD, NEW)
    theirs, _ = orthogonal_procrustes(OLD, NEW)
    assert np.allclose(turn, theirs, atol=1e-4)
    assert np.allclose((OLD @ turn) @ (OLD @ turn).T, OLD @ OLD.T, atol=1e-5)


def test_a_gate_is_as_strict_as_its_margin():
    old = CHANCE.uniform(0.3, 0.9, 200)
    worse = old - 0.05 + CHANCE.normal(size=200) * 0.02
    assert not migration.gate(old, worse, margin=0.02).passes
    assert migration.gate(old, worse, margin=0.10).passes
    found = migration.gate(old, worse, margin=0)
    assert found.low < found.gain < found.high < 0


def test_a_tiny_certain_loss_passes_and_a_large_doubt_does_not():
    """What a test of significance would decide the other way round."""
    old = CHANCE.uniform(0.3, 0.9, 400)
    assert migration.gate(old, old - 0.001, margin=0.01).passes
    few = migration.gate(old[:8], old[:8] + CHANCE.normal(size=8) * 0.3, margin=0.01)
    assert few.low < -0.01 and not few.passes


def test_the_interval_holds_the_truth_as_often_as_it_says():
    held = 0
    for seed in range(200):
        gains = np.random.default_rng(seed).normal(0.03, 0.1, 60)
        found = migration.gate(np.zeros(60), gains, 0, rounds=400, seed=seed)
        held += found.low <= 0.03 <= found.high
    assert 0.89 <= held / 200 <= 0.99


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: migration.merged([1, 2], [1], [True, False]), "one value per page"),
        (lambda: migration.merged([1, 2, 3], [1, 2, 3], [True, False, False]), "alone"),
        (lambda: migration.merged([1, 2], [np.nan, 1], [True, True]), "NaN"),
        (lambda: migration.merged([1, 2], [1, 2], ["yes", "no"]), "True or False"),
        (lambda: migration.bridge(OLD, NEW[:5]), "same texts"),
        (lambda: migration.bridge(OLD, NEW[:, :5]), r"\(n, 12\)"),
        (lambda: migration.gate([1, 2], [1], 0), "same queries"),
        (lambda: migration.gate([1], [1], 0), "two at least"),
        (lambda: migration.gate([1, 2], [1, 2], -0.1), "margin"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
