"""The index: what it finds, what it refuses, how it survives the disk and threads."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import assets, corpora
from course_utils.encoder import MiniLM
from course_utils.search import (
    CachedEncoder,
    DamagedIndex,
    OtherEncoder,
    SearchIndex,
    SentenceTransformerEncoder,
    evaluate,
    reciprocal_rank_fusion,
    words,
)
from course_utils.search.adapters import llama_embedding
from tests.search.toy import Toy

PAGES = {
    "disk": "# Disk full FB-2107\n\nThe spool disk is full. Delete the old dump.",
    "lock": "# Stuck lock\n\nA state lock is stuck. Unlock it with force-unlock.",
    "pods": "# Pods restart\n\nThe pods were killed: FB-3321. Raise the memory limit.",
}


@pytest.fixture
def index():
    return SearchIndex.build(PAGES, Toy())


@pytest.fixture(scope="module")
def minilm():
    return CachedEncoder(MiniLM.load())


@pytest.fixture(scope="module")
def small(minilm):
    """A part of the handbook, with the real encoder."""
    return SearchIndex.build(corpora.load_runbooks()[:12], minilm, size=254)


def ids(hits):
    return [hit.document for hit in hits]


# -- finding ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_each_mode_finds_the_page_and_says_where(index, mode):
    best = index.search("the old dump on the spool disk", 2, mode)[0]
    assert best.document == "disk"
    assert best.text == PAGES["disk"][best.start : best.end]
    assert best.source == PAGES["disk"]


def test_dense_scores_are_the_cosines_of_a_plain_product(index):
    query = "a stuck disk"
    scores = index.vectors @ Toy().encode([query])[0]
    hits = index.search(query, 99, "dense", distinct=False)
    np.testing.assert_allclose(
        [h.score for h in hits], np.sort(scores)[::-1], rtol=1e-5
    )


def test_lexical_search_needs_a_word_in_common(index):
    assert index.search("etcd quorum", 5, "lexical") == []
    assert ids(index.search("killed", 5, "lexical")) == ["pods"]
    assert ids(index.search("FB-3321", 5, "lexical"))[0] == "pods"


def test_hybrid_is_the_fusion_of_the_other_two(index):
    query = "the pods fill the disk"
    both = [ids(index.search(query, 9, mode)) for mode in ("dense", "lexical")]
    fused = reciprocal_rank_fusion(both, constant=5)
    hits = index.search(query, 9, "hybrid", constant=5)
    assert [(h.document, h.score) for h in hits] == fused


def test_distinct_gives_the_best_passage_of_each_page():
    text = "The disk is full now. " * 30
    index = SearchIndex.build({"a": text, "b": "A disk."}, Toy(), size=16)
    assert ids(index.search("disk full", 5, "dense")) == ["a", "b"]
    every = index.search("disk full", 5, "dense", distinct=False)
    assert ids(every) == ["a"] * 5 and len({h.chunk for h in every}) == 5


def test_distinct_looks_as_far_down_as_it_must():
    """One long page must not crowd out the others, however many chunks it has."""
    long = "The disk is full of dumps today. " * 400
    pages = {"long": long} | {f"p{i}": f"Page {i} has no room." for i in range(6)}
    index = SearchIndex.build(pages, Toy(), size=8)
    assert len(index.search("the disk is full of dumps", 7, "dense")) == 7


def test_chunks_tile_every_document(index):
    for name, text in PAGES.items():
        pieces = [hit for hit in index.chunks if hit.document == name]
        assert "".join(piece.text for piece in pieces) == text
    assert len(index) == 3


def test_both_ends_are_normalised():
    """Accents in either spelling, zero-width and no-break spaces make no difference."""
    index = SearchIndex.build(
        {"a": "Cafe\u0301 at the\u00a0quay", "b": "Post\u200bgres is down"}, Toy()
    )
    for query, page in (("caf\u00e9", "a"), ("postgres", "b"), ("p\u200bostgres", "b")):
        for mode in ("dense", "lexical"):
            assert index.search(query, 1, mode)[0].document == page, (query, mode)


@pytest.mark.parametrize(
    "text, cut",
    [
        ("FB-2107!", ["fb-2107", "fb", "2107"]),
        ("10.0.0.1:80", ["10.0.0.1:80", "10", "0", "0", "1", "80"]),
        ("naïve Ärger", ["naïve", "ärger"]),
        ("שלום, עולם", ["שלום", "עולם"]),
        ("🎉 \u202e", []),
    ],
)
def test_words_keep_identifiers_whole_and_in_parts(text, cut):
    assert words(text) == cut


def test_codes_that_no_page_knows_are_named(index):
    assert index.unknown_codes("FB-2107 or fb-3321?") == []
    assert index.unknown_codes("FB-2177 and FB-2107") == ["fb-2177"]
    assert index.unknown_codes("UTF-8 on core-9") == [], "not a series of these pages"


# -- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, error, reason",
    [
        (("",), ValueError, "empty"),
        (("  \n",), ValueError, "empty"),
        (("\u200b\ufeff",), ValueError, "empty"),
        (("\x00\x01",), ValueError, "no word"),
        ((None,), TypeError, "NoneType"),
        ((b"disk",), TypeError, "bytes"),
        ((["disk"],), TypeError, "list"),
        (("disk", 0), ValueError, "at least 1"),
        (("disk", -3), ValueError, "at least 1"),
        (("disk", 2.5), TypeError, "whole number"),
        (("disk", True), TypeError, "whole number"),
        (("disk", 3, "fuzzy"), ValueError, "dense, lexical, hybrid"),
        (("word " * 300,), ValueError, "254 tokens"),
        (("x" * 1_000_000,), ValueError, "254 tokens"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(index, arguments, error, reason):
    with pytest.raises(error, match=reason):
        index.search(*arguments)


def test_a_megabyte_can_be_searched_by_words(index):
    assert ids(index.search("dump " * 200_000, 1, "lexical")) == ["disk"]


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_more_hits_than_there_are_pages_is_all_pages(index, mode):
    """faiss fills up with -1, and pages[-1] is a real page."""
    assert sorted(ids(index.search("disk", 99, mode))) == sorted(PAGES)
    assert len(index.search("disk", np.int64(99), mode, distinct=False)) == 3


def test_a_query_that_the_encoder_cannot_see_is_warned_about(index):
    with pytest.warns(UserWarning, match="no piece of the query"):
        index.search("🎉", 1, "dense")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index.search("🎉 disk", 1, "dense")


@pytest.mark.parametrize(
    "query",
    ["\u202edisk full\u202c", "שלום עולם", "مرحبا disk", "d\u200bisk", "\ud800 disk"]
    + [
        "<script>alert(1)</script>",
        "'; DROP TABLE pages; --",
        "%s %d {0}",
        "\\",
        "a" * 99,
    ],
)
@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_any_other_text_is_a_query_like_any_other(index, query, mode):
    assert all(hit.document in PAGES for hit in index.search(query, 3, mode))


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1, max_size=50), st.integers(1, 5))
def test_any_text_either_finds_pages_or_is_refused_with_a_sentence(query, k):
    index = SearchIndex.build(PAGES, Toy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            hits = index.search(query, k)
        except ValueError as refused:
            assert "query" in str(refused)
        else:
            assert len(hits) <= k and len(set(ids(hits))) == len(hits)


@pytest.mark.parametrize(
    "documents, error, reason",
    [
        ([], ValueError, "no documents"),
        ({}, ValueError, "no documents"),
        ("a page", TypeError, "mapping"),
        ({"a": b"bytes"}, TypeError, "decode"),
        ({"a": None}, TypeError, "NoneType"),
        ({7: "text"}, TypeError, "strings"),
        ({"a": ""}, ValueError, "'a' has nothing to read"),
        ({"a": " \n\t"}, ValueError, "nothing to read"),
        ({"a": "\x00\x01\x02"}, ValueError, "nothing to read"),
    ],
)
def test_documents_that_cannot_be_indexed_are_refused(documents, error, reason):
    with pytest.raises(error, match=reason):
        SearchIndex.build(documents, Toy())


def test_an_id_that_comes_twice_is_refused():
    pages = corpora.load_runbooks()[:1]
    with pytest.raises(ValueError, match="already"):
        SearchIndex.build(pages * 2, Toy())


@pytest.mark.parametrize(
    "text",
    ["x" * 1_000_000, "word " * 50_000, "日本語" * 1000, "\u202eשלום " * 500]
    + ["\x00\xff" * 5000 + "end", "a\u200b" * 5000, "\ud800 lone"],
    ids=["one word", "words", "Japanese", "right to left", "binary", "zero width"]
    + ["surrogate"],
)
def test_long_and_odd_documents_are_indexed_and_found(text):
    index = SearchIndex.build({"odd": text, "plain": "A plain page."}, Toy())
    assert index.search("plain", 1, "lexical")[0].document == "plain"
    # A word of more than 100 letters is one unknown piece: the passage has no vector.
    seen = "\u200b" not in text
    assert len(index.search("end", 9, "dense")) == 1 + seen


class Broken(Toy):
    """An encoder that gives what it should not."""

    def __init__(self, spoil):
        super().__init__()
        self.spoil = spoil

    def encode(self, texts):
        return self.spoil(super().encode(texts))


def with_nan(vectors):
    vectors[-1, 0] = np.nan
    return vectors


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (with_nan, "NaN"),
        (lambda v: v * 3, "length 3.000, not 1"),
        (lambda v: v * 0, "length 0.000"),
        (lambda v: v[:-1], "need 3 vectors"),
        (lambda v: v[0], "need 3 vectors"),
    ],
)
def test_an_encoder_that_gives_useless_vectors_is_refused(spoil, reason):
    with pytest.raises(ValueError, match=reason):
        SearchIndex.build(PAGES, Broken(spoil))


def test_chunks_that_the_encoder_would_cut_off_are_refused():
    with pytest.raises(ValueError, match="254 tokens that the model reads"):
        SearchIndex.build(PAGES, Toy(), size=300)
    short = Toy()
    short.max_tokens = 66
    with pytest.raises(ValueError, match="at most 64"):
        SearchIndex.build(PAGES, short)


# -- growing ---------------------------------------------------------------------------


def test_adding_is_the_same_as_building_at_once():
    names = list(PAGES)
    grown = SearchIndex.build({names[0]: PAGES[names[0]]}, Toy())
    grown.add({name: PAGES[name] for name in names[1:]})
    whole = SearchIndex.build(PAGES, Toy())
    np.testing.assert_array_equal(grown.vectors, whole.vectors)
    for mode in ("dense", "lexical", "hybrid"):
        assert grown.search("a stuck disk", 9, mode) == whole.search(
            "a stuck disk", 9, mode
        )


def test_adding_encodes_only_what_is_new(index):
    index.encoder.asked.clear()
    index.add({"new": "A new page."})
    assert index.encoder.asked == [["A new page."]]


def test_removing_is_the_same_as_never_adding_and_encodes_nothing(index):
    asked = len(index.encoder.asked)
    index.remove(["lock"])
    assert len(index.encoder.asked) == asked
    rest = {name: text for name, text in PAGES.items() if name != "lock"}
    other = SearchIndex.build(rest, Toy())
    assert index.documents == rest and index.chunks == other.chunks
    np.testing.assert_array_equal(index.vectors, other.vectors)
    for mode in ("dense", "lexical", "hybrid"):
        assert index.search("a stuck disk", 3, mode) == other.search(
            "a stuck disk", 3, mode
        )


@pytest.mark.parametrize(
    "names, error, reason",
    [
        (["disk", "gone"], KeyError, "no document 'gone'"),
        (list(PAGES), ValueError, "at least one document"),
        ("disk", TypeError, "pass a list"),
    ],
)
def test_a_removal_that_makes_no_sense_leaves_the_index_as_it_was(
    index, names, error, reason
):
    with pytest.raises(error, match=reason):
        index.remove(names)
    assert index.documents == PAGES


def test_notes_are_kept_beside_the_index(index, tmp_path):
    index.notes = {"read": ["ä"]}
    index.save(tmp_path / "index")
    assert SearchIndex.load(tmp_path / "index", Toy()).notes == index.notes


@pytest.mark.parametrize("more", [{"disk": "again"}, {"new": ""}, {}])
def test_a_failed_addition_leaves_the_index_as_it_was(index, more):
    before = index.vectors
    with pytest.raises(ValueError):
        index.add(more)
    np.testing.assert_array_equal(index.vectors, before)
    assert len(index) == 3


def test_an_encoder_that_has_changed_its_size_is_noticed(index):
    index.encoder = Toy(dimensions=32)
    with pytest.raises(ValueError, match="32 dimensions do not fit the 64"):
        index.search("disk", 1, "dense")


# -- threads ---------------------------------------------------------------------------


def test_many_threads_find_what_one_finds_while_pages_are_added(small):
    queries = [q.text for q in corpora.load_queries("dev")[:12]]
    alone = {q: small.search(q, 12, "dense", distinct=False)[0].score for q in queries}
    index = SearchIndex(small._state, MiniLM.load(), 254, 0)  # no cache: really encode
    problems = []

    def ask():
        for query in queries:
            try:
                hits = index.search(query, 3)
                assert len(set(ids(hits))) == 3
                best = index.search(query, 1, "dense")[0]
                assert best.score >= alone[query] - 1e-5
            except Exception as problem:
                problems.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for number in range(5):
        index.add({f"new{number}": f"Page number {number} about an office party."})
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(index) == 17


# -- on disk ---------------------------------------------------------------------------


@pytest.fixture
def folder(index, tmp_path):
    index.save(tmp_path / "index")
    return tmp_path / "index"


def test_what_is_saved_comes_back_the_same(index, folder):
    again = SearchIndex.load(folder, Toy())
    np.testing.assert_array_equal(again.vectors, index.vectors)
    assert again.chunks == index.chunks and again.documents == PAGES
    for mode in ("dense", "lexical", "hybrid"):
        assert again.search("stuck disk", 3, mode) == index.search(
            "stuck disk", 3, mode
        )
    again.add({"new": "A new page."})
    assert (again.size, again.overlap, len(again)) == (128, 0, 4)


def test_any_text_survives_the_disk(tmp_path):
    pages = {"odd": "\ud800 lone\r\n\x00 \u2028 \u202e שלום 👩‍💻", "ü/../": "x\ty"}
    SearchIndex.build(pages, Toy()).save(tmp_path / "index")
    pages["odd"] = pages["odd"].replace("\ud800", "\N{REPLACEMENT CHARACTER}")
    assert SearchIndex.load(tmp_path / "index", Toy()).documents == pages


def test_another_encoder_is_refused_with_both_names(folder):
    with pytest.raises(OtherEncoder, match="(?s)toy:1.*toy:2.*build it again"):
        SearchIndex.load(folder, Toy("toy:2"))


def file_of(folder, name):
    save = json.loads((folder / "manifest.json").read_text())["save"]
    return folder / save / name


@pytest.mark.parametrize("name", ["vectors.npy", "documents.jsonl"])
@pytest.mark.parametrize("cut", [0, 10, -1])
def test_a_truncated_file_is_refused(folder, name, cut):
    path = file_of(folder, name)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DamagedIndex, match=name):
        SearchIndex.load(folder, Toy())


@pytest.mark.parametrize("name", ["vectors.npy", "documents.jsonl"])
def test_a_flipped_bit_is_refused(folder, name):
    path = file_of(folder, name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedIndex, match="sha256"):
        SearchIndex.load(folder, Toy())


def test_files_of_two_indexes_do_not_pass_for_one(folder, tmp_path):
    """Every file intact, with its checksum, but from two different saves."""
    from course_utils.search import storage

    SearchIndex.build({"a": "One page."}, Toy()).save(tmp_path / "other")
    facts, mine = storage.read(folder, SearchIndex.KIND)
    _, theirs = storage.read(tmp_path / "other", SearchIndex.KIND)
    mixed = {**mine, "vectors.npy": theirs["vectors.npy"]}
    storage.write(folder, SearchIndex.KIND, facts, mixed)
    with pytest.raises(DamagedIndex, match="do not fit together"):
        SearchIndex.load(folder, Toy())


def test_vectors_are_never_unpickled(folder):
    import io

    from course_utils.search import storage

    facts, files = storage.read(folder, SearchIndex.KIND)
    evil = io.BytesIO()
    np.save(evil, np.array([print], dtype=object), allow_pickle=True)
    files["vectors.npy"] = evil.getvalue()
    storage.write(folder, SearchIndex.KIND, facts, files)
    with pytest.raises(DamagedIndex):
        SearchIndex.load(folder, Toy())


SAVER = """
import sys
from course_utils.search import SearchIndex
from tests.search.toy import Toy
pages = {f"{sys.argv[2]}{i}": f"Page {i} of {sys.argv[2]}. " * 40 for i in range(60)}
index = SearchIndex.build(pages, Toy())
print("ready", flush=True)
while True:
    index.save(sys.argv[1])
"""


def test_a_save_that_is_killed_leaves_an_old_index_whole(index, folder):
    for attempt in range(4):
        saver = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(folder), "new"],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        saver.stdout.readline()
        time.sleep(0.004 * attempt)
        saver.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        saver.wait()
        saver.stdout.close()
        found = SearchIndex.load(folder, Toy())
        assert len(found) in (3, 60)
        assert found.search("page disk", 1)


# -- encoders --------------------------------------------------------------------------


def test_the_real_model_finds_what_no_word_shares(small):
    assert small.search("accounting totals disagree", 3, "dense")
    hits = small.search("Elasticsearch refuses writes", 1, "dense")
    assert len(hits) == 1 and -1 <= hits[0].score <= 1


def test_the_cache_asks_for_a_text_once():
    toy = Toy()
    cached = CachedEncoder(toy, limit=3)
    first = cached.encode(["a", "b", "a"])
    np.testing.assert_array_equal(first, Toy().encode(["a", "b", "a"]))
    cached.encode(["b", "c"])
    assert toy.asked == [["a", "b"], ["c"]]
    cached.encode(["d", "e"])
    assert len(cached) == 3
    assert cached.encode([]).shape == (0, 64)
    assert (cached.fingerprint, cached.max_tokens) == ("toy:1", 256)


def other_pooling(model, mode):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling

    return SentenceTransformer(
        modules=[model[0], Pooling(384, mode), Normalize()], device="cpu"
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fingerprint_changes_with_weights_pooling_normalising_and_limit():
    import copy

    import torch

    model = assets.sentence_transformer()
    original = SentenceTransformerEncoder(model).fingerprint
    assert original == SentenceTransformerEncoder(copy.deepcopy(model)).fingerprint

    cls = other_pooling(model, "cls")
    raw = copy.deepcopy(model)
    raw.pop(len(raw) - 1) if hasattr(raw, "pop") else raw.__delitem__(len(raw) - 1)
    short = copy.deepcopy(model)
    short.max_seq_length = 128
    tuned = copy.deepcopy(model)
    with torch.no_grad():
        next(tuned.parameters())[0, 0] += 1e-3
    others = {
        SentenceTransformerEncoder(m).fingerprint for m in (cls, raw, short, tuned)
    }
    assert len(others | {original}) == 5


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_index_refuses_the_same_model_with_another_pooling(tmp_path):
    model = assets.sentence_transformer()
    mean = SentenceTransformerEncoder(model)
    SearchIndex.build(PAGES, mean).save(tmp_path / "index")
    assert SearchIndex.load(tmp_path / "index", mean).search("stuck", 1)
    cls = SentenceTransformerEncoder(other_pooling(model, "cls"))
    with pytest.raises(OtherEncoder, match=r"(?s)Pooling\(mean\).*Pooling\(cls\)"):
        SearchIndex.load(tmp_path / "index", cls)


def test_sentence_transformers_and_our_model_rank_alike(small):
    theirs = SearchIndex.build(
        small.documents,
        SentenceTransformerEncoder(assets.sentence_transformer()),
        size=254,
    )
    for query in corpora.load_queries("dev")[:10]:
        left, right = (i.search(query.text, 12, "dense") for i in (small, theirs))
        np.testing.assert_allclose(
            [h.score for h in left], [h.score for h in right], atol=1e-5
        )
        assert ids(left) == ids(right)


# -- a framework -----------------------------------------------------------------------


def test_llama_index_gives_the_same_ranking(small, minilm):
    from llama_index.core import VectorStoreIndex
    from llama_index.core.schema import TextNode

    nodes = [
        TextNode(id_=str(number), text=hit.text)
        for number, hit in enumerate(small.chunks)
    ]
    theirs = VectorStoreIndex(nodes, embed_model=llama_embedding(minilm)).as_retriever(
        similarity_top_k=10
    )
    numbers = {(h.document, h.chunk): i for i, h in enumerate(small.chunks)}
    for query in corpora.load_queries("dev")[:10]:
        found = small.search(query.text, 10, "dense", distinct=False)
        mine = [numbers[hit.document, hit.chunk] for hit in found]
        retrieved = theirs.retrieve(query.text)
        assert mine == [int(node.node.node_id) for node in retrieved]
        np.testing.assert_allclose(
            [hit.score for hit in found], [node.score for node in retrieved], atol=1e-5
        )


# -- against the golden set ------------------------------------------------------------


def test_the_golden_set_can_be_evaluated_on_part_of_the_handbook(small):
    found = evaluate(
        lambda text: small.search(text, 10, "hybrid", constant=1),
        corpora.load_queries("dev"),
        corpora.load_relevance(),
    )
    assert 0 < found.mean("nDCG@10") < 1
    assert found.unanswerable == 16
