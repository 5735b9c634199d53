"""Tokenizers: ours against the Rust library, and five vocabularies side by side."""

import warnings

import _common
from _common import Row, faster, in_turn, row
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from course_utils import assets, tokenization

TITLE = "Tokenizers"
ABOUT = (
    "Training a byte-level BPE on one megabyte; cutting its words with WordPiece; and "
    "how many tokens a second the five vocabularies make of it. Against recounting: "
    "next section."
)


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


def training(text: str, merges: int, rounds: int) -> Row:
    size = 256 + merges
    seconds = in_turn(
        {
            "ours": lambda: tokenization.train_bpe(text, size),
            "rust": lambda: rust_bpe(text, size),
        },
        rounds,
    )
    return row(
        f"`train_bpe`, {merges:,} merges",
        "`tokenizers` (Rust)",
        faster(seconds, "rust", "ours"),
        unit="times the time",
        seconds=min(seconds["ours"]),
    )


def cutting(text: str, rounds: int) -> Row:
    """Words as the library's normaliser and splitter leave them, one call a word."""
    fast = assets.tokenizer().backend_tokenizer
    pieces = fast.get_vocab()
    split = fast.pre_tokenizer.pre_tokenize_str(fast.normalizer.normalize_str(text))
    words = [word for word, _ in split]

    def ours() -> list[list[str]]:
        return [tokenization.wordpiece(word, pieces) for word in words]

    def library() -> list[list[str]]:
        return [[token.value for token in fast.model.tokenize(word)] for word in words]

    if ours() != library():
        raise SystemExit("wordpiece and the library cut a word differently")
    seconds = in_turn({"ours": ours, "library": library}, rounds)
    return row(
        "`wordpiece`, word by word",
        "`tokenizers` (Rust), word by word",
        faster(seconds, "library", "ours"),
        unit="times the time",
        words=f"{len(words):,}",
        different=0,
    )


def vocabularies(text: str, rounds: int) -> list[Row]:
    lines = [line for line in text.splitlines() if line.strip()]
    known = assets.vocabularies()
    counts = {name: sum(len(known[name].encode(x)) for x in lines) for name in known}

    def all_lines(name: str):
        return lambda: [known[name].encode(line) for line in lines]

    seconds = in_turn({name: all_lines(name) for name in known}, rounds)
    rate = {name: counts[name] / min(seconds[name]) / 1e3 for name in known}
    width = {name: sum(map(len, lines)) / counts[name] for name in known}
    others = [name for name in known if name != "wordpiece"]
    rows = []
    for name in others:
        share = counts[name] / counts["wordpiece"]
        rows.append(
            row(
                f"{name}, line by line",
                "wordpiece",
                [share * ratio for ratio in faster(seconds, name, "wordpiece")],
                unit="times the tokens a second",
                thousand_tokens_per_second=f"{rate[name]:.0f} against "
                f"{rate['wordpiece']:.0f}",
                characters_per_token=f"{width[name]:.2f} against "
                f"{width['wordpiece']:.2f}",
            )
        )
    return rows


def measure(quick: bool = False) -> list[Row]:
    rounds = 2 if quick else 5
    text = _common.megabyte()[: 20_000 if quick else None]
    return [
        training(text, 20 if quick else 1_000, rounds),
        cutting(text, rounds),
        *vocabularies(text[:300_000], rounds),
    ]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    _common.run("tokenization", TITLE, ABOUT, measure)
