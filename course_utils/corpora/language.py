"""Sentences, pairs, analogies, senses, probes and translations."""

from __future__ import annotations

from collections.abc import Iterable

from course_utils.corpora.reading import (
    CorpusError,
    data_file,
    read_rows,
    read_table,
    select,
)
from course_utils.corpora.rows import Analogy, Probe, Sense, SentencePair, Term

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


def load_sentences() -> dict[str, str]:
    """Return the six sentences that travel through every notebook, by a short name."""
    rows = read_table(data_file("sentences.csv"), ("key", "text"))
    return {row["key"]: row["text"] for _, row in rows}


def load_pairs(kinds: Iterable[str] | None = None) -> list[SentencePair]:
    """Return sentence pairs with a graded similarity; ``kinds`` selects some."""
    rows = read_rows(data_file("pairs.csv"), SentencePair)
    return select(rows, kinds, lambda row: row.kind)


def load_natural_pairs() -> list[SentencePair]:
    """Return sentence pairs as one meets them, all plain, with a graded similarity."""
    return read_rows(data_file("pairs_natural.csv"), SentencePair)


def load_analogies(relations: Iterable[str] | None = None) -> list[Analogy]:
    """Return word analogies; ``relations`` selects some."""
    rows = read_rows(data_file("analogies.csv"), Analogy, key=None)
    return select(rows, relations, lambda row: row.relation)


def load_senses(words: Iterable[str] | None = None) -> list[Sense]:
    """Return sentences with ambiguous words; ``words`` selects some."""
    rows = read_rows(data_file("senses.csv"), Sense, key=None)
    return select(rows, words, lambda row: row.word)


def load_failures(types: Iterable[str] | None = None) -> list[Probe]:
    """Return probes of where embeddings mislead; ``types`` selects some."""
    rows = read_rows(data_file("failures.csv"), Probe)
    return select(rows, types, lambda row: row.type)


def load_multilingual() -> list[dict[str, str]]:
    """Return sentences in many languages: ``id``, ``topic``, then language -> text."""
    path = data_file("multilingual.csv")
    rows = read_table(path)
    for line, row in rows:
        if not all(value.strip() for value in row.values()):
            raise CorpusError(f"{path.name} line {line}: a language is missing")
    return [row for _, row in rows]


def load_glossary() -> list[Term]:
    """Return the words of the field, in alphabetical order."""
    return read_rows(data_file("glossary.csv"), Term, key="term")
