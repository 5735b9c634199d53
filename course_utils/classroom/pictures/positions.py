"""Pictures of notebook 03."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from course_utils.classroom import plots


def _turns(columns: np.ndarray) -> list[int]:
    """How often the sign changes in each column."""
    return np.diff(columns >= 0, axis=0).sum(axis=0).tolist()


def counters(bits: ArrayLike, waves: ArrayLike) -> None:
    """Draw a binary counter beside a table of waves, a row per place.

    Args:
        bits: (places, bits) zeros and ones, the fastest bit first.
        waves: (places, hands) one column per hand, the fastest first.
    """
    bits, waves = np.asarray(bits), np.asarray(waves)
    fig, axes = plots.plt.subplots(1, 2, figsize=(7, 3.6))
    for ax, part, title in (
        (axes[0], bits, "binary counter"),
        (axes[1], waves, "sines of falling speed"),
    ):
        ax.imshow(part, aspect="auto", interpolation="nearest")
        ax.set(title=title, xlabel="column, fastest first", ylabel="place")
        ax.set_xticks(range(part.shape[1]))
        ax.spines[:].set_visible(False)
    fig.tight_layout()
    flips = (np.diff(bits, axis=0) != 0).sum(axis=0).tolist()
    fact = (
        f"over {len(bits)} places, flips per bit: {' '.join(map(str, flips))}; "
        f"changes of sign per hand: {' '.join(map(str, _turns(waves)))}"
    )
    plots.show(
        fig,
        alt="Two heat maps, a row per place: zeros and ones of a binary counter, and "
        f"sines. In both, each column is slower than the one before. {fact}.",
        fact=fact,
    )


def by_lag(lags: Sequence[int], curves: Mapping[str, Sequence[float]]) -> None:
    """Draw how alike two places look by their distance, and count the rises."""
    fig, _ = plots.lines(
        lags, curves, "How alike two places look", "distance", "cosine"
    )
    facts = []
    for name, values in curves.items():
        rises = np.flatnonzero(np.diff(values) > 0)
        first = f", first from {lags[rises[0]]} on" if len(rises) else ""
        facts.append(
            f"{name} rises again at {len(rises)} of {len(lags) - 1} steps{first}"
        )
    plots.show(
        fig,
        alt=f"{len(curves)} lines of mean cosine over the distance: "
        f"{'; '.join(facts)}.",
        fact="\n".join(facts),
    )


def row_norms(norms: ArrayLike) -> None:
    """Draw the length of every row of a position table but the first."""
    norms = np.asarray(norms)
    fig, _ = plots.lines(
        range(1, len(norms)),
        {"row": norms[1:]},
        "Length of the position rows",
        "place (row 0 is left out)",
        "length",
    )
    top = 1 + int(norms[1:].argmax())
    fact = (
        f"row 0: {norms[0]:.2f}; longest of the others: row {top}, {norms[top]:.2f}; "
        f"median {np.median(norms):.2f}"
    )
    plots.show(fig, alt=f"Line of row length over the place; {fact}.", fact=fact)


def slides(curve: Mapping[int, float]) -> None:
    """Draw the mean cosine to the sentence at home, by the row of its first token."""
    rows, cosines = list(curve), list(curve.values())
    fall = int(np.diff(cosines).argmin())
    low = int(np.argmin(cosines))
    fig, _ = plots.lines(
        rows,
        {"mean of six": cosines},
        "Same sentences, other rows",
        "row of the first token",
        "cosine to row 0",
    )
    fact = (
        f"steepest fall from row {rows[fall]} to {rows[fall + 1]}; lowest at row "
        f"{rows[low]} ({cosines[low]:.2f}), at {rows[-1]} again {cosines[-1]:.2f}"
    )
    plots.show(
        fig, alt=f"Line of the mean cosine over the first row used: {fact}.", fact=fact
    )


def stretched(
    lengths: Sequence[int], right: Mapping[str, Sequence[float]], trained: int
) -> None:
    """Draw the share right by length of text, for each way to go beyond training.

    Trained values: only what float noise cannot turn is said in words.
    """
    fig, ax = plots.lines(
        [str(length) for length in lengths],
        right,
        f"Trained on {trained} tokens",
        "tokens of the text",
        "share right (chance 0.5)",
    )
    ax.set_ylim(0, 1.05)
    facts = []
    for name, shares in right.items():
        there = dict(zip(lengths, shares, strict=True))
        beyond = min(share for length, share in there.items() if length > trained)
        kind = "above 0.8" if beyond > 0.8 else "below 0.8"
        facts.append(
            f"{name}: {there[trained]:.1f} at {trained} tokens, worst beyond {kind}"
        )
    fact = "\n".join(facts)
    plots.show(
        fig,
        alt=f"{len(right)} lines of the share right over the length, "
        f"{lengths[0]} to {lengths[-1]} tokens. {'; '.join(facts)}.",
        fact=fact,
    )
