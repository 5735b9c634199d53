"""Search that one could ship: chunk, embed, index, retrieve. Built in notebook 09.

- ``index``: ``SearchIndex``, by meaning, by words or by both.
- ``chunking``, ``lexical``, ``passages``: what it holds; ``admission``: what it takes.
- ``ranking``, ``evaluation``: better rankings, and how good one is.
- ``storage``: all or nothing on disk; ``adapters``: other encoders, other frameworks.
- ``late_interaction``: one vector per token instead of one per passage.
"""

# fmt: off
from course_utils.search.adapters import (
    CachedEncoder, SentenceTransformerEncoder, llama_embedding,
)
from course_utils.search.admission import MODES
from course_utils.search.chunking import (
    Chunk, chunk, lines, sentences, units, windows,
)
from course_utils.search.evaluation import (
    bootstrap_interval, by_kind, compare, evaluate, overview,
)
from course_utils.search.index import OtherEncoder, SearchIndex
from course_utils.search.late_interaction import (
    late_chunks, max_sim, max_sims, token_states,
)
from course_utils.search.lexical import words
from course_utils.search.passages import Hit
from course_utils.search.ranking import (
    best_threshold, costs, fold, mmr, reciprocal_rank_fusion,
)
from course_utils.search.storage import DamagedIndex
