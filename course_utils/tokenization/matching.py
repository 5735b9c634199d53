"""Words to match texts by, in any script. Used by ``search`` and ``answers``.

What a reader takes for the same word must be the same string at both ends: in the page
and in the question. Unicode knows most of it: compatible forms (NFKC), case folding,
marks that belong to their letter, characters that nobody sees.

Library: ``unicodedata``, ``regex``; Lucene's ``ICUFoldingFilter`` and
``CJKBigramFilter``. Standards: Unicode Annexes 15 and 29.

>>> matching_words("ＦＢ－２１０７: İstanbul STRASSE", identifiers=True)
['fb-2107', 'fb', '2107', 'istanbul', 'strasse']
"""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import regex

# Soft hyphens, zero-width characters, directions, variation selectors; the Arabic
# tatweel only makes a word longer.
_HIDDEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\u0640]+")
# Hyphens that look like the one on the keyboard; a sign of trade belongs to no word.
_ALIKE = {0x2010: "-", 0x2011: "-", 0x2122: " ", 0x2120: " "}
# Turkish writes i with and without a dot, and folds each to another letter.
_DOTS = {0x0307: "", 0x0131: "i"}

# Letters of scripts that put no blank between words, or (Korean) glue particles on.
_UNSPACED = (
    r"[[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}"
    r"\p{Myanmar}ー]&&[\p{L}\p{Nl}]]"
)
_SIGN = rf"{_UNSPACED}[\p{{Mn}}\p{{Mc}}]*"
_SPACED = (
    rf"[[\p{{L}}\p{{N}}]--{_UNSPACED}][[\p{{L}}\p{{N}}\p{{Mn}}\p{{Mc}}]--{_UNSPACED}]*"
)
_JOINTS = regex.compile(r"[-_.:/@]")
_SIGNS = regex.compile(_SIGN, regex.VERSION1)
_WORD = regex.compile(rf"(?P<run>(?:{_SIGN})+)|{_SPACED}", regex.VERSION1)
_IDENTIFIER = regex.compile(
    rf"(?P<run>(?:{_SIGN})+)|{_SPACED}(?:{_JOINTS.pattern}{_SPACED})*", regex.VERSION1
)


def matching_form(text: str) -> str:
    r"""The spelling under which a text is compared; not for showing, not for models.

    NFKC, folded case, hyphens alike, nothing that is hidden.

    >>> matching_form("data\u00adbase Straße FB\u20112177")
    'database strasse fb-2177'
    """
    text = _HIDDEN.sub("", unicodedata.normalize("NFKC", text.translate(_ALIKE)))
    text = unicodedata.normalize("NFKC", text.casefold()).translate(_DOTS | _ALIKE)
    return unicodedata.normalize("NFKC", text)


def matching_words(
    text: str, *, identifiers: bool = False, signs: bool = False
) -> list[str]:
    """Cut a text into words to compare by.

    Where a script puts no blanks, every two neighbouring signs are a word (a sign is a
    letter with its marks).

    Args:
        text: any text; ``matching_form`` is applied.
        identifiers: give ``FB-2107`` whole, and then its parts; else its parts only.
        signs: give the single signs of such scripts as well. For texts that are looked
            into, so that a question of one sign finds them.

    >>> matching_words("磁盘已满 now")
    ['磁盘', '盘已', '已满', 'now']
    """
    found: list[str] = []
    cut = _IDENTIFIER if identifiers else _WORD
    for match in cut.finditer(matching_form(text)):
        if match["run"] is None:
            parts = _JOINTS.split(match[0])
            found += [match[0], *(parts if len(parts) > 1 else ())]
            continue
        single = _SIGNS.findall(match[0])
        if len(single) == 1 or signs:
            found += single
        found += [a + b for a, b in pairwise(single)]
    return found
