"""What a model will make of your texts, before anything is searched.

Terms that fall to pieces, lengths and what a limit would cut, doubles and pairs that
nearly are, scripts. It counts; it does not judge whether your texts are good.

Used in notebook 14. Libraries: ``tokenizers``, ``datasketch``. Papers: Broder 1997 for
the near doubles (doi 10.1109/SEQUEN.1997.666900).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_utils import guards
from course_utils.tokenization import audit_terms, matching_words

if TYPE_CHECKING:
    import pandas as pd

    from course_utils.assets import Vocabulary

NEAR = 0.7  # share of three-word runs in common from which two texts are nearly doubles
WORDS = 5000  # so many of the most frequent words are audited
READ_BY_MINILM = 254  # 256 with [CLS] and [SEP]


@dataclass(frozen=True)
class Double:
    """Two documents that say the same, or nearly.

    Attributes:
        one: an id.
        other: another id.
        shared: the share of three-word runs in common; 1 for the same letters.
        differs: words that only one of them has: the new number, the old name.
    """

    one: str
    other: str
    shared: float
    differs: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """What ``audit`` found.

    Attributes:
        terms: a row per word: ``term``, ``pieces``, ``tokens``, ``unknown``, ``count``
            in all documents; first what costs most pieces in sum.
        lengths: a row per document, longest first: ``document``, ``tokens``, ``lost``
            (tokens behind the limit, if it were read in one piece).
        doubles: pairs, the most alike first.
        scripts: script -> share of the letters, the largest first.
        unknown: the share of all tokens that the vocabulary does not know.
        limit: tokens that the model reads of one text.
    """

    terms: pd.DataFrame
    lengths: pd.DataFrame
    doubles: list[Double]
    scripts: Mapping[str, float]
    unknown: float
    limit: int

    @property
    def cut(self) -> int:
        """How many documents are longer than the limit."""
        return int((self.lengths["lost"] > 0).sum())

    @property
    def lost(self) -> float:
        """The share of all tokens that lies behind the limit."""
        return float(self.lengths["lost"].sum() / max(1, self.lengths["tokens"].sum()))


def audit(
    documents: Mapping[str, str],
    vocabulary: Vocabulary,
    limit: int = READ_BY_MINILM,
    near: float = NEAR,
) -> Audit:
    """Look at texts as a model will.

    Args:
        documents: id -> text, such as ``library.index.documents``.
        vocabulary: the tokenizer of the model, one of ``assets.vocabularies()``.
        limit: tokens that the model reads of one text, special tokens not counted.
        near: the share of three-word runs from which two texts are listed as a pair.

    Raises:
        ValueError: there are no documents, or the limit is below 1.

    >>> from course_utils.assets import vocabularies
    >>> pages = {"a": "kubectl evicts kubelet pods", "b": "kubectl again"}
    >>> found = audit(pages, vocabularies()["wordpiece"])
    >>> found.terms["pieces"][0], found.terms["count"].tolist()[0], found.cut
    ('ku·be·ct·l', 2, 0)
    """
    if not documents:
        raise ValueError("there are no documents to look at")
    limit = guards.whole("limit", limit, low=1)
    lengths, unknown = _lengths(documents, vocabulary, limit)
    return Audit(
        _terms(documents, vocabulary),
        lengths,
        doubles(documents, near),
        scripts(documents.values()),
        unknown,
        limit,
    )


def _terms(documents: Mapping[str, str], vocabulary: Vocabulary) -> pd.DataFrame:
    """The words that fall to most pieces, weighted by how often they occur."""
    counts: Counter[str] = Counter()
    for text in documents.values():
        counts.update(matching_words(text, identifiers=True))
    words = [word for word, _ in counts.most_common(WORDS) if len(word) > 2]
    table = audit_terms(words or ["-"], vocabulary)
    table["count"] = [counts[word] for word in table["term"]]
    cost = (table["tokens"] - 1) * table["count"]
    table = table.assign(cost=cost)[cost > 0]
    table = table.sort_values(["cost", "term"], ascending=[False, True])
    names = ["term", "pieces", "tokens", "unknown", "count"]
    return table[names].reset_index(drop=True)


def _lengths(documents, vocabulary, limit: int) -> tuple[pd.DataFrame, float]:
    import pandas as pd

    rows, unseen = [], 0
    for name, text in documents.items():
        pieces = vocabulary.pieces(text)
        unseen += pieces.count("[UNK]")
        rows.append((name, len(pieces), max(0, len(pieces) - limit)))
    table = pd.DataFrame(rows, columns=["document", "tokens", "lost"])
    table = table.sort_values(["tokens", "document"], ascending=[False, True])
    return table.reset_index(drop=True), unseen / max(1, int(table["tokens"].sum()))


def scripts(texts) -> dict[str, float]:
    """The share of the letters that each script has, the largest first.

    A script is no language: Latin letters write English and Turkish.

    >>> scripts(["abc", "где"])
    {'LATIN': 0.5, 'CYRILLIC': 0.5}
    """
    letters: Counter[str] = Counter()
    for text in texts:
        letters.update(text)
    found: Counter[str] = Counter()
    for letter, count in letters.items():
        if letter.isalpha():
            name = unicodedata.name(letter, "OTHER").partition(" ")[0]
            found[name.partition("-")[0]] += count
    whole = sum(found.values())
    return {name: count / whole for name, count in found.most_common()}


def doubles(documents: Mapping[str, str], near: float = NEAR) -> list[Double]:
    """Pairs of documents that say the same in the same words, or nearly.

    Pairs are found by sketches (MinHash), so a few of them may be missed; each that is
    listed has been compared word by word. Which of two is out of date, only you know:
    the words in which they differ help to see it.

    Raises:
        ValueError: ``near`` is not between 0 and 1.
    """
    from course_utils.applications import duplicates

    if not 0 < near < 1:
        raise ValueError(f"near must lie between 0 and 1, got {near}")
    names = [n for n, text in documents.items() if duplicates.same_letters(text)]
    texts = [documents[name] for name in names]
    if len(texts) < 2:
        return []
    runs = [duplicates.word_shingles(text) for text in texts]
    sketches = [duplicates.sketch(run, 128) for run in runs]
    # A sketch errs by a tenth: look a little further, then compare exactly.
    pairs = set(duplicates.sketched_pairs(sketches, max(0.05, near - 0.1)))
    pairs |= set(duplicates.exact_pairs(texts))
    found = []
    for i, j in pairs:
        shared = duplicates.jaccard(runs[i], runs[j])
        if shared >= near:
            found.append(
                Double(names[i], names[j], shared, _between(texts[i], texts[j]))
            )
    return sorted(found, key=lambda pair: (-pair.shared, pair.one, pair.other))


def _between(one: str, other: str, most: int = 8) -> tuple[str, ...]:
    """Words that only one of two texts has, in their order."""
    words = [matching_words(text, identifiers=True) for text in (one, other)]
    both = set(words[0]) & set(words[1])
    only = (word for some in words for word in some if word not in both)
    return tuple(dict.fromkeys(only))[:most]


def summary(found: Audit, most: int = 5) -> list[str]:
    """The audit in sentences, for people."""
    count = len(found.lengths)
    rows: list[str] = []
    worst: Sequence = found.terms.head(most).itertuples()
    terms = ", ".join(f"{row.term} ({row.pieces}, {row.count} times)" for row in worst)
    rows.append(f"Words in most pieces: {terms or 'none'}.")
    longest = found.lengths.iloc[0]
    rows.append(
        f"{count} documents, the longest has {longest['tokens']} tokens; {found.cut} "
        f"have more than {found.limit}: read in one piece, {found.lost:.0%} of all "
        "tokens would be lost."
    )
    same = sum(pair.shared == 1 for pair in found.doubles)
    rows.append(f"{same} pairs say the same, {len(found.doubles) - same} nearly.")
    shares = ", ".join(f"{n.lower()} {s:.0%}" for n, s in found.scripts.items())
    rows.append(f"Letters: {shares or 'none'}; unknown tokens: {found.unknown:.1%}.")
    return rows
