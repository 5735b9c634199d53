"""What makes a notebook a lesson: start, predict, check, claim, quiz, show.

Topic modules never import this package; notebooks import little else.
"""

from course_utils.classroom import plots
from course_utils.classroom.check import check
from course_utils.classroom.claims import claim, trial, verdict
from course_utils.classroom.ledger import Ledger
from course_utils.classroom.memory import my_answer
from course_utils.classroom.predict import predict, reveal, scorecard
from course_utils.classroom.quiz import Quiz, quiz
from course_utils.classroom.session import progress, start
from course_utils.classroom.show import Stack, show_tokens
from course_utils.classroom.source import show_source
from course_utils.classroom.widgets import explore

__all__ = [
    "Ledger",
    "Quiz",
    "Stack",
    "check",
    "claim",
    "explore",
    "my_answer",
    "plots",
    "predict",
    "progress",
    "quiz",
    "reveal",
    "scorecard",
    "show_source",
    "show_tokens",
    "start",
    "trial",
    "verdict",
]
