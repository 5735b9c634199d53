"""Never encode the same text twice: a cache of vectors that cannot lie.

The key is what the vector depends on, the encoder's fingerprint and the ids of the
text: *Disk full* and *disk  full* meet where the encoder cannot tell them apart, and
another encoder never finds what is not its own. The value is the vector as float32 with
a checksum: a shortened or altered value is refused and computed anew.

Library: ``functools.lru_cache`` for one process; ``langchain``'s
``CacheBackedEmbeddings`` keys by the raw text.
"""

from __future__ import annotations

import hashlib
import threading
import time
import warnings
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

import numpy as np

from course_utils import guards
from course_utils.encoder import Encoder, listed

CHECK = 4  # bytes of the checksum behind the numbers


class Unavailable(OSError):
    """What keeps the values is gone, full or locked; vectors are then computed."""


class Values(Protocol):
    """What keeps bytes under keys: ``Memory`` here, ``SQLite`` and ``Redis`` beside."""

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, None where there is none."""

    def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values, replacing what stood under their keys."""


# -- keys and values -------------------------------------------------------------------


def key(fingerprint: str, ids: Iterable[int] | str) -> str:
    """What a vector depends on, as 32 hexadecimal digits.

    Args:
        fingerprint: the encoder's.
        ids: the numbers that it reads for the text; a string where it has no tokenizer.

    >>> key("minilm", [101, 3899, 102]) == key("minilm", [101, 3899, 102])
    True
    >>> key("minilm", [101, 3899, 102]) == key("another", [101, 3899, 102])
    False
    """
    text = ids if isinstance(ids, str) else ",".join(map(str, ids))
    kind = "text" if isinstance(ids, str) else "ids"
    whole = f"{fingerprint}\0{kind}\0{text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(whole).hexdigest()[:32]


def pack(vector: np.ndarray) -> bytes:
    """A vector (dim,) as float32, least byte first, and a CRC-32 of them.

    >>> len(pack(np.zeros(384)))
    1540
    """
    numbers = np.asarray(vector, dtype="<f4").tobytes()
    return numbers + zlib.crc32(numbers).to_bytes(CHECK, "little")


def unpack(value: bytes, dim: int) -> np.ndarray:
    """The vector float32 (dim,) that ``pack`` made.

    Raises:
        ValueError: another length, or the checksum does not fit: a value that was cut,
            altered, or written by something else.

    >>> unpack(pack(np.array([0.6, 0.8])), dim=2).tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    if dim < 1 or len(value) != 4 * dim + CHECK:
        raise ValueError(f"{len(value)} bytes are no vector of {dim} numbers")
    numbers, check = value[:-CHECK], int.from_bytes(value[-CHECK:], "little")
    if zlib.crc32(numbers) != check:
        raise ValueError("the checksum does not fit: the value was altered")
    return np.frombuffer(numbers, dtype="<f4").astype(np.float32)


# -- keeping values in memory ----------------------------------------------------------


class Memory:
    """Values in this process, the least recently used given up first.

    >>> kept = Memory(limit=2)
    >>> kept.put({"a": b"1", "b": b"2"})
    >>> kept.get(["a"]), kept.put({"c": b"3"})  # "b" was not used for longest
    ([b'1'], None)
    >>> kept.get(["a", "b", "c"])
    [b'1', None, b'3']
    """

    def __init__(
        self,
        limit: int = 10_000,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep so many values, each for so long.

        Args:
            limit: how many values at most.
            seconds: how long a value is good, None for ever.
            clock: the time in seconds; a test brings its own.
        """
        self.limit = guards.whole("limit", limit, low=1)
        self.seconds, self.clock = seconds, clock
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many values are kept, those included whose time is over."""
        return len(self._kept)

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, None where there is none or its time is over."""
        with self._lock:
            return [self._one(key) for key in keys]

    def _one(self, key: str) -> bytes | None:
        value, written = self._kept.get(key, (None, 0.0))
        if value is None:
            return None
        if self.seconds is not None and self.clock() - written >= self.seconds:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return value

    def put(self, values: Mapping[str, bytes]) -> None:
        """Keep values; the least recently used go when there are too many."""
        with self._lock:
            for key, value in values.items():
                self._kept[key] = (bytes(value), self.clock())
                self._kept.move_to_end(key)
            while len(self._kept) > self.limit:
                self._kept.popitem(last=False)


# -- an encoder with a cache -----------------------------------------------------------


class CachedEncoder:
    """An encoder that asks another one only for what it has not seen.

    Vectors are those of the encoder, bit for bit. Two threads that ask for one text at
    the same time cause one computation (*single flight*). If the place of the values is
    gone or full, vectors are computed and a warning is given, once.

    Attributes:
        fingerprint: the encoder's, read once: after training it in place, make a new
            ``CachedEncoder``.
        counts: the different texts of each call by how they were answered: ``hit``,
            ``miss``, ``waited`` (for another thread); then ``refused`` (damaged
            values) and ``unavailable`` (times that the place of values was gone).

    >>> class Letters:
    ...     fingerprint, max_tokens, asked = "letters", 9, 0
    ...     def encode(self, texts):
    ...         self.asked += len(texts)
    ...         return np.array([[len(t), 1] for t in texts], dtype=np.float32)
    >>> slow = Letters()
    >>> fast = CachedEncoder(slow, Memory())
    >>> fast.encode(["a", "bc", "a"]).tolist(), fast.encode(["bc"]).tolist()
    ([[1.0, 1.0], [2.0, 1.0], [1.0, 1.0]], [[2.0, 1.0]])
    >>> slow.asked, dict(fast.counts)
    (2, {'miss': 2, 'hit': 1})
    """

    def __init__(self, encoder: Encoder, values: Values) -> None:
        """Put a cache in front of an encoder.

        Args:
            encoder: anything with ``encode``, ``fingerprint`` and ``max_tokens``; if it
                has ``tokenize``, texts with the same ids share a vector.
            values: where vectors are kept.
        """
        self.encoder, self.values = encoder, values
        self.fingerprint, self.max_tokens = encoder.fingerprint, encoder.max_tokens
        self.counts: Counter[str] = Counter()
        self._dim: int | None = None
        self._flying: dict[str, Future[np.ndarray]] = {}
        self._lock = threading.Lock()
        self._warned = False

    def encode(self, texts: list[str]) -> np.ndarray:
        """Texts to vectors, float32 (len(texts), dim).

        Raises:
            TypeError: one string instead of a list, or an entry that is no string.
        """
        texts = listed(texts)
        if not texts:
            return self.encoder.encode([])
        keys = self._keys(texts)
        text_of = dict(zip(reversed(keys), reversed(texts), strict=True))
        found = self._read(list(text_of))
        mine, theirs = self._claim([name for name in text_of if name not in found])
        self._count(hit=len(found), miss=len(mine), waited=len(theirs))
        found |= self._compute({name: text_of[name] for name in mine})
        for name, future in theirs.items():
            failed = future.exception()  # of the other thread: no answer for us
            found[name] = (
                self.encoder.encode([text_of[name]])[0] if failed else future.result()
            )
        return np.stack([found[name] for name in keys])

    def _keys(self, texts: Sequence[str]) -> list[str]:
        tokenize = getattr(self.encoder, "tokenize", list)
        return [key(self.fingerprint, row) for row in tokenize(texts)]

    def _read(self, keys: list[str]) -> dict[str, np.ndarray]:
        """What is kept and whole; its length is known after the first computation."""
        values = self._try(lambda: self.values.get(keys)) or [None] * len(keys)
        found = {}
        for name, value in zip(keys, values, strict=True):
            if value is None:
                continue
            try:
                found[name] = unpack(value, self._dim or (len(value) - CHECK) // 4)
            except ValueError:
                self._count(refused=1)
        return found

    def _claim(self, keys: list[str]) -> tuple[list[str], dict[str, Future]]:
        """Which keys are computed here, and on which another thread is at work."""
        with self._lock:
            theirs = {k: self._flying[k] for k in keys if k in self._flying}
            mine = [k for k in keys if k not in theirs]
            self._flying |= {k: Future() for k in mine}
        return mine, theirs

    def _compute(self, text_of: Mapping[str, str]) -> dict[str, np.ndarray]:
        """Encode, hand on to whoever waits, keep."""
        try:
            # Another thread may have finished between our reading and our claim.
            found = self._read(list(text_of)) if text_of else {}
            missing = [name for name in text_of if name not in found]
            if missing:
                found |= self._ask(missing, [text_of[name] for name in missing])
        except BaseException as error:
            for name in text_of:
                self._land(name).set_exception(error)
            raise
        for name in text_of:
            self._land(name).set_result(found[name])
        return found

    def _ask(self, names: list[str], texts: list[str]) -> dict[str, np.ndarray]:
        """The encoder's vectors, kept for the next who asks."""
        vectors = np.asarray(self.encoder.encode(texts), dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ValueError(f"{len(texts)} texts gave vectors {vectors.shape}")
        self._dim = vectors.shape[1]
        found = dict(zip(names, vectors, strict=True))
        self._try(lambda: self.values.put({k: pack(v) for k, v in found.items()}))
        return found

    def _land(self, name: str) -> Future:
        with self._lock:
            return self._flying.pop(name)

    def _try(self, act: Callable[[], object]) -> object:
        """Use the store; what it cannot do costs time, never an answer."""
        try:
            return act()
        except Unavailable as error:
            self._count(unavailable=1)
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"the cache cannot be used, vectors are computed: {error}",
                    RuntimeWarning,
                    stacklevel=4,
                )
            return None

    def _count(self, **more: int) -> None:
        with self._lock:
            self.counts.update({name: n for name, n in more.items() if n})
