"""Search that one could ship: chunk, embed, index, retrieve. Built in notebook 09.

``SearchIndex`` finds passages by meaning (exact inner product, faiss), by words (BM25,
bm25s) or by both (reciprocal rank fusion). It knows which encoder made its vectors, and
a saved one is either whole or refused.

Library: ``llama_index.core.VectorStoreIndex``. Paper: Lewis et al. 2020, retrieval-
augmented generation (arXiv 2005.11401).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from course_utils import assets
from course_utils.encoder import Encoder, listed
from course_utils.search import storage
from course_utils.search.admission import (
    Mode,
    checked_documents,
    checked_request,
    checked_vectors,
    known_passages,
    readable_query,
    spread_out,
)
from course_utils.search.chunking import chunk
from course_utils.search.passages import Hit, Holdings
from course_utils.search.ranking import reciprocal_rank_fusion
from course_utils.search.storage import DamagedIndex
from course_utils.tokenization import normalise

DEPTH = 100  # how far down each ranking hybrid search looks
_ENCODING = threading.Lock()  # fast tokenizers cannot be used by two threads at once
_ADDING = threading.RLock()  # what is read, enlarged and put back must be one step


class OtherEncoder(RuntimeError):
    """An index and an encoder do not belong together."""


class SearchIndex:
    """Documents, cut and embedded, and three ways to find them.

    Make one with ``build`` or ``load``. Searching and adding are safe from several
    threads: a search sees the documents of before an addition or of after, and of two
    additions none is lost.
    """

    KIND = "course_utils.search 2"

    def __init__(self, state: Holdings, encoder: Encoder, size: int, overlap: int):
        """Not for you: use ``build`` or ``load``, which check what comes in."""
        self._state, self.encoder = state, encoder
        self.size, self.overlap = size, overlap
        self._made_by = getattr(encoder, "fingerprint", None)
        self.notes: dict = {}  # what you want to keep beside it, as JSON

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
            documents: things with ``.id`` and ``.text``, a mapping id -> text, or
                plain texts, whose ids are then ``"0"``, ``"1"``, ...
            encoder: makes the vectors, of documents now and of queries later.
            size: tokens per chunk, see ``chunk``.
            overlap: tokens that neighbours share.

        Warns:
            UserWarning: the encoder knows no piece of a document, so that only its
                words can be searched.

        Raises:
            TypeError: a text is not a string, or ``size`` no whole number.
            ValueError: there are no documents, an id comes twice, a text has nothing to
                read, ``size`` exceeds what the encoder reads, or a vector is unusable.
        """
        empty = Holdings({}, [], np.empty((0, 0), np.float32))
        index = cls(empty, encoder, size, overlap)
        index._state = index._with(documents)
        index.size, index.overlap = int(size), int(overlap)
        return index

    def add(self, documents: Iterable | Mapping[str, str]) -> None:
        """Index further documents; their ids must be new.

        Raises:
            TypeError, ValueError: as ``build``; the index stays as it was.
            OtherEncoder: the encoder has changed since it made the vectors.
        """
        with _ADDING:
            self._checked_encoder()
            self._state = self._with(documents)

    def remove(self, names: Iterable[str]) -> None:
        """Take documents out; nothing is computed anew, and those that stay keep all.

        Raises:
            KeyError, ValueError: there is no such document, or no other; the index
                stays as it was.
        """
        with _ADDING:
            self._state = self._state.without(listed(names))

    def _checked_encoder(self) -> None:
        """Vectors of before and after a change of the encoder cannot be compared."""
        now = getattr(self.encoder, "fingerprint", None)
        if now != self._made_by:
            raise OtherEncoder(
                f"the vectors were made by\n  {self._made_by}\nbut the encoder is now\n"
                f"  {now}\nIt was exchanged or changed in place: build the index again"
            )

    def _with(self, documents) -> Holdings:
        old = self._state
        new = checked_documents(documents, old.documents, self._vocabulary)
        limit = self.encoder.max_tokens - 2
        chunks = [
            (name, number, piece)
            for name, text in new.items()
            for number, piece in enumerate(
                chunk(text, self.size, self.overlap, self._vocabulary, limit=limit)
            )
        ]
        known = known_passages(
            ((name, piece.text) for name, _, piece in chunks), self._vocabulary
        )
        vectors = self._encode([chunks[place][2].text for place in known])
        vectors = spread_out(vectors, known, len(chunks))
        if len(old.chunks):
            vectors = np.concatenate([old.vectors, vectors])
        return Holdings({**old.documents, **new}, [*old.chunks, *chunks], vectors)

    @property
    def _vocabulary(self) -> assets.Vocabulary:
        own = getattr(self.encoder, "wordpieces", None)
        return assets.vocabularies()["wordpiece"] if own is None else own

    def _encode(self, texts: list[str]) -> np.ndarray:
        with _ENCODING:
            made = self.encoder.encode([normalise(text) for text in texts])
        return checked_vectors(made, len(texts), self._state.vectors.shape[1])

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
        return [state.hit(place, 0.0) for place in range(len(state.chunks))]

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
        checked_request(query, k, mode)
        state = self._state  # one read: add() may replace it meanwhile
        if mode == "hybrid":
            best = self._fused(state, query, k, distinct, constant)
        else:
            best = self._ranking(state, query, k, mode, distinct)
        return [state.hit(place, score) for place, score in best]

    def _ranking(self, state, query, k, mode, distinct) -> list[tuple[int, float]]:
        """(chunk, score), best first; with ``distinct`` one chunk per document."""
        if mode == "dense":
            vector = self._query_vector(query)
        wanted = min(len(state.chunks), 4 * k + 16 if distinct else k)
        while True:
            if mode == "lexical":
                best = state.lexical.search(query, wanted)
            else:
                best = state.nearest(vector, wanted)
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
        return self._encode([readable_query(query, self._vocabulary, limit)])

    def unknown_codes(self, query: str) -> list[str]:
        """Codes in a query that no document mentions, such as ``FB-2177``.

        Similarity cannot tell one code from the next; whether a code occurs can be
        known for certain. A code is letters, a hyphen and digits, with letters that
        begin other codes in the documents: ``UTF-8`` is none where no ``UTF-`` occurs.
        """
        return self._state.lexical.unknown_codes(query)

    # -- on disk -----------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write the index into a folder, all or nothing; see ``storage``.

        Raises:
            FileExistsError: the folder holds something else.
            OtherEncoder: the encoder has changed since it made the vectors.
            OSError: it cannot be written; an older index in it stays whole.
        """
        self._checked_encoder()
        state = self._state
        facts = {
            "encoder": self._made_by,
            "size": self.size,
            "overlap": self.overlap,
            "chunks": len(state.chunks),
        }
        notes = {"notes.json": json.dumps(self.notes).encode()}
        storage.write(folder, self.KIND, facts, state.to_files() | notes)

    @classmethod
    def load(cls, folder: str | Path, encoder: Encoder) -> SearchIndex:
        """Read an index back, for the encoder that made it and for no other.

        Raises:
            FileNotFoundError: there is no saved index.
            OtherEncoder: the encoder has other weights, pooling, normalisation or limit
                than the one that made the vectors.
            DamagedIndex: a file is missing, truncated or altered, or another version of
                the course saved it.
        """
        facts, files = storage.read(folder, cls.KIND)
        if facts.get("encoder") != encoder.fingerprint:
            raise OtherEncoder(
                f"the index in {folder} was made by\n  {facts.get('encoder')}\n"
                f"but you load it for\n  {encoder.fingerprint}\nVectors of two "
                "encoders cannot be compared: load it with the first, or build it again"
            )
        try:
            state = Holdings.from_files(files)
            size, overlap = int(facts["size"]), int(facts["overlap"])
            notes = json.loads(files.get("notes.json", b"{}"))
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedIndex(
                f"the files in {folder} do not fit together ({error}): build it again"
            ) from None
        index = cls(state, encoder, size, overlap)
        index.notes = notes
        return index
