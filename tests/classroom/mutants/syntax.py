"""One small change in the syntax tree of a function, at every place that allows it."""

import ast
import copy
import re
from collections.abc import Iterator

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
                name = _what_changed(text, mutant)
                while name in found:  # the same change at another place
                    name += " again"
                found[name] = mutant
        if i is None:
            setattr(parent, field, original)
        else:
            held[i] = original
    return found


def _what_changed(before, after):
    """The words that differ, with a few around: ``axis=1 -> axis=-1``."""
    left, right = (re.findall(r"\w+|\W", text) for text in (before, after))
    end = 0
    while end < min(len(left), len(right)) and left[-1 - end] == right[-1 - end]:
        end += 1
    start = 0
    while start < min(len(left), len(right)) - end and left[start] == right[start]:
        start += 1
    start, end = max(0, start - 3), max(0, end - 2)
    old, new = (
        " ".join("".join(words[start : len(words) - end]).split())
        for words in (left, right)
    )
    return f"{old} -> {new}"
