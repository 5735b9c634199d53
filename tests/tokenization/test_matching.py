"""Words to match by: the same at both ends, in every script."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.tokenization import matching_form, matching_words, normalise


@pytest.mark.parametrize(
    "one, other",
    [
        ("İstanbul", "istanbul"),
        ("I\u0307zmir", "izmir"),
        ("DIŞARI", "dışarı"),
        ("STRASSE", "Straße"),
        ("ＦＢ－２１０７", "FB-2107"),
        ("FB\u20112107", "fb-2107"),
        ("FB\u20102107", "fb-2107"),
        ("data\u00adbase", "database"),
        ("data\u2060base", "database"),
        ("cafe\u0301", "CAFÉ"),
        ("ﬁle", "file"),
        ("ΟΔΟΣ", "οδός".replace("ό", "ο")),
        ("ｻｰﾊﾞｰ", "サーバー"),
        ("می\u200cخواهم", "میخواهم"),
        ("محـــمد", "محمد"),
        ("Postgres™", "postgres"),
    ],
)
def test_what_a_reader_takes_for_the_same_word_is_the_same(one, other):
    assert matching_words(one, identifiers=True) == matching_words(
        other, identifiers=True
    )


@pytest.mark.parametrize(
    "text, cut",
    [
        ("डिस्क भर गई", ["डिस्क", "भर", "गई"]),
        ("كِتَابٌ", ["كِتَابٌ"]),
        ("磁盘满", ["磁盘", "盘满"]),
        ("火", ["火"]),
        ("FB-2107を見る", ["fb", "2107", "を見", "見る"]),
        ("서버가", ["서버", "버가"]),
        ("เต็ม", ["เต็", "ต็ม"]),
        ("\u0301 🎉 ·", []),
        ("a_b c.d", ["a", "b", "c", "d"]),
    ],
)
def test_marks_belong_to_words_and_unspaced_scripts_are_cut_in_twos(text, cut):
    text = unicodedata.normalize("NFC", text)
    assert matching_words(text) == [matching_form(word) for word in cut]


def test_single_signs_are_given_to_texts_that_are_looked_into():
    assert matching_words("火事", signs=True) == ["火", "事", "火事"]
    assert matching_words("火 now", signs=True) == ["火", "now"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(max_size=30))
def test_no_spelling_of_a_text_has_other_words(text):
    words = matching_words(text, identifiers=True)
    for form in ("NFC", "NFD"):
        spelled = unicodedata.normalize(form, text)
        assert matching_words(spelled, identifiers=True) == words
    assert all(words) and not any(regex_space(word) for word in words)


def regex_space(word):
    return any(letter.isspace() for letter in word)


@pytest.mark.parametrize(
    "text, expected",
    {
        "data\u00adbase": "database",
        "e\u00ad\u0301": "é",
        "FB\u20112177": "FB-2177",
        "word\u2060joiner": "wordjoiner",
        "Straße": "Straße",
    }.items(),
)
def test_what_a_model_reads_has_no_hidden_characters(text, expected):
    assert normalise(text) == expected
