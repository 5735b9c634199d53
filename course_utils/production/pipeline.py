"""Texts to a server that fails now and then: nothing lost, nothing stored twice.

Batches are in flight side by side, never more than agreed; a busy server is asked again
when it says so; a reply is checked before it is believed; what was stored is never
asked for again, also after a ``kill -9``. What was in flight then may be asked for
twice: at least once, and storing it twice changes nothing.

Library: ``tenacity`` for asking again, ``httpx`` for the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import httpx
import numpy as np
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from course_utils import guards
from course_utils.production.cache import Values, key, pack

BUSY = {408, 425, 429, 500, 502, 503, 504}  # worth asking again
Ask = Callable[[list[str]], Awaitable[np.ndarray]]


class BadReply(ValueError):
    """A reply that does not answer what was asked, whatever its status said."""


# -- one reply -------------------------------------------------------------------------


def checked(reply: object, count: int, dim: int, model: str = "") -> np.ndarray:
    """The vectors of a reply in the form of OpenAI's, in the order of the texts.

    Args:
        reply: ``{"model": ..., "data": [{"index": 0, "embedding": [...]}, ...]}``.
        count: how many texts were sent.
        dim: how many numbers a vector has.
        model: the name that the reply must carry, "" for any.

    Returns:
        float32 (count, dim).

    Raises:
        BadReply: too few or too many vectors, an index twice, another dimension, NaN,
            or another model. One vector too few would shift every later text.

    >>> two = [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [1, 0]}]
    >>> checked({"data": two}, count=2, dim=2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if not isinstance(reply, Mapping) or not isinstance(reply.get("data"), list):
        raise BadReply("the reply has no list 'data'")
    if model and reply.get("model") != model:
        raise BadReply(f"asked for {model!r}, answered by {reply.get('model')!r}")
    rows: dict[object, object] = {}
    for place, one in enumerate(reply["data"]):
        if not isinstance(one, Mapping) or "embedding" not in one:
            raise BadReply(f"entry {place} of the reply holds no embedding")
        rows[one.get("index", place)] = one["embedding"]
    if len(reply["data"]) != count or set(rows) != set(range(count)):
        named = ", ".join(map(str, list(rows)[:5]))
        raise BadReply(
            f"{count} texts, but {len(reply['data'])} vectors, numbered {named} ..."
        )
    try:
        found = np.array([rows[number] for number in range(count)], dtype=np.float32)
    except (TypeError, ValueError):
        raise BadReply("the vectors are no numbers, or differ in length") from None
    if found.shape != (count, dim):
        raise BadReply(f"the vectors have {found.shape[1:]} numbers, not {dim}")
    if not np.isfinite(found).all():
        raise BadReply("a vector holds NaN or infinity")
    return found


# -- asking again ----------------------------------------------------------------------


def is_busy(error: BaseException) -> bool:
    """Is it worth asking again: a busy server, a broken line, a reply cut short?"""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in BUSY
    return isinstance(error, (httpx.TransportError, BadReply))


def pause(state: RetryCallState) -> float:
    """Seconds until the next attempt: what the server asks for, else chance.

    A pause drawn between 0 and a bound that doubles each time (*full jitter*): clients
    that failed together do not come back together.
    """
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, httpx.HTTPStatusError):
        asked = error.response.headers.get("Retry-After", "")
        if asked.isdigit():
            return float(asked)
    return wait_random_exponential(multiplier=0.05, max=20)(state)


class Client:
    """Asks a server for vectors over HTTP, again if it is busy.

    Attributes:
        requests: how many were sent, repeated ones included.
    """

    def __init__(
        self,
        address: str,
        dim: int,
        model: str = "",
        attempts: int = 8,
        seconds: float = 30,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Name the server; the connection is opened when it is used.

        Args:
            address: such as ``"http://127.0.0.1:8000/v1/embeddings"``.
            dim: the dimension that is expected.
            model: the model that is asked for and must answer, "" for any.
            attempts: how often one batch is sent at most.
            seconds: how long a reply may take.
            sleep: waits for so many seconds; a test need not.
        """
        self.address, self.dim, self.model = address, dim, model
        self.attempts = guards.whole("attempts", attempts, low=1)
        self.sleep, self.requests = sleep, 0
        self._line = httpx.AsyncClient(timeout=seconds, trust_env=False)

    async def __call__(self, texts: list[str]) -> np.ndarray:
        """Texts to vectors, float32 (len(texts), dim).

        Raises:
            httpx.HTTPError: the last failure, when all attempts are used up or the
                server says that the request is wrong.
            BadReply: the last reply did not answer the question.
        """
        again = AsyncRetrying(
            retry=retry_if_exception(is_busy),
            stop=stop_after_attempt(self.attempts),
            wait=pause,
            sleep=self.sleep,
            reraise=True,
        )
        return await again(self._once, texts)

    async def _once(self, texts: list[str]) -> np.ndarray:
        self.requests += 1
        body = {"input": texts, "model": self.model}
        reply = await self._line.post(self.address, json=body)
        reply.raise_for_status()
        try:
            content = reply.json()
        except ValueError:
            raise BadReply("the reply is no JSON") from None
        return checked(content, len(texts), self.dim, self.model)

    async def __aenter__(self) -> Client:
        """The client itself: ``async with Client(...) as ask``."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connection."""
        await self._line.aclose()


# -- many batches ----------------------------------------------------------------------


@dataclass
class Report:
    """What became of the texts.

    Attributes:
        stored: asked for and kept now.
        known: kept before, not asked for again.
        refused: text -> the server's reason; set aside, the others go on.
    """

    stored: int = 0
    known: int = 0
    refused: dict[str, str] = field(default_factory=dict)


async def embed(
    texts: Iterable[str],
    ask: Ask,
    values: Values,
    fingerprint: str,
    batch: int = 32,
    at_once: int = 8,
) -> Report:
    """Every text's vector into ``values``; read them with ``cache.key``.

    Texts are read as they are needed, at most ``batch * at_once`` are in memory.

    Args:
        texts: any number of them, a generator too; the same text twice is asked once.
        ask: such as a ``Client``.
        values: where vectors are kept; it is also the memory of what is done.
        fingerprint: of the model behind ``ask``.
        batch: texts in one request.
        at_once: requests in flight.

    Raises:
        httpx.HTTPError, BadReply: the server could not be brought to answer; what is
            stored by then stays.
    """
    batch = guards.whole("batch", batch, low=1)
    at_once = guards.whole("at_once", at_once, low=1)
    report, places = Report(), asyncio.Semaphore(at_once)
    flying: set[str] = set()

    async def work(some: dict[str, str]) -> None:
        try:
            await _settle(some, ask, values, report)
        finally:
            flying.difference_update(some)
            places.release()

    try:
        async with asyncio.TaskGroup() as group:
            for some in batches(texts, fingerprint, batch):
                await places.acquire()
                kept = values.get(list(some))
                found = zip(some, kept, strict=True)
                known = flying.union(name for name, value in found if value is not None)
                new = {name: some[name] for name in some if name not in known}
                report.known += len(some) - len(new)
                flying.update(new)
                group.create_task(work(new))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return report


async def _settle(
    some: dict[str, str], ask: Ask, values: Values, report: Report
) -> None:
    """One batch; where the server calls it wrong, its halves, down to the text."""
    if not some:
        return
    try:
        vectors = await ask(list(some.values()))
    except httpx.HTTPStatusError as error:
        if error.response.status_code in BUSY:
            raise
        if len(some) == 1:
            [text] = some.values()
            report.refused[text] = error.response.text[:200]
            return
        rows = list(some.items())
        for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            await _settle(dict(half), ask, values, report)
        return
    values.put({name: pack(v) for name, v in zip(some, vectors, strict=True)})
    report.stored += len(some)


def batches(
    texts: Iterable[str], fingerprint: str, size: int
) -> Iterator[dict[str, str]]:
    """Texts by their keys, so many at a time; read only when the next is asked for.

    >>> [list(some.values()) for some in batches("abacd", "m", 2)]
    [['a', 'b'], ['a', 'c'], ['d']]
    """
    rows = iter(texts)
    while some := list(islice(rows, size)):
        yield {key(fingerprint, text): text for text in some}
