"""Colab and Binder: generated from one setting, and the same versions as here."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from course_utils.authoring import binder, front, source

ROOT = Path(__file__).parents[2]
ROWS = (ROOT / "binder" / "requirements.txt").read_text("utf-8").splitlines()
PINS = [row for row in ROWS if "==" in row]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_the_set_of_binder_is_generated():
    """`make binder` mends it."""
    assert binder.FILE.read_text("utf-8") == binder.requirements()


def test_every_version_of_binder_is_the_tested_one():
    tested = set((ROOT / "constraints.txt").read_text("utf-8").split())
    assert len(PINS) > 100
    assert [pin for pin in PINS if pin not in tested] == []


def test_binder_has_all_that_the_package_and_the_notebooks_import():
    names = {canonicalize_name(pin.split("==")[0]) for pin in PINS}
    package = map(Requirement, SETTINGS["project"]["dependencies"])
    assert {canonicalize_name(r.name) for r in package} <= names
    assert {"ipykernel", "ipywidgets", "sentencepiece", "mdurl"} <= names


def test_binder_keeps_its_own_jupyterlab_and_installs_no_test_tools():
    names = {pin.split("==")[0].lower() for pin in PINS}
    assert not names & {"jupyterlab", "pytest", "playwright", "sphinx", "nbval"}


def test_binder_takes_the_small_torch_and_the_course_itself():
    """Its pip runs in the root of the repository."""
    assert ROWS[0] == "--extra-index-url https://download.pytorch.org/whl/cpu"
    assert ROWS[-1] == "-e ."


def test_binder_runs_a_supported_python():
    version = (ROOT / "binder" / "runtime.txt").read_text("utf-8").strip()
    allowed = SpecifierSet(SETTINGS["project"]["requires-python"])
    assert allowed.contains(version.removeprefix("python-") + ".0")


def test_a_dependency_of_a_dependency_is_found_and_an_extra_only_where_asked():
    assert "regex" in binder.closure([Requirement("tiktoken")])
    plain = binder.closure([Requirement("mistral-common")])
    assert "sentencepiece" not in plain
    assert "sentencepiece" in binder.closure(
        [Requirement("mistral-common[sentencepiece]")]
    )


@pytest.mark.parametrize("place", ["colab.research.google.com", "mybinder.org"])
def test_the_readme_opens_the_first_notebook_there(place):
    links = source.elsewhere("notebooks/00_start_here.ipynb")
    assert place in links
    assert links in (ROOT / "README.md").read_text("utf-8")


def test_the_address_of_the_repository_stands_nowhere_else():
    """Whoever moves the course changes pyproject.toml; the README shows the rest."""
    repository = SETTINGS["tool"]["course"]["repository"]
    generated = source.elsewhere("notebooks/00_start_here.ipynb")
    readme = (ROOT / "README.md").read_text("utf-8")
    readme = readme.replace(generated, "").replace(front.badges(), "")
    assert repository not in readme
    written = [
        path
        for path in [*ROOT.glob("course_utils/**/*.py"), *source.SOURCES.glob("*.py")]
        if re.search(re.escape(repository), path.read_text("utf-8"))
    ]
    assert written == []
