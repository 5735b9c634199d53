"""A real JupyterLab on loopback and a real Chromium, without a way out."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from course_utils.authoring.lab import FLAGS, write_overrides
from course_utils.authoring.source import NOTEBOOKS, ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="session")
def chromium():
    """Path of an installed browser; the tests skip where there is none."""
    wanted = os.environ.get("COURSE_BROWSER")
    found = wanted or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium found: install chromium, or set COURSE_BROWSER")
    return found


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Serve a copy of the notebooks, so that the committed ones stay as they are."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(
        NOTEBOOKS,
        folder / "notebooks",
        ignore=shutil.ignore_patterns("source", ".ipynb_checkpoints"),
    )
    settings = folder / "settings"
    tracker = settings / "@jupyterlab" / "notebook-extension"
    tracker.mkdir(parents=True)
    # Cells that are scrolled out of sight must exist for a test to see them.
    (tracker / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    write_overrides(Path(sys.prefix))
    server = Lab(folder, settings)
    yield server
    server.stop()


class Lab:
    """A running JupyterLab: its address, token and kernels."""

    def __init__(self, folder: Path, settings: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.folder = folder
        self.token = secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "lab.log"
        environment = {k: v for k, v in os.environ.items() if k != "COURSE_STATIC"}
        environment |= {
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'offline'}",
        }
        command = [
            *(sys.executable, "-m", "jupyter", "lab", *FLAGS),
            *(
                "--no-browser",
                f"--port={port}",
                f"--IdentityProvider.token={self.token}",
            ),
            *(f"--ServerApp.root_dir={folder}", "--allow-root"),
            "--expose-app-in-browser",  # so that a test can change the theme
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        for _ in range(720):
            if self.process.poll() is not None:
                raise RuntimeError(f"JupyterLab ended:\n{self.log.read_text()[-2000:]}")
            try:
                self.api("/api/status")
                return
            except OSError:
                time.sleep(0.25)
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-2000:]}")

    def api(self, path: str, method: str = "GET", body: object = None):
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def use_theme(self, name: str) -> None:
        path = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
        self.api(path, "PUT", {"raw": json.dumps({"theme": f"JupyterLab {name}"})})

    def close_kernels(self) -> None:
        for session in self.api("/api/sessions"):
            self.api(f"/api/sessions/{session['id']}", "DELETE")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture(scope="session")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium, headless=True, args=CHROMIUM_FLAGS
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser, request, tmp_path):
    """A page that remembers requests to elsewhere and messages of the console."""
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    page = context.new_page()
    page.outside, page.problems, page.dialogs = [], [], []
    page.requested = []
    page.on("dialog", lambda dialog: (page.dialogs.append(dialog), dialog.dismiss()))
    page.on("request", lambda asked: _note(page, asked.url))
    page.on("console", lambda said: _listen(page, said))
    page.on("pageerror", lambda error: page.problems.append(str(error)[:200]))
    yield page
    report = getattr(request.node, "report_of_call", None)
    if report is not None and report.failed:
        folder = Path(os.environ.get("COURSE_SCREENSHOTS", tmp_path))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{re.sub(r'[^0-9A-Za-z]+', '-', request.node.name)}.png"
        page.screenshot(path=path)
        print(f"screenshot: {path}")
    context.close()


LOCAL = re.compile(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:|about:")
# Said by JupyterLab itself, whatever notebook is open.
HARMLESS = re.compile(
    r"ResizeObserver|favicon|Failed to load resource|was preloaded using link preload|"
    r"jupyterlab-lsp|service worker|ServiceWorker",
)


def _note(page, url: str) -> None:
    page.requested.append(url)
    if not LOCAL.match(url):
        page.outside.append(url)


def _listen(page, said) -> None:
    if said.type == "error" and not HARMLESS.search(said.text):
        page.problems.append(said.text[:200])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.report_of_call = outcome.get_result()
