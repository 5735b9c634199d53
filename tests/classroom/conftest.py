"""What the tests of the pictures share."""

import pytest

from course_utils.classroom import plots


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
