"""Into a lesson in the middle: run what an exercise needs of the cells before it.

The cells are those of the lesson's source, with open exercises, so what runs is what a
learner would have run.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path

from course_utils.classroom import memory, session
from course_utils.classroom.needs import needed, root
from course_utils.corpora import shipped

_CELL = re.compile(r"(?m)^# %%(.*)$")
_SOLUTION = re.compile(
    r"(?ms)^([ \t]*)### BEGIN SOLUTION[ \t]*\n.*?^[ \t]*### END SOLUTION[ \t]*(?:\n|\Z)"
)
_TASK = re.compile(
    r"(?m)^# ### (?:Exercises?|Puzzles?) (\d+)\.(\d+)(?: to \d+\.(\d+))? ·"
)


def cells_of(source: str) -> tuple[list[str], dict[str, int]]:
    """Code cells of a percent script, stubs for solutions, and where exercises begin.

    Returns:
        The texts, and exercise -> number of the code cell that comes after its heading.

    >>> cells_of("# %% [markdown]\\n# ### Exercise 1.2 · Build it\\n\\n# %%\\nx = 1\\n")
    (['x = 1'], {'1.2': 0})
    """
    texts: list[str] = []
    begins: dict[str, int] = {}
    pieces = _CELL.split(source)[1:]
    for mark, body in zip(pieces[::2], pieces[1::2], strict=True):
        if "[markdown]" in mark:
            for number, first, last in _TASK.findall(body):
                for k in range(int(first), int(last or first) + 1):
                    begins[f"{number}.{k}"] = len(texts)
        else:
            stub = r'\1raise NotImplementedError("your code here")\n'
            texts.append(_SOLUTION.sub(stub, body).strip("\n"))
    return texts, begins


def without_start(text: str) -> str:
    """A cell without its call of ``start``: the lesson has begun."""
    tree = ast.parse(text)
    body = [
        node
        for node in tree.body
        if not (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and root(node.value.func) == "start"
        )
    ]
    if len(body) == len(tree.body):
        return text
    return "\n".join(ast.unparse(node) for node in body)


def runner() -> tuple[Callable[[str], None], MutableMapping[str, object]]:
    """How to run a cell unseen, and the learner's names: in IPython or without."""
    try:
        from IPython import get_ipython
        from IPython.utils.capture import capture_output
    except ImportError:
        shell = None
    else:
        shell = get_ipython()
    if shell is None:
        import __main__

        space = vars(__main__)
        return (lambda text: exec(compile(text, "<cell>", "exec"), space)), space

    def run(text: str) -> None:
        with capture_output():
            result = shell.run_cell(text, store_history=False)
        result.raise_error()

    return run, shell.user_ns


def source_of(stem: str, folder: Path | None = None) -> str:
    """The text of a lesson, from the repository or from the installed package."""
    path = folder / f"{stem}.py" if folder else shipped(f"{stem}.py", "source")
    return path.read_text(encoding="utf-8")


def rejoin(stem: str, at: str, folder: Path | None = None) -> None:
    """Put into memory what an exercise needs, and the learner's own answers before it.

    Args:
        stem: the notebook, ``"07_finetune"``.
        at: the exercise, ``"7.4"``.
        folder: where sources are; where the course keeps them by default.

    Raises:
        ValueError: the lesson has no such exercise.
        RuntimeError: a cell that is needed failed.
    """
    texts, begins = cells_of(source_of(stem, folder))
    if at not in begins:
        raise ValueError(f"{stem} has no exercise {at!r}; it has {', '.join(begins)}")
    run, _ = runner()
    begun, chosen = time.perf_counter(), needed(texts, begins[at])
    for done, number in enumerate(chosen, 1):
        session.progress(done, len(chosen), "cell")
        try:
            run(without_start(texts[number]))
        except BaseException as error:
            first = texts[number].split("\n", 1)[0]
            raise RuntimeError(
                f"the cell {first!r} … failed: {type(error).__name__}: {error}"
            ) from error
    mine = []
    for name, (text, correct) in memory.answers().items():
        if correct and begins.get(name, len(texts)) < begins[at]:
            try:
                run(text)
            except Exception:
                continue  # it leaned on something else; my_answer shows it
            mine.append(name)
    seconds = time.perf_counter() - begun
    print(
        f"at {at}: {len(chosen)} of {begins[at]} cells before it were run in "
        f"{seconds:.0f} s; your own answers in memory: {', '.join(mine) or 'none'}"
    )
