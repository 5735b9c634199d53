"""Exercises of notebook 03."""

from __future__ import annotations

import numpy as np
import torch

from course_utils import positions
from course_utils.classroom.check import Exercise, Mistake

# -- 3.1: equivariance -----------------------------------------------------------------


class _Named:
    """A function with a name that a learner can read in a message."""

    def __init__(self, name, function):
        self.name, self.function = name, function

    def __call__(self, x):
        return self.function(x)

    def __repr__(self):
        return self.name


_X = torch.tensor(
    [[1.0, 0.0], [0.5, -1.0], [2.0, 3.0], [-1.0, 0.25]], dtype=torch.float64
)
_CYCLE = torch.tensor([2, 0, 3, 1])  # its inverse is another order
_SWAP = torch.tensor([1, 0, 2, 3])  # its own inverse
_ROWS = {
    "double each row": lambda x: 2 * x,
    "attention without positions": lambda x: (x @ x.T).softmax(dim=-1) @ x,
    "the mean in every row": lambda x: x.mean(dim=0).expand_as(x),
    "add the row's number": lambda x: x + torch.arange(len(x))[:, None],
    "running sum": lambda x: x.cumsum(dim=0),
    "neighbour on the left": lambda x: x.roll(1, dims=0),
    "add the number of the half": lambda x: x + torch.arange(len(x))[:, None] // 2,
    "running sum of losses": lambda x: x + x.clamp(max=0).cumsum(dim=0),
}


def _reference_equivariant(function, x, order):
    """Row by row: the row that came from place j must hold what place j held."""
    there, here = function(x[order]), function(x)
    return all(
        bool(torch.isclose(there[i], here[j]).all())
        for i, j in enumerate(order.tolist())
    )


def _invariant(function, x, order):
    return torch.allclose(function(x[order]), function(x))


def _inverse_order(function, x, order):
    return torch.allclose(function(x[order]), function(x)[order.argsort()])


def _same_set(function, x, order):
    there, here = function(x[order]).flatten(), function(x).flatten()
    return torch.allclose(there.sort().values, here.sort().values)


# -- 3.2 and 3.3: sinusoids ------------------------------------------------------------


def _complex_turns(places, dim, base=10000.0):
    """One unit complex number per position and pair: cosine + i sine."""
    speeds = base ** (-np.arange(0, dim, 2) / dim)
    return np.exp(1j * np.outer(places, speeds))


def _reference_sinusoids(tokens, dim):
    turns = _complex_turns(np.arange(tokens), dim)
    return np.stack([turns.imag, turns.real], axis=2).reshape(tokens, dim)


def _sinusoids_with(tokens, dim, exponent, even=np.sin, odd=np.cos):
    angles = np.outer(np.arange(tokens), 10000.0 ** -exponent(np.arange(dim), dim))
    return np.where(np.arange(dim) % 2 == 0, even(angles), odd(angles))


def _paired(column, dim):
    return column // 2 * 2 / dim


def _sinusoids_in_halves(tokens, dim):
    table = _reference_sinusoids(tokens, dim)
    return np.concatenate([table[:, ::2], table[:, 1::2]], axis=1)


def _row(place, dim):
    return torch.tensor(_reference_sinusoids(place + 1, dim)[place])


def _shifted(row, lag, speeds=None):
    dim = len(row)
    turned = row.numpy()[1::2] + 1j * row.numpy()[::2]  # cosine + i sine
    if speeds is None:
        turned = turned * _complex_turns([lag], dim)[0]
    else:
        turned = turned * np.exp(1j * lag * speeds(dim))
    return torch.tensor(np.stack([turned.imag, turned.real], axis=1).ravel())


def _shift_adds(row, lag):
    lagged = _complex_turns([lag], len(row))[0]
    return row + torch.tensor(np.stack([lagged.imag, lagged.real], axis=1).ravel())


# -- 3.4: outliers ---------------------------------------------------------------------

_HIDDEN = [1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 1.02, 0.98, 1.6, 30.0]
_VALUES = [
    ([1.0, 2.0, 3.0, 4.0, 5.0, 100.0], 2.5),
    (_HIDDEN, 5.0),
    ([5.0, 5.1, 4.9, 5.0, 5.05, 4.95, -3.0], 4.0),
    ([1.0, 2.0, 3.0, 4.0, 5.0, 10.0], 3.5),
    ([1.0, 2.0, 3.0], 5.0),
    # The median of the distances is 1, or 0, so that limits can be worked by hand.
    ([-1.0, -1.0, 0.0, 1.0, 2.0], 1.0),
    ([-1.0, -1.0, 0.0, 1.0, 1.99], 1.344),
    ([-1.0, -1.0, 0.0, 1.0, 1.45], 1.0),
    ([-1.0, -1.0, 0.0, 1.0, 40.0], 20.0),
    ([2.0, 2.0, 2.0, 5.0, 2.0], 3.0),
    ([1.0, 2.0, 3.0, 4.0, -30.0], 3.0),
    ([0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 5.3, -9.0, 19.0], 2.0),  # quartiles mislead
]


def _beyond(values, limit, centre=np.median, spread=None, scaled=1.4826, sign=np.abs):
    values = np.asarray(values)
    if spread is None:
        width = scaled * np.median(np.abs(values - np.median(values)))
    else:
        width = spread(values)
    return np.flatnonzero(sign((values - centre(values)) / width) > limit).tolist()


def _reference_outliers(values, limit):
    from scipy.stats import median_abs_deviation

    width = limit * 1.4826 * median_abs_deviation(values)
    low, high = np.median(values) - width, np.median(values) + width
    return [i for i, value in enumerate(values) if not low <= value <= high]


def _quartile_width(values):
    low, high = np.percentile(values, [25, 75])
    return (high - low) / 1.349


# -- 3.5 and 3.7: rotary ---------------------------------------------------------------

_GENERATOR = torch.Generator().manual_seed(3)
_Q = torch.randn(3, 8, generator=_GENERATOR, dtype=torch.float64)
_ROTARY = [
    (torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.tensor([1])),
    (
        torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64).repeat(2, 1),
        torch.tensor([0, 1]),
    ),
    (_Q, torch.tensor([5, 2, 11])),
]


def _reference_rotate(x, places, sign=1, halves=True, places_of=None, dim_of=None):
    """Through complex numbers: each pair is one, and turning it is a product."""
    x, dim = x.numpy(), x.shape[1]
    places = places.numpy() if places_of is None else places_of(len(x))
    turns = _complex_turns(sign * places, dim)
    if dim_of is not None:
        turns = turns[:, :1].repeat(dim // 2, axis=1)
    if halves:
        turned = (x[:, : dim // 2] + 1j * x[:, dim // 2 :]) * turns
        return torch.tensor(np.concatenate([turned.real, turned.imag], axis=1))
    turned = (x[:, ::2] + 1j * x[:, 1::2]) * turns
    return torch.tensor(np.stack([turned.real, turned.imag], axis=2).reshape(x.shape))


def _reference_reorder(x):
    """As the converters of checkpoints do it: view as pairs, transpose, flatten."""
    return x.reshape(len(x), x.shape[1] // 2, 2).transpose(1, 2).reshape(x.shape)


def _reorder_back(x):
    return x.reshape(len(x), 2, x.shape[1] // 2).transpose(1, 2).reshape(x.shape)


def _same_scores(reorder):
    """Scores in the new order and convention equal those in the old ones."""
    places = torch.arange(3)
    old = positions.rope(_Q, places, interleaved=True)
    moved = torch.as_tensor(reorder(_Q.clone()))  # NumPy's arrays are welcome
    new = positions.rope(moved, places, interleaved=False)
    return torch.allclose(old @ old.T, new @ new.T)


# -- 3.6: ALiBi ------------------------------------------------------------------------


def _bias(slopes, tokens, rule):
    return np.array(
        [
            [[rule(slope, i - j) for j in range(tokens)] for i in range(tokens)]
            for slope in slopes.tolist()
        ]
    )


# -- 3.8: parts ------------------------------------------------------------------------


def _parts(tokens, limit, room=2, drop=False, over=False, inclusive=False):
    step = limit - room
    found = [(a, min(a + step, tokens)) for a in range(0, tokens, step)]
    if drop:
        found = [(a, b) for a, b in found if b - a == step]
    if over:
        found = [(a, a + step) for a, _ in found]
    if inclusive:
        found = [(a, b - 1) for a, b in found]
    return found


def _reference_parts(tokens, limit):
    """Group the token numbers by the part that they fall into."""
    groups = {}
    for token in range(tokens):
        groups.setdefault(token // (limit - 2), []).append(token)
    return [(group[0], group[-1] + 1) for group in groups.values()]


EXERCISES = (
    Exercise(
        id="3.1",
        title="Test for equivariance",
        cases=[
            (_Named(name, f), _X, order)
            for name, f in _ROWS.items()
            for order in (_CYCLE, _SWAP)
        ],
        reference=_reference_equivariant,
        mistakes=[
            Mistake(
                "this asks whether nothing changes at all: the output may be shuffled, "
                "as long as it is shuffled like the input",
                _invariant,
            ),
            Mistake(
                "one side is shuffled the wrong way round: function(x[order]) goes "
                "with function(x)[order] (to undo a shuffle: order.argsort())",
                _inverse_order,
            ),
            Mistake(
                "only the set of numbers is compared: each row must also come out in "
                "the right place",
                _same_set,
            ),
            Mistake(
                "one answer is wanted, not one per number: torch.allclose compares all",
                lambda f, x, order: f(x[order]).isclose(f(x)[order]),
            ),
        ],
    ),
    Exercise(
        id="3.2",
        title="A table of sines",
        cases=[(2, 2), (3, 4), (5, 8), (4, 6), (1, 4)],
        reference=_reference_sinusoids,
        mistakes=[
            Mistake(
                "all sines stand before all cosines, as in GPT-J: as good a table, "
                "but here even columns are sines and odd ones cosines",
                _sinusoids_in_halves,
            ),
            Mistake(
                "every column has its own frequency: a sine and its cosine share one, "
                "columns 2i and 2i + 1",
                lambda tokens, dim: _sinusoids_with(tokens, dim, lambda c, d: c / d),
            ),
            Mistake(
                "the exponent is not divided by dim: the second pair hardly moves",
                lambda tokens, dim: _sinusoids_with(
                    tokens, dim, lambda c, d: (c // 2 * 2).astype(float)
                ),
            ),
            Mistake(
                "the frequencies rise: the exponent needs a minus",
                lambda tokens, dim: _sinusoids_with(
                    tokens, dim, lambda c, d: -_paired(c, d)
                ),
            ),
            Mistake(
                "sine and cosine are exchanged: column 0 of position 0 is sin 0 = 0",
                lambda tokens, dim: _sinusoids_with(
                    tokens, dim, _paired, even=np.cos, odd=np.sin
                ),
            ),
        ],
    ),
    Exercise(
        id="3.3",
        title="A shift is a rotation",
        cases=[(_row(0, 2), 1), (_row(3, 4), 5), (_row(7, 8), 100), (_row(9, 6), -4)],
        reference=_shifted,
        mistakes=[
            Mistake(
                "this is the row lag positions earlier: "
                "sin(a + b) = sin a · cos b + cos a · sin b",
                lambda row, lag: _shifted(row, -lag),
            ),
            Mistake(
                "all pairs turn at the same speed: pair i turns by "
                "lag · 10000 ** (-2i / dim)",
                lambda row, lag: _shifted(row, lag, lambda d: np.ones(d // 2)),
            ),
            Mistake(
                "two rows cannot be added to get a third: turn each pair",
                _shift_adds,
            ),
        ],
        properties=[
            (
                "turning must not change the length of a row",
                lambda f: bool(
                    torch.isclose(f(_row(5, 8), 17).norm(), _row(5, 8).norm())
                ),
            )
        ],
    ),
    Exercise(
        id="3.4",
        title="Which rows stand out?",
        cases=_VALUES,
        reference=_reference_outliers,
        mistakes=[
            Mistake(
                "mean and standard deviation are pulled up by the giant, which hides "
                "the smaller outlier beside it: use medians",
                lambda v, limit: _beyond(v, limit, centre=np.mean, spread=np.std),
            ),
            Mistake(
                "the centre is a median, the spread is still a standard deviation: "
                "one giant makes it huge",
                lambda v, limit: _beyond(v, limit, spread=np.std),
            ),
            Mistake(
                "only large values are found: a value can stand out by being small",
                lambda v, limit: _beyond(v, limit, sign=lambda z: z),
            ),
            Mistake(
                "the spread is taken from the quartiles: take the median of the "
                "distances from the median, times 1.4826",
                lambda v, limit: _beyond(v, limit, spread=_quartile_width),
            ),
            Mistake(
                "the factor 1.4826 is missing, which makes the spread that of a "
                "standard deviation",
                lambda v, limit: _beyond(v, limit, scaled=1.0),
            ),
        ],
    ),
    Exercise(
        id="3.5",
        title="Turn queries and keys",
        cases=_ROTARY,
        reference=_reference_rotate,
        mistakes=[
            Mistake(
                "these are the pairs (0, 1), (2, 3), …, GPT-J's convention: here "
                "number i pairs with number i + dim/2",
                lambda x, places: _reference_rotate(x, places, halves=False),
            ),
            Mistake(
                "the pairs turn backwards: (x cos - y sin, x sin + y cos)",
                lambda x, places: _reference_rotate(x, places, sign=-1),
            ),
            Mistake(
                "all pairs turn at the same speed: pair i turns by "
                "place · 10000 ** (-2i / dim)",
                lambda x, places: _reference_rotate(x, places, dim_of=1),
            ),
            Mistake(
                "rows are turned by their number in x: use the places that were given",
                lambda x, places: _reference_rotate(x, places, places_of=np.arange),
            ),
        ],
    ),
    Exercise(
        id="3.6",
        title="Distance as a penalty",
        cases=[
            (torch.tensor([1.0]), 3),
            (torch.tensor([0.25, 0.0625, 0.5]), 4),
            (torch.tensor([0.5, 0.25]), 1),
            (torch.tensor([0.5, 0.125]), 3),
        ],
        reference=lambda slopes, tokens: _bias(
            slopes, tokens, lambda s, d: -s * abs(d)
        ),
        mistakes=[
            Mistake(
                "distance is rewarded: the bias must be negative",
                lambda slopes, n: _bias(slopes, n, lambda s, d: s * abs(d)),
            ),
            Mistake(
                "the distance has a sign here: tokens on one side are rewarded for "
                "being far away",
                lambda slopes, n: _bias(slopes, n, lambda s, d: -s * d),
            ),
            Mistake(
                "all heads fade equally: each has its own slope",
                lambda slopes, n: _bias(
                    slopes[:1].repeat(len(slopes)), n, lambda s, d: -s * abs(d)
                ),
            ),
        ],
    ),
    Exercise(
        id="3.7",
        title="Puzzle: two ways to pair",
        cases=[
            (torch.arange(8.0).reshape(1, 8),),
            (torch.arange(12.0).reshape(2, 6),),
            (torch.tensor([[1.0, 2.0]]),),
        ],
        reference=_reference_reorder,
        mistakes=[
            Mistake(
                "nothing has moved: number 1 must get to where its half-split partner "
                "is looked for",
                lambda x: x.clone(),
            ),
            Mistake(
                "this is the way back, from half-split to interleaved",
                _reorder_back,
            ),
            Mistake(
                "the halves are exchanged, but partners still stand side by side",
                lambda x: x.roll(x.shape[1] // 2, dims=1),
            ),
        ],
        properties=[("the scores must be those of the old convention", _same_scores)],
    ),
    Exercise(
        id="3.8",
        title="Puzzle: 513 tokens",
        cases=[
            (511, 512),
            (510, 512),
            (1020, 512),
            (5, 4),
            (1, 4),
            (0, 4),
            (1021, 512),
        ],
        reference=_reference_parts,
        mistakes=[
            Mistake(
                "[CLS] and [SEP] need two of the places: a part holds limit - 2 tokens",
                lambda tokens, limit: _parts(tokens, limit, room=0),
            ),
            Mistake(
                "the rest at the end is lost: the last part may be shorter",
                lambda tokens, limit: _parts(tokens, limit, drop=True),
            ),
            Mistake(
                "this is truncation: only the first part is kept",
                lambda tokens, limit: _parts(tokens, limit)[:1],
            ),
            Mistake(
                "the last part ends behind the text: no end may be larger than the "
                "number of tokens",
                lambda tokens, limit: _parts(tokens, limit, over=True),
            ),
            Mistake(
                "the end counts as inside here: as in Python, end is the first token "
                "that is not in the part",
                lambda tokens, limit: _parts(tokens, limit, inclusive=True),
            ),
        ],
    ),
)
