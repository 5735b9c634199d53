"""A page per lesson for whoever teaches it: what a room believes, guesses and breaks.

What the notebook says of itself (minutes, predictions, quiz, where the middle is) is
read from it; what only a teacher knows stands in ``workshop/source/NN_topic.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import accumulate

from course_utils.authoring.workshop.lesson import OPENING, QUIZ, Lesson, Part
from course_utils.authoring.workshop.sheets import KIT, whole
from course_utils.authoring.workshop.times import Taken
from course_utils.classroom.quiz import LETTERS, Quiz

MISCONCEPTIONS = 3
UNWRITTEN = "*Not written yet.*"


@dataclass(frozen=True)
class Notes:
    """What a teacher knows of a lesson.

    Attributes:
        misconceptions: (what is believed, the question that shows it, what is seen).
        expect: wrong predictions, and why they are made.
        breaks: what goes wrong in a room.
        cut: what to leave out first.
        transfer: what to try at home or at work.
        aim: one sentence, where the notebook has none.
        vote: which question of the quiz, counted from 0.
    """

    misconceptions: tuple[tuple[str, str, str], ...] = ()
    expect: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    cut: str = UNWRITTEN
    transfer: str = UNWRITTEN
    aim: str = ""
    vote: int = 0


def notes(stem: str) -> Notes:
    """Read them; for a new lesson nothing is known yet, and its page says so.

    Raises:
        ValueError: they do not name three misconceptions.
    """
    path = KIT / "source" / f"{stem}.toml"
    if not path.exists():
        return Notes()
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    beliefs = tuple(
        (one["belief"], one["ask"], one["shows"]) for one in found.pop("misconception")
    )
    if len(beliefs) != MISCONCEPTIONS:
        raise ValueError(f"{path.name} must name three misconceptions")
    lists = {name: tuple(found.pop(name)) for name in ("expect", "breaks")}
    return Notes(beliefs, **lists, **found)


def aim(lesson: Lesson, known: Notes) -> str:
    """One sentence: what a learner can do in the end."""
    return known.aim or lesson.aim


def question(lesson: Lesson, known: Notes) -> Quiz:
    """The one to vote on."""
    module = import_module(f"course_utils.classroom.quizzes.{lesson.topic}")
    return module.QUESTIONS[known.vote % len(module.QUESTIONS)]


def middle(lesson: Lesson) -> Part:
    """The section after which half of the lesson's minutes are over, or nearly."""
    ends = list(accumulate(part.minutes for part in lesson.parts))
    last = {}  # a section ends where its last part ends
    for part, end in zip(lesson.parts, ends, strict=True):
        last[part.section or part.title] = end
    nearest = min(last, key=lambda title: abs(last[title] - ends[-1] / 2))
    return next(part for part in lesson.sections if part.title == nearest)


def leave_out(lesson: Lesson, most: int = 4) -> list[Part]:
    """Sections without an exercise, a guess or a figure, the longest first."""
    busy = {task.section for task in lesson.tasks} | {OPENING, QUIZ}
    idle = [p for p in lesson.sections if p.title not in busy]
    return sorted(
        idle, key=lambda p: (bool(p.predictions), bool(p.figures), -p.minutes)
    )[:most]


def cell(text: str) -> str:
    """Text for a table of Markdown."""
    return " ".join(text.split()).replace("|", "\\|")


def _votes(asked: Quiz) -> list[str]:
    rows = zip(LETTERS, asked.choices.items(), strict=False)
    lines = [f"**{asked.question}**", ""]
    lines += [f"- {letter}. {choice}" for letter, (choice, _) in rows]
    reasons = zip(LETTERS, asked.choices.items(), strict=False)
    lines += ["", "<details><summary>Which, and why</summary>", ""]
    lines += [
        f"- {letter} {'**right**' if choice == asked.correct else 'no'}: {why}"
        for letter, (choice, why) in reasons
    ]
    return [*lines, "</details>"]


def _predictions(lesson: Lesson, known: Notes) -> list[str]:
    lines = [*(f"- {text}" for text in known.expect), ""]
    if lesson.predictions:
        lines += ["| asked | came out | also offered |", "|---|---|---|"]
    for asked in lesson.predictions:
        others = " · ".join(asked.wrong) if asked.choices else "a number"
        lines.append(
            f"| {cell(asked.question)} | {cell(asked.measured) or '–'} | "
            f"{cell(others)} |"
        )
    return lines


def _minutes(lesson: Lesson, taken: Mapping[tuple[str, str], Taken]) -> list[str]:
    reading = sum(whole(part) for part in lesson.sections)
    shown = f"read and show, {len(lesson.sections)} sections"
    lines = ["| part | planned | p50 / p90 (learners) |", "|---|---|---|"]
    told = taken.get((lesson.stem, "read"), "not yet run")
    lines.append(f"| {shown} | {reading} | {told} |")
    for task in lesson.tasks:
        kind = "" if task.core else ", extra"
        told = taken.get((lesson.stem, task.first), "not yet run")
        name = f"{task.task} {cell(task.title)}{kind}"
        lines.append(f"| {name} | {whole(task)} | {told} |")
    return lines


def guide(lesson: Lesson, taken: Mapping[tuple[str, str], Taken]) -> str:
    """The page of a lesson, as Markdown."""
    known, there = notes(lesson.stem), "../../notebooks"
    stop = middle(lesson)
    extra = [task.task for task in lesson.tasks if not task.core]
    cuts = [f"{p.title} ({whole(p)} min)" for p in leave_out(lesson)]
    parts: list[Sequence[str]] = [
        [f"# Teaching {lesson.number} · {lesson.question}"],
        [
            f"For the instructor of [the notebook]({there}/{lesson.stem}.ipynb) "
            f"([solved]({there}/solutions/{lesson.stem}.ipynb)); "
            f"{lesson.read} minutes to read, {lesson.do} to do."
        ],
        [f"**Aim.** {aim(lesson, known)}"],
        ["## What they believe, and the question that shows it"],
        [
            f"{number}. *{belief}*\n   - Ask: **{ask}**\n   - They will see: {seen}"
            for number, (belief, ask, seen) in enumerate(known.misconceptions, 1)
        ]
        or [UNWRITTEN],
        ["## Wrong predictions to expect"],
        _predictions(lesson, known),
        ["## What breaks"],
        [f"- {text}" for text in known.breaks] or [UNWRITTEN],
        ["## What to cut"],
        [
            f"- {known.cut}",
            *([f"- Extra exercises: {', '.join(extra)}."] * bool(extra)),
            *([f"- Next, sections to read at home: {'; '.join(cuts)}."] * bool(cuts)),
        ],
        ["## A question to vote on"],
        ["Vote, talk to a neighbour for a minute, vote again, then open the reasons."],
        _votes(question(lesson, known)),
        ["## Where to stop for a break"],
        [f"After *{stop.title}*: half of the minutes are over, a section is closed."],
        ["## To take home"],
        [known.transfer],
        ["## Minutes"],
        _minutes(lesson, taken),
        [
            "Write what it took into [times.csv](../times.csv), a row per learner and "
            "part ([how](../README.md#after-a-run)), then `make workshop`."
        ],
    ]
    return "\n\n".join("\n".join(lines).strip("\n") for lines in parts) + "\n"
