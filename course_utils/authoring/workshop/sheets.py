"""Fit lessons into an hour, a half day, a day: what to show, to do, to leave for home.

A block has fixed minutes. The opening and a vote come first, and what the plan wants to
show; then exercises, each with the section that it stands in; then, while time is left,
sections that ask for a prediction, then others. What is not in is homework.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from course_utils.authoring.source import ROOT
from course_utils.authoring.workshop.lesson import OPENING, QUIZ, Lesson, Part

KIT = ROOT / "workshop"
PLANS = KIT / "source" / "plans.toml"
VOTE = 3  # minutes: ask, vote, talk to a neighbour, vote again
MOST_DOING = 0.65  # of a block: the rest is shown, or nobody knows why they type


@dataclass(frozen=True)
class Block:
    """Some minutes of a sheet: a lesson, or a break and the like."""

    minutes: int
    what: str = ""
    how: str = ""
    lesson: str = ""
    first: tuple[str, ...] = ()
    show: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A plan of a workshop."""

    file: str
    title: str
    about: str
    blocks: tuple[Block, ...]

    @property
    def minutes(self) -> int:
        """From the first learner who comes to the last who goes."""
        return sum(block.minutes for block in self.blocks)

    @property
    def taught(self) -> list[str]:
        """Numbers of its lessons."""
        return [block.lesson for block in self.blocks if block.lesson]


@dataclass(frozen=True)
class Row:
    """One line of a sheet: from when, how long, what, how."""

    at: int
    minutes: int
    what: str
    how: str
    part: Part | None = None

    @property
    def clock(self) -> str:
        """Hours and minutes since the beginning."""
        return f"{self.at // 60}:{self.at % 60:02}"


def sheets(path: Path = PLANS) -> list[Sheet]:
    """Read the plans."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))["sheet"]
    return [
        Sheet(
            one["file"],
            one["title"],
            one["about"],
            tuple(
                Block(
                    **{
                        k: tuple(v) if isinstance(v, list) else v
                        for k, v in block.items()
                    }
                )
                for block in one["blocks"]
            ),
        )
        for one in found
    ]


def whole(part: Part) -> int:
    """Minutes of a part as a sheet counts them: at least one."""
    return max(1, round(part.minutes))


def choose(lesson: Lesson, block: Block) -> list[Part]:
    """Parts that fit into a block, in the order of the page.

    Raises:
        ValueError: the block is too short even for the opening and a vote.
    """
    sections = {part.title: part for part in lesson.sections}
    chosen = [sections[OPENING]]
    left = block.minutes - whole(sections[OPENING]) - VOTE
    if left < 0:
        raise ValueError(f"{lesson.stem}: {block.minutes} minutes are too few")
    for title in block.show:
        part = sections.get(title)
        if part and part not in chosen and whole(part) <= left:
            chosen.append(part)
            left -= whole(part)
    doing = MOST_DOING * block.minutes
    order = {number: place for place, number in enumerate(block.first)}
    tasks = sorted(lesson.tasks, key=lambda t: (order.get(t.first, 99), not t.core))
    for task in tasks:
        home = sections[task.section]
        needed = whole(task) + (0 if home in chosen else whole(home))
        if needed <= left and whole(task) <= doing:
            chosen += [task] if home in chosen else [home, task]
            left, doing = left - needed, doing - whole(task)
    rest = [p for p in lesson.sections if p not in chosen and p.title != QUIZ]
    for part in sorted(rest, key=lambda p: (not p.predictions, not p.figures)):
        if whole(part) <= left:
            chosen.append(part)
            left -= whole(part)
    return [part for part in lesson.parts if part in chosen]


def homework(lesson: Lesson, chosen: Sequence[Part]) -> list[Part]:
    """What a block leaves out, exercises and sections."""
    return [p for p in lesson.parts if p not in chosen and p.title != QUIZ]


def rows(lesson: Lesson, block: Block, at: int, vote: str) -> list[Row]:
    """The lines of one lesson; they take the minutes of its block exactly."""
    found = []
    chosen = choose(lesson, block)
    for part in chosen:
        found.append(Row(at, whole(part), _what(part), _how(lesson, part), part))
        at += whole(part)
    left = block.minutes - sum(row.minutes for row in found) - VOTE
    found.append(Row(at, VOTE, "Vote", vote))
    if left > 0:
        found.append(Row(at + VOTE, left, "Questions", "Time that is not planned."))
    return found


def _what(part: Part) -> str:
    if part.task:
        several = " to " in part.task
        return (
            f"**{'Exercises' if several else 'Exercise'} {part.task}** · {part.title}"
        )
    return part.title


def _how(lesson: Lesson, part: Part) -> str:
    if part.task:
        kind = "core" if part.core else "extra"
        return f"do ({kind}); late or lost: `start({lesson.stem!r}, at={part.first!r})`"
    if part.predictions:
        return f"show; first everyone guesses: {part.predictions[0].question}"
    return "show"
