"""Whether a running session has to be restarted is said, and said only then."""

import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from course_utils import hosted


def in_memory(**versions):
    return {name: SimpleNamespace(__version__=v) for name, v in versions.items()}


@pytest.mark.parametrize("name, package", hosted.HELD.items())
def test_a_package_as_it_is_installed_needs_no_restart(name, package):
    """Also: each of them says the same version in memory as in its metadata.

    How it was built does not count: the public torch has +cu130 in memory only.
    """
    module = pytest.importorskip(name)
    assert hosted.public(module.__version__) == hosted.public(metadata.version(package))
    assert hosted.replaced({name: module}) == {}


@pytest.mark.parametrize("name, package", hosted.HELD.items())
def test_a_package_replaced_under_the_session_is_named_with_both_versions(
    name, package
):
    installed = metadata.version(package)
    modules = in_memory(**{name: "0.0.1"})
    assert hosted.replaced(modules) == {package: ("0.0.1", installed)}
    said = hosted.after_install(modules)
    assert said.startswith("RESTART NEEDED: choose Runtime > Restart session")
    assert f"{package} 0.0.1 -> {installed}" in said


BUILDS = ["2.13.0", "2.13.0+cpu", "2.13.0+cu130", "2.13.0+local.1"]


@pytest.mark.parametrize("loaded", BUILDS)
@pytest.mark.parametrize("installed", BUILDS)
def test_how_a_package_was_built_asks_for_no_restart(monkeypatch, loaded, installed):
    """torch for CUDA is 2.13.0+cu130 in memory and 2.13.0 in its metadata."""
    monkeypatch.setattr(metadata, "version", lambda name: installed)
    modules = in_memory(torch=loaded)
    assert hosted.replaced(modules) == {}
    assert "No restart is needed" in hosted.after_install(modules)


def test_another_version_is_another_one_however_it_was_built(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0")
    found = hosted.replaced(in_memory(torch="2.12.0+cu130"))
    assert found == {"torch": ("2.12.0+cu130", "2.13.0")}


def test_a_package_that_the_install_removed_is_named(monkeypatch):
    def gone(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", gone)
    assert hosted.replaced(in_memory(numpy="2.0.2")) == {"numpy": ("2.0.2", "none")}


def test_what_is_not_in_memory_may_change():
    assert hosted.replaced({}) == {}
    assert hosted.replaced({"numpy": None, "torch": SimpleNamespace()}) == {}


def test_all_well_is_said_as_plainly():
    assert "No restart is needed" in hosted.after_install({})


def test_asking_loads_nothing():
    """The answer must come even where numpy would break on import."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from course_utils.hosted import after_install; after_install()\n"
        "print(sorted(set(sys.modules) & {'numpy', 'pandas', 'torch', 'matplotlib'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
