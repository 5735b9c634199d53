"""Compare two results, and say what differs and where."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping

from course_utils.classroom.show import visible

LONGEST = 90  # characters of a result that are shown


def _text(value: object, form: Callable[[object], str] = repr) -> str:
    try:
        return form(value)
    except Exception:  # a learner's class may fail at anything
        return f"<{type(value).__name__} that cannot be shown>"


class Raised:
    """An exception as a result, equal to another of the same type."""

    def __init__(self, error: BaseException) -> None:
        """Keep the exception."""
        self.error = error

    def __repr__(self) -> str:
        """Its kind and its words, as a traceback ends."""
        return f"{type(self.error).__name__}: {_text(self.error, str)}"


def same(left: object, right: object, tolerance: float = 1e-6) -> bool:
    """Whether two results are equal, numbers within a tolerance, arrays by value.

    >>> same([1.0, {"a": 2}], (1.0000000001, {"a": 2}))
    True
    >>> same(True, 1), same("1", 1)
    (False, False)
    """
    try:
        return _same(left, right, tolerance)
    except Exception:  # a comparison that fails, a list in itself, a huge number
        return left is right


def _same(left: object, right: object, tolerance: float) -> bool:
    if isinstance(left, Raised) or isinstance(right, Raised):
        both = isinstance(left, Raised) and isinstance(right, Raised)
        return both and type(left.error) is type(right.error)
    if hasattr(left, "tolist") and hasattr(right, "tolist"):
        shapes = (getattr(left, "shape", ()), getattr(right, "shape", ()))
        return tuple(shapes[0]) == tuple(shapes[1]) and same(
            left.tolist(), right.tolist(), tolerance
        )
    if hasattr(left, "tolist") or hasattr(right, "tolist"):
        left = left.tolist() if hasattr(left, "tolist") else left
        right = right.tolist() if hasattr(right, "tolist") else right
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int) and isinstance(right, int):
        return left == right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        close = math.isclose(left, right, rel_tol=tolerance, abs_tol=tolerance)
        return close or (math.isnan(left) and math.isnan(right))
    if isinstance(left, str) or isinstance(right, str):
        return type(left) is type(right) and left == right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(
            same(left[key], right[key], tolerance) for key in left
        )
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(
            same(a, b, tolerance) for a, b in zip(left, right, strict=True)
        )
    if type(left) is not type(right):
        return False
    equal = left == right
    return bool(equal.all(axis=None)) if hasattr(equal, "all") else bool(equal)


def shown(
    value: object, form: Callable[[object], str] = repr, longest: int = LONGEST
) -> str:
    """A value as text of at most so many characters; never raises."""
    text = visible(_text(value, form))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def difference(result: object, want: object) -> str:
    """What came and what was wanted; of something long, the first place that differs.

    >>> difference([1, 2], [1, 3])
    '[1, 2], not [1, 3]'
    >>> difference([0] * 50 + [7], [0] * 51)
    'at [50]: 7, not 0'
    >>> difference("cafe\\u0301", "caf\\u00e9")
    "'cafe⟨U+0301⟩', not 'caf⟨U+00E9⟩'"
    """
    left, right = visible(_text(result)), visible(_text(want))
    if max(len(left), len(right)) <= LONGEST and not _look_alike(left, right):
        return f"{left}, not {right}"
    try:
        place, result, want = _first_place(result, want)
    except Exception:  # a learner's class may fail at anything
        return f"{shown(result)}, not {shown(want)}"
    return f"at {place}: {_pair(result, want)}" if place else _pair(result, want)


def _look_alike(left: str, right: str) -> bool:
    left, right = (unicodedata.normalize("NFKC", text) for text in (left, right))
    return left == right


def _first_place(result: object, want: object) -> tuple[str, object, object]:
    """Walk down to the first part that differs: its place, and both parts."""
    shapes = tuple(getattr(value, "shape", None) for value in (result, want))
    if None not in shapes and tuple(shapes[0]) != tuple(shapes[1]):
        result, want = (f"the shape {tuple(shape)}" for shape in shapes)
        return "", _Words(result), _Words(want)
    if hasattr(result, "tolist") and hasattr(want, "tolist"):
        result, want = result.tolist(), want.tolist()
    lists = all(isinstance(value, (list, tuple)) for value in (result, want))
    if lists and len(result) == len(want):
        pairs = enumerate(zip(result, want, strict=True))
    elif all(isinstance(v, Mapping) for v in (result, want)) and (
        result.keys() == want.keys()
    ):
        pairs = ((key, (result[key], want[key])) for key in want)
    elif lists:
        result, want = (f"{len(value)} values" for value in (result, want))
        return "", _Words(result), _Words(want)
    else:
        return "", result, want
    for key, (a, b) in pairs:
        if not same(a, b):
            place, a, b = _first_place(a, b)
            return f"[{key!r}]{place}", a, b
    return "", result, want


class _Words:
    """A remark in place of a result: shown without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _pair(result: object, want: object) -> str:
    if isinstance(result, str) and isinstance(want, str):
        return _pair_of_texts(result, want)
    if isinstance(result, float) and isinstance(want, (int, float)):
        short = f"{result:.6g}", f"{want:.6g}"
        if short[0] != short[1]:
            return f"{short[0]}, not {short[1]}"
    left, right = shown(result), shown(want)
    if left == right:  # the kinds differ: a list in an array's place, say
        left, right = (
            f"{type(value).__name__} {text}"
            for value, text in ((result, left), (want, right))
        )
    return f"{left}, not {right}"


def _pair_of_texts(result: str, want: str) -> str:
    """Both texts from shortly before they part, code points where they look alike."""
    parts = enumerate(zip(result, want, strict=False))
    first = next((i for i, (a, b) in parts if a != b), min(len(result), len(want)))
    start = max(0, first - 20) if max(len(result), len(want)) > LONGEST else 0
    left, right = result[start:], want[start:]
    if _look_alike(left, right):
        left, right = (
            "".join(c if c.isascii() else f"⟨U+{ord(c):04X}⟩" for c in text)
            for text in (left, right)
        )
    dots = "…" if start else ""
    return f"{dots}{shown(left)}, not {dots}{shown(right)}"
