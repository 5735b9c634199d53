"""Nothing is lost on the way from a page to an answer, whatever language it is in."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.answers import (
    NOTHING_FOUND,
    GroundingError,
    answer,
    check_citations,
    check_reply,
    locate,
)
from course_utils.assets import vocabularies
from course_utils.search import Hit, SearchIndex, chunk, sentences, units
from tests.search.toy import Toy

WORDPIECE = vocabularies()["wordpiece"]
# Words of a sentence, what stands between them, what ends it.
LANGUAGES = {
    "Chinese": ("磁盘 已满 请 删除 旧的 备份 重启 服务 日志 太大", "", "。"),
    "Japanese": ("ディスク が 満杯 です 古い ダンプ を 削除 サーバー 再起動", "", "。"),
    "Korean": ("디스크가 가득 찼습니다 오래된 덤프를 삭제 하십시오 서버", " ", ". "),
    "Thai": ("ดิสก์ เต็ม แล้ว ให้ ลบ ไฟล์ เก่า และ เริ่ม ใหม่", "", " "),
    "Hindi": ("डिस्क भर गई है पुरानी फ़ाइल हटाएँ सर्वर फिर चलाएँ", " ", "। "),
    "Arabic": ("القُرْص مُمْتَلِئ اِحذِف النسخة القديمة ثم أعد تشغيل الخادم", " ", "؟ "),
    "Turkish": ("İSTANBUL sunucusu DIŞARI çıktı ığdır yedeği silin Işık", " ", ". "),
    "German": ("STRASSE Straße größte Festplatte ist übervoll löschen Sie", " ", ". "),
}
OTHER = "Nobody here was asked. The office party begins at seven o'clock tonight."


def told(language, numbers):
    words, blank, end = LANGUAGES[language]
    words = words.split()
    return blank.join(words[n % len(words)] for n in numbers) + end


@settings(max_examples=6, deadline=None, derandomize=True)
@pytest.mark.parametrize("language", LANGUAGES)
@given(st.lists(st.integers(0, 9), min_size=4, max_size=9), st.booleans())
def test_the_only_sentence_that_was_asked_for_is_found(language, numbers, decomposed):
    sentence = told(language, numbers)
    form = "NFD" if decomposed else "NFC"
    index = SearchIndex.build(
        {"party": OTHER, "page": unicodedata.normalize(form, sentence)}, Toy()
    )
    for query in (
        sentence,
        sentence.casefold(),
        unicodedata.normalize("NFD", sentence),
    ):
        hits = index.search(query, 1, "lexical")
        assert [hit.document for hit in hits] == ["page"]
        found = answer(query, hits, count=1)
        assert found.citations[0].quote == index.documents["page"].strip()
        assert check_citations(found, index.documents) == []


@pytest.mark.parametrize(
    "text, query",
    [("火事だ！", "火"), ("क्रम में है।", "क्रम"), ("Die Straße ist zu.", "STRASSE")]
    + [("İstanbul is down now.", "istanbul"), ("See ＦＢ－２１０７ now.", "FB-2107")]
    + [
        ("The data\u00adbase is down.", "database"),
        ("See FB\u20112107 now.", "fb-2107"),
    ],
)
def test_another_spelling_is_a_hit(text, query):
    index = SearchIndex.build([OTHER, text], Toy())
    assert index.search(query, 5, "lexical")[0].document == "1"


@pytest.mark.parametrize("query", ["क", "कि", "本日", "ดี", "كِ"])
def test_a_word_that_no_text_holds_is_no_hit(query):
    pages = ["क्रम में है।", "日本語です。", "ดิสก์เต็ม", "كِتَابٌ مُغلَق"]
    assert SearchIndex.build(pages, Toy()).search(query, 5, "lexical") == []


def test_codes_are_known_in_every_spelling():
    index = SearchIndex.build(
        ["エラーFB-2107が出た。", "See FB\u20113321 here."], Toy()
    )
    assert index.unknown_codes("FB\u20112177 ＦＢ－２１７８") == ["fb-2177", "fb-2178"]
    assert index.unknown_codes("FB-2107か FB\u20103321?") == []


@pytest.mark.parametrize("mark", "।॥۔．｡。։።។")
def test_sentences_end_in_every_script(mark):
    text = f"aa bb{mark} cc dd{mark}"
    assert [text[a:b] for a, b in sentences(text)] == [f"aa bb{mark} ", f"cc dd{mark}"]


# -- longer than a passage -------------------------------------------------------------

LOG = "\n".join(f"{i:02} worker {i * 7} died with code {i + 100}" for i in range(60))


def test_a_log_without_full_stops_is_answered_by_its_line():
    index = SearchIndex.build([OTHER, LOG], Toy(), size=64)
    query = "which worker died with code 142"
    found = answer(query, index.search(query, 3), count=1)
    assert found.citations[0].quote == "42 worker 294 died with code 142"
    assert check_citations(found, index.documents) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_longer_than_any_passage_is_not_lost(language):
    page = told(language, range(200)).strip()
    index = SearchIndex.build({"long": page, "party": OTHER}, Toy(), size=32)
    query = told(language, range(3))
    found = answer(query, index.search(query, 2, "lexical"), count=1)
    assert found.citations[0].document == "long"
    assert check_citations(found, index.documents) == []


def test_a_short_sentence_is_offered_if_there_is_no_other():
    assert answer("why?", [Hit("a", 0, 0, 11, 1.0, "Restart it.")]).citations
    assert answer("why?", [Hit("a", 0, 0, 3, 1.0, "…!?")]).text == NOTHING_FOUND


# -- quotes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quote, source",
    [
        ("磁盘已满", "请注意，磁盘已满。"),
        ("the disk's dump", "Save the disk’s dump."),
        ('the "old" dump', "Save the “old” dump."),
        ("the database", "See the data\u00adbase."),
        ("café menu", "The cafe\u0301 menu."),
        ("er sagte »nein« laut", "Doch er sagte »nein« laut."),
        ("il dit «non» fort", "Et il dit «non» fort."),
        ("code FB-2107", "See code FB\u20112107."),
    ],
)
def test_an_honest_quote_is_accepted_and_cited_as_the_page_spells_it(quote, source):
    hit = Hit("page", 0, 0, len(source), 1.0, source)
    found = check_reply(f"It says «{quote}» [1], so do it.", [hit])
    assert check_citations(found, {"page": source}) == []
    assert found.citations[0].quote in source


@pytest.mark.parametrize(
    "reply", ["«磁盘» [1]", "«磁盘已空» [1]", "«磁» x «磁盘已满» [1]"]
)
def test_a_dishonest_or_tiny_quote_is_refused(reply):
    source = "请注意，磁盘已满。"
    with pytest.raises(GroundingError):
        check_reply(reply, [Hit("page", 0, 0, len(source), 1.0, source)])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.text(max_size=12), st.text(min_size=1, max_size=12), st.text(max_size=12))
def test_a_respelled_quote_points_at_what_it_quotes(before, quote, behind):
    source = before + " " + unicodedata.normalize("NFC", quote) + " " + behind
    place = locate(unicodedata.normalize("NFD", quote), source)
    if not quote.isspace() and unicodedata.normalize("NFC", quote).strip():
        start, end = place or (0, 0)
        assert 0 <= start <= end <= len(source)


# -- listings and headings -------------------------------------------------------------


@pytest.mark.parametrize(
    "text, kinds",
    [
        ("- ```bash\n  ls\n  ```\n\nAfter it.", "ccc p p"),
        ("```df -h```\nText one.\n# Part\nText.", "p h p"),
        ("```\n~~~\n# no part\n```\nText.", "cccc p"),
        ("~~~\n```\n~~~\nText.", "ccc p"),
        ("````\n```\n# no part\n```\n````\nText.", "ccccc p"),
        ("    ```\nText.\n# Part\n", "p p h"),
        ("Title\n=====\nText.", "h p"),
        ("Part\n---\nText.", "h p"),
        ("> ```\n> a\n\nText.", "cc p p"),
        ("```\nopen to the end\n# no part", "ccc"),
        ("#No heading\n#\nText.", "p h p"),
        ("# T\r\n```\rcode\r\n```\rText.", "h ccc p"),
        ("a\x0b# b\u2028# c\n# T", "p h"),
        ("[a]: \ud800\n# T", "p h"),
    ],
)
def test_fences_and_headings_are_those_of_commonmark(text, kinds):
    found = list(units(text))
    assert "".join(text[a:b] for a, b, _ in found) == text
    assert [k[0] for _, _, k in found if k != "prose"] == [
        k for k in kinds.replace(" ", "") if k != "p"
    ]
    assert [k[0] for _, _, k in found][-1] == kinds[-1]


def test_what_follows_an_odd_fence_is_answered():
    page = "- ```bash\n  df -h\n  ```\n\nDelete the old dump first.\n\n```df -h```\n"
    found = answer("old dump", [Hit("p", 0, 0, len(page), 1.0, page)], count=1)
    assert found.citations[0].quote == "Delete the old dump first."


PARTS = [
    "```",
    "````",
    "~~~",
    "    ",
    "- ",
    "> ",
    "# ",
    "===",
    "---",
    "\n",
    "\r",
    "1. ",
]
PARTS += [
    "\t",
    "<pre>",
    "<!--",
    "| a |",
    "क। ",
    "磁盘。",
    "\u2028",
    "\x00",
    "\ud83d\ude00",
]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=6)), max_size=25))
def test_any_text_is_tiled_by_its_units_and_covered_by_its_chunks(parts):
    text = "".join(parts)
    reached = 0
    for start, end, kind in units(text):
        assert start == reached < end and kind in ("prose", "code", "heading")
        reached = end
    assert reached == len(text)
    pieces = chunk(text, 16, 0, WORDPIECE)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text == text[piece.start : piece.end] for piece in pieces)
