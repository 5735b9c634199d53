"""Any sentence-transformers model is an encoder, and an index knows it again."""

import copy

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from course_utils import assets
from course_utils.search import (
    CachedEncoder,
    OtherEncoder,
    SearchIndex,
    SentenceTransformerEncoder,
)
from tests.search.toy import Toy

PAGES = {"disk": "The disk is full. " * 30, "lock": "A lock is stuck."}


def static(cut=None):
    """A model without blocks: a table of vectors and a bare tokenizer."""
    tokenizer = copy.deepcopy(assets.fast_tokenizer())
    if cut:
        tokenizer.enable_truncation(cut)
    table = assets.weights()["embeddings.word_embeddings.weight"][:, :32].clone()
    return SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=table)], device="cpu"
    )


def test_a_static_model_is_searched_like_any_other(tmp_path):
    encoder = SentenceTransformerEncoder(static())
    assert encoder.max_tokens > 1_000_000 and "any length" in encoder.fingerprint
    assert encoder.wordpieces.pieces("unbelievable") == ["unbelievable"]
    assert encoder.wordpieces.decode(encoder.wordpieces.encode("a disk")) == "a disk"
    assert encoder.encode([]).shape == (0, 32)
    index = SearchIndex.build(PAGES, encoder, size=1000)
    assert len(index.chunks) == 2
    assert index.search("full disk", 1, "dense")[0].document == "disk"
    index.save(tmp_path / "index")
    assert SearchIndex.load(tmp_path / "index", encoder).search("stuck", 1, "dense")


def test_a_bare_tokenizer_that_cuts_is_a_limit():
    encoder = SentenceTransformerEncoder(static(cut=20))
    assert encoder.max_tokens == 20
    assert len(encoder.wordpieces.encode("word " * 50)) == 50, "counted to the end"
    with pytest.raises(ValueError, match="at most 18"):
        SearchIndex.build(PAGES, encoder)


def test_the_vocabulary_of_a_model_reads_as_its_tokenizer():
    model = assets.sentence_transformer()
    mine = SentenceTransformerEncoder(model).wordpieces
    for text in ("Unbelievable: FB-2107!", "", "日本 🎉", "\ud800 lone"):
        ids = model.tokenizer.encode(assets.encodable(text), add_special_tokens=False)
        assert mine.encode(text) == ids
        assert mine.pieces(text) == model.tokenizer.convert_ids_to_tokens(ids)
    assert len(mine) == 30_522 and mine.unknown == "[UNK]"


def prompted(model):
    model.prompts["note"], model.default_prompt_name = "Represent this: ", "note"


def changed_in_place(model):
    with torch.no_grad():
        next(model.parameters())[0, 0] += 1e-3


def written_past_torch(model):
    next(model.parameters()).detach().numpy()[0, 0] += 1e-3


def shorter(model):
    model.max_seq_length = 128


def coarser(model):
    model.bfloat16()


def narrower(model):
    model.truncate_dim = 16


CHANGES = [changed_in_place, written_past_torch, prompted, coarser, narrower]


@pytest.mark.parametrize("change", CHANGES)
def test_a_static_model_that_changed_has_another_fingerprint(change):
    encoder = SentenceTransformerEncoder(static())
    before = encoder.fingerprint
    assert before == SentenceTransformerEncoder(static()).fingerprint == before
    change(encoder.model)
    assert encoder.fingerprint != before


def test_a_tokenizer_that_cuts_otherwise_is_another_encoder():
    one, two = static(), static()
    two.tokenizer.normalizer = None
    prints = {SentenceTransformerEncoder(model).fingerprint for model in (one, two)}
    assert len(prints) == 2


@pytest.mark.parametrize("change", [prompted, shorter])
def test_a_prompt_and_a_limit_change_who_the_model_is(change):
    model = copy.deepcopy(assets.sentence_transformer())
    encoder = SentenceTransformerEncoder(model)
    before, room = encoder.fingerprint, encoder.max_tokens
    change(model)
    assert encoder.fingerprint != before and encoder.max_tokens < room


@pytest.mark.parametrize("cached", [False, True])
def test_an_index_notices_that_its_encoder_was_changed_in_place(tmp_path, cached):
    plain = SentenceTransformerEncoder(static())
    encoder = CachedEncoder(plain) if cached else plain
    index = SearchIndex.build(PAGES, encoder)
    index.save(tmp_path / "index")
    changed_in_place(plain.model)
    with pytest.raises(OtherEncoder, match="build it again"):
        SearchIndex.load(tmp_path / "index", encoder)
    with pytest.raises(OtherEncoder, match="changed in place"):
        index.add({"new": "A page."})
    with pytest.raises(OtherEncoder, match="changed in place"):
        index.save(tmp_path / "index")
    assert not cached or len(encoder) == 0, "old vectors are forgotten"


@pytest.mark.parametrize("make", [SentenceTransformerEncoder, None])
def test_one_string_is_no_list_of_texts(make):
    encoder = make(static()) if make else CachedEncoder(Toy())
    with pytest.raises(TypeError, match=r"encode\(\[text\]\)"):
        encoder.encode("eleven lett")
    assert encoder.encode(["eleven lett"]).dtype == np.float32
