"""Muon: what a step does to kernels and to all other parameters, without waiting for the device."""

import pytest
import torch
from torch import nn

from emonet.models import create_model
from emonet.training import TrainConfig
from emonet.training.averaging import MovingAverage
from emonet.training.muon import Muon, orthogonalize
from emonet.training.optimizing import make_optimizer, set_rate

SMALL = {"stem": [4], "widths": [4, 8], "blocks": [1, 1]}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def with_gradients(network):
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    return network


def newton_schulz(matrix, steps):
    """Iterate Newton-Schulz as it is usually written."""
    x = matrix / matrix.norm()
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


@pytest.mark.parametrize("shape", [(3, 8, 27), (2, 27, 8), (1, 6, 6)])
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_orthogonalize_agrees_with_plain_newton_schulz(shape, steps):
    matrices = torch.randn(shape)
    for matrix, result in zip(matrices, orthogonalize(matrices, steps), strict=True):
        assert torch.allclose(result, newton_schulz(matrix, steps), atol=1e-5)


def test_five_steps_bring_singular_values_near_to_one():
    values = torch.linalg.svdvals(orthogonalize(torch.randn(4, 16, 144), 5))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_a_gradient_of_zeros_moves_nothing():
    assert torch.equal(orthogonalize(torch.zeros(1, 4, 9)), torch.zeros(1, 4, 9))


def test_muon_holds_the_norm_and_follows_the_orthogonal_gradient():
    kernel = nn.Parameter(torch.randn(4, 2, 3, 3))
    before, kernel.grad = kernel.detach().clone(), torch.randn_like(kernel)
    Muon([{"params": [kernel], "orthogonal": True}], 0.1, momentum=0.0).step()
    direction = newton_schulz(kernel.grad.flatten(1), 3).view_as(kernel)
    assert torch.allclose(kernel, 2 * before / before.norm() - 0.1 * direction, atol=1e-5)


def test_the_rest_steps_like_torchs_sgd():
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    muon = Muon([{"params": ours.parameters(), "weight_decay": 0.1}], 0.05)
    sgd = torch.optim.SGD(theirs.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=0.1)
    for _ in range(3):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            one.grad = other.grad = torch.randn_like(one)
        muon.step()
        sgd.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)
    assert torch.allclose(ours.bias, theirs.bias, atol=1e-6)


def test_muon_takes_full_convolutions_and_sgd_the_rest():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, groups=4), nn.Linear(4, 2))
    optimizer = make_optimizer(network, TrainConfig(optimizer="muon", learning_rate=0.02, weight_decay=0.01))
    orthogonal, decaying, free = ([id(parameter) for parameter in group["params"]] for group in optimizer.param_groups)
    assert orthogonal == [id(network[0].weight)]
    assert decaying == [id(network[2].weight), id(network[3].weight)]
    assert len(free) == 5
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0, 0.01, 0]


def test_a_network_without_convolutions_is_left_to_sgd():
    optimizer = make_optimizer(nn.Linear(3, 2), TrainConfig(optimizer="muon", decay="all"))
    assert [group["orthogonal"] for group in optimizer.param_groups] == [False]


@pytest.mark.parametrize("rate", [0.02, 0.0])
def test_set_rate_keeps_the_ratio_of_both_rates(rate):
    config = TrainConfig(optimizer="muon", learning_rate=rate, rest_rate=0.2)
    optimizer = make_optimizer(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 2)), config)
    set_rate(optimizer, rate / 2)
    rest = 0.1 if rate else 0.0
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rate / 2, rest, rest])


def test_a_parameter_without_a_gradient_stays():
    network = with_gradients(create_model("se_resnet", **SMALL))
    network.stem[0].weight.grad = network.head.bias.grad = None
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    make_optimizer(network, TrainConfig(optimizer="muon", learning_rate=0.02)).step()
    same = [name for name, parameter in network.named_parameters() if torch.equal(parameter, before[name])]
    assert same == ["stem.0.weight", "head.bias"]


def test_muon_and_ema_do_not_wait_for_the_device():
    """Tensors on the meta device raise if a number is read from them."""
    with torch.device("meta"):
        network = with_gradients(create_model("se_resnet", **SMALL))
    optimizer = make_optimizer(network, TrainConfig(optimizer="muon", learning_rate=0.02))
    average = MovingAverage(network, 0.99)
    for _ in range(2):
        optimizer.step()
        average.update()
    assert int(average.state_dict()["n_averaged"]) == 2
