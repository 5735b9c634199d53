"""What goes into an index comes out of it: lists of texts, halves of characters, NumPy
numbers, pages of unknown signs, additions of many threads."""

import threading
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import assets
from course_utils.search import SearchIndex, late_chunks
from course_utils.search.storage import OtherVersion, read, write
from tests.search.toy import Toy

HALVES = "\ud83d\ude00"  # one character, as careless decoding leaves it
THAI = "ดิสก์เต็มแล้ว"  # WordPiece knows no piece of it


def ids(hits):
    return [hit.document for hit in hits]


# -- lists -----------------------------------------------------------------------------


def test_a_list_of_texts_gets_numbers_as_ids():
    index = SearchIndex.build(["The disk is full.", "A lock is stuck."], Toy())
    assert list(index.documents) == ["0", "1"]
    index.add(["The pods restart."])
    assert ids(index.search("pods", 1, "lexical")) == ["2"]


@pytest.mark.parametrize(
    "documents, reason",
    [
        ("one text", "list of texts, not str"),
        (b"one text", "list of texts, not bytes"),
        (7, "list of texts, not int"),
        ([7], "document 0 is int"),
        ([("id", "text")], "document 0 is tuple: pass texts"),
        (["a text", None], "document 1 is NoneType"),
    ],
)
def test_what_is_no_list_of_documents_gets_a_sentence(documents, reason):
    with pytest.raises(TypeError, match=reason):
        SearchIndex.build(documents, Toy())


# -- numbers ---------------------------------------------------------------------------


def test_settings_may_be_numbers_of_numpy(tmp_path):
    index = SearchIndex.build(["a page"], Toy(), size=np.int64(64), overlap=np.int8(4))
    index.save(tmp_path / "index")
    again = SearchIndex.load(tmp_path / "index", Toy())
    assert (again.size, again.overlap) == (64, 4)


@pytest.mark.parametrize("size", [64.0, "64", True, None])
def test_a_size_that_is_no_whole_number_is_refused(size):
    with pytest.raises(TypeError, match="whole number of tokens"):
        SearchIndex.build(["a page"], Toy(), size=size)


# -- halves of characters --------------------------------------------------------------


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from([HALVES, "\ud83d", "Page. ", "क। ", "a\n\n"]), min_size=1)
)
def test_passages_are_the_same_after_saving_and_loading(tmp_path_factory, parts):
    folder = tmp_path_factory.mktemp("saved") / "index"
    index = SearchIndex.build({HALVES: "".join(parts) + " end."}, Toy(), size=8)
    index.save(folder)
    again = SearchIndex.load(folder, Toy())
    assert [hit.text for hit in again.chunks] == [hit.text for hit in index.chunks]
    assert again.documents == index.documents and list(again.documents) == ["😀"]


def test_late_chunks_stand_where_they_stood_before_the_halves_were_joined():
    text = f"{HALVES * 3} cat. dog."
    ids_ = assets.fast_tokenizer().encode(assets.encodable(text)).ids
    states = torch.eye(len(ids_))
    start = text.index("dog")
    kept, pooled = late_chunks(text, states, [(start, start + 3)])
    place = ids_.index(assets.fast_tokenizer().token_to_id("dog"))
    assert kept == [0] and pooled[0].argmax() == place


# -- unknown signs ---------------------------------------------------------------------


def test_a_page_of_unknown_signs_wins_no_search_by_meaning(tmp_path):
    with pytest.warns(UserWarning, match="knows no piece of document '1'"):
        index = SearchIndex.build(["The disk is full.", THAI, "A lock."], Toy())
    index.save(tmp_path / "index")
    for found in (index, SearchIndex.load(tmp_path / "index", Toy())):
        for mode in ("dense", "hybrid"):
            assert "1" not in ids(found.search("a stuck lock", 9, mode))
        assert sorted(ids(found.search("disk", 9, "dense"))) == ["0", "2"]
        assert ids(found.search(THAI[:9], 1, "lexical")) == ["1"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index.add(["A known page."])
    assert ids(index.search("a known page", 1, "dense")) == ["3"]


def test_an_index_of_unknown_signs_alone_finds_nothing_by_meaning():
    with pytest.warns(UserWarning):
        index = SearchIndex.build([THAI], Toy())
    assert index.search("disk", 3, "dense") == []


# -- versions --------------------------------------------------------------------------


def test_an_index_of_before_is_refused_with_the_way_out(tmp_path):
    index = SearchIndex.build(["a page"], Toy())
    index.save(tmp_path / "index")
    facts, files = read(tmp_path / "index", SearchIndex.KIND)
    write(tmp_path / "old", "course_utils.search 1", facts, files)
    with pytest.raises(OtherVersion, match="build it anew"):
        SearchIndex.load(tmp_path / "old", Toy())
    index.save(tmp_path / "old")
    assert len(SearchIndex.load(tmp_path / "old", Toy())) == 1


# -- threads ---------------------------------------------------------------------------


class Quick(Toy):
    """As fast as an encoder can be, so that threads meet in the index itself."""

    def encode(self, texts):
        vectors = np.zeros((len(texts), 8), np.float32)
        vectors[np.arange(len(texts)), [len(text) % 8 for text in texts]] = 1
        return vectors


def test_of_many_additions_none_is_lost_while_others_search():
    problems = []

    def guarded(work, *arguments):
        try:
            work(*arguments)
        except Exception as problem:
            problems.append(problem)

    def look(index):
        for mode in ("dense", "lexical", "hybrid"):
            hits = index.search("page", 3, mode)
            assert hits and all(hit.text == hit.source for hit in hits)

    for round_ in range(100):
        index = SearchIndex.build({"first": "A page."}, Quick())
        adding = [
            threading.Thread(
                target=guarded, args=(index.add, {f"new {i}": f"page {i}"})
            )
            for i in range(8)
        ]
        looking = [
            threading.Thread(target=guarded, args=(look, index)) for _ in range(16)
        ]
        threads = [*adding, *looking]
        for thread in threads[round_ % 3 :] + threads[: round_ % 3]:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert len(index) == len(index.chunks) == len(index.vectors) == 9
