"""Pictures of the notebooks: alt text and fact say what the data say."""

import numpy as np
import pytest
import torch

from course_utils.classroom.pictures import attention as pictures
from course_utils.classroom.pictures import pooling as pooled
from course_utils.encoder import Trace


def test_the_largest_drop_is_named_after_its_block(shown):
    pictures.word_twice("the", [1.0, 0.9, 0.3, 0.2])
    alt, fact = shown[0]
    assert "from 1.0 to 0.2" in alt and "largest drop in block 1" in alt
    assert fact == "after each block: 1.00 0.90 0.30 0.20"


@pytest.mark.parametrize(
    "weights, above",
    [
        ([[1.0, 0.0], [0.6, 0.4]], "nothing but zeros"),
        ([[0.3, 0.7], [0.6, 0.4]], "weights as well"),
    ],
)
def test_a_table_of_weights_says_whether_the_future_is_seen(shown, weights, above):
    pictures.looks(torch.tensor(weights), ["a", "b"], "title")
    alt, fact = shown[0]
    assert above in alt
    assert fact.endswith("b → a") and fact.split(": ")[1] in alt


def test_lines_over_dimension_and_length_state_their_values(shown):
    pictures.spread((4, 16), {"divided": [1.9, 1.8], "bare": [1.4, 0.3]}, keys=10)
    pictures.padded((20, 60), {"kept": [1.0, 1.0], "forgotten": [0.9, 0.8]})
    pictures.by_layer({"looks": [0.2, 0.6], "handed": [0.1, 0.0]}, "title")
    (spread, _), (padded, _), (layers, fact) = shown
    assert "divided from 1.9 to 1.8, bare from 1.4 to 0.3" in spread
    assert "forgotten: 0.90 0.80" in padded
    assert "handed: 0.10 0.00" in layers and fact.count("\n") == 1


@pytest.mark.parametrize("other, agree", [([0.1, 0.5], True), ([0.1, 0.6], False)])
def test_the_lines_of_cost_are_compared(shown, other, agree):
    pictures.quadratic((256, 2304), {"counted": [0.1, 0.5], "formula": other}, 2304)
    alt, fact = shown[0]
    assert "256: 10%, 2,304: 50%" in alt and f"agree: {agree}" in fact
    assert ("lying on each other" in alt) is agree


def test_a_head_is_described_by_what_each_word_looks_at():
    looks = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3]])
    nothing = torch.zeros(3)
    trace = Trace(
        "é", ["[CLS]", "é", "[SEP]"], *[nothing] * 4, looks[None, None], *[nothing] * 2
    )
    alt = pictures.head(trace, 0, 0).alt
    assert "layer 0, head 0" in alt and alt.endswith("� → [SEP].")


def test_the_map_of_heads_names_the_strongest_and_the_means_of_the_layers():
    moved = np.array([[1.0, 2.0, 0.0], [4.0, 9.0, 2.0]])
    alt = pictures.without_head(moved, "all texts").alt
    assert "without layer 1, head 1" in alt and "means of the layers: 1, 5" in alt


def test_the_step_of_the_senses_is_named_after_its_block(shown):
    pictures.senses([0.5, 0.6, 0.9], 0.7, queries=64)
    alt, fact = shown[0]
    assert "largest step in block 1" in alt and "rows at 0.70" in alt
    assert "of 64 queries" in fact


# -- notebook 05 -----------------------------------------------------------------------


def test_an_interval_is_written_out_and_no_difference_is_a_dash(shown):
    groups = {
        "natural": {"CLS": (-0.06, -0.1, -0.02), "max": (0.0, 0.0, 0.0)},
        "hard": {"CLS": (0.01, -0.1, 0.1), "max": (0.2, 0.1, 0.3)},
    }
    pooled.intervals(groups, "title", "difference")
    alt, fact = shown[0]
    assert fact.split("\n")[:2] == [
        "natural, CLS: -0.06 (-0.10 to -0.02)",
        "natural, max: –",
    ]
    assert "hard, max: +0.20 (+0.10 to +0.30)" in alt and "line at zero" in alt


def test_an_end_that_noise_could_turn_has_no_sign_to_turn():
    assert pooled.span((0.1, -0.004, 0.2)) == pooled.span((0.1, 0.004, 0.2))


def test_a_value_that_is_none_leaves_a_gap_and_models_may_be_short(shown):
    pooled.by_block(
        {"six": [np.nan, 0.5, 0.9], "two": [0.1, 0.2]}, "t", "order", "–: x"
    )
    alt, fact = shown[0]
    assert fact == "six: – 0.50 0.90\ntwo: 0.10 0.20\n–: x"
    assert "over 2 blocks" in alt and "two: 0.10 0.20" in alt


def test_pairs_above_the_level_are_counted(shown):
    found = {"a": ([0.95, 0.9, 0.2], [5, 3, 0]), "b": ([0.1], [5])}
    pooled.grades_over_cosines(found, level=0.9)
    alt, fact = shown[0]
    assert fact.endswith("a 1 of 2, b 0 of 0") and fact in alt


def trace_of(tokens, states):
    nothing, hidden = torch.zeros(3), torch.tensor([states])
    return Trace(
        "", tokens, torch.arange(len(tokens)), *[nothing] * 2, hidden, *[nothing] * 3
    )


def test_a_receipt_names_its_largest_cell_and_refuses_what_does_not_fit():
    first = trace_of(["a", "é"], [[1.0, 0.0], [0.0, 3.0]])
    second = trace_of(["b", "c", "d"], [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    alt = pooled.receipt(first, second).alt
    assert alt.endswith("largest cell is � with c.")
    with pytest.raises(ValueError, match="22 tokens"):
        pooled.receipt(trace_of(["x"] * 25, [[1.0, 0.0]] * 25), second)
