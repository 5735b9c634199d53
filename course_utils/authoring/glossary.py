"""The glossary's page, and the links to it from the words that a notebook defines."""

from __future__ import annotations

import re
from itertools import groupby

from course_utils.classroom.glossary import PAGE, glossary, known, letter

_BOLD = re.compile(r"(?<![*\[])\*\*([^*\n]+(?:\n[^*\n]+)?)\*\*(?![*\]])")


def link_terms(text: str, linked: set[str]) -> str:
    """Make a link of every bold term that a notebook has not linked yet.

    Args:
        text: one Markdown cell.
        linked: the terms that have their link; what is linked here is added.
    """

    def link(found: re.Match) -> str:
        term = known(found[1])
        if term is None or term.term in linked:
            return found[0]
        linked.add(term.term)
        return f"[**{found[1]}**]({PAGE}.ipynb#{letter(term)})"

    parts = re.split(r"(```.*?```|`[^`\n]*`)", text, flags=re.DOTALL)
    return "".join(
        part if i % 2 else _BOLD.sub(link, part) for i, part in enumerate(parts)
    )


def page() -> list[str]:
    """The glossary as Markdown cells, one per letter."""
    cells = []
    for initial, terms in groupby(glossary().values(), key=letter):
        rows = [
            f"- **{_plain(term.term)}**: {_plain(term.sentence)} "
            f"[{term.notebook[:2]}]({term.notebook}.ipynb)"
            for term in terms
        ]
        cells.append("\n".join([f"## {initial}", "", *rows]))
    return cells


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)
