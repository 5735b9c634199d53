"""Pictures of notebook 02."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from course_utils.classroom import plots


def product(hot: ArrayLike, table: ArrayLike, words: Sequence[str]) -> None:
    """Draw one-hot times table equals rows, every number in its place.

    Args:
        hot: one-hot vectors (wanted, words).
        table: (words, dim).
        words: names of the table's rows.
    """
    hot, table = np.asarray(hot), np.asarray(table)
    rows = hot @ table
    wanted = [words[i] for i in hot.argmax(axis=1)]
    parts = [
        (hot, wanted, words, f"one-hot {hot.shape}"),
        (table, words, range(table.shape[1]), f"table {table.shape}"),
        (rows, wanted, range(rows.shape[1]), f"rows {rows.shape}"),
    ]
    widths = [part.shape[1] for part, *_ in parts]
    fig, axes = plots.plt.subplots(1, 3, figsize=(8, 2.3), width_ratios=widths)
    limit = float(np.abs(table).max())
    for ax, (part, down, across, title) in zip(axes, parts, strict=True):
        ax.imshow(part, cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_xticks(range(len(across)), [str(name) for name in across])
        ax.set_yticks(range(len(down)), down)
        ax.spines[:].set_visible(False)
        ax.set_title(title, fontsize=10)
        for (i, j), value in np.ndenumerate(part):
            dark = abs(value) > 0.6 * limit
            ax.text(
                j,
                i,
                f"{value:.0f}",
                ha="center",
                va="center",
                color="white" if dark else "black",
            )
    for ax, sign in zip(axes[1:], "×=", strict=True):
        ax.text(-0.42, 0.5, sign, transform=ax.transAxes, fontsize=16, ha="center")
    fig.tight_layout(w_pad=2.5)
    facts = "; ".join(
        f"{word} {row.astype(int).tolist()}"
        for word, row in zip(wanted, rows, strict=True)
    )
    plots.show(
        fig,
        alt=f"Three matrices: one-hot vectors of {' and '.join(wanted)}, times a table "
        f"of {len(words)} rows, equals the rows of these words: {facts}.",
        fact=facts,
    )


def window(words: Sequence[str], size: int) -> plots.Picture:
    """Picture of who predicts whom in one sentence, for a window of this size."""
    places = np.arange(len(words))
    distance = np.abs(places[:, None] - places)
    near = (distance > 0) & (distance <= size)
    fig, _ = plots.heatmap(
        near,
        words,
        words,
        f"window {size}: the centre (row) and its context (columns)",
        digits=0,
        cell=(0.5, 0.32),
    )
    busiest = ", ".join(w for w, seen in zip(words, near[2], strict=True) if seen)
    return plots.picture(
        fig,
        f"Table of {len(words)} words by {len(words)}, window {size}: "
        f"{int(near.sum())} pairs for skip-gram from {len(words)} centres; "
        f"the context of '{words[2]}' is {busiest}.",
    )


def word_map(
    word: str,
    points: np.ndarray,
    vectors: np.ndarray,
    fields: Mapping[str, str],
    kept: ArrayLike,
) -> plots.Picture:
    """Map of words in two dimensions, with lines from one to its true neighbours.

    Args:
        word: the word whose neighbours are tied to it.
        points: (n, 2) places on the map, the words of all fields in order.
        vectors: (n, dim) the truth, rows of length 1.
        fields: name -> its words, parted by spaces; ten words each.
        kept: (n,) how many of each word's five true neighbours are drawn near it.
    """
    drawn = " ".join(fields.values()).split()
    row = drawn.index(word)
    true = np.argsort(-(vectors @ vectors[row]))[1:6]
    dots = np.argsort(np.linalg.norm(points - points[row], axis=1))[1:6]
    fig, ax = plots.plt.subplots(figsize=(7, 4.2))
    for i, (field, marker) in enumerate(zip(fields, "osD^vPX*", strict=True)):
        ax.scatter(*points[10 * i : 10 * i + 10].T, s=20, marker=marker, label=field)
    top = {"left": -1.0, "right": -1.0}  # of the names so far: none on another
    for i in sorted(true, key=lambda i: points[i, 1]):
        side = "left" if points[i, 0] > points[row, 0] - 0.02 else "right"
        top[side] = max(points[i, 1], top[side] + 0.05)
        ax.plot(*points[[row, i]].T, color=plots.BLACK, linewidth=0.8)
        ax.text(
            points[i, 0], top[side], f"  {drawn[i]}  ", ha=side, va="center", size=8
        )
    ax.margins(x=0.1)
    ax.legend(fontsize=7, ncols=2, loc="upper right")
    near = ", ".join(drawn[i] for i in dots)
    ax.set(
        title=f"{word}: its true neighbours, {kept[row]} of 5 drawn near",
        xlabel=f"first direction; nearest dots: {near}",
        ylabel="second direction",
    )
    return plots.picture(
        fig,
        f"Map of {len(drawn)} words, lines from {word} to "
        f"{', '.join(drawn[i] for i in true)}; {kept[row]} are near.",
    )


def arithmetic(found: Mapping[str, Sequence[float]]) -> None:
    """Draw, relation by relation, what arithmetic adds to the neighbour of c.

    Args:
        found: name -> analogies, share right with the rule, share right by c alone,
            and the ends of the interval of their difference.
    """
    fig, ax = plots.plt.subplots(figsize=(6.5, 0.9 + 0.27 * len(found)))
    _, rule, only, low, high = np.array(list(found.values())).T
    mean, rows = rule - only, range(len(found))
    ax.errorbar(mean, rows, xerr=[mean - low, high - mean], fmt="o", capsize=3)
    ax.axvline(0, color=plots.BLACK, linewidth=0.7)
    ax.set_yticks(rows, list(found))
    ax.invert_yaxis()
    ax.set(title="Share right: the rule minus only c (95 %)", xlabel="difference")
    above = [name for name, (*_, low, _) in found.items() if low > 0]
    lines = [
        f"{name:<17} {count:>3} analogies, rule {rule:.2f}, only c {only:.2f}, "
        f"difference {low:+.2f} to {high:+.2f}".replace("+0.00 to +0.00", "none")
        for name, (count, rule, only, low, high) in found.items()
    ]
    plots.show(
        fig,
        alt=f"Dots with 95 % intervals for {len(found)} relations. "
        f"Above 0: {', '.join(above) or 'none'}; the other intervals include 0 or "
        "lie below it.",
        fact="\n".join(lines),
    )


def row_lengths(groups: Mapping[str, np.ndarray]) -> None:
    """Draw how long the rows of each group are, as shares of the group."""
    together = np.concatenate(list(groups.values()))
    edges = np.arange(together.min(), together.max() + 0.05, 0.05)
    shares = {
        name: np.histogram(lengths, edges)[0] / len(lengths)
        for name, lengths in groups.items()
    }
    fig, _ = plots.lines(
        edges[:-1] + 0.025, shares, "Length of the rows", "length", "share of the rows"
    )
    medians = ", ".join(f"{name} {np.median(v):.2f}" for name, v in groups.items())
    plots.show(
        fig,
        alt=f"Distributions of the lengths of rows. Medians: {medians}.",
        fact=f"medians: {medians}",
    )


def company(found: Mapping[str, ArrayLike], kinds: Sequence[str]) -> None:
    """Draw the mean cosines of each kind of pair, a dot per seed.

    Args:
        found: way of training -> (seeds, kinds).
        kinds: names of the kinds; the last is the one across.
    """
    rows = [f"{way}: {kind}" for way in found for kind in kinds]
    values = np.concatenate([np.asarray(five).T.ravel() for five in found.values()])
    seeds = len(next(iter(found.values())))
    names = np.repeat(rows, seeds)
    groups = np.array([row.split(": ")[1] for row in names])
    title = f"Mean cosine, {seeds} seeds each"
    fig, ax = plots.strips(values, names, groups, rows, title, "mean cosine")
    ax.get_legend().remove()  # every row has its name
    facts = []
    for way, five in found.items():
        *within, across = np.asarray(five).T
        facts.append(
            f"{way}: within a kind from {np.min(within):.1f}, "
            f"across up to {across.max():.1f}"
        )
    plots.show(
        fig,
        alt=f"Dots for {len(rows)} rows. {'; '.join(facts)}.",
        fact="\n".join(facts),
    )


def two_senses(
    same: Sequence[float], other: Sequence[float], stages: Sequence[str], word: str
) -> None:
    """Draw the mean cosine of a word's vectors within and across its senses."""
    fig, ax = plots.lines(
        range(len(stages)),
        {"same sense": same, "other sense": other},
        f"'{word}' in two senses",
        "",
        "mean cosine",
    )
    ax.set_xticks(range(len(stages)), stages, rotation=30, ha="right", fontsize=8)
    ends = [
        f"{name} {line[0]:.2f} to {line[-1]:.2f}"
        for name, line in (("same sense", same), ("other sense", other))
    ]
    plots.show(
        fig,
        alt=f"Two lines of mean cosine over {len(stages)} stages: {'; '.join(ends)}; "
        f"the gap grows from {same[0] - other[0]:.2f} to {same[-1] - other[-1]:.2f}.",
        fact="; ".join(ends),
    )
