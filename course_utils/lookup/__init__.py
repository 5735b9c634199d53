"""From an id to a row, and what the rows know. Built in notebook 02.

- ``table``: reading rows, rows that were never learnt, the tokenizer that belongs.
- ``words``: neighbours and analogies among whole words.
- ``skipgram``, ``cbow``: rows learnt from nothing, two ways round.
- ``world``: a language small enough to see through.
"""

# fmt: off
from course_utils.lookup.cbow import cbow_loss, cbow_windows, train_cbow
from course_utils.lookup.skipgram import (
    skip_gram_loss, skip_gram_pairs, softmax_gradient, softmax_loss, train_skip_gram,
)
from course_utils.lookup.table import (
    CANARY, HasVocabulary, assert_tokenizer_matches, canary_ids, one_hot, rows,
    untrained_rows,
)
from course_utils.lookup.words import (
    FIELDS, WordTable, analogy, kept_neighbours, minilm_words, nearest,
)
from course_utils.lookup.world import PHRASES, TRAITS, small_world, trait_questions
