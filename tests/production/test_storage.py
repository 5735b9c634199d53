"""Values in a file and in a real Redis: kept, forgotten, and never half written."""

import os
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from course_utils.production import cache, server, storage
from tests.production.test_cache import Counting

needs_redis = pytest.mark.skipif(
    server.redis_program() is None or os.name != "posix", reason="no redis-server"
)


@pytest.fixture(scope="module")
def redis_server():
    with server.redis() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=needs_redis)])
def kept(request, tmp_path):
    """A store of each kind, empty."""
    if request.param == "sqlite":
        yield storage.SQLite(tmp_path / "vectors.sqlite")
        return
    import redis

    address = request.getfixturevalue("redis_server").address
    with redis.Redis.from_url(address) as client:
        client.flushall()
        yield storage.Redis(client)


def test_what_was_put_is_there_in_the_order_asked(kept):
    kept.put({str(n): bytes([n]) for n in range(200)})
    names = [str(n) for n in (7, 300, 199, 7, 0)]
    assert kept.get(names) == [b"\x07", None, b"\xc7", b"\x07", b"\x00"]
    kept.put({"7": b"new"})
    assert kept.get(["7"]) == [b"new"] and kept.get([]) == []


def test_an_encoder_behind_any_store_gives_its_own_vectors(kept):
    slow = Counting()
    texts = [f"text {n % 700}" for n in range(1_500)]
    fast = cache.CachedEncoder(slow, kept)
    assert np.array_equal(fast.encode(texts), Counting().encode(texts))
    again = cache.CachedEncoder(slow, kept)  # as after a restart
    assert np.array_equal(again.encode(texts), Counting().encode(texts))
    assert len(slow.asked) == 700 and again.counts == {"hit": 700}


def test_sqlite_forgets_by_age_and_by_number(tmp_path):
    now = [100.0]
    kept = storage.SQLite(tmp_path / "v", limit=3, seconds=10, clock=lambda: now[0])
    for name in "abcd":
        now[0] += 1
        kept.put({name: name.encode()})
    assert kept.get(list("abcd")) == [None, b"b", b"c", b"d"]
    now[0] = 112.0  # b was written at 102
    assert kept.get(list("bcd")) == [None, b"c", b"d"]
    kept.put({"e": b"e"})
    assert len(kept) == 3


WRITER = """
import sys
from course_utils.production import storage
kept, name = storage.SQLite(sys.argv[1]), sys.argv[2]
for n in range(40):
    kept.put({f"{name}{n}": name.encode(), "both": name.encode()})
"""


def test_two_processes_write_one_file(tmp_path):
    path = tmp_path / "v"
    storage.SQLite(path).close()
    command = [sys.executable, "-c", WRITER, str(path)]
    two = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [one.wait() for one in two] == [0, 0]
    kept = storage.SQLite(path)
    assert len(kept) == 81 and kept.get(["both"])[0] in (b"a", b"b")


def test_a_full_disk_refuses_the_whole_of_a_write(tmp_path):
    """SQLite's own limit of pages stands for the disk's."""
    kept = storage.SQLite(tmp_path / "v")
    kept.put({"a": b"1"})
    kept._file.execute("pragma max_page_count = 8")
    with pytest.raises(cache.Unavailable, match="full"):
        kept.put({str(n): bytes(1_000) for n in range(99)})
    assert kept.get(["a", "0"]) == [b"1", None] and len(kept) == 1


def test_an_answer_survives_a_full_disk(tmp_path):
    kept = storage.SQLite(tmp_path / "v")
    kept._file.execute("pragma max_page_count = 1")
    fast = cache.CachedEncoder(Counting(), kept)
    texts = [f"text {n}" for n in range(900)]
    with pytest.warns(RuntimeWarning, match="vectors are computed"):
        assert np.array_equal(fast.encode(texts), Counting().encode(texts))


@pytest.mark.parametrize("content", [b"no database at all, but long enough" * 9])
def test_a_strange_file_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "v"
    path.write_bytes(content)
    with pytest.raises(cache.Unavailable, match="not a database"):
        storage.SQLite(path)
    assert path.read_bytes() == content
    with pytest.raises(cache.Unavailable):
        storage.SQLite(tmp_path / "missing" / "v")


def test_a_closed_file_says_so(tmp_path):
    kept = storage.SQLite(tmp_path / "v")
    kept.close()
    with pytest.raises(cache.Unavailable, match="closed"):
        kept.get(["a"])
    assert sqlite3.connect(tmp_path / "v").execute("select 1").fetchall() == [(1,)]


@needs_redis
def test_redis_forgets_by_age(redis_server):
    import redis

    with redis.Redis.from_url(redis_server.address) as client:
        kept = storage.Redis(client, prefix="short:", seconds=1000)
        kept.put({"a": b"1"})
        assert 990 < client.ttl("short:a") <= 1000
        assert storage.Redis(client).get(["a"]) == [None]  # another prefix


@needs_redis
def test_a_redis_that_is_full_or_killed_costs_no_answer():
    import redis

    limit = ["--maxmemory", "1100kb", "--maxmemory-policy", "noeviction"]
    with server.redis(limit) as running:
        with redis.Redis.from_url(running.address) as client:
            fast = cache.CachedEncoder(Counting(), storage.Redis(client))
            texts = [f"text {n}" for n in range(9_000)]
            with pytest.warns(RuntimeWarning, match="computed"):
                assert np.array_equal(fast.encode(texts), Counting().encode(texts))
            running.kill()
            assert (
                fast.encode(["after"]).tolist() == Counting().encode(["after"]).tolist()
            )
            assert fast.counts["unavailable"] >= 2


def test_without_redis_the_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(server, "redis_program", lambda: None)
    with pytest.raises(server.ServerError, match="SQLite"):
        server.redis()
    assert shutil.which("no-such-program") is None
