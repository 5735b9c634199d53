"""The audit counts what is there: checked against texts that were made for it."""

import pytest

from course_utils.assets import vocabularies
from course_utils.yours import audit
from course_utils.yours.audit import doubles, scripts, summary

WORDS = vocabularies()["wordpiece"]
BASE = (
    "The certificate of the gateway is renewed every ninety days by the robot, "
    "and the pager is silent while the robot works on it at night."
)


def test_terms_are_ordered_by_what_they_cost_in_all():
    pages = {"a": "kubelet kubelet OOMKilled the pods", "b": "kubelet FB-2107 the"}
    found = audit(pages, WORDS)
    table = found.terms.set_index("term")
    assert table.loc["kubelet", "count"] == 3
    assert table.loc["oomkilled", "pieces"] == "o·om·kill·ed"
    assert "the" not in table.index  # one piece: nothing to mend
    cost = (found.terms["tokens"] - 1) * found.terms["count"]
    assert cost.is_monotonic_decreasing and "fb-2107" in table.index


def test_lengths_say_what_a_limit_would_cut():
    pages = {"short": "one two", "long": "word " * 30, "edge": "word " * 10}
    found = audit(pages, WORDS, limit=10)
    rows = found.lengths.set_index("document")
    assert rows["tokens"].to_dict() == {"long": 30, "edge": 10, "short": 2}
    assert rows["lost"].to_dict() == {"long": 20, "edge": 0, "short": 0}
    assert found.cut == 1 and found.lost == pytest.approx(20 / 42)
    assert list(found.lengths["document"])[0] == "long"


def test_doubles_are_the_same_letters_or_nearly_and_say_where_they_differ():
    pages = {
        "new": BASE.replace("ninety", "thirty"),
        "old": BASE,
        "copy": f"  {BASE.upper()}\n",
        "other": "Something else is told in this page, by another hand, at length.",
        "blank": " ",
    }
    found = doubles(pages)
    assert [(p.one, p.other, p.shared == 1) for p in found] == [
        ("old", "copy", True),
        ("new", "copy", False),
        ("new", "old", False),
    ]
    assert found[0].differs == () and set(found[2].differs) == {"ninety", "thirty"}
    assert 0.7 <= found[1].shared < 1
    assert doubles({"a": BASE}) == [] == doubles(pages, 0.99)[1:]
    with pytest.raises(ValueError, match="between 0 and 1"):
        doubles(pages, 1.0)


def test_scripts_are_counted_by_letters_and_what_is_unknown_by_tokens():
    assert scripts(["ab 12!", "где磁盘"]) == {
        "CYRILLIC": 3 / 7,
        "LATIN": 2 / 7,
        "CJK": 2 / 7,
    }
    assert scripts(["12 ☃"]) == {}
    found = audit({"a": "disk ☃ ☃", "b": "disk"}, WORDS)
    assert found.unknown == pytest.approx(2 / 4)


def test_the_summary_says_all_of_it():
    rows = summary(audit({"a": BASE, "b": BASE, "c": "kubelet"}, WORDS, limit=10))
    assert "kubelet (ku·bel·et, 1 times)" in rows[0]
    assert "2 have more than 10" in rows[1]
    assert rows[2] == "1 pairs say the same, 0 nearly."
    assert rows[3].startswith("Letters: latin 100%; unknown tokens: 0.0%")


def test_nothing_to_look_at_is_refused():
    with pytest.raises(ValueError, match="no documents"):
        audit({}, WORDS)
    with pytest.raises(ValueError, match="limit"):
        audit({"a": "x"}, WORDS, limit=0)
