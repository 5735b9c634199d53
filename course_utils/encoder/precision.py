"""The same model in fewer bits: faster where the processor likes them.

``MiniLM.load()`` computes in float32, as the lessons do. Two variants trade digits for
speed: ``bfloat16`` keeps 8 significant bits of every number, ``int8`` multiplies whole
numbers. How fast each is depends on the processor, by a factor of ten, and no name or
flag tells it reliably: ``fastest`` measures on the machine at hand.

Closeness of the vectors is not what counts in the end: judge a variant by your own
task, with ``ranking.evaluate``. ``make bench`` does it for the course's golden set.

Library: ``SentenceTransformer(..., model_kwargs={"torch_dtype": "bfloat16"})`` and
``sentence_transformers.backend``. Paper: Jacob et al. 2018 (arXiv 1712.05877).

>>> load("int8").encode(["The cat sat on the mat."]).shape
(1, 384)
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from course_utils import assets
from course_utils.encoder.change import UNCHANGED, Change
from course_utils.encoder.minilm import MiniLM
from course_utils.encoder.protocol import Encoder, listed

# Below this mean cosine to float32 a variant is refused. The int8 of most libraries,
# one scale for a whole weight matrix, stays below it and loses hits; ours does not.
FLOOR = 0.985
# Processors without instructions for it add two products of a weight and an input in 16
# bits, and cut what does not fit: 2 * 255 * 63 fits, 2 * 255 * 127 does not.
STEPS = 63


class Unavailable(RuntimeError):
    """This torch or this processor cannot compute in the precision asked for."""


class BFloat16(MiniLM):
    """All blocks in bfloat16; the lookup stays in float32, memory-mapped."""

    variant = ":bfloat16"

    def __init__(self, weights: Mapping[str, Tensor], config: Mapping) -> None:
        """Assemble the parts, and round the weights of the blocks."""
        super().__init__(weights, config)
        self.layers.to(torch.bfloat16)

    def embed(self, ids: Tensor, change: Change = UNCHANGED) -> Tensor:
        """As ``MiniLM.embed``, rounded for the blocks."""
        return super().embed(ids, change).bfloat16()


class Int8(MiniLM):
    """Every matrix of the blocks in 8 bits; sums, norms and attention in float32.

    The inputs of a matrix share one scale per batch, so a vector depends a little on
    its neighbours: the same list of texts gives the same vectors, another list nearly.
    """

    variant = f":int8 in {STEPS} steps"

    def __init__(self, weights: Mapping[str, Tensor], config: Mapping) -> None:
        """Assemble the parts, and round the matrices.

        Raises:
            Unavailable: this torch has no arithmetic for whole numbers.
        """
        super().__init__(weights, config)
        for module in list(self.layers.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(module, name, Int8Linear(child))

    def numbers(self) -> Iterator[tuple[str, Tensor]]:
        """As ``MiniLM.numbers``, with the whole numbers and their scales."""
        yield from super().numbers()
        for name, module in self.layers.named_modules():
            if isinstance(module, Int8Linear):
                weight, bias = torch.ops.quantized.linear_unpack(module.packed)
                yield f"{name}.steps", weight.int_repr()
                yield f"{name}.scales", weight.q_per_channel_scales()
                yield f"{name}.bias", bias


class Int8Linear(nn.Module):
    """A linear map whose weights are whole numbers from -63 to 63.

    Each output has its own scale, so that one large weight coarsens one row only; the
    inputs are rounded to 256 steps when they arrive.
    """

    def __init__(self, linear: nn.Linear) -> None:
        """Round the weights of a linear map.

        Raises:
            Unavailable: this torch has no arithmetic for whole numbers.
        """
        super().__init__()
        weight = linear.weight.detach()  # (outputs, inputs)
        scales = (weight.abs().amax(dim=1) / STEPS).clamp(min=1e-12).double()
        zeros = torch.zeros(len(weight), dtype=torch.long)
        try:
            with warnings.catch_warnings():
                # A later torch will drop quantized tensors: then this is Unavailable.
                warnings.simplefilter("ignore", UserWarning)
                rounded = torch.quantize_per_channel(
                    weight, scales, zeros, 0, torch.qint8
                )
            self.packed = torch.ops.quantized.linear_prepack(
                rounded, linear.bias.detach()
            )
        except (RuntimeError, AttributeError) as error:
            engines = ", ".join(torch.backends.quantized.supported_engines)
            raise Unavailable(
                f"int8 is not available: torch {torch.__version__} has the engines "
                f"{engines}, and {torch.backends.quantized.engine!r} says: "
                f"{str(error).splitlines()[0]} Use 'float32' or 'bfloat16', or install "
                "the tested torch: python -m pip install -c constraints.txt torch"
            ) from None

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs), float32."""
        # By default torch leaves a bit of the inputs unused, for processors that would
        # overflow. The inputs need it more than weights with a scale per row.
        return torch.ops.quantized.linear_dynamic(x, self.packed, reduce_range=False)


PRECISIONS: Mapping[str, type[MiniLM]] = {
    "float32": MiniLM,
    "bfloat16": BFloat16,
    "int8": Int8,
}


def load(precision: str) -> MiniLM:
    """Load the official weights in a precision: an ``Encoder`` like any other.

    Its fingerprint says the precision, so that an index refuses vectors of another.

    Raises:
        ValueError: there is no such precision.
        Unavailable: this machine cannot compute in it.
    """
    if precision not in PRECISIONS:
        known = ", ".join(map(repr, PRECISIONS))
        raise ValueError(f"no precision is called {precision!r}: choose one of {known}")
    return PRECISIONS[precision](assets.weights(), assets.config())


@dataclass(frozen=True)
class Trial:
    """How a candidate did.

    Attributes:
        speed: times as fast as the first candidate, the median of the rounds.
        cosine: mean cosine of its vectors to those of the first.
        refused: why it cannot be chosen, or empty.
    """

    speed: float
    cosine: float
    refused: str = ""


@dataclass(frozen=True)
class Choice:
    """What ``fastest`` found: the name, its encoder, and all trials by name."""

    name: str
    encoder: Encoder
    trials: Mapping[str, Trial]


def fastest(
    texts: Sequence[str],
    candidates: Mapping[str, Callable[[], Encoder]] | None = None,
    floor: float = FLOOR,
    rounds: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> Choice:
    """Measure which encoder is fastest here, among those that are close enough.

    All encode the same texts in turn, and each round changes who begins, so that a
    busy machine slows all. A few dozen texts like yours are enough (seconds). It is a
    measurement: where two are equally fast, another run may choose the other.

    Args:
        texts: what you want to encode, a sample.
        candidates: name -> function that loads an encoder; the first is the standard.
            None means all ``PRECISIONS``.
        floor: the mean cosine to the standard that a candidate must reach.
        rounds: how often each is timed.
        clock: seconds.

    Raises:
        TypeError: not a list of strings.
        ValueError: there are no texts or no candidates, or ``rounds`` is below 1.

    >>> choice = fastest(["The cat sat.", "A dog."], rounds=1)
    >>> choice.name in PRECISIONS, choice.trials["float32"].speed
    (True, 1.0)
    """
    if candidates is None:
        candidates = {name: PRECISIONS[name].load for name in PRECISIONS}
    texts = listed(texts)
    if not texts or not candidates or rounds < 1:
        raise ValueError(
            f"nothing to measure: {len(texts)} texts, {len(candidates)} candidates, "
            f"{rounds} rounds"
        )
    standard = next(iter(candidates))
    encoders, vectors, trials = {}, {}, {}
    for name, make in candidates.items():
        try:
            encoders[name] = make()
            vectors[name] = encoders[name].encode(texts)  # the first call is slower
        except Unavailable as error:
            encoders.pop(name, None)
            trials[name] = Trial(0.0, 0.0, str(error))
    if standard not in encoders:
        raise Unavailable(trials[standard].refused)
    seconds = {name: [] for name in encoders}
    for number in range(rounds):
        for name in list(encoders)[:: -1 if number % 2 else 1]:
            begun = clock()
            encoders[name].encode(texts)
            seconds[name].append(clock() - begun)
    for name in encoders:
        pairs = zip(seconds[standard], seconds[name], strict=True)
        speed = statistics.median(first / own for first, own in pairs)
        cosine = _closeness(vectors[name], vectors[standard])
        # NaN is not close either.
        far = "" if cosine >= floor else f"cosine {cosine:.3f} is below {floor}"
        trials[name] = Trial(speed, cosine, far)
    allowed = [name for name in encoders if not trials[name].refused]
    best = max(allowed, key=lambda name: trials[name].speed)
    return Choice(best, encoders[best], {name: trials[name] for name in candidates})


def _closeness(vectors: np.ndarray, standard: np.ndarray) -> float:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(standard, axis=1)
    return float(((vectors * standard).sum(axis=1) / lengths).mean())
