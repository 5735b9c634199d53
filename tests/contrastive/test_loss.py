"""InfoNCE by hand, by property and against the libraries; batches; the two loops."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers.sentence_transformer.losses import (
    MultipleNegativesRankingLoss,
)
from torch.nn import functional

from course_utils import contrastive, corpora, encoder
from course_utils.contrastive import (
    adapt,
    batches_without_twins,
    circle_descent,
    info_nce,
    loss_floor,
)

steady = settings(derandomize=True, deadline=None, max_examples=60)
seeds = st.integers(0, 10_000)
temperatures = st.floats(0.02, 2.0)


def random_tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def both(seed, batch=5, dim=7):
    return random_tensor(2, batch, dim, seed=seed).double()


# -- the loss: by hand -----------------------------------------------------------------

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


@pytest.mark.parametrize(
    "anchors, positives, temperature, loss",
    [
        # Right 1, wrong 0: ln(e + 1) - 1, and ln(e² + 1) - 2 when twice as cold.
        ([EAST, NORTH], [EAST, NORTH], 1.0, math.log(math.e + 1) - 1),
        ([EAST, NORTH], [EAST, NORTH], 0.5, math.log(math.e**2 + 1) - 2),
        # Both wrong: the right one has 0, the other 1.
        ([EAST, NORTH], [NORTH, EAST], 1.0, math.log(math.e + 1)),
        # One vector for all: a guess between two.
        ([EAST, EAST], [EAST, EAST], 0.05, math.log(2)),
        # First row: 1 against -1; second row: 0 against 0, a guess.
        ([EAST, NORTH], [EAST, WEST], 1.0, (math.log1p(math.e**-2) + math.log(2)) / 2),
    ],
)  # fmt: skip
def test_worked_by_hand(anchors, positives, temperature, loss):
    found = info_nce(torch.tensor(anchors), torch.tensor(positives), temperature)
    assert found.item() == pytest.approx(loss, abs=1e-6)


def test_a_hard_negative_is_one_more_wrong_answer_for_every_anchor():
    pairs = torch.eye(2)
    hard = torch.tensor([EAST])  # as good as the positive of row 0, wrong for both
    loss = info_nce(pairs, pairs, 1.0, hard_negatives=hard)
    first = math.log(2 * math.e + 1) - 1  # e, 1 and e
    second = math.log(math.e + 2) - 1  # 1, e and 1
    assert loss.item() == pytest.approx((first + second) / 2, abs=1e-6)


@pytest.mark.parametrize("batch", [2, 32, 128])
@pytest.mark.parametrize("temperature", [0.01, 0.05, 1.0])
def test_equal_vectors_cost_the_logarithm_of_the_batch(batch, temperature):
    equal = torch.ones(batch, 6)
    loss = info_nce(equal, equal, temperature)
    assert loss.item() == pytest.approx(math.log(batch), abs=1e-5)


def test_random_directions_cost_more_than_a_guess():
    losses = [info_nce(*random_tensor(2, 32, 384, seed=s)).item() for s in range(10)]
    assert min(losses) > math.log(32)


# -- the loss: properties --------------------------------------------------------------


@steady
@given(seeds, temperatures)
def test_it_is_the_cross_entropy_of_torch(seed, temperature):
    anchors, positives = both(seed)
    cosines = functional.cosine_similarity(anchors[:, None], positives[None], dim=2)
    wanted = functional.cross_entropy(cosines / temperature, torch.arange(5))
    torch.testing.assert_close(info_nce(anchors, positives, temperature), wanted)


@steady
@given(seeds, st.floats(0.01, 100))
def test_the_length_of_a_vector_does_not_matter(seed, length):
    anchors, positives = both(seed)
    longer = info_nce(anchors * length, positives)
    torch.testing.assert_close(longer, info_nce(anchors, positives))


@steady
@given(seeds, st.permutations(range(5)))
def test_the_order_of_the_pairs_does_not_matter(seed, order):
    anchors, positives = both(seed)
    mixed = info_nce(anchors[order], positives[order])
    torch.testing.assert_close(mixed, info_nce(anchors, positives))


@steady
@given(seeds)
def test_symmetric_is_the_mean_of_both_directions(seed):
    anchors, positives = both(seed)
    there, back = info_nce(anchors, positives), info_nce(positives, anchors)
    two = info_nce(anchors, positives, symmetric=True)
    torch.testing.assert_close(two, (there + back) / 2)
    torch.testing.assert_close(two, info_nce(positives, anchors, symmetric=True))


@steady
@given(seeds, st.integers(1, 9))
def test_hard_negatives_widen_the_columns(seed, number):
    anchors, positives = both(seed)
    hard = random_tensor(number, 7, seed=seed + 1).double()
    candidates = functional.normalize(torch.cat([positives, hard]), dim=1)
    scores = functional.normalize(anchors, dim=1) @ candidates.T / 0.05
    assert scores.shape == (5, 5 + number)
    wanted = functional.cross_entropy(scores, torch.arange(5))
    found = info_nce(anchors, positives, hard_negatives=hard)
    torch.testing.assert_close(found, wanted)
    assert found > info_nce(anchors, positives)


def test_hard_negatives_take_no_part_in_the_way_back():
    anchors, positives = both(0)
    hard = random_tensor(3, 7, seed=1).double()
    there = info_nce(anchors, positives, hard_negatives=hard)
    back = info_nce(positives, anchors)
    two = info_nce(anchors, positives, hard_negatives=hard, symmetric=True)
    torch.testing.assert_close(two, (there + back) / 2)


def test_one_pair_is_enough_if_it_has_a_hard_negative():
    loss = info_nce(*torch.tensor([[EAST], [EAST]]), 1.0, torch.tensor([NORTH]))
    assert loss.item() == pytest.approx(math.log(math.e + 1) - 1)


def test_the_push_is_shared_out_by_the_softmax():
    """The slope at a wrong score is its probability over the batch size."""
    anchors, positives = both(3)
    unit = [functional.normalize(part, dim=1) for part in (anchors, positives)]
    scores = (unit[0] @ unit[1].T / 0.05).requires_grad_()
    functional.cross_entropy(scores, torch.arange(5)).backward()
    wrong = ~torch.eye(5, dtype=bool)
    shares = scores.detach().softmax(dim=1) / 5
    torch.testing.assert_close(scores.grad[wrong], shares[wrong])


def test_adding_up_gradients_is_not_a_larger_batch():
    left, right = both(0, batch=8)
    left.requires_grad_()
    [whole] = torch.autograd.grad(info_nce(left, right), left)
    halves = [
        info_nce(a, p) for a, p in zip(left.split(4), right.split(4), strict=True)
    ]
    [parts] = torch.autograd.grad(sum(halves) / 2, left)
    assert not torch.allclose(whole, parts, rtol=0.05)


# -- the loss: the library -------------------------------------------------------------


def of_the_library(*columns, **options):
    loss = MultipleNegativesRankingLoss(model=None, **options)
    return loss.compute_loss_from_embeddings(list(columns), labels=None)


BOTH_WAYS = {
    "directions": ("query_to_doc", "doc_to_query"),
    "partition_mode": "per_direction",
}


@pytest.mark.parametrize("temperature", [0.05, 0.5])
@pytest.mark.parametrize("symmetric", [False, True])
def test_value_and_gradient_are_those_of_the_library(symmetric, temperature):
    columns = [part.requires_grad_() for part in both(0, batch=6)]
    ours = info_nce(*columns, temperature=temperature, symmetric=symmetric)
    options = BOTH_WAYS if symmetric else {}
    theirs = of_the_library(*columns, scale=1 / temperature, **options)
    torch.testing.assert_close(ours, theirs)
    slopes = [torch.autograd.grad(loss, columns) for loss in (ours, theirs)]
    torch.testing.assert_close(*slopes)


def test_hard_negatives_are_the_third_column_of_the_library():
    columns = [part.requires_grad_() for part in random_tensor(3, 6, 7).double()]
    ours = info_nce(*columns[:2], hard_negatives=columns[2])
    theirs = of_the_library(*columns)
    torch.testing.assert_close(ours, theirs)
    slopes = [torch.autograd.grad(loss, columns) for loss in (ours, theirs)]
    torch.testing.assert_close(*slopes)


# -- the loss: bad input ---------------------------------------------------------------

GOOD = torch.eye(3)


def broken(value):
    bad = torch.eye(3)
    bad[1, 2] = value
    return bad


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ((GOOD[:1], GOOD[:1]), "no wrong answer.*two pairs or more"),
        ((GOOD[:0], GOOD[:0]), "no wrong answer"),
        ((GOOD, GOOD[:2]), r"anchors \(3, 3\), positives \(2, 3\)"),
        ((GOOD, torch.eye(4)[:3]), r"positives \(3, 4\)"),
        ((GOOD[0], GOOD[0]), r"\(batch, dim\)"),
        ((GOOD, GOOD, 0.0), "temperature must be above 0"),
        ((GOOD, GOOD, -0.05), "divides the cosines"),
        ((GOOD, GOOD, math.nan), "got nan"),
        ((GOOD, GOOD, math.inf), "got inf"),
        ((broken(math.nan), GOOD), "anchors holds NaN or infinity in row 1"),
        ((GOOD, broken(math.inf)), "positives holds.*smaller learning rate"),
        ((GOOD, GOOD, 0.05, broken(math.nan)), "hard_negatives holds NaN"),
        ((GOOD, torch.zeros(3, 3)), "zero vector has no direction"),
        ((GOOD, GOOD, 0.05, torch.eye(4)), r"\(number, 3\), got \(4, 4\)"),
        ((GOOD, GOOD, 0.05, GOOD[0]), "hard_negatives must be"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        info_nce(*arguments)


# -- the floors of the puzzles ---------------------------------------------------------


def test_the_exact_floors_of_the_stuck_puzzles():
    assert loss_floor(32, temperature=1.0) == pytest.approx(2.4884, abs=5e-5)
    assert loss_floor(64, copies=2) == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("batch, temperature", [(2, 1.0), (8, 0.5), (32, 1.0)])
def test_the_corners_of_a_simplex_reach_the_floor(batch, temperature):
    corners = torch.eye(batch).double() - 1 / batch
    reached = info_nce(corners, corners, temperature).item()
    assert reached == pytest.approx(loss_floor(batch, temperature), abs=1e-9)


def descend(free, rows, temperature):
    """Let free vectors follow the loss, and return where it ends."""
    free.requires_grad_()
    optimiser = torch.optim.Adam([free], lr=0.05)
    for _ in range(300):
        loss = info_nce(*free[:, rows], temperature=temperature)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def test_free_vectors_get_stuck_at_the_floor_and_not_below():
    reached = descend(random_tensor(2, 32, 64), list(range(32)), temperature=1.0)
    assert loss_floor(32, temperature=1.0) - 1e-5 <= reached <= 2.4885


def test_with_every_pair_twice_free_vectors_get_stuck_at_ln_2():
    rows = [*range(16), *range(16)]
    reached = descend(random_tensor(2, 16, 64), rows, temperature=0.05)
    assert reached == pytest.approx(math.log(2), abs=1e-3)
    assert loss_floor(32, copies=2) - 1e-6 <= reached


@steady
@given(seeds, st.sampled_from([0.05, 0.3, 1.0]))
def test_no_vectors_are_below_the_floor(seed, temperature):
    assert info_nce(*both(seed), temperature) >= loss_floor(5, temperature)


def test_one_text_many_times_can_only_guess():
    assert loss_floor(6, copies=6) == pytest.approx(math.log(6))


@pytest.mark.parametrize("arguments", [(0,), (4, 0.0), (4, 0.05, 3), (4, 0.05, 0)])
def test_a_floor_of_nothing_is_refused(arguments):
    with pytest.raises(ValueError, match="multiple of copies"):
        loss_floor(*arguments)


# -- points on a circle ----------------------------------------------------------------


def test_the_loss_falls_on_the_circle_at_every_temperature():
    angles = random_tensor(12).double()
    for temperature in (0.05, 0.2, 1.0):
        path = circle_descent(angles, temperature, 100)
        assert path.shape == (101, 12)
        ends = [torch.stack([path[i].cos(), path[i].sin()], 1) for i in (0, -1)]
        first, last = (info_nce(*p.chunk(2), temperature=temperature) for p in ends)
        assert last < first


def test_the_circle_starts_where_it_is_told_and_changes_nothing():
    angles = random_tensor(6)
    before = angles.clone()
    path = circle_descent(angles, 0.2, 3)
    assert torch.equal(path[0], before.double()) and torch.equal(angles, before)


@pytest.mark.parametrize("shape", [(2,), (5,), (3, 2)])
def test_a_circle_needs_two_pairs(shape):
    with pytest.raises(ValueError, match="two pairs at least"):
        circle_descent(torch.zeros(shape), 0.1, 1)


# -- batches ---------------------------------------------------------------------------


@steady
@given(st.lists(st.sampled_from("abcdefg"), max_size=30), st.integers(1, 6))
def test_no_key_is_twice_in_a_batch_and_no_row_is_lost(keys, size):
    batches = batches_without_twins(keys, size)
    assert sorted(row for batch in batches for row in batch) == list(range(len(keys)))
    for batch in batches:
        assert 1 <= len(batch) <= size
        assert max(Counter(keys[row] for row in batch).values()) == 1
        assert batch == sorted(batch)


def test_a_twin_waits_for_the_next_batch():
    assert batches_without_twins(list("aabc"), 2) == [[0, 2], [1, 3]]
    assert batches_without_twins(list("abcd"), 2) == [[0, 1], [2, 3]]
    assert batches_without_twins([], 2) == []


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="size must be at least 1"):
        batches_without_twins(["a"], 0)


# -- a few seconds of training on the real model ---------------------------------------


@pytest.fixture(scope="module")
def minilm():
    return encoder.MiniLM.load()


@pytest.fixture(scope="module")
def pairs():
    """Two remarks about each of four runbooks."""
    rows = corpora.load_training_pairs()
    chosen = sorted({row.runbook for row in rows})[:4]
    by_page = [[row for row in rows if row.runbook == page][:2] for page in chosen]
    return [row for page in by_page for row in page]


QUICK = {"batch_size": 4, "frozen_layers": 5}


@pytest.fixture(scope="module")
def adapted(minilm, pairs):
    before = minilm.encode(["disk full"])
    heard = []
    twin, history = adapt(
        minilm, pairs, epochs=3, after=lambda *news: heard.append(news), **QUICK
    )
    return before, twin, history, heard


def test_the_original_stays_as_it_was(minilm, adapted):
    before, twin, _, _ = adapted
    assert np.array_equal(minilm.encode(["disk full"]), before)
    assert not np.allclose(twin.encode(["disk full"]), before, atol=1e-3)
    assert not any(p.requires_grad for p in minilm.parameters())


def test_the_loss_falls_and_every_batch_is_reported(adapted):
    _, _, history, heard = adapted
    assert len(history) == 6 and np.mean(history[-2:]) < np.mean(history[:2])
    assert heard == [(read, 24) for read in range(4, 25, 4)]


def test_the_result_is_closed_and_has_a_fingerprint_of_its_own(minilm, adapted):
    _, twin, _, _ = adapted
    assert not any(p.requires_grad for p in twin.parameters())
    assert twin.fingerprint.endswith(":adapted")
    assert twin.fingerprint != f"{minilm.fingerprint}:adapted", "other weights"


def test_the_same_seed_gives_the_same_encoder_and_another_seed_another(minilm, pairs):
    prints = [
        adapt(minilm, pairs, seed=seed, **QUICK)[0].fingerprint for seed in (0, 0, 1)
    ]
    assert prints[0] == prints[1] != prints[2]


def test_an_adapted_encoder_can_be_adapted_again_and_stays(minilm, adapted, pairs):
    _, twin, _, _ = adapted
    before = twin.encode(["disk full"])
    again, _ = adapt(twin, pairs, **QUICK)
    assert np.array_equal(twin.encode(["disk full"]), before)
    assert again.fingerprint != twin.fingerprint
    assert again.fingerprint.count("adapted") == 1


def test_no_batch_holds_two_remarks_about_one_runbook(minilm, pairs, monkeypatch):
    seen = []

    def spy(model, texts):
        seen.append(texts[: len(texts) // 2])
        return embed(model, texts)

    embed = contrastive.embed
    monkeypatch.setattr("course_utils.contrastive.training.embed", spy)
    adapt(minilm, pairs, **QUICK)
    page = {pair.anchor: pair.runbook for pair in pairs}
    assert all(len({page[text] for text in batch}) == len(batch) for batch in seen)
    assert sorted(text for batch in seen for text in batch) == sorted(page)


def test_a_pair_that_is_left_alone_teaches_nothing(minilm, pairs):
    three = [*pairs[:2], pairs[2]]  # two about one page, one about another
    _, history = adapt(minilm, three, **QUICK)
    assert len(history) == 1


def test_adapting_to_nothing_is_refused(minilm, pairs):
    alike = [replace(pair, runbook="the same") for pair in pairs]
    for rows, options, sentence in (
        ([], {}, "no negatives"),
        (alike, {}, "two runbooks at least"),
        (pairs, {"batch_size": 1}, "batches of two or more"),
        (pairs, {"epochs": 0}, "epochs must be at least 1"),
        (pairs, {"temperature": 0}, "temperature must be above 0"),
        (pairs, {"frozen_layers": 6}, "left to learn"),
    ):
        with pytest.raises(ValueError, match=sentence):
            adapt(minilm, rows, **options)
