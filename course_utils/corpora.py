"""The authored data sets as typed rows. ``data/README.md`` is their datasheet.

Every loader returns a list of frozen rows and rejects a malformed file with its line.

>>> load_sentences()["cat"]
'The cat sat on the mat.'
>>> load_news("test")[0].label in NEWS_LABELS
True
"""

from __future__ import annotations

import csv
import html
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, TypeVar, get_args, get_origin, get_type_hints

Row = TypeVar("Row")
_ROOT = Path(__file__).parent

NewsLabel = Literal["World", "Sports", "Business", "Sci/Tech"]
NEWS_LABELS: tuple[str, ...] = get_args(NewsLabel)  # in the order of AG News, 1 to 4
LANGUAGES = {
    "en": "English",
    "es": "Spanish",
    "de": "German",
    "fr": "French",
    "pt": "Portuguese",
    "tr": "Turkish",
    "zh": "Chinese",
    "ja": "Japanese",
    "ru": "Russian",
    "ar": "Arabic",
    "hi": "Hindi",
}
QueryKind = Literal["paraphrase", "identifier", "typo", "negation", "unanswerable"]


class CorpusError(ValueError):
    """A data file is malformed; the message names the file, the line and the reason."""


def data_file(name: str) -> Path:
    """Find a file of ``data/``: in the repository, or inside the installed package.

    Raises:
        FileNotFoundError: there is no such file in either place.
    """
    for folder in (_ROOT / "_data", _ROOT.parent / "data"):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"data/{name} is not part of this course")


# -- rows ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Article:
    """A news item. ``border`` names the other class that a careful reader might choose.

    A model sees ``text`` only; ``border`` and ``style`` are for the analysis.
    """

    id: str
    label: NewsLabel
    border: NewsLabel | None
    style: Literal["wire", "feature", "brief"] | None
    title: str
    description: str

    @property
    def text(self) -> str:
        """Title and description as one string."""
        return f"{self.title}. {self.description}"


@dataclass(frozen=True)
class NearDuplicate(Article):
    """A re-edited copy of the test article ``original``, for the lesson on leaks."""

    original: str


@dataclass(frozen=True)
class LabelNoise:
    """A planted wrong label: ``given`` stands in train.csv, ``true`` would be right."""

    id: str
    given: NewsLabel
    true: NewsLabel


@dataclass(frozen=True)
class Runbook:
    """A page of the operations handbook; ``id`` is its file name without ``.md``."""

    id: str
    title: str
    service: str
    code: str | None
    status: Literal["current", "stale", "duplicate"]
    of: str | None  # what it duplicates, or what replaces it
    updated: str
    text: str  # Markdown, beginning with the title


@dataclass(frozen=True)
class Query:
    """A search query of the golden set."""

    id: str
    split: Literal["dev", "test"]
    kind: QueryKind
    text: str


@dataclass(frozen=True)
class Relevance:
    """How far a runbook helps with a query: 3 answers it, 2 helps, 1 is related."""

    query_id: str
    runbook: str
    grade: Literal[1, 2, 3]


@dataclass(frozen=True)
class TrainingPair:
    """A remark in jargon and the same in plain words."""

    id: str
    term: str
    runbook: str
    anchor: str
    positive: str


@dataclass(frozen=True)
class HeldOutPair(TrainingPair):
    """A pair for testing: a known term in a new sentence, or an unseen runbook."""

    kind: Literal["known_term", "unseen_runbook"]


@dataclass(frozen=True)
class SentencePair:
    """Two sentences with a graded similarity of 0 to 5."""

    id: str
    domain: Literal["everyday", "news", "ops"]
    kind: Literal["plain", "negation", "number", "role_swap", "entity_swap"]
    a: str
    b: str
    grade: float


@dataclass(frozen=True)
class Analogy:
    """``a`` is to ``b`` as ``c`` is to ``d``."""

    relation: str
    a: str
    b: str
    c: str
    d: str


@dataclass(frozen=True)
class Sense:
    """A sentence that uses an ambiguous word in one of its senses."""

    word: str
    sense: str
    split: Literal["support", "query"]
    sentence: str


@dataclass(frozen=True)
class Probe:
    """Two texts that an embedding may confuse, and what a careful reader says."""

    id: str
    type: str
    cause: Literal[
        "tokenizer", "position", "pooling", "training_data", "threshold", "none"
    ]
    a: str
    b: str
    expected: Literal["same", "different", "opposite", "ordered", "unrelated"]
    note: str


@dataclass(frozen=True)
class Ticket:
    """A support message with its intent; ``off_topic`` belongs to none."""

    id: str
    intent: str
    duplicate_of: str | None
    text: str


# -- reading ---------------------------------------------------------------------------


def _fill(kind: type[Row], record: dict[str, str | None], where: str) -> Row:
    values = {}
    for name, hint in get_type_hints(kind).items():
        text = record.get(name)
        if text is None:
            raise CorpusError(f"{where}: column {name!r} is missing")
        values[name] = _convert(name, text, hint, where)
    return kind(**values)


def _convert(name: str, text: str, hint: object, where: str) -> object:
    parts = get_args(hint)
    if get_origin(hint) is not Literal and type(None) in parts:
        if not text:
            return None
        hint = parts[0]
    if get_origin(hint) is Literal:
        by_text = {str(allowed): allowed for allowed in get_args(hint)}
        if text not in by_text:
            known = ", ".join(by_text)
            raise CorpusError(f"{where}: {name} is {text!r}, not one of {known}")
        return by_text[text]
    if hint is float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise CorpusError(f"{where}: {name} is {text!r}, not a number")
        return value
    if not text.strip():
        raise CorpusError(f"{where}: {name} is empty")
    return text


def _read_text(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        reason = f"not UTF-8 ({error.reason})"
        raise CorpusError(f"{path.name} line {line}: {reason}") from None


def read_rows(path: Path, kind: type[Row], key: str | None = "id") -> list[Row]:
    """Read a CSV file with a header into typed rows.

    Args:
        path: the file, UTF-8.
        kind: a dataclass whose fields are the columns.
        key: the column that must not repeat; None where rows have no key.

    Raises:
        CorpusError: a column is missing or superfluous, a value is not of its kind, a
            key repeats, the text is not UTF-8; with file, line and reason.
    """
    rows: list[Row] = []
    seen: dict[str, int] = {}
    try:
        with io.StringIO(_read_text(path), newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            expected = {field.name for field in fields(kind)}
            found = set(reader.fieldnames or [])
            if found != expected:
                raise CorpusError(
                    f"{path.name} line 1: columns {sorted(found)}, "
                    f"expected {sorted(expected)}"
                )
            for record in reader:
                where = f"{path.name} line {reader.line_num}"
                if None in record:
                    raise CorpusError(f"{where}: more values than columns")
                rows.append(_fill(kind, record, where))
                if key is None:
                    continue
                name = record[key]
                if name in seen:
                    raise CorpusError(
                        f"{where}: {key} {name!r} was used in line {seen[name]}"
                    )
                seen[name] = reader.line_num
    except csv.Error as error:
        raise CorpusError(f"{path.name} line {len(rows) + 2}: {error}") from None
    if not rows:
        raise CorpusError(f"{path.name}: there are no rows")
    return rows


def load_sentences() -> dict[str, str]:
    """Return the six sentences that travel through every notebook, by a short name."""
    with data_file("sentences.csv").open(encoding="utf-8", newline="") as stream:
        return {row["key"]: row["text"] for row in csv.DictReader(stream)}


# -- news ------------------------------------------------------------------------------


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
    with io.StringIO(_read_text(path), newline="") as stream:
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


# -- operations ------------------------------------------------------------------------

_FRONT = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)


def parse_runbook(name: str, text: str) -> Runbook:
    """Read one Markdown page with front matter.

    Raises:
        CorpusError: the front matter is missing, lacks a field or has a wrong value.
    """
    found = _FRONT.match(text)
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
        parse_runbook(path.stem, _read_text(path).replace("\r\n", "\n"))
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


# -- language --------------------------------------------------------------------------


def load_pairs(kinds: Iterable[str] | None = None) -> list[SentencePair]:
    """Return sentence pairs with a graded similarity; ``kinds`` selects some."""
    rows = read_rows(data_file("pairs.csv"), SentencePair)
    return _select(rows, kinds, lambda row: row.kind)


def load_natural_pairs() -> list[SentencePair]:
    """Return sentence pairs as one meets them, all plain, with a graded similarity."""
    return read_rows(data_file("pairs_natural.csv"), SentencePair)


def load_analogies(relations: Iterable[str] | None = None) -> list[Analogy]:
    """Return word analogies; ``relations`` selects some."""
    rows = read_rows(data_file("analogies.csv"), Analogy, key=None)
    return _select(rows, relations, lambda row: row.relation)


def load_senses(words: Iterable[str] | None = None) -> list[Sense]:
    """Return sentences with ambiguous words; ``words`` selects some."""
    rows = read_rows(data_file("senses.csv"), Sense, key=None)
    return _select(rows, words, lambda row: row.word)


def load_failures(types: Iterable[str] | None = None) -> list[Probe]:
    """Return probes of where embeddings mislead; ``types`` selects some."""
    rows = read_rows(data_file("failures.csv"), Probe)
    return _select(rows, types, lambda row: row.type)


def load_tickets() -> list[Ticket]:
    """Return support messages with their intent."""
    return read_rows(data_file("tickets.csv"), Ticket)


def load_multilingual() -> list[dict[str, str]]:
    """Return sentences in many languages: ``id``, ``topic``, then language -> text."""
    path = data_file("multilingual.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows, 2):
        if None in row or not all(value and value.strip() for value in row.values()):
            raise CorpusError(f"{path.name} line {number}: a language is missing")
    return rows


def _select(
    rows: list[Row], wanted: Iterable[str] | None, key: Callable[[Row], str]
) -> list[Row]:
    if wanted is None:
        return rows
    if isinstance(wanted, str):
        raise TypeError(f"pass a list of names, such as [{wanted!r}]")
    wanted = list(wanted)
    known = {key(row) for row in rows}
    for name in wanted:
        if name not in known:
            raise ValueError(f"{name!r} is unknown: choose from {sorted(known)}")
    return [row for row in rows if key(row) in wanted]
