"""The book of all statements: collected cell by cell, shown topic by topic."""

import pytest

from course_utils.classroom import Ledger
from course_utils.classroom.claims import NOT_RUN, registry
from course_utils.classroom.ledger import TOPICS, Table
from tests.classroom.test_show import Reader, assert_inert, assert_printable, hostile

TOPIC = "positions"


def of(topic):
    return [s for s in registry().values() if s.topic == topic and s.verdict != NOT_RUN]


@pytest.fixture
def book():
    """A book with every statement of one topic, all refuted."""
    made = Ledger()
    for statement in of(TOPIC):
        made.enter(statement.id, f"found {statement.id}", "refuted")
    return made


def test_a_page_shows_every_statement_of_its_topic_once(book):
    lines = repr(book.page(TOPIC)).splitlines()
    for statement in of(TOPIC):
        [at] = [
            i for i, row in enumerate(lines) if row.strip().startswith(statement.id)
        ]
        assert statement.statement in lines[at]
        assert f"measured: found {statement.id} · verdict: ✗ refuted" in lines[at + 1]


def test_a_page_names_each_article_once(book):
    lines = repr(book.page(TOPIC)).splitlines()
    articles = {statement.source for statement in of(TOPIC)}
    assert sorted(row for row in lines if row in articles) == sorted(articles)


def test_a_page_ends_with_the_count_of_verdicts(book):
    count = (
        f"{len(of(TOPIC))} measured: 0 confirmed, 0 partly, {len(of(TOPIC))} refuted"
    )
    assert repr(book.page(TOPIC)).splitlines()[-1] == count
    assert count in book.page(TOPIC)._repr_html_()


def test_the_table_has_one_row_per_statement_and_one_per_article(book):
    tags = Reader(book.page(TOPIC)._repr_html_()).tags
    articles = {statement.source for statement in of(TOPIC)}
    assert tags.count("tr") == 1 + len(articles) + len(of(TOPIC))


def test_a_page_with_a_gap_is_refused(book):
    gap = of(TOPIC)[0].id
    short = Ledger()
    for statement in of(TOPIC)[1:]:
        short.enter(statement.id, 1, "confirmed")
    with pytest.raises(ValueError, match=f"not measured yet in {TOPIC}: {gap}"):
        short.page(TOPIC)


def test_an_unknown_topic_is_named_with_the_known_ones(book):
    with pytest.raises(ValueError, match="no topic is called 'cooking': choose one of"):
        book.page("cooking")


def test_a_statement_is_entered_once(book):
    known = of(TOPIC)[0].id
    with pytest.raises(ValueError, match=f"{known} was entered before"):
        book.enter(known, 1, "confirmed")


def test_a_statement_that_cannot_be_run_is_refused_with_its_reason(book):
    rest = next(s for s in registry().values() if s.verdict == NOT_RUN)
    with pytest.raises(ValueError, match="is listed as not run"):
        book.enter(rest.id, 1, "confirmed")


def test_what_is_not_run_stands_with_its_reason(book):
    printed = repr(book.not_run())
    rest = [s for s in registry().values() if s.verdict == NOT_RUN]
    assert printed.splitlines()[-1] == f"{len(rest)} are not run here"
    for statement in rest:
        assert f"  {statement.id} {statement.statement}" in printed
        assert f"why it is not run: {statement.reason}" in printed


def test_every_statement_has_a_topic_of_the_course():
    assert {statement.topic for statement in registry().values()} == set(TOPICS)


def test_the_summary_needs_every_statement(book):
    with pytest.raises(ValueError, match="not measured yet: "):
        book.summary()


def test_the_summary_counts_by_topic():
    book = Ledger()
    for statement in registry().values():
        if statement.verdict != NOT_RUN:
            book.enter(statement.id, 1, statement.verdict)
    lines = repr(book.summary()).splitlines()
    counts = {
        v: list(book.verdicts.values()).count(v) for v in ("confirmed", "refuted")
    }
    assert f"{counts['confirmed']} confirmed" in lines[-1]
    assert f"{counts['refuted']} refuted" in lines[-1]
    rows = [f"{topic} {len(of(topic))}" for topic in TOPICS]
    assert [row.strip() for row in lines[1:-1:2]] == rows


@hostile
def test_a_hostile_line_is_inert(text):
    made = Table(("", "statement", "found"), [(text, [("C900", text, text)])], "1")
    assert_inert(made._repr_html_(), text)
    assert_printable(repr(made))
