"""What comes in at the door is converted rightly or refused, whatever it is."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import guards

steady = settings(derandomize=True, deadline=None, max_examples=60)


@pytest.mark.parametrize(
    "value", [7, 7.0, np.int64(7), np.uint8(7), np.float32(7), torch.tensor(7)]
)
def test_a_whole_number_becomes_pythons_own(value):
    found = guards.whole("n", value)
    assert found == 7 and type(found) is int
    assert 2 ** (found * 100) > 2**600  # which NumPy's would not hold


@pytest.mark.parametrize("value", [7.5, True, np.True_, "7", None, math.nan, [7]])
def test_what_is_no_whole_number_is_refused_with_its_name(value):
    with pytest.raises(ValueError, match="bins must be a whole number"):
        guards.whole("bins", value)


def test_a_whole_number_has_limits():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        guards.whole("n", np.int64(0), low=1)
    with pytest.raises(ValueError, match="n must be at most 3, got 4"):
        guards.whole("n", 4, high=3)


def test_a_number_becomes_pythons_own():
    found = guards.number("rate", np.float32(0.5))
    assert found == 0.5 and type(found) is float


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.1", None, -1])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(ValueError, match="rate must be"):
        guards.number("rate", value, low=0)


@pytest.mark.parametrize(
    "values", [[1, math.nan], [[1, 2], [3]], ["1", "2"], [None], [math.inf], [1, "a"]]
)
def test_a_column_of_no_numbers_is_refused(values):
    with pytest.raises(ValueError, match="scores"):
        guards.finite("scores", values)


@pytest.mark.parametrize(
    "values", [[1, 0], [True, False], [1.0, 0.0], np.array([1, 0])]
)
def test_yes_and_no_come_in_several_forms(values):
    assert guards.truths("right", values).tolist() == [True, False]


@pytest.mark.parametrize(
    "values", [["False", "True"], [0, 2], [0.5], [math.nan], [None], ["", "x"]]
)
def test_what_says_neither_yes_nor_no_is_refused(values):
    """bool("False") is True, and so is bool(nan)."""
    with pytest.raises(ValueError, match="right must say True or False"):
        guards.truths("right", values)


class Table(nn.Module):
    """Weights that are no parameters, as quantized ones are."""


@pytest.mark.parametrize(
    "block, found",
    [
        (nn.Linear(2, 2).bfloat16(), "bfloat16"),
        (nn.Linear(2, 2).double(), "float64"),
        (nn.Sequential(nn.Linear(2, 2), Table()), "Table"),
    ],
)
def test_blocks_of_another_precision_cannot_learn(block, found):
    with pytest.raises(ValueError, match=f"weights in float32, .*{found}"):
        guards.learnable([nn.Linear(2, 2), block], "training")
    guards.learnable([nn.Linear(2, 2), nn.LayerNorm(2)], "training")


def test_a_tilde_is_your_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert guards.path("~/index") == tmp_path / "index"
    assert guards.path(Path("~") / "x") == tmp_path / "x"
    assert guards.path("a~b") == Path("a~b")


def test_the_home_of_nobody_is_refused():
    with pytest.raises(ValueError, match="no such home is known"):
        guards.path("~nobody-of-this-name/index")


# -- any labels and probabilities: the value of the library, or a refusal --------------

anything = st.one_of(
    st.floats(0, 1), st.floats(width=32), st.integers(-3, 3), st.booleans()
)


@steady
@given(st.lists(st.lists(anything, min_size=2, max_size=2), max_size=5))
def test_any_matrix_is_a_table_of_distributions_or_refused(rows):
    try:
        found = guards.probabilities(rows)
    except ValueError:
        wrong = [r for r in rows if not all(map(math.isfinite, r))]
        wrong += [r for r in rows if not abs(sum(r) - 1) <= 1e-5 or min(r) < 0]
        assert wrong or not rows
    else:
        assert (found >= 0).all() and np.abs(found.sum(axis=1) - 1).max() < 1e-3


@steady
@given(
    st.lists(st.floats(0.001, 0.999), min_size=1, max_size=8),
    st.data(),
    st.sampled_from([bool, int, np.int8, np.uint8, np.int64]),
)
def test_labels_of_every_kind_give_the_loss_of_scikit_learn(shares, data, kind):
    from sklearn.metrics import log_loss

    from course_utils.failures import calibration

    table = np.array([[1 - share, share] for share in shares])
    labels = [kind(data.draw(st.integers(0, 1))) for _ in shares]
    right = log_loss([int(label) for label in labels], table, labels=[0, 1])
    assert calibration.log_loss(table, labels) == pytest.approx(right)
