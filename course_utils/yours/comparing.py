"""What a golden set says about searches: what to judge, which is better, how surely.

Used in notebook 14. Library: ``ir_measures``. Papers: Spärck Jones and van Rijsbergen
1975 for pooling; Efron 1979 for the bootstrap.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_utils.yours.certainty import always_valid, questions_needed
from course_utils.yours.golden import GoldenSet

if TYPE_CHECKING:
    from course_utils.search import Evaluation

WORTH = 0.05  # a smaller mean difference would change nobody's choice
FEW = 20  # below so many questions no interval says much


# -- what there is to judge ------------------------------------------------------------


def pooled(
    searches: Mapping[str, Callable[[str], Sequence]],
    question: str,
    depth: int = 5,
    seed: int = 7,
) -> list:
    """What any search puts among its first, to be judged: once each, in no order.

    In no order, and without the names of the searches, so that nobody judges a rank.

    Args:
        searches: name -> question to ranking, of ids or of things with ``document``
            (hits) or ``hit`` (matches).
        question: what is asked.
        depth: how far down each ranking.
        seed: of the order; the question decides too.

    Returns:
        One result per document, as the first search that has it gives it.
    """
    found: dict[str, object] = {}
    for search in searches.values():
        for one in list(search(question))[:depth]:
            found.setdefault(document_of(one), one)
    results = [found[name] for name in sorted(found)]
    random.Random(f"{seed} {question}").shuffle(results)
    return results


def document_of(result) -> str:
    """The id of the document that a result is from."""
    hit = getattr(result, "hit", result)
    return str(getattr(hit, "document", hit))


def unjudged(
    golden: GoldenSet, searches: Mapping[str, Callable[[str], Sequence]], depth: int = 5
) -> dict[str, float]:
    """Search -> the share of its first results that nobody has judged.

    They count as not helping. A search that came after the judging finds more of them,
    and seems worse than it is: judge again what it brought up.
    """
    shares = {}
    for name, search in searches.items():
        seen = missing = 0
        for question in golden.judged:
            names = [document_of(one) for one in list(search(question.text))[:depth]]
            seen += len(names)
            missing += sum(one not in golden.grades[question.id] for one in names)
        shares[name] = missing / seen if seen else 0.0
    return shares


# -- what follows ----------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """One search beside the one that you have, question by question.

    Attributes:
        name: of the search.
        mean: of the metric.
        gain: mean difference to the base; with its interval by resampling (``low``,
            ``high``), which is true for one look, and one that is true at every look.
        worth: the smallest mean difference that would change your choice.
        more: further questions to find it; 0 if there are enough, None if the two
            never differed.
    """

    name: str
    mean: float
    gain: float
    low: float
    high: float
    always: tuple[float, float]
    questions: int
    worth: float
    more: int | None

    def __str__(self) -> str:
        """The verdict in one sentence."""
        numbers = f"{self.gain:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"
        if self.low > 0 or self.high < 0:
            verdict = "better" if self.low > 0 else "worse"
            verdict = f"shown to be {verdict} with these {self.questions} questions"
            if not (self.always[0] > 0 or self.always[1] < 0):
                verdict += ", if you decided beforehand to look once"
        else:
            verdict = "no difference is shown"
        if self.questions < FEW:
            verdict += f"; {self.questions} questions are few"
        if self.more:
            verdict += f"; you need about {self.more} more to see {self.worth:.2f}"
        return f"{self.name}: {numbers}, {verdict}"


def evaluations(
    golden: GoldenSet, searches: Mapping[str, Callable[[str], Sequence]], k: int = 5
) -> dict[str, Evaluation]:
    """Every search, measured by the judged questions; see ``search.evaluate``.

    Raises:
        ValueError: no question is judged, or nothing answers any of them.
    """
    from course_utils.search import evaluate

    if not golden.judged:
        raise ValueError("no question is judged yet: judge what the searches found")
    return {
        name: evaluate(
            lambda text, search=search: list(map(document_of, search(text))),
            golden.judged,
            golden.grades,
            k,
        )
        for name, search in searches.items()
    }


def comparisons(
    found: Mapping[str, Evaluation],
    base: str,
    metric: str = "nDCG@10",
    worth: float = WORTH,
) -> list[Comparison]:
    """Compare every search with one of them, on the same questions.

    Each is compared with the base alone. Of twenty searches that are as good as the
    base, one will look better by chance: decide on few, then confirm with new
    questions.

    Args:
        found: see ``evaluations``.
        base: the name of the search that you have now.
        metric: one of ``Evaluation.metrics``.
        worth: the smallest mean difference that would change your choice.

    Raises:
        ValueError: there is no such search or metric.
    """
    from course_utils.search import compare

    if base not in found:
        raise ValueError(f"no search is called {base!r}: choose one of {list(found)}")
    old = found[base].values(metric)
    made = []
    for name, one in found.items():
        gains = (one.values(metric) - old).to_numpy()
        paired = compare(one, found[base], metric)
        more = None
        if len(gains) > 1 and gains.any():
            more = max(0, questions_needed(gains, worth) - len(gains))
        made.append(
            Comparison(
                name,
                one.mean(metric),
                paired.mean,
                paired.low,
                paired.high,
                always_valid(gains),
                len(gains),
                worth,
                more,
            )
        )
    return made
