"""The workshop kit, made from the notebooks so that it cannot drift.

``lesson`` reads a notebook as a plan: parts, minutes, predictions; ``sheets`` fits
lessons into an hour or a day; ``guides`` writes a page per lesson for who teaches it;
``times`` sums up what runs have taken; ``slides`` makes a deck per sheet; ``pages``
writes it all.
"""

from course_utils.authoring.workshop.pages import build, texts
from course_utils.authoring.workshop.slides import build_slides
