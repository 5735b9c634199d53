"""What else vectors are good for: groups, doubles, strangers, few labels, towers.

- ``inputs``: texts to checked vectors, with a sentence for everything that is not.
- ``clusters``: k-means, names and numbers for groups, and what a map distorts.
- ``duplicates``: the same text by letters, by shingles, by meaning; groups of them.
- ``outliers``: how strange is a text, when is it an alarm, has a stream changed?
- ``few_shot``: a classifier from label names and a handful of examples.
- ``two_towers``: pictures and captions, users and items, in one space.

Built in notebook 10.
"""

# fmt: off
from course_utils.applications import (
    clusters, duplicates, few_shot, inputs, outliers, two_towers,
)
from course_utils.applications.inputs import embed
