"""What an index holds: documents, their passages, one vector for each.

Used by ``search``, notebook 09.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from course_utils.search.admission import checked_vectors
from course_utils.search.chunking import Chunk
from course_utils.search.lexical import Lexical


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
class Holdings:
    """Everything a search reads. It is never changed, only replaced as a whole.

    Attributes:
        documents: id -> whole text.
        chunks: document, number in it, span; one row per passage.
        vectors: (chunks, dim), float32, of length 1; zero for a passage of which the
            encoder knows no piece, and which is found by its words only.
    """

    documents: Mapping[str, str]
    chunks: Sequence[tuple[str, int, Chunk]]
    vectors: np.ndarray

    @cached_property
    def heard(self) -> np.ndarray:
        """The places of the passages whose vectors say something."""
        return np.flatnonzero(self.vectors.any(axis=1))

    @cached_property
    def flat(self):
        """The exact index over the vectors of ``heard``."""
        import faiss

        index = faiss.IndexFlatIP(self.vectors.shape[1])
        all_say = len(self.heard) == len(self.vectors)
        index.add(self.vectors if all_say else self.vectors[self.heard])
        return index

    @cached_property
    def lexical(self) -> Lexical:
        """The words of the passages."""
        return Lexical([piece.text for _, _, piece in self.chunks])

    def nearest(self, vector: np.ndarray, wanted: int) -> list[tuple[int, float]]:
        """(place, cosine), best first, equals in their order.

        faiss fills up with -1 where there are no more; that is no place.
        """
        scores, places = self.flat.search(vector, wanted)
        order = np.lexsort((places[0], -scores[0]))
        return [
            (int(self.heard[places[0][i]]), float(scores[0][i]))
            for i in order
            if places[0][i] >= 0
        ]

    def hit(self, place: int, score: float) -> Hit:
        """The passage at a place, as a result."""
        name, number, piece = self.chunks[place]
        return Hit(name, number, piece.start, piece.end, score, self.documents[name])

    def without(self, names: Sequence[str]) -> Holdings:
        """All but some documents, with their passages and vectors.

        Raises:
            KeyError: there is no such document.
            ValueError: nothing would be left.
        """
        gone = set(names)
        for name in gone - set(self.documents):
            raise KeyError(f"there is no document {name!r} in the index")
        if len(gone) == len(self.documents):
            raise ValueError("an index holds at least one document: build a new one")
        documents = {n: text for n, text in self.documents.items() if n not in gone}
        places = [i for i, (n, _, _) in enumerate(self.chunks) if n not in gone]
        return Holdings(
            documents, [self.chunks[i] for i in places], self.vectors[places]
        )

    # -- as files ----------------------------------------------------------------------

    def to_files(self) -> dict[str, bytes]:
        """Name -> bytes; ``from_files`` reads them."""
        spans: dict[str, list] = {name: [] for name in self.documents}
        for name, _, piece in self.chunks:
            spans[name].append([piece.start, piece.end])
        rows = [
            json.dumps({"id": name, "text": text, "chunks": spans[name]})
            for name, text in self.documents.items()
        ]
        vectors = io.BytesIO()
        np.save(vectors, self.vectors, allow_pickle=False)
        return {
            "documents.jsonl": "\n".join(rows).encode(),
            "vectors.npy": vectors.getvalue(),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Holdings:
        """Read what ``to_files`` wrote; vectors are never unpickled.

        Raises:
            ValueError, KeyError, TypeError: the files do not fit together.
        """
        rows = [json.loads(row) for row in files["documents.jsonl"].splitlines()]
        vectors = np.load(io.BytesIO(files["vectors.npy"]), allow_pickle=False)
        chunks = [
            (row["id"], number, Chunk(start, end, row["text"][start:end]))
            for row in rows
            for number, (start, end) in enumerate(row["chunks"])
        ]
        documents = {row["id"]: row["text"] for row in rows}
        return cls(
            documents, chunks, checked_vectors(vectors, len(chunks), 0, silent=True)
        )
