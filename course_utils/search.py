"""Search that one could ship: chunk, embed, index, retrieve. Built in notebook 09.

``SearchIndex`` finds passages by meaning (exact inner product, faiss), by words (BM25,
bm25s) or by both (reciprocal rank fusion). It knows which encoder made its vectors, and
a saved one is either whole or refused. The other parts live next door and are offered
here as well: ``chunking``, ``ranking`` (metrics, fusion, silence), ``rag`` (answers).

Library: ``llama_index.core.VectorStoreIndex``. Paper: Lewis et al. 2020, retrieval-
augmented generation (arXiv 2005.11401).

>>> words("FB-2107: pods of image_resizer die")
['fb-2107', 'fb', '2107', 'pods', 'of', 'image_resizer', 'image', 'resizer', 'die']
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import regex

from course_utils import assets, storage
from course_utils.adapters import CachedEncoder, Encoder, SentenceTransformerEncoder
from course_utils.chunking import Chunk, chunk
from course_utils.rag import Answer, ChatEndpoint, answer, check_citations, locate
from course_utils.ranking import (
    best_threshold,
    compare,
    evaluate,
    fold,
    mmr,
    reciprocal_rank_fusion,
)
from course_utils.storage import DamagedIndex
from course_utils.tokenization import normalise

Mode = Literal["dense", "lexical", "hybrid"]
MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")
DEPTH = 100  # how far down each ranking hybrid search looks

_WORD = regex.compile(r"[\p{L}\p{N}]+(?:[-_.:/@][\p{L}\p{N}]+)*")
_CODE = regex.compile(r"\b\p{L}{2,}-\d+\b")
_ENCODING = threading.Lock()  # fast tokenizers cannot be used by two threads at once


class OtherEncoder(RuntimeError):
    """An index and an encoder do not belong together."""


# -- words -----------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """Cut a text into words for BM25: identifiers whole, and their parts as well.

    >>> words("retry 172.20.9.14:80")
    ['retry', '172.20.9.14:80', '172', '20', '9', '14', '80']
    """
    found = []
    for match in _WORD.finditer(normalise(text).lower()):
        parts = regex.split(r"[-_.:/@]", match[0])
        found += [match[0], *(parts if len(parts) > 1 else ())]
    return found


class _Lexical:
    """BM25 over the chunks. What shares no word with the query is no hit."""

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s

        cut = [words(text) for text in texts]
        self.known = {word for document in cut for word in document}
        self.count = len(texts)
        if self.known:
            self.bm25 = bm25s.BM25()
            self.bm25.index(cut, show_progress=False)

    def search(self, query: str, wanted: int) -> list[tuple[int, float]]:
        asked = [word for word in words(query) if word in self.known]
        if not asked:
            return []
        scores = self.bm25.get_scores(asked)
        best = np.argsort(-scores, kind="stable")[:wanted]
        return [(int(i), float(scores[i])) for i in best if scores[i] > 0]


# -- the index -------------------------------------------------------------------------


@dataclass(frozen=True)
class Hit:
    """A passage that was found: ``source[start:end]`` of a document.

    Attributes:
        document: the id of the document.
        chunk: the number of the passage in it, from 0.
        start: where it begins, in characters.
        end: where it ends.
        score: cosine (dense), BM25 (lexical) or fused ranks (hybrid).
        source: the whole text of the document.
    """

    document: str
    chunk: int
    start: int
    end: int
    score: float
    source: str = field(repr=False)

    @property
    def text(self) -> str:
        """The passage."""
        return self.source[self.start : self.end]


@dataclass(frozen=True)
class _State:
    """Everything a search reads. It is never changed, only replaced as a whole."""

    documents: Mapping[str, str]
    chunks: Sequence[tuple[str, int, Chunk]]  # document, number in it, span
    vectors: np.ndarray

    @cached_property
    def flat(self):
        import faiss

        index = faiss.IndexFlatIP(self.vectors.shape[1])
        index.add(self.vectors)
        return index

    @cached_property
    def lexical(self) -> _Lexical:
        return _Lexical([piece.text for _, _, piece in self.chunks])


class SearchIndex:
    """Documents, cut and embedded, and three ways to find them.

    Make one with ``build`` or ``load``. Searching is safe from several threads, also
    while ``add`` runs in another: a search sees the documents of before or of after.
    """

    KIND = "course_utils.search 1"

    def __init__(self, state: _State, encoder: Encoder, size: int, overlap: int):
        """Not for you: use ``build`` or ``load``, which check what comes in."""
        self._state, self.encoder = state, encoder
        self.size, self.overlap = size, overlap

    @classmethod
    def build(
        cls,
        documents: Iterable | Mapping[str, str],
        encoder: Encoder,
        *,
        size: int = 128,
        overlap: int = 0,
    ) -> SearchIndex:
        """Cut, embed and index documents.

        Args:
            documents: things with ``.id`` and ``.text``, or a mapping id -> text.
            encoder: makes the vectors, of documents now and of queries later.
            size: tokens per chunk, see ``chunk``.
            overlap: tokens that neighbours share.

        Raises:
            TypeError: a text is not a string.
            ValueError: there are no documents, an id comes twice, a text has nothing to
                read, ``size`` exceeds what the encoder reads, or a vector is unusable.
        """
        empty = _State({}, [], np.empty((0, 0), np.float32))
        index = cls(empty, encoder, size, overlap)
        index._state = index._with(documents)
        return index

    def add(self, documents: Iterable | Mapping[str, str]) -> None:
        """Index further documents; their ids must be new.

        Raises:
            TypeError, ValueError: as ``build``; the index stays as it was.
        """
        self._state = self._with(documents)

    def _with(self, documents) -> _State:
        old = self._state
        new = _checked_documents(documents, old.documents, self._vocabulary)
        limit = self.encoder.max_tokens - 2
        chunks = [
            (name, number, piece)
            for name, text in new.items()
            for number, piece in enumerate(
                chunk(text, self.size, self.overlap, self._vocabulary, limit=limit)
            )
        ]
        vectors = self._encode([piece.text for _, _, piece in chunks])
        if len(old.chunks):
            vectors = np.concatenate([old.vectors, vectors])
        return _State({**old.documents, **new}, [*old.chunks, *chunks], vectors)

    @property
    def _vocabulary(self) -> assets.Vocabulary:
        own = getattr(self.encoder, "wordpieces", None)
        return assets.vocabularies()["wordpiece"] if own is None else own

    def _encode(self, texts: list[str]) -> np.ndarray:
        with _ENCODING:
            made = self.encoder.encode([normalise(text) for text in texts])
        return _checked_vectors(made, len(texts), self._state.vectors.shape[1])

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self._state.documents)

    @property
    def documents(self) -> dict[str, str]:
        """Document -> its whole text."""
        return dict(self._state.documents)

    @property
    def chunks(self) -> list[Hit]:
        """Every passage, with score 0, in the order of ``vectors``."""
        state = self._state
        return [_hit(state, place, 0.0) for place in range(len(state.chunks))]

    @property
    def vectors(self) -> np.ndarray:
        """A copy of the vectors, (chunks, dim)."""
        return self._state.vectors.copy()

    # -- searching ---------------------------------------------------------------------

    def search(
        self,
        query: str,
        k: int = 5,
        mode: Mode = "hybrid",
        *,
        distinct: bool = True,
        constant: float = 60,
    ) -> list[Hit]:
        """Find the passages that fit a query, best first.

        Args:
            query: any text.
            k: how many; fewer come back if there are no more.
            mode: ``"dense"`` compares meanings and always finds something,
                ``"lexical"`` needs a word in common, ``"hybrid"`` fuses both.
            distinct: only the best passage of each document.
            constant: of the fusion, see ``reciprocal_rank_fusion``.

        Warns:
            UserWarning: the encoder knows no piece of the query, so that its vector
                says nothing.

        Raises:
            TypeError: the query is no string, or k no whole number.
            ValueError: the query is empty or longer than the encoder reads, k is below
                1, or the mode is unknown.
        """
        _checked_request(query, k, mode)
        state = self._state  # one read: add() may replace it meanwhile
        if mode == "hybrid":
            best = self._fused(state, query, k, distinct, constant)
        else:
            best = self._ranking(state, query, k, mode, distinct)
        return [_hit(state, place, score) for place, score in best]

    def _ranking(self, state, query, k, mode, distinct) -> list[tuple[int, float]]:
        """(chunk, score), best first; with ``distinct`` one chunk per document."""
        if mode == "dense":
            vector = self._query_vector(query)
        wanted = min(len(state.chunks), 4 * k + 16 if distinct else k)
        while True:
            if mode == "lexical":
                best = state.lexical.search(query, wanted)
            else:
                best = _nearest(state.flat, vector, wanted)
            if not distinct:
                return best[:k]
            first: dict[str, tuple[int, float]] = {}
            for place, score in best:
                first.setdefault(state.chunks[place][0], (place, score))
            if len(first) >= k or len(best) < wanted or wanted == len(state.chunks):
                return list(first.values())[:k]
            wanted = min(len(state.chunks), 4 * wanted)

    def _fused(self, state, query, k, distinct, constant) -> list[tuple[int, float]]:
        """Fuse both rankings, of documents if ``distinct``, else of chunks."""
        depth, shown, rankings = max(DEPTH, k), {}, []
        for mode in ("dense", "lexical"):
            places = [p for p, _ in self._ranking(state, query, depth, mode, distinct)]
            names = [state.chunks[p][0] if distinct else p for p in places]
            rankings.append(names)
            for rank, (name, place) in enumerate(zip(names, places, strict=True)):
                if name not in shown or rank < shown[name][0]:
                    shown[name] = (rank, place)
        fused = reciprocal_rank_fusion(rankings, constant)[:k]
        return [(shown[name][1], score) for name, score in fused]

    def _query_vector(self, query: str) -> np.ndarray:
        limit = self.encoder.max_tokens - 2
        query = normalise(query)
        pieces = self._vocabulary.pieces(query[: 40 * limit])
        if len(pieces) > limit or len(query) > 40 * limit:
            raise ValueError(
                f"the query is longer than the {limit} tokens that the encoder reads: "
                "shorten it, or search with mode='lexical'"
            )
        if not pieces:
            raise ValueError(
                "the query is empty for the encoder: there is no word in it"
            )
        if set(pieces) == {"[UNK]"}:
            warnings.warn(
                "the encoder knows no piece of the query: what it finds is chance",
                stacklevel=5,
            )
        return self._encode([query])

    def unknown_codes(self, query: str) -> list[str]:
        """Codes in a query that no document mentions, such as ``FB-2177``.

        Similarity cannot tell one code from the next; whether a code occurs can be
        known for certain. A code is letters, a hyphen and digits, with letters that
        begin other codes in the documents: ``UTF-8`` is none where no ``UTF-`` occurs.
        """
        known = self._state.lexical.known
        series = {word.split("-")[0] for word in known if _CODE.fullmatch(word)}
        found = [match[0] for match in _CODE.finditer(query.lower())]
        return [c for c in found if c not in known and c.split("-")[0] in series]

    # -- on disk -----------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write the index into a folder, all or nothing; see ``storage``.

        Raises:
            FileExistsError: the folder holds something else.
            OSError: it cannot be written; an older index in it stays whole.
        """
        import io
        import json

        state = self._state
        spans: dict[str, list] = {name: [] for name in state.documents}
        for name, _, piece in state.chunks:
            spans[name].append([piece.start, piece.end])
        rows = [
            json.dumps({"id": name, "text": text, "chunks": spans[name]})
            for name, text in state.documents.items()
        ]
        vectors = io.BytesIO()
        np.save(vectors, state.vectors, allow_pickle=False)
        storage.write(
            folder,
            self.KIND,
            {"encoder": self.encoder.fingerprint, "size": self.size}
            | {"overlap": self.overlap, "chunks": len(state.chunks)},
            {
                "documents.jsonl": "\n".join(rows).encode(),
                "vectors.npy": vectors.getvalue(),
            },
        )

    @classmethod
    def load(cls, folder: str | Path, encoder: Encoder) -> SearchIndex:
        """Read an index back, for the encoder that made it and for no other.

        Raises:
            FileNotFoundError: there is no saved index.
            OtherEncoder: the encoder has other weights, pooling, normalisation or limit
                than the one that made the vectors.
            DamagedIndex: a file is missing, truncated or altered.
        """
        import io
        import json

        facts, files = storage.read(folder, cls.KIND)
        if facts.get("encoder") != encoder.fingerprint:
            raise OtherEncoder(
                f"the index in {folder} was made by\n  {facts.get('encoder')}\n"
                f"but you load it for\n  {encoder.fingerprint}\nVectors of two "
                "encoders cannot be compared: load it with the first, or build it again"
            )
        try:
            rows = [json.loads(row) for row in files["documents.jsonl"].splitlines()]
            vectors = np.load(io.BytesIO(files["vectors.npy"]), allow_pickle=False)
            chunks = [
                (row["id"], number, Chunk(start, end, row["text"][start:end]))
                for row in rows
                for number, (start, end) in enumerate(row["chunks"])
            ]
            vectors = _checked_vectors(vectors, len(chunks), 0)
            documents = {row["id"]: row["text"] for row in rows}
            size, overlap = int(facts["size"]), int(facts["overlap"])
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedIndex(
                f"the files in {folder} do not fit together ({error}): build it again"
            ) from None
        return cls(_State(documents, chunks, vectors), encoder, size, overlap)


def _nearest(flat, vector: np.ndarray, wanted: int) -> list[tuple[int, float]]:
    """What faiss finds, without its -1 for "nothing"; equals in the index's order."""
    scores, places = flat.search(vector, wanted)
    order = np.lexsort((places[0], -scores[0]))
    return [
        (int(places[0][i]), float(scores[0][i])) for i in order if places[0][i] >= 0
    ]


def _hit(state: _State, place: int, score: float) -> Hit:
    name, number, piece = state.chunks[place]
    return Hit(name, number, piece.start, piece.end, score, state.documents[name])


def _checked_request(query: object, k: object, mode: object) -> None:
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


def _checked_documents(documents, known, vocabulary) -> dict[str, str]:
    if isinstance(documents, (str, bytes)):
        raise TypeError("pass documents with .id and .text, or a mapping id -> text")
    if isinstance(documents, Mapping):
        pairs = list(documents.items())
    else:
        pairs = [(document.id, document.text) for document in documents]
    if not pairs:
        raise ValueError("there are no documents to index")
    new: dict[str, str] = {}
    for name, text in pairs:
        if not isinstance(name, str) or not isinstance(text, str):
            raise TypeError(
                f"document {name!r}: id and text must be strings, the text is "
                f"{type(text).__name__}; decode bytes first"
            )
        if name in new or name in known:
            raise ValueError(f"document {name!r} is in the index already")
        # The beginning says yes at once; only what looks empty is read whole.
        if not vocabulary.encode(text[:1000]) and not vocabulary.encode(text):
            raise ValueError(f"document {name!r} has nothing to read: leave it out")
        new[name] = text
    return new


def _checked_vectors(vectors: object, count: int, dimensions: int) -> np.ndarray:
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
    if count and np.abs(lengths - 1).max() > 1e-3:
        row = int(np.abs(lengths - 1).argmax())
        raise ValueError(
            f"vector {row} has length {lengths[row]:.3f}, not 1: the inner product "
            "would prefer long vectors; let the encoder normalise"
        )
    return vectors


__all__ = [
    "Answer",
    "CachedEncoder",
    "ChatEndpoint",
    "Chunk",
    "DamagedIndex",
    "Encoder",
    "Hit",
    "OtherEncoder",
    "SearchIndex",
    "SentenceTransformerEncoder",
    "answer",
    "best_threshold",
    "check_citations",
    "chunk",
    "compare",
    "evaluate",
    "fold",
    "locate",
    "mmr",
    "reciprocal_rank_fusion",
    "words",
]
