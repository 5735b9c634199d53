"""Exercises of notebook 06."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.spatial.distance import cdist, pdist
from scipy.special import log_softmax, logsumexp, softmax

from course_utils.classroom.check import Exercise, Mistake


def _random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _unit(vectors):
    return vectors / vectors.norm(dim=-1, keepdim=True)


def _cosines(a, b):
    return 1 - cdist(a.numpy(), b.numpy(), "cosine")


def _rows(rows):
    return torch.tensor(rows, dtype=torch.float64)


# -- 6.1: InfoNCE ----------------------------------------------------------------------

# By hand: both anchors right and at right angles, ln(1 + exp(-1 / temperature)); then
# long vectors, where a dot product is no cosine; then rectangular random ones.
_NCE_CASES = [
    (_rows([[1, 0], [0, 1]]), _rows([[1, 0], [0, 1]]), 1.0),
    (_rows([[3, 0], [0, 2]]), _rows([[5, 0], [1, 1]]), 0.5),
    (_random(4, 6), _random(4, 6, seed=1), 0.05),
    (_random(3, 5, seed=2), 2 * _random(3, 5, seed=3), 0.2),
    (_random(4, 6), _random(4, 6, seed=5), 0.001),  # e to the 1000 is infinite
]


def _reference_nce(anchors, positives, temperature):
    scores = _cosines(anchors, positives) / temperature
    return float(np.mean(logsumexp(scores, axis=1) - np.diagonal(scores)))


def _nce(scores):
    return float(-np.diagonal(log_softmax(scores, axis=1)).mean())


def _nce_without_the_right_one(anchors, positives, temperature):
    scores = _cosines(anchors, positives) / temperature
    wrong = np.where(np.eye(len(scores), dtype=bool), -np.inf, scores)
    return float(np.mean(logsumexp(wrong, axis=1) - np.diagonal(scores)))


# -- 6.2: recall -----------------------------------------------------------------------

_RECALL_CASES = [
    (_rows([[1, 0], [0, 1]]), _rows([[2, 1], [1, 3]])),
    (_rows([[1, 0], [0, 1], [1, 1]]), _rows([[1, 0], [1, 0], [1, 1]])),
    (torch.ones(4, 3, dtype=torch.float64), torch.ones(4, 3, dtype=torch.float64)),
    # The long vector wins every dot product and no cosine; rows and columns differ.
    (_rows([[1, 0.2], [1, 0.5], [0, 1]]), _rows([[1, 0], [9, 9], [-1, 3]])),
    (_rows([[1, 0], [1, 0.1]]), _rows([[-1, 3], [-3, 1]])),
    # Nobody is near, the own positive least far away; one dimension is much larger.
    (_rows([[1, 0], [0, 1]]), _rows([[-1, -9], [-9, -1]])),
    (_rows([[9, 1], [9, -1], [9, 2]]), _rows([[8, 1], [9, -1], [-9, 9]])),
    (_rows([[10, 1], [10, -1]]), _rows([[10, 0], [1, 3]])),
    # Better than one, worse than the other, better than the mean of both.
    (_rows([[1, 0], [0, 1], [1, 1]]), _rows([[2, 1], [0, 1], [3, 1]])),
    # Ahead by less than the tolerance, and by more.
    *(
        (_rows([[10, 0], [0, 1]]), _rows([[0.6 + gap, 0.8 - 0.75 * gap], [0.6, 0.8]]))
        for gap in (7e-7, 1.5e-6)
    ),
]


def _reference_recall(anchors, positives):
    scores = _cosines(anchors, positives)
    own = np.diagonal(scores)
    others = np.where(np.eye(len(own), dtype=bool), -np.inf, scores)
    return float(np.mean(own > others.max(axis=1) + 1e-6))


def _recall_against(scores_of, other):
    """Compare the own score with something else than the best of the others."""

    def recall(anchors, positives):
        scores = scores_of(anchors, positives)
        own, rest = np.diagonal(scores), ~np.eye(len(scores), dtype=bool)
        rows = zip(own, scores, rest, strict=True)
        return float(np.mean([o > other(row[r]) + 1e-6 for o, row, r in rows]))

    return recall


def _recall_columns(anchors, positives):
    return _reference_recall(positives, anchors)


def _recall_by_argmax(anchors, positives):
    best = _cosines(anchors, positives).round(9).argmax(axis=1)
    return float(np.mean(best == np.arange(len(best))))


def _recall_by_dot(anchors, positives):
    scores = (anchors @ positives.T).numpy()
    own = np.diagonal(scores)
    others = np.where(np.eye(len(own), dtype=bool), -np.inf, scores)
    return float(np.mean(own > others.max(axis=1)))


# -- 6.3: alignment and uniformity -----------------------------------------------------

_SPACE_CASES = [
    (_rows([[1, 0], [-1, 0]]), _rows([[0, 1], [-1, 0]])),
    (_rows([[2, 0], [0, 3]]), _rows([[4, 0], [0, 1]])),
    (_random(5, 3), _random(5, 3, seed=1)),
]


def _reference_space(anchors, positives):
    a, p = _unit(anchors).numpy(), _unit(positives).numpy()
    aligned = np.mean(np.diagonal(cdist(a, p, "sqeuclidean")))
    everybody = np.concatenate([a, p])
    spread = np.log(np.mean(np.exp(-2 * pdist(everybody, "sqeuclidean"))))
    return float(aligned), float(spread)


def _space(anchors, positives, power=2, self_pairs=False, log=True, unit=True):
    if unit:
        anchors, positives = _unit(anchors), _unit(positives)
    a, p = anchors.numpy(), positives.numpy()
    aligned = np.mean(np.diagonal(cdist(a, p)) ** power)
    both = np.concatenate([a, p])
    far = cdist(both, both).ravel() if self_pairs else pdist(both)
    spread = np.mean(np.exp(-2 * far**power))
    return float(aligned), float(np.log(spread) if log else spread)


def _space_anchors_only(anchors, positives):
    aligned, _ = _reference_space(anchors, positives)
    spread = np.exp(-2 * pdist(_unit(anchors).numpy(), "sqeuclidean"))
    return aligned, float(np.log(np.mean(spread)))


# -- 6.4: who pushes -------------------------------------------------------------------

_PUSH_CASES = [
    (_rows([0.5, 0.5]), 0.1),
    (_rows([0.9, 0.1, -0.3]), 0.05),
    (_rows([0.9, 0.1, -0.3]), 1.0),
    (_rows([0.7, 0.6, 0.2, 0.0, -0.5]), 0.2),
    (_rows([0.4]), 0.2),
    (_rows([0.91, 0.905, 0.3]), 0.001),
    (_rows([0.123, 0.118, 0.114]), 0.01),
]


def _reference_push(wrong_cosines, temperature):
    """Through the slope of the loss; the right answer's cosine cancels out."""
    scores = torch.cat([_rows([0.8]), wrong_cosines]).requires_grad_()
    loss = torch.nn.functional.cross_entropy(
        scores[None] / temperature, torch.tensor([0])
    )
    (slope,) = torch.autograd.grad(loss, scores)
    return slope[1:] / slope[1:].sum()


def _push_of(weights):
    return torch.as_tensor(weights / weights.sum())


# -- 6.5: hard negatives ---------------------------------------------------------------

_HARD_CASES = [
    (_rows([[1, 0], [0, 1]]), _rows([[1, 0], [0, 1]]), _rows([[1, 0], [0, 1]]), 1.0),
    (_random(3, 5), _random(3, 5, seed=1), _random(3, 5, seed=2), 0.2),
    (_random(4, 6), _random(4, 6, seed=3), _random(4, 6, seed=4), 0.05),
    (_random(3, 5), _random(3, 5, seed=6), _random(3, 5, seed=7), 0.001),
]


def _reference_hard(anchors, positives, hard_negatives, temperature):
    scores = _cosines(anchors, torch.cat([positives, hard_negatives])) / temperature
    right = np.diagonal(scores[:, : len(anchors)])
    return float(np.mean(logsumexp(scores, axis=1) - right))


def _hard_own_only(anchors, positives, hard_negatives, temperature):
    scores = _cosines(anchors, positives) / temperature
    own = np.diagonal(_cosines(anchors, hard_negatives) / temperature)[:, None]
    everybody = np.concatenate([scores, own], axis=1)
    return float(np.mean(logsumexp(everybody, axis=1) - np.diagonal(scores)))


def _hard_without_the_batch(anchors, positives, hard_negatives, temperature):
    right = np.diagonal(_cosines(anchors, positives) / temperature)
    own = np.diagonal(_cosines(anchors, hard_negatives) / temperature)
    return float(np.mean(np.logaddexp(right, own) - right))


def _hard_in_front(anchors, positives, hard_negatives, temperature):
    scores = _cosines(anchors, torch.cat([hard_negatives, positives])) / temperature
    wrong = np.diagonal(scores[:, : len(anchors)])
    return float(np.mean(logsumexp(scores, axis=1) - wrong))


# -- 6.6: the floor --------------------------------------------------------------------

_FLOOR_CASES = [(2, 1.0), (32, 1.0), (8, 0.5), (32, 0.05), (64, 0.2), (16, 0.125)]


def _reference_floor(batch_size, temperature):
    """Build the corners of a regular simplex and take their loss."""
    corners = np.eye(batch_size) - 1 / batch_size
    cosines = 1 - cdist(corners, corners, "cosine")
    return _nce(cosines / temperature)


def _floor(batch_size, wrong, temperature):
    return math.log1p((batch_size - 1) * math.exp((wrong - 1) / temperature))


# -- 6.7: batches without twins --------------------------------------------------------

_BATCH_CASES = [
    (["a", "a", "b", "c"], 2),
    (["a", "b", "c", "a", "b", "c", "a"], 3),
    (["a", "b", "b", "b", "c", "d"], 3),
    (["a", "a", "a"], 4),
    (list("abcdefg"), 3),
    ([], 3),
]


def _reference_batches(keys, size):
    """Put each row into the first batch that has room and not yet its key."""
    batches = []
    for row, key in enumerate(keys):
        for batch in batches:
            if len(batch) < size and key not in {keys[other] for other in batch}:
                batch.append(row)
                break
        else:
            batches.append([row])
    return batches


def _batches_cut(keys, size):
    return [list(range(i, min(i + size, len(keys)))) for i in range(0, len(keys), size)]


def _batches_lose_twins(keys, size):
    kept = [row for row, key in enumerate(keys) if key not in keys[:row]]
    return [kept[i : i + size] for i in range(0, len(kept), size)]


def _batches_lose_within(keys, size):
    return [
        [row for row in batch if keys[row] not in [keys[r] for r in batch if r < row]]
        for batch in _batches_cut(keys, size)
    ]


def _batches_stop_at_twins(keys, size):
    batches, seen = [], set()
    for row, key in enumerate(keys):
        if not batches or len(batches[-1]) == size or key in seen:
            batches.append([])
            seen = set()
        batches[-1].append(row)
        seen.add(key)
    return batches


# -- 6.8: triplets ---------------------------------------------------------------------

_NLI = [
    ("A dog runs.", "An animal moves.", "entailment"),
    ("A dog runs.", "The dog is brown.", "neutral"),
    ("A cat sleeps.", "The cat is awake.", "contradiction"),
    ("A dog runs.", "The dog sits still.", "contradiction"),
    ("It rains.", "Water falls.", "entailment"),
    ("A cat sleeps.", "A pet rests.", "entailment"),
    ("It snows.", "It is hot.", "contradiction"),
    ("A dog runs.", "Something moves.", "entailment"),  # one more for the first premise
]
_NLI_CASES = [(_NLI,), (_NLI[:2],), (_NLI[3:5],), (_NLI[::-1],), ([],)]


def _reference_triplets(rows):
    import pandas as pd

    frame = pd.DataFrame(rows, columns=["premise", "hypothesis", "label"])
    yes = frame[frame.label == "entailment"]
    no = frame[frame.label == "contradiction"]
    joined = yes.merge(no, on="premise", how="inner", suffixes=("_yes", "_no"))
    columns = joined[["premise", "hypothesis_yes", "hypothesis_no"]]
    return list(columns.itertuples(index=False, name=None))


def _by_premise(rows, label):
    return {premise: other for premise, other, found in rows if found == label}


def _triplets_by_premise(rows):
    yes, no = _by_premise(rows, "entailment"), _by_premise(rows, "contradiction")
    return [(premise, yes[premise], no[premise]) for premise in yes if premise in no]


def _triplets_by_contradiction(rows):
    yes = _by_premise(rows, "entailment")
    return [
        (premise, yes[premise], other)
        for premise, other, label in rows
        if label == "contradiction" and premise in yes
    ]


def _triplets_exchanged(rows):
    return [(premise, no, yes) for premise, yes, no in _reference_triplets(rows)]


def _triplets_with_neutral(rows):
    yes, no = _by_premise(rows, "entailment"), _by_premise(rows, "neutral")
    return [(premise, yes[premise], no[premise]) for premise in yes if premise in no]


def _triplets_with_gaps(rows):
    no = _by_premise(rows, "contradiction")
    return [
        (premise, other, no.get(premise))
        for premise, other, label in rows
        if label == "entailment"
    ]


def _pairs_only(rows):
    return [(premise, other) for premise, other, label in rows if label == "entailment"]


EXERCISES = (
    Exercise(
        id="6.1",
        title="InfoNCE in three lines",
        cases=_NCE_CASES,
        reference=_reference_nce,
        mistakes=[
            Mistake(
                "the temperature is missing: divide the cosines by it",
                lambda a, p, t: _nce(_cosines(a, p)),
            ),
            Mistake(
                "the cosines are multiplied by the temperature: divide, so that a "
                "small one makes differences large",
                lambda a, p, t: _nce(_cosines(a, p) * t),
            ),
            Mistake(
                "these are dot products: scale every vector to length 1 first",
                lambda a, p, t: _nce((a @ p.T).numpy() / t),
            ),
            Mistake(
                "every positive looks for its anchor here: the softmax goes over the "
                "candidates of one anchor, along the row",
                lambda a, p, t: _reference_nce(p, a, t),
            ),
            Mistake(
                "the softmax is taken twice: cross_entropy wants the scores themselves",
                lambda a, p, t: _nce(softmax(_cosines(a, p) / t, axis=1)),
            ),
            Mistake(
                "the losses are added up: take their mean over the batch",
                lambda a, p, t: len(a) * _reference_nce(a, p, t),
            ),
            Mistake(
                "the right candidate is missing below the line: the sum goes over all "
                "candidates, the positive too",
                _nce_without_the_right_one,
            ),
        ],
    ),
    Exercise(
        id="6.2",
        title="Recall at 1",
        cases=_RECALL_CASES,
        reference=_reference_recall,
        mistakes=[
            Mistake(
                "argmax gives a tie to the first row: a space in which all vectors are "
                "equal would find something. Ask for strictly more than every other",
                _recall_by_argmax,
            ),
            Mistake(
                "rows and columns are exchanged: each anchor searches the positives",
                _recall_columns,
            ),
            Mistake(
                "the own cosine is compared with the mean of the others: it must beat "
                "the best of them",
                _recall_against(_cosines, np.mean),
            ),
            Mistake(
                "0 stands on the diagonal, and beats every negative cosine: write "
                "minus infinity there",
                _recall_against(_cosines, lambda others: max(0.0, others.max())),
            ),
            Mistake(
                "this is the number of hits: divide by the number of anchors",
                lambda a, p: len(a) * _reference_recall(a, p),
            ),
            Mistake(
                "dot products favour long vectors: compare cosines",
                _recall_by_dot,
            ),
        ],
    ),
    Exercise(
        id="6.3",
        title="Alignment and uniformity",
        cases=_SPACE_CASES,
        reference=_reference_space,
        mistakes=[
            Mistake(
                "the distances are not squared",
                lambda a, p: _space(a, p, power=1),
            ),
            Mistake(
                "each vector is compared with itself too, which is always 0 away: "
                "leave the diagonal out",
                lambda a, p: _space(a, p, self_pairs=True),
            ),
            Mistake(
                "the logarithm of the mean is missing in the uniformity",
                lambda a, p: _space(a, p, log=False),
            ),
            Mistake(
                "scale the vectors to length 1 first: the space is a sphere",
                lambda a, p: _space(a, p, unit=False),
            ),
            Mistake(
                "uniformity is about all vectors: put anchors and positives together",
                _space_anchors_only,
            ),
        ],
    ),
    Exercise(
        id="6.4",
        title="Who pushes?",
        cases=_PUSH_CASES,
        reference=_reference_push,
        mistakes=[
            Mistake(
                "everybody pushes alike here: closer candidates push more",
                lambda c, t: _push_of(torch.ones_like(c)),
            ),
            Mistake(
                "the temperature is missing: divide the cosines by it first",
                lambda c, t: c.softmax(0),
            ),
            Mistake(
                "multiplied by the temperature: divide, or a small one would make all "
                "alike",
                lambda c, t: (c * t).softmax(0),
            ),
            Mistake(
                "shares must sum to 1: divide by their sum",
                lambda c, t: (c / t).exp(),
            ),
            Mistake(
                "farther candidates push more here: the sign is wrong",
                lambda c, t: (-c / t).softmax(0),
            ),
        ],
    ),
    Exercise(
        id="6.5",
        title="Hard negatives",
        cases=_HARD_CASES,
        reference=_reference_hard,
        mistakes=[
            Mistake(
                "each anchor meets only its own hard negative here: once embedded they "
                "are wrong answers for every anchor, (batch, 2 · batch) scores",
                _hard_own_only,
            ),
            Mistake(
                "the other rows of the batch are gone: hard negatives come on top",
                _hard_without_the_batch,
            ),
            Mistake(
                "row i is taught that its hard negative is right: positives go first, "
                "so that column i is the right one",
                _hard_in_front,
            ),
            Mistake(
                "the hard negatives take no part: append them to the candidates",
                lambda a, p, h, t: _reference_nce(a, p, t),
            ),
        ],
    ),
    Exercise(
        id="6.6",
        title="Puzzle: stuck at 2.488",
        cases=_FLOOR_CASES,
        reference=_reference_floor,
        mistakes=[
            Mistake(
                "wrong cosines of 0 are not the best: vectors can stand at more than a "
                "right angle, at -1 / (batch - 1)",
                lambda b, t: _floor(b, 0.0, t),
            ),
            Mistake(
                "no batch of more than two can have every wrong cosine at -1: three "
                "directions cannot all be opposite",
                lambda b, t: _floor(b, -1.0, t),
            ),
            Mistake(
                "this is the loss when all scores are equal, before any training",
                lambda b, t: math.log(b),
            ),
            Mistake(
                "the cosines are multiplied by the temperature: divide",
                lambda b, t: _floor(b, -1 / (b - 1), 1 / t),
            ),
            Mistake(
                "the logarithm's sum starts with the right candidate: "
                "ln(1 + (batch - 1) · e^…)",
                lambda b, t: math.log(b - 1) - b / (b - 1) / t,
            ),
        ],
    ),
    Exercise(
        id="6.7",
        title="Puzzle: stuck at 0.693",
        cases=_BATCH_CASES,
        reference=_reference_batches,
        mistakes=[
            Mistake(
                "twins still share a batch: a row whose key is in the batch waits",
                _batches_cut,
            ),
            Mistake(
                "rows are lost: a twin is not thrown away, it waits for a later batch",
                _batches_lose_twins,
            ),
            Mistake(
                "rows are lost: the twin that is taken out must come back in a later "
                "batch",
                _batches_lose_within,
            ),
            Mistake(
                "a twin ends the batch here, and many batches stay short: let it wait "
                "and go on with the next row",
                _batches_stop_at_twins,
            ),
        ],
    ),
    Exercise(
        id="6.8",
        title="Puzzle: training made it worse",
        cases=_NLI_CASES,
        reference=_reference_triplets,
        mistakes=[
            Mistake(
                "this is what the loader did: every row becomes a pair, whatever its "
                "label says",
                lambda rows: [(premise, other) for premise, other, _ in rows],
            ),
            Mistake(
                "the contradictions stand in the place of the positives",
                _triplets_exchanged,
            ),
            Mistake(
                "a premise has one triplet at most here: walk over the entailments, "
                "each makes one, and put the contradictions into a dictionary",
                _triplets_by_premise,
            ),
            Mistake(
                "these are in the order of the contradictions: walk over the "
                "entailments",
                _triplets_by_contradiction,
            ),
            Mistake(
                "neutral is not wrong enough: take the contradiction as hard negative",
                _triplets_with_neutral,
            ),
            Mistake(
                "a premise without a contradiction makes no triplet: leave it out",
                _triplets_with_gaps,
            ),
            Mistake(
                "the entailments are kept and the contradictions thrown away: they are "
                "the best hard negatives there are",
                _pairs_only,
            ),
        ],
    ),
)
