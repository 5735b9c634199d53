"""A lesson that records warnings does so whatever filters a learner has set."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "notebooks" / "source").glob("*.py"))


def recorders(text):
    """Every ``with warnings.catch_warnings(record=True)`` of a source."""
    for node in ast.walk(ast.parse(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", text))):
        if isinstance(node, ast.With) and "record=True" in ast.unparse(node.items[0]):
            yield node


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_who_records_warnings_asks_for_all_of_them_first(source):
    """``filterwarnings("ignore")`` in another cell would leave nothing to show."""
    for node in recorders(source.read_text("utf-8")):
        first = ast.unparse(node.body[0])
        assert first.startswith("warnings.simplefilter('always'"), first


def test_there_is_something_to_look_at():
    assert sum(len(list(recorders(path.read_text("utf-8")))) for path in SOURCES) >= 3
