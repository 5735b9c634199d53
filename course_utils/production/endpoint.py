"""An encoder behind HTTP, on this machine only, which fails on request.

The form of request and reply is OpenAI's ``/v1/embeddings``. It runs on a thread of
this process, so it ends with it. ``faults`` says how each request fails, in turn.

Library: ``aiohttp.web``; in production ``text-embeddings-inference`` or vLLM.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable, Iterator

from aiohttp import web

from course_utils.encoder import Encoder

FAULTS = {
    "busy": "429 with Retry-After: 0",
    "down": "503 without a word",
    "cut": "the connection is closed",
    "short": "200, one vector too few",
    "turned": "200, the vectors in another order, rightly numbered",
    "narrow": "200, one number too few in each vector",
    "broken": "200, half of the JSON",
}


class Endpoint:
    """A running server of vectors.

    Attributes:
        address: where to post.
        counts: requests by what became of them, ``"ok"`` or the name of a fault.
        texts: how many texts were embedded and sent.
    """

    def __init__(
        self,
        encoder: Encoder,
        faults: Iterable[str] = (),
        model: str = "course",
        limit: int = 10_000,
    ) -> None:
        """Start it on a free port of the loopback.

        Args:
            encoder: what computes the vectors.
            faults: one name of ``FAULTS`` or ``"ok"`` per request; then all is well.
            model: the name that replies carry.
            limit: characters of a text at most; a longer one is refused with 400.

        Raises:
            ValueError: a fault that is none.
        """
        self.encoder, self.model, self.limit = encoder, model, limit
        self.counts: Counter[str] = Counter()
        self.texts = 0
        faults = list(faults)
        if unknown := set(faults) - {*FAULTS, "ok"}:
            raise ValueError(f"no such fault: {sorted(unknown)}; known: {list(FAULTS)}")
        self._faults: Iterator[str] = iter(faults)
        self._encoding = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._started.wait()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _open(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/embeddings", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.address = f"http://127.0.0.1:{port}/v1/embeddings"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        texts = (await request.json())["input"]
        fault = next(self._faults, "ok")
        self.counts[fault] += 1
        if fault == "busy":
            return web.Response(status=429, headers={"Retry-After": "0"})
        if fault == "down":
            return web.Response(status=503)
        if fault == "cut":
            request.transport.close()
            return web.Response()
        if long := [text for text in texts if len(text) > self.limit]:
            said = f"a text of {len(long[0])} characters, at most {self.limit}"
            return web.Response(status=400, text=said)
        rows = await asyncio.to_thread(self._encode, texts)
        self.texts += len(texts)
        data = [{"index": n, "embedding": row} for n, row in enumerate(rows)]
        if fault == "short":
            data = data[:-1]
        if fault == "turned":
            data = data[::-1]
        if fault == "narrow":
            data = [one | {"embedding": one["embedding"][:-1]} for one in data]
        whole = web.json_response({"model": self.model, "data": data})
        if fault == "broken":
            return web.Response(body=whole.body[: len(whole.body) // 2])
        return whole

    def _encode(self, texts: list[str]) -> list[list[float]]:
        with self._encoding:
            return self.encoder.encode(texts).tolist()

    def stop(self) -> None:
        """End it; a second call does nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def __enter__(self) -> Endpoint:
        """The server itself: ``with Endpoint(model) as endpoint``."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop it, whatever happened."""
        self.stop()
