"""From an id to a row, and what the rows know. Built in notebook 02.

Library: ``torch.nn.Embedding``, ``gensim.models.KeyedVectors``. Papers: Mikolov et al.
2013 (arXiv 1301.3781 and 1310.4546), Levy and Goldberg 2014 on analogies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from course_utils import assets, tokenization


def one_hot(ids: Tensor, size: int) -> Tensor:
    """Ids as vectors with a single 1: (...,) -> (..., size).

    Raises:
        TypeError: ids are no tensor.
        ValueError: an id is negative or not below ``size``, or no whole number.

    >>> one_hot(torch.tensor([2, 0]), 3)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    _check_ids(ids, size)
    return torch.nn.functional.one_hot(ids.long(), size).float()


def rows(table: Tensor, ids: Tensor) -> Tensor:
    """Read rows of a table: (size, dim) and ids (...,) -> (..., dim).

    The same as ``one_hot(ids, size) @ table`` and as ``torch.nn.functional.embedding``,
    without the multiplications by zero. A negative id is refused: Python would quietly
    count it from the end.

    Raises:
        TypeError: ids are no tensor.
        ValueError: an id is not in the table, or ids are not whole numbers.

    >>> rows(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 1]))
    tensor([[3., 4.],
            [3., 4.]])
    """
    _check_ids(ids, len(table))
    return table[ids]


def _check_ids(ids: Tensor, size: int) -> None:
    if not isinstance(ids, Tensor):
        raise TypeError(f"ids must be a tensor, got {type(ids).__name__}")
    if ids.is_floating_point() or ids.dtype == torch.bool:
        raise ValueError(f"ids must be whole numbers, got {ids.dtype}")
    if not ids.numel():
        return
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= size:
        wrong = low if low < 0 else high
        raise ValueError(
            f"id {wrong} is not in a table of {size} rows (0 to {size - 1})"
        )


# -- words and their neighbours --------------------------------------------------------


@dataclass(frozen=True)
class WordTable:
    """Words and their vectors (words, dim), one row per word."""

    words: Sequence[str]
    vectors: np.ndarray

    def __post_init__(self) -> None:
        """Refuse a table whose words and rows do not belong together."""
        if np.ndim(self.vectors) != 2:
            raise ValueError(
                f"vectors must be (words, dim), got shape {np.shape(self.vectors)}"
            )
        if len(self.words) != len(self.vectors):
            raise ValueError(f"{len(self.words)} words, {len(self.vectors)} rows")
        if len(self.index) != len(self.words):
            twice = Counter(self.words).most_common(1)[0][0]
            raise ValueError(f"{twice!r} is there twice: each word has one row")
        if not np.isfinite(self.vectors).all():
            raise ValueError("a vector holds NaN or infinity: its direction is unknown")

    @cached_property
    def directions(self) -> np.ndarray:
        """The rows scaled to length 1."""
        lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return self.vectors / np.maximum(lengths, 1e-12)

    @cached_property
    def index(self) -> dict[str, int]:
        """Word -> row number."""
        return {word: row for row, word in enumerate(self.words)}

    def __getitem__(self, word: str) -> np.ndarray:
        """Vector of a word.

        Raises:
            KeyError: the table does not have it.
        """
        if word not in self.index:
            raise KeyError(f"{word!r} is not one of the {len(self.words):,} words")
        return self.vectors[self.index[word]]


@cache
def minilm_words() -> WordTable:
    """Return MiniLM's own lookup table, reduced to whole words of letters.

    Pieces with ``##``, ``[unused]`` rows, digits, punctuation and single characters are
    left out, so that an answer is always a word.

    >>> minilm_words()["king"].shape
    (384,)
    """
    vocab = assets.tokenizer().get_vocab()
    table = assets.weights()["embeddings.word_embeddings.weight"].numpy()
    words = sorted(
        (word for word in vocab if len(word) > 1 and word.isascii() and word.isalpha()),
        key=vocab.__getitem__,
    )
    return WordTable(words, table[[vocab[word] for word in words]])


def nearest(
    vector: np.ndarray,
    table: WordTable | None = None,
    k: int = 5,
    exclude: Collection[str] = (),
) -> list[tuple[str, float]]:
    """Return the words whose rows point most nearly where ``vector`` points.

    Args:
        vector: (dim,).
        table: where to look; None means ``minilm_words()``.
        k: how many words.
        exclude: words that are not wanted, such as the one you started from.

    Returns:
        ``(word, cosine)``, best first; equal ones in the table's order.

    Raises:
        ValueError: ``k`` is below 1 or above what is left, the dimension is another,
            or the vector is zero or not finite.
    """
    table = minilm_words() if table is None else table
    vector = np.asarray(vector, dtype=np.float32)
    if vector.shape != (table.vectors.shape[1],):
        raise ValueError(
            f"vector has shape {vector.shape}, the table has dim "
            f"{table.vectors.shape[1]}"
        )
    length = np.linalg.norm(vector)
    if not np.isfinite(length) or length == 0:
        raise ValueError("a zero or non-finite vector points nowhere")
    barred = [table.index[word] for word in set(exclude) if word in table.index]
    if not 1 <= k <= len(table.words) - len(barred):
        raise ValueError(f"k must be 1 to {len(table.words) - len(barred)}, got {k}")
    scores = table.directions @ (vector / length)
    scores[barred] = -np.inf
    best = np.argsort(-scores, kind="stable")[:k]
    return [(table.words[row], float(scores[row])) for row in best]


def analogy(
    a: str,
    b: str,
    c: str,
    exclude_inputs: bool = True,
    k: int = 5,
    table: WordTable | None = None,
) -> list[tuple[str, float]]:
    """*a* is to *b* as *c* is to what? The words nearest to ``b - a + c`` (3CosAdd).

    Args:
        a: the first word, such as ``"man"``.
        b: its partner, ``"king"``.
        c: the word to be completed, ``"woman"``.
        exclude_inputs: leave out the three words themselves, as the published figures
            silently do; without it the answer is mostly *b* or *c*.
        k: how many answers.
        table: None means ``minilm_words()``.

    Raises:
        KeyError: a word is not in the table.

    >>> analogy("man", "king", "woman", k=1)[0][0]
    'queen'
    """
    table = minilm_words() if table is None else table
    unit = {
        word: table.directions[table.index[word]] for word in _known(table, a, b, c)
    }
    target = unit[b] - unit[a] + unit[c]
    return nearest(target, table, k, exclude=(a, b, c) if exclude_inputs else ())


def _known(table: WordTable, *words: str) -> tuple[str, ...]:
    for word in words:
        _ = table[word]  # raises with the word's name
    return words


# -- what a picture keeps, and what a table never learnt -------------------------------


def kept_neighbours(vectors: np.ndarray, points: np.ndarray, k: int) -> np.ndarray:
    """Count how many of each row's true neighbours a picture draws near it.

    Args:
        vectors: the truth (n, dim), compared by cosine.
        points: the picture (n, 2), compared by distance.
        k: how many neighbours; a row is not its own.

    Returns:
        Whole numbers 0 to k, shape (n,). ``sklearn.manifold.trustworthiness`` weighs
        the same loss by rank.

    Raises:
        ValueError: the shapes do not fit, or ``k`` is not 1 to n - 1.

    >>> square = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> kept_neighbours(square, square, k=1)
    array([1, 1, 1, 1])
    """
    vectors, points = np.asarray(vectors), np.asarray(points)
    if vectors.ndim != 2 or points.ndim != 2 or len(vectors) != len(points):
        raise ValueError(
            f"vectors {vectors.shape} and points {points.shape} must be (n, dim) and "
            "(n, 2) with the same n"
        )
    if not 1 <= k < len(vectors):
        raise ValueError(f"k must be 1 to {len(vectors) - 1}, got {k}")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    closeness = unit @ unit.T  # (n, n)
    distance = np.linalg.norm(points[:, None] - points, axis=2)  # (n, n)
    np.fill_diagonal(closeness, -np.inf)
    np.fill_diagonal(distance, np.inf)
    true = np.argsort(-closeness, axis=1, kind="stable")[:, :k]
    drawn = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return (true[:, :, None] == drawn[:, None]).any(axis=2).sum(axis=1)


def untrained_rows(
    table: np.ndarray, known: Sequence[int], share: float = 0.95
) -> list[int]:
    """Find rows that look as if training never touched them, by their length.

    Args:
        table: (rows, dim).
        known: rows that are surely untrained, such as those of ``[unused…]`` pieces.
        share: the limit is the length that this share of the known rows does not
            exceed; below 1, because one odd row must not decide.

    Returns:
        The other rows that are no longer than the limit, in order.

    Raises:
        ValueError: ``known`` is empty or not in the table, or ``share`` is not in
            0 to 1.

    >>> table = np.array([[0.1], [0.2], [3.0], [0.1], [2.0]])
    >>> untrained_rows(table, known=[0, 1])
    [3]
    """
    if not len(known):
        raise ValueError("name at least one row that is known to be untrained")
    if min(known) < 0 or max(known) >= len(table):
        raise ValueError(f"known rows must be 0 to {len(table) - 1}")
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    lengths = np.linalg.norm(table, axis=1)
    limit = np.quantile(lengths[list(known)], share)
    return sorted(set(np.flatnonzero(lengths <= limit).tolist()) - set(known))


# -- skip-gram with negative sampling --------------------------------------------------


def skip_gram_pairs(tokens: Sequence[int], window: int) -> list[tuple[int, int]]:
    """List (centre, context) for all neighbours at most ``window`` places away.

    >>> skip_gram_pairs([5, 6, 7], window=1)
    [(5, 6), (6, 5), (6, 7), (7, 6)]
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    return [
        (centre, tokens[j])
        for i, centre in enumerate(tokens)
        for j in range(max(0, i - window), min(len(tokens), i + window + 1))
        if j != i
    ]


def train_skip_gram(
    sentences: Sequence[Sequence[str]],
    dim: int = 24,
    window: int = 2,
    negatives: int = 5,
    epochs: int = 60,
    learning_rate: float = 0.05,
    seed: int = 0,
) -> WordTable:
    """Learn a table from which words stand near which (skip-gram, negative sampling).

    For each neighbouring pair the two rows are pulled together, and the centre's row is
    pushed from ``negatives`` words drawn by frequency to the power 3/4.

    Args:
        sentences: lists of words.
        dim: numbers per row.
        window: how far a neighbour may be.
        negatives: random words per pair.
        epochs: passes over all pairs.
        learning_rate: step size of Adagrad.
        seed: decides the first rows and the draws.

    Returns:
        The table of centre rows, words by frequency.

    Raises:
        ValueError: fewer than two different words, no word has a neighbour, or a
            setting is out of range.
    """
    if dim < 1 or negatives < 1 or epochs < 0:
        raise ValueError(
            f"dim and negatives must be at least 1, epochs at least 0: got {dim}, "
            f"{negatives}, {epochs}"
        )
    frequency = Counter(word for sentence in sentences for word in sentence)
    if len(frequency) < 2:
        raise ValueError("skip-gram needs at least two different words")
    words = [word for word, _ in frequency.most_common()]
    number = {word: i for i, word in enumerate(words)}
    pairs = torch.tensor(
        [
            pair
            for sentence in sentences
            for pair in skip_gram_pairs([number[word] for word in sentence], window)
        ]
    )
    if not len(pairs):
        raise ValueError("no word has a neighbour: sentences need two words or more")
    generator = torch.Generator().manual_seed(seed)
    noise = torch.tensor([frequency[word] for word in words]).float() ** 0.75
    centre = (torch.rand(len(words), dim, generator=generator) - 0.5) / dim
    context = torch.zeros(len(words), dim)
    tables = [centre.requires_grad_(), context.requires_grad_()]
    optimiser = torch.optim.Adagrad(tables, lr=learning_rate)
    for _ in range(epochs):
        shuffled = pairs[torch.randperm(len(pairs), generator=generator)]
        for batch in shuffled.split(64):
            wrong = torch.multinomial(
                noise, len(batch) * negatives, replacement=True, generator=generator
            ).view(len(batch), negatives)
            loss = skip_gram_loss(centre, context, batch[:, 0], batch[:, 1], wrong)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return WordTable(words, centre.detach().numpy())


def skip_gram_loss(
    centre: Tensor, context: Tensor, centres: Tensor, contexts: Tensor, wrong: Tensor
) -> Tensor:
    """Return the mean of -log σ(c·o) - Σ log σ(-c·n) over a batch (Mikolov 2013).

    Args:
        centre: centre rows (words, dim).
        context: context rows (words, dim).
        centres: ids (batch,).
        contexts: ids of true neighbours (batch,).
        wrong: ids of drawn words (batch, negatives).
    """
    c = centre[centres]  # (batch, dim)
    positive = (c * context[contexts]).sum(dim=1)  # (batch,)
    negative = (context[wrong] @ c.unsqueeze(-1)).squeeze(-1)  # (batch, negatives)
    log_sigmoid = torch.nn.functional.logsigmoid
    return -(log_sigmoid(positive) + log_sigmoid(-negative).sum(dim=1)).mean()


def softmax_loss(
    centre: Tensor, context: Tensor, centres: Tensor, contexts: Tensor
) -> Tensor:
    """Return the mean cross-entropy of choosing each neighbour among all words.

    What negative sampling replaces: every row of ``context`` gets a gradient.
    Arguments as in ``skip_gram_loss``.
    """
    scores = centre[centres] @ context.T  # (batch, words)
    return torch.nn.functional.cross_entropy(scores, contexts)


# -- a world small enough to see through -----------------------------------------------

TRAITS = {
    "man": "male adult common",
    "woman": "female adult common",
    "boy": "male young common",
    "girl": "female young common",
    "king": "male adult royal",
    "queen": "female adult royal",
    "prince": "male young royal",
    "princess": "female young royal",
    **dict.fromkeys(("cat", "dog", "kitten", "puppy"), "pet"),
    **dict.fromkeys(("france", "italy", "japan", "egypt"), "land"),
}
PHRASES = {
    "male": ("shaves his beard", "trims his beard"),
    "female": ("braids her hair", "wears her dress"),
    "adult": ("has grey hair", "tells old tales"),
    "young": ("climbs tall trees", "plays outside"),
    "royal": ("wears a crown", "lives in a palace"),
    "common": ("rents a flat", "takes the bus"),
    "pet": ("eats its food", "chases mice", "sleeps all day", "licks its paws"),
    "land": ("exports wine", "borders the sea", "elects a parliament", "signs a pact"),
}


def small_world() -> list[list[str]]:
    """Return every sentence of the small world, as lists of words.

    Each of the sixteen words of ``TRAITS`` is followed by each of the ``PHRASES`` of
    its traits, and by nothing else.

    >>> " ".join(small_world()[0])
    'the man shaves his beard'
    """
    return [
        [*(() if trait == "land" else ("the",)), word, *phrase.split()]
        for word, traits in TRAITS.items()
        for trait in traits.split()
        for phrase in PHRASES[trait]
    ]


def trait_questions() -> list[tuple[str, str, str, str]]:
    """Return all analogies ``(a, b, c, d)`` that change one trait of a person.

    >>> trait_questions()[0]
    ('man', 'woman', 'boy', 'girl')
    """
    people = {traits: word for word, traits in TRAITS.items() if " " in traits}
    found = []
    for old, new in (("male", "female"), ("adult", "young"), ("common", "royal")):
        before = [traits for traits in people if old in traits.split()]
        changed = {traits: traits.replace(old, new) for traits in before}
        found += [
            (people[a], people[changed[a]], people[c], people[changed[c]])
            for a in before
            for c in before
            if a != c
        ]
    return found


# -- does this tokenizer belong to this model? -----------------------------------------

CANARY = "The Canary sang: naïve café, 42 tests, embeddings!"


class HasVocabulary(Protocol):
    """What ``assert_tokenizer_matches`` wants to know of a model."""

    vocabulary: Sequence[str]  # the piece of each row, in the order of the rows


def assert_tokenizer_matches(model: HasVocabulary, tokenizer: object) -> None:
    """Refuse a tokenizer that was not made for the model's table.

    Wrong ids raise no error by themselves: they read other rows, and the vectors look
    as good as ever. Three looks: the size, the piece of every id, and a canary sentence
    with capitals, accents, digits and punctuation.

    Args:
        model: has ``vocabulary``, the piece of each row (``encoder.MiniLM`` does).
        tokenizer: called with a text it returns ``{"input_ids": [...]}`` with special
            tokens; ``get_vocab()`` maps pieces to ids.

    Raises:
        ValueError: with the first difference.
    """
    vocabulary = list(model.vocabulary)
    theirs = tokenizer.get_vocab()  # type: ignore[attr-defined]
    if len(theirs) != len(vocabulary):
        raise ValueError(
            f"the tokenizer has {len(theirs):,} pieces, the table {len(vocabulary):,} "
            "rows: they were not made for each other"
        )
    for row, piece in enumerate(vocabulary):
        if theirs.get(piece) != row:
            raise ValueError(
                f"row {row} of the table is {piece!r}, the tokenizer gives that piece "
                f"the id {theirs.get(piece)}"
            )
    ids = list(tokenizer(CANARY)["input_ids"])  # type: ignore[operator]
    expected = canary_ids(vocabulary)
    if ids != expected:
        place = next(
            (i for i, (x, y) in enumerate(zip(ids, expected, strict=False)) if x != y),
            min(len(ids), len(expected)),
        )
        raise ValueError(
            f"the canary sentence differs at token {place}: "
            f"{ids[place : place + 3]} instead of {expected[place : place + 3]}; "
            "look at lower-casing, accents and shifted ids"
        )


def canary_ids(vocabulary: Sequence[str]) -> list[int]:
    """Ids of the canary sentence, by BERT's normaliser and our own WordPiece.

    Raises:
        ValueError: the vocabulary has no special pieces, so it is no WordPiece model's.
    """
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    number = {piece: row for row, piece in enumerate(vocabulary)}
    missing = [piece for piece in ("[CLS]", "[SEP]", "[UNK]") if piece not in number]
    if missing:
        raise ValueError(
            f"the table has no row for {missing[0]}: this check knows the uncased "
            "WordPiece models only"
        )
    words = BertPreTokenizer().pre_tokenize_str(BertNormalizer().normalize_str(CANARY))
    pieces = [p for word, _ in words for p in tokenization.wordpiece(word, number)]
    return [number[piece] for piece in ("[CLS]", *pieces, "[SEP]")]
