"""One look for every figure, alt text for each, a printed fact for each."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from course_utils.classroom import plots  # noqa: E402
from course_utils.classroom.plots import Picture  # noqa: E402
from tests.classroom.test_show import assert_printable, hostile, visible  # noqa: E402

ALT = "Bars: two of them, the first longer"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def no_figure_is_left():
    with matplotlib.rc_context():
        plots.use_style()
        yield
        plt.close("all")


def two_bars(**names):
    return plots.bars(names or {"a": 2, "b": 1}, "Two bars", "count")


def texts(ax):
    return [text.get_text() for text in ax.texts]


# -- the style -------------------------------------------------------------------------


def test_a_figure_is_six_by_three_and_a_half_inches_without_a_frame():
    fig, ax = plt.subplots()
    assert tuple(fig.get_size_inches()) == (6, 3.5)
    assert not ax.spines["top"].get_visible()
    assert not ax.spines["right"].get_visible()


def test_colours_come_from_okabe_and_ito():
    drawn = [plt.plot([0, 1])[0].get_color() for _ in plots.PALETTE]
    assert drawn == list(plots.PALETTE)
    assert len(set(drawn)) == 8


# -- pictures --------------------------------------------------------------------------


def test_a_picture_is_a_png_with_its_alt_text_and_width():
    picture = plots.picture(two_bars()[0], ALT)
    data, metadata = picture._repr_mimebundle_()
    assert data["image/png"].startswith(PNG)
    assert data["text/plain"] == f"[figure] {ALT}"
    assert metadata == {"image/png": {"alt": ALT, "width": picture.width}}
    assert 300 < picture.width < 700


def test_the_same_figure_gives_the_same_bytes():
    assert (
        plots.picture(two_bars()[0], ALT).png == plots.picture(two_bars()[0], ALT).png
    )


def test_the_bytes_tell_nothing_about_the_machine():
    png = plots.picture(two_bars()[0], ALT).png
    assert b"Software" not in png and b"tEXt" not in png


def test_a_finished_figure_is_closed():
    fig, _ = two_bars()
    plots.picture(fig, ALT)
    assert not plt.fignum_exists(fig.number)


@pytest.mark.parametrize("alt", ["", "a figure", "one two three"])
def test_alt_text_that_says_nothing_is_refused(alt):
    with pytest.raises(ValueError, match="alt text must say what the figure shows"):
        plots.picture(two_bars()[0], alt)


def test_a_figure_is_shown_with_its_fact(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    plots.show(two_bars()[0], ALT, "a: 2, b: 1")
    assert repr(shown[0]) == f"[figure] {ALT}"
    assert capsys.readouterr().out == "a: 2, b: 1\n"


@hostile
def test_hostile_alt_text_is_printable(text):
    assert_printable(repr(Picture(b"", text, 1)))
    assert visible(text) in repr(Picture(b"", text, 1))


# -- bars ------------------------------------------------------------------------------


def test_bars_are_as_long_as_their_values_first_one_on_top():
    _, ax = two_bars(first=3, second=1)
    assert [bar.get_width() for bar in ax.patches] == [3, 1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    assert ax.yaxis_inverted()
    assert (ax.get_title(loc="left"), ax.get_xlabel()) == ("Two bars", "count")


@pytest.mark.parametrize("digits, shown", [(0, "1,235"), (2, "1,234.50")])
def test_each_bar_carries_its_value(digits, shown):
    _, ax = plots.bars({"a": 1234.5 + (digits == 0) * 0.1}, "t", "x", digits)
    assert texts(ax)[0][: len(shown) - 1] == shown[:-1]


def test_bars_can_be_drawn_beside_another_figure():
    fig, (left, _) = plt.subplots(1, 2)
    assert plots.bars({"a": 1}, "t", "x", ax=left) == (fig, left)


def test_no_bars_are_refused():
    with pytest.raises(ValueError, match="needs at least one value"):
        plots.bars({}, "t", "x")


# -- grouped bars ----------------------------------------------------------------------


def test_grouped_bars_stand_side_by_side_and_do_not_overlap():
    series = {"one": [1, 2], "two": [3, 4], "three": [5, 6]}
    _, ax = plots.grouped_bars(["a", "b"], series, "t", "y")
    spans = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches)
    assert len(spans) == 6
    assert all(a[1] <= b[0] + 1e-9 for a, b in zip(spans[:-1], spans[1:], strict=True))
    assert [bar.get_height() for bar in ax.patches] == [1, 2, 3, 4, 5, 6]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]


def test_series_differ_in_colour_and_in_hatch():
    series = {name: [1] for name in "abcdef"}
    _, ax = plots.grouped_bars(["g"], series, "t", "y")
    looks = {(bar.get_facecolor(), bar.get_hatch()) for bar in ax.patches}
    assert len({colour for colour, _ in looks}) == len({h for _, h in looks}) == 6
    assert [t.get_text() for t in ax.get_legend().get_texts()] == list("abcdef")


def test_a_series_of_another_length_than_the_groups_is_named():
    with pytest.raises(ValueError, match="two has 1 values for 2 groups"):
        plots.grouped_bars(["a", "b"], {"one": [1, 2], "two": [1]}, "t", "y")


@pytest.mark.parametrize("count", [0, 9])
def test_no_series_and_more_than_there_are_colours_are_refused(count):
    series = {str(number): [1] for number in range(count)}
    with pytest.raises(ValueError, match="1 to 8 series"):
        plots.grouped_bars(["a"], series, "t", "y")


# -- lines -----------------------------------------------------------------------------


def test_a_line_goes_through_its_values():
    _, ax = plots.lines([1, 2, 3], {"a": [4, 5, 6]}, "t", "x", "y")
    [line] = ax.lines
    assert list(line.get_xdata()) == [1, 2, 3] and list(line.get_ydata()) == [4, 5, 6]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")


def test_lines_differ_in_colour_and_in_marker():
    _, ax = plots.lines([1, 2], {name: [1, 2] for name in "abcdefgh"}, "t", "x", "y")
    assert len({line.get_marker() for line in ax.lines}) == 8
    assert len({line.get_color() for line in ax.lines}) == 8


def test_one_line_needs_no_legend_and_two_do():
    assert plots.lines([1], {"a": [1]}, "t", "x", "y")[1].get_legend() is None
    _, ax = plots.lines([1], {"a": [1], "b": [2]}, "t", "x", "y")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


@pytest.mark.parametrize("count", [0, 9])
def test_no_line_is_dropped_in_silence(count):
    series = {str(number): [1, 2] for number in range(count)}
    with pytest.raises(ValueError, match="1 to 8 series"):
        plots.lines([1, 2], series, "t", "x", "y")


def test_a_line_of_another_length_than_its_axis_is_refused():
    with pytest.raises(ValueError):
        plots.lines([1, 2, 3], {"a": [1, 2]}, "t", "x", "y")


# -- heat maps -------------------------------------------------------------------------


def heat(values=((0.1, 0.9, 0.5), (0.2, 0.3, 0.4)), **options):
    return plots.heatmap(values, ["r1", "r2"], ["c1", "c2", "c3"], "t", **options)


def test_a_heat_map_shows_its_numbers_where_they_belong():
    _, ax = heat()
    shown = {text.get_position(): text.get_text() for text in ax.texts}
    assert shown[1, 0] == "0.90" and shown[0, 1] == "0.20" and len(shown) == 6
    assert [label.get_text() for label in ax.get_xticklabels()] == ["c1", "c2", "c3"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["r1", "r2"]


def test_the_digits_can_be_chosen():
    assert texts(heat(digits=1)[1])[1] == "0.9"


def test_without_digits_there_is_a_scale_instead():
    fig, ax = heat(digits=None)
    assert texts(ax) == [] and len(fig.axes) == 2


def test_the_size_of_an_entry_can_be_chosen():
    small, large = (heat(cell=(size, size))[0].get_size_inches() for size in (0.2, 0.5))
    assert np.allclose(large - small, [3 * 0.3, 2 * 0.3])


def test_a_map_of_signed_values_is_centred_at_zero():
    _, ax = heat(((-1, 3, 0), (0, 0, 0)), diverging=True)
    norm = ax.images[0].norm
    assert (norm.vmin, norm.vmax) == (-3, 3)


@pytest.mark.parametrize("diverging", [False, True])
def test_the_numbers_can_be_read_on_their_colours(diverging):
    values = np.linspace(-1 if diverging else 0, 1, 6).reshape(2, 3)
    _, ax = heat(values, diverging=diverging)
    image = ax.images[0]
    for text, value in zip(ax.texts, values.flat, strict=True):
        red, green, blue, _ = image.cmap(image.norm(value))
        light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        assert text.get_color() == ("black" if light else "white")


def test_a_map_of_zeros_can_be_drawn():
    fig, _ = heat(np.zeros((2, 3)), diverging=True)
    assert plots.picture(fig, ALT).png.startswith(PNG)


@pytest.mark.parametrize("rows", [["r1"], ["r1", "r2", "r3"]])
def test_labels_that_do_not_fit_the_matrix_are_refused(rows):
    with pytest.raises(ValueError, match=r"matrix \(2, 3\) needs as many labels, got"):
        plots.heatmap(np.ones((2, 3)), rows, ["a", "b", "c"], "t")


# -- logarithmic axes ------------------------------------------------------------------


@pytest.mark.parametrize(
    "base, values, shown",
    [
        (2, [1, 1024], {"1", "4", "16", "64", "256", "1,024"}),
        (10, [1e-3, 1e5], {"0.001", "0.1", "10", "1,000", "100,000"}),
    ],
)
def test_a_logarithmic_axis_shows_numbers(base, values, shown):
    fig, ax = plots.lines(values, {"a": [0, 1]}, "t", "x", "y")
    ax.set_xscale("log", base=base)
    plots.picture(fig, ALT)
    labels = {tick.get_text() for tick in ax.get_xticklabels()}
    assert shown <= labels
    assert not any("$" in text for text in labels)


def test_ticks_that_an_author_has_set_stay():
    fig, ax = plots.lines([1, 8], {"a": [0, 1]}, "t", "x", "y")
    ax.set_xscale("log", base=2)
    ax.set_xticks([1, 8], ["one", "eight"])
    plots.picture(fig, ALT)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["one", "eight"]


# -- text from anyone ------------------------------------------------------------------


def as_bars(text):
    return plots.bars({text: 1}, text, text)


def as_grouped_bars(text):
    return plots.grouped_bars([text, "b"], {text: [1, 2], "c": [2, 1]}, text, text)


def as_lines(text):
    return plots.lines([1, 2], {text: [1, 2], "b": [2, 1]}, text, text, text)


def as_heatmap(text):
    return plots.heatmap([[1, 2], [3, 4]], [text, "b"], [text, "c"], text)


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
@pytest.mark.parametrize("draw", [as_bars, as_grouped_bars, as_lines, as_heatmap])
@hostile
def test_hostile_text_in_every_place_of_a_figure_is_drawn_as_text(draw, text):
    fig, ax = draw(text)
    fig.draw_without_rendering()
    drawn = [part for part in fig.findobj(matplotlib.text.Text) if part.get_text()]
    assert any(part.get_text()[:20] == plots.label(text)[:20] for part in drawn)
    for part in drawn:
        for line in part.get_text().split("\n"):
            assert_printable(line)
        assert len(part.get_text()) <= plots.LONGEST_LABEL
        assert not part.get_parse_math()


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
@pytest.mark.parametrize("text", ["\ud800 \x1b[0m", "$\\frac$ a_b^{", "<svg/onload=1>"])
def test_a_figure_with_hostile_text_becomes_a_picture(text):
    for draw in (as_bars, as_grouped_bars, as_lines, as_heatmap):
        assert plots.picture(draw(text)[0], ALT).png.startswith(PNG)


@hostile
def test_a_hostile_fact_and_alt_text_are_shown_as_text(monkeypatch, capsys, text):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    plots.show(two_bars()[0], f"a picture that shows {text}", text)
    for line in capsys.readouterr().out.split("\n"):
        assert_printable(line)
    _, metadata = shown[0]._repr_mimebundle_()
    assert_printable(metadata["image/png"]["alt"])
    assert metadata["image/png"]["alt"] == f"a picture that shows {visible(text)}"


def test_a_title_may_have_two_lines_and_is_cut_where_nobody_reads_on():
    assert plots.label("one\ntwo\t") == "one\ntwo⇥"
    assert plots.label("x" * 500) == "x" * 199 + "…"
    assert plots.label(7) == "7"


def test_a_dollar_sign_in_a_label_is_a_dollar_sign():
    """Two prices are no formula."""
    fig, ax = plots.bars({"costs $5 and $6": 1}, "t", "x")
    fig.draw_without_rendering()
    [label] = ax.get_yticklabels()
    assert label.get_text().replace(r"\$", "$") == "costs $5 and $6"
    assert not label.get_parse_math() or r"\$" in label.get_text()


# -- maps and images -------------------------------------------------------------------


def test_a_map_shows_every_text_in_its_group_and_ties_neighbours_to_one():
    points = [[0, 0], [1, 0], [2, 2], [3, 1]]
    fig, ax = plots.places(points, ["a", "b_c", "a", "a"], "A map", 1, [0, 3])
    groups = {c.get_label(): c.get_offsets().tolist() for c in ax.collections[:2]}
    assert groups == {"a": [[0, 0], [2, 2], [3, 1]], "b c": [[1, 0]]}
    assert [line.get_xydata().tolist() for line in ax.lines] == [
        [[1, 0], [0, 0]],
        [[1, 0], [3, 1]],
    ]
    assert ax.collections[2].get_offsets().tolist() == [[1, 0]]  # the circle
    assert not len(ax.get_xticks()) and not len(ax.get_yticks())


def test_a_map_without_a_chosen_text_has_no_lines():
    _, ax = plots.places([[0, 0], [1, 1]], ["a", "b"], "A map", None, [1])
    assert not ax.lines and len(ax.collections) == 2


def test_groups_of_a_map_differ_in_colour_or_marker():
    points = np.random.default_rng(0).normal(size=(16, 2))
    _, ax = plots.places(points, [f"g{i:02}" for i in range(16)], "A map")
    looks = {
        (str(c.get_facecolor().tolist()), str(c.get_paths()[0].vertices.round(2)))
        for c in ax.collections
    }
    assert len(looks) == 16


@pytest.mark.parametrize(
    "points, groups", [([[0, 0]], ["a", "b"]), ([[0, 0, 0]], ["a"]), ([], [])]
)
def test_a_map_that_does_not_fit_is_refused(points, groups):
    with pytest.raises(ValueError, match="one place in two dimensions each"):
        plots.places(points, groups, "A map")


def test_intervals_lie_around_their_means_and_those_without_zero_differ():
    rows = {"gain": (2.0, 1.0, 3.5), "open": (0.5, -1.0, 2.0)}
    fig, ax = plots.intervals(rows, "title", "points")
    points = [line for line in ax.lines if line.get_marker() in ("D", "o")]
    assert [(p.get_xdata()[0], p.get_marker()) for p in points] == [
        (2.0, "D"),
        (0.5, "o"),
    ]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["gain", "open"]
    ends = [line.get_segments()[0][:, 0].tolist() for line in ax.collections]
    assert ends == [[1.0, 3.5], [-1.0, 2.0]]


@pytest.mark.parametrize("rows", [{}, {"a": (0.0, 1.0, 2.0)}])
def test_a_mean_outside_of_its_interval_is_refused(rows):
    with pytest.raises(ValueError, match="the mean between"):
        plots.intervals(rows, "title", "points")


def test_images_stand_in_rows_behind_their_names():
    ramp = np.arange(4.0).reshape(2, 2)
    fig, _ = plots.image_rows({"up": [ramp, ramp + 1], "down": [-ramp, ramp]}, "Two")
    assert len(fig.axes) == 4
    assert [ax.get_ylabel() for ax in fig.axes] == ["up", "", "down", ""]
    assert fig.axes[1].images[0].get_array().tolist() == (ramp + 1).tolist()


@pytest.mark.parametrize("rows", [{}, {"a": []}, {"a": [[[1]]], "b": []}])
def test_rows_of_images_that_are_not_equally_long_are_refused(rows):
    with pytest.raises(ValueError, match="equally long"):
        plots.image_rows(rows, "None")


def test_bars_with_equal_shortened_labels_stay_apart():
    """Two long names that are cut to the same text are two bars, not one."""
    start = "x" * 300
    fig, ax = plots.bars({f"{start}a": 3, f"{start}b": 5, "short": 1}, "Three", "count")
    widths = sorted(bar.get_width() for bar in ax.patches)
    places = {round(bar.get_y(), 3) for bar in ax.patches}
    assert (widths, len(places)) == ([1, 3, 5], 3)
    shown = [tick.get_text() for tick in ax.get_yticklabels()]
    assert len(shown) == 3 and shown[0] == shown[1] != shown[2] == "short"
    plots.plt.close(fig)
