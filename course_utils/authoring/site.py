"""Static pages from the stored outputs: nothing is executed, nothing comes from a CDN.

Sphinx with myst-nb turns the README, the datasheet, the benchmarks, the workshop kit
and every built notebook into ``build/site``, with navigation, search and a dark theme.
Formulas become MathML, which browsers draw by themselves. A broken link is an error.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from base64 import b64decode
from pathlib import Path

import nbformat

from course_utils.authoring.source import NOTEBOOKS, ROOT, settings

SITE = ROOT / "build" / "site"
KIT = ROOT / "workshop"
APPENDIX = (
    *("data/README.md", "bench/README.md", ".github/CONTRIBUTING.md"),
    "CHANGELOG.md",
)
_FUNCTION = re.compile(r"(<mi>\w{2,}</mi>)(?=<m(?:i|n|row|sub|sup)>)")
STYLE = """\
/* 88 columns of code fit; wide things scroll by themselves, the page never does. */
.bd-main .bd-content .bd-article-container { max-width: 62em; }
.bd-article pre { font-size: 0.82em; }
.bd-article code .pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.cell_output, .pst-scrollable-table-container { overflow-x: auto; }
.bd-article .cell_output table { width: auto; border-collapse: collapse; }
.bd-article .cell_output :is(th, td) { padding: 0.25em 0.6em; }
.bd-article .cell_output tr { border-bottom: 1px solid #8884; }
.bd-article table.table thead:not(:has(p)) { display: none; }
.cell_output img { background: white; }
math[display="block"] { margin: 1em 0; overflow-x: auto; }
details { margin-bottom: 0.5em; }
"""


def mathml(latex: str, display: bool) -> str:
    r"""Turn a formula into MathML.

    >>> mathml("x^2", display=False).partition("<mrow>")[2]
    '<msup><mi>x</mi><mn>2</mn></msup></mrow></math>'
    """
    from latex2mathml.converter import convert

    made = convert(latex, display="block" if display else "inline")
    # "log x" and "sin a" are functions at work: a thin space, not a product.
    return _FUNCTION.sub(r'\1<mspace width="0.17em"/>', made)


def stage(folder: Path) -> dict[str, str]:
    """Lay out what Sphinx reads: pages under the same relative paths as in the project.

    Returns:
        sha256 of each stored figure -> its alt text.
    """
    alts: dict[str, str] = {}
    pages = sorted(NOTEBOOKS.glob("*.ipynb"))
    solved = sorted(NOTEBOOKS.glob("solutions/*.ipynb"))
    for path in [*pages, *solved]:
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        alts |= _alts(nbformat.read(path, as_version=4))
    shutil.copytree(NOTEBOOKS / "images", folder / "notebooks" / "images")
    kit = [*sorted(KIT.glob("*.md")), *sorted(KIT.glob("instructor/*.md"))]
    for path in [*kit, *(ROOT / name for name in APPENDIX)]:
        target = folder / path.relative_to(ROOT).as_posix().removeprefix(".github/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_outside(path), encoding="utf-8")
    shutil.copyfile(ROOT / ".github" / "picture.png", folder / "picture.png")
    shutil.copyfile(KIT / "times.csv", folder / "workshop" / "times.csv")
    text = _outside(ROOT / "README.md")
    appendix = [name.removeprefix(".github/").removesuffix(".md") for name in APPENDIX]
    trees = [
        _tree("Notebooks", [_name(path) for path in pages]),
        _tree("Solved edition", [_name(path) for path in solved]),
        _tree("Workshop", [_name(path) for path in kit]),
        _tree("Appendix", appendix),
    ]
    (folder / "index.md").write_text("\n\n".join([text, *trees]), encoding="utf-8")
    (folder / "_static").mkdir()
    (folder / "_static" / "course.css").write_text(STYLE, encoding="utf-8")
    return alts


def _outside(path: Path) -> str:
    """A page of the repository: no badges, and what lay in .github lies on top."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^\[!\[tests\].*\n\n", "", text, flags=re.M)
    if path.parent.name == ".github":
        return text.replace("](../", "](")
    return text.replace("](.github/", "](")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


def _tree(caption: str, names: list[str]) -> str:
    rows = "\n".join(names)
    return f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{rows}\n```"


def _alts(notebook: nbformat.NotebookNode) -> dict[str, str]:
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            png = output.get("data", {}).get("image/png")
            if png:
                digest = hashlib.sha256(b64decode(png)).hexdigest()
                found[digest] = output.metadata.get("image/png", {}).get("alt", "")
    return found


def _configuration(alts: dict[str, str]) -> dict[str, object]:
    repository, branch = settings()["repository"], settings()["branch"]
    return {
        "project": "Embeddings, Opened",
        "extensions": ["myst_nb", "course_utils.authoring.site"],
        "html_theme": "sphinx_book_theme",
        "html_title": "Embeddings, Opened",
        "html_theme_options": {
            "repository_url": f"https://github.com/{repository}",
            "repository_branch": branch,
            "use_repository_button": True,
            "show_navbar_depth": 1,
        },
        "html_context": {"default_mode": "auto"},
        "html_math_renderer": "mathml",
        "html_static_path": ["_static"],
        "html_css_files": ["course.css"],
        "html_copy_source": False,
        "html_show_copyright": False,
        "html_last_updated_fmt": None,
        "language": "en",
        "course_alts": alts,
        "nb_execution_mode": "off",
        "nb_merge_streams": True,
        "myst_enable_extensions": ["dollarmath"],
        "myst_heading_anchors": 3,
        # A title in bold does not make a page, nor do notebooks need a lexer for "%".
        "suppress_warnings": ["misc.highlighting_failure"],
    }


def _formula(translator, node) -> None:
    from docutils import nodes

    display = not isinstance(node, nodes.math)
    translator.body.append(mathml(node.astext(), display))
    raise nodes.SkipNode


def _describe(app, doctree) -> None:
    """Give each figure the alt text that is stored with it."""
    from docutils import nodes

    for image in doctree.findall(nodes.image):
        alt = app.config.course_alts.get(Path(image["uri"]).stem)
        if alt:
            image["alt"] = alt


def setup(app) -> dict[str, bool]:
    """Register with Sphinx: the formulas and the alt texts."""
    app.add_config_value("course_alts", {}, "")
    app.add_html_math_renderer("mathml", (_formula, None), (_formula, None))
    app.connect("doctree-read", _describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def build_site(folder: Path = SITE) -> int:
    """Build the pages into ``folder`` and say where they are.

    Returns:
        0, or 1 with the reason printed: a broken link, or the libraries are missing.
    """
    try:
        from sphinx.application import Sphinx
    except ImportError:
        print(
            "the site needs Sphinx: python -m pip install -c constraints.txt '.[site]'"
        )
        return 1
    source, cache = folder.with_name("site-source"), folder.with_name("site-cache")
    for old in (source, cache, folder):
        shutil.rmtree(old, ignore_errors=True)
    source.mkdir(parents=True)
    app = Sphinx(
        srcdir=source,
        confdir=None,
        outdir=folder,
        doctreedir=cache,
        buildername="html",
        confoverrides=_configuration(stage(source)),
        status=None,
        warning=sys.stdout,
        warningiserror=True,
    )
    app.build()
    shutil.rmtree(source)
    shutil.rmtree(cache)
    print(f"open {folder / 'index.html'}")
    return app.statuscode
