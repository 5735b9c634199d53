"""The datasheet's promises about files."""

import hashlib
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"


def test_every_file_has_the_checksum_that_is_listed():
    """`make checksums` writes the list anew, after a change that is meant."""
    listed = {}
    for line in (DATA / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split(maxsplit=1)
        listed[name.lstrip("*")] = digest
    found = {
        path.relative_to(DATA).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in DATA.rglob("*")
        if path.is_file() and path.name not in ("SHA256SUMS", "README.md")
    }
    assert found == listed


def test_the_datasheet_names_every_file():
    text = (DATA / "README.md").read_text("utf-8")
    for path in DATA.rglob("*.csv"):
        assert path.relative_to(DATA).as_posix() in text, path.name


def test_csv_files_are_plain():
    for path in DATA.rglob("*.csv"):
        raw = path.read_bytes()
        assert b"\r" not in raw and b"\t" not in raw, path.name
        assert raw.endswith(b"\n") and not raw.startswith(b"\xef\xbb\xbf"), path.name
