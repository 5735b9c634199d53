"""Where rows come from: skip-gram with negative sampling, and a world small enough.

Built in notebook 02, used as ``lookup.train_skip_gram`` and so on. Library:
``gensim.models.Word2Vec(sg=1, negative=5)``. Paper: Mikolov et al. 2013
(arXiv 1310.4546).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils import guards
from course_utils.lookup.words import WordTable


def skip_gram_pairs(tokens: Sequence[int], window: int) -> list[tuple[int, int]]:
    """List (centre, context) for all neighbours at most ``window`` places away.

    >>> skip_gram_pairs([5, 6, 7], window=1)
    [(5, 6), (6, 5), (6, 7), (7, 6)]
    """
    window = guards.whole("window", window)
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
    dim, negatives = guards.whole("dim", dim), guards.whole("negatives", negatives)
    epochs, seed = guards.whole("epochs", epochs), guards.whole("seed", seed)
    learning_rate = guards.number("learning_rate", learning_rate, low=0)
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
