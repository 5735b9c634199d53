"""Fewer bytes: equal to faiss and sentence-transformers where they do the same."""

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.production import compression

CHANCE = np.random.default_rng(0)
ROWS = compression.unit(
    CHANCE.normal(size=(500, 64)) @ np.diag(np.linspace(2, 0.1, 64))
).astype(np.float32)
QUERIES = compression.unit(ROWS[:20] + CHANCE.normal(size=(20, 64)) * 0.05).astype("f4")


def nearest(queries, rows, k=10):
    return np.argsort(-(queries @ rows.T), axis=1, kind="stable")[:, :k]


def test_the_rotation_keeps_every_cosine_and_puts_most_in_front():
    matrix = compression.rotation(ROWS)
    assert np.allclose(matrix.T @ matrix, np.eye(64), atol=1e-5)
    turned = ROWS @ matrix
    assert np.allclose(turned @ turned.T, ROWS @ ROWS.T, atol=1e-5)
    power = (turned**2).mean(axis=0)
    assert (np.diff(power) <= 1e-6).all()
    _, values, _ = np.linalg.svd(ROWS, full_matrices=False)
    assert np.allclose(power * 500, values**2, rtol=1e-3)


def test_front_numbers_after_a_rotation_find_more_than_before():
    right, matrix = nearest(QUERIES, ROWS), compression.rotation(ROWS)
    cut = [
        nearest(compression.truncate(q, 16), compression.truncate(r, 16))
        for q, r in (
            (QUERIES[:, ::-1], ROWS[:, ::-1]),
            (QUERIES @ matrix, ROWS @ matrix),
        )
    ]
    plain, turned = (compression.recall(found, right).mean() for found in cut)
    assert turned > plain + 0.1


def test_int8_is_that_of_sentence_transformers():
    from sentence_transformers import quantize_embeddings

    ours = compression.Int8.learn(ROWS)
    theirs = quantize_embeddings(QUERIES, "int8", calibration_embeddings=ROWS)
    inside = np.clip(QUERIES, ROWS.min(axis=0), ROWS.max(axis=0))
    difference = ours.encode(inside).astype(int) - theirs
    kept = QUERIES == inside
    assert np.abs(difference[kept]).max() <= 1  # theirs rounds toward zero


def test_decoded_int8_is_within_half_a_step():
    ours = compression.Int8.learn(ROWS)
    off = np.abs(ours.decode(ours.encode(ROWS)) - ROWS)
    assert (off <= ours.step / 2 + 1e-6).all()
    assert ours.encode(ROWS).nbytes * 4 == ROWS.nbytes


def test_what_lies_outside_is_cut_off_and_not_turned_around():
    ours = compression.Int8.learn(ROWS)
    assert (ours.encode(np.full((1, 64), 9.0)) == 127).all()
    assert (ours.encode(np.full((1, 64), -9.0)) == -128).all()


def test_bits_are_those_of_faiss():
    index = faiss.IndexBinaryFlat(64)
    index.add(compression.binary(ROWS))
    theirs, _ = index.search(compression.binary(QUERIES), 10)
    for query, far in zip(QUERIES, theirs, strict=True):
        ours = compression.hamming(
            compression.binary(query[None])[0], compression.binary(ROWS)
        )
        assert sorted(ours)[:10] == far.tolist()


def test_rescoring_ends_at_the_exact_search():
    codes, right = compression.binary(ROWS), nearest(QUERIES, ROWS)
    means = []
    for depth in (10, 50, 500):
        found = [compression.rescored(q, codes, ROWS, 10, depth) for q in QUERIES]
        means.append(compression.recall(np.array(found), right).mean())
    assert means[0] < means[1] < means[2] == 1


@given(st.lists(st.floats(-3, 3, width=32), min_size=8, max_size=8))
def test_any_vector_survives_bits_and_bytes(numbers):
    row = np.array([numbers], dtype=np.float32)
    assert compression.binary(row).shape == (1, 1)
    learnt = compression.Int8.learn(np.concatenate([row, -row, row + 1]))
    assert np.abs(learnt.decode(learnt.encode(row)) - row).max() <= 0.02


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: compression.truncate(ROWS, 65), "at most 64"),
        (lambda: compression.truncate(ROWS, 0), "at least 1"),
        (lambda: compression.truncate(ROWS[0], 3), r"\(n, dim\)"),
        (lambda: compression.binary(ROWS[:, :9]), "whole bytes"),
        (lambda: compression.rotation(ROWS[:0]), "got none"),
        (lambda: compression.rotation(ROWS * np.nan), "NaN"),
        (lambda: compression.Int8.learn(ROWS[:1]), "got 1"),
        (lambda: compression.Int8.learn(ROWS).encode(ROWS[:, :8]), r"\(n, 64\)"),
        (lambda: compression.rescored(ROWS[0], None, ROWS, 10, 9), "at least 10"),
        (lambda: compression.recall([[1]], [[1], [2]]), "per query"),
        (lambda: compression.recall(np.zeros((2, 0)), np.zeros((2, 0))), "recall"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
