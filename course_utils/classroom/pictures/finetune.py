"""Pictures of notebook 07."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from course_utils.classroom import plots

CHANCE = 4  # classes


def steps(losses: Sequence[float]) -> None:
    """Draw the loss of each step."""
    rises = int((np.diff(losses) > 0).sum())
    many = rises > len(losses) / 5
    fig, _ = plots.lines(
        range(1, len(losses) + 1), {"loss": losses}, "Each step", "step", "nats"
    )
    plots.show(
        fig,
        alt=f"Line of the training loss over {len(losses)} steps, from about "
        f"{losses[0]:.1f}, {'in jagged moves' if many else 'almost smoothly'}.",
        fact=f"more than a fifth of the steps rose: {many}",
    )


def loss_and_accuracy(loss: Sequence[float], accuracy: Sequence[float]) -> None:
    """Draw both after each step on the same texts."""
    stood = [
        sum(a == b for a, b in zip(line, line[1:], strict=False))
        for line in (loss, accuracy)
    ]
    fig, _ = plots.lines(
        range(1, len(loss) + 1),
        {"dev loss, nats": loss, "dev accuracy": accuracy},
        "The same dev headlines after each step",
        "step",
        "nats; share",
    )
    words = ["never" if count == 0 else "sometimes" for count in stood]
    plots.show(
        fig,
        alt=f"Two lines over {len(loss)} steps: the loss {words[0]} stands still from "
        f"one step to the next, the accuracy {words[1]} does.",
        fact=f"stands still from one step to the next: the loss {words[0]}, the "
        f"accuracy {words[1]}",
    )


def rates(losses: Mapping[float, float], chosen: float) -> None:
    """Draw the dev loss of each learning rate, beside that of a guess."""
    guess = math.log(CHANCE)
    lost = [f"{rate:g}" for rate, loss in losses.items() if loss > 0.9 * guess]
    fig, ax = plots.lines(
        list(losses), {"dev loss": list(losses.values())},
        "Three epochs at each rate", "learning rate", "nats",
    )  # fmt: skip
    ax.set_xscale("log")
    ax.axhline(guess, linestyle=":", color="grey")
    plots.show(
        fig,
        alt="Dev loss over the learning rate, logarithmic: a valley. Near the dotted "
        f"line of a pure guess, or above it: {', '.join(lost)}.",
        fact=f"chosen {chosen:g}; no better than a guess: {', '.join(lost)}",
    )


def ladder(accuracy: Mapping[str, Mapping[str, float]]) -> None:
    """Draw accuracies: a group of bars per cell, a colour per rung."""
    names = list(dict.fromkeys(name for cell in accuracy.values() for name in cell))
    series = {
        name: [cell.get(name, math.nan) for cell in accuracy.values()] for name in names
    }
    places = [cell.replace(" ", "\n") for cell in accuracy]
    fig, ax = plots.grouped_bars(
        places, series, "The ladder, recorded", "accuracy, median of three"
    )
    ax.set_ylim(0, 1.1)
    ax.legend(ncols=len(names), fontsize=9, loc="upper left")
    facts = [
        f"{cell:<14} " + "  ".join(f"{name} {value:.2f}" for name, value in row.items())
        for cell, row in accuracy.items()
    ]
    plots.show(
        fig,
        alt="Grouped bars of accuracy. "
        + "; ".join(" ".join(fact.split()) for fact in facts)
        + ".",
        fact="\n".join(facts),
    )


def gains(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Draw gains over the frozen rung in points, with their 95 % intervals.

    Args:
        found: cell -> "rung, mean" and its "low" and "high", as recorded.

    Returns:
        The cells in which some rung has a gain whose interval leaves zero out.
    """
    rows, pays = {}, []
    for cell, row in found.items():
        for rung in dict.fromkeys(name.rpartition(", ")[0] for name in row):
            ends = [100 * row[f"{rung}, {end}"] for end in ("mean", "low", "high")]
            rows[f"{cell}, {rung}"] = tuple(ends)
            pays += [cell] * (ends[1] > 0)
    fig, _ = plots.intervals(rows, "Trained minus frozen, recorded", "points")
    facts = [
        f"{name:<25} {mean:+5.1f} points, {low:+5.1f} to {high:+5.1f}: "
        f"{'a gain' if low > 0 else 'a loss' if high < 0 else 'not shown'}"
        for name, (mean, low, high) in rows.items()
    ]
    plots.show(
        fig,
        alt="Points with intervals beside zero. "
        + "; ".join(" ".join(fact.split()) for fact in facts)
        + ".",
        fact="\n".join(facts),
    )
    return list(dict.fromkeys(pays))


def by_heart(
    train: Sequence[float], dev: Sequence[float], lies: Sequence[float], best: int
) -> None:
    """Draw a run that overfits: its losses and the share of repeated wrong labels."""
    early = best <= len(dev) // 2
    seen_through = lies[best - 1] < 2 / 3
    fig, ax = plots.lines(
        range(1, len(dev) + 1),
        {"training loss": train, "dev loss": dev, "wrong labels repeated": lies},
        "Learnt, then known by heart",
        "epoch",
        "nats; share",
    )
    ax.axvline(best, linestyle=":", color="grey")
    plots.show(
        fig,
        alt=f"Three lines over {len(dev)} epochs: training loss falls, dev loss is "
        f"lowest in the {'first' if early else 'second'} half and "
        f"{'ends higher' if dev[-1] > min(dev) else 'ends there'}, the share of "
        f"repeated wrong labels {'climbs' if lies[-1] > lies[0] else 'falls'}.",
        fact=f"best dev loss in the first half: {early}\n"
        f"a third of the wrong labels contradicted there: {seen_through}",
    )


def price(found: Mapping[str, float]) -> None:
    """Draw the rank correlation on everyday pairs before and after training.

    Args:
        found: "before", "after", "change, low" and "change, high", as recorded.
    """
    ends = {name: found[name] for name in ("before", "after")}
    fig, _ = plots.bars(
        ends,
        "Everyday pairs, recorded",
        "rank correlation with the grades (Spearman)",
        digits=2,
    )
    before, after = ends.values()
    plots.show(
        fig,
        alt=f"Two bars of rank correlation: {before:.2f} before training, "
        f"{after:.2f} after.",
        fact=f"{before:.2f} before, {after:.2f} after; change "
        f"{found['change, low']:+.2f} to {found['change, high']:+.2f} (95 %)",
    )
