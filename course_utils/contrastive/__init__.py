"""Contrastive training: where the geometry comes from. Built in notebook 06.

- ``loss``: InfoNCE, its floor, and what it does on a circle.
- ``geometry``: what training makes of the space.
- ``tiny``: a language and an encoder that learns it in seconds.
- ``adaptation``: the copy of MiniLM that learns.
- ``questions``: three older losses.
- ``training``: the two loops; ``exams``: what they are worth.
"""

# fmt: off
from course_utils.contrastive.adaptation import (
    embed, seal, starting_weights, trainable_copy,
)
from course_utils.contrastive.exams import Exam, change_interval, examine
from course_utils.contrastive.geometry import (
    alignment, first_right, grouped_interval, recall_at_1, swap_accuracy, uniformity,
    unrelated_cosine,
)
from course_utils.contrastive.loss import circle_descent, info_nce, loss_floor
from course_utils.contrastive.questions import SoftmaxLoss, cosine_loss, triplet_loss
from course_utils.contrastive.tiny import (
    Meaning, TinyEncoder, ToyPairs, toy_language, toy_nli, toy_pairs, toy_recall,
    toy_vectors,
)
from course_utils.contrastive.training import (
    adapt, batches_without_twins, page_batches, train_tiny,
)
