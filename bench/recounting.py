"""train_bpe against the definition: recounting every pair after each merge."""

import statistics

import _common
from _common import Row, in_turn, row

from course_utils.tokenization import recount_bpe, train_bpe

TITLE = "Training a BPE, against recounting"
ABOUT = (
    "A thousand merges on one megabyte, `train_bpe` against `recount_bpe`, which does "
    "as the definition says. The slow one runs once, in full, between runs of the fast "
    "one, and takes nearly all of the time. Both must learn the same merges in the "
    "same order."
)


def measure(quick: bool = False) -> list[Row]:
    text = _common.megabyte()[: 20_000 if quick else None]
    merges = 20 if quick else 1_000
    size = 256 + merges
    learnt = {}

    def ours() -> None:
        learnt["ours"] = list(train_bpe(text, size).merges.items())

    def slow() -> None:
        learnt["slow"] = list(recount_bpe(text, size).merges.items())

    rounds = 1 if quick else 3
    before = in_turn({"ours": ours}, rounds)["ours"]
    [long] = in_turn({"slow": slow}, 1, warm=False)["slow"]
    after = in_turn({"ours": ours}, rounds, warm=False)["ours"]
    if learnt["ours"] != learnt["slow"]:
        raise SystemExit("the merges differ")
    return [
        row(
            f"`train_bpe`, {merges:,} merges on {len(text):,} bytes",
            "`recount_bpe`",
            [long / seconds for seconds in before + after],
            at_least=50,
            identical_merges=f"{len(learnt['slow']):,}",
            seconds=f"{statistics.median(before + after):.1f} against {long:.0f}",
        )
    ]


if __name__ == "__main__":
    _common.run("recounting", TITLE, ABOUT, measure)
