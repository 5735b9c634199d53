"""Token vectors that are those of the model, passages pooled late, MaxSim by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils import pooling
from course_utils.encoder import MiniLM
from course_utils.search.late_interaction import (
    late_chunks,
    max_sim,
    max_sims,
    token_states,
)

TEXT = "Berlin is a city. It has many inhabitants. "
SPANS = [(0, 18), (18, 43)]


@pytest.fixture(scope="module")
def model():
    return MiniLM.load()


def test_the_mean_of_the_states_is_the_vector_of_the_text(model):
    texts = [TEXT, "short", "a longer text about a full disk " * 4]
    states = token_states(model, texts)
    means = pooling.normalize(torch.stack([rows.mean(dim=0) for rows in states]))
    np.testing.assert_allclose(means, model.encode(texts), atol=1e-6)


def test_one_passage_is_the_mean_of_its_own_tokens_only(model):
    states = token_states(model, [TEXT])[0]
    kept, vectors = late_chunks(TEXT, states, SPANS)
    assert kept == [0, 1] and vectors.shape == (2, 384)
    # [CLS] berlin is a city . it has many inhabitants . [SEP]
    for rows, vector in ((slice(1, 6), vectors[0]), (slice(6, 11), vectors[1])):
        expected = states[rows].mean(dim=0)
        torch.testing.assert_close(vector, expected / expected.norm())


def test_a_passage_without_a_token_is_left_out_and_said(model):
    states = token_states(model, [TEXT])[0]
    assert late_chunks(TEXT, states, [(42, 43), *SPANS])[0] == [1, 2]
    with pytest.raises(ValueError, match="no passage has a token"):
        late_chunks(TEXT, states, [(42, 43)])
    with pytest.raises(ValueError, match="not|tokens but"):
        late_chunks(TEXT + "And more.", states, SPANS)


vectors = st.lists(
    st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=1, max_size=5
)


@given(vectors, vectors)
def test_max_sim_is_the_double_loop(question, page):
    by_hand = sum(
        max(sum(a * b for a, b in zip(x, y, strict=True)) for y in page)
        for x in question
    )
    found = max_sim(torch.tensor(question), torch.tensor(page))
    assert found == pytest.approx(by_hand, abs=1e-5)


@given(vectors, st.lists(vectors, min_size=1, max_size=4))
def test_many_pages_at_once_are_one_page_after_the_other(question, pages):
    question, pages = torch.tensor(question), [torch.tensor(page) for page in pages]
    singly = [max_sim(question, page) for page in pages]
    np.testing.assert_allclose(max_sims(question, pages), singly, atol=1e-5)


@pytest.mark.parametrize("pages", [[], [torch.empty(0, 3)]])
def test_no_page_or_a_page_without_tokens_is_refused(pages):
    with pytest.raises(ValueError, match="at least one token"):
        max_sims(torch.eye(3), pages)
