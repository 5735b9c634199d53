"""What an encoder must offer. The later topics take one as an argument, any one."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Encoder(Protocol):
    """Anything that turns texts into vectors and can say what it is.

    ``course_utils.encoder.MiniLM`` is one, ``SentenceTransformerEncoder`` another. An
    attribute ``wordpieces`` (a ``Vocabulary``) names its tokenizer; without one the
    course's WordPiece vocabulary is taken.

    Attributes:
        max_tokens: how many tokens it reads, special tokens included.
        fingerprint: changes with whatever changes the vectors.
    """

    max_tokens: int
    fingerprint: str

    def encode(self, texts: list[str]) -> np.ndarray:
        """Texts to unit vectors, float32 (len(texts), dim)."""
