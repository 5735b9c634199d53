"""The benchmarks run, sum up rightly, and bench/README.md is what they found."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "bench"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


@pytest.fixture(scope="module")
def bench():
    """A function that imports a script; their names are no package of ours."""
    sys.path.insert(0, str(FOLDER))
    before = set(sys.modules)
    yield importlib.import_module
    sys.path.remove(str(FOLDER))
    for name in set(sys.modules) - before:
        if name in {*SCRIPTS, "_common"}:
            del sys.modules[name]


@pytest.fixture(scope="module")
def common(bench):
    return bench("_common")


class Clock:
    """Functions that take as long as they say."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self):
        return self.now

    def task(self, name, seconds):
        def run():
            self.calls.append(name)
            self.now += seconds

        return run


# -- measuring -------------------------------------------------------------------------


def test_functions_are_timed_in_turn_and_each_begins_as_often(common):
    clock = Clock()
    tasks = {"a": clock.task("a", 1.0), "b": clock.task("b", 4.0)}
    seconds = common.in_turn(tasks, rounds=4, clock=clock)
    assert seconds == {"a": [1.0] * 4, "b": [4.0] * 4}
    assert "".join(clock.calls) == "ab" + "abba" * 2  # the first two warm up
    assert common.faster(seconds, "a", "b") == [4.0] * 4


def test_without_warming_up_nothing_runs_unmeasured(common):
    clock = Clock()
    common.in_turn({"a": clock.task("a", 1.0)}, 2, warm=False, clock=clock)
    assert clock.calls == ["a", "a"]


def test_a_row_is_the_median_with_the_lowest_and_highest_run(common):
    made = common.row("a", "b", [3.0, 1.0, 2.0, 9.0, 4.0], at_least=3.5, words=1.23456)
    assert (made.figure, made.low, made.high, made.runs) == (3.0, 1.0, 9.0, 5)
    assert (made.goal, made.met) == ("at least 3.5", False)
    assert made.more == {"words": 1.23}


def test_a_goal_is_judged_by_what_was_measured_not_by_what_is_shown(common):
    assert common.row("a", "b", [0.9999], at_least=1.0).met is False
    assert common.row("a", "b", [1.0001], at_most=1.0).met is False
    assert common.row("a", "b", [1.0], at_least=1.0).met is True
    assert common.row("a", "b", [1.0]).met is None


def test_the_machine_is_named_without_names_of_people_or_hosts(common):
    found = common.machine()
    assert found["cores"] == os.cpu_count()
    assert found["versions"]["torch"].split("+")[0].count(".") == 2
    assert os.uname().nodename not in json.dumps(found)
    assert str(Path.home()) not in json.dumps(found)


# -- the file of results ---------------------------------------------------------------


def section(common, figure):
    return {
        "title": "A title",
        "about": "About it.",
        "seconds": 3,
        "load": 0.1,
        "machine": common.machine(),
        "rows": [dataclasses.asdict(common.row("a", "b", [figure], at_least=2.0))],
    }


def test_a_run_replaces_its_own_section_and_no_other(common, tmp_path):
    results, page = tmp_path / "results.json", tmp_path / "page.md"
    for topic, figure in (("search", 1.5), ("encoder", 2.5), ("search", 3.5)):
        common.record(topic, section(common, figure), results, page)
    known = json.loads(results.read_text("utf-8"))
    assert list(known) == ["encoder", "search"]  # in the order of the page
    assert [known[topic]["rows"][0]["figure"] for topic in known] == [2.5, 3.5]
    assert page.read_text("utf-8") == common.page(known)
    assert "3.5 times as fast" in page.read_text("utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == [page.name, results.name]


def test_a_missed_goal_is_shown(common):
    rows = section(common, 1.0)["rows"] + section(common, 3.0)["rows"]
    missed, met = common.table(rows).splitlines()[2:]
    assert "at least 2: **missed**" in missed
    assert "at least 2: met" in met


def test_a_rehearsal_records_nothing(common, tmp_path, capsys):
    results, page = tmp_path / "results.json", tmp_path / "page.md"

    def measure(quick):
        assert quick
        return [common.row("a", "b", [1.0])]

    common.run("encoder", "T", "About.", measure, ["--quick"], results, page)
    assert "| a | b | 1.0 times as fast" in capsys.readouterr().out
    assert not results.exists() and not page.exists()


def test_the_page_is_what_the_results_say(common):
    """A number edited by hand, in either file, fails here."""
    results = json.loads(common.RESULTS.read_text("utf-8"))
    assert common.PAGE.read_text("utf-8") == common.page(results)


def test_the_first_table_is_taken_in_at_a_glance(common):
    """Ten rows, every one of them measured; a renamed row would be missing."""
    results = json.loads(common.RESULTS.read_text("utf-8"))
    head, rule, *rows = common.glance(results).splitlines()
    named = [row.split(" | ")[0].removeprefix("| ") for row in rows]
    assert named == [name for _, name in common.GLANCE] and len(named) == 10


def test_every_section_has_its_script_and_stands_in_the_order_of_the_page(common):
    assert sorted(common.TOPICS) == SCRIPTS
    results = json.loads(common.RESULTS.read_text("utf-8"))
    assert tuple(results) == common.TOPICS
    for found in results.values():
        assert found["rows"]


def test_what_is_written_is_true_of_the_scripts(bench, common):
    """Titles and texts are taken from the scripts; the stored ones are the same."""
    results = json.loads(common.RESULTS.read_text("utf-8"))
    for topic in results:
        script = bench(topic)
        assert (results[topic]["title"], results[topic]["about"]) == (
            script.TITLE,
            script.ABOUT,
        )


def test_a_ratio_comes_from_at_least_five_runs(common):
    """But for the whole course, which runs once, and what is no ratio of two times."""
    results = json.loads(common.RESULTS.read_text("utf-8"))
    for topic in set(results) - {"notebooks"}:
        for one in results[topic]["rows"]:
            enough = one["runs"] >= 5 or one["unit"] in ("", "is the exponent")
            assert enough, one["name"]


def test_what_was_measured_of_the_course_is_there_still(common):
    """A new notebook is measured when the benchmarks are next run."""
    measured = json.loads(common.RESULTS.read_text("utf-8"))["notebooks"]["rows"]
    paths = [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("notebooks/*/[0-9]*.ipynb")]
    names = {f"`{path.relative_to(ROOT).with_suffix('')}`" for path in paths}
    found = {one["name"] for one in measured[1:]}
    assert found <= names and len(found) >= 20


def test_no_result_names_a_path_of_the_machine(common):
    for path in (common.RESULTS, common.PAGE):
        text = path.read_text("utf-8")
        assert str(ROOT) not in text and str(Path.home()) not in text


# -- the scripts, in small -------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    ["threads", "tokenization", "recounting", "pairs", "search", "finetune"],
)
def test_a_script_measures_in_small(bench, common, topic):
    rows = bench(topic).measure(quick=True)
    assert rows
    for one in rows:
        assert isinstance(one, common.Row)
        assert one.low <= one.figure <= one.high
        assert np.isfinite([one.low, one.figure, one.high]).all()
    assert common.table([dataclasses.asdict(one) for one in rows]).count("\n| ")


def test_a_script_runs_alone(tmp_path):
    """From another folder, as a file; and a rehearsal leaves the page alone."""
    before = (FOLDER / "results.json").read_bytes()
    done = subprocess.run(
        [sys.executable, FOLDER / "recounting.py", "--quick"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert "`train_bpe`, all 20 merges on 20,000 bytes" in done.stdout
    assert (FOLDER / "results.json").read_bytes() == before


# -- what they compute -----------------------------------------------------------------


def test_the_most_similar_pair_is_found_across_blocks(bench):
    rng = np.random.default_rng(7)
    vectors = rng.standard_normal((23, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors @ vectors.T - 2 * np.eye(23)
    a, b = divmod(int(scores.argmax()), 23)
    for block in (1, 5, 23, 100):
        found = bench("pairs").most_similar(vectors, block)
        assert found[:2] == (min(a, b), max(a, b))
        assert found[2] == pytest.approx(scores.max(), abs=1e-6)


def test_sentences_are_many_and_all_different(bench):
    found = bench("pairs").sentences(10_000)
    assert len(set(found)) == 10_000


def test_joint_reading_reads_both_sentences(bench):
    pairs, model = bench("pairs"), bench("pairs").MiniLM.load()
    asked = [("A cat sat.", "A dog."), ("A cat sat.", "A bird flew far away.")]
    one, other = pairs.joint(model, asked)
    assert one != pytest.approx(other, abs=1e-3)
    assert pairs.joint(model, asked[::-1]) == pytest.approx([other, one], abs=1e-4)


def test_the_exponent_of_known_growth(bench):
    exponent = bench("search").exponent
    assert exponent([10, 100, 1_000], [1.0, 10.0, 100.0]) == pytest.approx(1.0)
    assert exponent([1, 4, 16], [3.0, 6.0, 12.0]) == pytest.approx(0.5)


def test_mixed_vectors_are_unit_and_near_the_real_ones(bench):
    search = bench("search")
    base, queries = search.real_vectors(150)
    made = search.mixed(base, 500)
    assert np.allclose(np.linalg.norm(made, axis=1), 1.0, atol=1e-5)
    assert (made @ base.T).max(axis=1).min() > 0.4
    assert len(queries) == search.QUERIES


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux only")
def test_memory_is_read_in_megabytes(bench):
    resident, shared = bench("kernels").memory()
    assert 10 < shared <= resident < 10_000


def test_the_golden_set_tells_a_broken_encoder(bench):
    from tests.search.toy import Toy

    scores = bench("precision").golden(Toy())
    assert 0 < scores["nDCG@10"] < 1 and 0 < scores["recall@10"] <= 1
