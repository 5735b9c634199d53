"""Train a classifier, and know what the result is worth. Built in notebook 07.

- ``train``: the loop and early stopping; ``worth``: intervals of what came out.
- ``classifier`` and ``library``: the models, on MiniLM and on any other encoder.
- ``measuring``: what they make of examples.
- ``batches``: texts as tensors, little padding.
- ``checkpoints``: a run that survives a kill.
"""

# fmt: off
from course_utils.finetune import checkpoints
from course_utils.finetune.batches import (
    Batch, Examples, GroupedBatches, balanced, examples, length_groups,
)
from course_utils.finetune.classifier import Classifier
from course_utils.finetune.library import LibraryClassifier
from course_utils.finetune.measuring import Evaluation, evaluate
from course_utils.finetune.train import (
    History, learning_rate_factor, train_classifier,
)
from course_utils.finetune.worth import bootstrap, paired_z, z_score
