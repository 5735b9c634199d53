"""Times measured by a benchmark and recorded: a stored page shows no others."""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "bench" / "results.json"
PACKED = Path(__file__).resolve().parents[1] / "_data" / "results.json"


def recorded(topic: str, against: str = "") -> dict[str, float]:
    """The median of each row of one section of ``bench/results.json``, by its name.

    Args:
        topic: the section, which is the name of its script in ``bench/``.
        against: only rows that were compared with this; all if empty.

    Raises:
        KeyError: the section does not exist, or has no such row.
    """
    path = FILE if FILE.is_file() else PACKED
    sections = json.loads(path.read_text(encoding="utf-8"))
    if topic not in sections:
        raise KeyError(f"no benchmark is called {topic!r}: there are {list(sections)}")
    rows = [r for r in sections[topic]["rows"] if against in ("", r["against"])]
    if not rows:
        raise KeyError(f"benchmark {topic!r} has no row against {against!r}")
    return {row["name"]: row["figure"] for row in rows}
