"""Pictures of notebook 05."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from course_utils.classroom import plots

if TYPE_CHECKING:
    from course_utils.encoder import Trace

HIDDEN = "�"  # what the picture's font cannot show
LONGEST = 24  # tokens of a text whose receipt fits on the page
Interval = tuple[float, float, float]  # what was measured, and 95 % around it


def _span(found: Interval) -> str:
    if not any(found):
        return "–"
    middle = round(float(found[0]), 2) + 0.0
    return f"{middle:+.2f} ({span(found)})"


def span(found: Interval) -> str:
    """The ends of an interval as text.

    >>> span((0.1, -0.001, 0.204))
    '+0.00 to +0.20'
    """
    # No "-0.00": noise could turn its sign.
    low, high = (round(float(value), 2) + 0.0 for value in found[1:])
    return f"{low:+.2f} to {high:+.2f}"


def intervals(
    groups: Mapping[str, Mapping[str, Interval]], title: str, xlabel: str
) -> None:
    """Draw differences with their intervals, one row per name, a line at zero."""
    names = list(next(iter(groups.values())))
    size = (6.5, 1.1 + 0.3 * len(names) * len(groups))
    fig, ax = plots.plt.subplots(figsize=size)
    ax.axvline(0, color=plots.BLACK, linewidth=0.8)
    for number, (group, rows) in enumerate(groups.items()):
        middle, low, high = np.array([rows[name] for name in names]).T
        places = np.arange(len(names)) + 0.18 * (2 * number - len(groups) + 1)
        ax.errorbar(
            middle,
            places,
            xerr=[middle - low, high - middle],
            fmt="osD^"[number],
            color=plots.PALETTE[number],
            markersize=5,
            capsize=3,
            label=plots.label(group),
        )
    ax.set_yticks(range(len(names)), list(map(plots.label, names)))
    ax.invert_yaxis()
    ax.set(title=plots.label(title), xlabel=plots.label(xlabel))
    if len(groups) > 1:
        ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    facts = "\n".join(
        f"{group}, {name}: {_span(rows[name])}"
        for group, rows in groups.items()
        for name in names
    )
    plots.show(
        fig,
        alt=f"Dots with intervals and a line at zero, {xlabel}. "
        + "; ".join(facts.split("\n"))
        + ".",
        fact=facts,
    )


def _numbers(values: Sequence[float]) -> str:
    return " ".join("–" if np.isnan(v) else f"{v:.2f}" for v in values)


def by_block(
    series: Mapping[str, Sequence[float]], title: str, ylabel: str, note: str = ""
) -> None:
    """Draw a value after each block; a gap where it is not a number.

    Series may be of different lengths: models have different numbers of blocks.
    """
    count = max(map(len, series.values()))
    padded = {
        name: [*values, *[np.nan] * (count - len(values))]
        for name, values in series.items()
    }
    fig, ax = plots.lines(range(count), padded, title, "blocks passed", ylabel)
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    facts = [f"{name}: {_numbers(values)}" for name, values in series.items()]
    plots.show(
        fig,
        alt=f"Lines of the {ylabel} over {count - 1} blocks. {'; '.join(facts)}.",
        fact="\n".join([*facts, note] if note else facts),
    )


def grades_over_cosines(
    found: Mapping[str, tuple[ArrayLike, ArrayLike]], level: float
) -> None:
    """Draw every graded pair as a dot: its cosine, its grade; a line at a level."""
    fig, ax = plots.plt.subplots()
    facts = []
    for marker, (name, (cosines, grades)) in zip("oxsD", found.items(), strict=False):
        cosines, grades = np.asarray(cosines), np.asarray(grades)
        ax.scatter(cosines, grades, s=26, marker=marker, label=name, alpha=0.7)
        top = grades[cosines >= level]
        facts.append(f"{name} {sum(top >= 4)} of {len(top)}")
    ax.axvline(level, color=plots.BLACK, linewidth=0.8)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    ax.set(title="Grade and cosine, every pair", xlabel="cosine", ylabel="grade")
    fact = f"graded 4 or better at {level} and more: {', '.join(facts)}"
    plots.show(
        fig, alt=f"Scatter of grade over cosine, a line at {level}; {fact}.", fact=fact
    )


def receipt(first: Trace, second: Trace) -> plots.Picture:
    """Picture of the receipt of two texts, in hundredths.

    Raises:
        ValueError: a text is too long to be shown.
    """
    if max(len(first.ids), len(second.ids)) > LONGEST:
        raise ValueError(f"longer than fits on the page: {LONGEST - 2} tokens each")
    cells = first.receipt(second)
    rows, columns = (
        [token if token.isascii() else HIDDEN for token in trace.tokens]
        for trace in (first, second)
    )
    fig, _ = plots.heatmap(
        (100 * cells).round(decimals=1) + 0.0,
        rows,
        columns,
        f"cosine {cells.sum():.2f}, in hundredths",
        diverging=True,
        digits=1,
    )
    i, j = divmod(int(cells.argmax()), len(columns))
    return plots.picture(
        fig,
        f"Receipt of a cosine of {cells.sum():.2f}: the largest cell is {rows[i]} with "
        f"{columns[j]}.",
    )
