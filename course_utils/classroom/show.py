r"""Show text from anyone, safely and visibly.

Everything that a learner, a data set or a query brings in goes through ``visible`` (no
character hides or acts) and ``html.escape`` (no character is markup).

>>> print(show_tokens(["o", "##om", "##kill", "##ed"]))
o·om·kill·ed
>>> visible("a\tb\u202e\ud800")
'a⇥b⟨U+202E⟩⟨U+D800⟩'
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

# Light fills of the Okabe-Ito hues: black text on each has a contrast above 12:1, so
# they read the same in a light and in a dark theme.
FILLS = ("#cfe8f7", "#fbe3b8", "#cdeee2", "#f7dceb", "#fbf6b9", "#f8d5c0")
GLYPHS = {"\n": "⏎", "\r": "␍", "\t": "⇥", "\x7f": "␡", "\u00a0": "⍽"}
_CONTINUATION = re.compile(r"^##(?=[^#\s])")  # WordPiece: "no space before"
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: str) -> str:
    """Text in which every control, format or broken character has become readable.

    Emoji sequences keep their joiner (U+200D) and selector, which are part of them.
    """

    def glyph(character: str) -> str:
        if character in GLYPHS:
            return GLYPHS[character]
        if character < " ":
            return chr(0x2400 + ord(character))
        if character != "\u200d" and unicodedata.category(character) in _HIDDEN:
            return f"⟨U+{ord(character):04X}⟩"
        return character

    return "".join(map(glyph, text))


def escape(text: object) -> str:
    """Anything as inert HTML text: visible first, then escaped, quotes included."""
    return html.escape(visible(str(text)), quote=True)


class Tokens:
    """Pieces of a text as coloured spans, and as plain text with dots between them."""

    def __init__(self, pieces: Sequence[str], label: str = "") -> None:
        """Keep the pieces as they came; they are cleaned when they are shown."""
        if isinstance(pieces, str):
            raise TypeError(
                "show_tokens takes a list of pieces, not one string: "
                "pass vocabulary.pieces(text)"
            )
        self.pieces = [str(piece) for piece in pieces]
        self.label = label

    def _shown(self) -> Iterable[str]:
        for i, piece in enumerate(self.pieces):
            shown = _CONTINUATION.sub("", piece) if i else piece
            yield visible(shown).replace(" ", "␣") or "∅"

    def __str__(self) -> str:
        """The text form: ``o·om·kill·ed``."""
        prefix = f"{visible(self.label)}: " if self.label else ""
        return prefix + "·".join(self._shown())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Coloured spans with inline style only, which every viewer keeps."""
        spans = "".join(
            f'<span style="background-color:{FILLS[i % len(FILLS)]};color:#111;'
            "padding:1px 3px;margin:1px;border-radius:3px;border:1px solid #7775;"
            f'display:inline-block;white-space:pre">{html.escape(shown)}</span>'
            for i, shown in enumerate(self._shown())
        )
        label = f"<b>{escape(self.label)}</b> " if self.label else ""
        count = len(self.pieces)
        noun = "token" if count == 1 else "tokens"
        return (
            f'<div style="font-family:monospace;line-height:1.9">{label}{spans} '
            '<span style="opacity:.75;white-space:nowrap">'
            f"{count} {noun}</span></div>"
        )


class Stack:
    """Several showable things, one below the other, in HTML and in text."""

    def __init__(self, *parts: object) -> None:
        """Take objects with ``_repr_html_`` and a text form."""
        self.parts = parts

    def __repr__(self) -> str:
        """The text forms, one per line."""
        return "\n".join(
            str(part) if hasattr(part, "_repr_html_") else visible(str(part))
            for part in self.parts
        )

    def _repr_html_(self) -> str:
        return "".join(
            part._repr_html_()
            if hasattr(part, "_repr_html_")
            else f"<p>{escape(part)}</p>"
            for part in self.parts
        )


def show_tokens(pieces: Sequence[str], label: str = "") -> Tokens:
    """Show the pieces that a tokenizer made.

    Args:
        pieces: one string per token, as ``vocabulary.pieces(text)`` returns them; a
            leading ``##`` (WordPiece: "no space before") is dropped in the picture.
        label: a name in front, such as the vocabulary's.

    Returns:
        An object that shows coloured spans in a notebook and ``a·b·c`` as text. Every
        character of the pieces is escaped; ``␣`` is a space, ``⏎`` a line break.

    Raises:
        TypeError: one string was passed instead of a list of pieces.
    """
    return Tokens(pieces, label)
