"""The page says what was measured, and nothing on it does anything."""

import re

import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from course_utils.assets import vocabularies
from course_utils.yours import audit, comparisons, evaluations, from_csv, keep, report
from course_utils.yours.report import Report, Section, in_markdown
from tests.search.toy import Toy
from tests.yours.test_keeping import write

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "<http://evil.example>",
    "http://evil.example/x",
    "| a | b |\n| - | - |",
    "\n\n# Heading\n\n```\ncode\n```",
    "`x` *y* __z__ ~~w~~ &lt;b&gt; $x$ 1. 2) - +",
    "\x1b[31m\u202e\x00 end",
    "</td></table></body>",
    "&#60;script&#62;",
]


@pytest.fixture
def page(tmp_path):
    folder = tmp_path / "<b>texts"
    for number, text in enumerate(EVIL):
        write(folder / f"a{number}.md", f"kubelet page{number} {text} ok")
    write(folder / "copy.md", f"kubelet page0 {EVIL[0]} ok")
    write(folder / "evil.<i>", "x")
    library = keep(folder, Toy(), tmp_path / "index")
    found = audit(library.index.documents, vocabularies()["wordpiece"])
    golden = from_csv("question,document,grade\n<script>q,a1.md,3\n")
    searches = {"<i>now": lambda q: ["a1.md"], "new": lambda q: ["a2.md"]}
    compared = comparisons(evaluations(golden, searches), "<i>now")
    return report(library, found, golden, compared, {"new": 0.5})


def test_the_page_says_what_was_measured(page):
    for text in (page.markdown().replace("\\", ""), page.html()):
        assert (
            "12 documents in 13 passages are searched; 2 files or rows are not" in text
        )
        assert "1 questions, 1 of them judged. 1 are few" in text
        assert "-1.00" in text and "50%" in text
        assert "only the one for every look is true" in text
    text = page.markdown().replace("\\", "")
    assert "| copy.md |" in text and "| kubelet |" in text


def test_hostile_text_is_inert_in_html(page):
    rows = [[text] for text in EVIL]
    for made in (page, Report(EVIL[0], [Section(EVIL[1], EVIL, EVIL[:1], rows)])):
        soup = BeautifulSoup(made.html(), "html5lib")
        tags = {tag.name for tag in soup.find_all()}
        assert tags <= {
            *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p"),
            *("table", "tbody", "tr", "th", "td"),
        }
        assert not [
            t for t in soup.find_all() if set(t.attrs) & {"src", "href", "style"}
        ]
        assert not re.search(r"[\x00-\x08\x1b\u202e]", made.html())
    cells = [cell.get_text() for cell in soup.find_all("td")]
    assert cells[:2] == EVIL[:2]  # shown as it is, not cut away


def test_hostile_text_is_inert_in_markdown():
    """Under the rules of CommonMark, and with tables and bare links switched on."""
    made = Report(
        EVIL[0], [Section(EVIL[1], EVIL, ["text"], [[text] for text in EVIL])]
    )
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(made.markdown())
    inner = [child.type for token in tokens for child in token.children or []]
    assert set(inner) <= {"text", "softbreak", "text_special"}
    assert len([token for token in tokens if token.type == "heading_open"]) == 2
    assert len([token for token in tokens if token.type == "table_open"]) == 1
    assert len([token for token in tokens if token.type == "tr_open"]) == 1 + len(EVIL)
    assert not [token for token in tokens if token.type in ("fence", "html_block")]
    assert "http://" not in made.markdown()


def test_markdown_shows_what_was_written():
    for text in EVIL[:9]:
        shown = MarkdownIt("commonmark").render(f"x {in_markdown(text)}")
        read = BeautifulSoup(shown, "html5lib").get_text().strip()
        assert read == "x " + " ".join(text.split())


def test_a_page_without_findings_is_a_page(tmp_path):
    write(tmp_path / "texts" / "a.png", "x")
    library = keep(tmp_path / "texts", Toy(), tmp_path / "index")
    text = report(library).markdown()
    assert "0 documents" in text and "how many" in text
    assert "doctype" in report(library).html()
