"""Open JupyterLab on the first notebook, with nothing that asks the network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary

from course_utils.authoring.source import NOTEBOOKS, ROOT

OVERRIDES = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}
FLAGS = (
    "--LabApp.extension_manager=readonly",
    "--ServerApp.ip=127.0.0.1",
)


def write_overrides(prefix: Path) -> Path:
    """Write JupyterLab's default settings for this environment: no news, no updates."""
    path = prefix / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(OVERRIDES, indent=2) + "\n", encoding="utf-8")
    return path


def trust() -> None:
    """Mark the committed notebooks as trusted: their HTML is made by this course."""
    notary = NotebookNotary()
    for path in [*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb")]:
        notebook = nbformat.read(path, as_version=4)
        if not notary.check_signature(notebook):
            notary.sign(notebook)


def open_lab(arguments: list[str]) -> int:
    """Start JupyterLab on 00_start_here and wait until it is closed."""
    write_overrides(Path(sys.prefix))
    trust()
    command = [
        *(sys.executable, "-m", "jupyter", "lab", *FLAGS),
        f"--ServerApp.root_dir={ROOT}",
        "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb",
        *arguments,
    ]
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 0
