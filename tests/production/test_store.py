"""A table of vectors in a real PostgreSQL: equal to exact search, closed to faults."""

import threading

import numpy as np
import pytest

from course_utils.production import server
from course_utils.production.store import Row, Store, StoreError

psycopg = pytest.importorskip("psycopg")
DIM, COUNT = 16, 3_000


@pytest.fixture(scope="module")
def database():
    with server.postgres(options=["fsync=off"]) as running:
        yield running


@pytest.fixture
def connection(database):
    with psycopg.connect(database.address, autocommit=True) as opened:
        opened.execute("drop schema public cascade; create schema public")
        opened.execute("create extension if not exists vector")
        yield opened


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


CHANCE = np.random.default_rng(0)
VECTORS = unit(CHANCE.normal(size=(COUNT, DIM)))
ROWS = [
    Row(f"page {n}", f"text {n}", "rare" if n % 100 == 0 else "") for n in range(COUNT)
]


@pytest.fixture
def store(connection):
    made = Store(connection, "model-a", DIM)
    made.copy(ROWS, VECTORS)
    return made


def test_exact_search_is_that_of_numpy(store):
    for query in unit(CHANCE.normal(size=(10, DIM))):
        order = np.argsort(-VECTORS @ query)[:10]
        hits = store.search(query, 10)
        assert [hit.page for hit in hits] == [f"page {n}" for n in order]
        cosines = [hit.cosine for hit in hits]
        assert np.allclose(cosines, VECTORS[order] @ query, atol=1e-6)
    assert not store.uses_index(VECTORS[0])


@pytest.mark.parametrize("kind", ["hnsw", "ivfflat", "halfvec"])
def test_an_index_finds_the_nearest_and_explain_says_so(store, connection, kind):
    store.index(kind, lists=10)
    connection.execute("analyze")
    half = kind == "halfvec"
    found = [store.search(row, 1, half=half)[0].page for row in VECTORS[:50]]
    assert np.mean([p == f"page {n}" for n, p in enumerate(found)]) > 0.9
    assert store.uses_index(VECTORS[0]) == (not half)


def test_a_filter_after_the_index_returns_fewer_rows_and_a_longer_scan_mends_it(
    store, connection
):
    """The silent fault: no error, only fewer rows than asked for."""
    store.index("hnsw")
    connection.execute("analyze; set enable_sort = off; set enable_seqscan = off")
    few = [len(store.search(row, 10, "rare")) for row in VECTORS[:20]]
    more = [
        len(store.search(row, 10, "rare", scan="relaxed_order")) for row in VECTORS[:20]
    ]
    assert np.mean(few) < 3 and np.mean(more) == 10


def test_a_second_upsert_changes_nothing_and_an_older_page_never_wins(store):
    new = Row("page 0", "text 0", "new", revision=5)
    store.upsert([new, new], VECTORS[[1, 2]])
    assert len(store) == COUNT
    assert store.search(VECTORS[2], 1, "new")[0].page == "page 0"
    store.upsert([Row("page 0", "text 0", "old", revision=4)], VECTORS[[3]])
    assert store.search(VECTORS[3], 1, "old") == []
    assert store.search(VECTORS[2], 1, "new")[0].cosine > 0.999


def test_two_writers_in_opposite_order_do_not_lock_each_other_out(store, database):
    failed = []

    def write(order):
        with psycopg.connect(database.address, autocommit=True) as own:
            try:
                mine = Store(own, "model-a", DIM)
                for _ in range(20):
                    mine.upsert([ROWS[n] for n in order], VECTORS[list(order)])
            except psycopg.Error as error:
                failed.append(error)

    orders = range(200), range(199, -1, -1)
    both = [threading.Thread(target=write, args=[order]) for order in orders]
    [one.start() for one in both], [one.join() for one in both]
    assert failed == [] and len(store) == COUNT


def test_a_copy_is_all_or_nothing(store):
    fresh = [Row("new", str(n)) for n in range(3)]
    bad = VECTORS[:3].copy()
    bad[2] *= 2
    with pytest.raises(psycopg.errors.CheckViolation):
        store.copy(fresh, bad)
    with pytest.raises(psycopg.errors.UniqueViolation):
        store.copy([*fresh, ROWS[0]], VECTORS[:4])
    assert len(store) == COUNT


def test_the_table_of_another_encoder_is_refused(store, connection):
    with pytest.raises(StoreError, match="of encoder model-a, not of model-b"):
        Store(connection, "model-b", DIM)
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("update passages set model = 'model-b'")
    Store(connection, "it's b", DIM, "others").copy(ROWS[:2], VECTORS[:2])
    assert len(Store(connection, "it's b", DIM, "others")) == 2


@pytest.mark.parametrize(
    "vectors, said",
    [
        (VECTORS[:2, :8], r"\(2, 16\), got \(2, 8\)"),
        (VECTORS[:1], "2 rows need"),
    ],
)
def test_vectors_of_another_shape_are_refused(store, vectors, said):
    with pytest.raises(StoreError, match=said):
        store.upsert([Row("a", "b"), Row("c", "d")], vectors)


@pytest.mark.parametrize("factor", [0, 2, float("nan")])
def test_vectors_of_another_length_are_refused(store, factor):
    """Zero and NaN would vanish from an index of cosines without a word."""
    with pytest.raises(psycopg.Error):
        store.upsert([Row("a", "b")], VECTORS[:1] * factor)
    assert len(store) == COUNT


def test_a_nul_character_is_named(store):
    with pytest.raises(StoreError, match="NUL"):
        store.upsert([Row("a", "b\0c")], VECTORS[:1])


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"vector": np.ones(3)}, "16 finite numbers"),
        ({"vector": np.full(DIM, np.nan)}, "finite"),
        ({"k": 0}, "k must be at least 1"),
        ({"ef": 0}, "ef must be"),
        ({"scan": "on"}, "relaxed_order"),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(store, arguments, said):
    with pytest.raises(ValueError, match=said):
        store.search(**({"vector": VECTORS[0]} | arguments))


def test_ivfflat_is_not_built_on_nothing_and_names_are_names(connection):
    empty = Store(connection, "model-a", DIM)
    with pytest.raises(StoreError, match="fill the table first"):
        empty.index("ivfflat")
    with pytest.raises(StoreError, match="there are hnsw"):
        empty.index("flat")
    with pytest.raises(StoreError, match="no name"):
        Store(connection, "model-a", DIM, "x; drop table passages")
    assert empty.search(VECTORS[0]) == []


def test_a_tag_is_a_value_and_never_sql(store):
    assert store.search(VECTORS[0], 5, "' or 1=1 --") == []


def test_a_server_that_is_gone_raises_what_its_client_raises():
    with server.postgres() as running:
        with psycopg.connect(running.address, autocommit=True) as own:
            made = Store(own, "model-a", DIM)
            running.kill()
            with pytest.raises(psycopg.OperationalError):
                made.search(VECTORS[0])
