"""Pictures of notebook 08: alt text and fact say what the data say."""

import numpy as np
import pandas as pd
import pytest

from course_utils.classroom.pictures import failures as pictures


def test_losses_are_told_beside_the_price_of_a_guess(shown):
    runs = {"one": [1.4, 1.0, *[0.5] * 5], "two": [1.4] * 9}
    pictures.losses(runs, 1.386, "title")
    [(alt, fact)] = shown
    assert fact == "a guess costs 1.39\none: 1.40 to 0.50\ntwo: 1.40 to 1.40"
    assert "guess at 1.39" in alt and "one: 1.40 to 0.50" in alt


def test_bars_state_every_version(shown):
    pictures.one_by_one({"as it came": 0.25, "mended": 0.7}, "title")
    [(alt, fact)] = shown
    assert fact == "as it came 0.25\nmended 0.70"
    assert "as it came 0.25, mended 0.70" in alt


def test_the_confusion_matrix_counts_rows(shown):
    pictures.confusion([[8, 2], [1, 9]], ["a", "b"])
    [(alt, fact)] = shown
    assert fact == "lost: a 2, b 1" and "17 of 20" in alt


def test_the_reliability_diagram_counts_bins_above(shown):
    table = pd.DataFrame(
        {"count": [3, 5], "confidence": [0.5, 0.9], "accuracy": [0.6, 0.8]}
    )
    pictures.promises(table)
    [(alt, fact)] = shown
    assert fact == "1 of 2 bins lie above the diagonal" and fact in alt


def test_the_catalogue_is_ordered_by_mean(shown):
    kinds = ["low_kind", "high", "high", "middle", "next"]
    pictures.catalogue([0.1, 0.9, 0.8, 0.5, 0.6], kinds, ["same"] * 5)
    [(alt, fact)] = shown
    assert fact == "highest: high, next, middle; lowest: next, middle, low kind"
    assert fact in alt


def test_lines_of_a_stretch_state_both_ends(shown):
    pictures.stretched((1, 8), {"negation": [0.7, 0.4], "antonyms": [0.9, 0.9]})
    [(alt, fact)] = shown
    assert fact == "factor 8:\nnegation 0.70 → 0.40\nantonyms 0.90 → 0.90"
    assert "negation 0.70 → 0.40" in alt


def test_the_lowest_change_of_each_cure_is_named(shown):
    change = pd.DataFrame(
        {"spelt": [0.0, -0.2], "pooled": [0.1, 0.3]}, index=["role_swap", "unit"]
    )
    pictures.cures(change)
    [(alt, fact)] = shown
    assert fact == "lowest, spelt: unit -0.20\nlowest, pooled: role swap +0.10"
    assert "unit -0.20" in alt


@pytest.mark.parametrize("line, said", [(0.5, "from 0.50 on"), (np.inf, "never")])
def test_the_line_between_says_where_it_lies(line, said):
    picture = pictures.line_between(
        [0.1, 0.9, 0.4], [False, True, False], line, 3, "pairs"
    )
    assert f"same {said}, cost 3" in picture.alt
