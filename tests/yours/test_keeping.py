"""The index of a folder: whole, current, and nothing embedded twice."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from course_utils.search import DamagedIndex, SearchIndex
from course_utils.yours import (
    Options,
    OtherFolder,
    Settings,
    cache_place,
    keep,
    keeping,
)
from tests.search.toy import Toy

PAGES = {
    "disk.md": "# Disk\n\nThe disk is full. Delete the dump.",
    "sub/lock.txt": "A lock is stuck.\nUnlock it.",
    "rows.csv": "text\nport 8080 is taken\nport 22 is closed\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in PAGES.items():
        write(tmp_path / "texts" / name, text)
    return tmp_path / "texts"


@pytest.fixture
def place(tmp_path):
    return tmp_path / "index"


def write(path, text, age=10.0):
    """Written some seconds ago, so that its time can be trusted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    os.utime(path, (time.time() - age,) * 2)


def asked(encoder):
    return [text for batch in encoder.asked for text in batch]


def state(library):
    chunks = [(h.document, h.start, h.end) for h in library.index.chunks]
    order = sorted(range(len(chunks)), key=chunks.__getitem__)
    vectors = library.index.vectors[order]
    return [chunks[i] for i in order], vectors, dict(sorted(library.documents.items()))


def same(one, other):
    a, b = state(one), state(other)
    return a[0] == b[0] and np.allclose(a[1], b[1]) and a[2] == b[2]


def test_a_folder_is_indexed_and_every_hit_has_its_place(folder, place):
    library = keep(folder, Toy(), place)
    assert sorted(library.documents) == [
        "disk.md",
        "rows.csv:2",
        "rows.csv:3",
        "sub/lock.txt",
    ]
    [hit, *_] = library.index.search("unlock it", 1)
    found = library.documents[hit.document]
    at = found.text.index("Unlock")
    assert str(found.place(at)) == "sub/lock.txt:2"
    assert library.changes.added == sorted(PAGES)


def test_the_second_run_reads_no_file_and_embeds_nothing(folder, place, monkeypatch):
    first = keep(folder, Toy(), place)
    before = (place / "manifest.json").read_bytes()
    monkeypatch.setattr(keeping, "load_or_not", None)  # who reads, fails
    encoder = Toy()
    second = keep(folder, encoder, place)
    assert asked(encoder) == []
    assert second.changes.kept == sorted(PAGES) and not second.changes.added
    assert same(first, second)
    assert (place / "manifest.json").read_bytes() == before


def test_only_what_has_changed_is_embedded_anew(folder, place, tmp_path):
    keep(folder, Toy(), place)
    write(folder / "disk.md", "# Disk\n\nAnother text now.")
    write(folder / "new.md", "Something new.")
    (folder / "rows.csv").unlink()
    os.utime(folder / "sub" / "lock.txt")  # touched, not changed
    encoder = Toy()
    library = keep(folder, encoder, place)
    changes = library.changes
    assert (changes.added, changes.changed) == (["new.md"], ["disk.md"])
    assert (changes.removed, changes.kept) == (["rows.csv"], ["sub/lock.txt"])
    assert not any("lock" in text for text in asked(encoder))
    assert same(library, keep(folder, Toy(), tmp_path / "fresh"))
    assert same(library, keep(folder, Toy(), place))


def test_a_change_that_keeps_size_and_time_is_seen_while_it_may_happen(folder, place):
    path = folder / "disk.md"
    write(path, "one", age=0)
    known = path.stat()
    keep(folder, Toy(), place)
    path.write_text("two")
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert keep(folder, Toy(), place).documents["disk.md"].text == "two"


def test_what_cannot_be_read_is_listed_again_and_not_read_again(folder, place):
    write(folder / "photo.jpg", "x")
    write(folder / "broken.pdf", "no pdf")
    write(folder / "blank.txt", "\u200b\u200b")
    first = keep(folder, Toy(), place)
    assert {u.name for u in first.unread} == {"photo.jpg", "broken.pdf", "blank.txt"}
    assert (
        "nothing to read" in dict((u.name, u.reason) for u in first.unread)["blank.txt"]
    )
    second = keep(folder, Toy(), place)
    assert second.unread == first.unread and not second.changes.changed
    write(folder / "broken.pdf", "still no pdf, but another one")
    assert keep(folder, Toy(), place).changes.changed == ["broken.pdf"]


def test_a_folder_of_nothing_has_no_index(tmp_path, place):
    write(tmp_path / "texts" / "photo.jpg", "x")
    library = keep(tmp_path / "texts", Toy(), place)
    assert library.index is None and len(library.unread) == 1
    assert not place.exists()


def test_all_files_may_go_and_others_come(folder, place):
    keep(folder, Toy(), place)
    for name in PAGES:
        (folder / name).unlink()
    assert keep(folder, Toy(), place).index is None
    write(folder / "new.md", "Something new.")
    library = keep(folder, Toy(), place)
    assert list(library.documents) == ["new.md"] == list(library.index.documents)


@pytest.mark.parametrize(
    "change, why",
    [
        ({"encoder": Toy("toy:2")}, "another encoder"),
        ({"settings": Settings(size=32)}, "the settings"),
        ({"settings": Settings(options=Options(also=(".x",)))}, "the settings"),
    ],
)
def test_another_encoder_or_setting_builds_anew_and_says_so(folder, place, change, why):
    keep(folder, Toy(), place)
    given = {"encoder": Toy(), "settings": None} | change
    library = keep(folder, given["encoder"], place, given["settings"])
    assert why in library.changes.why and library.changes.added == sorted(PAGES)
    again = keep(folder, given["encoder"], place, given["settings"])
    assert again.changes.why == "" and again.changes.kept == sorted(PAGES)


@pytest.mark.parametrize("wrong", [{"size": 4}, {"size": 300}, {"overlap": 128}])
def test_passages_of_no_size_are_refused_before_anything_is_read(folder, place, wrong):
    with pytest.raises(ValueError, match="size|overlap"):
        keep(folder, Toy(), place, Settings(**wrong))
    assert not place.exists()


def test_a_damaged_index_is_built_anew(folder, place):
    first = keep(folder, Toy(), place)
    [vectors] = place.glob("*/vectors.npy")
    vectors.write_bytes(vectors.read_bytes()[:-1])
    library = keep(folder, Toy(), place)
    assert "damaged" in library.changes.why and same(first, library)


def test_the_index_of_another_folder_and_other_files_are_never_overwritten(
    folder, place, tmp_path
):
    keep(folder, Toy(), place)
    write(tmp_path / "other" / "a.md", "other")
    with pytest.raises(OtherFolder, match="name another place"):
        keep(tmp_path / "other", Toy(), place)
    with pytest.raises(FileExistsError, match="choose an empty folder"):
        keep(tmp_path / "other", Toy(), folder)
    assert (folder / "disk.md").exists()


def test_an_index_in_the_folder_itself_does_not_index_itself(folder):
    keep(folder, Toy(), folder / "index")
    library = keep(folder, Toy(), folder / "index")
    assert library.changes.kept == sorted(PAGES) and not library.unread


def test_an_index_of_another_maker_is_built_anew_not_broken(folder, place):
    SearchIndex.build({"a": "text"}, Toy()).save(place)
    with pytest.raises(OtherFolder):
        keep(folder, Toy(), place)


def test_without_a_place_it_lies_in_the_cache_under_the_name(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent / "cache"))
    place = cache_place(folder)
    assert place.name.startswith("texts-") and place != cache_place(folder.parent)
    keep(folder, Toy())
    assert sorted(SearchIndex.load(place, Toy()).documents)[0] == "disk.md"
    if os.name == "posix":
        assert place.stat().st_mode & 0o077 == 0


def test_progress_tells_how_many_files_are_done(folder, place):
    told = []
    keep(folder, Toy(), place, progress=lambda *numbers: told.append(numbers))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    told.clear()
    keep(folder, Toy(), place, progress=lambda *numbers: told.append(numbers))
    assert told == []


class Interrupted(Toy):
    """Ctrl-C comes while the second batch is embedded."""

    def encode(self, texts):
        if len(self.asked) == 1:
            raise KeyboardInterrupt
        return super().encode(texts)


def test_an_interrupt_keeps_what_was_done_and_the_next_run_goes_on(
    folder, place, monkeypatch
):
    monkeypatch.setattr(keeping, "LEAST", 1)
    with pytest.raises(KeyboardInterrupt):
        keep(folder, Interrupted(), place)
    encoder = Toy()
    library = keep(folder, encoder, place)
    assert library.changes.kept == ["disk.md"]
    assert not any("dump" in text for text in asked(encoder))
    assert same(library, keep(folder, Toy(), place.parent / "fresh"))


def test_an_interrupt_between_a_document_and_its_note_loses_nothing(folder, place):
    first = keep(folder, Toy(), place)
    index = SearchIndex.load(place, Toy())
    index.notes["files"].pop("disk.md")  # in the index, but not noted
    index.remove(["rows.csv:3"])  # noted, but not in the index
    index.save(place)
    library = keep(folder, Toy(), place)
    assert library.changes.added == ["disk.md", "rows.csv"] and not library.unread
    assert same(library, first)


KILLED = """
import sys
from course_utils.yours import keep, keeping
from tests.search.toy import Toy
keeping.LEAST, keeping.EVERY = 1, 0.0
class Slow(Toy):
    def encode(self, texts):
        print("working", flush=True)
        import time; time.sleep(0.05)
        return super().encode(texts)
keep(sys.argv[1], Slow(), sys.argv[2])
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_who_is_killed_leaves_an_index_that_is_whole(folder, place):
    for number in range(20):
        write(folder / f"page{number:02}.md", f"Page {number} tells of thing{number}.")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(9):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    process.stdout.close()
    assert process.returncode != 0
    library = keep(folder, Toy(), place)
    assert library.changes.why == "" and 0 < len(library.changes.kept) < 23
    assert same(library, keep(folder, Toy(), place.parent / "fresh"))


def test_a_full_disk_leaves_the_old_index(folder, place, monkeypatch):
    keep(folder, Toy(), place)
    write(folder / "new.md", "Something new.")
    from course_utils.search import storage

    def full(path, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "_write_through", full)
        with pytest.raises(OSError, match="No space"):
            keep(folder, Toy(), place)
    assert keep(folder, Toy(), place).changes.added == ["new.md"]


def test_what_the_index_says_of_a_document_is_a_remark(folder, place):
    write(folder / "signs.md", "☃☃☃")
    library = keep(folder, Toy(), place)
    assert any("knows no piece" in remark for remark in library.changes.remarks)
    assert DamagedIndex  # the error that a reader of the place would get
