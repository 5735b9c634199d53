"""Which cells of a notebook does a later one lean on?

A cell is needed if it gives a value to a name that is used later, or may change a
value that is used later. Where that cannot be told from the text, the cell is taken in:
rather too much is run than too little.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

# What is given to a call of them comes back as it was.
_HARMLESS = set(dir(builtins)) - {"exec", "eval", "setattr", "delattr", "next"}
_HARMLESS |= {"check", "claim", "display", "explore", "predict", "quiz", "reveal"}
_HARMLESS |= {"scorecard", "show_source", "show_tokens", "trial"}
_HARMLESS |= {"np", "pd", "plots", "pictures", "math", "Counter"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ANY = "?"  # a question whose key is computed


@dataclass
class Cell:
    """What a code cell does with names.

    Attributes:
        uses: names whose values it needs from before.
        binds: names it gives a value.
        sure: those among them that it gives one in any case.
        fixed: those among them that no later cell can change: imports, functions.
        changes: names whose values it may change.
        deferred: names that its functions read, whenever they are called.
    """

    uses: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    sure: set[str] = field(default_factory=set)
    fixed: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    deferred: set[str] = field(default_factory=set)


def root(node: ast.AST) -> str:
    """``model`` of ``model.layers[0].weight``; nothing if it begins with no name."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _stored(node: ast.AST) -> set[str]:
    """Names that a target or a statement binds, functions and comprehensions aside."""
    return {
        part.id
        for part in [node, *_outside(node)]
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)
    }


def _outside(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of this scope: not what stands in functions and comprehensions."""
    inner = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, _FUNCTIONS) and not isinstance(node, inner):
            yield from _outside(node)


def _read(node: ast.AST) -> set[str]:
    """Names of the notebook that a piece of code reads, also inside of functions."""
    text = ast.unparse(node)
    found: set[str] = set()
    waiting = [(symtable.symtable(text, "cell", "exec"), True)]
    while waiting:
        table, top = waiting.pop()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (top or symbol.is_global()):
                found.add(symbol.get_name())
        waiting += [(child, False) for child in table.get_children()]
    return found


def _flow(statements: Sequence[ast.stmt], bound: set[str]) -> tuple[set[str], set[str]]:
    """Names read before they are bound, and names bound in any case, in order."""
    uses: set[str] = set()
    bound = set(bound)
    for node in statements:
        if isinstance(node, ast.For):
            uses |= _read(node.iter) - bound
            inside, after = _flow(node.body, bound | _stored(node.target))
            uses |= inside
            bound |= after
        elif isinstance(node, ast.With):
            for item in node.items:
                uses |= _read(item.context_expr) - bound
                bound |= _stored(item.optional_vars) if item.optional_vars else set()
            inside, bound = _flow(node.body, bound)
            uses |= inside
        elif isinstance(node, ast.If | ast.While | ast.Try):
            blocks = [node.body, node.orelse]
            if isinstance(node, ast.Try):
                blocks += [node.finalbody, *(h.body for h in node.handlers)]
                asked = [handler.type for handler in node.handlers if handler.type]
            else:
                asked = [node.test]
            uses |= set().union(*map(_read, asked)) - bound
            for block in blocks:
                uses |= _flow(block, bound)[0]
        else:
            uses |= _read(node) - bound
            if isinstance(node, ast.AugAssign):
                uses |= {root(node.target)} - bound
            bound |= _bound_by(node)
    return uses, bound


def _bound_by(node: ast.stmt) -> set[str]:
    if isinstance(node, _FUNCTIONS):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(a.asname or a.name).split(".")[0] for a in node.names}
    return _stored(node)


def _questions(call: ast.Call) -> str:
    """A name for what ``predict`` keeps and ``reveal`` needs."""
    key = call.args[0] if call.args else None
    return f"?{key.value}" if isinstance(key, ast.Constant) else _ANY


@cache
def look(text: str) -> Cell:
    """Read what a cell does with names.

    >>> sorted(look("total = sum(values)").uses)
    ['sum', 'values']
    """
    cell, tree = Cell(), ast.parse(text)
    cell.uses, cell.sure = _flow(tree.body, set())
    for node in _outside(tree):
        if isinstance(node, ast.stmt):
            cell.binds |= _bound_by(node)
        if isinstance(node, (*_FUNCTIONS, ast.Import, ast.ImportFrom)):
            cell.fixed |= _bound_by(node)
        if isinstance(node, _FUNCTIONS):
            cell.deferred |= _read(node)
    for node in ast.walk(tree):
        _note_changes(node, cell)
    cell.changes.discard("")
    return cell


def _note_changes(node: ast.AST, cell: Cell) -> None:
    if isinstance(node, ast.Attribute | ast.Subscript):
        if not isinstance(node.ctx, ast.Load):
            cell.changes.add(root(node))
    elif isinstance(node, ast.AugAssign):
        cell.changes.add(root(node.target))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        if isinstance(node.value.func, ast.Attribute):
            cell.changes.add(root(node.value.func))
    elif isinstance(node, ast.Call):
        name = root(node.func)
        if name == "predict":
            cell.binds.add(_questions(node))
        elif name == "reveal":
            cell.uses.add(_questions(node))
        elif name not in _HARMLESS:
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            cell.changes |= {name}.union(*map(_names, given))


def _asked(cell: Cell, wanted: set[str]) -> bool:
    """Whether a question of this cell is answered later."""
    asked = {name for name in cell.binds if name.startswith("?")}
    answered = {name for name in wanted if name.startswith("?")}
    if _ANY in asked or _ANY in answered:
        return bool(asked and answered)
    return bool(asked & answered)


def needed(texts: Sequence[str], begin: int) -> list[int]:
    """Numbers of the cells before ``begin`` that it and all after it lean on.

    >>> needed(["a = [1]", "b = 2", "a.append(3)", "print(a)"], 3)
    [0, 2]
    """
    cells = [look(text) for text in texts]
    wanted: set[str] = set()
    for cell in reversed(cells[begin:]):
        wanted = (wanted - cell.sure) | cell.uses
    found: list[int] = []
    called: set[str] = set()  # what functions read may be bound after they are
    while True:
        before, found = found, _back(cells, begin, wanted | called)
        if found == before:
            return found
        called = set().union(*(cells[number].deferred for number in found))


def _back(cells: Sequence[Cell], begin: int, wanted: set[str]) -> list[int]:
    """Walk from ``begin`` to the top and take in what is wanted."""
    fixed = set().union(*(cell.fixed for cell in cells))
    found = []
    for number in range(begin - 1, -1, -1):
        cell = cells[number]
        changed = (cell.changes - fixed) & wanted
        if cell.binds & wanted or changed or _asked(cell, wanted):
            found.append(number)
            wanted = (wanted - (cell.sure - changed)) | cell.uses
    return found[::-1]
