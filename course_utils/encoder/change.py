"""What a lesson changes in the model, to see what it is good for. Notebooks 03-05."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils import lookup, pooling


@dataclass(frozen=True)
class Change:
    """What a lesson changes in the model, to see what it is good for.

    Attributes:
        positions: maps position numbers (tokens,) to rows (tokens, dim), in place of
            the learned table: ``zero_positions``, ``offset_positions(100)``.
        ablate: layer -> heads whose output becomes zero.
        attend: maps ids and mask (batch, tokens) to the keys that may be seen, the
            shape (batch, tokens) or (batch, tokens, tokens).
        pool: which pooling; its mask is never changed by ``attend``.
    """

    positions: Callable[[Tensor, Tensor], Tensor] | None = None
    ablate: Mapping[int, Sequence[int]] | None = None
    attend: Callable[[Tensor, Tensor], Tensor] | None = None
    pool: Callable[[Tensor, Tensor], Tensor] = pooling.mean_pool


UNCHANGED = Change()


def zero_positions(numbers: Tensor, table: Tensor) -> Tensor:
    """No positions at all: a ``Change(positions=zero_positions)``."""
    return table.new_zeros(len(numbers), table.shape[1])


def offset_positions(offset: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Slide the text along the table: the first token gets row ``offset``."""

    def shifted(numbers: Tensor, table: Tensor) -> Tensor:
        return lookup.rows(table, numbers + offset)

    return shifted


def forget_mask(ids: Tensor, mask: Tensor) -> Tensor:
    """Attend to the padding as well: a ``Change(attend=forget_mask)``."""
    return torch.ones_like(mask)
