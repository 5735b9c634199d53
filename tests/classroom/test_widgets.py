"""Things to move: the static twin always, the live control where somebody is."""

import ipywidgets
import pytest

from course_utils.classroom import explore, show_tokens
from course_utils.classroom.plots import Picture
from course_utils.classroom.widgets import choose, live_view, to_html
from tests.classroom.test_show import (
    Reader,
    assert_inert,
    assert_printable,
    hostile,
    visible,
)


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would display, in order."""
    parts = []
    monkeypatch.setattr("IPython.display.display", lambda *new: parts.extend(new))
    monkeypatch.setenv("COURSE_STATIC", "1")
    return parts


@pytest.fixture
def live(shown, monkeypatch):
    """The same with a person at the keyboard."""
    monkeypatch.delenv("COURSE_STATIC")
    return shown


def square(n):
    return f"{n} squared is {n * n}"


def fragile(n):
    if n == 3:
        raise ValueError("<b>three</b>\x1b[0m")
    return square(n)


def live_square(view=square, value=2):
    *controls, area = live_view(view, {"n": (0, 9)}, {"n": value}).children
    return controls[0], area


# -- the twin --------------------------------------------------------------------------


def test_nobody_at_the_keyboard_sees_the_twin_alone(shown):
    explore(square, [{"n": 2}, {"n": 3}], n=(0, 9))
    assert shown == ["2 squared is 4", "3 squared is 9"]


def test_a_person_sees_the_live_control_below_the_twin(live):
    explore(square, [{"n": 2}, {"n": 3}], n=(0, 9))
    assert live[:2] == ["2 squared is 4", "3 squared is 9"]
    assert isinstance(live[2], ipywidgets.VBox) and len(live) == 3


def test_the_live_control_begins_where_the_twin_ends(live):
    explore(square, [{"n": 2}, {"n": 3}], n=(0, 9))
    assert live[2].children[0].value == 3


def test_a_widget_without_a_twin_is_refused(shown):
    with pytest.raises(ValueError, match="needs a static twin"):
        explore(square, [], n=(0, 9))


@pytest.mark.parametrize("setting", [{}, {"m": 1}, {"n": 1, "m": 1}])
def test_a_twin_that_does_not_fit_the_controls_is_refused(shown, setting):
    with pytest.raises(ValueError, match=r"must set exactly the controls \['n'\]"):
        explore(square, [setting], n=(0, 9))
    assert shown == []


# -- the controls ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec, value, kind",
    [
        ((0, 9), 4, ipywidgets.IntSlider),
        (["mean", "cls"], "cls", ipywidgets.SelectionSlider),
        ("a text", "a text", ipywidgets.Text),
    ],
)
def test_the_kind_of_a_control_follows_from_what_is_given(spec, value, kind):
    control = live_view(
        lambda which: which, {"which": spec}, {"which": value}
    ).children[0]
    assert type(control) is kind
    assert control.value == value


def test_a_slider_has_the_ends_that_are_given():
    slider, _ = live_square()
    assert (slider.min, slider.max) == (0, 9)


def test_a_control_is_labelled_with_words():
    view = live_view(lambda batch_size: "", {"batch_size": (1, 8)}, {"batch_size": 1})
    assert view.children[0].description == "batch size"


def test_a_slider_for_fractions_is_refused():
    """It would move in whole numbers, from 0 to 1."""
    with pytest.raises(ValueError, match="whole numbers"):
        live_view(square, {"n": (0.0, 1.0)}, {"n": 0.5})


# -- the view follows ------------------------------------------------------------------


def test_the_view_is_drawn_at_once():
    _, area = live_square()
    assert "2 squared is 4" in area.value


def test_a_changed_control_changes_the_view():
    slider, area = live_square()
    slider.value = 5
    assert "5 squared is 25" in area.value
    assert "2 squared" not in area.value


def test_every_control_is_handed_over_by_its_name():
    view = live_view(
        lambda low, name: f"{name}-{low}",
        {"low": (0, 9), "name": ["a", "b"]},
        {"low": 1, "name": "a"},
    )
    low, name, area = view.children
    low.value, name.value = 7, "b"
    assert "b-7" in area.value


def test_an_error_in_the_view_is_shown_as_inert_text():
    slider, area = live_square(fragile)
    slider.value = 3
    assert_inert(area.value, "ValueError: <b>three</b>\x1b[0m")


def test_after_an_error_the_controls_are_still_of_use():
    slider, area = live_square(fragile)
    slider.value = 3
    slider.value = 4
    assert "4 squared is 16" in area.value and "ValueError" not in area.value


def test_an_error_at_the_first_drawing_is_shown_too():
    _, area = live_square(fragile, value=3)
    assert "ValueError" in area.value


# -- what a view may return ------------------------------------------------------------


def test_a_picture_becomes_an_image_with_its_alt_text():
    html = to_html(Picture(b"\x89PNG", "Bars: 3 of them, falling", 640))
    [(tag, attributes)] = [(Reader(html).tags, dict(Reader(html).attributes))]
    assert tag == ["img"]
    assert attributes["alt"] == "Bars: 3 of them, falling"
    assert attributes["src"] == "data:image/png;base64,iVBORw=="
    assert attributes["width"] == "640"


def test_an_object_with_html_shows_its_html():
    tokens = show_tokens(["a", "b"])
    assert to_html(tokens) == tokens._repr_html_()


def test_anything_else_is_shown_as_text():
    assert Reader(to_html("a\tb")).text == "a⇥b"
    assert Reader(to_html(42)).text == "42"


@hostile
def test_hostile_text_in_a_view_is_inert(text):
    slider, area = live_square(lambda n: text)
    assert_inert(area.value, text)


@hostile
def test_a_hostile_error_in_a_view_is_inert(text):
    def view(n):
        raise KeyError(text)

    _, area = live_square(view)
    assert_inert(area.value)
    assert "KeyError" in area.value


@hostile
def test_hostile_alt_text_is_inert(text):
    html = to_html(Picture(b"", text, 1))
    assert_inert(html)
    assert dict(Reader(html).attributes)["alt"] == visible(text)


@hostile
def test_a_hostile_choice_is_a_label_without_markup(text):
    control = live_view(lambda c: c, {"c": [text, "b"]}, {"c": text}).children[0]
    assert control.description_allow_html is False
    assert_printable(control._options_labels[0])
    assert control.value == text


def test_a_choice_hands_over_its_value_and_shows_its_label():
    view = live_view(lambda n: f"{n + 1}", {"n": [1, 2]}, {"n": 1})
    control, area = view.children
    control.value = 2
    assert control._options_labels == ("1", "2") and ">3<" in area.value


@hostile
def test_hostile_text_in_a_box_can_travel_to_the_browser(text):
    """Half a character cannot: a question mark stands in its place."""
    control = live_view(lambda c: c, {"c": text}, {"c": text}).children[0]
    control.value.encode("utf-8")
    assert control.value == "".join(
        "?" if "\ud800" <= c <= "\udfff" else c for c in text
    )


@hostile
def test_a_hostile_name_of_a_control_is_printable(text):
    view = live_view(lambda **_: "", {text: (0, 9)}, {text: 1})
    assert_printable(view.children[0].description)


# -- buttons ---------------------------------------------------------------------------


@pytest.fixture
def buttons(shown):
    """Show buttons for some choices; give them, the label and what was kept."""

    def make(*choices):
        kept = []
        choose(choices, kept.append)
        *found, label = shown[-1].children
        return found, label, kept

    return make


def test_there_is_one_button_per_choice(buttons):
    found, label, kept = buttons("4", "6")
    assert [button.description for button in found] == ["4", "6"]
    assert (label.value, kept) == ("", [])


def test_a_click_keeps_the_choice_and_says_so(buttons):
    found, label, kept = buttons("4", "6")
    found[1].click()
    assert kept == ["6"]
    assert label.value == "kept: 6"


def test_the_last_click_counts(buttons):
    found, label, kept = buttons("4", "6")
    found[1].click()
    found[0].click()
    assert kept[-1] == "4" and label.value == "kept: 4"


@hostile
def test_a_hostile_choice_can_be_clicked_and_is_printable(buttons, text):
    found, label, kept = buttons(text, "other")
    found[0].click()
    assert kept == [text]
    assert_printable(found[0].description)
    assert_printable(label.value)
