"""The ill run is ill where the lesson says so, and sound everywhere else."""

import math

import pytest
import torch

from course_utils import encoder
from course_utils.corpora import load_news
from course_utils.failures import patient

ANSWERS = torch.eye(4)[[0, 1, 2, 3, 0]]
LABELS = torch.tensor([0, 1, 2, 3, 0])


@pytest.fixture(scope="module")
def model():
    return encoder.MiniLM.load()


def test_the_ill_data_part_texts_from_labels_and_the_sound_do_not():
    true = {row.title: row.label for row in load_news("train", corrected=True)[:30]}
    for run, right in ((patient.Ill(None, 30), False), (patient.Sound(None, 30), True)):
        texts, labels = run.data("train")
        assert texts == sorted(texts, key=len) and len(labels) == 30
        pairs = zip(texts, labels.tolist(), strict=True)
        fit = [true[text] == patient.NAMES[label] for text, label in pairs]
        assert all(fit) is right


def test_padding_changes_the_ill_vector_only(model):
    texts = ["Rates rise.", "A much longer headline about the rates that rise again"]
    for run, same in ((patient.Ill(model), False), (patient.Sound(model), True)):
        batch = run.forward(*run.batch(texts))[0]
        library = torch.from_numpy(model.encode(texts[:1], normalize=False)[0])
        assert torch.allclose(batch, library, atol=1e-5) is same


def test_no_text_leaks_into_another(model):
    for run in (patient.Ill(model), patient.Sound(model)):
        one, other = (
            run.forward(*run.batch(["Rates rise.", text]))[0] for text in ("Ox", "Goal")
        )
        assert torch.allclose(one, other, atol=1e-6)


def test_a_blank_head_pays_for_a_guess_whatever_the_loss():
    for run in (patient.Ill(None), patient.Sound(None)):
        loss = run.loss(run.head(3)(torch.ones(5, 3)), LABELS)
        assert loss.item() == pytest.approx(math.log(4))


@pytest.mark.parametrize("kind, moves", [(patient.Ill, False), (patient.Sound, True)])
def test_only_the_sound_step_moves_the_weights(kind, moves):
    run = kind(None)
    head = run.head(4)
    optimizer = torch.optim.AdamW(head.parameters(), 0.1, weight_decay=0)
    run.step(head, ANSWERS, LABELS, optimizer)
    assert bool(head.weight.any()) is moves


def test_one_batch_is_learnt_unless_there_are_two_softmaxes():
    floor = math.log(math.e + 3) - 1
    for run, last in (
        (patient.Sound(None), 0),
        (patient.repaired(None, ["step"]), floor),
        (patient.Ill(None), math.log(4)),
    ):
        assert run.one_batch(ANSWERS, LABELS).losses[-1] == pytest.approx(
            last, abs=0.03
        )


def test_one_batch_is_learnt_with_wrong_labels_too():
    result = patient.Sound(None).one_batch(torch.eye(5), LABELS.flip(0))
    assert result.accuracy == 1 and result.losses[-1] < 0.1


def test_a_perfect_model_gets_nothing_from_the_ill_metric():
    assert patient.Ill(None).metric(ANSWERS, LABELS) == 0
    assert patient.Sound(None).metric(ANSWERS, LABELS) == 1


def test_a_repair_takes_one_part_and_leaves_the_others():
    run = patient.repaired(None, ["metric"])
    assert run.metric(ANSWERS, LABELS) == 1
    assert type(run).loss is patient.Ill.loss
    assert isinstance(run, patient.Ill) and not isinstance(run, patient.Sound)


def test_a_part_that_is_not_ill_cannot_be_repaired():
    with pytest.raises(ValueError, match="'forward' is not ill: choose from data"):
        patient.repaired(None, ["forward"])


def test_the_sound_run_learns_and_gives_the_same_twice(model):
    run = patient.Sound(model, rows=48)
    first, again = run.run(epochs=8), run.run(epochs=8)
    assert first == again
    assert first.losses[0] == pytest.approx(math.log(4))
    assert first.losses[-1] < first.losses[0] / 2 and first.accuracy > 0.4


def test_no_epochs_are_no_run(model):
    with pytest.raises(ValueError, match="epochs"):
        patient.Sound(model, rows=4).run(epochs=0)
