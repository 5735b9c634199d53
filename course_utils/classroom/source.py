"""Show the real source of what a notebook uses, in place: copied nowhere, never stale.

>>> from course_utils.tokenization import pair_counts
>>> print(show_source(pair_counts))
course_utils/tokenization/bpe.py · pair_counts
def pair_counts(ids: Sequence[int]) -> Counter[Pair]:
    return Counter(pairwise(ids))
"""

from __future__ import annotations

import ast
import html
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

from course_utils.classroom.show import visible

FOLDED = 12  # longer sources are shown closed
_PACKAGE = Path(__file__).resolve().parents[1]
# Ink on its own paper, so that both themes show the same. Contrast to #f7f7f5 in
# brackets; a rule asks for 4.5.
PAPER, INK = "#f7f7f5", "#1b1b1b"
COLOURS = (
    (Comment, "#5a5a5a"),  # 6.4
    (String, "#1a6b2f"),  # 6.1
    (Keyword, "#8a1c7c"),  # 7.7
    (Operator.Word, "#8a1c7c"),
    (Number, "#8f4300"),  # 6.7
    (Name.Function, "#00539f"),  # 7.2
    (Name.Class, "#00539f"),
    (Name.Decorator, "#00539f"),
    (Name.Builtin, "#006a6a"),  # 5.9
)


def _without_docstrings(text: str) -> str:
    """Drop docstrings: the page says in words what they would say."""
    lines = text.splitlines()
    drop: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            continue
        first = node.body[0]
        if ast.get_docstring(node, clean=False) is not None and len(node.body) > 1:
            drop |= set(range(first.lineno, first.end_lineno + 1))
            after = first.end_lineno  # the blank line below belongs to it
            if after < len(lines) and not lines[after].strip():
                drop.add(after + 1)
    return "\n".join(row for i, row in enumerate(lines, 1) if i not in drop)


class Source:
    """A piece of the package: where it stands, and its text."""

    def __init__(self, place: str, text: str) -> None:
        """Keep both as they are; they are cleaned when they are shown."""
        self.place, self.text = place, text

    def __str__(self) -> str:
        """The place, then the source."""
        return f"{visible(self.place)}\n{_clean(self.text)}"

    __repr__ = __str__

    def _coloured(self) -> Iterator[str]:
        for kind, piece in PythonLexer(stripnl=False).get_tokens(_clean(self.text)):
            colour = next((ink for of, ink in COLOURS if kind in of), None)
            shown = html.escape(piece)
            yield f'<span style="color:{colour}">{shown}</span>' if colour else shown

    def _repr_html_(self) -> str:
        """Highlighted with inline style only; closed if it is long."""
        count = len(self.text.splitlines())
        code = (
            f'<pre style="background-color:{PAPER};color:{INK};padding:.6em;'
            'border-radius:4px;overflow-x:auto;line-height:1.35;margin:.3em 0">'
            f"{''.join(self._coloured()).rstrip()}</pre>"
        )
        name = html.escape(visible(self.place))
        name = f'<span style="font-family:monospace">{name}</span>'
        shown = "" if count > FOLDED else " open"
        return (
            f'<details{shown}><summary style="cursor:pointer">{name}, '
            f"{count} lines</summary>{code}</details>"
        )


def _clean(text: str) -> str:
    """No character hides or acts; lines stay lines."""
    return "\n".join(visible(row) for row in text.expandtabs(4).split("\n"))


def show_source(thing: Callable | type, docstring: bool = False) -> Source:
    """Show how a function or class of the package is written.

    Args:
        thing: a function, method or class of ``course_utils``.
        docstring: keep the docstrings; without them the code alone is shown.

    Returns:
        An object that shows highlighted source in a notebook, folded when it is longer
        than 12 lines, and the plain source as text. It is read from the file, so it is
        what runs.

    Raises:
        TypeError: something else than a function or class.
        ValueError: it is not from ``course_utils``: read it where it is from.
    """
    thing = inspect.unwrap(thing) if callable(thing) else thing
    thing = getattr(thing, "__func__", thing)
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        raise TypeError(
            f"show_source takes a function or a class, not {type(thing).__name__}: "
            "pass it without brackets, show_source(train_bpe)"
        )
    if not thing.__module__.startswith("course_utils"):
        raise ValueError(
            f"{thing.__qualname__} is from {thing.__module__}, not from course_utils: "
            f"in Jupyter, {thing.__name__}?? shows its source"
        )
    path = Path(inspect.getsourcefile(thing)).resolve().relative_to(_PACKAGE.parent)
    text = textwrap.dedent(inspect.getsource(thing)).rstrip()
    text = text if docstring else _without_docstrings(text)
    return Source(f"{path.as_posix()} · {thing.__qualname__}", text)
