"""Passages and their vectors in PostgreSQL, with pgvector.

One table, and in its schema whose vectors it holds: the database itself refuses a
vector of another model, of another dimension or of another length than 1. Nothing here
hides SQL; the lesson writes the same statements out.

Library: ``pgvector`` (the extension and its adapter for ``psycopg``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from course_utils import guards

if TYPE_CHECKING:
    import psycopg

TABLE = """
create table if not exists {table} (
  id bigint generated always as identity primary key,
  hash text not null unique,
  page text not null,
  body text not null,
  tag text not null default '',
  revision bigint not null default 0,
  model text not null check (model = {model}),
  vector vector({dim}) not null check (abs(vector_norm(vector) - 1) < 0.01)
)"""
UPSERT = """
insert into {table} (hash, page, body, tag, revision, model, vector)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (hash) do update set
  page = excluded.page, body = excluded.body, tag = excluded.tag,
  revision = excluded.revision, vector = excluded.vector
where {table}.revision <= excluded.revision"""
INDEXES = {
    "hnsw": "using hnsw (vector vector_cosine_ops)",
    "ivfflat": "using ivfflat (vector vector_cosine_ops) with (lists = {lists})",
    "halfvec": "using hnsw ((vector::halfvec({dim})) halfvec_cosine_ops)",
}
SCANS = ("off", "relaxed_order", "strict_order")


class StoreError(ValueError):
    """What was asked cannot be done with this table; the message says why."""


@dataclass(frozen=True)
class Row:
    """A passage to keep.

    Attributes:
        page: where it comes from.
        body: its text.
        tag: what searches may filter by.
        revision: of the page; an older one never replaces a newer one.
    """

    page: str
    body: str
    tag: str = ""
    revision: int = 0

    @property
    def hash(self) -> str:
        """Identity by content: the same text on the same page is the same row."""
        whole = f"{self.page}\0{self.body}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(whole).hexdigest()[:32]


@dataclass(frozen=True)
class Hit:
    """A row that was found: its page, its text, its cosine with the query."""

    page: str
    body: str
    cosine: float


class Store:
    """A table of passages for one encoder.

    The connection should be in autocommit, so that what a call did is done.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        fingerprint: str,
        dim: int,
        table: str = "passages",
    ) -> None:
        """Make the table, or take the one that is there.

        Args:
            connection: an open one; the extension ``vector`` must exist.
            fingerprint: of the encoder whose vectors are kept.
            dim: how many numbers a vector has.
            table: its name: letters, digits, underscores.

        Raises:
            StoreError: the table holds the vectors of another encoder, or no name.
        """
        from pgvector.psycopg import register_vector

        if not table.isidentifier() or not table.isascii():
            raise StoreError(f"{table!r} is no name for a table")
        self.connection, self.fingerprint, self.table = connection, fingerprint, table
        self.dim = guards.whole("dim", dim, low=1, high=16_000)
        register_vector(connection)
        with connection.transaction():
            self._do(TABLE, model=_quoted(fingerprint))
            [[kept]] = self._rows("select obj_description(%s::regclass)", [table])
            if kept is None:
                self._do(
                    "comment on table {table} is {model}", model=_quoted(fingerprint)
                )
            elif kept != fingerprint:
                raise StoreError(
                    f"table {table!r} holds vectors of encoder {kept}, not of "
                    f"{fingerprint}: use another table, and embed the passages anew"
                )

    def __len__(self) -> int:
        """How many passages there are."""
        [[count]] = self._rows(self._sql("select count(*) from {table}"))
        return count

    # -- writing -----------------------------------------------------------------------

    def copy(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        """Fill the table quickly (binary COPY): all rows, or none if one is refused.

        Args:
            rows: passages that are not in the table yet.
            vectors: their unit vectors, (len(rows), dim).
        """
        columns = "hash, page, body, tag, revision, model, vector"
        types = ["text"] * 4 + ["int8", "text", "vector"]
        command = self._sql(
            f"copy {{table}} ({columns}) from stdin with (format binary)"
        )
        with self.connection.transaction(), self.connection.cursor() as cursor:
            with cursor.copy(command) as copying:
                copying.set_types(types)
                for values in self._values(rows, vectors):
                    copying.write_row(values)

    def upsert(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        """Insert or replace by content hash; a second time changes nothing.

        Rows are written in the order of their hashes: two writers that take their locks
        in opposite order would wait for each other (deadlock).

        Args:
            rows: passages, new or known; of two with one hash the last is written.
            vectors: their unit vectors, (len(rows), dim).
        """
        values = {one[0]: one for one in self._values(rows, vectors)}
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.executemany(self._sql(UPSERT), [values[k] for k in sorted(values)])

    def _values(self, rows: Sequence[Row], vectors: np.ndarray) -> Iterable[tuple]:
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.shape != (len(rows), self.dim):
            raise StoreError(
                f"{len(rows)} rows need vectors ({len(rows)}, {self.dim}), got "
                f"{vectors.shape}"
            )
        for row, vector in zip(rows, vectors, strict=True):
            if "\0" in row.page + row.body + row.tag:
                raise StoreError(
                    f"page {row.page!r}: PostgreSQL keeps no NUL characters"
                )
            yield (
                *(row.hash, row.page, row.body, row.tag, row.revision),
                *(self.fingerprint, vector),
            )

    def index(self, kind: str, lists: int = 100) -> None:
        """Build an index for the cosine, in place of the one that is there.

        Args:
            kind: ``"hnsw"``, ``"ivfflat"`` or ``"halfvec"`` (HNSW on 16-bit numbers).
            lists: cells of IVFFlat; they are learnt from the rows that are there now.

        Raises:
            StoreError: no such kind, or IVFFlat on an empty table: it would learn
                nothing and find next to nothing.
        """
        if kind not in INDEXES:
            raise StoreError(f"no index {kind!r}; there are {', '.join(INDEXES)}")
        if kind == "ivfflat" and not len(self):
            raise StoreError("fill the table first: IVFFlat learns its cells from rows")
        with self.connection.transaction():
            self._do("drop index if exists {table}_by_vector")
            made = "create index {table}_by_vector on {table} " + INDEXES[kind]
            self._do(made, lists=guards.whole("lists", lists, low=1))

    # -- searching ---------------------------------------------------------------------

    def search(
        self,
        vector: np.ndarray,
        k: int = 10,
        tag: str | None = None,
        ef: int = 40,
        scan: str = "off",
        half: bool = False,
    ) -> list[Hit]:
        """The nearest passages by cosine, best first.

        Args:
            vector: a unit vector (dim,).
            k: how many at most. An HNSW index looks at ``ef`` rows and filters then: a
                rare tag leaves fewer than ``k``, without an error.
            tag: only passages with this tag.
            ef: how many rows HNSW looks at.
            scan: ``"off"``, or let pgvector go on until ``k`` rows passed the filter:
                ``"relaxed_order"``, ``"strict_order"``.
            half: compare in 16 bits, as an index ``"halfvec"`` does.

        Raises:
            StoreError: another dimension, NaN, no number of hits, no such scan.
        """
        if scan not in SCANS:
            raise StoreError(f"scan must be one of {', '.join(SCANS)}, got {scan!r}")
        question, values = self._question(vector, k, tag, half)
        with self.connection.transaction():
            self._do(
                "set local hnsw.ef_search = {ef}", ef=guards.whole("ef", ef, low=1)
            )
            self._do("set local hnsw.iterative_scan = {scan}", scan=scan)
            rows = self._rows(question, values)
        return [Hit(page, body, 1 - far) for page, body, far in rows]

    def uses_index(
        self, vector: np.ndarray, k: int = 10, tag: str | None = None
    ) -> bool:
        """Would this search go through the index? Asked of EXPLAIN."""
        question, values = self._question(vector, k, tag, half=False)
        plan = self._rows("explain " + question, values)
        return any(f"{self.table}_by_vector" in line for (line,) in plan)

    def _question(self, vector, k, tag, half) -> tuple[str, list]:
        vector = np.asarray(vector, dtype=np.float32)
        if vector.shape != (self.dim,) or not np.isfinite(vector).all():
            raise StoreError(
                f"a query must be {self.dim} finite numbers, got {vector.shape}"
            )
        column = "(vector::halfvec({dim}))" if half else "vector"
        far = f"{column} <=> %s" + ("::halfvec({dim})" if half else "")
        where = "" if tag is None else "where tag = %s "
        values = [vector, *([] if tag is None else [tag]), vector]
        question = (
            f"select page, body, {far} from {{table}} {where}order by {far} limit %s"
        )
        return self._sql(question), [*values, guards.whole("k", k, low=1)]

    # -- SQL ---------------------------------------------------------------------------

    def _sql(self, text: str, **more: object) -> str:
        return text.format(table=self.table, dim=self.dim, **more)

    def _do(self, text: str, **more: object) -> None:
        self.connection.execute(self._sql(text, **more))

    def _rows(self, text: str, values: Sequence = ()) -> list[tuple]:
        return self.connection.execute(text, values).fetchall()


def _quoted(text: str) -> str:
    """A string for SQL.

    >>> _quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
