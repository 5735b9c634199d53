"""Specifications of finetune, classifier and checkpoints: what a real run must hold.

Most runs train a tiny model on made-up tensors: the loop does not care what it trains.
"""

import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import assets, corpora, encoder, finetune
from course_utils.finetune import (
    Classifier,
    Examples,
    LibraryClassifier,
    checkpoints,
    classifier,
)

NEWS = corpora.load_news("test")[:6]
steady = settings(derandomize=True, deadline=None, max_examples=40)


class Tiny(nn.Module):
    """Mean of (tokens, 3) inputs, dropout, one linear layer to two classes."""

    classes = ("left", "right")

    def __init__(self, seed=0, dropout=0.3):
        super().__init__()
        self.head = classifier.head_of(3, 2, seed)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs, mask):
        total = (inputs * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return self.head(self.dropout(total))


def tiny_examples(count=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    return Examples(
        [
            torch.randn(2 + i % 4, 3, generator=generator) + labels[i]
            for i in range(count)
        ],
        labels,
    )


@pytest.fixture(scope="module")
def minilm():
    return encoder.MiniLM.load()


# -- examples and batches --------------------------------------------------------------


@steady
@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 9), st.integers(0, 5))
def test_every_text_is_in_exactly_one_batch(lengths, size, seed):
    for generator in (None, torch.Generator().manual_seed(seed)):
        groups = finetune.length_groups(lengths, size, generator)
        assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
        assert all(1 <= len(group) <= size for group in groups)


@steady
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 3))
def test_a_balanced_draw_has_as_many_of_each_class(labels, seed):
    most = min(labels.count(number) for number in set(labels))
    places = finetune.balanced(labels, most, seed)
    drawn = [labels[place] for place in places]
    assert len(set(places)) == len(places)
    assert all(drawn.count(number) == most for number in set(labels))
    with pytest.raises(ValueError, match="are asked for"):
        finetune.balanced(labels, most + 1, seed)


def test_the_order_depends_on_the_seed_and_on_nothing_else():
    lengths = [3, 1, 2] * 20

    def order(seed):
        generator = torch.Generator().manual_seed(seed)
        return finetune.length_groups(lengths, 4, generator)

    assert order(1) == order(1) != order(2)


def test_length_groups_pad_less_than_the_order_of_arrival():
    lengths = np.random.default_rng(0).integers(5, 60, size=200).tolist()

    def padded(groups):
        return sum(max(lengths[i] for i in g) * len(g) for g in groups)

    arrival = [list(range(i, min(i + 16, 200))) for i in range(0, 200, 16)]
    shuffled = finetune.length_groups(lengths, 16, torch.Generator().manual_seed(0))
    assert padded(shuffled) < 0.8 * padded(arrival)


def test_a_batch_is_padded_to_its_own_longest_text():
    batch = tiny_examples().batch([0, 1])
    assert batch.inputs.shape == (2, 3, 3)
    assert batch.mask.tolist() == [[True, True, False], [True, True, True]]
    assert batch.inputs[0, 2].eq(0).all()


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        finetune.length_groups([1, 2], 0)


def test_inputs_and_labels_must_belong_together():
    with pytest.raises(ValueError, match="1 inputs, 2 labels"):
        Examples([torch.zeros(1, 3)], torch.tensor([0, 1]))


def test_an_unknown_label_is_named(minilm):
    wrong = replace(NEWS[0], label="Weather")
    with pytest.raises(ValueError, match="'Weather', the model knows World"):
        finetune.examples(Classifier(minilm, 0), [wrong])


def test_no_articles_are_refused(minilm):
    with pytest.raises(ValueError, match="no articles"):
        finetune.examples(Classifier(minilm, 0), [])


# -- models ----------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [0, 2, 6])
def test_untrained_blocks_give_the_vectors_of_the_encoder(minilm, layers):
    """Split anywhere, frozen part and copied part together are the whole model."""
    model = Classifier(minilm, layers)
    some = finetune.examples(model, NEWS)
    with torch.no_grad():
        batch = some.batch()
        vectors = nn.functional.normalize(model.vectors(batch.inputs, batch.mask))
    wanted = torch.from_numpy(minilm.encode([article.text for article in NEWS]))
    torch.testing.assert_close(vectors, wanted, atol=1e-5, rtol=0)


def test_the_library_gives_the_same_logits(minilm):
    ours, theirs = Classifier(minilm, 6, seed=3), LibraryClassifier(seed=3)
    a = finetune.evaluate(ours, finetune.examples(ours, NEWS))
    b = finetune.evaluate(theirs, finetune.examples(theirs, NEWS))
    torch.testing.assert_close(a.probabilities, b.probabilities, atol=1e-5, rtol=0)


def test_training_leaves_the_encoder_as_it_is(minilm):
    before = checkpoints.digest(minilm.state_dict().values())
    model = Classifier(minilm, 1)
    finetune.train_classifier(model, NEWS, epochs=1, learning_rate=1e-3)
    assert checkpoints.digest(minilm.state_dict().values()) == before
    moved = (
        model.blocks[0].attention.query.weight - minilm.layers[5].attention.query.weight
    )
    assert moved.abs().max() > 0


def test_the_number_of_blocks_is_checked(minilm):
    with pytest.raises(ValueError, match="0 to 6, got 7"):
        Classifier(minilm, 7)
    with pytest.raises(ValueError, match="two classes"):
        Classifier(minilm, 1, classes=["news"])


def folder_with(model, tmp_path):
    """A model of the library with a small vocabulary, as ``save_pretrained`` writes."""
    from transformers import BertTokenizer

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz",
    ]
    words += [f"##{letter}" for letter in words[5:]]
    (tmp_path / "words").write_text("\n".join(words))
    BertTokenizer(str(tmp_path / "words")).save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def distilbert(tmp_path):
    """The architecture of distilbert-base-uncased, tiny and with random weights."""
    from transformers import DistilBertConfig, DistilBertModel

    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=60, dim=16, hidden_dim=32, n_layers=1, n_heads=2,
        max_position_embeddings=40,
    )  # fmt: skip
    return folder_with(DistilBertModel(config), tmp_path)


def test_another_architecture_is_trained_by_the_same_call(distilbert):
    model = LibraryClassifier(distilbert)
    with pytest.warns(UserWarning, match="more than 40 tokens: 6 of 6"):
        some = finetune.examples(model, NEWS)
    words = model.body.get_input_embeddings().weight
    before = words.detach().clone()
    history = finetune.train_classifier(model, some, some, epochs=3, learning_rate=0.01)
    assert history.dev_loss[-1] < history.dev_loss[0]
    assert torch.equal(words, before)  # frozen unless train_words is set


def test_what_is_cut_ends_with_the_closing_token(distilbert):
    model = LibraryClassifier(distilbert, max_tokens=5)
    with pytest.warns(UserWarning, match="more than 5 tokens: 1 of 2"):
        cut, whole = model.prepare(["abcdefgh", "ab"])
    ids = model._tokenizer(["abc"])["input_ids"][0]
    assert cut.tolist() == ids
    assert whole.tolist() == [*ids[:3], ids[-1]]


def test_weights_that_could_run_code_are_refused(distilbert):
    """A pickle is refused even when nothing else is there."""
    from safetensors.torch import load_file

    weights = distilbert / "model.safetensors"
    torch.save(load_file(weights), distilbert / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(assets.AssetError, match="safetensors"):
        LibraryClassifier(distilbert)


def test_offline_an_unknown_model_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.delenv("COURSE_ONLINE", raising=False)
    with pytest.raises(assets.AssetError, match="COURSE_ONLINE=1"):
        LibraryClassifier("nobody/no-such-model")


def test_the_same_call_trains_a_library_model_on_a_file_in_the_layout_of_ag_news(
    tmp_path,
):
    file = tmp_path / "train.csv"
    rows = [f'{1 + i % 4},"Title {i}","Some words, number {i}."' for i in range(8)]
    file.write_text("\n".join(rows))
    news = corpora.load_news(path=file)
    history = finetune.train_classifier(LibraryClassifier(), news, news, epochs=1)
    assert history.epochs == 1 and 0 < history.dev_loss[0] < 3


# -- the loop --------------------------------------------------------------------------


def by_hand(model, some, epochs, rate, seed):
    """The fifteen lines of the notebook."""
    order = torch.Generator().manual_seed(seed)
    learning = list(model.parameters())
    optimizer = torch.optim.AdamW(learning, rate, weight_decay=0.0)
    losses, total = [], epochs * -(-len(some) // 4)
    for _ in range(epochs):
        for chosen in finetune.length_groups(some.lengths, 4, order):
            inputs, mask, labels = some.batch(chosen)
            loss = nn.functional.cross_entropy(model(inputs, mask), labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.param_groups[0]["lr"] = rate * (1 - len(losses) / total)
            optimizer.step()
            losses.append(loss.item())
    return losses


def test_the_loop_is_the_visible_one():
    some = tiny_examples()
    losses = by_hand(Tiny(dropout=0), some, 3, 0.05, seed=5)
    history = finetune.train_classifier(
        Tiny(dropout=0), some, epochs=3, learning_rate=0.05, batch_size=4, seed=5
    )
    assert history.step_loss == pytest.approx(losses, abs=1e-6)


def test_the_loop_is_the_one_of_the_trainer(tmp_path):
    from transformers import PrinterCallback, Trainer, TrainingArguments

    some = tiny_examples(22)

    class Ours(Trainer):
        def get_train_dataloader(self):
            batches = finetune.GroupedBatches(some.lengths, 4, seed=5)
            return torch.utils.data.DataLoader(
                range(len(some)),
                batch_sampler=batches,
                collate_fn=lambda chosen: some.batch(chosen)._asdict(),
            )

        def compute_loss(self, model, batch, return_outputs=False, **_):
            logits = model(batch["inputs"], batch["mask"])
            loss = nn.functional.cross_entropy(logits, batch["labels"])
            self.seen = [*getattr(self, "seen", []), loss.item()]
            return loss

    arguments = TrainingArguments(
        str(tmp_path), num_train_epochs=3, learning_rate=0.05, save_strategy="no",
        use_cpu=True, report_to="none", disable_tqdm=True,
    )  # fmt: skip
    theirs = Tiny(dropout=0)
    trainer = Ours(theirs, arguments)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    mine = Tiny(dropout=0)
    history = finetune.train_classifier(
        mine, some, epochs=3, learning_rate=0.05, batch_size=4, seed=5
    )
    assert history.step_loss == pytest.approx(trainer.seen, abs=1e-5)
    torch.testing.assert_close(mine.head.weight, theirs.head.weight)


def test_training_on_stored_states_is_training_with_the_lower_blocks_frozen(minilm):
    stored, whole = Classifier(minilm, 2, dropout=0), Classifier(minilm, 6, dropout=0)
    whole.blocks[:4].requires_grad_(False)
    a, b = (
        finetune.train_classifier(model, NEWS, epochs=2, learning_rate=1e-3)
        for model in (stored, whole)
    )
    assert a.step_loss == pytest.approx(b.step_loss, abs=1e-5)


def test_the_first_loss_of_a_fresh_head_is_the_log_of_the_classes():
    history = finetune.train_classifier(Tiny(), tiny_examples(), epochs=1)
    assert history.step_loss[0] == pytest.approx(np.log(2), abs=0.05)


def test_it_learns():
    model, some = Tiny(), tiny_examples(80)
    before = finetune.evaluate(model, some).loss
    history = finetune.train_classifier(model, some, some, epochs=8, learning_rate=0.05)
    assert history.dev_loss[-1] < 0.7 * before
    assert history.dev_accuracy[-1] > 0.85
    assert not model.training


def test_the_random_state_outside_is_not_touched():
    before = torch.get_rng_state()
    finetune.train_classifier(Tiny(), tiny_examples(), epochs=1)
    assert torch.equal(before, torch.get_rng_state())


def test_the_result_depends_on_the_seed_and_on_nothing_else():
    def result(seed):
        model = Tiny()
        finetune.train_classifier(model, tiny_examples(), epochs=2, seed=seed)
        return checkpoints.digest(model.state_dict().values())

    assert result(1) == result(1) != result(2)


def test_early_stopping_keeps_the_best_weights():
    """Dev labels are turned round, so every epoch of learning makes it worse."""
    some = tiny_examples(40)
    dev = Examples(some.inputs, 1 - some.labels)
    model = Tiny(dropout=0)
    history = finetune.train_classifier(
        model, some, dev, epochs=9, learning_rate=0.05, patience=2, schedule="constant"
    )
    assert (history.best_epoch, history.epochs) == (1, 3)
    assert finetune.evaluate(model, dev).loss == pytest.approx(history.dev_loss[0])


def test_report_counts_the_steps():
    seen = []
    finetune.train_classifier(
        Tiny(),
        tiny_examples(10),
        epochs=2,
        batch_size=4,
        report=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(n, 6) for n in range(1, 7)]


def test_a_loss_that_is_no_number_stops_the_run():
    some = tiny_examples(4)
    some.inputs[2].fill_(float("inf"))
    with pytest.raises(FloatingPointError, match="lower the learning rate of 0.0001"):
        finetune.train_classifier(Tiny(), some)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"schedule": "cosine"}, "'linear' or 'constant'"),
        ({"patience": 2}, "needs dev"),
        ({"epochs": 0}, "nothing to learn"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        finetune.train_classifier(Tiny(), tiny_examples(), **wrong)


@steady
@given(st.integers(1, 60), st.integers(0, 12))
def test_the_schedule_is_the_one_of_the_library(total, warmup):
    from transformers import get_linear_schedule_with_warmup

    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    library = get_linear_schedule_with_warmup(optimizer, warmup, total)
    for step in range(total):
        mine = finetune.learning_rate_factor(step, total, warmup)
        assert mine == pytest.approx(library.get_last_lr()[0])
        optimizer.step()
        library.step()


# -- checkpoints -----------------------------------------------------------------------


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    tensors = {"a": torch.randn(2, 3), "b.c": torch.arange(4)}
    checkpoints.save(tmp_path / "one", tensors, {"loss": 0.1 + 0.2})
    found, facts = checkpoints.load(tmp_path / "one")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[k], tensors[k]) for k in tensors)
    assert facts == {"loss": 0.1 + 0.2}  # JSON keeps every digit of a float


@steady
@given(st.floats(0, 1, exclude_max=True), st.booleans())
def test_any_damage_is_refused(tmp_path_factory, where, cut):
    path = tmp_path_factory.mktemp("damage") / "one"
    checkpoints.save(path, {"a": torch.randn(5)}, {})
    data = bytearray(path.read_bytes())
    place = int(where * len(data))
    if cut:
        del data[place:]
    else:
        data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        checkpoints.CheckpointError, match="one is cut short or altered"
    ):
        checkpoints.load(path)


def test_a_file_of_something_else_is_refused(tmp_path):
    data = b"no tensors at all"
    found = hashlib.sha256(data).hexdigest().encode()
    (tmp_path / "one").write_bytes(found + b"\n" + data)
    with pytest.raises(checkpoints.CheckpointError, match="no checkpoint of this"):
        checkpoints.load(tmp_path / "one")


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "one"
    checkpoints.save(path, {"a": torch.zeros(1)}, {"epoch": 1})

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save(path, {"a": torch.ones(1)}, {"epoch": 2})
    assert checkpoints.load(path)[1] == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]


RUN = {"epochs": 4, "learning_rate": 0.01, "batch_size": 4, "patience": 3}


def run(folder, report=None, **changes):
    model = Tiny()
    history = finetune.train_classifier(
        model,
        tiny_examples(),
        tiny_examples(8, seed=1),
        folder=folder,
        report=report,
        **{**RUN, **changes},
    )
    return checkpoints.digest(model.state_dict().values()), history


class PowerCut(BaseException):
    pass


@pytest.mark.parametrize("step", [1, 5, 7, 10, 15, 20])
def test_an_interrupted_run_ends_with_the_very_same_numbers(tmp_path, step):
    def cut(done, total):
        if done == step:
            raise PowerCut

    whole, expected = run(None)
    with pytest.raises(PowerCut):
        run(tmp_path, cut)
    resumed, history = run(tmp_path)
    assert resumed == whole
    assert history.resumed == (step - 1) // 5
    for name in ("step_loss", "train_loss", "dev_loss", "dev_accuracy"):
        assert getattr(history, name) == getattr(expected, name), name


def test_a_finished_run_is_not_run_again(tmp_path):
    first, _ = run(tmp_path)
    steps = []
    again, history = run(tmp_path, lambda done, total: steps.append(done))
    assert (again, steps, history.resumed) == (first, [], 4)


def test_early_stopping_survives_an_interruption(tmp_path):
    some = tiny_examples(40)
    dev = Examples(some.inputs, 1 - some.labels)

    def go(folder, report=None):
        model = Tiny()
        history = finetune.train_classifier(
            model, some, dev, epochs=9, learning_rate=0.05, patience=2,
            folder=folder, report=report,
        )  # fmt: skip
        return checkpoints.digest(model.state_dict().values()), history.epochs

    def cut(done, total):
        if done == 8:
            raise PowerCut

    with pytest.raises(PowerCut):
        go(tmp_path, cut)
    assert go(tmp_path) == go(None)


def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_used(tmp_path):
    def cut(done, total):
        if done == 17:
            raise PowerCut

    whole, _ = run(None)
    with pytest.raises(PowerCut):
        run(tmp_path, cut)
    newest, previous = checkpoints.listed(tmp_path)
    assert (newest.name, previous.name) == (
        "epoch-0003.checkpoint",
        "epoch-0002.checkpoint",
    )
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="epoch-0003.checkpoint is cut short"):
        resumed, history = run(tmp_path)
    assert resumed == whole
    assert history.resumed == 2 and len(history.refused) == 1


def test_with_nothing_but_damage_the_run_begins_anew(tmp_path):
    whole, _ = run(tmp_path)
    for path in checkpoints.listed(tmp_path):
        path.write_bytes(b"")
    with pytest.warns(UserWarning):
        again, history = run(tmp_path)
    assert (again, history.resumed, len(history.refused)) == (whole, 0, 2)


@pytest.mark.parametrize("change", [{"learning_rate": 0.02}, {"seed": 1}])
def test_a_folder_of_another_run_is_refused(tmp_path, change):
    run(tmp_path)
    with pytest.raises(ValueError, match=f"another run: {next(iter(change))} differ"):
        run(tmp_path, **change)


def test_other_texts_to_watch_are_another_run(tmp_path):
    run(tmp_path)
    with pytest.raises(ValueError, match="another run: dev differ"):
        finetune.train_classifier(
            Tiny(), tiny_examples(), tiny_examples(8, seed=2), folder=tmp_path, **RUN
        )


def test_only_two_checkpoints_are_kept(tmp_path):
    run(tmp_path)
    assert [p.name for p in sorted(tmp_path.iterdir())] == [
        "epoch-0003.checkpoint",
        "epoch-0004.checkpoint",
    ]


SCRIPT = """
import os, signal, sys, time, torch
torch.set_num_threads(1)
from course_utils import corpora, encoder, finetune

folder, pace = sys.argv[1:]
checkpoints, replace = finetune.checkpoints, os.replace

def die(beside, path):
    if "epoch-0002" in path.name:
        beside.write_bytes(beside.read_bytes()[:5000])  # half reached the disk
        os.kill(os.getpid(), signal.SIGKILL)
    replace(beside, path)

if pace == "dies while it writes":
    checkpoints.os.replace = die
news = corpora.load_news("train")[:24]
model = finetune.Classifier(encoder.MiniLM.load(), layers=1)
some = finetune.examples(model, news, lambda article: article.title)
finetune.train_classifier(
    model, some, some, epochs=3, batch_size=8, patience=3, folder=folder or None,
    report=lambda done, total: time.sleep(0.5 if pace == "slow" else 0),
)
print(checkpoints.digest(model.state_dict().values()))
"""


def start(folder, pace="fast"):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), pace],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def names(folder):
    return [path.name for path in checkpoints.listed(folder)]


@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_a_killed_process_is_resumed_to_the_last_digit(tmp_path):
    """Not an exception: the process is gone, in an epoch or while it writes."""
    training, writing = tmp_path / "training", tmp_path / "writing"
    victims = start(training, "slow"), start(writing, "dies while it writes")
    whole, deadline = start(""), time.monotonic() + 600
    while not checkpoints.listed(training) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.7)  # into the second epoch
    victims[0].send_signal(signal.SIGKILL)
    assert [victim.wait() for victim in victims] == [-signal.SIGKILL] * 2
    assert names(training) == names(writing) == ["epoch-0001.checkpoint"]
    assert len(list(writing.iterdir())) == 2  # and the half that was never finished
    resumed = start(training), start(writing)
    digests = [process.communicate()[0].strip() for process in (whole, *resumed)]
    assert len(set(digests)) == 1 and len(digests[0]) == 16
    assert names(writing) == ["epoch-0003.checkpoint", "epoch-0002.checkpoint"]
    assert len(list(writing.iterdir())) == 2  # the half is gone
