"""From an id to a row of the table. Built in notebook 02.

Library: ``torch.nn.Embedding``, ``gensim.models.KeyedVectors``. Papers: Mikolov et al.
2013 (arXiv 1301.3781 and 1310.4546), Levy and Goldberg 2014 on analogies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from course_utils import guards, tokenization


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

    The same as ``one_hot(ids, size) @ table`` and as ``table[ids]``, without the
    multiplications by zero. A negative id is refused: Python would quietly
    count it from the end.

    Raises:
        TypeError: ids are no tensor.
        ValueError: an id is not in the table, or ids are not whole numbers.

    >>> rows(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 1]))
    tensor([[3., 4.],
            [3., 4.]])
    """
    _check_ids(ids, len(table))
    # table[ids] reads the same rows, but sums their gradient in whatever order two
    # threads arrive: a training run would not repeat to the last digit.
    return torch.nn.functional.embedding(ids, table)


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


# -- rows that were never learnt -------------------------------------------------------


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
        ValueError: ``known`` is empty or not in the table, ``share`` is not in 0 to 1,
            or the table holds NaN or infinity.

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
    guards.finite("table", table)
    lengths = np.linalg.norm(table, axis=1)
    limit = np.quantile(lengths[list(known)], share)
    return sorted(set(np.flatnonzero(lengths <= limit).tolist()) - set(known))


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
