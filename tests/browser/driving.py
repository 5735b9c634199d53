"""What a reader does in JupyterLab, as functions of a page."""

import re
from pathlib import Path

from playwright.sync_api import expect

expect.set_options(timeout=180_000)  # a first import takes its time
ERRORS = (
    '[data-mime-type="application/vnd.jupyter.error"], '
    '[data-mime-type="application/vnd.jupyter.stderr"]'
)
# Text whose contrast with what lies behind it is below 4.5 to 1 (3 to 1 if large).
FAINT = (Path(__file__).parent / "faint.js").read_text("utf-8")
FINISHED = """([errors, count]) => {
  if (document.querySelector(errors)) return true;  // nothing runs after an error
  const prompts = [...document.querySelectorAll(
    '.jp-Notebook .jp-CodeCell .jp-InputPrompt')].map(e => e.textContent.trim());
  return prompts.length > 4
    && prompts.slice(0, count).every(text => /^\\[\\d+\\]:$/.test(text));
}"""
# What Ctrl+Enter is bound to; the promise is kept when the kernel has answered.
RUN_CELL = "() => window.jupyterapp.commands.execute('notebook:run-cell')"


def open_notebook(page, lab, name, folder="notebooks"):
    lab.close_kernels()
    page.goto(f"{lab.url}/lab/tree/{folder}/{name}?token={lab.token}&reset")
    kernel = page.locator(".jp-KernelName, .jp-Toolbar-kernelName").first
    expect(kernel).to_have_text(re.compile("Python 3"), timeout=99_000)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=99_000)


def menu(page, first, second):
    page.get_by_role("menuitem", name=first, exact=True).click()
    page.get_by_role("menuitem", name=second, exact=True).click()


def run_all(page, seconds=600):
    menu(page, "Run", "Run All Cells")
    page.wait_for_function(FINISHED, arg=[ERRORS, 999], timeout=seconds * 1000)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=99_000)


def run_cell(page, cell):
    """Run one cell as Ctrl+Enter does, and wait until it has ended."""
    cell.locator(".jp-InputPrompt").click()
    page.evaluate(RUN_CELL)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=99_000)


def cell_with(page, text):
    return page.locator(".jp-Notebook .jp-CodeCell").filter(
        has=page.locator(".jp-InputArea", has_text=text)
    )


def write(page, first, text):
    """Replace the text of a cell by typing, then run it; the editor indents."""
    cell = cell_with(page, first).first
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type(text)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=99_000)
