"""What can be said behind ``python -m course_utils search``, and the help that teaches.

Used in notebook 14. Library: ``argparse``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from course_utils.yours.finding import MODES

EPILOG = """\
what happens
  The first time every file is read, cut into passages and turned into vectors; that
  takes minutes for megabytes of text. The result is kept, and from then on only files
  that have changed are read again. Ctrl-C keeps what was done. Links, hidden files and
  devices are left out; nothing that lies outside of the folder is opened.

which mode
  words      finds what shares a word with the question: names, codes, exact terms.
  meaning    finds what says the same in other words; it always finds something.
  both       fuses the two rankings; take this if you do not know.

how to read the result
  notes/disk.md:12 is a file and a line: editors open it (code -g, vim +12). Of a PDF
  the page is given, of a Word file the paragraph, of a notebook the cell. Scores can be
  compared within one answer only. --explain says by what each passage was found.

examples
  python -m course_utils search ~/notes "how do I renew the certificate?"
  python -m course_utils search . "E4012" --mode words --also .py
  python -m course_utils search tickets "login fails" --column body --json
  python -m course_utils search ~/notes --update
  python -m course_utils search ~/notes --serve
  python -m course_utils search ~/notes --report html > report.html
  python -m course_utils search ~/notes --report md --golden questions.csv

exit codes
  0 something was found, 1 nothing was found, 2 it could not be done, 130 interrupted
"""


def parser() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    made = argparse.ArgumentParser(
        prog="python -m course_utils search",
        description="Search the files of a folder by words and by meaning, offline.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("folder", type=Path, metavar="FOLDER", help="where your files lie")
    add("question", nargs="?", metavar="QUESTION", help="what you want to know")
    add("--mode", choices=list(MODES), default="both", help="standard: both")
    add("-k", type=int, default=5, metavar="N", help="how many documents; standard: 5")
    add("--explain", action="store_true", help="say why each passage was found")
    add("--json", action="store_true", help="one JSON object, for other programs")
    add("--update", action="store_true", help="without a question: index only")
    add("--unread", action="store_true", help="list every file that was left out")
    add("--report", choices=("md", "html"), help="one page about the folder")
    add(
        "--golden",
        type=Path,
        metavar="CSV",
        help="question,document,grade for --report",
    )
    add("--serve", action="store_true", help="a page with a search box, for you alone")
    add(
        "--port",
        type=int,
        default=0,
        metavar="N",
        help="of the page; standard: a free one",
    )
    add("--index", type=Path, metavar="PATH", help="where the index is kept")
    add("--column", default="text", metavar="NAME", help="of CSV, TSV and JSONL files")
    add(
        "--encoding", metavar="NAME", help="of files that are not UTF-8, such as cp1252"
    )
    add("--also", action="append", default=[], metavar=".EXT", help="read as text too")
    add("--size", type=int, default=128, metavar="N", help="tokens per passage")
    add(
        "--overlap", type=int, default=0, metavar="N", help="tokens that passages share"
    )
    return made
