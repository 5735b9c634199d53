"""The authored data sets as typed rows. ``data/README.md`` is their datasheet."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path(__file__).parent


def data_file(name: str) -> Path:
    """Find a file of ``data/``: in the repository, or inside the installed package.

    Raises:
        FileNotFoundError: there is no such file in either place.
    """
    for folder in (_ROOT / "_data", _ROOT.parent / "data"):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"data/{name} is not part of this course")
