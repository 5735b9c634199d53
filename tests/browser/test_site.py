"""The static pages as a reader meets them: links, search, a phone, both themes."""

import functools
import http.server
import re
import threading
import urllib.request
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import expect

from course_utils.authoring.site import build_site
from course_utils.authoring.source import NOTEBOOKS, editions
from tests.browser.driving import FAINT

# Said by Sphinx about its extensions.
pytestmark = pytest.mark.filterwarnings("ignore:.*Check CHANGES for Sphinx")
STUDENT = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Build the pages and serve them on loopback."""
    folder = tmp_path_factory.mktemp("build") / "site"
    assert build_site(folder) == 0
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Site(folder, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()


class Site:
    """The folder of the pages and their address."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.pages = sorted(
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*.html")
            if "_static" not in path.parts  # a template of the theme
        )


def test_every_notebook_has_its_page_and_nothing_was_executed(site):
    for stem in STUDENT:
        assert f"notebooks/{stem}.html" in site.pages
        solved = f"notebooks/solutions/{stem}.html" in site.pages
        assert solved == ("solutions" in editions(stem))


def test_every_local_link_of_every_page_leads_somewhere(site):
    """Anchors too: the part behind # is an id of the page."""
    ids = {
        name: set(
            re.findall(r'\bid="([^"]+)"', (site.folder / name).read_text("utf-8"))
        )
        for name in site.pages
    }
    broken = []
    for name in site.pages:
        text = (site.folder / name).read_text("utf-8")
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            found = urlsplit(urljoin(f"{site.url}/{name}", target))
            if found.scheme not in ("http", "https") or "127.0.0.1" not in found.netloc:
                continue
            page = found.path.lstrip("/") or "index.html"
            if not (site.folder / page).exists():
                broken.append((name, target))
            elif page in ids and found.fragment not in ids[page] | {""}:
                broken.append((name, target))
    assert broken == []


def test_no_page_asks_another_address_for_anything(site):
    """Links may lead out; scripts, styles, pictures and fonts may not."""
    asked = re.compile(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="(?:https?:)?//')
    styled = re.compile(r'<link\b[^>]*rel="(?:stylesheet|preload)"[^>]*href="https?://')
    for name in site.pages:
        text = (site.folder / name).read_text("utf-8")
        assert not asked.search(text), name
        assert not styled.search(text), name


def test_figures_keep_their_alt_text_and_formulas_need_no_script(site):
    text = (site.folder / "notebooks" / "02_lookup.html").read_text("utf-8")
    images = re.findall(r"<img\b[^>]*>", text)
    assert images
    for image in images:
        assert len(re.search(r'alt="([^"]*)"', image)[1].split()) >= 4
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in text
    assert not re.search(r"<script[^>]*mathjax", text, re.IGNORECASE)


def test_a_reader_walks_from_page_to_page(page, site):
    page.goto(f"{site.url}/index.html")
    page.locator(".bd-sidebar-primary a", has_text="01 ·").first.click()
    expect(page.locator(".bd-article h1")).to_contain_text("What does the model see?")
    page.locator(".bd-article a", has_text="Solved edition").click()
    expect(page).to_have_url(re.compile("solutions/01_tokenization.html"))
    page.locator(".bd-article a", has_text="Student edition").click()
    page.locator(".prev-next-footer a.right-next").click()
    expect(page.locator(".bd-article h1")).to_contain_text("02 ·")
    page.locator(".bd-sidebar-secondary a").nth(1).click()
    assert "#" in page.url
    assert page.outside == [] and page.problems == []


def test_a_reader_searches(page, site):
    page.goto(f"{site.url}/search.html?q=tokenizer")
    first = page.locator("#search-results li a").first
    expect(first).to_be_visible()
    first.click()
    expect(page.locator(".bd-article h1").first).to_be_visible()
    assert page.outside == [] and page.problems == []


WIDER = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_fits_a_phone_and_can_be_read_in_both_themes(page, site, theme):
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme=theme)
    for name in site.pages:
        page.goto(f"{site.url}/{name}")
        assert page.evaluate(WIDER) <= 0, name
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert page.evaluate(FAINT) == [], name
    assert page.outside == [] and page.problems == []


@pytest.mark.parametrize(
    "style, found",
    [
        ("color:#999;background:#fff", 1),
        ("color:#111;background:#fff;opacity:.4", 1),
        ("color:#999;background:#fff;font-size:30px", 1),
        ("color:#888;background:#fff;font-size:30px", 0),
        ("color:#111;background:#cfe8f7", 0),
        ("color:#fff;background:#0004", 1),
        ("display:none;color:#fff", 0),
    ],
)
def test_text_that_is_hard_to_read_is_noticed(page, style, found):
    page.set_content(f"<div class='bd-article'><p style='{style}'>a word</p></div>")
    assert len(page.evaluate(FAINT)) == found


def test_the_pages_are_served(site):
    """The tests above would pass on an empty list of pages."""
    assert len(site.pages) >= sum(len(editions(stem)) for stem in STUDENT) + 2
    with urllib.request.urlopen(f"{site.url}/index.html", timeout=10) as answer:
        assert b"Embeddings, Opened" in answer.read()
