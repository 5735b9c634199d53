"""What an encoder must offer. The later topics take one as an argument, any one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np


class Encoder(Protocol):
    """Anything that turns texts into vectors and can say what it is.

    ``course_utils.encoder.MiniLM`` is one, ``SentenceTransformerEncoder`` another. An
    attribute ``wordpieces`` (a ``Vocabulary``) names its tokenizer; without one the
    course's WordPiece vocabulary is taken.

    Attributes:
        max_tokens: how many tokens it reads, special tokens included.
        fingerprint: changes with whatever changes the vectors; computed anew whenever
            it is asked for, see ``digest``.
    """

    max_tokens: int
    fingerprint: str

    def encode(self, texts: list[str]) -> np.ndarray:
        """Texts to unit vectors, float32 (len(texts), dim)."""


def listed(texts: object) -> list[str]:
    """A list of texts, or a sentence that says what to pass.

    A string is a sequence of strings in Python: without this, "disk full" would become
    nine vectors, one per letter, and nobody would say so.

    Raises:
        TypeError: one string instead of a list, or an entry that is no string.
    """
    if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable):
        raise TypeError(
            f"pass a list of texts, encode([text]), not {type(texts).__name__}"
        )
    texts = list(texts)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {number} is {type(text).__name__}, not a string")
    return texts
