"""What Binder installs: the tested versions of all that the notebooks import.

Binder reads ``binder/`` alone and brings its own JupyterLab, so the file names neither
that nor what only tests and authors need. Everything else is pinned as in
constraints.txt, whatever depends on whatever included.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course_utils.authoring.source import ROOT

FILE = ROOT / "binder" / "requirements.txt"
BROUGHT = {"jupyterlab"}
INDEX = "https://download.pytorch.org/whl/cpu"


def lines(path: Path) -> list[str]:
    """Lines that say something, without their comments."""
    rows = (
        row.partition("#")[0].strip() for row in path.read_text("utf-8").split("\n")
    )
    return [row for row in rows if row]


def wanted() -> list[Requirement]:
    """What a notebook needs at run time, of all that requirements.txt lists."""
    found = []
    for row in (ROOT / "requirements.txt").read_text("utf-8").split("\n"):
        text, _, who = row.partition("#")
        if not text.strip() or text.startswith("-") or "make " in who:
            continue
        requirement = Requirement(text.strip())
        if requirement.name not in BROUGHT:
            found.append(requirement)
    return found


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """Names of the packages, and of all that they need in turn, as installed here."""
    names: set[str] = set()
    waiting = [(r, extra) for r in requirements for extra in r.extras | {""}]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        names.add(name)
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(needed, e) for e in needed.extras | {""}]
    return names


def requirements() -> str:
    """Text of ``binder/requirements.txt``."""
    names = closure(wanted())
    pins = [
        pin
        for pin in lines(ROOT / "constraints.txt")
        if canonicalize_name(pin.split("==")[0]) in names
    ]
    head = (
        f"--extra-index-url {INDEX}\n"
        "# Generated from requirements.txt and constraints.txt: make binder\n"
    )
    return head + "\n".join([*pins, "-e ."]) + "\n"


def write() -> int:
    """Write the file and say so."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(requirements(), encoding="utf-8", newline="\n")
    print(f"{FILE.relative_to(ROOT)}: {len(lines(FILE)) - 2} packages")
    return 0
