"""Groups of texts: found, numbered, named, counted; and a map with its distortion.

Built in notebook 10. Library: ``sklearn.cluster``. Paper: Lloyd 1982
(doi 10.1109/TIT.1982.1056489).

>>> vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
>>> k_means(vectors, vectors[[0, 2]])[0].tolist()
[0, 0, 1, 1]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from course_utils.applications.inputs import checked, labelled


def k_means(
    vectors: np.ndarray, start: np.ndarray, rounds: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """Give each vector to its nearest centre, move the centres, until nothing moves.

    Args:
        vectors: (n, dim), of length 1.
        start: (k, dim), where the centres begin.
        rounds: the most that are tried.

    Returns:
        Labels (n,) and centres (k, dim). A centre that nobody is nearest to stays where
        it is (the library moves it to the vector that is farthest from its centre).

    Raises:
        ValueError: fewer vectors than centres, or dimensions that do not fit.

    Library: ``KMeans(k, init=start, n_init=1).fit_predict(vectors)``.

    >>> start = np.array([[0.9, 0, 0], [0, 1, 0]])
    >>> labels, centres = k_means(np.eye(3)[[0, 0, 1]], start)
    >>> labels.tolist(), centres.tolist()
    ([0, 0, 1], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    """
    vectors, centres = checked(vectors, len(start)), np.array(start, dtype=float)
    if centres.ndim != 2 or centres.shape[1] != vectors.shape[1]:
        raise ValueError(f"centres {centres.shape} for vectors {vectors.shape}")
    labels = np.full(len(vectors), -1)
    for _ in range(rounds):
        distances = ((vectors[:, None] - centres[None]) ** 2).sum(axis=2)  # (n, k)
        nearest = distances.argmin(axis=1)
        if (nearest == labels).all():
            break
        labels = nearest
        for k in np.unique(labels):
            centres[k] = vectors[labels == k].mean(axis=0)
    return labels, centres


def found(vectors: np.ndarray, k: int, seed: int = 0, n_init: int = 10) -> np.ndarray:
    """Labels (n,) of the library's k-means, with the refusals that it lacks.

    Args:
        vectors: (n, dim).
        k: how many groups, from 2 on.
        seed: of the starting points.
        n_init: how many starts; the one with the smallest inertia is kept.

    Raises:
        ValueError: fewer *different* texts than groups (duplicates are one text).

    >>> found(np.ones((5, 3)), 2)
    Traceback (most recent call last):
    ValueError: 2 groups need at least 2 different texts: 5 texts, 1 different
    """
    from sklearn.cluster import KMeans

    vectors = checked(vectors)
    if k < 2:
        raise ValueError(f"a grouping has at least 2 groups, not {k}")
    different = len(np.unique(vectors.round(6), axis=0))
    if different < k:
        raise ValueError(
            f"{k} groups need at least {k} different texts: {len(vectors)} texts, "
            f"{different} different"
        )
    return KMeans(k, n_init=n_init, random_state=seed).fit_predict(vectors)


def inertia(vectors: np.ndarray, labels: Sequence) -> float:
    """Sum of squared distances to the mean of the own group: what k-means makes small.

    >>> inertia(np.array([[1.0, 0.0], [0.0, 1.0]]), [0, 0])
    1.0
    """
    vectors = checked(vectors)
    labels = labelled(labels, len(vectors))
    groups = (vectors[labels == name] for name in np.unique(labels))
    return float(sum(((g - g.mean(axis=0)) ** 2).sum() for g in groups))


def match_numbers(before: Sequence[int], after: Sequence[int]) -> np.ndarray:
    """Rename the groups of ``after`` so that most texts keep their number.

    Args:
        before, after: (n,) group numbers of the same texts, from 0 on.

    Returns:
        ``after`` with the numbers of ``before``; groups too many get new ones.

    Raises:
        ValueError: not the same texts on both sides.

    Library: ``scipy.optimize.linear_sum_assignment`` (Kuhn 1955).

    >>> match_numbers([0, 0, 1, 2], [2, 2, 0, 1]).tolist()
    [0, 0, 1, 2]
    """
    from scipy.optimize import linear_sum_assignment

    before = np.asarray(before, dtype=int)
    after = labelled(np.asarray(after, dtype=int), len(before))
    size = max(before.max(), after.max()) + 1
    shared = np.zeros((size, size), dtype=int)  # (old number, new number)
    np.add.at(shared, (before, after), 1)
    old, new = linear_sum_assignment(shared, maximize=True)
    names = np.empty(size, dtype=int)
    names[new] = old
    return names[after]


def names(texts: Sequence[str], labels: Sequence[int], words: int = 3) -> list[str]:
    """Name each group by the words that are frequent in it and rare elsewhere.

    All texts of a group are read as one; each word is weighed by
    count / length · log(1 + average length / count everywhere): c-TF-IDF.

    Args:
        texts: n texts.
        labels: (n,) group numbers; the result is in their order.
        words: how many per name.

    Raises:
        ValueError: not one label per text.

    Paper: Grootendorst 2022 (arXiv 2203.05794).

    >>> names(["lost parcel", "parcel late", "app crash"], [0, 0, 1], words=1)
    ['parcel', 'app']
    """
    from sklearn.feature_extraction.text import CountVectorizer

    labels = labelled(labels, len(texts))
    numbers = np.unique(labels)
    counter = CountVectorizer(stop_words="english", token_pattern=r"[a-z]{3,}")
    counts = counter.fit_transform(texts)
    groups = np.vstack([counts[labels == k].sum(axis=0).A1 for k in numbers])
    length = groups.sum(axis=1, keepdims=True)
    weight = groups / np.maximum(length, 1)
    weight = weight * np.log1p(length.mean() / groups.sum(axis=0))
    vocabulary = counter.get_feature_names_out()
    best = np.argsort(-weight, axis=1, kind="stable")[:, :words]
    return [" ".join(vocabulary[row]) for row in best]


def agreement(vectors: np.ndarray, k: int, seeds: Iterable[int], n_init: int) -> float:
    """Mean adjusted Rand index between every two runs that differ in the seed only.

    >>> agreement(np.eye(4)[[0, 0, 1, 1, 2, 2]], k=3, seeds=(0, 1), n_init=5)
    1.0
    """
    from itertools import combinations

    from sklearn.metrics import adjusted_rand_score

    runs = [found(vectors, k, seed, n_init) for seed in seeds]
    if len(runs) < 2:
        raise ValueError("agreement is between two runs or more: give two seeds")
    return float(np.mean([adjusted_rand_score(*two) for two in combinations(runs, 2)]))


def how_many(
    vectors: np.ndarray, ks: Iterable[int], seeds: Iterable[int] = range(4)
) -> pd.DataFrame:
    """Three opinions on the number of groups, a row per k.

    Returns:
        ``silhouette`` (higher is better), ``Davies-Bouldin`` (lower), ``agreement`` of
        the seeds (higher).

    >>> rows = np.eye(3)[[0, 0, 0, 1, 1, 1, 2, 2, 2]] + 0.01 * np.eye(9)[:, :3]
    >>> how_many(rows, (2, 3), seeds=(0, 1))["silhouette"].idxmax()
    3
    """
    from sklearn.metrics import davies_bouldin_score, silhouette_score

    vectors, seeds, rows = checked(vectors), list(seeds), {}
    for k in ks:
        labels = found(vectors, k, seeds[0], n_init=4)
        rows[k] = {
            "silhouette": silhouette_score(vectors, labels),
            "Davies-Bouldin": davies_bouldin_score(vectors, labels),
            "agreement": agreement(vectors, k, seeds, n_init=1),
        }
    return pd.DataFrame(rows).T


def nearest(vectors: np.ndarray, k: int) -> np.ndarray:
    """The k nearest other rows of each row, (n, k), nearest first.

    Library: ``sklearn.neighbors.NearestNeighbors``.

    >>> nearest(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), 1).tolist()
    [[1], [0], [1]]
    """
    from sklearn.neighbors import NearestNeighbors

    rows = np.asarray(vectors, dtype=float)
    if not 1 <= k < len(rows):
        raise ValueError(f"{len(rows)} rows have 1 to {len(rows) - 1} others, k is {k}")
    return NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(return_distance=False)


def neighbours_kept(vectors: np.ndarray, places: np.ndarray, k: int = 10) -> np.ndarray:
    """Share of the k true neighbours that are neighbours on the map, too: (n,).

    Args:
        vectors: (n, dim), of length 1: nearest is then highest in cosine.
        places: (n, 2) on the map.
        k: how many neighbours.

    Raises:
        ValueError: not one place per vector, or k does not fit.

    >>> line = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]])
    >>> neighbours_kept(line, line, k=1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    vectors, places = checked(vectors), np.asarray(places, dtype=float)
    if len(vectors) != len(places):
        raise ValueError(f"{len(vectors)} vectors, {len(places)} places on the map")
    true, seen = nearest(vectors, k), nearest(places, k)
    both = zip(true, seen, strict=True)
    return np.array([len(np.intersect1d(*two)) / k for two in both])
