"""From an id to a row, and what the rows know. Built in notebook 02.

- ``table``: reading rows, rows that were never learnt, the tokenizer that belongs.
- ``words``: neighbours and analogies among whole words.
- ``skipgram``: rows learnt from nothing, on a small world.
"""

# fmt: off
from course_utils.lookup.skipgram import (
    PHRASES, TRAITS, skip_gram_loss, skip_gram_pairs, small_world, softmax_loss,
    train_skip_gram, trait_questions,
)
from course_utils.lookup.table import (
    CANARY, HasVocabulary, assert_tokenizer_matches, canary_ids, one_hot, rows,
    untrained_rows,
)
from course_utils.lookup.words import (
    WordTable, analogy, kept_neighbours, minilm_words, nearest,
)
