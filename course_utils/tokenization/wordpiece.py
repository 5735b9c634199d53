"""WordPiece: learn the pieces by their score, then cut greedily. Built in notebook 01.

Library: ``transformers.BertTokenizer``; ``tokenizers.trainers.WordPieceTrainer``, which
learns by count (``train_wordpiece(..., by="count")``). Papers: Schuster, Nakajima 2012
(training); Wu et al. 2016 (arXiv 1609.08144).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from course_utils.tokenization.bpe import merge

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MARK = "##"
Pair = tuple[str, str]


def wordpiece(
    word: str,
    vocab: Container[str],
    unknown: str = "[UNK]",
    max_characters: int = 100,
) -> list[str]:
    """Cut one word greedily: the longest piece that the vocabulary has, then the next.

    Args:
        word: one word as the tokenizer's normaliser leaves it (MiniLM: lower case,
            no accents), without white space.
        vocab: the pieces; those that continue a word begin with ``##``.
        unknown: what stands for a word that cannot be cut.
        max_characters: longer words are unknown, as in the library.

    Returns:
        The pieces; ``[unknown]`` if any rest of the word fits no piece: one letter
        that is not in the vocabulary loses the whole word.

    >>> wordpiece("lowest", {"low", "##est", "##e", "##st"})
    ['low', '##est']
    >>> wordpiece("low★", {"low", "##est"})
    ['[UNK]']
    """
    if len(word) > max_characters:
        return [unknown]
    pieces: list[str] = []
    start = 0
    while start < len(word):
        mark = MARK if start else ""
        for end in range(len(word), start, -1):
            if mark + word[start:end] in vocab:
                break
        else:
            return [unknown]
        pieces.append(mark + word[start:end])
        start = end
    return pieces


def letters(word: str) -> list[str]:
    """A word as its smallest pieces: the first letter bare, the others marked.

    >>> letters("hug")
    ['h', '##u', '##g']
    """
    return [word[:1], *(MARK + letter for letter in word[1:])] if word else []


def join(left: str, right: str) -> str:
    """Write two neighbouring pieces as one.

    >>> join("hu", "##gs")
    'hugs'
    """
    return left + right.removeprefix(MARK)


def pair_scores(cuts: Iterable[tuple[Sequence[str], int]]) -> dict[Pair, Fraction]:
    """Score all neighbours: count of the pair over the counts of its halves.

    Args:
        cuts: (pieces of a word, how often the word occurs).

    Returns:
        pair -> ``count(left, right) / (count(left) * count(right))``, exact.

    >>> scores = pair_scores([(["hu", "##g"], 10), (["hu", "##gs"], 5)])
    >>> str(scores["hu", "##g"]), str(scores["hu", "##gs"])
    ('1/15', '1/15')
    """
    pieces: Counter[str] = Counter()
    pairs: Counter[Pair] = Counter()
    for cut, times in cuts:
        for piece in cut:
            pieces[piece] += times
        for pair in pairwise(cut):
            pairs[pair] += times
    return {
        (left, right): Fraction(count, pieces[left] * pieces[right])
        for (left, right), count in pairs.items()
    }


@dataclass
class Learnt:
    """What training found.

    Attributes:
        pieces: the vocabulary in the order of birth, letters first.
        merges: the pairs in the order in which they were merged.
    """

    pieces: list[str]
    merges: list[Pair]

    def replay(self, word: str) -> list[str]:
        """Cut a word as BPE does: all merges, in the order in which they were learnt.

        >>> Learnt([], [("h", "##u"), ("hu", "##g")]).replay("hug")
        ['hug']
        """
        cut = letters(word)
        for pair in self.merges:
            if len(cut) == 1:
                break
            if pair[0] in cut:
                cut = merge(cut, pair, join(*pair))
        return cut


def train_wordpiece(
    words: Mapping[str, int],
    vocab_size: int,
    by: Literal["score", "count"] = "score",
    alphabet: Iterable[str] = (),
) -> Learnt:
    """Learn pieces from counted words, merging the best pair again and again.

    Only words that hold the merged pair are recounted; the scores of all pairs are
    computed anew for each merge, because a merge changes the counts of its halves.

    Args:
        words: word -> how often it occurs, normalised and pre-tokenised.
        vocab_size: letters plus merged pieces; fewer if every word is one piece.
        by: ``"score"`` is WordPiece as published, ``"count"`` is BPE, which is what
            ``tokenizers.trainers.WordPieceTrainer`` really trains.
        alphabet: pieces that come first in the vocabulary, for a given order of ids.

    Returns:
        The pieces and the merges. Among equal pairs, the one with the oldest pieces
        wins, as in ``best_pair``.

    Raises:
        ValueError: there are no words, or ``by`` is neither of the two.

    >>> corpus = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
    >>> train_wordpiece(corpus, vocab_size=10).pieces[7:]
    ['##gs', 'hu', 'hugs']
    >>> train_wordpiece(corpus, vocab_size=10, by="count").pieces[7:]
    ['##ug', '##un', 'hug']
    """
    if not words:
        raise ValueError("there is nothing to learn from no words")
    if by not in ("score", "count"):
        raise ValueError(f"by is 'score' or 'count', not {by!r}")
    cuts, times = [letters(word) for word in words], list(words.values())
    pieces: Counter[str] = Counter()
    pairs: Counter[Pair] = Counter()
    holders: defaultdict[Pair, set[int]] = defaultdict(set)  # pair -> word numbers

    def count(number: int, weight: int) -> None:
        for piece in cuts[number]:
            pieces[piece] += weight
        for pair in pairwise(cuts[number]):
            pairs[pair] += weight
            if not pairs[pair]:
                del pairs[pair]
            elif weight > 0:
                holders[pair].add(number)

    for number in range(len(cuts)):
        count(number, times[number])
    born = {p: i for i, p in enumerate(dict.fromkeys([*alphabet, *pieces]))}
    merges: list[Pair] = []
    while pairs and len(born) < vocab_size:
        # Python rounds the quotient of two whole numbers correctly, so equal scores
        # are equal floats: ties are found without the price of fractions.
        values = pairs if by == "count" else {
            (left, right): n / (pieces[left] * pieces[right])
            for (left, right), n in pairs.items()
        }  # fmt: skip
        top = max(values.values())
        tied = (pair for pair, value in values.items() if value == top)
        best = min(tied, key=lambda pair: (born[pair[0]], born[pair[1]]))
        merges.append(best)
        born.setdefault(join(*best), len(born))
        for number in holders.pop(best):
            if best in pairwise(cuts[number]):
                count(number, -times[number])
                cuts[number] = merge(cuts[number], best, join(*best))
                count(number, times[number])
    return Learnt(list(born), merges)


def count_words(text: str, tokenizer: Tokenizer) -> Counter[str]:
    """Count the words of a text as the first two stages of a tokenizer leave them.

    Args:
        text: any string.
        tokenizer: a tokenizer of the library with a normaliser and a pre-tokeniser,
            such as ``assets.tokenizer().backend_tokenizer``.

    Returns:
        word -> how often it occurs, in the order of first meeting.
    """
    clean = tokenizer.normalizer.normalize_str(text)
    return Counter(w for w, _ in tokenizer.pre_tokenizer.pre_tokenize_str(clean))
