"""Chunks: nothing lost, nothing doubled but the overlap, borders where a reader would
put them, whatever the text."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils import assets, corpora
from course_utils.search.chunking import chunk, sentences, units, windows

WORDPIECE = assets.vocabularies()["wordpiece"]
CL100K = assets.vocabularies()["cl100k"]
PAGES = corpora.load_runbooks()

markdown = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "# Title\n",
                "## Part\n",
                "```\n",
                "- item\n",
                "1. first\n",
                "\n",
                "| a |\n",
            ]
            + [
                "One sentence. ",
                "Is it? Yes! ",
                "déjà vu ",
                "日本語。",
                "👨‍👩‍👧‍👦",
                "\ud800",
            ]
            + ["שלום עולם. ", "a\u200bb ", "x" * 300 + " ", "\x00\x07", "e\u0301" * 9]
        ),
        st.text(max_size=20),
    ),
    max_size=40,
).map("".join)


def assert_holds(text, chunks, size, overlap, vocabulary):
    """The promise of ``chunk``, checked the slow way."""
    reached = 0
    for piece in chunks:
        assert piece.start <= reached < piece.end, "no gap, and each chunk gets further"
        assert piece.text == text[piece.start : piece.end]
        assert len(vocabulary.encode(piece.text)) <= size
        assert len(vocabulary.encode(text[piece.start : reached])) <= overlap
        reached = piece.end
    assert reached == len(text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(markdown, st.integers(8, 40), st.integers(0, 7), st.booleans())
def test_any_text_is_covered_and_only_the_overlap_is_doubled(
    text, size, over, bytewise
):
    vocabulary = CL100K if bytewise else WORDPIECE
    chunks = chunk(text, size, over, vocabulary)
    assert_holds(text, chunks, size, over, vocabulary)


@pytest.mark.parametrize("size, overlap", [(254, 0), (64, 16), (8, 7)])
def test_the_handbook_is_covered(size, overlap):
    for page in PAGES[:: 1 if size > 8 else 20]:
        pieces = chunk(page.text, size, overlap, WORDPIECE)
        assert_holds(page.text, pieces, size, overlap, WORDPIECE)


def test_without_overlap_the_chunks_are_the_text():
    for page in PAGES:
        pieces = chunk(page.text, 64, 0, WORDPIECE)
        assert "".join(piece.text for piece in pieces) == page.text


def texts(text, size, overlap=0):
    return [piece.text for piece in chunk(text, size, overlap, WORDPIECE)]


def test_a_heading_begins_a_chunk_however_short_the_one_before_is():
    assert texts("one\n# Two\ntwo\n# Three\nthree", 100) == [
        "one\n",
        "# Two\ntwo\n",
        "# Three\nthree",
    ]


def test_a_title_keeps_the_heading_below_it():
    assert texts("# Page\n## Part\ntext", 100) == ["# Page\n## Part\ntext"]


def test_what_looks_like_a_heading_in_a_listing_is_none():
    text = "```\n# comment\nx = 1\n```\n"
    assert texts(text, 100) == [text]


def test_sentences_stay_whole_when_they_fit():
    text = "The disk is full now. Delete the old dump. Then restart the pod."
    assert texts(text, 12) == [
        "The disk is full now. Delete the old dump. ",
        "Then restart the pod.",
    ]


def test_the_overlap_is_whole_sentences():
    text = "First one here. Second one here. Third one here."
    assert texts(text, 8, 4) == [
        "First one here. Second one here. ",
        "Second one here. Third one here.",
    ]


def test_a_sentence_that_alone_is_too_long_is_cut_between_words():
    pieces = texts("word " * 100, 10)
    assert all(piece.strip() == "word " * 10 or "word" in piece for piece in pieces)
    assert all(set(piece.split()) == {"word"} for piece in pieces)


def test_a_visible_character_is_not_cut():
    family = "👨‍👩‍👧‍👦"
    pieces = [piece.text for piece in chunk(family * 40, 60, 0, CL100K)]
    assert all(len(piece) % len(family) == 0 for piece in pieces)


def test_an_empty_text_has_no_chunks():
    assert chunk("", 100, 10, WORDPIECE) == []


def test_a_number_does_not_end_the_sentence_that_it_begins():
    text = "Steps:\n1. Stop it. Wait.\n2. Start it."
    cut = [text[a:b] for a, b in sentences(text)]
    assert cut == ["Steps:\n", "1. Stop it. ", "Wait.\n", "2. Start it."]


def test_units_name_their_kind():
    text = "# T\nOne. Two.\n```\ncode\n```\n"
    kinds = [kind for _, _, kind in units(text)]
    assert kinds == ["heading", "prose", "prose", "code", "code", "code"]


@pytest.mark.parametrize(
    "size, overlap, reason",
    [
        (255, 0, "more than the 254 tokens that the model reads"),
        (7, 0, "too small"),
        (20, 20, "less than the size"),
        (20, -1, "at least 0"),
    ],
)
def test_sizes_that_lose_text_or_make_no_sense_are_refused(size, overlap, reason):
    with pytest.raises(ValueError, match=reason):
        chunk("text", size, overlap, WORDPIECE)


def test_the_limit_is_that_of_the_model_at_hand():
    assert chunk("text", 500, 0, WORDPIECE, limit=510)
    with pytest.raises(ValueError, match="at most 126"):
        chunk("text", 200, 0, WORDPIECE, limit=126)


def test_bytes_are_no_text():
    with pytest.raises(TypeError, match="decode"):
        chunk(b"text", 100, 0, WORDPIECE)


@pytest.mark.parametrize(
    "text",
    ["word " * 60_000, "a" * 300_000, "\n" * 300_000, "a" + "\u0301" * 300_000]
    + ["".join(chr(i % 256) for i in range(100_000))],
    ids=["words", "one word", "blank lines", "marks", "binary"],
)
def test_long_and_odd_texts_take_seconds(text):
    assert_holds(text, chunk(text, 128, 16, CL100K), 128, 16, CL100K)


# -- what it is compared with ----------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 8))
def test_windows_cover_every_token_and_share_only_the_overlap(count, size, overlap):
    places = [(3 * i, 3 * i + 2) for i in range(count)]
    if overlap >= size:
        with pytest.raises(ValueError, match="less than the size"):
            list(windows(places, size, overlap))
        return
    held = [
        [i for i, (a, b) in enumerate(places) if start <= a and b <= end]
        for start, end in windows(places, size, overlap)
    ]
    assert sorted({i for window in held for i in window}) == list(range(count))
    assert all(len(window) == size for window in held[:-1])
    assert all(
        len(set(a) & set(b)) == overlap for a, b in zip(held, held[1:], strict=False)
    )


def test_no_tokens_no_windows():
    assert list(windows([], 8, 2)) == []
