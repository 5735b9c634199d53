"""Write the kit: a page per sheet, a page per lesson, and the way in."""

from __future__ import annotations

from collections.abc import Mapping

from course_utils.authoring.source import ROOT
from course_utils.authoring.workshop import times
from course_utils.authoring.workshop.guides import cell, guide, notes, question
from course_utils.authoring.workshop.lesson import Lesson, lessons, stems
from course_utils.authoring.workshop.sheets import (
    KIT,
    Block,
    Sheet,
    choose,
    homework,
    rows,
    sheets,
    whole,
)

RECORD = KIT / "times.csv"
README = """\
# Teach it

Made by `make workshop` from the notebooks' own minutes, exercises, predictions and
outputs; do not edit. Plans and what only a teacher knows: `workshop/source/`.

## Run sheets

{sheets}

Slides, one deck per sheet, self-contained HTML and PDF: `make slides`, then
`build/slides/`. They show the notebooks' own figures and questions; press S for the
speaker's notes. The live part stays in the notebook.

## Instructor pages

{guides}

## Before

- A week before and again on the day before, everyone sends the last line of
  `make doctor`. It is one line per learner: ready, what is missing, or too small, and
  the minutes that the lessons will compute there.
- Name a tag, not `main`: nothing moves below a class. All that is needed comes with the
  install; in the room no network is used.
- One notebook at a time: each open one is a kernel with a model in memory.

## During

- Late, lost, or the kernel is gone: `start("05_pooling", at="5.3")` in the first cell
  puts everything in memory that exercise 5.3 needs, without running the whole page.
- Answers and guesses are kept beside the notebooks (`.progress/`): they survive a
  restart of the kernel and a newer version of the course. `my_answer("5.1")` shows what
  was last correct, to paste it into a fresh notebook.
- Red and green notes on the lids beat "any questions?".

## After a run

Minutes of each learner and part go into [times.csv](times.csv), one row each: date,
sheet, notebook, part, minutes. A part is an exercise (`5.1`), or `read` for the rest of
the lesson. From them `make workshop` makes the p50 and p90 on the instructor pages;
until then they say *not yet run*. Who cannot write here sends the form *How a workshop
went*, which asks the same.

| learner | notebook | part | began | solved | minutes | stuck at |
|---|---|---|---|---|---|---|
| | | | | | | |
| | | | | | | |
"""


def sheet_page(sheet: Sheet, known: Mapping[str, Lesson]) -> str:
    """A run sheet as Markdown: what happens when, and what is left for home."""
    lines = [
        f"# {sheet.title}",
        "",
        sheet.about,
        "",
        f"{sheet.minutes} minutes; lessons {', '.join(sheet.taught)}. Minutes of "
        "exercises are those of the notebooks; *show* means that the instructor runs "
        "the cells and asks.",
    ]
    at, left = 0, []
    for block in sheet.blocks:
        if not block.lesson:
            lines += ["", _heading(at, block, block.what)]
            lines += ["", block.how] if block.how else []
        else:
            one = known[block.lesson]
            chosen = choose(one, block)
            title = f"[{one.number} · {one.question}](instructor/{one.stem}.md)"
            vote = cell(question(one, notes(one.stem)).question)
            lines += ["", _heading(at, block, title), ""]
            lines += ["| at | min | what | how |", "|---|---|---|---|"]
            lines += [
                f"| {row.clock} | {row.minutes} | {cell(row.what)} | {cell(row.how)} |"
                for row in rows(one, block, at, vote)
            ]
            left.append((one, homework(one, chosen)))
        at += block.minutes
    lines += ["", "## For home", ""]
    for one, parts in left:
        tasks, others = [p for p in parts if p.task], [p for p in parts if not p.task]
        told = []
        if tasks:
            named = ", ".join(part.task for part in tasks)
            told.append(f"exercises {named} ({sum(map(whole, tasks))} min)")
        if others:
            longest = max(others, key=whole).title
            told.append(
                f"{len(others)} sections to read ({sum(map(whole, others))} min), the "
                f"longest *{longest}*"
            )
        lines.append(f"- {one.number}: {'; '.join(told) or 'nothing is left'}.")
    return "\n".join(lines) + "\n"


def _heading(at: int, block: Block, title: str) -> str:
    return f"## {at // 60}:{at % 60:02} · {title} ({block.minutes} min)"


def texts() -> dict[str, str]:
    """Every generated page: its path in the repository -> its text."""
    known = {one.number: one for one in lessons()}
    took = times.taken(times.read(RECORD))
    plans = sheets()
    made = {f"{plan.file}.md": sheet_page(plan, known) for plan in plans}
    made |= {f"instructor/{one.stem}.md": guide(one, took) for one in known.values()}
    links = [
        f"- [{p.title}]({p.file}.md): lessons {', '.join(p.taught)}" for p in plans
    ]
    pages = [
        f"- [{one.number} · {one.question}](instructor/{one.stem}.md)"
        for one in known.values()
    ]
    made["README.md"] = README.format(sheets="\n".join(links), guides="\n".join(pages))
    return {f"{KIT.relative_to(ROOT).as_posix()}/{n}": text for n, text in made.items()}


def unknown() -> list[str]:
    """What the plans name and no lesson has: an exercise, a section, a lesson."""
    known = {one.number: one for one in lessons()}
    found = []
    for plan in sheets():
        for block in plan.blocks:
            if not block.lesson:
                continue
            if block.lesson not in known:
                found.append(f"{plan.file}: no lesson {block.lesson}")
                continue
            names = {part.title for part in known[block.lesson].sections}
            names |= {task.first for task in known[block.lesson].tasks}
            for name in [*block.first, *block.show]:
                if name not in names:
                    found.append(f"{plan.file}: lesson {block.lesson} has no {name!r}")
    return found


def unwritten() -> list[str]:
    """Lessons of which no teacher has written anything down."""
    source = KIT / "source"
    return [stem for stem in stems() if not (source / f"{stem}.toml").exists()]


def build() -> int:
    """Write all pages and remove those of lessons that are gone.

    Returns:
        0, or 1 if a plan names what is not there (its other choices are made without).
    """
    made = texts()
    for path in [*KIT.glob("*.md"), *KIT.glob("instructor/*.md")]:
        if path.relative_to(ROOT).as_posix() not in made:
            path.unlink()
    for name, text in made.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{name}: written")
    print(f"{len(made)} pages of the workshop kit are up to date")
    for stem in unwritten():
        print(f"to be written: workshop/source/{stem}.toml, as that of another lesson")
    for problem in unknown():
        print(f"workshop/source/plans.toml, {problem}")
    return 1 if unknown() else 0
