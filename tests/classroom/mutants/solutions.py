"""Read the solved exercises out of the sources of the notebooks."""

import ast
import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parents[3] / "notebooks" / "source"


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
