"""Pictures of notebook 06."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from course_utils.classroom import plots

if TYPE_CHECKING:
    from torch import Tensor


def exam(cosines: ArrayLike, terms: Sequence[str]) -> None:
    """Draw remarks against plain sentences: the diagonal holds the true pairs."""
    table = np.asarray(cosines)
    right = int((table.argmax(axis=1) == np.arange(len(table))).sum())
    fig, _ = plots.heatmap(table, terms, terms, "Remark (row), plain sentence (column)")
    plots.show(
        fig,
        alt=f"Heat map of cosines, {len(table)} remarks by as many plain sentences: "
        f"in {right} of {len(table)} rows the diagonal, the true pair, is brightest.",
        fact=f"{right} of {len(table)} remarks have their own plain sentence on top",
    )


def learning(recall: Mapping[int, float], losses: Sequence[float], batch: int) -> None:
    """Draw recall over steps, and say how the first loss compares with a guess."""
    steps = list(recall)
    fig, _ = plots.lines(
        steps,
        {"recall@1": list(recall.values())},
        "Unseen sentences look for their partner",
        "step",
        "recall@1",
    )
    first, last = recall[steps[0]], recall[steps[-1]]
    plots.show(
        fig,
        alt=f"Line of recall at 1 over {steps[-1]} training steps, from {first:.1f} to "
        f"{last:.1f}.",
        fact=f"before: {first:.2f}, after {steps[-1]} steps: {last:.2f}; the first "
        f"loss was {losses[0] / math.log(batch):.1f} × ln {batch}",
    )


def yardstick(steps: Sequence[int], curves: Mapping[str, ArrayLike]) -> None:
    """Draw recall over steps for several losses: mean of seeds, and each seed.

    Args:
        steps: where recall was measured.
        curves: name -> (seeds, steps).
    """
    curves = {name: np.asarray(values) for name, values in curves.items()}
    means = {name: values.mean(axis=0) for name, values in curves.items()}
    seeds = len(next(iter(curves.values())))
    title = f"Equal rows, equal steps: {seeds} seeds (thin), their mean (thick)"
    fig, ax = plots.lines(steps, means, title, "step", "recall@1")
    for color, values in zip(plots.PALETTE, curves.values(), strict=False):
        ax.plot(steps, values.T, color=color, linewidth=0.6)
    facts = [
        f"{name:<8} mean of {seeds} seeds "
        + ", ".join(f"after {steps[i]} steps {line[i]:.1f}" for i in (1, -1))
        for name, line in means.items()
    ]
    # Seeds may differ in size and still agree in what comes first.
    early = np.array([values[:, 1] for values in curves.values()]).argsort(axis=0)
    agree = int((early == early[:, :1]).all(axis=0).sum())
    facts.append(f"after {steps[1]} steps {agree} of {seeds} seeds agree on the order")
    best = max(means, key=lambda name: means[name][-1])
    plots.show(
        fig,
        alt=f"Lines of recall at 1 over training steps for {len(curves)} losses, "
        f"{seeds} seeds each; the highest in the end is {best}.",
        fact="\n".join(facts),
    )


def circle(
    now: Tensor, then: Tensor, temperature: float, step: int, forces: str
) -> plots.Picture:
    """Picture of pairs on a circle, where each goes next, and their softmax.

    Args:
        now: points (2 · pairs, 2); the first half pairs with the second.
        then: the same one step later.
        temperature: of the softmax.
        step: which moment this is.
        forces: what is measured of it, in a few words.
    """
    circles, squares = now.chunk(2)
    softmax = (circles @ squares.T / temperature).softmax(dim=1).numpy()
    now, move, pairs = now.numpy(), (then - now).numpy(), len(circles)
    fig, (left, right) = plots.plt.subplots(1, 2, figsize=(5.6, 2.5))
    left.add_patch(plots.plt.Circle((0, 0), 1, fill=False, color="0.8"))
    for i, color in zip(range(pairs), plots.PALETTE, strict=False):
        left.plot(*now[[i, i + pairs]].T, color=color, linewidth=1)
        left.plot(*now[i], "o", *now[i + pairs], "s", color=color, markersize=6)
    left.quiver(*now.T, *move.T, scale=0.5, width=0.008, color="0.3")
    left.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    left.axis("off")
    left.set_title(f"temperature {temperature}, step {step}", fontsize=10)
    right.imshow(softmax, vmin=0, vmax=1)
    right.set(xticks=[], yticks=[], xlabel="square", ylabel="circle")
    right.set_title(forces, fontsize=10)
    return plots.picture(
        fig,
        f"{pairs} pairs on a circle, temperature {temperature}, step {step}: {forces}, "
        f"the right choice gets {softmax.diagonal().mean():.0%}",
    )


def batches(sizes: Sequence[int], found: Mapping[str, ArrayLike]) -> None:
    """Draw recall by batch size under several budgets: (sizes, seeds) each."""
    found = {name: np.asarray(recall) for name, recall in found.items()}
    means = {name: recall.mean(axis=1) for name, recall in found.items()}
    seeds = next(iter(found.values())).shape[1]
    fig, ax = plots.grouped_bars(
        [str(size) for size in sizes],
        means,
        f"Unseen sentences, mean of {seeds} seeds",
        "recall@1",
    )
    ax.set(xlabel="pairs per batch", ylim=(0, 1.25))
    facts = [
        f"{name}: {sizes[-1]} beats {sizes[0]} in "
        f"{int((recall[-1] > recall[0]).sum())} of {seeds} seeds"
        for name, recall in found.items()
    ]
    plots.show(
        fig,
        alt="Grouped bars of recall at 1 over batch sizes "
        f"{', '.join(map(str, sizes))}. {'; '.join(facts)}.",
        fact="; ".join(facts),
    )


def shelf(curves: Mapping[str, Sequence[float]], window: int = 10) -> None:
    """Draw losses, smoothed, beside the price of a guess between two."""
    smooth = {
        name: np.convolve(curve, np.ones(window) / window, "valid")[::5]
        for name, curve in curves.items()
    }
    steps = len(next(iter(curves.values())))
    fig, ax = plots.lines(
        range(window, steps + 1, 5),
        smooth,
        f"Mean loss of {window} steps (grey: ln 2)",
        "step",
        "loss",
    )
    ax.axhline(math.log(2), color="0.6", linewidth=1)
    ax.set_ylim(0, 2)
    facts = [
        f"{name:<20} steps {40} to {60}: {np.mean(curve[40:60]):.1f}, "
        f"at the end: {np.mean(curve[-window:]):.1f}"
        for name, curve in curves.items()
    ]
    plots.show(
        fig,
        alt=f"{len(curves)} loss curves and a level line at ln 2. "
        + "; ".join(" ".join(fact.split()) for fact in facts),
        fact="\n".join([*facts, f"ln 2 = {math.log(2):.1f}"]),
    )


def mined(shares: Sequence[float], random: float) -> None:
    """Draw which share of the mined wrong answers is right, by rank."""
    ranks = range(1, len(shares) + 1)
    fig, ax = plots.lines(
        ranks,
        {
            "mined at this rank": shares,
            "drawn at random": [random] * len(shares),
        },
        "'Wrong' answers about the same page",
        "rank among the wrong ones",
        "share",
    )
    ax.set(xticks=list(ranks), ylim=(0, None))
    facts = " ".join(f"{share:.2f}" for share in shares)
    plots.show(
        fig,
        alt="Line of the share of false negatives over the rank of the mined text: "
        f"{facts}; drawn at random {random:.2f}.",
        fact=f"rank 1 to {len(shares)}: {facts}; drawn at random: {random:.2f}",
    )


def changes(rows: Mapping[str, tuple[Sequence[float], tuple[float, float]]]) -> None:
    """Draw by how much each test changed: every seed, the interval of their mean.

    Args:
        rows: test -> (change of every seed, 95 % interval of the mean change).
    """
    fig, ax = plots.plt.subplots(figsize=(6, 0.9 + 0.5 * len(rows)))
    for place, (seeds, span) in enumerate(rows.values()):
        ax.plot(span, [place, place], color=plots.BLUE, linewidth=2)
        ax.plot(seeds, [place] * len(seeds), "|", color=plots.BLACK, markersize=10)
    ax.axvline(0, color="0.6", linewidth=1)
    ax.invert_yaxis()
    ax.set(
        yticks=range(len(rows)),
        yticklabels=[plots.label(name) for name in rows],
        title="Change by adaptation",
        xlabel="every seed (ticks), 95 % interval of their mean (line)",
    )
    # By the two digits that are shown: the third may differ on another machine.
    beyond = [name for name, (_, (low, _)) in rows.items() if round(low, 2) > 0]
    below = [name for name, (_, (_, high)) in rows.items() if round(high, 2) < 0]
    fact = (
        f"gain beyond chance: {', '.join(beyond) or 'none'}; "
        f"loss: {', '.join(below) or 'none'}"
    )
    plots.show(
        fig,
        alt=f"Changes with intervals in {len(rows)} tests, 0 in the middle; {fact}.",
        fact=fact,
    )
