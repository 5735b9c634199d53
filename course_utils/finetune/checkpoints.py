"""Checkpoints of a training run that survive a kill and refuse damage.

Built in notebook 07, and used through ``finetune.checkpoints``. One file per epoch,
written all or nothing; its first line is the sha256 of the rest. The rest is
safetensors, so that loading can run no code, as it could with pickle.

Library: ``Trainer.train(resume_from_checkpoint=True)``, ``torch.save``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from course_utils import guards

KEEP = 2  # the last one, and one in reserve
# What those are told who did not mean another run.
HINTS = {
    "epochs": " (A linear schedule is planned down to its last epoch; a run with "
    "schedule='constant' can be made longer.)",
    "first weights": " (Begin with a model made anew: this one was trained already.)",
}


class CheckpointError(RuntimeError):
    """A checkpoint is damaged; the message says which file and what is wrong."""


def save(path: str | Path, tensors: Mapping[str, Tensor], facts: Mapping) -> None:
    """Write tensors and facts (as JSON) to one file, all or nothing.

    The bytes go to a file beside it, then to the disk, and only then under the name:
    whoever is killed in between leaves the old file whole.

    Raises:
        OSError: the disk is full or the folder cannot be written; the old file stands.
    """
    from safetensors.torch import save as to_bytes

    path = guards.path(path)
    text = json.dumps(facts, default=_plain)
    note = np.frombuffer(text.encode(), dtype=np.uint8).copy()
    stored = {f"tensor.{name}": value.contiguous() for name, value in tensors.items()}
    data = to_bytes({**stored, "facts": torch.from_numpy(note)})
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as stream:
            stream.write(hashlib.sha256(data).hexdigest().encode() + b"\n")
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _plain(value: object) -> object:
    """NumPy's numbers, which JSON does not know, as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a fact must be text or a number, not {type(value).__name__}")


def load(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """Read what ``save`` wrote, every byte of it verified.

    Returns:
        The tensors by name, and the facts.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is cut short or altered, or holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    path = guards.path(path)
    expected, _, data = path.read_bytes().partition(b"\n")
    if hashlib.sha256(data).hexdigest().encode() != expected:
        raise CheckpointError(
            f"{path.name} is cut short or altered (its sha256 differs)"
        )
    try:
        stored = from_bytes(data)
        facts = json.loads(stored.pop("facts").numpy().tobytes())
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path.name} is whole, but no checkpoint of this course"
        ) from error
    return {name.removeprefix("tensor."): t for name, t in stored.items()}, facts


def listed(folder: str | Path) -> list[Path]:
    """Checkpoints of a folder, newest first; half-written files are not among them."""
    found = guards.path(folder).glob("epoch-*.checkpoint")
    whole = (p for p in found if re.fullmatch(r"epoch-\d{4}\.checkpoint", p.name))
    return sorted(whole, reverse=True)


def ready(folder: str | Path) -> Path:
    """Make a folder for checkpoints, now and not after the first epoch.

    Raises:
        ValueError: a file stands there.
        OSError: nothing can be written there.
    """
    place = guards.path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(
            f"folder={str(folder)!r} is a file, or lies in one: name a folder, "
            "checkpoints are kept in it"
        ) from None
    return place


def digest(tensors: Iterable[Tensor]) -> str:
    """Sixteen hex digits that change when a shape or a number does.

    >>> digest([torch.zeros(2)]) == digest([torch.zeros(2, 1)])
    False
    """
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        plain = tensor.detach().contiguous().reshape(-1)
        found.update(plain.view(torch.uint8).numpy().data)  # bfloat16 as well
    return found.hexdigest()[:16]


@dataclass
class Run:
    """Everything that decides how a run goes on, tied to a folder.

    Attributes:
        folder: where its checkpoints lie.
        settings: what makes it this run and no other, as JSON.
        model: trained in place.
        optimizer: with its moments.
        order: decides the order of the texts.
    """

    folder: Path
    settings: Mapping
    model: nn.Module
    optimizer: torch.optim.Optimizer
    order: torch.Generator

    def keep(self, history: Mapping, best: Mapping[str, Tensor]) -> None:
        """Save the state after an epoch; all but the newest two files are removed."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in best.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{k}": v for k, v in state.items()}
        tensors |= {"order": self.order.get_state(), "torch": torch.get_rng_state()}
        self.folder.mkdir(parents=True, exist_ok=True)
        epochs = len(history["train_loss"])
        facts = {"settings": dict(self.settings), "history": dict(history)}
        save(self.folder / f"epoch-{epochs:04}.checkpoint", tensors, facts)
        for old in listed(self.folder)[KEEP:]:
            old.unlink()

    def resume(self) -> tuple[dict | None, dict[str, Tensor], list[str]]:
        """Go back to the newest checkpoint that is whole.

        Returns:
            The history (None if there is none), the best weights so far, and one
            sentence for each damaged file that was refused.

        Warns:
            UserWarning: for each of them.

        Raises:
            ValueError: the folder belongs to another run.
        """
        refused: list[str] = []
        for half in self.folder.glob(".epoch-*.checkpoint.*"):
            half.unlink()  # whoever wrote it was killed before it was whole
        for path in listed(self.folder):
            try:
                tensors, facts = load(path)
            except CheckpointError as error:
                refused.append(f"{error}; the one before it is used")
                warnings.warn(refused[-1], stacklevel=3)
                continue
            theirs, mine = facts["settings"], dict(self.settings)
            if theirs != mine:
                both = sorted({*mine, *theirs})
                other = [k for k in both if theirs.get(k) != mine.get(k)]
                why = "".join(HINTS.get(name, "") for name in other)
                raise ValueError(
                    f"{self.folder} holds checkpoints of another run: "
                    f"{', '.join(other)} differ.{why} Take another folder, or delete it"
                )
            self._restore(tensors)
            return facts["history"], _part(tensors, "best."), refused
        return None, {}, refused

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.model.load_state_dict(_part(tensors, "model."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _part(tensors, "optimizer.").items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.order.set_state(tensors["order"])
        torch.set_rng_state(tensors["torch"])


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)
    }
