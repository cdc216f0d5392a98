"""Tests of single networks among the baselines."""

import copy
import pickle
import shutil

import pytest
import torch
from torch import nn

from emonet.models import create_meta_model, create_model
from emonet.models._crops import Crop
from emonet.models._piecewise import CHUNK, AdaptivePiecewiseLinear
from emonet.models._summary import summarise
from emonet.models.apl_fmp import FractionalMaxPool
from emonet.models.averaged import average_logits

KERAS = ["apl_fmp", "leaky_cifar", "crop_three", "tuned_five", "tiny_vgg"]


def ramp(count, side):
    """Images whose every pixel is its own place."""
    return torch.arange(float(side**2)).view(1, 1, side, side).repeat(count, 1, 1, 1)


@pytest.mark.parametrize("name", KERAS)
def test_keras_networks_begin_as_keras_begins_them(name):
    for module in create_model(name).modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fans = module.weight.shape[0] + module.weight.shape[1]
            bound = (6 / fans / module.weight[0, 0].numel()) ** 0.5
            assert 0.9 * bound < module.weight.abs().max() <= bound
            assert not module.bias.any()
        if isinstance(module, nn.BatchNorm2d):
            assert (module.eps, module.momentum) == (1e-3, 0.01)


def test_lenet28_begins_as_its_source():
    for name, tensor in create_model("lenet28").named_parameters():
        if name.endswith("bias"):
            assert (tensor == 1).all()
        else:
            assert 0.15 < tensor.abs().max() <= 0.2


def test_piecewise_units_follow_the_formula():
    unit = AdaptivePiecewiseLinear(3, 2, 2).double()
    nn.init.normal_(unit.slopes)
    x = torch.linspace(-2, 2, 24, dtype=torch.double).view(2, 3, 2, 2)
    expected = x.clamp_min(0) + sum(
        slope * (hinge - x).clamp_min(0) for slope, hinge in zip(unit.slopes, unit.hinges, strict=True)
    )
    assert torch.allclose(unit(x), expected)
    assert sum(tensor.numel() for tensor in unit.parameters()) == 2 * 5 * 12


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("side", [4, CHUNK // 32])  # all units at once, and in pieces
def test_piecewise_gradients_follow_the_formula(layout, side):
    unit = AdaptivePiecewiseLinear(3, 8, side).double()
    nn.init.normal_(unit.slopes)
    x = torch.randn(3, 3, 8, side, dtype=torch.double).contiguous(memory_format=layout).requires_grad_()
    terms = [slope * (hinge - x).relu() for slope, hinge in zip(unit.slopes, unit.hinges, strict=True)]
    wanted = (x, unit.slopes, unit.hinges)
    expected = torch.autograd.grad((x.relu() + sum(terms)).square().sum(), wanted)
    found = torch.autograd.grad(unit(x).square().sum(), wanted)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other)


def test_piecewise_units_begin_as_relu_with_different_hinges():
    unit = AdaptivePiecewiseLinear(1000)
    x = torch.linspace(-2, 2, 2000).view(2, 1000)
    assert torch.equal(unit(x), x.relu())
    unit(x).sum().backward()
    assert (unit.slopes.grad.std(dim=0) > 0).any()
    assert len(unit.hinges.unique()) > 4900


def test_fractional_regions_cover_all_and_overlap():
    pool = FractionalMaxPool(2.6)
    for _ in range(20):
        ends = pool(ramp(1, 20))[0, 0, -1].long() - 19 * 20  # the last column of each region
        starts = ends - 3
        assert (int(starts[0]), int(ends[-1]), len(ends)) == (0, 19, 7)
        assert set((starts[1:] - starts[:-1]).tolist()) <= {2, 3}
        assert (starts[1:] <= ends[:-1]).all()


def test_fractional_regions_are_drawn_for_each_image():
    pool = FractionalMaxPool(2.6)
    torch.manual_seed(3)
    drawn = pool(ramp(8, 20).repeat(1, 2, 1, 1))
    torch.manual_seed(3)
    assert torch.equal(pool(ramp(8, 20).repeat(1, 2, 1, 1)), drawn)
    assert not torch.equal(pool(ramp(8, 20).repeat(1, 2, 1, 1)), drawn)
    assert len(drawn.unique(dim=0)) > 1
    assert torch.equal(drawn[:, 0], drawn[:, 1])


def test_fractional_regions_are_fixed_in_evaluation_whatever_the_batch():
    pool = FractionalMaxPool(2.6).eval()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert len(pool(ramp(8, 20)).unique(dim=0)) == 1
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++, which is not on this machine")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # PyTorch asks for it while it compiles
def test_compiled_pooling_has_the_same_gradients():
    """Where a convolution follows, torch compiles its pooling wrongly: it answers alike, and learns nothing."""
    network = nn.Sequential(FractionalMaxPool(2.6), nn.Conv2d(8, 8, 4))
    images = torch.rand(4, 8, 20, 20, requires_grad=True)
    gradients = []
    for learner in (network, torch.compile(network)):
        torch.manual_seed(0)
        images.grad = None
        learner(images).square().sum().backward()
        gradients.append(images.grad)
    assert torch.allclose(*gradients, atol=1e-5)


def test_pooling_can_be_pickled_and_copied():
    pool, images = FractionalMaxPool(1.4), ramp(2, 20)
    for twin in (pickle.loads(pickle.dumps(pool)), copy.deepcopy(pool)):
        results = []
        for one in (pool, twin):
            torch.manual_seed(0)
            results.append(one(images))
        assert torch.equal(*results)


def test_draws_are_different_regions_one_after_the_other():
    one, three = (FractionalMaxPool(2.6, draws).eval()(ramp(2, 20)) for draws in (1, 3))
    assert len(three) == 6
    assert torch.equal(three[:2], one)
    assert len(three.unique(dim=0)) == 3


def test_several_draws_answer_their_mean_probability():
    torch.manual_seed(0)
    network = create_model("apl_fmp", draws=3).eval()
    x = torch.rand(2, 1, 48, 48)
    each = network.layers(x).view(3, 2, 6).softmax(2)
    assert torch.allclose(network(x).softmax(1), each.mean(0), atol=1e-6)
    assert not torch.allclose(each[0], each[1])
    assert network.train()(x).shape == (2, 6)


def test_a_huge_dense_layer_is_warned_of():
    with pytest.warns(UserWarning, match="89 million weights"):
        create_meta_model("apl_fmp", ratio=2**0.5)


@pytest.mark.parametrize("pool", ["fmp", "max"])
@pytest.mark.parametrize("activation", ["prelu", "relu"])
def test_apl_fmp_works_with_each_activation_and_pooling(activation, pool):
    network = create_model("apl_fmp", activation=activation, pool=pool, classes=7).eval()
    assert network(torch.rand(1, 1, 48, 48)).shape == (1, 7)


def test_apl_fmp_learns_in_half_precision():
    network = create_model("apl_fmp")
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.rand(2, 1, 48, 48)).logsumexp(1).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_crops_are_random_in_training():
    crop = Crop(42)
    torch.manual_seed(0)
    x = ramp(500, 48)
    cut = crop(x)
    corners = cut[:, 0, 0, 0].long()
    tops, lefts = corners // 48, corners % 48
    assert set(tops.tolist()) == set(lefts.tolist()) == set(range(7))
    assert all(
        torch.equal(cut[index], x[index, :, top : top + 42, left : left + 42])
        for index, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist(), strict=True))
    )


def test_crops_are_the_centre_in_evaluation():
    assert torch.equal(Crop(42).eval()(ramp(2, 48)), ramp(2, 48)[:, :, 3:45, 3:45])


@pytest.mark.parametrize(("size", "cut"), [(24, 22), (48, 44), (96, 88)])
def test_crops_are_in_proportion_to_the_images_that_they_are_meant_for(size, cut):
    assert Crop(44, 48).eval()(ramp(2, size)).shape[2:] == (cut, cut)


@pytest.mark.parametrize("training", [True, False])
def test_images_of_the_crops_size_stay_as_they_are(training):
    x = ramp(2, 42)
    assert torch.equal(Crop(42).train(training)(x), x)


def test_images_smaller_than_the_crop_are_refused():
    with pytest.raises(ValueError, match="images of 40x40"):
        Crop(42)(ramp(1, 40))


def test_crop_three_sees_the_centre_in_evaluation():
    network = create_model("crop_three").eval()
    x = torch.rand(1, 1, 48, 48)
    framed = x.clone()
    framed[:, :, :3] = framed[:, :, :, 45:] = 9
    assert torch.equal(network(x), network(framed))
    assert torch.equal(network(x), network(x[:, :, 3:45, 3:45]))


def test_tuned_five_takes_lists_of_options():
    network = create_model(
        "tuned_five", widths=[4, 6, 8, 10], activations=["relu", "elu", "tanh", "relu"], dropout=[0, 0.1, 0.2, 0.5]
    )
    kinds = [type(layer) for layer in network.layers]
    assert [kind for kind in kinds if kind in (nn.ReLU, nn.ELU, nn.Tanh)] == [nn.ReLU, nn.ELU, nn.Tanh, nn.ReLU]
    assert [layer.p for layer in network.layers if isinstance(layer, nn.Dropout)] == [0, 0.1, 0.2, 0.5]
    assert summarise(network).parameters == 40 + 222 + 440 + 2890 + 77


def test_tiny_vgg_layer_by_layer():
    counted = [layer.parameters for layer in summarise(create_meta_model("tiny_vgg")).layers if layer.parameters]
    expected = [416, 2320, 64, 2030, 1778, 56, 7112, 28280, 28280, 224, 127260, 571788, 571788, 778267, 117992, 2408]
    assert counted == expected


def test_tiny_vgg_takes_widths_and_units():
    network = create_meta_model("tiny_vgg", widths=[4, 6, 8, 10], dense=[20, 30])
    shapes = [tuple(layer.weight.shape) for layer in network.layers if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert [shape[0] for shape in shapes] == [4, 4, 6, 6, 8, 8, 8, 10, 10, 10, 20, 30, 7]
    assert shapes[-3] == (20, 10 * 3 * 3)


def test_averaged_answers_the_mean_probability():
    torch.manual_seed(0)
    network = create_model("averaged", model="lenet28", members=3, arguments={"hidden": 8}).eval()
    x = torch.rand(2, 1, 28, 28)
    each = torch.stack([member(x).softmax(1) for member in network.members])
    assert network.input.size == 28
    assert torch.allclose(network(x).softmax(1), each.mean(0), atol=1e-6)
    assert not torch.allclose(each[0], each[1])


def test_logits_of_one_member_are_not_changed():
    scores = torch.randn(1, 4, 7)
    assert torch.equal(average_logits(scores), scores[0])
