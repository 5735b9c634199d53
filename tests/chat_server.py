"""A server process that speaks the OpenAI chat protocol and behaves as it is told.

``python chat_server.py`` prints its port. The name of the model in a request says how
to behave, so that one server serves every test: ``honest``, ``lying``, ``slow`` …
``GET /seen`` returns what arrived so far.
"""

import json
import re
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SEEN = []
CALLS = Counter()


def quote_of(request):
    """The first line of prose of the first passage, word by word."""
    passage = re.search(
        r'<passage number="1"[^>]*>\n(.*?)\n</passage>',
        request["messages"][-1]["content"],
        re.DOTALL,
    )
    lines = [x for x in passage[1].splitlines() if x and not x.startswith("#")]
    return lines[0].strip()


def replies(request):
    """What each kind of model says."""
    quote = quote_of(request)
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


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.send(200, SEEN)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(length))
        model = request["model"]
        CALLS[model] += 1
        SEEN.append(
            {"path": self.path, "headers": dict(self.headers), "request": request}
        )
        try:
            getattr(self, f"as_{model.replace('-', '_')}", self.reply)(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has given up, which is what some tests are about

    def reply(self, request, text=None, finish="stop"):
        if text is None:
            text = replies(request)[request["model"]]
        message = {"role": "assistant", "content": text}
        self.send(
            200,
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": request["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            },
        )

    def as_slow(self, request):
        time.sleep(5)
        self.reply(request, "too late")

    def as_slow_once(self, request):
        if CALLS["slow-once"] == 1:
            time.sleep(5)
        self.reply(request, f"«{quote_of(request)}» [1]")

    def as_dripping(self, request):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(1000):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)

    def as_busy_once(self, request):
        if CALLS["busy-once"] == 1:
            self.send(503, {"error": {"message": "come back later"}})
        else:
            self.reply(request, f"«{quote_of(request)}» [1]")

    def as_failing(self, request):
        self.send(500, {"error": {"message": "out of memory"}})

    def as_unknown_model(self, request):
        self.send(404, {"error": {"message": "no such model"}})

    def as_dropping(self, request):
        self.close_connection = True
        self.connection.close()

    def as_no_json(self, request):
        self.send(200, b"<html>Welcome to nginx</html>", "application/json")

    def as_html(self, request):
        self.send(200, b"<html>Please log in</html>", "text/html")

    def as_no_choices(self, request):
        self.send(200, {"id": "1", "object": "chat.completion", "choices": []})

    def as_other_json(self, request):
        self.send(200, ["surprise"])

    def as_null(self, request):
        self.send(200, {"choices": [{"index": 0, "message": {"content": None}}]})

    def as_cut_off(self, request):
        self.reply(request, f"«{quote_of(request)}» [1] and", finish="length")


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
