"""Two towers: the loss, pictures towards captions, users and items."""

import numpy as np
import pytest
import torch

from course_utils import contrastive
from course_utils.applications import two_towers


def rows(n, dim=6, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def test_without_keys_it_is_the_loss_of_notebook_06():
    left, right = rows(5), rows(5, seed=1)
    ours = two_towers.matching_loss(left, right)
    theirs = contrastive.info_nce(left, right, symmetric=True)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_keys_that_all_differ_change_nothing():
    left, right = rows(4), rows(4, seed=1)
    plain = two_towers.matching_loss(left, right)
    assert two_towers.matching_loss(left, right, torch.arange(4)) == plain


def test_a_twin_is_no_wrong_answer():
    left = torch.eye(3)[[0, 0, 1]]
    masked = two_towers.matching_loss(left, left, torch.tensor([7, 7, 8]), 1.0)
    alone = two_towers.matching_loss(torch.eye(2), torch.eye(2), temperature=1.0)
    # Two rows see one wrong answer each, the third sees two.
    third = float(torch.log1p(2 * torch.exp(torch.tensor(-1.0))))
    assert masked.item() == pytest.approx((2 * alone.item() + third) / 3, rel=1e-5)


@pytest.mark.parametrize(
    "left, right, keys, sentence",
    [
        (rows(3), rows(4), None, "unlike shape"),
        (rows(3), rows(3), torch.arange(2), "as many keys"),
        (rows(3), rows(3), torch.zeros(3), "one thing only"),
        (rows(1), rows(1), None, "one thing only"),
    ],
)
def test_a_batch_without_a_question_is_refused(left, right, keys, sentence):
    with pytest.raises(ValueError, match=sentence):
        two_towers.matching_loss(left, right, keys)


def test_a_tower_leaves_the_global_random_state_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    a, b = two_towers.tower(4, 5, 6, seed=1), two_towers.tower(4, 5, 6, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(a[0].weight, b[0].weight)


@pytest.fixture(scope="module")
def blobs():
    shown = np.arange(120) % 3
    pictures = torch.eye(3)[torch.as_tensor(shown)].repeat(1, 4) + 0.1 * rows(120, 12)
    return (
        pictures,
        shown,
        torch.nn.functional.normalize(rows(3, 8, seed=2), dim=1)[None],
    )


def test_pictures_land_at_their_captions_and_seeds_repeat(blobs):
    pictures, shown, captions = blobs
    nets = [
        two_towers.learn_pictures(pictures, shown, captions, steps=60, batch=32)
        for _ in range(2)
    ]
    one, two = (two_towers.seen(net, pictures) for net in nets)
    assert torch.equal(one, two)
    assert ((one @ captions[0].T).argmax(dim=1).numpy() == shown).mean() > 0.95


def test_broken_pictures_are_refused(blobs):
    pictures, shown, captions = blobs
    broken = pictures.clone()
    broken[3, 0] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        two_towers.learn_pictures(broken, shown, captions)
    with pytest.raises(ValueError, match="do not fill a batch"):
        two_towers.learn_pictures(pictures[:9], shown[:9], captions)
    with pytest.raises(ValueError, match="pictures"):
        two_towers.learn_pictures(pictures, shown[:9], captions)


@pytest.fixture(scope="module")
def log():
    texts = rows(60, 16).numpy()
    return texts, two_towers.simulate_log(texts, users=200, choices=8, seed=0)


def test_a_log_holds_its_promises(log):
    _, log = log
    assert log.train.shape == (200, 60) and (log.train.sum(axis=1) == 8).all()
    assert log.cold.sum() == 10 and not log.train[:, log.cold].any()
    assert not log.train[np.arange(200), log.test].any()
    assert log.cold[log.test_cold].all() and not log.cold[log.test].any()


def test_the_same_seed_gives_the_same_log(log):
    texts, log = log
    again = two_towers.simulate_log(texts, users=200, choices=8, seed=0)
    assert all(map(np.array_equal, log, again))


def test_two_towers_beat_popularity_and_chance(log):
    texts, log = log
    users, items = two_towers.learn_users(log.train, texts, steps=80)
    allowed = ~log.cold & ~log.train
    learnt = two_towers.recall_at(users @ items.T, log.test, allowed)
    popular = np.tile(log.train.sum(axis=0), (200, 1))
    assert learnt > two_towers.recall_at(popular, log.test, allowed)
    assert two_towers.recall_at(users @ items.T, log.test_cold, log.cold, 3) > 0.35


def test_an_item_that_nobody_chose_keeps_an_id_of_zeros(log):
    texts, log = log
    _, with_ids = two_towers.learn_users(log.train, texts, ids=True, steps=5)
    same = texts.copy()
    cold = np.flatnonzero(log.cold)
    same[cold[0]] = same[cold[1]]
    _, items = two_towers.learn_users(log.train, same, ids=True, steps=5)
    assert np.allclose(items[cold[0]], items[cold[1]], atol=1e-5)
    assert with_ids.shape == (60, 32)


def test_recall_by_hand_with_ties_and_refusals():
    scores = np.array([[3.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
    every = np.ones(3, dtype=bool)
    assert two_towers.recall_at(scores, [1, 0], every, k=1) == pytest.approx(1 / 6)
    assert two_towers.recall_at(scores, [0, 0], every, k=3) == 1.0
    allowed = np.array([[False, True, True]] * 2)
    assert two_towers.recall_at(scores, [1, 1], allowed, k=1) == 0.75
    with pytest.raises(ValueError, match="not allowed"):
        two_towers.recall_at(scores, [0, 0], allowed)
    with pytest.raises(ValueError, match="wanted"):
        two_towers.recall_at(scores * np.nan, [0, 0], every)
    with pytest.raises(ValueError, match="for 60 texts"):
        two_towers.learn_users(np.ones((3, 5)), np.eye(60))
