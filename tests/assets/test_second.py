"""The second model: the course's own class computes what another engine does."""

import numpy as np
import onnxruntime
import pytest

from course_utils import assets, corpora
from course_utils.encoder import MiniLM

NAMED = "onnx::Shape_422"  # the last hidden states in that graph


@pytest.fixture(scope="module")
def model():
    return MiniLM(*assets.second_model())


@pytest.fixture(scope="module")
def texts():
    return [pair.a for pair in corpora.load_natural_pairs()[:24]]


def test_it_equals_onnx_runtime(model, texts):
    path = assets.folder(assets.PARAPHRASE) / "paraphrase-MiniLM-L3-v2.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    batch = assets.tokenizer()(texts, padding=True, return_tensors="np")
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    (last,) = session.run([NAMED], inputs)
    mask = batch["attention_mask"][..., None]
    mean = (last * mask).sum(1) / mask.sum(1)
    theirs = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    assert np.abs(model.encode(texts) - theirs).max() < 1e-5


def test_it_is_another_model(model, texts):
    ours = MiniLM.load().encode(texts)
    assert np.abs((model.encode(texts) * ours).sum(1)).max() < 0.9
    assert len(model.layers) == 3 and model.encode(texts).shape == ours.shape


def test_every_tensor_of_the_three_blocks_is_there():
    weights, _ = assets.second_model()
    first = {n for n in assets.weights() if n.startswith("encoder.layer.0.")}
    for layer in range(3):
        names = {name.replace("layer.0.", f"layer.{layer}.") for name in first}
        assert names <= set(weights)
        shapes = {name: tuple(weights[name].shape) for name in names}
        like = assets.weights()
        assert shapes == {name: tuple(like[name].shape) for name in names}
