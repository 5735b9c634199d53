"""Wrong versions of every solution, made by rules: what a check must not call correct.

The solutions are read from the sources of the notebooks. Each mutant is the solution
with one small change in its syntax tree (a comparison flipped, an operand dropped, an
axis moved, ...), or the whole solution with something done to what goes in or comes
out. Nothing here knows what an exercise is about; see ``handmade`` for that.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "notebooks" / "source"


# -- reading the solutions -------------------------------------------------------------


@dataclass(frozen=True)
class Solution:
    """One solved exercise of a notebook, and the code that it needs to run."""

    id: str
    notebook: str
    name: str  # of the function
    call: str  # what the notebook hands to ``check``: the name, or an expression
    text: str  # the function, without its docstring
    needs: str  # imports and definitions before it

    def build(self, text: str):
        """What is handed to ``check`` if the function reads like this."""
        space = {"__name__": "mutant"}
        exec(_compiled(self.needs), space)
        exec(_compiled(text), space)
        return eval(self.call, space)


@cache
def _compiled(text):
    return compile(text, "<notebook>", "exec")


def solutions(stem: str) -> list[Solution]:
    """The solutions of one notebook, in the order of its checks."""
    trees = list(_cells(SOURCES / f"{stem}.py"))
    solved = {
        node.name: node
        for text, tree in trees
        if "### BEGIN SOLUTION" in text
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    found = []
    for _, tree in trees:
        for id, argument in _checks(tree):
            name = next((n for n in _names(argument) if n in solved), None)
            if name is None:  # a cell that shows what a check says
                continue
            function = _without_docstring(solved[name])
            used = {*_names(function), *_names(argument)} - {name}
            needs = "\n".join(ast.unparse(n) for n in _needed(used, trees))
            call, text = ast.unparse(argument), ast.unparse(function)
            found.append(Solution(id, stem, name, call, text, needs))
    return found


def _cells(path):
    for cell in path.read_text("utf-8").split("\n# %%")[1:]:
        head, _, body = cell.partition("\n")
        if "[markdown]" not in head:
            lines = [
                line if not line.lstrip().startswith(("%", "!")) else "pass"
                for line in body.splitlines()
            ]
            yield body, ast.parse("\n".join(lines))


def _checks(tree):
    """The calls ``check("1.2", attempt)`` of a cell: id and second argument."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "check"
            and len(node.args) == 2
        ):
            yield node.args[0].value, node.args[1]


def _names(node):
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]


def _without_docstring(function):
    function = copy.deepcopy(function)
    if ast.get_docstring(function) is not None:
        function.body = function.body[1:]
    return function


def _needed(names, trees):
    """Imports and definitions at the top of cells that bind one of the names."""
    wanted, found = set(names), []
    nodes = [node for _, tree in trees for node in tree.body]
    for node in reversed(nodes):
        if isinstance(node, ast.Import | ast.ImportFrom):
            kept = [
                a for a in node.names if (a.asname or a.name.split(".")[0]) in wanted
            ]
            if kept:
                node = copy.deepcopy(node)
                node.names = kept
                found.append(node)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in wanted:
            wanted |= set(_names(node))
            found.append(node)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            if wanted & {n for target in node.targets for n in _names(target)}:
                found.append(node)
    return found[::-1]


# -- one small change ------------------------------------------------------------------


COMPARED = {
    ast.Lt: (ast.LtE, ast.Gt, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt, ast.LtE),
    ast.Eq: (ast.NotEq, ast.LtE, ast.GtE),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
COMPUTED = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
EXCHANGED = {
    "min": ("max",),
    "max": ("min", "sum"),
    "argmax": ("argmin",),
    "sum": ("mean", "max"),
    "mean": ("sum", "max", "median"),
    "median": ("mean",),
    "all": ("any",),
    "any": ("all",),
    "ceil": ("floor", "round"),
    "floor": ("ceil",),
    "sin": ("cos",),
    "cos": ("sin",),
    "zeros": ("ones",),
    "ones": ("zeros",),
    "exp": ("expm1",),
    "comb": ("perm",),
    "allclose": ("array_equal", "equal"),
    "norm": ("sum",),
    "chunk": ("split",),
    "NFC": ("NFD", "NFKC", "NFKD"),
}
# Calls that only change the kind of a value, which no check looks at.
KIND_ONLY = {"int", "float", "bool", "list", "tuple", "set", "tolist", "item", "double"}


def _replacements(node) -> Iterator[ast.AST]:  # noqa: C901 -- one rule per branch
    """What could stand in the place of a node instead."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for kind in COMPARED.get(type(node.ops[0]), ()):
            yield _with(node, ops=[kind()])
    if isinstance(node, ast.BinOp):
        for kind in COMPUTED.get(type(node.op), ()):
            yield _with(node, op=kind())
        yield node.left
        yield node.right
        if not isinstance(node.op, ast.Add | ast.Mult | ast.BitAnd | ast.BitOr):
            yield _with(node, left=node.right, right=node.left)
    if isinstance(node, ast.UnaryOp):
        yield node.operand
    if isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        yield from node.values
    if isinstance(node, ast.Constant):
        yield from map(ast.Constant, _other_values(node.value))
    if isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    if isinstance(node, ast.comprehension):
        for i in range(len(node.ifs)):
            yield _with(node, ifs=node.ifs[:i] + node.ifs[i + 1 :])
    if isinstance(node, ast.Slice):
        for part in ("lower", "upper", "step"):
            if getattr(node, part) is not None:
                yield _with(node, **{part: None})
    if isinstance(node, ast.Tuple) and len(node.elts) == 2:
        if isinstance(node.ctx, ast.Load):
            yield _with(node, elts=node.elts[::-1])
    if isinstance(node, ast.Call):
        yield from _other_calls(node)
    if isinstance(node, ast.If):
        yield _with(node, test=ast.Constant(True))
        yield _with(node, test=ast.Constant(False))
    if isinstance(node, ast.For) and node.orelse:
        yield _with(node, orelse=[])
    if isinstance(node, ast.While):
        yield _with(node, test=ast.Constant(False))
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Break):
        yield ast.Pass()
    if isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value)


def _other_values(value):
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from dict.fromkeys((value + 1, value - 1, -value, 0))
    elif isinstance(value, float):
        yield from dict.fromkeys((value * 2, value / 2, -value, value + 1, 0.0))
    elif isinstance(value, str):
        yield from EXCHANGED.get(value, ())
        yield value + "x"
        if value:
            yield ""


def _other_calls(node):
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    for other in EXCHANGED.get(name, ()):
        field = "id" if isinstance(node.func, ast.Name) else "attr"
        yield _with(node, func=_with(node.func, **{field: other}))
    if len(node.args) >= 2:
        first, second, *rest = node.args
        yield _with(node, args=[second, first, *rest])
    for i in range(len(node.keywords)):
        yield _with(node, keywords=node.keywords[:i] + node.keywords[i + 1 :])
    if name in KIND_ONLY:
        return
    if isinstance(node.func, ast.Attribute):
        yield node.func.value  # the method is forgotten
    for argument in node.args:
        if not isinstance(argument, ast.Constant | ast.Starred):
            yield argument  # the function is forgotten
    yield from _naive(node, name)


def _naive(node, name):
    """The formula as it stands in a book, which overflows."""
    templates = []
    axis = ast.unparse(node.keywords[0].value) if node.keywords else "-1"
    if name == "softmax" and node.args:
        templates = [
            f"(lambda e: e / e.sum(axis={axis}, keepdims=True))(__import__('numpy')"
            f".exp({ast.unparse(node.args[0])}))"
        ]
    elif name == "softmax":
        scores = ast.unparse(node.func.value)
        templates = [
            f"(lambda e: e / e.sum(dim={axis}, keepdim=True))(({scores}).exp())"
        ]
    elif name == "logaddexp":
        templates = [f"np.log(1 + np.exp({ast.unparse(node.args[1])}))"]
    elif name == "cross_entropy":
        templates = [
            "(lambda e: -(e.diagonal() / e.sum(dim=1)).log().mean())"
            f"(({ast.unparse(node.args[0])}).exp())",
            f"functional.cross_entropy(({ast.unparse(node.args[0])}).softmax(1), "
            f"{ast.unparse(node.args[1])})",
        ]
    for template in templates:
        yield ast.parse(template, mode="eval").body


def _with(node, **fields):
    other = copy.copy(node)
    for key, value in fields.items():
        setattr(other, key, value)
    return other


def _places(node):
    """Every place in a tree that holds a node: its parent, field and position."""
    for field, value in ast.iter_fields(node):
        for i, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST) and not isinstance(child, ast.arguments):
                yield node, field, i if isinstance(value, list) else None
                yield from _places(child)


def changed(text: str) -> dict[str, str]:
    """Every version of a function with one small change: what changed -> its text."""
    tree = ast.parse(text)
    found = {}
    for parent, field, i in _places(tree.body[0]):
        held = getattr(parent, field)
        original = held if i is None else held[i]
        for other in _replacements(original):
            if i is None:
                setattr(parent, field, other)
            else:
                held[i] = other
            mutant = ast.unparse(ast.fix_missing_locations(tree))
            if mutant != text and mutant not in found.values():
                found[_what_changed(text, mutant)] = mutant
        if i is None:
            setattr(parent, field, original)
        else:
            held[i] = original
    return found


def _what_changed(before, after):
    left, right = before.splitlines(), after.splitlines()
    while left and right and left[0] == right[0]:
        left, right = left[1:], right[1:]
    while left and right and left[-1] == right[-1]:
        left, right = left[:-1], right[:-1]
    old, new = (" ; ".join(map(str.strip, lines)) for lines in (left, right))
    return f"{old} -> {new}"


# -- something done to what goes in or comes out ---------------------------------------


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
