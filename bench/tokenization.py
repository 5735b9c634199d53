"""Training a byte-level BPE: ours against recounting, and against the Rust library.

Run alone: ``python bench/tokenization.py`` (about five minutes, nearly all of it the
recounting). Every figure is a ratio of two things measured in one run.
"""

import argparse
import inspect
import pydoc_data.topics
import statistics
import time
import typing

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from course_utils import corpora, tokenization

MERGES = 1_000


def megabyte() -> str:
    """One million bytes of prose, documentation and code, nothing repeated."""
    parts = [article.text for article in corpora.load_news()]
    parts += [page.text for page in corpora.load_runbooks()]
    parts += pydoc_data.topics.topics.values()
    parts += map(inspect.getsource, (argparse, statistics, typing))
    text = "\n".join(parts).encode("ascii", "ignore")[:1_000_000].decode()
    if len(text) < 1_000_000:
        raise SystemExit(f"only {len(text):,} bytes of text were found")
    return text


def timed(function):
    begun = time.perf_counter()
    result = function()
    return result, time.perf_counter() - begun


def rust_bpe(text: str, vocab_size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def main() -> None:
    text, size = megabyte(), 256 + MERGES
    ours, seconds = timed(lambda: tokenization.train_bpe(text, size))
    pairs = [
        (
            timed(lambda: tokenization.train_bpe(text, size))[1],
            timed(lambda: rust_bpe(text, size))[1],
        )
        for _ in range(5)
    ]
    recounted, slow_seconds = timed(lambda: tokenization.recount_bpe(text, size))
    identical = list(ours.merges) == list(recounted.merges)
    rust_ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    mine = statistics.median([seconds, *(pair[0] for pair in pairs)])
    print("| 1,000 merges on 1 MB of text | |\n|---|---|")
    print(f"| `train_bpe`, times as fast as recounting | {slow_seconds / mine:.0f} |")
    print(f"| the merge lists are identical | {identical} |")
    print(f"| `tokenizers` (Rust), times as fast as `train_bpe` | {rust_ratio:.1f} |")
    if not identical:
        raise SystemExit("the merges differ")


if __name__ == "__main__":
    main()
