"""CBOW: by hand, by property, and against skip-gram."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from course_utils.lookup.cbow import NOBODY, cbow_loss, cbow_windows, train_cbow
from course_utils.lookup.skipgram import skip_gram_loss, skip_gram_pairs
from course_utils.lookup.words import nearest
from course_utils.lookup.world import TRAITS, small_world

steady = settings(derandomize=True, deadline=None, max_examples=60)


def random_tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@steady
@given(st.lists(st.integers(0, 4), max_size=12), st.integers(1, 4))
def test_windows_hold_the_pairs_of_skip_gram(tokens, window):
    rows = cbow_windows(tokens, window)
    assert {len(row) for row in rows} <= {1 + 2 * window}
    pairs = [(row[0], near) for row in rows for near in row[1:] if near != NOBODY]
    assert pairs == skip_gram_pairs(tokens, window)


def test_a_word_alone_has_no_window():
    assert cbow_windows([3], 2) == [] and cbow_windows([], 2) == []


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        cbow_windows([1, 2], 0)


def test_the_rows_of_a_window_are_averaged_and_nobody_does_not_count():
    inputs, outputs = random_tensor(9, 4), random_tensor(9, 4, seed=1)
    windows = torch.tensor([[2, 5, NOBODY, NOBODY], [1, 1, 3, 8]])
    centres, wrong = torch.tensor([4, 0]), torch.tensor([[0, 7], [6, 6]])
    means = torch.stack([inputs[[2, 5]].mean(dim=0), inputs[[1, 1, 3, 8]].mean(dim=0)])
    seen = torch.cat([centres[:, None], wrong], dim=1)  # (2, 3)
    scores = (outputs[seen] * means[:, None]).sum(dim=-1)
    labels = torch.tensor([[1.0, 0, 0]] * 2)
    expected = functional.binary_cross_entropy_with_logits(
        scores, labels, reduction="sum"
    )
    loss = cbow_loss(inputs, outputs, windows, centres, wrong)
    assert loss == pytest.approx(expected.item() / 2)


def test_with_one_neighbour_it_is_the_loss_of_skip_gram():
    inputs, outputs = random_tensor(9, 4), random_tensor(9, 4, seed=1)
    near, centres = torch.tensor([2, 5]), torch.tensor([4, 0])
    wrong = torch.tensor([[0, 7], [6, 6]])
    one = cbow_loss(inputs, outputs, near[:, None], centres, wrong)
    assert one == pytest.approx(
        skip_gram_loss(inputs, outputs, near, centres, wrong).item()
    )


def test_company_makes_neighbours_that_never_met():
    settings = {"dim": 16, "epochs": 30, "learning_rate": 0.4, "batch_size": 256}
    learnt = train_cbow(small_world(), **settings)
    pets = {word for word, traits in TRAITS.items() if traits == "pet"}
    for pet in pets:
        found = nearest(learnt[pet], learnt, 3, exclude=[pet])
        assert {word for word, _ in found} == pets - {pet}


def test_the_same_seed_gives_the_same_table_and_another_one_does_not():
    world = small_world()[:10]
    first, second = (train_cbow(world, epochs=2, seed=3) for _ in range(2))
    assert np.array_equal(first.vectors, second.vectors)
    assert not np.allclose(first.vectors, train_cbow(world, epochs=2).vectors)


@pytest.mark.parametrize(
    "sentences, message",
    [
        ([["a", "a"]], "at least two different words"),
        ([["a"], ["b"]], "no word has a neighbour"),
    ],
)
def test_cbow_says_what_it_needs(sentences, message):
    with pytest.raises(ValueError, match=message):
        train_cbow(sentences)
