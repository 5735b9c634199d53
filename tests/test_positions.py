"""How order gets in: by hand, by property, and against the libraries."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.gptj import modeling_gptj as gptj
from transformers.models.llama import modeling_llama as llama

from course_utils import assets, positions
from course_utils.encoder import Change, MiniLM, offset_positions, zero_positions
from course_utils.positions import (
    Scheme,
    alibi_bias,
    alibi_scheme,
    alibi_slopes,
    is_relative,
    learned,
    none_scheme,
    prefers_near,
    reaches,
    rope,
    rope_scheme,
    sees_direction,
    sees_order,
    sinusoidal,
    sinusoidal_scheme,
    table_rows,
    table_scheme,
)

steady = settings(derandomize=True, deadline=None, max_examples=50)
even = st.integers(1, 16).map(lambda half: 2 * half)
bases = st.sampled_from((2.0, 100.0, 10_000.0, 500_000.0))
both_conventions = pytest.mark.parametrize(
    "interleaved", [False, True], ids=["half-split", "interleaved"]
)


def random(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


@pytest.fixture(scope="module")
def model():
    return MiniLM.load()


# -- sinusoids -------------------------------------------------------------------------


def test_the_first_row_is_zeros_and_ones():
    assert sinusoidal(1, 6).tolist() == [[0, 1, 0, 1, 0, 1]]


def test_a_row_worked_by_hand():
    """Position 3, four numbers: speeds 1 and 1 / 100."""
    hand = [math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)]
    assert sinusoidal(4, 4)[3].tolist() == pytest.approx(hand)


def test_every_row_has_the_same_length():
    lengths = sinusoidal(2000, 64).norm(dim=1)
    assert torch.allclose(lengths, torch.tensor(32.0).sqrt().expand(2000))


def test_sinusoids_are_those_of_the_library_in_another_order_of_columns():
    sines, cosines = gptj.create_sinusoidal_positions(512, 384).chunk(2, dim=1)
    ours = sinusoidal(512, 384)
    assert torch.allclose(ours[:, 0::2], sines, atol=1e-4)
    assert torch.allclose(ours[:, 1::2], cosines, atol=1e-4)


def test_no_positions_give_an_empty_table():
    assert sinusoidal(0, 4).shape == (0, 4)


@steady
@given(even, bases, st.integers(0, 40), st.integers(0, 40), st.integers(0, 400))
def test_the_dot_product_depends_on_the_distance_only(dim, base, i, j, shift):
    table = sinusoidal(481, dim, base).double()
    here, there = table[i] @ table[j], table[i + shift] @ table[j + shift]
    assert here.item() == pytest.approx(there.item(), abs=1e-5)


@steady
@given(even, bases, st.integers(0, 200), st.integers(0, 200))
def test_a_shift_is_a_rotation(dim, base, place, lag):
    """The rotation is interleaved RoPE, backwards: sine stands where x stands."""
    table = sinusoidal(401, dim, base)
    turned = rope(table[[place]], torch.tensor([-lag]), base, interleaved=True)
    assert torch.allclose(turned[0], table[place + lag], atol=1e-5)


@pytest.mark.parametrize("dim", [0, -2, 3])
def test_sine_and_cosine_need_an_even_width(dim):
    with pytest.raises(ValueError, match=f"dim must be even and positive, got {dim}"):
        sinusoidal(3, dim)


def test_a_base_of_one_would_make_all_speeds_equal():
    with pytest.raises(ValueError, match="base must be above 1"):
        sinusoidal(3, 4, base=1.0)


def test_a_negative_number_of_tokens_is_refused():
    with pytest.raises(ValueError, match="tokens must not be negative, got -1"):
        sinusoidal(-1, 4)


# -- the learned table -----------------------------------------------------------------


def test_the_learned_table_is_the_one_in_the_library_s_model():
    bert = assets.sentence_transformer()[0].auto_model
    theirs = bert.embeddings.position_embeddings.weight
    assert torch.equal(learned(), theirs.detach())


def test_the_rows_that_stand_out():
    """Seen in the notebook: [CLS]'s row, the 128th and the last two."""
    from scipy.stats import median_abs_deviation

    norms = learned().norm(dim=1).numpy()
    away = abs(norms - np.median(norms)) / median_abs_deviation(norms, scale="normal")
    assert np.flatnonzero(away > 10).tolist() == [0, 127, 510, 511]


def test_a_row_is_read_by_its_position():
    table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert table_rows(table, torch.tensor([1, 0])).tolist() == [[3, 4], [1, 2]]


def test_no_positions_read_no_rows():
    assert table_rows(learned(), torch.arange(0)).shape == (0, 384)


@pytest.mark.parametrize("first", [-1, 1])
def test_a_position_outside_the_table_is_refused(first):
    """512 places starting at 1 need a row 512, the 513th."""
    with pytest.raises(ValueError, match="do not fit a table of 512 rows"):
        table_rows(learned(), torch.arange(first, first + 512))


# -- rotary ----------------------------------------------------------------------------


def test_a_quarter_turn_by_hand():
    x, quarter = torch.tensor([[1.0, 0.0]]), torch.tensor([math.pi / 2])
    assert torch.allclose(rope(x, quarter), torch.tensor([[0.0, 1.0]]), atol=1e-6)


def test_half_split_pairs_numbers_that_lie_half_a_row_apart():
    x = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    turned = rope(x, torch.tensor([1]))
    assert turned.nonzero()[:, 1].tolist() == [0, 2]


def test_interleaved_pairs_neighbours():
    x = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    turned = rope(x, torch.tensor([1]), interleaved=True)
    assert turned.nonzero()[:, 1].tolist() == [0, 1]


def test_half_split_is_what_runs_inside_llama():
    x, places = (
        random(2, 3, 5, 16, dtype=torch.float32),
        torch.tensor([0, 1, 7, 99, 511]),
    )
    config = LlamaConfig(hidden_size=48, num_attention_heads=3)
    cos, sin = llama.LlamaRotaryEmbedding(config)(x, places[None])
    theirs, _ = llama.apply_rotary_pos_emb(x, x, cos, sin)
    assert torch.allclose(rope(x, places), theirs, atol=1e-4)


def test_half_split_follows_llama_to_another_base():
    x, places = random(1, 1, 3, 8, dtype=torch.float32), torch.tensor([3, 200, 1000])
    config = LlamaConfig(
        hidden_size=8,
        num_attention_heads=1,
        rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
    )
    cos, sin = llama.LlamaRotaryEmbedding(config)(x, places[None])
    theirs, _ = llama.apply_rotary_pos_emb(x, x, cos, sin)
    assert torch.allclose(rope(x, places, base=500_000.0), theirs, atol=1e-3)


def test_interleaved_is_what_runs_inside_gpt_j():
    x, places = (
        random(2, 3, 5, 16, dtype=torch.float32),
        torch.tensor([0, 1, 7, 99, 511]),
    )
    table = gptj.create_sinusoidal_positions(512, 16)[places][None]
    sin, cos = table.chunk(2, dim=-1)
    theirs = gptj.apply_rotary_pos_emb(x.transpose(1, 2), sin, cos).transpose(1, 2)
    assert torch.allclose(rope(x, places, interleaved=True), theirs, atol=1e-4)


def test_llama_s_rotary_embedding_has_nothing_to_train():
    config = LlamaConfig(hidden_size=48, num_attention_heads=3)
    assert not list(llama.LlamaRotaryEmbedding(config).parameters())


@both_conventions
@steady
@given(even, bases, st.lists(st.integers(-500, 500), min_size=1, max_size=5))
def test_turning_keeps_every_length(interleaved, dim, base, places):
    x = random(len(places), dim)
    turned = rope(x, torch.tensor(places), base, interleaved)
    assert torch.allclose(turned.norm(dim=1), x.norm(dim=1))


@both_conventions
@steady
@given(even, bases, st.integers(-50, 50), st.integers(0, 3000))
def test_a_score_depends_on_the_distance_only(interleaved, dim, base, lag, shift):
    q, k = random(1, dim, seed=1), random(1, dim, seed=2)

    def score(start):
        at_q, at_k = torch.tensor([start + lag]), torch.tensor([start])
        return (
            rope(q, at_q, base, interleaved) * rope(k, at_k, base, interleaved)
        ).sum()

    assert score(0).item() == pytest.approx(score(shift).item(), abs=1e-6)


def test_mixed_conventions_lose_the_distance():
    q, k = random(1, 8, seed=1), random(1, 8, seed=2)

    def score(start):
        left = rope(q, torch.tensor([start + 3]))
        return (left * rope(k, torch.tensor([start]), interleaved=True)).sum().item()

    assert abs(score(0) - score(100)) > 0.1


@steady
@given(even, st.integers(0, 500))
def test_one_convention_is_the_other_on_reordered_numbers(dim, place):
    x, at = random(1, dim), torch.tensor([place])
    order = torch.cat([torch.arange(0, dim, 2), torch.arange(1, dim, 2)])
    assert torch.allclose(
        rope(x, at, interleaved=True)[:, order], rope(x[:, order], at)
    )


@both_conventions
def test_place_zero_changes_nothing_and_the_input_is_left_alone(interleaved):
    x = random(3, 8)
    before = x.clone()
    assert torch.equal(rope(x, torch.zeros(3), interleaved=interleaved), x)
    rope(x, torch.arange(3), interleaved=interleaved)
    assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_kind_of_number_is_kept(dtype):
    assert rope(torch.ones(2, 4, dtype=dtype), torch.arange(2)).dtype == dtype


@pytest.mark.parametrize("count", [2, 4])
def test_each_token_needs_one_position(count):
    with pytest.raises(ValueError, match="give one position per token"):
        rope(torch.ones(3, 4), torch.arange(count))


def test_a_single_vector_is_no_list_of_tokens():
    with pytest.raises(ValueError, match="x has shape \\(4,\\)"):
        rope(torch.ones(4), torch.tensor([1]))


def test_an_odd_width_cannot_be_paired():
    with pytest.raises(ValueError, match="dim must be even"):
        rope(torch.ones(3, 5), torch.arange(3))


def test_whole_numbers_are_refused_because_sines_would_become_zero():
    with pytest.raises(ValueError, match="x must hold floats, got torch.int64"):
        rope(torch.ones(3, 4, dtype=torch.int64), torch.arange(3))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_are_refused(bad):
    with pytest.raises(ValueError, match="NaN or infinity"):
        rope(torch.full((1, 2), bad), torch.tensor([1]))
    with pytest.raises(ValueError, match="NaN or infinity"):
        rope(torch.ones(1, 2), torch.tensor([bad]))


# -- ALiBi -----------------------------------------------------------------------------


def test_slopes_are_a_geometric_series():
    assert alibi_slopes(8).tolist() == [2.0**-i for i in range(1, 9)]


def test_the_bias_is_minus_slope_times_distance():
    assert alibi_bias(2, 3)[0].tolist() == [
        [0, -1 / 16, -2 / 16],
        [-1 / 16, 0, -1 / 16],
        [-2 / 16, -1 / 16, 0],
    ]


@pytest.mark.parametrize("heads", [1, 2, 3, 6, 8, 12, 16])
def test_looking_back_it_is_bloom_s(heads):
    """Bloom writes the place, not the distance: softmax does not see the difference."""
    back = torch.ones(7, 7).tril().bool()
    bloom = build_alibi_tensor(torch.ones(1, 7), heads, torch.float32)
    theirs = bloom.expand(heads, 7, 7).masked_fill(~back, -torch.inf).softmax(dim=-1)
    ours = alibi_bias(heads, 7).masked_fill(~back, -torch.inf).softmax(dim=-1)
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_no_tokens_need_no_bias():
    assert alibi_bias(3, 0).shape == (3, 0, 0)


def test_alibi_needs_a_head():
    with pytest.raises(ValueError, match="heads must be at least 1, got 0"):
        alibi_bias(0, 3)


def test_alibi_refuses_a_negative_number_of_tokens():
    with pytest.raises(ValueError, match="tokens must not be negative, got -2"):
        alibi_bias(2, -2)


# -- one interface, and the table of properties ----------------------------------------

Q, K = random(2, 64, 384, seed=7, dtype=torch.float32) / 20
SCHEMES = {
    # scheme: sees order, direction, distance only, nearer is higher, reaches 10,000
    "none": (none_scheme, (False, False, True, False, True)),
    "sinusoidal": (sinusoidal_scheme, (True, True, False, False, True)),
    "learned": (lambda: table_scheme(learned()), (True, True, False, False, False)),
    "rotary": (rope_scheme, (True, True, True, False, True)),
    "rotary, interleaved": (
        lambda: rope_scheme(interleaved=True),
        (True, True, True, False, True),
    ),
    "ALiBi": (alibi_scheme, (True, False, True, True, True)),
}
each_scheme = pytest.mark.parametrize("name", SCHEMES)


@each_scheme
def test_the_table_of_properties_is_measured(name):
    make, expected = SCHEMES[name]
    scheme = make()
    assert expected == (
        sees_order(scheme, Q, K),
        sees_direction(scheme, Q),
        is_relative(scheme, Q, K, shift=300),
        prefers_near(scheme, Q),
        reaches(scheme, Q, 10_000),
    )


@each_scheme
def test_only_a_table_has_numbers_to_train(name):
    trained = SCHEMES[name][0]().parameters
    assert trained == (512 * 384 if name == "learned" else 0)


def test_the_computed_scheme_is_the_table_of_sinusoids():
    places = torch.arange(64) + 100
    computed = sinusoidal_scheme().scores(Q, K, places)
    looked_up = table_scheme(sinusoidal(164, 384)).scores(Q, K, places)
    assert torch.allclose(computed, looked_up, atol=1e-3)


def test_alibi_gives_a_text_and_its_mirror_image_the_same_scores():
    places, back = torch.arange(64), torch.arange(64).flip(0)
    scheme = alibi_scheme()
    mirrored = scheme.scores(Q[back], K[back], places)
    assert torch.allclose(mirrored, scheme.scores(Q, K, places)[back][:, back])


@each_scheme
@pytest.mark.parametrize(
    "q, k, places",
    [
        (torch.ones(3, 384), torch.ones(2, 384), torch.arange(3)),
        (torch.ones(3, 384), torch.ones(3, 384), torch.arange(2)),
        (torch.ones(384), torch.ones(384), torch.arange(1)),
    ],
    ids=["keys are missing", "places are missing", "no tokens"],
)
def test_shapes_that_do_not_fit_are_refused(name, q, k, places):
    with pytest.raises(ValueError, match="must be \\(tokens,\\)"):
        SCHEMES[name][0]().scores(q, k, places)


def test_a_scheme_of_one_s_own_can_be_questioned():
    own = Scheme("place of the key", 0, lambda q, k, places: q @ k.T + places)
    assert sees_order(own, Q, K) and sees_direction(own, Q)
    assert not is_relative(own, Q, K, shift=1)


# -- what it is worth in the real model ------------------------------------------------

NO_POSITIONS = Change(positions=zero_positions)


@pytest.mark.parametrize(
    "a, b",
    [
        ("dog bites man", "man bites dog"),
        ("The cat bit the dog", "The dog bit the cat"),
        ("Alice paid Bob", "Bob paid Alice"),
    ],
)
def test_without_positions_a_sentence_is_a_bag_of_tokens(model, a, b):
    one, other = model.encode([a, b], change=NO_POSITIONS)
    assert np.allclose(one, other, atol=1e-6)
    one, other = model.encode([a, b])
    assert 0.9 < one @ other < 0.999


def test_without_positions_shuffled_tokens_are_shuffled_vectors(model):
    ids = model.trace("We had lunch on the bank of the river.").ids
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(1))

    def last_layer(ids, change):
        return model.hidden_states(ids[None], torch.ones(1, len(ids)), change)[0][-1][0]

    straight = last_layer(ids, NO_POSITIONS)
    shuffled = last_layer(ids[order], NO_POSITIONS)
    assert torch.allclose(shuffled, straight[order], atol=1e-4)
    assert not torch.allclose(
        last_layer(ids[order], Change()), last_layer(ids, Change())[order], atol=1e-2
    )


def test_a_sentence_on_other_rows_is_not_the_same_sentence(model):
    text = ["The server crashed at three in the morning."]
    home = model.encode(text)[0]
    moved = model.encode(text, change=Change(positions=offset_positions(330)))[0]
    assert home @ moved < 0.8


def test_the_table_of_the_module_is_the_table_of_the_model(model):
    assert torch.equal(model.positions, positions.learned())


def test_the_slopes_take_numpys_integers():
    """Which have no bit_length, and whose powers overflow."""
    for heads in (1, 6, 12):
        assert torch.equal(alibi_slopes(np.int8(heads)), alibi_slopes(heads))
