"""The whole solution with something done to what goes in or comes out."""

import copy


def _list(value):
    return isinstance(value, list)


def _text(value):
    return isinstance(value, str)


def _truth(value):
    return isinstance(value, bool)


def _whole(value):
    return type(value) is int


def _array(value):
    return hasattr(value, "tolist") and value.ndim > 0


def _real(value):
    """A float, or an array of floats: what has a sign and digits."""
    kind = str(getattr(value, "dtype", ""))
    return type(value) is float or "float" in kind


def _matrix(value):
    return _array(value) and value.ndim > 1


def _once(values):
    return [x for i, x in enumerate(values) if x not in values[:i]]


def _backwards(array):
    return array[[*range(len(array))][::-1]]


def _two_digits(value):
    return round(value, 2) if type(value) is float else value.round(decimals=2)


OUT = {  # name -> for which results, and what is done to them
    "the result sorted": (_list, sorted),
    "the result reversed": (_list, lambda v: v[::-1]),
    "the result without its last": (_list, lambda v: v[:-1]),
    "the result without its first": (_list, lambda v: v[1:]),
    "the result without what comes twice": (_list, _once),
    "the result in lower case": (_text, str.lower),
    "the result stripped": (_text, str.strip),
    "a result one larger": (_whole, lambda v: v + 1),
    "the sign turned": (_real, lambda v: -v),
    "the sign lost": (_real, abs),
    "the result twice": (_real, lambda v: 2 * v),
    "two digits kept": (_real, _two_digits),
    "the first row only": (_array, lambda v: v[:1]),
    "the rows reversed": (_array, _backwards),
    "the axes exchanged": (_matrix, lambda v: v.swapaxes(-1, -2)),
    "True for False": (_truth, lambda v: not v),
    "always True": (_truth, lambda v: True),
    "always False": (_truth, lambda v: False),
}
IN = {
    "lists sorted before": (_list, sorted),
    "lists reversed before": (_list, lambda v: v[::-1]),
    "lists without doubles before": (_list, _once),
    "lists without their last before": (_list, lambda v: v[:-1]),
    "texts in lower case before": (_text, str.lower),
    "texts stripped before": (_text, str.strip),
    "only the first four read": (lambda v: _list(v) or _text(v), lambda v: v[:4]),
    "arrays without sign before": (_real, abs),
    "arrays reversed before": (_array, _backwards),
    "arrays with two digits before": (_real, _two_digits),
    "numbers one larger before": (_whole, lambda v: v + 1),
    "numbers one smaller before": (_whole, lambda v: v - 1),
}


def _parts(value):
    return value if isinstance(value, tuple) else (value,)


def _mapped(value, kind, change):
    """A change of one value, inside a tuple of several results as well."""
    try:
        parts = tuple(change(part) if kind(part) else part for part in _parts(value))
    except TypeError:  # parts that cannot be sorted
        return value
    return parts if isinstance(value, tuple) else parts[0]


def _spoil(value):
    """Change an argument in place, as a learner's loop might; says whether it could."""
    if isinstance(value, list) and value:
        value.pop()
    elif isinstance(value, set | dict) and value:
        value.clear()
    elif _real(value) and _array(value) and len(value):
        value *= 2
    else:
        return False
    return True


def wrapped(function, cases) -> dict:
    """The whole solution with something done before or after: name -> function."""
    results = [function(*copy.deepcopy(case)) for case in cases]
    found = {}
    for name, (kind, change) in OUT.items():
        if any(kind(part) for result in results for part in _parts(result)):
            found[name] = lambda *a, k=kind, c=change: _mapped(function(*a), k, c)
    for name, (kind, change) in IN.items():
        if any(kind(argument) for case in cases for argument in case):
            found[name] = lambda *a, k=kind, c=change: function(*_mapped(a, k, c))
    if len(cases[0]) > 1:
        found["the first two arguments exchanged"] = lambda a, b, *r: function(b, a, *r)
    for i in (0, -1):
        found[f"the result of case {i} always"] = lambda *a, r=results[i]: (
            copy.deepcopy(r)
        )

    def spoiling(*arguments):
        kept = copy.deepcopy(function(*arguments))
        for argument in arguments:
            _spoil(argument)
        return kept

    if any(_spoil(argument) for case in copy.deepcopy(cases) for argument in case):
        found["the input changed"] = spoiling
    return found
