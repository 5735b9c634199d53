"""Metrics equal to scikit-learn's and to sums by hand, with honest intervals."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from course_utils.search.evaluation import (
    bootstrap_interval,
    by_kind,
    compare,
    evaluate,
    overview,
)


@dataclass
class Query:
    id: str
    text: str
    kind: str = "plain"


def one(ranking, grades, k=5):
    """The metrics of a single query."""
    found = evaluate(lambda _: ranking, [Query("q", "?")], {"q": grades}, k)
    return found.per_query.loc["q"]


def test_metrics_by_hand():
    row = one(["x", "b", "a"], {"a": 3, "b": 2, "c": 1}, k=2)
    assert row["recall@2"] == 1 / 2  # b of a and b; c only "is related"
    assert row["MRR"] == 1 / 2
    gained = 2 / math.log2(3) + 3 / math.log2(4)
    ideal = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert row["nDCG@10"] == pytest.approx(gained / ideal)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=20), st.randoms())
def test_ndcg_is_that_of_scikit_learn(grades, random):
    if max(grades) < 2:
        grades[0] = 3
    names = [f"d{i}" for i in range(len(grades))]
    order = list(range(len(grades)))
    random.shuffle(order)
    scores = [0.0] * len(grades)
    for rank, place in enumerate(order):
        scores[place] = -rank
    found = one([names[i] for i in order], dict(zip(names, grades, strict=True)))
    assert found["nDCG@10"] == pytest.approx(ndcg_score([grades], [scores], k=10))


def test_a_query_that_finds_nothing_counts_as_zero():
    row = one([], {"a": 3})
    assert (row["recall@5"], row["MRR"], row["nDCG@10"]) == (0, 0, 0)


def test_a_document_that_comes_twice_counts_where_it_comes_first():
    twice, once = one(["x", "a", "x", "a"], {"a": 3}), one(["x", "a"], {"a": 3})
    assert twice.equals(once)


def test_hits_are_taken_by_their_document():
    @dataclass
    class Hit:
        document: str

    assert one([Hit("x"), Hit("a")], {"a": 3})["MRR"] == 1 / 2


def test_unanswerable_queries_are_counted_and_enter_no_mean():
    queries = [Query("q1", "known"), Query("q2", "unknown"), Query("q3", "silent")]

    def search(text):
        return [] if text == "silent" else ["a"]

    found = evaluate(search, queries, {"q1": {"a": 3}, "q3": {"a": 1}})
    assert list(found.per_query.index) == ["q1"]
    assert (found.answered, found.unanswerable) == (1, 2)


def test_the_table_has_a_row_per_kind_and_one_for_all():
    queries = [Query("q1", "1", "typo"), Query("q2", "2", "typo"), Query("q3", "3")]
    judged = {query.id: {"a": 3} for query in queries}
    found = evaluate(lambda text: ["b", "a"] if text == "1" else ["a"], queries, judged)
    table = found.table()
    assert list(table.index) == ["typo", "plain", "all"]
    assert list(table["queries"]) == [2, 1, 3]
    assert table.loc["typo", "MRR"] == "0.75 [0.50, 1.00]"
    assert found.mean("MRR", "plain") == 1


def test_searches_side_by_side():
    queries = [Query("q1", "1", "typo"), Query("q2", "2", "code")]
    judged = {query.id: {"a": 3} for query in queries}
    good = evaluate(lambda _: ["a"], queries, judged)
    bad = evaluate(lambda text: ["b", "a"] if text == "1" else [], queries, judged)
    table = overview({"good": good, "bad": bad})
    assert table["MRR"].to_dict() == {
        "good": "1.00 [1.00, 1.00]",
        "bad": "0.25 [0.00, 0.50]",
    }
    kinds = by_kind({"good": good, "bad": bad}, "MRR")
    assert kinds.loc["typo"].to_dict() == {"good": 1, "bad": 0.5}
    assert kinds.loc["code"].to_dict() == {"good": 1, "bad": 0}


@pytest.mark.parametrize(
    "queries, judged, k, reason",
    [
        ([], {}, 5, "none of the 0 queries"),
        ([Query("q", "?")], {"other": {"a": 3}}, 5, "do the ids"),
        ([Query("q", "?")], {"q": {"a": 1}}, 5, "grade 2"),
        ([Query("q", "?")], {"q": {"a": 3}}, 0, "at least 1"),
    ],
)
def test_a_golden_set_that_judges_nothing_is_refused(queries, judged, k, reason):
    with pytest.raises(ValueError, match=reason):
        evaluate(lambda _: ["a"], queries, judged, k)


def test_a_paired_comparison_sees_what_two_intervals_hide():
    easy = {f"q{i}": 0.9 if i % 2 else 0.1 for i in range(40)}  # hard and easy queries
    queries = [Query(name, name) for name in easy]
    judged = {name: {"a": 3} for name in easy}

    def ranking(first):
        return [f"x{i}" for i in range(first - 1)] + ["a"]

    before = evaluate(lambda q: ranking(2 if easy[q] > 0.5 else 9), queries, judged)
    after = evaluate(lambda q: ranking(1 if easy[q] > 0.5 else 8), queries, judged)
    gain = compare(after, before, "MRR")
    assert gain.low > 0 and gain.proven and "chance" not in str(gain)
    assert str(compare(before, before)) == "+0.00 [+0.00, +0.00], which may be chance"


def test_only_the_same_queries_can_be_compared():
    judged = {"q1": {"a": 3}, "q2": {"a": 3}}
    one_, other = (
        evaluate(lambda _: ["a"], [Query(q, "?")], judged) for q in ("q1", "q2")
    )
    with pytest.raises(ValueError, match="same queries"):
        compare(one_, other)


def test_the_interval_holds_the_mean_and_shrinks_with_more_queries():
    rng = np.random.default_rng(0)
    few, many = rng.random(20), rng.random(2000)
    for values in (few, many):
        low, high = bootstrap_interval(values)
        assert low < values.mean() < high
    assert np.diff(bootstrap_interval(many)) < np.diff(bootstrap_interval(few)) / 5
    with pytest.raises(ValueError, match="no values"):
        bootstrap_interval([])


# -- ids and names ---------------------------------------------------------------------


def test_two_queries_with_one_id_are_refused():
    queries = [Query("q", "first"), Query("q", "second")]
    with pytest.raises(ValueError, match="come more than once, such as 'q'"):
        evaluate(lambda _: ["a"], queries, {"q": {"a": 3}})
    with pytest.raises(ValueError, match="more than once"):
        evaluate(lambda _: ["a"], [Query(7, "1"), Query("7", "2")], {"7": {"a": 3}})


def test_numbers_of_any_library_are_ids_and_grades():
    queries = [Query(7, "?"), Query(np.int64(8), "?")]
    judged = {7: {1: np.int64(3), 2: 1.0}, np.int64(8): {np.int32(2): np.float32(2)}}
    found = evaluate(lambda _: [2, np.int64(1)], queries, judged, np.int64(5))
    assert list(found.per_query["MRR"]) == [1 / 2, 1]
    assert list(found.per_query.index) == [7, 8]
    assert "recall@5" in found.metrics


@pytest.mark.parametrize("grade", [2.5, float("nan"), "high", None])
def test_a_grade_that_is_no_number_is_named(grade):
    with pytest.raises(ValueError, match="the grade of 'a' for 'q'.*whole number"):
        evaluate(lambda _: ["a"], [Query("q", "?")], {"q": {"a": grade}})


def test_unknown_metrics_and_kinds_are_refused_with_the_known():
    found = evaluate(lambda _: ["a"], [Query("q", "?", "typo")], {"q": {"a": 3}})
    with pytest.raises(ValueError, match="'typpo': choose one of .'typo'"):
        found.mean("MRR", "typpo")
    for ask in (lambda: found.mean("MMR"), lambda: compare(found, found, "MMR")):
        with pytest.raises(ValueError, match="'MMR'.*'MRR'"):
            ask()
    with pytest.raises(ValueError, match="'MMR'.*'MRR'"):
        by_kind({"one": found}, "MMR")
    with pytest.raises(ValueError, match="typpo"):
        compare(found, found, "MRR", "typpo")


def test_a_search_that_gives_one_string_is_no_ranking():
    with pytest.raises(TypeError, match=r"\[id\]"):
        evaluate(lambda _: "a", [Query("q", "?")], {"q": {"a": 3}})
