"""A notebook as somebody reads it who has to teach it: parts, minutes, questions.

Minutes of exercises stand in their headings. Those of reading stand once, at the top of
the notebook; they are shared out among the sections by their words and lines of code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import nbformat

from course_utils.authoring.source import SOURCES, editions, path_of

OPENING, QUIZ = "Opening", "Quiz"
_TASK = re.compile(
    r"^### (Exercises?|Puzzles?) (\d+\.\d+)(?: to (\d+\.\d+))? · (.*?)"
    r"(?: \((core|extra), (\d+) minutes\))?$"
)
_BUDGET = re.compile(r"\| to read / to do \| (\d+) / (\d+) minutes \|")
_ASKED = re.compile(
    r"^Predict · (.*)\n(?:  choices: (.*)\n|  a number, right within ±(\S+)\n)", re.M
)
_MEASURED = re.compile(r"^  measured: (.*?) · (?:you made no guess|your guess)", re.M)
OUTSIDE = ("What you have now", "The journey so far", "References")


@dataclass(frozen=True)
class Prediction:
    """A question that is asked before a cell runs, and what the cell measures."""

    key: str
    question: str
    choices: tuple[str, ...] = ()
    measured: str = ""

    @property
    def wrong(self) -> tuple[str, ...]:
        """The choices that were offered and did not come out."""
        return tuple(choice for choice in self.choices if choice != self.measured)


@dataclass
class Part:
    """A section to show, or an exercise to do.

    Attributes:
        title: its heading.
        task: ``"1.3"``, for several in one cell ``"0.1 to 0.3"``, or empty.
        core: whether an exercise is for everybody; sections are.
        minutes: to read, or to do.
        section: the heading that an exercise stands under.
        text: its Markdown, headings left out.
        predictions: asked in it.
        figures: (PNG in base64, alt text) stored in it.
    """

    title: str
    task: str = ""
    core: bool = True
    minutes: float = 0
    section: str = ""
    text: str = ""
    weight: int = 0
    predictions: list[Prediction] = field(default_factory=list)
    figures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def first(self) -> str:
        """The number of its first exercise."""
        return self.task.split(" ")[0]


@dataclass(frozen=True)
class Lesson:
    """One notebook.

    Attributes:
        stem: ``"05_pooling"``.
        question: its title, without the number.
        aim: what one can do in the end, one sentence.
        goals: the list after "After this notebook you can".
        read: minutes to read.
        do: minutes of exercises.
        parts: in the order of the page.
    """

    stem: str
    question: str
    aim: str
    goals: tuple[str, ...]
    read: int
    do: int
    parts: tuple[Part, ...]

    @property
    def number(self) -> str:
        """``"05"``; of a topic in two parts ``"11a"``."""
        return self.stem.partition("_")[0]

    @property
    def topic(self) -> str:
        """``"pooling"``."""
        return self.stem.partition("_")[2]

    @property
    def sections(self) -> tuple[Part, ...]:
        """What is shown."""
        return tuple(part for part in self.parts if not part.task)

    @property
    def tasks(self) -> tuple[Part, ...]:
        """What is done."""
        return tuple(part for part in self.parts if part.task)

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """All questions of the page."""
        return tuple(asked for part in self.parts for asked in part.predictions)


def stems() -> list[str]:
    """The lessons there are: works of reference are not taught."""
    names = sorted(path.stem for path in SOURCES.glob("[0-9]*.py"))
    return [name for name in names if len(editions(name)) == 2]


def _words(markdown: str) -> int:
    text = re.sub(r"<details>.*?</details>", "", markdown, flags=re.DOTALL)
    return len(re.findall(r"\w[\w'’]*", re.sub(r"\]\([^)]*\)", "]", text)))


def _printed(cell) -> str:
    return "".join(output.get("text", "") for output in cell.get("outputs", []))


def _figures(cell) -> list[tuple[str, str]]:
    found = []
    for output in cell.get("outputs", []):
        if png := output.get("data", {}).get("image/png"):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            found.append((png, alt))
    return found


def _asked(cell) -> list[Prediction]:
    keys = re.findall(r"\bpredict\(\s*\"([^\"]+)\"", cell.source)
    rows = _ASKED.findall(_printed(cell))
    return [
        Prediction(key, question, tuple(filter(None, choices.split(" | "))))
        for key, (question, choices, _) in zip(keys, rows, strict=False)
    ]


def _measured(cells: Sequence) -> dict[str, str]:
    """What came out for each key, as it stands in the stored output."""
    found = {}
    for cell in cells:
        keys = re.findall(r"\breveal\(\s*\"([^\"]+)\"", cell.source)
        found |= dict(zip(keys, _MEASURED.findall(_printed(cell)), strict=False))
    return found


def parts_of(cells: Sequence) -> list[Part]:
    """Cut a notebook at its headings; what follows a check is the section again.

    Args:
        cells: as they are stored, with outputs; the title is the first.
    """
    parts = [Part(OPENING)]
    section = current = parts[0]
    for cell in cells:
        if cell.cell_type == "code":
            current.weight += 2 * len([r for r in cell.source.splitlines() if r])
            current.predictions += _asked(cell)
            current.figures += _figures(cell)
            if cell.source.startswith("check("):
                current = section
            continue
        for block in re.split(r"(?m)^(?=##)", cell.source):
            line, _, body = block.partition("\n")
            if found := _TASK.match(line):
                _, first, last, title, core, minutes = found.groups()
                current = Part(
                    title,
                    f"{first} to {last}" if last else first,
                    core != "extra",
                    float(minutes or 0),
                    section.title,
                )
                parts.append(current)
            elif line.startswith("## "):
                section = current = Part(line.removeprefix("## "))
                parts.append(current)
            elif line.startswith("###"):
                body = f"**{line.lstrip('# ')}**\n{body}"
            else:
                body = block
            current.text += body.strip("\n") + "\n\n"
            current.weight += _words(body)
    return [part for part in parts if part.title not in OUTSIDE]


def _share_out(parts: Sequence[Part], read: int, do: int) -> None:
    """Give each section its share of the reading, each silent exercise of the rest."""
    sections = [part for part in parts if not part.task]
    total = sum(part.weight for part in sections) or 1
    for part in sections:
        part.minutes = read * part.weight / total
    silent = [part for part in parts if part.task and not part.minutes]
    left = do - sum(part.minutes for part in parts if part.task)
    for part in silent:
        part.minutes = min(15.0, max(5.0, round(left / len(silent))))


@cache
def lesson(stem: str) -> Lesson:
    """Read one lesson from its solved edition: texts and stored outputs.

    Raises:
        ValueError: the top of the notebook does not say how many minutes it takes.
    """
    cells = [
        cell
        for cell in nbformat.read(path_of(stem, "solutions"), as_version=4).cells
        if "generated" not in cell.metadata.get("tags", [])
    ]
    top = cells[:2]
    budget = _BUDGET.search(top[1].source)
    if budget is None:
        raise ValueError(f"{stem}: its second cell must say '| to read / to do | …'")
    read, do = map(int, budget.groups())
    title, _, opening = top[0].source.partition("\n")
    flat = " ".join(opening.split())
    aim = re.search(r"In the end (?:you|your)\b[^.?!]*[.?!]", flat)
    goals = re.findall(r"(?m)^- (.*(?:\n  .*)*)", top[1].source)
    parts = parts_of(cells[2:])
    _share_out(parts, read, do)
    measured = _measured([cell for cell in cells if cell.cell_type == "code"])
    for part in parts:
        part.predictions = [
            Prediction(p.key, p.question, p.choices, measured.get(p.key, ""))
            for p in part.predictions
        ]
    return Lesson(
        stem,
        title.partition(" · ")[2],
        aim[0] if aim else "",
        tuple(" ".join(goal.split()).rstrip(",.") for goal in goals),
        read,
        do,
        tuple(parts),
    )


def lessons() -> list[Lesson]:
    """All of them, in order."""
    return [lesson(stem) for stem in stems()]
