"""One look for every figure, alt text for every figure, a printed fact for every one.

A helper takes data and labels and returns ``(fig, ax)``; ``show`` puts the figure
on the page with its alt text and prints the fact that it shows: nobody needs to see
the picture to follow, and a test can compare it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatterMathtext, NullFormatter
from PIL import Image

from course_utils.classroom.show import visible

# Okabe and Ito: told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
RED, SKY, YELLOW, BLACK = "#D55E00", "#56B4E9", "#F0E442", "#000000"
DPI = 144  # drawn for sharp screens, shown at 100
PALETTE = (BLUE, ORANGE, GREEN, PINK, RED, SKY, YELLOW, BLACK)
LONGEST_LABEL = 200  # characters; nobody reads more, and a picture must stay finite


def use_style() -> None:
    """Set the course's plot style: 6 × 3.5 inches, no frame, Okabe-Ito colours."""
    matplotlib.rcParams.update(
        {
            "figure.figsize": (6, 3.5),
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "axes.facecolor": "white",
            "axes.prop_cycle": matplotlib.cycler(color=PALETTE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "font.size": 10,
            "text.parse_math": False,  # a label with two prices is no formula
            "legend.frameon": False,
            "image.cmap": "viridis",
            "svg.hashsalt": "embeddings-opened",
        }
    )


class Picture:
    """A finished figure: PNG bytes and the text that says what they show."""

    def __init__(self, png: bytes, alt: str, width: int) -> None:
        """Keep what a front end needs; the figure itself may be closed."""
        self.png, self.alt, self.width = png, alt, width

    def __repr__(self) -> str:
        """The alt text: what a reader without the picture gets."""
        return f"[figure] {visible(self.alt)}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"image/png": self.png, "text/plain": repr(self)}
        return data, {"image/png": {"alt": visible(self.alt), "width": self.width}}


def label(text: object) -> str:
    """Text for a figure: readable line by line, never longer than anyone reads."""
    shown = _lines(text)
    if len(shown) > LONGEST_LABEL:
        shown = shown[: LONGEST_LABEL - 1] + "…"
    return shown


def _lines(text: object) -> str:
    return "\n".join(map(visible, str(text).split("\n")))


def _plain_powers(fig: Figure) -> None:
    """Write 64 on a logarithmic axis: without formulas, 2^6 would show its source."""
    plain = FuncFormatter(lambda value, _: f"{value:,.10g}")
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatterMathtext):
                axis.set_major_formatter(plain)
            if isinstance(axis.get_minor_formatter(), LogFormatterMathtext):
                axis.set_minor_formatter(NullFormatter())


def picture(fig: Figure, alt: str) -> Picture:
    """Draw a figure into a ``Picture`` and close it.

    Raises:
        ValueError: the alt text is empty or too short to say anything.
    """
    if len(alt.split()) < 4:
        raise ValueError(f"alt text must say what the figure shows, got {alt!r}")
    _plain_powers(fig)
    drawn, small = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png", dpi=DPI, bbox_inches="tight")
    plt.close(fig)
    # A palette of 256 colours is a third of the bytes, and nobody sees the difference.
    image = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(small, format="png", optimize=True)
    return Picture(small.getvalue(), alt, round(image.width * 100 / DPI))


def show(fig: Figure, alt: str, fact: str) -> None:
    """Put a figure on the page with its alt text, and print the fact it shows.

    Args:
        fig: the figure, as ``bars`` and its kin return it. It is closed afterwards.
        alt: one sentence for a reader who cannot see it: kind of chart, axes, shape.
        fact: one line with the number or order to be seen, computed, not typed.
    """
    from IPython.display import display

    display(picture(fig, alt))
    print(_lines(fact))


def bars(
    values: Mapping[str, float],
    title: str,
    xlabel: str,
    digits: int = 0,
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Horizontal bars, first entry on top, each with its value at the end.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not values:
        raise ValueError("bars needs at least one value")
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 0.6 + 0.38 * len(values)))
    names = [label(visible(name)) for name in values]
    places = range(len(names))  # names that are cut to the same text stay apart
    drawn = ax.barh(places, list(values.values()), color=BLUE, height=0.7)
    ax.set_yticks(places, names)
    ax.bar_label(drawn, fmt=f"{{:,.{digits}f}}", padding=3)
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.set(title=label(title), xlabel=label(xlabel))
    return ax.figure, ax


def _count(series: Mapping) -> None:
    if not 1 <= len(series) <= len(PALETTE):
        raise ValueError(f"a figure shows 1 to 8 series, not {len(series)}")


def grouped_bars(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    title: str,
    ylabel: str,
) -> tuple[Figure, Axes]:
    """Vertical bars side by side: one group per name, one colour and hatch per series.

    Raises:
        ValueError: a series has not one value per group.
    """
    _count(series)
    fig, ax = plt.subplots(figsize=(7.5, 3.5))
    width = 0.8 / len(series)
    hatches = ("", "//", "..", "xx", "--", "++")
    for i, (name, values) in enumerate(series.items()):
        if len(values) != len(groups):
            raise ValueError(
                f"{name} has {len(values)} values for {len(groups)} groups"
            )
        places = [g + (i - (len(series) - 1) / 2) * width for g in range(len(groups))]
        ax.bar(
            places,
            values,
            width,
            label=label(name),
            color=PALETTE[i],
            hatch=hatches[i % len(hatches)],
            edgecolor="white",
        )
    ax.set_xticks(range(len(groups)), list(map(label, groups)))
    ax.set(title=label(title), ylabel=label(ylabel))
    ax.legend(ncols=2, fontsize=9)
    return fig, ax


def lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    title: str,
    xlabel: str,
    ylabel: str,
) -> tuple[Figure, Axes]:
    """Lines over one axis, each with its own marker as well as its own colour."""
    _count(series)
    fig, ax = plt.subplots()
    for marker, (name, values) in zip("osD^vPX*", series.items(), strict=False):
        ax.plot(x, values, marker=marker, markersize=4, label=label(name))
    ax.set(title=label(title), xlabel=label(xlabel), ylabel=label(ylabel))
    if len(series) > 1:
        ax.legend(fontsize=9)
    return fig, ax


def heatmap(
    values: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    diverging: bool = False,
    digits: int | None = 2,
    cell: tuple[float, float] = (0.62, 0.42),
) -> tuple[Figure, Axes]:
    """A matrix as colours, with the numbers in the cells unless ``digits`` is None.

    ``diverging`` centres the colour map at 0, for values that have a sign; ``cell`` is
    the width and height of one entry in inches.

    Raises:
        ValueError: the labels do not fit the matrix.
    """
    import numpy as np

    matrix = np.asarray(values, dtype=float)
    if matrix.shape != (len(rows), len(columns)):
        raise ValueError(
            f"matrix {matrix.shape} needs as many labels, "
            f"got {len(rows)} rows and {len(columns)} columns"
        )
    size = (1.8 + cell[0] * len(columns), 1.0 + cell[1] * len(rows))
    fig, ax = plt.subplots(figsize=size)
    limit = float(np.abs(matrix).max()) or 1.0
    scale = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if diverging else {}
    image = ax.imshow(matrix, aspect="auto", **scale)
    columns, rows = list(map(label, columns)), list(map(label, rows))
    ax.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    ax.set_yticks(range(len(rows)), rows)
    ax.spines[:].set_visible(False)
    ax.set_title(label(title))
    if digits is None:
        fig.colorbar(image, ax=ax, shrink=0.8)
        return fig, ax
    for (i, j), value in np.ndenumerate(matrix):
        red, green, blue, _ = image.cmap(image.norm(value))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        ax.text(
            j,
            i,
            f"{value:.{digits}f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark else "black",
        )
    return fig, ax


def places(
    points: Sequence[Sequence[float]],
    groups: Sequence[str],
    title: str,
    chosen: int | None = None,
    neighbours: Sequence[int] = (),
) -> tuple[Figure, Axes]:
    """A map: a dot per text, colour and marker by group; one text and its neighbours.

    Args:
        points: (n, 2) places; the axes have no meaning and no numbers.
        groups: (n,) names of the groups, up to sixteen.
        title: what is shown.
        chosen: the text that is circled, if any.
        neighbours: the texts that a line ties to it.

    Raises:
        ValueError: not one group per point, or too many groups.
    """
    import numpy as np

    points, groups = np.asarray(points, float), np.asarray(groups)
    names = list(dict.fromkeys(sorted(groups.tolist())))
    if points.shape != (len(groups), 2) or not 1 <= len(names) <= 16:
        raise ValueError(
            f"points {points.shape}, {len(groups)} groups of {len(names)} names: "
            "one place in two dimensions each, and 1 to 16 names"
        )
    fig, ax = plt.subplots(figsize=(7, 4))
    for place in neighbours if chosen is not None else ():
        ends = points[[chosen, place]]
        ax.plot(*ends.T, color=BLACK, linewidth=0.7, zorder=1)
    for i, name in enumerate(names):
        inside = points[groups == name]
        ax.scatter(
            *inside.T,
            s=20,
            color=PALETTE[i % len(PALETTE)],
            marker="osD^vPX*sD^vPX*o"[i],
            label=label(name.replace("_", " ")),
        )
    if chosen is not None:
        ax.scatter(*points[chosen], s=160, facecolors="none", edgecolors=BLACK)
    ax.set(title=label(title), xticks=[], yticks=[])
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig, ax


def image_rows(
    rows: Mapping[str, Sequence[Sequence[Sequence[float]]]], title: str
) -> tuple[Figure, Axes]:
    """Small grey images in rows, each row with its name: dark is a high value.

    Raises:
        ValueError: there is nothing to draw, or the rows are not equally long.
    """
    lengths = {len(images) for images in rows.values()}
    if len(lengths) != 1 or not lengths.copy().pop():
        raise ValueError(f"rows of images are equally long, these are {lengths}")
    [length] = lengths
    fig, grid = plt.subplots(
        len(rows),
        length,
        figsize=(0.55 * length + 2, 0.6 * len(rows) + 0.4),
        squeeze=False,
    )
    for axes, (name, images) in zip(grid, rows.items(), strict=True):
        for ax, image in zip(axes, images, strict=True):
            ax.imshow(image, cmap="gray_r")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        axes[0].set_ylabel(label(name), rotation=0, ha="right", va="center")
    fig.suptitle(label(title), fontsize=11)
    return fig, grid[0, 0]


def intervals(
    rows: Mapping[str, tuple[float, float, float]], title: str, xlabel: str
) -> tuple[Figure, Axes]:
    """A point and its interval per row, beside a dotted zero; first row on top.

    Args:
        rows: name -> (mean, low, high). Intervals without zero get a filled diamond,
            the others an open circle.
        title: what was compared.
        xlabel: the unit.

    Raises:
        ValueError: there is nothing to draw, or a mean lies outside of its interval.
    """
    if not rows or any(not low <= mean <= high for mean, low, high in rows.values()):
        raise ValueError("intervals needs rows of (mean, low, high), the mean between")
    _, ax = plt.subplots(figsize=(6, 0.9 + 0.3 * len(rows)))
    for place, (mean, low, high) in enumerate(rows.values()):
        apart = low > 0 or high < 0
        ax.errorbar(
            mean,
            place,
            xerr=[[mean - low], [high - mean]],
            capsize=3,
            fmt="D" if apart else "o",
            color=BLUE if apart else BLACK,
            markerfacecolor=BLUE if apart else "white",
        )
    ax.axvline(0, linestyle=":", color="grey")
    ax.set_yticks(range(len(rows)), [label(visible(name)) for name in rows])
    ax.invert_yaxis()
    ax.set(title=label(title), xlabel=label(xlabel))
    return ax.figure, ax


def reliability(table, title: str) -> tuple[Figure, Axes]:
    """Accuracy over confidence: a dot per bin, its area the number of answers.

    Args:
        table: columns ``count``, ``confidence`` and ``accuracy``, a row per bin.
        title: what was measured.
    """
    fig, ax = plt.subplots(figsize=(4.6, 3.6))
    ax.plot([0, 1], [0, 1], color=BLACK, linestyle=":", label="as promised")
    sizes = 300 * table["count"] / table["count"].max()
    ax.scatter(table["confidence"], table["accuracy"], s=sizes, alpha=0.8)
    ax.set(title=label(title), xlabel="mean confidence", ylabel="accuracy")
    ax.legend(fontsize=9)
    return fig, ax


def histograms(
    groups: Mapping[str, Sequence[float]], line: float, title: str, xlabel: str
) -> tuple[Figure, Axes]:
    """Two or more overlapping histograms and a vertical line between them.

    A line at infinity stands at the right edge.
    """
    _count(groups)
    fig, ax = plt.subplots(figsize=(6, 2.4))
    together = [value for values in groups.values() for value in values]
    low, high = min(together), max(together)
    edges = [low + (high - low) * step / 30 for step in range(31)]
    for color, (name, values) in zip(
        (ORANGE, BLUE, GREEN), groups.items(), strict=False
    ):
        ax.hist(values, edges, alpha=0.6, color=color, label=label(name))
    ax.axvline(min(line, high + (high - low) / 40), color=BLACK)
    ax.set(title=label(title), xlabel=label(xlabel))
    ax.legend(fontsize=8, loc="upper left")
    return fig, ax


def strips(
    values: Sequence[float],
    rows: Sequence[str],
    groups: Sequence[str],
    order: Sequence[str],
    title: str,
    xlabel: str,
) -> tuple[Figure, Axes]:
    """Every value as a dot in its row; colour and marker tell the groups apart."""
    import numpy as np

    values, rows, groups = map(np.asarray, (values, rows, groups))
    fig, ax = plt.subplots(figsize=(6.5, 0.6 + 0.25 * len(order)))
    places = {name: place for place, name in enumerate(order)}
    names = list(dict.fromkeys(groups.tolist()))
    _count(dict.fromkeys(names))
    style = zip((RED, BLUE, BLACK, GREEN), "xosD", names, strict=False)
    for color, marker, name in style:
        inside = groups == name
        height = [places[row] for row in rows[inside].tolist()]
        ax.scatter(
            values[inside], height, s=22, color=color, marker=marker, label=label(name)
        )
    ax.set_yticks(range(len(order)), [label(name.replace("_", " ")) for name in order])
    ax.invert_yaxis()
    ax.set(title=label(title), xlabel=label(xlabel))
    ax.legend(fontsize=9, loc="center left")
    return fig, ax
