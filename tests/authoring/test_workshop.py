"""The workshop kit: read from the notebooks, fitted to the clock, never drifting."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from course_utils.authoring.source import ROOT
from course_utils.authoring.workshop import guides, pages, sheets, times
from course_utils.authoring.workshop.lesson import (
    OPENING,
    Lesson,
    Part,
    Prediction,
    lesson,
    lessons,
    parts_of,
    stems,
)
from course_utils.authoring.workshop.sheets import VOTE, Block, choose, homework, rows

PLANS = sheets.sheets()
each_plan = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.file)
each_lesson = pytest.mark.parametrize("stem", stems())


@pytest.fixture(scope="module")
def made():
    return pages.texts()


# -- reading a notebook ----------------------------------------------------------------


def stream(text):
    return new_output("stream", name="stdout", text=text)


def test_a_notebook_is_cut_at_its_headings_and_a_check_ends_an_exercise():
    asked = "Predict · how many?\n  choices: one | two\n  your guess: none yet\n"
    cells = [
        new_markdown_cell("Some words first.\n\n## A section\n\nTwo words."),
        new_code_cell(
            'predict("n", "how many?", ["one", "two"])', outputs=[stream(asked)]
        ),
        new_markdown_cell("### Exercise 1.2 · Build it (extra, 15 minutes)\n\nDo."),
        new_code_cell("def f(): ..."),
        new_code_cell('check("1.2", f)'),
        new_markdown_cell("After it.\n\n### A sub-heading\n\nMore."),
        new_markdown_cell("## What you have now\n\nNot taught."),
    ]
    opening, section, task = parts_of(cells)
    assert (opening.title, section.title, task.title) == (
        *(OPENING, "A section", "Build it"),
    )
    assert (task.task, task.core, task.minutes) == ("1.2", False, 15)
    assert task.section == "A section" and task.first == "1.2"
    assert "After it." in section.text and "**A sub-heading**" in section.text
    assert section.predictions == [Prediction("n", "how many?", ("one", "two"))]


def test_wrong_predictions_are_those_that_did_not_come_out():
    assert Prediction("k", "?", ("a", "b", "c"), "b").wrong == ("a", "c")


@each_lesson
def test_a_lesson_says_what_a_sheet_needs(stem):
    one = lesson(stem)
    assert one.question.endswith("?") and one.goals
    assert one.tasks and all(part.minutes > 0 for part in one.parts)
    shown = sum(part.minutes for part in one.sections)
    assert shown == pytest.approx(one.read, rel=0.1)  # the recap is not taught


@each_lesson
def test_exercises_of_the_page_are_those_of_the_checks(stem):
    checks = ROOT / "course_utils" / "classroom" / "checks"
    text = (checks / f"{lesson(stem).topic}.py").read_text("utf-8")
    for task in lesson(stem).tasks:
        assert f'"{task.first}"' in text


# -- fitting it to the clock -----------------------------------------------------------


def toy(*parts):
    return Lesson("05_toy", "Why?", "Aim.", ("goal",), 10, 10, parts)


def section(title, minutes, **more):
    return Part(title, minutes=minutes, **more)


def task(number, minutes, home, core=True):
    return Part("Do it", number, core, minutes, home)


TOY = toy(
    section(OPENING, 1),
    section("A", 4),
    task("5.1", 10, "A", core=False),
    section("B", 5),
    task("5.2", 10, "B"),
    section("C", 3, predictions=[Prediction("k", "?")]),
)


def chosen(minutes, **more):
    return [part.first or part.title for part in choose(TOY, Block(minutes, **more))]


def test_core_comes_before_extra_and_brings_its_section():
    assert chosen(20) == [OPENING, "B", "5.2"]


def test_the_plan_may_put_another_first():
    assert chosen(19, first=("5.1",)) == [OPENING, "A", "5.1"]


def test_what_is_left_is_filled_with_a_guess_first():
    assert chosen(23) == [OPENING, "B", "5.2", "C"]
    assert chosen(8, show=("A",)) == [OPENING, "A"]


def test_a_block_is_not_only_typing():
    """Of 15 minutes 10 would be doing, more than its share; a guess takes its place."""
    assert chosen(15) == [OPENING, "A", "C"]


def test_a_block_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="05_toy: 3 minutes are too few"):
        choose(TOY, Block(3))


def test_the_rest_is_homework():
    left = homework(TOY, choose(TOY, Block(20)))
    assert [part.first or part.title for part in left] == ["A", "5.1", "C"]


@pytest.mark.parametrize("minutes", [8, 20, 23, 40, 90])
def test_a_block_takes_its_minutes_exactly(minutes):
    found = rows(TOY, Block(minutes), 100, "?")
    assert sum(row.minutes for row in found) == minutes
    ends = [row.at + row.minutes for row in found]
    assert [row.at for row in found] == [100, *ends[:-1]]
    assert found[0].clock == "1:40" and VOTE in [row.minutes for row in found]


# -- the plans -------------------------------------------------------------------------


def test_the_plans_take_what_their_titles_say():
    assert {plan.file: plan.minutes for plan in PLANS} == {
        **{"90_minutes": 90, "half_day": 210, "one_day": 420, "two_days": 840},
    }


@each_plan
def test_every_lesson_of_a_plan_asks_and_most_of_them_do(plan):
    known = {one.number: one for one in lessons()}
    doing = []
    for block in plan.blocks:
        if block.lesson:
            parts = choose(known[block.lesson], block)
            doing.append(any(part.task for part in parts))
    assert sum(doing) >= len(doing) - 1


@each_plan
def test_nobody_sits_for_two_hours(plan):
    sat = 0
    for block in plan.blocks:
        rest = block.what in ("Break", "Lunch") or block.what.startswith("Close")
        sat = 0 if rest else sat + block.minutes
        assert sat <= 130


def test_a_plan_names_only_what_there_is():
    """Otherwise workshop/source/plans.toml needs another name."""
    assert pages.unknown() == []


def test_two_days_teach_every_lesson():
    [longest] = [plan for plan in PLANS if plan.file == "two_days"]
    assert set(longest.taught) >= {f"{number:02}" for number in range(11)}


# -- the pages -------------------------------------------------------------------------


def test_the_kit_is_in_step_with_the_notebooks(made):
    """`make workshop` mends it."""
    found = {
        path.relative_to(ROOT).as_posix()
        for path in [*sheets.KIT.glob("*.md"), *sheets.KIT.glob("instructor/*.md")]
    }
    assert found == set(made)
    drifted = [name for name in made if (ROOT / name).read_text("utf-8") != made[name]]
    assert drifted == []


WRITTEN = [stem for stem in stems() if stem not in pages.unwritten()]
each_written = pytest.mark.parametrize("stem", WRITTEN)


@each_lesson
def test_a_page_has_all_that_an_instructor_asks_for(stem, made):
    text = made[f"workshop/instructor/{stem}.md"]
    for heading in (
        *("What they believe", "Wrong predictions", "What breaks", "What to cut"),
        *("A question to vote on", "Where to stop", "To take home", "Minutes"),
    ):
        assert f"## {heading}" in text
    assert "**right**" in text
    assert (guides.UNWRITTEN in text) == (stem not in WRITTEN)


def test_the_first_eleven_lessons_have_notes():
    assert {stem[:2] for stem in WRITTEN} >= {f"{number:02}" for number in range(11)}


@each_written
def test_the_notes_of_a_lesson_are_sentences(stem, made):
    text = made[f"workshop/instructor/{stem}.md"]
    assert text.count("   - Ask: **") == text.count("   - They will see: ") == 3
    assert "**Aim.** In the end you" in text
    known = guides.notes(stem)
    for belief, ask, seen in known.misconceptions:
        assert belief.endswith(".") and ask.endswith("?") and seen.endswith((".", "!"))
    assert known.expect and known.breaks and known.cut.endswith(".")


def test_a_new_lesson_has_a_page_before_it_has_notes(monkeypatch):
    monkeypatch.setattr(guides, "KIT", ROOT / "nowhere")
    text = guides.guide(lesson("05_pooling"), {})
    assert text.count(guides.UNWRITTEN) == 4 and "## A question to vote on" in text


def test_notes_name_three_misconceptions(monkeypatch, tmp_path):
    monkeypatch.setattr(guides, "KIT", tmp_path)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "05_pooling.toml").write_text("misconception = []", "utf-8")
    with pytest.raises(ValueError, match="05_pooling.toml must name three"):
        guides.notes("05_pooling")


def test_the_middle_is_a_section_near_half_of_the_minutes():
    parts = (
        section(OPENING, 1),
        section("A", 9),
        task("5.1", 10, "A"),
        section("B", 20),
    )
    assert guides.middle(toy(*parts)).title == "A"


def test_links_of_the_kit_lead_somewhere(made):
    import re

    for name, text in made.items():
        for target in re.findall(r"\]\(([^)\s#]+)", text):
            assert ((ROOT / name).parent / target).resolve().exists(), (name, target)


# -- what runs took --------------------------------------------------------------------


def record(tmp_path, *lines) -> Path:
    path = tmp_path / "times.csv"
    path.write_text("\n".join([",".join(times.COLUMNS), *lines]) + "\n", "utf-8")
    return path


def test_minutes_of_learners_become_p50_and_p90(tmp_path):
    path = record(
        tmp_path, *(f"2027-01-01,one_day,05_pooling,5.1,{m}" for m in range(1, 11))
    )
    taken = times.taken(times.read(path))
    assert taken == {("05_pooling", "5.1"): times.Taken(5, 9, 10)}
    page = guides.guide(lesson("05_pooling"), taken)
    assert "| 5 / 9 (10) |" in page and "not yet run" in page


@pytest.mark.parametrize("row", ["2027-01-01,one_day,05_pooling,5.1,", "a,b,c,d,-3"])
def test_a_row_that_says_nothing_is_refused(tmp_path, row):
    with pytest.raises(ValueError, match="line 2: every column needs a value"):
        times.read(record(tmp_path, row))


def test_the_record_of_the_course_can_be_read():
    known = set(stems())
    for row in times.read(pages.RECORD):
        assert row["notebook"] in known
