"""Exercises of notebook 07."""

from __future__ import annotations

import math
from itertools import product, zip_longest

import numpy as np

from course_utils.classroom.check import Exercise, Mistake

# -- 7.1: batches of similar length ----------------------------------------------------

_LENGTHS = [
    ([9, 2, 8, 3], 2),
    ([5, 5, 5, 4, 4], 2),
    ([7, 1, 6, 2, 5, 3, 4], 3),
    ([3], 4),
    ([], 2),
]


def _reference_groups(lengths, batch_size):
    order = np.argsort(lengths, kind="stable")
    cuts = range(batch_size, len(order), batch_size)
    return [part.tolist() for part in np.split(order, cuts) if len(part)]


def _groups_of(order, batch_size):
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def _by(lengths, sign=1):
    return sorted(range(len(lengths)), key=lambda i: sign * lengths[i])


# -- 7.2: the gradient of the head -----------------------------------------------------

_rng = np.random.default_rng(7)
_HEADS = [
    # One text with two features, two classes, no opinion yet: p = (1/2, 1/2).
    (np.array([[2.0, 4.0]]), np.array([0]), np.zeros((2, 2))),
    (_rng.normal(size=(5, 3)), np.array([0, 3, 1, 2, 3]), _rng.normal(size=(4, 3))),
    (_rng.normal(size=(2, 6)), np.array([2, 2]), 9 * _rng.normal(size=(3, 6))),
    # Logits of 800 and more, where e to the logit is infinite.
    (
        np.array([[20.0, 10.0], [1.0, 0.0]]),
        np.array([0, 1]),
        np.array([[40.0, 1], [1, 9]]),
    ),
    (
        np.array([[-30.0, 1.0]]),
        np.array([1]),
        np.array([[-30.0, 0], [-29.99, 1], [9, 9]]),
    ),
]


def _reference_gradient(vectors, labels, weight):
    """What autograd finds."""
    import torch

    learnt = torch.tensor(weight, dtype=torch.float64, requires_grad=True)
    logits = torch.tensor(vectors, dtype=torch.float64) @ learnt.T
    torch.nn.functional.cross_entropy(logits, torch.tensor(labels)).backward()
    return learnt.grad.numpy()


def _errors(vectors, labels, weight):
    logits = vectors @ weight.T
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    return share, share - np.eye(len(weight))[labels]


def _naive_gradient(vectors, labels, weight):
    powers = np.exp(vectors @ weight.T)
    share = powers / powers.sum(axis=1, keepdims=True)
    return (share - np.eye(len(weight))[labels]).T @ vectors / len(vectors)


# -- 7.3: the learning rate ------------------------------------------------------------

_STEPS = [
    (0, 10, 1.0, 4),
    (2, 10, 1.0, 4),
    (4, 10, 1.0, 4),
    (7, 10, 1.0, 4),
    (10, 10, 1.0, 4),
    (0, 8, 0.2, 0),
    (6, 8, 0.2, 0),
    (3, 50, 0.3, 12),
    (20, 50, 0.0003, 12),
    (5, 50, 0.025, 12),
    (1, 3, 200.0, 2),
]


def _reference_rate(step, total, peak, warmup):
    if warmup == 0:
        return float(np.interp(step, [0, total], [peak, 0.0]))
    return float(np.interp(step, [0, warmup, total], [0.0, peak, 0.0]))


def _rising(step, total, peak, warmup):
    return peak * step / warmup


def _rate(before, after):
    def function(step, total, peak, warmup):
        chosen = before if step < warmup else after
        return chosen(step, total, peak, warmup)

    return function


# -- 7.5: early stopping ---------------------------------------------------------------

_CURVES = [
    ([0.9, 0.5, 0.6, 0.7, 0.8], 2),
    ([0.9, 0.5, 0.6, 0.4, 0.5, 0.6], 2),
    ([0.9, 0.5, 0.6, 0.55, 0.7, 0.3], 2),
    ([0.9, 0.8, 0.7], 2),
    ([0.5, 0.5, 0.5, 0.4], 3),
    ([0.3, 0.4, 0.2], 1),
    ([0.4], 1),
    ([0.5, 0.5, 0.5, 0.6], 3),
    ([0.7, 0.4, 0.4, 0.4], 2),
    ([0.9, 0.5, 0.6, 0.55, 0.58], 2),
]


def _reference_stop(losses, patience):
    """Through a table of all epochs at once instead of a loop with a counter."""
    values = np.asarray(losses)
    best_so_far = np.array([values[: n + 1].argmin() for n in range(len(values))])
    waited = np.arange(len(values)) - best_so_far
    stops = np.flatnonzero(waited >= patience)
    last = int(stops[0]) if len(stops) else len(values) - 1
    return int(best_so_far[last]) + 1, last + 1


def _stop_on_rises(losses, patience):
    rises = 0
    for epoch in range(1, len(losses)):
        rises = rises + 1 if losses[epoch] > losses[epoch - 1] else 0
        if rises == patience:
            return int(np.argmin(losses[: epoch + 1])) + 1, epoch + 1
    return int(np.argmin(losses)) + 1, len(losses)


def _stop_by_one_more(losses, patience):
    return _reference_stop(losses, patience + 1)


# -- 7.4: two models on the same texts -------------------------------------------------


def _answers(only_a, only_b, both, neither):
    """Right or wrong of two models, mixed so that no order helps."""
    pairs = [(True, False)] * only_a + [(False, True)] * only_b
    pairs += [(True, True)] * both + [(False, False)] * neither
    mixed = np.random.default_rng(7).permutation(len(pairs))
    a, b = zip(*(pairs[i] for i in mixed), strict=True)
    return list(a), list(b)


_DISPUTED = [
    ([True, True, True, False], [False, False, True, False]),
    _answers(5, 0, 10, 1),
    _answers(0, 5, 10, 1),
    _answers(7, 2, 8, 3),
    _answers(1, 4, 0, 0),
    _answers(3, 3, 5, 2),
    _answers(0, 0, 6, 2),
    _answers(0, 0, 0, 4),
    _answers(9, 4, 30, 7),
]


def _reference_paired(right_a, right_b):
    """From the mean of the differences: they are +1, 0 or -1."""
    gap = np.array(right_a, dtype=int) - np.array(right_b, dtype=int)
    spread = math.sqrt((gap**2).sum())
    return float(gap.sum() / spread) if spread else 0.0


def _as_two_polls(right_a, right_b):
    n, share = len(right_a), (sum(right_a) + sum(right_b)) / 2 / len(right_a)
    if share in (0, 1):
        return 0.0
    gap = (sum(right_a) - sum(right_b)) / n
    return gap / math.sqrt(2 * share * (1 - share) / n)


def _paired_with(error):
    def function(right_a, right_b):
        gap = sum(right_a) - sum(right_b)
        disputed = sum(a != b for a, b in zip(right_a, right_b, strict=True))
        return gap / error(disputed, len(right_a)) if disputed else 0.0

    return function


def _without_early_return(right_a, right_b):
    disputed = sum(a != b for a, b in zip(right_a, right_b, strict=True))
    return (sum(right_a) - sum(right_b)) / math.sqrt(disputed)


# -- 7.6: save without a gap -----------------------------------------------------------


class Disk:
    """Files in memory, and a power cut in the middle of one operation.

    ``write(name, text)`` and ``rename(old, new)`` are the operations. The one with the
    number ``cut`` (from 1) is interrupted: a write leaves half its text behind, a
    rename did not happen; whatever comes after it never reaches the disk.
    ``read(name)`` says what is there once the power is back, None if nothing is.
    """

    def __init__(self, files=None, cut=None):
        """Begin with some files; without ``cut`` the power stays on."""
        self.files, self.cut, self._done = dict(files or {}), cut, 0

    def __repr__(self):
        """The case in the sentence of a check."""
        when = "stays on" if self.cut is None else f"fails in operation {self.cut}"
        return f"Disk({self.files}, power {when})"

    def _begins(self):
        self._done += 1
        return self.cut is None or self._done < self.cut

    def write(self, name, text):
        """Replace the file's text, or create it."""
        if self._begins():
            self.files[name] = text
        elif self._done == self.cut:
            self.files[name] = text[: len(text) // 2]

    def rename(self, old, new):
        """Give a file another name; a file of that name is replaced at once."""
        if self._begins() and old in self.files:
            self.files[new] = self.files.pop(old)

    def read(self, name):
        """Text of a file, or None."""
        return self.files.get(name)


_DISKS = [
    (Disk({"run": "Epoch 1"}, cut), "run", "Epoch 2, rather long\n")
    for cut in (None, 1, 2)
] + [(Disk({"log": "a", "run": "Epoch 7"}, 2), "run", "Epoch 8 begins")]
_DISKS += [(Disk({}, cut), "new", " EPOCH 1") for cut in (None, 1)]


def _reference_save(disk, name, data):
    """What must be there: all of the new text or all of the old one."""
    return data if disk.cut is None else disk.read(name)


def _never_half(save):
    """Whatever the number of operations, and whichever of them is cut."""
    for files, cut in product(({"run": "old text"}, {}), range(1, 8)):
        disk = Disk(files, cut)
        said = save(disk, "run", "the new text")
        if disk.read("run") not in (files.get("run"), "the new text"):
            return False
        if said != disk.read("run"):
            return False
    return True


def _save_directly(disk, name, data):
    disk.write(name, data)
    return disk.read(name)


def _save_with_backup(disk, name, data):
    disk.rename(name, f"{name}.old")
    disk.write(name, data)
    return disk.read(name)


def _save_beside_only(disk, name, data):
    disk.write(f"{name}.new", data)
    return disk.read(name)


# -- 7.7: five broken runs -------------------------------------------------------------

HEALTHY, FROZEN, RATE = "healthy", "optimizer too early", "rate too high"
SHUFFLED, CARRIED, PADDING = "labels shuffled", "no zero_grad", "padding is read"


def _signs(moved, carried, padding, train, dev):
    return {
        "blocks moved": moved,
        "gradient carried over": carried,
        "shift by padding": padding,
        "right on train": train,
        "right on dev": dev,
    }


def sick_run(cause, minilm, news, rate=5e-4, epochs=3):
    """Train two blocks on prepared examples with one thing wrong, or none.

    Returns the model with the gradient that its next step would take, the examples as
    it saw them, and its last batch.
    """
    import torch
    from torch.nn import functional

    from course_utils import finetune

    model = finetune.Classifier(minilm, layers=2, dropout=0)
    if cause == PADDING:  # the last place is no longer the last token
        model.pool = lambda vectors, mask: vectors[:, -1]
    model.blocks.requires_grad_(cause != FROZEN)
    learning = [p for p in model.parameters() if p.requires_grad]
    rate = 100 * rate if cause == RATE else rate
    optimizer = torch.optim.AdamW(learning, rate, weight_decay=0.0, fused=True)
    model.blocks.requires_grad_(True)  # too late: the optimizer has its list
    order = torch.Generator().manual_seed(0)
    news = news.take(range(len(news)))  # a copy, its labels may be shuffled
    if cause == SHUFFLED:
        mixed = torch.randperm(len(news), generator=order)
        news = finetune.Examples(news.inputs, news.labels[mixed], news.made_for)

    def backward(batch):
        logits = model(batch.inputs, batch.mask)
        if cause != CARRIED:
            optimizer.zero_grad()
        functional.cross_entropy(logits, batch.labels).backward()

    for _epoch in range(epochs):
        for chosen in finetune.length_groups(news.lengths, 16, order):
            batch = news.batch(chosen)
            backward(batch)
            optimizer.step()
    backward(batch)
    return model, news, batch


def vital_signs(model, news, batch, dev, minilm):
    """Five numbers that any training can print, from what ``sick_run`` left."""
    import torch
    from torch.nn import functional

    from course_utils import finetune

    def size():
        grads = [p.grad for p in model.parameters()]
        return torch.nn.utils.get_total_norm(grads).item()

    kept = size()  # what the optimizer would see
    model.zero_grad()
    logits = model(batch.inputs, batch.mask)
    functional.cross_entropy(logits, batch.labels).backward()
    short, long = int(np.argmin(news.lengths)), int(np.argmax(news.lengths))
    with torch.no_grad():
        alone = model(*news.batch([short])[:2])[0]
        beside = model(*news.batch([short, long])[:2])[0]
    old = minilm.layers[-1].feed_forward.widen.weight
    new = model.blocks[-1].feed_forward.widen.weight
    return _signs(
        ((new - old).norm() / old.norm()).item(),
        kept / size(),
        (alone - beside).abs().max().item(),
        finetune.evaluate(model, news).accuracy,
        finetune.evaluate(model, dev).accuracy,
    )


_RUNS = [
    _signs(0.08, 1.0, 0.0, 0.9, 0.7),
    _signs(0.04, 1.0, 0.0000004, 0.8, 0.6),
    _signs(0.0, 1.0, 0.0, 0.5, 0.5),
    _signs(5.1, 1.0, 0.0, 0.2, 0.3),
    _signs(12.0, 1.0, 0.0, 0.3, 0.2),
    _signs(0.09, 1.0, 0.0, 0.7, 0.2),
    _signs(0.05, 1.0, 0.0, 0.4, 0.3),
    _signs(0.2, 7.3, 0.0, 0.9, 0.6),
    _signs(0.12, 3.4, 0.0000002, 0.8, 0.7),
    _signs(0.08, 1.0, 0.9, 0.9, 0.5),
    _signs(0.07, 1.0, 0.3, 0.7, 0.6),
    # Near 1 is not 1; dev may be far below train; a little too far is too far.
    _signs(0.0, 1.03, 0.0, 0.6, 0.55),
    _signs(0.1, 1.06, 0.0, 0.95, 0.6),
    _signs(0.1, 0.94, 0.0000001, 0.9, 0.45),
    _signs(1.4, 1.02, 0.0, 0.5, 0.6),
    _signs(0.9, 1.0, 0.0, 0.5, 0.6),
    # Exactly on the page's two borders: not less than its own size, not more than 0.4.
    _signs(1.0, 1.0, 0.0, 0.5, 0.6),
    _signs(0.08, 1.0, 0.0, 0.7, 0.4),
]


def diagnosis(signs):
    """A table of conditions, each true for one disease only."""
    moved, carried = signs["blocks moved"], signs["gradient carried over"]
    table = {
        FROZEN: moved == 0,
        RATE: moved >= 1,
        CARRIED: carried > 2,
        PADDING: signs["shift by padding"] > 0.01,
        SHUFFLED: 0 < moved < 1 and signs["right on dev"] <= 0.4,
    }
    return next((cause for cause, holds in table.items() if holds), HEALTHY)


def _diagnosis_without(cause, instead):
    def function(signs):
        found = diagnosis(signs)
        return instead if found == cause else found

    return function


def _diagnosis_exact_padding(signs):
    if signs["shift by padding"] != 0:
        return PADDING
    return diagnosis(signs)


def _diagnosis_exact_ratio(signs):
    found = diagnosis(signs)
    return (
        CARRIED if found == HEALTHY and signs["gradient carried over"] != 1 else found
    )


# -- 7.8: the collator -----------------------------------------------------------------

_ROWS = [
    ([[5, 6, 7], [8]],),
    ([[1, 2], [3, 4]],),
    ([[9], [9, 9, 9, 9], [9, 9]],),
    ([[4, 4, 4]],),
    ([[0, 5], [7]],),  # 0 is an id like any other
    ([[6], [6], [1, 0, 2], [8, 8], [3], [2, 1]],),
]


def _reference_collate(rows):
    columns = list(zip_longest(*rows))
    ids = [[0 if x is None else x for x in row] for row in zip(*columns, strict=True)]
    mask = [[int(x is not None) for x in row] for row in zip(*columns, strict=True)]
    return ids, mask


def _collate_to(width, rows):
    ids = [row + [0] * (width - len(row)) for row in rows]
    return ids, [[1] * len(row) + [0] * (width - len(row)) for row in rows]


def _collate_left(rows):
    width = max(map(len, rows))
    ids = [[0] * (width - len(row)) + row for row in rows]
    return ids, [[0] * (width - len(row)) + [1] * len(row) for row in rows]


def _collate_cut(rows):
    width = min(map(len, rows))
    return [row[:width] for row in rows], [[1] * width for _ in rows]


EXERCISES = (
    Exercise(
        id="7.1",
        title="Batches of similar length",
        cases=_LENGTHS,
        reference=_reference_groups,
        mistakes=[
            Mistake(
                "these batches are in the order of arrival: sort the places by their "
                "length first",
                lambda lengths, size: _groups_of(list(range(len(lengths))), size),
            ),
            Mistake(
                "the batches hold lengths: return the places, the labels must follow",
                lambda lengths, size: _groups_of(sorted(lengths), size),
            ),
            Mistake(
                "the last batch is missing when it is not full: its texts would never "
                "be seen",
                lambda lengths, size: [
                    g for g in _groups_of(_by(lengths), size) if len(g) == size
                ],
            ),
            Mistake(
                "the longest come first here: start with the shortest",
                lambda lengths, size: _groups_of(_by(lengths, sign=-1), size),
            ),
        ],
    ),
    Exercise(
        id="7.2",
        title="The gradient of the head",
        cases=_HEADS,
        reference=_reference_gradient,
        mistakes=[
            Mistake(
                "this is the sum over the texts: the loss is a mean, so divide by n",
                lambda x, y, w: _errors(x, y, w)[1].T @ x,
            ),
            Mistake(
                "the right answers never enter: subtract 1 from each text's own class",
                lambda x, y, w: _errors(x, y, w)[0].T @ x / len(x),
            ),
            Mistake(
                "the sign is turned round: this way a step downhill goes uphill",
                lambda x, y, w: -_errors(x, y, w)[1].T @ x / len(x),
            ),
            Mistake(
                "large logits overflow: use scipy's softmax, or subtract each row's "
                "largest logit before exp",
                _naive_gradient,
            ),
            Mistake(
                "this is (dim, classes): a gradient has the shape of its weight",
                lambda x, y, w: x.T @ _errors(x, y, w)[1] / len(x),
            ),
        ],
    ),
    Exercise(
        id="7.3",
        title="Warm up, then decay",
        cases=_STEPS,
        reference=_reference_rate,
        mistakes=[
            Mistake(
                "there is no warm-up: for step < warmup the rate climbs from 0",
                lambda step, total, peak, warmup: peak * (total - step) / total,
            ),
            Mistake(
                "the rate jumps at the end of the warm-up: the way down is "
                "total - warmup steps long, not total",
                _rate(_rising, lambda s, t, p, w: p * (t - s) / t),
            ),
            Mistake(
                "after the warm-up the rate must fall to 0 at total, not stay",
                _rate(_rising, lambda s, t, p, w: p),
            ),
            Mistake(
                "step 0 has rate 0 when there is a warm-up: count steps from 0",
                _rate(
                    lambda s, t, p, w: p * (s + 1) / w,
                    lambda s, t, p, w: p * (t - s) / (t - w),
                ),
            ),
        ],
    ),
    Exercise(
        id="7.5",
        title="Early stopping",
        cases=_CURVES,
        reference=_reference_stop,
        mistakes=[
            Mistake(
                "the last epoch is kept: go back to the one with the lowest loss",
                lambda losses, patience: (_reference_stop(losses, patience)[1],) * 2,
            ),
            Mistake(
                "rises in a row are counted: count the epochs since the best one, a "
                "small dip in between is no reason to go on",
                _stop_on_rises,
            ),
            Mistake(
                "you looked into the future: the lowest loss of the whole list may lie "
                "behind the stop",
                lambda losses, patience: (
                    int(np.argmin(losses)) + 1,
                    _reference_stop(losses, patience)[1],
                ),
            ),
            Mistake(
                "epochs are counted from 1 here",
                lambda losses, patience: tuple(
                    epoch - 1 for epoch in _reference_stop(losses, patience)
                ),
            ),
            Mistake(
                "one epoch too late: with patience 2, the second epoch without a new "
                "best one is the last",
                _stop_by_one_more,
            ),
        ],
    ),
    Exercise(
        id="7.4",
        title="Is it a difference?",
        cases=_DISPUTED,
        reference=_reference_paired,
        mistakes=[
            Mistake(
                "these are two polls of different people: both models read the same "
                "texts, so count where only one of them is right",
                _as_two_polls,
            ),
            Mistake(
                "all texts stand under the root: those on which both agree cannot tell "
                "the models apart, count the disputed ones",
                _paired_with(lambda disputed, n: math.sqrt(n)),
            ),
            Mistake(
                "this is the difference of the shares: divide the lead by the root of "
                "the number of disputed texts",
                _paired_with(lambda disputed, n: n),
            ),
            Mistake(
                "the root is missing: a lead in coin tosses scatters like the root of "
                "their number",
                _paired_with(lambda disputed, n: disputed),
            ),
            Mistake(
                "where nothing is disputed this divides by 0: return 0.0 first",
                _without_early_return,
            ),
            Mistake(
                "keep the sign: a difference below zero says that b is better",
                lambda a, b: abs(_reference_paired(a, b)),
            ),
        ],
    ),
    Exercise(
        id="7.6",
        title="Save without a gap",
        cases=_DISKS,
        reference=_reference_save,
        mistakes=[
            Mistake(
                "a cut in the middle of this write leaves half a file under the name: "
                "write under another name first",
                _save_directly,
            ),
            Mistake(
                "a write to the name itself can be cut in the middle, whatever came "
                "before: rename as the last step, it happens at once or not at all",
                _save_with_backup,
            ),
            Mistake(
                "the new text never gets its name: rename the file when it is whole",
                _save_beside_only,
            ),
        ],
        properties=[
            (
                "after a cut in a later operation the name holds neither the old text "
                "nor the new one: rename onto it, which replaces, as the last step",
                _never_half,
            )
        ],
    ),
    Exercise(
        id="7.7",
        title="Puzzle: five broken runs",
        cases=[(signs,) for signs in _RUNS],
        reference=diagnosis,
        mistakes=[
            Mistake(
                "a run whose blocks did not move at all is not healthy, however well "
                "its head does: who holds the parameters?",
                _diagnosis_without(FROZEN, HEALTHY),
            ),
            Mistake(
                "a gradient that is carried over can still reach a fine accuracy: look "
                "at the ratio, not at the result",
                _diagnosis_without(CARRIED, HEALTHY),
            ),
            Mistake(
                "a text must get the same answer alone and beside a longer one, even "
                "when the accuracy looks fine",
                _diagnosis_without(PADDING, HEALTHY),
            ),
            Mistake(
                "chance on dev has two causes here: weights that moved by more than "
                "their own size tell the high rate from the shuffled labels",
                _diagnosis_without(RATE, SHUFFLED),
            ),
            Mistake(
                "a ratio near 1 carries nothing over: a healthy run does not hit 1.0 "
                "exactly, ask whether it is far above 1",
                _diagnosis_exact_ratio,
            ),
            Mistake(
                "a shift of a ten-millionth is rounding, not a disease: compare with a "
                "small number, not with 0",
                _diagnosis_exact_padding,
            ),
        ],
    ),
    Exercise(
        id="7.8",
        title="Puzzle: expected length 13, got 15",
        cases=_ROWS,
        reference=_reference_collate,
        mistakes=[
            Mistake(
                "the mask says that the padding is text: 0 where you filled up",
                lambda rows: (
                    _reference_collate(rows)[0],
                    [[1] * max(map(len, rows)) for _ in rows],
                ),
            ),
            Mistake(
                "everything is padded to 512: the longest row of this batch is enough",
                lambda rows: _collate_to(512, rows),
            ),
            Mistake(
                "the padding stands on the left: BERT's positions count from the first "
                "token, so fill up on the right",
                _collate_left,
            ),
            Mistake(
                "the mask is read off the ids, and an id that is 0 itself becomes "
                "padding: build it from the lengths",
                lambda rows: (
                    _reference_collate(rows)[0],
                    [[int(i != 0) for i in row] for row in _reference_collate(rows)[0]],
                ),
            ),
            Mistake("texts are cut to the shortest: nothing may be lost", _collate_cut),
        ],
    ),
)
