"""Model files, and the networks in them in use."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from two_heads import two_heads

from emonet.datasets.labels import CLASS_LISTS
from emonet.errors import CheckpointError
from emonet.heads import Head
from emonet.inference.checkpoint import Checkpoint, load_checkpoint, set_default
from emonet.inference.devices import open_machine
from emonet.inference.torch_classifier import TorchClassifier
from emonet.labels import Emotion
from emonet.models import create_model
from emonet.models.inputs import InputSpec
from facecrop import CropSpec

ARGUMENTS = {"stem": [4], "widths": [4, 8], "blocks": [1, 1]}
SPEC = InputSpec(size=48, channels=1, scaling="standardised", mean=(0.5,), std=(0.25,))


@pytest.fixture(scope="module")
def checkpoint():
    """Of a network with batch norm, laid out as training leaves it."""
    torch.manual_seed(1)
    network = create_model("se_resnet", classes=7, **ARGUMENTS).to(memory_format=torch.channels_last)
    network(torch.rand(8, 1, 48, 48))
    return Checkpoint(
        model="se_resnet",
        arguments=ARGUMENTS,
        heads=(Head("fer2013", CLASS_LISTS["fer7"]),),
        crop=CropSpec.fer2013(),
        detector="mtcnn",
        input=SPEC,
        weights=network.state_dict(),
        training={"config": {"epochs": 3}, "seconds": 1.25},
        scores={"dev": {"accuracy": 0.5, "recall": [1.0, None]}},
    )


@pytest.fixture
def path(checkpoint, tmp_path):
    checkpoint.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def pictures(count=5):
    return np.random.default_rng(2).integers(0, 256, (count, 48, 48, 1), np.uint8)


def probabilities(checkpoint, **options):
    return TorchClassifier(checkpoint.network(), checkpoint.input, open_machine("cpu", "fp32"), **options)(pictures())


def header(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["emonet"])


def test_a_saved_model_is_loaded_bit_for_bit(checkpoint, path):
    loaded = load_checkpoint(path)
    for name in ("model", "arguments", "classes", "crop", "detector", "input", "training", "scores"):
        assert getattr(loaded, name) == getattr(checkpoint, name)
    assert loaded.classes[0] is Emotion.ANGRY
    assert loaded.weights.keys() == checkpoint.weights.keys()
    assert all(np.array_equal(loaded.weights[name], array) for name, array in checkpoint.weights.items())
    assert (probabilities(loaded) == probabilities(checkpoint)).all()


def test_a_loaded_network_is_ready_to_predict(path):
    network = load_checkpoint(path).network()
    assert not network.training
    assert not [name for name, tensor in network.state_dict().items() if tensor.device.type == "meta"]


def test_half_precision_keeps_biases_and_batch_norm_exactly(checkpoint, tmp_path):
    checkpoint.save(tmp_path / "half.safetensors", half=True)
    loaded = load_checkpoint(tmp_path / "half.safetensors")
    for name, array in checkpoint.weights.items():
        expected = array.astype(np.float16).astype(np.float32) if array.ndim > 1 else array
        assert np.array_equal(loaded.weights[name], expected)
        assert loaded.weights[name].dtype == array.dtype
    assert probabilities(loaded) == pytest.approx(probabilities(checkpoint), abs=0.01)
    assert {tensor.dtype for tensor in load_file(tmp_path / "half.safetensors").values() if tensor.ndim > 1} == {
        torch.float16
    }


def test_the_same_content_is_the_same_bytes(path, tmp_path):
    load_checkpoint(path).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_model_in_memory_equals_the_one_in_its_file(checkpoint):
    given = replace(checkpoint, scores={"dev": {"interval": (0.1, 0.2)}}, arguments={**ARGUMENTS, "widths": (4, 8)})
    assert given.scores == {"dev": {"interval": [0.1, 0.2]}}
    assert given.arguments == ARGUMENTS


def test_files_of_the_first_format_open_with_one_head(path):
    described = header(path) | {
        "format": 1,
        "classes": ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"],
    }
    del described["heads"], described["default"]
    for sources, name in (({"jaffe": 3}, "jaffe"), ({"jaffe": 3, "ckplus": 2}, "labels"), ({}, "labels")):
        text = json.dumps(described | {"training": {"sources": sources}})
        save_file(load_file(path), path, {"emonet": text})
        before = load_checkpoint(path)
        assert [head.name for head in before.heads] == [name]
        assert before.classes == CLASS_LISTS["fer7"]


def test_a_failed_save_leaves_the_file_before(checkpoint, path):
    before = path.read_bytes()
    with pytest.raises(SafetensorError, match="dtype"):
        replace(checkpoint, weights={"one": np.array(["words"])}).save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def weights_of(path):
    """The bytes after the header of a safetensors file."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


@pytest.mark.parametrize("half", [False, True])
def test_another_default_answer_leaves_the_weights_as_they_are(tmp_path, half):
    path, other = tmp_path / "model.safetensors", tmp_path / "other.safetensors"
    two_heads(training={"of": "Zürich"}).save(path, half=half)
    before, kinds = weights_of(path), {name: tensor.dtype for name, tensor in load_file(path).items()}
    set_default(path, "mean", "sqrt")
    stored = load_checkpoint(path)
    assert (stored.default_head, stored.default_prior) == ("mean", "sqrt")
    assert stored.training == {"of": "Zürich"}
    assert weights_of(path) == before
    assert {name: tensor.dtype for name, tensor in load_file(path).items()} == kinds
    stored.save(other, half=half)
    assert other.read_bytes() == path.read_bytes()
    set_default(path, "seen")
    assert load_checkpoint(path).choice().classes[-1] is Emotion.CONTEMPT
    assert sorted(tmp_path.iterdir()) == [path, other]


def test_a_file_of_the_first_format_takes_a_default_answer_too(path):
    described = header(path) | {
        "format": 1,
        "classes": list(CLASS_LISTS["fer7"]),
        "training": {"sources": {"jaffe": 3}},
    }
    del described["heads"], described["default"]
    save_file(load_file(path), path, {"emonet": json.dumps(described), "format": "pt"})
    before = load_checkpoint(path)
    set_default(path, "jaffe")
    assert header(path)["format"] == 2
    after = load_checkpoint(path)
    assert (after.heads, after.default_head, after.identity) == (before.heads, "jaffe", before.identity)


@pytest.mark.parametrize(
    ("head", "prior", "match"),
    [
        ("jaffe", "training", "head must be one of fer2013, got 'jaffe'"),
        ("", "training", "head must be one of fer2013, got ''"),
        ("mean", "training", "head must be one of fer2013, got 'mean'"),
        ("fer2013", "uniform", "prior must be one of training, even, sqrt, got 'uniform'"),
        ("fer2013", "even", "the model stores none for fer2013"),
    ],
)
def test_a_default_answer_that_cannot_be_given_is_not_stored(path, head, prior, match):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=match):
        set_default(path, head, prior)
    assert path.read_bytes() == before


def with_header(**changes):
    """A way to spoil a file: other values in its description, or none."""

    def spoil(path):
        described = {key: value for key, value in (header(path) | changes).items() if value is not None}
        save_file(load_file(path), path, {"emonet": json.dumps(described)})

    return spoil


def with_weights(**changes):
    def spoil(path):
        weights = {name: tensor for name, tensor in (load_file(path) | changes).items() if tensor is not None}
        save_file(weights, path, {"emonet": json.dumps(header(path))})

    return spoil


def with_text(text):
    return lambda path: save_file(load_file(path), path, {"emonet": text})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(b""), "not a safetensors file, or a damaged one"),
        (lambda path: path.write_bytes(b"weights" * 100), "not a safetensors file, or a damaged one"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "not a safetensors file, or a damaged one"),
        (lambda path: save_file(load_file(path), path), "weights of something else"),
        (lambda path: save_file(load_file(path), path, {"format": "pt"}), "weights of something else"),
        (with_text("emonet"), "its description is not JSON"),
        (with_text("[1]"), "format None, and this version reads 1 and 2"),
        (with_header(format=3), "format 3, and this version reads 1 and 2"),
        (with_header(crop=None), "cannot be understood: 'crop'"),
        (with_header(crop={"size": 48, "width": 3}), "cannot be understood: .*width"),
        (with_header(input={"size": 48, "colour": 1}), "cannot be understood: unknown fields of an input: colour"),
        (
            with_header(heads=[{"name": "fer2013", "classes": ["angry", "joy"]}]),
            "cannot be understood: 'joy' is not a valid Emotion",
        ),
        (with_header(heads=7), "cannot be understood"),
        (
            with_header(heads=[{"name": "mean", "classes": ["angry", "sad"]}]),
            "a head must have a name other than 'mean'",
        ),
        (with_header(default={"head": "seen"}), "head must be one of fer2013, got 'seen'"),
        (with_header(default="seen"), "cannot be understood"),
        (with_header(model="vgg17"), "its network cannot be made: unknown model 'vgg17'; known models: emonet,"),
        (with_header(model=7), "its network cannot be made: unknown model '7'"),
        (with_header(arguments={"depth": 4}), "its network cannot be made: unknown arguments .* depth; known"),
        (with_header(arguments={"classes": 7}), "its network cannot be made: "),
        (with_header(arguments="depth"), "cannot be understood"),
        (with_header(training=3), "cannot be understood"),
        (with_header(arguments={**ARGUMENTS, "dropout": "much"}), "its network cannot be made: dropout"),
        (with_header(arguments={**ARGUMENTS, "widths": [10**10, 8]}), "its network cannot be made: "),
        (
            with_header(arguments={**ARGUMENTS, "stem": [8]}),
            "12 weights differ .*: not there in the file",
        ),
        (
            with_header(heads=[{"name": "fer2013", "classes": ["angry", "happy"]}]),
            r"2 weights differ .* head.bias: \(7,\) in the file, \(2,\) in the",
        ),
        (with_weights(**{"head.bias": None}), r"1 weights differ .* head.bias: not there in the file, \(7,\) in the"),
        (with_weights(**{"tail.bias": torch.zeros(3)}), r"tail.bias: \(3,\) in the file, not there in the network"),
        (with_weights(**{"head.weight": torch.zeros(8, 7)}), r"head.weight: \(8, 7\) in the file, \(7, 8\) in the"),
    ],
)
def test_damaged_and_foreign_files_are_refused_with_the_reason(path, spoil, words):
    spoil(path)
    with pytest.raises(CheckpointError, match=words) as raised:
        load_checkpoint(path)
    assert raised.value.path == path
    assert str(raised.value).startswith(f"{path}: ")


def test_a_model_is_shown_in_a_few_lines(path):
    assert len(repr(load_checkpoint(path))) < 1500


@pytest.mark.parametrize("place", ["nowhere.safetensors", "."])
def test_a_missing_file_is_named(tmp_path, place):
    with pytest.raises(FileNotFoundError, match=r"no such model file: .*; `emonet train` writes them"):
        load_checkpoint(tmp_path / place)


def test_errors_cross_processes():
    error = pickle.loads(pickle.dumps(CheckpointError("model.safetensors", "damaged")))
    assert (str(error), error.reason) == ("model.safetensors: damaged", "damaged")


def test_probabilities_are_the_softmax_of_the_logits(checkpoint):
    x = SPEC.scale(torch.from_numpy(pictures()).permute(0, 3, 1, 2))
    expected = checkpoint.network()(x).softmax(1).detach().numpy()
    found = probabilities(checkpoint)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_batch_size_changes_no_answer(checkpoint):
    assert probabilities(checkpoint, batch_size=2) == pytest.approx(probabilities(checkpoint), abs=1e-6)


def test_answers_in_bf16_are_nearly_those_in_fp32(checkpoint):
    classify = TorchClassifier(checkpoint.network().train(), SPEC, open_machine("cpu", "bf16"))
    found = classify(pictures())
    assert found.dtype == np.float32
    assert found == pytest.approx(probabilities(checkpoint), abs=0.02)
