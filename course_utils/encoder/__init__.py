"""All of all-MiniLM-L6-v2, put together from the topics of notebooks 01-05.

- ``minilm``: the model, from a list of texts to vectors.
- ``reading``: texts to ids, cut at a limit.
- ``change``: what a lesson changes in it, to see what it is good for.
- ``tracing``: one text on its way, every stage kept.
- ``batching``, ``threads``: texts of similar length side by side, each on one thread.
- ``precision``: the same model in fewer bits.
- ``protocol``: what any encoder must offer to be used in the later topics.
- ``identity``: a digest of its numbers, by which an index knows it again.
"""

# fmt: off
from course_utils.encoder.batching import batches, pad
from course_utils.encoder.change import (
    Change, forget_mask, offset_positions, zero_positions,
)
from course_utils.encoder.identity import digest
from course_utils.encoder.minilm import MiniLM
from course_utils.encoder.protocol import Encoder, listed
from course_utils.encoder.reading import TruncationWarning
from course_utils.encoder.tracing import Trace
