"""Three older questions that encoders were trained with, beside ``info_nce``.

All take anchors and positives of a batch; where one wrong partner is needed, it is the
positive of the next row. Built in notebook 06. Library: ``SoftmaxLoss``,
``CosineSimilarityLoss`` and ``TripletLoss`` of ``sentence_transformers``. Paper:
Reimers and Gurevych 2019 (arXiv 1908.10084).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_utils import guards
from course_utils.contrastive.geometry import check_rows


def with_strangers(anchors: Tensor, positives: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each anchor with its positive, then each with the positive of the next row.

    Args:
        anchors: (batch, dim), two rows at least.
        positives: (batch, dim), row i belongs to anchor i.

    Returns:
        Left sides and right sides, (2 · batch, dim) each, and the labels (2 · batch,):
        1 for a pair, 0 for strangers.

    Raises:
        ValueError: shapes do not fit, or one pair only: it would be its own stranger.

    >>> with_strangers(torch.eye(2), torch.eye(2))[2].tolist()
    [1, 1, 0, 0]
    """
    check_rows(anchors=anchors, positives=positives)
    if len(anchors) < 2:
        raise ValueError("one pair alone has no stranger: give two pairs at least")
    label = (torch.arange(2 * len(anchors)) < len(anchors)).long()
    strangers = positives.roll(-1, dims=0)
    return torch.cat([anchors, anchors]), torch.cat([positives, strangers]), label


class SoftmaxLoss(nn.Module):
    """A linear classifier sees u, v and |u - v|: are these two a pair or strangers?"""

    def __init__(self, dim: int, seed: int = 0) -> None:
        """Draw the classifier's weights, which learn along with the encoder.

        Args:
            dim: numbers per vector.
            seed: of the weights; torch's own random state stays as it was.
        """
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(guards.whole("seed", seed))
            self.head = nn.Linear(3 * guards.whole("dim", dim), 2)

    def forward(
        self, anchors: Tensor, positives: Tensor, _: Tensor | None = None
    ) -> Tensor:
        """Cross-entropy of the classifier, with a gradient."""
        u, v, label = with_strangers(anchors, positives)
        scores = self.head(torch.cat([u, v, (u - v).abs()], dim=1))  # (2 · batch, 2)
        return functional.cross_entropy(scores, label)


def cosine_loss(anchors: Tensor, positives: Tensor, _: Tensor | None = None) -> Tensor:
    """Squared error of the cosine: 1 is wanted for a pair, 0 for strangers.

    >>> cosine_loss(torch.eye(2), torch.eye(2)).item()
    0.0
    """
    u, v, label = with_strangers(anchors, positives)
    return functional.mse_loss(functional.cosine_similarity(u, v), label.float())


def triplet_loss(
    anchors: Tensor, positives: Tensor, _: Tensor | None = None, margin: float = 0.5
) -> Tensor:
    """How far each pair is from being nearer than strangers by a margin, in distance.

    >>> triplet_loss(torch.eye(2), torch.eye(2)).item()  # 0 against the root of 2
    0.0
    """
    u, v, _label = with_strangers(anchors, positives)
    near, far = (u - v + 1e-6).norm(dim=1).chunk(2)
    return functional.relu(near - far + guards.number("margin", margin)).mean()
