"""The glossary: one sentence per term, found however it is written, and inert."""

import pytest

from course_utils.authoring.glossary import link_terms, page
from course_utils.classroom.glossary import (
    Definition,
    define,
    glossary,
    known,
    letter,
)
from course_utils.corpora import Term
from tests.classroom.test_show import Reader, assert_printable, hostile


@pytest.mark.parametrize("term", glossary().values(), ids=lambda t: t.term)
def test_a_term_has_one_sentence_of_a_readable_length(term):
    assert term.sentence.endswith(".") and term.sentence[0].isupper()
    assert 4 <= len(term.sentence.split()) <= 32
    assert term.sentence.count(". ") == 0


def test_terms_stand_in_alphabetical_order():
    names = [term.term.strip("[]").lower() for term in glossary().values()]
    assert names == sorted(names)


@pytest.mark.parametrize(
    "word", ["cosine", "Cosine", "cosines", "hard\nnegatives", "CLS", "out of fold"]
)
def test_a_word_is_found_however_it_is_written(word):
    assert known(word) is not None


def test_an_unknown_word_brings_the_nearest_ones():
    with pytest.raises(KeyError, match="did you mean cosine"):
        define("cosinus")
    with pytest.raises(KeyError, match=r"qqqqqq is not in the glossary.$"):
        define("qqqqqq")


@hostile
def test_a_hostile_term_is_inert(text):
    shown = Definition(Term(text or "x", text, text))
    assert_printable(str(shown))
    assert set(Reader(shown._repr_html_()).tags) <= {"p", "b", "span"}


# -- links -----------------------------------------------------------------------------


def test_the_first_bold_use_of_a_term_becomes_a_link():
    linked = set()
    text = link_terms("A **cosine**, a **Cosine**.", linked)
    assert text == "A [**cosine**](91_glossary.ipynb#c), a **Cosine**."
    assert linked == {"cosine"}
    assert link_terms("**cosine**", linked) == "**cosine**"


@pytest.mark.parametrize(
    "text",
    [
        "**no such term**",
        "`**cosine**`",
        "```\n**cosine**\n```",
        "[**cosine**](02_lookup.ipynb)",
        "***cosine***",
    ],
)
def test_nothing_else_becomes_one(text):
    assert link_terms(text, set()) == text


def test_the_page_holds_every_term_once_under_its_letter():
    cells = page()
    for term in glossary().values():
        name = term.term.replace("[", "\\[").replace("]", "\\]")
        [cell] = [c for c in cells if f"- **{name}**: " in c]
        assert cell.startswith(f"## {letter(term)}\n")
