"""Exercises of notebook 01."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import cache
from itertools import pairwise

from course_utils.classroom.check import Exercise, Mistake

_BANANA = list(b"banana bandana")


def _reference_merge(ids, pair, new_id):
    # Through regular expressions: one private character per id, so that the reference
    # is not the solution in other words.
    import re

    text = "".join(chr(0xF0000 + i) for i in ids)
    old = "".join(chr(0xF0000 + i) for i in pair)
    return [ord(c) - 0xF0000 for c in re.sub(old, chr(0xF0000 + new_id), text)]


def _merge_everywhere(ids, pair, new_id):
    found = [i for i, p in enumerate(pairwise(ids)) if p == tuple(pair)]
    return [
        new_id if i in found else x for i, x in enumerate(ids) if i - 1 not in found
    ]


def _merge_keeps_second(ids, pair, new_id):
    return [
        new_id if (x, y) == tuple(pair) else x
        for x, y in zip(ids, [*ids[1:], None], strict=True)
    ]


def _merge_single_ids(ids, pair, new_id):
    return [new_id if i in pair else i for i in ids]


def _merge_loses_the_end(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids) - 1:
        hit = (ids[i], ids[i + 1]) == tuple(pair)
        merged.append(new_id if hit else ids[i])
        i += 2 if hit else 1
    return merged


# -- 1.3: byte-level encoding with learnt merges ---------------------------------------

# In order: lo, st, we, low, est, aa, west, es, ba. "lowe" tells the order of the merges
# from the order on the page, "west" a merge from the longest piece, "est" the first
# merge from the last.
_MERGES = {
    (108, 111): 256,
    (115, 116): 257,
    (119, 101): 258,
    (256, 119): 259,
    (101, 257): 260,
    (97, 97): 261,
    (119, 260): 262,
    (101, 115): 263,
    (98, 97): 264,
}
# The same merges, in another order on the page: the number says what was learnt first.
_TURNED = dict(reversed(_MERGES.items()))
_WORDS = [
    *(b"lowest", b"low", b"west", b"est", b"aaa", b"aaaa", b"", b"x", b"lowe"),
    b"loweesesst",  # es is more frequent than st, which was learnt first
    b"estst",
    b"baa",
    b"baaab",
    b"westwe",
    b"esaa",
    b"aaesst",
]


@cache
def _library_bpe():
    from tokenizers import Tokenizer
    from tokenizers.models import BPE

    name = {byte: chr(0x4E00 + byte) for byte in range(256)}
    merges = []
    for (left, right), new_id in _MERGES.items():
        merges.append((name[left], name[right]))
        name[new_id] = name[left] + name[right]
    return Tokenizer(BPE({text: i for i, text in name.items()}, merges))


def _reference_encode(data, merges):
    return _library_bpe().encode("".join(chr(0x4E00 + byte) for byte in data)).ids


def _encode_one_pass(data, merges):
    """Take whatever pair comes first from the left, whenever it was learnt."""
    ids = list(data)
    i = 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) in merges:
            ids[i : i + 2] = [merges[ids[i], ids[i + 1]]]
            i = max(i - 1, 0)
        else:
            i += 1
    return ids


def _encode_longest(data, merges):
    """Cut off the longest piece from the left, as WordPiece does."""
    spelt = {i: bytes([i]) for i in range(256)}
    for (left, right), new_id in merges.items():
        spelt[new_id] = spelt[left] + spelt[right]
    ids, rest = [], bytes(data)
    while rest:
        best = max(
            (i for i in spelt if rest.startswith(spelt[i])), key=lambda i: len(spelt[i])
        )
        ids.append(best)
        rest = rest[len(spelt[best]) :]
    return ids


def _encode_once_each(data, merges):
    """Do only the single best merge and stop."""
    ids = list(data)
    known = [p for p in pairwise(ids) if p in merges]
    if not known:
        return ids
    pair = min(known, key=merges.get)
    return _reference_merge(ids, pair, merges[pair])


def _encode_latest_first(data, merges):
    ids = list(data)
    while known := [p for p in pairwise(ids) if p in merges]:
        pair = max(known, key=merges.get)
        ids = _reference_merge(ids, pair, merges[pair])
    return ids


def _encode_most_frequent(data, merges):
    ids = list(data)
    while known := Counter(p for p in pairwise(ids) if p in merges):
        pair = known.most_common(1)[0][0]
        ids = _reference_merge(ids, pair, merges[pair])
    return ids


def _encode_in_dictionary_order(data, merges):
    ids = list(data)
    for pair, new_id in merges.items():
        ids = _reference_merge(ids, pair, new_id)
    return ids


# -- 1.4: WordPiece --------------------------------------------------------------------

_VOCAB = {
    "low", "lower", "un", "##able", "##a", "##b", "##le", "##est", "##er", "##e", "e",
    "##s", "##t", "l", "##o", "##w", "able", "est", "a", "the", "##low",
}  # fmt: skip
_WORDPIECE_CASES = [
    "lower",
    "lowest",
    "unable",
    "able",
    "low★",
    "★",
    "thelow",
    "lowerest",
    "eaa",  # a piece may come twice
    "lowthe",  # "the" begins words only
    "unest",
]


@cache
def _library_wordpiece():
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece

    ids = {piece: i for i, piece in enumerate(sorted(_VOCAB | {"[UNK]"}))}
    return Tokenizer(WordPiece(ids, unk_token="[UNK]"))


def _reference_wordpiece(word, vocab):
    return _library_wordpiece().encode(word).tokens


def _wordpiece_no_mark(word, vocab):
    pieces, start = [], 0
    while start < len(word):
        ends = [e for e in range(len(word), start, -1) if word[start:e] in vocab]
        if not ends:
            return ["[UNK]"]
        pieces.append(word[start : ends[0]])
        start = ends[0]
    return pieces


def _wordpiece_with(word, vocab, order, on_failure):
    pieces, start = [], 0
    while start < len(word):
        mark = "##" if start else ""
        ends = [e for e in order(start, len(word)) if mark + word[start:e] in vocab]
        if not ends:
            return on_failure(pieces)
        pieces.append(mark + word[start : ends[0]])
        start = ends[0]
    return pieces


def _longest(start, length):
    return range(length, start, -1)


def _wordpiece_shortest(word, vocab):
    return _wordpiece_with(
        word, vocab, lambda s, n: range(s + 1, n + 1), lambda pieces: ["[UNK]"]
    )


def _wordpiece_partial(word, vocab):
    return _wordpiece_with(word, vocab, _longest, lambda pieces: [*pieces, "[UNK]"])


def _wordpiece_gives_up(word, vocab):
    return _wordpiece_with(word, vocab, _longest, lambda pieces: pieces)


# -- 1.6: audit ------------------------------------------------------------------------


class _FixedPieces:
    """A tiny vocabulary with known cuts."""

    name = "fixed"
    cuts = {
        "server": ["server"],
        "oomkilled": ["o", "##om", "##kill", "##ed"],
        "dynamodb": ["dynamo", "##db"],
        "ebs": ["eb", "##s"],
        "🎉": ["[UNK]"],
        "日": ["[UNK]"],
    }

    def pieces(self, text):
        return list(self.cuts[text])

    def encode(self, text):
        return list(range(len(self.cuts[text])))


_TERMS = ["server", "日", "ebs", "oomkilled", "🎉", "dynamodb"]


def _rows(terms, vocabulary, keep=lambda p: len(p) > 1 or "[UNK]" in p, reverse=True):
    cut = {term: vocabulary.pieces(term) for term in terms}
    rows = [(term, len(p)) for term, p in cut.items() if keep(p)]
    return (
        rows if reverse is None else sorted(rows, key=lambda r: r[1], reverse=reverse)
    )


# -- 1.5: truncation -------------------------------------------------------------------

_FAMILY = "👨‍👩‍👧‍👦"
_TEXTS = [
    ("the quick brown fox", 2),
    ("short", 10),
    ("日本語のテキスト", 5),
    ("naïve café crème brûlée", 6),
    (f"ok {_FAMILY}{_FAMILY}", 12),
    (f"{_FAMILY} ok", 7),
    ("日本 👩\u200d💻 ok", 5),
    ("  The QUICK Brown Fox  ", 4),
    (" Keep the LAST blank ", 20),
    ("tick tock " * 30 + "crème brûlée", 92),  # far in, the longer is the cheaper
    ("nothing fits", 0),
]


@cache
def _cl100k():
    from course_utils.assets import vocabularies

    return vocabularies()["cl100k"]


class _ByName:
    """Copies of the cases are made; a vocabulary is looked up instead of copied."""

    name = "cl100k"

    def encode(self, text):
        return _cl100k().encode(text)

    def decode(self, ids):
        return _cl100k().decode(ids)

    def pieces(self, text):
        return _cl100k().pieces(text)

    def __len__(self):
        return len(_cl100k())

    def __repr__(self):
        return "cl100k"


def _reference_truncate(text, limit, vocabulary):
    """Try every cut from the end: slow, plain, and independent of the module."""
    import regex

    ends = [0, *(m.end() for m in regex.finditer(r"\X", text))]
    return next(
        text[:e] for e in reversed(ends) if len(vocabulary.encode(text[:e])) <= limit
    )


def _truncate_by_ids(text, limit, vocabulary):
    return vocabulary.decode(vocabulary.encode(text)[:limit])


def _truncate_by_code_point(text, limit, vocabulary):
    ends = range(len(text), -1, -1)
    return next(text[:e] for e in ends if len(vocabulary.encode(text[:e])) <= limit)


def _truncate_words(text, limit, vocabulary):
    return " ".join(text.split()[:limit])


# -- puzzles ---------------------------------------------------------------------------

_SPELLINGS = [
    "café", "cafe\u0301", "cafe", "Café", "a\u00a0b", "a b", "a\u200bb", "ab",
    "\ufeffab", "résumé", "resume", "日本", "👩\u200d💻", "", "x²", "ＦＢ",
    "e\u200b\u0301", "cafe\ufeff\u0301s",
]  # fmt: skip


def _reference_key(text):
    drop = {0x00A0: " ", 0x200B: None, 0xFEFF: None}
    return unicodedata.normalize("NFC", text.translate(drop))


def _key_composed_too_early(text):
    text = unicodedata.normalize("NFC", text).replace("\u00a0", " ")
    return text.replace("\u200b", "").replace("\ufeff", "")


def _key_no_accents(text):
    text = unicodedata.normalize("NFD", _reference_key(text))
    return "".join(c for c in text if not unicodedata.combining(c))


def _reference_report(text, limit, vocabulary):
    kept = _reference_truncate(text, limit, vocabulary)
    return kept, len(vocabulary.encode(text)), len(vocabulary.encode(kept))


def _report_as_published(text, limit, vocabulary):
    ids = vocabulary.encode(text)
    if len(ids) > limit:
        ids = ids[:limit]
        text = vocabulary.decode(ids)
    return text, len(ids), limit


def _report_reordered(text, limit, vocabulary):
    before = len(vocabulary.encode(text))
    kept = _truncate_by_ids(text, limit, vocabulary)
    return kept, before, min(limit, before)


def _report_counts_ids(text, limit, vocabulary):
    kept, before, _ = _reference_report(text, limit, vocabulary)
    return kept, before, min(limit, before)


EXERCISES = (
    Exercise(
        id="1.1",
        title="Count the neighbours",
        cases=[([1, 2, 3, 1, 2],), ([7, 7, 7],), (_BANANA,), ([5],), ([],)],
        reference=lambda ids: dict(Counter(zip(ids[:-1], ids[1:], strict=True))),
        mistakes=[
            Mistake(
                "the last pair is missing: n ids have n - 1 neighbours",
                lambda ids: dict(Counter(list(pairwise(ids))[:-1])),
            ),
            Mistake(
                "every pair counts once here: count how often it occurs",
                lambda ids: dict.fromkeys(pairwise(ids), 1),
            ),
            Mistake(
                "(a, b) and (b, a) are two different pairs: keep the order",
                lambda ids: dict(Counter(tuple(sorted(p)) for p in pairwise(ids))),
            ),
            Mistake(
                "the pairs do not overlap here: after (1, 2) comes (2, 3), not (3, 1)",
                lambda ids: dict(Counter(zip(ids[::2], ids[1::2], strict=False))),
            ),
        ],
    ),
    Exercise(
        id="1.2",
        title="Merge one pair",
        cases=[
            ([1, 2, 3, 1, 2], (1, 2), 9),
            ([1, 1, 1], (1, 1), 9),
            ([1, 1, 1, 1, 1], (1, 1), 9),
            ([4, 1, 2], (1, 2), 9),
            ([2, 1], (1, 2), 9),
            ([3], (3, 3), 9),
            ([], (1, 2), 9),
        ],
        reference=_reference_merge,
        mistakes=[
            Mistake(
                "overlapping pairs: after a merge skip both ids, or 1 1 1 loses one",
                _merge_everywhere,
            ),
            Mistake(
                "the second id of the pair is still there: two ids become one",
                _merge_keeps_second,
            ),
            Mistake(
                "single ids are replaced: only both together, in this order, merge",
                _merge_single_ids,
            ),
            Mistake(
                "the last id is lost when it is not part of a pair",
                _merge_loses_the_end,
            ),
        ],
    ),
    Exercise(
        id="1.3",
        title="Encode with learnt merges",
        cases=[(word, merges) for merges in (_MERGES, _TURNED) for word in _WORDS],
        reference=_reference_encode,
        mistakes=[
            Mistake(
                "the first pair from the left is taken: take the one learnt first, "
                "wherever it stands",
                _encode_one_pass,
            ),
            Mistake(
                "this is greedy longest match, which is WordPiece: BPE replays its "
                "merges in the order in which they were learnt",
                _encode_longest,
            ),
            Mistake(
                "only one merge is done: repeat until no pair is in merges",
                _encode_once_each,
            ),
            Mistake(
                "the merge learnt last goes first here: the smallest new id wins",
                _encode_latest_first,
            ),
            Mistake(
                "the pair that is most frequent in this word is taken: frequency "
                "counted in training, now the pair learnt first is taken",
                _encode_most_frequent,
            ),
            Mistake(
                "the order of the dictionary decides here: the smallest new id was "
                "learnt first, wherever it stands in merges",
                _encode_in_dictionary_order,
            ),
        ],
    ),
    Exercise(
        id="1.4",
        title="WordPiece, longest match first",
        cases=[(word, _VOCAB) for word in _WORDPIECE_CASES],
        reference=_reference_wordpiece,
        mistakes=[
            Mistake(
                "a piece inside a word is looked up with ## in front",
                _wordpiece_no_mark,
            ),
            Mistake(
                "the shortest piece is taken: start with the longest end and shrink",
                _wordpiece_shortest,
            ),
            Mistake(
                "one rest that fits nothing makes the whole word [UNK], "
                "not only its end",
                _wordpiece_partial,
            ),
            Mistake(
                "a word that cannot be cut must become ['[UNK]'], not a part of itself",
                _wordpiece_gives_up,
            ),
        ],
    ),
    Exercise(
        id="1.6",
        title="Audit your terms",
        cases=[
            (_TERMS, _FixedPieces()),
            (["server"], _FixedPieces()),
            (["🎉", "ebs", "server"], _FixedPieces()),
        ],
        reference=lambda terms, vocabulary: _rows(terms, vocabulary),
        mistakes=[
            Mistake(
                "🎉 is one piece, but that piece is [UNK]: the model cannot see it at "
                "all, so it belongs in the list",
                lambda t, v: _rows(t, v, keep=lambda p: len(p) > 1),
            ),
            Mistake(
                "whole words are no problem: leave out terms that are one known piece",
                lambda t, v: _rows(t, v, keep=lambda p: True),
            ),
            Mistake(
                "the worst term comes first: sort by the number of pieces, descending",
                lambda t, v: _rows(t, v, reverse=None),
            ),
            Mistake(
                "the worst term comes first: this order is ascending",
                lambda t, v: _rows(t, v, reverse=False),
            ),
            Mistake(
                "characters are counted: count the pieces",
                lambda t, v: sorted(
                    ((x, len(x)) for x, _ in _rows(t, v)), key=lambda r: -r[1]
                ),
            ),
        ],
    ),
    Exercise(
        id="1.5",
        title="Truncate to a limit",
        cases=[(text, limit, _ByName()) for text, limit in _TEXTS],
        reference=_reference_truncate,
        mistakes=[
            Mistake(
                "the cut falls inside a character: decoding the first ids leaves half "
                "a character behind (�)",
                _truncate_by_ids,
            ),
            Mistake(
                "a code point is not yet a character (👨‍👩‍👧‍👦 is seven of them): cut "
                r"only where regex's \X ends",
                _truncate_by_code_point,
            ),
            Mistake("words are counted: the limit is in tokens", _truncate_words),
            Mistake(
                "characters are counted: the limit is in tokens",
                lambda text, limit, vocabulary: text[:limit],
            ),
        ],
    ),
    Exercise(
        id="1.7",
        title="Puzzle: the café that cannot be found",
        cases=[(text,) for text in _SPELLINGS],
        reference=_reference_key,
        mistakes=[
            Mistake(
                "the accents are composed now, but the no-break space and the "
                "zero-width characters still hide",
                lambda text: unicodedata.normalize("NFC", text),
            ),
            Mistake(
                "résumé and resume have become one word: compose accents, do not "
                "remove them",
                _key_no_accents,
            ),
            Mistake(
                "everything outside ASCII is gone, 日本 included: normalise, do not "
                "delete",
                lambda text: text.encode("ascii", "ignore").decode(),
            ),
            Mistake(
                "case was not the problem: Café and café may stay different",
                lambda text: _reference_key(text).casefold(),
            ),
            Mistake(
                "x² has become x2, which looks different: NFC composes accents and "
                "leaves the rest alone, NFKC does not",
                lambda text: unicodedata.normalize("NFKC", _reference_key(text)),
            ),
            Mistake(
                "é is two code points now, e and an accent: NFD takes apart, NFC "
                "composes",
                lambda text: unicodedata.normalize("NFD", _reference_key(text)),
            ),
            Mistake(
                "a zero-width character between e and its accent keeps them apart: "
                "remove first, compose last",
                _key_composed_too_early,
            ),
        ],
        properties=[
            (
                "a key must be stable: the key of a key is the key",
                lambda f: all(f(f(text)) == f(text) for text in _SPELLINGS),
            )
        ],
    ),
    Exercise(
        id="1.8",
        title="Puzzle: truncated from 8000 to 8000",
        cases=[(text, limit, _ByName()) for text, limit in _TEXTS],
        reference=_reference_report,
        mistakes=[
            Mistake(
                "both numbers are taken after the cut: count before the text changes",
                _report_as_published,
            ),
            Mistake(
                "the numbers are honest now, but decoding the first ids still cuts "
                "inside a character: use truncate",
                _report_reordered,
            ),
            Mistake(
                "the second number is the limit: count the tokens of what was kept",
                _report_counts_ids,
            ),
        ],
    ),
)


# -- 1.9: the likeliest cut ------------------------------------------------------------

_HUGS = {
    "h": -3.0, "u": -2.0, "g": -2.5, "s": -4.0, "hu": -3.2, "ug": -2.9, "hug": -3.5,
    "gs": -4.5, "ugs": -4.8,
}  # fmt: skip
_LIKELIEST_CASES = [
    ("hugs", _HUGS),
    ("ab", {"a": -1.0, "b": -1.2, "ab": -5.0}),  # more pieces, but likelier
    ("abc", {"a": -2.0, "b": -2.1, "c": -2.3, "ab": -9.0, "bc": -2.5}),
    ("abc", {"a": -1.0, "b": -6.0, "c": -1.1, "ab": -3.0}),  # a dear beginning pays
    ("hughugsughug", _HUGS),
    ("g", _HUGS),
    ("", _HUGS),
    (" A b", {" ": -1.5, "A": -1.0, "b": -1.2, "A b": -5.0, " A b": -9.0}),
]


def _reference_likeliest(word, scores):
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram

    return Tokenizer(Unigram(list(scores.items()))).encode(word).tokens


def _cuts(word, scores):
    if not word:
        return [[]]
    return [
        [word[:end], *rest]
        for end in range(1, len(word) + 1)
        if word[:end] in scores
        for rest in _cuts(word[end:], scores)
    ]


def _cut_by(order):
    """Take the best next piece, again and again."""

    def cut(word, scores):
        pieces = []
        while word:
            starts = [word[:end] for end in range(1, len(word) + 1)]
            pieces.append(max((s for s in starts if s in scores), key=order(scores)))
            word = word[len(pieces[-1]) :]
        return pieces

    return cut


def _sum(scores):
    return lambda pieces: sum(scores[piece] for piece in pieces)


EXERCISES += (
    Exercise(
        id="1.9",
        title="The likeliest cut",
        cases=_LIKELIEST_CASES,
        reference=_reference_likeliest,
        mistakes=[
            Mistake(
                "this is the longest piece first, which is WordPiece: a short piece "
                "may leave a likelier rest, so compare sums of whole cuts",
                _cut_by(lambda scores: len),
            ),
            Mistake(
                "the likeliest next piece is taken, whatever it leaves: keep the best "
                "way to every place until the end is reached",
                _cut_by(lambda scores: scores.get),
            ),
            Mistake(
                "the fewest pieces win here: compare the sums, two likely pieces can "
                "beat one rare one",
                lambda word, scores: min(
                    _cuts(word, scores), key=lambda p: (len(p), -_sum(scores)(p))
                ),
            ),
            Mistake(
                "the smallest sum wins here: logarithms of probabilities are negative, "
                "the one nearest to 0 is the likeliest",
                lambda word, scores: min(_cuts(word, scores), key=_sum(scores)),
            ),
            Mistake(
                "the pieces come out backwards: turn the list round",
                lambda word, scores: _reference_likeliest(word, scores)[::-1],
            ),
        ],
    ),
)
