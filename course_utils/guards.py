"""What comes in at the door: counts, labels, probabilities, numbers and paths.

Every topic asks here, so that a rule stands in one place: NumPy's whole numbers become
Python's (they do not overflow), a string is no truth value, NaN is no number, ``~`` is
your home. What cannot be meant is refused with a sentence; nothing is repaired.

Library: ``sklearn.utils.validation``, ``numbers.Integral``.

>>> whole("seed", np.int64(7)), number("rate", np.float32(0.5))
(7, 0.5)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SUM = 1e-4  # by how much the probabilities of a row may miss 1: they come as float32


# -- single numbers --------------------------------------------------------------------


def whole(
    name: str, value: object, low: int | None = None, high: int | None = None
) -> int:
    """A count, a size or a seed as Python's own int, which never overflows.

    Args:
        name: what it is, for the message.
        value: a whole number of Python, NumPy or torch; 3.0 is one, True is none.
        low: the smallest allowed, None for any.
        high: the largest allowed, None for any.

    Raises:
        ValueError: it is no whole number, or not within the limits.

    >>> 2 ** whole("n", np.int64(70))
    1180591620717411303424
    """
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        if isinstance(value, (float, np.floating)) and float(value).is_integer():
            value = int(value)
        found = operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a whole number, got {value!r}") from None
    if low is not None and found < low:
        raise ValueError(f"{name} must be at least {low}, got {found}")
    if high is not None and found > high:
        raise ValueError(f"{name} must be at most {high}, got {found}")
    return found


def number(name: str, value: object, low: float = -math.inf) -> float:
    """A finite number as Python's own float, which JSON can keep.

    Raises:
        ValueError: it is none, is NaN or infinite, or lies below ``low``.
    """
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None
    if not math.isfinite(found) or found < low:
        wanted = "finite" if low == -math.inf else f"finite and at least {low:g}"
        raise ValueError(f"{name} must be {wanted}, got {found}")
    return found


# -- columns of numbers ----------------------------------------------------------------


def finite(name: str, values: object) -> np.ndarray:
    """Numbers as an array of float64, all of them finite: what is NaN has no rank.

    Raises:
        ValueError: they are no numbers, or one is NaN or infinite.
    """
    try:
        found = np.asarray(values)
        if found.size and found.dtype.kind not in "fiubO":
            raise TypeError
        found = found.astype(float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, all rows of one length") from None
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds NaN or infinity: it ranks and means nothing")
    return found


def truths(name: str, values: object) -> np.ndarray:
    """Answers of yes or no as an array of bool; 1 and 0 count as such.

    Raises:
        ValueError: something is neither, such as the text "False" or NaN.

    >>> truths("right", [1, 0.0, True]).tolist()
    [True, False, True]
    """
    found = np.asarray(values)
    if not found.size:
        return np.zeros(found.shape, dtype=bool)
    if found.dtype == object and {type(x) for x in found.ravel()} <= {bool, np.bool_}:
        found = found.astype(bool)
    if found.dtype.kind not in "biuf" or not np.isin(found, (0, 1)).all():
        raise ValueError(
            f"{name} must say True or False (or 1 and 0) for every row, got "
            f"{_strange(found, (0, 1))!r}"
        )
    return found.astype(bool)


def _strange(found: np.ndarray, known: Sequence) -> object:
    """The first entry that is none of the known ones."""
    return next((x for x in found.ravel().tolist() if x not in known), None)


def confidences(name: str, values: object) -> np.ndarray:
    """Probabilities of one column, (n,) between 0 and 1.

    Raises:
        ValueError: one is outside, NaN or no number, or there is no single column.
    """
    found = np.asarray(values)
    found = found if np.issubdtype(found.dtype, np.floating) else finite(name, values)
    if found.ndim != 1 or not ((0 <= found) & (found <= 1)).all():  # NaN is neither
        raise ValueError(f"{name} must be (n,), each between 0 and 1, got {values!r}")
    return found.astype(float)


def probabilities(values: object) -> np.ndarray:
    """Probabilities as float64 (n, classes), each row a distribution.

    Raises:
        ValueError: they are no matrix, a row does not sum to 1 (logits do not), or a
            value is negative, NaN or no number.
    """
    found = finite("probabilities", values)
    if found.ndim != 2:
        raise ValueError(f"probabilities must be (n, classes), got {found.shape}")
    wrong = (found < 0).any(axis=1) | (np.abs(found.sum(axis=1) - 1) > SUM)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"each row of probabilities must be positive and sum to 1, row {row} is "
            f"{found[row].round(4).tolist()}: are these logits? Take their softmax"
        )
    return found


def labelled(values: object, labels: object) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, classes) and the class number of each row, (n,).

    False and True are the classes 0 and 1.

    Returns:
        float64 (n, classes) and int64 (n,).

    Raises:
        ValueError: as ``probabilities``; there is not one label per row, or a label is
            no class number from 0 to classes - 1.
    """
    found, given = probabilities(values), np.asarray(labels)
    if given.shape != found.shape[:1]:
        raise ValueError(
            f"probabilities must be (n, classes) with n labels, got {found.shape} and "
            f"{given.shape}: {given.size} labels for {len(found)} rows"
        )
    if given.size and given.dtype.kind not in "biu":
        raise ValueError(f"labels must be class numbers, got {given.dtype}")
    given, classes = given.astype(np.int64), found.shape[1]
    if len(given) and not (0 <= given.min() and given.max() < classes):
        raise ValueError(
            f"labels must lie between 0 and {classes - 1}, got "
            f"{_strange(given, range(classes))}"
        )
    return found, given


# -- learning --------------------------------------------------------------------------


def learnable(blocks: Sequence, what: str) -> None:
    """Refuse blocks of another precision: part of them, or the last step, would fail.

    Args:
        blocks: modules of torch that shall learn.
        what: the call, for the message.

    Raises:
        ValueError: a part has no numbers that can learn (int8), or they are not
            float32.
    """
    for block in blocks:
        for part in block.modules():
            own = list(part.parameters(recurse=False))
            strange = [p.dtype for p in own if str(p.dtype) != "torch.float32"]
            leaf = not list(part.children())
            if strange or (leaf and not list(part.parameters())):
                found = str(strange[0]) if strange else f"{type(part).__name__} weights"
                raise ValueError(
                    f"{what} needs weights in float32, these blocks have {found}: "
                    "train MiniLM.load(), and lower the precision afterwards"
                )


# -- places ----------------------------------------------------------------------------


def path(place: str | Path) -> Path:
    """A path with ``~`` written out: your home, not a folder of that name.

    Raises:
        ValueError: it begins with ``~``, and whose home that is cannot be found.
    """
    try:
        return Path(place).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{str(place)!r} begins with ~, and no such home is known here: "
            "write the whole path"
        ) from None
