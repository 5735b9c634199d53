"""The page of `search --serve`, as a person uses it, over texts that would harm."""

import threading

import pytest
from playwright.sync_api import expect

from course_utils.yours import Service, keep
from tests.classroom.test_show import HOSTILE
from tests.search.toy import Toy

TRACE = "(window.ran=1,fetch('/ran'),alert(1))"  # what each of them tries to do


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "texts").mkdir()
    disk = (
        "# Disk\n\n" + "Nothing here.\n\n" * 80 + "The disk is full: delete the dump.\n"
    )
    (folder / "texts" / "disk.md").write_text(disk, "utf-8")
    for number, text in enumerate(HOSTILE.values()):
        evil = f"evil page\n\n{text[:3000].replace('alert(1)', TRACE)}"
        name = folder / "texts" / f"evil{number}.md"
        name.write_text(evil, "utf-8", "replace")
    with Service(keep(folder / "texts", Toy(), folder / "index")) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_a_question_is_typed_and_leads_to_the_line(page, service):
    page.goto(service.address)
    assert page.url == f"http://127.0.0.1:{service.server_port}/"  # the token is gone
    expect(page.get_by_label("question")).to_be_focused()
    page.keyboard.type("delete the dump")
    page.get_by_label("mode").select_option("words")
    page.get_by_label("question").press("Enter")
    expect(page.locator("blockquote").first).to_contain_text("delete the dump")
    expect(page.get_by_label("question")).to_have_value("delete the dump")
    expect(page.get_by_label("mode")).to_have_value("words")
    page.get_by_text("why").first.click()
    expect(page.locator("details").first).to_contain_text("by words: rank 1")
    page.locator("ol a").first.click()
    mark = page.locator("mark")
    expect(mark).to_contain_text("delete the dump")
    expect(mark).to_be_in_viewport()
    assert page.outside == [] and page.problems == []


def test_hostile_texts_do_nothing(page, service):
    page.goto(service.address)
    page.goto(f"http://127.0.0.1:{service.server_port}/?q=evil+page&k=50&mode=meaning")
    links = [link.get_attribute("href") for link in page.locator("ol a").all()]
    assert len(links) > len(HOSTILE) / 2
    for link in [None, *links[:12]]:
        if link:
            page.goto(f"http://127.0.0.1:{service.server_port}{link}")
        assert page.evaluate("window.ran") is None
        assert page.locator("script, img, iframe, svg").count() == 0
    assert not page.dialogs and not page.outside
    assert not [url for url in page.requested if "/ran" in url]


def test_without_the_token_a_browser_is_told_where_to_find_it(page, service):
    page.goto(f"http://127.0.0.1:{service.server_port}/?q=disk")
    expect(page.locator("body")).to_contain_text("open the address that the terminal")
