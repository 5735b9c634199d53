"""One vector per class, from descriptions and examples."""

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from course_utils.applications import few_shot


def unit(n, dim=5, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_without_descriptions_it_is_the_nearest_centroid_by_direction():
    examples, labels = unit(30), np.arange(30) % 3
    ours = few_shot.prototypes(examples, labels, 3)
    library = NearestCentroid().fit(examples, labels).centroids_
    library /= np.linalg.norm(library, axis=1, keepdims=True)
    assert np.allclose(ours, library)


def test_a_description_counts_for_that_many_examples():
    examples, described = unit(4), unit(2, seed=1)
    labels = [0, 0, 1, 1]
    weighed = few_shot.prototypes(examples, labels, 2, described, weight=3)
    rows = np.vstack([examples, np.repeat(described, 3, axis=0)])
    plain = few_shot.prototypes(rows, [*labels, 0, 0, 0, 1, 1, 1], 2)
    assert np.allclose(weighed, plain)


def test_a_class_without_anything_is_refused():
    with pytest.raises(ValueError, match="class 1 has neither"):
        few_shot.prototypes(unit(3), [0, 0, 2], 3)


def test_a_draw_is_even_and_repeats_nothing():
    labels = np.array([0, 1] * 10)
    rows = few_shot.draw(labels, 4, np.random.default_rng(0))
    assert len(set(rows.tolist())) == 8
    assert np.bincount(labels[rows]).tolist() == [4, 4]
    with pytest.raises(ValueError, match="has 10 examples, asked: 11"):
        few_shot.draw(labels, 11, np.random.default_rng(0))


def test_one_class_is_no_choice_and_nan_no_text():
    with pytest.raises(ValueError, match="at least 2"):
        few_shot.classify(unit(2), unit(1))
    with pytest.raises(ValueError, match="NaN"):
        few_shot.classify(np.full((1, 5), np.nan), unit(2))
