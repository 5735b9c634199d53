"""A copy that learns, and texts embedded with a gradient."""

import numpy as np
import pytest
import torch

from course_utils import assets, encoder
from course_utils.contrastive.adaptation import (
    TOGETHER,
    embed,
    seal,
    starting_weights,
    trainable_copy,
)

TEXTS = [f"{'the disk is full ' * (1 + i % 5)}on node {i}" for i in range(TOGETHER + 5)]


@pytest.fixture(scope="module")
def minilm():
    return encoder.MiniLM.load()


@pytest.fixture
def twin(minilm):
    return trainable_copy(minilm, frozen_layers=4)


def test_only_the_upper_blocks_of_the_copy_learn(minilm, twin):
    learning = [any(p.requires_grad for p in b.parameters()) for b in twin.layers]
    assert learning == [False] * 4 + [True] * 2
    assert not twin.words.requires_grad
    assert not any(p.requires_grad for p in minilm.parameters())


def test_what_does_not_learn_is_shared_and_the_rest_is_not(minilm, twin):
    def places(model, start, end):
        return [p.data_ptr() for p in model.layers[start:end].parameters()]

    assert twin.words is minilm.words and twin.positions is minilm.positions
    assert places(twin, 0, 4) == places(minilm, 0, 4)
    assert not set(places(twin, 4, 6)) & set(places(minilm, 4, 6))


def test_a_fresh_copy_gives_the_same_vectors(minilm, twin):
    assert np.array_equal(twin.encode(TEXTS[:3]), minilm.encode(TEXTS[:3]))


def test_embed_is_encode_in_the_order_of_the_texts(minilm):
    vectors = embed(minilm, TEXTS)
    assert vectors.shape == (TOGETHER + 5, 384)
    np.testing.assert_allclose(vectors.numpy(), minilm.encode(TEXTS), atol=1e-5)


def test_the_gradient_reaches_what_learns_and_nothing_else(twin):
    embed(twin, TEXTS[:2])[:, 0].sum().backward()
    assert all(
        (p.grad is not None) == p.requires_grad
        for p in [*twin.layers.parameters(), twin.words, twin.positions]
    )


def test_a_sealed_encoder_is_told_apart_by_its_weights(minilm, twin):
    untouched = seal(trainable_copy(minilm, 4)).fingerprint
    assert seal(twin).fingerprint == untouched != minilm.fingerprint
    other = trainable_copy(minilm, 4)
    with torch.no_grad():
        next(other.layers[5].parameters())[0, 0] += 1e-3
    assert seal(other).fingerprint != untouched
    assert not any(p.requires_grad for p in other.parameters())


@pytest.mark.parametrize("frozen", [-1, 6, 7])
def test_a_copy_needs_a_block_to_learn(minilm, frozen):
    with pytest.raises(ValueError, match="frozen_layers must be 0 to 5"):
        trainable_copy(minilm, frozen)


def test_an_open_encoder_is_not_shared(twin):
    with pytest.raises(ValueError, match="seal it first"):
        trainable_copy(twin, frozen_layers=5)


@pytest.mark.parametrize(
    "texts, error", [([], ValueError), ("one text", TypeError), ([None], TypeError)]
)
def test_bad_texts_are_refused(minilm, texts, error):
    with pytest.raises(error):
        embed(minilm, texts)


def test_starting_weights_have_the_shapes_and_the_spread_of_an_untrained_bert():
    weights = assets.weights()
    drawn, same, other = (starting_weights(weights, seed) for seed in (0, 0, 1))
    assert {n: w.shape for n, w in drawn.items()} == {
        n: w.shape for n, w in weights.items()
    }
    name = "encoder.layer.0.attention.self.query."
    assert drawn[f"{name}weight"].std().item() == pytest.approx(0.02, rel=0.01)
    assert not drawn[f"{name}bias"].any()
    assert (drawn["embeddings.LayerNorm.weight"] == 1).all()
    assert torch.equal(drawn[f"{name}weight"], same[f"{name}weight"])
    assert not torch.equal(drawn[f"{name}weight"], other[f"{name}weight"])
    assert not torch.equal(drawn[f"{name}weight"], weights[f"{name}weight"])
