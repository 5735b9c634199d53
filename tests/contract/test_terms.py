"""Bold is for terms and for structure, and every term is in the glossary and linked."""

import re

import pytest

from course_utils.authoring.glossary import linked_source
from course_utils.authoring.source import SOURCES, read_source
from course_utils.classroom.glossary import PAGE, glossary, known

LESSONS = [source for source in sorted(SOURCES.glob("*.py")) if source.stem != PAGE]
each = pytest.mark.parametrize("source", LESSONS, ids=lambda source: source.stem)
BOLD = re.compile(r"(?<!\*)\*\*([^*]+?)\*\*(?!\*)")


def terms_of(text):
    """Bold runs that are neither a list's lead, nor a table's cell, nor a sentence."""
    for found in BOLD.finditer(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        word = " ".join(found[1].split())
        before = found.string[found.string.rfind("\n", 0, found.start()) + 1 :]
        leads = re.match(r"\s*(?:[-*] |\d+\. |\|)", before)
        if not (leads or word[-1] in ".:?!" or len(word.split()) >= 4):
            yield word


@pytest.mark.parametrize(
    "text, words",
    [
        ("a **cosine** of two", ["cosine"]),
        ("[**cosine**](91_glossary.ipynb#c)", ["cosine"]),
        ("- **pool** with a mask", []),
        ("**Next:** more", []),
        ("**a whole sentence in bold**", []),
        ("```\n**x**\n```", []),
    ],
)
def test_terms_are_told_from_structure(text, words):
    assert list(terms_of(text)) == words


@each
def test_every_bold_term_is_in_the_glossary(source):
    texts = [c.source for c in read_source(source) if c.cell_type == "markdown"]
    words = [word for text in texts for word in terms_of(text)]
    assert [w for w in words if known(w) is None and w != "Read on"] == []


@each
def test_the_first_bold_use_of_a_term_is_a_link(source):
    """``make terms`` mends it."""
    text = source.read_text("utf-8")
    assert linked_source(text) == text


@pytest.mark.parametrize("term", glossary().values(), ids=lambda term: term.term)
def test_the_notebook_of_a_term_exists(term):
    assert (SOURCES / f"{term.notebook}.py").exists()
