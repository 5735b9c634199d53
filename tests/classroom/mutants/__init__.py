"""Wrong versions of every solution: what a check must not call correct.

The solutions are read from the sources of the notebooks (``solutions``). A mutant is a
solution with one small change in its syntax tree (``syntax``: a comparison flipped, an
operand dropped, an axis moved, the formula that overflows, ...), or the whole solution
with something done to what goes in or comes out (``around``: sorted, cut, lower-cased,
a constant, the input changed, ...). Neither knows what an exercise is about; for the
rules that a page states there are answers written by hand (``handmade``).
"""

from tests.classroom.mutants.around import wrapped
from tests.classroom.mutants.solutions import SOURCES, Solution, solutions
from tests.classroom.mutants.syntax import changed

__all__ = ["SOURCES", "Solution", "changed", "mutants", "solutions"]


def mutants(solution: Solution, cases: list[tuple]) -> dict:
    """Every mutant of a solution by what is done to it: a function each."""
    texts = changed(solution.text)
    found = {change: solution.build(text) for change, text in texts.items()}
    return found | wrapped(solution.build(solution.text), cases)
