"""The cells that a cell needs, by small notebooks that are then really run."""

import pytest

from tests.browser.slicing import needed

CASES = {
    "a chain": (["a = 1", "b = 2", "c = a + 1", "c"], [0, 2, 3]),
    "the last setting counts": (["a = 1", "a = 2", "a"], [1, 2]),
    "and what it is made of": (["a = 1", "a = a + 1", "a"], [0, 1, 2]),
    "a list that grows": (["a = []", "a.append(1)", "b = 3", "a[0]"], [0, 1, 3]),
    "a place that is set": (["a = {}", "a['x'] = 1", "a['x']"], [0, 1, 2]),
    "inside a function": (["a = 1", "def f():\n    return a", "f()"], [0, 1, 2]),
    "a name of its own": (["a = 1", "f = lambda a: a", "f(2)"], [1, 2]),
    "an import": (["import math", "math.sqrt(2)", "math.pi"], [0, 2]),
    "a prediction": (
        [
            "predict = reveal = print",
            "predict('k', 1)",
            "predict('m', 1)",
            "reveal('k')",
        ],
        [0, 1, 3],
    ),
    "a magic": (["if True:\n    %matplotlib inline", "a = 1", "a"], [1, 2]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_needed_and_no_more(name):
    cells, expected = CASES[name]
    assert needed(cells, [len(cells) - 1]) == expected
    space = {}
    for number in expected:
        exec(cells[number].replace("%matplotlib inline", "pass"), space)
