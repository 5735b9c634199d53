"""The small build of torch, where no card is: a real index on loopback answers."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from course_utils.authoring import cpu_torch
from course_utils.authoring.source import ROOT


class Index(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/whl/cpu/torch/" else 404)
        self.end_headers()

    def log_message(self, *said):
        pass


@pytest.fixture
def index():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/whl/cpu"
    server.shutdown()
    server.server_close()


def test_linux_without_a_card_takes_the_small_build(index):
    arguments, said = cpu_torch.choose("Linux", card=False, index=index)
    assert arguments == ["--extra-index-url", index]
    assert "CPU builds" in said and "\n" not in said


@pytest.mark.parametrize("system", ["Linux", "Darwin", "Windows"])
def test_where_cuda_is_of_use_or_not_shipped_nothing_changes(index, system):
    card = system == "Linux"
    assert cpu_torch.choose(system, card, index) == ([], "")


@pytest.mark.parametrize("path", ["", "/missing"])
def test_an_index_that_has_no_torch_is_left_alone(index, path):
    arguments, said = cpu_torch.choose("Linux", False, index[: -len("/cpu")] + path)
    assert arguments == [] and "does not answer" in said


def test_nobody_waits_for_an_index_that_is_silent():
    """A port that accepts and says nothing: given up after the seconds allowed."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert not cpu_torch.answers(address, seconds=0.2)


def test_a_card_is_seen_by_its_driver(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not cpu_torch.has_card([str(tmp_path / "version")])
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert cpu_torch.has_card([])


def test_it_runs_before_anything_is_installed():
    """Isolated from every package, as a script; what it prints goes to pip as it is."""
    script = ROOT / "course_utils" / "authoring" / "cpu_torch.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words in ([], ["--extra-index-url", cpu_torch.CPU_INDEX])
    assert len(done.stderr.splitlines()) <= 1


def test_make_asks_unless_the_reader_said_something():
    rule = (ROOT / "Makefile").read_text("utf-8")
    assert "-I course_utils/authoring/cpu_torch.py" in rule
    assert 'arguments="$(PIP_ARGS)"' in rule
