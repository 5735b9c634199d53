"""A golden set of your own: questions, what answers them, and what follows from it.

It is a plain CSV with one row per judgement, ``question,kind,document,grade``, which
any spreadsheet opens. A question whose row names no document is written down and not
judged; one whose grades are all below 2 is judged, and nothing answers it.

Used in notebook 14. Library: ``ir_measures``. Papers: Spärck Jones and van Rijsbergen
1975 for pooling; Efron 1979 for the bootstrap.

>>> golden = from_csv("question,kind,document,grade\\nwhich disk?,,disk.md,3\\n")
>>> golden.questions[0].text, golden.grades["1"]
('which disk?', {'disk.md': 3})
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from course_utils.corpora import CorpusError, records_of, unix
from course_utils.yours.certainty import always_valid, questions_needed

if TYPE_CHECKING:
    from course_utils.search import Evaluation

COLUMNS = ["question", "kind", "document", "grade"]
GRADES = {0: "does not help", 1: "touches it", 2: "helps", 3: "answers it"}
WORTH = 0.05  # a smaller mean difference would change nobody's choice
FEW = 20  # below so many questions no interval says much
# A spreadsheet would run what begins so; nobody asks "=1+1".
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Question:
    """A question of the golden set; ``kind`` groups questions of one sort."""

    id: str
    kind: str
    text: str


@dataclass(frozen=True)
class GoldenSet:
    """Questions in the order in which they were written, and their judgements.

    Attributes:
        questions: see ``Question``.
        grades: id of a question -> document -> 0 to 3, see ``GRADES``.
    """

    questions: tuple[Question, ...] = ()
    grades: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def ask(self, text: str, kind: str = "") -> GoldenSet:
        """The set with a question more, if it is not in it.

        Raises:
            ValueError: the question is empty.
        """
        text = " ".join(text.split())
        if not text:
            raise ValueError("the question is empty: write what you would ask")
        if any(question.text == text for question in self.questions):
            return self
        new = Question(str(len(self.questions) + 1), kind.strip() or "question", text)
        return replace(self, questions=(*self.questions, new))

    def judge(self, question: str, document: str, grade: int) -> GoldenSet:
        """The set with a judgement more; a later one takes the place of an earlier.

        Args:
            question: the id or the text of a question.
            document: the id of a document.
            grade: 0 does not help, 1 touches it, 2 helps, 3 answers it.

        Raises:
            ValueError: there is no such question or grade.
        """
        if grade not in GRADES or isinstance(grade, bool):
            raise ValueError(f"the grade is one of 0, 1, 2, 3, not {grade!r}")
        known = {one.text: one.id for one in self.questions}
        name = question if question in known.values() else known.get(question)
        if name is None:
            raise ValueError(f"the set has no question {question!r}: ask it first")
        grades = {**self.grades, name: {**self.grades.get(name, {}), document: grade}}
        return replace(self, grades=grades)

    @property
    def judged(self) -> list[Question]:
        """The questions with at least one judgement; only these can be evaluated."""
        return [question for question in self.questions if self.grades.get(question.id)]


# -- as a table ------------------------------------------------------------------------


def from_csv(text: str, name: str = "golden.csv") -> GoldenSet:
    """Read a golden set.

    Args:
        text: the table; further columns are passed over, ``kind`` may be missing.
        name: of the file, for messages.

    Raises:
        CorpusError: a column is missing or a grade is none, with the line.
    """
    records = records_of(unix(text), name)
    header = [cell.strip().lower() for cell in records[0][1]] if records else []
    missing = {"question", "document", "grade"} - set(header)
    if missing:
        raise CorpusError(
            f"{name} line 1: there is no column {', '.join(sorted(missing))}; write "
            + ",".join(COLUMNS)
        )
    golden = GoldenSet()
    for line, record in records[1:]:
        row = dict(zip(header, map(_unguarded, record), strict=False))
        if not any(cell.strip() for cell in record):
            continue
        where = f"{name} line {line}"
        question = " ".join(row.get("question", "").split())
        if not question:
            raise CorpusError(f"{where}: there is no question")
        golden = golden.ask(question, row.get("kind", ""))
        document = row.get("document", "").strip()
        if not document:
            continue
        try:
            golden = golden.judge(question, document, int(row.get("grade", "")))
        except ValueError:
            raise CorpusError(
                f"{where}: the grade is {row.get('grade', '')!r}, not 0, 1, 2 or 3"
            ) from None
    return golden


def to_csv(golden: GoldenSet) -> str:
    """Write a golden set so that ``from_csv`` and a spreadsheet read it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for question in golden.questions:
        start = (_guarded(question.text), _guarded(question.kind))
        grades = golden.grades.get(question.id, {})
        for document, grade in grades.items():
            writer.writerow([*start, _guarded(document), grade])
        if not grades:
            writer.writerow([*start, "", ""])
    return stream.getvalue()


def _guarded(cell: str) -> str:
    """A cell that a spreadsheet takes for text."""
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


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
