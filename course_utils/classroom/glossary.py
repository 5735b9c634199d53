"""The words of the field: one sentence each, and the notebook that builds them.

>>> print(define("mean pooling"))
mean pooling: The mean of the vectors of all real tokens. (05_pooling)
"""

from __future__ import annotations

import difflib
import re
from functools import cache

from course_utils.classroom.show import escape, visible
from course_utils.corpora import Term, load_glossary

PAGE = "91_glossary"


@cache
def glossary() -> dict[str, Term]:
    """Every term by its name in lower case."""
    return {row.term.lower(): row for row in load_glossary()}


def known(word: str) -> Term | None:
    """Find a term as it stands in a text: any case, plural, hyphen or blank."""
    name = re.sub(r"@\d+$", "@k", " ".join(word.split()).lower())
    spelt = [name, name.removesuffix("s"), name.replace(" ", "-"), f"[{name}]"]
    return next((glossary()[s] for s in spelt if s in glossary()), None)


def letter(term: Term) -> str:
    """The heading that a term stands under: small, since sites make anchors small."""
    return term.term.strip("[]")[0].lower()


class Definition:
    """A term with its sentence, as text and as inert HTML."""

    def __init__(self, term: Term) -> None:
        """Keep the row."""
        self.term = term

    def __str__(self) -> str:
        """The term, its sentence, its notebook."""
        t = self.term
        return f"{visible(t.term)}: {visible(t.sentence)} ({visible(t.notebook)})"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        t = self.term
        return (
            f"<p><b>{escape(t.term)}</b>: {escape(t.sentence)} "
            f'<span style="opacity:.75">({escape(t.notebook)})</span></p>'
        )


def define(word: str) -> Definition:
    """Say in one sentence what a word means here.

    Args:
        word: a term, in any case, singular or plural.

    Raises:
        KeyError: it is not in the glossary; the nearest terms are named.
    """
    if found := known(str(word)):
        return Definition(found)
    near = difflib.get_close_matches(str(word).lower(), glossary(), n=3, cutoff=0.5)
    hint = f": did you mean {', '.join(near)}?" if near else ""
    raise KeyError(f"{visible(str(word))} is not in the glossary{hint}")
