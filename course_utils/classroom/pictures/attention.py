"""Pictures of notebook 04."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from course_utils.classroom import plots

if TYPE_CHECKING:
    from course_utils.encoder import Trace

HIDDEN = "�"  # what the picture's font cannot show


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


def word_twice(word: str, cosines: Sequence[float]) -> None:
    """Draw the cosine of a word's two vectors after each block."""
    steps = -np.diff(cosines)
    fig, _ = plots.lines(
        range(len(cosines)),
        {word: cosines},
        f"'{word}' in two sentences",
        "blocks passed",
        "cosine",
    )
    plots.show(
        fig,
        alt=f"Line of the cosine of the two '{word}' after each block: from "
        f"{cosines[0]:.1f} to {cosines[-1]:.1f}, with the largest drop in block "
        f"{int(steps.argmax())}.",
        fact=f"after each block: {_numbers(cosines)}",
    )


def _favourites(weights: np.ndarray, words: Sequence[str]) -> str:
    best = weights.argmax(axis=1)
    return ", ".join(f"{a} → {words[b]}" for a, b in zip(words, best, strict=True))


def looks(weights: ArrayLike, words: Sequence[str], title: str) -> None:
    """Draw a small table of weights with its numbers: rows look at columns."""
    weights = np.asarray(weights)
    fig, _ = plots.heatmap(weights, words, words, title)
    favourites = _favourites(weights, words)
    future = np.triu(weights, 1).sum()
    plots.show(
        fig,
        alt=f"Heat map of {len(words)} words by {len(words)}, rows look at columns. "
        f"Each row's brightest: {favourites}. Above the diagonal "
        f"{'nothing but zeros' if future == 0 else 'there are weights as well'}.",
        fact=f"looks most at: {favourites}",
    )


def spread(sizes: Sequence[int], entropy: Mapping[str, Sequence[float]], keys: int):
    """Draw how spread out the weights over some keys are, by dimension."""
    ends = ", ".join(
        f"{name} from {line[0]:.1f} to {line[-1]:.1f}" for name, line in entropy.items()
    )
    fig, _ = plots.lines(
        [str(size) for size in sizes],
        entropy,
        f"{keys} random keys",
        "dimension d",
        "entropy (nats)",
    )
    plots.show(
        fig,
        alt=f"Lines of entropy over the dimension, {sizes[0]} to {sizes[-1]}: {ends}.",
        fact=f"{keys} equal weights have {math.log(keys):.1f}; {ends}",
    )


def padded(lengths: Sequence[int], cosines: Mapping[str, Sequence[float]]) -> None:
    """Draw the cosine of a padded text to itself alone, by padded length."""
    fig, _ = plots.lines(
        lengths,
        cosines,
        "The same text, padded",
        "padded to (tokens)",
        "cosine to itself alone",
    )
    facts = "; ".join(f"{name}: {_numbers(line)}" for name, line in cosines.items())
    plots.show(
        fig,
        alt=f"Lines over the padded length, {lengths[0]} to {lengths[-1]} tokens. "
        f"Cosines: {facts}.",
        fact=facts,
    )


def quadratic(
    lengths: Sequence[int], shares: Mapping[str, Sequence[float]], half: int
) -> None:
    """Draw which share of a block's products grows with the square of the length."""
    first, *others = shares.values()
    equal = all(np.allclose(first, other) for other in others)
    fig, ax = plots.lines(
        [f"{length:,}" for length in lengths],
        shares,
        "Quadratic part of a block",
        "tokens",
        "share of the products",
    )
    # Rings around dots: a line that lies on the other must not hide it.
    ax.lines[0].set(markersize=10, markerfacecolor="none", linestyle="")
    ax.legend(fontsize=9)
    facts = ", ".join(
        f"{length:,}: {share:.0%}" for length, share in zip(lengths, first, strict=True)
    )
    plots.show(
        fig,
        alt=f"Lines of the share of products over the number of tokens, "
        f"{'lying on each other' if equal else 'apart'}: {facts}.",
        fact=f"{facts}\nhalf at {half:,}; the lines agree: {equal}",
    )


def head(trace: Trace, layer: int, head: int) -> plots.Picture:
    """Picture of one head's table of weights, special tokens included."""
    weights = trace.attention[layer, head].numpy()
    names = [token if token.isascii() else HIDDEN for token in trace.tokens]
    title = f"layer {layer}, head {head}: rows look at columns"
    fig, _ = plots.heatmap(weights, names, names, title, digits=None, cell=(0.24, 0.21))
    best = weights.argmax(axis=1)[1:-1]
    words = ", ".join(
        f"{a} → {names[b]}" for a, b in zip(names[1:-1], best, strict=True)
    )
    return plots.picture(fig, f"Heat map, {title}. Each word most at: {words}.")


def by_layer(series: Mapping[str, Sequence[float]], title: str) -> None:
    """Draw some shares or cosines, layer by layer."""
    facts = "\n".join(f"{name}: {_numbers(line)}" for name, line in series.items())
    count = len(next(iter(series.values())))
    fig, ax = plots.lines(range(count), series, title, "layer", "share or cosine")
    ax.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    plots.show(
        fig,
        alt=f"Lines over {count} layers. " + "; ".join(facts.split("\n")) + ".",
        fact=facts,
    )


def without_head(moved: ArrayLike, text: str) -> plots.Picture:
    """Picture of how far a vector moves without each head: (layers, heads)."""
    values = np.asarray(moved)
    layers, heads = values.shape
    fig, _ = plots.heatmap(
        values,
        [f"layer {number}" for number in range(layers)],
        [f"head {number}" for number in range(heads)],
        f"1000 × (1 − cosine) without the head: {text}",
        digits=0,
        cell=(0.47, 0.33),
    )
    layer, head = divmod(int(values.argmax()), heads)
    lost = ", ".join(f"{mean:.0f}" for mean in values.mean(axis=1))
    return plots.picture(
        fig,
        f"Heat map of {layers} layers and {heads} heads, {text}: the vector moves most "
        f"without layer {layer}, head {head}; means of the layers: {lost}.",
    )


def senses(by_block: Sequence[float], static: float, queries: int) -> None:
    """Draw the share of senses told right after each block, beside lookup rows."""
    rise = np.diff(by_block)
    fig, _ = plots.lines(
        range(len(by_block)),
        {
            "the word itself": by_block,
            "lookup rows of the sentence": [static] * len(by_block),
        },
        "Senses told apart",
        "blocks passed",
        "share right (chance 0.5)",
    )
    plots.show(
        fig,
        alt=f"Line of the share of senses told right, {by_block[0]:.2f} before the "
        f"first block and {by_block[-1]:.2f} after the last, the largest step in block "
        f"{int(rise.argmax())}; a level line for lookup rows at {static:.2f}.",
        fact=f"blocks passed: {_numbers(by_block)} of {queries} queries; "
        f"lookup rows {static:.2f}",
    )
