"""Reading a vocabulary leaves the environment, and special names, as they are."""

import os

import pytest

from course_utils import assets
from course_utils.assets import vocabulary


@pytest.mark.parametrize("yours", [None, "/somewhere/of/mine"])
def test_reading_a_vocabulary_leaves_the_cache_of_tiktoken_where_it_was(
    monkeypatch, yours
):
    """Otherwise whatever is downloaded later would land in our package."""
    if yours is None:
        monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    else:
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", yours)
    assert vocabulary._tiktoken("cl100k").pieces("a b") == ["a", " b"]
    assert os.environ.get("TIKTOKEN_CACHE_DIR") == yours


@pytest.mark.parametrize("name", ["cl100k", "o200k", "tekken", "sentencepiece"])
@pytest.mark.parametrize("special", ["<|endoftext|>", "<s>", "[INST]"])
def test_the_name_of_a_special_token_is_plain_text(name, special):
    vocabulary = assets.vocabularies()[name]
    ids = vocabulary.encode(special)
    assert len(ids) > 1 and vocabulary.decode(ids).strip() == special


def test_wordpiece_alone_reads_the_names_of_bert():
    assert assets.vocabularies()["wordpiece"].encode("[SEP]") == [102]
