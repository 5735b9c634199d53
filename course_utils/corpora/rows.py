"""One row of each data set, typed. ``data/README.md`` is their datasheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

NewsLabel = Literal["World", "Sports", "Business", "Sci/Tech"]
NEWS_LABELS: tuple[str, ...] = get_args(NewsLabel)  # in the order of AG News, 1 to 4
QueryKind = Literal["paraphrase", "identifier", "typo", "negation", "unanswerable"]


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
class GoldenAnswer:
    """A question for one command or fact, and the words of a page that answer it."""

    id: str
    split: Literal["dev", "test"]
    kind: Literal["command", "fact"]
    runbook: str
    text: str
    quote: str  # stands in the runbook, letter by letter


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
class Term:
    """A word of the field: one sentence, and the notebook that builds or defines it."""

    term: str
    sentence: str
    notebook: str


@dataclass(frozen=True)
class Ticket:
    """A support message with its intent; ``off_topic`` belongs to none."""

    id: str
    intent: str
    duplicate_of: str | None
    text: str
