"""From an id to a row: by hand, by property, and against the libraries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from course_utils import assets
from course_utils.lookup import (
    CANARY,
    assert_tokenizer_matches,
    canary_ids,
    one_hot,
    rows,
    untrained_rows,
)

steady = settings(derandomize=True, deadline=None, max_examples=60)


def random_tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def table():
    return assets.weights()["embeddings.word_embeddings.weight"]


# -- rows ------------------------------------------------------------------------------


@steady
@given(st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_one_hot_times_matrix_gather_and_library_are_the_same_to_the_last_bit(ids):
    matrix, ids = random_tensor(7, 5), torch.tensor(ids)
    read = rows(matrix, ids)
    assert torch.equal(one_hot(ids, 7) @ matrix, read)
    assert torch.equal(torch.stack([matrix[i] for i in ids.tolist()]), read)
    assert torch.equal(functional.embedding(ids, matrix), read)


def test_ids_may_have_any_shape():
    matrix = random_tensor(7, 5)
    assert rows(matrix, torch.zeros(2, 3, dtype=torch.long)).shape == (2, 3, 5)
    assert rows(matrix, torch.tensor([], dtype=torch.long)).shape == (0, 5)
    assert one_hot(torch.tensor([[1], [2]]), 4).shape == (2, 1, 4)
    assert rows(matrix, torch.tensor(3, dtype=torch.int32)).shape == (5,)


def test_one_hot_of_the_whole_vocabulary_needs_no_square_matrix():
    assert one_hot(torch.tensor([30_521]), 30_522).sum() == 1


def test_only_rows_that_are_read_get_a_gradient():
    matrix = random_tensor(6, 4).requires_grad_()
    rows(matrix, torch.tensor([4, 1, 4])).sum().backward()
    assert matrix.grad.any(dim=1).nonzero().flatten().tolist() == [1, 4]
    assert torch.equal(matrix.grad[4], torch.full((4,), 2.0))


@pytest.mark.parametrize("wrong", [-1, 6, 10**9])
def test_an_id_outside_the_table_is_named(wrong):
    with pytest.raises(ValueError, match=rf"id {wrong} is not in a table of 6 rows"):
        rows(torch.zeros(6, 2), torch.tensor([0, wrong]))
    with pytest.raises(ValueError, match="0 to 5"):
        one_hot(torch.tensor([wrong]), 6)


def test_ids_that_are_no_whole_numbers_are_refused():
    with pytest.raises(ValueError, match="whole numbers, got torch.float32"):
        rows(torch.zeros(6, 2), torch.tensor([1.0]))
    with pytest.raises(ValueError, match="torch.bool"):
        rows(torch.zeros(6, 2), torch.tensor([True]))
    with pytest.raises(TypeError, match="must be a tensor, got list"):
        rows(torch.zeros(6, 2), [1, 2])


# -- rows that were never learnt -------------------------------------------------------


def test_one_odd_row_does_not_decide_what_is_untrained():
    lengths = np.array([0.1] * 30 + [0.9] + [0.1, 0.5, 1.0, 2.0])
    found = untrained_rows(lengths[:, None], known=range(31))
    assert found == [31]
    assert untrained_rows(lengths[:, None], range(31), share=1.0) == [31, 32]


def test_the_short_rows_of_minilm_include_pieces_that_no_text_contains(table):
    ids = assets.tokenizer().get_vocab()
    unused = [i for piece, i in ids.items() if piece.startswith("[unused")]
    found = set(untrained_rows(table.numpy(), unused))
    assert {ids["##戦"], ids["##犬"], ids["##。"]} <= found
    assert not found & {ids[word] for word in ("the", "cat", "server", "##ing")}
    assert not found & set(unused)


@pytest.mark.parametrize(
    "known, share, message",
    [
        ([], 0.95, "name at least one row"),
        ([5], 0.95, "known rows must be 0 to 4"),
        ([-1], 0.95, "known rows must be 0 to 4"),
        ([0], 0.0, "share must be above 0"),
        ([0], 1.5, "at most 1"),
    ],
)
def test_untrained_rows_asks_for_a_usable_reference(known, share, message):
    with pytest.raises(ValueError, match=message):
        untrained_rows(np.ones((5, 2)), known, share)


# -- the right tokenizer ---------------------------------------------------------------


class Model:
    """A model as far as the check is concerned: the piece of each row."""

    def __init__(self):
        path = assets.folder(assets.MINILM) / "vocab.txt"
        self.vocabulary = path.read_text(encoding="utf-8").splitlines()


class Patient:
    """The real tokenizer with something done to it."""

    def __init__(self, encode=None, vocab=None):
        real = assets.tokenizer()
        self.encode = encode or (lambda text: real(text)["input_ids"])
        self.vocab = real.get_vocab() if vocab is None else vocab

    def get_vocab(self):
        return self.vocab

    def __call__(self, text):
        return {"input_ids": self.encode(text)}


@pytest.fixture(scope="module")
def model():
    return Model()


def test_the_models_own_tokenizer_is_accepted(model):
    assert_tokenizer_matches(model, assets.tokenizer())
    assert_tokenizer_matches(model, Patient())


def test_the_canary_by_our_own_code_equals_the_library(model):
    assert canary_ids(model.vocabulary) == assets.tokenizer()(CANARY)["input_ids"]


@pytest.mark.parametrize("shift", [1, -1])
def test_ids_off_by_one_are_caught(model, shift):
    real = assets.tokenizer()
    patient = Patient(lambda text: [i + shift for i in real(text)["input_ids"]])
    with pytest.raises(ValueError, match="canary sentence differs at token 0"):
        assert_tokenizer_matches(model, patient)


@pytest.mark.parametrize(
    "option", [{"lowercase": False}, {"strip_accents": False}], ids=str
)
def test_another_normalisation_is_caught(model, option):
    import json

    from tokenizers import Tokenizer
    from tokenizers.normalizers import BertNormalizer

    backend = assets.tokenizer().backend_tokenizer.to_str()
    changed = Tokenizer.from_str(json.dumps(json.loads(backend)))
    changed.no_padding()
    changed.normalizer = BertNormalizer(**{"lowercase": True, **option})
    patient = Patient(lambda text: changed.encode(text).ids)
    with pytest.raises(ValueError, match="look at lower-casing, accents"):
        assert_tokenizer_matches(model, patient)


def test_missing_special_tokens_are_caught(model):
    real = assets.tokenizer()
    patient = Patient(lambda text: real.encode(text, add_special_tokens=False))
    with pytest.raises(ValueError, match="canary sentence differs at token 0"):
        assert_tokenizer_matches(model, patient)


def test_two_exchanged_rows_are_caught_though_the_canary_sings(model):
    vocab = assets.tokenizer().get_vocab()
    swapped = vocab | {"cat": vocab["dog"], "dog": vocab["cat"]}
    with pytest.raises(ValueError, match="row 3899 of the table is 'dog'"):
        assert_tokenizer_matches(model, Patient(vocab=swapped))


def test_another_size_is_caught_before_anything_else(model):
    vocab = {str(i): i for i in range(100)}
    with pytest.raises(ValueError, match="100 pieces, the table 30,522 rows"):
        assert_tokenizer_matches(model, Patient(vocab=vocab))


def test_a_table_of_another_family_is_named():
    with pytest.raises(ValueError, match=r"no row for \[CLS\]"):
        canary_ids(["<s>", "</s>", "the"])
