"""From an id to a row: by hand, by property, and against the libraries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import util
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional

from course_utils import assets, corpora
from course_utils.lookup import (
    CANARY,
    PHRASES,
    TRAITS,
    WordTable,
    analogy,
    assert_tokenizer_matches,
    canary_ids,
    kept_neighbours,
    minilm_words,
    nearest,
    one_hot,
    rows,
    skip_gram_loss,
    skip_gram_pairs,
    small_world,
    softmax_loss,
    train_skip_gram,
    trait_questions,
    untrained_rows,
)

steady = settings(derandomize=True, deadline=None, max_examples=60)
tokens = st.lists(st.integers(0, 4), max_size=12)


def random_tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def table():
    return assets.weights()["embeddings.word_embeddings.weight"]


@pytest.fixture
def compass():
    """Five words in a plane, of different lengths."""
    vectors = np.array([[1, 0], [3, 4], [0, 0.5], [-2, 0], [0, -1]], dtype=float)
    return WordTable(["east", "north-east", "north", "west", "south"], vectors)


# -- rows ------------------------------------------------------------------------------


@steady
@given(st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_one_hot_times_matrix_gather_and_library_are_the_same_to_the_last_bit(ids):
    matrix, ids = random_tensor(7, 5), torch.tensor(ids)
    read = rows(matrix, ids)
    assert torch.equal(one_hot(ids, 7) @ matrix, read)
    assert torch.equal(torch.stack([matrix[i] for i in ids.tolist()]), read)
    assert torch.equal(functional.embedding(ids, matrix), read)


def test_ids_may_have_any_shape():
    matrix = random_tensor(7, 5)
    assert rows(matrix, torch.zeros(2, 3, dtype=torch.long)).shape == (2, 3, 5)
    assert rows(matrix, torch.tensor([], dtype=torch.long)).shape == (0, 5)
    assert one_hot(torch.tensor([[1], [2]]), 4).shape == (2, 1, 4)
    assert rows(matrix, torch.tensor(3, dtype=torch.int32)).shape == (5,)


def test_one_hot_of_the_whole_vocabulary_needs_no_square_matrix():
    assert one_hot(torch.tensor([30_521]), 30_522).sum() == 1


def test_only_rows_that_are_read_get_a_gradient():
    matrix = random_tensor(6, 4).requires_grad_()
    rows(matrix, torch.tensor([4, 1, 4])).sum().backward()
    assert matrix.grad.any(dim=1).nonzero().flatten().tolist() == [1, 4]
    assert torch.equal(matrix.grad[4], torch.full((4,), 2.0))


@pytest.mark.parametrize("wrong", [-1, 6, 10**9])
def test_an_id_outside_the_table_is_named(wrong):
    with pytest.raises(ValueError, match=rf"id {wrong} is not in a table of 6 rows"):
        rows(torch.zeros(6, 2), torch.tensor([0, wrong]))
    with pytest.raises(ValueError, match="0 to 5"):
        one_hot(torch.tensor([wrong]), 6)


def test_ids_that_are_no_whole_numbers_are_refused():
    with pytest.raises(ValueError, match="whole numbers, got torch.float32"):
        rows(torch.zeros(6, 2), torch.tensor([1.0]))
    with pytest.raises(ValueError, match="torch.bool"):
        rows(torch.zeros(6, 2), torch.tensor([True]))
    with pytest.raises(TypeError, match="must be a tensor, got list"):
        rows(torch.zeros(6, 2), [1, 2])


# -- words and neighbours --------------------------------------------------------------


def test_directions_have_length_one_and_words_know_their_row(compass):
    assert np.allclose(np.linalg.norm(compass.directions, axis=1), 1)
    assert compass["west"].tolist() == [-2, 0]


def test_an_unknown_word_is_named(compass):
    with pytest.raises(KeyError, match="'up' is not one of the 5 words"):
        compass["up"]
    with pytest.raises(KeyError, match="'up'"):
        analogy("east", "north", "up", table=compass, k=1)


@pytest.mark.parametrize(
    "words, vectors, message",
    [
        (["a"], np.zeros((2, 3)), "1 words, 2 rows"),
        (["a", "a"], np.zeros((2, 3)), "'a' is there twice"),
        (["a", "b"], np.zeros(2), r"must be \(words, dim\), got shape \(2,\)"),
        (["a", "b"], np.array([[1, 2], [np.nan, 0]]), "NaN or infinity"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(words, vectors, message):
    with pytest.raises(ValueError, match=message):
        WordTable(words, vectors)


def test_the_nearest_by_hand(compass):
    found = nearest(np.array([2.0, 2.0]), compass, k=3)
    assert [word for word, _ in found] == ["north-east", "east", "north"]
    assert found[0][1] == pytest.approx(7 / (5 * 2**0.5))


def test_length_plays_no_part_in_who_is_nearest(compass):
    vector = np.array([0.3, 1.0])
    words = [word for word, _ in nearest(vector, compass)]
    assert words == [word for word, _ in nearest(1000 * vector, compass)]


def test_equal_cosines_keep_the_order_of_the_table():
    twins = WordTable(["b", "a", "c"], np.array([[1.0, 0], [2, 0], [3, 0]]))
    assert [word for word, _ in nearest(np.array([1.0, 0]), twins, 3)] == [*"bac"]


def test_words_can_be_left_out_and_unknown_ones_among_them_are_harmless(compass):
    found = nearest(compass["east"], compass, k=1, exclude=["east", "nowhere"])
    assert found[0][0] == "north-east"


def test_the_library_finds_the_same_neighbours():
    words = minilm_words()
    for word in ("king", "good", "server", "monday"):
        hits = util.semantic_search(
            torch.tensor(words[word])[None], torch.tensor(words.vectors), top_k=8
        )[0]
        expected = [(words.words[hit["corpus_id"]], hit["score"]) for hit in hits]
        found = nearest(words[word], k=8)
        assert [w for w, _ in found] == [w for w, _ in expected]
        assert np.allclose([s for _, s in found], [s for _, s in expected], atol=1e-6)


@pytest.mark.parametrize("k", [0, -1, 5])
def test_k_must_fit_what_is_left(compass, k):
    with pytest.raises(ValueError, match=f"k must be 1 to 4, got {k}"):
        nearest(compass["east"], compass, k, exclude=["east"])


@pytest.mark.parametrize(
    "vector, message",
    [
        (np.zeros(2), "points nowhere"),
        (np.array([np.nan, 1]), "points nowhere"),
        (np.array([np.inf, 1]), "points nowhere"),
        (np.ones(3), r"shape \(3,\), the table has dim 2"),
        (np.ones((1, 2)), r"shape \(1, 2\)"),
    ],
)
def test_a_vector_without_direction_or_of_another_dim_is_refused(
    compass, vector, message
):
    with pytest.raises(ValueError, match=message):
        nearest(vector, compass, 1)


def test_minilms_words_are_whole_words_with_their_own_rows(table):
    words = minilm_words()
    ids = assets.tokenizer().get_vocab()
    assert all(word.isalpha() and len(word) > 1 for word in words.words)
    for word in ("the", "cat", "server"):
        assert np.array_equal(words[word], table[ids[word]].numpy())


# -- analogies -------------------------------------------------------------------------


def traits(words):
    """A table in which each word is the sum of its traits' directions."""
    axes = {"male": 0, "female": 1, "royal": 2, "common": 3, "fruit": 4}
    vectors = np.zeros((len(words), 5))
    for row, own in enumerate(words.values()):
        vectors[row, [axes[trait] for trait in own.split()]] = 1
    return WordTable(list(words), vectors)


def test_the_analogy_by_hand():
    people = traits(
        {"man": "male common", "woman": "female common", "king": "male royal",
         "queen": "female royal", "apple": "fruit"}
    )  # fmt: skip
    assert analogy("man", "king", "woman", k=1, table=people)[0][0] == "queen"
    assert analogy("king", "man", "queen", k=1, table=people)[0][0] == "woman"


def test_the_inputs_are_barred_only_when_asked():
    barred = {word for word, _ in analogy("man", "king", "woman", k=50)}
    assert not barred & {"man", "king", "woman"}
    assert analogy("man", "king", "woman", exclude_inputs=False, k=1)[0][0] == "king"


def test_on_real_analogies_the_rule_makes_the_score():
    """What notebook 02 shows: most of the fame hangs on barring the inputs."""
    sample = corpora.load_analogies(["capital", "plural_regular", "superlative"])[::4]
    right = {
        rule: np.mean([analogy(q.a, q.b, q.c, rule, k=1)[0][0] == q.d for q in sample])
        for rule in (True, False)
    }
    assert right[True] > 0.4
    assert right[False] < 0.1


# -- pictures and untrained rows -------------------------------------------------------


@steady
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_kept_neighbours_equals_a_search_by_the_library(seed, k):
    draw = np.random.default_rng(seed)
    truth, picture = draw.normal(size=(9, 5)), draw.normal(size=(9, 2))
    found = [
        NearestNeighbors(n_neighbors=k, metric=metric).fit(data).kneighbors()[1]
        for data, metric in ((truth, "cosine"), (picture, "euclidean"))
    ]
    expected = [len({*a} & {*b}) for a, b in zip(*found, strict=True)]
    assert kept_neighbours(truth, picture, k).tolist() == expected


def test_a_faithful_picture_keeps_everything_and_moving_it_changes_nothing():
    angles = np.linspace(0, 3, 8) ** 1.3
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    assert (kept_neighbours(circle, circle, 3) == 3).all()
    assert (kept_neighbours(circle, 5 - 2 * circle, 3) == 3).all()


@pytest.mark.parametrize("k", [0, 4])
def test_a_word_has_at_most_all_others_as_neighbours(k):
    with pytest.raises(ValueError, match=f"k must be 1 to 3, got {k}"):
        kept_neighbours(np.eye(4), np.eye(4)[:, :2], k)


def test_a_picture_of_another_number_of_words_is_refused():
    with pytest.raises(ValueError, match=r"vectors \(4, 4\) and points \(3, 2\)"):
        kept_neighbours(np.eye(4), np.zeros((3, 2)), 1)


def test_one_odd_row_does_not_decide_what_is_untrained():
    lengths = np.array([0.1] * 30 + [0.9] + [0.1, 0.5, 1.0, 2.0])
    found = untrained_rows(lengths[:, None], known=range(31))
    assert found == [31]
    assert untrained_rows(lengths[:, None], range(31), share=1.0) == [31, 32]


def test_the_short_rows_of_minilm_include_pieces_that_no_text_contains(table):
    ids = assets.tokenizer().get_vocab()
    unused = [i for piece, i in ids.items() if piece.startswith("[unused")]
    found = set(untrained_rows(table.numpy(), unused))
    assert {ids["##戦"], ids["##犬"], ids["##。"]} <= found
    assert not found & {ids[word] for word in ("the", "cat", "server", "##ing")}
    assert not found & set(unused)


@pytest.mark.parametrize(
    "known, share, message",
    [
        ([], 0.95, "name at least one row"),
        ([5], 0.95, "known rows must be 0 to 4"),
        ([-1], 0.95, "known rows must be 0 to 4"),
        ([0], 0.0, "share must be above 0"),
        ([0], 1.5, "at most 1"),
    ],
)
def test_untrained_rows_asks_for_a_usable_reference(known, share, message):
    with pytest.raises(ValueError, match=message):
        untrained_rows(np.ones((5, 2)), known, share)


# -- skip-gram -------------------------------------------------------------------------


@steady
@given(tokens, st.integers(1, 4))
def test_pairs_are_symmetric_and_none_is_missing(tokens, window):
    pairs = skip_gram_pairs(tokens, window)
    assert sorted(pairs) == sorted((b, a) for a, b in pairs)
    n = len(tokens)
    assert len(pairs) == 2 * sum(max(0, n - step) for step in range(1, window + 1))


def test_a_word_can_be_its_own_neighbour():
    assert skip_gram_pairs([4, 4], 1) == [(4, 4), (4, 4)]


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        skip_gram_pairs([1, 2], 0)


def test_the_loss_is_binary_cross_entropy_over_true_and_drawn_words():
    centre, context = random_tensor(9, 4), random_tensor(9, 4, seed=1)
    centres, contexts = torch.tensor([2, 5]), torch.tensor([3, 3])
    wrong = torch.tensor([[0, 1, 8], [4, 4, 7]])
    seen = torch.cat([contexts[:, None], wrong], dim=1)  # (2, 4)
    scores = (context[seen] * centre[centres][:, None]).sum(dim=-1)
    labels = torch.tensor([[1.0, 0, 0, 0]] * 2)
    expected = functional.binary_cross_entropy_with_logits(
        scores, labels, reduction="sum"
    )
    loss = skip_gram_loss(centre, context, centres, contexts, wrong)
    assert loss == pytest.approx(expected.item() / 2)


def moved(loss):
    tables = [random_tensor(20, 4, seed=s).requires_grad_() for s in (0, 1)]
    loss(*tables, torch.tensor([3]), torch.tensor([7])).backward()
    return [table.grad.any(dim=1).nonzero().flatten().tolist() for table in tables]


def test_negative_sampling_moves_few_rows_and_the_softmax_moves_all_of_one_side():
    drawn = torch.tensor([[10, 11, 12]])
    assert moved(lambda *a: skip_gram_loss(*a, drawn)) == [[3], [7, 10, 11, 12]]
    assert moved(softmax_loss) == [[3], list(range(20))]


SETTINGS = {"dim": 16, "epochs": 30, "learning_rate": 0.2}


def test_company_makes_neighbours_that_never_met():
    world = small_world()
    assert not any({"cat", "dog"} <= set(sentence) for sentence in world)
    learnt = train_skip_gram(world, **SETTINGS)
    pets = {word for word, traits in TRAITS.items() if traits == "pet"}
    for pet in pets:
        found = nearest(learnt[pet], learnt, 3, exclude=[pet])
        assert {word for word, _ in found} == pets - {pet}


@pytest.mark.parametrize("seed", [0, 1])
def test_in_a_world_of_traits_the_arithmetic_needs_no_rule(seed):
    learnt = train_skip_gram(small_world(), **SETTINGS, seed=seed)
    for a, b, c, d in trait_questions():
        assert analogy(a, b, c, False, k=1, table=learnt)[0][0] == d


def test_the_same_seed_gives_the_same_table_and_another_one_does_not():
    world = small_world()[:10]
    first, second = (train_skip_gram(world, epochs=2, seed=3) for _ in range(2))
    assert np.array_equal(first.vectors, second.vectors)
    other = train_skip_gram(world, epochs=2, seed=4)
    assert not np.allclose(first.vectors, other.vectors)


@pytest.mark.parametrize(
    "sentences, options, message",
    [
        ([], {}, "at least two different words"),
        ([["a", "a", "a"]], {}, "at least two different words"),
        ([["a"], ["b"]], {}, "no word has a neighbour"),
        ([["a", "b"]], {"dim": 0}, "must be at least 1"),
        ([["a", "b"]], {"negatives": 0}, "must be at least 1"),
        ([["a", "b"]], {"window": 0}, "window must be at least 1"),
    ],
)
def test_skip_gram_says_what_it_needs(sentences, options, message):
    with pytest.raises(ValueError, match=message):
        train_skip_gram(sentences, **options)


def test_the_small_world_says_what_its_traits_say():
    world = {" ".join(sentence) for sentence in small_world()}
    assert {"the queen wears a crown", "the boy plays outside"} <= world
    assert "italy exports wine" in world
    assert "the man wears a crown" not in world
    assert len(world) == sum(
        len(PHRASES[trait]) for own in TRAITS.values() for trait in own.split()
    )


def test_each_question_of_the_small_world_changes_one_trait_in_both_halves():
    for a, b, c, d in trait_questions():
        before, after, other, expected = (set(TRAITS[w].split()) for w in (a, b, c, d))
        assert len(before - after) == 1 and len({a, b, c, d}) >= 3
        assert (other - before) == (expected - after)
        assert before - after == other - expected


# -- the right tokenizer ---------------------------------------------------------------


class Model:
    """A model as far as the check is concerned: the piece of each row."""

    def __init__(self):
        path = assets.folder(assets.MINILM) / "vocab.txt"
        self.vocabulary = path.read_text(encoding="utf-8").splitlines()


class Patient:
    """The real tokenizer with something done to it."""

    def __init__(self, encode=None, vocab=None):
        real = assets.tokenizer()
        self.encode = encode or (lambda text: real(text)["input_ids"])
        self.vocab = real.get_vocab() if vocab is None else vocab

    def get_vocab(self):
        return self.vocab

    def __call__(self, text):
        return {"input_ids": self.encode(text)}


@pytest.fixture(scope="module")
def model():
    return Model()


def test_the_models_own_tokenizer_is_accepted(model):
    assert_tokenizer_matches(model, assets.tokenizer())
    assert_tokenizer_matches(model, Patient())


def test_the_canary_by_our_own_code_equals_the_library(model):
    assert canary_ids(model.vocabulary) == assets.tokenizer()(CANARY)["input_ids"]


@pytest.mark.parametrize("shift", [1, -1])
def test_ids_off_by_one_are_caught(model, shift):
    real = assets.tokenizer()
    patient = Patient(lambda text: [i + shift for i in real(text)["input_ids"]])
    with pytest.raises(ValueError, match="canary sentence differs at token 0"):
        assert_tokenizer_matches(model, patient)


@pytest.mark.parametrize(
    "option", [{"lowercase": False}, {"strip_accents": False}], ids=str
)
def test_another_normalisation_is_caught(model, option):
    import json

    from tokenizers import Tokenizer
    from tokenizers.normalizers import BertNormalizer

    backend = assets.tokenizer().backend_tokenizer.to_str()
    changed = Tokenizer.from_str(json.dumps(json.loads(backend)))
    changed.no_padding()
    changed.normalizer = BertNormalizer(**{"lowercase": True, **option})
    patient = Patient(lambda text: changed.encode(text).ids)
    with pytest.raises(ValueError, match="look at lower-casing, accents"):
        assert_tokenizer_matches(model, patient)


def test_missing_special_tokens_are_caught(model):
    real = assets.tokenizer()
    patient = Patient(lambda text: real.encode(text, add_special_tokens=False))
    with pytest.raises(ValueError, match="canary sentence differs at token 0"):
        assert_tokenizer_matches(model, patient)


def test_two_exchanged_rows_are_caught_though_the_canary_sings(model):
    vocab = assets.tokenizer().get_vocab()
    swapped = vocab | {"cat": vocab["dog"], "dog": vocab["cat"]}
    with pytest.raises(ValueError, match="row 3899 of the table is 'dog'"):
        assert_tokenizer_matches(model, Patient(vocab=swapped))


def test_another_size_is_caught_before_anything_else(model):
    vocab = {str(i): i for i in range(100)}
    with pytest.raises(ValueError, match="100 pieces, the table 30,522 rows"):
        assert_tokenizer_matches(model, Patient(vocab=vocab))


def test_a_table_of_another_family_is_named():
    with pytest.raises(ValueError, match=r"no row for \[CLS\]"):
        canary_ids(["<s>", "</s>", "the"])
