"""The glossary's page, and the links to it from the words that a source defines."""

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


def linked_source(text: str) -> str:
    """A source in which the first bold use of every term is a link.

    Args:
        text: a percent script; its code cells stay as they are.
    """
    linked = _already(text)
    cells = re.split(r"(?m)^(?=# %%)", text)
    return "".join(
        _linked_cell(cell, linked) if cell.startswith("# %% [markdown]") else cell
        for cell in cells
    )


def _already(text: str) -> set[str]:
    found = re.findall(rf"\[\*\*([^*]+)\*\*\]\({PAGE}\.ipynb", text)
    terms = (known(re.sub(r"\n# ?", " ", word)) for word in found)
    return {term.term for term in terms if term}


def _linked_cell(cell: str, linked: set[str]) -> str:
    """Behind its first line, a text cell is a block of comments."""
    head, block, rest = re.match(
        r"([^\n]*\n)((?:#[^\n]*\n?)*)(.*)", cell, re.DOTALL
    ).groups()
    text = link_terms(re.sub(r"(?m)^# ?", "", block), linked)
    rows = text.split("\n")
    marked = [f"# {row}" if row else "#" for row in rows[:-1]]
    last = [f"# {rows[-1]}"] if rows[-1] else [""]
    return head + "\n".join([*marked, *last]) + rest


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
