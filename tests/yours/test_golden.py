"""A golden set by hand: what is written comes back, what follows is what was said."""

import numpy as np
import pytest

from course_utils.corpora import CorpusError
from course_utils.search import Hit, bootstrap_interval
from course_utils.yours import (
    GoldenSet,
    comparisons,
    evaluations,
    from_csv,
    pooled,
    to_csv,
    unjudged,
)
from course_utils.yours.finding import Match
from course_utils.yours.reading import Place

TABLE = """\
question,kind,document,grade
which disk is full?,fact,disk.md,3
which disk is full?,fact,lock.md,0
"who, then, unlocks?",,lock.md,2
not judged yet,,,
"""


def test_what_is_read_is_what_was_judged():
    golden = from_csv(TABLE)
    assert [(q.id, q.kind, q.text) for q in golden.questions] == [
        ("1", "fact", "which disk is full?"),
        ("2", "question", "who, then, unlocks?"),
        ("3", "question", "not judged yet"),
    ]
    assert golden.grades == {"1": {"disk.md": 3, "lock.md": 0}, "2": {"lock.md": 2}}
    assert [question.id for question in golden.judged] == ["1", "2"]


def test_it_comes_back_the_same_even_if_it_looks_like_a_formula():
    golden = (
        from_csv(TABLE).ask('=HYPERLINK("http://x")\n"?').ask("'quoted'").ask("-5?")
    )
    golden = golden.judge("4", "+a.md", 1).judge("-5?", "'b.md", 3)
    text = to_csv(golden)
    assert from_csv(text) == golden == from_csv("\ufeff" + text.replace("\n", "\r\n"))
    cells = [cell for row in text.splitlines() for cell in row.split(",")]
    assert not any(cell.strip('"').startswith(("=", "+", "-", "@")) for cell in cells)


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "no column document, grade, question"),
        ("question,grade\nx,1\n", "no column document; write question,kind"),
        ("question,document,grade\nx,a.md,4\n", "line 2: the grade is '4'"),
        ("question,document,grade\nx,a.md,\n", "line 2: the grade is ''"),
        ("question,document,grade\n ,a.md,1\n", "line 2: there is no question"),
        ('question,document,grade\n"x,a.md,1\n', "line 2"),
    ],
)
def test_a_table_that_is_none_says_where(text, said):
    with pytest.raises(CorpusError, match=said):
        from_csv(text)


def test_a_later_judgement_takes_the_place_of_an_earlier():
    golden = GoldenSet().ask("a  question").judge("a question", "x", 1)
    assert golden.ask("a question") is golden
    assert golden.judge("1", "x", 3).grades == {"1": {"x": 3}}
    assert golden.grades == {"1": {"x": 1}}
    for wrong in (4, -1, True, 1.5):
        with pytest.raises(ValueError, match="the grade is one of"):
            golden.judge("1", "x", wrong)
    with pytest.raises(ValueError, match="ask it first"):
        golden.judge("other", "x", 1)
    with pytest.raises(ValueError, match="is empty"):
        golden.ask(" ")


SEARCHES = {
    "one": lambda question: ["a", "b", "c"],
    "two": lambda question: ["b", "d", "e"],
}


def test_the_pool_has_each_result_once_and_hides_the_ranks():
    found = pooled(SEARCHES, "q", depth=2)
    assert sorted(found) == ["a", "b", "d"]
    orders = {tuple(pooled(SEARCHES, f"question {i}", depth=2)) for i in range(30)}
    assert len(orders) == 6  # every order of three occurs
    assert pooled(SEARCHES, "q", 2) == found


def test_hits_and_matches_are_results_too():
    hit = Hit("a", 0, 0, 1, 0.5, "text")
    match = Match(hit, *[Place("a", "line", 1)] * 3, 0)
    searches = {"hits": lambda q: [hit], "matches": lambda q: [match, "b"]}
    assert set(map(id, pooled(searches, "q"))) >= {id(hit)}
    golden = GoldenSet().ask("q").judge("q", "a", 3)
    assert unjudged(golden, searches) == {"hits": 0.0, "matches": 0.5}
    assert evaluations(golden, searches)["matches"].mean("MRR") == 1


@pytest.fixture
def golden():
    """Forty questions; each is answered by the document of its number."""
    made = GoldenSet()
    for number in range(40):
        made = made.ask(f"question {number}").judge(
            f"question {number}", f"d{number}", 3
        )
    return made


def finds(every):
    """A search that has the answer first for every so-manieth question, else second."""

    def search(question):
        number = int(question.split()[1])
        names = [f"d{number}", "other"]
        return names if number % every == 0 else names[::-1]

    return search


def test_comparisons_are_paired_and_say_what_is_shown(golden):
    found = evaluations(golden, {"now": finds(4), "new": finds(1), "same": finds(4)})
    now, new, same = comparisons(found, "now", "MRR")
    assert (now.gain, now.low, now.high, now.more) == (0, 0, 0, None)
    gains = np.where(np.arange(40) % 4 == 0, 0.0, 0.5)
    assert new.gain == pytest.approx(0.375) == pytest.approx(gains.mean())
    assert (new.low, new.high) == pytest.approx(bootstrap_interval(gains))
    assert new.always[0] < new.low < new.high < new.always[1]
    assert new.always[0] > 0 and "shown to be better with these 40" in str(new)
    assert new.more > 0 and f"about {new.more} more to see 0.05" in str(new)
    assert "no difference is shown" in str(same)


def test_one_look_is_not_every_look(golden):
    """A difference that one look shows and that is not shown at every look."""
    better = {3, 9, 14, 21, 27, 33, 38}
    searches = {
        "now": finds(41),
        "new": lambda q: finds(1)(q) if int(q.split()[1]) in better else finds(41)(q),
    }
    _, new = comparisons(evaluations(golden, searches), "now", "MRR")
    assert new.low > 0 > new.always[0]
    assert "if you decided beforehand to look once" in str(new)


def test_few_questions_are_called_few(golden):
    few = GoldenSet(golden.questions[:3], golden.grades)
    found = evaluations(few, {"now": finds(2), "new": finds(1)})
    assert "3 questions are few" in str(comparisons(found, "now")[1])
    one = GoldenSet(golden.questions[:1], golden.grades)
    [alone] = comparisons(evaluations(one, {"now": finds(1)}), "now")
    assert alone.more is None


def test_what_makes_no_sense_is_refused(golden):
    with pytest.raises(ValueError, match="no question is judged"):
        evaluations(GoldenSet().ask("x"), SEARCHES)
    found = evaluations(golden, {"now": finds(1)})
    with pytest.raises(ValueError, match="no search is called 'old'"):
        comparisons(found, "old")
    with pytest.raises(ValueError, match="no metric"):
        comparisons(found, "now", "magic")
