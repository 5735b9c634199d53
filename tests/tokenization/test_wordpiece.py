"""WordPiece learnt: by hand on five words, and what the library really trains."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, trainers

from course_utils import assets, corpora
from course_utils.tokenization import (
    Learnt,
    count_words,
    join,
    letters,
    pair_scores,
    train_wordpiece,
    wordpiece,
)

CORPUS = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
some_words = st.dictionaries(
    st.text("abc", min_size=1, max_size=6), st.integers(1, 9), min_size=1, max_size=12
)
short = settings(derandomize=True, deadline=None, max_examples=60)


def library_trained(words, vocab_size):
    """The pieces of ``WordPieceTrainer`` in the order of their ids, and the letters."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size + 1, special_tokens=["[UNK]"], show_progress=False
    )
    tokenizer.train_from_iterator(Counter(words).elements(), trainer)
    ids = tokenizer.get_vocab()
    pieces = sorted(ids, key=ids.get)[1:]
    return pieces, [p for p in pieces if len(p.removeprefix("##")) == 1]


@pytest.fixture(scope="module")
def words():
    news = "\n".join(article.text for article in corpora.load_news("train")[:120])
    return count_words(news, assets.tokenizer().backend_tokenizer)


@pytest.mark.parametrize(
    "word, expected", [("", []), ("h", ["h"]), ("hug", ["h", "##u", "##g"])]
)
def test_a_word_begins_as_its_letters(word, expected):
    assert letters(word) == expected


@given(st.text("ab#", min_size=1, max_size=6))
def test_joined_letters_spell_the_word(word):
    spelt, *rest = letters(word)
    for piece in rest:
        spelt = join(spelt, piece)
    assert spelt == word


def test_the_score_is_the_count_over_the_counts_of_the_halves():
    scores = pair_scores((letters(word), times) for word, times in CORPUS.items())
    assert scores["##g", "##s"] == Fraction(5, 20 * 5)
    assert scores["##u", "##g"] == Fraction(20, 36 * 20)
    assert max(scores, key=scores.get) == ("##g", "##s")


def test_a_pair_counts_each_time_it_stands_in_a_word():
    assert pair_scores([(["a", "##a", "##a"], 3)]) == {
        ("a", "##a"): Fraction(3, 3 * 6),
        ("##a", "##a"): Fraction(3, 6 * 6),
    }


def test_the_third_merge_of_the_five_words_is_hu_and_gs():
    merges = train_wordpiece(CORPUS, vocab_size=10).merges
    assert merges == [("##g", "##s"), ("h", "##u"), ("hu", "##gs")]
    cuts = {"hug": ["hu", "##g"], "hugs": ["hu", "##gs"]}
    scores = pair_scores((cut, CORPUS[word]) for word, cut in cuts.items())
    assert scores["hu", "##gs"] == Fraction(5, 15 * 5) == Fraction(1, 15)
    # in the whole text ##g also stands in pug: 15 times
    cuts["pug"] = ["p", "##u", "##g"]
    scores = pair_scores((cut, CORPUS[word]) for word, cut in cuts.items())
    assert scores["hu", "##g"] == Fraction(2, 45) < scores["hu", "##gs"]


def recounted(words, vocab_size, by):
    """The definition: count everything anew after each merge."""
    cuts = {word: letters(word) for word in words}
    born = list(dict.fromkeys(p for cut in cuts.values() for p in cut))
    merges = []
    while len(born) < vocab_size:
        weighted = [(cut, words[word]) for word, cut in cuts.items()]
        values = pair_scores(weighted)
        if by == "count":
            values = Counter()
            for cut, times in weighted:
                for pair in zip(cut, cut[1:], strict=False):
                    values[pair] += times
        if not values:
            break
        best = min(
            values, key=lambda pair: (-values[pair], *(born.index(p) for p in pair))
        )
        merges.append(best)
        if join(*best) not in born:
            born.append(join(*best))
        for word, cut in cuts.items():
            new, i = [], 0
            while i < len(cut):
                hit = tuple(cut[i : i + 2]) == best
                new.append(join(*best) if hit else cut[i])
                i += 2 if hit else 1
            cuts[word] = new
    return Learnt(born, merges)


@short
@given(some_words, st.sampled_from(["score", "count"]))
def test_training_learns_what_counting_again_learns(words, by):
    assert train_wordpiece(words, 20, by) == recounted(words, 20, by)


def test_training_learns_what_counting_again_learns_on_real_words(words):
    some = dict(list(words.items())[:60])
    for by in ("score", "count"):
        assert train_wordpiece(some, 70, by) == recounted(some, 70, by)


def test_the_library_trains_by_count_piece_for_piece(words):
    pieces, alphabet = library_trained(words, 300)
    assert train_wordpiece(words, 300, "count", alphabet).pieces == pieces
    assert train_wordpiece(words, 300, "score", alphabet).pieces != pieces


@short
@given(some_words)
def test_the_library_trains_by_count_among_many_ties(words):
    pieces, alphabet = library_trained(words, 25)
    assert train_wordpiece(words, 25, "count", alphabet).pieces == pieces


@short
@given(some_words)
def test_every_learnt_word_can_be_cut_and_replayed(words):
    learnt = train_wordpiece(words, 20)
    for word in words:
        for cut in (wordpiece(word, set(learnt.pieces)), learnt.replay(word)):
            assert "".join(piece.removeprefix("##") for piece in cut) == word
            assert set(cut) <= set(learnt.pieces)


def test_merges_are_replayed_in_their_order():
    learnt = Learnt([], [("##b", "##c"), ("a", "##b")])
    assert learnt.replay("abc") == ["a", "##bc"]
    assert learnt.replay("ab") == ["ab"]
    assert learnt.replay("") == []


def test_training_ends_when_every_word_is_one_piece():
    assert train_wordpiece({"ab": 1}, 99).pieces == ["a", "##b", "ab"]


def test_nothing_and_an_unknown_measure_are_refused():
    with pytest.raises(ValueError, match="no words"):
        train_wordpiece({}, 10)
    with pytest.raises(ValueError, match="'score' or 'count', not 'luck'"):
        train_wordpiece(CORPUS, 10, by="luck")


def test_words_are_counted_as_the_first_two_stages_leave_them():
    counts = count_words("Café, CAFE!", assets.tokenizer().backend_tokenizer)
    assert counts == {"cafe": 2, ",": 1, "!": 1}
