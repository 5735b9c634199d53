"""Answers that can only say what stands in a page, and say where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.answers import (
    NOTHING_FOUND,
    Answer,
    Citation,
    GroundingError,
    answer,
    check_citations,
    check_reply,
    grounded_prompt,
    locate,
)
from course_utils.search import Hit, SearchIndex
from tests.search.toy import Toy

PAGES = {
    "disk": "# Disk full\nThe spool disk is full. Delete the old dump first. "
    "Then wait a bit.",
    "lock": "# Lock\n```\nterraform plan\n```\nNever delete the lock table by hand.",
}


def hits(*names):
    return [Hit(n, 0, 0, len(PAGES[n]), 1.0, PAGES[n]) for n in names or PAGES]


# -- locating --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quote, source, place",
    [
        ("is full", "the disk is full", (9, 16)),
        ("is  full\n", "the disk is\n   full", (9, 19)),
        ("is empty", "the disk is full", None),
        ("a.c", "abc a.c", (4, 7)),
        ("Full", "full", None),
        ("", "anything", None),
        (" \n", "anything", None),
        ("twice", "twice twice", (0, 5)),
    ],
)
def test_a_quote_is_found_letter_by_letter_white_space_aside(quote, source, place):
    assert locate(quote, source) == place


@given(st.text(min_size=1), st.text(), st.text())
def test_every_part_of_a_source_is_found_in_it(quote, before, behind):
    place = locate(quote, before + quote + behind)
    if quote.split():
        start, end = place
        assert (before + quote + behind)[start:end].split() == quote.split()
    else:
        assert place is None


# -- extracting ------------------------------------------------------------------------


def test_the_answer_is_sentences_with_their_places():
    found = answer("which dump may I delete?", hits(), count=1)
    assert found.text == "Delete the old dump first. [1]"
    assert found.citations == (Citation("disk", 36, 62, "Delete the old dump first."),)
    assert str(found).endswith("  [1] disk, characters 36-62")


def test_offsets_count_from_the_beginning_of_the_page_not_of_the_passage():
    start = PAGES["disk"].index("Delete")
    passage = Hit("disk", 1, start, len(PAGES["disk"]), 1.0, PAGES["disk"])
    assert answer("delete", [passage], count=1).citations[0].start == start


def test_an_encoder_may_choose_the_sentences():
    found = answer("Then wait a bit!", hits("disk"), encoder=Toy(), count=1)
    assert found.citations[0].quote == "Then wait a bit."


def test_sentences_come_in_the_order_of_the_page():
    found = answer("delete the dump, the disk is full", hits("disk"), count=2)
    assert [c.quote[:6] for c in found.citations] == ["The sp", "Delete"]


def test_a_listing_can_be_quoted_and_a_heading_cannot():
    quotes = [c.quote for c in answer("lock plan", hits("lock"), count=9).citations]
    assert quotes == ["terraform plan", "Never delete the lock table by hand."]


def test_listings_can_be_left_out():
    found = answer("lock plan", hits("lock"), count=9, listings=False)
    assert [c.quote[:5] for c in found.citations] == ["Never"]


def test_a_listing_is_quoted_whole_and_without_its_fences():
    page = "# Disk\n~~~\ndf -i\n```\ndu -s\n~~~\nThen look at the crowd of files."
    found = answer("df", [Hit("p", 0, 0, len(page), 1.0, page)], count=1)
    assert [c.quote for c in found.citations] == ["df -i\n```\ndu -s"]
    assert check_citations(found, {"p": page}) == []


def test_a_listing_that_is_never_closed_ends_with_the_page():
    page = "Look at the disk first.\n\n```\ndf -i\n"
    found = answer("df", [Hit("p", 0, 0, len(page), 1.0, page)], count=1)
    assert [c.quote for c in found.citations] == ["df -i"]


def test_a_passage_that_begins_inside_a_listing_gives_the_lines_it_has():
    page = "```\nterraform init\nterraform plan\n```\nNever delete the table."
    begin = page.index("terraform plan")
    found = answer("plan", [Hit("p", 1, begin, len(page), 1.0, page)], count=1)
    assert [c.quote for c in found.citations] == ["terraform plan"]


def test_what_two_pages_say_is_quoted_once_from_the_better_hit():
    said = "The spool disk\nis full. Call the storage squad."
    other = "# Old\nThe spool disk is full. Wait."
    both = [Hit(n, 0, 0, len(t), 1.0, t) for n, t in (("a", said), ("b", other))]
    found = answer("is the spool disk full?", both, count=9)
    full = [c for c in found.citations if "spool" in c.quote]
    assert [c.document for c in full] == ["a"]


@pytest.mark.parametrize("by", ["words", "meaning", "both"])
def test_words_meaning_or_both_decide(by):
    found = answer("Then wait a bit!", hits("disk"), encoder=Toy(), count=1, by=by)
    assert found.citations[0].quote == "Then wait a bit."


def test_another_judge_is_refused():
    with pytest.raises(ValueError, match="words"):
        answer("anything", hits(), by="luck")


def test_overlapping_passages_do_not_repeat_a_sentence():
    found = answer("delete", hits("disk", "disk"), count=9)
    assert len({c.start for c in found.citations}) == len(found.citations)


@pytest.mark.parametrize("passages", [[], [Hit("t", 0, 0, 3, 1.0, "# T")]])
def test_nothing_found_is_said(passages):
    assert answer("anything", passages) == Answer(NOTHING_FOUND)


def test_no_sentences_at_all_cannot_be_asked_for():
    with pytest.raises(ValueError, match="at least 1"):
        answer("anything", hits(), count=0)


def test_every_citation_of_a_whole_search_is_in_its_source():
    index = SearchIndex.build(PAGES, Toy(), size=16)
    for question in ("delete", "full disk", "lock", "nothing of the kind"):
        found = answer(question, index.search(question), count=9)
        assert found.citations and check_citations(found, PAGES) == []


# -- verifying -------------------------------------------------------------------------


def test_false_citations_are_named():
    found = Answer(
        "…",
        (
            Citation("disk", 0, 6, "# Disk"),
            Citation("disk", 1, 7, "# Disk"),
            Citation("tape", 0, 6, "# Disk"),
        ),
    )
    problems = check_citations(found, PAGES)
    assert [problem[:3] for problem in problems] == ["[2]", "[3]"]
    assert "no page 'tape'" in problems[1]


def test_citations_of_a_page_that_was_edited_are_noticed():
    found = answer("which dump may I delete?", hits(), count=1)
    edited = {**PAGES, "disk": PAGES["disk"].replace("spool", "archive")}
    assert len(check_citations(found, edited)) == 1


def test_a_reply_with_true_quotes_is_accepted_and_renumbered():
    reply = (
        "First «The spool disk is full.» [1], but «Never delete the lock table» [2]."
    )
    found = check_reply(reply, hits())
    assert [c.document for c in found.citations] == ["disk", "lock"]
    assert check_citations(found, PAGES) == []
    twice = check_reply("«is full.» [1] «The spool» [1]", hits())
    assert twice.text == "«is full.» [1] «The spool» [2]"


def test_a_quote_in_the_wrong_passage_is_no_evidence():
    with pytest.raises(GroundingError, match=r"passage \[2\] does not say"):
        check_reply("«The spool disk is full.» [2]", hits())


def test_a_quote_from_outside_the_passage_is_no_evidence():
    """The page says it, but the model was shown another part of the page."""
    shown = [Hit("disk", 0, 0, 36, 1.0, PAGES["disk"])]
    with pytest.raises(GroundingError):
        check_reply("«Delete the old dump first.» [1]", shown)


@pytest.mark.parametrize("reply", ["«```» [1]", "«the» [1]", "«.» [1] «full.» [1]"])
def test_a_quote_that_stands_anywhere_proves_nothing(reply):
    """The passage does say it; that is not enough."""
    source = "# Full\n```\nthe disk is full.\n```"
    with pytest.raises(GroundingError, match="too short"):
        check_reply(reply, [Hit("p", 0, 0, len(source), 1.0, source)])


@pytest.mark.parametrize("reply", ["«» [1]", "« » [1]", "«a «b» [1]", "just words", ""])
def test_a_reply_without_a_proper_quote_is_refused(reply):
    with pytest.raises(GroundingError):
        check_reply(reply, hits())


def test_the_prompt_numbers_the_passages():
    user = grounded_prompt("why?", hits())[1]["content"]
    assert '<passage number="1" page="disk">' in user
    assert '<passage number="2" page="lock">' in user
