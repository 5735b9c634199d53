"""Skip-gram: by hand, by property, and against the library."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from course_utils.lookup.skipgram import (
    skip_gram_loss,
    skip_gram_pairs,
    softmax_gradient,
    softmax_loss,
    train_skip_gram,
)
from course_utils.lookup.words import analogy, nearest
from course_utils.lookup.world import TRAITS, small_world, trait_questions

steady = settings(derandomize=True, deadline=None, max_examples=60)
tokens = st.lists(st.integers(0, 4), max_size=12)


def random_tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@steady
@given(tokens, st.integers(1, 4))
def test_pairs_are_symmetric_and_none_is_missing(tokens, window):
    pairs = skip_gram_pairs(tokens, window)
    assert sorted(pairs) == sorted((b, a) for a, b in pairs)
    n = len(tokens)
    assert len(pairs) == 2 * sum(max(0, n - step) for step in range(1, window + 1))


def test_a_word_can_be_its_own_neighbour():
    assert skip_gram_pairs([4, 4], 1) == [(4, 4), (4, 4)]


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        skip_gram_pairs([1, 2], 0)


def test_the_loss_is_binary_cross_entropy_over_true_and_drawn_words():
    centre, context = random_tensor(9, 4), random_tensor(9, 4, seed=1)
    centres, contexts = torch.tensor([2, 5]), torch.tensor([3, 3])
    wrong = torch.tensor([[0, 1, 8], [4, 4, 7]])
    seen = torch.cat([contexts[:, None], wrong], dim=1)  # (2, 4)
    scores = (context[seen] * centre[centres][:, None]).sum(dim=-1)
    labels = torch.tensor([[1.0, 0, 0, 0]] * 2)
    expected = functional.binary_cross_entropy_with_logits(
        scores, labels, reduction="sum"
    )
    loss = skip_gram_loss(centre, context, centres, contexts, wrong)
    assert loss == pytest.approx(expected.item() / 2)


def moved(loss):
    tables = [random_tensor(20, 4, seed=s).requires_grad_() for s in (0, 1)]
    loss(*tables, torch.tensor([3]), torch.tensor([7])).backward()
    return [table.grad.any(dim=1).nonzero().flatten().tolist() for table in tables]


def test_negative_sampling_moves_few_rows_and_the_softmax_moves_all_of_one_side():
    drawn = torch.tensor([[10, 11, 12]])
    assert moved(lambda *a: skip_gram_loss(*a, drawn)) == [[3], [7, 10, 11, 12]]
    assert moved(softmax_loss) == [[3], list(range(20))]


SETTINGS = {"dim": 16, "epochs": 30, "learning_rate": 0.2}


def test_company_makes_neighbours_that_never_met():
    world = small_world()
    assert not any({"cat", "dog"} <= set(sentence) for sentence in world)
    learnt = train_skip_gram(world, **SETTINGS)
    pets = {word for word, traits in TRAITS.items() if traits == "pet"}
    for pet in pets:
        found = nearest(learnt[pet], learnt, 3, exclude=[pet])
        assert {word for word, _ in found} == pets - {pet}


@pytest.mark.parametrize("seed", [0, 1])
def test_in_a_world_of_traits_the_arithmetic_needs_no_rule(seed):
    learnt = train_skip_gram(small_world(), **SETTINGS, seed=seed)
    for a, b, c, d in trait_questions():
        assert analogy(a, b, c, False, k=1, table=learnt)[0][0] == d


def test_the_same_seed_gives_the_same_table_and_another_one_does_not():
    world = small_world()[:10]
    first, second = (train_skip_gram(world, epochs=2, seed=3) for _ in range(2))
    assert np.array_equal(first.vectors, second.vectors)
    other = train_skip_gram(world, epochs=2, seed=4)
    assert not np.allclose(first.vectors, other.vectors)


@pytest.mark.parametrize(
    "sentences, options, message",
    [
        ([], {}, "at least two different words"),
        ([["a", "a", "a"]], {}, "at least two different words"),
        ([["a"], ["b"]], {}, "no word has a neighbour"),
        ([["a", "b"]], {"dim": 0}, "must be at least 1"),
        ([["a", "b"]], {"negatives": 0}, "must be at least 1"),
        ([["a", "b"]], {"window": 0}, "window must be at least 1"),
    ],
)
def test_skip_gram_says_what_it_needs(sentences, options, message):
    with pytest.raises(ValueError, match=message):
        train_skip_gram(sentences, **options)


@pytest.mark.parametrize("observed", [0, 7])
def test_the_gradient_at_the_centre_is_expected_minus_observed(observed):
    context, centre = random_tensor(9, 4), random_tensor(4, seed=1).requires_grad_()
    functional.cross_entropy(context @ centre, torch.tensor(observed)).backward()
    ours = softmax_gradient(context, centre.detach(), observed)
    assert torch.allclose(ours, centre.grad, atol=1e-6)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_holds_at_least_one_pair(size):
    with pytest.raises(ValueError, match="batch_size"):
        train_skip_gram([["a", "b"]], batch_size=size)


def test_a_batch_of_all_pairs_takes_one_step_per_epoch():
    small = train_skip_gram([["a", "b"]], epochs=1, batch_size=1)
    whole = train_skip_gram([["a", "b"]], epochs=1, batch_size=100)
    assert not np.allclose(small.vectors, whole.vectors)
