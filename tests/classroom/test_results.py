"""What differs and where, in one short sentence."""

import numpy as np
import pytest
import torch

from course_utils.classroom.results import difference


@pytest.mark.parametrize(
    "result, want, sentence",
    [
        (1, 2, "1, not 2"),
        ("1", 1, "'1', not 1"),
        ([1, 2], [1], "[1, 2], not [1]"),
        (list(range(60)), list(range(61)), "60 values, not 61 values"),
        (
            np.zeros((40, 3)),
            np.zeros((3, 40)),
            "the shape (40, 3), not the shape (3, 40)",
        ),
        (np.eye(30), np.eye(30) - np.eye(30)[29] * 2, "at [0][29]: 0, not -2"),
        (torch.ones(5, 40), np.arange(200).reshape(5, 40), "at [0][0]: 1, not 0"),
        ({"a": [0] * 50}, {"a": [0] * 49 + [1]}, "at ['a'][49]: 0, not 1"),
        ("x" * 95 + "a", "x" * 95 + "b", f"…'{'x' * 20}a', not …'{'x' * 20}b'"),
        ("caf\u00e9", "cafe\u0301", "'caf⟨U+00E9⟩', not 'cafe⟨U+0301⟩'"),
        ("a\u00a0b", "a b", r"'a\xa0b', not 'a b'"),
        (["caf\u00e9"], ["cafe\u0301"], "at [0]: 'caf⟨U+00E9⟩', not 'cafe⟨U+0301⟩'"),
        ([0.1234567], [0.1234999], "[0.1234567], not [0.1234999]"),
        (
            torch.tensor([0.12341]),
            torch.tensor([0.12344]),
            "at [0]: 0.12341, not 0.12344",
        ),
        ({"a", "b"}, ["a", "b"], None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_difference_is_shown_where_it_is(result, want, sentence):
    if sentence is not None:
        assert difference(result, want) == sentence
    left, _, right = difference(result, want).partition(", not ")
    assert left != right
    assert len(difference(result, want)) < 220
