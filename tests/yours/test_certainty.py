"""The sentences about certainty are measured: by simulation, with known truths."""

import math

import numpy as np
import pytest
from scipy import stats

from course_utils.yours.certainty import always_valid, log_wealth, questions_needed

# Differences of recall at 1: most questions are answered by both or by none.
VALUES, CHANCES = np.array([-1.0, 0.0, 1.0]), np.array([0.1, 0.65, 0.25])
TRUTH = float(VALUES @ CHANCES)


def test_the_number_of_questions_has_the_promised_power():
    spread = math.sqrt(CHANCES @ (VALUES - TRUTH) ** 2)
    sample = np.tile([TRUTH + spread, TRUTH - spread], 500)
    needed = questions_needed(sample, worth=TRUTH)
    drawn = np.random.default_rng(1).choice(VALUES, (2000, needed), p=CHANCES)
    found = stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05
    assert 0.76 < found.mean() < 0.84
    half = stats.ttest_1samp(drawn[:, : needed // 2], 0, axis=1).pvalue < 0.05
    assert half.mean() < 0.6


def test_half_the_worth_needs_four_times_the_questions():
    sample = [0.4, -0.2, 0.1, 0.0, 0.3]
    one, half = (questions_needed(sample, worth) for worth in (0.1, 0.05))
    assert half == pytest.approx(4 * one, abs=4)
    assert questions_needed([0.2, 0.2], 0.1) == 2
    assert questions_needed(sample, 0.1, power=0.95) > one


@pytest.mark.parametrize("chances", [CHANCES, [0.5, 0, 0.5], [0.05, 0.9, 0.05]])
def test_it_holds_the_truth_at_every_look(chances):
    """While an interval for one look, looked at every time, misses far more often."""
    rng, misses, naive = np.random.default_rng(2), 0, 0
    truth = float(VALUES @ np.array(chances))
    for _ in range(400):
        drawn = rng.choice(VALUES, 150, p=chances)
        wealth = log_wealth((drawn + 1) / 2, np.array([(truth + 1) / 2]), 0.05)
        misses += bool((wealth >= math.log(20)).any())
        count = np.arange(1, 151)
        mean = np.cumsum(drawn) / count
        spread = np.sqrt(np.maximum(np.cumsum(drawn**2) / count - mean**2, 1e-9))
        naive += bool((np.abs(mean - truth) > 1.96 * spread / np.sqrt(count))[9:].any())
    assert misses / 400 <= 0.05
    assert naive / 400 > 0.15


def test_it_is_honest_about_its_price_and_becomes_narrow():
    drawn = np.random.default_rng(3).choice(VALUES, 2000, p=CHANCES)
    widths = []
    for count in (20, 200, 2000):
        low, high = always_valid(drawn[:count])
        once = 2 * 1.96 * drawn[:count].std() / math.sqrt(count)
        assert low <= TRUTH <= high
        assert once < high - low < 3 * once
        widths.append(high - low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_the_wealth_is_what_the_bets_gave():
    """Against a plain loop over the values, one mean at a time."""
    values = np.array([0.2, 0.9, 0.6, 1.0, 0.0])
    for mean in (0.1, 0.5, 0.8):
        up = down = 0.5
        seen, squares = 0.5, 0.25
        spread = 0.25
        for t, value in enumerate(values, 1):
            bet = math.sqrt(2 * math.log(40) / (spread * t * math.log(1 + t)))
            up *= 1 + min(bet, 0.5 / mean) * (value - mean)
            down *= 1 - min(bet, 0.5 / (1 - mean)) * (value - mean)
            seen += value
            squares += (value - seen / (t + 1)) ** 2
            spread = squares / (t + 1)
        made = log_wealth(values, np.array([mean]), 0.05)[-1, 0]
        assert made == pytest.approx(math.log(up + down))


@pytest.mark.parametrize("values", [[1.0] * 50, [-1.0] * 50, [0.0] * 50])
def test_what_never_varies_is_no_trouble(values):
    low, high = always_valid(values)
    assert low <= values[0] <= high and high - low < 0.6


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: questions_needed([0.1], 0.1), "two differences"),
        (lambda: questions_needed([0.1, 0.2], 0), "worth must be above 0"),
        (lambda: questions_needed([0.1, 0.2], 0.1, 1), "power must lie"),
        (lambda: always_valid([1.5]), "from -1 to 1"),
        (lambda: always_valid([0.5], 0), "error must lie"),
        (lambda: always_valid([float("nan")]), "NaN"),
    ],
)
def test_what_makes_no_sense_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
