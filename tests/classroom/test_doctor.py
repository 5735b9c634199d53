"""Is this machine ready? One report, one exit code, one command per trouble."""

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_utils import assets
from course_utils.classroom import doctor as module
from course_utils.classroom.doctor import (
    HOSTED,
    MENDABLE,
    READY,
    Finding,
    doctor,
    examine,
    main,
)

ROOT = Path(__file__).parents[2]
FINE, BROKEN = Finding(READY, "fine"), Finding(MENDABLE, "broken", "mend it")
SMALL = Finding(HOSTED, "small", "go elsewhere")


@pytest.fixture
def found(monkeypatch):
    """Let the checks find this and nothing else."""

    def set_findings(*findings):
        monkeypatch.setattr(module, "CHECKS", (lambda: iter(findings),))
        monkeypatch.setattr(module, "MORE", ())

    return set_findings


def states(look):
    return [finding.state for finding in look()]


# -- the report ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "findings, code, verdict",
    [
        ([FINE], 0, "Ready."),
        ([FINE, BROKEN], 1, "Not ready: run the commands above, then look again."),
        ([FINE, SMALL], 2, "This machine is too small: use a hosted one."),
        ([SMALL, BROKEN, FINE], 2, "This machine is too small: use a hosted one."),
    ],
)
def test_the_worst_finding_decides(found, capsys, findings, code, verdict):
    found(*findings)
    assert doctor() == code == main()
    assert capsys.readouterr().out.splitlines()[-1] == verdict


def test_each_finding_is_a_line_with_its_command_below(found, capsys):
    found(FINE, BROKEN, SMALL)
    doctor()
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "ok   fine",
        "MEND broken",
        "       mend it",
        "SMALL small",
        "       go elsewhere",
    ]


def test_the_last_line_says_of_everybody_what_matters(found, capsys):
    found(
        Finding(READY, "Python 3.12.1", short="Python 3.12.1, Linux x86_64"),
        Finding(MENDABLE, "packages are missing: a", "pip install a", "MISSING a"),
        FINE,
    )
    doctor()
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Not ready: run the commands above, then look again. "
        "Python 3.12.1, Linux x86_64; MISSING a"
    )


def test_a_check_that_breaks_is_itself_a_finding(monkeypatch):
    def look_at_the_moon():
        raise OSError("clouds")
        yield

    monkeypatch.setattr(module, "CHECKS", (look_at_the_moon, lambda: iter([FINE])))
    assert examine() == [
        Finding(
            MENDABLE,
            "look_at_the_moon: OSError: clouds",
            "make env",
            "BROKEN look_at_the_moon",
        ),
        FINE,
    ]


# -- Python and the machine ------------------------------------------------------------


@pytest.mark.parametrize(
    "version, state",
    [((3, 10), 1), ((3, 11), 0), ((3, 12), 0), ((3, 13), 0), ((3, 14), 1), ((2, 7), 1)],
)
def test_the_python_of_the_course_is_3_11_to_3_13(monkeypatch, version, state):
    monkeypatch.setattr(sys, "version_info", (*version, 1, "final", 0))
    assert states(module._python) == [state]


def test_another_python_gets_the_command_for_a_better_one(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1, "final", 0))
    [finding] = module._python()
    assert "3.11 to 3.13" in finding.what and "make env PYTHON=" in finding.mend


@pytest.fixture
def machine(monkeypatch):
    """A machine with so much free memory and disk, in GiB."""

    def set_machine(memory, disk=10.0):
        monkeypatch.setattr(module, "_free_memory", lambda: memory)
        usage = SimpleNamespace(free=int(disk * 2**30))
        monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
        return list(module._machine())

    return set_machine


@pytest.mark.parametrize(
    "memory, state", [(0.4, HOSTED), (2.9, HOSTED), (3.0, READY), (64.0, READY)]
)
def test_too_little_memory_means_a_hosted_machine(machine, memory, state):
    [finding] = machine(memory)
    assert finding.state == state
    assert f"{memory:.1f} GiB memory free" in finding.what


def test_a_small_machine_is_told_what_else_there_is(machine):
    [finding] = machine(1.0)
    assert "3 GiB are needed" in finding.mend and "Binder or Colab" in finding.mend


def test_memory_that_cannot_be_measured_is_no_obstacle(machine):
    [finding] = machine(None)
    assert finding.state == READY and "not known" in finding.what


def test_a_full_disk_can_be_mended(machine):
    _, finding = machine(8.0, disk=0.1)
    assert finding.state == MENDABLE
    assert "0.1 GiB disk free" in finding.what and "0.5 GiB" in finding.mend


@pytest.fixture
def files(monkeypatch):
    """Let ``_free_memory`` read these texts in the place of the kernel's files."""

    def set_files(**texts):
        def read_text(path, **_options):
            if path.name not in texts:
                raise FileNotFoundError(path)
            return texts[path.name]

        monkeypatch.setattr(
            module,
            "Path",
            lambda *parts: type("Fake", (type(Path()),), {"read_text": read_text})(
                *parts
            ),
        )
        return module._free_memory()

    return set_files


MEMINFO = "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n"


def test_free_memory_is_what_the_kernel_calls_available(files):
    assert files(meminfo=MEMINFO) == 8.0


def test_the_limit_of_a_container_counts(files):
    limits = {"memory.max": f"{4 * 2**30}\n", "memory.current": f"{2**30}\n"}
    assert files(meminfo=MEMINFO, **limits) == 3.0


def test_a_container_without_a_limit_does_not_count(files):
    limits = {"memory.max": "max\n", "memory.current": f"{2**30}\n"}
    assert files(meminfo=MEMINFO, **limits) == 8.0


@pytest.mark.parametrize("texts", [{}, {"meminfo": "nothing"}, {"meminfo": "a: b\n"}])
def test_memory_is_unknown_where_the_kernel_does_not_tell(files, texts):
    assert files(**texts) is None


# -- packages --------------------------------------------------------------------------


@pytest.fixture
def packages(monkeypatch):
    """Let these be required and these be installed."""

    def set_packages(required, installed):
        def version(name):
            if name not in installed:
                raise metadata.PackageNotFoundError(name)
            return installed[name]

        monkeypatch.setattr(module.metadata, "requires", lambda name: required)
        monkeypatch.setattr(module.metadata, "version", version)
        return list(module._packages())

    return set_packages


def test_installed_packages_are_counted(packages):
    [finding] = packages(["a>=1", "b[x]<2,>=1"], {"a": "1.0", "b": "1.5"})
    assert (finding.state, finding.what) == (READY, "2 packages installed")


def test_missing_packages_are_named_with_the_command(packages):
    [finding] = packages(["a>=1", "b[x]<2", "c"], {"a": "1.0"})
    assert finding.state == MENDABLE
    assert finding.what == "packages are missing: b, c"
    assert finding.mend.endswith("-c constraints.txt -r requirements.txt")


def test_another_version_than_tested_is_no_obstacle_but_is_said(packages):
    _, finding = packages(["torch>=2.6"], {"torch": "2.14.0"})
    assert finding.state == READY
    assert "torch 2.14.0 (tested: 2.13.0)" in finding.what


@pytest.mark.parametrize("build", ["", "+cpu", "+cu130", "+rocm7.1"])
def test_every_build_of_the_tested_version_is_the_tested_version(packages, build):
    assert len(packages(["torch>=2.6"], {"torch": f"2.13.0{build}"})) == 1


@pytest.mark.parametrize(
    "name", ["mistral-common", "mistral_common", "Faiss_CPU", "llama-index-core"]
)
def test_a_name_is_compared_however_it_is_spelt(packages, name):
    findings = packages([f"{name}>=0.1"], {name: "0.0.1"})
    assert len(findings) == 2 and f"{name} 0.0.1 (tested: " in findings[1].what


def test_a_requirement_of_an_extra_is_not_needed(packages):
    [finding] = packages(["a", 'b>=1; extra == "site"'], {"a": "1.0"})
    assert (finding.state, finding.what) == (READY, "1 packages installed")


def test_the_tested_versions_are_those_of_the_constraints():
    rows = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert len(module.tested_versions()) == len([row for row in rows if "==" in row])
    assert module.tested_versions()["torch"] == "2.13.0"


def test_this_environment_has_every_package():
    assert module.READY in states(module._packages)
    assert MENDABLE not in states(module._packages)


# -- assets and the model --------------------------------------------------------------


def test_every_asset_is_verified_and_named():
    findings = list(module._assets())
    assert {finding.state for finding in findings} == {READY}
    assert [f.what.partition(":")[0] for f in findings] == [
        a.name for a in assets.ASSETS
    ]


def test_a_broken_asset_is_reported_with_its_own_command(monkeypatch):
    def refuse(asset):
        raise assets.AssetError(asset.name, "model.bin is truncated", "pip mend it")

    monkeypatch.setattr(assets, "folder", refuse)
    findings = list(module._assets())
    assert {finding.state for finding in findings} == {MENDABLE}
    assert {finding.mend for finding in findings} == {"pip mend it"}
    assert all("model.bin is truncated" in finding.what for finding in findings)


def test_the_model_is_loaded_for_a_trial():
    [finding] = module._model()
    assert finding.what == "the model loads: 30,522 rows, 'ready' is ['ready']"


def test_a_model_that_does_not_load_can_be_mended(monkeypatch):
    def refuse():
        raise ImportError("no torch here")

    monkeypatch.setattr(assets, "weights", refuse)
    [finding] = module._model()
    assert finding.state == MENDABLE
    assert "ImportError: no torch here" in finding.what
    assert finding.mend.startswith("python -m pip install")


# -- the command -----------------------------------------------------------------------


def test_the_command_reports_and_exits():
    done = subprocess.run(
        [sys.executable, "-m", "course_utils"],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    *lines, verdict = done.stdout.splitlines()
    expected = {0: "Ready.", 1: "Not ready: ", 2: "This machine is too small: "}
    assert verdict.startswith(expected[done.returncode])
    assert len(lines) >= 7 and lines[0].startswith("ok   Python 3.")
    assert re.search(r"minutes that lessons compute here, about: 00 \d+\.\d", lines[-1])
    for fact in ("Python 3.", " cores, ", " min in all, 07 the longest with "):
        assert fact in verdict
    assert len(verdict) <= 200


def test_the_report_can_be_pasted():
    """Short lines of plain characters, and nobody's home folder."""
    lines = [str(finding) for finding in examine()]
    assert all(line.isprintable() or "\n" in line for line in lines)
    assert str(Path.home()) not in "\n".join(lines)
    assert len("\n".join(lines)) < 2_000
