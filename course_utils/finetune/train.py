"""Train a classifier. Built in notebook 07.

The loop is the one of every framework: batch, loss, gradient, step. Around it is what
a real run needs: early stopping, and checkpoints that survive a kill.

Library: ``transformers.Trainer``. Papers: Mosbach et al. 2020 (arXiv 2006.04884) on
the luck in fine-tuning, Prechelt 1998 on early stopping.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from course_utils import corpora, guards
from course_utils.finetune import checkpoints
from course_utils.finetune.batches import (
    Examples,
    check_made_for,
    examples,
    length_groups,
)
from course_utils.finetune.measuring import evaluate


@dataclass
class History:
    """What happened in a run. Epochs are counted from 1.

    Attributes:
        step_loss: loss of each step, before the step was taken.
        train_loss: mean over each epoch, per text.
        dev_loss: after each epoch; empty without dev examples.
        dev_accuracy: after each epoch.
        resumed: epochs that were not run again but read from a checkpoint.
        refused: why a checkpoint was not used, one sentence each.
    """

    step_loss: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    dev_loss: list[float] = field(default_factory=list)
    dev_accuracy: list[float] = field(default_factory=list)
    resumed: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """How many epochs were run."""
        return len(self.train_loss)

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the lowest dev loss, the earliest among equals."""
        if not self.dev_loss:
            return None
        return 1 + min(range(len(self.dev_loss)), key=self.dev_loss.__getitem__)

    def waited(self, patience: int | None) -> bool:
        """Whether the best epoch lies ``patience`` epochs back, or more."""
        if patience is None or self.best_epoch is None:
            return False
        return self.epochs - self.best_epoch >= patience


def learning_rate_factor(step: int, total: int, warmup: int = 0) -> float:
    """Linear warm-up from 0 to 1, then linear decay to 0 at ``total``.

    Library: ``transformers.get_linear_schedule_with_warmup``.

    >>> [learning_rate_factor(step, 6, warmup=2) for step in (0, 1, 2, 4)]
    [0.0, 0.5, 1.0, 0.5]
    """
    if step < warmup:
        return step / warmup
    return max(0.0, (total - step) / max(1, total - warmup))


def _constant(step: int, total: int, warmup: int) -> float:
    return step / warmup if step < warmup else 1.0


@contextmanager
def _numbers(step: int, learning_rate: float) -> Iterator[None]:
    """Say of vectors that are no numbers any more what made them so."""
    try:
        yield
    except ValueError as error:
        if "NaN or infinity" not in str(error):
            raise
        raise FloatingPointError(
            f"the vectors are no numbers any more at step {step + 1}: "
            f"lower the learning rate of {learning_rate:g}"
        ) from error


def train_classifier(
    model: nn.Module,
    train: Examples | Sequence[corpora.Article],
    dev: Examples | Sequence[corpora.Article] | None = None,
    *,
    epochs: int = 3,
    learning_rate: float = 1e-4,
    batch_size: int = 16,
    schedule: Literal["linear", "constant"] = "linear",
    warmup: int = 0,
    patience: int | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    report: Callable[[int, int], None] | None = None,
    preparing: Callable[[int, int], object] | None = None,
) -> History:
    """Train a model in place: AdamW, gradients clipped to length 1, similar lengths.

    Args:
        model: a ``Classifier`` or ``LibraryClassifier``.
        train: examples, or articles, which are read first.
        dev: what the loss is watched on; never the test split.
        epochs: passes over ``train``.
        learning_rate: the highest of the schedule.
        batch_size: texts per step.
        schedule: ``"linear"`` decays to 0, ``"constant"`` does not.
        warmup: steps in which the rate climbs from 0.
        patience: stop after so many epochs without a better dev loss, and go back to
            the best weights; None runs all epochs and keeps the last weights.
        seed: decides order and dropout. The state of torch outside is not touched.
        folder: where to keep a checkpoint after each epoch. If it holds one of this
            very run, the run goes on from there and ends with the same numbers. With
            the ``"constant"`` schedule more ``epochs`` make a finished run longer, as
            if it had been planned so; a linear one is planned down to its end.
        report: called as ``report(steps done, steps in all)`` after each step.
        preparing: called as ``preparing(texts read, texts in all)`` while articles are
            read, which takes longest at first.

    Returns:
        The history; ``model`` is trained, and in evaluation mode.

    Warns:
        UserWarning: a damaged checkpoint was refused and the one before it used.

    Raises:
        TypeError: rows that are no articles.
        ValueError: nothing to learn from, a setting out of range, ``patience`` without
            ``dev``, examples made for another model or depth, or a folder that is a
            file or holds checkpoints of another run.
        FloatingPointError: loss, vectors or weights are no numbers any more.
    """
    epochs, warmup = guards.whole("epochs", epochs), guards.whole("warmup", warmup, 0)
    batch_size = guards.whole("batch_size", batch_size, low=1)
    seed = guards.whole("seed", seed)
    learning_rate = guards.number("learning_rate", learning_rate, low=0)
    patience = patience if patience is None else guards.whole("patience", patience)
    if schedule not in ("linear", "constant"):
        raise ValueError(f"schedule must be 'linear' or 'constant', not {schedule!r}")
    if patience is not None and (dev is None or patience < 1):
        raise ValueError(
            "early stopping needs dev examples and a patience of 1 or more"
        )
    folder = None if folder is None else checkpoints.ready(folder)
    if not isinstance(train, Examples):
        train = examples(model, train, report=preparing)
    if dev is not None and not isinstance(dev, Examples):
        dev = examples(model, dev, report=preparing)
    for some in (train, dev):
        if some is not None:
            check_made_for(model, some)
    if not len(train) or epochs < 1:
        raise ValueError(f"{len(train)} examples, {epochs} epochs: nothing to learn")
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, learning_rate, weight_decay=0.0, fused=True)
    order, history = torch.Generator().manual_seed(seed), History()
    total = epochs * math.ceil(len(train) / batch_size)
    rate = {"linear": learning_rate_factor, "constant": _constant}[schedule]
    run, best = None, {}
    if folder is not None:
        settings = {
            "epochs": epochs if schedule == "linear" else "any",
            "learning_rate": learning_rate,
            "batch_size": batch_size,
            "schedule": schedule,
            "warmup": warmup,
            "patience": patience,
            "seed": seed,
            "train": checkpoints.digest([*train.inputs, train.labels]),
            "dev": dev and checkpoints.digest([*dev.inputs, dev.labels]),
            "model": str(model),
            "first weights": checkpoints.digest(model.state_dict().values()),
        }
        run = checkpoints.Run(folder, settings, model, optimizer, order)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if run is not None:
            found, best, refused = run.resume()
            history = History(**(found or {}))
            history.resumed, history.refused = history.epochs, refused
            if history.epochs > epochs:
                raise ValueError(
                    f"{folder} holds {history.epochs} epochs already, and {epochs} are "
                    "asked for: ask for as many or more, or take another folder"
                )
        while history.epochs < epochs and not history.waited(patience):
            model.train()
            weighted = 0.0
            for chosen in length_groups(train.lengths, batch_size, order):
                step, batch = len(history.step_loss), train.batch(chosen)
                with _numbers(step, learning_rate):
                    logits = model(batch.inputs, batch.mask)
                loss = functional.cross_entropy(logits, batch.labels)
                if not loss.isfinite():
                    raise FloatingPointError(
                        f"the loss is {loss.item()} at step {step + 1}: "
                        f"lower the learning rate of {learning_rate:g}"
                    )
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(learning, 1.0)
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate * rate(step, total, warmup)
                optimizer.step()
                history.step_loss.append(loss.item())
                weighted += loss.item() * len(chosen)
                if report is not None:
                    report(step + 1, total)
            history.train_loss.append(weighted / len(train))
            step = len(history.step_loss) - 1
            with _numbers(step, learning_rate):
                if not all(p.isfinite().all() for p in learning):
                    raise ValueError("a weight is NaN or infinity")
            if dev is not None:
                with _numbers(step, learning_rate):
                    measured = evaluate(model, dev)
                history.dev_loss.append(measured.loss)
                history.dev_accuracy.append(measured.accuracy)
            if patience is not None and history.best_epoch == history.epochs:
                best = {k: v.clone() for k, v in model.state_dict().items()}
            if run is not None:
                run.keep(asdict(history), best)
    if best:
        model.load_state_dict(best)
    model.eval()
    return history
