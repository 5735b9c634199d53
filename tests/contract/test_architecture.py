"""Who may import whom, what is pinned, and what travels in the wheel.

All of it is read from the folders: a topic is a module or a folder of course_utils, its
parts are the files in the folder, and STREET is the one line that is written by hand,
the order of the topics.
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

from course_utils.authoring.source import editions

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "course_utils"
# From left to right; what stands in one group does not import each other.
STREET = (
    ("guards",),
    ("assets",),
    ("corpora",),
    ("tokenization",),
    ("lookup",),
    ("positions",),
    ("attention",),
    ("pooling",),
    ("encoder",),
    ("contrastive", "finetune"),
    ("failures", "search"),
    ("answers",),
    ("applications", "production", "reranking"),
    ("scale", "yours"),
)
PLACE = {topic: place for place, group in enumerate(STREET) for topic in group}
SHOP = {"classroom", "authoring", "hosted"}  # what is no topic
# Their parts may write files or start servers, and say so in their names.
STORES = {"storage", "checkpoints", "places", "reading", "store", "server", "folders"}


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


@cache
def topics():
    """The topics that there are: a module or a folder beside each other."""
    found = {path.stem for path in PACKAGE.glob("*.py")}
    found |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return sorted(name for name in found - SHOP if not name.startswith("__"))


def topic_of(name):
    """``course_utils.search.index`` -> ``search``; "" outside of the package."""
    parts = name.split(".")
    return parts[1] if parts[0] == "course_utils" and len(parts) > 1 else ""


def parts_of(topic):
    """The modules of a topic, its face included."""
    whole = f"course_utils.{topic}"
    return [name for name in imports() if name == whole or name.startswith(whole + ".")]


def used_by(module):
    """The topics, classroom and authoring that a module imports, its own left out."""
    return {topic_of(name) for name in imports()[module]} - {"", topic_of(module)}


FOLDERS = [topic for topic in topics() if (PACKAGE / topic).is_dir()]
MODULES = [module for topic in topics() for module in parts_of(topic)]
each_module = pytest.mark.parametrize("module", imports())
each_part = pytest.mark.parametrize("module", MODULES)
each_folder = pytest.mark.parametrize("topic", FOLDERS)


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


# -- the street ------------------------------------------------------------------------


def test_every_topic_has_its_place_in_the_street():
    assert set(topics()) <= set(PLACE)
    assert {"tokenization", "encoder", "search"} <= set(topics())


@each_part
def test_a_topic_imports_only_what_stands_to_its_left(module):
    mine = PLACE[topic_of(module)]
    assert {name for name in used_by(module) if PLACE.get(name, 99) >= mine} == set()


@each_folder
def test_the_parts_of_a_topic_form_a_line_too(topic):
    """Each part needs only parts that need no part that needs it; the face is last."""
    face = f"course_utils.{topic}"
    waiting = {
        part: {
            f"{face}.{name.removeprefix(face + '.').split('.')[0]}"
            for name in imports()[part]
            if name.startswith(f"{face}.")
        }
        & set(parts_of(topic))
        for part in parts_of(topic)
        if part != face
    }
    while waiting:
        free = {part for part, needs in waiting.items() if not needs & set(waiting)}
        assert free, f"a circle among {sorted(waiting)}"
        waiting = {part: n for part, n in waiting.items() if part not in free}


@each_folder
def test_a_face_is_short_names_every_part_and_does_nothing(topic):
    text = (PACKAGE / topic / "__init__.py").read_text("utf-8")
    assert len(text.splitlines()) < 40
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    rest = tree.body[1:]
    assert all(isinstance(node, ast.ImportFrom) for node in rest)
    if topic in ("assets", "corpora"):  # their docstrings tell of the whole
        return
    for part in parts_of(topic):
        if part != f"course_utils.{topic}":
            assert f"``{part.rsplit('.', 1)[1]}``" in ast.get_docstring(tree), part


@each_part
def test_another_topic_is_entered_by_its_face(module):
    mine = topic_of(module)
    for name in imports()[module]:
        topic = topic_of(name)
        if topic in FOLDERS and topic != mine:
            assert name.count(".") <= 2, f"{module} goes through a window: {name}"


@pytest.mark.parametrize("topic", ["contrastive", "finetune", "failures", "search"])
def test_the_later_topics_take_an_encoder_as_an_argument(topic):
    """They know what an encoder must offer and is given, and none by name."""
    offered = {f"course_utils.encoder.{n}" for n in ("Encoder", "listed", "digest")}
    for module in parts_of(topic):
        names = {n for n in imports()[module] if topic_of(n) == "encoder"}
        assert names <= offered, module


def test_the_encoder_is_put_together_from_the_topics_of_the_model():
    used = set().union(*(used_by(module) for module in parts_of("encoder")))
    assert {"lookup", "attention", "pooling"} <= used


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
    assert used_by(module) <= {"assets", "corpora", "hosted"}


@pytest.mark.parametrize(
    "module",
    [name for name in imports() if not name.startswith("course_utils.authoring")],
)
def test_the_authoring_tools_are_imported_by_nothing_but_themselves(module):
    assert "authoring" not in used_by(module)


SOURCES = sorted((ROOT / "notebooks" / "source").glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_a_lesson_imports_topics_and_what_their_faces_hand_on(source):
    for name in imported(source.read_text("utf-8"), source.stem):
        assert not re.match(r"tests\b|course_utils\.authoring", name), name
        topic = topic_of(name)
        if topic in FOLDERS and name.count(".") > 1:
            assert name.count(".") == 2, name
            handed = {n.rsplit(".", 1)[1] for n in imports()[f"course_utils.{topic}"]}
            assert name.rsplit(".", 1)[1] in handed, name


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_one_stem_runs_through_source_checks_and_quizzes(source):
    """And through the package, where the lesson builds a topic."""
    number, _, stem = source.stem.partition("_")
    rooms = [PACKAGE / "classroom" / room / f"{stem}.py" for room in ROOMS]
    if number.startswith("9"):  # the ledger and the glossary are no lessons
        assert not any(room.exists() for room in rooms)
        return
    assert all(room.exists() for room in rooms)
    assert stem in {*topics(), "start_here"}


ROOMS = ("checks", "quizzes")


@each_part
def test_every_part_is_tested_in_the_folder_of_its_topic(module):
    topic = topic_of(module)
    if topic not in FOLDERS:
        assert (ROOT / "tests" / f"test_{topic}.py").exists()
    else:
        assert list((ROOT / "tests" / topic).glob("test_*.py"))


@each_module
def test_the_package_imports_no_test(module):
    assert not [
        name for name in imports()[module] if re.match(r"tests\b|pytest\b", name)
    ]


@each_part
def test_a_topic_neither_prints_nor_plots_nor_opens_files(module):
    path = PACKAGE.parent / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text("utf-8"))
    called = {
        getattr(node.func, "id", getattr(node.func, "attr", ""))
        for node in statements(tree)
        if isinstance(node, ast.Call)
    }
    shared = topic_of(module) in {"assets", "corpora"}
    if path.stem not in STORES and not shared:
        files = {"open", "read_text", "write_text", "read_bytes", "write_bytes"}
        assert not called & files
    assert not called & {"print", "input", "display", "show"}
    drawing = {"matplotlib", "seaborn", "IPython", "ipywidgets"}
    assert not {name.split(".")[0] for name in imports()[module]} & drawing


def test_a_file_holds_one_idea():
    """Where one is longer than 320 lines, its idea could not be cut."""
    long = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if len(path.read_text("utf-8").splitlines()) > 320
    }
    assert {name for name in long if not name.startswith("classroom/checks/")} <= {
        "classroom/plots.py"
    }


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
    packed = {name for name in packed if "/_data/" not in name}  # sources of lessons
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
    topics = [
        path.stem.partition("_")[2]
        for path in sources
        if len(editions(path.stem)) == 2  # works of reference stand in no pipeline
    ]
    printed = from_the_wheel(
        unpacked,
        "from course_utils.classroom.session import pipeline\n"
        f"for topic in {topics}: print(bool(pipeline(topic)))\n",
    )
    assert printed == ["True"] * len(topics) and len(topics) >= 11


def test_from_the_wheel_a_lesson_is_rejoined_and_the_doctor_knows_its_minutes(unpacked):
    printed = from_the_wheel(
        unpacked,
        "from course_utils.classroom import pace, rejoin\n"
        "texts, begins = rejoin.cells_of(rejoin.source_of('07_finetune'))\n"
        "print(len(texts), len(begins), len(pace.minutes(100)))\n",
    )
    texts, begins, minutes = map(int, printed[0].split())
    assert texts > 20 and begins >= 5 and minutes >= 10


def test_the_wheel_asks_for_what_the_project_asks_for(unpacked):
    [metadata] = unpacked.glob("*.dist-info/METADATA")
    asked = re.findall(r"^Requires-Dist: (.+)$", metadata.read_text("utf-8"), re.M)
    needed = [Requirement(text) for text in asked if "extra ==" not in text]
    assert {(canonicalize_name(r.name), r.specifier) for r in needed} == {
        (canonicalize_name(r.name), r.specifier) for r in DEPENDENCIES
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
