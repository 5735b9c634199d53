"""Pictures of notebook 08."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from course_utils.classroom import plots


def losses(runs: Mapping[str, Sequence[float]], guess: float, title: str) -> None:
    """Draw the loss of each step of some runs, and the loss of a guess."""
    fig, ax = plots.plt.subplots(figsize=(6, 2.6))
    for colour, style, (name, run) in zip(
        plots.PALETTE, ("-", "--", "-.", ":"), runs.items(), strict=False
    ):
        steps = range(1, len(run) + 1)
        ax.plot(steps, run, color=colour, linestyle=style, label=plots.label(name))
    ax.axhline(guess, color=plots.BLACK, linewidth=0.8)
    ax.set(title=plots.label(title), xlabel="step", ylabel="loss (nats)")
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=9)
    ends = "; ".join(
        f"{name}: {run[0]:.2f} to {np.mean(run[-5:]):.2f}" for name, run in runs.items()
    )
    plots.show(
        fig,
        alt=f"Lines of the loss over the steps, and a level line for a guess at "
        f"{guess:.2f}. First and last losses: {ends}.",
        fact="\n".join([f"a guess costs {guess:.2f}", *ends.split("; ")]),
    )


def one_by_one(accuracy: Mapping[str, float], title: str) -> None:
    """Draw accuracies as bars, one per version of a run."""
    fig, _ = plots.bars(accuracy, title, "accuracy on the test headlines", digits=2)
    facts = [f"{name} {share:.2f}" for name, share in accuracy.items()]
    plots.show(
        fig,
        alt=f"Bars of accuracy, {len(accuracy)} versions: {', '.join(facts)}.",
        fact="\n".join(facts),
    )


def confusion(matrix: ArrayLike, names: Sequence[str]) -> None:
    """Draw a confusion matrix: rows are right, columns were said."""
    matrix = np.asarray(matrix)
    fig, ax = plots.heatmap(matrix, names, names, "Test articles", digits=0)
    ax.set(xlabel="what the model said", ylabel="what is right")
    lost = matrix.sum(axis=1) - matrix.diagonal()
    facts = ", ".join(f"{name} {n}" for name, n in zip(names, lost, strict=True))
    plots.show(
        fig,
        alt=f"Confusion matrix of {len(names)} classes, {matrix.trace()} of "
        f"{matrix.sum()} articles on the diagonal. Lost per class: {facts}.",
        fact=f"lost: {facts}",
    )


def promises(table: pd.DataFrame) -> None:
    """Draw accuracy over confidence, bin by bin (``calibration.reliability``)."""
    fig, _ = plots.reliability(table, "Reliability on the test articles")
    above = int((table["accuracy"] > table["confidence"]).sum())
    fact = f"{above} of {len(table)} bins lie above the diagonal"
    plots.show(
        fig,
        alt="Reliability diagram: accuracy over confidence, a dot per bin, its size "
        f"the number of articles; {fact}.",
        fact=fact,
    )


def catalogue(cosines: ArrayLike, kinds: Sequence[str], says: Sequence[str]) -> None:
    """Draw every probe's cosine in the row of its kind, highest kind on top."""
    cosines, kinds = np.asarray(cosines), np.asarray(kinds)
    order = sorted(
        dict.fromkeys(kinds), key=lambda kind: -cosines[kinds == kind].mean()
    )
    title = f"{len(kinds)} probes, and what a reader says"
    fig, _ = plots.strips(cosines, kinds, says, order, title, "cosine")
    names = [str(kind).replace("_", " ") for kind in order]
    fact = f"highest: {', '.join(names[:3])}; lowest: {', '.join(names[-3:])}"
    plots.show(
        fig,
        alt=f"Strip chart of cosines for {len(order)} kinds of probe, colour by what "
        f"a reader says. Mean cosine {fact}.",
        fact=fact,
    )


def stretched(factors: Sequence[float], lines: Mapping[str, Sequence[float]]) -> None:
    """Draw what stretching one direction does to some mean cosines."""
    fig, _ = plots.lines(
        [str(factor) for factor in factors],
        lines,
        "One direction stretched",
        "factor",
        "mean cosine, rank correlation",
    )
    facts = "; ".join(
        f"{name} {line[0]:.2f} → {line[-1]:.2f}" for name, line in lines.items()
    )
    plots.show(
        fig,
        alt=f"Lines over the factor, {factors[0]} to {factors[-1]}: {facts}.",
        fact=f"factor {factors[-1]}:\n" + facts.replace("; ", "\n"),
    )


def cures(change: pd.DataFrame) -> None:
    """Draw the change of the mean cosine: a row per kind, a column per cure."""
    rows = [str(kind).replace("_", " ") for kind in change.index]
    fig, _ = plots.heatmap(
        change.values,
        rows,
        list(change.columns),
        "Change of the mean cosine",
        diverging=True,
    )
    low = {
        name: f"{rows[int(column.argmin())]} {column.min():+.2f}"
        for name, column in change.items()
    }
    plots.show(
        fig,
        alt=f"Heat map of changes in mean cosine, {len(rows)} kinds of probe by "
        f"{len(low)} changes. Lowest in each column: "
        + "; ".join(f"{name}: {value}" for name, value in low.items())
        + ".",
        fact="\n".join(f"lowest, {name}: {value}" for name, value in low.items()),
    )


def line_between(
    cosines: ArrayLike, same: ArrayLike, line: float, cost: int, title: str
) -> plots.Picture:
    """Picture of two groups of cosines, the line between them and what it costs."""
    cosines, same = np.asarray(cosines), np.asarray(same)
    said = f"{title}: same {'never' if np.isinf(line) else f'from {line:.2f} on'}"
    groups = {"different": cosines[~same], "same": cosines[same]}
    fig, _ = plots.histograms(groups, line, f"{said}, cost {cost}", "cosine")
    return plots.picture(fig, f"Histograms of cosines, {said}, cost {cost}.")
