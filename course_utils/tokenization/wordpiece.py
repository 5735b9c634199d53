"""WordPiece: cut a word greedily, as BERT and MiniLM do. Built in notebook 01.

Library: ``transformers.BertTokenizer``. Paper: Wu et al. 2016 (arXiv 1609.08144).
"""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


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
        mark = "##" if start else ""
        for end in range(len(word), start, -1):
            if mark + word[start:end] in vocab:
                break
        else:
            return [unknown]
        pieces.append(mark + word[start:end])
        start = end
    return pieces
