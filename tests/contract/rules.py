"""The rules for one notebook, as a list of problems: the tests of the rules need it."""

import re

COUNTED_WORDS = 120
WIDE = 100  # columns of printed text; a wider line is broken in the middle of a word


def code_lines(source):
    return len([line for line in source.splitlines() if line.strip()])


def is_check(source):
    return source.startswith("check(") and code_lines(source) == 1


def visible_words(markdown):
    """Words to read before the next cell: hints are closed, tables are scanned."""
    text = re.sub(r"<details>.*?</details>", "", markdown, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "#"))]
    return len(re.findall(r"\w[\w'’]*", " ".join(lines)))


def local_targets(notebook):
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", cell.source):
            if not target.startswith(("https://", "#")):
                yield target.split("#")[0]


def problems(notebook):
    found = []
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        found.append(f"not executed top to bottom: {counts}")
    if "widgets" in notebook.metadata:
        found.append("stored widget state")
    found += _cells(notebook) + _reading(notebook) + _outputs(code)
    return found


def _cells(notebook):
    found = []
    for cell in notebook.cells:
        if set(cell.metadata) - {"tags"}:
            found.append(f"metadata {dict(cell.metadata)} in {cell.source[:40]!r}")
        if cell.cell_type == "code":
            long = [line for line in cell.source.splitlines() if len(line) > 88]
            if long and "generated" not in cell.metadata.get("tags", []):
                found.append(f"longer than 88 columns: {long[0]}")
            if re.search(r";\s*$", cell.source):
                found.append(f"a trailing semicolon hides output: {cell.source[-40:]}")
        elif re.search(r"\[!\w+\]|^:::", cell.source, re.MULTILINE):
            found.append(f"not plain CommonMark: {cell.source[:40]!r}")
    return found


def _reading(notebook):
    found, words, level = [], 0, 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            words = 0
            continue
        if "generated" not in cell.metadata.get("tags", []):
            words += visible_words(cell.source)
        if words > COUNTED_WORDS and cell is not notebook.cells[-1]:
            found.append(f"{words} words before a code cell: {cell.source[:50]!r}")
        prose = re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
        wrapped = r"^[^\W\d].*\n((?:\d+[.)]|[-+*]) .*)"
        for line in re.findall(wrapped, prose, re.MULTILINE):
            found.append(f"a wrapped line that begins a list: {line[:40]!r}")
        for marks in re.findall(r"^(#+) ", prose, re.MULTILINE):
            if len(marks) > level + 1:
                found.append(
                    f"heading jumps from {level} to {len(marks)}: {prose[:40]!r}"
                )
            level = len(marks)
        if level == 0:
            found.append("text before the title")
        for alt in re.findall(r"!\[([^\]]*)\]\(", cell.source):
            if len(alt.split()) < 4:
                found.append(f"alt text {alt!r} says too little")
        if re.search(r"!\[[^\]]*\]\(https?:", cell.source):
            found.append(f"a picture from the network: {cell.source[:60]!r}")
    return found


def _outputs(code):
    found = []
    for cell in code:
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"stored error {output.ename}: {cell.source[:40]!r}")
            if output.get("name") == "stderr":
                found.append(f"stored stderr: {output.text[:60]!r}")
            data = output.get("data", {})
            if any("widget" in kind for kind in data):
                found.append(f"stored widget: {cell.source[:40]!r}")
            if "image/png" in data:
                alt = output.metadata.get("image/png", {}).get("alt", "")
                if len(alt.split()) < 4:
                    found.append(f"figure without alt text: {cell.source[:40]!r}")
                facts = [o for o in cell.outputs if o.output_type == "stream"]
                if not facts and "explore(" not in cell.source:
                    found.append(f"figure without a printed fact: {cell.source[:40]!r}")
            html = "".join(data.get("text/html", ""))
            if re.search(r"<script|<iframe|\son\w+\s*=|https?://", html, re.IGNORECASE):
                found.append(f"active or remote HTML: {cell.source[:40]!r}")
            text = output.get("text", "") + "".join(data.get("text/plain", ""))
            for line in output.get("text", "").splitlines():
                if len(line) > WIDE:
                    found.append(f"printed wider than {WIDE} columns: {line[:60]!r}")
            if re.search(r"0x[0-9a-f]{8,}", text):
                found.append(f"an object address in {cell.source[:40]!r}")
            if "\r" in text or "\x1b" in text:
                found.append(f"a progress bar or escape code in {cell.source[:40]!r}")
    return found
