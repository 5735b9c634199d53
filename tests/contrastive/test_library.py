"""What the library trains is what is trained here."""

import copy

import numpy as np
import pytest
import torch

from course_utils import assets, contrastive, corpora, encoder


@pytest.fixture(scope="module")
def pairs():
    """Eight pairs about eight pages."""
    first = {pair.runbook: pair for pair in reversed(corpora.load_training_pairs())}
    return list(first.values())[:8]


@pytest.fixture
def student():
    opened = copy.deepcopy(assets.sentence_transformer()).requires_grad_(False)
    opened[0].model.encoder.layer[5:].requires_grad_(True)
    for part in opened.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return opened


def slopes(student):
    return [p.grad.clone() for p in student.parameters() if p.grad is not None]


def test_the_trainer_takes_the_steps_that_adapt_takes(pairs, student, tmp_path):
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import (
        MultipleNegativesRankingLoss,
    )

    told = []
    adapted, losses = contrastive.adapt(
        encoder.MiniLM.load(),
        pairs,
        3,
        8,
        frozen_layers=5,
        after=lambda *n: told.append(n),
    )
    arguments = SentenceTransformerTrainingArguments(
        str(tmp_path),
        num_train_epochs=3,
        per_device_train_batch_size=8,
        learning_rate=1e-4,
        lr_scheduler_type="constant",
        max_grad_norm=0,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    columns = {
        side: [getattr(p, side) for p in pairs] for side in ("anchor", "positive")
    }
    trainer = SentenceTransformerTrainer(
        student,
        arguments,
        train_dataset=Dataset.from_dict(columns),
        loss=MultipleNegativesRankingLoss(student),
    )
    trainer.train()
    theirs = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert told == [(8, 24), (16, 24), (24, 24)]
    np.testing.assert_allclose(theirs, losses, atol=1e-3)  # a batch has no order
    texts = [pair.anchor for pair in pairs]
    ours, others = adapted.encode(texts), student.eval().encode(texts)
    assert (ours * others).sum(axis=1).min() > 0.9999
    untouched = assets.sentence_transformer().encode(texts)
    assert (ours * untouched).sum(axis=1).max() < 0.9999


def test_the_cached_loss_has_the_gradient_of_the_large_batch(pairs, student):
    from sentence_transformers.sentence_transformer import losses

    columns = [
        student.preprocess([getattr(pair, side) for pair in pairs])
        for side in ("anchor", "positive")
    ]
    found = []
    for loss in (
        losses.MultipleNegativesRankingLoss(student),
        losses.CachedMultipleNegativesRankingLoss(student, mini_batch_size=3),
    ):
        student.zero_grad()
        loss([dict(column) for column in columns], labels=None).backward()
        found.append(slopes(student))
    assert found[0] and len(found[0]) == len(found[1])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
