"""The pipeline picture, one SVG per notebook with that notebook's box lit."""

from __future__ import annotations

from html import escape

from course_utils.authoring.source import NOTEBOOKS, ROOT

# (topic, number, name, what leaves the box)
STAGES = (
    ("tokenization", "01", "Tokenization", "pieces and ids"),
    ("lookup", "02", "Lookup", "one row per id"),
    ("positions", "03", "Positions", "rows that know their place"),
    ("attention", "04", "Attention", "rows that saw each other"),
    ("pooling", "05", "Pooling", "one vector"),
    ("search", "09", "Search", "the nearest text"),
)
TRAINING = (
    ("contrastive", "06", "Contrastive training"),
    ("finetune", "07", "Fine-tuning"),
    ("failures", "08", "Failure analysis"),
)
# Drawn in their own notebooks only: a third row would tell a beginner nothing.
USES = (("applications", "10", "Applications"),)
LIT, PLAIN, INK, LINE = "#F5C242", "#E8EEF3", "#111111", "#5A6B78"


def _box(x: int, y: int, width: int, number: str, name: str, lit: bool) -> str:
    fill, weight = (LIT, "bold") if lit else (PLAIN, "normal")
    stroke, middle = (3 if lit else 1), x + width // 2
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="46" rx="7" fill="{fill}" '
        f'stroke="{INK if lit else LINE}" stroke-width="{stroke}"/>'
        f'<text x="{middle}" y="{y + 19}" font-weight="{weight}">{number}</text>'
        f'<text x="{middle}" y="{y + 36}" font-weight="{weight}">'
        f"{escape(name)}</text>"
    )


def pipeline(topic: str) -> str:
    """SVG of the pipeline from text to search hit, with the box of ``topic`` lit."""
    parts = [
        '<text x="34" y="44" font-style="italic">text</text>',
        '<text x="34" y="44" dy="16" font-size="10">in</text>',
    ]
    x = 70
    for name, number, title, leaves in STAGES:
        parts.append(
            f'<path d="M{x - 18} 43h12m-5 -4l6 4l-6 4" fill="none" stroke="{LINE}"/>'
        )
        parts.append(_box(x, 20, 102, number, title, name == topic))
        middle = x + 51
        words, rows = leaves.split(), []
        half = (len(words) + 1) // 2 if len(leaves) > 15 else len(words)
        rows = [" ".join(words[:half]), " ".join(words[half:])]
        for i, row in enumerate(filter(None, rows)):
            parts.append(
                f'<text x="{middle}" y="{82 + 13 * i}" font-size="10.5">{row}</text>'
            )
        x += 122
    parts.append(
        f'<path d="M70 112v8h590v-8" fill="none" stroke="{LINE}" stroke-width="1"/>'
    )
    parts.append('<text x="34" y="146" font-size="10.5">where it</text>')
    parts.append('<text x="34" y="159" font-size="10.5">comes from</text>')
    for i, (name, number, title) in enumerate(TRAINING):
        parts.append(_box(86 + 194 * i, 128, 170, number, title, name == topic))
    height = 186
    if topic in {name for name, *_ in USES}:
        height = 248
        parts.append('<text x="34" y="208" font-size="10.5">what it is</text>')
        parts.append('<text x="34" y="221" font-size="10.5">good for</text>')
        for i, (name, number, title) in enumerate(USES):
            parts.append(_box(86 + 140 * i, 190, 128, number, title, name == topic))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {height}" '
        f'width="800" height="{height}" role="img" '
        'font-family="Helvetica, Arial, sans-serif" '
        f'font-size="13" text-anchor="middle" fill="{INK}">'
        f"<title>{escape(alt(topic))}</title>"
        f'<rect width="800" height="{height}" rx="8" fill="#FFFFFF"/>'
        + "".join(parts)
        + "</svg>\n"
    )


def alt(topic: str) -> str:
    """Say what the picture shows: the stages in order, and the one lit."""
    names = [title for _, _, title, _ in STAGES]
    lit = {name: title for name, _, title, *_ in STAGES + TRAINING + USES}.get(topic)
    chain = "The pipeline: text, " + ", ".join(name.lower() for name in names)
    return f"{chain}. Today: {lit.lower()}." if lit else f"{chain}."


def write_all(check: bool = False) -> int:
    """Write every pipeline picture; with ``check`` count those that differ."""
    differ = 0
    for topic in ("start_here", *(stage[0] for stage in STAGES + TRAINING + USES)):
        path = NOTEBOOKS / "images" / f"pipeline_{topic}.svg"
        text = pipeline(topic)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            differ += 1
            print(f"{path.relative_to(ROOT)}: DIFFERS")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    return differ
