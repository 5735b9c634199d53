"""Statements on trial: what was stated, what was measured, the verdict that follows."""

import csv
from collections import Counter

import numpy as np
import pytest

from course_utils.classroom import claim, trial, verdict
from course_utils.classroom.claims import (
    NOT_RUN,
    VERDICTS,
    Claim,
    Statement,
    Trial,
    registry,
)
from course_utils.corpora import data_file
from tests.classroom.test_show import (
    Reader,
    assert_inert,
    assert_printable,
    hostile,
    visible,
)

SKY = Statement("C900", "a poem", "colours", "The sky is blue", "450 nm", "partly")


@pytest.fixture
def known():
    """The id of some statement of the course that can be run."""
    return next(s.id for s in registry().values() if s.verdict != NOT_RUN)


# -- the registry ----------------------------------------------------------------------


def test_no_id_is_used_twice():
    with data_file("claims.csv").open(encoding="utf-8", newline="") as stream:
        counts = Counter(row["id"] for row in csv.DictReader(stream))
    assert len(counts) == counts.total() == len(registry())


@pytest.mark.parametrize("statement", registry().values(), ids=lambda s: s.id)
def test_a_statement_is_complete_and_has_a_known_verdict(statement):
    told = {k: v for k, v in vars(statement).items() if k not in ("reason", "notebook")}
    assert all(told.values())
    assert statement.verdict in (*VERDICTS, NOT_RUN)
    assert "http" not in statement.source and ".txt" not in statement.source


@pytest.mark.parametrize("statement", registry().values(), ids=lambda s: s.id)
def test_a_reason_stands_where_a_statement_is_not_run_and_only_there(statement):
    assert bool(statement.reason) == (statement.verdict == NOT_RUN)


def test_ids_are_in_order():
    assert list(registry()) == sorted(registry())


# -- one claim -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "holds, verdict",
    [
        (True, "confirmed"),
        (False, "refuted"),
        ("partly", "partly"),
        ("confirmed", "confirmed"),
        ("refuted", "refuted"),
        (np.True_, "confirmed"),
        (np.float64(0.3) > 0.5, "refuted"),
    ],
)
def test_the_verdict_follows_from_the_test(known, holds, verdict):
    assert claim(known, 1, holds).verdict == verdict


def test_a_verdict_is_a_plain_word():
    assert verdict(True) == verdict(True, in_part=False) == "confirmed"
    assert verdict(False, in_part=True) == "partly"
    assert verdict(False) == verdict(np.False_) == "refuted"


def test_what_cannot_be_run_is_not_put_on_trial():
    rest = next(s for s in registry().values() if s.verdict == NOT_RUN)
    with pytest.raises(ValueError, match=rf"{rest.id} is listed as not run \("):
        claim(rest.id, 1, True)


@pytest.mark.parametrize("holds", [1, 0, None, "yes", "not run", [], 0.5])
def test_a_test_that_is_no_truth_value_is_refused(known, holds):
    with pytest.raises(ValueError, match="holds must be True, False or a verdict"):
        claim(known, 1, holds)


def test_several_truth_values_are_no_truth_value(known):
    with pytest.raises(ValueError, match="holds must be True, False or a verdict"):
        claim(known, 1, np.array([True, False]))


def test_an_unknown_statement_is_named():
    with pytest.raises(KeyError, match=r"'C000': see data/claims\.csv"):
        claim("C000", 1, True)


@pytest.mark.parametrize(
    "measured, shown",
    [(0.53449, "0.534"), (30522, "30522"), ("3 of 4", "3 of 4"), (2.0, "2.000")],
)
def test_a_measured_number_is_shown_with_three_digits(known, measured, shown):
    assert claim(known, measured, True).measured == shown


def test_a_number_of_a_library_is_shown_with_three_digits_too(known):
    assert claim(known, np.float32(1 / 3), True).measured == "0.333"


def test_the_trial_has_three_lines():
    assert repr(Claim(SKY, "480 nm", "partly")).splitlines() == [
        "Claim C900 · The sky is blue (a poem)",
        "  stated: 450 nm · measured: 480 nm",
        "  ≈ partly",
    ]


# -- several claims --------------------------------------------------------------------


def test_a_trial_counts_its_verdicts():
    shown = trial(
        Claim(SKY, "1", "confirmed"),
        Claim(SKY, "2", "refuted"),
        Claim(SKY, "3", "confirmed"),
    )
    last = "3 on trial: 2 confirmed, 0 partly, 1 refuted"
    assert repr(shown).splitlines()[-1] == last
    assert last in shown._repr_html_()


def test_a_trial_shows_every_claim_in_the_order_given():
    first, second = Claim(SKY, "1", "confirmed"), Claim(SKY, "2", "refuted")
    assert repr(trial(second, first)).startswith(f"{second!r}\n{first!r}\n")


def test_the_table_has_one_row_per_claim():
    rows = Reader(trial(*[Claim(SKY, "1", "refuted")] * 3)._repr_html_()).tags
    assert rows.count("tr") == 1 + 3


def test_a_single_claim_is_shown_without_a_count():
    assert "on trial" not in Claim(SKY, "1", "refuted")._repr_html_()


def test_an_empty_trial_is_no_accident():
    assert repr(Trial([])) == "0 on trial: 0 confirmed, 0 partly, 0 refuted"


@hostile
def test_a_hostile_measurement_is_inert(known, text):
    shown = trial(claim(known, text, True))
    assert_inert(shown._repr_html_(), text)
    assert_printable(repr(shown))
    assert visible(text) in repr(shown)


@hostile
def test_a_hostile_statement_is_inert(text):
    shown = Claim(Statement(text, text, text, text, text, "partly"), "1", "partly")
    assert_inert(shown._repr_html_(), text)
    assert_printable(repr(shown))
