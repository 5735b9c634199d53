"""The embedding model: its tensors, its settings, and as the libraries load it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase
from course_utils.assets.places import MINILM, folder


def weights() -> dict[str, torch.Tensor]:
    """Return every tensor of all-MiniLM-L6-v2, by its name in the file.

    The tensors are memory-mapped: nothing is copied until it is used, and several
    kernels share one copy. Treat them as read-only.

    >>> tuple(weights()["embeddings.word_embeddings.weight"].shape)
    (30522, 384)
    """
    from safetensors.torch import load_file

    return load_file(folder(MINILM) / "model.safetensors")


def config() -> dict:
    """Return the model's ``config.json``: sizes, activation, layer-norm epsilon.

    >>> config()["num_hidden_layers"], config()["hidden_size"]
    (6, 384)
    """
    import json

    return json.loads((folder(MINILM) / "config.json").read_text(encoding="utf-8"))


def wordpieces() -> list[str]:
    """Return the piece of each row of the lookup table, from ``vocab.txt``.

    >>> wordpieces()[101], len(wordpieces())
    ('[CLS]', 30522)
    """
    return (folder(MINILM) / "vocab.txt").read_text(encoding="utf-8").splitlines()


@cache
def sentence_transformer() -> SentenceTransformer:
    """Return all-MiniLM-L6-v2 as the sentence-transformers library loads it (CPU)."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(
        str(folder(MINILM)), device="cpu", local_files_only=True
    ).eval()


@cache
def tokenizer() -> PreTrainedTokenizerBase:
    """Return the model's own tokenizer as transformers loads it.

    >>> tokenizer()("The cat sat.")["input_ids"]
    [101, 1996, 4937, 2938, 1012, 102]
    """
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder(MINILM), local_files_only=True)


@cache
def fast_tokenizer() -> Tokenizer:
    """Return the same tokenizer without transformers: same ids, a lighter start.

    It neither cuts nor pads, unlike the file's own settings (128 tokens).

    >>> fast_tokenizer().encode("The cat sat.").ids
    [101, 1996, 4937, 2938, 1012, 102]
    """
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(folder(MINILM) / "tokenizer.json"))
    found.no_truncation()
    found.no_padding()
    return found
