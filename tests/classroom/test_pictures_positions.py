"""Pictures of notebook 03: alt text and fact say what the data say."""

import numpy as np

from course_utils.classroom.pictures import positions as pictures


def test_a_counter_and_its_waves_are_compared_column_by_column(shown):
    bits = np.arange(8)[:, None] >> np.arange(3) & 1
    pictures.counters(bits, 2 * bits - 1)
    alt, fact = shown[0]
    assert "over 8 places, flips per bit: 7 3 1;" in fact
    assert fact.endswith("changes of sign per hand: 7 3 1") and fact in alt


def test_rises_are_counted_and_the_first_is_named(shown):
    pictures.by_lag([1, 2, 3, 4], {"falls": [4, 3, 2, 1], "swings": [4, 2, 3, 1]})
    fact = shown[0][1]
    assert "falls rises again at 0 of 3 steps\n" in fact
    assert "swings rises again at 1 of 3 steps, first from 2 on" in fact


def test_the_longest_row_but_the_first_is_named(shown):
    pictures.row_norms([9.0, 1.0, 3.0, 1.0])
    assert "row 0: 9.00; longest of the others: row 2, 3.00" in shown[0][1]


def test_the_steepest_fall_of_all_is_found(shown):
    pictures.slides({0: 1.0, 16: 0.9, 32: 0.5, 48: 0.6})
    fact = shown[0][1]
    assert "steepest fall from row 16 to 32; lowest at row 32 (0.50)" in fact
    assert fact.endswith("at 48 again 0.60")


def test_only_lengths_beyond_training_count(shown):
    pictures.stretched([16, 32], {"kept": [0.1, 0.9], "lost": [1.0, 0.5]}, trained=16)
    assert shown[0][1] == (
        "kept: 0.1 at 16 tokens, worst beyond above 0.8\n"
        "lost: 1.0 at 16 tokens, worst beyond below 0.8"
    )
