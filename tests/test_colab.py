"""A hosted session, played through: old versions in memory, an empty folder.

Needs the package index and minutes: `make colab` runs it, `make test` skips it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_utils.authoring.source import SOURCES, edition_of, settings

pytestmark = pytest.mark.skipif(
    os.environ.get("COURSE_COLAB") != "1",
    reason="needs the package index and minutes: make colab",
)
ROOT = Path(__file__).parents[1]
# What a hosted session brings, older than what the course is tested with.
BROUGHT = {
    "numpy": "2.0.2",
    "pandas": "2.2.2",
    "matplotlib": "3.10.0",
    "scipy": "1.16.3",
    "scikit-learn": "1.6.1",
    "pillow": "11.3.0",
    "transformers": "4.57.1",
    "torch": "2.13.0",
    "ipywidgets": "7.7.1",
    "ipykernel": "6.29.5",
}
HELD = ("numpy", "pandas", "matplotlib", "scipy", "scikit-learn", "pillow", "torch")
PLAY = """
import json, sys
from nbclient import NotebookClient
import nbformat
notebook = nbformat.read("lesson.ipynb", as_version=4)
NotebookClient(notebook, timeout=1200, kernel_name="python3").execute()
print(json.dumps([
    "".join(o.get("text", "") + o.get("data", {}).get("image/svg+xml", "")
            for o in cell.outputs)
    for cell in notebook.cells
]))
"""


def environment():
    """The environment of a person, without the guard that cuts the tests' network."""
    hidden = {"pythonpath", "http_proxy", "https_proxy", "all_proxy", "hf_hub_offline"}
    return {k: v for k, v in os.environ.items() if k.lower() not in hidden}


def run(*command, folder):
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def versions(python, folder):
    listed = json.loads(
        run(python, "-m", "pip", "list", "--format=json", folder=folder)
    )
    return {row["name"].lower(): row["version"].split("+")[0] for row in listed}


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    """An environment as a hosted notebook has it, and an empty folder to work in."""
    folder = tmp_path_factory.mktemp("hosted")
    run(sys.executable, "-m", "venv", folder / "venv", folder=folder)
    python = folder / "venv" / "bin" / "python"
    pins = [f"{name}=={version}" for name, version in BROUGHT.items()]
    run(python, "-m", "pip", "install", "--quiet", *pins, "nbclient", folder=folder)
    (folder / "content").mkdir()
    return python, folder / "content"


def lesson(count):
    """The first cells of notebook 01, its address replaced by that of this copy."""
    notebook = edition_of(SOURCES / "01_tokenization.py", "student")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"][:count]
    address = (
        f"git+https://github.com/{settings()['repository']}@{settings()['branch']}"
    )
    assert address in code[0].source
    code[0].source = code[0].source.replace(address, f"git+file://{ROOT}")
    before = nbformat.v4.new_code_cell("import numpy, pandas, torch, matplotlib")
    notebook.cells = [before, *code]
    return notebook


def test_the_first_cells_of_a_notebook_run_and_nothing_in_memory_was_touched(hosted):
    python, folder = hosted
    before = versions(python, folder)
    notebook = lesson(7)
    nbformat.write(notebook, folder / "lesson.ipynb")
    printed = json.loads(run(python, "-c", PLAY, folder=folder).splitlines()[-1])
    assert "No restart is needed" in printed[1]
    assert "01 tokenization: ready" in printed[2]
    assert "<title>The pipeline: text, tokenization" in printed[2]  # no folder, a copy
    after = versions(python, folder)
    assert {name: after[name] for name in HELD} == {name: before[name] for name in HELD}
    assert "course_utils" in after or "course-utils" in after
    assert not (folder / "course_utils").exists()


def test_a_replaced_numpy_is_said_plainly(hosted):
    """Whoever upgrades numpy by hand is told to restart."""
    python, folder = hosted
    code = (
        "import numpy, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', 'numpy==2.1.3'],"
        " check=True)\n"
        "from course_utils.hosted import after_install; print(after_install())"
    )
    said = run(python, "-c", code, folder=folder)
    assert "RESTART NEEDED" in said and "numpy 2.0.2 -> 2.1.3" in said
