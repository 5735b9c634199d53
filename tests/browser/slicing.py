"""Which cells of a notebook does one of its cells need? So that no others are run."""

import ast
import re
import symtable
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass
class Names:
    """The global names of a cell: read, set, imported, and changed in place."""

    read: set[str]
    set: set[str]
    imported: set[str]
    changed: set[str]


def names_of(cell: str) -> Names:
    """Found without running it; lines for IPython count as nothing."""
    text = re.sub(r"^(\s*)[%!].*$", r"\1pass", cell, flags=re.MULTILINE)
    top = symtable.symtable(text, "cell", "exec")
    found = Names(set(), set(), set(), set())
    for name in top.get_symbols():
        found.read |= {name.get_name()} if name.is_referenced() else set()
        found.imported |= {name.get_name()} if name.is_imported() else set()
        found.set |= {name.get_name()} if name.is_assigned() else set()
    found.set |= found.imported
    inner = top.get_children()
    while inner:
        table = inner.pop()
        inner += table.get_children()
        found.read |= {s.get_name() for s in table.get_symbols() if s.is_global()}
    nodes = list(ast.walk(ast.parse(text)))
    found.changed = set(filter(None, map(changed_by, nodes)))
    found.set |= asked(nodes, "predict")
    found.read |= asked(nodes, "reveal")
    return found


def asked(nodes: Sequence[ast.AST], function: str) -> set[str]:
    """A name for each prediction that ``predict`` asks for and ``reveal`` answers."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.args]
    return {
        f"prediction {ast.unparse(call.args[0])}"
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == function
    }


def changed_by(node: ast.AST) -> str | None:
    """The variable behind ``x[i] = ...``, ``x.a = ...`` or a call ``x.append(...)``."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node = node.value.func
    elif not isinstance(getattr(node, "ctx", None), ast.Store):
        return None
    if isinstance(node, ast.Name):
        return None
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def needed(cells: Sequence[str], wanted: Collection[int]) -> list[int]:
    """The wanted cells and those before them that set or change what they read.

    From the last to the first: a cell that sets a name is needed if the name is still
    wanted, and what it reads is wanted in its place. Modules are not changed by calls.
    """
    found = [names_of(cell) for cell in cells]
    modules = set().union(*(names.imported for names in found))
    chosen, open_names = set(wanted), set()
    for number in range(len(cells) - 1, -1, -1):
        names = found[number]
        changes = names.set | (names.changed - modules)
        if number in chosen or changes & open_names:
            chosen.add(number)
            open_names = (open_names - names.set) | names.read
    return sorted(chosen)
