"""The course where it is read: JupyterLab in a browser, the network cut."""

import json
import re

import pytest
from playwright.sync_api import expect

from course_utils.authoring.source import NOTEBOOKS
from course_utils.classroom.needs import needed
from tests.browser.driving import (
    ERRORS,
    FAINT,
    cell_with,
    open_notebook,
    run_cell,
    write,
)

STUDENT = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("name", STUDENT)
def test_a_notebook_runs_its_widgets_move_and_it_can_be_read(page, lab, name):
    """What its widgets need is run: that every cell runs, other tests have shown."""
    open_notebook(page, lab, name)
    numbers, widgets = cells_for_widgets(name)
    for number in numbers:
        run_cell(page, page.locator(".jp-Notebook .jp-CodeCell").nth(number))
        assert page.locator(ERRORS).all_inner_texts() == []
    move_every_widget(page, expected=widgets)
    assert page.evaluate(BAD_HINTS) == []
    for theme in ("Dark", "Light"):
        page.evaluate(CHANGE_THEME, f"JupyterLab {theme}")
        read_in(page, theme)
    assert page.problems == []
    assert page.outside == []


def cells_for_widgets(name):
    """The numbers of the cells to run (three at least), and how many widgets."""
    cells = json.loads((NOTEBOOKS / name).read_text("utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    code = [re.sub(r"^(\s*)[%!].*$", r"\1pass", c, flags=re.MULTILINE) for c in code]
    found = [len(re.findall(r"^explore\(", text, re.MULTILINE)) for text in code]
    last = [number for number, count in enumerate(found) if count]
    before = (needed(code[: number + 1], number) for number in last)
    return sorted({0, 1, 2, *last}.union(*before)), sum(found)


def move_every_widget(page, expected):
    """Each control of each widget, by keyboard alone, changes what is shown."""
    widgets = page.locator(".widget-vbox:has(.widget-html)")
    expect(widgets).to_have_count(expected)
    # JupyterLab keeps the arrow keys of lists and round buttons for itself.
    assert widgets.locator("select, input[type=radio]").count() == 0
    for number in range(expected):
        widget = widgets.nth(number)
        widget.scroll_into_view_if_needed()
        for control in widget.locator(CONTROLS).all():
            assert control.evaluate("e => e.tabIndex") >= 0, "Tab does not reach it"
            change(widget, ACTS[control.evaluate("e => e.tagName")], page, control)


def nudge(page, handle):
    handle.focus()
    at_the_end = handle.get_attribute("aria-valuenow") == handle.get_attribute(
        "aria-valuemax"
    )
    for _ in range(5):
        page.keyboard.press("ArrowLeft" if at_the_end else "ArrowRight")


def type_over(page, box):
    box.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("The ferry was late, 42")
    page.keyboard.press("Enter")


CONTROLS = ".noUi-handle, input[type=text]"
ACTS = {"DIV": nudge, "INPUT": type_over}


def change(widget, act, *arguments):
    """Do something to a control and wait until what is shown is another."""
    area = widget.locator(".widget-html-content").last
    before = area.inner_html()
    assert before.strip(), "the widget shows nothing"
    act(*arguments)
    expect(area).not_to_have_js_property("innerHTML", before, timeout=30_000)
    failed = re.match(r"\w*(Error|Exception|Warning): ", area.inner_text().strip())
    assert not failed, area.inner_text()


# Hints that are not hidden until somebody opens them, or hold nothing then.
BAD_HINTS = """() => {
  const hints = [...document.querySelectorAll('.jp-MarkdownOutput details')];
  return hints.filter(hint => {
    const seen = [false, true].map(open => {
      hint.open = open;
      return hint.children.length > 1 && hint.children[1].checkVisibility();
    });
    return seen[0] || !seen[1];
  }).map(hint => hint.innerText);
}"""
CHANGE_THEME = """theme =>
  window.jupyterapp.commands.execute('apputils:change-theme', {theme})"""
SCOPE = "FAINT_SCOPE = '.jp-OutputArea-output, .jp-MarkdownOutput'"


def read_in(page, theme):
    """Everything that the notebook shows, answers opened: the contrast, computed."""
    body = page.locator(f'body[data-jp-theme-name="JupyterLab {theme}"]')
    expect(body).to_have_count(1)
    for folded in page.locator(".jp-Notebook details").all():
        folded.evaluate("e => { e.open = true }")
    page.evaluate(SCOPE)
    assert page.evaluate(FAINT) == []
    assert page.evaluate(TOO_WIDE) == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_stored_outputs_can_be_read_in_both_themes(page, lab, theme):
    """As in a fresh clone, which is not trusted: inline colours survive."""
    lab.use_theme(theme)
    try:
        open_notebook(page, lab, "01_tokenization.ipynb")
        outputs = page.locator(".jp-OutputArea-output")
        assert outputs.locator('span[style*="background-color:"]').count() > 100
        read_in(page, theme)
    finally:
        lab.use_theme("Light")


TOO_WIDE = """() => [...document.querySelectorAll('.jp-OutputArea-output')].filter(
  e => e.scrollWidth > e.clientWidth + 2).map(e => e.innerText.slice(0, 60))"""


def test_a_quiz_gives_a_reason_for_every_answer(page, lab):
    open_notebook(page, lab, "01_tokenization.ipynb")
    cell = cell_with(page, "quiz()").last
    cell.scroll_into_view_if_needed()
    answers = cell.locator("details")
    assert answers.count() >= 9
    texts = []
    for number in range(3):
        answers.nth(number).locator("summary").focus()
        page.keyboard.press("Enter")
        expect(answers.nth(number).locator("p")).to_be_visible()
        texts.append(answers.nth(number).locator("p").inner_text())
    assert sum("✓ Right." in text for text in texts) == 1
    assert sum("✗ No." in text for text in texts) == 2


def test_an_exercise_is_solved_by_typing_and_the_work_is_saved(page, lab):
    open_notebook(page, lab, "01_tokenization.ipynb")
    for text in ("find_spec", "start("):
        run_cell(page, cell_with(page, text).first)
    checking = cell_with(page, 'check("1.1"').first
    run_cell(page, cell_with(page, "def pair_counts").first)
    run_cell(page, checking)
    expect(checking.locator(".jp-OutputArea")).to_contain_text("[ ] 1.1 not started")

    write(
        page,
        "def pair_counts",
        "def pair_counts(ids):\nreturn dict.fromkeys(zip(ids, ids[1:]), 1)",
    )
    run_cell(page, checking)
    expect(checking.locator(".jp-OutputArea")).to_contain_text("count how often")

    write(
        page,
        "def pair_counts",
        "def pair_counts(ids):\nreturn dict(Counter(zip(ids, ids[1:])))",
    )
    run_cell(page, checking)
    expect(checking.locator(".jp-OutputArea")).to_contain_text("[✓] 1.1 correct")

    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0, timeout=15_000)
    page.reload()
    again = cell_with(page, 'check("1.1"').first
    expect(again.locator(".jp-OutputArea")).to_contain_text(
        "[✓] 1.1 correct", timeout=60_000
    )


def test_a_prediction_is_kept_by_a_key_and_compared(page, lab):
    open_notebook(page, lab, "01_tokenization.ipynb")
    for text in ("find_spec", "start(", "sentences = ", 'predict("emoji"'):
        run_cell(page, cell_with(page, text).first)
    asked = cell_with(page, 'predict("emoji"').first
    asked.get_by_role("button", name="0.85").focus()
    page.keyboard.press("Enter")
    expect(asked.locator(".jp-OutputArea")).to_contain_text("kept: 0.85")
    revealing = cell_with(page, 'reveal("emoji"').first
    run_cell(page, revealing)
    expect(revealing.locator(".jp-OutputArea")).to_contain_text("your guess: 0.85")


def test_the_server_wants_its_token_and_listens_on_loopback_only(lab):
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{lab.url}/api/contents", timeout=10)
    assert refused.value.code == 403
    assert "127.0.0.1" in lab.log.read_text()
