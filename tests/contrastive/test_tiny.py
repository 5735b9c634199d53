"""A language of 118 words, and an encoder that learns it while the tests run."""

import math
from itertools import chain

import numpy as np
import pytest
import torch

from course_utils import contrastive
from course_utils.contrastive.tiny import (
    Meaning,
    TinyEncoder,
    toy_ids,
    toy_language,
    toy_nli,
    toy_pairs,
    toy_vectors,
)


@pytest.fixture(scope="module")
def language():
    return toy_language()


# -- the language ----------------------------------------------------------------------


def test_the_two_ways_to_tell_an_event_share_no_word(language):
    for part in language:
        for active, passive, _ in part.texts:
            assert not set(active.split()) & set(passive.split())


def test_the_exchanged_roles_are_the_same_bag_of_words(language):
    for _, passive, exchanged in language[1].texts:
        assert passive != exchanged
        assert sorted(passive.split()) == sorted(exchanged.split())


def test_no_event_is_tested_that_was_learnt_with_or_without_exchanged_roles(language):
    train, test = language
    learnt = {text for row in train.texts for text in row[:2]}
    assert len({row[0] for row in train.texts}) == len(train) == 5_000
    assert len({row[0] for row in test.texts}) == len(test) == 500
    assert not learnt & set(chain.from_iterable(test.texts))
    meaning = Meaning(agent=1, action=2, patient=3, place=4)
    assert meaning.swapped().swapped() == meaning != meaning.swapped()


def test_every_word_of_the_test_was_met_in_training(language):
    learnt, tested = (
        {word for row in part.texts for text in row for word in text.split()}
        for part in language
    )
    assert tested <= learnt and len(learnt) == 118


def test_the_same_seed_draws_the_same_language():
    texts = [toy_language(5, 5, seed)[0].texts for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]


def test_numbers_stand_for_words():
    ids = toy_ids(["the king hid the cook in the shop"])
    assert ids.shape == (1, 8)
    assert ids[0, 0] == ids[0, 3] == ids[0, 6] and len(set(ids[0].tolist())) == 6


def test_inference_rows_are_one_of_each_label_per_premise(language):
    train, test = language
    rows = toy_nli(train, count=50)
    assert len(rows) == 150
    labels = {}
    for premise, hypothesis, label in rows:
        labels.setdefault(premise, {})[label] = hypothesis
    partner = {row[0]: row for row in train.texts[:50]}
    for premise, by_label in labels.items():
        assert by_label["entailment"] == partner[premise][1]
        assert by_label["contradiction"] == partner[premise][2]
        places = [by_label[label].split()[2] for label in ("entailment", "neutral")]
        assert places[0] != places[1]
    assert rows != sorted(rows) and rows == toy_nli(train, count=50)
    assert not labels.keys() & {row[0] for row in test.texts}


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: toy_ids(["the queen hid"]), "'queen' is no word"),
        (lambda: toy_ids(["the king", "the king hid"]), r"got \[2, 3\]"),
        (lambda: toy_pairs([("the king",)]), r"lengths \[1\]"),
        (lambda: toy_pairs([("the",), ("the", "king")]), r"lengths \[1, 2\]"),
        (lambda: toy_pairs([]), r"lengths \[\]"),
        (lambda: toy_language(0, 5), "cannot draw 0 \\+ 5"),
        (lambda: toy_language(40_000, 5), "2 to 40,000"),
        (lambda: toy_nli(toy_language(3, 1)[0], 4), "4 premises need"),
        (lambda: toy_nli(toy_pairs([("the king", "the cook")]), 1), "triplets"),
    ],
)
def test_bad_rows_are_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


# -- the encoder -----------------------------------------------------------------------


def test_vectors_have_length_one_and_order_counts(language):
    _, test = language
    anchors, positives, exchanged = toy_vectors(TinyEncoder(), test)
    assert anchors.shape == positives.shape == exchanged.shape == (500, 64)
    torch.testing.assert_close(anchors.norm(dim=1), torch.ones(500))
    assert not torch.allclose(positives, exchanged, atol=1e-4)


def test_without_positions_exchanged_roles_are_the_same_vector(language):
    _, test = language
    _, positives, exchanged = toy_vectors(TinyEncoder(positions=False), test)
    torch.testing.assert_close(positives, exchanged)


def test_the_seed_decides_the_weights_and_leaves_torchs_state_alone():
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    one, same, other = (TinyEncoder(seed=seed) for seed in (0, 0, 1))
    assert torch.rand(1) == wanted
    assert torch.equal(one.words, same.words) and not torch.equal(
        one.words, other.words
    )


# -- training --------------------------------------------------------------------------


def trained(language, steps, seed=0, positions=True, **options):
    """(recall@1, right roles, losses) on unseen sentences after some steps."""
    train, test = language
    network = TinyEncoder(seed=seed, positions=positions)
    losses = contrastive.train_tiny(network, train, steps, seed=seed, **options)
    vectors = toy_vectors(network, test)
    return (
        contrastive.recall_at_1(*vectors[:2]),
        contrastive.swap_accuracy(*vectors),
        losses,
    )


def test_before_training_hardly_anything_is_found(language):
    vectors = toy_vectors(TinyEncoder(), language[1])
    assert contrastive.recall_at_1(*vectors[:2]) < 0.02


@pytest.mark.parametrize("seed", [0, 1])
def test_the_partner_is_found_yet_the_roles_stay_at_chance(language, seed):
    recall, roles, losses = trained(language, 60, seed)
    assert recall >= 0.95
    assert 0.4 < roles < 0.6
    assert losses[0] == pytest.approx(math.log(64), abs=0.5)
    assert losses[-1] < 0.2


@pytest.mark.parametrize("seed", [0, 1])
def test_hard_negatives_teach_the_roles(language, seed):
    recall, roles, losses = trained(language, 160, seed, hard_negatives=True)
    assert recall >= 0.95 and roles >= 0.95
    shelf = np.array(losses[30:])
    assert (abs(shelf - math.log(2)) < 0.1).sum() >= 10  # it rests at ln 2 first


def test_without_positions_the_roles_cannot_be_learnt(language):
    recall, roles, losses = trained(language, 80, positions=False, hard_negatives=True)
    assert recall >= 0.95 and roles == pytest.approx(0.5, abs=0.1)
    assert np.mean(losses[-10:]) >= math.log(2) - 0.01


def test_without_negatives_the_space_collapses(language):
    def pull(anchors, positives, _):
        return (1 - (anchors * positives).sum(dim=1)).mean()

    train, test = language
    network = TinyEncoder()
    losses = contrastive.train_tiny(network, train, 60, loss=pull)
    anchors, positives, _ = toy_vectors(network, test)
    assert losses[-1] < 1e-3
    assert (anchors @ positives.T).mean() > 0.999  # also between unrelated ones
    assert contrastive.uniformity(anchors) > -0.01
    assert contrastive.recall_at_1(anchors, positives) < 0.25


def test_contradictions_as_positives_make_it_worse(language):
    train, test = language
    rows = [row[:2] for row in toy_nli(train)]
    network = TinyEncoder()
    contrastive.train_tiny(network, train, 160, hard_negatives=True)
    before = contrastive.swap_accuracy(*toy_vectors(network, test))
    contrastive.train_tiny(network, toy_pairs(rows), 80, learning_rate=5e-3)
    after = contrastive.swap_accuracy(*toy_vectors(network, test))
    assert after < before - 0.05


def test_the_same_seed_gives_the_same_losses(language):
    runs = [trained(language, 5, seed)[2] for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_no_pair_is_twice_in_a_batch():
    """A batch of all pairs: with copies the loss could not fall below ln 2."""
    train, _ = toy_language(32, 1)
    network = TinyEncoder()
    losses = contrastive.train_tiny(network, train, 60, batch_size=32)
    assert losses[-1] < 0.1


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"batch_size": 7}, "a batch of 7 cannot be drawn from 6"),
        ({"batch_size": 0}, "a batch of 0"),
        ({"batch_size": 1}, "two pairs or more"),
        ({"temperature": 0, "batch_size": 3}, "temperature must be above 0"),
        ({"hard_negatives": True, "batch_size": 3}, "give triplets"),
    ],
)
def test_training_on_nothing_is_refused(options, sentence):
    train, _ = toy_language(6, 1)
    if options.get("hard_negatives"):
        train = toy_pairs([row[:2] for row in train.texts])
    with pytest.raises(ValueError, match=sentence):
        contrastive.train_tiny(TinyEncoder(), train, 1, **options)
