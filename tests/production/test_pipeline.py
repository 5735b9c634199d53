"""Batches to a real server on loopback that fails in every way it knows."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from course_utils.production import cache, endpoint, pipeline, storage
from tests.production.test_cache import Counting


async def at_once(seconds):
    """No test waits."""


def run(texts, faults=(), values=None, **options):
    """All texts through a server with these faults."""
    values = values if values is not None else cache.Memory()

    async def work(served):
        settings = {"dim": 2, "model": "course", "sleep": at_once}
        async with pipeline.Client(served.address, **settings) as ask:
            found = await pipeline.embed(texts, ask, values, "counting", **options)
            return found, ask

    with endpoint.Endpoint(Counting(), faults) as served:
        report, ask = asyncio.run(work(served))
    return report, served, ask, values


def vectors(values, texts):
    kept = values.get([cache.key("counting", text) for text in texts])
    return np.stack([cache.unpack(value, 2) for value in kept])


TEXTS = [f"text {n}" for n in range(70)]


def test_every_text_gets_its_own_vector():
    report, served, ask, values = run([*TEXTS, *TEXTS], batch=8, at_once=3)
    assert np.array_equal(vectors(values, TEXTS), Counting().encode(TEXTS))
    assert (report.stored, report.known, report.refused) == (70, 70, {})
    assert served.texts == 70


@pytest.mark.parametrize("fault", sorted(endpoint.FAULTS))
def test_each_fault_alone_costs_a_request_or_nothing(fault):
    report, served, ask, values = run(TEXTS, [fault, "ok", fault], batch=16, at_once=1)
    assert np.array_equal(vectors(values, TEXTS), Counting().encode(TEXTS))
    assert served.counts[fault] == 2
    repeated = (
        0 if fault == "turned" else 2
    )  # what is rightly numbered can be put right
    assert ask.requests == 5 + repeated and report.stored == 70


def test_all_faults_in_any_order():
    chance = random.Random(0)
    faults = chance.choices([*endpoint.FAULTS, "ok", "ok", "ok"], k=60)
    report, served, ask, values = run(TEXTS, faults, batch=4, at_once=6)
    assert np.array_equal(vectors(values, TEXTS), Counting().encode(TEXTS))
    assert report.stored == 70


def test_a_server_that_stays_down_ends_it_with_what_is_stored_kept():
    values = cache.Memory()
    with pytest.raises(httpx.HTTPStatusError, match="503"):
        run(TEXTS, ["ok", "ok", *["down"] * 99], values, batch=10, at_once=1)
    assert len(values) == 20
    report, served, ask, _ = run(TEXTS, [], values, batch=10)
    assert report.known == 20 and report.stored == 50 and served.texts == 50


def test_a_text_that_the_server_refuses_is_set_aside_and_the_others_go_on():
    long = "x" * 20_000
    texts = [*TEXTS[:30], long, *TEXTS[30:]]
    report, served, ask, values = run(texts, batch=32)
    assert report.refused == {long: "a text of 20000 characters, at most 10000"}
    assert report.stored == 70
    assert np.array_equal(vectors(values, TEXTS), Counting().encode(TEXTS))


def test_a_stream_is_read_as_it_is_needed():
    """Never more texts in memory than the batches in flight, and one to come."""
    read, done = [], []

    def stream():
        for text in TEXTS:
            read.append(text)
            yield text

    async def ask(texts):
        await asyncio.sleep(0)
        assert len(read) - len(done) <= 5 * (2 + 1)
        done.extend(texts)
        return Counting().encode(texts)

    work = pipeline.embed(stream(), ask, cache.Memory(), "counting", 5, 2)
    assert asyncio.run(work).stored == 70


def test_no_more_requests_in_flight_than_agreed():
    flying, most = set(), []

    async def ask(texts):
        flying.add(texts[0])
        most.append(len(flying))
        await asyncio.sleep(0.01)
        flying.remove(texts[0])
        return Counting().encode(texts)

    asyncio.run(pipeline.embed(TEXTS, ask, cache.Memory(), "counting", 5, 4))
    assert max(most) == 4


SLOW = """
import asyncio, sys, numpy as np
from course_utils.production import pipeline, storage

async def ask(texts):
    await asyncio.sleep(0.05)
    return np.array([[len(t), sum(map(ord, t))] for t in texts], np.float32)

texts = (f"text {n}" for n in range(2_000))
asyncio.run(pipeline.embed(
    texts, ask, storage.SQLite(sys.argv[1]), "counting", batch=10, at_once=2))
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with SIGKILL")
def test_after_a_kill_nothing_stored_is_asked_again_and_nothing_is_missing(tmp_path):
    path = tmp_path / "vectors.sqlite"
    root = Path(__file__).parents[2]
    victim = subprocess.Popen([sys.executable, "-c", SLOW, str(path)], cwd=root)
    end = time.monotonic() + 300
    while time.monotonic() < end:
        time.sleep(0.1)
        if path.exists() and len(storage.SQLite(path)) >= 50:
            break
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    kept = storage.SQLite(path)
    before, texts = len(kept), [f"text {n}" for n in range(2_000)]
    assert 50 <= before < 2_000
    report, served, ask, _ = run(texts, values=kept, batch=100)
    assert (report.known, report.stored) == (before, 2_000 - before)
    assert served.texts == 2_000 - before
    assert np.array_equal(vectors(kept, texts), Counting().encode(texts))


def reply(*rows, model="course"):
    data = [{"index": n, "embedding": row} for n, row in rows]
    return {"model": model, "data": data}


@pytest.mark.parametrize(
    "content, said",
    [
        ([], "no list"),
        ({"data": "x"}, "no list"),
        ({"data": [1, 2], "model": "course"}, "no embedding"),
        (reply((0, [1, 0])), "2 texts, but 1"),
        (reply((0, [1, 0]), (0, [0, 1])), "2 texts"),
        (reply((0, [1, 0]), (2, [0, 1])), "numbered 0, 2"),
        (reply((0, [1, 0]), (1, [0, 1]), (1, [0, 1])), "but 3"),
        (reply((0, [1, 0]), (1, [0])), "differ in length"),
        (reply((0, [1]), (1, [0])), "not 2"),
        (reply((0, [1, 0]), (1, [0, float("nan")])), "NaN"),
        (reply((0, [1, 0]), (1, ["a", "b"])), "no numbers"),
        (reply((0, [1, 0]), (1, [0, 1]), model="other"), "answered by 'other'"),
    ],
)
def test_a_reply_is_checked_before_it_is_believed(content, said):
    with pytest.raises(pipeline.BadReply, match=said):
        pipeline.checked(content, 2, 2, "course")


def test_the_server_says_how_long_to_wait():
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    async def work(address):
        async with pipeline.Client(address, dim=2, sleep=sleep) as ask:
            return await ask(["a"])

    faults = ["busy", "down", "down", "down", "ok"]
    with endpoint.Endpoint(Counting(), faults) as served:
        asyncio.run(work(served.address))
    asked, *drawn = waited
    assert asked == 0 and len(drawn) == 3
    bounds = [0.05 * 2**n for n in (1, 2, 3)]
    assert all(0 <= wait <= bound for wait, bound in zip(drawn, bounds, strict=True))


@pytest.mark.parametrize("option", [{"batch": 0}, {"at_once": 0}, {"batch": 1.5}])
def test_sizes_are_whole_and_positive(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        run(TEXTS, **option)
