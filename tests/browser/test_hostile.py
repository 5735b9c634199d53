"""Text from anyone, through every display function, in a live kernel: nothing runs."""

import json

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

from tests.browser.driving import ERRORS, cell_with, open_notebook, run_all, run_cell
from tests.classroom.test_show import HOSTILE

TRACE = "(window.ran=1,fetch('/ran'),alert(1))"  # what each of them tries to do
MORE = {
    "toggle": "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "frame": "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "form": "<form action=javascript:alert(1)><button autofocus>x</button></form>",
    "style": "<style>@import '/ran';</style><link rel=stylesheet href=/ran>",
    "object": "<object data=javascript:alert(1)></object><embed src=/ran>",
    "base": "<base href=//example.org><meta http-equiv=refresh content='0;url=/ran'>",
    "markdown": "[x](javascript:alert(1)) ![x](/ran) `</code><script>alert(1)`",
}
TEXTS = [text[:3000].replace("alert(1)", TRACE) for text in HOSTILE.values()]
TEXTS += [text.replace("alert(1)", TRACE) for text in MORE.values()]

# JupyterLab shows fifty outputs of a cell, so that some are shared out.
CELLS = (
    """
import json
from IPython.display import HTML, display
import pandas as pd
from course_utils.classroom import *
from course_utils.classroom.check import judge
from course_utils.classroom.claims import Claim, Statement, Trial
from course_utils.classroom.plots import Picture
from course_utils.classroom.widgets import live_view
start("01_tokenization")
texts = json.loads(open("texts.json").read())
""",
    "display(*(show_tokens([text, text], text) for text in texts))",
    "display(*(Stack(text, show_tokens([text])) for text in texts))",
    "display(*(Quiz(t, {t: t, 'other': t}, t) for t in texts))",
    """
claims = [Claim(Statement(t, t, t, t, t, "refuted"), t, "refuted") for t in texts]
display(*claims, Trial(claims))
""",
    """
for i, text in enumerate(texts[:14]):
    predict(str(i), text, [text, "other"])
    reveal(str(i), text)
""",
    """
for i, text in enumerate(texts[14:]):
    predict(str(i), text, [text, "other"])
    reveal(str(i), text)
scorecard()
""",
    """
def fails(ids):
    raise ValueError(texts[0] + texts[1])
for text in texts:
    check(text, text)
    check("1.1", lambda ids: text)
check("1.1", fails)
""",
    *(
        f"""
for text in texts[{part}::3]:
    explore(lambda which: which, [{{"which": text}}], which=[text, "other"])
    explore(lambda which: which, [{{"which": text}}], which=text)
"""
        for part in range(3)
    ),
    """
def broken(**words):
    raise KeyError(*words.values())
display(*(live_view(broken, {text: text}, {text: text}) for text in texts))
""",
    """
display(*(live_view(lambda n: Picture(b"", t, 9), {"n": (0, 9)}, {"n": 1})
          for t in texts))
""",
    *(
        f"""
import warnings; warnings.simplefilter("ignore")
for text in texts[{part}::2]:
    fig, _ = plots.bars({{text: 1}}, text, text)
    plots.show(fig, f"a figure that shows {{text}}", text)
"""
        for part in range(2)
    ),
    "pd.DataFrame({str(i): [show_tokens([t]), ascii(t)] for i, t in enumerate(texts)})",
)
CONTROL = "HTML('<img src=x onerror=\\'window.ran = 1\\'>')"
FOREIGN = ", ".join(
    f".jp-OutputArea-output {tag}"
    for tag in ("script", "iframe", "object", "embed", "form", "svg", "base", "link")
)
HANDLERS = """() => [...document.querySelectorAll('.jp-OutputArea-output *')].flatMap(
  e => [...e.attributes].filter(a => /^on/.test(a.name) || /javascript:/i.test(a.value)
    && ['href', 'src', 'action', 'data'].includes(a.name)).map(a => a.name))"""


def put(lab, name, cells):
    """Write a notebook beside the course's own, with the texts to be shown."""
    folder = lab.folder / "hostile"
    folder.mkdir(exist_ok=True)
    (folder / "texts.json").write_text(json.dumps(TEXTS), encoding="ascii")
    notebook = new_notebook(cells=[new_code_cell(text.strip()) for text in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / name)


def assert_nothing_ran(page):
    assert page.evaluate("window.ran") is None
    assert page.dialogs == []
    assert page.problems == []
    assert page.outside == []
    assert [url for url in page.requested if url.endswith("/ran")] == []
    assert page.locator(FOREIGN).count() == 0
    assert page.evaluate(HANDLERS) == []


def test_nothing_runs_neither_fresh_nor_stored_nor_when_it_is_touched(page, lab):
    put(lab, "hostile.ipynb", CELLS)
    open_notebook(page, lab, "hostile.ipynb", folder="hostile")
    run_all(page, 240)
    assert page.locator(ERRORS).all_inner_texts() == []
    assert page.locator(".widget-vbox").count() == 4 * len(TEXTS)
    assert page.locator(".jp-OutputArea-output img").count() >= 2 * len(TEXTS)
    assert_nothing_ran(page)

    for answer in page.locator(".jp-OutputArea-output details").all():
        answer.evaluate("e => { e.open = true }")
    for button in page.locator(".widget-button").all():
        button.click()
    for slider in page.locator(".noUi-handle").all():
        slider.focus()
        page.keyboard.press("ArrowRight")
    for box in page.locator(".widget-text input").all()[:5]:
        box.fill(TEXTS[0])
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
    assert_nothing_ran(page)

    page.locator(".jp-InputPrompt").first.click()
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0, timeout=30_000)
    page.reload()
    expect(page.locator(".jp-OutputArea-output details").first).to_be_attached()
    assert_nothing_ran(page)


def test_the_watch_would_notice_a_text_that_runs(page, lab):
    """The control: markup that nobody escaped does run in a live kernel."""
    put(lab, "control.ipynb", ["from IPython.display import HTML\n" + CONTROL])
    open_notebook(page, lab, "control.ipynb", folder="hostile")
    run_cell(page, cell_with(page, "onerror").first)
    page.wait_for_function("window.ran === 1", timeout=30_000)
    assert page.evaluate(HANDLERS) == ["onerror"]
