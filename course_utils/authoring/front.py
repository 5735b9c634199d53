"""The README's first lines: badges from the one setting, a picture of a real result.

The picture is a stored figure of a lesson, found by its alt text: never drawn by hand,
and a test says when the lesson has another one.
"""

from __future__ import annotations

import re
from base64 import b64decode

import nbformat

from course_utils.authoring.source import ROOT, path_of, settings

README = ROOT / "README.md"
PICTURE = ROOT / ".github" / "picture.png"
LESSON, SHOWS = "09_search", "Heat map of nDCG"


def badges() -> str:
    """One line: do the tests pass, on which Python, under which licence."""
    repository, branch = settings()["repository"], settings()["branch"]
    work = f"https://github.com/{repository}/actions/workflows/tests.yml"
    shield = "https://img.shields.io/badge"
    return (
        f"[![tests]({work}/badge.svg?branch={branch})]({work}) "
        f"[![Python 3.11 to 3.13]({shield}/python-3.11_to_3.13-blue)](pyproject.toml) "
        f"[![code: MIT]({shield}/code-MIT-green)](LICENSE) "
        f"[![data: CC BY 4.0]({shield}/data-CC_BY_4.0-green)](data/README.md)"
    )


def picture() -> tuple[bytes, str]:
    """The figure as PNG, and its alt text.

    Raises:
        LookupError: the lesson no longer holds such a figure.
    """
    notebook = nbformat.read(path_of(LESSON, "student"), as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            png = output.get("data", {}).get("image/png")
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            if png and alt.startswith(SHOWS):
                return b64decode(png), alt
    raise LookupError(f"{LESSON} stores no figure whose alt text begins {SHOWS!r}")


def front(text: str) -> str:
    """The README with its generated lines made anew."""
    _, alt = picture()
    shown = f"![{alt}]({PICTURE.relative_to(ROOT).as_posix()})"
    text = re.sub(r"^\[!\[tests\].*$", lambda _: badges(), text, flags=re.M)
    return re.sub(r"^!\[.*\]\(\.github/.*\)$", lambda _: shown, text, flags=re.M)


def write() -> int:
    """Write both and say so."""
    PICTURE.write_bytes(picture()[0])
    text = front(README.read_text("utf-8"))
    README.write_text(text, encoding="utf-8", newline="\n")
    print("README.md and .github/picture.png: written")
    return 0
