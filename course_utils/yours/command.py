"""``python -m course_utils search FOLDER "question"``: arguments in, lines out.

Results go to the first stream that is handed in, everything else to the second, so
that a pipe gets results only. What comes from your files is shown, never obeyed: signs
that would steer a terminal are replaced.

Used in notebook 14. Library: ``click``.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from course_utils.yours import finding
from course_utils.yours.arguments import parser
from course_utils.yours.finding import MODES
from course_utils.yours.folders import Unread
from course_utils.yours.keeping import keep
from course_utils.yours.library import Library, Settings, cache_place
from course_utils.yours.showing import as_json, as_lines, plain
from course_utils.yours.texts import Options

if TYPE_CHECKING:
    from argparse import Namespace

    from course_utils.encoder import Encoder

FOUND, NOTHING, TROUBLE, INTERRUPTED = 0, 1, 2, 130
REMARKS = 10  # that are shown


def minilm() -> Encoder:
    """The course's encoder; loaded when a search needs it, not for ``--help``."""
    from course_utils.encoder import MiniLM

    return MiniLM.load()


def run(
    arguments: Sequence[str],
    out: TextIO,
    err: TextIO,
    encoder: Callable[[], Encoder] = minilm,
) -> int:
    """Do what the command line says.

    Args:
        arguments: what stands behind ``search``.
        out: gets the results.
        err: gets progress, warnings and errors.
        encoder: loads what makes the vectors.

    Returns:
        0 something was found (or indexed), 1 nothing was, 2 it could not be done, 130
        it was interrupted.
    """
    asked = _parsed(arguments, out, err)
    if isinstance(asked, int):
        return asked
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", UserWarning)
            code = _answer(asked, out, err, encoder)
        for text in dict.fromkeys(str(one.message) for one in said):
            err.write(f"note: {plain(text)}\n")
        return code
    except KeyboardInterrupt:
        err.write("\ninterrupted: what was done is kept, the next run goes on there\n")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        err.write(
            f"\r\033[Kerror: {plain(str(error))}\n" if _live(err) else _said(error)
        )
        return TROUBLE


def _said(error: Exception) -> str:
    return f"error: {plain(str(error))}\n"


def _live(stream: TextIO) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)())


def _parsed(arguments, out: TextIO, err: TextIO) -> Namespace | int:
    import contextlib

    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            made = parser()
            asked = made.parse_args(list(arguments))
            other = asked.update or asked.unread or asked.serve or asked.report
            if asked.question is None and not other:
                made.error("ask a QUESTION, or say --update to index only")
            if asked.question is not None and not asked.question.strip():
                made.error("the QUESTION is empty")
            if asked.k < 1:
                made.error(f"-k must be at least 1, got {asked.k}")
    except SystemExit as left:
        return int(left.code or 0)
    return asked


def _answer(asked, out: TextIO, err: TextIO, encoder: Callable[[], Encoder]) -> int:
    options = Options(asked.column, asked.encoding, tuple(asked.also))
    settings = Settings(asked.size, asked.overlap, options)
    place = asked.index or cache_place(asked.folder)
    if not asked.folder.expanduser().is_dir():
        what = "is no folder" if asked.folder.exists() else "does not exist"
        raise NotADirectoryError(f"{asked.folder} {what}: name a folder of files")
    library = keep(asked.folder, encoder(), place, settings, progress=_progress(err))
    for row in _summary(library, asked.unread):
        err.write(plain(row) + "\n")
    if library.index is None:
        err.write(f"error: no file in {plain(str(asked.folder))} could be read\n")
        return TROUBLE
    if asked.report:
        out.write(_reported(library, asked.report, asked.golden))
        return FOUND
    if asked.serve:
        return _served(library, asked.port, out, err)
    if asked.question is None:
        return FOUND
    matches = finding.find(library, asked.question, asked.k, asked.mode)
    given = finding.quotes(library, asked.question, matches, asked.mode)
    why = finding.receipts(library, asked.question, matches) if asked.explain else []
    codes = library.index.unknown_codes(asked.question)
    if asked.json:
        result = as_json(asked.question, asked.mode, library, matches, given, why)
        out.write(json.dumps(result | {"unknown_codes": codes}, indent=1) + "\n")
    else:
        for row in as_lines(matches, given, why):
            out.write(row + "\n")
        for code in codes:
            err.write(f"note: no document mentions {plain(code)}\n")
        if not matches:
            err.write("nothing found: try --mode meaning, or other words\n")
    return FOUND if matches else NOTHING


def _reported(library: Library, form: str, table: Path | None) -> str:
    """One page; with a golden set the three modes are compared, words being the base.

    Words need no model: whoever takes one should see what it is good for.
    """
    from functools import partial

    from course_utils.assets import vocabularies
    from course_utils.yours import comparing
    from course_utils.yours.audit import audit
    from course_utils.yours.report import report

    audited = audit(library.index.documents, vocabularies()["wordpiece"])
    golden, compared, holes = None, [], {}
    if table is not None:
        golden = _golden(table)
        searches = {m: partial(finding.find, library, k=10, mode=m) for m in MODES}
        compared = comparing.comparisons(
            comparing.evaluations(golden, searches), next(iter(MODES))
        )
        holes = comparing.unjudged(golden, searches)
    made = report(library, audited, golden, compared, holes)
    return made.html() if form == "html" else made.markdown()


def _golden(table: Path):
    from course_utils.yours.folders import Entry, Unreadable, load
    from course_utils.yours.golden import from_csv
    from course_utils.yours.texts import decoded

    try:
        data = load(Entry(table.name, table.expanduser(), 0, 0))
        return from_csv(decoded(data), table.name)
    except Unreadable as error:
        raise ValueError(f"{table} {error}") from None


def _served(library: Library, port: int, out: TextIO, err: TextIO) -> int:
    """Serve until it is interrupted."""
    from course_utils.yours.server import Service

    with Service(library, port) as service:
        err.write("open this address in a browser on this machine; Ctrl-C ends it\n")
        out.write(service.address + "\n")
        out.flush()
        try:
            service.serve_forever()
        except KeyboardInterrupt:
            err.write("\nended\n")
    return FOUND


def _progress(err: TextIO) -> Callable[[int, int], None]:
    """On a terminal one line that is written over, else a line per tenth."""
    last = -1

    def tell(done: int, files: int) -> None:
        nonlocal last
        if _live(err):
            ending = "\n" if done == files else ""
            err.write(f"\rindexing: {done:,} of {files:,} files{ending}")
            err.flush()
        elif done * 10 // files > last:
            last = done * 10 // files
            err.write(f"indexing: {done:,} of {files:,} files\n")

    return tell


def _summary(library: Library, every: bool) -> list[str]:
    changes, rows = library.changes, []
    if changes.why:
        rows.append(f"built anew: {changes.why}")
    numbers = {
        "new": changes.added,
        "changed": changes.changed,
        "gone": changes.removed,
        "as before": changes.kept,
    }
    counts = ", ".join(f"{len(names):,} {what}" for what, names in numbers.items())
    rows.append(f"{len(library.documents):,} documents; files: {counts}")
    reasons: dict[str, list[Unread]] = {}
    for unread in library.unread:
        reasons.setdefault(unread.reason, []).append(unread)
    if every:
        rows += [f"not read: {u.name} {u.reason}" for u in library.unread]
    elif reasons:
        rows.append(f"not read: {len(library.unread):,} (--unread lists them)")
    return rows + [f"note: {remark}" for remark in changes.remarks[:REMARKS]]
