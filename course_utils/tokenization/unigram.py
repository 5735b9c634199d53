"""Unigram: every piece has a probability, and the likeliest cut wins.

Built in notebook 01.

Library: ``tokenizers.models.Unigram`` and ``trainers.UnigramTrainer``, SentencePiece.
Paper: Kudo 2018 (arXiv 1804.10959).

>>> model = Unigram({"u": -2.0, "n": -2.0, "un": -3.0})
>>> model.cut("unun")
['un', 'un']
>>> model.cut("u★n")  # a character that no piece holds stands for itself
['u', '★', 'n']
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, inf, log, log1p

UNKNOWN = "<unk>"  # counts what no piece covers; takes one place in the vocabulary
PENALTY = 10.0  # an unknown character is e^10 times less likely than any piece


def _add(a: float, b: float) -> float:
    """``log(exp(a) + exp(b))``, without leaving the logarithms."""
    if a < b:
        a, b = b, a
    return a if b == -inf else a + log1p(exp(b - a))


@dataclass
class Unigram:
    """Pieces with their log probabilities.

    Attributes:
        scores: piece -> natural logarithm of its probability.
    """

    scores: dict[str, float]
    longest: int = field(init=False, repr=False)
    unknown: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Note the longest piece and the price of an unknown character.

        Raises:
            ValueError: there are no pieces.
        """
        if not self.scores:
            raise ValueError("a unigram model needs at least one piece")
        self.longest = max(map(len, self.scores))
        self.unknown = min(self.scores.values()) - PENALTY

    def spans(self, word: str) -> list[tuple[int, int, float]]:
        """Every piece that stands somewhere in a word: start, end, log probability.

        >>> Unigram({"a": -1.0, "ab": -2.0}).spans("ab")
        [(0, 1, -1.0), (0, 2, -2.0), (1, 2, -12.0)]
        """
        found = []
        for start in range(len(word)):
            for end in range(start + 1, min(start + self.longest, len(word)) + 1):
                score = self.scores.get(word[start:end])
                if score is None and end == start + 1:
                    score = self.unknown
                if score is not None:
                    found.append((start, end, score))
        return found

    def cut(self, word: str, without: str | None = None) -> list[str]:
        """Cut a word in the likeliest way (Viterbi), in one walk from left to right.

        The best way to each place is kept; it starts at log 1 = 0. Among equals, the
        first piece found stays.

        Args:
            word: any string.
            without: a piece that may not be used, to see what would replace it.
        """
        best = [0.0] + [-inf] * len(word)
        came_from = [0] * (len(word) + 1)
        for start, end, score in self.spans(word):
            if best[start] + score > best[end] and word[start:end] != without:
                best[end], came_from[end] = best[start] + score, start
        pieces, end = [], len(word)
        while end:
            pieces.append(word[came_from[end] : end])
            end = came_from[end]
        return pieces[::-1]

    def expected(self, word: str) -> tuple[dict[str, float], float]:
        """Count the pieces of a word in all its cuts, each cut by its probability.

        What ends at a place (forward) and what begins there (backward) is summed once,
        so the number of cuts, which doubles with every letter, does not matter.

        Returns:
            Expected counts, piece -> count, and the log probability of the word.

        >>> counts, _ = Unigram({"u": -2.0, "n": -2.0, "un": -4.0}).expected("un")
        >>> {piece: round(count, 2) for piece, count in counts.items()}
        {'u': 0.5, 'un': 0.5, 'n': 0.5}
        """
        spans, size = self.spans(word), len(word)
        forward = [0.0] + [-inf] * size
        backward = [-inf] * size + [0.0]
        for start, end, score in spans:
            forward[end] = _add(forward[end], forward[start] + score)
        for start, end, score in reversed(spans):
            backward[start] = _add(backward[start], score + backward[end])
        total = forward[size]
        counts: Counter[str] = Counter()
        for start, end, score in spans:
            piece = word[start:end]
            name = piece if piece in self.scores else UNKNOWN
            counts[name] += exp(forward[start] + score + backward[end] - total)
        return dict(counts), total


def seed_pieces(
    words: Mapping[str, int], longest: int = 16, size: int = 1_000_000
) -> dict[str, float]:
    """Collect the pieces to begin with: all characters and all repeated substrings.

    A character weighs as often as it occurs, a substring its count times its length.
    (``tokenizers`` counts a substring once per distinct word and leaves out those that
    are always followed by the same letter: other seeds, other pieces.)

    Args:
        words: word -> how often it occurs.
        longest: characters of the longest piece.
        size: how many pieces at most, the heaviest first; characters always stay.

    Returns:
        piece -> log of its share of the weight.

    >>> sorted(seed_pieces({"hug": 2, "pug": 1}))
    ['g', 'h', 'hu', 'hug', 'p', 'u', 'ug']
    """
    if not words:
        raise ValueError("there is nothing to learn from no words")
    weights: Counter[str] = Counter()
    for word, times in words.items():
        for start in range(len(word)):
            for end in range(start + 1, min(start + longest, len(word)) + 1):
                weights[word[start:end]] += times * (end - start)
    kept = {piece: w for piece, w in weights.items() if len(piece) == 1}
    for piece, weight in weights.most_common():
        if len(kept) >= size:
            break
        if len(piece) > 1 and weight > len(piece):
            kept[piece] = weight
    total = sum(kept.values())
    return {piece: log(weight / total) for piece, weight in kept.items()}


def expectation_step(
    model: Unigram, words: Mapping[str, int]
) -> tuple[dict[str, float], float]:
    """Add up the expected counts of all words.

    Returns:
        piece -> expected count in the text, and the log likelihood per word.
    """
    counts: Counter[str] = Counter()
    likelihood = 0.0
    for word, times in words.items():
        found, total = model.expected(word)
        likelihood += times * total
        for piece, count in found.items():
            counts[piece] += times * count
    return dict(counts), likelihood / sum(words.values())


def maximisation_step(model: Unigram, counts: Mapping[str, float]) -> Unigram:
    """Turn expected counts into probabilities; what is expected less than half goes.

    The logarithm is replaced by its cousin, the digamma function, as in SentencePiece:
    it lies below the logarithm, most of all for small counts, and so starves pieces
    that are rarely needed.
    """
    from scipy.special import digamma

    kept = {p: counts[p] for p in model.scores if counts.get(p, 0.0) >= 0.5}
    scores = digamma(list(kept.values())) - digamma(sum(kept.values()))
    return Unigram(dict(zip(kept, scores.tolist(), strict=True)))


def removal_losses(
    model: Unigram, words: Mapping[str, int], spread: int | None = None
) -> dict[str, float]:
    """Estimate what the text's log likelihood loses if a piece is taken away.

    Each piece is thought to be replaced by its own best cut without itself.

    Args:
        model: pieces and scores.
        words: word -> how often it occurs.
        spread: how many pieces a replacement has, for the new total of pieces; None
            counts them. (``tokenizers`` puts the size of the vocabulary here.)

    Returns:
        piece -> loss per word; ``inf`` for pieces that nothing can replace. Pieces
        that no best cut uses are missing: they cost nothing.
    """
    used: Counter[str] = Counter()
    for word, times in words.items():
        for piece in model.cut(word):
            used[piece if piece in model.scores else UNKNOWN] += times
    total, everything = sum(used.values()), sum(words.values())
    losses = {}
    for piece in model.scores:
        if len(piece) == 1:
            losses[piece] = inf
        elif used[piece] and model.cut(piece) == [piece]:
            others = model.cut(piece, without=piece)
            parts = len(others) if spread is None else spread
            now = log(used[piece] / total)
            new_total = total + used[piece] * (parts - 1)
            names = [p if p in model.scores else UNKNOWN for p in others]
            then = sum(log((used[p] + used[piece]) / new_total) for p in names)
            losses[piece] = used[piece] / everything * (now - then)
    return losses


def prune(
    model: Unigram, words: Mapping[str, int], size: int, like_library: bool = False
) -> Unigram:
    """Keep the ``size`` pieces whose removal would lose most; characters stay."""
    spread = len(model.scores) + 1 if like_library else None
    losses = removal_losses(model, words, spread)
    order = sorted(losses, key=losses.get, reverse=True)
    keep = max(size, sum(loss == inf for loss in losses.values()))
    return Unigram({piece: model.scores[piece] for piece in order[:keep]})


def train_unigram(
    words: Mapping[str, int],
    vocab_size: int,
    seeds: Mapping[str, float] | None = None,
    like_library: bool = False,
) -> Unigram:
    """Begin with too many pieces and take away what the text can do without.

    Two rounds of expectation and maximisation, then a quarter of the pieces goes, until
    a tenth more than wanted is left; of these, the best stay.

    Args:
        words: word -> how often it occurs.
        vocab_size: pieces wanted, one place for the unknown included.
        seeds: pieces to begin with; None takes ``seed_pieces(words)``.
        like_library: estimate losses as ``tokenizers`` does, see ``removal_losses``.

    Raises:
        ValueError: there are no words, or not even their characters find a place.
    """
    characters = {character for word in words for character in word}
    if vocab_size <= len(characters):
        raise ValueError(
            f"vocab_size {vocab_size} is too small: {len(characters)} characters and "
            "the unknown come first"
        )
    model = Unigram(dict(seed_pieces(words) if seeds is None else seeds))
    room = vocab_size * 11 // 10
    while True:
        for _ in range(2):
            model = maximisation_step(model, expectation_step(model, words)[0])
        size = len(model.scores) + 1
        if size <= room:
            break
        model = prune(model, words, max(room, int(size * 0.75)) - 1, like_library)
    floor = min(model.scores.values())
    scores = {c: model.scores.get(c, floor) for c in sorted(characters)}
    for piece, score in model.scores.items():
        if len(scores) + 1 < vocab_size:
            scores.setdefault(piece, score)
    return Unigram(scores)
