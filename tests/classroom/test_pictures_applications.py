"""Pictures of notebook 10: alt text and fact say what the data say."""

import numpy as np
import pandas as pd
import pytest

from course_utils.classroom import plots
from course_utils.classroom.pictures import applications as pictures


@pytest.fixture
def shown(monkeypatch):
    """What ``plots.show`` was given, in place of the page."""
    kept = []
    monkeypatch.setattr(
        plots,
        "show",
        lambda fig, alt, fact: kept.append((plots.picture(fig, alt).alt, fact)),
    )
    return kept


def test_groups_and_intents_state_how_pure_they_are(shown):
    counts = pd.DataFrame([[9, 1], [2, 2]], columns=["lost_parcel", "refund"])
    pictures.crossed(counts, ["parcel", "money"])
    [(alt, fact)] = shown
    assert fact == "share of the main intent: 50% to 90%" and fact in alt


def test_a_neighbourhood_says_what_stays_near():
    flat = np.array([[0.0, 0], [1, 0], [2, 1]])
    picture = pictures.neighbourhood(
        flat, ["a", "b", "a"], 1, np.array([[1], [0], [1]]), np.array([0, 0.4, 1])
    )
    assert "ticket 1: 40% of its neighbours stay near" in picture.alt


def test_the_alarm_counts_both_sides_of_its_line(shown):
    pictures.alarm([0.1, 0.2, 0.3, 0.6], [0.4, 0.7, 0.8, 0.9], 0.5)
    [(alt, fact)] = shown
    assert fact == "line 0.50: false alarms 0.25, caught 0.75 of 4" and fact in alt


def test_a_stream_counts_who_notices_in_each_window(shown):
    pictures.stream([0, 0.4], [[0.5, 0.01], [0.04, 0.02], [0.9, 0.06]])
    [(alt, fact)] = shown
    assert fact.endswith("0% logins: 1 of 3; 40% logins: 2 of 3")
    assert "3 streams" in alt and "40% logins: 2 of 3" in alt


def test_few_labels_state_both_ends(shown):
    pictures.few((1, 16), {"examples": [0.5, 0.8], "nearest": [0.4, 0.7]}, 0.66)
    [(alt, fact)] = shown
    assert fact.startswith("description alone 0.66; examples 0.50 to 0.80")
    assert "nearest 0.40 to 0.70" in alt


def test_found_pictures_are_told_by_their_digits(shown):
    pixels, digits = np.zeros((3, 64)), np.array([9, 4, 9])
    pictures.pictures_by_text(pixels, digits, ["a nine", "a four"], [[0, 2], [1, 0]])
    [(alt, fact)] = shown
    assert fact == "a nine: 9 9\na four: 4 9"
    assert alt.startswith("2 rows")
