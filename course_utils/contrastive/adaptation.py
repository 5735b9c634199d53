"""A copy of an encoder that can learn, and texts embedded with a gradient.

A part of ``contrastive``, used as ``contrastive.embed`` and so on; built in notebook
06. Library: ``SentenceTransformerTrainer``. Paper: Lee et al. 2019 on freezing the
lower blocks (arXiv 1911.03090).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_utils import guards
from course_utils.pooling import mean_pool, normalize

if TYPE_CHECKING:
    from course_utils.encoder import MiniLM

_ADAPTED = ":adapted"  # in a fingerprint
TOGETHER = 16  # texts of similar length that go through the encoder at once


def starting_weights(weights: Mapping[str, Tensor], seed: int = 0) -> dict[str, Tensor]:
    """Weights as BERT's are before any training, in the shapes of these.

    Args:
        weights: name -> tensor, as ``assets.weights`` gives them; they are not changed.
        seed: of the draw.

    Returns:
        0 for biases, 1 for the scales of layer norms, else normal with spread 0.02.

    >>> weights = {"LayerNorm.weight": torch.zeros(2), "dense.bias": torch.ones(1)}
    >>> starting_weights(weights)["LayerNorm.weight"].tolist()
    [1.0, 1.0]
    """
    draw = torch.Generator().manual_seed(guards.whole("seed", seed))

    def at_random(name: str, shape: torch.Size) -> Tensor:
        if name.endswith("LayerNorm.weight"):
            return torch.ones(shape)
        if name.endswith("bias"):
            return torch.zeros(shape)
        return 0.02 * torch.randn(shape, generator=draw)

    return {name: at_random(name, tensor.shape) for name, tensor in weights.items()}


def trainable_copy(model: MiniLM, frozen_layers: int = 3) -> MiniLM:
    """Copy an encoder so that its upper blocks can learn; the original stays.

    What does not learn is shared: the lower blocks, and the tables, which are half of
    all weights and most of what an optimiser would have to carry.

    Args:
        model: the encoder, as ``MiniLM.load()`` or ``adapt`` returns it.
        frozen_layers: how many blocks, from the first, stay as they are.

    Returns:
        Another encoder, its upper blocks cloned and open to gradients.

    Raises:
        ValueError: there are not so many layers, none is left to learn, or those that
            are left are in int8 or bfloat16.
    """
    frozen_layers = guards.whole("frozen_layers", frozen_layers)
    if not 0 <= frozen_layers < len(model.layers):
        raise ValueError(
            f"frozen_layers must be 0 to {len(model.layers) - 1}, so that a block is "
            f"left to learn; got {frozen_layers}"
        )
    tables = (model.words, model.positions, model.type_row)
    shared = (*tables, model.norm, *model.layers[:frozen_layers])
    if any(p.requires_grad for part in shared[3:] for p in part.parameters()):
        raise ValueError("this encoder is open to gradients itself: seal it first")
    guards.learnable(model.layers[frozen_layers:], "a trainable copy")
    twin = copy.deepcopy(model, {id(part): part for part in shared})
    twin.layers[frozen_layers:].requires_grad_(True)
    return twin


def seal(model: MiniLM) -> MiniLM:
    """Close an encoder to gradients and let its fingerprint say that it was adapted.

    The fingerprint is computed from the weights; an index keeps it and refuses vectors
    of any other encoder.
    """
    model.layers.requires_grad_(False)
    model.variant = f"{model.variant.removesuffix(_ADAPTED)}{_ADAPTED}"
    return model


def embed(model: MiniLM, texts: Sequence[str]) -> Tensor:
    """Texts to unit vectors (texts, dim) with a gradient, unlike ``model.encode``.

    Texts of similar length go through together, so that little is spent on padding.

    Raises:
        TypeError: not a list of strings.
        ValueError: there are no texts.
    """
    found = [torch.tensor(ids) for ids in model.tokenize(texts)]
    if not found:
        raise ValueError("there are no texts to embed")
    order = sorted(range(len(found)), key=lambda row: len(found[row]))
    parts = []
    for start in range(0, len(order), TOGETHER):
        rows = [found[row] for row in order[start : start + TOGETHER]]
        ids, mask = (
            nn.utils.rnn.pad_sequence(columns, batch_first=True)
            for columns in (rows, [torch.ones_like(row) for row in rows])
        )
        hidden, _ = model.hidden_states(ids, mask)
        parts.append(mean_pool(hidden[-1], mask))
    return normalize(torch.cat(parts)[torch.tensor(order).argsort()])
