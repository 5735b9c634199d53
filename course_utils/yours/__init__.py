"""Your own texts: a folder, an index that keeps up with it, answers with their place.

- ``folders``: what lies in a folder, and the bytes of a file; ``formats``: its text.
- ``quarantine``: another process, for files that were made by strangers.
- ``reading``: a folder as documents that know where their words stand.
- ``keeping``: an index that embeds anew only what has changed.
- ``finding``: passages, quotes and receipts; ``command``: all of it in a terminal.
- ``audit``: what a model will make of your texts, before anything is searched.
- ``certainty``: how sure a comparison is, and how many questions more it needs.
- ``golden``: questions, judgements, and the choices that follow from them.

Used in notebook 14. Nothing heavy is imported before it is needed: help comes at once.
"""

# fmt: off
from course_utils.yours.audit import Audit, Double, audit, doubles, scripts, summary
from course_utils.yours.certainty import always_valid, questions_needed
from course_utils.yours.command import as_json, as_lines, run
from course_utils.yours.finding import (
    Match, Quote, Receipt, find, quotes, receipts,
)
from course_utils.yours.folders import Entry, Unread, Unreadable, survey
from course_utils.yours.formats import Options
from course_utils.yours.golden import (
    GRADES, Comparison, GoldenSet, Question, comparisons, evaluations, from_csv, pooled,
    to_csv, unjudged,
)
from course_utils.yours.keeping import (
    Changes, Library, OtherFolder, Settings, cache_place, keep,
)
from course_utils.yours.quarantine import Quarantine
from course_utils.yours.reading import Document, Place, Reading, read_folder
