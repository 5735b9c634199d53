"""The source shown is the source that runs, readable in both themes, and inert."""

import ast
import html
import inspect
import re
import textwrap

import pytest

from course_utils.attention import MultiHeadAttention
from course_utils.classroom.source import COLOURS, INK, PAPER, Source, show_source
from course_utils.pooling import mean_pool
from course_utils.tokenization import BPE, pair_counts, train_bpe
from tests.classroom.test_show import Reader, assert_printable, hostile


def luminance(colour):
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [
        p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ink", [INK, *(colour for _, colour in COLOURS)])
def test_every_colour_is_readable_on_its_paper(ink):
    assert (luminance(PAPER) + 0.05) / (luminance(ink) + 0.05) >= 4.5


@pytest.mark.parametrize("thing", [pair_counts, train_bpe, MultiHeadAttention, BPE])
def test_what_is_shown_is_what_runs(thing):
    """The same program as the file holds, docstrings aside."""
    whole = inspect.getsource(thing)
    shown = show_source(thing).text
    kept = show_source(thing, docstring=True).text
    assert ast.dump(ast.parse(kept)) == ast.dump(ast.parse(textwrap.dedent(whole)))

    def bare(text):
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and len(node.body) > 1:
                if ast.get_docstring(node) is not None:
                    node.body = node.body[1:]
        return ast.dump(tree)

    assert bare(kept) == bare(shown)
    assert '"""' not in shown


def test_short_sources_are_open_and_long_ones_folded():
    assert "<details open>" in show_source(pair_counts)._repr_html_()
    assert "<details><summary" in show_source(train_bpe)._repr_html_()


def test_the_place_is_named_and_is_no_path_of_this_machine():
    place = show_source(mean_pool).place
    assert place == "course_utils/pooling.py · mean_pool"
    assert show_source(MultiHeadAttention.forward).place.endswith(
        "MultiHeadAttention.forward"
    )


def test_a_method_is_shown_without_its_indentation():
    assert show_source(BPE.encode).text.startswith("def encode(")


def test_text_form_and_html_hold_the_same_code():
    shown = show_source(train_bpe)
    code = re.search(r"<pre[^>]*>(.*)</pre>", shown._repr_html_(), re.DOTALL)[1]
    plain = html.unescape(re.sub(r"<[^>]+>", "", code))
    assert plain.split() == str(shown).split("\n", 1)[1].split()


@hostile
def test_hostile_source_is_inert(text):
    shown = Source(text, f"x = {text!r}\n# {text}")
    assert_printable(str(shown).replace("\n", ""))
    read = Reader(shown._repr_html_())
    assert set(read.tags) <= {"details", "summary", "pre", "span"}
    assert {name for name, _ in read.attributes} <= {"style", "open"}


@pytest.mark.parametrize("thing", [3, "train_bpe", pytest])
def test_something_else_is_refused(thing):
    with pytest.raises(TypeError, match="takes a function or a class"):
        show_source(thing)


def test_what_is_not_ours_is_refused_with_the_way_to_see_it():
    with pytest.raises(ValueError, match=r"dedent\?\?"):
        show_source(textwrap.dedent)
