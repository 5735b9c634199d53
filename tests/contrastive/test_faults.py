"""Other precisions are refused before a step is taken, settings of NumPy are not."""

import numpy as np
import pytest
import torch

from course_utils import contrastive, corpora, encoder
from course_utils.contrastive import TinyEncoder, toy_language, train_tiny
from course_utils.encoder import precision
from course_utils.search import late_interaction


@pytest.mark.parametrize("name", ["bfloat16", "int8"])
def test_an_encoder_in_fewer_bits_is_refused_before_the_first_step(name):
    """int8 would train its norms only; bfloat16 would fail after the last step."""
    try:
        model = precision.load(name)
    except precision.Unavailable:
        pytest.skip("not on this machine")
    with pytest.raises(ValueError, match="train MiniLM.load"):
        contrastive.adapt(
            model,
            corpora.load_training_pairs()[:8],
            after=lambda *_: pytest.fail("a batch was trained"),
        )


def test_a_seal_reads_bfloat16():
    model = precision.load("bfloat16")
    assert contrastive.seal(model).fingerprint.count(":adapted") == 1


def test_token_states_of_bfloat16_can_be_compared():
    model = precision.load("bfloat16")
    [states] = late_interaction.token_states(model, ["The disk is full."])
    assert states.dtype == torch.float32
    unit = torch.nn.functional.normalize(states, dim=1)
    assert late_interaction.max_sim(unit, unit) == pytest.approx(len(unit), abs=1e-3)


def test_a_page_of_nan_is_found_by_nothing():
    with pytest.raises(ValueError, match="NaN or infinity"):
        late_interaction.max_sim(torch.eye(2), torch.full((1, 2), torch.nan))


def test_settings_of_numpy_train_the_same_encoder():
    pairs, _ = toy_language(train=40, test=4, seed=np.int64(1))
    losses = [
        train_tiny(TinyEncoder(seed=kind(2)), pairs, kind(3), kind(8), seed=kind(5))
        for kind in (int, np.int64)
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0.5}, {"seed": None}, {"learning_rate": float("nan")}]
)
def test_settings_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        contrastive.adapt(
            encoder.MiniLM.load(), corpora.load_training_pairs()[:8], **wrong
        )


def test_a_statistic_that_is_nan_has_no_interval():
    with pytest.raises(ValueError, match="the statistic of a resample holds NaN"):
        contrastive.grouped_interval(lambda rows: float("nan"), ["a", "b"], 10)


def test_a_dictionary_is_no_list_of_texts():
    """Its keys would be encoded, and its texts never read."""
    with pytest.raises(TypeError, match="pass a list of texts"):
        encoder.MiniLM.load().encode({"a": 1})
