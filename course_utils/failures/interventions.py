"""Change one thing in a text or a vector, and see which number moves.

Built in notebook 08. What can be changed *inside* the model is in ``encoder.Change``.
A failure has the cause whose intervention moves it, and not the one that sounds right.

Paper: Ravfogel et al. 2020 (arXiv 2004.07667) find directions by a linear probe, too.

>>> stretch(np.array([[0.6, 0.8]]), np.array([0.0, 2.0]), 3).round(2).tolist()
[[0.24, 0.97]]
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import numpy as np

from course_utils import guards

NEGATION = re.compile(
    r"\b(not|no|never|none|nobody|nothing|cannot|without|neither|nor|hardly|\w+n['’]t)\b",
    re.IGNORECASE,
)


def has_negation(text: str) -> bool:
    """Whether a text holds one of the plain words of denial.

    A list of words knows no meaning: *failed to* denies and is not on it, *not only*
    is found and denies little.

    >>> has_negation("It doesn't start."), has_negation("It failed to start.")
    (True, False)
    """
    return bool(NEGATION.search(text))


def spell_out(text: str) -> str:
    """Write symbols that a vocabulary may lack as their Unicode names.

    Letters, digits and ASCII stay as they are.

    >>> spell_out("Queue status: 🟢")
    'Queue status: large green circle'
    """
    spelt = "".join(
        f" {unicodedata.name(c, c).lower()} "
        if ord(c) > 127 and unicodedata.category(c)[0] == "S"
        else c
        for c in text
    )
    return " ".join(spelt.split())


def without_frame(a: str, b: str) -> tuple[str, str]:
    """Cut the words that two texts share at their beginning and at their end.

    A text of which nothing would be left stays whole, and so does the other one.

    >>> without_frame("Set replicas to 3 now", "Set replicas to 30 now")
    ('3', '30')
    >>> without_frame("I trust him", "I hardly trust him")
    ('I trust him', 'I hardly trust him')
    """
    left, right = a.split(), b.split()
    shorter = min(len(left), len(right))
    front = 0
    while front < shorter and left[front] == right[front]:
        front += 1
    back = 0
    while back < shorter - front and left[-1 - back] == right[-1 - back]:
        back += 1
    cut = [" ".join(words[front : len(words) - back]) for words in (left, right)]
    return (cut[0], cut[1]) if all(cut) else (a, b)


def word_effects(text: str, score: Callable[[list[str]], np.ndarray]) -> list[tuple]:
    """What each word does to a score: leave it out, score again.

    Args:
        text: at least two words.
        score: n texts -> (n,) numbers, such as the probability of the right class.

    Returns:
        ``(word, change)``, the word whose absence raises the score most first.

    Raises:
        ValueError: the text has fewer than two words, or a score is NaN or infinite.

    >>> word_effects("a bbb cc", lambda texts: np.array([-len(t) for t in texts]))
    [('bbb', 4.0), ('cc', 3.0), ('a', 2.0)]
    """
    words = text.split()
    if len(words) < 2:
        raise ValueError(f"a text of two words at least is needed, got {text!r}")
    shortened = [" ".join(words[:i] + words[i + 1 :]) for i in range(len(words))]
    whole, *without = guards.finite("a score", score([text, *shortened]))
    changes = [(w, float(s - whole)) for w, s in zip(words, without, strict=True)]
    return sorted(changes, key=lambda pair: -pair[1])


def stretch(vectors: np.ndarray, direction: np.ndarray, factor: float) -> np.ndarray:
    """Let one direction of the space count more, then scale to length 1 again.

    Args:
        vectors: (n, dim).
        direction: (dim,), such as the weights of a linear probe; any length but 0.
        factor: 1 changes nothing, 0 removes the direction.

    Returns:
        (n, dim) of length 1.

    Raises:
        ValueError: shapes do not fit, a number is not finite, the direction is zero,
            the factor is negative, or nothing is left of a vector.

    >>> stretch(np.array([[0.6, 0.8]]), np.array([1.0, 0.0]), 0).tolist()
    [[0.0, 1.0]]
    """
    vectors = guards.finite("vectors", vectors)
    direction = guards.finite("direction", direction)
    if vectors.ndim != 2 or direction.shape != vectors.shape[1:]:
        raise ValueError(f"vectors {vectors.shape}, direction {direction.shape}")
    if not np.linalg.norm(direction) or not 0 <= factor < np.inf:
        raise ValueError(f"a direction that is not 0, a factor from 0 on: {factor}")
    unit = direction / np.linalg.norm(direction)
    along = vectors @ unit  # (n,)
    changed = vectors + (factor - 1) * along[:, None] * unit
    lengths = np.linalg.norm(changed, axis=1, keepdims=True)
    if (lengths == 0).any():
        raise ValueError("a vector lies along the direction: nothing of it is left")
    return changed / lengths


def stretched_cosines(
    a: np.ndarray, b: np.ndarray, direction: np.ndarray, factor: float
) -> np.ndarray:
    """Cosine of each row of ``a`` with the same row of ``b``, one direction stretched.

    Args:
        a: (n, dim).
        b: (n, dim).
        direction: (dim,).
        factor: as in ``stretch``.

    Returns:
        (n,)

    Raises:
        ValueError: as ``stretch``, or the two are not of one shape.

    >>> a, b = np.array([[0.6, 0.8]]), np.array([[-0.6, 0.8]])
    >>> stretched_cosines(a, b, np.array([1.0, 0.0]), 1).round(2).tolist()
    [0.28]
    >>> stretched_cosines(a, b, np.array([1.0, 0.0]), 0).tolist()
    [1.0]
    """
    if np.shape(a) != np.shape(b):
        raise ValueError(f"a is {np.shape(a)}, b is {np.shape(b)}")
    one, other = (stretch(vectors, direction, factor) for vectors in (a, b))
    return (one * other).sum(axis=1)
