"""``python -m course_utils.authoring build [NN] [--check | --text] | pull NN | …``."""

import argparse
import sys

import nbformat

from course_utils.authoring import binder, front, site, workshop
from course_utils.authoring.build import (
    build,
    build_texts,
    sources,
    write_atomically,
)
from course_utils.authoring.glossary import linked_source
from course_utils.authoring.lab import open_lab
from course_utils.authoring.pulling import pull
from course_utils.authoring.source import (
    ROOT,
    SourceError,
    edition_of,
    editions,
    path_of,
)
from course_utils.classroom.glossary import PAGE


def _changed(source, edition) -> bool:
    file = path_of(source.stem, edition)
    made, found = edition_of(source, edition), nbformat.read(file, as_version=4)
    return list(map(_content, made.cells)) != list(map(_content, found.cells))


def _content(cell) -> tuple:
    """All that a source holds of a cell, and what it cannot hold."""
    tags = list(cell.metadata.get("tags", []))
    return cell.cell_type, cell.source, tags, dict(cell.get("attachments", {}))


def _pull(number: str) -> int:
    found = sources(number)
    if not number or len(found) != 1:
        print("name one notebook: make pull NB=01")
        return 1
    source = found[0]
    for file in (path_of(source.stem, edition) for edition in editions(source.stem)):
        if not file.exists():
            print(f"{file.relative_to(ROOT)} was never built: make nb NB={number}")
            return 1
    edited = [one for one in editions(source.stem) if _changed(source, one)]
    if len(edited) == 2:
        print("both editions were edited: undo one of them (git checkout), pull again")
        return 1
    if not edited:
        print(f"{source.relative_to(ROOT)}: nothing was edited")
        return 0
    try:
        write_atomically(source, pull(source, edited[0]))
    except SourceError as error:
        print(error)
        return 1
    name = path_of(source.stem, edited[0]).relative_to(ROOT)
    print(
        f"{source.relative_to(ROOT)}: taken over from {name}; now: make nb NB={number}"
    )
    return 0


def _link_terms() -> int:
    for source in sources():
        text = source.read_text(encoding="utf-8")
        linked = linked_source(text)
        if linked != text and source.stem != PAGE:
            write_atomically(source, linked)
            print(f"{source.relative_to(ROOT)}: terms linked; now: make text")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands and return its exit code."""
    parser = argparse.ArgumentParser(prog="course_utils.authoring", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="source -> both editions")
    building.add_argument("number", nargs="?", default="")
    building.add_argument("--check", action="store_true", help="compare, do not write")
    building.add_argument(
        "--text", action="store_true", help="texts only, outputs are kept"
    )
    pulling = commands.add_parser("pull", help="edited notebook -> source")
    pulling.add_argument("number", nargs="?", default="")
    lab = commands.add_parser("lab", help="open JupyterLab")
    lab.add_argument("arguments", nargs=argparse.REMAINDER)
    commands.add_parser("site", help="static pages into build/site")
    commands.add_parser("binder", help="write binder/requirements.txt anew")
    commands.add_parser("front", help="README: its badges and its picture")
    commands.add_parser("workshop", help="run sheets and instructor pages")
    commands.add_parser("slides", help="a deck per run sheet into build/slides")
    commands.add_parser("terms", help="link the first bold use of every term")
    chosen = parser.parse_args(arguments)
    if chosen.command == "build" and chosen.text:
        return build_texts(chosen.number)
    if chosen.command == "build":
        return build(chosen.number, chosen.check)
    if chosen.command == "pull":
        return _pull(chosen.number)
    if chosen.command == "terms":
        return _link_terms()
    if chosen.command == "site":
        return site.build_site()
    if chosen.command == "binder":
        return binder.write()
    if chosen.command == "front":
        return front.write()
    if chosen.command == "workshop":
        return workshop.build()
    if chosen.command == "slides":
        return workshop.build_slides()
    return open_lab([word for word in chosen.arguments if word != "--"])


if __name__ == "__main__":
    sys.exit(main())
