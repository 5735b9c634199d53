"""Is this machine ready? One block to read, one line to send to whoever teaches.

Exit codes of ``python -m course_utils``: 0 ready, 1 something that you can mend (the
command is given), 2 this machine is too small, use a hosted one.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from course_utils.corpora import shipped
from course_utils.hosted import public

READY, MENDABLE, HOSTED = 0, 1, 2
NEEDED_MEMORY = 3.0  # GiB free: what the training notebooks take at their peak
NEEDED_DISK = 0.5  # GiB


@dataclass(frozen=True)
class Finding:
    """One line of the report: a state, what was looked at, and what mends it.

    ``short`` stands in the last line, which an instructor reads of everybody.
    """

    state: int
    what: str
    mend: str = ""
    short: str = ""

    def __str__(self) -> str:
        """The line as it is printed."""
        mark = {READY: "ok  ", MENDABLE: "MEND", HOSTED: "SMALL"}[self.state]
        return f"{mark} {self.what}" + (f"\n       {self.mend}" if self.mend else "")


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    system = f"{platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        yield Finding(READY, f"Python {version}", short=f"Python {version}, {system}")
    else:
        yield Finding(
            MENDABLE,
            f"Python {version}, the course is tested with 3.11 to 3.13",
            "make clean && make env PYTHON=python3.12",
            f"PYTHON {version}, {system}",
        )


def _machine() -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    free = _free_memory()
    if free is None:
        yield Finding(READY, f"{cores} cores (free memory is not known here)")
    else:
        enough = free >= NEEDED_MEMORY
        yield Finding(
            READY if enough else HOSTED,
            f"{cores} cores, {free:.1f} GiB memory free",
            ""
            if enough
            else f"{NEEDED_MEMORY:g} GiB are needed: close other programs, or open "
            "the course in Binder or Colab (links in every notebook)",
            f"{cores} cores, {free:.1f} GiB free",
        )
    disk = shutil.disk_usage(Path.cwd()).free / 2**30
    if disk < NEEDED_DISK:
        yield Finding(
            MENDABLE,
            f"{disk:.1f} GiB disk free",
            f"free at least {NEEDED_DISK:g} GiB in {Path.cwd()}",
            "DISK FULL",
        )


def _free_memory() -> float | None:
    """Free memory in GiB, within the limit of a container if there is one."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        free = int(fields["MemAvailable"].split()[0]) / 2**20
    except (OSError, KeyError, ValueError):
        return None
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        free = min(free, (limit - used) / 2**30)
    except (OSError, ValueError):
        pass
    return free


def tested_versions() -> dict[str, str]:
    """Read constraints.txt: the exact versions that the course was tested with."""
    try:
        path = shipped("constraints.txt", "constraints")
    except FileNotFoundError:
        return {}
    pairs = (row.split("==") for row in path.read_text("utf-8").splitlines())
    return {_canonical(pair[0]): pair[1].strip() for pair in pairs if len(pair) == 2}


def _packages() -> Iterator[Finding]:
    needed = [
        requirement
        for requirement in metadata.requires("course_utils") or []
        if "extra ==" not in requirement
    ]
    tested = tested_versions()
    missing, differs = [], []
    for requirement in needed:
        name = next(part for part in _split_name(requirement))
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        expected = tested.get(_canonical(name))
        if expected and public(found) != public(expected):
            differs.append(f"{name} {found} (tested: {expected})")
    if missing:
        yield Finding(
            MENDABLE,
            f"packages are missing: {', '.join(missing)}",
            "python -m pip install -c constraints.txt -r requirements.txt",
            f"MISSING {', '.join(missing)}",
        )
    else:
        yield Finding(READY, f"{len(needed)} packages installed")
    if differs:
        yield Finding(
            READY,
            "other versions than tested, numbers may differ in the last digit: "
            + ", ".join(differs),
            short=f"{len(differs)} other versions",
        )


def _canonical(name: str) -> str:
    """As PyPI compares names: mistral_common is mistral-common."""
    return name.strip().lower().replace("_", "-").replace(".", "-")


def _split_name(requirement: str) -> list[str]:
    import re

    return re.split(r"[\s\[<>=!~;(]", requirement, maxsplit=1)


def _assets() -> Iterator[Finding]:
    from course_utils import assets

    for asset in assets.ASSETS:
        try:
            assets.folder(asset)
        except assets.AssetError as error:
            yield Finding(
                MENDABLE,
                f"{asset.name}: {error.reason}",
                error.command,
                f"BROKEN {asset.name}",
            )
        else:
            yield Finding(READY, f"{asset.name}: every file verified")


def _model() -> Iterator[Finding]:
    from course_utils import assets

    try:
        pieces = assets.vocabularies()["wordpiece"].pieces("ready")
        rows = assets.weights()["embeddings.word_embeddings.weight"].shape[0]
    except Exception as error:  # whatever it is, it is reported, not raised
        yield Finding(
            MENDABLE,
            f"the model does not load: {type(error).__name__}: {error}",
            "python -m pip install -c constraints.txt -r requirements.txt",
            "NO MODEL",
        )
    else:
        yield Finding(READY, f"the model loads: {rows:,} rows, 'ready' is {pieces}")


def _pace() -> Iterator[Finding]:
    from course_utils.classroom import pace

    measured = pace.measure()
    here = pace.minutes(measured)
    each = ", ".join(f"{number} {one:.1f}" for number, one in here.items())
    longest, total = max(here, key=here.get), sum(here.values())
    yield Finding(
        READY,
        f"{measured:.0f} headlines a second; minutes that lessons compute here, about: "
        f"{each}",
        short=f"lessons {total:.0f} min in all, {longest} the longest with "
        f"{here[longest]:.1f}",
    )


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _machine,
    _packages,
    _assets,
    _model,
)
MORE: tuple[Callable[[], Iterator[Finding]], ...] = (_pace,)  # takes some seconds


def examine(more: bool = False) -> list[Finding]:
    """Look at everything; a check that breaks is itself a finding.

    Args:
        more: measure the machine as well.
    """
    found: list[Finding] = []
    for look in (*CHECKS, *(MORE if more else ())):
        try:
            found += look()
        except Exception as error:
            name = look.__name__.strip("_")
            found.append(
                Finding(
                    MENDABLE,
                    f"{name}: {type(error).__name__}: {error}",
                    "make env",
                    f"BROKEN {name}",
                )
            )
    return found


def doctor() -> int:
    """Print the report and return its exit code: 0 ready, 1 mend, 2 use a hosted one.

    Use it in a notebook as it is, or in a terminal as ``python -m course_utils``.
    """
    findings = examine(more=True)
    state = max(finding.state for finding in findings)
    print(*findings, sep="\n")
    verdict = {
        READY: "Ready.",
        MENDABLE: "Not ready: run the commands above, then look again.",
        HOSTED: "This machine is too small: use a hosted one.",
    }[state]
    facts = "; ".join(finding.short for finding in findings if finding.short)
    print(f"{verdict} {facts}".strip())
    return state


def ready() -> None:
    """Print one line if all is well, otherwise only what is not; for notebooks."""
    troubles = [finding for finding in examine() if finding.state != READY]
    print(*troubles or ["This machine is ready."], sep="\n")


def main() -> int:
    """Run from the command line."""
    return doctor()
