"""The state of one lesson: which notebook, which guesses, which exercises."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.corpora import shipped

if TYPE_CHECKING:
    from IPython.display import SVG

SEED = 7


@dataclass
class Session:
    """What one kernel remembers. ``start`` makes a fresh one."""

    stem: str = ""
    predictions: dict = field(default_factory=dict)  # key -> predict.Prediction
    exercises: dict[str, bool] = field(default_factory=dict)  # id -> solved


current = Session()


def live() -> bool:
    """Whether a person may move things: false while notebooks are built or tested."""
    return os.environ.get("COURSE_STATIC") != "1"


def progress(done: int, total: int, what: str = "step") -> None:
    """Show whoever waits how far it is: a line that goes away, never in what is stored.

    Args:
        done: how many are done; the line is wiped out when all are.
        total: how many there are.
        what: what is counted.
    """
    if live():
        line = f"{what} {done} of {total}"
        end = "" if done < total else f"\r{' ' * len(line)}\r"
        print(f"\r{line}", end=end, flush=True)


def start(stem: str, at: str = "") -> None:
    """Begin a lesson: one seed, fixed threads, one plot style, quiet libraries.

    Without the folder that its pipeline picture lies in (on Colab), show that, too.
    Guesses and answers of an earlier kernel are welcomed back.

    Args:
        stem: the notebook's name without its ending, such as ``"01_tokenization"``.
        at: an exercise, such as ``"1.4"``: whoever comes late, or back after a crash,
            has in memory what it needs, without running the page from the top.

    Raises:
        ValueError: ``stem`` is not of the form ``NN_topic``, or it has no exercise
            ``at``.
    """
    number, _, topic = stem.partition("_")
    if not (number.isdigit() and topic.isidentifier()):
        raise ValueError(
            f"start() takes a name such as '01_tokenization', not {stem!r}"
        )
    import random

    import numpy as np
    import pandas as pd
    from IPython.display import display

    from course_utils.classroom import plots

    current.__init__(stem=stem)
    pd.set_option("display.max_colwidth", 100, "display.width", 120)
    random.seed(SEED)
    np.random.seed(SEED)
    plots.use_style()
    _quiet()
    print(f"{number} {topic.replace('_', ' ')}: ready")
    if picture := pipeline(topic):
        display(picture)
    from course_utils.classroom import memory

    memory.greet()
    if at:
        from course_utils.classroom.rejoin import rejoin

        rejoin(stem, at)


def pipeline(topic: str, folder: Path | None = None) -> SVG | None:
    """Find the pipeline picture for a notebook that was opened without its folder.

    A hosted machine opens a notebook alone: the package brings a copy of the picture.

    Args:
        topic: the notebook's name without its number, such as ``"tokenization"``.
        folder: where the notebook is; the working folder by default.

    Returns:
        The picture, or None if the notebook's text already shows it (it lies beside),
        or if nothing is known of the topic.
    """
    from IPython.display import SVG

    folder = folder or Path.cwd()
    name = f"pipeline_{topic}.svg"
    if any((near / "images" / name).exists() for near in (folder, folder.parent)):
        return None
    try:
        return SVG(filename=shipped(name, "images"))
    except FileNotFoundError:
        return None


def _quiet() -> None:
    import logging
    import sys
    import warnings

    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    for name in ("transformers", "sentence_transformers", "huggingface_hub", "faiss"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if "transformers" in sys.modules:
        sys.modules["transformers"].utils.logging.disable_progress_bar()
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.manual_seed(SEED)
        torch.set_num_threads(min(2, os.cpu_count() or 1))
