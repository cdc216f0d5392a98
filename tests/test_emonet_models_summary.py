"""Counting networks, and the command that shows it."""

import json

import pytest
import torch
from two_heads import LABELS_PRIOR, two_heads
from typer.testing import CliRunner

from emonet.commands import app, main
from emonet.commands._console.options import parse_settings
from emonet.inference.checkpoint import load_checkpoint
from emonet.models import MODELS, create_meta_model, create_model
from emonet.models._summary import summarise


@pytest.fixture
def run():
    """Runs `emonet models ...` in this process."""
    runner = CliRunner(env={"COLUMNS": "120"})
    return lambda *arguments: runner.invoke(app, ["models", *arguments])


def test_layers_come_in_order_with_shapes_and_costs():
    layers = summarise(create_meta_model("lenet28")).layers
    rows = [(layer.kind, layer.shape, layer.parameters, layer.macs) for layer in layers if layer.parameters]
    assert rows == [
        ("Conv2d", (16, 28, 28), 416, 28 * 28 * 16 * 25),
        ("Conv2d", (16, 14, 14), 6416, 14 * 14 * 16 * 16 * 25),
        ("Linear", (64,), 50_240, 784 * 64),
        ("Linear", (7,), 455, 64 * 7),
    ]


@pytest.mark.parametrize("name", ["apl_fmp", "crop_three", "tiny_vgg", "averaged", "torchvision:vgg16", "facenet"])
def test_the_layers_add_up(name):
    counted = summarise(create_meta_model(name))
    assert sum(layer.parameters for layer in counted.layers) == counted.parameters
    assert sum(layer.macs for layer in counted.layers) == counted.macs > 0


def test_another_size_costs_more():
    network = create_meta_model("torchvision:resnet18")
    assert summarise(network, 192).macs > 3.5 * summarise(network).macs


def test_counting_changes_nothing():
    network = create_model("crop_three").train()
    network.layers[2].eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    state = torch.get_rng_state()
    assert summarise(network) == summarise(create_meta_model("crop_three"))
    assert [module.training for module in network.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_failed_count_leaves_no_hooks():
    network = create_model("lenet28").train()
    with pytest.raises(RuntimeError):
        summarise(network, 40)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_what_is_frozen_is_not_trainable():
    network = create_model("lenet28")
    network.layers[0].requires_grad_(False)
    counted = summarise(network)
    assert counted.parameters - counted.trainable == 416


def test_networks_that_memorise_have_no_layers():
    assert summarise(create_model("knn", examples=3)).to_dict() == {
        "layers": (),
        "trainable": 0,
        "parameters": 0,
        "macs": 0,
    }


def test_the_command_lists_all(run):
    result = run("--json")
    listed = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [one["name"] for one in listed] == list(MODELS)
    table = run().stdout
    assert all(one["title"].split()[0] in table and f"{one['parameters']:,}" in table for one in listed)
    assert "96x96 colour, standardised" in table


def test_the_command_shows_layers(run):
    shown = run("tiny_vgg", "--set", "classes=6").stdout
    assert "252 x 6 x 6" in shown
    assert "571,788" in shown
    assert "2,239,719 parameters, 2,239,547 of them trainable" in shown


def test_the_command_takes_arguments(run):
    facts = json.loads(run("averaged", "--set", "model=lenet28", "--set", "arguments={hidden = 8}", "--json").stdout)
    assert facts["input"]["size"] == 28
    assert facts["layers"][0] == {
        "name": "members.0.layers.0",
        "kind": "Conv2d",
        "shape": [16, 28, 28],
        "parameters": 416,
        "macs": 313_600,
    }


@pytest.fixture
def path(tmp_path):
    """A model file of two heads."""
    two_heads().save(tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


def test_the_command_shows_the_heads_of_a_file(run, path):
    lines = [" ".join(line.split()) for line in run(path).stdout.splitlines()]
    assert lines[0].endswith("model.safetensors: emonet_fast")
    assert (
        "fer2013 angry 14.0%, disgust 2.0%, fear 14.0%, happy 25.0%, sad 17.0%, surprise 11.0%, neutral 17.0%" in lines
    )
    assert lines[-1] == "answers by default: head fer2013, prior training"
    facts = json.loads(run(path, "--json").stdout)
    assert [head["name"] for head in facts["heads"]] == ["fer2013", "seen"]
    assert facts["heads"][0]["prior"] == list(LABELS_PRIOR)
    assert facts["default"] == {"head": "fer2013", "prior": "training", "classes": facts["heads"][0]["classes"]}


def test_the_command_shows_the_heads_of_bundled_models(run):
    shown = run("emonet_fast").stdout
    assert "answers by default: head mean, prior sqrt" in shown
    assert "stages.0" in shown
    assert json.loads(run("emonet_fast", "--json").stdout)["default"]["head"] == "mean"
    assert "comes" not in run("emonet_fast", "--set", "classes=6").stdout


@pytest.mark.parametrize(
    ("asked", "stored"),
    [("seen", ("seen", "training")), ("mean,even", ("mean", "even")), ("seen, sqrt", ("seen", "sqrt"))],
)
def test_the_command_stores_another_default(run, path, asked, stored):
    result = run(path, "--set-default", asked)
    assert result.stdout.splitlines()[-1] == "answers by default: head {}, prior {}".format(*stored)
    checkpoint = load_checkpoint(path)
    assert (checkpoint.default_head, checkpoint.default_prior) == stored


def test_the_folder_of_a_run_stands_for_its_model(run, path, tmp_path):

    assert run(str(tmp_path), "--set-default", "seen").exit_code == 0
    assert load_checkpoint(path).default_head == "seen"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("--set-default", "jaffe"), "head must be one of fer2013, seen, mean, got 'jaffe'"),
        (("--set-default", ",even"), "head must be one of fer2013, seen, mean, got ''"),
        (("--set-default", "seen,"), "prior must be one of training, even, sqrt, got ''"),
        (("--set", "classes=6"), "is a model file"),
    ],
)
def test_impossible_defaults_of_a_file_are_refused(run, path, arguments, match):
    result = run(path, *arguments)
    assert result.exit_code == 1
    assert match in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vgg"], "unknown model 'vgg'; known models"),
        (["tiny_vgg", "--set", "depth=3"], "known arguments: classes"),
        (["--set", "depth=3"], "needs the name"),
        (["emonet", "--set-default", "fer2013"], "needs a model file by its path"),
        (["--set-default", "fer2013"], "--set-default needs a model file by its path"),
        (["emonet", "--set-coverage", "report"], "--set-coverage needs a model file by its path"),
    ],
)
def test_mistakes_are_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["emonet", "models", *arguments])
    with pytest.raises(SystemExit) as status:
        main()
    assert status.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("a=1", 1),
        ("a=0.5", 0.5),
        ("a = true", True),
        ("a=same", "same"),
        ('a="1"', "1"),
        ("a=torchvision:vgg16", "torchvision:vgg16"),
        ("a=[1, 2]", [1, 2]),
        ("a={b = false}", {"b": False}),
        ("a=b=c", "b=c"),
        ("a=", ""),
    ],
)
def test_settings_are_toml_or_words(item, value):
    assert parse_settings([item]) == {"a": value}
    assert type(parse_settings([item])["a"]) is type(value)


@pytest.mark.parametrize(
    ("items", "match"), [(["a"], "NAME=VALUE"), (["=1"], "NAME=VALUE"), (["a=[1"], "of a"), (["a=1", "a=2"], "twice")]
)
def test_malformed_settings_are_refused(items, match):
    with pytest.raises(ValueError, match=match):
        parse_settings(items)
