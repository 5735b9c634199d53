"""Pictures of notebook 10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from course_utils.classroom import plots


def crossed(counts: pd.DataFrame, names: Sequence[str]) -> None:
    """Draw how groups (rows) and intents (columns) meet, with the groups' names."""
    rows = [f"{k}: {name}" for k, name in enumerate(names)]
    columns = [str(name).replace("_", " ") for name in counts.columns]
    fig, _ = plots.heatmap(
        counts.values, rows, columns, "Groups (rows) and intents", digits=0
    )
    pure = counts.max(axis=1) / counts.sum(axis=1)
    fact = f"share of the main intent: {pure.min():.0%} to {pure.max():.0%}"
    plots.show(
        fig,
        alt=f"Heat map of {len(rows)} groups by {len(columns)} intents; {fact}.",
        fact=fact,
    )


def neighbourhood(
    flat: ArrayLike,
    groups: Sequence[str],
    ticket: int,
    true: ArrayLike,
    kept: ArrayLike,
) -> plots.Picture:
    """Picture of a map, with lines from one ticket to its true neighbours."""
    fact = f"ticket {ticket}: {kept[ticket]:.0%} of its neighbours stay near"
    fig, _ = plots.places(flat, groups, fact, ticket, true[ticket])
    return plots.picture(
        fig,
        f"Map of the tickets by intent. {fact}; lines lead from the ticket to its true "
        "neighbours.",
    )


def alarm(normal: ArrayLike, odd: ArrayLike, line: float) -> None:
    """Draw how strange normal and off-topic texts are, and the line of the alarm."""
    normal, odd = np.asarray(normal), np.asarray(odd)
    fig, _ = plots.histograms(
        {"normal": normal, "off topic": odd},
        line,
        "How strange? The reference's own line",
        "1 - mean cosine to the ten nearest",
    )
    fact = (
        f"line {line:.2f}: false alarms {(normal > line).mean():.2f}, "
        f"caught {(odd > line).mean():.2f} of {len(odd)}"
    )
    plots.show(
        fig,
        alt="Two histograms of strangeness, normal texts and texts off topic, and a "
        f"line between them; {fact}.",
        fact=fact,
    )


def stream(shares: Sequence[float], noticed: ArrayLike) -> None:
    """Draw a stream window by window: its share of new texts, and who notices.

    Args:
        shares: share of the new kind in each window.
        noticed: (streams, windows), the p-value of each.
    """
    values = np.asarray(noticed)
    windows = np.arange(1, len(shares) + 1)
    fig, ax = plots.plt.subplots(figsize=(6, 2.8))
    ax.bar(windows, shares, color=plots.SKY, width=0.5, label="share of logins")
    for row in values:
        ax.plot(windows, row, color=plots.BLUE, alpha=0.35, linewidth=1)
    ax.plot(windows, np.median(values, axis=0), color=plots.RED, label="p, median")
    ax.axhline(0.05, color=plots.BLACK, linestyle=":", label="0.05")
    ax.set(title="A stream, window by window", xlabel="window", ylim=(0, 1))
    ax.set_xticks(windows)
    ax.legend(fontsize=8)
    counts = (values < 0.05).sum(axis=0)
    fact = "; ".join(
        f"{share:.0%} logins: {count} of {len(values)}"
        for share, count in zip(shares, counts, strict=True)
    )
    plots.show(
        fig,
        alt=f"Bars of the share of logins in {len(shares)} windows, and lines of p for "
        f"{len(values)} streams. Streams with p below 0.05: {fact}.",
        fact=f"p below 0.05, window by window: {fact}",
    )


def few(sizes: Sequence[int], means: Mapping[str, Sequence[float]], alone: float):
    """Draw the accuracy of some ways over the number of examples per class."""
    fig, _ = plots.lines(
        sizes, means, "News, mean of 20 draws", "examples per class", "accuracy"
    )
    ends = "; ".join(f"{name} {m[0]:.2f} to {m[-1]:.2f}" for name, m in means.items())
    plots.show(
        fig,
        alt=f"Lines over {sizes[0]} to {sizes[-1]} examples per class: {ends}.",
        fact=f"description alone {alone:.2f}; {ends}",
    )


def pictures_by_text(
    pixels: ArrayLike, shown: ArrayLike, asked: Sequence[str], top: ArrayLike
) -> None:
    """Draw the pictures that were found for each text, a row per text."""
    pixels, shown, top = np.asarray(pixels), np.asarray(shown), np.asarray(top)
    rows = {
        text: pixels[row].reshape(len(row), 8, 8)
        for text, row in zip(asked, top, strict=True)
    }
    fig, _ = plots.image_rows(rows, "Found by text")
    facts = [
        f"{text}: {' '.join(map(str, shown[row]))}"
        for text, row in zip(asked, top, strict=True)
    ]
    plots.show(
        fig,
        alt=f"{len(rows)} rows of small handwritten digits, each found by the text in "
        f"front of it. {'; '.join(facts)}.",
        fact="\n".join(facts),
    )
