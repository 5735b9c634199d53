r"""Byte-level BPE: learn the pieces from a text, then cut any text into them.

Built in notebook 01.

Library: ``tokenizers.trainers.BpeTrainer``, ``tiktoken.Encoding``. Paper: Sennrich et
al. 2016 (arXiv 1508.07909).

>>> bpe = train_bpe("low low low lower lowest", vocab_size=256 + 3)
>>> bpe.pieces("lowest low")
['low', 'e', 's', 't', ' low']
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

import regex

from course_utils.assets import readable

if TYPE_CHECKING:
    pass

Pair = tuple[int, int]

# How cl100k cuts a text before any merge: contractions, words with the space before
# them, numbers of up to three digits, punctuation, white space.
PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|"
    r" ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)


def pair_counts(ids: Sequence[int]) -> Counter[Pair]:
    """Count the neighbours in a sequence of ids, overlapping ones too.

    >>> pair_counts([1, 2, 3, 1, 2])
    Counter({(1, 2): 2, (2, 3): 1, (3, 1): 1})
    """
    return Counter(pairwise(ids))


def merge(ids: Sequence[int], pair: Pair, new_id: int) -> list[int]:
    """Replace each occurrence of ``pair``, from left to right, by ``new_id``.

    Occurrences that overlap an earlier one stay: ``a a a`` holds the pair once.

    >>> merge([1, 2, 3, 1, 2], (1, 2), 9)
    [9, 3, 9]
    >>> merge([1, 1, 1], (1, 1), 9)
    [9, 1]
    """
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and ids[i] == pair[0] and ids[i + 1] == pair[1]:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def best_pair(counts: dict[Pair, int]) -> Pair:
    """Choose the most frequent pair; among equals the one with the smallest ids.

    The second half is the tie rule: with ids in the order of their birth, it prefers
    older pieces. ``tokenizers`` goes by ids too, but numbers the 256 bytes in another
    order, so a tie between bytes may fall differently there. Papers leave it open.

    >>> best_pair({(5, 6): 2, (1, 9): 3, (1, 2): 3})
    (1, 2)
    """
    return min(counts, key=lambda pair: (-counts[pair], pair))


def split_text(text: str, pattern: str | None = None) -> Iterator[str]:
    """Cut a text into the chunks that no merge may cross. Nothing is lost.

    Args:
        text: any string.
        pattern: a regular expression for one chunk; None means ``PATTERN``. What it
            does not match becomes a chunk of its own.

    >>> list(split_text("It's 2026, OK?"))
    ['It', "'s", ' ', '202', '6', ',', ' OK', '?']
    """
    compiled = regex.compile(PATTERN if pattern is None else pattern)
    matches = compiled.finditer(text)
    if compiled.flags & regex.REVERSE:
        matches = reversed(list(matches))
    end = 0
    for match in matches:
        if match.start() > end:
            yield text[end : match.start()]
        if match[0]:
            yield match[0]
        end = match.end()
    if end < len(text):
        yield text[end:]


def to_bytes(text: str) -> bytes:
    """UTF-8, lone surrogates included, so that every Python string has a way back."""
    return text.encode("utf-8", errors="surrogatepass")


def to_text(data: bytes) -> str:
    """Turn bytes back into text; bytes that are no UTF-8 become ``�``."""
    try:
        return data.decode("utf-8", errors="surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", errors="replace")


@dataclass
class BPE:
    """A trained byte-level BPE: ids 0-255 are the bytes, each merge adds one id.

    Attributes:
        merges: ``(left id, right id) -> new id``, in the order in which they were
            learnt. The new id is also the rank: smaller is merged first.
        pattern: how the text is cut before merging.
    """

    merges: dict[Pair, int]
    pattern: str = PATTERN
    _cache: dict[str, list[int]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Spell every id out as bytes, once."""
        self.vocabulary = {byte: bytes([byte]) for byte in range(256)}
        for (left, right), new_id in self.merges.items():
            self.vocabulary[new_id] = self.vocabulary[left] + self.vocabulary[right]

    def __len__(self) -> int:
        """How many ids there are: 256 bytes and the merges."""
        return len(self.vocabulary)

    def _encode_chunk(self, chunk: str) -> list[int]:
        ids = list(to_bytes(chunk))
        while len(ids) > 1:
            pair = min(pairwise(ids), key=lambda p: self.merges.get(p, inf))
            if pair not in self.merges:
                break
            ids = merge(ids, pair, self.merges[pair])
        return ids

    def encode(self, text: str) -> list[int]:
        """Text to ids: in each chunk, the merge that was learnt first is done first."""
        ids: list[int] = []
        for chunk in split_text(text, self.pattern):
            if chunk not in self._cache:
                if len(self._cache) > 100_000:
                    self._cache.clear()
                self._cache[chunk] = self._encode_chunk(chunk)
            ids += self._cache[chunk]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Ids to text; the exact text if they come from ``encode``.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        try:
            return to_text(b"".join(self.vocabulary[token_id] for token_id in ids))
        except KeyError as missing:
            raise ValueError(
                f"id {missing.args[0]} is not in this vocabulary of {len(self)} ids"
            ) from None

    def pieces(self, text: str) -> list[str]:
        """Text to readable pieces, one per id."""
        return [readable(self.vocabulary[token_id]) for token_id in self.encode(text)]


def _checked(text: str, vocab_size: int) -> int:
    if not isinstance(text, str):
        raise TypeError(f"train on one string, not {type(text).__name__}")
    if not text:
        raise ValueError("there is nothing to learn from an empty text")
    if vocab_size < 256:
        raise ValueError(
            f"vocab_size {vocab_size} is too small: the 256 bytes come first"
        )
    return vocab_size - 256


def recount_bpe(text: str, vocab_size: int, pattern: str | None = None) -> BPE:
    """Train as the definition says: count all pairs, merge the best, count again.

    Clear and slow: the whole text is read once per merge. ``train_bpe`` returns the
    same merges.
    """
    wanted = _checked(text, vocab_size)
    chunks = [list(to_bytes(chunk)) for chunk in split_text(text, pattern)]
    merges: dict[Pair, int] = {}
    while len(merges) < wanted:
        counts: Counter[Pair] = Counter()
        for ids in chunks:
            counts.update(pairwise(ids))
        if not counts:
            break
        pair = best_pair(counts)
        merges[pair] = 256 + len(merges)
        chunks = [merge(ids, pair, merges[pair]) for ids in chunks]
    return BPE(merges, PATTERN if pattern is None else pattern)


def _merge_and_tell(
    ids: list[int], pair: Pair, new_id: int
) -> tuple[list[int], list[Pair], list[Pair]]:
    """``merge``, and which neighbours it took apart and brought together.

    Only the places of the pair are looked at, however long the sequence is.
    """
    starts, place = [], 0
    try:
        while True:
            place = ids.index(pair[0], place, len(ids) - 1)
            if ids[place + 1] == pair[1]:
                starts.append(place)
                place += 1
            place += 1
    except ValueError:  # no more of them
        pass
    if not starts:  # an earlier merge took the last one
        return ids, [], []
    merged, lost, gained, end = [], [], [], 0
    for start, following in zip(starts, [*starts[1:], -1], strict=True):
        merged += ids[end:start]
        if start:  # its left neighbour, which may be new itself
            lost.append((ids[start - 1], pair[0]))
            gained.append((merged[-1], new_id))
        merged.append(new_id)
        lost.append(pair)
        end = start + 2
        if end < len(ids) and following != end:
            lost.append((pair[1], ids[end]))
            gained.append((new_id, ids[end]))
    return merged + ids[end:], lost, gained


def train_bpe(text: str, vocab_size: int, pattern: str | None = None) -> BPE:
    """Learn the merges of a byte-level BPE from a text.

    Equal chunks are kept once with their count, and a merge recounts only the chunks
    that hold its pair. A heap offers the best pair; an offer that is out of date is
    put back with its present count.

    Args:
        text: the training text.
        vocab_size: 256 bytes plus the number of merges; fewer are learnt when the text
            runs out of pairs.
        pattern: how the text is cut first, see ``split_text``.

    Returns:
        The tokenizer. Ties are broken as ``best_pair`` says.

    Raises:
        ValueError: the text is empty or ``vocab_size`` is below 256.

    >>> list(train_bpe("aaab aaab", 258).merges.items())
    [((97, 97), 256), ((97, 98), 257)]
    """
    wanted = _checked(text, vocab_size)
    frequency = Counter(split_text(text, pattern))
    chunks = [list(to_bytes(chunk)) for chunk in frequency]
    times = list(frequency.values())
    counts: Counter[Pair] = Counter()
    holders: defaultdict[Pair, set[int]] = defaultdict(set)  # pair -> chunk numbers
    for number, ids in enumerate(chunks):
        for pair in pairwise(ids):
            counts[pair] += times[number]
            holders[pair].add(number)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapify(heap)
    merges: dict[Pair, int] = {}
    while heap and len(merges) < wanted:
        offered, pair = heappop(heap)
        if counts[pair] != -offered:
            if counts[pair] > 0:
                heappush(heap, (-counts[pair], pair))
            continue
        if not offered:
            continue
        new_id = merges[pair] = 256 + len(merges)
        grown = set()
        for number in holders.pop(pair):
            chunks[number], lost, gained = _merge_and_tell(chunks[number], pair, new_id)
            for old in lost:
                counts[old] -= times[number]
            for new in gained:
                counts[new] += times[number]
                holders[new].add(number)
            grown.update(gained)
        for new in grown:
            heappush(heap, (-counts[new], new))
    return BPE(merges, PATTERN if pattern is None else pattern)
