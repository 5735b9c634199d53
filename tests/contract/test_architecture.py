"""Who may import whom, what is pinned, and what travels in the wheel.

The arrows of DESIGN: text → tokenization → lookup → positions → attention → pooling →
(contrastive, finetune) → failures, search. They are read from the source, not run.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "course_utils"
CHAIN = ("tokenization", "lookup", "positions", "attention", "pooling")
TOPICS = {name: place for place, name in enumerate(CHAIN)} | {
    "contrastive": 6,
    "finetune": 6,
    "failures": 7,
    "search": 7,
}
SHARED = {"assets", "corpora"}  # what every topic may import
# A topic that grew is split by idea: its parts are used through it, and by it alone.
PARTS = {"wordtable": "lookup", "skipgram": "lookup"} | {
    part: "contrastive" for part in ("geometry", "tiny", "adaptation")
}
PARTS |= {part: "finetune" for part in ("batches", "classifier")}
TAKES_AN_ENCODER = ("contrastive", "finetune", "failures", "search")


# -- reading imports -------------------------------------------------------------------


def is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(tree):
    """Every node that runs: what stands under TYPE_CHECKING only does not."""
    for node in ast.iter_child_nodes(tree):
        if is_type_checking(node):
            continue
        yield node
        yield from statements(node)


def imported(text, module):
    """The full names that a module imports, at its top or inside its functions."""
    package = module.rpartition(".")[0]
    for node in statements(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports():
    """Every module of the package -> the full names that it imports."""
    return {
        name_of(path): frozenset(imported(path.read_text("utf-8"), name_of(path)))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def own(module):
    """The first-level modules of course_utils that a module imports."""
    found = set()
    for name in imports()[module]:
        parts = name.split(".")
        if parts[0] == "course_utils" and len(parts) > 1:
            found.add(parts[1])
    return found - {module.split(".")[1] if "." in module else ""}


@cache
def modules():
    """The modules that lie beside each other in course_utils/, by their short name."""
    return sorted(
        path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")
    )


BUILT = [name for name in TOPICS if (PACKAGE / f"{name}.py").exists()]
each_topic = pytest.mark.parametrize("topic", BUILT)
each_module = pytest.mark.parametrize("module", imports())


@pytest.mark.parametrize(
    "text, names",
    {
        "import a.b": {"a.b"},
        "from course_utils import assets": {"course_utils.assets"},
        "from course_utils.lookup import f": {"course_utils.lookup.f"},
        "from . import pooling": {"course_utils.pooling"},
        "from .pooling import f": {"course_utils.pooling.f"},
        "def f():\n    import torch": {"torch"},
        "if TYPE_CHECKING:\n    import torch": set(),
        "try:\n    import torch\nexcept ImportError:\n    pass": {"torch"},
    }.items(),
)
def test_imports_are_read_wherever_they_stand(text, names):
    assert set(imported(text, "course_utils.attention")) == names


# -- the arrows ------------------------------------------------------------------------


def test_there_are_topics_to_look_at():
    assert "tokenization" in BUILT


@each_topic
def test_a_topic_imports_only_topics_to_its_left(topic):
    used = own(f"course_utils.{topic}") & set(TOPICS)
    assert {name for name in used if TOPICS[name] >= TOPICS[topic]} == set()


@each_topic
def test_a_topic_imports_nothing_of_the_classroom_or_the_authoring(topic):
    assert not own(f"course_utils.{topic}") & {"classroom", "authoring"}


@pytest.mark.parametrize("topic", [name for name in CHAIN if name in BUILT])
def test_the_topics_of_the_model_import_no_helper_but_assets_and_corpora(topic):
    parts = {part for part, whole in PARTS.items() if whole == topic}
    assert own(f"course_utils.{topic}") <= SHARED | set(CHAIN) | parts


@pytest.mark.parametrize("part, whole", PARTS.items())
def test_the_part_of_a_topic_is_reached_through_the_topic(part, whole):
    assert part in own(f"course_utils.{whole}")
    beside = {name for name in PARTS if PARTS[name] == whole}
    left = {name for name in TOPICS if TOPICS[name] < TOPICS[whole]}
    assert own(f"course_utils.{part}") <= SHARED | beside | left
    users = {name for name in modules() if part in own(f"course_utils.{name}")}
    assert {name for name in users if PARTS.get(name) != whole} == {whole}


@pytest.mark.parametrize("topic", [name for name in TAKES_AN_ENCODER if name in BUILT])
def test_the_later_topics_take_an_encoder_as_an_argument(topic):
    assert "encoder" not in own(f"course_utils.{topic}")


@pytest.mark.skipif("encoder" not in modules(), reason="there is no encoder yet")
def test_the_encoder_is_put_together_from_the_topics_of_the_model():
    used = own("course_utils.encoder")
    assert used <= SHARED | set(CHAIN) | {"threads"}
    assert {"attention", "pooling"} <= used


def users_of(name):
    """The topics that import a module, directly or through helpers."""
    found, waiting = set(), [name]
    while waiting:
        target = waiting.pop()
        for module in set(modules()) - found:
            if target in own(f"course_utils.{module}"):
                found.add(module)
                waiting.append(module)
    return found & set(TOPICS)


@pytest.mark.parametrize(
    "helper", [name for name in modules() if name not in {*TOPICS, *SHARED, "encoder"}]
)
def test_a_helper_stands_left_of_every_topic_that_uses_it(helper):
    used = own(f"course_utils.{helper}")
    assert not used & {"classroom", "authoring"}
    first = min((TOPICS[topic] for topic in users_of(helper)), default=99)
    assert {name for name in used & set(TOPICS) if TOPICS[name] >= first} == set()


def test_no_imports_go_round_in_a_circle():
    waiting = {name: own(f"course_utils.{name}") & set(modules()) for name in modules()}
    while waiting:
        free = {name for name, needs in waiting.items() if not needs & set(waiting)}
        assert free, f"a circle among {sorted(waiting)}"
        waiting = {name: needs for name, needs in waiting.items() if name not in free}


@pytest.mark.parametrize("name", sorted(SHARED))
def test_assets_and_corpora_import_no_topic(name):
    assert own(f"course_utils.{name}") <= SHARED


CLASSROOM = "course_utils.classroom"


@pytest.mark.parametrize(
    "module",
    [
        name
        for name in imports()
        if name.startswith(CLASSROOM) and not name.startswith(f"{CLASSROOM}.checks.")
    ],
)
def test_only_the_checks_of_the_classroom_import_topics(module):
    assert not own(module) & {*TOPICS, "encoder"}


@pytest.mark.parametrize(
    "module",
    [name for name in imports() if not name.startswith("course_utils.authoring")],
)
def test_the_authoring_tools_are_imported_by_nothing_but_themselves(module):
    assert "authoring" not in own(module)


@pytest.mark.parametrize(
    "source", sorted((ROOT / "notebooks" / "source").glob("*.py")), ids=lambda p: p.stem
)
def test_no_lesson_imports_the_authoring_tools_or_the_tests(source):
    names = set(imported(source.read_text("utf-8"), source.stem))
    assert not [n for n in names if re.match(r"tests\b|course_utils\.authoring", n)]


@each_module
def test_the_package_imports_no_test(module):
    assert not [
        name for name in imports()[module] if re.match(r"tests\b|pytest\b", name)
    ]


@pytest.mark.parametrize("topic", [*BUILT, *PARTS])
def test_a_topic_neither_prints_nor_plots_nor_opens_files(topic):
    tree = ast.parse((PACKAGE / f"{topic}.py").read_text("utf-8"))
    called = {
        getattr(node.func, "id", getattr(node.func, "attr", ""))
        for node in statements(tree)
        if isinstance(node, ast.Call)
    }
    forbidden = {"print", "open", "input", "read_text", "write_text", "write_bytes"}
    assert not called & {*forbidden, "read_bytes", "display", "show"}
    drawing = {"matplotlib", "seaborn", "IPython", "ipywidgets"}
    used = {name.split(".")[0] for name in imports()[f"course_utils.{topic}"]}
    assert not used & drawing


# -- what is installed -----------------------------------------------------------------

REQUIRED, PINNED = "requirements.txt", "constraints.txt"


def lines_of(name):
    rows = (ROOT / name).read_text("utf-8").splitlines()
    return [row for row in rows if row.strip() and not row.startswith("#")]


@cache
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@cache
def required():
    """Every line of requirements.txt but the last: name -> requirement."""
    found = [
        Requirement(row.partition("#")[0].strip()) for row in lines_of(REQUIRED)[:-1]
    ]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


@cache
def pinned():
    """Every line of constraints.txt: name -> version."""
    found = [Requirement(row.partition("#")[0].strip()) for row in lines_of(PINNED)]
    assert all(
        [part.operator for part in requirement.specifier] == ["=="]
        for requirement in found
    )
    return {
        canonicalize_name(requirement.name): next(iter(requirement.specifier)).version
        for requirement in found
    }


DEPENDENCIES = [Requirement(text) for text in project()["dependencies"]]
each_dependency = pytest.mark.parametrize(
    "dependency", DEPENDENCIES, ids=lambda d: d.name
)
each_requirement = pytest.mark.parametrize("name", required())


@each_dependency
def test_a_dependency_of_the_package_is_a_requirement_of_the_course(dependency):
    assert canonicalize_name(dependency.name) in required()


@each_dependency
def test_a_dependency_of_the_package_allows_the_tested_version(dependency):
    version = pinned()[canonicalize_name(dependency.name)]
    assert dependency.specifier.contains(version)


@each_requirement
def test_a_requirement_is_a_range_that_holds_the_tested_version(name):
    assert str(required()[name].specifier)
    assert required()[name].specifier.contains(pinned()[name])


@pytest.mark.parametrize("row", lines_of(REQUIRED), ids=lambda row: row.split()[0])
def test_a_requirement_says_who_needs_it(row):
    _, mark, comment = row.partition("#")
    assert mark and comment.strip()


def test_the_package_itself_is_the_last_requirement():
    assert lines_of(REQUIRED)[-1].split("#")[0].strip() == "-e ."
    assert not [row for row in lines_of(REQUIRED)[:-1] if row.startswith("-")]


def test_no_package_is_required_or_pinned_twice():
    for name in (REQUIRED, PINNED):
        rows = [row for row in lines_of(name) if not row.startswith("-")]
        names = [canonicalize_name(re.split(r"[\s\[<>=!~;]", row)[0]) for row in rows]
        assert sorted(names) == sorted(set(names))


def test_torch_is_pinned_to_the_tested_version():
    assert pinned()["torch"] == "2.13.0"


def test_no_pin_names_a_build_that_the_public_index_lacks():
    assert [name for name, version in pinned().items() if Version(version).local] == []


def test_the_package_itself_is_not_pinned():
    assert "course-utils" not in pinned()


def test_python_3_11_to_3_13_are_supported():
    from packaging.specifiers import SpecifierSet

    allowed = SpecifierSet(project()["requires-python"])
    versions = ("3.10.14", "3.11.0", "3.12.4", "3.13.9", "3.14.0")
    assert [allowed.contains(version) for version in versions] == [
        *(False, True, True, True, False),
    ]


# -- the wheel -------------------------------------------------------------------------


def environment(**more):
    """The environment of a person, without the guard that cuts the tests' network."""
    hidden = {"PYTHONPATH", "http_proxy", "https_proxy", "all_proxy"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in hidden and name.lower() not in hidden
    }
    return {**kept, **more}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel: without the network where hatchling is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    alone = ["--no-build-isolation"] if find_spec("hatchling") else []
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--quiet"),
            *(*alone, "--wheel-dir", folder),
        ],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    [path] = folder.glob("course_utils-*.whl")
    return path


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def from_the_wheel(unpacked, code):
    """Run Python code with the unpacked wheel in the place of the repository."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=unpacked.parent,
        env=environment(PYTHONPATH=str(unpacked)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout.splitlines()


def test_the_wheel_holds_every_module(unpacked):
    packed = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*.py")}
    assert packed == {
        path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py")
    }


def test_the_wheel_holds_every_file_of_the_data(unpacked):
    inside = unpacked / "course_utils" / "_data"
    for path in (ROOT / "data").rglob("*"):
        if path.is_file():
            copy = inside / path.relative_to(ROOT / "data")
            assert copy.read_bytes() == path.read_bytes()


def test_the_wheel_holds_the_pictures(unpacked):
    packed = {path.name: path.read_bytes() for path in unpacked.rglob("*.svg")}
    assert packed == {
        path.name: path.read_bytes()
        for path in (ROOT / "notebooks" / "images").glob("*.svg")
    }


def test_from_the_wheel_every_notebook_finds_its_picture(unpacked):
    sources = (ROOT / "notebooks" / "source").glob("[0-9]*.py")
    topics = [path.stem.partition("_")[2] for path in sources]
    printed = from_the_wheel(
        unpacked,
        "from course_utils import hosted\n"
        f"for topic in {topics}: print(bool(hosted.pipeline(topic)))\n",
    )
    assert printed == ["True"] * len(topics) and len(topics) == 10


def test_the_wheel_asks_for_what_the_project_asks_for(unpacked):
    [metadata] = unpacked.glob("*.dist-info/METADATA")
    asked = re.findall(r"^Requires-Dist: (.+)$", metadata.read_text("utf-8"), re.M)
    needed = [Requirement(text) for text in asked if "extra ==" not in text]
    assert {(r.name, r.specifier) for r in needed} == {
        (r.name, r.specifier) for r in DEPENDENCIES
    }


def test_the_course_works_from_the_wheel(unpacked):
    printed = from_the_wheel(
        unpacked,
        "import course_utils\n"
        "from course_utils import corpora\n"
        "from course_utils.classroom.claims import registry\n"
        "from course_utils.classroom.doctor import tested_versions\n"
        "print(course_utils.__file__)\n"
        "print(corpora.load_sentences()['cat'])\n"
        "print(len(corpora.load_news()), len(corpora.load_runbooks()))\n"
        "print(len(registry()) > 0, tested_versions()['torch'])\n",
    )
    assert Path(printed[0]).is_relative_to(unpacked)
    assert printed[1] == "The cat sat on the mat."
    assert all(int(count) > 80 for count in printed[2].split())
    assert printed[3] == "True 2.13.0"
