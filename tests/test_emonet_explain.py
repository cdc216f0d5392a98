"""Grad-CAM, feature maps, and explanations of the faces in photos."""

from threading import Thread

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import emonet
from emonet.explaining.feature_maps import FeatureMaps, feature_maps
from emonet.explaining.grad_cam import grad_cam
from emonet.inference import Checkpoint
from emonet.models import MODELS, Network, create_model, model_class
from emonet.models._crops import Crop
from emonet.models._network import observing
from emonet.models._piecewise import AdaptivePiecewiseLinear
from emonet.models.inputs import InputSpec

LOOKED_INTO = [name for name in MODELS if model_class(name).fit == "gradient"]
LOOKED_INTO += ["torchvision:squeezenet1_1", "torchvision:densenet121", "torchvision:convnext_tiny", "apl_fmp of draws"]
ARGUMENTS = {
    "torchvision": {"architecture": "shufflenet_v2_x0_5"},
    "averaged": {"model": "lenet28", "members": 2},
    "apl_fmp of draws": {"draws": 3},
}


def images(network, count=2):
    spec = network.input
    return torch.randn(count, spec.channels, spec.size, spec.size, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module", params=LOOKED_INTO)
def network(request):
    torch.manual_seed(0)
    return create_model(request.param.partition(" ")[0], **ARGUMENTS.get(request.param, {}))


class Little(Network):
    """Answers the sum of its last maps, and minus the sum; takes 48 grey pixels."""

    input = InputSpec(48, 1, "unit")

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        total = self.layers(x).flatten(1).sum(1)
        return torch.stack([total, -total], dim=1)


def box(kernel, **options):
    """A convolution that averages what it sees."""
    convolution = nn.Conv2d(1, 1, kernel, bias=False, **options)
    nn.init.constant_(convolution.weight, 1 / kernel**2)
    return convolution


def dot(y, x):
    image = torch.zeros(1, 1, 48, 48)
    image[0, 0, y, x] = 1
    return image


def middle(heat):
    """The centre of gravity, (y, x)."""
    y, x = np.mgrid[: heat.shape[0], : heat.shape[1]]
    return [float((axis * heat).sum() / heat.sum()) for axis in (y, x)]


class Around(nn.Module):
    """A residual connection around pooling."""

    def forward(self, x):
        return F.relu(x + F.avg_pool2d(x, 3, 1, 1), inplace=True)


class FlatBetween(nn.Module):
    def forward(self, x):
        return x.flatten(1).unflatten(1, x.shape[1:])


def test_maps_are_from_zero_to_one(network):
    heats = grad_cam(network, images(network), [0, 3])
    assert heats.shape == (2, network.input.size, network.input.size)
    assert heats.dtype == np.float32
    assert heats.min() >= 0
    assert set(heats.max(axis=(1, 2))) <= {0, 1}


def test_each_map_depends_on_its_own_image_alone(network):
    x = images(network)
    together, alone = grad_cam(network, x, [2, 5]), grad_cam(network, x[1:], torch.tensor([5]))
    assert np.allclose(together[1], alone[0], atol=1e-3)


def test_the_network_is_left_as_it_was(network):
    x = images(network)
    network.train()
    next(network.children()).eval()
    training = [module.training for module in network.modules()]
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first = grad_cam(network, x, [1, 1])
    feature_maps(network, x[:1])
    assert np.array_equal(first, grad_cam(network, x, [1, 1]))
    assert [module.training for module in network.modules()] == training
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.equal(x, images(network))


def test_every_convolution_has_feature_maps(network):
    maps = feature_maps(network, images(network, 1))
    convolutions = {name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    assert {one.name for one in maps} == convolutions
    assert all(np.isfinite(one.before).all() and one.before.dtype == np.float32 for one in maps)
    followed = [one for one in maps if one.after is not None]
    assert not any(np.array_equal(one.before, one.after) for one in followed)


@pytest.mark.parametrize("name", [name for name in LOOKED_INTO[:-4] if name not in ("torchvision", "facenet")])
def test_the_activation_behind_each_of_our_convolutions_is_found(name):
    network = create_model(name, **ARGUMENTS.get(name, {}))
    assert all(one.after is not None for one in feature_maps(network, images(network, 1)))


@pytest.mark.parametrize("place", [(10, 20), (33, 15), (24, 37)])
@pytest.mark.parametrize(
    "layers",
    [
        [box(3, padding=1), nn.ReLU()],
        [Crop(44), box(3, padding=1), nn.ReLU()],
        [Crop(44), box(3, stride=2, padding=1), Around(), box(3, stride=2, padding=1), Around()],
        [box(4, padding=1), nn.ReLU(inplace=True), box(6, padding="valid"), nn.ReLU()],
        [box(5, padding="same"), nn.MaxPool2d(2), box(3, padding="same", dilation=2), AdaptivePiecewiseLinear(1, 1, 1)],
        [box(3, stride=2, padding=1), nn.ReLU(), FlatBetween(), box(3, padding=1), nn.ReLU(), nn.AvgPool2d(4)],
    ],
    ids=["padded", "cropped", "halved", "unpadded", "pooled", "flat between"],
)
def test_maps_lie_where_the_evidence_is(layers, place):
    (heat,) = grad_cam(Little(*layers), dot(*place), [0])
    assert middle(heat) == pytest.approx(place, abs=1)
    assert heat.max() == 1


def test_maps_below_four_pixels_are_used_only_if_there_are_no_others():
    eight = [box(3, padding=1), nn.ReLU(), nn.MaxPool2d(6), box(1), nn.ReLU()]
    (expected,) = grad_cam(Little(*eight), dot(20, 30), [0])
    (heat,) = grad_cam(Little(*eight, nn.MaxPool2d(4), box(1), nn.ReLU()), dot(20, 30), [0])
    assert np.array_equal(heat, expected)
    (coarse,) = grad_cam(Little(nn.MaxPool2d(16), box(1), nn.ReLU()), dot(20, 45), [0])
    assert middle(coarse) == pytest.approx((24, 40), abs=2)


def test_evidence_against_a_class_is_not_in_its_map():
    network = Little(box(3, padding=1), nn.ReLU())
    heats = grad_cam(network, dot(20, 20).expand(2, 1, 48, 48), [0, 1])
    assert heats[0].max() == 1
    assert not heats[1].any()


def test_maps_without_evidence_are_zero():
    network = create_model("lenet28")
    nn.init.zeros_(network.layers[-1].weight)
    heats = grad_cam(network, images(network), [0, 1])
    assert not heats.any()


def test_the_map_of_an_ensemble_is_the_mean_of_its_members():
    torch.manual_seed(0)
    network = create_model("averaged", model="lenet28", members=2)
    x = images(network)
    mean = np.mean([grad_cam(member, x, [0, 1]) for member in network.members], axis=0)
    assert np.allclose(grad_cam(network, x, [0, 1]), mean / mean.max(axis=(1, 2), keepdims=True), atol=1e-6)


def test_maps_can_be_computed_in_inference_mode():
    network = Little(box(3, padding=1), nn.ReLU()).requires_grad_(False)
    with torch.inference_mode():
        heats = grad_cam(network, dot(20, 20), [0])
    assert heats.max() == 1


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(inplace=True),
        nn.LeakyReLU(0.3),
        nn.ELU(inplace=True),
        nn.Tanh(),
        nn.PReLU(),
        nn.GELU(),
        nn.Hardswish(inplace=True),
        AdaptivePiecewiseLinear(2, 48, 48),
    ],
    ids=repr,
)
def test_maps_before_and_after_an_activation(activation):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(2).eval()
    nn.init.normal_(norm.weight)
    network = Little(nn.Conv2d(1, 2, 3, padding=1), norm, activation, nn.Dropout(), nn.ReLU(inplace=True))
    x = images(network, 1)
    (maps,) = feature_maps(network, x)
    with torch.no_grad():
        before = network.layers[0](x)
        after = activation(norm(before.clone()))
    assert maps.name == "layers.0"
    assert np.array_equal(maps.before, before[0].numpy())
    assert np.array_equal(maps.after, after[0].numpy())


def test_convolutions_that_are_added_up_share_their_activation():
    network = create_model("se_resnet")
    maps = {one.name: one for one in feature_maps(network, images(network, 1))}
    assert np.array_equal(maps["stages.1.second"].after, maps["stages.1.around.1"].after)
    assert not np.array_equal(maps["stages.1.second"].after, maps["stages.1.first"].after)


def test_convolutions_without_an_activation_have_no_maps_after_it():
    network = Little(box(3), box(3), nn.ReLU(), nn.MaxPool2d(2), nn.ReLU(), box(3))
    assert [one.after is None for one in feature_maps(network, dot(3, 3))] == [True, False, True]


def test_branches_of_one_input_share_the_activation_of_their_sum():
    network = create_model("plain_cnn", branches=True, widths=[4], convolutions=[2], gates=[False])
    maps = feature_maps(network, images(network, 1))
    assert [one.name.rpartition("convolutions.")[2] for one in maps] == ["0", "1", "0", "1"]
    assert np.array_equal(maps[2].after, maps[3].after)


def test_an_activation_behind_pooling_belongs_to_no_convolution():
    network = Little(box(3), nn.MaxPool2d(2), nn.ReLU())
    (maps,) = feature_maps(network, dot(3, 3))
    assert maps.after is None


def test_maps_of_one_pixel_are_left_out():
    network = create_model("torchvision:mobilenet_v3_small")
    names = {one.name for one in feature_maps(network, images(network, 1))}
    assert "network.features.1.block.0.0" in names
    assert "network.features.1.block.1.fc1" not in names


def test_networks_without_convolutions_are_refused():
    network = create_model("knn", neighbours=1, examples=1)
    with pytest.raises(ValueError, match=r"Knn has no convolution .* it memorises images"):
        grad_cam(network, images(network), [0, 0])
    with pytest.raises(ValueError, match=r"Little has no convolution that could be looked into$"):
        feature_maps(Little(nn.ReLU()), dot(1, 1))


@pytest.mark.parametrize(
    ("x", "classes", "words"),
    [
        (torch.zeros(2, 1, 48, 48), [0], "one index for each of 2 images"),
        (torch.zeros(1, 1, 48, 48), [2], "from 0 to 1, got \\[2\\]"),
        (torch.zeros(1, 1, 48, 48), [-1], "from 0 to 1"),
        (torch.zeros(1, 3, 48, 48), [0], "\\(N, 1, height, width\\), got \\(1, 3, 48, 48\\)"),
        (torch.zeros(48, 48), [0], "scaled images"),
        (torch.zeros(0, 1, 48, 48), [], "scaled images"),
    ],
)
def test_images_and_classes_that_do_not_fit_are_refused(x, classes, words):
    with pytest.raises(ValueError, match=words):
        grad_cam(Little(box(3)), x, classes)


def test_networks_with_maps_of_one_pixel_are_refused():
    with pytest.raises(ValueError, match="48x48 leave Little maps of one pixel"):
        grad_cam(Little(nn.Conv2d(1, 1, 48)), dot(1, 1), [0])


def test_feature_maps_of_two_images_are_refused():
    with pytest.raises(ValueError, match="one image, got 2"):
        feature_maps(Little(box(3)), torch.zeros(2, 1, 48, 48))


@pytest.mark.parametrize(("before", "after"), [((4, 4), None), ((2, 4, 4), (2, 2, 2))])
def test_feature_maps_check_their_shapes(before, after):
    with pytest.raises(ValueError, match="must be \\(channels, height, width\\)"):
        FeatureMaps("layers.0", np.zeros(before), None if after is None else np.zeros(after))


def test_calls_by_other_threads_are_not_observed():
    network, seen = create_model("lenet28"), []
    with observing(network, lambda name, *_: seen.append(name)):
        thread = Thread(target=network, args=[images(network)])
        thread.start()
        thread.join()
        assert seen == []
        network(images(network))
    assert seen[0] == "layers.0"


@pytest.fixture(scope="module")
def predictor():
    return emonet.EmotionPredictor("emonet_fast", device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def prediction(predictor, portrait):
    return predictor.predict(portrait)[0]


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_explanations_use_one_network_of_the_predictor(backend, prediction, portrait, monkeypatch):
    predictor = emonet.EmotionPredictor("emonet_fast", device="cpu", backend=backend)
    first = emonet.explain(portrait, prediction, predictor)
    monkeypatch.setattr(Checkpoint, "network", None)
    assert np.array_equal(emonet.explain(portrait, prediction, predictor), first)


def test_every_class_of_a_head_can_be_explained(predictor, prediction, portrait):
    shown = {emotion: emonet.explain(portrait, prediction, predictor, emotion=emotion) for emotion in predictor.classes}
    assert np.array_equal(shown[prediction.emotion], emonet.explain(portrait, prediction, predictor))
    assert len({image.tobytes() for image in shown.values()}) > 3


def test_classes_that_the_head_does_not_have_are_refused(predictor, prediction, portrait):
    with pytest.raises(ValueError, match="contempt is none of the classes angry"):
        emonet.explain(portrait, prediction, predictor, emotion=emonet.Emotion.CONTEMPT)


def test_explaining_changes_no_answer(predictor, prediction, portrait):
    emonet.explain(portrait, prediction, predictor)
    assert predictor.predict(portrait)[0] == prediction
