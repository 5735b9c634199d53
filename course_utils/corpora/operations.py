"""The handbook of runbooks, its golden queries, training pairs and tickets."""

from __future__ import annotations

import re
from typing import Literal

from course_utils.corpora.reading import (
    CorpusError,
    _fill,
    data_file,
    read_rows,
    read_text,
    unix,
)
from course_utils.corpora.rows import (
    GoldenAnswer,
    HeldOutPair,
    Query,
    Relevance,
    Runbook,
    Ticket,
    TrainingPair,
)

_FRONT = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)


def parse_runbook(name: str, text: str) -> Runbook:
    """Read one Markdown page with front matter, whatever system wrote its lines.

    Raises:
        CorpusError: the front matter is missing, lacks a field or has a wrong value.
    """
    found = _FRONT.match(unix(text))
    if found is None:
        raise CorpusError(f"{name}.md line 1: no front matter between two lines '---'")
    record: dict[str, str | None] = {"id": name, "text": found[2].strip()}
    for number, line in enumerate(found[1].split("\n"), 2):
        field, colon, value = line.partition(":")
        if not colon:
            raise CorpusError(
                f"{name}.md line {number}: {line!r} is not 'field: value'"
            )
        record[field.strip()] = value.strip()
    return _fill(Runbook, record, f"{name}.md")


def load_runbooks() -> list[Runbook]:
    """Return the operations handbook of an invented platform, by file name."""
    pages = [
        parse_runbook(path.stem, read_text(path))
        for path in sorted(data_file("ops/runbooks").glob("*.md"))
    ]
    names = {page.id for page in pages}
    for page in pages:
        if page.of is not None and page.of not in names:
            raise CorpusError(f"{page.id}.md: of: {page.of} is no page")
        if (page.of is None) != (page.status == "current"):
            raise CorpusError(f"{page.id}.md: status {page.status} with of: {page.of}")
    return pages


def load_queries(split: Literal["dev", "test"] | None = None) -> list[Query]:
    """Return the queries of the golden set; None for both splits."""
    if split not in (None, "dev", "test"):
        raise ValueError(f"split must be 'dev', 'test' or None, not {split!r}")
    rows = read_rows(data_file("ops/queries.csv"), Query)
    return [row for row in rows if split in (None, row.split)]


def load_answers(split: Literal["dev", "test"] | None = None) -> list[GoldenAnswer]:
    """Return questions with the words that answer them; None for both splits."""
    if split not in (None, "dev", "test"):
        raise ValueError(f"split must be 'dev', 'test' or None, not {split!r}")
    rows = read_rows(data_file("ops/answers.csv"), GoldenAnswer)
    return [row for row in rows if split in (None, row.split)]


def load_relevance() -> dict[str, dict[str, int]]:
    """Return the golden set's judgements: query id -> runbook id -> grade 1 to 3."""
    judged: dict[str, dict[str, int]] = {}
    for row in read_rows(data_file("ops/relevance.csv"), Relevance, key=None):
        if row.runbook in judged.setdefault(row.query_id, {}):
            raise CorpusError(
                f"relevance.csv: {row.query_id} judges {row.runbook} twice"
            )
        judged[row.query_id][row.runbook] = row.grade
    return judged


def load_training_pairs() -> list[TrainingPair]:
    """Return jargon-to-plain pairs for contrastive training."""
    return read_rows(data_file("ops/pairs_train.csv"), TrainingPair)


def load_heldout_pairs(
    kind: Literal["known_term", "unseen_runbook"] | None = None,
) -> list[HeldOutPair]:
    """Return jargon-to-plain pairs for testing; None for both kinds."""
    if kind not in (None, "known_term", "unseen_runbook"):
        raise ValueError(f"kind is 'known_term', 'unseen_runbook' or None: {kind!r}")
    rows = read_rows(data_file("ops/pairs_heldout.csv"), HeldOutPair)
    return [row for row in rows if kind in (None, row.kind)]


def load_tickets() -> list[Ticket]:
    """Return support messages with their intent."""
    return read_rows(data_file("tickets.csv"), Ticket)
