"""One deck per run sheet: the notebooks' own figures and questions, for the screen.

reveal.js, which comes with sphinx-revealjs, is written into the page, figures as well:
the file needs nothing else and no network. Chromium prints it as PDF where it is
installed. What is run live stays in the notebook; a slide asks, and shows what came
out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from html import escape
from importlib.util import find_spec
from pathlib import Path

from markdown_it import MarkdownIt

from course_utils.authoring.source import ROOT
from course_utils.authoring.workshop.guides import aim, notes, question
from course_utils.authoring.workshop.lesson import OPENING, Lesson, Part, lessons
from course_utils.authoring.workshop.printing import print_pdf
from course_utils.authoring.workshop.sheets import Block, Sheet, rows, sheets
from course_utils.classroom.quiz import LETTERS, Quiz

SLIDES = ROOT / "build" / "slides"
WORDS = 70  # on a slide; the notebook has the rest
STYLE = """\
:root { --r-main-font: system-ui, sans-serif; --r-heading-font: system-ui, sans-serif;
  --r-main-font-size: 34px; --r-heading-text-transform: none; --r-code-font: monospace;
  --r-heading1-size: 1.9em; --r-heading2-size: 1.4em; --r-link-color: #00539f; }
.reveal .slides { text-align: left; }
.reveal h1, .reveal h2 { margin-bottom: .5em; letter-spacing: 0; }
.reveal .kind { color: #5a5a5a; font-size: .7em; margin: 0 0 .3em; }
.reveal img { height: 415px; width: 100%; object-fit: contain; margin: .2em 0; }
.reveal ol, .reveal ul { display: block; margin-left: 1.2em; }
.reveal ol.letters { list-style: upper-alpha; }
.reveal li { margin-bottom: .25em; }
.reveal code { background: #f2f2f0; padding: 0 .15em; font-size: .9em; }
.reveal pre { width: 100%; font-size: .6em; box-shadow: none; }
.reveal .right { color: #1a6b2f; font-weight: bold; }
.reveal table { font-size: .8em; }
"""
PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body><div class="reveal"><div class="slides">
{slides}
</div></div>
<script>{reveal}</script><script>{notes}</script>
<script>Reveal.initialize({{hash: true, slideNumber: "c/t", width: 1280, height: 720,
  margin: 0.06, center: false, transition: "none", pdfSeparateFragments: false,
  plugins: [RevealNotes]}});</script>
</body></html>
"""


def assets() -> Mapping[str, str]:
    """reveal.js as text: ``style``, ``reveal``, ``notes``.

    Raises:
        LookupError: sphinx-revealjs is not installed.
    """
    spec = find_spec("sphinx_revealjs")
    if spec is None or not spec.origin:
        raise LookupError(
            "slides need reveal.js: "
            "python -m pip install -c constraints.txt '.[slides]'"
        )
    folder = Path(spec.origin).parent / "_static" / "revealjs"

    def text(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    style = text("dist/reveal.css") + text("dist/theme/white.css")
    style = re.sub(r"@import url\([^)]*\);", "", style)  # its fonts: the system's do
    scripts = {
        "reveal": text("dist/reveal.js"),
        "notes": text("plugin/notes/notes.js"),
    }
    inert = {
        name: code.replace("</script", "<\\/script") for name, code in scripts.items()
    }
    return {"style": style + STYLE, **inert}


# -- text ------------------------------------------------------------------------------


def brief(markdown: str, most: int = WORDS) -> str:
    """The first paragraphs of a page, whole, until it is enough; no hints, no tables.

    >>> brief("*Read the output.* It is [**one**](x.md).", most=3)
    '*Read the output.* It is **one**.'
    """
    text = re.sub(r"<details>.*?</details>", "", markdown, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)", r"\1", text)
    kept: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        if not paragraph.strip() or paragraph.lstrip().startswith(("|", "!")):
            continue
        count = sum(len(one.split()) for one in [*kept, paragraph])
        if kept and count > most:
            break
        kept.append(paragraph.strip("\n"))
    return "\n\n".join(kept)


def shown(markdown: str) -> str:
    """Markdown as HTML; what looks like HTML in it stays text."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)


def slide(kind: str, title: str, body: str, said: str = "", level: int = 2) -> str:
    """One slide with its speaker's notes."""
    aside = f'<aside class="notes">{said}</aside>' if said else ""
    top = f'<p class="kind">{escape(kind)}</p>' if kind else ""
    name = MarkdownIt().renderInline(title)
    return f"<section>{top}<h{level}>{name}</h{level}>{body}{aside}</section>"


def _list(items, numbered: str = "") -> str:
    tag = f'ol class="{numbered}"' if numbered else "ul"
    rows = "".join(f"<li>{item}</li>" for item in items)
    return f"<{tag}>{rows}</{tag.split()[0]}>"


# -- slides ----------------------------------------------------------------------------


def opening(sheet: Sheet, known: Mapping[str, Lesson]) -> str:
    """The first slide: what there will be, and when."""
    items, at = [], 0
    for block in sheet.blocks:
        one = known.get(block.lesson)
        name = f"{one.number} · {one.question}" if one else block.what
        if one or block.what in ("Break", "Lunch"):
            items.append(f"{at // 60}:{at % 60:02} &nbsp; {escape(name)}")
        at += block.minutes
    half = (len(items) + 1) // 2 if len(items) > 9 else len(items)
    columns = "".join(
        f'<div style="flex:1">{_list(part)}</div>'
        for part in (items[:half], items[half:])
        if part
    )
    plan = f'<div style="display:flex;gap:2em;font-size:.7em">{columns}</div>'
    body = f"<p>{escape(sheet.about)}</p>{plan}"
    return slide(
        f"Embeddings, Opened · {sheet.title}", "Embeddings, Opened", body, "", 1
    )


def lesson_slides(lesson: Lesson, block: Block, at: int) -> list[str]:
    """A lesson: its aim, what is shown and done, a vote."""
    known = notes(lesson.stem)
    asked = question(lesson, known)
    beliefs = [
        f"<i>{escape(belief)}</i> Ask: {escape(ask)} {escape(seen)}"
        for belief, ask, seen in known.misconceptions
    ]
    said = (
        f"<p>{at // 60}:{at % 60:02}, {block.minutes} minutes.</p><p>What breaks:</p>"
        f"{_list(map(escape, known.breaks))}<p>What they believe:</p>{_list(beliefs)}"
    )
    title = f"{lesson.number} · {lesson.question}"
    made = [slide("", title, shown(aim(lesson, known)), said, 1)]
    for row in rows(lesson, block, at, asked.question):
        kind = f"{lesson.number} · {row.minutes} min"
        if row.part is None:
            made += [_vote(kind, asked)] if row.what == "Vote" else []
        elif row.part.task:
            made.append(_task(kind, lesson, row.part))
        elif row.part.title != OPENING:
            made += _section(kind, row.part)
    return made


def _section(kind: str, part: Part) -> list[str]:
    reading = re.findall(
        r"\*Read the output\.\* (.*?)(?:\n\n|\Z)", part.text, re.DOTALL
    )
    said = shown(brief("\n\n".join(reading), 150)) + "<p>Live: run the section.</p>"
    made = []
    for guess in part.predictions[:1]:
        offered = _list(map(escape, guess.choices), "letters") if guess.choices else ""
        made.append(
            slide(
                f"{kind} · guess first",
                part.title,
                f"<p>{escape(guess.question)}</p>{offered}",
                said,
            )
        )
    if part.figures:
        png, alt = part.figures[0]
        data = f"data:image/png;base64,{''.join(png.split())}"
        body = f'<img src="{data}" alt="{escape(alt)}">'
        body += "".join(
            f'<p>came out: <span class="right">{escape(guess.measured)}</span></p>'
            for guess in part.predictions[:1]
            if guess.measured
        )
        made.append(slide(kind, part.title, body, said))
    elif part.predictions and part.predictions[0].measured:
        came = escape(part.predictions[0].measured)
        body = f'<p>came out: <span class="right">{came}</span></p>'
        made.append(
            slide(kind, part.title, body + shown(brief("\n\n".join(reading))), said)
        )
    return made or [slide(kind, part.title, shown(brief(part.text)), said)]


def _task(kind: str, lesson: Lesson, part: Part) -> str:
    hints = re.findall(
        r"<summary>(Hint.*?)</summary>(.*?)</details>", part.text, re.DOTALL
    )
    said = "".join(
        f"<p>{escape(name)}</p>{shown(text.strip())}" for name, text in hints
    )
    body = shown(brief(part.text))
    late = escape(f'start("{lesson.stem}", at="{part.first}")')
    body += f'<p class="kind">late, or the kernel is gone: <code>{late}</code></p>'
    name = "Exercises" if " to " in part.task else "Exercise"
    return slide(f"{kind} · do", f"{name} {part.task} · {part.title}", body, said)


def _vote(kind: str, asked: Quiz) -> str:
    mark = '<span class="fragment right"> ✓</span>'
    choices = [
        escape(choice) + mark * (choice == asked.correct) for choice in asked.choices
    ]
    reasons = [
        f"{letter} {'right' if choice == asked.correct else 'no'}: {escape(why)}"
        for letter, (choice, why) in zip(LETTERS, asked.choices.items(), strict=False)
    ]
    said = "<p>Vote; talk to a neighbour for a minute; vote again.</p>" + _list(reasons)
    return slide(f"{kind} · vote", asked.question, _list(choices, "letters"), said)


def deck(sheet: Sheet, known: Mapping[str, Lesson], parts: Mapping[str, str]) -> str:
    """A whole deck as one page.

    Args:
        sheet: the plan.
        known: lessons by number.
        parts: from ``assets``.
    """
    made, at = [opening(sheet, known)], 0
    for block in sheet.blocks:
        if block.lesson:
            made += lesson_slides(known[block.lesson], block, at)
        else:
            body = shown(block.how) if block.how else f"<p>{block.minutes} minutes</p>"
            made.append(slide(f"{at // 60}:{at % 60:02}", block.what, body, "", 1))
        at += block.minutes
    title = f"Embeddings, Opened: {sheet.title}"
    return PAGE.format(title=escape(title), slides="\n".join(made), **parts)


def build_slides(folder: Path = SLIDES) -> int:
    """Write a deck per sheet into ``folder``, and its PDF where Chromium is installed.

    Returns:
        0, or 1 with the reason printed: reveal.js is missing.
    """
    try:
        parts = assets()
    except LookupError as error:
        print(error)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    known = {one.number: one for one in lessons()}
    for sheet in sheets():
        page = folder / f"{sheet.file}.html"
        text = deck(sheet, known, parts)
        page.write_text(text, encoding="utf-8", newline="\n")
        printed = print_pdf(page, page.with_suffix(".pdf"))
        print(
            f"{page}: {text.count('<section>')} slides, {len(text) // 1024} kB"
            f"{', and as PDF' if printed else '; no Chromium found, so no PDF'}"
        )
        sys.stdout.flush()
    return 0
