"""The course where it is read: JupyterLab in a browser, the network cut."""

import json
import re

import pytest
from playwright.sync_api import expect

from course_utils.authoring.source import NOTEBOOKS

expect.set_options(timeout=60_000)  # a first import takes its time
STUDENT = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
ERRORS = (
    '[data-mime-type="application/vnd.jupyter.error"], '
    '[data-mime-type="application/vnd.jupyter.stderr"]'
)
FINISHED = """() => {
  const prompts = [...document.querySelectorAll(
    '.jp-Notebook .jp-CodeCell .jp-InputPrompt')].map(e => e.textContent.trim());
  return prompts.length > 5 && prompts.every(text => /^\\[\\d+\\]:$/.test(text));
}"""


def open_notebook(page, lab, name):
    lab.close_kernels()
    page.goto(f"{lab.url}/lab/tree/notebooks/{name}?token={lab.token}&reset")
    kernel = page.locator(".jp-KernelName, .jp-Toolbar-kernelName").first
    expect(kernel).to_have_text(re.compile("Python 3"), timeout=60_000)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=60_000)


def menu(page, first, second):
    page.get_by_role("menuitem", name=first, exact=True).click()
    page.get_by_role("menuitem", name=second, exact=True).click()


def run_all(page, seconds=400):
    menu(page, "Run", "Run All Cells")
    page.wait_for_function(FINISHED, timeout=seconds * 1000)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=60_000)


def run_cell(page, cell):
    cell.locator(".jp-InputPrompt").click()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=60_000)


def cell_with(page, text):
    return page.locator(".jp-Notebook .jp-CodeCell").filter(
        has=page.locator(".jp-InputArea", has_text=text)
    )


@pytest.mark.parametrize("name", STUDENT)
def test_a_notebook_runs_from_top_to_bottom_and_its_widgets_move(page, lab, name):
    open_notebook(page, lab, name)
    run_all(page)
    assert page.locator(ERRORS).all_inner_texts() == []
    move_every_widget(page, expected=count_explore(name))
    assert page.problems == []
    assert page.outside == []


def count_explore(name):
    cells = json.loads((NOTEBOOKS / name).read_text("utf-8"))["cells"]
    code = ("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    return sum(len(re.findall(r"^explore\(", text, re.MULTILINE)) for text in code)


def move_every_widget(page, expected):
    """Each control of each widget, by keyboard alone, changes what is shown."""
    widgets = page.locator(".widget-vbox:has(.widget-html)")
    assert widgets.count() == expected
    for number in range(expected):
        widget = widgets.nth(number)
        widget.scroll_into_view_if_needed()
        for slider in widget.locator(".noUi-handle").all():
            change(widget, nudge, page, slider)
        for choice in widget.locator("select").all():
            change(widget, choose_another, choice)
        for box in widget.locator("input[type=text]").all():
            change(widget, box.fill, "The ferry was late, 42")


def nudge(page, handle):
    handle.focus()
    at_the_end = handle.get_attribute("aria-valuenow") == handle.get_attribute(
        "aria-valuemax"
    )
    for _ in range(5):
        page.keyboard.press("ArrowLeft" if at_the_end else "ArrowRight")


def choose_another(choice):
    options = choice.locator("option").all_inner_texts()
    now = choice.evaluate("e => e.selectedIndex")
    choice.select_option(options[(now + 1) % len(options)])


def change(widget, act, *arguments):
    """Do something to a control and wait until what is shown is another."""
    area = widget.locator(".widget-html-content").last
    before = area.inner_html()
    assert before.strip(), "the widget shows nothing"
    act(*arguments)
    expect(area).not_to_have_js_property("innerHTML", before, timeout=30_000)
    assert "Error" not in area.inner_text()


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


def write(page, first, text):
    """Replace the text of a cell by typing, then run it; the editor indents."""
    cell = cell_with(page, first).first
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type(text)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=60_000)


def test_a_prediction_is_kept_by_a_click_and_compared(page, lab):
    open_notebook(page, lab, "01_tokenization.ipynb")
    for text in ("find_spec", "start(", "sentences = ", 'predict("emoji"'):
        run_cell(page, cell_with(page, text).first)
    asked = cell_with(page, 'predict("emoji"').first
    asked.get_by_role("button", name="0.85").click()
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
