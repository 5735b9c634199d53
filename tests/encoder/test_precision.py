"""Fewer bits: close to float32, chosen by measurement, refused with a reason."""

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import corpora
from course_utils.encoder import Change, MiniLM, offset_positions, precision
from course_utils.encoder.precision import Int8Linear, Unavailable, fastest, load
from course_utils.search import OtherEncoder, SearchIndex, evaluate

TEXTS = [*corpora.load_sentences().values(), "a", "", "cat " * 200]
OTHERS = [name for name in precision.PRECISIONS if name != "float32"]


@pytest.fixture(scope="module")
def encoders():
    return {name: load(name) for name in precision.PRECISIONS}


def cosines(a, b):
    return (a * b).sum(axis=1)


# -- the variants ----------------------------------------------------------------------


def test_float32_is_the_model_itself(encoders):
    model = MiniLM.load()
    assert np.array_equal(encoders["float32"].encode(TEXTS), model.encode(TEXTS))
    assert encoders["float32"].fingerprint == model.fingerprint


@pytest.mark.parametrize("name, near", {"bfloat16": 0.999, "int8": 0.96}.items())
def test_a_variant_is_close_but_not_equal(encoders, name, near):
    vectors, exact = encoders[name].encode(TEXTS), encoders["float32"].encode(TEXTS)
    assert vectors.dtype == np.float32 and vectors.shape == exact.shape
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-5
    assert near < cosines(vectors, exact).min() < 1 - 1e-7


@pytest.mark.parametrize("name", OTHERS)
def test_the_same_texts_give_the_same_vectors(encoders, name):
    first = encoders[name].encode(TEXTS)
    assert np.array_equal(encoders[name].encode(TEXTS), first)
    assert np.array_equal(load(name).encode(TEXTS), first)


@pytest.mark.parametrize("name, near", {"bfloat16": 0.999, "int8": 0.96}.items())
def test_other_neighbours_give_nearly_the_same_vectors(encoders, name, near):
    together = encoders[name].encode(TEXTS)
    alone = np.concatenate([encoders[name].encode([text]) for text in TEXTS])
    assert cosines(together, alone).min() > near


@pytest.mark.parametrize("name", OTHERS)
def test_loading_a_variant_leaves_the_model_as_it_was(name):
    before = MiniLM.load().encode(TEXTS)
    load(name)
    assert np.array_equal(MiniLM.load().encode(TEXTS), before)


@pytest.mark.parametrize("name", OTHERS)
def test_experiments_and_traces_work_in_every_precision(encoders, name):
    moved = Change(positions=offset_positions(100), ablate={2: [3]})
    plain = encoders[name].encode(TEXTS[:2])
    assert cosines(plain, encoders[name].encode(TEXTS[:2], change=moved)).max() < 0.99
    trace = encoders[name].trace(TEXTS[0])
    assert trace.vector.dtype == torch.float32
    assert trace.attention.float().sum(dim=-1).sub(1).abs().max() < 0.05


@pytest.mark.parametrize("name", OTHERS)
def test_an_index_of_one_precision_refuses_another(encoders, name, tmp_path):
    SearchIndex.build({"cat": TEXTS[0]}, encoders["float32"]).save(tmp_path / "index")
    with pytest.raises(OtherEncoder, match=name):
        SearchIndex.load(tmp_path / "index", encoders[name])


def test_int8_is_known_by_its_whole_numbers():
    one, two = load("int8"), load("int8")
    assert one.fingerprint == two.fingerprint
    two.layers[3].attention.query = Int8Linear(nn.Linear(384, 384))
    assert one.fingerprint != two.fingerprint


def test_a_sentence_is_no_list_to_measure():
    with pytest.raises(TypeError, match="list of texts"):
        fastest("disk full", rounds=1)


def test_a_matrix_of_whole_numbers_by_hand():
    """Weights and inputs that fit the steps exactly come out exactly."""
    linear = nn.Linear(2, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[63.0, -32.0], [0.5, 0.125]]))
        linear.bias.copy_(torch.tensor([1.0, 0.0]))
    # Inputs from -127 to 128 are 256 steps of 1.
    got = Int8Linear(linear)(torch.tensor([[-127.0, 128.0]]))
    second = 0.5 * -127 + 0.5 / 63 * 16 * 128  # .125 is no step of .5 / 63: 16 is
    assert torch.allclose(got, torch.tensor([[1 - 63 * 127 - 32 * 128.0, second]]))


def test_the_largest_products_do_not_overflow():
    """Two of them are added in 16 bits where the processor has no better way."""
    linear = nn.Linear(256, 4)
    with torch.no_grad():
        linear.weight.fill_(63.0)
        linear.bias.zero_()
    x = torch.full((4, 256), 128.0)
    x[:, 0] = -127.0
    assert torch.allclose(Int8Linear(linear)(x), linear(x))


def test_each_row_has_a_scale_of_its_own():
    torch.manual_seed(7)
    linear = nn.Linear(64, 8)
    with torch.no_grad():
        linear.weight[0] *= 1000
    x = torch.randn(10, 64)
    error = (Int8Linear(linear)(x) - linear(x)).abs().mean(dim=0)
    assert error[1:].max() < 0.02 < error[0]


def test_int8_finds_what_float32_finds(encoders):
    """On the golden set: the task decides, not the cosine."""
    pages = corpora.load_runbooks()
    queries = [query for query in corpora.load_queries() if query.kind == "paraphrase"]
    relevance = corpora.load_relevance()
    found = {}
    for name in ("float32", "int8"):
        index = SearchIndex.build(pages[:25], encoders[name])
        found[name] = evaluate(
            lambda text, index=index: index.search(text, 10, "dense"),
            queries,
            relevance,
            k=10,
        ).mean("nDCG@10")
    assert found["float32"] > 0.2
    assert found["int8"] == pytest.approx(found["float32"], abs=0.02)


# -- errors ----------------------------------------------------------------------------


def test_an_unknown_precision_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'int4': choose one of 'float32', 'bfloat16'"):
        load("int4")


@pytest.fixture
def without_engine(monkeypatch):
    def refuse(*_):
        raise RuntimeError("Didn't find engine for operation linear_prepack")

    monkeypatch.setattr(torch.ops.quantized, "linear_prepack", refuse)


def test_a_torch_without_whole_numbers_says_what_to_do(without_engine):
    with pytest.raises(Unavailable, match="int8 is not available.*'bfloat16'"):
        load("int8")


def test_what_is_unavailable_is_not_chosen(without_engine):
    choice = fastest(TEXTS[:2], rounds=1)
    assert "int8 is not available" in choice.trials["int8"].refused
    assert choice.name != "int8"


# -- the choice ------------------------------------------------------------------------


class Clockwork:
    """Encoders that take as long as they say, on a clock of their own."""

    def __init__(self):
        self.now = 0.0

    def clock(self):
        return self.now

    def make(self, seconds, turned=0.0):
        work = self

        class Fake:
            def encode(self, texts):
                work.now += seconds
                vector = np.array([np.cos(turned), np.sin(turned)])
                return np.tile(vector, (len(texts), 1))

        return Fake


def test_the_fastest_that_is_close_enough_is_chosen():
    work = Clockwork()
    candidates = {
        "standard": work.make(4.0),
        "wrong": work.make(0.5, turned=1.0),
        "good": work.make(1.0, turned=0.1),
        "slow": work.make(8.0),
        "broken": work.make(0.1, turned=float("nan")),
    }
    choice = fastest(["a"], candidates, clock=work.clock)
    assert choice.name == "good"
    assert isinstance(choice.encoder, candidates["good"])
    assert {n: t.speed for n, t in choice.trials.items()} == {
        "standard": 1.0,
        "wrong": 8.0,
        "good": 4.0,
        "slow": 0.5,
        "broken": pytest.approx(40.0),
    }
    assert choice.trials["wrong"].cosine == pytest.approx(np.cos(1.0))
    assert choice.trials["wrong"].refused == "cosine 0.540 is below 0.985"
    assert choice.trials["broken"].refused == "cosine nan is below 0.985"


def test_where_nothing_is_faster_the_standard_stays():
    work = Clockwork()
    slow = {"standard": work.make(1.0), "slow": work.make(5.0)}
    assert fastest(["a"], slow, clock=work.clock).name == "standard"


def test_on_this_machine_something_is_chosen_and_every_trial_is_kept():
    choice = fastest(TEXTS, rounds=1)
    assert list(choice.trials) == list(precision.PRECISIONS)
    assert not choice.trials[choice.name].refused
    assert choice.trials["bfloat16"].cosine > 0.999
    assert choice.encoder.encode(["a"]).shape == (1, 384)


@pytest.mark.parametrize("how", [{"texts": []}, {"rounds": 0}, {"candidates": {}}])
def test_nothing_to_measure_is_refused(how):
    with pytest.raises(ValueError, match="nothing to measure"):
        fastest(**{"texts": ["a"], **how})
