"""The authored data sets as typed rows. ``data/README.md`` is their datasheet.

Every loader returns a list of frozen rows and rejects a malformed file with its line.

>>> load_sentences()["cat"]
'The cat sat on the mat.'
>>> load_news("test")[0].label in NEWS_LABELS
True
"""

# fmt: off
from course_utils.corpora.language import (
    LANGUAGES, load_analogies, load_failures, load_glossary, load_multilingual,
    load_natural_pairs, load_pairs, load_senses, load_sentences,
)
from course_utils.corpora.news import (
    clean_ag_text, load_label_noise, load_near_duplicates, load_news,
)
from course_utils.corpora.operations import (
    load_answers, load_heldout_pairs, load_queries, load_relevance, load_runbooks,
    load_tickets, load_training_pairs, parse_runbook,
)
from course_utils.corpora.reading import (
    CorpusError, data_file, read_rows, read_table, records_of, shipped, unix,
)
from course_utils.corpora.rows import (
    NEWS_LABELS, Analogy, Article, GoldenAnswer, HeldOutPair, LabelNoise, NearDuplicate,
    NewsLabel, Probe, Query, QueryKind, Relevance, Runbook, Sense, SentencePair, Term,
    Ticket, TrainingPair,
)
