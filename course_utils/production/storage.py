"""Where cached values are kept: a file (SQLite) or a server (Redis).

Both offer what ``cache.Memory`` offers, ``get`` and ``put`` of bytes under keys, and
raise ``cache.Unavailable`` when they cannot: the cache in front then computes.

Library: ``sqlite3``, ``redis`` (redis-py).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils import guards
from course_utils.production.cache import Unavailable

if TYPE_CHECKING:
    import redis

AT_ONCE = 500  # keys in one question; SQLite allows 999 variables in old versions
TABLE = """
create table if not exists vectors (
  key text primary key, value blob not null, written real not null
) without rowid;
create index if not exists by_age on vectors (written);
"""


class SQLite:
    """Values in one file, kept after the process; several processes may share it.

    The oldest are given up when there are too many, and whatever is older than
    ``seconds`` is not found any more.

    >>> kept = SQLite(":memory:", limit=2)
    >>> for name in "abc":
    ...     kept.put({name: name.encode()})
    >>> kept.get(["a", "b", "c"]), len(kept)
    ([None, b'b', b'c'], 2)
    """

    def __init__(
        self,
        path: str | Path,
        limit: int | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the file, make it when new.

        Args:
            path: the file; ``":memory:"`` for none.
            limit: how many values at most, None for any number.
            seconds: how long a value is good, None for ever.
            clock: seconds since 1970; a test brings its own.

        Raises:
            Unavailable: the file is none of ours or cannot be opened.
        """
        self.limit = None if limit is None else guards.whole("limit", limit, low=1)
        self.seconds, self.clock = seconds, clock
        self._lock = threading.Lock()
        place = str(path) if str(path) == ":memory:" else str(guards.path(path))
        try:
            self._file = sqlite3.connect(place, timeout=10, check_same_thread=False)
            self._file.execute("pragma journal_mode = wal")  # readers do not wait
            self._file.execute("pragma synchronous = normal")
            self._file.executescript(TABLE)
        except sqlite3.Error as error:
            raise Unavailable(f"{place}: {error}") from error

    def __len__(self) -> int:
        """How many values are kept, those included whose time is over."""
        [[count]] = self._run("select count(*) from vectors")
        return count

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, None where there is none or its time is over."""
        oldest = -1.0 if self.seconds is None else self.clock() - self.seconds
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), AT_ONCE):
            some = list(keys[start : start + AT_ONCE])
            marks = ", ".join("?" * len(some))
            question = f"select key, value from vectors where key in ({marks})"
            found |= dict(self._run(f"{question} and written > ?", [*some, oldest]))
        return [found.get(key) for key in keys]

    def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values, all of them or none; the oldest go when there are too many."""
        now = self.clock()
        rows = [(key, bytes(value), now) for key, value in values.items()]
        with self._lock:
            try:
                with self._file:
                    self._file.executemany(
                        "insert or replace into vectors values (?, ?, ?)", rows
                    )
                    self._forget(now)
            except sqlite3.Error as error:
                raise Unavailable(f"SQLite: {error}") from error

    def _forget(self, now: float) -> None:
        """Remove what is too old, then the oldest of what is too much."""
        if self.seconds is not None:
            self._file.execute(
                "delete from vectors where written <= ?", [now - self.seconds]
            )
        if self.limit is not None:
            self._file.execute(
                "delete from vectors where key in (select key from vectors "
                "order by written desc, key limit -1 offset ?)",
                [self.limit],
            )

    def _run(self, question: str, values: Sequence = ()) -> list:
        with self._lock:
            try:
                return self._file.execute(question, values).fetchall()
            except sqlite3.Error as error:
                raise Unavailable(f"SQLite: {error}") from error

    def close(self) -> None:
        """Close the file; what was put is there already."""
        with self._lock:
            self._file.close()


class Redis:
    """Values in a Redis server, shared by every process that reaches it.

    How many are kept is the server's affair: ``maxmemory`` with the policy
    ``allkeys-lru``. With the default, ``noeviction``, a full server refuses to write.
    """

    def __init__(
        self,
        client: redis.Redis,
        prefix: str = "vectors:",
        seconds: float | None = None,
    ) -> None:
        """Use a client.

        Args:
            client: ``redis.Redis.from_url(...)``, answers as bytes.
            prefix: stands before every key, so that others may use the server too.
            seconds: how long a value is good, None for ever.
        """
        self.client, self.prefix, self.seconds = client, prefix, seconds

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, None where there is none or its time is over."""
        if not keys:
            return []
        return self._do(lambda: self.client.mget([self.prefix + key for key in keys]))

    def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values; one question to the server for all of them."""
        lifetime = None if self.seconds is None else max(1, round(self.seconds * 1000))

        def write() -> None:
            with self.client.pipeline(transaction=False) as line:
                for key, value in values.items():
                    line.set(self.prefix + key, value, px=lifetime)
                line.execute()

        self._do(write)

    def _do(self, act: Callable[[], object]) -> list:
        from redis.exceptions import RedisError

        try:
            return act()
        except RedisError as error:
            raise Unavailable(f"Redis: {error}") from error
