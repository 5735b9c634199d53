"""Exercises of notebook 04, and the patients of its puzzle."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_utils.classroom.check import Exercise, Mistake


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# -- 4.1: attention --------------------------------------------------------------------

_HAND = (
    torch.tensor([[2.0, 0.0], [0.0, 2.0]]),
    torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
    torch.tensor([[1.0, 0.0, 0.0, 9.0], [0.0, 1.0, 0.0, 9.0], [0.0, 0.0, 1.0, 9.0]]),
)
_ATTEND_CASES = [
    _HAND,
    (_random(5, 8), _random(3, 8, seed=1), _random(3, 6, seed=2)),
    (_random(1, 4), _random(1, 4, seed=1), _random(1, 2, seed=2)),
    tuple(_random(2, 3, 5, 6, seed=seed) for seed in range(3)),
    # Scores above 100, where e to the score is infinite in single precision.
    (_random(3, 4), 400 * _random(5, 4, seed=1), _random(5, 2, seed=2)),
    (900 * _random(2, 6), _random(4, 6, seed=1), _random(4, 3, seed=2)),
]


def _library_attention(q, k, v):
    see = torch.eye(k.shape[-2]).expand(*k.shape[:-2], -1, -1)
    call = functional.scaled_dot_product_attention
    return call(q, k, v), call(q, k, see)  # with the identity as values: the weights


def _attend_with(scale: Callable, axis: int = -1):
    def attend(q, k, v):
        scores = torch.einsum("...id,...jd->...ij", q, k) * scale(q, k)
        weights = torch.softmax(scores, dim=axis)
        return weights @ v, weights

    return attend


def _attend_naively(q, k, v):
    powers = (q @ k.transpose(-2, -1) * _root(q, k)).exp()
    weights = powers / powers.sum(dim=-1, keepdim=True)
    return weights @ v, weights


def _root(q, k):
    return q.shape[-1] ** -0.5


# -- 4.2: masks ------------------------------------------------------------------------

_MASK_CASES = [
    (torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 50.0]]), torch.tensor([True, True, 0])),
    (_random(4, 6), torch.tensor([0, 1, 1, 0, 1, 0])),
    (-_random(2, 5).abs() - 3, torch.tensor([0, 0, 1, 0, 0])),
    (_random(3, 2), torch.tensor([1, 1])),
    (torch.tensor([[-99.0, 5.0], [-98.0, -7.0]]), torch.tensor([1, 0])),
    # Scores can be as low as any number that is not infinite, and as high.
    (
        torch.tensor([[-150.0, -100.0, -151.0], [-2e4, 0.0, -2e4]]),
        torch.tensor([1, 0, 1]),
    ),
    (
        torch.tensor([[120.0, 100.0, 119.0], [300.0, 0.0, 301.0]]),
        torch.tensor([1, 0, 1]),
    ),
]
_MASK_CASES = [(scores, mask.bool()) for scores, mask in _MASK_CASES]


def _hidden_are_zero(masked):
    """Exactly 0, not nearly: also where no visible score is high."""
    return all(
        bool(
            (torch.as_tensor(masked(scores.clone(), mask.clone()))[:, ~mask] == 0).all()
        )
        for scores, mask in _MASK_CASES
    )


def _filled(number):
    return lambda scores, mask: scores.masked_fill(~mask, number).softmax(-1)


def _reference_masked(scores, mask):
    """Leave the hidden keys out altogether, then put zeros where they were."""
    weights = torch.zeros_like(scores)
    weights[:, mask] = functional.softmax(scores[:, mask], dim=1)
    return weights


def _masked_naively(scores, mask):
    powers = scores.exp() * mask
    return powers / powers.sum(dim=-1, keepdim=True)


# -- 4.3: heads ------------------------------------------------------------------------

_HEAD_CASES = [
    (torch.arange(24.0).view(4, 6), 3),
    (torch.arange(12.0).view(3, 4), 2),
    (_random(5, 6), 1),
    (_random(2, 6), 6),
]


def _reference_split(x, heads):
    return torch.stack(x.chunk(heads, dim=1))


# -- 4.4: parameters -------------------------------------------------------------------


def _count(*parts: nn.Module) -> int:
    return sum(p.numel() for part in parts for p in part.parameters())


@cache
def _library_parameters(dim: int, inner: int) -> tuple[int, int, int]:
    block = nn.TransformerEncoderLayer(dim, 1, inner, device="meta")
    return (
        _count(block.self_attn),
        _count(block.linear1, block.linear2),
        _count(block.norm1, block.norm2),
    )


# -- 4.5: the block --------------------------------------------------------------------


class _Part(nn.Module):
    """One part of a library block, so that both see the same weights."""

    def __init__(self, block: nn.Module, name: str) -> None:
        super().__init__()
        self.block, self.name = block, name

    def forward(self, x: Tensor) -> Tensor:
        if self.name == "attend":
            return self.block.self_attn(x, x, x, need_weights=False)[0]
        if self.name == "feed":
            return self.block.linear2(functional.gelu(self.block.linear1(x)))
        return getattr(self.block, self.name)(x)

    def __repr__(self) -> str:
        return self.name


def _block_case(seed: int, tokens: int) -> tuple:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        block = nn.TransformerEncoderLayer(
            6, 3, 10, dropout=0.0, activation="gelu", batch_first=True
        )
        for norm in (block.norm1, block.norm2):
            nn.init.normal_(norm.weight, 1.0, 0.3)
    block.double().requires_grad_(False).eval()
    parts = (_Part(block, name) for name in ("attend", "norm1", "feed", "norm2"))
    return (_random(2, tokens, 6, seed=seed).double(), *parts)


def _library_block(hidden, attend, norm_1, feed, norm_2):
    return attend.block(hidden)  # norm_first=False: the library's default is post-LN


# -- 4.6: what was handed over ---------------------------------------------------------

_HANDED_CASES = [
    (
        torch.tensor([[[0.5, 0.5], [1.0, 0.0]]]),
        torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]),
    ),
    (_random(3, 5, 5).softmax(-1), _random(3, 5, 6, seed=1)),
    (_random(1, 4, 4).softmax(-1), _random(1, 4, 2, seed=1)),
    # Rows that sum to 1/2, as dropout leaves them: no sum over givers is hidden.
    (_random(2, 3, 3).softmax(-1) / 2, _random(2, 3, 5, seed=1)),
    (_random(2, 4, 4).softmax(-1).triu(), _random(2, 4, 3, seed=2)),
]


def _reference_handed(weights, values):
    """Write every single delivery out as a vector, measure it, add up."""
    deliveries = weights.unsqueeze(-1) * values.unsqueeze(1)  # (heads, to, from, dim)
    return torch.linalg.vector_norm(deliveries, dim=-1).sum(dim=(0, 1))


# -- puzzles 4.7 and 4.8: five sick attentions -----------------------------------------

DISEASES = (
    "inverted scale",
    "no scale",
    "softmax over the wrong axis",
    "mask after softmax",
    "transposed weights",
)


@dataclass(frozen=True)
class Patient:
    """One attention with projections, healthy or with one disease.

    Called with x (tokens, inputs), three matrices (outputs, inputs) as ``nn.Linear``
    stores them and a mask (tokens,), it returns output and weights.
    """

    name: str
    disease: str = ""

    def __repr__(self) -> str:
        """The name alone: the disease is for the learner to find."""
        return self.name

    def __call__(
        self,
        x: Tensor,
        w_q: Tensor,
        w_k: Tensor,
        w_v: Tensor,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend, in sickness or in health."""
        if self.disease == "transposed weights":
            w_q, w_k, w_v = w_q.T, w_k.T, w_v.T
        q, k, v = x @ w_q.T, x @ w_k.T, x @ w_v.T
        power = {"inverted scale": 0.5, "no scale": 0.0}.get(self.disease, -0.5)
        scores = q @ k.T * q.shape[-1] ** power
        late = self.disease == "mask after softmax"
        if mask is not None and not late:
            scores = scores.masked_fill(~mask, -1e9)
        axis = 0 if self.disease == "softmax over the wrong axis" else 1
        weights = scores.softmax(dim=axis)
        if mask is not None and late:
            weights = weights * mask
        return weights @ v, weights


HEALTHY = Patient("healthy")
# In another order than the list of diseases, so that the letters give nothing away.
PATIENTS = {
    letter: Patient(f"patient {letter}", DISEASES[number])
    for letter, number in zip("ABCDE", (3, 1, 4, 0, 2), strict=True)
}


class _ByLibrary:
    """A healthy attention in other words: no test may ask for the last bit."""

    def __call__(self, x, w_q, w_k, w_v, mask=None):
        q, k, v = (functional.linear(x, w) for w in (w_q, w_k, w_v))
        seen = None if mask is None else mask.expand(len(x), -1)
        call = functional.scaled_dot_product_attention
        return call(q, k, v, seen), call(q, k, torch.eye(len(x)), seen)

    def __repr__(self) -> str:
        return "the healthy one of the library"


def passes(test: Callable) -> Callable[[Callable], bool]:
    """Whether an attention passes a test, that is, whether the test raises nothing."""

    def verdict(attention: Callable) -> bool:
        try:
            test(attention)
        except NotImplementedError:
            raise
        except Exception:
            return False
        return True

    return verdict


def mutation_score(test: Callable) -> str:
    """How many of the five a test kills, and whether it spares the healthy."""
    survives = passes(test)
    try:
        killed = [name for name, patient in PATIENTS.items() if not survives(patient)]
        spared = survives(HEALTHY) and survives(_ByLibrary())
    except NotImplementedError:
        return "not started"
    names = f" ({', '.join(killed)})" if killed else ""
    return (
        f"kills {len(killed)} of {len(PATIENTS)}{names}; "
        f"the healthy ones {'live' if spared else 'die too'}"
    )


def _diagnosis(**changes: str) -> dict[str, str]:
    right = {name: patient.disease for name, patient in PATIENTS.items()}
    return right | {name: right[other] for name, other in changes.items()}


def _survives_only(*letters: str):
    """Behave like a test that the healthy and these patients pass."""
    alive = {HEALTHY.name, *(PATIENTS[letter].name for letter in letters)}
    return lambda attention: (
        repr(attention) in alive or isinstance(attention, _ByLibrary)
    )


EXERCISES = (
    Exercise(
        id="4.1",
        title="Scaled dot-product attention",
        cases=_ATTEND_CASES,
        reference=_library_attention,
        mistakes=[
            Mistake(
                "the scores are not scaled: divide them by the square root of the "
                "dimension of q",
                _attend_with(lambda q, k: 1.0),
            ),
            Mistake(
                "the scale is upside down: large scores must become smaller, divide",
                _attend_with(lambda q, k: q.shape[-1] ** 0.5),
            ),
            Mistake(
                "divided by the dimension itself: the spread of a sum of d products "
                "grows with the root of d",
                _attend_with(lambda q, k: 1 / q.shape[-1]),
            ),
            Mistake(
                "scaled by the number of keys: d is the length of one query",
                _attend_with(lambda q, k: k.shape[-2] ** -0.5),
            ),
            Mistake(
                "the softmax runs over the queries: each query's row must sum to 1",
                _attend_with(_root, axis=-2),
            ),
            Mistake(
                "large scores overflow: torch's softmax subtracts the largest first, "
                "exp / sum does not",
                _attend_naively,
            ),
            Mistake(
                "the two results are swapped: the output first, then the weights",
                lambda q, k, v: _library_attention(q, k, v)[::-1],
            ),
        ],
    ),
    Exercise(
        id="4.2",
        title="Hide keys",
        cases=_MASK_CASES,
        reference=_reference_masked,
        mistakes=[
            Mistake(
                "masked after the softmax: the rows no longer sum to 1, since the "
                "hidden keys have taken their share already",
                lambda scores, mask: scores.softmax(-1) * mask,
            ),
            Mistake(
                "a score of 0 is not low: e to the 0 is 1. Hidden keys need minus "
                "infinity",
                lambda scores, mask: (scores * mask).softmax(-1),
            ),
            Mistake(
                "the mask is read the other way round: True is a key that may be seen",
                lambda scores, mask: scores.masked_fill(mask, -math.inf).softmax(-1),
            ),
            Mistake(
                "the softmax runs over the queries: each row must sum to 1",
                lambda scores, mask: scores.masked_fill(~mask, -1e9).softmax(0),
            ),
            Mistake(
                "nothing is hidden yet: the mask is not used",
                lambda scores, mask: scores.softmax(-1),
            ),
            Mistake(
                "a fixed low number is not low enough: where the visible scores are "
                "as low, hidden keys are seen. Take minus infinity",
                _filled(-100.0),
            ),
            Mistake(
                "large scores overflow: use torch's softmax, which subtracts the "
                "largest first",
                _masked_naively,
            ),
        ],
        properties=[("hidden keys get exactly 0, not nearly", _hidden_are_zero)],
    ),
    Exercise(
        id="4.3",
        title="Split into heads",
        cases=_HEAD_CASES,
        reference=_reference_split,
        mistakes=[
            Mistake(
                "the numbers are cut across the tokens: view as (tokens, heads, "
                "head dim) first, then swap the first two axes",
                lambda x, heads: x.reshape(heads, len(x), -1),
            ),
            Mistake(
                "tokens and heads still have to change places",
                lambda x, heads: x.reshape(len(x), heads, -1),
            ),
            Mistake(
                "the slices must be contiguous: head 0 gets the first numbers, not "
                "every heads-th",
                lambda x, heads: torch.stack([x[:, h::heads] for h in range(heads)]),
            ),
            Mistake(
                "the last two axes are swapped: (heads, tokens, head dim)",
                lambda x, heads: _reference_split(x, heads).transpose(1, 2),
            ),
        ],
    ),
    Exercise(
        id="4.4",
        title="Count a block",
        cases=[(768, 3072), (384, 1536), (6, 10), (4, 4), (1, 1)],
        reference=_library_parameters,
        mistakes=[
            Mistake(
                "the biases are missing: every map has one number per output",
                lambda d, i: (4 * d * d, 2 * d * i, 4 * d),
            ),
            Mistake(
                "attention has four maps: query, key, value, and the output projection",
                lambda d, i: (3 * (d * d + d), 2 * d * i + d + i, 4 * d),
            ),
            Mistake(
                "a layer norm has a scale and a shift for each number, and there are "
                "two norms",
                lambda d, i: (4 * (d * d + d), 2 * d * i + d + i, 2 * d),
            ),
            Mistake(
                "the feed-forward network has two maps: to the inner size and back",
                lambda d, i: (4 * (d * d + d), d * i + i, 4 * d),
            ),
        ],
    ),
    Exercise(
        id="4.5",
        title="Wire the block, post-LN",
        cases=[_block_case(0, 4), _block_case(1, 5), _block_case(2, 1)],
        reference=_library_block,
        mistakes=[
            Mistake(
                "this is pre-LN, as in GPT-2: BERT adds first and normalises the sum",
                lambda x, attend, norm_1, feed, norm_2: (
                    (y := x + attend(norm_1(x))) + feed(norm_2(y))
                ),
            ),
            Mistake(
                "the residuals are missing: add what went into each half",
                lambda x, attend, norm_1, feed, norm_2: norm_2(feed(norm_1(attend(x)))),
            ),
            Mistake(
                "the norm belongs around the sum, not around what is added",
                lambda x, attend, norm_1, feed, norm_2: (
                    (y := x + norm_1(attend(x))) + norm_2(feed(y))
                ),
            ),
            Mistake(
                "the second half starts again from the block's input: add to what the "
                "first half gave",
                lambda x, attend, norm_1, feed, norm_2: norm_2(
                    x + feed(norm_1(x + attend(x)))
                ),
            ),
            Mistake(
                "only half a block: the feed-forward part is missing",
                lambda x, attend, norm_1, feed, norm_2: norm_1(x + attend(x)),
            ),
        ],
    ),
    Exercise(
        id="4.6",
        title="What was handed over",
        cases=_HANDED_CASES,
        reference=_reference_handed,
        mistakes=[
            Mistake(
                "lengths are measured after adding up: deliveries then cancel each "
                "other. Measure first, add afterwards",
                lambda w, v: (w.sum(1).unsqueeze(-1) * v).sum(0).norm(dim=-1),
            ),
            Mistake(
                "this counts for each receiver: sum over the rows, so that one number "
                "per giver is left",
                lambda w, v: (w @ v.norm(dim=-1).unsqueeze(-1)).squeeze(-1).sum(0),
            ),
            Mistake(
                "giver and receiver are exchanged: weights[head, i, j] is what i takes "
                "from j, so sum over the receivers, the axis before the last",
                lambda w, v: (w.sum(dim=2) * v.norm(dim=-1)).sum(dim=0),
            ),
            Mistake(
                "only the looks are counted: multiply each weight by the length of the "
                "value that it takes",
                lambda w, v: w.sum(dim=(0, 1)),
            ),
            Mistake(
                "the weights are not used: a long value that nobody looks at hands "
                "over nothing",
                lambda w, v: v.norm(dim=-1).sum(0),
            ),
            Mistake(
                "one row per head is left: add the heads up as well",
                lambda w, v: w.sum(1) * v.norm(dim=-1),
            ),
        ],
    ),
    Exercise(
        id="4.7",
        title="Puzzle: five sick attentions, the diagnosis",
        cases=[()],
        reference=lambda: _diagnosis(),
        mistakes=[
            Mistake(
                "B and D are exchanged: both are too sharp, but one of them far more",
                lambda: _diagnosis(B="D", D="B"),
            ),
            Mistake(
                "A and E are exchanged: in one of them the rows are wrong even when "
                "nothing is hidden",
                lambda: _diagnosis(A="E", E="A"),
            ),
            Mistake(
                "B and C are exchanged: scores that are too large push entropy down; "
                "other numbers of the right size only move it a little",
                lambda: _diagnosis(B="C", C="B"),
            ),
        ],
        properties=[
            (
                "every patient has a disease of its own",
                lambda f: sorted(f().values()) == sorted(DISEASES),
            )
        ],
    ),
    Exercise(
        id="4.8",
        title="Puzzle: five sick attentions, the test",
        cases=[(HEALTHY,), (_ByLibrary(),), *((p,) for p in PATIENTS.values())],
        reference=lambda attention: not getattr(attention, "disease", ""),
        mistakes=[
            Mistake(
                "A to E all pass: the test must raise an error when something is "
                "wrong, as assert does",
                lambda attention: True,
            ),
            Mistake(
                "the healthy ones fail as well: call the test on HEALTHY to see why; "
                "if only the last digits differ, torch.testing.assert_close allows it",
                lambda attention: False,
            ),
            Mistake(
                "row sums alone kill two of five: the sharp ones and the transposed "
                "one have perfect rows",
                _survives_only("B", "C", "D"),
            ),
            Mistake(
                "row sums without a mask see only patient E: hide a key as well, and "
                "look at more than sums",
                _survives_only("A", "B", "C", "D"),
            ),
            Mistake(
                "C survives: with square, symmetric or equal matrices a transposed one "
                "cannot be seen. Use three different ones, best rectangular",
                _survives_only("C"),
            ),
            Mistake(
                "A survives: the mask is never used by the test",
                _survives_only("A"),
            ),
            Mistake(
                "B and D survive: with zeros or equal rows every scale gives the same "
                "weights, take random numbers",
                _survives_only("B", "D"),
            ),
            Mistake(
                "A and C survive: test with a mask, and with matrices that are not "
                "square",
                _survives_only("A", "C"),
            ),
        ],
    ),
)
