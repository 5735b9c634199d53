"""Files of other systems, files that are broken, and the real AG News."""

import csv
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from course_utils import corpora
from course_utils.classroom import claims
from course_utils.corpora import CorpusError, Ticket, clean_ag_text, reading

ROOT = Path(__file__).parents[2]
steady = settings(derandomize=True, deadline=None, max_examples=150)
HEADER = "id,intent,duplicate_of,text\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="made.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# -- CSV: rows, or one error with the line on which a record begins --------------------


def test_one_open_quote_does_not_swallow_the_rest(write):
    rows = [f"{1 + n % 4},Title {n},Words of {n}\n" for n in range(302)]
    rows[1] = '2,Title,"Words that are never closed\n'
    with pytest.raises(CorpusError, match=r"made\.csv line 2: unexpected end of data"):
        corpora.load_news(path=write("".join(rows)))


def test_a_long_open_quote_is_no_raw_error_of_csv(write):
    content = '1,T,"open\n' + "2,Title,Words\n" * 20_000
    with pytest.raises(CorpusError, match=r"made\.csv line 1: "):
        corpora.load_news(path=write(content))


def test_text_behind_a_quote_is_refused(write):
    with pytest.raises(CorpusError, match=r"made\.csv line 2: .*expected after"):
        corpora.load_news(path=write('1,A,B\n2,A,"B" and more\n'))


def test_an_error_after_an_embedded_newline_names_its_own_line(write):
    content = HEADER + 't1,refund,,"one\ntwo\nthree"\nt2,refund,,"Hi" there\n'
    with pytest.raises(CorpusError, match=r"made\.csv line 5: "):
        corpora.read_rows(write(content), Ticket)


def test_a_record_is_named_by_the_line_on_which_it_begins(write):
    content = HEADER + 't1,refund,,Hi\n\n,refund,,"one\ntwo"\n'
    with pytest.raises(CorpusError, match=r"made\.csv line 4: id is empty"):
        corpora.read_rows(write(content), Ticket)


def test_a_long_value_is_read_and_the_limit_of_csv_left_alone(write):
    before = csv.field_size_limit()
    [row] = corpora.load_news(path=write(f'1,Title,"{"word " * 40_000}"\n'))
    assert len(row.description) > 131_072
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    "first", [' "3","Title","Words"', ' 3, "Title", "a, b"', '" 3",T,W']
)
def test_a_blank_in_front_does_not_make_a_header(write, first):
    rows = corpora.load_news(path=write(f"{first}\n1,Title,Words\n"))
    assert [row.label for row in rows] == ["Business", "World"]


def test_a_first_row_with_the_name_of_a_class_is_not_taken_for_a_header(write):
    with pytest.raises(CorpusError, match="line 1: class is 'World'"):
        corpora.load_news(path=write("World,Title,Words\n1,Title,Words\n"))


@steady
@given(st.one_of(st.binary(max_size=80), st.text(max_size=60).map(str.encode)))
@example(b"id,intent,duplicate_of,text\n" + b'a,b,,"' + b"x" * 10)
@example(b"\xef\xbb\xbfid,intent,duplicate_of,text\r\na,b,,c\r\n")
@example(b"id,intent,duplicate_of,text\ra,b,,c\r")
@example(b"1,\x00,b\n")
def test_any_bytes_are_rows_or_one_error_with_the_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    for load in (
        lambda: corpora.read_rows(path, Ticket),
        lambda: corpora.load_news(path=path),
        lambda: corpora.read_table(path),
    ):
        try:
            assert load()
        except CorpusError as error:
            assert str(error).startswith(("any.csv line ", "any.csv: there are no"))


# -- AG News ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, mended",
    {
        "ticket #42; room #12;": "ticket #42; room #12;",
        "C#12; F#36;": "C#12; F#36;",
        "in the key of C#; then": "in the key of C#; then",
        "He said:  quot;No way. quot; Then": 'He said: "No way." Then',
        " quot;Quiet quot;": '"Quiet"',
        "AT amp;T and R &amp; D": "AT&T and R & D",
        "Iran #39;s talks": "Iran's talks",
        "costs  #36;5": "costs $5",
        "costs #36;5": "costs $5",
        "a deal #151; at last": "a deal— at last",
        "&lt;b&gt;Big&lt;/b&gt;, bigger": "Big, bigger",
        "one&lt;br&gt;two<BR/>three": "one two three",
        '<A HREF="http://x.y/z?a=1&b=2">Reuters</A> said': "Reuters said",
        "a < b and c > d": "a < b and c > d",
        "x &lt; y": "x < y",
        "AT&T; &unknown; &copy 2004": "AT&T; &unknown; &copy 2004",
        "the amplifier; the quota; lt": "the amplifier; the quota; lt",
    }.items(),
)
def test_only_what_occurs_in_ag_news_is_read_back(text, mended):
    assert clean_ag_text(text) == mended


@steady
@given(st.text(st.characters(exclude_characters="&#<;\\")))
def test_a_text_without_signs_keeps_its_words(text):
    assert clean_ag_text(text) == " ".join(text.split())


# -- who means what --------------------------------------------------------------------


def test_a_file_in_the_place_of_the_split_is_told_where_it_belongs():
    with pytest.raises(ValueError, match=r"load_news\(path='mine.csv'\)"):
        corpora.load_news("mine.csv")


def test_a_file_of_yours_has_no_planted_labels_to_correct(write):
    path = write("1,Title,Words\n")
    with pytest.raises(ValueError, match="exclude each other"):
        corpora.load_news(path=path, corrected=True)
    with pytest.raises(ValueError, match="exclude each other"):
        corpora.load_news(path=path, hub=True)


def test_a_file_in_your_home_is_found(write, monkeypatch):
    path = write("1,Title,Words\n")
    monkeypatch.setenv("HOME", str(path.parent))
    monkeypatch.setenv("USERPROFILE", str(path.parent))
    assert len(corpora.load_news(path="~/made.csv")) == 1


# -- a checkout on Windows -------------------------------------------------------------

LOADERS = {
    name: getattr(corpora, name)
    for name in sorted(vars(corpora))
    if name.startswith("load_")
} | {
    "load_news, test": lambda: corpora.load_news("test"),
    "claims": claims.registry.__wrapped__,
}


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """The data as autocrlf and an editor of Windows leave them: CRLF and BOM."""
    root = tmp_path_factory.mktemp("windows")
    shutil.copytree(ROOT / "data", root / "data")
    changed = 0
    for path in (root / "data").rglob("*"):
        if path.suffix in (".csv", ".md", ".html"):
            text = path.read_bytes().replace(b"\n", b"\r\n")
            path.write_bytes(b"\xef\xbb\xbf" + text)
            changed += 1
    assert changed > 100
    return root / "course_utils"


@pytest.mark.parametrize("name", LOADERS)
def test_every_file_reads_the_same_from_a_checkout_on_windows(
    name, windows, monkeypatch
):
    ours = LOADERS[name]()
    monkeypatch.setattr(reading, "_PACKAGE", windows)
    assert corpora.data_file("pairs.csv").is_relative_to(windows.parent)
    theirs = LOADERS[name]()
    assert theirs == ours and theirs
    plain = json.dumps(theirs, default=lambda row: vars(row))
    assert "\\r" not in plain and "\\ufeff" not in plain


def test_every_csv_file_has_a_loader_that_was_tried(windows, monkeypatch):
    """A file that no loader above opens would not be tested."""
    opened = set()
    find = reading.shipped
    for module in (corpora.reading, corpora.language, corpora.news, corpora.operations):
        monkeypatch.setattr(
            module,
            "data_file",
            lambda name: opened.add(name) or find(name),
            raising=False,
        )
    monkeypatch.setattr(
        claims, "data_file", lambda name: opened.add(name) or find(name)
    )
    for load in LOADERS.values():
        load()
    there = {
        p.relative_to(ROOT / "data").as_posix() for p in (ROOT / "data").rglob("*.csv")
    }
    assert there <= opened


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_page_is_parsed_whatever_system_wrote_it(end, mark):
    path = corpora.data_file("ops/runbooks/clock-skew-chrony-jwt.md")
    plain = path.read_text("utf-8")
    found = corpora.parse_runbook("a", mark + plain.replace("\n", end))
    assert found == corpora.parse_runbook("a", plain)
    assert "\r" not in found.text


def test_git_is_told_what_the_ends_of_lines_are():
    """Otherwise autocrlf on Windows breaks every checksum."""

    def attribute(name, path):
        done = subprocess.run(
            ["git", "check-attr", name, "--", path],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip().rpartition(" ")[2]

    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    for path in ("data/pairs.csv", "data/ops/runbooks/x.md", "data/SHA256SUMS"):
        assert attribute("text", path) == "unset", path
    for path in (
        "README.md",
        "course_utils/guards.py",
        "notebooks/01_x.ipynb",
        "a.svg",
    ):
        assert attribute("eol", path) == "lf", path
