"""Guess before you look: a prediction is kept before the cell that reveals it.

>>> predict("dice", "How many faces has a die?", choices=["4", "6"], guess="4")
Predict · How many faces has a die?
  choices: 4 | 6
  your guess: 4
>>> reveal("dice", "6")
  measured: 6 · your guess: 4 · not this time
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from course_utils.classroom import memory, session
from course_utils.classroom.show import visible


@dataclass
class Prediction:
    """One question, the guess, and what was measured."""

    question: str
    choices: Sequence[str] | None
    tolerance: float
    guess: object = None
    measured: object = None
    revealed: bool = False

    @property
    def right(self) -> bool | None:
        """Whether the guess was right; None while there is no guess or no result."""
        if self.guess is None or not self.revealed:
            return None
        if self.choices is not None:
            return str(self.guess) == str(self.measured)
        # 0.8 and 0.7 are a little more than 0.1 apart in binary.
        return abs(float(self.guess) - float(self.measured)) <= self.tolerance + 1e-9


def _is_number(value: object) -> bool:
    try:
        return not math.isnan(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def predict(
    key: str,
    question: str,
    choices: Sequence[str] | None = None,
    guess: object = None,
    tolerance: float = 0.1,
) -> None:
    """Ask for a guess and keep it. Write yours as ``guess=…``, or click in JupyterLab.

    Args:
        key: a short name, used again in ``reveal``.
        question: what is about to be measured.
        choices: the possible answers; None asks for a number.
        guess: your answer; a notebook without guesses still runs.
        tolerance: how far off a number may be and still count as right.

    Raises:
        ValueError: the guess is none of the choices, or is not a number.
    """
    if guess is not None and choices is not None and str(guess) not in choices:
        raise ValueError(f"guess {guess!r} is none of the choices {list(choices)}")
    if guess is not None and choices is None:
        if not _is_number(guess):
            raise ValueError(f"guess a number, not {guess!r}")
    if guess is None:
        guess = _kept(key, question, choices)
    else:
        memory.keep_guess(key, question, guess)
    prediction = Prediction(question, choices, tolerance, guess)
    session.current.predictions[key] = prediction
    print(f"Predict · {visible(question)}")
    if choices is not None:
        print("  choices: " + " | ".join(visible(choice) for choice in choices))
    else:
        print(f"  a number, right within ±{tolerance:g}")
    print(f"  your guess: {'none yet' if guess is None else visible(str(guess))}")
    if session.live() and choices is not None:
        _buttons(key, prediction)


def _kept(key: str, question: str, choices: Sequence[str] | None) -> object:
    """The guess of an earlier kernel, if it still answers this question."""
    guess = memory.guess_for(key, question)
    fits = _is_number(guess) if choices is None else str(guess) in choices
    return guess if fits else None


def _buttons(key: str, prediction: Prediction) -> None:
    from course_utils.classroom.widgets import choose

    def keep(choice: str) -> None:
        if not prediction.revealed:
            prediction.guess = choice
            memory.keep_guess(key, prediction.question, choice)

    choose(prediction.choices, keep)


def reveal(key: str, measured: object) -> None:
    """Compare the guess kept under ``key`` with what was measured, in one line.

    Raises:
        KeyError: nothing was asked under this key.
        ValueError: the result is none of the choices that were offered, or no number
            where a number was asked for.
    """
    if key not in session.current.predictions:
        raise KeyError(f"no prediction is called {key!r}: run its predict cell first")
    prediction = session.current.predictions[key]
    choices = prediction.choices
    if choices is not None and str(measured) not in choices:
        raise ValueError(
            f"measured {measured!r} is none of the choices {list(choices)}"
        )
    if choices is None and not _is_number(measured):
        raise ValueError(f"measured {measured!r} is no number")
    prediction.measured, prediction.revealed = measured, True
    line = f"  measured: {visible(str(measured))}"
    if prediction.right is None:
        print(f"{line} · you made no guess")
    else:
        how = "right" if prediction.right else "not this time"
        print(f"{line} · your guess: {visible(str(prediction.guess))} · {how}")


def scorecard() -> None:
    """Print guesses beside results, and the exercises solved so far."""
    predictions = session.current.predictions.values()
    made = [p for p in predictions if p.right is not None]
    print(
        f"Predictions: {sum(p.right for p in made)} right of {len(made)} made", end=""
    )
    print(f", {len(predictions)} asked")
    for prediction in predictions:
        mark = {True: "✓", False: "✗", None: " "}[prediction.right]
        result = prediction.measured if prediction.revealed else "not measured yet"
        print(f"  [{mark}] {visible(prediction.question)} → {visible(str(result))}")
    solved = session.current.exercises
    if solved:
        print(f"Exercises: {sum(solved.values())} of {len(solved)} solved")
