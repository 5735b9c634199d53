"""Times come from the file that the benchmarks write, and from nowhere else."""

import json

import pytest

from course_utils.classroom import recorded as module
from course_utils.classroom.recorded import recorded

SECTION = {"rows": [
    {"name": "fast", "against": "few", "figure": 1.5},
    {"name": "slow", "against": "few", "figure": 9.0},
    {"name": "fast", "against": "many", "figure": 4.0},
]}  # fmt: skip


@pytest.fixture
def written(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"topic": SECTION}), encoding="utf-8")
    monkeypatch.setattr(module, "FILE", path)
    return path


def test_medians_come_by_name_and_by_what_they_were_compared_with(written):
    assert recorded("topic", "few") == {"fast": 1.5, "slow": 9.0}
    assert recorded("topic", "many") == {"fast": 4.0}


def test_where_the_package_is_installed_its_own_copy_is_read(written, monkeypatch):
    monkeypatch.setattr(module, "PACKED", written)
    monkeypatch.setattr(module, "FILE", written.with_name("absent.json"))
    assert recorded("topic", "many") == {"fast": 4.0}


def test_a_section_or_row_that_was_never_measured_is_named(written):
    with pytest.raises(KeyError, match="no benchmark is called 'other'"):
        recorded("other")
    with pytest.raises(KeyError, match="no row against 'none'"):
        recorded("topic", "none")
