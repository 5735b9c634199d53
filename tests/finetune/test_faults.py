"""What first use turned up: NumPy settings, precisions, predict, save, go on."""

import json

import numpy as np
import pytest
import torch

from course_utils import corpora, encoder, finetune, pooling
from course_utils.encoder import precision
from course_utils.finetune import Classifier, Examples, LibraryClassifier, checkpoints
from tests.finetune.test_train import Tiny, tiny_examples

NEWS = corpora.load_news("test")[:6]
TITLES = [article.title for article in NEWS]


@pytest.fixture(scope="module")
def minilm():
    return encoder.MiniLM.load()


@pytest.fixture(scope="module")
def trained(minilm):
    model = Classifier(minilm, layers=1, seed=3)
    finetune.train_classifier(model, NEWS, epochs=1, batch_size=3)
    return model


def run(**settings):
    model = Tiny()
    history = finetune.train_classifier(model, tiny_examples(), **settings)
    return checkpoints.digest(model.state_dict().values()), history


# -- settings that came out of an array ------------------------------------------------


def test_settings_of_numpy_train_and_are_kept_as_those_of_python(tmp_path):
    plain = {"epochs": 2, "batch_size": 4, "seed": 5, "warmup": 1}
    kinds = {name: np.int64(value) for name, value in plain.items()}
    rates = {"learning_rate": np.float32(0.125)}
    theirs, _ = run(**kinds, **rates, folder=tmp_path)
    mine, again = run(**plain, learning_rate=0.125, folder=tmp_path)
    assert theirs == mine and again.resumed == 2  # one and the same run


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"epochs": "3"}, "epochs must be a whole number"),
        ({"seed": None}, "seed must be a whole number"),
        ({"learning_rate": float("nan")}, "learning_rate must be finite"),
        ({"learning_rate": -1}, "at least 0"),
        ({"warmup": -1}, "warmup must be at least 0"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong, message):
    with pytest.raises(ValueError, match=message):
        run(**wrong)


def test_a_sampler_of_batches_refuses_nothing_per_batch():
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        finetune.GroupedBatches([3, 4], 0, seed=1)
    assert len(finetune.GroupedBatches([3, 4, 5], np.int64(2), seed=np.int64(1))) == 2


def test_facts_of_numpy_are_kept_as_numbers(tmp_path):
    facts = {"size": np.int64(64), "rate": np.float32(0.5), "on": np.True_}
    checkpoints.save(tmp_path / "one", {"a": torch.zeros(1)}, facts)
    found = checkpoints.load(tmp_path / "one")[1]
    assert json.dumps(found) == '{"size": 64, "rate": 0.5, "on": true}'


# -- labels ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels, message",
    [
        (torch.tensor([0, -100]), "labels count from 0, got -100"),
        (torch.tensor([0.0, 1.0]), "class numbers"),
        (torch.tensor([[0], [1]]), "2 inputs"),
        (torch.tensor([True, False]), "class numbers"),
    ],
)
def test_labels_that_torch_would_pass_over_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        Examples([torch.zeros(2, 3)] * 2, labels)


def test_a_label_beyond_the_classes_is_refused_before_the_first_step():
    some = Examples([torch.ones(2, 3)] * 2, torch.tensor([0, 2]))
    for use in (finetune.evaluate, finetune.train_classifier):
        with pytest.raises(ValueError, match="label 2, but the model has .* 0 to 1"):
            use(Tiny(), some)


def test_labels_may_be_a_list_or_an_array():
    for labels in ([0, 1], np.array([0, 1]), np.array([0, 1], np.int32)):
        some = Examples([torch.ones(2, 3)] * 2, labels)
        assert some.labels.dtype == torch.long
        assert finetune.evaluate(Tiny(), some).losses.shape == (2,)


# -- other precisions ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bfloat16", "int8"])
def test_only_float32_blocks_are_trained_and_others_refused_at_the_door(name):
    try:
        model = precision.load(name)
    except precision.Unavailable:
        pytest.skip("not on this machine")
    with pytest.raises(ValueError, match="a Classifier needs weights in float32"):
        Classifier(model, layers=2)
    head_only = Classifier(model, layers=0)
    some = finetune.examples(head_only, NEWS)
    assert some.inputs[0].dtype == torch.float32
    finetune.train_classifier(head_only, some, epochs=1)
    assert len(head_only.predict(TITLES)) == 6


def test_the_default_type_of_torch_changes_no_model(minilm):
    before = Classifier(minilm, layers=1, seed=4).eval()
    wanted = before.probabilities(TITLES[:2])
    torch.set_default_dtype(torch.float64)
    try:
        model = Classifier(minilm, layers=1, seed=4).eval()
        found = model.probabilities(TITLES[:2])
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.dtype == torch.float32 and torch.allclose(found, wanted, atol=1e-5)


def test_a_digest_reads_bfloat16_and_single_numbers():
    one = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
    assert checkpoints.digest([one]) != checkpoints.digest([one + 1])
    assert checkpoints.digest([torch.tensor(3)]) != checkpoints.digest(
        [torch.tensor(4)]
    )


# -- a rate that is too high -----------------------------------------------------------


def test_a_rate_that_is_too_high_is_named_wherever_it_shows(minilm):
    """In the vectors, and not as "token_vectors holds NaN" of the pooling."""
    for dev in (None, NEWS):
        with pytest.raises(FloatingPointError, match="lower the learning rate of 1e"):
            finetune.train_classifier(
                Classifier(minilm, layers=1), NEWS, dev, learning_rate=1e30, epochs=4
            )


# -- what was prepared for whom --------------------------------------------------------


def test_examples_of_another_depth_are_refused(minilm):
    shallow, deep = Classifier(minilm, layers=1), Classifier(minilm, layers=2)
    some = finetune.examples(shallow, NEWS)
    with pytest.raises(ValueError, match="what leaves 5 blocks.*reads what leaves 4"):
        finetune.train_classifier(deep, some, epochs=1)
    with pytest.raises(ValueError, match="prepare them with"):
        finetune.evaluate(deep, some.take([0, 1]))
    with pytest.raises(ValueError, match="ids of"):
        finetune.evaluate(shallow, finetune.examples(LibraryClassifier(), NEWS))
    assert finetune.evaluate(Classifier(minilm, layers=1, seed=9), some).losses.shape


def test_articles_are_no_examples(minilm):
    with pytest.raises(TypeError, match=r"pass finetune\.examples\(model, articles\)"):
        finetune.evaluate(Classifier(minilm, layers=0), NEWS)
    with pytest.raises(TypeError, match="let the model read your texts"):
        Examples(TITLES, torch.zeros(6))


@pytest.mark.parametrize(
    "articles, message",
    [
        (TITLES, "row 0 is str, not an article with a label"),
        ("one text", "pass a list of articles, not str"),
        (np.array([1, 2]), "row 0 is int64, not an article"),
        (7, "pass a list of articles, not int"),
    ],
)
def test_what_is_no_list_of_articles_is_refused(minilm, articles, message):
    with pytest.raises(TypeError, match=message):
        finetune.train_classifier(Classifier(minilm, layers=0), articles)


def test_the_name_of_a_model_is_no_encoder():
    with pytest.raises(TypeError, match=r"LibraryClassifier\(name\)"):
        Classifier("distilbert-base-uncased")
    with pytest.raises(TypeError, match="Classifier or a LibraryClassifier, not str"):
        finetune.examples("distilbert-base-uncased", NEWS)


def test_who_prepares_for_a_minute_hears_of_it(minilm):
    seen = []
    model = Classifier(minilm, layers=0)
    tell = lambda done, total: seen.append((done, total))  # noqa: E731
    finetune.examples(model, NEWS * 6, report=tell)
    assert seen == [(32, 36), (36, 36)]
    finetune.train_classifier(LibraryClassifier(), NEWS[:2], epochs=1, preparing=tell)
    assert seen[-1] == (2, 2)


# -- predict, save, load ---------------------------------------------------------------


def test_a_trained_model_says_the_class_of_any_text(trained):
    found = trained.probabilities(TITLES)
    assert found.shape == (6, 4) and torch.allclose(found.sum(1), torch.ones(6))
    named = [trained.classes[i] for i in found.argmax(1)]
    assert trained.predict(TITLES) == named
    measured = finetune.evaluate(
        trained, finetune.examples(trained, NEWS, lambda article: article.title)
    )
    assert torch.allclose(measured.probabilities, found, atol=1e-6)
    assert trained.predict([]) == []


@pytest.mark.parametrize("texts", ["one text", {"a": 1}, [1, 2], b"bytes", 7])
def test_what_is_no_list_of_texts_is_refused(trained, texts):
    for model in (trained, LibraryClassifier()):
        with pytest.raises(TypeError):
            model.predict(texts)


def test_a_library_model_predicts_as_well():
    model = LibraryClassifier(classes=("left", "right"))
    assert set(model.predict(TITLES)) <= {"left", "right"}


def test_a_trained_model_comes_back_as_it_was(trained, minilm, tmp_path):
    trained.save(tmp_path / "mine.classifier")
    found = Classifier.load(tmp_path / "mine.classifier", minilm)
    assert found.predict(TITLES) == trained.predict(TITLES)
    assert np.array_equal(found.encode(TITLES), trained.encode(TITLES))
    assert found.fingerprint == trained.fingerprint and not found.training
    assert found.classes == trained.classes and found.pool is trained.pool


def test_a_fingerprint_changes_with_whatever_was_learnt(trained, minilm):
    fresh = Classifier(minilm, layers=1, seed=3)
    assert fresh.fingerprint != trained.fingerprint
    with torch.no_grad():
        before, fresh.head.bias[0] = fresh.fingerprint, 1.0
    assert fresh.fingerprint != before


def test_damage_another_encoder_and_other_files_are_refused(trained, minilm, tmp_path):
    path = tmp_path / "mine.classifier"
    trained.save(path)
    other = encoder.MiniLM.load()
    other.max_tokens = 100
    with pytest.raises(ValueError, match="trained on .* but this encoder is .*:100"):
        Classifier.load(path, other)
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    with pytest.raises(checkpoints.CheckpointError, match="cut short or altered"):
        Classifier.load(path, minilm)
    checkpoints.save(path, {"a": torch.zeros(1)}, {})
    with pytest.raises(checkpoints.CheckpointError, match="no saved Classifier"):
        Classifier.load(path, minilm)


def test_a_failed_save_leaves_the_old_file(trained, minilm, tmp_path, monkeypatch):
    trained.save(tmp_path / "one")
    before = (tmp_path / "one").read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        Classifier(minilm, layers=0).save(tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["one"]


def test_a_pooling_of_your_own_is_asked_for(minilm, tmp_path):
    def mine(vectors, mask):
        return pooling.mean_pool(vectors, mask)

    model = Classifier(minilm, layers=0, pool=mine)
    model.save(tmp_path / "one")
    with pytest.raises(ValueError, match="pass it, pool="):
        Classifier.load(tmp_path / "one", minilm)
    assert Classifier.load(tmp_path / "one", minilm, pool=mine).pool is mine


# -- folders, and going on -------------------------------------------------------------


def test_a_folder_that_is_a_file_is_refused_at_once(tmp_path):
    (tmp_path / "taken").write_text("a file")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "inside"):
        with pytest.raises(ValueError, match="is a file, or lies in one"):
            run(folder=folder, report=lambda *_: pytest.fail("it began to train"))


def test_a_folder_in_your_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    run(folder="~/run", epochs=1)
    assert [p.name for p in checkpoints.listed("~/run")] == ["epoch-0001.checkpoint"]
    checkpoints.save("~/one", {"a": torch.zeros(1)}, {})
    assert checkpoints.load("~/one")[1] == {} and (tmp_path / "one").exists()


CONSTANT = {"schedule": "constant", "learning_rate": 0.01, "batch_size": 4}


def test_a_finished_run_is_made_longer_as_if_it_had_been_planned_so(tmp_path):
    run(folder=tmp_path, epochs=2, **CONSTANT)
    longer, history = run(folder=tmp_path, epochs=4, **CONSTANT)
    whole, expected = run(epochs=4, **CONSTANT)
    assert longer == whole and history.resumed == 2
    assert history.step_loss == expected.step_loss


def test_a_run_is_not_made_shorter(tmp_path):
    run(folder=tmp_path, epochs=3, **CONSTANT)
    with pytest.raises(ValueError, match="holds 3 epochs already, and 2 are asked for"):
        run(folder=tmp_path, epochs=2, **CONSTANT)


def test_a_linear_run_says_why_it_cannot_be_made_longer(tmp_path):
    run(folder=tmp_path, epochs=1)
    with pytest.raises(ValueError, match="epochs differ.*planned down to its last"):
        run(folder=tmp_path, epochs=2)


def test_a_model_that_was_trained_already_is_no_beginning(tmp_path):
    model, some = Tiny(), tiny_examples()
    finetune.train_classifier(model, some, epochs=1, folder=tmp_path)
    with pytest.raises(ValueError, match="first weights differ.*made anew"):
        finetune.train_classifier(model, some, epochs=1, folder=tmp_path)


def test_hits_of_numpy_give_the_same_z_score():
    small = [np.uint8(x) for x in (200, 150, 250)]
    assert finetune.z_score(*small) == finetune.z_score(200, 150, 250)
