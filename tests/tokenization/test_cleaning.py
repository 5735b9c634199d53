"""Pages are read by the rules of browsers, which know what an author may leave out."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.tokenization import html_to_text


@pytest.mark.parametrize(
    "page, text",
    [
        (
            "<html><head><title>T</title><body><p>The disk is full.</p></body></html>",
            "The disk is full.",
        ),
        ("<title>T</title><meta charset=utf-8><p>Wait.", "Wait."),
        ("<table><tr><td>Port<td>8080<tr><th>Host<td>a</table>", "Port 8080\nHost a"),
        (
            "<table><thead><tr><th>A<th>B<tbody><tr><td>1<td>2</table>end",
            "A B\n1 2\nend",
        ),
        ("<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\nb\nc\nd"),
        ("<select><option>red<option>blue</select>", "red\nblue"),
        ("<p hidden>no</p><p>yes</p>", "yes"),
        ("<p style='color:red; DISPLAY : none'>no</p>yes", "yes"),
        ("<b style='visibility:hidden'>no</b>yes", "yes"),
        ("<p style='text-display: none-such'>yes</p>", "yes"),
        ("<dialog>no</dialog><dialog open>yes</dialog>", "yes"),
        (
            "<svg hidden><g hidden></g></svg><div hidden><p hidden>no</p></div>yes",
            "yes",
        ),
        ("<p>a</p><svg><path d='M0'><p>The rest.</p>", "a\nThe rest."),
        ("<iframe><p>no</p></iframe><video>no</video>yes", "yes"),
        ("a</head>b", "ab"),
    ],
)
def test_implied_end_tags_and_hidden_elements(page, text):
    assert html_to_text(page) == text


WORDS = st.text("abcdef", min_size=1, max_size=6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=4))
def test_a_table_reads_the_same_without_the_tags_that_may_be_left_out(rows):
    short = "".join("<tr>" + "".join(f"<td>{w}" for w in row) for row in rows)
    page = f"<html><head><title>T<\x2ftitle><body><table>{short}</table>"
    assert html_to_text(page) == "\n".join(" ".join(row) for row in rows)


def test_many_paragraphs_that_nobody_closed_stay_apart():
    page = "<div>" * 300 + "".join(f"<p>{i}" for i in range(400))
    assert html_to_text(page).split("\n") == [str(i) for i in range(400)]


def test_a_hostile_depth_does_not_cost_minutes():
    begun = time.process_time()
    assert html_to_text("<div><b>" * 3000 + "deep") == "deep"
    assert time.process_time() - begun < 10
