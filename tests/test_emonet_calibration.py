"""Temperatures: how sure a head may be, found on dev, stored in the model file, and used by all that answers."""

import json
from dataclasses import replace

import numpy as np
import pytest
import trainings
from test_emonet_coverage import curve
from two_heads import one_head, two_heads
from typer.testing import CliRunner

from emonet.commands import app
from emonet.errors import OptionError
from emonet.evaluation import Calibration, fit_temperatures, measure_calibration
from emonet.heads import Head, HeadChoice
from emonet.inference.backends import choose_machine
from emonet.inference.checkpoint import load_checkpoint, set_coverage, set_temperatures
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import open_machine
from emonet.inference.loading import load_to_predict
from emonet.inference.onnx import export_onnx
from emonet.labels import Emotion

CPU = open_machine("cpu", "fp32")
CLASSES = (Emotion.HAPPY, Emotion.SAD, Emotion.NEUTRAL)
LOGITS = np.array([[2.0, 0.5, -1.0], [0.1, 0.2, 3.0]])


def softmax(logits):
    raised = np.exp(logits)
    return raised / raised.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    """Faces of seven classes that people voted on."""
    return trainings.build_voted(tmp_path_factory.mktemp("voted"), portrait)


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    trainings.fit_on_few(monkeypatch)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    two_heads().save(path)
    return path


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_an_answer_is_the_softmax_of_the_divided_logits(temperature):
    choice = HeadChoice((Head("labels", CLASSES, temperature=temperature),), "labels")
    assert choice(softmax(LOGITS)) == pytest.approx(softmax(LOGITS / temperature), abs=1e-6)


def test_priors_are_divided_out_of_the_tempered_probabilities():
    prior = (0.5, 0.3, 0.2)
    choice = HeadChoice((Head("labels", CLASSES, prior, 2.0),), "labels", "even")
    expected = softmax(LOGITS / 2) / np.array(prior)
    assert choice(softmax(LOGITS)) == pytest.approx(expected / expected.sum(1, keepdims=True), abs=1e-6)


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf")])
def test_temperatures_are_numbers_above_0(temperature):
    with pytest.raises(OptionError, match="temperature must be a number above 0"):
        Head("labels", CLASSES, temperature=temperature)


def test_a_head_without_a_temperature_is_described_as_before():
    assert "temperature" not in Head("labels", CLASSES).to_dict()
    warm = Head("labels", CLASSES, temperature=1.5)
    assert Head.from_dict(json.loads(json.dumps(warm.to_dict()))) == warm


def test_stored_temperatures_change_confidence_and_identity_but_no_weight(model):
    set_coverage(model, [curve()])
    before = load_checkpoint(model)
    set_temperatures(model, {"seen": 2.0})
    after = load_checkpoint(model)
    assert [head.temperature for head in after.heads] == [1.0, 2.0]
    assert after.identity != before.identity
    assert after.coverage == ()  # it was measured with other confidences
    assert all(np.array_equal(after.weights[name], array) for name, array in before.weights.items())
    with pytest.raises(OptionError, match="temperatures must be of fer2013, seen, got labels"):
        set_temperatures(model, {"labels": 2.0})


def test_fitted_temperatures_make_the_log_loss_least(store):
    model = two_heads()
    found = {one.head: one for one in fit_temperatures(model, store, machine=CPU)}
    assert sorted(found) == ["fer2013", "seen"]
    assert found["seen"].temperature > 1  # its weights are random: it has no reason to be sure

    def measure(temperature):
        heads = tuple(replace(head, temperature=temperature) for head in model.heads)
        samples = measure_calibration(replace(model, heads=heads), store, "dev", machine=CPU)
        return [one for one in samples if one.head == "fer2013"]

    assert measure(1.0) == list(found["fer2013"].before)
    least = sum(one.loss for one in found["fer2013"].after)
    tried = [sum(one.loss for one in measure(temperature)) for temperature in (0.1, 0.3, 0.7, 1.0, 1.5, 3.0, 10.0)]
    assert least == pytest.approx(sum(one.loss for one in measure(found["fer2013"].temperature)))
    assert least <= min(tried) + 1e-3


def test_another_fit_finds_the_same_temperatures(store, model):
    first = {one.head: one.temperature for one in fit_temperatures(load_checkpoint(model), store, machine=CPU)}
    set_temperatures(model, first)
    again = {one.head: one.temperature for one in fit_temperatures(load_checkpoint(model), store, machine=CPU)}
    assert again == first


def test_each_head_and_size_is_measured(store):
    found = measure_calibration(two_heads(), store, "validation", sizes=(48, 20, 12), machine=CPU)
    assert [(one.head, one.size) for one in found] == [
        (head, size) for size in (48, 20, 12) for head in ("fer2013", "seen")
    ]
    assert all(0 <= one.error <= 1 and 0 < one.confidence <= 1 and one.n > 0 for one in found)
    assert isinstance(found[0], Calibration)
    assert found[0].to_dict()["size"] == 48


def test_images_that_the_model_learned_from_decide_nothing(store):
    learned = two_heads(training={"config": {"all_train": True}})
    with pytest.raises(OptionError, match="learned from dev"):
        fit_temperatures(learned, store, machine=CPU)


def test_too_few_images_and_the_last_temperature_decide_nothing(store, monkeypatch):
    monkeypatch.setattr("emonet.evaluation.calibration.EDGE", 1.01)
    with pytest.raises(OptionError, match=r"no temperature from .* to 10 makes the log-loss of the head fer2013"):
        fit_temperatures(two_heads(), store, machine=CPU)
    monkeypatch.setattr("emonet.evaluation.calibration.FEWEST_IMAGES", 100)
    with pytest.raises(OptionError, match="on 100 images of dev or more, and the head fer2013 has 7"):
        fit_temperatures(two_heads(), store, machine=CPU)


@pytest.mark.parametrize(("asked", "match"), [({"split": "folk"}, "has no split 'folk'"), ({"sizes": (0,)}, "sizes")])
def test_what_cannot_be_measured_is_refused(store, asked, match):
    with pytest.raises(OptionError, match=match):
        measure_calibration(two_heads(), store, machine=CPU, **asked)


def test_the_command_fits_stores_and_shows(store, model):
    result = CliRunner().invoke(app, ["models", str(model), "--fit-temperature", str(store.path)])
    assert result.exit_code == 0
    assert "sure (error) before" in result.stdout
    stored = [head.temperature for head in load_checkpoint(model).heads]
    assert 1.0 not in stored
    shown = json.loads(CliRunner().invoke(app, ["models", str(model), "--json"]).stdout)
    assert [head["temperature"] for head in shown["heads"]] == stored
    refused = CliRunner().invoke(app, ["models", "emonet", "--fit-temperature", str(store.path)])
    assert "--fit-temperature needs a model file by its path" in str(refused.exception)


def warm(checkpoint, **changes):
    return replace(checkpoint, heads=tuple(replace(head, temperature=0.6) for head in checkpoint.heads), **changes)


@pytest.mark.parametrize("checkpoint", [warm(one_head()), warm(two_heads(), default_head="mean")], ids=["one", "mean"])
def test_exported_files_give_the_tempered_answer(checkpoint, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1), np.uint8)
    expected = checkpoint.choice()(open_classifier(checkpoint, CPU)(pixels))
    exported = load_to_predict(export_onnx(checkpoint, tmp_path / "model.onnx"))
    classify = open_classifier(exported, choose_machine([exported], "onnx"))
    assert exported.choice()(classify(pixels)) == pytest.approx(expected, abs=1e-4)
    (answer,) = exported.session.run(["probabilities"], {"pixels": pixels.transpose(0, 3, 1, 2)})
    assert answer == pytest.approx(expected, abs=1e-4)
