"""A cache that is exact: the encoder's vectors, damaged values refused, one flight."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from course_utils import encoder
from course_utils.production import cache


class Counting:
    """An encoder of two numbers that counts what it is asked, and can be slow."""

    max_tokens = 9

    def __init__(self, fingerprint="counting", seconds=0.0):
        self.fingerprint, self.seconds, self.asked = fingerprint, seconds, []

    def encode(self, texts):
        self.asked += texts
        time.sleep(self.seconds)
        return np.array([[len(t), sum(map(ord, t))] for t in texts], np.float32)


FLOATS = st.floats(-1, 1, width=32)


@given(arrays(np.float32, 8, elements=FLOATS), st.integers(0, 287))
def test_a_value_with_one_bit_changed_is_refused(vector, bit):
    value = bytearray(cache.pack(vector))
    assert np.array_equal(cache.unpack(bytes(value), 8), vector)
    value[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="altered"):
        cache.unpack(bytes(value), 8)


@pytest.mark.parametrize("cut", [1, 4, 8, 36])
def test_a_shortened_value_is_refused(cut):
    value = cache.pack(np.ones(8))[:-cut]
    with pytest.raises(ValueError, match="no vector of 8"):
        cache.unpack(value, 8)
    if cut < 36:
        with pytest.raises(ValueError):  # also where its length is another vector's
            cache.unpack(value, (len(value) - 4) // 4)


def test_texts_meet_where_the_model_cannot_tell_them_apart_and_nowhere_else():
    model = encoder.MiniLM.load()
    kept = cache.Memory()
    fast = cache.CachedEncoder(model, kept)
    texts = ["Disk full", "disk  FULL", "disk full!", "naïve", "naive", "disk\tfull"]
    assert np.array_equal(fast.encode(texts), fast.encode(texts))
    assert len(kept) == len({tuple(ids) for ids in model.tokenize(texts)}) == 3
    alone = np.concatenate([model.encode([text]) for text in texts])
    assert np.abs(fast.encode(texts) - alone).max() < 1e-5


def test_another_encoder_never_finds_what_is_not_its_own():
    kept = cache.Memory()
    one, two = Counting("one"), Counting("two")
    cache.CachedEncoder(one, kept).encode(["a"])
    cache.CachedEncoder(two, kept).encode(["a"])
    assert one.asked == two.asked == ["a"] and len(kept) == 2


def test_a_text_is_not_the_ids_that_it_spells():
    assert cache.key("m", "1,2") != cache.key("m", [1, 2])
    assert cache.key("m", [1, 23]) != cache.key("m", [12, 3])


@given(st.lists(st.text(max_size=3), max_size=8), st.lists(st.text(max_size=3)))
def test_the_rows_are_those_of_the_encoder_in_order(first, second):
    slow = Counting()
    fast = cache.CachedEncoder(slow, cache.Memory())
    for texts in (first, second, first):
        assert np.array_equal(fast.encode(texts), Counting().encode(texts))
    assert sorted(slow.asked) == sorted({*first, *second})


def test_damaged_values_are_computed_anew():
    slow, kept = Counting(), cache.Memory()
    cache.CachedEncoder(slow, kept).encode(["a", "b", "c"])
    names = [cache.key("counting", text) for text in "abc"]
    good = kept.get(names)
    kept.put({names[0]: good[0][:-4], names[1]: b"", names[2]: good[2][::-1]})
    again = cache.CachedEncoder(slow, kept)
    assert np.array_equal(again.encode(["a", "b", "c"]), slow.encode(["a", "b", "c"]))
    assert again.counts["refused"] >= 3 and kept.get(names) == good


def test_a_herd_causes_one_computation():
    slow = Counting(seconds=0.2)
    fast = cache.CachedEncoder(slow, cache.Memory())
    found, start = [], threading.Barrier(20)

    def ask():
        start.wait()
        found.append(fast.encode(["the popular question"]))

    herd = [threading.Thread(target=ask) for _ in range(20)]
    [one.start() for one in herd], [one.join() for one in herd]
    assert slow.asked == ["the popular question"]
    assert len(found) == 20 and all(np.array_equal(found[0], row) for row in found)


def test_who_waits_is_not_hurt_by_the_failure_of_the_first():
    class FailsOnce(Counting):
        def encode(self, texts):
            first = not self.asked
            found = super().encode(texts)
            if first:
                raise MemoryError("no room")
            return found

    fast = cache.CachedEncoder(FailsOnce(seconds=0.2), cache.Memory())
    found, failed = [], []

    def ask():
        try:
            found.append(fast.encode(["a"]).tolist())
        except MemoryError:
            failed.append(1)

    herd = [threading.Thread(target=ask) for _ in range(4)]
    [one.start() for one in herd], [one.join() for one in herd]
    assert len(failed) == 1 and found == [[[1.0, 97.0]]] * 3
    assert not fast._flying


def test_a_store_that_is_gone_costs_time_and_one_warning_but_no_answer():
    class Gone:
        def get(self, keys):
            raise cache.Unavailable("connection refused")

        put = get

    fast = cache.CachedEncoder(Counting(), Gone())
    with pytest.warns(RuntimeWarning, match="vectors are computed: connection refused"):
        assert fast.encode(["a"]).tolist() == [[1.0, 97.0]]
    assert fast.encode(["b"]).tolist() == [[1.0, 98.0]]  # no second warning: an error
    assert fast.counts["unavailable"] >= 2


def test_an_encoder_that_loses_a_row_is_not_believed():
    class Short(Counting):
        def encode(self, texts):
            return super().encode(texts)[:-1]

    kept = cache.Memory()
    with pytest.raises(ValueError, match="2 texts gave vectors"):
        cache.CachedEncoder(Short(), kept).encode(["a", "b"])
    assert len(kept) == 0


def test_one_string_is_no_list():
    with pytest.raises(TypeError, match="list of texts"):
        cache.CachedEncoder(Counting(), cache.Memory()).encode("disk full")


def test_memory_forgets_by_age():
    now = [0.0]
    kept = cache.Memory(seconds=10, clock=lambda: now[0])
    kept.put({"a": b"1"})
    now[0] = 9.9
    assert kept.get(["a"]) == [b"1"]
    now[0] = 10.0
    assert kept.get(["a"]) == [None] and len(kept) == 0


@pytest.mark.parametrize("limit", [0, -1, 2.5, "many"])
def test_a_limit_is_a_whole_number(limit):
    with pytest.raises(ValueError, match="limit"):
        cache.Memory(limit=limit)
