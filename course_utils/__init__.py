"""Support package of the notebook course "Embeddings, Opened".

A street of topics, one per notebook, same stem: ``tokenization``, ``lookup``,
``positions``, ``attention``, ``pooling`` rebuild the stages of a text-embedding model,
``encoder`` is the whole of it; ``search`` ships one. A topic that has parts is a
folder, and its ``__init__.py`` says what is inside. ``guards`` looks at what comes in,
``assets`` finds the real weights and vocabularies, ``corpora`` the authored data,
``classroom`` makes a notebook a lesson.

Importing the package costs next to nothing: no module below is loaded, torch and
transformers least of all. It sets three defaults of the environment, which have to
stand before those libraries are imported, and never overrides yours.
"""

import os

__version__ = "0.1.0"

# Threads that share one product (in a single batch, in training) sleep while they wait,
# instead of spinning: beside a busy process a batch is up to twice as fast, alone it
# loses a fifth. Lists of texts do not wait at all (threads.py, bench/threads.py).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# tokenizers would warn after a fork; our batches are small.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# A progress bar in a stored output is noise.
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
