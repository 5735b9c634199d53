"""How a text was cut is shown: whole, in two, overlapping, and harmlessly."""

import pytest

from course_utils.classroom.passages import show_passages

TEXT = "Stop. Wait an hour. Go."
FACT = "Wait an hour."  # characters 6 to 19


@pytest.mark.parametrize(
    "spans, holding, touching, state",
    [
        ([(0, 6), (6, 23)], [1], [1], "is whole in 2"),
        ([(0, 11), (11, 23)], [], [0, 1], "is cut in two"),
        ([(0, 8), (8, 11), (11, 23)], [], [0, 1, 2], "is cut to pieces"),
        ([(0, 19), (6, 23)], [0, 1], [0, 1], "is whole in 1 and 2"),
        ([(0, 11)], [], [0], "is there in part only"),
        ([(0, 6), (19, 23)], [], [], "is in none of them"),
    ],
)
def test_what_became_of_a_fact(spans, holding, touching, state):
    cut = show_passages(TEXT, spans, FACT)
    assert (cut.holding, cut.touching) == (holding, touching)
    assert state in str(cut)
    assert cut._repr_html_().count("<div") == len(touching)


def test_only_the_neighbourhood_of_the_fact_is_printed():
    text = "x" * 200 + FACT + "y" * 200
    line = str(show_passages(text, [(0, len(text))], FACT, "one")).splitlines()[1]
    assert line == f"  1 ■ …{'x' * 30}{FACT}{'y' * 30}…"


def test_a_long_passage_is_shortened_around_the_fact():
    text = "x" * 2000 + FACT + "y" * 2000
    html = show_passages(text, [(0, len(text))], FACT)._repr_html_()
    assert 200 < html.count("x") < 300 and 200 < html.count("y") < 300
    assert html.count("…") == 2


def test_markup_in_a_page_stays_text():
    text = "<script>alert(1)</script>\u202e end"
    html = show_passages(text, [(0, len(text))], "alert(1)")._repr_html_()
    assert "<script" not in html and "⟨U+202E⟩" in html


@pytest.mark.parametrize("fact", ["never said", "", " "])
def test_a_fact_that_the_text_does_not_say_is_refused(fact):
    with pytest.raises(ValueError, match="does not say"):
        show_passages(TEXT, [(0, 5)], fact)
