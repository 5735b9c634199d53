"""Where a model fails, and why. Built in notebook 08.

- ``patient``: a run that is ill in several places, to be bisected.
- ``errors``: slices, wrong labels, leaks, who comes first.
- ``shares``: what a share is worth, and the difference of two.
- ``calibration``: may a confidence be believed?
- ``interventions``: what moves a number?
- ``checklist``: which ability was lost?
"""

# fmt: off
from course_utils.failures import calibration, checklist, interventions, patient
from course_utils.failures.errors import (
    Twin, first_hits, first_ranks, label_loss, near_duplicates, same_space, slice_table,
)
from course_utils.failures.shares import mcnemar, mcnemar_range, wilson_interval
