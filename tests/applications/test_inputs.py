"""Texts to whole vectors, and a sentence for everything else."""

import numpy as np
import pytest

from course_utils import applications
from course_utils.applications.inputs import above, checked, labelled


def encode(texts):
    return np.array([[len(text), 3.0] for text in texts])


def test_rows_come_back_with_length_one():
    vectors = applications.embed(["a", "four"], encode)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(vectors[1], [0.8, 0.6])


@pytest.mark.parametrize(
    "texts, error, sentence",
    [
        ("one string", TypeError, "a list of texts"),
        (["fine", None], TypeError, "text 1 is a NoneType"),
        (["fine", " \n"], ValueError, "text 1 is empty"),
        ([], ValueError, "no texts"),
    ],
)
def test_texts_that_mean_nothing_are_refused(texts, error, sentence):
    with pytest.raises(error, match=sentence):
        applications.embed(texts, encode)


def test_an_encoder_that_loses_a_text_is_noticed():
    with pytest.raises(ValueError, match="1 vectors came back for 2 texts"):
        applications.embed(["a", "b"], lambda texts: encode(texts[:1]))


@pytest.mark.parametrize(
    "vectors, sentence",
    [
        ([[1.0, np.nan]], "row 0 holds NaN"),
        ([[1.0, 0.0], [np.inf, 0.0]], "row 1 holds NaN or infinity"),
        ([[0.0, 0.0]], "row 0 is zero"),
        ([1.0, 2.0], "must be a matrix"),
        (np.zeros((0, 3)), "at least 1"),
    ],
)
def test_broken_vectors_are_refused(vectors, sentence):
    with pytest.raises(ValueError, match=sentence):
        checked(vectors)


def test_the_argument_is_not_changed():
    vectors = np.array([[3.0, 4.0]])
    checked(vectors)
    assert vectors.tolist() == [[3.0, 4.0]]


def test_labels_and_thresholds():
    assert labelled(["a", "b"], 2).tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="3 rows need 3 labels"):
        labelled([1], 3)
    with pytest.raises(ValueError, match="between -1 and 1"):
        above(80)


def test_the_face_hands_on_every_part():
    for part in ("clusters", "duplicates", "few_shot", "outliers", "two_towers"):
        assert part in applications.__doc__ and hasattr(applications, part)
