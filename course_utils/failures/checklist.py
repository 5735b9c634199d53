"""Tests of behaviour for an encoder: which ability did the new model lose?

Built in notebook 08. A ``Capability`` is a name and cases. Every case says what a
careful reader says without a number: two texts that must stay close (**invariance**),
or a text that must stay nearer to one than to another (**direction**; **minimum
functionality** if no usable model may miss it).

Paper: Ribeiro et al. 2020, CheckList (arXiv 2005.04118).

>>> lengths = lambda texts: np.array([[1.0, len(t)] for t in texts])
>>> longer = Capability("length", "direction", [("ab", "abc", "abcdefgh")])
>>> passes(longer, lengths).tolist()
[True]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Literal

import numpy as np
import pandas as pd

from course_utils import guards
from course_utils.failures.shares import mcnemar, wilson_interval

Encode = Callable[[list[str]], np.ndarray]
Kind = Literal["minimum functionality", "invariance", "direction"]
SIZES = {"minimum functionality": 3, "invariance": 2, "direction": 3}


@dataclass(frozen=True)
class Capability:
    """One ability and the cases that test it.

    Attributes:
        name: what the encoder should be able to do.
        kind: ``"invariance"`` has cases ``(text, changed)``; the other two have cases
            ``(anchor, nearer, farther)``.
        cases: the texts.
        limit: invariance: the lowest cosine that passes, 0.999 if not said; else by
            how much the nearer text must win, 0.0001 if not said.
    """

    name: str
    kind: Kind
    cases: Sequence[tuple[str, ...]]
    limit: float | None = None

    def __post_init__(self) -> None:
        """Refuse an empty test and cases of the wrong size: they would pass unseen."""
        if self.kind not in SIZES:
            raise ValueError(f"kind is {self.kind!r}, choose from {', '.join(SIZES)}")
        if self.limit is None:
            limit = 0.999 if self.kind == "invariance" else 1e-4
            object.__setattr__(self, "limit", limit)
        if not self.cases:
            raise ValueError(f"{self.name}: a test without cases proves nothing")
        for number, case in enumerate(self.cases):
            if isinstance(case, str) or len(case) != SIZES[self.kind]:
                raise ValueError(
                    f"{self.name}: case {number} has {len(case)} texts, "
                    f"{self.kind} takes {SIZES[self.kind]}"
                )


def passes(capability: Capability, encode: Encode) -> np.ndarray:
    """Which cases an encoder passes: (cases,) of bool.

    Raises:
        ValueError: a vector is zero or not finite, or not one vector came per text.

    >>> lengths = lambda texts: np.array([[1.0, len(t)] for t in texts])
    >>> passes(Capability("same", "invariance", [("ab", "cd"), ("a", "abcd")]), lengths)
    array([ True, False])
    """
    columns = list(zip(*capability.cases, strict=True))
    texts = [text for column in columns for text in column]
    vectors = np.asarray(encode(texts), dtype=float)
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise ValueError(f"{len(texts)} texts, but vectors of shape {vectors.shape}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ValueError("a vector is zero or not finite: it has no direction")
    first, second, *third = np.split(vectors / lengths, len(columns))
    near = (first * second).sum(axis=1)
    if capability.kind == "invariance":
        return near >= capability.limit
    return near - (first * third[0]).sum(axis=1) > capability.limit


def run(
    suite: Sequence[Capability],
    encode: Encode,
    after: Callable[[int, int], object] | None = None,
) -> dict[str, np.ndarray]:
    """Run every capability of a suite: name -> (cases,) of bool.

    Args:
        suite: the capabilities, each with a name of its own.
        encode: the encoder under test.
        after: called after each with how many are done and how many there are.

    Raises:
        ValueError: two capabilities have one name; else as ``passes``.

    >>> lengths = lambda texts: np.array([[1.0, len(t)] for t in texts])
    >>> run([Capability("same", "invariance", [("ab", "cd")])], lengths)
    {'same': array([ True])}
    """
    names = [capability.name for capability in suite]
    if len(set(names)) < len(names):
        raise ValueError(f"two capabilities have the same name: {names}")
    passed = {}
    for done, capability in enumerate(suite, start=1):
        passed[capability.name] = passes(capability, encode)
        if after:
            after(done, len(suite))
    return passed


def report(runs: Mapping[str, Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """A row per capability, a column per model: ``passed of cases``.

    Args:
        runs: model -> what ``run`` returned for it.

    >>> report({"v1": {"digits": np.array([True, False])}}).loc["digits", "v1"]
    '1 of 2'
    """
    return pd.DataFrame(
        {
            model: {name: f"{ok.sum()} of {len(ok)}" for name, ok in found.items()}
            for model, found in runs.items()
        }
    )


def regressions(
    before: Mapping[str, np.ndarray],
    after: Mapping[str, np.ndarray],
    level: float = 0.01,
) -> pd.DataFrame:
    """Which abilities got worse, by more than chance? Case by case, with McNemar.

    Args:
        before: what ``run`` returned for the model in use.
        after: the same for the candidate.
        level: the p-value below which a loss is called a regression. With a suite of
            ten tests, 0.05 would cry wolf in two releases of five.

    Returns:
        A row per capability that got worse: ``lost`` and ``gained`` cases, the share
        that passes now with its interval, ``p``; surest first.

    Raises:
        ValueError: the two runs are not of the same suite.

    >>> old, new = {"digits": np.array([True] * 12)}, {"digits": np.array([False] * 12)}
    >>> regressions(old, new)["lost"].to_dict()
    {'digits': 12}
    """
    rows = {}
    if before.keys() != after.keys():
        raise ValueError(f"two suites: {sorted(before)} and {sorted(after)}")
    for name, old in before.items():
        old, new = guards.truths(name, old), guards.truths(name, after[name])
        if old.shape != new.shape:
            raise ValueError(f"{name}: {len(old)} cases before, {len(new)} after")
        lost, gained = int((old & ~new).sum()), int((~old & new).sum())
        p = mcnemar(lost, gained)
        if lost > gained and p < level:
            low, high = wilson_interval(int(new.sum()), len(new))
            share = f"{new.mean():.2f} [{low:.2f}, {high:.2f}]"
            rows[name] = {"lost": lost, "gained": gained, "passes now": share, "p": p}
    columns = ["lost", "gained", "passes now", "p"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.sort_values("p", kind="stable")


# -- a suite of every day --------------------------------------------------------------


def everyday(pairs: Sequence, fillers: Sequence[str]) -> list[Capability]:
    """Six capabilities that any search needs, from pairs of like texts and templates.

    Args:
        pairs: rows with two texts of one meaning, ``a`` and ``b``; two or more.
        fillers: as many texts or more about something else, before which a fact is
            hidden.

    Raises:
        ValueError: fewer than two pairs, or fewer fillers than pairs.

    >>> from course_utils.corpora import load_natural_pairs
    >>> suite = everyday(load_natural_pairs()[:3], ["Rain.", "He sang.", "Ada left."])
    >>> [capability.name for capability in suite][:2], len(suite[1].cases)
    (['capitals and spaces', 'a stranger is farther'], 2)
    """
    if len(pairs) < 2 or len(fillers) < len(pairs):
        raise ValueError(
            f"two pairs or more, and a filler for each: {len(pairs)} pairs, "
            f"{len(fillers)} fillers"
        )
    spaced = [(p.a, f"  {p.a.upper()} ") for p in pairs]
    strangers = [(p.a, p.b, q.b) for p, q in pairwise(pairs)]
    at_the_end = [
        (p.a, f"{text} {p.b}", text) for p, text in zip(pairs, fillers, strict=False)
    ]
    return [
        Capability("capitals and spaces", "invariance", spaced),
        Capability("a stranger is farther", "minimum functionality", strangers),
        Capability("a fact at the end is read", "minimum functionality", at_the_end),
        Capability(
            "the right number is nearer", "minimum functionality", number_cases()
        ),
        Capability("who paid whom", "direction", role_cases()),
        Capability("a negation moves away", "direction", negation_cases()),
    ]


# -- cases from templates --------------------------------------------------------------


def number_cases() -> list[tuple[str, str, str]]:
    """32 cases ``(text, same number, other number)``: the same number must be nearer.

    >>> number_cases()[0]
    ('Meet in room 3.', 'The meeting is in room 3.', 'The meeting is in room 5.')
    """
    frames = (
        ("Meet in room {}.", "The meeting is in room {}."),
        ("Line {} is late.", "Delays on line {}."),
    )
    return [
        (one.format(right), other.format(right), other.format(wrong))
        for right, wrong in product((3, 12, 47, 208), (5, 21, 74, 280))
        for one, other in frames
    ]


def role_cases() -> list[tuple[str, str, str]]:
    """36 cases ``(text, same roles, roles exchanged)``.

    >>> role_cases()[0]
    ('Ada paid Gita.', 'Ada gave money to Gita.', 'Gita gave money to Ada.')
    """
    payers = ("Ada", "Boris", "Chen", "Dora", "Emil", "Fatima")
    payees = ("Gita", "Hugo", "Ines", "Juri", "Kira", "Luis")
    return [
        (f"{x} paid {y}.", f"{x} gave money to {y}.", f"{y} gave money to {x}.")
        for x, y in product(payers, payees)
    ]


def negation_cases() -> list[tuple[str, str, str]]:
    """32 cases ``(text, paraphrase, its denial)``: the paraphrase must be nearer.

    >>> negation_cases()[0]
    ('The lift works.', 'The lift is working.', 'The lift is not working.')
    """
    things = (
        *("lift", "printer", "door", "lamp", "radio", "heater", "gate", "pump"),
        *("clock", "camera", "bell", "fan", "scale", "lock", "siren", "crane"),
    )
    frames = (
        ("The {} works.", "The {} is working.", "The {} is not working."),
        ("The {} is safe.", "The {} can be used safely.", "The {} is not safe to use."),
    )
    return [
        (one.format(thing), same.format(thing), denied.format(thing))
        for thing, (one, same, denied) in product(things, frames)
    ]
