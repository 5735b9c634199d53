"""MiniLM, assembled from our five modules, is all-MiniLM-L6-v2."""

import inspect
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import assets, corpora, encoder, pooling
from course_utils.encoder import Change, MiniLM, TruncationWarning, batches, pad

SENTENCES = corpora.load_sentences()
AWKWARD = {
    "empty": "",
    "white space": " \n\t\u3000\u00a0",
    "one letter": "a",
    "ten thousand words": "word " * 10_000,
    "one endless word": "ab" * 5_000,
    "emoji": "🎉💀👨‍👩‍👧‍👦🏳️‍🌈 👍🏽",
    "nothing known": "🎉 🦑 𓀀",
    "special tokens as text": "[CLS] a [SEP] b [PAD] c [MASK] [UNK] ##d",
    "control characters": "a\x00b\x07\x1b[31m\x7f\u202e\u200b\ufeffc",
    "accents, both ways": "déjà vu, de\u0301ja\u0300 vu, Zürich, ﬁancé, ﬀ",
    "digits and code": "x[1_000:] -= 3.14e-9; // ∑ ≤ ½ ² №",
    "exactly the limit": "cat " * 254,
    "one over the limit": "cat " * 255,
}
LANGUAGES = {
    "Afrikaans": "Die kat slaap op die mat.",
    "Amharic": "ድመቷ ምንጣፉ ላይ ተኝታለች።",
    "Arabic": "القطة نائمة على السجادة.",
    "Armenian": "Կատուն քնած է գորգի վրա։",
    "Bengali": "বিড়ালটি মাদুরের উপর ঘুমাচ্ছে।",
    "Bulgarian": "Котката спи на килима.",
    "Burmese": "ကြောင်က ဖျာပေါ်မှာ အိပ်နေတယ်။",
    "Cherokee": "ᏪᏌ ᎦᎵᎭ.",
    "Chinese": "猫在垫子上睡觉。",
    "Czech": "Kočka spí na koberci.",
    "Danish": "Katten sover på måtten.",
    "Dutch": "De kat slaapt op de mat.",
    "English": "The cat sleeps on the mat.",
    "Estonian": "Kass magab vaibal.",
    "Finnish": "Kissa nukkuu matolla.",
    "French": "Le chat dort sur le tapis, à côté du cœur.",
    "Georgian": "კატას ხალიჩაზე სძინავს.",
    "German": "Die Katze schläft süß auf der Fußmatte.",
    "Greek": "Η γάτα κοιμάται πάνω στο χαλί.",
    "Gujarati": "બિલાડી સાદડી પર સૂતી છે.",
    "Hebrew": "הֶחָתוּל ישן על השטיח.",
    "Hindi": "बिल्ली चटाई पर सो रही है।",
    "Icelandic": "Kötturinn sefur á mottunni, þökk sé því.",
    "Inuktitut": "ᐳᓯ ᓯᓂᒃᐳᖅ.",
    "Italian": "Il gatto dorme sul tappeto: perché no?",
    "Japanese": "猫がマットの上で寝ています。",
    "Kannada": "ಬೆಕ್ಕು ಚಾಪೆಯ ಮೇಲೆ ಮಲಗಿದೆ.",
    "Khmer": "ឆ្មាកំពុងដេកលើកន្ទេល។",
    "Korean": "고양이가 매트 위에서 자고 있다.",
    "Lao": "ແມວນອນຢູ່ເທິງເສື່ອ.",
    "Malayalam": "പൂച്ച പായയിൽ ഉറങ്ങുന്നു.",
    "Mongolian": "Муур дэвсгэр дээр унтаж байна. ᠮᠤᠤᠷ",
    "Polish": "Kot śpi na wycieraczce, zażółć gęślą jaźń.",
    "Russian": "Кошка спит на коврике, ёлки.",
    "Sinhala": "පූසා පැදුර උඩ නිදාගෙන.",
    "Tamil": "பூனை பாயில் தூங்குகிறது.",
    "Telugu": "పిల్లి చాప మీద పడుకుంది.",
    "Thai": "แมวนอนอยู่บนเสื่อ",
    "Tibetan": "ཞི་མི་གདན་ཐོག་ཉལ།",
    "Turkish": "Kedi paspasın üstünde uyuyor, İstanbul ılık.",
    "Ukrainian": "Кішка спить на килимку, їжак поруч.",
    "Vietnamese": "Con mèo đang ngủ trên tấm thảm.",
}
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.fixture(scope="module")
def model():
    return MiniLM.load()


@pytest.fixture(scope="module")
def library():
    return assets.sentence_transformer()


@pytest.fixture(scope="module")
def transformer(library):
    """The library's BERT, with every hidden layer and attention to be read."""
    return library[0].auto_model


def encode(model, texts, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncationWarning)
        return model.encode(texts, **options)


def furthest(ours, theirs):
    return float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())


# -- equal to the library --------------------------------------------------------------


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD)
def test_an_awkward_text_gets_the_librarys_vector(model, library, text):
    assert furthest(encode(model, [text]), library.encode([text])) <= 1e-5


def test_forty_languages_get_the_librarys_vectors(model, library):
    texts = list(LANGUAGES.values())
    assert len(texts) >= 40
    assert furthest(encode(model, texts), library.encode(texts)) <= 1e-5


def test_a_batch_of_mixed_length_gets_the_librarys_vectors_in_order(model, library):
    news = [article.text for article in corpora.load_news("test")[:40]]
    pages = [page.text for page in corpora.load_runbooks()[:4]]
    texts = [*news[:20], *AWKWARD.values(), *pages, *news[20:], "", "ok"]
    assert furthest(encode(model, texts), library.encode(texts)) <= 1e-5


def test_the_unnormalised_vectors_are_the_mean_pools_of_the_library(model, library):
    texts = list(SENTENCES.values())
    features = library.preprocess(texts)
    with torch.inference_mode():
        theirs = library[1](library[0](features))["sentence_embedding"].numpy()
    assert furthest(model.encode(texts, normalize=False), theirs) <= 1e-5


@settings(derandomize=True, deadline=None, max_examples=40)
@given(texts=st.lists(anything, min_size=1, max_size=4))
def test_any_text_gets_the_librarys_vector(texts):
    ours, theirs = MiniLM.load(), assets.sentence_transformer()
    assert furthest(encode(ours, texts), theirs.encode(texts)) <= 1e-5


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc80 café"])
def test_a_lone_surrogate_is_read_as_the_replacement_character(model, library, text):
    with pytest.raises(TypeError):  # the library has no answer to compare with
        library.encode([text])
    repaired = assets.encodable(text)
    assert "\ufffd" in repaired
    assert furthest(model.encode([text]), library.encode([repaired])) <= 1e-5


@pytest.mark.parametrize("key", SENTENCES)
def test_every_layer_and_every_attention_equals_transformers(model, transformer, key):
    trace = model.trace(SENTENCES[key])
    kind = transformer.config._attn_implementation
    transformer.set_attn_implementation("eager")  # the fused kernel keeps no weights
    try:
        with torch.inference_mode():
            theirs = transformer(
                trace.ids[None], output_hidden_states=True, output_attentions=True
            )
    finally:
        transformer.set_attn_implementation(kind)
    for ours, layer in zip(trace.hidden, theirs.hidden_states, strict=True):
        assert furthest(ours, layer[0]) <= 1e-4
    for ours, layer in zip(trace.attention, theirs.attentions, strict=True):
        assert furthest(ours, layer[0]) <= 1e-5


def test_every_layer_equals_transformers_at_the_real_tokens_of_a_batch(
    model, transformer
):
    ids, mask = pad(model.tokenize([*SENTENCES.values(), "a", "cat " * 200]))
    ours, _ = model.hidden_states(ids, mask)
    with torch.inference_mode():
        theirs = transformer(ids, mask, output_hidden_states=True).hidden_states
    real = mask.bool()
    for here, there in zip(ours, theirs, strict=True):
        assert furthest(here[real], there[real]) <= 1e-4


def test_ids_are_the_librarys_after_cutting(model, library):
    for text in (*AWKWARD.values(), *LANGUAGES.values()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TruncationWarning)
            ours = model.tokenize([text])[0]
        assert ours == library.preprocess([text])["input_ids"][0].tolist()


# -- batches ---------------------------------------------------------------------------


@settings(derandomize=True, deadline=None, max_examples=15)
@given(
    texts=st.lists(anything, min_size=2, max_size=8),
    size=st.integers(1, 9),
    data=st.data(),
)
def test_a_vector_does_not_depend_on_its_neighbours(texts, size, data):
    model = MiniLM.load()
    alone = np.concatenate([model.encode([text]) for text in texts])
    order = data.draw(st.permutations(range(len(texts))))
    together = model.encode([texts[i] for i in order], batch_size=size)
    assert furthest(together, alone[list(order)]) <= 1e-5


def test_a_long_neighbour_changes_nothing(model):
    texts = [*SENTENCES.values(), "cat " * 250]
    alone = np.concatenate([model.encode([text]) for text in texts])
    for size in (1, 2, 3, 64):
        assert furthest(model.encode(texts, batch_size=size), alone) <= 1e-5


@settings(derandomize=True, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 256), max_size=60),
    size=st.none() | st.integers(1, 70),
    budget=st.none() | st.integers(1, 2000),
)
def test_batches_hold_every_text_once_and_keep_within_their_bounds(
    lengths, size, budget
):
    made = list(batches(lengths, size, budget))
    numbers = [i for batch in made for i in batch]
    assert sorted(numbers) == list(range(len(lengths)))
    assert [lengths[i] for i in numbers] == sorted(lengths, reverse=True)
    if size is None and budget is None:
        budget = 512
    for batch in made:
        assert size is None or len(batch) <= size
        within = budget is None or len(batch) * lengths[batch[0]] <= budget
        assert len(batch) == 1 or within


def test_a_batch_size_alone_is_kept_exactly():
    assert list(map(len, batches([200] * 10, batch_size=4))) == [4, 4, 2]


def test_a_few_texts_are_several_batches_and_many_fill_theirs():
    assert len(list(batches([100] * 4))) == 4
    assert len(list(batches([5] * 8))) == 1
    assert {len(batch) * 16 for batch in batches([16] * 320)} == {512}


@pytest.mark.parametrize("number", [1, 7, 40])
def test_texts_are_read_in_their_order_whatever_the_batches(model, number):
    found = [[101, *range(2000, 2000 + (i * 7) % 30), 102] for i in range(number)]
    sizes = model.read(found, lambda last, mask: mask.sum(dim=1).tolist())
    assert sizes == list(map(len, found))


def test_a_text_without_a_single_id_is_refused(model):
    with pytest.raises(ValueError, match="all padding"):
        model.read([[101, 102], []], lambda last, mask: mask)


def test_the_threads_change_nothing_about_a_list(model):
    """Not the last bit: a batch is computed on one thread, however many there are."""
    texts = [article.text for article in corpora.load_news("train")[:24]]
    before = torch.get_num_threads()
    try:
        made = []
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            made.append(model.encode(texts))
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(made[0], made[1]) and np.array_equal(made[0], made[2])


def test_pad_fills_up_on_the_right():
    ids, mask = pad([[5], [6, 7, 8]], pad_id=9)
    assert ids.tolist() == [[5, 9, 9], [6, 7, 8]]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1]]


def test_no_text_gives_no_vector(model):
    assert model.encode([]).shape == (0, 384)


def test_any_iterable_of_strings_is_a_list_of_texts(model):
    texts = ["one", "two words", "three more words"]
    wanted = model.encode(texts)
    for given_as in (tuple(texts), iter(texts), np.array(texts)):
        assert np.array_equal(model.encode(given_as), wanted)


def test_vectors_are_float32_of_length_one_unless_told_otherwise(model):
    texts = list(SENTENCES.values())
    vectors, raw = model.encode(texts), model.encode(texts, normalize=False)
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    assert vectors.dtype == raw.dtype == np.float32
    assert furthest(np.linalg.norm(vectors, axis=1), 1.0) <= 1e-6
    assert (lengths > 2).all()
    assert furthest(raw / lengths, vectors) <= 1e-6


# -- long texts ------------------------------------------------------------------------


def test_texts_that_are_cut_are_counted_in_one_warning(model):
    texts = ["cat " * 254, "cat " * 255, "short", "dog " * 999]
    with pytest.warns(TruncationWarning, match="more than 256 tokens: 2 of 4") as seen:
        model.encode(texts)
    assert len(seen) == 1
    line = inspect.currentframe().f_lineno - 2
    assert (seen[0].filename, seen[0].lineno) == (__file__, line)


def test_a_trace_warns_as_well(model):
    with pytest.warns(TruncationWarning, match="1 of 1"):
        trace = model.trace("cat " * 300)
    assert len(trace.ids) == 256
    assert trace.tokens[-1] == "[SEP]"


def test_a_text_at_the_limit_is_read_in_silence(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.encode(["cat " * 254])


def test_what_lies_behind_the_limit_is_not_read(model):
    start = "cat " * 254
    texts = [start + "The bridge is closed.", start + "The bridge is open."]
    first, second = encode(model, texts)
    assert furthest(first, second) <= 1e-6


# -- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts, sentence",
    [
        ("one string", r"encode\(\[text\]\), not str"),
        (None, "not NoneType"),
        (3, "not int"),
        (["a", None], "text 1 is NoneType, not a string"),
        (["a", b"b"], "text 1 is bytes"),
        ([["a"]], "text 0 is list"),
        ([float("nan")], "text 0 is float"),
    ],
)
def test_what_is_not_a_list_of_strings_is_refused(model, texts, sentence):
    with pytest.raises(TypeError, match=sentence):
        model.encode(texts)


def test_a_trace_takes_one_string(model):
    with pytest.raises(TypeError, match="text 0 is list"):
        model.trace(["a list"])


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_holds_at_least_one_text(model, size):
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        model.encode(["a"], batch_size=size)


def test_ids_outside_the_table_are_refused(model):
    for wrong in (-1, 30_522):
        with pytest.raises(ValueError, match=f"id {wrong} is not in a table"):
            model.embed(torch.tensor([[101, wrong, 102]]))


def test_ids_that_are_no_whole_numbers_are_refused(model):
    with pytest.raises(ValueError, match="whole numbers"):
        model.embed(torch.tensor([[101.0, 102.0]]))


def test_more_tokens_than_positions_are_refused(model):
    model.embed(torch.full((1, 512), 101))
    with pytest.raises(ValueError, match="513 tokens, but the position table has 512"):
        model.embed(torch.full((1, 513), 101))


def test_ids_must_be_a_batch(model):
    with pytest.raises(ValueError, match=r"ids must be \(batch, tokens\), got \(2,\)"):
        model.hidden_states(torch.tensor([101, 102]), torch.tensor([1, 1]))


def test_a_mask_of_another_shape_is_refused(model):
    with pytest.raises(ValueError, match=r"ids has shape \(2, 5\) but mask has \(2, 6"):
        model.hidden_states(torch.full((2, 5), 101), torch.ones(2, 6))


def test_a_row_of_padding_is_refused(model):
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match="row 1 is all padding"):
        model.hidden_states(torch.full((2, 3), 101), mask)


def test_weights_that_are_not_finite_give_no_vector():
    weights = dict(assets.weights())
    name = "embeddings.position_embeddings.weight"
    weights[name] = weights[name].clone()
    weights[name][1] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        MiniLM(weights, assets.config()).encode(["a"])


# -- experiments -----------------------------------------------------------------------


def cosine(model, a, b, change):
    one, other = model.encode([a, b], change=change)
    return float(one @ other)


def test_no_change_is_no_change(model):
    texts = list(SENTENCES.values())
    assert np.array_equal(model.encode(texts), model.encode(texts, change=Change()))


def test_without_positions_a_sentence_is_a_bag(model):
    swap = "dog bites man", "man bites dog"
    bag = Change(positions=encoder.zero_positions)
    assert cosine(model, *swap, bag) == pytest.approx(1.0, abs=1e-5)
    assert cosine(model, *swap, Change()) < 0.95


def test_offset_zero_is_the_model_and_another_offset_is_not(model):
    text = ["The cat sat on the mat."]
    plain = model.encode(text)
    same = model.encode(text, change=Change(positions=encoder.offset_positions(0)))
    moved = model.encode(text, change=Change(positions=encoder.offset_positions(300)))
    assert furthest(plain, same) <= 1e-6
    assert furthest(plain, moved) > 0.01


def test_an_offset_beyond_the_table_is_refused(model):
    change = Change(positions=encoder.offset_positions(510))
    with pytest.raises(ValueError, match="id 513 is not in a table of 512 rows"):
        model.encode(["one two"], change=change)


def test_an_ablated_head_hands_over_nothing(model):
    """Head 3 of layer 2 off is the same as its columns of the output matrix zeroed."""
    ids, mask = pad(model.tokenize(["The cat sat.", "A dog."]))
    change = Change(ablate={2: [3]})
    hidden, _ = model.hidden_states(ids, mask, change)
    plain, _ = model.hidden_states(ids, mask)
    assert all(torch.equal(hidden[i], plain[i]) for i in range(3))
    weights = dict(assets.weights())
    name = "encoder.layer.2.attention.output.dense.weight"
    weights[name] = weights[name].clone()
    weights[name][:, 3 * 32 : 4 * 32] = 0.0
    expected, _ = MiniLM(weights, assets.config()).hidden_states(ids, mask)
    assert furthest(hidden[3], expected[3]) <= 1e-5
    assert furthest(hidden[3], plain[3]) > 0.01


def test_a_layer_or_head_that_does_not_exist_is_refused(model):
    with pytest.raises(ValueError, match="layer 6 is none of 0 to 5"):
        model.encode(["a"], change=Change(ablate={6: [0]}))
    with pytest.raises(ValueError, match="head 12 is none of 0 to 11"):
        model.encode(["a"], change=Change(ablate={0: [12]}))


def test_forgetting_the_mask_makes_neighbours_matter(model):
    texts = ["The cat sat.", "cat " * 100]
    forgot = Change(attend=encoder.forget_mask)
    alone = model.encode(texts[:1], change=forgot)
    assert furthest(alone, model.encode(texts[:1])) <= 1e-6
    together = model.encode(texts, batch_size=2, change=forgot)
    assert furthest(alone, together[:1]) > 0.01


def test_attention_can_be_cut_for_each_query(model):
    """With each token seeing itself only, every weight is on the diagonal."""
    alone = Change(attend=lambda ids, mask: torch.eye(ids.shape[1])[None])
    trace = model.trace("The cat sat.", alone)
    eye = torch.eye(len(trace.ids)).expand_as(trace.attention)
    assert torch.equal(trace.attention, eye)


def test_hiding_every_key_is_refused(model):
    change = Change(attend=lambda ids, mask: torch.zeros_like(mask))
    with pytest.raises(ValueError, match="no key"):
        model.encode(["a"], change=change)


@pytest.mark.parametrize("name", pooling.POOLINGS)
def test_another_pooling_pools_the_last_layer(model, name):
    pool = pooling.POOLINGS[name]
    text = "The cat sat on the mat."
    hidden = model.trace(text).hidden[-1:]
    wanted = pooling.normalize(pool(hidden, torch.ones(1, hidden.shape[1])))
    got = model.encode([text, "a " * 50], change=Change(pool=pool))[:1]
    assert furthest(got, wanted) <= 1e-5


# -- the trace -------------------------------------------------------------------------


def test_a_trace_holds_every_stage_by_name(model):
    trace = model.trace("The cat sat.")
    assert trace.text == "The cat sat."
    assert trace.tokens == ["[CLS]", "the", "cat", "sat", ".", "[SEP]"]
    assert trace.ids.tolist() == [101, 1996, 4937, 2938, 1012, 102]
    shapes = {
        name: tuple(getattr(trace, name).shape)
        for name in ("rows", "with_positions", "hidden", "attention", "pooled")
    }
    assert shapes == {
        "rows": (6, 384),
        "with_positions": (6, 384),
        "hidden": (7, 6, 384),
        "attention": (6, 12, 6, 6),
        "pooled": (384,),
    }
    assert trace.vector.shape == (384,)


def test_the_stages_of_a_trace_follow_from_each_other(model):
    trace = model.trace(SENTENCES["nasty"])
    tokens = len(trace.ids)
    assert torch.equal(trace.rows, model.words[trace.ids])
    assert torch.equal(trace.with_positions, trace.rows + model.positions[:tokens])
    entering = model.norm(trace.with_positions + model.type_row)
    assert furthest(trace.hidden[0], entering) <= 1e-6
    assert furthest(trace.attention.sum(dim=-1), torch.tensor(1.0)) <= 1e-5
    assert furthest(trace.pooled, trace.hidden[-1].mean(dim=0)) <= 1e-5
    assert furthest(trace.vector, trace.pooled / trace.pooled.norm()) <= 1e-6
    assert furthest(trace.vector, model.encode([trace.text])[0]) <= 1e-5


def test_a_trace_shows_a_change_of_positions(model):
    trace = model.trace("The cat sat.", Change(positions=encoder.zero_positions))
    assert torch.equal(trace.with_positions, trace.rows)


# -- identity --------------------------------------------------------------------------


def test_the_vocabulary_names_the_rows(model):
    vocabulary = model.vocabulary
    assert len(vocabulary) == len(model.words) == 30_522
    assert vocabulary == assets.tokenizer().convert_ids_to_tokens(range(30_522))


def test_the_fingerprint_changes_with_the_limit(model):
    other = MiniLM.load()
    assert other.fingerprint == model.fingerprint
    shorter = MiniLM.load()
    shorter.max_tokens = 128
    assert shorter.fingerprint != model.fingerprint


def changed_in_memory(model):
    """Written past torch, which counts changes: no counter notices it."""
    model.layers[5].feed_forward.narrow.bias.numpy()[0] += 0.5


def changed_eps(model):
    model.layers[0].attention_norm.eps = 1e-3


def changed_heads(model):
    model.layers[0].attention.heads = 6


def changed_words(model):
    model.words = model.words.roll(1, 0)


def fewer_layers(model):
    model.layers = model.layers[:3]


def moved_types(model):
    model.type_row = model.type_row * 2


def coarser(model):
    model.layers.bfloat16()


CHANGES = [changed_in_memory, changed_eps, changed_heads, changed_words, fewer_layers]
CHANGES += [moved_types, coarser]


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_with_all_that_changes_the_vectors(change):
    weights = {name: tensor.clone() for name, tensor in assets.weights().items()}
    mine = MiniLM(weights, assets.config())
    before = mine.fingerprint
    assert mine.fingerprint == before
    change(mine)
    assert mine.fingerprint != before


def test_two_models_have_two_fingerprints_and_neither_borrows_a_name(model):
    second = MiniLM(*assets.second_model())
    assert second.fingerprint.split(":")[0] == "MiniLM-L3"
    assert model.fingerprint.split(":")[0] == "MiniLM-L6"
    assert second.fingerprint == MiniLM(*assets.second_model()).fingerprint


@pytest.mark.parametrize("texts", ["disk full", b"disk", {"a": "disk"}, 7, [7]])
def test_only_a_list_of_strings_is_a_list_of_texts(texts):
    with pytest.raises(TypeError, match="list of texts|not a string"):
        encoder.listed(texts)


def test_nothing_asks_for_gradients_and_nothing_is_random(model):
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert np.array_equal(model.encode(["a cat"]), model.encode(["a cat"]))
