"""train_bpe against the definition: recounting every pair after each merge."""

import statistics
import sys
from functools import partial

import _common
from _common import Row, in_turn, row

from course_utils.tokenization import recount_bpe, train_bpe

TITLE = "Training a BPE, against recounting"
ABOUT = (
    "`train_bpe` learns a thousand merges on one megabyte, against `recount_bpe`, "
    "which does as the definition says. The slow one runs once, between runs of the "
    "fast one, and must learn the same merges in the same order. With `--full` it "
    "learns all of them (many minutes). Without, only the first 200, and the ratio is "
    "a lower bound, not an extrapolation: the time of those few against the time of "
    "all thousand."
)
MERGES = 1_000


def measure(quick: bool = False, full: bool = False) -> list[Row]:
    text = _common.megabyte()[: 20_000 if quick else None]
    merges, slowly = (20, 10) if quick else (MERGES, MERGES if full else 200)
    learnt = {}

    def ours() -> None:
        learnt["ours"] = list(train_bpe(text, 256 + merges).merges.items())

    def slow() -> None:
        learnt["slow"] = list(recount_bpe(text, 256 + slowly).merges.items())

    rounds = 1 if quick else 3
    before = in_turn({"ours": ours}, rounds)["ours"]
    [long] = in_turn({"slow": slow}, 1, warm=False)["slow"]
    after = in_turn({"ours": ours}, rounds, warm=False)["ours"]
    if learnt["ours"][:slowly] != learnt["slow"]:
        raise SystemExit("the merges differ")
    return [
        row(
            f"`train_bpe`, all {merges:,} merges on {len(text):,} bytes",
            f"`recount_bpe`, the first {slowly:,} of them",
            [long / seconds for seconds in before + after],
            at_least=50,
            identical_merges=f"{len(learnt['slow']):,}",
            seconds=f"{statistics.median(before + after):.2f} against {long:.0f}",
        )
    ]


if __name__ == "__main__":
    full = "--full" in sys.argv
    arguments = [one for one in sys.argv[1:] if one != "--full"]
    _common.run("recounting", TITLE, ABOUT, partial(measure, full=full), arguments)
