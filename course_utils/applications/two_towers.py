"""Two towers, one space: pictures and captions, items and the users who chose them.

Built in notebook 10. A tower maps what it gets to a vector of length 1; the loss of
notebook 06 pulls what belongs together. Papers: Radford et al. 2021 (arXiv 2103.00020),
Yi et al. 2019 (doi 10.1145/3298689.3346996).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from course_utils.applications.inputs import checked

# -- pictures and captions -------------------------------------------------------------


def tower(inputs: int, hidden: int, outputs: int, seed: int = 0) -> nn.Sequential:
    """Two linear layers with a GELU between them; ``normalize`` what comes out.

    Args:
        inputs, hidden, outputs: numbers per row before, between and after the layers.
        seed: of the first weights; the global random state is left as it was.

    >>> net = tower(64, 16, 8)
    >>> net(torch.zeros(5, 64)).shape
    torch.Size([5, 8])
    >>> torch.equal(net[0].weight, tower(64, 16, 8)[0].weight)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first, second = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
    return nn.Sequential(first, nn.GELU(), second)


def matching_loss(
    left: Tensor,
    right: Tensor,
    keys: Tensor | None = None,
    temperature: float = 0.05,
) -> Tensor:
    """The loss of notebook 06 in both directions; false negatives can be masked.

    Args:
        left: (batch, dim), of any length.
        right: (batch, dim); row i belongs to row i of ``left``.
        keys: (batch,) what each pair shows. Other rows with the same key are no wrong
            answers, and are left out. Without keys every other row is wrong.
        temperature: cosines are divided by it.

    Returns:
        The mean over both directions, in nats.

    Raises:
        ValueError: shapes do not fit, or no row has a wrong answer left.

    Equals ``contrastive.info_nce(left, right, temperature, symmetric=True)`` without
    keys.

    >>> one = torch.eye(2)
    >>> round(matching_loss(one, one, temperature=1.0).item(), 4)  # ln(1 + 1/e)
    0.3133
    """
    if left.ndim != 2 or left.shape != right.shape:
        raise ValueError(f"pairs of unlike shape: {left.shape} and {right.shape}")
    scores = normalize(left, dim=1) @ normalize(right, dim=1).T / temperature
    answer = torch.arange(len(left))  # scores: (batch, batch)
    if keys is not None:
        if len(keys) != len(left):
            raise ValueError(f"{len(left)} pairs need as many keys, got {len(keys)}")
        twins = (keys[:, None] == keys[None]) & (answer[:, None] != answer[None])
        scores = scores.masked_fill(twins, -torch.inf)
    if not (scores > -torch.inf).sum(dim=1).gt(1).any():
        raise ValueError("no row has a wrong answer: the batch shows one thing only")
    return (cross_entropy(scores, answer) + cross_entropy(scores.T, answer)) / 2


def learn_pictures(
    pictures: Tensor,
    shown: Sequence[int],
    captions: Tensor,
    mask: bool = True,
    steps: int = 300,
    batch: int = 64,
    seed: int = 0,
) -> nn.Sequential:
    """Train an image tower towards the frozen vectors of captions.

    Args:
        pictures: (n, pixels), between 0 and 1.
        shown: (n,) the class of each picture; it chooses among the captions.
        captions: (wordings, classes, dim), frozen text vectors.
        mask: whether pictures of the same class count as no wrong answers.
        steps, batch, seed: of the training.

    Returns:
        The tower; ``normalize(tower(pictures))`` lies in the space of the captions.

    Raises:
        ValueError: NaN in the pictures, fewer of them than a batch, unlike shapes.

    >>> pictures, words = torch.eye(4), torch.eye(4)[None]  # one wording, four classes
    >>> net = learn_pictures(pictures, [0, 1, 2, 3], words, steps=50, batch=4)
    >>> (seen(net, pictures) @ words[0].T).argmax(dim=1).tolist()
    [0, 1, 2, 3]
    """
    shown = torch.as_tensor(np.asarray(shown))
    if pictures.ndim != 2 or len(pictures) != len(shown):
        raise ValueError(f"pictures {tuple(pictures.shape)}, {len(shown)} classes")
    if not torch.isfinite(pictures).all():
        raise ValueError("the pictures hold NaN or infinity")
    if len(pictures) < batch:
        raise ValueError(f"{len(pictures)} pictures do not fill a batch of {batch}")
    net = tower(pictures.shape[1], 256, captions.shape[2], seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        rows = torch.as_tensor(rng.choice(len(pictures), batch, replace=False))
        wording = torch.as_tensor(rng.integers(len(captions), size=batch))
        keys = shown[rows]
        loss = matching_loss(
            net(pictures[rows]), captions[wording, keys], keys if mask else None
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


@torch.no_grad()
def seen(net: nn.Module, rows: Tensor) -> Tensor:
    """Vectors of length 1 of a trained tower, without a gradient: (n, dim).

    >>> seen(nn.Identity(), torch.tensor([[3.0, 4.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    return normalize(net(rows), dim=1)


# -- users and items -------------------------------------------------------------------


class Log(NamedTuple):
    """What users chose: ``train`` (users, items) of 0 and 1, ``test`` one later choice.

    ``cold`` marks the items that nobody could choose before: new ones.
    """

    train: np.ndarray  # (users, items)
    test: np.ndarray  # (users,) an item that was on sale before
    test_cold: np.ndarray  # (users,) a new item
    cold: np.ndarray  # (items,)


def simulate_log(
    texts: np.ndarray, users: int = 1000, choices: int = 20, seed: int = 0
) -> Log:
    """Invent users who choose among items, by taste and by fashion.

    A user's taste looks at eight random directions of the text vectors and at four
    traits that no text tells; each item has a popularity besides. Choices are drawn by
    softmax (Gumbel noise) without repeating one. A sixth of the items is new: it is
    chosen once, at the end.

    Args:
        texts: (items, dim) vectors of the items' texts.
        users, choices: how many users, and how many choices of each before the last.
        seed: everything random comes from it.

    Raises:
        ValueError: fewer items than choices leave room for.

    >>> log = simulate_log(np.eye(30), users=5, choices=6)
    >>> log.train.sum(axis=1).tolist(), int(log.cold.sum())
    ([6, 6, 6, 6, 6], 5)
    """
    texts, rng = checked(texts, name="texts"), np.random.default_rng(seed)
    items = len(texts)
    cold = np.zeros(items, dtype=bool)
    cold[rng.choice(items, items // 6, replace=False)] = True
    if (~cold).sum() < choices + 2:
        raise ValueError(
            f"{items} items are too few for {choices} choices of each user"
        )
    told = (texts - texts.mean(axis=0)) @ rng.normal(size=(texts.shape[1], 8))
    hidden = rng.normal(size=(items, 4))
    traits = np.hstack([told / told.std(axis=0), hidden])  # (items, 12)
    utility = rng.normal(size=(users, 12)) @ traits.T * 0.7 + rng.normal(size=items)
    utility += rng.gumbel(size=utility.shape)
    warm = np.where(cold, -np.inf, utility)
    order = np.argsort(-warm, axis=1)[:, : choices + 1]
    last = rng.integers(choices + 1, size=users)  # any of them may be the later one
    every = np.arange(users)
    train = np.zeros((users, items), dtype=bool)
    train[every[:, None], order] = True
    test = order[every, last]
    train[every, test] = False
    new = np.where(cold, utility, -np.inf).argmax(axis=1)
    return Log(train, test, new, cold)


def learn_users(
    log: np.ndarray,
    texts: np.ndarray,
    ids: bool = True,
    steps: int = 200,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Two towers: a user is what was chosen, an item its text (and its own row).

    The user tower is a table with one row per item; a user is the mean of the rows of
    the items chosen, without the one that is asked for. The item tower is a linear map
    of the text, plus a row of its own. A batch asks: which of these items did this user
    choose? Popular items come up as wrong answers more often; the logarithm of their
    frequency is taken off while training (Yi et al. 2019), or they would be punished.

    Args:
        log: (users, items) of 0 and 1.
        texts: (items, dim).
        ids: whether an item has a row of its own besides its text. An item without a
            choice keeps the row it began with, zeros.
        steps, seed: of the training, batches of 256 choices.

    Returns:
        Users (users, 32) and items (items, 32): the larger the product, the better the
        fit.

    Raises:
        ValueError: as many items as texts are needed, every user needs two choices.

    >>> log = simulate_log(np.eye(30), users=60, choices=6)
    >>> users, items = learn_users(log.train, np.eye(30), steps=5)
    >>> users.shape, items.shape
    ((60, 32), (30, 32))
    """
    log, texts = np.asarray(log, dtype=bool), checked(texts, name="texts")
    if log.ndim != 2 or log.shape[1] != len(texts) or log.sum(axis=1).min() < 2:
        raise ValueError(f"a log {log.shape} for {len(texts)} texts, 2 choices each")
    width, rng = 32, np.random.default_rng(seed)
    chosen = torch.as_tensor(log, dtype=torch.float32)
    features = torch.as_tensor(texts - texts.mean(axis=0), dtype=torch.float32)
    users, items = np.nonzero(log)
    frequency = torch.log(chosen.sum(dim=0) + 1) - float(np.log(len(items)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        history = nn.Parameter(torch.randn(len(texts), width) * 0.1)
        of_text = nn.Parameter(torch.randn(texts.shape[1], width) * 0.1)
    own = nn.Parameter(torch.zeros(len(texts), width), requires_grad=ids)
    trained = [history, of_text, own] if ids else [history, of_text]
    optimizer = torch.optim.AdamW(trained, lr=2e-2, weight_decay=0.01)
    for _ in range(steps):
        rows = rng.choice(len(users), 256, replace=False)
        user, item = torch.as_tensor(users[rows]), torch.as_tensor(items[rows])
        before = chosen[user].clone()
        before[torch.arange(256), item] = 0  # the answer does not stand in the question
        left = before @ history / before.sum(dim=1, keepdim=True)
        right = features[item] @ of_text + own[item]
        scores = left @ right.T - frequency[item]  # (256, 256)
        taken = chosen[user][:, item].bool()  # the user chose this one as well
        taken.fill_diagonal_(False)
        scores = scores.masked_fill(taken, -torch.inf)
        loss = cross_entropy(scores, torch.arange(256))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        left = chosen @ history / chosen.sum(dim=1, keepdim=True)
        right = features @ of_text + own
    return left.numpy(), right.numpy()


def recall_at(
    scores: np.ndarray, wanted: Sequence[int], allowed: np.ndarray, k: int = 10
) -> float:
    """Share of users whose wanted item is among the k best of the allowed ones.

    Of items with equal scores any may be shown: they count by their chance.

    Args:
        scores: (users, items), higher is better.
        wanted: (users,) an item each.
        allowed: (users, items) or (items,): what may be shown at all (nothing that the
            user has already).
        k: how many are shown.

    Raises:
        ValueError: shapes do not fit, a score is NaN, or a wanted item is not allowed.

    >>> recall_at(np.array([[0.9, 0.5, 0.1]]), [1], np.array([True] * 3), k=1)
    0.0
    """
    scores, wanted = np.asarray(scores, float), np.asarray(wanted)
    allowed = np.broadcast_to(np.asarray(allowed, bool), scores.shape)
    every = np.arange(len(scores))
    if wanted.shape != every.shape or np.isnan(scores).any() or k < 1:
        raise ValueError(f"scores {scores.shape}, {wanted.shape} wanted items, k {k}")
    if not allowed[every, wanted].all():
        raise ValueError("a wanted item is not allowed: it could never be found")
    own = scores[every, wanted][:, None]
    better = (np.where(allowed, scores, -np.inf) > own).sum(axis=1)
    level = (np.where(allowed, scores, -np.inf) == own).sum(axis=1)  # itself included
    return float(((k - better) / level).clip(0, 1).mean())
