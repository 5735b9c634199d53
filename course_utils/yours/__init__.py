"""Your own texts: a folder, an index that keeps up with it, answers with their place.

- ``folders``: what lies in a folder, and the bytes of a file; ``formats``: its text.
- ``quarantine``: another process, for files that were made by strangers.
- ``reading``: a folder as documents that know where their words stand.
- ``keeping``: an index that embeds anew only what has changed.

Used in notebook 14. Nothing heavy is imported before it is needed: help comes at once.
"""

# fmt: off
from course_utils.yours.folders import Entry, Unread, Unreadable, survey
from course_utils.yours.formats import Options
from course_utils.yours.keeping import (
    Changes, Library, OtherFolder, Settings, cache_place, keep,
)
from course_utils.yours.quarantine import Quarantine
from course_utils.yours.reading import Document, Place, Reading, read_folder
