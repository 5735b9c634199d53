"""The ledger: no statement is lost, no verdict typed, all notebooks say the same."""

import ast
import re

import nbformat
import pytest

from course_utils.authoring.source import NOTEBOOKS, SOURCES, editions, path_of
from course_utils.classroom.claims import NOT_RUN, VERDICTS, registry

LEDGER = "90_claims"
ALL = sorted(SOURCES.glob("*.py"))
LESSONS = [source for source in ALL if len(editions(source.stem)) == 2]
# Put on trial in the lessons before there was a ledger: none of them may get lost.
FIRST = """
    1 3-24 26-29 31 34-37 39-41 44-50 53 55-57 59-66 68 71-72 74 76-83 85-86 88-94
    96-103 105-109 111-113 115 119-133 136-142 146-148 151-152 154 160-167 169-173
    175 180-184 186-190 194-195 197-207 209-219 221-227 229 232 235-237 239-242
    244-252 254-256 259 261-262 264-265 267-269 273-274 279-281 283-284 286-289 293
    297-301 307 309 311-315 321-322 324-328 352 355-356 359-361 363-364 368 372 383
"""
# Judged anew since; a lesson that still shows one the old way is to be mended with it.
JUDGED_ANEW = ""


def numbers(spans):
    """``1 3-5`` is C001, C003, C004, C005."""
    found = []
    for span in spans.split():
        first, _, last = span.partition("-")
        found += range(int(first), int(last or first) + 1)
    return {f"C{number:03d}" for number in found}


def outputs(stem, edition="student"):
    notebook = nbformat.read(path_of(stem, edition), as_version=4)
    return "\n".join(
        output.get("text", "") + "".join(output.get("data", {}).get("text/plain", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


def printed_by_a_lesson(stem):
    """Id -> verdict of every trial that a lesson shows."""
    shown = re.findall(r"Claim (C\d{3}) ·.*\n.*\n  . (\w+)", outputs(stem))
    return dict(shown)


@pytest.fixture(scope="module")
def ledger():
    """Id -> verdict of every line of the ledger's tables."""
    lines = re.findall(
        r"^  (C\d{3}) .*\n    .*· verdict: . (\w+)", outputs(LEDGER), re.MULTILINE
    )
    assert len(lines) == len(dict(lines)), "a statement stands there twice"
    return dict(lines)


def test_every_statement_that_can_be_run_is_on_trial_once(ledger):
    runnable = {key for key, s in registry().items() if s.verdict != NOT_RUN}
    assert set(ledger) == runnable


def test_no_statement_of_the_first_edition_is_lost(ledger):
    first = numbers(FIRST)
    assert len(first) == 246
    assert first - set(ledger) == set()


def test_most_of_what_the_articles_state_is_run(ledger):
    assert len(ledger) > 300


def test_the_ledger_says_what_the_registry_says(ledger):
    said = {key: registry()[key].verdict for key in ledger}
    assert ledger == said


def test_what_is_not_run_is_listed_with_its_reason():
    printed = outputs(LEDGER)
    for key, statement in registry().items():
        if statement.verdict == NOT_RUN:
            assert re.search(rf"^  {key} ", printed, re.MULTILINE), key
            assert statement.reason in printed, key


@pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_shows_its_trials_with_the_verdict_of_the_registry(source):
    found = printed_by_a_lesson(source.stem)
    tried = set(re.findall(r"\bC\d{3}\b", source.read_text("utf-8")))
    assert tried <= set(found), "a statement is named and not shown"
    for key in sorted(set(found) - numbers(JUDGED_ANEW)):
        assert found[key] == registry()[key].verdict, key


@pytest.mark.parametrize("key", sorted(registry()))
def test_the_notebook_that_explains_a_statement_exists(key):
    number = registry()[key].notebook
    assert not number or list(NOTEBOOKS.glob(f"{number}_*.ipynb"))


# -- verdicts are computed -------------------------------------------------------------


def verdicts_in(text):
    """The expression that decides each trial: third argument of claim and enter."""
    for call in ast.walk(ast.parse(text)):
        if isinstance(call, ast.Call):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name in ("claim", "enter") and len(call.args) > 2:
                yield call.args[2]
            if name == "verdict":
                yield from call.args
                yield from (keyword.value for keyword in call.keywords)


def is_typed(expression):
    """Whether an expression holds nothing measured: no name, and no arithmetic."""
    called = {
        id(node.func) for node in ast.walk(expression) if isinstance(node, ast.Call)
    }
    return not any(
        isinstance(node, ast.BinOp)
        or (isinstance(node, ast.Name) and id(node) not in called)
        for node in ast.walk(expression)
    )


def always_true(expression):
    """``x or "partly"`` and its like: no measurement can refute."""
    return any(
        isinstance(node, ast.BoolOp)
        and any(
            isinstance(value, ast.Constant) and value.value for value in node.values
        )
        for node in ast.walk(expression)
    )


@pytest.mark.parametrize("source", ALL, ids=lambda path: path.stem)
def test_no_verdict_is_typed(source):
    """A trial is decided by a measurement, which can come out otherwise."""
    text = source.read_text("utf-8")
    assert [ast.unparse(e) for e in verdicts_in(text) if is_typed(e)] == []


def test_in_the_ledger_no_verdict_hides_in_an_idiom():
    text = (SOURCES / f"{LEDGER}.py").read_text("utf-8")
    assert [ast.unparse(e) for e in verdicts_in(text) if always_true(e)] == []


@pytest.mark.parametrize(
    "text, typed, idiom",
    [
        ('claim("C001", x, True)', True, False),
        ('claim("C001", x, "partly")', True, False),
        ('claim("C001", x, verdict(False, in_part=True))', True, False),
        ('book.enter("C001", x, verdict(1 == 2))', True, False),
        ('claim("C001", x, x > 3)', False, False),
        ('claim("C001", x, verdict(x > 3, in_part=x > 2))', False, False),
        ('claim("C001", x, x == "lo" or "partly")', False, True),
        ('claim("C001", x, found and "partly")', False, True),
    ],
)
def test_a_typed_verdict_is_noticed(text, typed, idiom):
    found = list(verdicts_in(text))
    assert any(map(is_typed, found)) == typed
    assert any(map(always_true, found)) == idiom


def test_every_verdict_of_the_registry_is_known():
    assert {s.verdict for s in registry().values()} == {*VERDICTS, NOT_RUN}
