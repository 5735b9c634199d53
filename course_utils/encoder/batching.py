"""Texts of similar length side by side, filled up to rectangles. Notebook 05.

Library: ``transformers.DataCollatorWithPadding`` and ``group_by_length``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def batches(
    lengths: Sequence[int], batch_size: int | None = None, budget: int | None = None
) -> Iterator[list[int]]:
    """Share texts out to batches of similar length, longest first.

    Args:
        lengths: tokens of each text.
        batch_size: texts per batch; by default as many as the budget allows.
        budget: tokens per batch at most, padding included, unless one text alone has
            more. By default none if there is a batch size. Else a quarter of all, so
            that a few texts too are work for several threads, but at least 64, and at
            most 512: what larger batches hold outgrows the processor's cache.

    Yields:
        The numbers of the texts in a batch.

    >>> list(batches([3, 9, 2, 3], budget=10))
    [[1], [0, 3, 2]]
    >>> list(batches([3, 9, 2, 3], batch_size=2))
    [[1, 0], [3, 2]]
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    if batch_size is None and budget is None:
        budget = min(512, max(64, sum(lengths) // 4))
    while order:
        fit = len(order)
        if budget is not None:
            fit = max(1, budget // max(1, lengths[order[0]]))
        fit = min(fit, batch_size or fit)
        yield order[:fit]
        order = order[fit:]


def pad(found: Sequence[Sequence[int]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """Fill lists of ids up to a rectangle, on the right.

    Returns:
        ids and mask, both (batch, longest); the mask is 1 at real tokens.

    >>> pad([[5, 6], [7]])
    (tensor([[5, 6],
            [7, 0]]), tensor([[1, 1],
            [1, 0]]))
    """
    longest = max(map(len, found))
    ids = [[*row, *[pad_id] * (longest - len(row))] for row in found]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in found]
    return torch.tensor(ids), torch.tensor(mask)
