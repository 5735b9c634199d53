"""The real weights and vocabularies: found, verified, loaded.

Every asset is looked for in the same order: an installed package, then the local
Hugging Face cache, then the Hub - the last only when you ask for it with the
environment variable ``COURSE_ONLINE=1``. The sha256 of a file is checked before a byte
of it is used. Weights are read from safetensors: no pickle, no remote code.

>>> sorted(vocabularies())
['cl100k', 'o200k', 'sentencepiece', 'tekken', 'wordpiece']
>>> vocabularies()["wordpiece"].pieces("unbelievable embeddings")
['unbelievable', 'em', '##bed', '##ding', '##s']
"""

# fmt: off
from course_utils.assets.models import (
    config, fast_tokenizer, sentence_transformer, tokenizer, weights, wordpieces,
)
from course_utils.assets.places import (
    ASSETS, HUB_REPOSITORY, MINILM, MISTRAL, MODEL_NAME, PARAPHRASE, TIKTOKEN, Asset,
    AssetError, folder, online,
)
from course_utils.assets.second import second_model
from course_utils.assets.vocabulary import Vocabulary, encodable, readable, vocabularies
