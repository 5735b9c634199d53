"""Text to ids and back: by hand, by property, and against the libraries."""

import json
import time
from collections import Counter
from itertools import pairwise

import pytest
import regex
import tiktoken
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, trainers

from course_utils import assets, corpora
from course_utils.tokenization import (
    BPE,
    PATTERN,
    audit_terms,
    best_pair,
    bpe,
    html_to_text,
    merge,
    normalise,
    pair_counts,
    recount_bpe,
    split_text,
    to_bytes,
    to_text,
    train_bpe,
    truncate,
    wordpiece,
)

NAMES = ("wordpiece", "cl100k", "o200k", "tekken", "sentencepiece")
each_vocabulary = pytest.mark.parametrize("name", NAMES)
steady = settings(derandomize=True, deadline=None, max_examples=100)
short = settings(derandomize=True, deadline=None, max_examples=40)

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
ids = st.lists(st.integers(0, 3), max_size=30)
# Few letters make many ties, and long runs of one letter make overlaps.
tied_text = st.one_of(
    st.text("ab", min_size=1, max_size=60),
    st.text("abc ", min_size=1, max_size=80),
    st.text("aé\U0001f600 \n", min_size=1, max_size=40),
    st.lists(st.sampled_from(("low", "lower", "lowest", " ", "aaaa")), min_size=1).map(
        "".join
    ),
    st.text(st.characters(exclude_categories=()), min_size=1, max_size=40),
)


@pytest.fixture(scope="module")
def vocabularies():
    return assets.vocabularies()


@pytest.fixture(scope="module")
def news():
    return {
        split: "\n".join(article.text for article in corpora.load_news(split))
        for split in ("train", "test")
    }


@pytest.fixture(scope="module")
def trained(news):
    return train_bpe(news["train"], 256 + 700)


# -- one step of training --------------------------------------------------------------


def test_neighbours_are_counted_overlapping_ones_too():
    assert pair_counts([1, 1, 1, 2]) == {(1, 1): 2, (1, 2): 1}


@pytest.mark.parametrize("sequence", [[], [5]])
def test_fewer_than_two_ids_have_no_neighbours(sequence):
    assert pair_counts(sequence) == Counter()


@steady
@given(ids)
def test_a_sequence_has_one_pair_less_than_ids(sequence):
    assert pair_counts(sequence).total() == max(0, len(sequence) - 1)


@pytest.mark.parametrize(
    "sequence, expected",
    [
        ([1, 2, 3, 1, 2], [9, 3, 9]),
        ([1, 2], [9]),
        ([2, 1], [2, 1]),
        ([1, 1, 2, 2], [1, 9, 2]),
        ([3, 1], [3, 1]),
        ([], []),
    ],
)
def test_each_occurrence_of_a_pair_is_merged(sequence, expected):
    assert merge(sequence, (1, 2), 9) == expected


@pytest.mark.parametrize(
    "length, expected", [(2, [9]), (3, [9, 1]), (4, [9, 9]), (5, [9, 9, 1])]
)
def test_occurrences_that_overlap_are_merged_from_the_left(length, expected):
    assert merge([1] * length, (1, 1), 9) == expected


def test_merging_leaves_its_argument_alone():
    sequence = [1, 2, 3]
    merge(sequence, (1, 2), 9)
    assert sequence == [1, 2, 3]


@steady
@given(ids, st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_a_merge_can_be_undone_and_leaves_no_pair(sequence, pair):
    merged = merge(sequence, pair, 9)
    undone = [x for i in merged for x in (pair if i == 9 else (i,))]
    assert undone == sequence
    assert pair not in set(pairwise(merged))


def test_the_most_frequent_pair_is_best():
    assert best_pair({(1, 2): 2, (8, 9): 3}) == (8, 9)


@pytest.mark.parametrize(
    "counts, expected",
    [
        ({(5, 6): 3, (1, 9): 3, (1, 2): 3}, (1, 2)),
        ({(2, 1): 1, (1, 2): 1}, (1, 2)),
        ({(10, 2): 1, (9, 300): 1}, (9, 300)),
    ],
)
def test_among_equals_the_smallest_ids_win(counts, expected):
    assert best_pair(counts) == expected


# -- cutting a text before any merge ---------------------------------------------------

PATTERNS = (
    None,
    "",
    r"\w+",
    r"\s+|\S+",
    r"(?<=a)b",
    r"a\Kb",
    r"(?r)\w+",
    r"^|$",
    r"(?i:AB)|(c)",
    r"\X",
    ".",
)


def test_contractions_numbers_and_spaces_are_cut_as_in_cl100k():
    assert list(split_text("It's 20266 $x!\n\n  ok ")) == [
        *("It", "'s", " ", "202", "66", " $", "x", "!\n\n", " ", " ok", " "),
    ]


def test_the_pattern_is_the_one_that_cl100k_uses(vocabularies):
    assert vocabularies["cl100k"]
    assert tiktoken.get_encoding("cl100k_base")._pat_str == PATTERN


def test_what_the_pattern_does_not_match_is_a_chunk_of_its_own():
    assert list(split_text("a-b--c", r"\w")) == ["a", "-", "b", "--", "c"]


@pytest.mark.parametrize("pattern", PATTERNS)
@steady
@given(text=st.one_of(any_text, st.text("abc \n", max_size=20)))
def test_no_pattern_loses_a_character(pattern, text):
    chunks = list(split_text(text, pattern))
    assert "".join(chunks) == text
    assert "" not in chunks


@steady
@given(
    st.text("abc.|?*+()[]^$\\ ", max_size=8),
    st.text("abc ", max_size=12),
)
def test_no_pattern_made_at_random_loses_a_character(pattern, text):
    try:
        regex.compile(pattern)
    except regex.error:
        assume(False)
    assert "".join(split_text(text, pattern)) == text


# -- bytes -----------------------------------------------------------------------------


@steady
@given(any_text)
def test_every_string_has_a_way_to_bytes_and_back(text):
    assert to_text(to_bytes(text)) == text


def test_bytes_that_are_no_text_become_the_replacement_character():
    assert to_text(b"a\xff\xf0\x9f") == "a��"


# -- encoding with merges --------------------------------------------------------------

# "lo" was learnt before "ow", "low" before "we".
LOW = BPE({(108, 111): 256, (111, 119): 257, (256, 119): 258, (119, 101): 259})


def test_the_first_256_ids_are_the_bytes():
    assert BPE({}).encode("é") == [0xC3, 0xA9]
    assert len(BPE({})) == 256


def test_the_merge_that_was_learnt_first_is_done_first():
    assert LOW.encode("low") == [258]
    assert LOW.encode("ow") == [257]
    assert LOW.encode("lowe") == [258, 101]
    assert LOW.encode("we") == [259]


def test_no_merge_crosses_the_border_of_a_chunk():
    assert BPE(LOW.merges, r"\w").encode("low") == [108, 111, 119]


def test_the_length_is_the_bytes_and_the_merges():
    assert len(LOW) == 260


def test_pieces_are_readable_one_per_id():
    assert LOW.pieces("low we") == ["low", " ", "we"]
    assert BPE({}).pieces("é") == ["<0xC3>", "<0xA9>"]


@pytest.mark.parametrize("unknown", [260, -1, 10**9])
def test_an_id_outside_the_vocabulary_is_named(unknown):
    with pytest.raises(ValueError, match=f"id {unknown} is not in .* 260 ids"):
        LOW.decode([108, unknown])


def test_half_a_character_decodes_to_the_replacement_character():
    assert BPE({}).decode([0xC3]) == "�"


def test_an_empty_text_has_no_ids():
    assert LOW.encode("") == [] and LOW.decode([]) == "" and LOW.pieces("") == []


def test_merges_need_not_be_numbered_without_gaps():
    """A rank file of somebody else may have holes."""
    assert BPE({(97, 98): 500}).encode("abc") == [500, 99]


def test_two_tokenizers_with_the_same_merges_are_equal_whatever_they_have_encoded():
    one, other = BPE({(97, 98): 256}), BPE({(97, 98): 256})
    one.encode("abc")
    assert one == other


@steady
@given(any_text)
def test_any_text_comes_back_from_a_trained_vocabulary(trained, text):
    assert trained.decode(trained.encode(text)) == text


@steady
@given(tied_text, any_text, st.integers(0, 40))
def test_any_text_comes_back_from_any_vocabulary(learnt_from, text, merges):
    bpe = train_bpe(learnt_from, 256 + merges)
    assert bpe.decode(bpe.encode(text)) == text
    assert len(bpe.pieces(text)) == len(bpe.encode(text))


def test_the_course_text_comes_back(trained, news):
    assert trained.decode(trained.encode(news["test"])) == news["test"]


# -- training --------------------------------------------------------------------------


def test_the_classic_toy_text_is_learnt_as_by_hand():
    """ "lo" and "ow" are tied at 5, and "l" is the older; a space joins at 4."""
    bpe = train_bpe("low low low lower lowest", 256 + 4)
    learnt = [bpe.vocabulary[new_id] for new_id in range(256, 260)]
    assert learnt == [b"lo", b"low", b" low", b" lowe"]


@steady
@given(tied_text, st.integers(0, 40), st.sampled_from([None, r"\S+", ".", r"a+|b"]))
def test_training_learns_what_counting_again_learns(text, merges, pattern):
    fast = train_bpe(text, 256 + merges, pattern)
    slow = recount_bpe(text, 256 + merges, pattern)
    assert list(fast.merges.items()) == list(slow.merges.items())
    assert fast.pattern == slow.pattern


def test_training_learns_what_counting_again_learns_on_real_text(news):
    text = news["test"][:8_000]
    assert train_bpe(text, 336).merges == recount_bpe(text, 336).merges


@steady
@given(tied_text, st.integers(0, 30))
def test_a_smaller_vocabulary_is_the_beginning_of_a_larger_one(text, merges):
    small = list(train_bpe(text, 256 + merges).merges)
    large = list(train_bpe(text, 256 + 40).merges)
    assert large[: len(small)] == small


@steady
@given(tied_text)
def test_ids_are_numbered_in_the_order_of_learning(text):
    merges = train_bpe(text, 256 + 30).merges
    assert list(merges.values()) == list(range(256, 256 + len(merges)))


@pytest.mark.parametrize("train", [train_bpe, recount_bpe])
def test_training_ends_when_the_text_runs_out_of_pairs(train):
    assert len(train("abc", 1_000)) == 256 + 2


@pytest.mark.parametrize("train", [train_bpe, recount_bpe])
def test_a_vocabulary_of_256_learns_nothing(train):
    assert train("abc", 256).merges == {}


@pytest.mark.parametrize("train", [train_bpe, recount_bpe])
def test_a_vocabulary_without_room_for_the_bytes_is_refused(train):
    with pytest.raises(ValueError, match="vocab_size 255 is too small: the 256 bytes"):
        train("abc", 255)


@pytest.mark.parametrize("train", [train_bpe, recount_bpe])
def test_an_empty_text_is_refused(train):
    with pytest.raises(ValueError, match="nothing to learn from an empty text"):
        train("", 300)


@pytest.mark.parametrize("train", [train_bpe, recount_bpe])
@pytest.mark.parametrize("text", [["a", "b"], b"ab", None])
def test_something_else_than_one_string_is_refused(train, text):
    with pytest.raises(TypeError, match=f"one string, not {type(text).__name__}"):
        train(text, 300)


# -- equal to the libraries ------------------------------------------------------------


def library_name(data):
    """One private character per byte, in the order of the bytes."""
    return "".join(chr(0x4E00 + byte) for byte in data)


def library_trained(text, vocab_size, pattern=None):
    """What ``tokenizers`` learns from the same chunks: its merges as ids, and it."""
    tokenizer = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=[library_name([byte]) for byte in range(256)],
        special_tokens=[],
        min_frequency=0,
        show_progress=False,
    )
    chunks = [library_name(to_bytes(chunk)) for chunk in split_text(text, pattern)]
    tokenizer.train_from_iterator(chunks, trainer)
    vocabulary = tokenizer.get_vocab()
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [(vocabulary[left], vocabulary[right]) for left, right in merges], tokenizer


def test_training_learns_what_the_library_learns_from_the_news(news, trained):
    merges, _ = library_trained(news["train"], 256 + 700)
    assert merges == list(trained.merges)


@short
@given(tied_text, st.sampled_from([None, r"\S+|\s+"]))
def test_training_learns_what_the_library_learns_among_many_ties(text, pattern):
    merges, _ = library_trained(text, 256 + 20, pattern)
    assert merges == list(train_bpe(text, 256 + 20, pattern).merges)


def test_encoding_gives_the_ids_of_the_library(news, trained):
    _, tokenizer = library_trained(news["train"], 256 + 700)
    for chunk in set(split_text(news["test"])):
        expected = tokenizer.encode(library_name(to_bytes(chunk))).ids
        assert trained.encode(chunk) == expected


def test_tiktoken_reads_our_vocabulary_and_gives_our_ids(news, trained):
    ranks = {piece: i for i, piece in trained.vocabulary.items()}
    assert len(ranks) == len(trained)
    library = tiktoken.Encoding(
        "course", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={}
    )
    assert trained.encode(news["test"]) == library.encode(news["test"])


@steady
@given(text=st.text(max_size=60))
def test_tiktoken_agrees_on_any_text(trained, text):
    library = tiktoken.Encoding(
        "course",
        pat_str=PATTERN,
        mergeable_ranks={piece: i for i, piece in trained.vocabulary.items()},
        special_tokens={},
    )
    assert trained.encode(text) == library.encode(text)


# -- WordPiece -------------------------------------------------------------------------

PIECES = set("low lo a ##est ##e ##s ##st ##w ##a ##aa [UNK]".split())


@pytest.mark.parametrize(
    "word, expected",
    [
        ("low", ["low"]),
        ("lowest", ["low", "##est"]),
        ("lowes", ["low", "##e", "##s"]),
        ("aaaa", ["a", "##aa", "##a"]),
        ("", []),
    ],
)
def test_the_longest_piece_is_cut_off_first(word, expected):
    assert wordpiece(word, PIECES) == expected


@pytest.mark.parametrize("word", ["x", "lowx", "xlow", "est", "lo★w"])
def test_a_rest_that_fits_no_piece_loses_the_whole_word(word):
    assert wordpiece(word, PIECES) == ["[UNK]"]


def test_the_unknown_piece_may_have_another_name():
    assert wordpiece("x", PIECES, unknown="<unk>") == ["<unk>"]


def test_a_word_of_more_than_a_hundred_characters_is_unknown():
    assert wordpiece("a" * 100, PIECES) != ["[UNK]"]
    assert wordpiece("a" * 101, PIECES) == ["[UNK]"]
    assert wordpiece("aaa", PIECES, max_characters=2) == ["[UNK]"]


@steady
@given(
    st.sets(st.text("abc", min_size=1, max_size=3), max_size=12),
    st.sets(st.text("abc", min_size=1, max_size=3), max_size=12),
    st.lists(st.text("abcd", max_size=12), min_size=1, max_size=20),
    st.integers(1, 12),
)
def test_any_word_is_cut_as_by_the_library(first, later, words, limit):
    vocabulary = ["[UNK]", *sorted(first), *("##" + piece for piece in sorted(later))]
    library = models.WordPiece(
        {piece: i for i, piece in enumerate(vocabulary)},
        unk_token="[UNK]",
        max_input_chars_per_word=limit,
    )
    for word in filter(None, words):
        expected = [token.value for token in library.tokenize(word)]
        assert wordpiece(word, set(vocabulary), max_characters=limit) == expected


def test_every_word_of_the_news_is_cut_as_by_the_real_tokenizer(vocabularies, news):
    fast = assets.tokenizer().backend_tokenizer
    vocabulary = fast.get_vocab()
    for text in news.values():
        clean = fast.normalizer.normalize_str(text)
        words = [word for word, _ in fast.pre_tokenizer.pre_tokenize_str(clean)]
        assert len(words) > 10_000
        ours = [piece for word in words for piece in wordpiece(word, vocabulary)]
        assert ours == vocabularies["wordpiece"].pieces(text)


@pytest.mark.parametrize(
    "word", ["oomkilled", "x" * 100, "x" * 101, "日本", "🎉", "##est", "e\u0301"]
)
def test_an_awkward_word_is_cut_as_by_the_model_of_the_real_tokenizer(word):
    fast = assets.tokenizer().backend_tokenizer
    expected = [token.value for token in fast.model.tokenize(word)]
    assert wordpiece(word, fast.get_vocab()) == expected


# -- audit of a vocabulary -------------------------------------------------------------


def test_terms_are_audited_worst_first(vocabularies):
    table = audit_terms(["pod", "OOMKilled", "etcd"], vocabularies["wordpiece"])
    assert list(table.columns) == [
        *("term", "pieces", "tokens", "characters_per_token", "unknown"),
    ]
    assert list(table["term"]) == ["OOMKilled", "etcd", "pod"]
    assert list(table["pieces"]) == ["o·om·kill·ed", "etc·d", "pod"]
    assert list(table["tokens"]) == [4, 2, 1]
    assert list(table["characters_per_token"]) == [2.25, 2.0, 3.0]
    assert list(table.index) == [0, 1, 2]


def test_terms_that_cost_the_same_keep_their_order(vocabularies):
    terms = ["zebra", "apple", "mango"]
    table = audit_terms(terms, vocabularies["wordpiece"])
    assert set(table["tokens"]) == {1} and list(table["term"]) == terms


def test_a_term_that_the_model_cannot_see_is_marked(vocabularies):
    table = audit_terms(["ok 🎉", "ok"], vocabularies["wordpiece"])
    assert dict(zip(table["term"], table["unknown"], strict=True)) == {
        "ok 🎉": True,
        "ok": False,
    }


def test_a_byte_level_vocabulary_knows_every_term(vocabularies):
    assert not audit_terms(["🎉", "[UNK]", "\ud800"], vocabularies["cl100k"])[
        "unknown"
    ].any()


@pytest.mark.parametrize("name", ["cl100k", "o200k", "tekken"])
def test_the_pieces_of_an_audit_lose_no_character(vocabularies, name):
    table = audit_terms(["## Symptom", "a##b", "####"], vocabularies[name])
    for row in table.itertuples():
        assert row.pieces.replace("·", "") == row.term


def test_an_empty_term_costs_nothing(vocabularies):
    table = audit_terms([""], vocabularies["wordpiece"])
    assert (table["tokens"][0], table["characters_per_token"][0]) == (0, 0.0)


def test_terms_may_come_from_a_generator(vocabularies):
    assert len(audit_terms((t for t in "ab"), vocabularies["wordpiece"])) == 2


def test_a_single_string_is_no_list_of_terms(vocabularies):
    with pytest.raises(TypeError, match=r"pass a list of terms: .*\['pod'\]"):
        audit_terms("pod", vocabularies["wordpiece"])


def test_an_audit_of_nothing_is_refused(vocabularies):
    with pytest.raises(ValueError, match="there are no terms to audit"):
        audit_terms([], vocabularies["wordpiece"])


# -- truncation ------------------------------------------------------------------------

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # three people, one character
FLAG, ACCENT, SYLLABLE = "\U0001f1f5\U0001f1f9", "e\u0301", "क्षि"
OTHERS = ("\r\n", "crème ", "unhappily ", "日本", "a" * 30)
reader_text = st.lists(
    st.one_of(
        st.sampled_from((FAMILY, FLAG, ACCENT, SYLLABLE, *OTHERS)), st.text(max_size=4)
    ),
    max_size=8,
).map("".join)


def graphemes(text):
    return regex.findall(r"\X", text)


def slow_truncate(text, limit, vocabulary):
    """The definition: try every beginning, the longest first."""
    characters = graphemes(text)
    for end in range(len(characters), 0, -1):
        beginning = "".join(characters[:end])
        if len(vocabulary.encode(beginning)) <= limit:
            return beginning
    return ""


@each_vocabulary
@short
@given(text=reader_text, limit=st.integers(0, 8))
def test_truncation_keeps_the_longest_beginning_that_fits(
    vocabularies, name, text, limit
):
    vocabulary = vocabularies[name]
    assert truncate(text, limit, vocabulary) == slow_truncate(text, limit, vocabulary)


@each_vocabulary
@short
@given(text=st.one_of(any_text, reader_text), limit=st.integers(0, 12))
def test_truncation_keeps_the_limit_and_cuts_no_character(
    vocabularies, name, text, limit
):
    vocabulary = vocabularies[name]
    kept = truncate(text, limit, vocabulary)
    assert text.startswith(kept)
    assert len(vocabulary.encode(kept)) <= limit
    assert graphemes(text)[: len(graphemes(kept))] == graphemes(kept)


@each_vocabulary
def test_truncation_holds_on_a_real_page(vocabularies, name):
    vocabulary, page = vocabularies[name], corpora.load_runbooks()[0].text
    kept = truncate(page, 100, vocabulary)
    assert page.startswith(kept)
    assert 95 <= len(vocabulary.encode(kept)) <= 100


@each_vocabulary
@pytest.mark.parametrize("character", [FAMILY, FLAG, SYLLABLE])
def test_a_character_of_many_tokens_is_kept_whole_or_not_at_all(
    vocabularies, name, character
):
    vocabulary, text = vocabularies[name], f"so {character}"
    kept = {truncate(text, limit, vocabulary) for limit in range(20)}
    assert kept <= {"", "so", "so ", text}
    assert text in kept


def test_a_longer_beginning_is_kept_when_it_needs_fewer_tokens(vocabularies):
    """A word of 101 letters is one unknown piece, each shorter beginning is many."""
    text = "a" * 101 + " b c d"
    kept = truncate(text, 2, vocabularies["wordpiece"])
    assert kept.rstrip() == "a" * 101 + " b"


@each_vocabulary
def test_a_text_that_fits_is_returned_as_it_is(vocabularies, name):
    vocabulary, text = vocabularies[name], "The cat sat.  \n"
    assert truncate(text, len(vocabulary.encode(text)), vocabulary) == text


@each_vocabulary
def test_no_tokens_keep_no_text(vocabularies, name):
    assert truncate("cat", 0, vocabularies[name]) == ""
    assert truncate("", 0, vocabularies[name]) == ""


def test_a_negative_limit_is_refused(vocabularies):
    with pytest.raises(ValueError, match="limit must not be negative, got -1"):
        truncate("cat", -1, vocabularies["wordpiece"])


def test_truncation_takes_a_vocabulary_of_our_own(trained):
    assert truncate("lowest", 3, BPE({})) == "low"
    assert trained.encode(truncate("The minister said", 2, trained))


# -- pages of the web ------------------------------------------------------------------


@pytest.mark.parametrize(
    "page, text",
    {
        "<p>un<b>believ</b>able</p>": "unbelievable",
        "<i>a<b>b<u>c<em>d</em></u></b></i>e": "abcde",
        "<p>one</p><p>two</p>": "one\ntwo",
        "<div>a<div>b</div>c</div>": "a\nb\nc",
        "one<br>two<br/>three": "one\ntwo\nthree",
        "<h1>Title</h1>text": "Title\ntext",
        "<ul><li>a</li><li>b</li></ul>": "a\nb",
        "<ul>\n  <li>a\n  <li>b\n</ul>": "a\nb",
        "<p>  many \n\t blanks&nbsp;&nbsp;here </p>": "many blanks here",
        "<a href='#'>Home</a><a href='#'>Help</a>": "Home Help",
        "<p>a <!-- not this --> b</p>": "a b",
        "<!DOCTYPE html><html><head><title>T</title></head><body>b</body></html>": "b",
        "<?php echo 1 ?><p>a</p>": "a",
        "": "",
        "   \n ": "",
        "no markup at all": "no markup at all",
    }.items(),
)
def test_a_page_reads_as_a_reader_sees_it(page, text):
    assert html_to_text(page) == text


@pytest.mark.parametrize(
    "page, text",
    {
        "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>": "a b\nc",
        "<table>\n <tr>\n  <td>a</td>\n  <td>b</td>\n </tr>\n</table>": "a b",
        "<table><tr><th>Name</th><th>Age</th></tr></table>": "Name Age",
        "<table><tr><th>Name</th><td>Ann</td></tr></table>": "Name Ann",
        "<table><caption>Prices</caption><tr><td>1</td></tr></table>": "Prices\n1",
    }.items(),
)
def test_the_cells_of_a_table_stay_apart(page, text):
    assert html_to_text(page) == text


@pytest.mark.parametrize(
    "page, text",
    {
        "<details><summary>More</summary>inside</details>": "More\ninside",
        "<select><option>red</option><option>blue</option></select>": "red\nblue",
        "<button>OK</button><button>Cancel</button>": "OK Cancel",
        "<fieldset><legend>Size</legend>large</fieldset>": "Size\nlarge",
    }.items(),
)
def test_words_that_a_browser_sets_apart_do_not_grow_together(page, text):
    assert html_to_text(page).split() == text.split()


@pytest.mark.parametrize(
    "page, text",
    {
        "a &amp; b": "a & b",
        "&lt;b&gt; &quot;x&quot;": '<b> "x"',
        "caf&eacute; &#233; &#xe9;": "café é é",
        "&#x1F600;": "😀",
        "1 &lt 2": "1 < 2",
        "AT&T": "AT&T",
    }.items(),
)
def test_entities_become_characters(page, text):
    assert html_to_text(page) == text


@pytest.mark.parametrize(
    "tag", ["script", "style", "noscript", "template", "svg", "iframe", "canvas"]
)
def test_what_no_reader_sees_is_dropped(tag):
    assert html_to_text(f"a<{tag}>hidden</{tag}>b") == "ab"
    assert html_to_text(f"<p>a</p><{tag.upper()} x='1'>hidden</{tag.upper()}>") == "a"


def test_a_script_that_prints_markup_is_dropped_whole():
    page = "<script>document.write('<p>not this</p>')</script><p>this</p>"
    assert html_to_text(page) == "this"


def test_a_comment_with_markup_in_it_is_dropped_whole():
    assert html_to_text("a<!-- <p>x</p> <script> -->b") == "ab"


def test_preformatted_text_keeps_its_lines_and_its_indentation():
    page = "<p>see</p><pre>if x:\n    y  = 1\n</pre><p>end</p>"
    assert html_to_text(page) == "see\nif x:\n    y  = 1\nend"


def test_preformatted_text_keeps_indentation_by_tabs():
    lines = html_to_text("<pre>all:\n\tmake test\n</pre>").split("\n")
    assert lines[0] == "all:"
    assert lines[1].lstrip() == "make test" != lines[1]


def test_code_inside_a_line_flows_with_the_line():
    assert html_to_text("<p>run <code>make  test</code> now</p>") == "run make test now"


@pytest.mark.parametrize(
    "page, words",
    {
        "<p>a<p>b": "a b",
        "<div>a</span></i>b": "ab",
        "<b>a<i>b</b>c</i>": "abc",
        "<li>a<li>b<p>c": "a b c",
        "a < b and c > d": "a < b and c > d",
        "<![if IE]>a<![endif]>": "a",
        "<unknown-tag>a</unknown-tag>": "a",
    }.items(),
)
def test_malformed_html_is_read_as_far_as_it_can_be(page, words):
    assert html_to_text(page).split() == words.split()


@steady
@given(st.text("<>/!-[]&;=\"' \nabpscrit", max_size=40))
def test_no_page_is_refused(page):
    lines = html_to_text(page).split("\n")
    assert lines == [""] or all(line.strip() for line in lines)


@pytest.mark.parametrize("tag", ["div", "b"])
def test_thousands_of_nested_tags_are_no_problem(tag):
    depth = 5_000
    assert html_to_text(f"<{tag}>" * depth + "deep" + f"</{tag}>" * depth) == "deep"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "page, text",
    {
        "https://example.com/page": "https://example.com/page",
        "notes.txt": "notes.txt",
        "<?xml version='1.0'?><html><body>a</body></html>": "a",
    }.items(),
)
def test_no_page_leaves_a_warning_in_the_notebook(page, text):
    assert html_to_text(page) == text


@pytest.mark.parametrize("page", [b"<p>a</p>", None, 7])
def test_only_a_string_is_a_page(page):
    with pytest.raises(TypeError, match=f"takes a string, not {type(page).__name__}"):
        html_to_text(page)


@pytest.mark.parametrize("page", ["application", "notice", "product"])
def test_the_pages_of_the_course_leave_no_markup(page):
    html = corpora.data_file(f"pages/{page}.html").read_text("utf-8")
    text = html_to_text(html)
    assert len(text.split()) >= 20
    assert not regex.search(r"</?\w+[^>]*>|\{\s*\w+:|&\w+;|function ?\(", text)


# -- one spelling ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    {
        "cafe\u0301": "café",
        "5\u00a0mg": "5 mg",
        "zero\u200bwidth": "zerowidth",
        "\ufeffstart": "start",
        "Ärger": "Ärger",
        "A\u030angstrom": "Ångstrom",
        "ﬁ": "ﬁ",
        "👨\u200d👩\u200d👧": "👨\u200d👩\u200d👧",
        "": "",
    }.items(),
    ids=ascii,
)
def test_texts_that_look_the_same_get_one_spelling(text, expected):
    assert normalise(text) == expected


def test_an_accent_behind_a_zero_width_space_is_composed():
    assert normalise("e\u200b\u0301") == "é"


@steady
@given(
    st.one_of(any_text, st.text("eo\u0301\u0308\u200b\ufeff\u00a0\u200d", max_size=8))
)
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


def test_one_huge_chunk_is_learnt_as_the_clear_way_does_and_no_slower():
    """A text that no pattern cuts: every merge would read the whole of it."""
    text = " ".join(a.text for a in corpora.load_news("test")[:60])
    seconds = {}
    for train in (bpe.recount_bpe, bpe.train_bpe):
        begun = time.process_time()
        merges = train(text, 256 + 60, pattern=r"(?s).+").merges
        seconds[train] = time.process_time() - begun, list(merges.items())
    (slow, right), (fast, mine) = seconds.values()
    assert mine == right
    assert fast < slow
