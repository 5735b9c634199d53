"""What every use of a matrix of vectors asks first: is it one, and is it whole?

>>> checked([[3.0, 4.0]]).tolist()
[[0.6, 0.8]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def embed(
    texts: Sequence[str], encode: Callable[[list[str]], np.ndarray]
) -> np.ndarray:
    """Encode texts; refuse what would end up as a vector that means nothing.

    Args:
        texts: n strings; none of them empty.
        encode: takes a list of texts, returns (n, dim).

    Returns:
        (n, dim) in double precision, rows of length 1.

    Raises:
        TypeError: one string instead of a list, or something that is no string.
        ValueError: no texts, an empty one, or what ``checked`` refuses.

    >>> embed(["a", "bb"], lambda texts: [[len(t), 0] for t in texts]).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    if isinstance(texts, str):
        raise TypeError("one string came in: pass a list of texts, [text]")
    texts = list(texts)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {place} is a {type(text).__name__}, not a string")
        if not text.strip():
            raise ValueError(
                f"text {place} is empty: its vector would be that of no text at all, "
                "near to every other empty one. Drop it first"
            )
    if not texts:
        raise ValueError("no texts came in: there is nothing to encode")
    vectors = checked(encode(texts))
    if len(vectors) != len(texts):
        raise ValueError(f"{len(vectors)} vectors came back for {len(texts)} texts")
    return vectors


def checked(vectors: object, least: int = 1, name: str = "vectors") -> np.ndarray:
    """Rows of length 1 in double precision, or a sentence that says why not.

    Args:
        vectors: (n, dim), of any length above 0.
        least: how many rows are needed.
        name: what the caller calls them.

    Raises:
        ValueError: not a matrix, too few rows, NaN or infinity, or a row of zeros.

    >>> checked([[float("nan"), 1.0]])
    Traceback (most recent call last):
    ValueError: vectors: row 0 holds NaN or infinity: look at what made it
    """
    rows = np.asarray(vectors, dtype=float)
    if rows.ndim != 2 or not rows.shape[1]:
        raise ValueError(f"{name} must be a matrix (n, dim), got shape {rows.shape}")
    if len(rows) < least:
        texts = "text" if len(rows) == 1 else "texts"
        raise ValueError(f"{name}: {len(rows)} {texts}, at least {least} are needed")
    whole = np.isfinite(rows).all(axis=1)
    if not whole.all():
        raise ValueError(
            f"{name}: row {whole.argmin()} holds NaN or infinity: look at what made it"
        )
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if not length.all():
        raise ValueError(
            f"{name}: row {length.argmin()} is zero and has no direction: was its text "
            "empty?"
        )
    return rows / length


def labelled(labels: Sequence, n: int) -> np.ndarray:
    """Return labels as an array, one per row.

    Raises:
        ValueError: there are not n of them, or they are not a flat list.

    >>> labelled(["a", "b"], 2).tolist()
    ['a', 'b']
    """
    found = np.asarray(labels)
    if found.shape != (n,):
        raise ValueError(f"{n} rows need {n} labels, got shape {found.shape}")
    return found


def above(threshold: float) -> float:
    """Return a cosine threshold that is one.

    Raises:
        ValueError: it is not between -1 and 1 (0.8 % is not 80).

    >>> above(80)
    Traceback (most recent call last):
    ValueError: a cosine lies between -1 and 1, the threshold is 80
    """
    if not -1 <= threshold <= 1:
        raise ValueError(
            f"a cosine lies between -1 and 1, the threshold is {threshold}"
        )
    return float(threshold)
