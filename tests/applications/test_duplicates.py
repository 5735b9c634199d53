"""Doubles by letters, by shingles and by meaning; groups without chains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.applications import duplicates


def arc(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def test_exact_ignores_case_width_and_spaces_only():
    texts = ["Ｗide  one", "wide one", "Wide one!", "other"]
    assert duplicates.exact_pairs(texts) == [(0, 1)]


def test_three_equal_texts_are_three_pairs():
    assert duplicates.exact_pairs(["a", "A", " a"]) == [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize(
    "call",
    [
        duplicates.shingles,
        duplicates.word_shingles,
        lambda t: duplicates.exact_pairs([t]),
    ],
)
def test_an_empty_text_is_refused(call):
    with pytest.raises(ValueError):
        call("  ")


def test_a_short_text_is_one_shingle():
    assert duplicates.shingles("abc") == {"abc"}
    assert duplicates.word_shingles("two words") == {"two words"}


def test_a_sketch_estimates_the_jaccard_index():
    a, b = set(map(str, range(300))), set(map(str, range(100, 400)))
    estimate = duplicates.sketch(a).jaccard(duplicates.sketch(b))
    assert estimate == pytest.approx(duplicates.jaccard(a, b), abs=0.1)


def test_the_index_finds_what_comparing_all_finds():
    texts = [f"the parcel {n} came to the harbour on a grey morning" for n in range(6)]
    texts += ["an entirely other text about tax and ferries", "short"]
    sketches = [duplicates.sketch(duplicates.shingles(text)) for text in texts]
    every = {
        (i, j)
        for i in range(len(texts))
        for j in range(i + 1, len(texts))
        if sketches[i].jaccard(sketches[j]) >= 0.5
    }
    assert set(duplicates.sketched_pairs(sketches, 0.5)) == every != set()


@pytest.mark.parametrize("sketches, threshold", [([], 0.5), ([1], 0.0), ([1], 1.5)])
def test_no_sketches_or_a_wrong_threshold_are_refused(sketches, threshold):
    with pytest.raises(ValueError, match="sketches, threshold"):
        duplicates.sketched_pairs(sketches, threshold)


def test_near_pairs_hold_their_threshold():
    vectors = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    assert duplicates.near_pairs(vectors, 0.6) == [(0, 1), (1, 2)]
    assert duplicates.near_pairs(vectors, 0.7) == [(1, 2)]
    assert duplicates.near_pairs(-vectors, -1) == [(0, 1), (0, 2), (1, 2)]


def test_one_text_nan_and_a_percentage_are_refused():
    with pytest.raises(ValueError, match="1 text, at least 2"):
        duplicates.near_pairs(np.ones((1, 3)), 0.9)
    with pytest.raises(ValueError, match="NaN"):
        duplicates.near_pairs(np.full((2, 3), np.nan), 0.9)
    with pytest.raises(ValueError, match="threshold is 90"):
        duplicates.near_pairs(np.eye(3), 90)


def test_a_chain_ties_what_has_nothing_in_common():
    vectors = arc(0, 20, 40, 60, 80)
    line = np.cos(np.radians(21))
    pairs = duplicates.near_pairs(vectors, line)
    assert duplicates.chains(5, pairs) == [[0, 1, 2, 3, 4]]
    assert vectors[0] @ vectors[4] < 0.2
    assert duplicates.kept_and_dropped(vectors, line) == {0: [1], 2: [3], 4: []}
    assert duplicates.chains(5, []) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 360), min_size=1, max_size=15), st.floats(0, 0.99))
def test_every_dropped_text_is_near_the_one_that_stands_for_it(degrees, line):
    vectors = arc(*degrees)
    kept = duplicates.kept_and_dropped(vectors, line)
    places = [*kept, *(place for dropped in kept.values() for place in dropped)]
    assert sorted(places) == list(range(len(degrees)))
    for stays, dropped in kept.items():
        assert all(vectors[stays] @ vectors[place] >= line - 1e-9 for place in dropped)
    heads = list(kept)
    between = vectors[heads] @ vectors[heads].T - np.eye(len(heads)) * 2
    assert (between < line).all()


def test_only_duplicates_leave_one_text():
    assert duplicates.kept_and_dropped(np.ones((4, 2)), 0.9) == {0: [1, 2, 3]}
