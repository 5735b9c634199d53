"""A golden set of your own: questions, and what answers them.

It is a plain CSV with one row per judgement, ``question,kind,document,grade``, which
any spreadsheet opens. A question whose row names no document is written down and not
judged; one whose grades are all below 2 is judged, and nothing answers it.

Used in notebook 14. Library: ``csv``; ``ir_measures.read_trec_qrels``.

>>> golden = from_csv("question,kind,document,grade\\nwhich disk?,,disk.md,3\\n")
>>> golden.questions[0].text, golden.grades["1"]
('which disk?', {'disk.md': 3})
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from course_utils.corpora import CorpusError, records_of, unix

COLUMNS = ["question", "kind", "document", "grade"]
GRADES = {0: "does not help", 1: "touches it", 2: "helps", 3: "answers it"}
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
