"""A table that cannot be changed by accident, and cosines of any size and precision."""

import numpy as np
import pytest

from course_utils import lookup

ROWS = np.array([[3.0, 4.0], [4.0, 3.0], [-3.0, 4.0]])
WORDS = ["king", "queen", "paris"]


def table(dtype=np.float32, size=1.0):
    return lookup.WordTable(WORDS, (ROWS * size).astype(dtype))


def test_arithmetic_with_a_row_does_not_change_the_table():
    words = table()
    vector = words["king"]
    with pytest.raises(ValueError, match="read-only"):
        vector -= words["queen"]
    assert words["king"].tolist() == [3, 4]
    mine = words["king"].copy()
    mine -= words["queen"]
    assert mine.tolist() == [-1, 1] and words["king"].tolist() == [3, 4]


def test_no_part_of_the_table_can_be_written():
    words = table()
    for array in (words.vectors, words.directions, words["paris"]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    assert not lookup.minilm_words()["king"].flags.writeable


def test_a_string_in_the_place_of_the_words_to_exclude_is_refused():
    with pytest.raises(TypeError, match=r"a list of words, such as \['paris'\]"):
        lookup.nearest(ROWS[0], table(), k=1, exclude="paris")
    assert lookup.nearest(ROWS[2], table(), k=1, exclude=["paris"])[0][0] != "paris"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_the_nearest_row_is_found_in_any_precision(dtype):
    found = lookup.nearest(ROWS[0].astype(dtype), table(dtype), k=3)
    assert [word for word, _ in found] == WORDS
    cosines = [cosine for _, cosine in found]
    assert cosines == pytest.approx([1, 0.96, 0.28], abs=1e-3)


@pytest.mark.parametrize("size", [1e-25, 1e-18, 1e20, 3e37])
def test_the_nearest_row_is_found_whatever_the_size(size):
    """The squares of such numbers are 0 or infinite in float32: cosine 0, not 1."""
    for vector in (ROWS[0] * size, ROWS[0]):
        for rows in (table(size=size), table()):
            word, cosine = lookup.nearest(vector, rows, k=1)[0]
            assert (word, round(cosine, 5)) == ("king", 1)


def test_large_half_precision_rows_are_read():
    assert lookup.nearest(ROWS[0], table(np.float16, 10_000), k=1)[0][1] > 0.99


def test_a_row_of_zeros_is_near_to_nothing():
    words = lookup.WordTable(["a", "b"], np.array([[0.0, 0.0], [1e-30, 0.0]]))
    assert words.directions.tolist() == [[0, 0], [1, 0]]


def test_numbers_that_are_none_are_refused():
    bad = np.array([[np.nan, 0.0], [1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match="NaN"):
        lookup.kept_neighbours(bad, ROWS, 1)
    with pytest.raises(ValueError, match="NaN"):
        lookup.kept_neighbours(ROWS, bad, 1)
    with pytest.raises(ValueError, match="NaN"):
        lookup.untrained_rows(bad, known=[1])
    with pytest.raises(ValueError, match="points nowhere"):
        lookup.nearest(bad[0], table())


def test_settings_of_numpy_train_the_same_table():
    sentences = [["a", "b"], ["b", "c"]]
    mine = lookup.train_skip_gram(sentences, dim=4, epochs=2, seed=3)
    kinds = {"dim": np.int64(4), "epochs": np.int32(2), "seed": np.int64(3)}
    theirs = lookup.train_skip_gram(sentences, **kinds)
    assert np.array_equal(mine.vectors, theirs.vectors)
