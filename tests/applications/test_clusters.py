"""Groups: equal to the library, refused where there are none, named, numbered."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from course_utils.applications import clusters


def unit(n, dim=8, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(4))
def test_k_means_equals_the_library_from_the_same_start(seed):
    vectors = unit(60, seed=seed)
    labels, centres = clusters.k_means(vectors, vectors[:4])
    library = KMeans(4, init=vectors[:4], n_init=1, tol=0).fit(vectors)
    assert labels.tolist() == library.labels_.tolist()
    assert np.allclose(centres, library.cluster_centers_)


def test_a_centre_without_texts_stays():
    vectors = unit(5)
    _, centres = clusters.k_means(vectors, np.vstack([vectors[0], [99.0] * 8]))
    assert centres[1].tolist() == [99.0] * 8


@pytest.mark.parametrize(
    "vectors, k, sentence",
    [
        (unit(3), 5, "5 groups need at least 5 different texts: 3 texts"),
        (unit(1), 2, "1 texts, 1 different"),
        (np.ones((9, 4)), 2, "9 texts, 1 different"),
        (np.full((4, 2), np.nan), 2, "NaN"),
        (unit(5), 1, "at least 2 groups"),
    ],
)
def test_what_cannot_be_grouped_is_refused(vectors, k, sentence):
    with pytest.raises(ValueError, match=sentence):
        clusters.found(vectors, k)


def test_k_means_refuses_fewer_texts_than_centres_and_other_dimensions():
    with pytest.raises(ValueError, match="at least 3"):
        clusters.k_means(unit(2), unit(3))
    with pytest.raises(ValueError, match="centres"):
        clusters.k_means(unit(5), unit(2, dim=3))


def test_inertia_is_the_librarys():
    vectors = unit(40)
    library = KMeans(3, n_init=1, random_state=0).fit(vectors)
    ours = clusters.inertia(vectors, library.labels_)
    assert ours == pytest.approx(library.inertia_)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=1, max_size=12))
def test_no_renaming_keeps_more_numbers(pairs):
    before, after = np.array(pairs).T
    kept = (clusters.match_numbers(before, after) == before).sum()
    every = (np.array(p)[after] for p in permutations(range(4)))
    assert kept == max((renamed == before).sum() for renamed in every)


def test_a_renaming_is_no_regrouping():
    before, after = [0, 0, 1, 2], [3, 3, 1, 0]
    renamed = clusters.match_numbers(before, after)
    assert renamed.tolist() == before
    with pytest.raises(ValueError):
        clusters.match_numbers([0, 1], [0])


def test_names_take_what_is_frequent_here_and_rare_elsewhere():
    texts = ["the parcel broke", "the parcel cracked, cracked", "the login failed"]
    assert clusters.names(texts, [0, 0, 1], words=1) == ["cracked", "login"] or (
        clusters.names(texts, [0, 0, 1], words=1)[1] in ("login", "failed")
    )


def test_agreement_is_one_where_groups_are_plain():
    corners = np.repeat(np.eye(3), 5, axis=0) + 0.01 * unit(15, 3)
    assert clusters.agreement(corners, 3, range(3), n_init=5) == 1
    with pytest.raises(ValueError, match="two seeds"):
        clusters.agreement(corners, 3, [0], n_init=1)


def test_three_plain_groups_are_counted():
    corners = np.repeat(np.eye(3), 6, axis=0) + 0.05 * unit(18, 3)
    table = clusters.how_many(corners, (2, 3, 4, 5))
    assert table["silhouette"].idxmax() == table["Davies-Bouldin"].idxmin() == 3


def test_a_perfect_map_keeps_all_and_a_shuffled_one_little():
    angles = np.linspace(0, 3, 60)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert clusters.neighbours_kept(circle, circle, 4).min() == 1
    shuffled = circle[np.random.default_rng(0).permutation(60)]
    assert clusters.neighbours_kept(circle, shuffled, 4).mean() < 0.3


def test_a_map_needs_a_place_for_each_text_and_enough_of_them():
    with pytest.raises(ValueError, match="5 vectors, 4 places"):
        clusters.neighbours_kept(unit(5), unit(4, 2), 2)
    with pytest.raises(ValueError, match="1 to 4 others"):
        clusters.neighbours_kept(unit(5), unit(5, 2), 5)
