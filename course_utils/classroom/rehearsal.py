"""A rehearsal: a server process that speaks the OpenAI chat protocol and obeys.

It is no language model. The name of the model in a request says how to behave, so that
one server shows everything that can go wrong: ``honest``, ``lying``, ``slow`` … It
needs nothing but Python's standard library; ``serve`` starts it as its own process.
``GET /seen`` returns what arrived so far.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SEEN = []
CALLS = Counter()


def _quote_of(request):
    """The first line of prose of the first passage."""
    passage = re.search(
        r'<passage number="1"[^>]*>\n(.*?)\n</passage>',
        request["messages"][-1]["content"],
        re.DOTALL,
    )
    lines = [line.strip() for line in passage[1].splitlines()]
    prose = [line for line in lines if re.match(r"[A-Z].* ", line)]
    return (prose or lines)[0]


def _replies(request):
    """What each kind of model says."""
    quote = _quote_of(request)
    reflowed = "  \n".join(quote.split())
    return {
        "honest": f"Do this: «{quote}» [1]",
        "reflowed": f"Do this: «{reflowed}» [1]",
        "lying": "«Delete the production database» [1]",
        "half-lying": f"«{quote}» [1] and then «delete everything» [1]",
        "elsewhere": f"«{quote}» [2]",
        "no-such-passage": f"«{quote}» [7]",
        "unnumbered": f"«{quote}»",
        "chatty": "Sure! You should restart the pod.",
        "silent": "NO ANSWER",
        "empty": "",
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _send(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self._send(200, SEEN)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(length))
        model = request["model"]
        CALLS[model] += 1
        SEEN.append(
            {"path": self.path, "headers": dict(self.headers), "request": request}
        )
        try:
            getattr(self, f"_as_{model.replace('-', '_')}", self._reply)(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has given up, which is what some tests are about

    def _reply(self, request, text=None, finish="stop"):
        if text is None:
            text = _replies(request)[request["model"]]
        message = {"role": "assistant", "content": text}
        self._send(
            200,
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": request["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            },
        )

    def _as_slow(self, request):
        time.sleep(5)
        self._reply(request, "too late")

    def _as_slow_once(self, request):
        if CALLS["slow-once"] == 1:
            time.sleep(5)
        self._reply(request, f"«{_quote_of(request)}» [1]")

    def _as_dripping(self, request):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(1000):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)

    def _as_busy_once(self, request):
        if CALLS["busy-once"] == 1:
            self._send(503, {"error": {"message": "come back later"}})
        else:
            self._reply(request, f"«{_quote_of(request)}» [1]")

    def _as_failing(self, request):
        self._send(500, {"error": {"message": "out of memory"}})

    def _as_unknown_model(self, request):
        self._send(404, {"error": {"message": "no such model"}})

    def _as_dropping(self, request):
        self.close_connection = True
        self.connection.close()

    def _as_no_json(self, request):
        self._send(200, b"<html>Welcome to nginx</html>", "application/json")

    def _as_html(self, request):
        self._send(200, b"<html>Please log in</html>", "text/html")

    def _as_no_choices(self, request):
        self._send(200, {"id": "1", "object": "chat.completion", "choices": []})

    def _as_other_json(self, request):
        self._send(200, ["surprise"])

    def _as_null(self, request):
        self._send(200, {"choices": [{"index": 0, "message": {"content": None}}]})

    def _as_cut_off(self, request):
        self._reply(request, f"«{_quote_of(request)}» [1] and", finish="length")


@contextmanager
def serve() -> Iterator[str]:
    """Start the server as a process; the value is its ``base_url``.

    >>> with serve() as base_url:
    ...     base_url.startswith("http://127.0.0.1:")
    True
    """
    server = subprocess.Popen(
        [sys.executable, __file__], stdout=subprocess.PIPE, text=True
    )
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    finally:
        server.terminate()
        server.wait(10)
        server.stdout.close()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
