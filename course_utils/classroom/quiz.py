"""Questions with a reason for every choice.

The question is plain HTML (``<details>``): it opens with a click or a key in any
viewer, needs no kernel and no script, and has a text form for terminals and print.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec

from course_utils.classroom import session
from course_utils.classroom.show import Stack, escape, visible

LETTERS = "ABCDEFGH"


class Quiz:
    """One question.

    Args:
        question: what is asked.
        choices: choice -> the reason why it is right or wrong.
        correct: the right choice.

    Raises:
        ValueError: fewer than two choices, a choice without a reason, or ``correct``
            is none of them.

    >>> Quiz("2 + 2?", {"4": "Count.", "5": "One too many."}, "4")
    Quiz: 2 + 2?
      A. 4
      B. 5
      Reasons: A right: Count. / B no: One too many.
    """

    def __init__(self, question: str, choices: Mapping[str, str], correct: str) -> None:
        """Check the question's form at once: a broken one must not reach a reader."""
        if len(choices) < 2:
            raise ValueError("a quiz needs at least two choices")
        if len(choices) > len(LETTERS):
            raise ValueError(f"a quiz has at most eight choices, not {len(choices)}")
        if correct not in choices:
            raise ValueError(f"{correct!r} is none of the choices {list(choices)}")
        without = [choice for choice, reason in choices.items() if not reason.strip()]
        if without:
            raise ValueError(f"give a reason for {without[0]!r}")
        self.question, self.choices, self.correct = question, dict(choices), correct

    def _rows(self):
        for letter, (choice, reason) in zip(
            LETTERS, self.choices.items(), strict=False
        ):
            yield letter, choice, "right" if choice == self.correct else "no", reason

    def __repr__(self) -> str:
        """The question, its choices and the reasons, as text."""
        rows = list(self._rows())
        lines = [f"Quiz: {visible(self.question)}"]
        lines += [f"  {letter}. {visible(choice)}" for letter, choice, _, _ in rows]
        reasons = (f"{letter} {word}: {visible(why)}" for letter, _, word, why in rows)
        return "\n".join([*lines, "  Reasons: " + " / ".join(reasons)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<details style="margin:3px 0 3px 12px"><summary style="cursor:pointer">'
            f"{letter}. {escape(choice)}</summary>"
            f'<p style="margin:2px 0 6px 18px"><b>'
            f"{'✓ Right.' if word == 'right' else '✗ No.'}</b> {escape(reason)}</p>"
            "</details>"
            for letter, choice, word, reason in self._rows()
        )
        return (
            '<div style="border-left:4px solid #0072B2;padding:2px 0 2px 12px">'
            f"<p><b>{escape(self.question)}</b></p>{rows}</div>"
        )


def quiz() -> Stack:
    """Show the questions of the notebook at hand.

    Raises:
        RuntimeError: ``start`` was not called, so it is unknown which notebook this is,
            or this notebook has no questions.
    """
    topic = session.current.stem.partition("_")[2]
    if not topic:
        raise RuntimeError("run the cell with start(...) first")
    name = f"course_utils.classroom.quizzes.{topic}"
    if find_spec(name) is None:
        raise RuntimeError(f"{topic} has no quiz")
    return Stack(*import_module(name).QUESTIONS)
