"""Your own texts: a folder, an index that keeps up with it, answers with their place.

- ``folders``, ``texts``, ``kinds``, ``formats``: from files of any kind to text;
  ``quarantine``: another process, for those that were made by strangers.
- ``reading``: documents that know where their words stand.
- ``library``, ``keeping``: an index that embeds anew only what has changed.
- ``finding``, ``showing``: passages and quotes; ``arguments``, ``command``: a terminal;
  ``server``: a page with a search box, for you alone.
- ``audit``: what a model will make of your texts, before anything is searched.
- ``golden``, ``comparing``, ``certainty``: which search is better, and how surely.
- ``cards``, ``models``: which encoder, by its own files and by your questions.
- ``report``: one page of all of it, as Markdown and as HTML.

Used in notebook 14. Nothing heavy is imported before it is needed: help comes at once.
"""

# fmt: off
from course_utils.yours.audit import Audit, Double, audit, doubles, scripts, summary
from course_utils.yours.cards import Fact, checklist
from course_utils.yours.certainty import always_valid, questions_needed
from course_utils.yours.command import run
from course_utils.yours.comparing import (
    Comparison, comparisons, evaluations, pooled, unjudged,
)
from course_utils.yours.finding import Match, Quote, Receipt, find, quotes, receipts
from course_utils.yours.folders import Entry, Unread, Unreadable, survey
from course_utils.yours.golden import GRADES, GoldenSet, Question, from_csv, to_csv
from course_utils.yours.keeping import keep
from course_utils.yours.library import (
    Changes, Library, OtherFolder, Settings, cache_place,
)
from course_utils.yours import models
from course_utils.yours.quarantine import Quarantine
from course_utils.yours.reading import Document, Place, Reading, read_folder
from course_utils.yours.report import Report, Section, report
from course_utils.yours.server import Service
from course_utils.yours.showing import as_json, as_lines
from course_utils.yours.texts import Options
