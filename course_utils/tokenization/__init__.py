"""From text to ids. Built in notebook 01.

- ``bpe``: byte-level BPE, trained and used, as the tokenizers of chat models are.
- ``wordpiece``: the greedy cut of BERT and MiniLM, and its training by score.
- ``unigram``: pieces with probabilities, the likeliest cut, training by pruning.
- ``cleaning``: text out of pages, one spelling for what looks the same.
- ``matching``: the words by which a question and a page are compared, in any script.
- ``budget``: what your terms cost, and a cut at a limit that keeps characters whole.
"""

# fmt: off
from course_utils.tokenization.bpe import (
    BPE, PATTERN, best_pair, merge, pair_counts, recount_bpe, split_text, to_bytes,
    to_text, train_bpe,
)
from course_utils.tokenization.budget import audit_terms, truncate
from course_utils.tokenization.cleaning import html_to_text, normalise
from course_utils.tokenization.matching import matching_form, matching_words
from course_utils.tokenization.unigram import (
    Unigram, expectation_step, maximisation_step, prune, removal_losses, seed_pieces,
    train_unigram,
)
from course_utils.tokenization.wordpiece import (
    Learnt, count_words, join, letters, pair_scores, train_wordpiece, wordpiece,
)
