"""Plain convolutions: what their arguments make, whitened patches, and branches that are folded."""

import inspect
import json

import pytest
import torch
from torch.nn import functional as F

from emonet.models import create_model
from emonet.models._summary import summarise
from emonet.models.plain_cnn import PlainCnn

TINY = {"widths": (4, 6, 8), "convolutions": (1, 2, 2), "gates": (False, True, False), "crop": 48}
EVERYTHING = {**TINY, "whiten": 3, "branches": True, "dirac": True, "activation": "gelu"}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def images(count=8):
    """Smooth, as images are: neighbouring pixels are alike."""
    return 3 * F.avg_pool2d(torch.randn(count, 1, 50, 50), 3, stride=1)


def trained(**arguments):
    """A network whose batch norm has seen something, in use."""
    network = PlainCnn(**arguments)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    network.train()(images())
    return network.eval()


@pytest.mark.parametrize(
    ("arguments", "sides"),
    [
        ({}, [24, 12, 6]),
        ({"halve": "first"}, [24, 12, 6]),
        ({"halve": "last"}, [24, 12, 12]),
        ({"whiten": 3}, [23, 12, 6]),
        ({"whiten": 2, "halve": "last"}, [24, 12, 12]),
        ({"crop": 44}, [22, 11, 6]),
    ],
)
def test_stages_halve_the_resolution(arguments, sides):
    network = PlainCnn(**TINY | arguments)
    x = network.whitening(network.crop(images(1)))
    found = [(x := stage(x)).shape[1:] for stage in network.stages]
    assert found == [(width, side, side) for width, side in zip(TINY["widths"], sides, strict=True)]


@pytest.mark.parametrize("arguments", [{}, TINY, EVERYTHING])
def test_every_parameter_learns_and_answers_repeat(arguments):
    network = PlainCnn(6, **arguments)
    F.cross_entropy(network(images()), torch.arange(8) % 6).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
    assert network(images(2)).shape == (2, 6)
    network.eval()
    x = images(2)
    assert torch.equal(network(x), network(x))


def test_weights_and_arguments_are_the_whole_network():
    network = trained(**EVERYTHING)
    network.prepare(images())
    with torch.device("meta"):
        other = PlainCnn(**json.loads(json.dumps(EVERYTHING))).eval()
    other.load_state_dict(network.state_dict(), assign=True)
    x = images(2)
    assert torch.equal(other(x), network(x))
    json.dumps({name: own.default for name, own in inspect.signature(PlainCnn).parameters.items()})


@pytest.mark.parametrize("halve", ["stride", "first", "last"])
@pytest.mark.parametrize("branches", [False, True])
def test_folded_branches_answer_the_same(halve, branches):
    network = trained(**EVERYTHING | {"halve": halve, "branches": branches})
    x = images()
    before = network(x)
    network.fold()
    assert torch.allclose(network(x), before, rtol=1e-4, atol=1e-4)
    kinds = [layer.kind for layer in summarise(network).layers]
    assert kinds.count("Conv2d") == sum(TINY["convolutions"])
    assert "BatchNorm2d" not in kinds


def test_whitened_patches_have_unit_covariance():
    network = PlainCnn(**TINY, whiten=3)
    x = images(64)
    network.prepare(x)
    maps = F.conv2d(x, network.whitening.kernel)[:, :9].transpose(0, 1).flatten(1)  # the others are the negatives
    moments = maps @ maps.mT / maps.shape[1]
    assert torch.allclose(moments, torch.eye(9), atol=0.05)


def test_whitening_is_stored_does_not_learn_and_repeats():
    one, other = PlainCnn(**TINY, whiten=2), PlainCnn(**TINY, whiten=2)
    x = images()
    for network in (one, other):
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        network.prepare(x)
        changed = [name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])]
        assert changed == ["whitening.kernel"]
    assert torch.equal(one.whitening.kernel, other.whitening.kernel)
    assert "whitening.kernel" not in dict(one.named_parameters())


def test_kernels_begin_as_the_identity():
    network = PlainCnn(**TINY | {"dirac": True})
    x = torch.rand(1, 4, 12, 12)
    kernel = network.stages[1][0].convolutions[0].weight
    assert torch.equal(F.conv2d(x, kernel, padding=1)[:, :4], x)


def test_networks_with_nothing_to_prepare_or_fold_stay_as_they_are():
    network = create_model("se_resnet", stem=[4], widths=[4], blocks=[1]).eval()
    x = images(2)
    before = network(x)
    network.prepare(x)
    network.fold()
    assert torch.equal(network(x), before)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"widths": ()}, "number of stages must be a whole number, at least 1, got 0"),
        ({"widths": (4, 0, 8)}, "widths must be a whole number, at least 1, got 0"),
        ({"convolutions": (1, 1)}, "convolutions must be 3 values"),
        ({"gates": (1, 0, 0)}, "gates must be true or false, got 1"),
        ({"halve": "blur"}, "halve must be one of stride, first, last, got 'blur'"),
        ({"activation": "tanh"}, "activation must be one of relu, gelu"),
        ({"whiten": -1}, "whiten must be a whole number, at least 0, got -1"),
        ({"branches": "yes"}, "branches must be true or false"),
        ({"dirac": 1}, "dirac must be true or false"),
        ({"dropout": 1.0}, "dropout must be a number"),
        ({"crop": 0}, "crop must be a whole number"),
    ],
)
def test_arguments_that_make_no_network_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        PlainCnn(**TINY | arguments)
