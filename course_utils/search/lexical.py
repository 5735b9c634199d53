"""Search by words: BM25 over texts, identifiers kept whole. Used by ``search``.

Library: ``bm25s``. Paper: Robertson and Zaragoza 2009, the probabilistic relevance
framework.

>>> words("FB-2107: pods of image_resizer die")
['fb-2107', 'fb', '2107', 'pods', 'of', 'image_resizer', 'image', 'resizer', 'die']
>>> Lexical(["a full disk", "a lock"]).search("which disk?", 2)[0][0]
0
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import regex

from course_utils.tokenization import matching_words

_CODE = regex.compile(r"\b\p{L}{2,}-\d+\b")


def words(text: str) -> list[str]:
    """Cut a text into words for BM25: identifiers whole, and their parts as well.

    What counts as a word, and when two are the same, says ``matching_words``.

    >>> words("retry 172.20.9.14:80")
    ['retry', '172.20.9.14:80', '172', '20', '9', '14', '80']
    """
    return matching_words(text, identifiers=True)


class Lexical:
    """BM25 over the chunks. What shares no word with the query is no hit."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Count the words of each text."""
        import bm25s

        cut = [matching_words(text, identifiers=True, signs=True) for text in texts]
        self.known = {word for document in cut for word in document}
        self.count = len(texts)
        if self.known:
            self.bm25 = bm25s.BM25()
            self.bm25.index(cut, show_progress=False)

    def search(self, query: str, wanted: int) -> list[tuple[int, float]]:
        """(place of the text, BM25 score), best first, equals in their order."""
        asked = [word for word in words(query) if word in self.known]
        if not asked:
            return []
        scores = self.bm25.get_scores(asked)
        best = np.argsort(-scores, kind="stable")[:wanted]
        return [(int(i), float(scores[i])) for i in best if scores[i] > 0]

    def unknown_codes(self, query: str) -> list[str]:
        """Codes in a query that no text mentions; see ``SearchIndex.unknown_codes``."""
        series = {word.split("-")[0] for word in self.known if _CODE.fullmatch(word)}
        found = [code for word in words(query) for code in _CODE.findall(word)]
        return [c for c in found if c not in self.known and c.split("-")[0] in series]
