"""Words and their neighbours: by hand, by property, and against the libraries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import util
from sklearn.neighbors import NearestNeighbors

from course_utils import assets, corpora
from course_utils.lookup.words import (
    WordTable,
    analogy,
    kept_neighbours,
    minilm_words,
    nearest,
)

steady = settings(derandomize=True, deadline=None, max_examples=60)


@pytest.fixture(scope="module")
def table():
    return assets.weights()["embeddings.word_embeddings.weight"]


@pytest.fixture
def compass():
    """Five words in a plane, of different lengths."""
    vectors = np.array([[1, 0], [3, 4], [0, 0.5], [-2, 0], [0, -1]], dtype=float)
    return WordTable(["east", "north-east", "north", "west", "south"], vectors)


# -- words and neighbours --------------------------------------------------------------


def test_directions_have_length_one_and_words_know_their_row(compass):
    assert np.allclose(np.linalg.norm(compass.directions, axis=1), 1)
    assert compass["west"].tolist() == [-2, 0]


def test_an_unknown_word_is_named(compass):
    with pytest.raises(KeyError, match="'up' is not one of the 5 words"):
        compass["up"]
    with pytest.raises(KeyError, match="'up'"):
        analogy("east", "north", "up", table=compass, k=1)


@pytest.mark.parametrize(
    "words, vectors, message",
    [
        (["a"], np.zeros((2, 3)), "1 words, 2 rows"),
        (["a", "a"], np.zeros((2, 3)), "'a' is there twice"),
        (["a", "b"], np.zeros(2), r"must be \(words, dim\), got shape \(2,\)"),
        (["a", "b"], np.array([[1, 2], [np.nan, 0]]), "NaN or infinity"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(words, vectors, message):
    with pytest.raises(ValueError, match=message):
        WordTable(words, vectors)


def test_the_nearest_by_hand(compass):
    found = nearest(np.array([2.0, 2.0]), compass, k=3)
    assert [word for word, _ in found] == ["north-east", "east", "north"]
    assert found[0][1] == pytest.approx(7 / (5 * 2**0.5))


def test_length_plays_no_part_in_who_is_nearest(compass):
    vector = np.array([0.3, 1.0])
    words = [word for word, _ in nearest(vector, compass)]
    assert words == [word for word, _ in nearest(1000 * vector, compass)]


def test_equal_cosines_keep_the_order_of_the_table():
    twins = WordTable(["b", "a", "c"], np.array([[1.0, 0], [2, 0], [3, 0]]))
    assert [word for word, _ in nearest(np.array([1.0, 0]), twins, 3)] == [*"bac"]


def test_words_can_be_left_out_and_unknown_ones_among_them_are_harmless(compass):
    found = nearest(compass["east"], compass, k=1, exclude=["east", "nowhere"])
    assert found[0][0] == "north-east"


def test_the_library_finds_the_same_neighbours():
    words = minilm_words()
    for word in ("king", "good", "server", "monday"):
        hits = util.semantic_search(
            torch.tensor(words[word])[None], torch.tensor(words.vectors), top_k=8
        )[0]
        expected = [(words.words[hit["corpus_id"]], hit["score"]) for hit in hits]
        found = nearest(words[word], k=8)
        assert [w for w, _ in found] == [w for w, _ in expected]
        assert np.allclose([s for _, s in found], [s for _, s in expected], atol=1e-6)


@pytest.mark.parametrize("k", [0, -1, 5])
def test_k_must_fit_what_is_left(compass, k):
    with pytest.raises(ValueError, match=f"k must be 1 to 4, got {k}"):
        nearest(compass["east"], compass, k, exclude=["east"])


@pytest.mark.parametrize(
    "vector, message",
    [
        (np.zeros(2), "points nowhere"),
        (np.array([np.nan, 1]), "points nowhere"),
        (np.array([np.inf, 1]), "points nowhere"),
        (np.ones(3), r"shape \(3,\), the table has dim 2"),
        (np.ones((1, 2)), r"shape \(1, 2\)"),
    ],
)
def test_a_vector_without_direction_or_of_another_dim_is_refused(
    compass, vector, message
):
    with pytest.raises(ValueError, match=message):
        nearest(vector, compass, 1)


def test_minilms_words_are_whole_words_with_their_own_rows(table):
    words = minilm_words()
    ids = assets.tokenizer().get_vocab()
    assert all(word.isalpha() and len(word) > 1 for word in words.words)
    for word in ("the", "cat", "server"):
        assert np.array_equal(words[word], table[ids[word]].numpy())


# -- analogies -------------------------------------------------------------------------


def traits(words):
    """A table in which each word is the sum of its traits' directions."""
    axes = {"male": 0, "female": 1, "royal": 2, "common": 3, "fruit": 4}
    vectors = np.zeros((len(words), 5))
    for row, own in enumerate(words.values()):
        vectors[row, [axes[trait] for trait in own.split()]] = 1
    return WordTable(list(words), vectors)


def test_the_analogy_by_hand():
    people = traits(
        {"man": "male common", "woman": "female common", "king": "male royal",
         "queen": "female royal", "apple": "fruit"}
    )  # fmt: skip
    assert analogy("man", "king", "woman", k=1, table=people)[0][0] == "queen"
    assert analogy("king", "man", "queen", k=1, table=people)[0][0] == "woman"


def test_the_inputs_are_barred_only_when_asked():
    barred = {word for word, _ in analogy("man", "king", "woman", k=50)}
    assert not barred & {"man", "king", "woman"}
    assert analogy("man", "king", "woman", exclude_inputs=False, k=1)[0][0] == "king"


def test_on_real_analogies_the_rule_makes_the_score():
    """What notebook 02 shows: most of the fame hangs on barring the inputs."""
    sample = corpora.load_analogies(["capital", "plural_regular", "superlative"])[::4]
    right = {
        rule: np.mean([analogy(q.a, q.b, q.c, rule, k=1)[0][0] == q.d for q in sample])
        for rule in (True, False)
    }
    assert right[True] > 0.4
    assert right[False] < 0.1


# -- pictures --------------------------------------------------------------------------


@steady
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_kept_neighbours_equals_a_search_by_the_library(seed, k):
    draw = np.random.default_rng(seed)
    truth, picture = draw.normal(size=(9, 5)), draw.normal(size=(9, 2))
    found = [
        NearestNeighbors(n_neighbors=k, metric=metric).fit(data).kneighbors()[1]
        for data, metric in ((truth, "cosine"), (picture, "euclidean"))
    ]
    expected = [len({*a} & {*b}) for a, b in zip(*found, strict=True)]
    assert kept_neighbours(truth, picture, k).tolist() == expected


def test_a_faithful_picture_keeps_everything_and_moving_it_changes_nothing():
    angles = np.linspace(0, 3, 8) ** 1.3
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    assert (kept_neighbours(circle, circle, 3) == 3).all()
    assert (kept_neighbours(circle, 5 - 2 * circle, 3) == 3).all()


@pytest.mark.parametrize("k", [0, 4])
def test_a_word_has_at_most_all_others_as_neighbours(k):
    with pytest.raises(ValueError, match=f"k must be 1 to 3, got {k}"):
        kept_neighbours(np.eye(4), np.eye(4)[:, :2], k)


def test_a_picture_of_another_number_of_words_is_refused():
    with pytest.raises(ValueError, match=r"vectors \(4, 4\) and points \(3, 2\)"):
        kept_neighbours(np.eye(4), np.zeros((3, 2)), 1)
