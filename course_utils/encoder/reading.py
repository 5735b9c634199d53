"""Texts to ids, as the model reads them: special tokens, a limit, a word about it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from course_utils import assets
from course_utils.encoder.protocol import listed


class TruncationWarning(UserWarning):
    """Texts were longer than the limit, and their ends were not read."""


def token_ids(texts: Iterable[str], limit: int) -> list[list[int]]:
    """Texts to ids with ``[CLS]`` and ``[SEP]``, cut at a limit.

    Args, warnings and errors: as ``MiniLM.tokenize``.
    """
    texts = listed(texts)
    if not texts:
        return []
    read = list(map(assets.encodable, texts))
    found = [one.ids for one in assets.fast_tokenizer().encode_batch_fast(read)]
    cut = sum(len(ids) > limit for ids in found)
    if cut:
        warnings.warn(
            f"texts with more than {limit} tokens: {cut} of {len(texts)};"
            " what lies behind was not read",
            TruncationWarning,
            stacklevel=4,
        )
        keep = limit - 1
        found = [ids if len(ids) <= limit else [*ids[:keep], ids[-1]] for ids in found]
    return found
