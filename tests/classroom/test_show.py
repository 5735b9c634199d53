"""Text from anyone comes out visible and inert. Other tests borrow the hostile ones."""

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.classroom.show import (
    FILLS,
    Stack,
    Tokens,
    escape,
    show_tokens,
    visible,
)

steady = settings(derandomize=True, deadline=None, max_examples=150)
any_text = st.text(st.characters(exclude_categories=()), max_size=60)

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "onerror": '<img src=x onerror="alert(1)">',
    "double quote": '" onmouseover="alert(1)" x="',
    "single quote": "' onfocus='alert(1)' autofocus '",
    "link": '<a href="javascript:alert(1)">here</a>',
    "svg": "<svg/onload=alert(1)>",
    "closing": "</span></div></td></details></pre></style><iframe src=//x.y>",
    "style": 'red;background:url(javascript:1)"><style>*{display:none}</style>',
    "entity": "&lt;script&gt;&#60;b&#62;",
    "comment": "<!--><script>1</script>--> ]]> <![CDATA[x",
    "control": "a\x00b\x07c\x08d\x7fe\x85f\x9bg",
    "ansi": "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J",
    "bidi": "user\u202egnp.exe\u202c \u2066x\u2069 \u200f",
    "invisible": "zero\u200bwidth\u00adsoft\ufeffmark\u2060join",
    "surrogate": "lone \ud800 and \udfff",
    "lines": "a\r\nb\nc\u2028d\u2029e\x0bf\x0cg",
    "private": "icon \ue000 and unassigned \U000e0fff",
    "template": "{{7*7}} ${7*7} %s {0} {x} \\N{DIGIT ONE} \\",
    "math": "$\\frac$ costs $5 and $6 a_b^{",
    "long": "x<" * 50_000,
}
hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())

TAGS = set("b br details div img p pre span summary table tbody td th thead tr".split())
ATTRIBUTES = {"colspan", "style", "alt", "width", "src"}


class Reader(HTMLParser):
    """What a browser makes of a piece of HTML: its tags, attributes and text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.parts, self.declared = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.parts.append(data)

    def handle_comment(self, data):
        self.declared.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self):
        return "".join(self.parts)


def hidden(text):
    """The characters of a text that a reader cannot see or a terminal obeys."""
    return {
        f"U+{ord(c):04X}"
        for c in text
        if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and c not in "\n\u200d"
    }


def assert_inert(html, *texts):
    """No tag, attribute or address that we did not write; the texts as text."""
    reader = Reader(html)
    assert set(reader.tags) <= TAGS
    assert {name for name, _ in reader.attributes} <= ATTRIBUTES
    assert reader.declared == []
    for name, value in reader.attributes:
        if name == "src":
            assert value.startswith("data:image/png;base64,")
        if name == "style":
            assert re.fullmatch(r"[\w\s:;#.%,-]*", value)
    assert hidden(html) == set()
    for text in texts:
        assert visible(text) in reader.text
    html.encode("utf-8")


def assert_printable(text):
    """A terminal prints it, obeys nothing in it and hides nothing of it."""
    assert hidden(text) == set()
    text.encode("utf-8")


# -- the helpers themselves can fail ---------------------------------------------------


@pytest.mark.parametrize(
    "html",
    [
        "<p onclick=x>a</p>",
        "<script>1</script>",
        "<a>x</a>",
        '<img src="//x">',
        "<!-- x -->",
        '<p style="background:url(x)">',
        "<p>a\x1b</p>",
        "<p>a\u202e</p>",
    ],
)
def test_active_markup_is_recognised(html):
    with pytest.raises(AssertionError):
        assert_inert(html)


@pytest.mark.parametrize("text", ["\x1b[0m", "a\u202eb", "a\x00", "\ud800", "a\u2028b"])
def test_a_text_that_acts_on_a_terminal_is_recognised(text):
    with pytest.raises(AssertionError):
        assert_printable(text)


# -- visible and escape ----------------------------------------------------------------


@pytest.mark.parametrize(
    "text, shown",
    {
        "plain": "plain",
        "a\tb\nc\r": "a⇥b⏎c␍",
        "\x00\x1b\x7f": "␀␛␡",
        "5\u00a0mg": "5⍽mg",
        "\u202e\u200b\u00ad": "⟨U+202E⟩⟨U+200B⟩⟨U+00AD⟩",
        "\ud800": "⟨U+D800⟩",
        "\x85\u2028": "⟨U+0085⟩⟨U+2028⟩",
        "\ue000": "⟨U+E000⟩",
        "👩\u200d💻 ✈\ufe0f": "👩\u200d💻 ✈\ufe0f",
        "é日本हिन्दी العربية": "é日本हिन्दी العربية",
        "": "",
    }.items(),
    ids=ascii,
)
def test_characters_that_hide_become_readable(text, shown):
    assert visible(text) == shown


@steady
@given(any_text)
def test_any_text_becomes_printable(text):
    assert_printable(visible(text))


@steady
@given(any_text)
def test_making_visible_twice_changes_nothing(text):
    assert visible(visible(text)) == visible(text)


@hostile
def test_an_escaped_text_is_text(text):
    assert_inert(f"<p>{escape(text)}</p>", text)
    assert not re.search("[<>\"']", escape(text))


@steady
@given(any_text)
def test_any_escaped_text_reads_as_the_visible_text(text):
    assert Reader(escape(text)).text == visible(text)


def test_anything_can_be_escaped():
    assert escape(3) == "3"
    assert escape(["<b>"]) == "[&#x27;&lt;b&gt;&#x27;]"


# -- tokens ----------------------------------------------------------------------------


def test_the_text_form_has_a_dot_between_pieces():
    assert str(show_tokens(["o", "##om", "##kill", "##ed"])) == "o·om·kill·ed"
    assert repr(show_tokens(["a", "b"])) == "a·b"


def test_a_label_stands_in_front():
    assert str(show_tokens(["a"], "cl100k")) == "cl100k: a"
    assert "<b>cl100k</b>" in show_tokens(["a"], "cl100k")._repr_html_()


@pytest.mark.parametrize(
    "pieces, shown",
    [
        ([" a", "b "], "␣a·b␣"),
        (["a", ""], "a·∅"),
        (["a\nb"], "a⏎b"),
        (["##first"], "##first"),
        (["#", "##"], "#·##"),
        (["a", "###b"], "a·###b"),
        (["▁a", "b"], "▁a·b"),
        ([], ""),
    ],
)
def test_blanks_and_breaks_can_be_seen(pieces, shown):
    assert str(show_tokens(pieces)) == shown


def test_each_piece_is_a_span_with_an_inline_colour():
    html = show_tokens(["a"] * 8)._repr_html_()
    fills = re.findall(r"background-color:(#\w+)", html)
    assert fills == [FILLS[i % len(FILLS)] for i in range(8)]
    assert "class=" not in html


@pytest.mark.parametrize("fill", FILLS)
def test_black_text_on_a_fill_can_be_read(fill):
    channels = (int(fill[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    ink = (0x11 / 255 + 0.055) / 1.055
    assert (luminance + 0.05) / (ink**2.4 + 0.05) >= 12


@pytest.mark.parametrize("count, words", [(0, "0 tokens"), (1, "1 token"), (2, "2 t")])
def test_the_picture_says_how_many_tokens_there_are(count, words):
    assert f">{words}" in show_tokens(["a"] * count)._repr_html_()


def test_one_string_is_no_list_of_pieces():
    with pytest.raises(TypeError, match=r"not one string: pass vocabulary\.pieces"):
        show_tokens("text")


def test_pieces_that_are_no_strings_are_shown_as_text():
    assert str(show_tokens([101, None])) == "101·None"


@hostile
def test_hostile_pieces_are_inert(text):
    shown = show_tokens([text, text], label=text)
    assert_printable(str(shown))
    assert_inert(shown._repr_html_(), text.replace(" ", "␣"), text)


@steady
@given(st.lists(any_text, max_size=5), any_text)
def test_any_pieces_are_inert(pieces, label):
    shown = show_tokens(pieces, label)
    assert_printable(str(shown))
    assert_inert(shown._repr_html_())
    assert Reader(shown._repr_html_()).tags.count("span") == len(pieces) + 1


# -- stacks ----------------------------------------------------------------------------


def test_a_stack_shows_one_thing_below_the_other():
    stack = Stack(Tokens(["a", "b"]), "and", Tokens(["c"]))
    assert repr(stack) == "a·b\nand\nc"
    html = stack._repr_html_()
    assert html.index(">a<") < html.index("<p>and</p>") < html.index(">c<")


def test_an_empty_stack_is_empty():
    assert (repr(Stack()), Stack()._repr_html_()) == ("", "")


@hostile
def test_hostile_text_in_a_stack_is_inert(text):
    stack = Stack(text, Tokens([text]))
    assert_inert(stack._repr_html_(), text)
    assert_printable(repr(stack))
