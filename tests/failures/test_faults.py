"""Faults of a kind that public reports tell of, each with its right value."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import failures
from course_utils.failures import calibration, checklist, interventions
from course_utils.search import best_threshold, costs, mmr

steady = settings(derandomize=True, deadline=None, max_examples=60)
TWO = [[0.1, 0.9], [0.8, 0.2]]

# -- counts of NumPy -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [int, np.int64, np.int32, np.uint8, float])
def test_mcnemar_of_any_kind_of_integer(kind):
    assert failures.mcnemar(kind(130), kind(61)) == pytest.approx(6.6e-7, rel=0.02)
    assert failures.mcnemar(kind(40), kind(23)) == pytest.approx(0.0429, abs=5e-4)


@steady
@given(st.integers(0, 250), st.integers(0, 250))
def test_mcnemar_is_scipys_whatever_the_counts_are_made_of(first, second):
    from scipy.stats import binomtest

    mine = failures.mcnemar(np.uint8(first), np.uint8(second))
    right = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mine == pytest.approx(right)


def test_the_range_and_the_interval_take_numpys_integers():
    small = [np.uint8(x) for x in (200, 100, 250)]
    assert failures.mcnemar_range(*small) == failures.mcnemar_range(200, 100, 250)
    assert failures.wilson_interval(*small[1:]) == failures.wilson_interval(100, 250)


def test_half_a_hit_is_no_count():
    with pytest.raises(ValueError, match="hits must be a whole number"):
        failures.wilson_interval(8.5, 10)


# -- labels and probabilities ----------------------------------------------------------


def test_true_and_false_are_the_classes_one_and_zero():
    assert calibration.log_loss(TWO, [True, False]) == pytest.approx(0.1643, abs=1e-4)
    losses = failures.label_loss(TWO, [True, False])
    assert losses.mean() == pytest.approx(0.1643, abs=1e-4)
    assert calibration.summary(TWO, [True, False])["accuracy"] == 1


WRONG = [
    (TWO, [1, -1], "between 0 and 1, got -1"),
    (TWO, [1, 2], "between 0 and 1, got 2"),
    (TWO, [1], "1 labels for 2 rows"),
    (TWO, [[1], [0]], "labels"),
    (TWO, ["1", "0"], "class numbers"),
    (TWO, [1.0, 0.5], "class numbers"),
    ([[math.nan, 1.0], [0.8, 0.2]], [1, 0], "NaN"),
    ([[2.5, -1.0], [0.1, 3.0]], [1, 0], "row 0 .*logits"),
    ([0.1, 0.9], [0, 1], r"\(n, classes\)"),
]
READERS = [
    calibration.log_loss,
    calibration.fit_temperature,
    calibration.summary,
    failures.label_loss,
]


@pytest.mark.parametrize("probabilities, labels, reason", WRONG)
@pytest.mark.parametrize("read", READERS)
def test_wrong_labels_and_probabilities_are_refused_everywhere(
    read, probabilities, labels, reason
):
    with pytest.raises(ValueError, match=reason):
        read(probabilities, labels)


@pytest.mark.parametrize(
    "confidence, right",
    [
        ([math.nan, 0.5], [1, 0]),
        ([2.5, 0.5], [1, 0]),
        ([0.4, 0.5], ["True", "False"]),
        ([0.4, 0.5], [0, 2]),
        ([0.4, 0.5], [1]),
        ([0.4, 0.5], [math.nan, 1]),
        ([], []),
    ],
)
def test_confidences_and_answers_that_cannot_be_meant_are_refused(confidence, right):
    for read in (
        calibration.reliability,
        calibration.expected_calibration_error,
        lambda c, r: calibration.abstention(c, r, price=2),
    ):
        with pytest.raises(ValueError):
            read(confidence, right)


def test_scale_refuses_logits_and_temperatures_that_are_no_numbers():
    with pytest.raises(ValueError, match="softmax"):
        calibration.scale([[2.0, -1.0]], 1.0)
    for temperature in (math.nan, math.inf, -1):
        with pytest.raises(ValueError, match="a temperature is above 0"):
            calibration.scale(TWO, temperature)


def test_a_slice_table_does_not_read_the_text_false_as_yes():
    with pytest.raises(ValueError, match="must say True or False"):
        failures.slice_table(["True", "False"], {"all": [True, True]})


def test_regressions_read_ones_and_zeros_as_answers():
    """As numbers, ~1 is -2: a lost case would be counted as something else."""
    old, new = {"digits": np.ones(12, int)}, {"digits": np.zeros(12, int)}
    assert checklist.regressions(old, new)["lost"].to_dict() == {"digits": 12}


def test_costs_refuse_what_says_neither_right_nor_wrong():
    with pytest.raises(ValueError, match="right must say"):
        costs([0.2, 0.6], ["False", "True"], 3, [0.5])
    for price in (math.nan, -1, "3"):
        with pytest.raises(ValueError, match="wrong_answer"):
            costs([0.2, 0.6], [0, 1], price, [0.5])
    with pytest.raises(ValueError, match="thresholds"):
        costs([0.2, 0.6], [0, 1], 3, [math.nan])
    assert best_threshold(np.float32([0.25, 0.75]), [0, 1], 3) == 0.75


# -- NaN has no rank -------------------------------------------------------------------

BAD = np.array([[1.0, 0.0], [math.nan, 0.0]])
EYE = np.eye(2)


@pytest.mark.parametrize(
    "call",
    {
        "first_ranks, a query": lambda: failures.first_ranks(BAD, EYE, EYE),
        "first_ranks, a text": lambda: failures.first_ranks(EYE, BAD, EYE),
        "first_hits, a query": lambda: failures.first_hits(BAD, EYE, [0, 1]),
        "first_hits, a text": lambda: failures.first_hits(EYE, BAD, [0, 1]),
        "mmr, relevance": lambda: mmr([0.5, math.nan], EYE, 1),
        "mmr, similarity": lambda: mmr([0.5, 0.4], BAD, 1),
        "costs": lambda: costs([0.2, math.nan], [0, 1], 3, [0.5]),
        "best_threshold": lambda: best_threshold([math.inf, 0.1], [0, 1], 3),
        "stretch, vectors": lambda: interventions.stretch(BAD, EYE[0], 2),
        "stretch, direction": lambda: interventions.stretch(EYE, BAD[1], 2),
        "same_space": lambda: failures.same_space(BAD, ["a", "b"], lambda t: EYE),
        "an encoder": lambda: failures.same_space(EYE, ["a", "b"], lambda t: BAD),
        "word_effects": lambda: interventions.word_effects(
            "a b", lambda texts: np.full(len(texts), math.nan)
        ),
    }.items(),
    ids=lambda pair: pair[0],
)
def test_nan_does_not_come_first_but_is_refused(call):
    with pytest.raises(ValueError, match="NaN or infinity"):
        call[1]()


@pytest.mark.parametrize("wanted", [[0, 2], [0, -1], [0, 0.5]])
def test_a_wanted_text_that_is_none_is_refused(wanted):
    with pytest.raises(ValueError, match="a wanted text"):
        failures.first_hits(EYE, EYE, wanted)
