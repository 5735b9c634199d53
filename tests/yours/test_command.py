"""The command: results on one stream, the rest on the other, codes that tell."""

import io
import json
import subprocess
import sys

import pytest

from course_utils.yours import run
from course_utils.yours.showing import excerpt, plain
from tests.search.toy import Toy
from tests.yours.test_keeping import write

PAGES = {
    "disk.md": "# Disk\n\nThe disk is full. Delete the dump FB-2107.",
    "sub/lock.txt": "A lock is stuck.\n\nUnlock it with force.",
    "photo.jpg": "x",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in PAGES.items():
        write(tmp_path / "texts" / name, text)
    return tmp_path / "texts"


@pytest.fixture
def search(folder):
    """Run the command with a toy encoder: (code, results, the rest)."""

    def with_words(*words, encoder=Toy, where=folder):
        out, err = io.StringIO(), io.StringIO()
        given = [str(where), *words, "--index", str(folder.parent / "index")]
        code = run(given, out, err, encoder)
        return code, out.getvalue(), err.getvalue()

    return with_words


@pytest.mark.parametrize("mode", ["words", "meaning", "both"])
def test_a_hit_has_a_place_that_an_editor_opens(search, mode):
    code, out, err = search("a lock is stuck", "--mode", mode, "-k", "1")
    rows = out.splitlines()
    assert code == 0
    assert rows[0] == "[1] A lock is stuck." and rows[1].strip() == "sub/lock.txt:1"
    assert any(row.startswith("1. sub/lock.txt:1 ") for row in rows)
    assert "indexing: 3 of 3 files" in err
    assert "not read: 1 (--unread lists them)" in err


def test_the_place_is_the_sentence_that_shares_most(search, folder):
    write(
        folder / "long.md", "# Head\n\n" + "Nothing.\n" * 9 + "\nRenew the seal.\n\nEnd"
    )
    _, out, _ = search("when to renew a seal", "-k", "1", "--mode", "words")
    assert "1. long.md:13 " in out and "   … Renew the seal. End" in out
    _, out, _ = search("zebra", "-k", "9", "--mode", "meaning")
    assert ". long.md:1 " in out and "   # Head Nothing." in out


def test_nothing_found_is_one(search):
    code, out, err = search("zebra", "--mode", "words")
    assert (code, out) == (1, "")
    assert "nothing found" in err


def test_a_code_that_no_document_mentions_is_named(search):
    _, _, err = search("FB-9999 disk")
    assert "no document mentions fb-9999" in err.lower()


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "ask a QUESTION"),
        ([" "], "the QUESTION is empty"),
        (["x", "-k", "0"], "-k must be at least 1"),
        (["x", "--mode", "magic"], "invalid choice: 'magic'"),
        (["x", "--size", "4"], "size 4 is too small"),
        (["x", "--encoding", "latin-99"], "no encoding is called"),
        (["x" * 20_000], "the query is longer"),
    ],
)
def test_what_cannot_be_meant_is_two_with_a_sentence(search, words, said):
    code, out, err = search(*words)
    assert (code, out) == (2, "") and said in err
    assert "Traceback" not in err


def test_a_folder_that_is_none_loads_no_model(search, folder):
    for where, said in [("gone", "does not exist"), ("disk.md", "is no folder")]:
        code, _, err = search("x", where=folder / where, encoder=None)
        assert code == 2 and said in err


def test_no_folder_at_all_is_refused():
    err = io.StringIO()
    assert run([], io.StringIO(), err) == 2
    assert "FOLDER" in err.getvalue()


def test_a_folder_of_nothing_is_two(search, folder):
    for name in ("disk.md", "sub/lock.txt"):
        (folder / name).unlink()
    code, _, err = search("x", "--unread")
    assert code == 2 and "could be read" in err
    assert "not read: photo.jpg files of the kind .jpg are not read" in err


def test_a_receipt_says_by_what_a_passage_was_found(search):
    _, out, _ = search("delete a stuck lock", "--explain", "-k", "1")
    assert "| by meaning: rank 1, cosine 0." in out
    assert "| by words: rank 1, BM25 " in out
    assert "| words in common: a, stuck, lock" in out
    assert "| words it lacks: delete" in out
    assert "| passage 1 of 1 of its document" in out
    _, out, _ = search("zebra", "--explain", "--mode", "meaning")
    assert "by words: no word in common" in out


def test_a_question_that_only_words_can_take_has_a_receipt(search):
    code, out, _ = search("lock " * 5000, "--mode", "words", "--explain")
    assert code == 0 and "by meaning: not among the first 100" in out


def test_json_is_all_of_it_and_nothing_else(search):
    code, out, _ = search("unlock", "--json", "--explain", "-k", "1")
    found = json.loads(out)
    [hit] = found["hits"]
    assert code == 0 and found["question"] == "unlock" and found["mode"] == "both"
    assert (hit["file"], hit["unit"]) == ("sub/lock.txt", "line")
    assert (hit["number"], hit["first"], hit["until"]) == (3, 1, 3)
    place = {"file": "sub/lock.txt", "unit": "line"}
    assert hit["text"] == PAGES["sub/lock.txt"]
    assert hit["receipt"]["shared"] == ["unlock"]
    assert {"text": "Unlock it with force.", **place, "number": 3} in found["quotes"]
    assert found["unread"][0]["name"] == "photo.jpg"
    assert found["files"]["added"] == 3
    code, out, _ = search("zebra", "--json", "--mode", "words")
    assert code == 1 and json.loads(out)["hits"] == []


def test_update_only_indexes(search):
    code, out, err = search("--update")
    assert (code, out) == (0, "") and "2 documents; files: 3 new" in err
    _, _, err = search("--update")
    assert "0 new, 0 changed, 0 gone, 3 as before" in err and "indexing" not in err


def test_a_report_is_a_page_and_a_golden_set_compares_the_modes(search, folder):
    code, out, _ = search("--report", "html")
    assert code == 0 and out.startswith("<!doctype html>") and "What the texts" in out
    table = folder.parent / "golden.csv"
    table.write_text("question,document,grade\nunlock it,sub/lock.txt,3\n")
    code, out, _ = search("--report", "md", "--golden", str(table))
    assert code == 0 and "1 questions, 1 of them judged" in out.replace("\\", "")
    assert {"words", "meaning", "both"} <= set(out.replace("|", " ").split())
    table.write_text("question,document,grade\nunlock it,sub/lock.txt,9\n")
    code, out, err = search("--report", "md", "--golden", str(table))
    assert (code, out) == (2, "") and "golden.csv line 2: the grade is '9'" in err
    _, _, err = search("--report", "md", "--golden", str(folder / "gone.csv"))
    assert "gone.csv cannot be opened" in err


def test_an_interrupt_is_130(search):
    class Impatient(Toy):
        def encode(self, texts):
            raise KeyboardInterrupt

    code, _, err = search("x", encoder=Impatient)
    assert code == 130 and "the next run goes on" in err


def test_on_a_terminal_progress_is_one_line(folder, tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    err = Terminal()
    run([str(folder), "--update", "--index", str(tmp_path / "i")], err, err, Toy)
    assert "\rindexing: 1 of 3 files\rindexing: 2 of 3 files" in err.getvalue()


HOSTILE = "red \x1b[31m\x9b2J\u202eevil\u2066\x07 \x1b]0;title\x07 \udcff end"


def test_what_would_steer_a_terminal_is_shown_not_obeyed(search, folder):
    write(folder / "evil.md", "evil \x1b[31m\x9b2J\u202e text \x07 here")
    _, out, err = search("evil text", "--explain", "--unread")
    assert "evil" in out
    for shown in (out, err, plain(HOSTILE), excerpt(HOSTILE)):
        assert not set(shown) & set("\x1b\x9b\u202e\u2066\x07\udcff")


def test_an_excerpt_ends_behind_a_word():
    assert excerpt("one two three", 9) == "one two …"
    assert excerpt("x" * 20, 9) == "x" * 9 + " …"


def shell(*words):
    return subprocess.run(
        [sys.executable, "-m", "course_utils", *words],
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_help_teaches_and_comes_at_once():
    done = shell("search", "--help")
    assert done.returncode == 0
    for said in ("which mode", "exit codes", "examples", "how to read the result"):
        assert said in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 88


def test_another_word_is_two():
    done = shell("serach", ".")
    assert done.returncode == 2 and "knows no 'serach'" in done.stderr


def test_the_real_model_finds_what_no_word_shares(folder):
    words = [str(folder), "the volume has no room left", "-k", "1"]
    done = shell("search", *words, "--index", str(folder.parent / "i"))
    assert done.returncode == 0, done.stderr
    assert "1. disk.md:3 " in done.stdout
