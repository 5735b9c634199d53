"""A language and an encoder small enough to learn in seconds.

A part of ``contrastive``, used as ``contrastive.toy_language`` and so on; built in
notebook 06. Every event can be told in two ways that share no word, so an encoder that
matches them knows which words mean the same.

>>> train, test = toy_language(train=3, test=1)
>>> test.texts[0][0]
'the king helped the pilot in the school'
>>> TinyEncoder()(test.anchors).shape
torch.Size([1, 64])
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_utils import guards, lookup
from course_utils.attention import EncoderLayer
from course_utils.contrastive.geometry import recall_at_1
from course_utils.pooling import normalize

# -- the language ----------------------------------------------------------------------

PEOPLE = (
    "sailor/mariner doctor/physician child/kid lawyer/attorney cook/chef "
    "teacher/instructor farmer/grower thief/burglar boss/manager guard/sentry "
    "author/writer guest/visitor king/monarch pilot/aviator tailor/dressmaker "
    "clerk/secretary hunter/trapper priest/clergyman judge/magistrate porter/carrier"
)
ACTIONS = (
    "hid/concealed helped/assisted followed/tailed saved/rescued hired/employed "
    "phoned/rang paid/rewarded fooled/deceived praised/lauded blamed/accused "
    "hugged/embraced scared/frightened chased/pursued greeted/welcomed fed/nourished "
    "healed/cured mocked/ridiculed met/encountered trusted/believed warned/alerted"
)
PLACES = (
    "harbour/port street/road shop/store forest/woods school/academy prison/jail "
    "garden/yard cellar/basement castle/fortress hospital/clinic market/bazaar "
    "church/chapel station/depot hotel/inn office/workplace"
)
_PEOPLE, _ACTIONS, _PLACES = (
    tuple(tuple(pair.split("/")) for pair in words.split())
    for words in (PEOPLE, ACTIONS, PLACES)
)
_WORDS = tuple(
    sorted(
        {w for words in (_PEOPLE, _ACTIONS, _PLACES) for pair in words for w in pair}
        | set("the in at some one was by that".split())
    )
)
_NUMBER = {word: number for number, word in enumerate(_WORDS)}


class Meaning(NamedTuple):
    """Who did what to whom, and where, as numbers into the word lists.

    >>> meaning = Meaning(agent=9, action=0, patient=5, place=7)
    >>> meaning.active()
    'the guard hid the teacher in the cellar'
    >>> meaning.passive()
    'at some basement one instructor was concealed by that sentry'
    >>> meaning.swapped().active()
    'the teacher hid the guard in the cellar'
    """

    agent: int
    action: int
    patient: int
    place: int

    def active(self) -> str:
        """Eight words in the active voice."""
        agent, patient = _PEOPLE[self.agent][0], _PEOPLE[self.patient][0]
        action, place = _ACTIONS[self.action][0], _PLACES[self.place][0]
        return f"the {agent} {action} the {patient} in the {place}"

    def passive(self) -> str:
        """The same in ten words, none of which ``active`` uses."""
        agent, patient = _PEOPLE[self.agent][1], _PEOPLE[self.patient][1]
        action, place = _ACTIONS[self.action][1], _PLACES[self.place][1]
        return f"at some {place} one {patient} was {action} by that {agent}"

    def swapped(self) -> Meaning:
        """The meaning in which the two people change places."""
        return self._replace(agent=self.patient, patient=self.agent)


def toy_ids(texts: Sequence[str]) -> Tensor:
    """Sentences of one length as word numbers: (sentences, words).

    Raises:
        ValueError: a word is not in the toy language, or the lengths differ.

    >>> toy_ids(["the king hid the cook in the shop"]).shape
    torch.Size([1, 8])
    """
    rows = [text.split() for text in texts]
    strange = {word for row in rows for word in row} - _NUMBER.keys()
    if strange:
        raise ValueError(f"{min(strange)!r} is no word of the toy language")
    if len(set(map(len, rows))) != 1:
        raise ValueError(
            "sentences of one column have the same number of words, because there is "
            f"no padding here; got {sorted(set(map(len, rows)))}"
        )
    return torch.tensor([[_NUMBER[word] for word in row] for row in rows])


@dataclass(frozen=True)
class ToyPairs:
    """Sentences of the toy language, row i of every tensor for one meaning.

    Attributes:
        texts: (anchor, positive) or (anchor, positive, hard negative).
        anchors: word numbers (n, words).
        positives: word numbers (n, words).
        hard_negatives: word numbers (n, words), or None.
    """

    texts: Sequence[tuple[str, ...]]
    anchors: Tensor = field(repr=False)
    positives: Tensor = field(repr=False)
    hard_negatives: Tensor | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.texts)


def toy_pairs(texts: Sequence[tuple[str, ...]]) -> ToyPairs:
    """Turn pairs or triplets of toy sentences into numbers.

    Raises:
        ValueError: there are no rows, they are not all pairs or all triplets, or as
            ``toy_ids``.
    """
    sizes = {len(row) for row in texts}
    if sizes not in ({2}, {3}):
        raise ValueError(
            f"rows must all be (anchor, positive) or all (anchor, positive, hard "
            f"negative); found lengths {sorted(sizes)}"
        )
    return ToyPairs(list(texts), *map(toy_ids, zip(*texts, strict=True)))


def toy_language(
    train: int = 5_000, test: int = 500, seed: int = 0
) -> tuple[ToyPairs, ToyPairs]:
    """Draw different meanings for training and for testing.

    Row: a sentence in the active voice, the same in the passive, and the passive with
    the roles exchanged. No test meaning, and no test meaning with exchanged roles, is
    in the training part.

    Raises:
        ValueError: a size is not positive, or more are asked than are worth drawing.
    """
    if min(train, test) < 1 or train + test > 40_000:
        raise ValueError(f"cannot draw {train} + {test} meanings: use 2 to 40,000")
    draw = random.Random(guards.whole("seed", seed))
    held_out = _draw_meanings(test, draw, barred=set())
    barred = {*held_out, *(meaning.swapped() for meaning in held_out)}
    learnt = _draw_meanings(train, draw, barred)
    return tuple(
        toy_pairs([(m.active(), m.passive(), m.swapped().passive()) for m in part])
        for part in (learnt, held_out)
    )


def toy_nli(
    pairs: ToyPairs, count: int = 2_000, seed: int = 1
) -> list[tuple[str, str, str]]:
    """Rows (premise, hypothesis, label) in the manner of inference data sets, shuffled.

    Each premise comes three times: with its paraphrase (``"entailment"``), with the
    same event elsewhere (``"neutral"``) and with exchanged roles (``"contradiction"``).

    Args:
        pairs: triplets; the first ``count`` of them are used.
        count: how many premises.
        seed: of the places and the order.

    Raises:
        ValueError: there are not so many pairs, or they have no hard negatives.
    """
    if not 1 <= count <= len(pairs) or pairs.hard_negatives is None:
        raise ValueError(f"{count} premises need as many triplets, got {len(pairs)}")
    draw, rows = random.Random(guards.whole("seed", seed)), []
    for premise, same, exchanged in pairs.texts[:count]:
        *before, place, rest = same.split(maxsplit=3)  # at some harbour …
        away = draw.choice([other for _, other in _PLACES if other != place])
        rows += [
            (premise, same, "entailment"),
            (premise, " ".join([*before, away, rest]), "neutral"),
            (premise, exchanged, "contradiction"),
        ]
    draw.shuffle(rows)
    return rows


def _draw_meanings(
    count: int, draw: random.Random, barred: set[Meaning]
) -> list[Meaning]:
    found: dict[Meaning, None] = {}
    while len(found) < count:
        agent, patient = draw.sample(range(len(_PEOPLE)), 2)
        action, place = draw.randrange(len(_ACTIONS)), draw.randrange(len(_PLACES))
        meaning = Meaning(agent, action, patient, place)
        if meaning not in barred:
            found[meaning] = None
    return list(found)


# -- the encoder -----------------------------------------------------------------------


class TinyEncoder(nn.Module):
    """MiniLM in small: rows, positions, one block, mean; some 40,000 weights."""

    def __init__(self, dim: int = 64, positions: bool = True, seed: int = 0) -> None:
        """Draw random weights; without ``positions`` their table is zero for good.

        Args:
            dim: numbers per word, a multiple of the four heads.
            positions: whether the encoder may learn where a word stands.
            seed: decides the weights; torch's own random state stays as it was.
        """
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(guards.whole("seed", seed))
            self.words = nn.Parameter(0.1 * torch.randn(len(_WORDS), dim))
            rows = 0.02 * torch.randn(10, dim)
            self.block = EncoderLayer(dim, heads=4, inner=2 * dim)
        self.positions = nn.Parameter(rows * positions, requires_grad=positions)

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, words) -> (batch, dim), unit length; sentences have no padding."""
        hidden = lookup.rows(self.words, ids) + self.positions[: ids.shape[1]]
        hidden, _ = self.block(hidden)
        return normalize(hidden.mean(dim=1))


@torch.inference_mode()
def toy_vectors(encoder: TinyEncoder, pairs: ToyPairs) -> tuple[Tensor, ...]:
    """Vectors (n, dim) of anchors, positives and, if there are any, hard negatives."""
    columns = (pairs.anchors, pairs.positives, pairs.hard_negatives)
    return tuple(encoder(ids) for ids in columns if ids is not None)


def toy_recall(encoder: TinyEncoder, pairs: ToyPairs) -> float:
    """Share of the sentences that find their partner among all of them."""
    return recall_at_1(*toy_vectors(encoder, pairs)[:2])
