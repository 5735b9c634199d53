"""Unigram: against all cuts listed, and against the library on real words."""

import json
from collections import Counter
from math import exp, fsum, inf, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, trainers

from course_utils import assets, corpora
from course_utils.tokenization import (
    Unigram,
    count_words,
    expectation_step,
    maximisation_step,
    prune,
    removal_losses,
    seed_pieces,
    train_unigram,
)

CORPUS = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
short = settings(derandomize=True, deadline=None, max_examples=80)
scores = st.dictionaries(
    st.text("abc", min_size=1, max_size=4),
    st.floats(-12, -0.1),
    min_size=1,
    max_size=15,
)


@pytest.fixture(scope="module")
def words():
    news = "\n".join(article.text for article in corpora.load_news("train")[:120])
    return count_words(news, assets.tokenizer().backend_tokenizer)


def all_cuts(word, model):
    """Every way to cut a word, with its log probability."""
    if not word:
        return [([], 0.0)]
    found = []
    for end in range(1, len(word) + 1):
        score = model.scores.get(word[:end], model.unknown if end == 1 else None)
        if score is not None:
            for rest, total in all_cuts(word[end:], model):
                found.append(([word[:end], *rest], score + total))
    return found


def library_trained(words, size, rounds):
    tokenizer = Tokenizer(models.Unigram())
    trainer = trainers.UnigramTrainer(
        vocab_size=size,
        n_sub_iterations=rounds,
        unk_token="<unk>",
        special_tokens=["<unk>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(Counter(words).elements(), trainer)
    scored = json.loads(tokenizer.to_str())["model"]["vocab"]
    assert scored[0][0] == "<unk>"
    best_first = sorted(scored[1:], key=lambda p: (p[1], p[0]), reverse=True)
    return dict(best_first), tokenizer


@pytest.fixture(scope="module")
def seeds(words):
    return library_trained(words, 10**6, 0)[0]


# -- the cut ---------------------------------------------------------------------------


@short
@given(scores, st.text("abcd", max_size=8))
def test_no_cut_is_likelier_than_the_one_chosen(scores, word):
    model = Unigram(scores)
    cut = model.cut(word)
    assert "".join(cut) == word
    got = sum(scores.get(piece, model.unknown) for piece in cut)
    assert got == pytest.approx(max(total for _, total in all_cuts(word, model)))


def test_a_piece_that_is_forbidden_is_replaced_by_the_next_best():
    model = Unigram({"a": -2.0, "b": -2.0, "c": -2.0, "ab": -3.0, "abc": -4.0})
    assert model.cut("abc") == ["abc"]
    assert model.cut("abc", without="abc") == ["ab", "c"]


def test_an_unknown_character_stands_for_itself():
    assert Unigram({"a": -1.0}).cut("a★a") == ["a", "★", "a"]


def test_a_long_word_is_no_problem():
    model = Unigram({"a": -1.0, "aa": -1.5, "aaa": -2.6})
    assert model.cut("a" * 2_000) == ["aa"] * 1_000
    counts, total = model.expected("a" * 2_000)
    assert sum(len(p) * n for p, n in counts.items()) == pytest.approx(2_000)
    assert -1_500 < total < 0


def test_a_model_without_pieces_is_refused():
    with pytest.raises(ValueError, match="at least one piece"):
        Unigram({})


def test_every_word_of_the_news_is_cut_as_by_the_library(words):
    pieces, library = library_trained(words, 300, 2)
    model = Unigram(pieces)
    for word in words:
        assert model.cut(word) == library.encode(word).tokens


# -- expectation and maximisation ------------------------------------------------------


@short
@given(scores, st.text("abcd", min_size=1, max_size=7))
def test_expected_counts_are_those_of_all_cuts_by_their_shares(scores, word):
    model = Unigram(scores)
    cuts = all_cuts(word, model)
    total = fsum(exp(p) for _, p in cuts)
    by_hand = Counter()
    for cut, p in cuts:
        for piece in cut:
            by_hand[piece if piece in scores else "<unk>"] += exp(p) / total
    counts, log_total = model.expected(word)
    assert counts == pytest.approx(dict(by_hand), abs=1e-9)
    assert log_total == pytest.approx(log(total))


def test_the_text_weighs_each_word_by_its_count():
    model = Unigram({"a": -1.0, "b": -2.0})
    counts, likelihood = expectation_step(model, {"ab": 3, "b": 1})
    assert counts == pytest.approx({"a": 3, "b": 4})
    assert likelihood == pytest.approx((3 * -3.0 + -2.0) / 4)


def test_what_is_expected_less_than_half_a_time_goes():
    model = Unigram({"a": -1.0, "b": -1.0, "c": -1.0})
    kept = maximisation_step(model, {"a": 30.0, "b": 0.5, "c": 0.49}).scores
    assert list(kept) == ["a", "b"]
    assert kept["a"] > kept["b"]


def test_one_round_gives_the_scores_of_the_library(words, seeds):
    theirs, _ = library_trained(words, 10**6, 1)
    counts, _ = expectation_step(Unigram(seeds), words)
    mine = maximisation_step(Unigram(seeds), counts).scores
    assert {p: theirs[p] for p in mine} == pytest.approx(mine, abs=1e-8)
    # what ours drops, the library keeps only if it is a character
    assert all(len(piece) == 1 for piece in theirs.keys() - mine.keys())


# -- pruning ---------------------------------------------------------------------------


def test_a_loss_is_worked_by_hand():
    model = Unigram({"a": -2.0, "b": -2.0, "ab": -1.0})
    losses = removal_losses(model, {"ab": 3, "a": 1})
    # ab 3 times, a once; without it 4 a and 3 b of 7: 3/4 (log 3/4 - log 4/7 - log 3/7)
    by_hand = 3 / 4 * (log(3 / 4) - log(4 / 7) - log(3 / 7))
    assert losses["ab"] == pytest.approx(by_hand)
    assert losses["a"] == losses["b"] == inf


def test_a_piece_that_no_best_cut_uses_costs_nothing():
    model = Unigram({"a": -1.0, "b": -1.0, "ab": -9.0})
    assert "ab" not in removal_losses(model, {"ab": 3})
    assert list(prune(model, {"ab": 3}, size=3).scores) == ["a", "b"]


def test_characters_stay_even_if_there_is_no_room():
    model = Unigram({"a": -2.0, "b": -2.0, "ab": -1.0})
    assert set(prune(model, {"ab": 3}, size=1).scores) == {"a", "b"}


# -- training --------------------------------------------------------------------------


def test_the_seeds_are_all_characters_and_what_occurs_twice():
    seeds = seed_pieces({"ab": 1, "abc": 1, "x": 4})
    assert set(seeds) == {"a", "b", "c", "x", "ab"}
    total = 2 + 2 + 1 + 4 + 2 * 2
    assert seeds["ab"] == pytest.approx(log(4 / total))


def test_the_size_of_the_seeds_is_bounded_but_not_by_characters():
    assert set(seed_pieces({"abab": 2}, size=1)) == {"a", "b"}
    assert len(seed_pieces({"abab": 2}, size=3)) == 3
    assert max(map(len, seed_pieces({"abab": 2}, longest=2))) == 2


def test_training_gives_the_pieces_and_scores_of_the_library(words, seeds):
    theirs, _ = library_trained(words, 300, 2)
    mine = train_unigram(words, 300, seeds, like_library=True).scores
    assert mine == pytest.approx(theirs, abs=1e-8)


def test_counting_the_replacements_rightly_gives_others(words, seeds):
    theirs, _ = library_trained(words, 300, 2)
    mine = train_unigram(words, 300, seeds).scores
    assert len(mine) == len(theirs)
    assert 0 < len(mine.keys() - theirs.keys()) < 60


def test_training_needs_no_seeds(words):
    model = train_unigram(words, 200)
    assert len(model.scores) == 199  # and the unknown
    assert all("".join(model.cut(word)) == word for word in words)
    assert {c for word in words for c in word} <= model.scores.keys()


def test_no_words_and_no_room_are_refused():
    with pytest.raises(ValueError, match="too small: 7 characters"):
        train_unigram(CORPUS, 7)
    with pytest.raises(ValueError, match="no words"):
        seed_pieces({})
    with pytest.raises(ValueError, match="no words"):
        train_unigram({}, 10)
