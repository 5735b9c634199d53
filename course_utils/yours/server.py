"""A page with a search box, for you alone: on this machine, behind a token.

It answers on the loopback address only, to nobody without the token that it was started
with, and it has no way to change anything. It shows what the index holds and opens no
file. There is no script on its pages, and none that a text of yours brings can run.

Used in notebook 14. Library: ``http.server``; ``starlette``.
"""

from __future__ import annotations

import html
import json
import secrets
import threading
import warnings
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from course_utils.yours import finding
from course_utils.yours.finding import MODES, Match
from course_utils.yours.library import Library
from course_utils.yours.report import STYLE, in_html, page
from course_utils.yours.showing import as_json, excerpt, excerpt_of, explained, plain

HERE = "127.0.0.1"
MOST = 50  # results of one request
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STYLE = (
    STYLE
    + """
form{display:flex;gap:.5rem;flex-wrap:wrap}input[type=search]{flex:1;min-width:14rem}
input,select,button{font:inherit;padding:.4rem}li{margin:1rem 0}mark{color:#000}
pre{white-space:pre-wrap;overflow-wrap:anywhere}blockquote{margin:.5rem 0}"""
)


class Service(ThreadingHTTPServer):
    """A server for one library; ``address`` is what to open.

    Use it in a ``with``, and ``serve_forever()`` in it; ``shutdown()`` from another
    thread ends that.
    """

    daemon_threads = True

    def __init__(
        self, library: Library, port: int = 0, token: str | None = None
    ) -> None:
        """Take a port of this machine; 0 takes any that is free.

        Raises:
            OSError: the port is taken.
        """
        self.library = library
        self.token = secrets.token_urlsafe(24) if token is None else token
        self.turn = threading.Lock()  # a tokenizer serves one thread at a time
        super().__init__((HERE, port), _Handler)

    @property
    def address(self) -> str:
        """The address with the token; whoever has it may search."""
        return f"http://{HERE}:{self.server_port}/?{urlencode({'token': self.token})}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: Service
    timeout = 30  # seconds that a connection may stay silent
    server_version, sys_version = "search", ""

    def log_message(self, format: str, *args: object) -> None:
        """Questions are nobody's business: none is written down."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {k: v[-1] for k, v in parse_qs(parts.query).items()}
        if self.headers.get("Host", "").partition(":")[0] not in (HERE, "localhost"):
            # Another name that leads here may belong to a page of somebody else.
            self._text(HTTPStatus.FORBIDDEN, "this server answers to 127.0.0.1 only")
        elif parts.path == "/" and self._is_token(asked.get("token", "")):
            self._enter()
        elif not self._known():
            self._text(
                HTTPStatus.FORBIDDEN,
                "a token is needed: open the address that the terminal shows",
            )
        else:
            self._answer(parts.path, asked)

    do_HEAD = do_GET

    # -- who is there ------------------------------------------------------------------

    def _is_token(self, said: str) -> bool:
        return secrets.compare_digest(said.encode(), self.server.token.encode())

    @property
    def _cookie(self) -> str:
        return f"search-{self.server.server_port}"

    def _known(self) -> bool:
        kind, _, said = self.headers.get("Authorization", "").partition(" ")
        if kind == "Bearer":
            return self._is_token(said)
        try:
            morsel = SimpleCookie(self.headers.get("Cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return morsel is not None and self._is_token(morsel.value)

    def _enter(self) -> None:
        """Keep the token in a cookie, out of the address and its history."""
        cookie = (
            f"{self._cookie}={self.server.token}; HttpOnly; SameSite=Strict; Path=/"
        )
        self._send(HTTPStatus.SEE_OTHER, b"", "text/plain", Location="/", Cookie=cookie)

    # -- what is asked -----------------------------------------------------------------

    def _answer(self, path: str, asked: dict[str, str]) -> None:
        routes = {
            "/": self._page,
            "/search.json": self._json,
            "/document": self._document,
        }
        if path not in routes:
            self._text(HTTPStatus.NOT_FOUND, "there is no such page")
            return
        try:
            with self.server.turn, warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                routes[path](asked)
        except (ValueError, KeyError) as error:
            self._text(HTTPStatus.BAD_REQUEST, str(error.args[0]))

    def _found(self, asked: dict[str, str]) -> tuple[str, str, list[Match]]:
        question, mode = asked.get("q", "").strip(), asked.get("mode", "both")
        count = asked.get("k", "5")
        if not count.isdecimal() or not 1 <= int(count) <= MOST:
            raise ValueError(f"k must be a number from 1 to {MOST}")
        if mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}")
        library = self.server.library
        found = finding.find(library, question, int(count), mode) if question else []
        return question, mode, found

    def _json(self, asked: dict[str, str]) -> None:
        question, mode, matches = self._found(asked)
        if not question:
            raise ValueError("q is missing: /search.json?q=your+question")
        library = self.server.library
        given = finding.quotes(library, question, matches, mode)
        why = finding.receipts(library, question, matches)
        made = as_json(question, mode, library, matches, given, why)
        self._send(HTTPStatus.OK, json.dumps(made).encode(), "application/json")

    def _page(self, asked: dict[str, str]) -> None:
        question, mode, matches = self._found(asked)
        library = self.server.library
        options = "".join(
            f"<option{' selected' if name == mode else ''}>{name}</option>"
            for name in MODES
        )
        rows = [
            f"<h1>Search {in_html(library.folder.name)}</h1>",
            '<form action="/" role="search"><input type="search" name="q" required '
            f'aria-label="question" autofocus value="{in_html(question)}">'
            f'<select name="mode" aria-label="mode">{options}</select>'
            "<button>Search</button></form>",
            f"<p>{len(library.documents)} documents are searched.</p>",
        ]
        if question:
            rows += self._results(question, mode, matches)
        self._html(question or "Search", rows)

    def _results(self, question: str, mode: str, matches: list[Match]) -> list[str]:
        library = self.server.library
        if not matches:
            return ["<p>Nothing found: try the mode meaning, or other words.</p>"]
        rows = ["<h2>Answers, word for word</h2>"]
        for quote in finding.quotes(library, question, matches, mode):
            rows.append(
                f"<blockquote>{in_html(excerpt(quote.text))}<br>"
                f"<small>{in_html(quote.place)}</small></blockquote>"
            )
        rows.append("<h2>Passages</h2><ol>")
        why = finding.receipts(library, question, matches)
        for match, receipt in zip(matches, why, strict=True):
            hit = match.hit
            span = {"id": hit.document, "start": hit.start, "end": hit.end}
            rows.append(
                f'<li><a href="/document?{in_html(urlencode(span))}#here">'
                f"{in_html(match.place)}</a><br>{in_html(excerpt_of(match))}"
                "<details><summary>why</summary>"
                + "<br>".join(map(in_html, explained(receipt)))
                + "</details></li>"
            )
        return [*rows, "</ol>"]

    def _document(self, asked: dict[str, str]) -> None:
        document = self.server.library.documents.get(asked.get("id", ""))
        if document is None:
            self._text(HTTPStatus.NOT_FOUND, "there is no such document")
            return
        text = document.text
        start, end = (int(asked.get(name, "0")) for name in ("start", "end"))
        if not 0 <= start <= end <= len(text):
            raise ValueError("start and end must lie in the document")
        parts = text[:start], text[start:end], text[end:]
        before, inside, after = (html.escape(plain(part)) for part in parts)
        place = document.place(start)
        marked = f'{before}<mark id="here">{inside}</mark>{after}'
        self._html(str(place), [f"<h1>{in_html(place)}</h1>", f"<pre>{marked}</pre>"])

    # -- what is sent ------------------------------------------------------------------

    def _html(self, title: str, rows: list[str]) -> None:
        made = page(title, "\n".join(rows), _STYLE)
        self._send(HTTPStatus.OK, made.encode("utf-8", "replace"), "text/html")

    def _text(self, status: HTTPStatus, text: str) -> None:
        self._send(status, f"{text}\n".encode("utf-8", "replace"), "text/plain")

    def _send(self, status: HTTPStatus, body: bytes, kind: str, **more: str) -> None:
        self.send_response(status)
        names = {"Cookie": "Set-Cookie"}
        for name, value in (_HEADERS | more).items():
            self.send_header(names.get(name, name), value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
