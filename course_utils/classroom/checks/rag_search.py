"""Exercises of notebook 09."""

from __future__ import annotations

import numpy as np

from course_utils.classroom.check import Exercise, Mistake

_SCORES = [0.1, 0.9, 0.5, 0.9]


def _reference_top_k(scores, k):
    return [i for _, i in sorted((-s, i) for i, s in enumerate(scores))][:k]


EXERCISES = (
    Exercise(
        id="9.1",
        title="The k best",
        cases=[(_SCORES, 2), (_SCORES, 9), ([-1.0, -3.0], 1), ([], 3)],
        reference=_reference_top_k,
        mistakes=[
            Mistake(
                "these are the lowest scores: argsort counts upwards",
                lambda scores, k: np.argsort(scores, kind="stable")[:k].tolist(),
            ),
            Mistake(
                "equal scores have changed places: sort the negated scores, stably",
                lambda scores, k: np.argsort(scores, kind="stable")[::-1][:k].tolist(),
            ),
            Mistake(
                "these are the scores: return their places",
                lambda scores, k: sorted(scores, reverse=True)[:k],
            ),
        ],
    ),
    Exercise(
        id="9.2",
        title="Recall at k",
        cases=[
            (["a", "b", "c"], {"b", "x"}, 2),
            (["a", "b", "c"], {"c"}, 3),
            (["a", "b", "c"], {"c"}, 1),
            (["a", "b", "c", "d"], {"a", "b", "c", "d"}, 2),
        ],
        reference=lambda ranking, relevant, k: (
            sum(name in ranking[:k] for name in relevant) / len(relevant)
        ),
        mistakes=[
            Mistake(
                "this is precision: divide by the number of relevant pages, not by k",
                lambda r, relevant, k: sum(n in relevant for n in r[:k]) / k,
            ),
            Mistake(
                "the whole ranking is counted: look at the first k only",
                lambda r, relevant, k: sum(n in relevant for n in r) / len(relevant),
            ),
            Mistake(
                "this says whether anything was found: count how much",
                lambda r, relevant, k: float(any(n in relevant for n in r[:k])),
            ),
        ],
    ),
    Exercise(
        id="9.3",
        title="Puzzle: the hit that was never found",
        cases=[
            ([2, 0, -1], [0.9, 0.5, -3e38]),
            ([-1, -1], [-3e38, -3e38]),
            ([0], [-0.2]),
            ([], []),
        ],
        reference=lambda places, scores: [
            pair for pair in zip(places, scores, strict=True) if pair[0] != -1
        ],
        mistakes=[
            Mistake(
                "place 0 is a real hit: only negative places are none",
                lambda p, s: [(a, b) for a, b in zip(p, s, strict=True) if a > 0],
            ),
            Mistake(
                "a negative score is still a hit: look at the place, not the score",
                lambda p, s: [(a, b) for a, b in zip(p, s, strict=True) if b > 0],
            ),
            Mistake(
                "the place -1 is still there: it means that there was no hit",
                lambda p, s: list(zip(p, s, strict=True)),
            ),
        ],
    ),
)
