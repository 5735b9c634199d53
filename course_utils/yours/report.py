"""One page to hand to a colleague, as Markdown and as HTML that needs nothing else.

Whatever stands in your files, in names and in questions is text on the page: no tag,
no script, no link, no address that a browser would ask.

Used in notebook 14. Library: ``html.escape``; ``jinja2``, ``markdown_it``.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import regex

from course_utils.yours.audit import Audit, summary
from course_utils.yours.comparing import FEW, Comparison
from course_utils.yours.golden import GoldenSet
from course_utils.yours.library import Library

MOST = 10  # rows of a table
STYLE = """\
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;
color:#1a1a1a;background:#fff}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc;
overflow-wrap:anywhere}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#1b1b1b}}"""
_STEERING = regex.compile(r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]")
_MARKS = regex.compile(r"([\\`*_{}\[\]<>()#+!|~$&:@-])")


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and a table or none."""

    heading: str
    sentences: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()


@dataclass(frozen=True)
class Report:
    """A page: a title and sections."""

    title: str
    sections: Sequence[Section]

    def markdown(self) -> str:
        """The page as Markdown; signs that would be marks are escaped."""
        blocks = [f"# {in_markdown(self.title)}"]
        for section in self.sections:
            blocks.append(f"## {in_markdown(section.heading)}")
            blocks += map(in_markdown, section.sentences)
            if section.rows:
                table = [section.columns, ["---"] * len(section.columns)]
                lines = [_row(map(in_markdown, section.columns)), _row(table[1])]
                lines += [_row(map(in_markdown, row)) for row in section.rows]
                blocks.append("\n".join(lines))
        return "\n\n".join(blocks) + "\n"

    def html(self) -> str:
        """The page as HTML that loads nothing and runs nothing."""
        blocks = [f"<h1>{in_html(self.title)}</h1>"]
        for section in self.sections:
            blocks.append(f"<h2>{in_html(section.heading)}</h2>")
            blocks += [f"<p>{in_html(text)}</p>" for text in section.sentences]
            if section.rows:
                blocks.append(_table(section))
        return page(self.title, "\n".join(blocks))


def page(title: str, body: str, style: str = STYLE) -> str:
    """A whole HTML page around a body that is escaped already.

    Its policy lets a browser use the style that stands in it, and nothing else.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{in_html(title)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def in_html(value: object) -> str:
    """A value as text of a page, in one line.

    >>> in_html("<b>Q&A\\x07")
    '&lt;b&gt;Q&amp;A�'
    """
    return html.escape(_line(value))


def in_markdown(value: object) -> str:
    """A value as text of Markdown, in one line.

    >>> in_markdown("a|b <i>")
    'a\\\\|b \\\\<i\\\\>'
    """
    return _MARKS.sub(r"\\\1", _line(value)).replace("://", r":\/\/")


def _line(value: object) -> str:
    return _STEERING.sub("�", " ".join(str(value).split()))


def _row(cells) -> str:
    return f"| {' | '.join(cells)} |"


def _table(section: Section) -> str:
    head = "".join(f"<th>{in_html(name)}</th>" for name in section.columns)
    rows = (
        "<tr>" + "".join(f"<td>{in_html(cell)}</td>" for cell in row) + "</tr>"
        for row in section.rows
    )
    return f"<table>\n<tr>{head}</tr>\n" + "\n".join(rows) + "\n</table>"


# -- what stands on it -----------------------------------------------------------------


def report(
    library: Library,
    audited: Audit | None = None,
    golden: GoldenSet | None = None,
    compared: Sequence[Comparison] = (),
    holes: Mapping[str, float] | None = None,
) -> Report:
    """Put together what is known of a folder and its searches.

    Args:
        library: see ``keep``.
        audited: see ``audit``; None leaves the section out.
        golden: the questions that the searches were judged by.
        compared: see ``comparisons``.
        holes: see ``unjudged``.
    """
    sections = [_holdings(library)]
    if audited is not None:
        sections += _audited(audited)
    if golden is not None:
        sections.append(_judged(golden, compared, holes or {}))
    return Report(f"Search over {library.folder.name}", sections)


def _holdings(library: Library) -> Section:
    reasons = Counter(unread.reason for unread in library.unread)
    passages = len(library.index.chunks) if library.index else 0
    sentences = [
        f"{len(library.documents)} documents in {passages} passages are searched; "
        f"{len(library.unread)} files or rows are not."
    ]
    if library.index:
        sentences.append(f"Encoder: {library.index.encoder.fingerprint}.")
    return Section(
        "What is searched",
        sentences,
        ["left out because it", "how many"],
        reasons.most_common(MOST),
    )


def _audited(found: Audit) -> list[Section]:
    terms = found.terms.head(MOST)
    columns = ["term", "pieces", "count"]
    pairs = [
        (pair.one, pair.other, f"{pair.shared:.2f}", ", ".join(pair.differs))
        for pair in found.doubles[:MOST]
    ]
    return [
        Section(
            "What the texts are like",
            summary(found),
            columns,
            [[row[name] for name in columns] for row in terms.to_dict("records")],
        ),
        Section(
            "Doubles, and which is out of date",
            ["Pairs that share most runs of three words. Which of two holds, you know."]
            if pairs
            else ["No two documents are nearly the same."],
            ["one", "other", "shared", "only one of them says"],
            pairs,
        ),
    ]


def _judged(golden, compared: Sequence[Comparison], holes: Mapping) -> Section:
    count = len(golden.judged)
    sentences = [
        f"{len(golden.questions)} questions, {count} of them judged."
        + (f" {count} are few: take no choice from this." if count < FEW else ""),
        "The interval is for one look at the end of judging. If you looked before and "
        "stopped when it suited, only the one for every look is true.",
    ]
    sentences += [str(one) + "." for one in compared]
    rows = [
        (
            one.name,
            f"{one.mean:.2f}",
            f"{one.gain:+.2f}",
            f"{one.low:+.2f} to {one.high:+.2f}",
            f"{one.always[0]:+.2f} to {one.always[1]:+.2f}",
            f"{holes.get(one.name, 0):.0%}",
        )
        for one in compared
    ]
    columns = ["search", "mean", "gain", "one look", "every look", "not judged"]
    return Section("Which search is better", sentences, columns, rows)
