"""News in four classes: ours, a file of yours, or the real AG News."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from course_utils import guards
from course_utils.corpora.reading import CorpusError, data_file, read_records, read_rows
from course_utils.corpora.rows import NEWS_LABELS, Article, LabelNoise, NearDuplicate


def load_news(
    split: Literal["train", "test"] = "train",
    *,
    path: str | Path | None = None,
    hub: bool = False,
    corrected: bool = False,
) -> list[Article]:
    """Load news articles in four classes: ours, a file of yours, or the real AG News.

    Args:
        split: ``"train"`` or ``"test"``.
        path: a csv in the layout of AG News (class 1 to 4, title, description), the
            split is then whatever the file holds.
        hub: the real AG News through the ``datasets`` library; needs the network, so
            only with ``COURSE_ONLINE=1``.
        corrected: undo the wrong labels planted in our training split.

    Raises:
        CorpusError: the file is malformed (with line and reason).
        ValueError: an unknown split, or two settings that exclude each other.
        RuntimeError: ``hub=True`` without ``COURSE_ONLINE=1``, or without ``datasets``.
    """
    if split not in ("train", "test"):
        raise ValueError(
            f"split must be 'train' or 'test', not {str(split)!r}; a file of yours is "
            f"load_news(path={str(split)!r})"
        )
    if (path is not None) + hub + corrected > 1:
        raise ValueError(
            "path=, hub= and corrected= exclude each other: only the course's own "
            "training split has planted labels to correct"
        )
    if hub:
        return list(_hub_news(split))
    if path is not None:
        return list(_ag_news(guards.path(path)))
    rows = read_rows(data_file(f"news/{split}.csv"), Article)
    if corrected:
        true = {noise.id: noise.true for noise in load_label_noise()}
        rows = [replace(row, label=true.get(row.id, row.label)) for row in rows]
    return rows


# The numbers that AG News writes between # and ;, signs of ASCII and those that Windows
# put where Latin-1 has none. "ticket #42;" is none of them.
_NUMBERS = {34, 36, 38, 39, 60, 62, *range(128, 256)}
_NUMBERS |= {8211, 8212, 8216, 8217, 8220, 8221, 8226, 8230, 8364, 8482}
_WHOLE = re.compile(r"&(#\d{1,6}|#[xX][0-9a-fA-F]{1,5}|[A-Za-z]{2,8}\d{0,2});")
# Without its &, in the place of which a blank stands: " quot;", "Iran #39;s".
_LOST = re.compile(
    r"[ ]?(?<!&)(?:#(?P<number>\d{2,4})|(?<!\S)(?P<name>quot|amp|lt|gt|nbsp|apos"
    r"|[mn]dash|[lr][sd]quo|hellip|eacute));"
)
_TAG = re.compile(
    r"</?(?P<name>a|b|i|u|em|strong|font|span|sup|sub|small|big|img|p|br|hr|div|li|ul"
    r"|ol|td|tr|table|center|blockquote)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_INLINE = "a b i u em strong font span sup sub small big".split()


def clean_ag_text(text: str) -> str:
    r"""Mend what AG News carries over from web pages: entities, tags, backslashes.

    Its pages lost the ``&`` of many entities on the way (``#39;``, `` quot;``). Only
    those that occur there are read back, so that other numbers stay numbers.

    >>> clean_ag_text("Oil tops  #36;50\\barrel &amp; rises, it#39;s &lt;b&gt;new")
    "Oil tops $50 barrel & rises, it's new"
    >>> clean_ag_text("Iran #39;s ticket #42; AT amp;T said:  quot;Buy! quot;")
    'Iran\'s ticket #42; AT&T said: "Buy!"'
    """
    text = text.replace("\\", " ")
    text = _WHOLE.sub(lambda found: html.unescape(found[0]), text)
    text = _TAG.sub(
        lambda found: "" if found["name"].lower() in _INLINE else " ",
        _LOST.sub(_lost_sign, text),
    )
    return re.sub(r"\s+", " ", text).strip()


def _lost_sign(found: re.Match) -> str:
    number, before = found["number"], found.string[: found.start()][-1:]
    if number is not None:
        glued = before.isalnum() and not found[0].startswith(" ")
        if int(number) not in _NUMBERS or (glued and int(number) in (34, 36, 38, 60)):
            return found[0]  # "#42;" and "C#36;" are no signs
    sign = html.unescape(f"&#{number};" if number else f"&{found['name']};")
    # The blank before it was its &; a sign that opens has a blank of its own.
    opens = sign in "$£€<‘“" and before.isalnum() and found[0].startswith(" ")
    return f" {sign}" if opens else sign


def _article(number: int, class_: str, title: str, description: str, where: str):
    if class_ not in ("1", "2", "3", "4"):
        raise CorpusError(f"{where}: class is {class_!r}, expected 1, 2, 3 or 4")
    title, description = clean_ag_text(title), clean_ag_text(description)
    if not title and not description:
        raise CorpusError(f"{where}: title and description are both empty")
    label = NEWS_LABELS[int(class_) - 1]
    return Article(f"ag{number}", label, None, None, title, description)


def _ag_news(path: Path) -> Iterator[Article]:
    number = 0
    for place, (line, record) in enumerate(read_records(path, skip_blanks=True)):
        where = f"{path.name} line {line}"
        if len(record) != 3:
            raise CorpusError(
                f"{where}: {len(record)} values, expected class, title, description"
            )
        class_, title, description = record
        if not place and _names_a_column(class_):
            continue
        number += 1
        yield _article(number, class_.strip(), title, description, where)
    if not number:
        raise CorpusError(f"{path.name}: there are no rows")


def _names_a_column(first: str) -> bool:
    """Whether a first row is a header: a word, and not the name of a class."""
    name = first.strip().lower()
    classes = {label.lower() for label in NEWS_LABELS}
    return any(map(str.isalpha, name)) and name not in classes


def _hub_news(split: str) -> Iterator[Article]:
    from course_utils.assets import online

    if not online():
        raise RuntimeError(
            "AG News comes from the Hub: set COURSE_ONLINE=1 first, or pass "
            "load_news(path=...) a local csv"
        )
    try:
        from datasets import load_dataset
    except ImportError:
        raise RuntimeError(
            "AG News comes through datasets: python -m pip install datasets"
        ) from None
    for number, row in enumerate(load_dataset("fancyzhx/ag_news", split=split), 1):
        # On the Hub the class counts from 0, and both texts are one field.
        title, _, description = row["text"].partition(". ")
        class_ = str(row["label"] + 1)
        yield _article(number, class_, title, description, f"ag_news row {number}")


def load_label_noise() -> list[LabelNoise]:
    """Return the 40 wrong labels planted in the training split."""
    return read_rows(data_file("news/label_noise.csv"), LabelNoise)


def load_near_duplicates() -> list[NearDuplicate]:
    """Return re-edited copies of test articles, to plant a leak with."""
    return read_rows(data_file("news/near_duplicates.csv"), NearDuplicate)
