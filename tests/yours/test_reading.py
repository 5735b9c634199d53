"""A folder of anything: what is read has its place, what is not has its reason."""

import io
import json
import os
import socket
import struct
import sys
import zipfile

import pytest

from course_utils.yours import (
    Options,
    Quarantine,
    Unreadable,
    folders,
    formats,
    kinds,
    quarantine,
    read_folder,
    texts,
)
from course_utils.yours.folders import Entry, load, survey
from course_utils.yours.reading import Document

posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")


def pdf(*pages):
    """A real PDF, one text per page, written by a library of its own."""
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    with PdfPages(stream) as file:
        for text in pages:
            figure = Figure(figsize=(4, 2))
            figure.text(0.1, 0.5, text)
            file.savefig(figure)
    return stream.getvalue()


def docx(*paragraphs, table=(), heading=""):
    from docx import Document as Word

    file, stream = Word(), io.BytesIO()
    if heading:
        file.add_heading(heading, 2)
    for text in paragraphs:
        file.add_paragraph(text)
    if table:
        made = file.add_table(len(table), len(table[0]))
        for row, texts in zip(made.rows, table, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
    file.save(stream)
    return stream.getvalue()


def notebook(*cells):
    made = [{"cell_type": kind, "source": source} for kind, source in cells]
    return json.dumps({"cells": made, "nbformat": 4}).encode()


@pytest.fixture
def folder(tmp_path):
    def write(**files):
        for name, data in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return tmp_path

    return write


def places(document, *quotes):
    return [str(document.place(document.text.index(quote))) for quote in quotes]


def reasons(reading):
    return {unread.name: unread.reason for unread in reading.unread}


def reason(data, suffix, options=texts.PLAIN):
    with pytest.raises(Unreadable) as error:
        formats.read(data, suffix, options)
    return str(error.value)


# -- every kind, with its place --------------------------------------------------------


def test_every_kind_is_read_and_every_quote_has_its_place(tmp_path):
    files = {
        "notes/disk.md": b"# Disk\n\nThe disk is full.\n",
        "plain.txt": "Zeile eins\r\nGrün ist zwei\r\n".encode(),
        "page.html": b"<html><head>\n<title>T</title></head>\n<body><p>First one.</p>"
        b"\n\n<p>Second <b>one</b> &amp; more.</p>\n<script>steal()</script></body>",
        "report.pdf": pdf("The first page", "The second page"),
        "letter.docx": docx(
            "Dear reader", "Mind the gap", table=[["port", "8080"]], heading="News"
        ),
        "lesson.ipynb": notebook(("markdown", ["# A\n", "b"]), ("code", "print(1)")),
        "rows.csv": b'id,text\n1,"two\nlines"\n2,alone\n',
        "rows.jsonl": b'{"text": "one row"}\n\n{"text": "third row"}\n',
        "README": b"no suffix",
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    reading = read_folder(tmp_path)
    assert reading.unread == []
    by_id = {document.id: document for document in reading.documents}
    assert sorted(by_id) == sorted(
        {*files} - {"rows.csv", "rows.jsonl"}
        | {"rows.csv:2", "rows.csv:4", "rows.jsonl:1", "rows.jsonl:3"}
    )
    for name, quotes, expected in [
        (
            "notes/disk.md",
            ["# Disk", "is full"],
            ["notes/disk.md:1", "notes/disk.md:3"],
        ),
        ("plain.txt", ["Grün"], ["plain.txt:2"]),
        ("page.html", ["First", "Second one & more."], ["page.html:3", "page.html:5"]),
        (
            "report.pdf",
            ["first page", "second page"],
            ["report.pdf, page 1", "report.pdf, page 2"],
        ),
        (
            "letter.docx",
            ["## News", "Mind", "port | 8080"],
            [f"letter.docx, paragraph {n}" for n in (1, 3, 4)],
        ),
        (
            "lesson.ipynb",
            ["# A\nb", "```python\nprint(1)\n```"],
            ["lesson.ipynb, cell 1", "lesson.ipynb, cell 2"],
        ),
        ("rows.csv:2", ["two", "lines"], ["rows.csv:2", "rows.csv:3"]),
        ("rows.jsonl:3", ["third"], ["rows.jsonl:3"]),
    ]:
        assert places(by_id[name], *quotes) == expected
    assert "steal" not in by_id["page.html"].text


def test_the_line_of_a_page_is_the_line_where_its_words_stand():
    rows = [f"<p>Row number{i} is <i>here</i></p>" + "\n" * (i % 3) for i in range(40)]
    source = "".join(rows)
    found = formats.read(source.encode(), ".html")
    assert len(found.parts) == 40
    for line, text in found.parts:
        assert text.split()[1] in source.split("\n")[line - 1]


def test_an_offset_outside_is_refused():
    with pytest.raises(ValueError, match="has 3 characters"):
        Document("a", "abc", "a").place(4)


@pytest.mark.parametrize(
    "data, options, text",
    [
        ("\ufeffGrün".encode(), {}, "Grün"),
        ("Grün".encode("utf-16"), {}, "Grün"),
        ("Grün".encode("utf-32"), {}, "Grün"),
        ("Grün".encode("cp1252"), {"encoding": "cp1252"}, "Grün"),
        ("Grün".encode(), {"encoding": "cp1252"}, "Grün"),  # UTF-8 comes first
    ],
)
def test_encodings_are_believed_where_they_are_certain(data, options, text):
    assert texts.decoded(data, Options(**options)) == text


def test_a_page_may_declare_its_encoding():
    page = '<meta charset="iso-8859-1"><p>Grün'.encode("latin-1")
    assert formats.read(page, ".htm").parts == [(1, "Grün")]


def test_another_column_and_another_suffix_can_be_named():
    options = Options(column="body", also=("py",))
    assert formats.read(b"id\tbody\n1\tyes\n", ".TSV", options).parts == [(2, "yes")]
    assert formats.read(b"x = 1", ".PY", options).parts == [(1, "x = 1")]
    assert formats.kind_of(".py") is None
    with pytest.raises(ValueError, match="no encoding is called 'latin-99'"):
        Options(encoding="latin-99")


# -- what cannot be read has its reason ------------------------------------------------


@pytest.mark.parametrize(
    "data, suffix, said",
    [
        (b"\x89PNG\r\n\x1a\n\0\0", ".txt", "is binary"),
        ("a\nGrün".encode("cp1252"), ".md", r"is not UTF-8 (line 2)"),
        (b" \n", ".md", "holds no text"),
        (b"", ".txt", "holds no text"),
        (b"whatever", ".xyz", "kind .xyz are not read"),
        (b"%PDF-1.4 nonsense", ".pdf", "is damaged or no .pdf"),
        (b"no zip", ".docx", "is damaged or no .docx"),
        (b"id,body\n1,x\n", ".csv", "no text in a column 'text': its columns are id"),
        (b'text\n"never closed\n', ".csv", "is no table"),
        (b"{}", ".ipynb", "has no cells"),
        (b"[" * 200_000, ".ipynb", "nested too deep"),
        (b'{"body": 1}\n', ".jsonl", "line 1 has no text in a column 'text'"),
        (b"<p>\0</p>" * 10, ".html", "is binary"),
    ],
)
def test_what_cannot_be_read_says_why(data, suffix, said):
    assert said in reason(data, suffix)


def test_rows_that_cannot_be_read_are_listed_and_the_others_read():
    found = formats.read(b'{"text": "a"}\nbroken\n{"x": 1}\n' + b"[" * 9000, ".jsonl")
    assert found.parts == [(1, "a")]
    assert [line for line, _ in found.left] == [2, 3, 4]
    found = formats.read(b"text,n\na,1\nb\n", ".csv")
    assert found.parts == [(2, "a")]
    assert found.left == [(3, "has 1 values for 2 columns")]


def test_a_locked_pdf_and_one_of_pictures_say_so():
    from pypdf import PdfReader, PdfWriter

    locked, stream = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("secret")))), None
    locked.encrypt("word", algorithm="RC4-128")
    stream = io.BytesIO()
    locked.write(stream)
    assert reason(stream.getvalue(), ".pdf") == "is locked with a password"
    empty, stream = PdfWriter(), io.BytesIO()
    empty.add_blank_page(100, 100)
    empty.write(stream)
    assert reason(stream.getvalue(), ".pdf").endswith("are its pages pictures?")


# -- hostile folders -------------------------------------------------------------------


@posix
def test_only_regular_files_below_the_folder_are_opened(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    home = tmp_path / "home"
    (home / "sub").mkdir(parents=True)
    (home / "fine.txt").write_text("fine")
    (home / "out.txt").symlink_to(outside / "secret.txt")
    (home / "folder").symlink_to(outside)
    (home / "circle").symlink_to(home)
    (home / "nowhere.txt").symlink_to(home / "gone.txt")
    os.mkfifo(home / "pipe.txt")
    (home / ".hidden.txt").write_text("hidden")
    (home / ".git").mkdir()
    (home / ".git" / "config.txt").write_text("hidden")
    (home / "node_modules").mkdir()
    (home / "large.txt").touch()
    os.truncate(home / "large.txt", 2**30)
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(home)  # the address of a socket must be short
        listening.bind("socket.txt")
        os.chdir(here)
        reading = read_folder(home)
    assert [document.text for document in reading.documents] == ["fine"]
    found = reasons(reading)
    for name in ("out.txt", "nowhere.txt", "folder", "circle"):
        assert "links are not followed" in found[name]
    for name in ("pipe.txt", "socket.txt"):
        assert "a device, a pipe or a socket" in found[name]
    assert found["large.txt"] == "has 1,024 MB, more than the 64 allowed"
    assert found[".hidden.txt"] == found[".git"] == "is hidden"
    assert "belongs to a tool" in found["node_modules"]
    assert len(found) == 10


@posix
def test_what_changes_between_the_list_and_the_reading_is_refused(tmp_path):
    path, other = tmp_path / "a.txt", tmp_path / "secret"
    path.write_text("short")
    other.write_text("secret")
    [entry] = [e for e in survey(tmp_path)[0] if e.name == "a.txt"]
    path.unlink()
    with pytest.raises(Unreadable, match="cannot be opened"):
        load(entry)
    path.symlink_to(other)
    with pytest.raises(Unreadable, match="cannot be opened"):
        load(entry)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Unreadable, match="a pipe"):
        load(entry)
    path.unlink()
    path.write_text("grown " * 10)
    with pytest.raises(Unreadable, match="more than"):
        load(entry, largest=10)


@posix
def test_a_name_that_is_no_text_is_listed(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"gr\xfcn.txt")).write_text("x")
    except OSError:
        pytest.skip("this file system wants names in UTF-8")
    [unread] = read_folder(tmp_path).unread
    assert unread.reason == "its name is no text: rename it"
    unread.name.encode("utf-8")


def test_no_folder_and_no_permission_are_errors_of_their_own(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        read_folder(tmp_path / "gone")
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError, match="is no folder"):
        read_folder(tmp_path / "file")


def test_the_folder_of_the_index_is_passed_over(tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "a.txt").write_text("x")
    assert survey(tmp_path, skip=[tmp_path / "index"]) == ([], [])


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "MOST", 2)
    for name in "abc":
        (tmp_path / name).touch()
    with pytest.raises(OSError, match="more than 2 files"):
        survey(tmp_path)


# -- hostile files ---------------------------------------------------------------------


def test_a_word_file_that_unpacks_to_much_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(kinds, "UNPACKED", 2**24)
    data = docx("fine")
    stream = io.BytesIO(data)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/bomb.xml", bytes(2**24))
    assert len(stream.getvalue()) < 2**18
    assert "would unpack to 17 MB, more than the 16 allowed" in reason(
        stream.getvalue(), ".docx"
    )


def test_a_zip_that_lies_about_its_size_is_damaged():
    data = bytearray(docx("x" * 5000))
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"word/document.xml"))
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    assert "damaged" in reason(bytes(data), ".docx")


def test_entities_of_a_word_file_are_not_resolved():
    names = [f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 9)]
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "lol">{"".join(names)}]>'
    leak = '<!DOCTYPE x [<!ENTITY a8 SYSTEM "file:///etc/passwd">]>'
    for doctype in (bomb, leak):
        stream = io.BytesIO(docx("MARK"))
        with zipfile.ZipFile(stream) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        body = files["word/document.xml"].decode()
        head, _, rest = body.partition("?>")
        body = f"{head}?>{doctype}{rest.replace('MARK', 'MARK&a8;')}"
        files["word/document.xml"] = body.encode()
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        try:
            found = str(formats.read(stream.getvalue(), ".docx").parts)
        except Unreadable as error:
            found = str(error)
        assert "root:" not in found and "lollol" not in found


@pytest.fixture
def strange(monkeypatch, tmp_path):
    """Another process whose reader of PDFs does what a hostile file would make it."""

    def do(code):
        module = tmp_path / "sitecustomize.py"
        module.write_text(
            "import sys, io\n"
            "from course_utils.yours import kinds\n"
            "def hostile(data):\n"
            + "".join(f"    {line}\n" for line in code.split("\n"))
            + "kinds.pdf = hostile\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return do


@pytest.mark.parametrize(
    "code, said",
    [
        ("while True: pass", "took longer than 1 seconds"),
        ("import os; os._exit(3)", "made its reader break down"),
        (
            "print('{}', flush=True); raise ValueError('odd')",
            "is damaged or no .pdf: odd",
        ),
        pytest.param("return b'x' * 10**11", "needs too much memory", marks=posix),
    ],
)
def test_a_reader_that_hangs_breaks_or_swells_stops_nothing(strange, code, said):
    strange(code)
    with Quarantine(seconds=1 if "longer" in said else 100) as ward:
        with pytest.raises(Unreadable, match=said):
            ward.read(b"%PDF", ".pdf")
        ward.seconds = 100
        assert ward.read(b"<p>next", ".html").parts == [(1, "next")]
        process = ward._process
    assert process.poll() is not None


def test_a_reader_that_hangs_ends_with_the_one_who_asked(strange):
    strange("while True: pass")
    ward = Quarantine(seconds=0.5)
    ward.close, close = (lambda: None), ward.close  # as if it had been killed itself
    with pytest.raises(Unreadable, match="took longer"):
        ward.read(b"%PDF", ".pdf")
    ward._process.stdin.close()
    assert ward._process.wait(timeout=60) == 0
    close()


def test_what_the_quarantine_gives_is_what_the_reader_gives():
    made = io.BytesIO()
    options = Options(column="é", also=(".x",))
    files = [
        (pdf("one", "two"), ".pdf"),
        ("é\nöl\n".encode(), ".csv"),
        (b"\xff\n", ".csv"),
        (b"plain", ".x"),
    ]
    requests = []
    with Quarantine() as ward:
        ward._start = lambda: None
        ward._send = requests.append
        ward._answers.put('{"reason": "none"}')
        with pytest.raises(Unreadable, match="none"):
            ward.read(*files[0], options)
    quarantine.serve([requests[0].encode()], made)
    answer = json.loads(made.getvalue().splitlines()[1])
    assert [tuple(part) for part in answer["parts"]] == [(1, "one"), (2, "two")]
    with Quarantine() as ward:
        for data, suffix in files:
            try:
                expected = formats.read(data, suffix, options)
            except Unreadable as error:
                with pytest.raises(Unreadable) as found:
                    ward.read(data, suffix, options)
                assert str(found.value) == str(error)
            else:
                assert ward.read(data, suffix, options) == expected


def test_reading_needs_no_torch():
    import subprocess

    code = "import sys, course_utils.yours; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["False"]


def test_an_entry_is_named_with_slashes_on_every_system(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.md").write_text("x")
    [entry] = survey(tmp_path)[0]
    assert isinstance(entry, Entry) and entry.name == "a/b/c.md"
