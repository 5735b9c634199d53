"""One text on its way through the model, every stage kept. Notebooks 00-05."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_utils import assets, lookup, pooling
from course_utils.encoder.batching import pad
from course_utils.encoder.change import Change

if TYPE_CHECKING:
    from course_utils.encoder.minilm import MiniLM


@dataclass(frozen=True)
class Trace:
    """Every stage of one text, by name. ``hidden[0]`` is what enters the first block.

    Shapes: ids (tokens,), rows and with_positions (tokens, dim), hidden
    (layers + 1, tokens, dim), attention (layers, heads, tokens, tokens), pooled and
    vector (dim,).
    """

    text: str
    tokens: list[str]
    ids: Tensor
    rows: Tensor
    with_positions: Tensor
    hidden: Tensor
    attention: Tensor
    pooled: Tensor
    vector: Tensor

    def receipt(self, other: Trace) -> Tensor:
        """Which token of this text earned how much with which of the other: (n, m).

        The cells of ``pooling.receipt`` on the last states; they sum to the cosine of
        the two mean pools.
        """
        return pooling.receipt(self.hidden[-1], other.hidden[-1])


def follow(model: MiniLM, text: str, change: Change) -> Trace:
    """Run every stage of a model on one text and keep what each gives.

    Warnings and errors: as ``MiniLM.trace``.
    """
    ids, mask = pad(model.tokenize([text]))
    with torch.inference_mode():
        hidden, weights = model.hidden_states(ids, mask, change, with_weights=True)
        pooled = change.pool(hidden[-1].float(), mask)
    rows = lookup.rows(model.words, ids[0])
    if change.positions is None:
        places = model.positions[: ids.shape[1]]
    else:
        places = change.positions(torch.arange(ids.shape[1]), model.positions)
    return Trace(
        text=text,
        tokens=list(map(assets.fast_tokenizer().id_to_token, ids[0].tolist())),
        ids=ids[0],
        rows=rows,
        with_positions=rows + places,
        hidden=torch.cat(hidden),
        attention=torch.cat(weights),
        pooled=pooled[0],
        vector=pooling.normalize(pooled)[0],
    )
