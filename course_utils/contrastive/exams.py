"""Four examinations of an encoder: two on jargon, two on everything else.

Built in notebook 06. Library: ``InformationRetrievalEvaluator`` and
``EmbeddingSimilarityEvaluator`` of ``sentence_transformers.evaluation``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import spearmanr

from course_utils import corpora
from course_utils.contrastive.geometry import first_right, grouped_interval

if TYPE_CHECKING:
    from course_utils.encoder import Encoder


@dataclass(frozen=True)
class Exam:
    """What an encoder made of the questions of one examination.

    Attributes:
        answers: (n,) of each question: the rank of the best right text, or a cosine.
        groups: (n,) what each is about; questions of one group are not independent.
        grades: (n,) what people said, where cosines are to rank as they do; else None.
    """

    answers: np.ndarray
    groups: np.ndarray
    grades: np.ndarray | None = None

    def score(self, rows: np.ndarray | slice = slice(None)) -> float:
        """Recall@1 of these rows, or Spearman's correlation with people's grades.

        >>> Exam(np.array([1, 3]), np.array(["a", "b"])).score()
        0.5
        """
        if self.grades is None:
            return float((self.answers[rows] == 1).mean())
        return float(spearmanr(self.answers[rows], self.grades[rows]).statistic)


def examine(model: Encoder) -> dict[str, Exam]:
    """Examine an encoder on jargon and on sentences about anything.

    A remark is right if the nearest of all held-out plain sentences is about its page.

    Args:
        model: whatever encodes a list of texts into unit vectors (texts, dim).

    Returns:
        ``known terms`` and ``unseen runbooks`` (recall@1), ``natural pairs`` and ``hard
        pairs`` (rank correlation with grades; no pair of them is from operations).
    """
    held = corpora.load_heldout_pairs()
    kinds, pages = np.array([(pair.kind, pair.runbook) for pair in held]).T
    plain = np.asarray(model.encode([pair.positive for pair in held]))
    scores = np.asarray(model.encode([pair.anchor for pair in held])) @ plain.T
    ranks, exams = first_right(scores, pages, pages), {}
    for kind in ("known term", "unseen runbook"):
        own = kinds == kind.replace(" ", "_")
        exams[f"{kind}s"] = Exam(ranks[own], pages[own])
    for name, rows in {
        "natural pairs": corpora.load_natural_pairs(),
        "hard pairs": [row for row in corpora.load_pairs() if row.domain != "ops"],
    }.items():
        a, b = (np.asarray(model.encode([getattr(r, s) for r in rows])) for s in "ab")
        grades = np.array([row.grade for row in rows])
        exams[name] = Exam((a * b).sum(axis=1), np.arange(len(rows)), grades)
    return exams


def change_interval(
    before: Exam, after: Sequence[Exam], resamples: int = 300
) -> tuple[float, float]:
    """95 % interval of the mean change when groups of questions are drawn again.

    Args:
        before: the exam of the encoder as it was.
        after: the same exam of trained encoders, one per seed.
        resamples: how many drawings.

    Raises:
        ValueError: there is nothing to compare, or as ``grouped_interval``.

    >>> old, new = (Exam(np.array(a), np.array(["a", "b"])) for a in ([2, 2], [1, 1]))
    >>> change_interval(old, [new])
    (1.0, 1.0)
    """
    if not after:
        raise ValueError("a change needs one exam after training at least")

    def change(rows: np.ndarray) -> float:
        new = np.mean([exam.score(rows) for exam in after])
        return float(new - before.score(rows))

    return grouped_interval(change, before.groups.tolist(), resamples)
