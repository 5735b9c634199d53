"""The page answers to one person on one machine, and runs nothing."""

import http.client
import io
import json
import threading
from urllib.parse import quote, urlencode, urlsplit

import pytest
from bs4 import BeautifulSoup

from course_utils.yours import Service, keep, run
from tests.search.toy import Toy
from tests.yours.test_keeping import write
from tests.yours.test_report import EVIL

PAGES = {
    "disk.md": "# Disk\n\nThe disk is full.\n    df  -i & wait\nDelete the dump.",
    "lock<b>.md": "A lock is stuck. <script>alert(1)</script> Unlock it.",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for name, text in PAGES.items():
        write(folder / "<i>texts" / name, text)
    library = keep(folder / "<i>texts", Toy(), folder / "index")
    with Service(library) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def get(service):
    """Ask the server: (status, headers, text)."""

    def ask(path, method="GET", token=None, **headers):
        given = {"Authorization": f"Bearer {token or service.token}", **headers}
        connection = http.client.HTTPConnection("127.0.0.1", service.server_port, 20)
        connection.request(
            method, path, headers={k: v for k, v in given.items() if v is not None}
        )
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, text

    return ask


def test_the_address_lets_in_and_hides_the_token(service, get):
    parts = urlsplit(service.address)
    assert parts.hostname == "127.0.0.1" and len(service.token) >= 32
    status, headers, _ = get(f"/?{parts.query}", Authorization=None)
    assert (status, headers["Location"]) == (303, "/")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    kept = cookie.partition(";")[0]
    status, _, text = get("/?q=disk", Authorization=None, Cookie=kept)
    assert status == 200 and "disk.md:1" in text and service.token not in text


@pytest.mark.parametrize(
    "path, headers",
    [
        ("/", {"Authorization": None}),
        ("/?q=disk", {"Authorization": "Bearer wrong"}),
        ("/?q=disk&token=wrong", {"Authorization": None}),
        ("/search.json?q=disk", {"Authorization": None, "Cookie": "search-1=x"}),
        ("/document?id=disk.md", {"Authorization": None, "Cookie": "\x7f=;;=\xff"}),
        ("/?token=%ff%fe", {"Authorization": "Basic abc"}),
    ],
)
def test_without_the_token_nothing_is_told(get, path, headers):
    status, _, text = get(path, **headers)
    assert status == 403 and "disk" not in text.replace(path, "")


def test_another_name_for_this_machine_is_refused_even_with_the_token(get):
    assert get("/", Host="evil.example")[0] == 403
    assert get("/", Host="127.0.0.1.evil.example:80")[0] == 403
    assert get("/", Host="localhost:1")[0] == 200


def test_it_listens_on_the_loopback_address_only(service):
    assert service.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("mode", ["words", "meaning", "both"])
def test_a_result_leads_to_its_place_in_the_document(get, mode):
    status, _, text = get(f"/?{urlencode({'q': 'delete the dump', 'mode': mode})}")
    soup = BeautifulSoup(text, "html5lib")
    assert status == 200 and soup.find("option", selected=True).text == mode
    quotes = [quote.text for quote in soup.find_all("blockquote")]
    assert "df -i & wait Delete the dump.disk.md:4" in quotes
    assert "by words: rank 1" in soup.find("details").text
    link = soup.find("a")
    assert link.text == "disk.md:4"  # where most of the words are
    _, _, text = get(link["href"].partition("#")[0])
    soup = BeautifulSoup(text, "html5lib")
    assert soup.find("pre").text == PAGES["disk.md"].lstrip("\n")
    assert soup.find("mark", id="here").text.startswith("# Disk")


def test_json_is_what_the_command_gives(get, service):
    _, headers, text = get("/search.json?q=unlock&k=1")
    found = json.loads(text)
    assert headers["Content-Type"].startswith("application/json")
    assert found["hits"][0]["file"] == "lock<b>.md"
    out = io.StringIO()
    words = [str(service.library.folder), "unlock", "-k", "1", "--json", "--explain"]
    place = str(service.library.folder.parent / "index")
    run([*words, "--index", place], out, io.StringIO(), Toy)
    same = json.loads(out.getvalue())
    assert found["hits"] == same["hits"] and found["quotes"] == same["quotes"]


@pytest.mark.parametrize(
    "path, status",
    [
        ("/nothing", 404),
        ("/../../etc/passwd", 404),
        ("/document?id=../secret", 404),
        ("/document", 404),
        ("/document?id=disk.md&start=9&end=1", 400),
        ("/document?id=disk.md&end=9999", 400),
        ("/document?id=disk.md&start=x", 400),
        ("/?q=a&mode=magic", 400),
        ("/?q=a&k=0", 400),
        ("/?q=a&k=99999999999", 400),
        ("/?q=" + "x" * 30_000, 400),
        ("/search.json", 400),
        ("/?q=", 200),
        ("/?q=zebra&mode=words", 200),
    ],
)
def test_what_makes_no_sense_has_a_status_of_its_own(get, path, status):
    found, headers, _ = get(path)
    assert found == status and headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(get, method):
    assert get("/", method)[0] == 501


def test_head_has_no_body(get):
    status, headers, text = get("/", "HEAD")
    assert (status, text) == (200, "") and int(headers["Content-Length"]) > 100


@pytest.mark.parametrize("evil", [*EVIL, "lock"])
def test_no_text_becomes_a_tag_or_a_header(get, evil):
    status, headers, text = get(f"/?q={quote(evil)}&mode=meaning")
    assert status == 200 and "default-src 'none'" in headers["Content-Security-Policy"]
    soup = BeautifulSoup(text, "html5lib")
    assert not soup.find_all(["script", "img", "b", "i"])
    assert not [tag for tag in soup.find_all() if any(a[:2] == "on" for a in tag.attrs)]
    assert {a["href"].partition("?")[0] for a in soup.find_all("a")} <= {"/document"}


def test_many_ask_at_once(get):
    answers = []

    def ask():
        answers.append(get("/search.json?q=full+disk")[2])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8 and len(set(answers)) == 1


def test_the_command_serves_until_it_is_interrupted(tmp_path, monkeypatch):
    def interrupted(self):
        asked.append(self.address)
        raise KeyboardInterrupt

    asked = []
    monkeypatch.setattr(Service, "serve_forever", interrupted)
    write(tmp_path / "texts" / "a.md", "one page")
    out, err = io.StringIO(), io.StringIO()
    words = [str(tmp_path / "texts"), "--serve", "--index", str(tmp_path / "index")]
    assert run(words, out, err, Toy) == 0
    assert out.getvalue() == asked[0] + "\n" and err.getvalue().endswith("ended\n")


def test_a_port_that_is_taken_is_two(service, tmp_path):
    write(tmp_path / "texts" / "a.md", "one page")
    words = [str(tmp_path / "texts"), "--serve", "--index", str(tmp_path / "index")]
    err = io.StringIO()
    code = run([*words, "--port", str(service.server_port)], err, err, Toy)
    assert code == 2 and "in use" in err.getvalue()
