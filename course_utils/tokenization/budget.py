"""What a text costs in tokens: audit the terms, cut at a limit. Built in notebook 01.

Library: ``tokenizers.Tokenizer.enable_truncation``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import regex

from course_utils.assets import Vocabulary

if TYPE_CHECKING:
    import pandas as pd

LOOK_AHEAD = 101  # one more than the longest word that WordPiece cuts


def audit_terms(terms: Iterable[str], vocabulary: Vocabulary) -> pd.DataFrame:
    """Show what a tokenizer makes of the words that matter to you, worst first.

    Args:
        terms: your product names, error codes, jargon.
        vocabulary: one of ``assets.vocabularies()``.

    Returns:
        One row per term: ``term``, ``pieces`` (``oom·killed``), ``tokens``,
        ``characters_per_token``, ``unknown`` (a piece the model cannot see).

    Raises:
        TypeError: a single string was passed.
        ValueError: there are no terms.
    """
    import pandas as pd

    if isinstance(terms, str):
        raise TypeError(f"pass a list of terms: audit_terms([{terms!r}], vocabulary)")
    terms = list(terms)
    if not terms:
        raise ValueError("there are no terms to audit")
    # Only WordPiece marks what continues a word; elsewhere ## is text like any other.
    mark = "##" if getattr(vocabulary, "name", "") == "wordpiece" else ""
    rows = []
    for term in terms:
        pieces = vocabulary.pieces(term)
        rows.append(
            {
                "term": term,
                "pieces": "·".join(p.removeprefix(mark) for p in pieces),
                "tokens": len(pieces),
                "characters_per_token": round(len(term) / max(1, len(pieces)), 2),
                "unknown": "[UNK]" in pieces,
            }
        )
    # Columns of Arrow (where it is installed) refuse half a surrogate pair.
    with pd.option_context("mode.string_storage", "python"):
        table = pd.DataFrame(rows)
    return table.sort_values(
        "tokens", ascending=False, kind="stable", ignore_index=True
    )


def truncate(text: str, limit: int, vocabulary: Vocabulary) -> str:
    """Keep the longest beginning of a text that is at most ``limit`` tokens.

    The cut never falls inside a character as a reader sees it (an accent, a flag, a
    family emoji), and the result, encoded again, does not exceed the limit: both fail
    if one decodes the first ``limit`` ids. Special tokens are not counted.

    A longer beginning may need fewer tokens ("crèm" is three, "crème" two), so the
    search by halves is followed by a look at the next ``LOOK_AHEAD`` characters, until
    none of them fits.

    Raises:
        ValueError: ``limit`` is negative.
    """
    if limit < 0:
        raise ValueError(f"limit must not be negative, got {limit}")
    if len(vocabulary.encode(text)) <= limit:
        return text
    cuts = [0, *(match.end() for match in regex.finditer(r"\X", text))]

    def fits(cut: int) -> bool:
        return len(vocabulary.encode(text[: cuts[cut]])) <= limit

    low, high = 0, len(cuts) - 1  # the first fits, the second does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    while ahead := [
        cut for cut in range(low + 1, min(low + LOOK_AHEAD, len(cuts))) if fits(cut)
    ]:
        low = ahead[-1]
    return text[: cuts[low]]
