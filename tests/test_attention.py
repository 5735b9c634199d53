"""Attention: what each part computes, its parity with the libraries, its errors."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torch.nn import functional
from transformers import AutoModel, BertConfig
from transformers.models.bert.modeling_bert import BertLayer

from course_utils import assets, corpora, encoder
from course_utils.attention import (
    BERT_NAMES,
    EncoderLayer,
    FeedForward,
    MultiHeadAttention,
    entropy,
    load_layer,
    scaled_dot_product_attention,
)
from course_utils.classroom.checks import attention as lesson

sizes = st.integers(1, 6)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# -- scaled dot-product attention ------------------------------------------------------


def test_attention_by_hand():
    q, k = torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 5.0], [0.0, 5.0]])
    v = torch.tensor([[1.0, 0.0, 7.0], [0.0, 1.0, 7.0]])
    output, weights = scaled_dot_product_attention(q, k, v)
    share = 1 / (1 + math.exp(-2 / math.sqrt(2)))  # scores 2 and 0, over the root of 2
    torch.testing.assert_close(weights, torch.tensor([[share, 1 - share]]))
    torch.testing.assert_close(output, torch.tensor([[share, 1 - share, 7.0]]))


@settings(deadline=None, max_examples=30)
@given(queries=sizes, keys=sizes, dim=sizes, width=sizes, seed=st.integers(0, 99))
def test_attention_equals_torch_for_every_shape(queries, keys, dim, width, seed):
    q, k = draw(2, 3, queries, dim, seed=seed), draw(2, 3, keys, dim, seed=seed + 1)
    v = draw(2, 3, keys, width, seed=seed + 2)
    mask = torch.rand(2, 1, 1, keys) > 0.5
    mask[..., 0] = True
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    expected = functional.scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, queries))
    assert (weights[(~mask).expand_as(weights)] == 0).all()


@settings(deadline=None, max_examples=20)
@given(shift=st.floats(-50, 50))
def test_weights_do_not_change_when_every_score_grows_alike(shift):
    q, k, v = torch.ones(1, 4), draw(5, 4), draw(5, 2)
    _, here = scaled_dot_product_attention(q, k, v)
    _, there = scaled_dot_product_attention(q, k + shift, v)  # each score + 2 · shift
    torch.testing.assert_close(here, there, atol=1e-4, rtol=1e-3)


def test_large_scores_do_not_overflow():
    q = k = torch.full((2, 4), 1e4)
    _, weights = scaled_dot_product_attention(q, k, draw(2, 3))
    torch.testing.assert_close(weights, torch.full((2, 2), 0.5))


@pytest.mark.parametrize(
    "shapes, sentence",
    [
        (((5, 4), (3, 6), (3, 2)), "q has dim 4 but k has dim 6"),
        (((5, 4), (3, 4), (2, 2)), "3 keys but 2 values"),
        (((4,), (3, 4), (3, 2)), "q must be"),
        (((5, 4), (0, 4), (0, 2)), "no keys"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes, sentence):
    with pytest.raises(ValueError, match=sentence):
        scaled_dot_product_attention(*(torch.ones(shape) for shape in shapes))


@pytest.mark.parametrize(
    "mask, sentence",
    [
        (torch.tensor([1, 1, 0]), "must be bool"),
        (torch.tensor([1.0, 1.0, 0.0]), "must be bool"),
        (torch.tensor([True, False]), "does not fit"),
        (torch.tensor([True]), "does not fit"),
        (torch.ones(4, 3).bool(), "does not fit"),
        (torch.zeros(3).bool(), "no key at all"),
    ],
)
def test_masks_that_cannot_be_meant_are_refused(mask, sentence):
    with pytest.raises(ValueError, match=sentence):
        scaled_dot_product_attention(draw(2, 4), draw(3, 4), draw(3, 4), mask)


@pytest.mark.parametrize("broken", range(3))
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(broken, value):
    parts = [draw(2, 4), draw(3, 4), draw(3, 4)]
    parts[broken][0, 0] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        scaled_dot_product_attention(*parts)


# -- heads -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def heads():
    torch.manual_seed(0)
    return MultiHeadAttention(dim=6, heads=3).requires_grad_(False)


def test_heads_are_slices_in_order(heads):
    x = torch.arange(12.0).view(1, 2, 6)
    assert heads.split(x)[0, 1].tolist() == [[2.0, 3.0], [8.0, 9.0]]


def test_multi_head_attention_equals_torch(heads):
    theirs = nn.MultiheadAttention(6, 3, batch_first=True).requires_grad_(False)
    maps = (heads.query, heads.key, heads.value)
    theirs.in_proj_weight.data = torch.cat([part.weight for part in maps])
    theirs.in_proj_bias.data = torch.cat([part.bias for part in maps])
    theirs.out_proj.load_state_dict(heads.output.state_dict())
    x, real = draw(2, 5, 6), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
    output, weights = heads(x, real[:, None, None], with_weights=True)
    expected, their_weights = theirs(
        x, x, x, key_padding_mask=~real, average_attn_weights=False
    )
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(weights, their_weights)


def test_the_output_is_the_same_with_and_without_weights(heads):
    x, mask = draw(2, 5, 6), torch.tensor([True, True, False, True, True])
    slow, weights = heads(x, mask, with_weights=True)
    fast, none = heads(x, mask)
    torch.testing.assert_close(slow, fast)
    assert weights.shape == (2, 3, 5, 5) and none is None


def test_an_ablated_head_adds_nothing(heads):
    x = draw(1, 4, 6)
    everything = heads(x)[0] - heads.output.bias
    alone = [
        heads(x, ablate=[other for other in range(3) if other != head])[0]
        - heads.output.bias
        for head in range(3)
    ]
    torch.testing.assert_close(sum(alone), everything)
    torch.testing.assert_close(
        heads(x, ablate=range(3))[0], heads.output.bias.expand(1, 4, 6)
    )


def test_attention_without_positions_follows_a_permutation(heads):
    x, order = draw(1, 5, 6), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(heads(x[:, order])[0], heads(x)[0][:, order])


def test_a_causal_mask_lets_nothing_through_from_later_tokens(heads):
    past = torch.ones(5, 5).tril().bool()
    x = draw(1, 5, 6)
    changed = x.clone()
    changed[0, 3] += 1
    moved = (heads(x, past)[0] - heads(changed, past)[0]).abs().amax(-1)[0] > 1e-6
    assert moved.tolist() == [False, False, False, True, True]


def test_the_causal_mask_is_the_one_of_torch():
    q, k, v = draw(3, 2, 4, 6)
    ours, weights = scaled_dot_product_attention(q, k, v, torch.ones(4, 4).tril() > 0)
    torch.testing.assert_close(
        ours, functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    )
    assert torch.equal(weights, weights.tril())


def test_value_lengths_measure_what_each_head_hands_over(heads):
    x = draw(2, 5, 6)
    lengths = heads.value_lengths(x)
    assert lengths.shape == (2, 3, 5)
    value = heads.value(x)[1, 4, 2:4]  # head 1, token 4 of text 1
    delivered = heads.output.weight[:, 2:4] @ value
    torch.testing.assert_close(lengths[1, 1, 4], delivered.norm())


def test_heads_that_do_not_share_out_evenly_are_refused():
    for dim, number in ((100, 3), (6, 0), (6, -2)):
        with pytest.raises(ValueError, match="equal heads"):
            MultiHeadAttention(dim, number)


@pytest.mark.parametrize(
    "shape, options, sentence",
    [
        ((5, 6), {}, r"must be \(batch, tokens, 6\)"),
        ((1, 5, 4), {}, r"must be \(batch, tokens, 6\)"),
        ((1, 5, 6), {"mask": torch.zeros(5)}, "must be bool"),
        ((1, 5, 6), {"mask": torch.ones(4).bool()}, "does not fit"),
        ((1, 5, 6), {"mask": torch.zeros(5).bool()}, "no key at all"),
        ((1, 5, 6), {"ablate": [3]}, "head 3 is none of 0 to 2"),
        ((1, 5, 6), {"ablate": [-1]}, "head -1 is none of 0 to 2"),
    ],
)
def test_multi_head_attention_refuses_what_cannot_be_meant(
    heads, shape, options, sentence
):
    with pytest.raises(ValueError, match=sentence):
        heads(draw(*shape), **options)


# -- the block -------------------------------------------------------------------------


def test_the_feed_forward_network_sees_each_token_alone():
    network, x = FeedForward(6, 10), draw(1, 4, 6)
    changed = x.clone()
    changed[0, 2] += 1
    moved = (network(x) - network(changed)).abs().amax(-1)[0] > 0
    assert moved.tolist() == [False, False, True, False]


def test_the_block_equals_the_one_of_transformers():
    config = BertConfig(
        hidden_size=6,
        num_attention_heads=3,
        intermediate_size=10,
        attn_implementation="eager",
    )
    torch.manual_seed(0)
    theirs = BertLayer(config).requires_grad_(False).eval()
    weights = {f"encoder.layer.0.{k}": v for k, v in theirs.state_dict().items()}
    ours, x = load_layer(weights, 0, heads=3), draw(2, 5, 6)
    found = theirs(x)
    found = found[0] if isinstance(found, tuple) else found
    torch.testing.assert_close(ours(x)[0], found, atol=1e-6, rtol=1e-5)


def test_the_block_is_post_ln():
    """The sum is normalised last, so every output has mean 0 and variance 1."""
    output, _ = EncoderLayer(16, 4, 32)(draw(2, 5, 16))
    torch.testing.assert_close(output.mean(-1), torch.zeros(2, 5), atol=1e-5, rtol=0)
    spread = output.var(-1, correction=0)
    torch.testing.assert_close(spread, torch.ones(2, 5), atol=1e-4, rtol=0)


def test_a_layer_shares_the_tensors_of_the_checkpoint():
    weights = assets.weights()
    layer = load_layer(weights, 3, heads=12)
    name = f"encoder.layer.3.{BERT_NAMES['attention.query']}.weight"
    assert layer.attention.query.weight.data_ptr() == weights[name].data_ptr()
    assert not any(p.requires_grad for p in layer.parameters())


def test_a_layer_that_the_checkpoint_lacks_is_named():
    with pytest.raises(KeyError, match="no layer 6"):
        load_layer(assets.weights(), 6, heads=12)


def test_every_layer_of_minilm_equals_transformers():
    original = AutoModel.from_pretrained(
        assets.folder(assets.MINILM),
        attn_implementation="eager",
        local_files_only=True,
    )
    texts = [*corpora.load_sentences().values(), "", "word " * 200]
    batch = assets.tokenizer()(texts, padding=True, return_tensors="pt")
    real = batch["attention_mask"].bool()
    with torch.inference_mode():
        library = original(**batch, output_hidden_states=True, output_attentions=True)
    model = encoder.MiniLM.load()
    hidden, weights = model.hidden_states(batch["input_ids"], real, with_weights=True)
    for ours, theirs in zip(hidden, library.hidden_states, strict=True):
        torch.testing.assert_close(ours[real], theirs[real], atol=1e-4, rtol=0)
    for ours, theirs in zip(weights, library.attentions, strict=True):
        ours, theirs = (part.transpose(1, 2)[real] for part in (ours, theirs))
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


# -- reading the weights ---------------------------------------------------------------


@given(keys=st.integers(1, 50))
def test_equal_weights_have_the_largest_entropy(keys):
    even = torch.full((keys,), 1 / keys)
    assert math.isclose(entropy(even).item(), math.log(keys), abs_tol=1e-5)
    other = draw(keys, seed=keys).softmax(0)
    assert entropy(other) <= entropy(even) + 1e-6


# -- the patients of the puzzle --------------------------------------------------------


def a_case(inputs=6, outputs=4):
    x, *maps = (draw(n, inputs, seed=n) for n in (5, *[outputs] * 3))
    maps = [w + 0.1 * i for i, w in enumerate(maps)]
    return x, *maps, torch.tensor([True, False, True, True, True])


def test_the_healthy_patient_is_the_attention_of_the_course():
    x, w_q, w_k, w_v, mask = a_case()
    expected = scaled_dot_product_attention(x @ w_q.T, x @ w_k.T, x @ w_v.T, mask)
    for healthy in (lesson.HEALTHY, lesson._ByLibrary()):
        for part, wanted in zip(healthy(x, w_q, w_k, w_v, mask), expected, strict=True):
            torch.testing.assert_close(part, wanted)


def test_each_disease_has_one_patient():
    found = [patient.disease for patient in lesson.PATIENTS.values()]
    assert sorted(found) == sorted(lesson.DISEASES)
    assert found != list(lesson.DISEASES)


def test_no_patient_raises_an_error_with_square_matrices():
    for patient in lesson.PATIENTS.values():
        output, weights = patient(*a_case(outputs=6))
        assert output.shape == (5, 6) and weights.shape == (5, 5)
        assert torch.isfinite(output).all()


def rows_sum_to_one(attend):
    x, *maps, _ = a_case(outputs=6)
    torch.testing.assert_close(attend(x, *maps)[1].sum(1), torch.ones(5))


def right_output(attend):
    x, *maps, mask = a_case()
    expected = lesson.HEALTHY(x, *maps, mask)[0]
    torch.testing.assert_close(attend(x, *maps, mask)[0], expected)


def never_content(attend):
    raise AssertionError


def open_exercise(attend):
    raise NotImplementedError


@pytest.mark.parametrize(
    "test, score",
    [
        (rows_sum_to_one, "kills 1 of 5 (E); the healthy ones live"),
        (right_output, "kills 5 of 5 (A, B, C, D, E); the healthy ones live"),
        (never_content, "kills 5 of 5 (A, B, C, D, E); the healthy ones die too"),
        (lambda attend: None, "kills 0 of 5; the healthy ones live"),
        (open_exercise, "not started"),
    ],
    ids=["row sums", "output", "never content", "empty", "open"],
)
def test_the_mutation_score_counts_the_killed(test, score):
    assert lesson.mutation_score(test) == score


# -- half precision and large numbers --------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    """Products of 200 with 200, 64 of them, are more than float16 holds."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (200 * torch.rand(3, 5, 64, generator=generator)).to(dtype)
    found, weights = scaled_dot_product_attention(q, k, v)
    right, shares = scaled_dot_product_attention(q.double(), k.double(), v.double())
    assert found.dtype == weights.dtype == dtype
    assert torch.allclose(weights.double(), shares, atol=0.01)
    assert torch.allclose(found.double(), right, rtol=0.01)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_both_ways_of_the_heads_agree_in_half_precision(dtype):
    torch.manual_seed(0)
    heads = MultiHeadAttention(16, 2).to(dtype)
    hidden = (30 * torch.randn(1, 7, 16)).to(dtype)
    fused, _ = heads(hidden)
    shown, _ = heads(hidden, with_weights=True)
    assert torch.isfinite(fused).all() and fused.dtype == shown.dtype == dtype
    assert torch.allclose(fused, shown, atol=0.5, rtol=0.05)
    assert torch.isfinite(heads.value_lengths(hidden)).all()


def test_large_queries_and_keys_choose_instead_of_becoming_nan():
    q = torch.tensor([[1e25, 0.0]])
    k, v = torch.tensor([[1e25, 0.0], [-1e25, 0.0]]), torch.tensor([[1.0], [2.0]])
    found, weights = scaled_dot_product_attention(q, k, v)
    assert weights.tolist() == [[1, 0]] and found.item() == 1
    with pytest.raises(ValueError, match="too large even for float64"):
        scaled_dot_product_attention(q.double() * 1e150, k.double() * 1e150, v.double())


@pytest.mark.parametrize("weights", [[2.0, -1.0], [float("nan"), 1.0], [3.0, 0.0]])
def test_the_entropy_of_scores_is_refused(weights):
    with pytest.raises(ValueError, match="scores need a softmax"):
        entropy(torch.tensor([weights]))
