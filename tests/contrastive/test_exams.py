"""Examinations count what they say they count."""

from zlib import crc32

import numpy as np
import pytest

from course_utils import contrastive, corpora
from course_utils.contrastive.exams import Exam, change_interval, examine


class Random:
    """Knows nothing: a random unit vector for every text."""

    def encode(self, texts):
        vectors = np.random.default_rng(crc32(texts[0].encode())).normal(
            size=(len(texts), 50)
        )
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Told(Random):
    """Knows every text: those of one page, or of one pair, share a vector."""

    def __init__(self):
        held = corpora.load_heldout_pairs()
        self.page = {t: p.runbook for p in held for t in (p.anchor, p.positive)}
        self.names = sorted(set(self.page.values()))

    def encode(self, texts):
        if texts[0] not in self.page:
            return super().encode(texts)
        return np.eye(len(self.names))[[self.names.index(self.page[t]) for t in texts]]


def test_who_knows_the_pages_passes_and_who_knows_nothing_fails():
    told, random = examine(Told()), examine(Random())
    assert list(told) == list(random)
    for name in ("known terms", "unseen runbooks"):
        assert told[name].score() == 1.0
        assert random[name].score() < 0.2
        assert change_interval(random[name], [told[name]])[0] > 0.5
    assert len(told["known terms"].answers) + len(told["unseen runbooks"].answers) == (
        len(corpora.load_heldout_pairs())
    )
    assert abs(random["natural pairs"].score()) < 0.4
    assert "ops" in {pair.domain for pair in corpora.load_pairs()}
    assert len(random["hard pairs"].answers) < len(corpora.load_pairs())


def test_a_score_is_recall_or_a_rank_correlation():
    groups = np.arange(4)
    assert Exam(np.array([1, 2, 1, 9]), groups).score() == 0.5
    assert Exam(np.array([1, 2, 1, 9]), groups).score(np.array([0, 2])) == 1.0
    graded = Exam(np.array([0.1, 0.2, 0.9, 0.3]), groups, np.array([1, 2, 4, 3]))
    assert graded.score() == pytest.approx(1.0)


def test_questions_about_one_page_are_drawn_together():
    """Many questions about two pages: the interval knows two groups, not rows."""
    pages = np.array(["a"] * 9 + ["b"] * 9)
    old, new = Exam(np.full(18, 2), pages), Exam(np.array([1] * 9 + [2] * 9), pages)
    assert change_interval(old, [new]) == (0.0, 1.0)
    alone = [Exam(exam.answers, np.arange(18)) for exam in (old, new)]
    low, high = change_interval(alone[0], [alone[1]])
    assert 0.0 < low < 0.5 < high < 1.0


def test_a_change_needs_something_to_compare():
    with pytest.raises(ValueError, match="one exam after training"):
        change_interval(Exam(np.ones(2), np.arange(2)), [])


def test_batches_hold_no_page_twice_and_no_pair_alone():
    pairs = corpora.load_training_pairs()
    batches = contrastive.page_batches(pairs, 32, seed=1)
    for batch in batches:
        pages = [pair.runbook for pair in batch]
        assert 2 <= len(batch) <= 32 and len(set(pages)) == len(pages)
    ids = [pair.id for batch in batches for pair in batch]
    assert len(set(ids)) == len(ids) >= len(pairs) - len({p.runbook for p in pairs})
    again, other = (contrastive.page_batches(pairs, 32, seed) for seed in (1, 2))
    assert batches == again != other
    with pytest.raises(ValueError, match="size"):
        contrastive.page_batches(pairs, 0)
