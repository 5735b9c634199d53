"""Open JupyterLab on the first notebook, with nothing that asks the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
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


def surroundings(
    user: int | None, system: str, environment: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """What JupyterLab needs to be told about this machine, and what to tell the reader.

    Args:
        user: number of the user, 0 is root; None where there are no numbers (Windows).
        system: ``sys.platform``.
        environment: as ``os.environ``.

    Returns:
        Further flags, and one sentence for each.

    >>> surroundings(1000, "linux", {"DISPLAY": ":0"})
    ([], [])
    >>> surroundings(0, "linux", {"DISPLAY": ":0"})[0]
    ['--allow-root']
    """
    flags, said = [], []
    if user == 0:
        flags.append("--allow-root")
        said.append(
            "You are root: JupyterLab is started with --allow-root; it listens on this "
            "machine only and asks for its token."
        )
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if system.startswith("linux") and not any(environment.get(s) for s in screens):
        flags.append("--no-browser")
        said.append("No screen here: open the address below, token and all.")
    return flags, said


def open_lab(arguments: list[str]) -> int:
    """Start JupyterLab on 00_start_here and wait until it is closed.

    As root, and without a screen, it does what is needed for that and says so.
    """
    write_overrides(Path(sys.prefix))
    trust()
    user = os.geteuid() if hasattr(os, "geteuid") else None
    flags, said = surroundings(user, sys.platform, os.environ)
    given = {argument.partition("=")[0] for argument in arguments}
    flags = [flag for flag in flags if flag not in given]
    if said:
        print(*said, sep="\n", flush=True)
    command = [
        *(sys.executable, "-m", "jupyter", "lab", *FLAGS),
        f"--ServerApp.root_dir={ROOT}",
        "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb",
        *flags,
        *arguments,
    ]
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 0
