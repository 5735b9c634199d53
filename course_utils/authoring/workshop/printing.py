"""A deck on paper: the PDF that Chromium prints, a page a slide."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def print_pdf(page: Path, target: Path) -> bool:
    """Print a deck with Chromium; False where there is none, or it fails.

    On a busy machine it may print before the slides are laid out, as a single page:
    then it is given more time.
    """
    wanted = os.environ.get("COURSE_BROWSER")
    browser = wanted or next(filter(None, map(shutil.which, BROWSERS)), None)
    slides = page.read_text("utf-8").count("<section>")
    for seconds in (20, 60, 180) if browser else ():
        if _printed(browser, page, target, seconds) and pages_of(target) >= slides:
            return True
    return False


def _printed(browser: str, page: Path, target: Path, seconds: int) -> bool:
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu"]
        command += [f"--user-data-dir={profile}", "--no-pdf-header-footer"]
        command += [f"--virtual-time-budget={seconds}000", f"--print-to-pdf={target}"]
        done = subprocess.run(
            [*command, f"{page.resolve().as_uri()}?print-pdf"],
            capture_output=True,
            timeout=300,
            check=False,
        )
    return done.returncode == 0 and target.exists()


def pages_of(path: Path) -> int:
    """How many pages a PDF has, those in its packed objects included."""
    found = [path.read_bytes()]
    for packed in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", found[0], re.DOTALL):
        try:
            found.append(zlib.decompress(packed))
        except zlib.error:
            continue
    return len(re.findall(rb"/Type\s*/Page\b", b"\n".join(found)))
