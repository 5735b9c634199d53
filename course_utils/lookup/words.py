"""Words, their rows, and who is near whom: the searchable part of ``lookup``.

Built in notebook 02, used as ``lookup.nearest`` and so on. Library:
``gensim.models.KeyedVectors``. Papers: Mikolov et al. 2013 (arXiv 1301.3781), Levy and
Goldberg 2014 on analogies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from course_utils import assets, guards


@dataclass(frozen=True)
class WordTable:
    """Words and their vectors (words, dim), one row per word, to be read only."""

    words: Sequence[str]
    vectors: np.ndarray

    def __post_init__(self) -> None:
        """Refuse a table whose words and rows do not belong together."""
        if np.ndim(self.vectors) != 2:
            raise ValueError(
                f"vectors must be (words, dim), got shape {np.shape(self.vectors)}"
            )
        if len(self.words) != len(self.vectors):
            raise ValueError(f"{len(self.words)} words, {len(self.vectors)} rows")
        if len(self.index) != len(self.words):
            twice = Counter(self.words).most_common(1)[0][0]
            raise ValueError(f"{twice!r} is there twice: each word has one row")
        if not np.isfinite(self.vectors).all():
            raise ValueError("a vector holds NaN or infinity: its direction is unknown")
        # Who writes "v = table[word]; v -= other" would change the table for good.
        object.__setattr__(self, "vectors", _read_only(np.asarray(self.vectors)))

    @cached_property
    def directions(self) -> np.ndarray:
        """The rows scaled to length 1; a row of zeros stays one."""
        return _read_only(_unit(self.vectors))

    @cached_property
    def index(self) -> dict[str, int]:
        """Word -> row number."""
        return {word: row for row, word in enumerate(self.words)}

    def __getitem__(self, word: str) -> np.ndarray:
        """Vector of a word, read only: ``.copy()`` it to change it.

        Raises:
            KeyError: the table does not have it.
        """
        if word not in self.index:
            raise KeyError(f"{word!r} is not one of the {len(self.words):,} words")
        return self.vectors[self.index[word]]


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1, in float32 at least; rows whose squares overflow as well."""
    wide = np.asarray(vectors, np.promote_types(vectors.dtype, np.float32))
    with np.errstate(over="ignore", under="ignore"):
        lengths = np.linalg.norm(wide, axis=1, keepdims=True)
        extreme = (lengths > 1e15) | (lengths < 1e-15)
        if extreme.any():
            largest = np.abs(wide).max(axis=1, keepdims=True, initial=0)
            largest[largest == 0] = 1  # a row of zeros stays one
            wide = np.where(extreme, wide / largest, wide)
            lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.maximum(lengths, 1e-12)


FIELDS = {  # eighty words of eight fields, all in MiniLM's table
    "animal": "cat dog kitten puppy horse cow sheep wolf lion tiger",
    "family": "mother father sister brother son daughter uncle aunt wife husband",
    "country": "france italy spain germany japan china egypt norway peru cuba",
    "city": "paris rome madrid berlin tokyo beijing cairo oslo lima havana",
    "computer": "server database network software kernel password file cache disk byte",
    "water": "river lake sea bank shore flood boat bridge stream harbour",
    "feeling": "good bad happy sad angry afraid proud lonely calm glad",
    "number": "one two three four five six seven eight nine ten",
}


@cache
def minilm_words() -> WordTable:
    """Return MiniLM's own lookup table, reduced to whole words of letters.

    Pieces with ``##``, ``[unused]`` rows, digits, punctuation and single characters are
    left out, so that an answer is always a word.

    >>> minilm_words()["king"].shape
    (384,)
    """
    vocab = assets.fast_tokenizer().get_vocab()
    table = assets.weights()["embeddings.word_embeddings.weight"].numpy()
    words = sorted(
        (word for word in vocab if len(word) > 1 and word.isascii() and word.isalpha()),
        key=vocab.__getitem__,
    )
    return WordTable(words, table[[vocab[word] for word in words]])


def nearest(
    vector: np.ndarray,
    table: WordTable | None = None,
    k: int = 5,
    exclude: Collection[str] = (),
) -> list[tuple[str, float]]:
    """Return the words whose rows point most nearly where ``vector`` points.

    Args:
        vector: (dim,).
        table: where to look; None means ``minilm_words()``.
        k: how many words.
        exclude: a list of words that are not wanted, such as the one you started from.

    Returns:
        ``(word, cosine)``, best first; equal ones in the table's order.

    Raises:
        TypeError: ``exclude`` is one string.
        ValueError: ``k`` is below 1 or above what is left, the dimension is another,
            or the vector is zero or not finite.
    """
    table = minilm_words() if table is None else table
    if isinstance(exclude, str):
        raise TypeError(f"exclude is a list of words, such as [{exclude!r}]")
    k = guards.whole("k", k)
    vector = np.asarray(vector)
    if vector.shape != (table.vectors.shape[1],):
        raise ValueError(
            f"vector has shape {vector.shape}, the table has dim "
            f"{table.vectors.shape[1]}"
        )
    if not np.isfinite(vector).all() or not vector.any():
        raise ValueError("a zero or non-finite vector points nowhere")
    largest = float(np.abs(vector).max())
    if not 1e-12 < largest < 1e15:
        vector = vector.astype(float) / largest
    vector = vector.astype(np.float32)
    length = np.linalg.norm(vector)
    barred = [table.index[word] for word in set(exclude) if word in table.index]
    if not 1 <= k <= len(table.words) - len(barred):
        raise ValueError(f"k must be 1 to {len(table.words) - len(barred)}, got {k}")
    scores = np.array(table.directions @ (vector / length))
    scores[barred] = -np.inf
    best = np.argsort(-scores, kind="stable")[:k]
    return [(table.words[row], float(scores[row])) for row in best]


def analogy(
    a: str,
    b: str,
    c: str,
    exclude_inputs: bool = True,
    k: int = 5,
    table: WordTable | None = None,
) -> list[tuple[str, float]]:
    """*a* is to *b* as *c* is to what? The words nearest to ``b - a + c`` (3CosAdd).

    Args:
        a: the first word, such as ``"man"``.
        b: its partner, ``"king"``.
        c: the word to be completed, ``"woman"``.
        exclude_inputs: leave out the three words themselves, as the published figures
            silently do; without it the answer is mostly *b* or *c*.
        k: how many answers.
        table: None means ``minilm_words()``.

    Raises:
        KeyError: a word is not in the table.

    >>> analogy("man", "king", "woman", k=1)[0][0]
    'queen'
    """
    table = minilm_words() if table is None else table
    unit = {
        word: table.directions[table.index[word]] for word in _known(table, a, b, c)
    }
    target = unit[b] - unit[a] + unit[c]
    return nearest(target, table, k, exclude=(a, b, c) if exclude_inputs else ())


def _known(table: WordTable, *words: str) -> tuple[str, ...]:
    for word in words:
        _ = table[word]  # raises with the word's name
    return words


def kept_neighbours(vectors: np.ndarray, points: np.ndarray, k: int) -> np.ndarray:
    """Count how many of each row's true neighbours a picture draws near it.

    Args:
        vectors: the truth (n, dim), compared by cosine.
        points: the picture (n, 2), compared by distance.
        k: how many neighbours; a row is not its own.

    Returns:
        Whole numbers 0 to k, shape (n,). ``sklearn.manifold.trustworthiness`` weighs
        the same loss by rank.

    Raises:
        ValueError: the shapes do not fit, a number is NaN or infinite, or ``k`` is not
            1 to n - 1.

    >>> square = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> kept_neighbours(square, square, k=1)
    array([1, 1, 1, 1])
    """
    vectors, points = np.asarray(vectors), np.asarray(points)
    if vectors.ndim != 2 or points.ndim != 2 or len(vectors) != len(points):
        raise ValueError(
            f"vectors {vectors.shape} and points {points.shape} must be (n, dim) and "
            "(n, 2) with the same n"
        )
    k = guards.whole("k", k)
    if not 1 <= k < len(vectors):
        raise ValueError(f"k must be 1 to {len(vectors) - 1}, got {k}")
    guards.finite("vectors", vectors)
    guards.finite("points", points)
    unit = _unit(vectors)
    closeness = unit @ unit.T  # (n, n)
    distance = np.linalg.norm(points[:, None] - points, axis=2)  # (n, n)
    np.fill_diagonal(closeness, -np.inf)
    np.fill_diagonal(distance, np.inf)
    true = np.argsort(-closeness, axis=1, kind="stable")[:, :k]
    drawn = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return (true[:, :, None] == drawn[:, None]).any(axis=2).sum(axis=1)
