"""The authored data: typed rows, malformed files refused, and the promises on quality.

The first half tests the loaders on small files made here, the second half the data.
"""

import csv
import dataclasses
import re
import sys
from collections import Counter, defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import assets, corpora
from course_utils.corpora import (
    NEWS_LABELS,
    Article,
    CorpusError,
    Sense,
    SentencePair,
    Ticket,
    reading,
)

steady = settings(derandomize=True, deadline=None, max_examples=50)


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path."""

    def write(content, name="made.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder of our own in the place of the course's."""
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(reading, "_PACKAGE", tmp_path / "course_utils")
    return tmp_path / "data"


# -- reading typed rows ----------------------------------------------------------------

HEADER = "id,intent,duplicate_of,text\n"


def test_a_file_becomes_typed_rows(write):
    path = write(
        HEADER + 't1,refund,,"Two lines,\nand a ""quote"""\nt2,refund,t1,Again\n'
    )
    assert corpora.read_rows(path, Ticket) == [
        Ticket("t1", "refund", None, 'Two lines,\nand a "quote"'),
        Ticket("t2", "refund", "t1", "Again"),
    ]


def test_the_order_of_the_columns_does_not_matter(write):
    path = write("text,id,duplicate_of,intent\nHello,t1,,refund\n")
    assert corpora.read_rows(path, Ticket) == [Ticket("t1", "refund", None, "Hello")]


def test_a_row_cannot_be_changed(write):
    [row] = corpora.read_rows(write(HEADER + "t1,refund,,Hello\n"), Ticket)
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.text = "other"


def test_numbers_become_numbers_and_choices_keep_their_type(write, data):
    path = write("id,domain,kind,a,b,grade\np1,ops,plain,A,B,4.5\n")
    assert corpora.read_rows(path, SentencePair)[0].grade == 4.5
    (data / "ops").mkdir()
    (data / "ops" / "relevance.csv").write_text("query_id,runbook,grade\nq1,page,3\n")
    assert corpora.load_relevance() == {"q1": {"page": 3}}


ARTICLE = "id,label,border,style,title,description\n"
PAIR = "id,domain,kind,a,b,grade\n"


@pytest.mark.parametrize(
    "kind, content, line, reason",
    [
        (Ticket, "id,intent,text\nt1,refund,Hi\n", 1, "duplicate_of"),
        (Ticket, "id,intent,duplicate_of,text,mood\n", 1, "mood"),
        (Ticket, "", 1, "expected"),
        (Ticket, HEADER + "t1,refund,,Hi,extra\n", 2, "more values than columns"),
        (Ticket, HEADER + "t1,refund,,Hi\nt2,refund\n", 3, "'duplicate_of' is missing"),
        (Ticket, HEADER + "t1,refund,,Hi\nt2,refund,,\n", 3, "text is empty"),
        (Ticket, HEADER + "t1,refund,,Hi\n  ,refund,,Hi\n", 3, "id is empty"),
        (Ticket, HEADER + "t1,refund,,Hi\nt1,refund,,Ho\n", 3, "was used in line 2"),
        (Ticket, HEADER + 't1,refund,,"a\nb"\nt1,refund,,Ho\n', 4, "'t1'"),
        (Ticket, HEADER + 't1,refund,,Hi\nt2,refund,,"Hi" there\n', 3, "expected"),
        (Ticket, HEADER + 't1,refund,,"never closed\n', 2, "unexpected end"),
        (Article, ARTICLE + "n1,Sport,,wire,T,D\n", 2, "label is 'Sport', not one of"),
        (Article, ARTICLE + "n1,,,wire,T,D\n", 2, "label is ''"),
        (Article, ARTICLE + "n1,World,Politics,wire,T,D\n", 2, "border is 'Politics'"),
        (SentencePair, PAIR + "p1,ops,plain,A,B,high\n", 2, "'high', not a number"),
        (SentencePair, PAIR + "p1,ops,plain,A,B,\n", 2, "grade is '', not a number"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(write, kind, content, line, reason):
    with pytest.raises(CorpusError) as caught:
        corpora.read_rows(write(content), kind)
    assert f"made.csv line {line}: " in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("grade", ["nan", "inf", "-inf"])
def test_a_grade_that_is_no_finite_number_is_refused(write, grade):
    path = write(PAIR + f"p1,ops,plain,A,B,{grade}\n")
    with pytest.raises(CorpusError, match=r"made\.csv line 2: grade .*not a number"):
        corpora.read_rows(path, SentencePair)


def test_a_file_with_a_header_only_is_refused(write):
    with pytest.raises(CorpusError, match=r"made\.csv: there are no rows"):
        corpora.read_rows(write(HEADER), Ticket)


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(write):
    path = write(HEADER.encode() + b"t1,refund,,caf\xc3\xa9\nt2,refund,,caf\xe9\n")
    with pytest.raises(CorpusError, match=r"made\.csv line 3: .*not UTF-8"):
        corpora.read_rows(path, Ticket)


def test_rows_without_a_key_may_repeat(write):
    row = "bank,river,query,We sat on the bank.\n"
    path = write("word,sense,split,sentence\n" + row + row)
    assert len(corpora.read_rows(path, Sense, key=None)) == 2


@steady
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\0")).filter(
            str.strip
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_in_a_cell_comes_back(tmp_path_factory, texts):
    path = tmp_path_factory.getbasetemp() / "any_text.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER.strip().split(","))
        writer.writerows([f"t{i}", "refund", "", text] for i, text in enumerate(texts))
    assert [row.text for row in corpora.read_rows(path, Ticket)] == texts


# -- where the data lie ----------------------------------------------------------------


def test_a_file_is_found_in_the_repository(data):
    (data / "x.csv").write_text("a")
    assert corpora.data_file("x.csv") == data / "x.csv"


def test_a_file_of_the_installed_package_comes_first(data):
    inside = data.parent / "course_utils" / "_data"
    inside.mkdir(parents=True)
    for folder in (data, inside):
        (folder / "x.csv").write_text("a")
    assert corpora.data_file("x.csv") == inside / "x.csv"


def test_a_file_that_does_not_exist_is_named():
    with pytest.raises(FileNotFoundError, match="data/none.csv is not part of"):
        corpora.data_file("none.csv")


# -- the real AG News ------------------------------------------------------------------

AG_NEWS = (
    '"3","Wall St. Bears Claw Back (Reuters)","Reuters - Short-sellers, Wall Street\'s '
    'dwindling\\band of ultra-cynics, are seeing green again."\n'
    '"4","Oil & ""tech"" news",'
    '"Prices rose #36;5 &lt;b&gt;today&lt;/b&gt;, it#39;s said."\n'
    '"1","A title","Two\nlines."\n'
    '"2","Cup final","Extra time."\n'
)


@pytest.mark.parametrize(
    "header", ["", "Class Index,Title,Description\n", '"class","title","description"\n']
)
def test_the_layout_of_ag_news_is_read_with_and_without_a_header(write, header):
    rows = corpora.load_news(path=write(header + AG_NEWS))
    assert [row.label for row in rows] == ["Business", "Sci/Tech", "World", "Sports"]
    assert [row.id for row in rows] == ["ag1", "ag2", "ag3", "ag4"]
    assert {row.border for row in rows} == {None}


def test_commas_quotes_entities_and_backslashes_of_ag_news_are_mended(write):
    wall, oil, title, _ = corpora.load_news(path=str(write(AG_NEWS)))
    assert wall.description == (
        "Reuters - Short-sellers, Wall Street's dwindling band of ultra-cynics, "
        "are seeing green again."
    )
    assert oil.title == 'Oil & "tech" news'
    assert oil.description == "Prices rose $5 today, it's said."
    assert title.text == "A title. Two lines."


@pytest.mark.parametrize(
    "text, mended",
    {
        "a&amp;b": "a&b",
        "#36;5": "$5",
        "&#36;5": "$5",
        "it#39;s": "it's",
        "back\\slash": "back slash",
        "  two   blanks ": "two blanks",
        "C# is #1": "C# is #1",
        "": "",
    }.items(),
)
def test_what_ag_news_carries_over_from_web_pages_is_mended(text, mended):
    assert corpora.clean_ag_text(text) == mended


def test_a_byte_order_mark_costs_no_row(write):
    rows = corpora.load_news(path=write("\ufeff1,Title,Text\n2,Title,Text\n"))
    assert [row.label for row in rows] == ["World", "Sports"]


@pytest.mark.parametrize(
    "content, line, reason",
    [
        ('"1","A","B"\n"5","A","B"\n', 2, "class is '5', expected 1, 2, 3 or 4"),
        ('"1","A","B"\n"World","A","B"\n', 2, "class is 'World'"),
        ('"1","A","B"\n"","A","B"\n', 2, "class is ''"),
        ('Class,Title,Description\n"World","A","B"\n"1","A","B"\n', 2, "class is"),
        ('"1","A"\n', 1, "2 values, expected class, title, description"),
        ('"1","A","B"\n\n"2","A","B","C"\n', 3, "4 values"),
        ('"1","A","x\ny"\n"9","A","B"\n', 3, "class is '9'"),
        ('"1","A","B"\n"1"," ","&nbsp;"\n', 2, "both empty"),
    ],
)
def test_a_malformed_ag_news_file_is_refused_with_its_line(
    write, content, line, reason
):
    with pytest.raises(CorpusError) as caught:
        corpora.load_news(path=write(content))
    assert f"made.csv line {line}: " in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("content", ["", "\n\n", "Class Index,Title,Description\n"])
def test_an_ag_news_file_without_rows_is_refused(write, content):
    with pytest.raises(CorpusError, match=r"made\.csv: there are no rows"):
        corpora.load_news(path=write(content))


def test_an_ag_news_file_that_is_not_utf_8_is_refused_with_its_line(write):
    path = write(b'"1","Title","Text"\n"2","Caf\xe9","Text"\n')
    with pytest.raises(CorpusError, match=r"made\.csv line 2: .*not UTF-8"):
        corpora.load_news(path=path)


def test_the_hub_is_refused_without_course_online(monkeypatch):
    monkeypatch.delenv("COURSE_ONLINE", raising=False)
    with pytest.raises(RuntimeError, match=r"set COURSE_ONLINE=1 .*load_news\(path="):
        corpora.load_news(hub=True)


def test_the_hub_without_its_library_names_the_command(monkeypatch):
    monkeypatch.setenv("COURSE_ONLINE", "1")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(RuntimeError, match="python -m pip install datasets"):
        corpora.load_news(hub=True)


def test_the_hub_counts_the_classes_from_0_and_joins_the_texts(monkeypatch):
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        return [{"label": 3, "text": "Chips. Faster, it#39;s said. Again."}]

    library = SimpleNamespace(load_dataset=load_dataset)
    monkeypatch.setenv("COURSE_ONLINE", "1")
    monkeypatch.setitem(sys.modules, "datasets", library)
    [row] = corpora.load_news("test", hub=True)
    assert asked == [("fancyzhx/ag_news", "test")]
    assert (row.label, row.title) == ("Sci/Tech", "Chips")
    assert row.description == "Faster, it's said. Again."


@pytest.mark.parametrize("split", ["dev", "", None])
def test_news_has_two_splits_only(split):
    with pytest.raises(ValueError, match="split must be 'train' or 'test', not"):
        corpora.load_news(split)


# -- the handbook and its golden set ---------------------------------------------------

PAGE = (
    "---\ntitle: Disk full\nservice: ingest\ncode:\nstatus: current\nof:\n"
    "updated: 2026-01-01\n---\n# Disk full\n## Symptom\nno: space\n"
)


def test_a_page_is_read_with_its_front_matter():
    page = corpora.parse_runbook("disk-full", PAGE)
    assert (page.id, page.title, page.code, page.of) == (
        *("disk-full", "Disk full", None, None),
    )
    assert page.text == "# Disk full\n## Symptom\nno: space"


@pytest.mark.parametrize(
    "text, reason",
    [
        ("# Disk full\n", "line 1: no front matter"),
        ("", "line 1: no front matter"),
        (PAGE.replace("---\n# Disk", "# Disk"), "line 1: no front matter"),
        (PAGE.replace("service: ingest", "service"), "line 3: 'service' is not"),
        (PAGE.replace("service: ingest\n", ""), "column 'service' is missing"),
        (PAGE.replace("service: ingest", "service:"), "service is empty"),
        (PAGE.replace("current", "fresh"), "status is 'fresh', not one of current"),
        (PAGE.partition("# Disk")[0], "text is empty"),
    ],
)
def test_a_malformed_page_is_refused_with_the_reason(text, reason):
    with pytest.raises(CorpusError) as caught:
        corpora.parse_runbook("disk-full", text)
    assert str(caught.value).startswith("disk-full.md")
    assert reason in str(caught.value)


@pytest.fixture
def runbooks(data):
    folder = data / "ops" / "runbooks"
    folder.mkdir(parents=True)
    (folder / "disk-full.md").write_text(PAGE, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "status, reason",
    [
        ("status: stale\nof: nowhere", "of: nowhere is no page"),
        ("status: current\nof: disk-full", "status current with of: disk-full"),
        ("status: duplicate\nof:", "status duplicate with of: None"),
    ],
)
def test_a_page_must_say_rightly_what_it_duplicates(runbooks, status, reason):
    text = PAGE.replace("status: current\nof:", status)
    (runbooks / "other.md").write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=rf"other\.md: {reason}"):
        corpora.load_runbooks()


def test_a_page_that_is_not_utf_8_is_refused_with_its_name(runbooks):
    (runbooks / "broken.md").write_bytes(PAGE.encode() + b"caf\xe9\n")
    with pytest.raises(CorpusError, match=r"broken\.md line 12: .*not UTF-8"):
        corpora.load_runbooks()


def test_a_page_judged_twice_for_a_query_is_refused(data):
    (data / "ops").mkdir()
    (data / "ops" / "relevance.csv").write_text(
        "query_id,runbook,grade\nq1,page,3\nq1,page,2\n"
    )
    with pytest.raises(CorpusError, match=r"relevance\.csv.*: q1 judges page twice"):
        corpora.load_relevance()


def test_a_grade_of_relevance_is_1_2_or_3(data):
    (data / "ops").mkdir()
    (data / "ops" / "relevance.csv").write_text("query_id,runbook,grade\nq1,page,0\n")
    with pytest.raises(CorpusError, match=r"line 2: grade is '0', not one of 1, 2, 3"):
        corpora.load_relevance()


@pytest.mark.parametrize(
    "load, wrong",
    [(corpora.load_queries, "train"), (corpora.load_heldout_pairs, "train")],
)
def test_an_unknown_part_is_answered_with_the_known_ones(load, wrong):
    with pytest.raises(ValueError, match="'dev'|'known_term'"):
        load(wrong)


# -- choosing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "load, names, field",
    [
        (corpora.load_pairs, ["negation", "number"], "kind"),
        (corpora.load_analogies, ["capital"], "relation"),
        (corpora.load_senses, ["bank", "bat"], "word"),
        (corpora.load_failures, ["negation"], "type"),
    ],
)
class TestChoosing:
    def test_names_choose_rows_and_keep_their_order(self, load, names, field):
        chosen = load(names)
        assert {getattr(row, field) for row in chosen} == set(names)
        assert chosen == [row for row in load() if getattr(row, field) in names]

    def test_a_generator_of_names_will_do(self, load, names, field):
        assert load(name for name in names) == load(names)

    def test_no_names_choose_no_rows(self, load, names, field):
        assert load([]) == []

    def test_an_unknown_name_is_answered_with_the_known_ones(self, load, names, field):
        with pytest.raises(ValueError, match=f"'nothing' is unknown: .*{names[0]}"):
            load(["nothing"])

    def test_a_single_string_is_no_list_of_names(self, load, names, field):
        with pytest.raises(TypeError, match="pass a list of names"):
            load(names[0])


@pytest.mark.parametrize("row", ["m2,x,Hello\n", "m2,x,Hello,\n", "m2,x,Hello,a,b\n"])
def test_a_sentence_that_lacks_a_language_is_refused(data, row):
    (data / "multilingual.csv").write_text(f"id,topic,en,de\nm1,x,Hi,Hallo\n{row}")
    reason = "a language|column 'de' is missing|more values"
    with pytest.raises(CorpusError, match=rf"multilingual\.csv line 3: ({reason})"):
        corpora.load_multilingual()


# -- the data: how much of what --------------------------------------------------------


@pytest.fixture(scope="module")
def train():
    return corpora.load_news("train")


@pytest.fixture(scope="module")
def test():
    return corpora.load_news("test")


def test_six_sentences_travel_through_the_course():
    assert len(corpora.load_sentences()) == 6


@pytest.mark.parametrize("split, least", [("train", 1_000), ("test", 240)])
class TestNews:
    def test_there_are_enough_articles_in_balance(self, split, least):
        counts = Counter(row.label for row in corpora.load_news(split))
        assert counts.total() >= least
        assert set(counts) == set(NEWS_LABELS)
        assert max(counts.values()) - min(counts.values()) <= 1

    def test_about_15_percent_stand_on_a_border(self, split, least):
        rows = corpora.load_news(split)
        share = sum(row.border is not None for row in rows) / len(rows)
        assert 0.12 <= share <= 0.18

    def test_a_border_is_another_class(self, split, least):
        true = corpora.load_news(split, corrected=True)
        assert [row.id for row in true if row.border == row.label] == []

    def test_descriptions_have_20_to_45_words(self, split, least):
        lengths = {
            row.id: len(row.description.split()) for row in corpora.load_news(split)
        }
        assert {i: n for i, n in lengths.items() if not 20 <= n <= 45} == {}

    def test_every_style_is_there(self, split, least):
        styles = Counter(row.style for row in corpora.load_news(split))
        assert set(styles) == {"wire", "feature", "brief"}
        assert min(styles.values()) >= 0.15 * styles.total()

    def test_no_title_and_no_description_repeats(self, split, least):
        rows = corpora.load_news(split)
        for field in ("title", "description"):
            counts = Counter(getattr(row, field).casefold() for row in rows)
            assert [text for text, count in counts.items() if count > 1] == []


def test_the_classes_stand_in_the_order_of_ag_news():
    assert NEWS_LABELS == ("World", "Sports", "Business", "Sci/Tech")


def test_the_splits_share_no_id_and_no_title(train, test):
    assert not {row.id for row in train} & {row.id for row in test}
    assert not {row.title.casefold() for row in train} & {
        row.title.casefold() for row in test
    }


def test_the_listed_label_noise_is_exactly_what_differs(train):
    noise = corpora.load_label_noise()
    assert len(noise) == 40
    corrected = corpora.load_news("train", corrected=True)
    differing = {
        (planted.id, planted.label, true.label)
        for planted, true in zip(train, corrected, strict=True)
        if planted.label != true.label
    }
    assert differing == {(row.id, row.given, row.true) for row in noise}


def test_correcting_changes_nothing_but_the_label(train):
    corrected = corpora.load_news("train", corrected=True)
    for planted, true in zip(train, corrected, strict=True):
        assert dataclasses.replace(true, label=planted.label) == planted


def test_twelve_near_duplicates_copy_test_articles_with_their_label(train, test):
    copies, originals = corpora.load_near_duplicates(), {row.id: row for row in test}
    assert len(copies) == len({copy.original for copy in copies}) == 12
    for copy in copies:
        assert copy.label == originals[copy.original].label
        assert copy.text != originals[copy.original].text
    assert not {copy.id for copy in copies} & {row.id for row in train + test}


def test_there_are_enough_pages_of_150_to_500_words():
    pages = corpora.load_runbooks()
    assert len(pages) >= 80
    lengths = {page.id: len(page.text.split()) for page in pages}
    assert {i: n for i, n in lengths.items() if not 150 <= n <= 500} == {}


def test_every_page_has_its_five_sections_in_order():
    for page in corpora.load_runbooks():
        sections = re.findall(r"^## (.+)$", page.text, re.MULTILINE)
        assert sections == [
            *("Symptom", "Cause", "Diagnosis", "Remedy", "Escalation"),
        ], page.id
        assert page.text.startswith(f"# {page.title}\n"), page.id


def test_a_few_pages_are_stale_or_duplicate_on_purpose():
    pages = {page.id: page for page in corpora.load_runbooks()}
    counts = Counter(page.status for page in pages.values())
    assert 3 <= counts["stale"] <= 10 and 3 <= counts["duplicate"] <= 10
    assert all(pages[page.of].status == "current" for page in pages.values() if page.of)


def test_some_error_codes_differ_in_one_digit():
    codes = sorted({page.code for page in corpora.load_runbooks() if page.code})
    neighbours = [
        (a, b)
        for a in codes
        for b in codes
        if a < b
        and len(a) == len(b)
        and sum(x != y for x, y in zip(a, b, strict=True)) == 1
    ]
    assert len(neighbours) >= 5


def test_the_golden_set_has_five_kinds_of_query_in_both_splits():
    queries = corpora.load_queries()
    assert len(queries) >= 160
    counts = Counter((query.kind, query.split) for query in queries)
    kinds = {"paraphrase", "identifier", "typo", "negation", "unanswerable"}
    assert set(counts) == {(kind, split) for kind in kinds for split in ("dev", "test")}
    assert min(counts.values()) >= 10


def test_the_splits_of_the_golden_set_make_the_whole():
    parts = corpora.load_queries("dev") + corpora.load_queries("test")
    assert sorted(query.id for query in parts) == sorted(
        query.id for query in corpora.load_queries()
    )


def test_no_query_is_asked_twice():
    counts = Counter(" ".join(words(query.text)) for query in corpora.load_queries())
    assert [text for text, count in counts.items() if count > 1] == []


def test_every_query_but_the_unanswerable_has_a_page_that_answers_it():
    judged = corpora.load_relevance()
    for query in corpora.load_queries():
        grades = judged.get(query.id, {})
        if query.kind == "unanswerable":
            assert grades == {}, query.id
        else:
            assert 3 in grades.values(), query.id


def test_every_judgement_names_a_query_and_a_page_that_exist():
    judged = corpora.load_relevance()
    assert set(judged) <= {query.id for query in corpora.load_queries()}
    pages = {page.id for page in corpora.load_runbooks()}
    assert {page for grades in judged.values() for page in grades} <= pages


def test_every_golden_answer_stands_in_its_page():
    pages = {page.id: page.text for page in corpora.load_runbooks()}
    for row in corpora.load_answers():
        assert row.quote in pages[row.runbook], row.id


def test_no_page_has_golden_answers_in_both_splits():
    dev, test = ({r.runbook for r in corpora.load_answers(s)} for s in ("dev", "test"))
    assert len(dev) >= 12 and len(test) >= 12 and not dev & test
    with pytest.raises(ValueError, match="train"):
        corpora.load_answers("train")


def test_golden_answers_are_commands_and_facts_alike():
    rows = corpora.load_answers()
    counts = Counter((row.kind, row.split) for row in rows)
    assert min(counts.values()) >= 12 and len(counts) == 4
    assert len({row.text for row in rows}) == len(rows)


def test_relevance_is_graded():
    judged = corpora.load_relevance().values()
    assert {grade for grades in judged for grade in grades.values()} == {1, 2, 3}


def test_there_are_enough_sentence_pairs_and_a_quarter_is_hard():
    kinds = Counter(pair.kind for pair in corpora.load_pairs())
    assert kinds.total() >= 160
    assert kinds["plain"] <= 0.75 * kinds.total()
    hard = {"negation", "number", "role_swap", "entity_swap"}
    assert min(kinds[kind] for kind in hard) >= 10


def test_sentence_pairs_are_graded_from_0_to_5_in_three_domains():
    pairs = corpora.load_pairs()
    assert {pair.domain for pair in pairs} == {"everyday", "news", "ops"}
    assert all(0 <= pair.grade <= 5 for pair in pairs)
    assert {round(pair.grade) for pair in pairs} == set(range(6))
    assert all(pair.a != pair.b for pair in pairs)


class TestNaturalPairs:
    def test_forty_plain_pairs_of_each_domain(self):
        pairs = corpora.load_natural_pairs()
        assert Counter(pair.domain for pair in pairs) == {
            "everyday": 40,
            "news": 40,
            "ops": 40,
        }
        assert {pair.kind for pair in pairs} == {"plain"}

    def test_grades_are_steps_of_a_half_from_0_to_5(self):
        for pair in corpora.load_natural_pairs():
            assert 0 <= pair.grade <= 5 and (2 * pair.grade).is_integer(), pair.id

    def test_every_grade_has_as_many_pairs_in_every_domain_nearly(self):
        pairs = corpora.load_natural_pairs()
        assert Counter(int(pair.grade) for pair in pairs) == dict.fromkeys(range(6), 20)
        cells = Counter((pair.domain, int(pair.grade)) for pair in pairs)
        assert set(cells.values()) == {6, 7}

    def test_a_sentence_has_5_to_18_words(self):
        for pair in corpora.load_natural_pairs():
            assert all(5 <= len(words(text)) <= 18 for text in (pair.a, pair.b)), pair

    def test_no_sentence_is_used_twice_nor_in_the_hard_pairs(self):
        pairs = corpora.load_natural_pairs() + corpora.load_pairs()
        counts = Counter(" ".join(words(t)) for pair in pairs for t in (pair.a, pair.b))
        natural = {
            " ".join(words(text))
            for pair in corpora.load_natural_pairs()
            for text in (pair.a, pair.b)
        }
        assert [text for text in natural if counts[text] > 1] == []

    def test_ids_are_a_series_of_their_own(self):
        ids = [pair.id for pair in corpora.load_natural_pairs()]
        assert ids == [f"n{number:03}" for number in range(1, 121)]

    def test_no_run_of_six_words_stands_in_another_file(self):
        own = set()
        for pair in corpora.load_natural_pairs():
            own |= sixes(pair.a) | sixes(pair.b)
        folder = corpora.data_file("pairs_natural.csv").parent
        others = [
            path
            for path in folder.rglob("*")
            if path.suffix in {".csv", ".md", ".html"}
            and path.name not in {"pairs_natural.csv", "README.md"}
        ]
        assert len(others) > 90
        for path in others:
            assert not own & sixes(path.read_text("utf-8")), path.name

    def test_unlike_the_hard_pairs_the_same_meaning_shares_words(self):
        def overlap(pairs):
            sets = [(set(words(pair.a)), set(words(pair.b))) for pair in pairs]
            return np.mean([len(a & b) / len(a | b) for a, b in sets])

        natural, hard = corpora.load_natural_pairs(), corpora.load_pairs(["plain"])
        same, apart = (
            lambda rows: [row for row in rows if row.grade >= 4],
            lambda rows: [row for row in rows if row.grade <= 1],
        )
        assert overlap(same(natural)) > 2 * overlap(apart(natural))
        assert overlap(same(natural)) > 2 * overlap(same(hard))
        assert overlap(apart(natural)) < overlap(apart(hard))


def test_there_are_enough_analogies_by_relation():
    analogies = corpora.load_analogies()
    assert len(analogies) >= 130
    assert len(set(analogies)) == len(analogies)
    assert min(Counter(row.relation for row in analogies).values()) >= 5
    assert all(len({row.a, row.b, row.c, row.d}) >= 3 for row in analogies)


def test_ambiguous_words_have_enough_sentences_in_each_sense():
    senses = corpora.load_senses()
    words = Counter(row.word for row in senses)
    assert len(words) >= 6 and min(words.values()) >= 10
    parts = Counter((row.word, row.sense, row.split) for row in senses)
    for word in words:
        names = {sense for w, sense, _ in parts if w == word}
        assert len(names) >= 2
        assert all(parts[word, n, s] for n in names for s in ("support", "query"))


def test_a_sentence_uses_its_ambiguous_word():
    for row in corpora.load_senses():
        assert re.search(rf"\b{row.word}", row.sentence, re.IGNORECASE), row


def test_sentences_come_in_enough_languages():
    rows = corpora.load_multilingual()
    languages = set(rows[0]) - {"id", "topic"}
    assert len(rows) >= 12 and len(languages) >= 8
    assert languages >= {"hi", "ar", "ru", "ja", "zh", "de", "es"}
    assert languages == set(corpora.LANGUAGES)


@pytest.mark.parametrize(
    "language, script",
    {"hi": "ऀ-ॿ", "ar": "؀-ۿ", "ru": "а-я", "ja": "ぁ-ヿ", "zh": "一-鿿"}.items(),
)
def test_a_language_is_written_in_its_script(language, script):
    for row in corpora.load_multilingual():
        assert re.search(f"[{script}]", row[language]), row["id"]


def test_there_are_enough_probes_of_failures():
    probes = corpora.load_failures()
    assert len(probes) >= 120
    assert min(Counter(probe.type for probe in probes).values()) >= 5
    assert all(probe.a != probe.b for probe in probes)


def test_tickets_have_enough_intents_and_off_topic_messages():
    intents = Counter(ticket.intent for ticket in corpora.load_tickets())
    assert intents.total() >= 200
    assert intents.pop("off_topic") >= 20
    assert len(intents) >= 8 and min(intents.values()) >= 10


def test_a_duplicate_ticket_names_an_original_of_its_intent():
    tickets = {ticket.id: ticket for ticket in corpora.load_tickets()}
    copies = [ticket for ticket in tickets.values() if ticket.duplicate_of]
    assert len(copies) >= 5
    for copy in copies:
        original = tickets[copy.duplicate_of]
        assert original.intent == copy.intent
        assert original.duplicate_of is None


# -- the training pairs ----------------------------------------------------------------


def words(text):
    return re.findall(r"\w+", text.casefold())


def sixes(text):
    row = words(text)
    return {tuple(row[i : i + 6]) for i in range(len(row) - 5)}


class TestTrainingPairs:
    def test_there_are_enough_of_them(self):
        assert len(corpora.load_training_pairs()) >= 300

    def test_there_are_held_out_pairs_of_two_kinds(self):
        kinds = Counter(pair.kind for pair in corpora.load_heldout_pairs())
        assert set(kinds) == {"known_term", "unseen_runbook"}
        assert min(kinds.values()) >= 20

    def test_a_kind_chooses_its_pairs(self):
        chosen = corpora.load_heldout_pairs("known_term")
        assert {pair.kind for pair in chosen} == {"known_term"}

    def test_every_pair_names_a_page_that_exists(self):
        pages = {page.id for page in corpora.load_runbooks()}
        pairs = corpora.load_training_pairs() + corpora.load_heldout_pairs()
        assert {pair.runbook for pair in pairs} <= pages

    def test_training_and_held_out_pairs_share_no_id(self):
        trained = {pair.id for pair in corpora.load_training_pairs()}
        assert not trained & {pair.id for pair in corpora.load_heldout_pairs()}

    def test_the_terms_of_the_first_kind_are_known_from_training(self):
        trained = {pair.term.casefold() for pair in corpora.load_training_pairs()}
        held_out = corpora.load_heldout_pairs("known_term")
        assert {pair.term.casefold() for pair in held_out} <= trained

    def test_the_pages_of_the_second_kind_were_never_trained_on(self):
        trained = {pair.runbook for pair in corpora.load_training_pairs()}
        held_out = corpora.load_heldout_pairs("unseen_runbook")
        assert not trained & {pair.runbook for pair in held_out}

    def test_no_sentence_leaks_from_training_into_the_held_out_pairs(self):
        trained = {
            " ".join(words(text))
            for pair in corpora.load_training_pairs()
            for text in (pair.anchor, pair.positive)
        }
        for pair in corpora.load_heldout_pairs():
            assert " ".join(words(pair.anchor)) not in trained, pair.id
            assert " ".join(words(pair.positive)) not in trained, pair.id

    def test_no_run_of_six_words_leaks_into_the_held_out_pairs(self):
        trained = set()
        for pair in corpora.load_training_pairs():
            trained |= sixes(pair.anchor) | sixes(pair.positive)
        leaks = {
            pair.id: sixes(pair.anchor + " . " + pair.positive) & trained
            for pair in corpora.load_heldout_pairs()
        }
        assert {i: shared for i, shared in leaks.items() if shared} == {}

    def test_no_query_of_the_golden_set_is_trained_on(self):
        trained = {
            " ".join(words(text))
            for pair in corpora.load_training_pairs()
            for text in (pair.anchor, pair.positive)
        }
        asked = {" ".join(words(query.text)) for query in corpora.load_queries()}
        assert not trained & asked

    def test_the_anchor_uses_the_jargon_and_the_plain_words_do_not(self):
        pairs = corpora.load_training_pairs() + corpora.load_heldout_pairs()
        for pair in pairs:
            assert pair.term.casefold() in pair.anchor.casefold(), pair.id
            assert pair.term.casefold() not in pair.positive.casefold(), pair.id


# -- the data: nothing is repeated -----------------------------------------------------


def prose(markdown):
    """A page without headings, commands and identifiers, which must repeat."""
    text = re.sub(r"```.*?```", " ", markdown, flags=re.DOTALL)
    text = re.sub(r"^#.*$", " ", text, flags=re.MULTILINE)
    return re.sub(r"`[^`]*`", " ", text)


TEXTS = {
    "news/train.csv": lambda: [row.text for row in corpora.load_news("train")],
    "news/test.csv": lambda: [row.text for row in corpora.load_news("test")],
    "ops/runbooks": lambda: [
        prose(page.text) for page in corpora.load_runbooks() if page.of is None
    ],
    "ops/queries.csv": lambda: [query.text for query in corpora.load_queries()],
    "ops/pairs_train.csv": lambda: [
        f"{pair.anchor} | {pair.positive}" for pair in corpora.load_training_pairs()
    ],
    "ops/pairs_heldout.csv": lambda: [
        f"{pair.anchor} | {pair.positive}" for pair in corpora.load_heldout_pairs()
    ],
    "pairs.csv": lambda: [pair.a for pair in corpora.load_pairs()],
    "pairs_natural.csv": lambda: [
        f"{pair.a} | {pair.b}" for pair in corpora.load_natural_pairs()
    ],
    "senses.csv": lambda: [row.sentence for row in corpora.load_senses()],
    "failures.csv": lambda: [probe.a for probe in corpora.load_failures()],
    "multilingual.csv": lambda: [row["en"] for row in corpora.load_multilingual()],
    "tickets.csv": lambda: [
        row.text for row in corpora.load_tickets() if row.duplicate_of is None
    ],
}
each_file = pytest.mark.parametrize("name", TEXTS)


@each_file
def test_hardly_two_rows_share_a_run_of_six_words(name):
    texts = TEXTS[name]()
    holders = defaultdict(set)
    for i, text in enumerate(texts):
        for run in sixes(text):
            holders[run].add(i)
    shared = {" ".join(run): rows for run, rows in holders.items() if len(rows) > 1}
    repeating = set().union(*shared.values())
    assert len(repeating) / len(texts) <= 0.02, sorted(shared)[:10]


@each_file
def test_no_two_rows_differ_only_in_a_name_or_a_number(name):
    masked = Counter(
        re.sub(r"[\w'’-]*[A-Z0-9][\w'’-]*", "#", text) for text in TEXTS[name]()
    )
    assert [text for text, count in masked.items() if count > 1] == []


# -- the data through the model --------------------------------------------------------


@pytest.fixture(scope="module")
def vectors(train, test):
    """Unit vectors of the news, encoded once: train, test, near-duplicates."""
    groups = {"train": train, "test": test, "copies": corpora.load_near_duplicates()}
    model = assets.sentence_transformer()
    texts = [row.text for rows in groups.values() for row in rows]
    found = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    ends = np.cumsum([len(rows) for rows in groups.values()])[:-1]
    return dict(zip(groups, np.split(found, ends), strict=True))


def test_no_test_article_is_nearly_one_of_the_training_split(vectors):
    assert (vectors["test"] @ vectors["train"].T).max() < 0.9


@pytest.mark.parametrize("split", ["train", "test"])
def test_no_two_articles_of_a_split_are_nearly_the_same(vectors, split):
    cosines = vectors[split] @ vectors[split].T
    np.fill_diagonal(cosines, 0)
    assert cosines.max() < 0.9


def test_each_planted_copy_is_nearly_its_original(vectors, test):
    place = {row.id: i for i, row in enumerate(test)}
    for copy, vector in zip(
        corpora.load_near_duplicates(), vectors["copies"], strict=True
    ):
        cosines = vectors["test"] @ vector
        assert cosines[place[copy.original]] >= 0.9, copy.id
        assert int(cosines.argmax()) == place[copy.original], copy.id


def test_the_news_are_neither_trivial_nor_noise_for_the_frozen_model(
    vectors, train, test
):
    from sklearn.linear_model import LogisticRegression

    probe = LogisticRegression(C=1, max_iter=1_000)
    probe.fit(vectors["train"], [row.label for row in train])
    assert 0.80 <= probe.score(vectors["test"], [row.label for row in test]) <= 0.93
