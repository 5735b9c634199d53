"""Shares, differences, labels, leaks, spaces; calibration, changes, checklists.

Against scipy, scikit-learn and sums by hand.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact, norm
from sklearn import metrics

from course_utils import failures
from course_utils.classroom import plots
from course_utils.corpora import load_natural_pairs
from course_utils.failures import calibration, checklist, interventions
from course_utils.failures.checklist import Capability

counts = st.integers(0, 40)

# -- what a share is worth -------------------------------------------------------------


@given(counts, st.integers(0, 40))
def test_wilson_is_that_of_scipy(hits, more):
    n = hits + more + 1
    level = 1 - 2 * norm.sf(1.96)
    want = binomtest(hits, n).proportion_ci(level, method="wilson")
    assert failures.wilson_interval(hits, n) == pytest.approx((want.low, want.high))


@given(counts, st.integers(1, 40))
def test_wilson_holds_the_share_and_is_a_mirror(hits, n):
    hits = min(hits, n)
    low, high = failures.wilson_interval(hits, n)
    assert 0 <= low <= hits / n + 1e-12 and hits / n - 1e-12 <= high <= 1
    assert failures.wilson_interval(n - hits, n) == pytest.approx((1 - high, 1 - low))


def test_more_articles_make_the_interval_narrower():
    widths = [np.diff(failures.wilson_interval(9 * k, 10 * k))[0] for k in (1, 10, 100)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("hits, n", [(1, 0), (-1, 5), (6, 5)])
def test_a_share_must_be_possible(hits, n):
    with pytest.raises(ValueError, match="between 0 and n"):
        failures.wilson_interval(hits, n)


@given(counts, counts)
def test_mcnemar_is_the_binomial_test(first, second):
    want = binomtest(first, first + second).pvalue if first + second else 1.0
    assert failures.mcnemar(first, second) == pytest.approx(want)
    assert failures.mcnemar(first, second) == failures.mcnemar(second, first)


def test_mcnemar_by_hand():
    assert failures.mcnemar(1, 4) == 2 * (1 + 5) / 32
    with pytest.raises(ValueError, match="negative"):
        failures.mcnemar(-1, 3)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 12))
def test_the_range_of_mcnemar_is_that_over_all_pairings(a, b, n):
    a, b = min(a, n), min(b, n)
    possible = [
        failures.mcnemar(a - both, b - both)
        for both in range(n + 1)
        if both <= min(a, b) and a + b - both <= n
    ]
    assert failures.mcnemar_range(a, b, n) == (min(possible), max(possible))


def test_the_famous_epochs_cannot_be_told_apart():
    low, high = failures.mcnemar_range(448, 443, 500)
    assert low == failures.mcnemar(5, 0) == 0.0625
    assert 0.05 < low < high < 1
    with pytest.raises(ValueError, match="448 and 443 of 400"):
        failures.mcnemar_range(448, 443, 400)


def test_slices_by_hand():
    table = failures.slice_table(
        [True, True, False, False], {"a": [1, 1, 1, 0], "b": [0, 0, 0, 1]}
    )
    assert table["n"].to_dict() == {"a": 3, "b": 1}
    assert table["accuracy"].to_dict() == {"a": "0.67", "b": "0.00"}
    low, high = failures.wilson_interval(2, 3)
    assert table.loc["a", "95 %"] == f"{low:.2f} to {high:.2f}"


@pytest.mark.parametrize("inside", [[False, False], [True]])
def test_an_empty_or_ragged_slice_is_named(inside):
    with pytest.raises(ValueError, match="my slice"):
        failures.slice_table([True, False], {"my slice": inside})


# -- labels and leaks ------------------------------------------------------------------


def test_label_loss_adds_up_to_the_log_loss_of_scikit_learn():
    probabilities = np.random.default_rng(7).dirichlet(np.ones(4), size=50)
    labels = np.random.default_rng(8).integers(4, size=50)
    mean = failures.label_loss(probabilities, labels).mean()
    assert mean == pytest.approx(
        metrics.log_loss(labels, probabilities, labels=range(4))
    )
    assert mean == pytest.approx(calibration.log_loss(probabilities, labels))


def test_a_probability_of_zero_gives_a_large_finite_loss():
    assert 700 < failures.label_loss(np.array([[1.0, 0.0]]), [1])[0] < math.inf


@pytest.mark.parametrize(
    "probabilities, labels, message",
    [
        ([[0.5, 0.5]], [0, 1], "n labels"),
        ([[0.5, 0.6]], [0], "sum to 1"),
        ([[1.5, -0.5]], [0], "positive"),
        ([[0.5, 0.5]], [2], "between 0 and 1"),
        ([[0.5, 0.5]], [-1], "between 0 and 1"),
        ([[0.5, 0.5]], ["a"], "class numbers"),
    ],
)
def test_bad_probabilities_and_labels_are_refused(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        failures.label_loss(probabilities, labels)


def unit(rows):
    rows = np.asarray(rows, dtype=float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_near_duplicates_come_nearest_first_with_their_twin():
    train = unit([[1, 0], [0, 1]])
    test = unit([[1, 0.3], [-1, 0], [0.1, 1]])
    found = failures.near_duplicates(train, test, threshold=0.9)
    assert [(twin.test, twin.train) for twin in found] == [(2, 1), (0, 0)]
    assert found[0].cosine == pytest.approx(1 / math.hypot(0.1, 1))


def test_near_duplicates_at_every_threshold_are_those_of_a_loop():
    random = np.random.default_rng(7)
    train, test = unit(random.normal(size=(9, 3))), unit(random.normal(size=(7, 3)))
    for threshold in (0.5, 0.9, 0.99):
        slow = {i for i, t in enumerate(test) if max(t @ r for r in train) >= threshold}
        found = failures.near_duplicates(train, test, threshold)
        assert {twin.test for twin in found} == slow


def test_near_duplicates_of_nothing_and_of_wrong_shapes():
    assert failures.near_duplicates(np.empty((0, 2)), unit([[1, 0]])) == []
    with pytest.raises(ValueError, match="unlike shape"):
        failures.near_duplicates(unit([[1, 0]]), unit([[1, 0, 0]]))
    with pytest.raises(ValueError, match="test has vectors whose length"):
        failures.near_duplicates(unit([[1, 0]]), np.array([[2.0, 0.0]]))


# -- who comes first, and in which space -----------------------------------------------


def test_first_ranks_are_those_of_a_sort():
    random = np.random.default_rng(7)
    queries, texts = random.normal(size=(6, 4)), random.normal(size=(20, 4))
    relevant = random.random((6, 20)) < 0.2
    relevant[:, 3] = True
    slow = [
        1 + min(np.flatnonzero(r[np.argsort(-(texts @ q))]))
        for q, r in zip(queries, relevant, strict=True)
    ]
    assert failures.first_ranks(queries, texts, relevant).tolist() == slow


def test_first_ranks_refuse_a_query_without_an_answer():
    with pytest.raises(ValueError, match="query 1 has no relevant"):
        failures.first_ranks(np.eye(2), np.eye(2), np.array([[1, 0], [0, 0]]))
    with pytest.raises(ValueError, match="2 queries and 3 texts"):
        failures.first_ranks(np.eye(2), np.ones((3, 2)), np.ones((2, 2)))


def test_first_hits_by_hand():
    assert failures.first_hits(np.eye(3), np.eye(3), [0, 2, 2]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="3 queries, 2 wanted"):
        failures.first_hits(np.eye(3), np.eye(3), [0, 1])


def letters(texts):
    return unit([[len(text), text.count("a") + 0.5, 1.0] for text in texts])


CANARIES = ["a", "banana split", "roof"]


@pytest.mark.parametrize(
    "encode, belongs",
    [
        (letters, True),
        (lambda texts: letters(texts) * 3, True),  # a length is no direction
        (lambda texts: letters(texts) + 1e-6, True),
        (lambda texts: letters(texts)[:, ::-1], False),
        (lambda texts: letters(texts)[:, :2], False),
        (lambda texts: letters([texts[0], texts[0], texts[2]]), False),
    ],
)
def test_same_space(encode, belongs):
    assert failures.same_space(letters(CANARIES), CANARIES, encode) is belongs


def test_same_space_needs_canaries():
    with pytest.raises(ValueError, match="0 canaries"):
        failures.same_space(np.empty((0, 3)), [], letters)
    with pytest.raises(ValueError, match="3 canaries"):
        failures.same_space(letters(["a"]), CANARIES, letters)


# -- calibration -----------------------------------------------------------------------


def test_reliability_puts_an_edge_into_the_lower_bin():
    table = calibration.reliability([0.6, 0.61, 0.0, 1.0], [1, 0, 0, 1])
    assert table["count"].to_dict() == {0.1: 1, 0.6: 1, 0.7: 1, 1.0: 1}


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_the_calibration_error_lies_between_the_total_gap_and_one(answers):
    confidence, right = map(np.array, zip(*answers, strict=True))
    error = calibration.expected_calibration_error(confidence, right)
    assert abs(confidence.mean() - right.mean()) - 1e-9 <= error <= 1 + 1e-9
    one_bin = calibration.expected_calibration_error(confidence, right, bins=1)
    assert one_bin == pytest.approx(abs(confidence.mean() - right.mean()))


def test_an_honest_forecast_has_hardly_any_error():
    confidence = np.random.default_rng(7).random(20_000)
    right = np.random.default_rng(8).random(20_000) < confidence
    assert calibration.expected_calibration_error(confidence, right) < 0.02


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([], []), "confidences"),
        (([0.5], [1, 0]), "confidences"),
        (([1.5], [1]), "between 0 and 1"),
        (([math.nan], [1]), "between 0 and 1"),
        (([0.5], [1], 0), "bins"),
    ],
)
def test_reliability_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        calibration.reliability(*arguments)


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


@given(st.floats(0.1, 10))
def test_scale_is_the_softmax_of_logits_over_the_temperature(temperature):
    logits = np.random.default_rng(7).normal(size=(5, 3))
    scaled = calibration.scale(softmax(logits), temperature)
    assert scaled == pytest.approx(softmax(logits / temperature))
    assert (scaled.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_scale_refuses_a_temperature_of_zero_and_a_vector():
    with pytest.raises(ValueError, match="above 0"):
        calibration.scale(np.eye(2), 0)
    with pytest.raises(ValueError, match="classes"):
        calibration.scale(np.array([0.5, 0.5]), 1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_found_again(temperature):
    random = np.random.default_rng(7)
    logits = random.normal(scale=2, size=(6000, 3))
    drawn = softmax(logits).cumsum(axis=1) > random.random((6000, 1))
    labels = drawn.argmax(axis=1)
    wrong = softmax(logits / temperature)  # so 1 / temperature mends it
    assert calibration.fit_temperature(wrong, labels) == pytest.approx(
        1 / temperature, rel=0.1
    )


def test_fitting_needs_labels():
    with pytest.raises(ValueError, match="0 labels"):
        calibration.fit_temperature(np.eye(2), [])


def test_summary_by_hand():
    found = calibration.summary(np.array([[0.8, 0.2], [0.4, 0.6]]), [0, 0])
    assert found["mean confidence"] == pytest.approx(0.7)
    assert found["calibration error"] == pytest.approx((0.2 + 0.6) / 2)
    assert found["log loss"] == pytest.approx(-(math.log(0.8) + math.log(0.4)) / 2)


def test_abstention_by_hand_and_never_answering():
    found = calibration.abstention([0.9, 0.85, 0.5], [True, False, True], price=5)
    assert found["answered"] == pytest.approx(2 / 3)
    assert found["right of these"] == 0.5
    assert found["cost"] == 5 + 1 and found["cost, always answering"] == 5
    silent = calibration.abstention([0.5], [True], price=10)
    assert silent["cost"] == 1 and math.isnan(silent["right of these"])
    with pytest.raises(ValueError, match="price"):
        calibration.abstention([0.5], [True], price=0.5)


def test_the_rule_of_abstention_is_the_cheapest_if_the_confidence_is_honest():
    confidence = np.random.default_rng(7).random(50_000)
    right = np.random.default_rng(8).random(50_000) < confidence
    price = 4
    ours = calibration.abstention(confidence, right, price)["cost"]
    for threshold in (0.6, 0.9):
        answered = confidence >= threshold
        assert ours < (answered & ~right).sum() * price + (~answered).sum()


# -- interventions ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, spelt",
    [
        ("Nightly build ✅", "Nightly build white heavy check mark"),
        ("₴ 900", "hryvnia sign 900"),
        ("café 5 + 3 = 8", "café 5 + 3 = 8"),
        ("", ""),
    ],
)
def test_spell_out(text, spelt):
    assert interventions.spell_out(text) == spelt


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc")))
def test_without_frame_cuts_only_what_is_shared(left, right):
    a, b = " ".join(left), " ".join(right)
    bare_a, bare_b = interventions.without_frame(a, b)
    assert bare_a in a and bare_b in b
    if (bare_a, bare_b) != (a, b):
        assert bare_a.split()[0] != bare_b.split()[0]
        assert bare_a.split()[-1] != bare_b.split()[-1]


def test_word_effects_are_those_of_each_word_alone():
    def score(texts):
        return np.array([10 * t.count("good") - 5 * t.count("bad") for t in texts])

    effects = interventions.word_effects("a bad good day", score)
    assert effects[0] == ("bad", 5.0) and effects[-1] == ("good", -10.0)
    with pytest.raises(ValueError, match="two words"):
        interventions.word_effects("one", score)


@pytest.mark.parametrize(
    "text, found",
    [
        ("It's not on.", True),
        ("Nobody came", True),
        ("isn’t it", True),
        ("a knot, a note, a cannon", False),
    ],
)
def test_has_negation(text, found):
    assert interventions.has_negation(text) is found


def test_stretch_is_a_projection_at_zero_and_nothing_at_one():
    vectors = unit(np.random.default_rng(7).normal(size=(5, 4)))
    direction = np.array([1.0, 2.0, 0.0, -1.0])
    same = interventions.stretch(vectors, direction, 1)
    assert same == pytest.approx(vectors)
    flat = interventions.stretch(vectors, direction, 0)
    assert flat @ direction == pytest.approx(np.zeros(5))
    longer = interventions.stretch(vectors, 3 * direction, 7)
    assert longer == pytest.approx(interventions.stretch(vectors, direction, 7))
    assert np.linalg.norm(longer, axis=1) == pytest.approx(np.ones(5))


def test_stretched_cosines_by_hand():
    a, b = np.array([[1.0, 1.0]]), np.array([[1.0, -1.0]])
    found = interventions.stretched_cosines(a, b, np.array([0.0, 1.0]), 2)
    assert found == pytest.approx([(1 - 4) / 5])
    with pytest.raises(ValueError, match="a is"):
        interventions.stretched_cosines(a, np.eye(2), np.array([0.0, 1.0]), 2)


@pytest.mark.parametrize(
    "vectors, direction, factor",
    [
        (np.eye(2), [0, 0], 2),
        (np.eye(2), [1, 0, 0], 2),
        (np.eye(2), [1, 0], -1),
        (np.eye(2), [1, 0], 0),  # nothing is left of the first
    ],
)
def test_stretch_refuses(vectors, direction, factor):
    with pytest.raises(ValueError):
        interventions.stretch(vectors, direction, factor)


# -- checklists ------------------------------------------------------------------------


def test_an_invariance_passes_from_its_limit_on():
    cases = [("aa", "aa"), ("aa", "bbbbbbbbb")]
    assert checklist.passes(Capability("i", "invariance", cases), letters).tolist() == [
        True,
        False,
    ]
    low = Capability("i", "invariance", cases, limit=-1)
    assert checklist.passes(low, letters).all()


def test_a_tie_is_no_pass():
    tie = Capability("d", "direction", [("aa", "roof", "roof")])
    assert not checklist.passes(tie, letters).any()


@pytest.mark.parametrize(
    "kind, cases, message",
    [
        ("direction", [], "without cases"),
        ("direction", [("a", "b")], "case 0 has 2 texts"),
        ("invariance", [("a", "b"), ("a", "b", "c")], "case 1 has 3"),
        ("something", [("a", "b")], "choose from"),
    ],
)
def test_a_test_that_would_pass_unseen_is_refused(kind, cases, message):
    with pytest.raises(ValueError, match=message):
        Capability("name", kind, cases)


@pytest.mark.parametrize(
    "encode", [lambda texts: np.zeros((len(texts), 2)), lambda texts: np.ones((1, 2))]
)
def test_an_encoder_that_returns_nothing_useful_is_refused(encode):
    with pytest.raises(ValueError):
        checklist.passes(Capability("d", "direction", [("a", "b", "c")]), encode)


def test_two_capabilities_of_one_name_are_refused():
    twice = [Capability("d", "direction", [("a", "b", "c")])] * 2
    with pytest.raises(ValueError, match="same name"):
        checklist.run(twice, letters)


def test_who_waits_hears_of_every_capability():
    suite = [Capability(name, "direction", [("a", "b", "c")]) for name in "de"]
    heard = []
    checklist.run(suite, letters, lambda *counts: heard.append(counts))
    assert heard == [(1, 2), (2, 2)]


def results(**runs):
    return {name: np.array(cases, dtype=bool) for name, cases in runs.items()}


def test_regressions_are_losses_beyond_chance_case_by_case():
    old = results(broken=[1] * 20, shaky=[1] * 20, better=[0] * 20, traded=[1, 0] * 10)
    new = results(
        broken=[0] * 15 + [1] * 5, shaky=[0] * 3 + [1] * 17, better=[1] * 20,
        traded=[0, 1] * 10,
    )  # fmt: skip
    found = checklist.regressions(old, new)
    assert list(found.index) == ["broken"]
    assert found.loc["broken", ["lost", "gained"]].tolist() == [15, 0]
    assert checklist.regressions(old, new, level=1.0).index[0] == "broken"
    assert checklist.regressions(old, old).empty


def test_regressions_compare_one_suite():
    with pytest.raises(ValueError, match="two suites"):
        checklist.regressions(results(a=[1]), results(b=[1]))
    with pytest.raises(ValueError, match="1 cases before, 2 after"):
        checklist.regressions(results(a=[1]), results(a=[1, 0]))


def test_report_counts():
    table = checklist.report({"v1": results(a=[1, 0, 1]), "v2": results(a=[0, 0, 1])})
    assert table.loc["a"].to_dict() == {"v1": "2 of 3", "v2": "1 of 3"}


@pytest.mark.parametrize(
    "cases", [checklist.number_cases, checklist.role_cases, checklist.negation_cases]
)
def test_cases_from_templates_are_many_and_differ(cases):
    found = cases()
    assert len(found) >= 30  # below that a share says little
    assert len(set(found)) == len(found)
    assert all(near != far for _, near, far in found)


# -- their figures ---------------------------------------------------------------------


def test_the_reliability_figure_has_a_dot_per_bin():
    table = calibration.reliability([0.55, 0.95, 0.96], [1, 1, 0])
    _, ax = plots.reliability(table, "title")
    assert len(ax.collections[0].get_offsets()) == len(table) == 2
    plt.close("all")


def test_a_line_at_infinity_stays_in_the_histograms():
    _, ax = plots.histograms({"a": [0.1, 0.2], "b": [0.8]}, math.inf, "t", "x")
    assert ax.lines[0].get_xdata()[0] < 1
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    plt.close("all")


def test_strips_put_every_value_into_its_row():
    _, ax = plots.strips(
        [0.1, 0.2, 0.3], ["x", "y", "x"], ["g", "g", "h"], ["y", "x"], "t", "x"
    )
    points = {tuple(p) for c in ax.collections for p in c.get_offsets().data.tolist()}
    assert points == {(0.1, 1.0), (0.2, 0.0), (0.3, 1.0)}
    plt.close("all")


def test_a_slice_table_is_a_table():
    assert isinstance(failures.slice_table([True], {"a": [True]}), pd.DataFrame)


def test_a_slice_is_tested_against_the_rest():
    right = np.array([True] * 8 + [False] * 2 + [True] * 9 + [False])
    table = failures.slice_table(right, {"first": np.arange(20) < 10}, rest=True)
    expected = fisher_exact([[8, 2], [9, 1]]).pvalue
    assert table.loc["first", "p"] == f"{expected:.3f}"
    assert table.loc["first", "others"] == "0.90"


def test_a_slice_of_everything_has_no_rest():
    with pytest.raises(ValueError, match="nothing to compare"):
        failures.slice_table([True, False], {"all": [True, True]}, rest=True)


def test_a_suite_needs_pairs_and_fillers():
    pairs = load_natural_pairs()[:3]
    for few, fillers in ((pairs[:1], ["x"]), (pairs, ["x", "y"])):
        with pytest.raises(ValueError, match="a filler for each"):
            checklist.everyday(few, fillers)


def test_a_suite_hides_the_fact_behind_its_filler():
    pairs = load_natural_pairs()[:2]
    suite = checklist.everyday(pairs, ["It rained.", "He sang."])
    hidden = next(c for c in suite if "at the end" in c.name).cases[1]
    assert hidden == (pairs[1].a, f"He sang. {pairs[1].b}", "He sang.")
