"""What of a page can be quoted."""

import pytest

from course_utils import corpora
from course_utils.answers.quotable import quotable


def parts(page):
    return [(kind, page[start:end].strip()) for start, end, kind in quotable(page)]


def test_sentences_and_listings_in_their_order_headings_left_out():
    page = "# A\nOne. Two.\n```sh\ndf -i\ndf -h\n```\n## B\nThree."
    assert parts(page) == [
        ("prose", "One."),
        ("prose", "Two."),
        ("code", "df -i\ndf -h"),
        ("prose", "Three."),
    ]


@pytest.mark.parametrize(
    "page, listings",
    [
        ("```\na\n```\n```\nb\n```", ["a", "b"]),
        ("````\n```\na\n````", ["```\na"]),
        ("```\n```", []),
        ("```\na", ["a"]),
        ("no listing", []),
        ("", []),
    ],
)
def test_the_inside_of_every_listing(page, listings):
    assert [text for kind, text in parts(page) if kind == "code"] == listings


def test_every_listing_of_the_handbook_can_be_quoted():
    for page in corpora.load_runbooks():
        code = [text for kind, text in parts(page.text) if kind == "code"]
        assert len(code) == page.text.count("```") // 2, page.id
