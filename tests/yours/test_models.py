"""A model's own files, and the same questions for every encoder."""

import json

import pytest

from course_utils import assets
from course_utils.yours import GoldenSet, models
from course_utils.yours.cards import NOT_SAID, checklist
from course_utils.yours.models import from_folder, table, trial
from tests.search.toy import Toy

PAGES = {
    "disk": "The disk is full. Delete the old dump.",
    "lock": "A state lock is stuck. Unlock it with force.",
    "pods": "The pods were killed. Raise the memory limit.",
}
GOLDEN = GoldenSet()
for question, name in [
    ("delete the dump", "disk"),
    ("unlock a stuck lock", "lock"),
    ("memory of pods", "pods"),
]:
    GOLDEN = GOLDEN.ask(question).judge(question, name, 3)


def answers(folder):
    return {fact.question: fact.answer for fact in checklist(folder)}


def test_the_checklist_of_minilm_is_what_its_files_say():
    found = answers(assets.folder(assets.MINILM))
    assert found == {
        "dimensions": "384",
        "tokens that it reads": "256",
        "pooling": "mean",
        "vectors of length 1": "yes",
        "text put before a question or a document": NOT_SAID,
        "licence": "apache-2.0",
        "language": "en",
        "trained on": found["trained on"],
        "made from": NOT_SAID,
    }
    assert (
        found["trained on"].startswith("s2orc, flax-")
        and "15 more" in found["trained on"]
    )


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text), "utf-8")
    return folder


def test_prompts_cls_and_a_missing_normalisation_are_told(tmp_path):
    write(
        tmp_path,
        config_dot_json={"hidden_size": 768, "max_position_embeddings": 8192},
        modules_dot_json=[{"type": "sentence_transformers.models.Pooling"}],
        config_sentence_transformers_dot_json={"prompts": {"query": "query: "}},
    )
    write(tmp_path, **{"1_Pooling__config_dot_json": {"pooling_mode_cls_token": True}})
    found = answers(tmp_path)
    assert found["tokens that it reads"] == "8192" and found["pooling"] == "cls_token"
    assert found["vectors of length 1"] == "no" and found["licence"] == NOT_SAID
    assert found["text put before a question or a document"] == "query: 'query: '"


@pytest.mark.parametrize(
    "card",
    [
        "",
        "no front matter",
        "---\n[1, 2]\n---\n",
        "---\na: [\n---\n",
        "---\nlicense: x\n" + "# long\n" * 9000 + "---\n",
        "---\nlicense: !!python/object/apply:os.system ['exit 3']\n---\n",
        "---\nlicense: {a: b}\nlanguage: 2026-01-01\n---\n",
        "---\n" + "[" * 1500 + "\n---\n",
    ],
)
def test_a_card_that_says_nothing_plain_says_nothing(tmp_path, card):
    write(tmp_path, README_dot_md=card, config_dot_json="[" * 9000)
    assert set(answers(tmp_path).values()) == {NOT_SAID}


def test_a_card_that_unfolds_is_not_unfolded(tmp_path):
    rows = ["a0: &a0 [lol]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    write(tmp_path, README_dot_md="---\n" + "\n".join(rows) + "\nlicense: *a11\n---\n")
    assert answers(tmp_path)["licence"] == NOT_SAID


class Ticking:
    """A clock that goes on by a second each time it is looked at."""

    now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


def test_every_encoder_answers_the_same_questions():
    def missing():
        raise RuntimeError("no such arithmetic here")

    encoders = {"toy": Toy, "small": lambda: Toy("toy:2", 8), "none": missing}
    found, refused = trial(encoders, PAGES, GOLDEN, clock=Ticking())
    assert refused == {"none": "no such arithmetic here"}
    assert [one.name for one in found] == ["toy", "small"]
    toy, small = found
    assert (toy.dimensions, small.dimensions, toy.tokens) == (64, 8, 256)
    assert toy.index == 3 * 64 * 4 and toy.model is None
    assert toy.milliseconds == pytest.approx(1000 / 3)  # one call for three passages
    assert toy.evaluation.mean("nDCG@10") == 1
    shown = table(found, "toy")
    assert shown.loc["toy", "gain"] == "+0.00 [+0.00, +0.00]"
    assert shown.loc["toy", "nDCG@10"] == "1.00 [1.00, 1.00]"
    assert shown.loc["small", "reads"] == 256
    with pytest.raises(ValueError, match="no search is called 'other'"):
        table(found, "other")


def test_a_model_that_reads_little_takes_smaller_passages():
    class Short(Toy):
        max_tokens = 12

    [found], refused = trial({"short": Short}, PAGES, GOLDEN)
    assert refused == {} and found.index > 3 * 64 * 4


def test_the_encoders_at_hand_are_real_and_differ_in_size():
    found, refused = trial(models.at_hand(), PAGES, GOLDEN)
    sizes = {one.name: one.model for one in found}
    assert sizes["MiniLM L3"] < sizes["MiniLM L6"] == pytest.approx(90.8e6, rel=0.01)
    if "MiniLM L6, int8" not in refused:
        assert sizes["MiniLM L6, int8"] < 0.7 * sizes["MiniLM L6"]
    assert all(one.evaluation.mean("MRR") == 1 for one in found)


def test_a_folder_is_an_encoder_and_a_name_is_not_asked_for(monkeypatch):
    monkeypatch.delenv("COURSE_ONLINE", raising=False)
    with pytest.raises(FileNotFoundError, match="COURSE_ONLINE=1"):
        from_folder("somebody/some-model")
    encoder = from_folder(assets.folder(assets.MINILM))
    assert encoder.encode(["a disk"]).shape == (1, 384)
    assert models.weight_bytes(encoder) == pytest.approx(90.8e6, rel=0.01)
