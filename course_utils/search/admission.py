"""What an index lets in: requests, documents and vectors that make sense.

Used by ``search``, notebook 09. Each function says what came in, what was expected and
what to do; nothing that would give a wrong answer gets through.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from course_utils.assets import encodable
from course_utils.tokenization import normalise

Mode = Literal["dense", "lexical", "hybrid"]
MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")


def checked_request(query: object, k: object, mode: object) -> None:
    """Refuse a search that makes no sense."""
    if not isinstance(query, str):
        raise TypeError(f"the query is {type(query).__name__}, not a string")
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
        raise TypeError(f"k is {type(k).__name__}, not a whole number")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}, not one of {', '.join(MODES)}")
    if not normalise(query).strip():
        raise ValueError("the query is empty: ask for something")


def checked_documents(documents, known, vocabulary) -> dict[str, str]:
    """Id -> text of documents that can be indexed beside the ``known`` ones.

    A plain text gets its number as id. A character in two halves (a surrogate pair, as
    careless decoding leaves it) is put together now: on disk it would be, and every
    offset behind it would be wrong.
    """
    if isinstance(documents, (str, bytes)) or not isinstance(documents, Iterable):
        raise TypeError(
            f"pass a list of texts, not {type(documents).__name__}; or documents with "
            ".id and .text, or a mapping id -> text"
        )
    if isinstance(documents, Mapping):
        pairs = list(documents.items())
    else:
        pairs = [_pair(*numbered) for numbered in enumerate(documents, len(known))]
    if not pairs:
        raise ValueError("there are no documents to index")
    new: dict[str, str] = {}
    for name, text in pairs:
        if not isinstance(name, str) or not isinstance(text, str):
            raise TypeError(
                f"document {name!r}: id and text must be strings, the text is "
                f"{type(text).__name__}; decode bytes first"
            )
        name, text = encodable(name), encodable(text)
        if name in new or name in known:
            raise ValueError(f"document {name!r} is in the index already")
        # The beginning says yes at once; only what looks empty is read whole.
        if not vocabulary.encode(text[:1000]) and not vocabulary.encode(text):
            raise ValueError(f"document {name!r} has nothing to read: leave it out")
        new[name] = text
    return new


def _pair(number: int, document) -> tuple[object, object]:
    if isinstance(document, str):
        return str(number), document
    try:
        return document.id, document.text
    except AttributeError:
        raise TypeError(
            f"document {number} is {type(document).__name__}: pass texts, things with "
            ".id and .text, or a mapping id -> text"
        ) from None


def checked_vectors(
    vectors: object, count: int, dimensions: int, *, silent: bool = False
) -> np.ndarray:
    """Vectors of length 1, float32 (count, dim); 0 dimensions: any.

    With ``silent`` a row may be zero: a passage of which the encoder knows no piece.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != count:
        raise ValueError(f"{count} texts need {count} vectors, got {vectors.shape}")
    if dimensions and vectors.shape[1] != dimensions:
        raise ValueError(
            f"vectors of {vectors.shape[1]} dimensions do not fit the {dimensions} of "
            "the index"
        )
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise ValueError(f"vector {row} holds NaN or infinity: the encoder is broken")
    lengths = np.linalg.norm(vectors, axis=1)
    if silent:
        lengths[lengths == 0] = 1
    if count and np.abs(lengths - 1).max() > 1e-3:
        row = int(np.abs(lengths - 1).argmax())
        raise ValueError(
            f"vector {row} has length {lengths[row]:.3f}, not 1: the inner product "
            "would prefer long vectors; let the encoder normalise"
        )
    return vectors


# -- what the encoder can read ---------------------------------------------------------


def readable_query(query: str, vocabulary, limit: int) -> str:
    """The query as the encoder shall read it; refuse one that it cannot.

    Args:
        query: as it was asked.
        vocabulary: the encoder's tokenizer.
        limit: tokens that the encoder reads, special tokens not counted.

    Warns:
        UserWarning: the encoder knows no piece of the query.

    Raises:
        ValueError: it is longer than the limit, or has no token.
    """
    query = normalise(query)
    pieces = vocabulary.pieces(query[: 40 * limit])
    if len(pieces) > limit or len(query) > 40 * limit:
        raise ValueError(
            f"the query is longer than the {limit} tokens that the encoder reads: "
            "shorten it, or search with mode='lexical'"
        )
    if not pieces:
        raise ValueError("the query is empty for the encoder: there is no word in it")
    if set(pieces) == {unknown_piece(vocabulary)}:
        warnings.warn(
            "the encoder knows no piece of the query: what it finds is chance",
            stacklevel=6,
        )
    return query


def unknown_piece(vocabulary) -> str | None:
    """The piece that stands for all that a tokenizer does not know."""
    return getattr(vocabulary, "unknown", "[UNK]")


def known_passages(passages: Iterable[tuple[str, str]], vocabulary) -> list[int]:
    """The places of the passages of which the encoder knows a piece.

    The vector of the others says nothing, and would win searches nevertheless.

    Args:
        passages: document and text of each.
        vocabulary: the encoder's tokenizer.

    Warns:
        UserWarning: a document has no such passage.
    """
    unknown, known, documents = {unknown_piece(vocabulary)}, [], {}
    for place, (name, text) in enumerate(passages):
        text = normalise(text)
        # The beginning says yes at once; only what looks unknown is read whole.
        if any(set(vocabulary.pieces(part)) - unknown for part in (text[:400], text)):
            known.append(place)
        documents[name] = documents.get(name, False) or place in known[-1:]
    for name in (name for name, read in documents.items() if not read):
        warnings.warn(
            f"the encoder knows no piece of document {name!r}: only a search by words "
            "can find it",
            stacklevel=5,
        )
    return known


def spread_out(vectors: np.ndarray, places: list[int], count: int) -> np.ndarray:
    """(places, dim) -> (count, dim), zero where no place is."""
    if len(places) == count:
        return vectors
    spread = np.zeros((count, vectors.shape[1]), np.float32)
    spread[places] = vectors
    return spread
