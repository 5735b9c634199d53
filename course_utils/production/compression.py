"""Fewer bytes for a vector: fewer numbers, or fewer bits for each.

Every way here is a pair: something learnt from some vectors, and codes of any vectors.
What a search loses is measured with ``recall``; what it gains is ``code.nbytes``.

Library: ``faiss`` (``PCAMatrix``, ``IndexScalarQuantizer``, ``IndexBinaryFlat``),
``sentence_transformers.quantize_embeddings``. Paper: Jégou et al. 2011 (PQ); Kusupati
et al. 2022 (Matryoshka).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_utils import guards


def table(name: str, vectors: object, dim: int | None = None) -> np.ndarray:
    """Vectors as float32 (n, dim), checked.

    Raises:
        ValueError: no matrix, another dimension, NaN or infinity.
    """
    found = np.asarray(vectors, dtype=np.float32)
    if found.ndim != 2 or (dim is not None and found.shape[1] != dim):
        wanted = "dim" if dim is None else dim
        raise ValueError(f"{name} must be (n, {wanted}), got {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} hold NaN or infinity")
    return found


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays as it is.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1, lengths)


# -- fewer numbers ---------------------------------------------------------------------


def truncate(vectors: np.ndarray, dim: int) -> np.ndarray:
    """The first numbers, at length 1 again: (n, dim).

    Good for models trained for it (*Matryoshka*); for others, any numbers would do.
    """
    vectors = table("vectors", vectors)
    dim = guards.whole("dim", dim, low=1, high=vectors.shape[1])
    return unit(vectors[:, :dim])


def rotation(vectors: np.ndarray) -> np.ndarray:
    """A rotation after which the first numbers hold most: (dim, dim).

    Singular vectors of the vectors as they are, *not* centred: subtracting a mean would
    move queries and passages, whose means differ, by different amounts.

    Args:
        vectors: (n, dim), at least one; those that will be searched are best.

    Returns:
        A matrix R with orthonormal columns: use ``truncate(vectors @ R, dim)``.

    >>> rows = np.array([[1.0, 1.0], [2.0, 2.1], [-1.0, -0.9]])
    >>> bool(np.abs(rows @ rotation(rows))[:, 1].max() < 0.1)
    True
    """
    vectors = table("vectors", vectors).astype(np.float64)
    if not len(vectors):
        raise ValueError("a rotation is learnt from vectors, got none")
    _, matrix = np.linalg.eigh(vectors.T @ vectors)  # smallest first
    return matrix[:, ::-1].astype(np.float32)


# -- fewer bits ------------------------------------------------------------------------


@dataclass(frozen=True)
class Int8:
    """One byte a number: each dimension has its own zero and its own step.

    Attributes:
        low: the value that code -128 stands for, (dim,).
        step: between two codes, (dim,).
    """

    low: np.ndarray
    step: np.ndarray

    @classmethod
    def learn(cls, vectors: np.ndarray) -> Int8:
        """From the smallest and the largest number of each dimension.

        A few hundred vectors at least: what lies outside later is cut off.
        """
        vectors = table("vectors", vectors)
        if len(vectors) < 2:
            raise ValueError(f"steps are learnt from vectors, got {len(vectors)}")
        low, high = vectors.min(axis=0), vectors.max(axis=0)
        return cls(low, np.where(high > low, (high - low) / 255, 1).astype(np.float32))

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        """Codes, int8 (n, dim)."""
        vectors = table("vectors", vectors, len(self.low))
        steps = np.rint((vectors - self.low) / self.step) - 128
        return np.clip(steps, -128, 127).astype(np.int8)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """What the codes stand for, float32 (n, dim).

        Compare these, not the codes: a product of codes weighs every dimension by its
        step, and overflows in NumPy.
        """
        return (codes.astype(np.float32) + 128) * self.step + self.low


def binary(vectors: np.ndarray) -> np.ndarray:
    """One bit a number, its sign: uint8 (n, dim / 8), eight bits to a byte.

    >>> binary(np.array([[1, -1, 1, 1, -1, -1, -1, 1.0]])).tolist()
    [[177]]
    """
    vectors = table("vectors", vectors)
    if vectors.shape[1] % 8:
        raise ValueError(f"{vectors.shape[1]} numbers do not fill whole bytes")
    return np.packbits(vectors > 0, axis=1)


def hamming(query: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """In how many bits each code differs from the query's: (n,).

    >>> hamming(np.uint8([177]), np.uint8([[177], [176], [78]])).tolist()
    [0, 1, 8]
    """
    return np.unpackbits(codes ^ query, axis=1).sum(axis=1, dtype=np.int64)


def rescored(
    query: np.ndarray, codes: np.ndarray, vectors: np.ndarray, k: int, depth: int
) -> np.ndarray:
    """Search by bits, then order the best by their real vectors: k row numbers.

    Args:
        query: a unit vector (dim,).
        codes: ``binary`` of the vectors, in memory.
        vectors: (n, dim); only ``depth`` rows are read: they may lie on disk.
        k: how many rows to return.
        depth: how many rows the bits may propose, at least k.
    """
    depth = guards.whole("depth", depth, low=guards.whole("k", k, low=1))
    far = hamming(binary(query[None])[0], codes)
    near = np.argsort(far, kind="stable")[:depth]
    order = np.argsort(-(vectors[near] @ query), kind="stable")
    return near[order][:k]


# -- what it costs ---------------------------------------------------------------------


def recall(found: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The share of the right rows that each query found: (queries,).

    Args:
        found: row numbers, (queries, k).
        right: those of the exact search, (queries, k).

    >>> recall(np.array([[1, 2], [3, 4]]), np.array([[2, 1], [3, 9]])).tolist()
    [1.0, 0.5]
    """
    found, right = np.asarray(found), np.asarray(right)
    if found.ndim != 2 or right.ndim != 2 or len(found) != len(right):
        raise ValueError(f"one row per query each, got {found.shape}, {right.shape}")
    if not right.shape[1]:
        raise ValueError("no row is right: there is nothing to recall")
    rows = zip(found, right, strict=True)
    return np.array([np.isin(want, got).mean() for got, want in rows])
