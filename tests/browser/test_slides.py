"""A deck as a room sees it: every slide fits, nothing is asked of the network."""

import pytest

from course_utils.authoring.workshop import printing, slides
from course_utils.authoring.workshop.lesson import lessons
from course_utils.authoring.workshop.sheets import sheets

SHEETS = sheets()  # the shortest and the longest, which holds nearly every slide
FITS = """async () => {
  const over = [];
  for (let place = 0; place < Reveal.getTotalSlides(); place++) {
    Reveal.slide(place);
    await new Promise(done => setTimeout(done, 5));
    const shown = Reveal.getCurrentSlide();
    if (shown.scrollHeight > 680 || shown.scrollWidth > 1290)
      over.push([place, shown.scrollHeight, shown.querySelector('h1, h2').textContent]);
  }
  return over;
}"""


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    known = {one.number: one for one in lessons()}
    parts = slides.assets()
    for sheet in (SHEETS[0], SHEETS[-1]):
        text = slides.deck(sheet, known, parts)
        (folder / f"{sheet.file}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", [SHEETS[0].file, SHEETS[-1].file])
def test_every_slide_fits_and_nothing_is_asked_for(page, decks, name):
    path = decks / f"{name}.html"
    page.goto(path.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    assert page.evaluate("Reveal.getTotalSlides()") == path.read_text("utf-8").count(
        "<section>"
    )
    assert page.evaluate(FITS) == []
    assert page.problems == []
    assert [
        url for url in page.requested if not url.startswith(("file:", "data:"))
    ] == []


def test_a_vote_is_answered_by_a_key(page, decks):
    page.goto((decks / "90_minutes.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    place = page.evaluate("""Reveal.getSlides().findIndex(
        one => one.querySelector('.fragment'))""")
    page.evaluate("place => Reveal.slide(place)", place)
    mark = page.locator("section.present .fragment")
    assert not mark.evaluate("one => one.classList.contains('visible')")
    page.keyboard.press("Space")
    assert mark.evaluate("one => one.classList.contains('visible')")


def test_a_deck_is_printed_a_page_a_slide(decks, chromium):
    path = decks / "90_minutes.html"
    assert slides.print_pdf(path, decks / "90_minutes.pdf")
    pages = printing.pages_of(decks / "90_minutes.pdf")
    assert pages == path.read_text("utf-8").count("<section>")
