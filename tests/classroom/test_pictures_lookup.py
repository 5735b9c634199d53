"""Pictures of notebook 02: alt text and fact say what the data say."""

import numpy as np
import pytest
import torch

from course_utils import lookup
from course_utils.classroom.pictures import lookup as pictures


def test_a_product_names_the_rows_that_it_picks(shown):
    table = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9], [0, 0, 1]])
    hot = torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 0]])
    pictures.product(hot, table, ["a", "b", "c", "d"])
    alt, fact = shown[0]
    assert fact == "c [7, 8, 9]; a [1, 2, 3]" and fact in alt


@pytest.mark.parametrize("size, count, near", [(1, 8, "b, d"), (2, 14, "a, b, d, e")])
def test_a_window_says_how_many_pairs_it_gives(size, count, near):
    alt = pictures.window(list("abcde"), size).alt
    assert f"{count} pairs" in alt and alt.endswith(f"'c' is {near}.")
    assert len(lookup.skip_gram_pairs(range(5), size)) == count


def test_the_map_ties_a_word_to_its_true_neighbours():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(80, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    points = vectors[:, :2]
    kept = lookup.kept_neighbours(vectors, points, 5)
    alt = pictures.word_map("bank", points, vectors, lookup.FIELDS, kept).alt
    drawn = " ".join(lookup.FIELDS.values()).split()
    row = drawn.index("bank")
    best = np.argsort(-(vectors @ vectors[row]))[1]
    assert f"lines from bank to {drawn[best]}," in alt
    assert f"{kept[row]} are near" in alt


def test_arithmetic_counts_only_intervals_above_zero(shown):
    found = {"tense": (17, 0.4, 0.1, 0.2, 0.5), "plural": (10, 1.0, 1.0, 0.0, 0.0)}
    pictures.arithmetic(found)
    alt, fact = shown[0]
    assert "Above 0: tense; the other" in alt
    assert "17 analogies, rule 0.40, only c 0.10, difference +0.20 to +0.50" in fact
    assert fact.endswith("difference none")


def test_lengths_and_senses_state_their_ends(shown):
    pictures.row_lengths({"all": np.array([1.0, 1.2, 1.1]), "some": np.array([0.4])})
    pictures.two_senses([1.0, 0.9], [1.0, 0.7], ["row", "end"], "bank")
    (lengths, _), (senses, fact) = shown
    assert "all 1.10, some 0.40" in lengths
    assert fact == "same sense 1.00 to 0.90; other sense 1.00 to 0.70"
    assert "grows from 0.00 to 0.20" in senses


def test_company_compares_the_least_within_and_the_most_across(shown):
    found = {"learnt": [[0.9, 0.8, 0.3], [1.0, 0.9, 0.4]]}
    pictures.company(found, ["pet · pet", "land · land", "pet · land"])
    assert shown[0][1] == "learnt: within a kind from 0.8, across up to 0.4"


def test_every_word_of_the_fields_is_in_the_table():
    words = " ".join(lookup.FIELDS.values()).split()
    assert len(words) == len(set(words)) == 80
    assert {*words} <= {*lookup.minilm_words().words}
