"""What runs have really taken: ``workshop/times.csv``, summed up.

One row per learner and part: date, sheet, notebook, part, minutes. A part is an
exercise (``5.1``) or ``read`` for the rest of the lesson.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("date", "sheet", "notebook", "part", "minutes")


@dataclass(frozen=True)
class Taken:
    """How long a part took: the middle learner, nine of ten, and how many were seen."""

    p50: float
    p90: float
    learners: int

    def __str__(self) -> str:
        """As it stands in a table."""
        return f"{self.p50:g} / {self.p90:g} ({self.learners})"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all do not exceed.

    >>> percentile([3, 1, 2, 10], 0.5), percentile([3, 1, 2, 10], 0.9)
    (2, 10)
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def read(path: Path) -> list[dict[str, str]]:
    """The rows of the file.

    Raises:
        ValueError: another header, a missing value, or minutes that are no number.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{path.name} must begin with {','.join(COLUMNS)}")
        rows = list(reader)
    for number, row in enumerate(rows, 2):
        try:
            good = (
                all(row[name] for name in COLUMNS) and 0 < float(row["minutes"]) < 600
            )
        except (TypeError, ValueError):
            good = False
        if not good:
            raise ValueError(
                f"{path.name}, line {number}: every column needs a value, minutes a "
                "number above 0"
            )
    return rows


def taken(rows: Iterable[dict[str, str]]) -> dict[tuple[str, str], Taken]:
    """Sum up: (notebook, part) -> what it took, over all runs."""
    minutes = defaultdict(list)
    for row in rows:
        minutes[row["notebook"], row["part"]].append(float(row["minutes"]))
    return {
        key: Taken(percentile(values, 0.5), percentile(values, 0.9), len(values))
        for key, values in minutes.items()
    }
