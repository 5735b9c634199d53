"""A save is whole or refused: killed writers, altered files, readers in between."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from course_utils.search import storage
from course_utils.search.storage import DamagedIndex, OtherVersion, read, write

KIND = "test 1"
FILES = {"a.txt": b"first", "b.bin": bytes(range(256))}


def saved(folder):
    return json.loads((folder / "manifest.json").read_text())["save"]


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "index", KIND, {"size": 3}, FILES)
    return tmp_path / "index"


def test_what_is_written_comes_back(folder):
    assert read(folder, KIND) == ({"size": 3}, FILES)


def test_a_second_save_replaces_the_first_and_clears_up(folder):
    write(folder, KIND, {}, {"a.txt": b"second"})
    assert read(folder, KIND) == ({}, {"a.txt": b"second"})
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["manifest.json", saved(folder)]
    )


WRITER = """
import itertools, sys
from course_utils.search.storage import write
for n in itertools.count():
    data = bytes([n % 256]) * 300_000
    write(sys.argv[1], "test 1", {"n": n % 256}, {f"{i}.bin": data for i in range(4)})
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_save(tmp_path):
    folder = tmp_path / "index"
    for attempt in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE
        )
        writer.stdout.readline()  # at least one save is complete
        time.sleep(0.003 * attempt)
        writer.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        writer.wait()
        writer.stdout.close()
        facts, files = read(folder, "test 1")
        assert len(files) == 4
        assert all(data == bytes([facts["n"]]) * 300_000 for data in files.values())


@pytest.mark.parametrize("step", range(6))
def test_a_writer_that_fails_at_any_step_leaves_the_old_save(folder, monkeypatch, step):
    done = 0

    def failing(function):
        def wrapper(*arguments):
            nonlocal done
            done += 1
            if done > step:
                raise OSError("No space left on device")
            return function(*arguments)

        return wrapper

    monkeypatch.setattr(storage, "_write_through", failing(storage._write_through))
    monkeypatch.setattr(storage.os, "replace", failing(os.replace))
    monkeypatch.setattr(storage, "_sync_folder", failing(storage._sync_folder))
    with pytest.raises(OSError, match="No space"):
        write(folder, KIND, {}, {"a.txt": b"new", "b.txt": b"new"})
    monkeypatch.undo()
    facts, files = read(folder, KIND)
    assert files in (FILES, {"a.txt": b"new", "b.txt": b"new"})
    assert (files == FILES) == (step < 5), "only the sync after the switch comes later"


def test_readers_see_the_old_or_the_new_save_while_it_is_replaced(folder):
    stop, problems, seen = threading.Event(), [], set()

    def reading():
        while not stop.is_set():
            try:
                facts, files = read(folder, KIND)
                assert "size" in facts or files == {"n.txt": str(facts["n"]).encode()}
                seen.add(facts.get("n"))
            except Exception as problem:
                problems.append(problem)

    readers = [threading.Thread(target=reading) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(40):
        write(folder, KIND, {"n": n}, {"n.txt": str(n).encode()})
    stop.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert len(seen) > 1


@pytest.mark.parametrize(
    "data, reason",
    [(b"firs", "4 bytes instead of 5"), (b"First", "sha256"), (b"", "0 bytes")],
)
def test_a_truncated_or_altered_file_is_refused(folder, data, reason):
    (folder / saved(folder) / "a.txt").write_bytes(data)
    with pytest.raises(DamagedIndex, match=f"a.txt .*{reason}.*build the index again"):
        read(folder, KIND)


def test_a_missing_file_is_refused(folder):
    (folder / saved(folder) / "b.bin").unlink()
    with pytest.raises(DamagedIndex, match="b.bin is missing"):
        read(folder, KIND)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}"])
def test_a_broken_manifest_is_refused(folder, data):
    (folder / "manifest.json").write_bytes(data)
    with pytest.raises(DamagedIndex, match="manifest"):
        read(folder, KIND)


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "a/b.txt"])
def test_a_manifest_cannot_lead_out_of_the_folder(folder, name):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": 1, "sha256": ""}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedIndex):
        read(folder, KIND)


def test_another_kind_is_neither_read_nor_overwritten(folder):
    with pytest.raises(DamagedIndex, match="another program"):
        read(folder, "other 1")
    with pytest.raises(FileExistsError):
        write(folder, "other 1", {}, FILES)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="thesis.tex"):
        write(tmp_path, KIND, {}, FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_no_save_at_all_is_said_plainly(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no saved index"):
        read(tmp_path, KIND)


def test_what_a_killed_writer_left_is_cleared_when_it_is_old(folder):
    for name, age in (("save-" + "0" * 16, 7200), ("save-" + "1" * 16, 10)):
        (folder / name).mkdir()
        os.utime(folder / name, (time.time() - age,) * 2)
    write(folder, KIND, {}, FILES)
    assert not (folder / ("save-" + "0" * 16)).exists(), "abandoned long ago"
    assert (folder / ("save-" + "1" * 16)).exists(), "somebody may be writing it"


def test_a_save_of_another_version_is_refused_and_may_be_replaced(folder):
    with pytest.raises(OtherVersion, match="'test 1'.*'test 2'.*build it anew"):
        read(folder, "test 2")
    write(folder, "test 2", {}, FILES)
    assert read(folder, "test 2") == ({}, FILES)
    with pytest.raises(OtherVersion):
        read(folder, KIND)


def test_settings_may_be_numbers_of_numpy(tmp_path):
    facts = {"size": np.int64(64), "rate": np.float32(0.5), "shape": np.arange(2)}
    write(tmp_path / "index", KIND, facts, FILES)
    assert read(tmp_path / "index", KIND)[0] == {
        "size": 64,
        "rate": 0.5,
        "shape": [0, 1],
    }


def test_what_cannot_be_saved_leaves_the_old_save(folder):
    with pytest.raises(TypeError, match="cannot be saved"):
        write(folder, KIND, {"odd": object()}, {"a.txt": b"new"})
    assert read(folder, KIND) == ({"size": 3}, FILES)
