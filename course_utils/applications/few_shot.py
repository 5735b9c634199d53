"""A classifier from label names and a handful of examples: one vector per class.

Built in notebook 10. Library: ``sklearn.neighbors.NearestCentroid`` on vectors of
length 1. Paper: Snell et al. 2017 (arXiv 1703.05175).

>>> classes = prototypes(np.array([[1.0, 0.0], [0.0, 1.0]]), [0, 1], 2)
>>> classify(np.array([[0.9, 0.1]]), classes).tolist()
[0]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course_utils.applications.inputs import checked, labelled


def draw(labels: Sequence[int], each: int, rng: np.random.Generator) -> np.ndarray:
    """Places of ``each`` examples per class, drawn without repeating one.

    Raises:
        ValueError: a class has fewer.

    >>> draw([0, 1, 0, 1], 2, np.random.default_rng(0)).tolist()
    [0, 2, 1, 3]
    """
    labels = np.asarray(labels)
    chosen = []
    for name in np.unique(labels):
        places = np.flatnonzero(labels == name)
        if not 1 <= each <= len(places):
            raise ValueError(f"class {name} has {len(places)} examples, asked: {each}")
        chosen.append(np.sort(rng.choice(places, each, replace=False)))
    return np.concatenate(chosen)


def prototypes(
    examples: np.ndarray,
    labels: Sequence[int],
    classes: int,
    described: np.ndarray | None = None,
    weight: float = 2.0,
) -> np.ndarray:
    """The mean of each class's examples, and of its description, if there is one.

    Args:
        examples: (n, dim).
        labels: (n,) class numbers, from 0 on.
        classes: how many classes there are.
        described: (classes, dim), vectors of descriptions or label names.
        weight: how many examples one description counts for.

    Returns:
        (classes, dim), of length 1.

    Raises:
        ValueError: a class has neither example nor description.

    >>> one = np.array([[0.0, 1.0]])  # of class 1; class 0 has a description only
    >>> prototypes(one, [1], 2, described=np.eye(2), weight=3).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    examples = checked(examples, name="examples")
    labels = labelled(labels, len(examples))
    sums = np.zeros((classes, examples.shape[1]))
    np.add.at(sums, labels, examples)
    if described is not None:
        sums += weight * checked(described, classes, "descriptions")
    without = np.flatnonzero(~sums.any(axis=1))
    if len(without):
        raise ValueError(
            f"class {without[0]} has neither an example nor a description: it could "
            "never be found"
        )
    return checked(sums, name="prototypes")


def classify(vectors: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The number of the nearest prototype, (n,).

    >>> classify(np.array([[0.6, 0.8], [1.0, 0.0]]), np.eye(2)).tolist()
    [1, 0]
    """
    vectors, classes = checked(vectors), checked(classes, 2, "prototypes")
    return (vectors @ classes.T).argmax(axis=1)
