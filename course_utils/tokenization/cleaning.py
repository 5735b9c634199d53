"""One spelling for what looks the same, and text out of pages. Built in notebook 01.

Library: ``tokenizers.normalizers``, ``bs4.BeautifulSoup``.
"""

from __future__ import annotations

import unicodedata
import warnings
from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    pass

_KEPT_SPACE = "\ue000"  # private use: stands for the blanks of <pre> until the end
_BLOCKS = (
    "address article aside blockquote br caption dd details div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr legend li main nav ol "
    "optgroup option p pre section summary table tr ul"
).split()
_APART = ["a", "button", "td", "th"]  # told apart by the eye, not by text
# What no browser shows: programs, drawings, and what stands in for a failed player.
_UNSEEN = (
    "script style noscript template svg head iframe noembed noframes canvas audio "
    "video datalist"
).split()
_HIDING = regex.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)")

# Browsers flatten what is nested deeper. Only elements that must be closed count.
_DEEPEST = 256
_TAG = regex.compile(r"<(/?)([a-zA-Z][^\s/>]*)[^>]*>")
_NOT_CLOSED = frozenset(
    "area base br col colgroup dd dt embed hr img input li link meta optgroup option p "
    "param rp rt source tbody td tfoot th thead tr track wbr".split()
)

# Looks like a blank or a hyphen, or like nothing at all.
_ALIKE = {0x00A0: " ", 0x2010: "-", 0x2011: "-"}
_ALIKE |= dict.fromkeys((0x00AD, 0x200B, 0x2060, 0xFEFF), "")


def html_to_text(html: str) -> str:
    """Keep what a reader of the page reads: no tags, scripts, styles or comments.

    The page is read by the rules of browsers, which know the end tags that an author
    may leave out. Words that inline tags cut in two stay one; blocks become lines.

    Raises:
        TypeError: bytes or something else came in; decode it first.

    >>> html_to_text("<p>un<b>believ</b>able</p><script>x()</script><p>a &amp; b</p>")
    'unbelievable\\na & b'
    >>> html_to_text("<head><title>T</title><body><table><tr><td>Port<td>8080")
    'Port 8080'
    """
    if not isinstance(html, str):
        raise TypeError(f"html_to_text takes a string, not {type(html).__name__}")
    from bs4 import BeautifulSoup
    from bs4.element import PreformattedString  # comments, the doctype, CDATA

    with warnings.catch_warnings():  # "looks like a file name", "is XML"
        warnings.simplefilter("ignore")
        soup = BeautifulSoup(_flattened(html), "html5lib")
    for tag in [*soup(_UNSEEN), *soup(_is_hidden)]:
        if not tag.decomposed:
            tag.decompose()
    for string in soup.find_all(string=True):
        if isinstance(string, PreformattedString):
            string.extract()
        elif string.find_parent("pre"):
            string.replace_with(string.expandtabs(4).replace(" ", _KEPT_SPACE))
        else:
            string.replace_with(regex.sub(r"\s+", " ", string))
    for tag in soup(_BLOCKS):
        tag.insert_before("\n")
        tag.append("\n")
    for tag in soup(_APART):
        if getattr(tag.next_sibling, "name", None) in _APART:
            tag.insert_after(" ")
    lines = (" ".join(line.split()) for line in soup.get_text().split("\n"))
    return "\n".join(filter(None, lines)).replace(_KEPT_SPACE, " ")


def _flattened(html: str) -> str:
    """The page without the tags that are nested too deep; their text stays."""
    depth = 0

    def keep(tag) -> str:
        nonlocal depth
        if tag[2].lower() in _NOT_CLOSED:
            return tag[0]
        depth = max(0, depth - 1) if tag[1] else depth + 1
        deep = depth + bool(tag[1]) > _DEEPEST
        return ("\n" if tag[2].lower() in _BLOCKS else "") if deep else tag[0]

    return _TAG.sub(keep, html)


def _is_hidden(tag) -> bool:
    """Whether the page itself says that nobody shall see it."""
    if tag.name == "dialog" and not tag.has_attr("open"):
        return True
    return tag.has_attr("hidden") or bool(_HIDING.search(tag.get("style", "").lower()))


def normalise(text: str) -> str:
    """One spelling for texts that look the same, for use on documents and queries.

    Composes accents (NFC), turns the no-break space into a space and the no-break
    hyphen into a hyphen, drops soft hyphens and zero-width spaces. Keeps case, accents
    and the joiners of emoji. What is compared word by word goes further, see
    ``matching_form``.

    >>> normalise("cafe\u0301") == "café"
    True
    """
    return unicodedata.normalize("NFC", text.translate(_ALIKE))
