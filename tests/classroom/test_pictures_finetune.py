"""Pictures of notebook 07: alt text and fact say what the data say."""

import pytest

from course_utils.classroom.pictures import finetune as pictures


@pytest.mark.parametrize(
    "losses, jagged", [([1.4, 1.5, 1.2, 1.3, 0.9], True), ([1.4, 1.3, 1.2], False)]
)
def test_a_jagged_line_is_called_so(shown, losses, jagged):
    pictures.steps(losses)
    alt, fact = shown[0]
    assert ("jagged" in alt) is jagged and fact.endswith(str(jagged))


def test_what_stands_still_is_said(shown):
    pictures.loss_and_accuracy([1.4, 1.3, 1.2], [0.5, 0.5, 0.6])
    pictures.loss_and_accuracy([1.4, 1.4, 1.2], [0.4, 0.5, 0.6])
    assert shown[0][1].endswith("the loss never, the accuracy sometimes")
    assert shown[1][1].endswith("the loss sometimes, the accuracy never")


def test_rates_that_only_guess_are_named(shown):
    pictures.rates({1e-5: 1.37, 1e-3: 0.7, 1e-2: 1.6}, chosen=1e-3)
    alt, fact = shown[0]
    assert fact == "chosen 0.001; no better than a guess: 1e-05, 0.01"
    assert "1e-05, 0.01" in alt


def test_the_ladder_states_every_bar(shown):
    row = {"words": 0.36, "frozen": 0.67}
    pictures.ladder({"192 headlines": {**row, "all": 0.7}, "192 articles": row})
    alt, fact = shown[0]
    assert fact.split("\n")[1].split() == "192 articles words 0.36 frozen 0.67".split()
    assert "192 headlines words 0.36 frozen 0.67 all 0.70" in alt


def test_a_gain_a_loss_and_what_is_not_shown(shown):
    few = {"all, mean": 0.02, "all, low": -0.01, "all, high": 0.05}
    many = {"all, mean": 0.04, "all, low": 0.01, "all, high": 0.07}
    many |= {"two, mean": -0.04, "two, low": -0.07, "two, high": -0.01}
    assert pictures.gains({"few": few, "many": many}) == ["many"]
    verdicts = [line.split(": ")[-1] for line in shown[0][1].split("\n")]
    assert verdicts == ["not shown", "a gain", "a loss"]
    assert "many, all +4.0 points, +1.0 to +7.0: a gain" in shown[0][0]


def test_learning_by_heart_is_read_off_the_lines(shown):
    pictures.by_heart([1, 0.5, 0.1, 0], [1, 0.8, 0.9, 1.2], [0.2, 0.4, 0.8, 1], 2)
    alt, fact = shown[0]
    assert "first half and ends higher" in alt and "climbs" in alt
    assert fact.split("\n") == [
        "best dev loss in the first half: True",
        "a third of the wrong labels contradicted there: True",
    ]


def test_the_price_states_before_and_after(shown):
    change = {"change, low": -0.3, "change, high": -0.18}
    pictures.price({"before": 0.85, "after": 0.61, **change})
    alt, fact = shown[0]
    assert fact == "0.85 before, 0.61 after; change -0.30 to -0.18 (95 %)"
    assert "0.85 before" in alt and "0.61 after" in alt
