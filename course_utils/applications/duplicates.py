"""The same text again: by its letters, by its shingles, by its meaning.

Built in notebook 10. Library: ``datasketch``. Paper: Broder 1997
(doi 10.1109/SEQUEN.1997.666900).

>>> exact_pairs(["Stop now!", "stop  NOW!", "go"])
[(0, 1)]
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from course_utils.applications.inputs import above, checked

Pair = tuple[int, int]  # two places, the smaller first


def same_letters(text: str) -> str:
    """A text without what nobody would call a difference: case, width, spaces.

    >>> same_letters("  Two\\u00a0WORDS ")
    'two words'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def exact_pairs(texts: Sequence[str]) -> list[Pair]:
    """Pairs of places whose texts are equal up to case, width and spaces.

    Raises:
        ValueError: an empty text: all of those would be doubles of each other.

    >>> exact_pairs(["Late again", "late  again", "LATE AGAIN", "late"])
    [(0, 1), (0, 2), (1, 2)]
    """
    places: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        key = same_letters(text)
        if not key:
            raise ValueError(f"text {place} is empty: drop it first")
        places.setdefault(key, []).append(place)
    return sorted(pair for group in places.values() for pair in combinations(group, 2))


def shingles(text: str, size: int = 5) -> set[str]:
    """Every run of ``size`` characters; a shorter text is one run.

    Raises:
        ValueError: an empty text, or a size below 1.

    >>> sorted(shingles("abcdef"))
    ['abcde', 'bcdef']
    """
    clean = same_letters(text)
    if not clean or size < 1:
        raise ValueError(f"shingles of {size} characters of {text!r}: nothing to cut")
    return {clean[i : i + size] for i in range(max(1, len(clean) - size + 1))}


def word_shingles(text: str, size: int = 3) -> set[str]:
    """Every run of ``size`` words; a shorter text is one run.

    >>> sorted(word_shingles("the parcel is late"))
    ['parcel is late', 'the parcel is']
    """
    words = same_letters(text).split()
    if not words or size < 1:
        raise ValueError(f"shingles of {size} words of {text!r}: nothing to cut")
    rows = range(max(1, len(words) - size + 1))
    return {" ".join(words[i : i + size]) for i in rows}


def jaccard(a: set, b: set) -> float:
    """Shared members by all members.

    >>> jaccard({1, 2, 3}, {2, 3, 4})
    0.5
    """
    return len(a & b) / len(a | b) if a | b else 0.0


def sketch(members: Iterable[str], permutations: int = 256):
    """A MinHash: for each of many hash functions, the smallest hash of any member.

    The share of equal numbers in two sketches estimates the Jaccard index of the sets.

    Library: ``datasketch.MinHash``.

    >>> a, b = (sketch(shingles(text)) for text in ("the parcel is late",) * 2)
    >>> a.jaccard(b), a.jaccard(sketch(shingles("refund my money")))
    (1.0, 0.0)
    """
    from datasketch import MinHash

    made = MinHash(num_perm=permutations, seed=7)
    made.update_batch([member.encode() for member in sorted(members)])
    return made


def sketched_pairs(sketches: Sequence, threshold: float) -> list[Pair]:
    """Pairs whose sketches agree from ``threshold`` on, without comparing all of them.

    Only texts that share a band of the sketch are looked at (locality-sensitive
    hashing): a small share of the true pairs may be missed.

    Library: ``datasketch.MinHashLSH``.

    Raises:
        ValueError: no sketches, or a threshold outside 0 to 1.

    >>> texts = ["the parcel is late again", "the parcel is late, again", "a refund"]
    >>> sketched_pairs([sketch(shingles(text)) for text in texts], 0.5)
    [(0, 1)]
    """
    from datasketch import MinHashLSH

    if not sketches or not 0 < threshold < 1:
        raise ValueError(f"{len(sketches)} sketches, threshold {threshold} (0 to 1)")
    index = MinHashLSH(threshold=threshold, num_perm=len(sketches[0]))
    for place, made in enumerate(sketches):
        index.insert(place, made)
    pairs = {
        (min(place, other), max(place, other))
        for place, made in enumerate(sketches)
        for other in index.query(made)
        if other != place and made.jaccard(sketches[other]) >= threshold
    }
    return sorted(pairs)


def near_pairs(vectors: np.ndarray, threshold: float) -> list[Pair]:
    """Pairs of rows whose cosine is at least ``threshold``.

    Raises:
        ValueError: what ``checked`` refuses, one text only, no cosine as threshold.

    >>> near_pairs(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), 0.7)
    [(0, 1)]
    """
    vectors = checked(vectors, least=2)
    cosines = np.triu(vectors @ vectors.T, 1) + np.tril(
        np.full((len(vectors),) * 2, -2)
    )
    rows, columns = np.nonzero(cosines >= above(threshold) - 1e-12)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def chains(n: int, pairs: Iterable[Pair]) -> list[list[int]]:
    """Groups by "is a double of a double of …": largest first, single texts left out.

    Library: ``scipy.sparse.csgraph.connected_components``.

    >>> chains(5, [(0, 1), (1, 2)])
    [[0, 1, 2]]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = list(pairs)
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(n, n))
    _, group = connected_components(graph, directed=False)
    found = [np.flatnonzero(group == k).tolist() for k in np.unique(group)]
    return sorted((g for g in found if len(g) > 1), key=lambda g: (-len(g), g))


def kept_and_dropped(vectors: np.ndarray, threshold: float) -> dict[int, list[int]]:
    """Keep a text in its turn, unless one that is kept is near: then drop it.

    No chain can form: every dropped text is near the text that stands for it.

    Args:
        vectors: (n, dim), in the order of preference (the newest first, say).
        threshold: the cosine from which a text can stand for another.

    Returns:
        Each kept place with the places that were dropped for it (the nearest kept one).

    >>> kept_and_dropped(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), 0.6)
    {0: [1], 2: []}
    """
    vectors, line = checked(vectors), above(threshold)
    kept: dict[int, list[int]] = {}
    for place, vector in enumerate(vectors):
        cosines = {k: float(vectors[k] @ vector) for k in kept}
        best = max(cosines, key=cosines.get, default=None)
        if best is not None and cosines[best] >= line - 1e-12:
            kept[best].append(place)
        else:
            kept[place] = []
    return kept
