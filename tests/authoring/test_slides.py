"""Decks are one file each, hold every part of their sheet, and say what to say."""

import re
import shutil
from html import unescape

import pytest

from course_utils.authoring.workshop import slides
from course_utils.authoring.workshop.lesson import lessons
from course_utils.authoring.workshop.sheets import choose, sheets
from course_utils.authoring.workshop.slides import brief, deck, shown

PLANS = sheets()
each_plan = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.file)


@pytest.fixture(scope="module")
def known():
    return {one.number: one for one in lessons()}


@pytest.fixture(scope="module")
def parts():
    return slides.assets()


def without_scripts(text):
    return re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


@each_plan
def test_a_deck_needs_nothing_but_itself(plan, known, parts):
    text = deck(plan, known, parts)
    outside = without_scripts(text)
    assert not re.search(r"<(?:link|iframe|script[^>]*src)", outside)
    assert not re.search(r'src="(?!data:image/png)', outside)
    assert not re.search(r"@import|url\((?!data:)", outside)
    assert text.count("</script>") == 3
    assert len(text) < 2_000_000


@each_plan
def test_every_part_of_the_sheet_is_on_a_slide(plan, known, parts):
    text = unescape(re.sub(r"</?code>", "`", deck(plan, known, parts)))
    for block in plan.blocks:
        if not block.lesson:
            assert f">{block.what}</h1>" in text
            continue
        for part in choose(known[block.lesson], block):
            if part.task:
                assert f" {part.task} · " in text
            elif part.title != "Opening":
                assert f">{part.title}</h2>" in text or "*" in part.title


def test_figures_keep_their_alt_text_and_slides_have_notes(known, parts):
    text = without_scripts(deck(PLANS[1], known, parts))
    images = re.findall(r"<img [^>]*>", text)
    assert len(images) >= 5
    for image in images:
        assert len(re.search(r'alt="([^"]*)"', image)[1].split()) >= 4
    sections = re.findall(r"<section>.*?</section>", text, re.DOTALL)
    told = [one for one in sections if '<aside class="notes">' in one]
    assert len(told) >= 0.7 * len(sections)
    assert "What they believe:" in text and "vote again" in text


def test_a_vote_hides_its_answer_until_it_is_asked_for(known, parts):
    text = deck(PLANS[0], known, parts)
    votes = re.findall(r"· vote</p>.*?</section>", text, re.DOTALL)
    assert len(votes) == len(PLANS[0].taught)
    for vote in votes:
        assert vote.count('<span class="fragment right"> ✓</span>') == 1


def test_a_slide_says_whole_paragraphs_and_no_hint():
    page = (
        "One two.\n\n<details>hint</details>\n\n| a |\n|---|\n\n[Three](x.md) *four*."
    )
    assert brief(page, 3) == "One two."
    assert brief(page, 4) == "One two.\n\nThree *four*."
    assert brief("A long first paragraph stays.", 1) == "A long first paragraph stays."


def test_what_looks_like_html_stays_text():
    made = shown("<script>alert(1)</script>")
    assert "<script>" not in made and "&lt;script&gt;" in made


def test_without_reveal_the_command_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(slides, "find_spec", lambda name: None)
    assert slides.build_slides(tmp_path) == 1
    assert "pip install -c constraints.txt '.[slides]'" in capsys.readouterr().out


def test_without_a_browser_there_is_html_alone(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("COURSE_BROWSER", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(slides, "sheets", lambda: PLANS[:1])
    assert slides.build_slides(tmp_path) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["90_minutes.html"]
    assert "no Chromium found, so no PDF" in capsys.readouterr().out
