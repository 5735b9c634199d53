"""Train a classifier, and know what the result is worth. Built in notebook 07.

- ``train``: the loop, early stopping, and intervals of what came out.
- ``classifier``: the models, and what they make of examples.
- ``batches``: texts as tensors, little padding.
- ``checkpoints``: a run that survives a kill.
"""

# fmt: off
from course_utils.finetune import checkpoints
from course_utils.finetune.batches import (
    Batch, Examples, GroupedBatches, examples, length_groups,
)
from course_utils.finetune.classifier import (
    Classifier, Evaluation, LibraryClassifier, evaluate,
)
from course_utils.finetune.train import (
    History, bootstrap, learning_rate_factor, train_classifier, z_score,
)
