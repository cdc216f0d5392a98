"""Networks as ONNX answer as they do in torch."""

import json
import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
import typer
from torch.nn import functional as F
from typer.testing import CliRunner

from emonet.commands.export import export
from emonet.datasets.labels import CLASS_LISTS
from emonet.heads import SEEN_CLASSES, Head
from emonet.inference import load_model, open_classifier, open_machine
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.onnx import PACKAGES, describe, export_onnx
from emonet.models import MODELS, Network, create_model
from emonet.models.apl_fmp import FractionalMaxPool
from emonet.models.inputs import InputSpec, Scaling
from facecrop import CropSpec

onnx, onnxruntime, _ = (pytest.importorskip(name, reason="emonet[onnx] is not installed") for name in PACKAGES)

SMALL = {
    "emonet": {"stem": [4, 8], "widths": [8, 16], "blocks": [1, 2]},
    "se_resnet": {"stem": [4], "widths": [8, 16], "blocks": [1, 1]},
    "emonet_fast": {"widths": [8, 16], "convolutions": [1, 1]},
    "apl_fmp": {"draws": 2},
    "lenet28": {"hidden": 8},
    "tuned_five": {"widths": [4, 4, 4, 8], "activations": ["relu", "elu", "tanh", "relu"]},
    "torchvision": {"architecture": "squeezenet1_1"},
    "averaged": {"model": "crop_three", "members": 2},
}


class Ours(Network):
    def __init__(self, classes):
        super().__init__()
        self.classes = classes


class OfUnknownFunctions(Ours):
    def forward(self, x):
        return F.fractional_max_pool2d(x, 2, output_size=(1, self.classes), _random_samples=torch.zeros(len(x), 1, 2))[
            :, 0, 0
        ]


class OfChance(Ours):
    def forward(self, x):
        return torch.randn(x.shape[0], self.classes) + x.mean(dim=(1, 2, 3))[:, None]


class OfTwoFaces(Ours):
    def forward(self, x):
        return x.flatten()[: self.classes * len(x)].view(len(x), self.classes)


def made(name, spec=None, **arguments):
    """A model that nothing trained, in which nothing is left as it began."""
    torch.manual_seed(0)
    network = create_model(name, classes=7, **arguments)
    weights = {key: varied(key, value) for key, value in network.state_dict().items()}
    return checkpoint(name, spec or measured(network.input), weights, **arguments)


def varied(name, weights):
    if not weights.is_floating_point():
        return weights
    return torch.rand_like(weights) if "slopes" in name else weights * (0.7 + 0.6 * torch.rand_like(weights))


def checkpoint(name, spec, weights, **arguments):
    return Checkpoint(
        name, arguments, (Head("fer2013", CLASS_LISTS["fer7"]),), CropSpec.fer2013(), "mtcnn", spec, weights
    )


def measured(spec):
    shares = {} if spec.measured else {"mean": (0.5,) * spec.channels, "std": (0.25,) * spec.channels}
    return InputSpec.from_dict(spec.to_dict() | shares)


def images(spec, count):
    """Of another contrast each; the first is of one grey."""
    random = np.random.default_rng(count)
    shades = random.random((count, spec.channels, spec.size, spec.size)) * random.integers(256, size=(count, 1, 1, 1))
    shades[0] = 90
    return torch.from_numpy(shades.astype(np.uint8))


def answers(path, pixels):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"pixels": pixels.numpy()})[0]


def wanted(checkpoint, pixels):
    with torch.inference_mode():
        return checkpoint.network()(checkpoint.input.scale(pixels)).softmax(1).numpy()


def metadata(path):
    return {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props}


@pytest.mark.parametrize("name", [name for name, network in MODELS.items() if network.fit == "gradient"])
def test_every_network_answers_as_in_torch_and_prints_nothing(name, tmp_path, capfd):
    model = made(name, **SMALL.get(name, {}))
    path = export_onnx(model, tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")
    one, five = images(model.input, 1), images(model.input, 5)
    expected = wanted(model, five)
    tolerance = min(1e-3, expected.std(axis=0).max() / 10)  # far less than faces differ by
    assert np.abs(answers(path, five) - expected).max() < tolerance
    assert np.abs(answers(path, one) - wanted(model, one)).max() < tolerance


@pytest.mark.parametrize("scaling", get_args(Scaling))
def test_scaling_is_in_the_graph(scaling, tmp_path):
    model = made("lenet28", measured(InputSpec(size=28, scaling=scaling)), hidden=8)
    pixels = images(model.input, 5)
    assert np.abs(answers(export_onnx(model, tmp_path / "model.onnx"), pixels) - wanted(model, pixels)).max() < 1e-3


@pytest.fixture(scope="module")
def headed():
    """A model of two heads that nothing trained, which answers by the mean of both and even classes."""
    torch.manual_seed(0)
    network = create_model("lenet28", classes=15, hidden=8)
    heads = (
        Head("fer2013", CLASS_LISTS["fer7"], (0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1)),
        Head("seen", SEEN_CLASSES, (0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)),
    )
    weights = {key: varied(key, value) for key, value in network.state_dict().items()}
    model = checkpoint("lenet28", measured(network.input), weights, hidden=8)
    return replace(model, heads=heads, default_head="mean", default_prior="even")


@pytest.mark.parametrize("default", [("mean", "even"), ("seen", "training"), ("fer2013", "sqrt")])
def test_each_head_has_an_output_beside_the_default_answer(headed, default, tmp_path, capfd):
    model = replace(headed, default_head=default[0], default_prior=default[1])
    session = onnxruntime.InferenceSession(export_onnx(model, tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    assert capfd.readouterr() == ("", "")
    pixels = images(model.input, 5)
    answer, labels, seen = session.run(None, {"pixels": pixels.numpy()})
    assert [one.name for one in session.get_outputs()] == [
        "probabilities",
        "probabilities_fer2013",
        "probabilities_seen",
    ]
    with torch.inference_mode():
        scores = model.network()(model.input.scale(pixels))
    assert labels == pytest.approx(scores[:, :7].softmax(1).numpy(), abs=1e-5)
    assert seen == pytest.approx(scores[:, 7:].softmax(1).numpy(), abs=1e-5)
    assert answer == pytest.approx(model.choice()(np.hstack([labels, seen])), abs=1e-5)


def test_the_prior_of_a_single_head_is_divided_out_if_the_file_says_so(headed, tmp_path):
    weights = {key: value[:7] if len(value) == 15 else value for key, value in headed.weights.items()}
    model = replace(headed, heads=headed.heads[:1], weights=weights, default_head="")
    pixels = images(model.input, 5)
    expected = model.choice()(wanted(model, pixels))
    assert answers(export_onnx(model, tmp_path / "model.onnx"), pixels) == pytest.approx(expected, abs=1e-5)


def test_the_heads_are_described(headed, tmp_path):
    headed.save(tmp_path / "model.safetensors")
    result = run(tmp_path / "model.safetensors", "-o", tmp_path / "model.onnx")
    assert result.stdout.splitlines()[2:] == [
        "probabilities: (N, 7), angry, disgust, fear, happy, sad, surprise, neutral",
        "probabilities_fer2013: (N, 7), angry, disgust, fear, happy, sad, surprise, neutral",
        "probabilities_seen: (N, 8), angry, disgust, fear, happy, sad, surprise, neutral, contempt",
    ]
    told = metadata(tmp_path / "model.onnx")
    assert tuple(map(Head.from_dict, told["heads"])) == headed.heads
    assert told["default"] == {"head": "mean", "prior": "even"}
    assert told["classes"] == list(headed.classes)


def run(*arguments):
    app = typer.Typer()
    app.command()(export)
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What the command says of a model that comes with the package, and what it wrote."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder := tmp_path_factory.mktemp("export"))
        result = run("emonet_fast")
    return result, folder / "emonet_fast.onnx"


def test_the_command_writes_a_model_by_its_name(exported):
    result, path = exported
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:3] == [
        f"wrote emonet_fast.onnx, {path.stat().st_size / 1e6:.1f} MB",
        "pixels: uint8 from 0 to 255, (N, 1, 48, 48), grey: 0.299 R + 0.587 G + 0.114 B; scaled inside",
        "probabilities: (N, 7), angry, disgust, fear, happy, sad, surprise, neutral",
    ]
    assert "learned from fer2013" in result.stderr
    assert "for research" in result.stderr
    assert [file.name for file in path.parent.iterdir()] == ["emonet_fast.onnx"]


def test_the_command_takes_model_files_and_makes_folders(tmp_path):
    made("lenet28", hidden=8).save(tmp_path / "model.safetensors")
    result = run(tmp_path / "model.safetensors", "-o", tmp_path / "phone" / "faces.onnx")
    assert (result.exit_code, result.stderr) == (0, "")
    assert metadata(tmp_path / "phone" / "faces.onnx")["model"] == "lenet28"


def test_a_bundled_model_names_faces_as_it_does_in_torch(exported, portrait):
    model = load_model("emonet_fast")
    face = torch.from_numpy(model.input.resize(portrait)).permute(2, 0, 1)
    views = torch.stack([face, face.flip(2), face // 2, 255 - face])
    said = open_classifier(model, open_machine("cpu", "fp32"))(views.permute(0, 2, 3, 1).numpy())
    assert np.abs(answers(exported[1], views) - model.choice()(said)).max() < 1e-5


def test_the_metadata_describe_how_to_use_the_file(exported):
    model, told = load_model("emonet_fast"), metadata(exported[1])
    assert told == json.loads(json.dumps(describe(model)))
    assert told["classes"] == list(model.classes)
    assert CropSpec(**told["crop"]) == model.crop
    assert InputSpec.from_dict(told["input"]) == model.input
    assert "1.25 of the box's width" in told["face"]
    assert (told["model"], told["detector"], list(told["terms"])) == ("emonet_fast", "whole", ["fer2013"])


def test_the_file_holds_no_paths_of_the_exporting_machine(exported, root):
    content = exported[1].read_bytes()
    assert b".py" not in content
    assert str(root).encode() not in content


def test_pixels_of_networks_in_colour_are_rgb():
    model = checkpoint("facenet", InputSpec(size=160, channels=3), {})
    told = describe(model)
    assert told["pixels"] == "uint8 from 0 to 255, (N, 3, 160, 160), RGB; scaled inside"
    assert told["terms"] == {}


def refused(model, folder, match, error=ValueError):
    """The file that was there is as it was, and there is no other."""
    path = folder / "model.onnx"
    path.write_bytes(b"of yesterday")
    with pytest.raises(error, match=match):
        export_onnx(model, path)
    assert [file.read_bytes() for file in folder.iterdir()] == [b"of yesterday"]


@pytest.mark.parametrize(
    ("network", "match"),
    [
        (OfUnknownFunctions, r"'ours' cannot be exported to ONNX: .*aten.fractional_max_pool2d"),
        (OfChance, r"onnxruntime's probabilities are up to 0\.\d+ from torch's"),
        (OfTwoFaces, r"onnxruntime says .*invalid dimensions for input: pixels"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_the_reason(network, match, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "ours", network)
    refused(checkpoint("ours", InputSpec(), {}), tmp_path, match)


def test_a_network_that_memorises_is_refused(tmp_path):
    refused(made("knn", examples=9), tmp_path, "'knn' cannot be exported to ONNX: it memorises images")


def test_weights_above_two_gigabytes_are_refused(tmp_path):
    weights = {"kernel": np.broadcast_to(np.float32(0), 650_000_000)}  # of which one is in memory
    refused(checkpoint("lenet28", InputSpec(size=28), weights), tmp_path, r"take 2\.6 GB, and a file holds 2\.1")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_missing_package_is_named_with_how_to_get_it(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    refused(made("lenet28"), tmp_path, rf'{package}.* pip install "emonet\[onnx\]"', ImportError)


@pytest.mark.parametrize("ratio", [1.2, 2**0.5, 2, 2.6, 3.3, 4])
@pytest.mark.parametrize("sides", [(20, 20), (8, 8), (19, 33)])
def test_fractional_regions_in_evaluation_are_those_of_torch(ratio, sides):
    pool = FractionalMaxPool(ratio, draws=8).eval()
    x = torch.rand(1, 2, *sides)
    expected = F.fractional_max_pool2d(
        x.expand(8, -1, -1, -1),
        pool.kernel,
        output_size=[int(side / ratio) for side in sides],
        _random_samples=torch.tensor(pool.places)[:, None].expand(-1, 2, -1),
    )
    assert torch.equal(pool(x), expected)
