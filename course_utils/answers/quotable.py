r"""What of a page can be quoted: sentences, and listings as a whole. Notebook 09.

A heading says what a page is about and answers nothing. A command often stands in a
listing and nowhere else.

Library: ``markdown_it`` finds the listings, see ``search.units``.

>>> page = "# Disk\nLook first.\n```\ndf -i\n```"
>>> [page[start:end] for start, end, _ in quotable(page)]
['Look first.\n', 'df -i\n']
"""

from __future__ import annotations

from collections.abc import Iterator

import regex

from course_utils.search import units

_FENCE = regex.compile(r"[\s>]*(`{3,}|~{3,})")


def quotable(source: str) -> Iterator[tuple[int, int, str]]:
    """Find the parts of a page that may answer, in their order.

    Args:
        source: the page, as Markdown.

    Yields:
        start, end and kind: ``"prose"``, one sentence, or ``"code"``, all lines between
        two fences, without the fences.
    """
    fence, start, end = "", 0, 0
    for a, b, kind in units(source):
        mark = _FENCE.match(source, a, b) if kind == "code" else None
        closing = bool(fence and mark and mark[1].startswith(fence))
        if fence and (closing or kind != "code"):
            if start < end:
                yield start, end, "code"
            fence = ""
        elif kind == "code" and not fence and mark:
            fence, start, end = mark[1], b, b
            continue
        elif fence:
            end = b
        if kind == "prose":
            yield a, b, kind
    if fence and start < end:
        yield start, end, "code"
