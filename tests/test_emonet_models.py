"""The contract of all networks: each one in MODELS is tested here."""

import inspect
import json
import subprocess
import sys

import pytest
import torch

from emonet.models import MODELS, Network, create_meta_model, create_model, model_class
from emonet.models._summary import summarise
from emonet.models.inputs import InputSpec

SMALL = {  # where the defaults are large, or memorise
    "torchvision": {"architecture": "shufflenet_v2_x0_5"},
    "averaged": {"model": "lenet28", "members": 2},
    "knn": {"neighbours": 2, "examples": 6},
}


def images(network, count=2):
    spec = network.input
    return torch.rand(count, spec.channels, spec.size, spec.size, generator=torch.Generator().manual_seed(1))


def prepared(name, classes):
    torch.manual_seed(0)
    network = create_model(name, classes=classes, **SMALL.get(name, {}))
    if network.fit == "memorise":
        network.memorise(images(network, 6), torch.arange(6))
    return network


@pytest.fixture(scope="module", params=MODELS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def network(name):
    return prepared(name, 7)


def test_each_image_gets_one_logit_for_each_class(network):
    scores = network.eval()(images(network))
    assert scores.shape == (2, 7)
    assert scores.isfinite().all()
    assert network(images(network, 1)).shape == (1, 7)


def test_it_can_have_six_classes(name):
    memorises = model_class(name).fit == "memorise"
    network = prepared(name, 6) if memorises else create_meta_model(name, classes=6, **SMALL.get(name, {}))
    x = images(network).to("cpu" if memorises else "meta")
    assert network.eval()(x).shape == (2, 6)


def test_every_parameter_learns(network):
    if network.fit == "memorise":
        assert not list(network.parameters())
        return
    network.train().zero_grad()
    torch.nn.functional.cross_entropy(network(images(network)), torch.tensor([1, 4])).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert [name for name, grad in gradients.items() if grad is None or not grad.isfinite().all()] == []


def test_answers_repeat_bit_for_bit(network):
    x = images(network)
    network.eval()
    assert torch.equal(network(x), network(x))


def test_weights_and_arguments_are_the_whole_network(name, network):
    arguments = json.loads(json.dumps(SMALL.get(name, {})))
    other = create_meta_model(name, classes=7, **arguments)
    other.load_state_dict(network.state_dict(), assign=True)
    x = images(network)
    assert torch.equal(other.eval()(x), network.eval()(x))


def test_defaults_can_be_stored_as_json(name):
    parameters = inspect.signature(model_class(name)).parameters.values()
    assert next(iter(parameters)).name == "classes"
    json.dumps({parameter.name: parameter.default for parameter in parameters})


def test_unknown_arguments_are_refused_and_the_known_ones_listed(name):
    with pytest.raises(ValueError, match=r"fancy.*known arguments: classes"):
        create_model(name, fancy=1)


@pytest.mark.parametrize("classes", [1, 2.0, "7", True])
def test_impossible_classes_are_refused(name, classes):
    with pytest.raises(ValueError, match="classes"):
        create_model(name, classes=classes)


def test_it_has_a_title_and_an_input(name):
    made = model_class(name)
    assert issubclass(made, Network)
    assert 10 < len(made.title) < 80
    assert isinstance(made.input, InputSpec)


@pytest.mark.parametrize("name", ["vgg17", "crop_three:large", ""])
def test_an_unknown_name_lists_the_known_models(name):
    with pytest.raises(ValueError, match=r"known models: .*apl_fmp, leaky_cifar"):
        create_model(name)


def test_a_meta_model_takes_no_memory():
    assert {tensor.device.type for tensor in create_meta_model("facenet", classes=6).state_dict().values()} == {"meta"}


APL_FMP, CROP_THREE, TINY_VGG = 20_835_654, 5_008_551, 2_239_891


@pytest.mark.parametrize(
    ("name", "arguments", "trainable", "parameters"),
    [
        ("apl_fmp", {}, APL_FMP, APL_FMP),
        ("apl_fmp", {"activation": "relu"}, APL_FMP - 1_697_280, APL_FMP - 1_697_280),
        ("apl_fmp", {"activation": "prelu"}, APL_FMP - 1_697_280 + 4352, APL_FMP - 1_697_280 + 4352),
        ("apl_fmp", {"ratio": 2**0.5}, 90_736_198, 90_736_198),
        ("leaky_cifar", {}, 23_939_526, 23_939_526),
        ("leaky_cifar", {"padding": "same"}, 28_461_510, 28_461_510),
        ("crop_three", {}, CROP_THREE, 5_008_807),
        ("crop_three", {"batch_norm": False}, 5_008_295, 5_008_295),
        ("crop_three", {"extra_conv": True}, CROP_THREE + 25_184, 5_008_807 + 25_248),
        ("crop_three", {"extra_dense": True}, CROP_THREE + 3_058_496, 5_008_807 + 3_058_496),
        ("lenet28", {}, 57_527, 57_527),
        ("lenet28", {"hidden": 3136}, 2_490_551, 2_490_551),
        ("tiny_vgg", {}, TINY_VGG, 2_240_063),
        ("averaged", {}, 5 * CROP_THREE, 5 * 5_008_807),
        ("torchvision:vgg16", {"classes": 1000}, 138_357_544, 138_357_544),
    ],
)
@pytest.mark.filterwarnings("ignore:pooling by 1.4")
def test_parameters_are_those_of_the_source(name, arguments, trainable, parameters):
    counted = summarise(create_meta_model(name, **arguments))
    assert (counted.trainable, counted.parameters) == (trainable, parameters)


@pytest.mark.parametrize(
    ("name", "arguments", "match"),
    [
        ("apl_fmp", {"activation": "swish"}, "apl, prelu, relu"),
        ("apl_fmp", {"pool": "mean"}, "fmp, max"),
        ("apl_fmp", {"ratio": 1}, "ratio"),
        ("apl_fmp", {"draws": 0}, "draws"),
        ("apl_fmp", {"pool": "max", "draws": 2}, "draws"),
        ("apl_fmp", {"input_dropout": 1.0}, "input_dropout"),
        ("leaky_cifar", {"padding": 1}, "valid, same"),
        ("leaky_cifar", {"dropout": "half"}, "dropout"),
        ("crop_three", {"batch_norm": 1}, "batch_norm"),
        ("crop_three", {"extra_conv": "yes"}, "extra_conv"),
        ("lenet28", {"hidden": 0}, "hidden"),
        ("tuned_five", {"widths": (8, 8, 8)}, "widths"),
        ("tuned_five", {"activations": "tanh"}, "activations"),
        ("tuned_five", {"activations": ["relu", "elu", "tanh", "sine"]}, "sine"),
        ("tuned_five", {"dropout": [0, 0, 0, 1.5]}, "dropout"),
        ("tiny_vgg", {"widths": (16, 14, 56)}, "widths must be 4 values"),
        ("tiny_vgg", {"dense": (343, 0)}, "dense"),
        ("knn", {"neighbours": 0}, "neighbours"),
        ("knn", {"examples": -1}, "examples"),
        ("torchvision:vgg17", {}, "vgg16"),
        ("torchvision:vit_b_16", {}, "architecture"),
        ("torchvision:vgg16", {"architecture": "vgg11"}, "vgg11"),
        ("torchvision", {"pretrained": "yes"}, "pretrained"),
        ("facenet", {"pretrained": "imagenet"}, "vggface2"),
        ("averaged", {"members": 0}, "members"),
        ("averaged", {"model": "knn"}, "memorises"),
        ("averaged", {"arguments": "extra_conv"}, "arguments"),
        ("averaged", {"model": "lenet28", "arguments": {"fancy": 1}}, "fancy"),
    ],
)
def test_impossible_arguments_are_refused(name, arguments, match):
    with pytest.raises(ValueError, match=match):
        create_meta_model(name, **arguments)


def test_importing_models_imports_no_back_ends():
    script = "import sys, emonet.models; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torchvision", "sklearn", "facenet_pytorch"} & set(loaded)
