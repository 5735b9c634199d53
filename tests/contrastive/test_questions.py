"""Three older questions, and the library asks the same."""

import pytest
import torch
from torch.nn import functional

from course_utils import contrastive
from course_utils.contrastive.questions import (
    SoftmaxLoss,
    cosine_loss,
    triplet_loss,
    with_strangers,
)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 5, 6, generator=generator).unbind()


class Given(torch.nn.Module):
    """Stands where the library wants an encoder: hands on what it gets."""

    device = "cpu"

    def forward(self, features):
        return {"sentence_embedding": features}

    def get_embedding_dimension(self):
        return 6

    get_sentence_embedding_dimension = get_embedding_dimension


def test_a_stranger_is_the_partner_of_the_next_row(pair):
    a, p = pair
    left, right, label = with_strangers(a, p)
    assert torch.equal(left[:5], a) and torch.equal(left[5:], a)
    assert torch.equal(right[:5], p) and torch.equal(right[5], p[1])
    assert torch.equal(right[9], p[0])
    assert label.tolist() == [1] * 5 + [0] * 5


def test_the_cosine_loss_by_hand():
    a, p = torch.tensor([[1.0, 0], [0, 2]]), torch.tensor([[0.0, 1], [0, 3]])
    # pairs 0 and 1, strangers 0 and 1: errors 1, 0, 0, 1
    assert cosine_loss(a, p).item() == pytest.approx(0.5)


def test_the_triplet_loss_by_hand():
    a, p = torch.tensor([[0.0, 0], [9, 0]]), torch.tensor([[1.0, 0], [9, 3]])
    near, far = (1.0, 3.0), (90**0.5, 8.0)
    wanted = sum(max(0.0, n - f + 7.5) for n, f in zip(near, far, strict=True)) / 2
    assert triplet_loss(a, p, margin=7.5).item() == pytest.approx(wanted, abs=1e-4)


def test_the_library_asks_the_same(pair):
    from sentence_transformers.sentence_transformer import losses

    left, right, label = with_strangers(*pair)
    theirs = losses.CosineSimilarityLoss(Given())([left, right], label.float())
    torch.testing.assert_close(cosine_loss(*pair), theirs)
    near, far = right.chunk(2)
    theirs = losses.TripletLoss(Given(), triplet_margin=0.5)([pair[0], near, far], None)
    torch.testing.assert_close(triplet_loss(*pair), theirs)
    ours = SoftmaxLoss(dim=6)
    theirs = losses.SoftmaxLoss(Given(), 6, num_labels=2)
    theirs.classifier.load_state_dict(
        {"weight": ours.head.weight, "bias": ours.head.bias}, strict=False
    )
    torch.testing.assert_close(ours(*pair), theirs([left, right], label))


def test_the_classifier_learns_along():
    train, _ = contrastive.toy_language(40, 4)
    loss = SoftmaxLoss(dim=64)
    before = loss.head.weight.clone()
    contrastive.train_tiny(contrastive.TinyEncoder(), train, 2, 8, loss=loss)
    assert not torch.equal(before, loss.head.weight)


def test_the_seed_draws_the_classifier_and_nothing_else():
    torch.manual_seed(1)
    wanted = torch.rand(1)
    torch.manual_seed(1)
    one, same, other = SoftmaxLoss(6), SoftmaxLoss(6), SoftmaxLoss(6, seed=1)
    assert torch.rand(1) == wanted
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


@pytest.mark.parametrize("ask", [cosine_loss, triplet_loss, SoftmaxLoss(6)])
def test_one_pair_has_no_stranger(ask):
    with pytest.raises(ValueError, match="two pairs at least"):
        ask(torch.ones(1, 6), torch.ones(1, 6))
    with pytest.raises(ValueError, match="row i beside row i"):
        functional.relu(ask(torch.ones(3, 6), torch.ones(2, 6)))
