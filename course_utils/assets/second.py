"""Another embedding model of the same family: what differs between two, and what not.

paraphrase-MiniLM-L3-v2 has three blocks, 384 dimensions and MiniLM's vocabulary. It
arrives as an ONNX graph, of which only the tensors are read.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from course_utils.assets.models import config
from course_utils.assets.places import PARAPHRASE, folder

if TYPE_CHECKING:
    import torch

_PREFIX = "model.0.auto_model."


@cache
def second_model() -> tuple[dict[str, torch.Tensor], dict]:
    """Return every tensor of paraphrase-MiniLM-L3-v2, and its settings.

    The names are those of a BERT checkpoint, so that the course's own class takes them:
    ``MiniLM(*second_model())``. Treat the tensors as read-only.

    Library: ``SentenceTransformer("paraphrase-MiniLM-L3-v2")``. Paper: Reimers and
    Gurevych 2019 (arXiv 1908.10084).

    Raises:
        AssetError: the package that carries it is missing or altered.

    >>> weights, config = second_model()
    >>> config["num_hidden_layers"], config["hidden_size"]
    (3, 384)
    >>> tuple(weights["encoder.layer.2.output.dense.weight"].shape)
    (384, 1536)
    """
    import onnx
    import torch
    from onnx import numpy_helper

    graph = onnx.load(folder(PARAPHRASE) / "paraphrase-MiniLM-L3-v2.onnx").graph
    tensors = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in graph.initializer
    }
    found = {
        name.removeprefix(_PREFIX): tensor
        for name, tensor in tensors.items()
        if name.startswith(_PREFIX)
    }
    # A linear layer is x @ W + b there: W lost its name, and is the transposed one. The
    # bias that is added to a product still has its own.
    added_to = {name: node for node in graph.node for name in node.input}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in tensors:
            bias = next(
                name
                for name in added_to[node.output[0]].input
                if name.startswith(_PREFIX)
            )
            name = bias.removeprefix(_PREFIX).removesuffix("bias") + "weight"
            found[name] = tensors[node.input[1]].T.contiguous()
    return found, {**config(), "num_hidden_layers": 3}
