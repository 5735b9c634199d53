"""Poolings, cosines and receipts: by hand, as properties, and against the libraries."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from course_utils import assets, pooling
from course_utils.pooling import POOLINGS, cosine, mean_cosine, normalize, receipt

NAMES = list(POOLINGS)
# Two texts of 3 and 2 tokens, padded to 4 with large numbers that must not be seen.
VECTORS = torch.tensor(
    [
        [[1.0, -6.0], [2.0, -4.0], [6.0, -2.0], [99.0, 99.0]],
        [[3.0, 0.0], [5.0, 8.0], [99.0, 99.0], [-99.0, -99.0]],
    ]
)
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
BY_HAND = {
    "mean": [[3.0, -4.0], [4.0, 4.0]],
    "cls": [[1.0, -6.0], [3.0, 0.0]],
    "max": [[6.0, -2.0], [5.0, 8.0]],
    "weighted mean": [[23 / 6, -20 / 6], [13 / 3, 16 / 3]],  # weights 1, 2, 3
    "last token": [[6.0, -2.0], [5.0, 8.0]],
}


def padded(lengths, tokens, dim=5, seed=0):
    """Random vectors (batch, tokens, dim) and a mask with padding on the right."""
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(len(lengths), tokens, dim, generator=generator)
    mask = torch.arange(tokens) < torch.tensor(lengths)[:, None]
    return vectors, mask


lengths = st.lists(st.integers(1, 7), min_size=1, max_size=4)
steady = settings(derandomize=True, deadline=None, max_examples=50)
finite = st.floats(-100, 100, width=32)


# -- poolings --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_by_hand(name):
    assert torch.allclose(POOLINGS[name](VECTORS, MASK), torch.tensor(BY_HAND[name]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.float32])
def test_a_mask_of_any_kind_will_do(name, kind):
    expected = POOLINGS[name](VECTORS, MASK)
    assert torch.equal(POOLINGS[name](VECTORS, MASK.to(kind)), expected)


@pytest.mark.parametrize("name", NAMES)
@steady
@given(lengths=lengths, junk=st.sampled_from([0.0, 1e30, -1e30, math.inf, math.nan]))
def test_what_stands_at_the_padding_does_not_matter(name, lengths, junk):
    vectors, mask = padded(lengths, 7)
    expected = POOLINGS[name](vectors, mask)
    spoilt = vectors.masked_fill(~mask[..., None], junk)
    assert torch.equal(POOLINGS[name](spoilt, mask), expected)


@pytest.mark.parametrize("name", NAMES)
@steady
@given(lengths=lengths, more=st.integers(0, 5))
def test_the_amount_and_the_side_of_the_padding_do_not_matter(name, lengths, more):
    vectors, mask = padded(lengths, 7)
    expected = POOLINGS[name](vectors, mask)
    extra = torch.full((len(lengths), more, 5), 1e4), torch.zeros(len(lengths), more)
    right = torch.cat([vectors, extra[0]], 1), torch.cat([mask, extra[1].bool()], 1)
    shift = [7 + more - n for n in lengths]
    left = tuple(
        torch.stack([row.roll(by, 0) for row, by in zip(part, shift, strict=True)])
        for part in right
    )
    for side in (right, left):
        assert torch.allclose(POOLINGS[name](*side), expected, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@steady
@given(lengths=lengths)
def test_a_row_does_not_depend_on_the_others(name, lengths):
    vectors, mask = padded(lengths, 7)
    together = POOLINGS[name](vectors, mask)
    alone = [
        POOLINGS[name](vectors[i : i + 1, :n], mask[i : i + 1, :n])
        for i, n in enumerate(lengths)
    ]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@steady
@given(dim=st.integers(1, 9))
def test_a_single_token_is_its_own_pool(name, dim):
    vectors = torch.randn(2, 1, dim, generator=torch.Generator().manual_seed(dim))
    pooled = POOLINGS[name](vectors, torch.ones(2, 1))
    assert torch.allclose(pooled, vectors[:, 0])


@pytest.mark.parametrize("name", ["mean", "max"])
@steady
@given(order=st.permutations(range(4)))
def test_mean_and_max_do_not_know_the_order(name, order):
    vectors, mask = padded([4, 4], 4)
    shuffled = vectors[:, list(order)]
    expected = POOLINGS[name](vectors, mask)
    assert torch.allclose(POOLINGS[name](shuffled, mask), expected, atol=1e-6)


LIBRARY = {
    "mean": "mean",
    "cls": "cls",
    "max": "max",
    "weighted mean": "weightedmean",
    "last token": "lasttoken",
}


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_sentence_transformers(name):
    from sentence_transformers.sentence_transformer.modules import Pooling

    vectors, mask = padded([6, 1, 4, 3], 6, dim=8)
    layer = Pooling(8, pooling_mode=LIBRARY[name])
    features = {"token_embeddings": vectors, "attention_mask": mask.long()}
    theirs = layer(features)["sentence_embedding"]
    assert torch.allclose(POOLINGS[name](vectors, mask), theirs, atol=1e-6)


def test_the_models_own_files_say_mean():
    layer = assets.sentence_transformer()[1]
    assert layer.pooling_mode == "mean"


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_flows_to_real_tokens_only(name):
    vectors = VECTORS.clone().requires_grad_()
    POOLINGS[name](vectors, MASK).sum().backward()
    touched = vectors.grad.abs().sum(-1) > 0
    assert not touched[MASK == 0].any()
    assert touched.any(dim=1).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_axis_is_named(name):
    with pytest.raises(ValueError, match=r"\(batch, tokens, dim\), got shape \(4, 2\)"):
        POOLINGS[name](VECTORS[0], MASK[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_of_another_shape_is_refused(name):
    sentence = r"mask has shape \(2, 5\) but token_vectors has 2 rows of 4 tokens"
    with pytest.raises(ValueError, match=sentence):
        POOLINGS[name](VECTORS, torch.ones(2, 5))


@pytest.mark.parametrize("name", NAMES)
def test_a_row_of_padding_is_refused(name):
    with pytest.raises(ValueError, match="row 1 is all padding"):
        POOLINGS[name](VECTORS, torch.tensor([[1, 1, 1, 1], [0, 0, 0, 0]]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_broken_vector_at_a_real_token_is_refused(name, value):
    broken = VECTORS.clone()
    broken[0, 2, 1] = value
    with pytest.raises(ValueError, match="NaN or infinity at a real token"):
        POOLINGS[name](broken, MASK)


# -- weights ---------------------------------------------------------------------------


def test_given_weights_by_hand():
    weights = torch.tensor([[1.0, 0.0, 3.0, 7.0], [0.0, 2.0, 7.0, 7.0]])
    pooled = pooling.weighted_mean_pool(VECTORS, MASK, weights)
    assert torch.allclose(pooled, torch.tensor([[19 / 4, -3.0], [5.0, 8.0]]))


def test_equal_weights_are_the_mean():
    weights = torch.full((2, 4), 0.3)
    pooled = pooling.weighted_mean_pool(VECTORS, MASK, weights)
    assert torch.allclose(pooled, pooling.mean_pool(VECTORS, MASK))


@pytest.mark.parametrize(
    "weights, sentence",
    [
        (torch.ones(2, 3), r"weights has shape \(2, 3\), mask \(2, 4\)"),
        (torch.tensor([[1.0, -1, 1, 1]] * 2), "must not be negative"),
        (torch.tensor([[0.0, 0, 0, 5]] * 2), "weights of a row are all 0"),
    ],
)
def test_weights_that_cannot_be_meant_are_refused(weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        pooling.weighted_mean_pool(VECTORS, MASK, weights)


def test_rarity_is_the_smoothed_inverse_document_frequency_of_scikit_learn():
    from sklearn.feature_extraction.text import TfidfTransformer

    texts = [[0, 1, 1], [0, 2], [0, 1, 3], [0]]
    counts = np.array([np.bincount(ids, minlength=5) for ids in texts])
    theirs = TfidfTransformer(smooth_idf=True).fit(counts).idf_ - 1
    assert np.allclose(pooling.rarity(texts, 5), theirs, atol=1e-6)


@pytest.mark.parametrize("texts", [[[0, 5]], [[-1]]])
def test_rarity_refuses_ids_outside_the_table(texts):
    with pytest.raises(ValueError, match="ids run from 0 to 4"):
        pooling.rarity(texts, 5)


def test_rarity_needs_a_text():
    with pytest.raises(ValueError, match="no text"):
        pooling.rarity([], 5)


# -- leaving a token out ---------------------------------------------------------------


def test_leaving_out_one_token_by_hand():
    """Tokens (1, 0), (0, 1) and padding: without one of them 45 degrees are turned."""
    vectors = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    turned = pooling.leave_one_out(
        pooling.mean_pool, vectors, torch.tensor([[1, 1, 0]])
    )
    turn = 1 - math.sqrt(0.5)
    assert torch.allclose(turned, torch.tensor([[turn, turn, 0.0]]))


def test_only_the_first_token_moves_the_cls_pool():
    vectors, mask = padded([4, 3], 5)
    turned = pooling.leave_one_out(pooling.cls_pool, vectors, mask)
    assert (turned[:, 0] > 1e-3).all()
    assert turned[:, 1:].abs().max() < 1e-6


def test_the_only_token_cannot_be_left_out():
    turned = pooling.leave_one_out(pooling.mean_pool, *padded([1, 2], 3))
    assert turned[0].tolist() == [0.0, 0.0, 0.0]


# -- lengths and angles ----------------------------------------------------------------


@steady
@given(hnp.arrays(np.float32, (3, 4), elements=finite))
def test_normalised_vectors_have_length_one_and_keep_their_direction(values):
    vectors = torch.from_numpy(values)
    size = vectors.norm(dim=1, keepdim=True)
    if (size < 1e-3).any():
        return
    unit = normalize(vectors)
    assert torch.allclose(unit.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(unit * size, vectors, atol=1e-3)


def test_normalize_equals_torch_on_any_leading_axes():
    x = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(normalize(x), torch.nn.functional.normalize(x, dim=-1))


def test_cosine_by_hand():
    a = torch.tensor([[3.0, 4.0], [0.0, -2.0]])
    b = torch.tensor([[4.0, 3.0], [6.0, 8.0], [-5.0, 0.0]])
    expected = torch.tensor([[0.96, 1.0, -0.6], [-0.6, -0.8, 0.0]])
    assert torch.allclose(cosine(a, b), expected)
    assert torch.allclose(cosine(a[0], b), expected[0])
    assert torch.allclose(cosine(a, b[0]), expected[:, 0])
    assert torch.allclose(cosine(a[0], b[0]), expected[0, 0])


def test_cosine_equals_sentence_transformers():
    from sentence_transformers.util import cos_sim

    a, b = (
        torch.randn(n, 6, generator=torch.Generator().manual_seed(n)) for n in (4, 3)
    )
    assert torch.allclose(cosine(a, b), cos_sim(a, b), atol=1e-6)


@steady
@given(
    hnp.arrays(np.float32, (2, 6), elements=finite),
    st.floats(0.1, 50),
    st.floats(0.1, 50),
)
def test_cosine_does_not_see_lengths(values, stretch, shrink):
    a, b = torch.from_numpy(values)
    if min(a.norm(), b.norm()) < 1e-2:
        return
    assert torch.allclose(cosine(a * stretch, b * shrink), cosine(a, b), atol=1e-4)


def test_on_unit_vectors_cosine_dot_and_distance_rank_alike():
    generator = torch.Generator().manual_seed(3)
    query = normalize(torch.randn(8, generator=generator))
    texts = normalize(torch.randn(50, 8, generator=generator))
    dots, distances = texts @ query, (texts - query).norm(dim=1)
    order = cosine(texts, query).argsort(descending=True)
    assert torch.equal(order, dots.argsort(descending=True))
    assert torch.equal(order, distances.argsort())
    assert torch.allclose(distances**2, 2 - 2 * dots, atol=1e-5)


@pytest.mark.parametrize("function", [normalize, lambda x: cosine(x, torch.ones(1, 2))])
def test_a_zero_vector_has_no_direction(function):
    with pytest.raises(ValueError, match="a zero vector has no direction"):
        function(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_vector_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="NaN or infinity"):
        normalize(torch.tensor([[1.0, value]]))


def test_cosine_refuses_vectors_of_different_dimension():
    with pytest.raises(ValueError, match="a has dim 2 but b has dim 3"):
        cosine(torch.ones(4, 2), torch.ones(4, 3))


# -- the cone --------------------------------------------------------------------------


def test_mean_cosine_leaves_out_a_row_with_itself():
    opposite = torch.tensor([[1.0, 0.0], [-2.0, 0.0]])
    assert mean_cosine(opposite) == pytest.approx(-1)
    assert mean_cosine(torch.eye(4)) == pytest.approx(0)
    assert mean_cosine(torch.ones(3, 5)) == pytest.approx(1)


@steady
@given(st.integers(2, 8))
def test_mean_cosine_equals_the_mean_of_scipys_pairs(n):
    from scipy.spatial.distance import pdist

    x = torch.randn(n, 5, generator=torch.Generator().manual_seed(n)).double()
    assert mean_cosine(x) == pytest.approx(1 - pdist(x.numpy(), "cosine").mean())


@pytest.mark.parametrize("shape", [(1, 3), (0, 3), (3,)])
def test_mean_cosine_needs_two_rows(shape):
    with pytest.raises(ValueError, match="two rows at least"):
        mean_cosine(torch.ones(shape))


# -- receipts --------------------------------------------------------------------------


def test_a_receipt_by_hand():
    """Means (3, 4) of length 5 and (0, 2) of length 2: the cosine is 0.8."""
    a = torch.tensor([[6.0, 0.0], [0.0, 8.0]])
    b = torch.tensor([[-1.0, 2.0], [1.0, 2.0], [0.0, 2.0]])
    found = receipt(a, b)
    expected = torch.tensor([[-6.0, 6.0, 0.0], [16.0, 16.0, 16.0]]) / (2 * 3 * 5 * 2)
    assert torch.allclose(found, expected)
    assert found.sum() == pytest.approx(0.8)


@steady
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 99))
def test_a_receipt_sums_to_the_cosine_of_the_means(n, m, seed):
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(k, 6, generator=generator) for k in (n, m))
    found = receipt(a, b)
    assert found.shape == (n, m)
    assert torch.allclose(found.sum(), cosine(a.mean(0), b.mean(0)), atol=1e-5)
    assert torch.allclose(found.T, receipt(b, a), atol=1e-6)


def test_the_receipt_of_two_real_texts_sums_to_the_librarys_cosine():
    from course_utils.encoder import MiniLM

    texts = ["This mushroom is safe to eat.", "This mushroom is not safe to eat."]
    model, library = MiniLM.load(), assets.sentence_transformer()
    found = receipt(*(model.trace(text).hidden[-1] for text in texts))
    one, other = library.encode(texts)
    assert float(found.sum()) == pytest.approx(float(one @ other), abs=1e-5)


@pytest.mark.parametrize(
    "a, b, sentence",
    [
        (torch.ones(3), torch.ones(2, 3), r"a must be \(tokens, dim\)"),
        (torch.ones(2, 3), torch.ones(0, 3), "b must be .* with a token at least"),
        (torch.ones(2, 3), torch.ones(2, 4), "a has dim 3 but b has dim 4"),
        (torch.tensor([[1.0], [-1.0]]), torch.ones(1, 1), "mean of a text is zero"),
        (torch.tensor([[math.nan]]), torch.ones(1, 1), "a holds NaN"),
    ],
)
def test_a_receipt_needs_two_texts_of_vectors(a, b, sentence):
    with pytest.raises(ValueError, match=sentence):
        receipt(a, b)


# -- half precision and numbers near the ends ------------------------------------------

HALVES = (torch.float16, torch.bfloat16)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("tokens", [362, 512])
def test_half_precision_is_summed_in_float32(dtype, tokens):
    """From 362 tokens on the weights 1, 2, 3, … add up to more than float16 holds."""
    vectors = (
        torch.linspace(-1, 1, tokens)[None, :, None].expand(1, tokens, 4).to(dtype)
    )
    large = torch.full((1, tokens, 4), 200.0).to(dtype)
    mask = torch.ones(1, tokens)
    for pool in pooling.POOLINGS.values():
        found = pool(vectors, mask)
        assert found.dtype == dtype
        assert torch.allclose(found.double(), pool(vectors.double(), mask), atol=0.01)
        assert torch.equal(pool(large, mask), large[:, 0])


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e20, 5e37])
def test_large_and_small_vectors_keep_their_direction(size):
    vectors = torch.tensor([[3.0, 4.0], [-4.0, 3.0]]) * size
    expected = torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    assert torch.allclose(pooling.normalize(vectors), expected)
    assert torch.allclose(pooling.cosine(vectors, vectors), torch.eye(2), atol=1e-6)
    mask = torch.ones(1, 2)
    for pool in (pooling.mean_pool, pooling.weighted_mean_pool):
        right = pool(vectors.double()[None], mask)
        assert torch.allclose(pool(vectors[None], mask).double(), right, rtol=1e-5)


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_keeps_its_direction(dtype):
    vectors = torch.tensor([[300.0, 400.0], [1e-3, 0.0]], dtype=dtype)
    found = pooling.normalize(vectors)
    assert found.dtype == dtype
    assert torch.allclose(found.float(), torch.tensor([[0.6, 0.8], [1, 0]]), atol=4e-3)
    assert pooling.cosine(vectors, vectors).diagonal().sub(1).abs().max() < 0.01
    cells = pooling.receipt(vectors, vectors).float().sum()
    assert cells.item() == pytest.approx(1, abs=0.01)


def test_what_no_type_can_hold_is_refused_and_never_nan():
    huge = torch.full((1, 3, 2), 1.7e308, dtype=torch.float64)
    with pytest.raises(ValueError, match="too large for torch.float64"):
        pooling.mean_pool(huge, torch.ones(1, 3))


def test_weights_without_a_limit_are_weighed_or_refused():
    vectors = torch.tensor([[[1.0], [3.0]]])
    heavy = torch.full((1, 2), 3e38)  # their sum is infinite in float32
    assert pooling.weighted_mean_pool(vectors, torch.ones(1, 2), heavy).item() == 2
    for weight in (math.nan, math.inf):
        with pytest.raises(ValueError, match="NaN or infinite"):
            weights = torch.tensor([[1.0, weight]])
            pooling.weighted_mean_pool(vectors, torch.ones(1, 2), weights)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32]),
    st.integers(-30, 30),
    st.integers(1, 700),
)
def test_any_mean_is_that_of_float64(dtype, power, tokens):
    limit = torch.finfo(dtype).max
    top = min(10.0**power, limit)
    generator = torch.Generator().manual_seed(tokens)
    vectors = (torch.rand(1, tokens, 3, generator=generator) * top).to(dtype)
    found = pooling.mean_pool(vectors, torch.ones(1, tokens))
    right = vectors.double().mean(1)
    step = torch.finfo(dtype).eps * right.abs().max() + torch.finfo(dtype).tiny
    assert (found.double() - right).abs().max() <= 4 * step
