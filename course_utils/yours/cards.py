"""What the files that come with a model say about it: limit, pooling, prompts, licence.

Used in notebook 14. Library: ``huggingface_hub.ModelCard``. Paper: Mitchell et al.
2019, model cards for model reporting (arXiv 1810.03993).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from course_utils.yours.folders import Unreadable, load, survey

NOT_SAID = "not said"
SHOWN = 6  # names of training sets
FRONT = 50_000  # characters above the text of a card; a real one has a thousand


@dataclass(frozen=True)
class Fact:
    """One line of the checklist: what to ask, what the files say, and which."""

    question: str
    answer: str
    source: str = ""


def checklist(folder: str | Path) -> list[Fact]:
    """Read what the files of a sentence-transformers model say about it.

    Nothing is run and nothing is loaded but settings and the model card; what they do
    not say is ``"not said"``, which is an answer too.

    Args:
        folder: where the model lies, such as ``assets.folder(assets.MINILM)``.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such folder.

    >>> from course_utils import assets
    >>> facts = checklist(assets.folder(assets.MINILM))
    >>> {fact.question: fact.answer for fact in facts}["licence"]
    'apache-2.0'
    """
    files = _Files(folder)
    config, limits = files.json("config.json"), files.json("sentence_bert_config.json")
    pooling = files.json("1_Pooling/config.json")
    prompts = files.json("config_sentence_transformers.json")
    modes = [
        key.removeprefix("pooling_mode_").removesuffix("_tokens")
        for key, value in pooling.items()
        if key.startswith("pooling_mode_") and value is True
    ]
    modes = modes or [pooling.get("pooling_mode", "")]
    modules = [str(one.get("type", "")) for one in files.listed("modules.json")]
    last = [name.rpartition(".")[2] for name in modules]
    card = files.card()
    facts = [
        Fact("dimensions", _said(config.get("hidden_size")), "config.json"),
        Fact(
            "tokens that it reads",
            _said(limits.get("max_seq_length", config.get("max_position_embeddings"))),
            "sentence_bert_config.json" if limits else "config.json",
        ),
        Fact("pooling", _said(modes), "1_Pooling/config.json"),
        Fact(
            "vectors of length 1",
            ("yes" if "Normalize" in last else "no") if last else NOT_SAID,
            "modules.json",
        ),
        Fact(
            "text put before a question or a document",
            _said([f"{k}: {v!r}" for k, v in _mapping(prompts.get("prompts")).items()]),
            "config_sentence_transformers.json",
        ),
    ]
    asked = {
        "licence": "license",
        "language": "language",
        "trained on": "datasets",
        "made from": "base_model",
    }
    facts += [Fact(q, _said(card.get(key)), "README.md") for q, key in asked.items()]
    return facts


def _mapping(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _said(value: object) -> str:
    """A value of a file as one line; only plain values, of which there may be many."""
    many = value if isinstance(value, list) else [value]
    names = [str(one)[:80] for one in many if isinstance(one, (str, int)) and one != ""]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more or NOT_SAID


class _Files:
    """The settings in a folder; what is missing or damaged says nothing."""

    def __init__(self, folder: str | Path) -> None:
        self.entries = {entry.name: entry for entry in survey(folder)[0]}

    def text(self, name: str) -> str:
        try:
            return load(self.entries[name], 2**20).decode("utf-8", "replace")
        except (KeyError, Unreadable):
            return ""

    def _any(self, name: str) -> object:
        try:
            return json.loads(self.text(name) or "null")
        except (ValueError, RecursionError):
            return None

    def json(self, name: str) -> dict:
        return _mapping(self._any(name))

    def listed(self, name: str) -> list[dict]:
        found = self._any(name)
        return [_mapping(one) for one in found] if isinstance(found, list) else []

    def card(self) -> dict:
        """What stands between two lines of hyphens at the top of the model card."""
        import yaml

        _, _, rest = self.text("README.md").partition("---\n")
        front = rest.partition("\n---")[0]
        try:
            return _mapping(yaml.safe_load(front if len(front) < FRONT else ""))
        except (yaml.YAMLError, ValueError, RecursionError):
            return {}
