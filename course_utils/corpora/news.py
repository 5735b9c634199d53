"""News in four classes: ours, a file of yours, or the real AG News."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from course_utils.corpora.reading import CorpusError, data_file, read_rows, read_text
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
        path: a csv in the layout of AG News (class 1 to 4, title, description).
        hub: the real AG News through the ``datasets`` library; needs the network, so
            only with ``COURSE_ONLINE=1``.
        corrected: undo the wrong labels planted in our training split.

    Raises:
        CorpusError: the file is malformed (with line and reason).
        ValueError: an unknown split.
        RuntimeError: ``hub=True`` without ``COURSE_ONLINE=1``, or without ``datasets``.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', not {split!r}")
    if hub:
        return list(_hub_news(split))
    if path is not None:
        return list(_ag_news(Path(path)))
    rows = read_rows(data_file(f"news/{split}.csv"), Article)
    if corrected:
        true = {noise.id: noise.true for noise in load_label_noise()}
        rows = [replace(row, label=true.get(row.id, row.label)) for row in rows]
    return rows


def clean_ag_text(text: str) -> str:
    r"""Mend what AG News carries over from web pages: entities, backslashes, blanks.

    >>> clean_ag_text("Oil tops  #36;50\\barrel &amp; rises, it#39;s &lt;b&gt;new")
    "Oil tops $50 barrel & rises, it's <b>new"
    """
    text = re.sub(r"(?<!&)#(\d{2,4});", r"&#\1;", text.replace("\\", " "))
    return re.sub(r"\s+", " ", html.unescape(text)).strip()


def _article(number: int, class_: str, title: str, description: str, where: str):
    if class_ not in ("1", "2", "3", "4"):
        raise CorpusError(f"{where}: class is {class_!r}, expected 1, 2, 3 or 4")
    title, description = clean_ag_text(title), clean_ag_text(description)
    if not title and not description:
        raise CorpusError(f"{where}: title and description are both empty")
    label = NEWS_LABELS[int(class_) - 1]
    return Article(f"ag{number}", label, None, None, title, description)


def _ag_news(path: Path) -> Iterator[Article]:
    with io.StringIO(read_text(path), newline="") as stream:
        reader = csv.reader(stream)
        number = 0
        for record in reader:
            where = f"{path.name} line {reader.line_num}"
            if not record:
                continue
            if len(record) != 3:
                raise CorpusError(
                    f"{where}: {len(record)} values, expected class, title, description"
                )
            if reader.line_num == 1 and not record[0].isdigit():
                continue  # a header
            number += 1
            yield _article(number, *record, where)
    if not number:
        raise CorpusError(f"{path.name}: there are no rows")


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
