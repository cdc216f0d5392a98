"""Runs and their folders: what is written, what is returned, and what is refused before the first step."""

import math
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import trainings
from folders import files

from emonet.datasets import open_store
from emonet.errors import TrainingError
from emonet.faces import read_faces
from emonet.inference.averaging import average_answers
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.devices import open_machine
from emonet.inference.torch_classifier import TorchClassifier
from emonet.options import read_toml
from emonet.training import TrainConfig, train
from emonet.training.log import Silent
from emonet.training.session import Session
from facecrop import CropSpec

FILES = ["config.toml", "curves.png", "log.csv", "model.safetensors", "samples.png"]


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture(scope="module")
def start(store, tmp_path_factory):
    """A model file to start from."""
    folder = tmp_path_factory.mktemp("start")
    trainings.trained(store, folder, scaling="standardised")
    return folder / "model.safetensors"


def classify(checkpoint, pixels):
    return TorchClassifier(checkpoint.network(), checkpoint.input, open_machine("cpu", "fp32"))(pixels)


def same(one, other):
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in {*one.weights, *other.weights})


def enlarged(model, path, factor):
    """Save the model with the weights of its last layer multiplied."""
    checkpoint = load_checkpoint(model)
    name = list(checkpoint.weights)[-1]
    weights = {**checkpoint.weights, name: checkpoint.weights[name] * factor}
    replace(checkpoint, weights=weights).save(path)
    return str(path)


def test_a_finished_run_leaves_these_files(store, tmp_path):
    train(trainings.quick(), store, tmp_path / "deep" / "run")
    assert sorted(path.name for path in (tmp_path / "deep" / "run").iterdir()) == FILES
    config = TrainConfig.from_dict(read_toml(tmp_path / "deep" / "run" / "config.toml"))
    assert config == trainings.quick(augment_with="albumentations")  # instead of `auto`


def test_nothing_is_drawn_if_draw_is_false(store, tmp_path):
    train(trainings.quick(epochs=1), store, tmp_path, draw=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "log.csv", "model.safetensors"]


@pytest.mark.parametrize(("options", "networks"), [({}, 1), ({"members": 2}, 3), ({"out_of_fold": True}, 4)])
def test_the_identity_is_computed_once_for_each_model_file(store, tmp_path, monkeypatch, options, networks):
    computed = []
    identify = Session.identify
    monkeypatch.setattr(Session, "identify", lambda *given: computed.append(given) or identify(*given))
    trainings.trained(store, tmp_path, epochs=1, **options)
    assert len(computed) == networks


def test_a_model_file_describes_its_training(store, tmp_path):
    given = trainings.trained(store, tmp_path, classes="fer6")
    checkpoint = load_checkpoint(tmp_path / "model.safetensors")
    assert (checkpoint.model, checkpoint.detector, checkpoint.crop) == ("tuned_five", "whole", CropSpec.fer2013())
    assert "disgust" not in checkpoint.classes
    assert checkpoint.training == given.training
    assert checkpoint.scores == given.scores
    assert checkpoint.training["config"]["classes"] == "fer6"
    left_out = store.info.counts["fer2013"]["train"]["disgust"]
    assert (checkpoint.training["pictures"], checkpoint.training["left_out"]) == (28 - left_out, {"disgust": left_out})
    assert checkpoint.training["sources"] == {"fer2013": 28 - left_out}
    assert same(given, checkpoint)


def test_stored_scores_equal_those_of_the_loaded_model(store, tmp_path):
    checkpoint = trainings.trained(store, tmp_path, **trainings.FAST)
    dev = read_faces(store, ["dev"], checkpoint.input)
    found = classify(load_checkpoint(tmp_path / "model.safetensors"), dev.pixels).argmax(1) == dev.labels
    assert checkpoint.scores["dev"]["n"] == 7
    assert checkpoint.scores["dev"]["accuracy"] == found.mean()


def test_a_finished_run_is_returned_unchanged(store, tmp_path):
    first = trainings.trained(store, tmp_path)
    before = files(tmp_path)
    again = trainings.trained(store, tmp_path, trainings.Stopping(steps=1))
    assert files(tmp_path) == before
    assert same(first, again)
    assert (first.training, first.scores) == (again.training, again.scores)


@pytest.mark.parametrize("several", [{"members": 2}, {"orders": 2}])
def test_a_finished_run_of_several_needs_no_parts(store, tmp_path, several):
    trainings.trained(store, tmp_path, epochs=1, **several)
    for part in [*tmp_path.glob("member-*"), *tmp_path.glob("order-*")]:
        shutil.rmtree(part)
    before = files(tmp_path)
    trainings.trained(store, tmp_path, trainings.Stopping(steps=1), epochs=1, **several)
    assert files(tmp_path) == before


def test_options_of_the_machine_may_change(store, tmp_path):
    first = trainings.trained(store, tmp_path)
    assert same(first, trainings.trained(store, tmp_path, workers=1, storage="memory", save_every=0))


@pytest.mark.parametrize("finished", [True, False])
def test_a_folder_with_another_run_is_refused(store, tmp_path, finished):
    if finished:
        trainings.trained(store, tmp_path)
    else:
        with pytest.raises(KeyboardInterrupt):
            trainings.trained(store, tmp_path, trainings.Stopping(epochs=1))
    before = files(tmp_path)
    with pytest.raises(
        ValueError, match=r"holds a run with other epochs, seed; choose another folder, or use --overwrite"
    ):
        trainings.trained(store, tmp_path, epochs=4, seed=2)
    assert files(tmp_path) == before


class Noting(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_small_data_set_keeps_the_steps_of_a_recipe_and_says_so(store, tmp_path):
    watch = Noting()
    images = store.splits["train"]
    trained = trainings.trained(store, tmp_path, watch, epochs=2, epoch_images=3 * images)
    assert trainings.log(tmp_path)[-1].step == 2 * math.ceil(3 * images / 8)
    assert any(f"each of the {images} images 3 times" in note for note in watch.notes)
    assert trained.training["config"]["epoch_images"] == 3 * images


def test_a_data_set_that_is_large_enough_is_shown_once(store, tmp_path):
    """Runs of before there was the option are resumed: theirs is the same training."""
    watch = Noting()
    trained = trainings.trained(store, tmp_path, watch, epochs=1, epoch_images=store.splits["train"] + 1)
    assert trained.training["config"]["epoch_images"] == 0
    assert not any("times" in note for note in watch.notes)


def test_classes_that_options_name_and_the_data_do_not_have_are_told(store, tmp_path):
    watch = Noting()
    options = {"classes": "angry,happy", "class_weights": {"sad": 2, "happy": 2}, "oversample": {"happy": 2}}
    trainings.trained(store, tmp_path, watch, epochs=1, **options)
    told = [note for note in watch.notes if "the data have no such class" in note]
    assert [note.partition(":")[0] for note in told] == ["--class-weights does nothing for sad"]


def test_a_run_of_before_an_option_was_there_is_resumed(store, tmp_path):
    first = trainings.trained(store, tmp_path, epochs=1)
    identity = {name: value for name, value in first.training["identity"].items() if name != "epoch_images"}
    replace(first, training={**first.training, "identity": identity}).save(tmp_path / "model.safetensors")
    assert same(first, trainings.trained(store, tmp_path, epochs=1))


def test_a_run_on_other_data_is_refused(store, tmp_path, portrait):
    trainings.trained(store, tmp_path / "run")
    other = trainings.build_faces(tmp_path, portrait, seed=1)
    with pytest.raises(ValueError, match="holds a run with other data;"):
        trainings.trained(other, tmp_path / "run")


def test_overwriting_removes_a_run_and_nothing_else(store, tmp_path):
    trainings.trained(store, tmp_path, members=2, epochs=1, tensorboard=True)
    (tmp_path / "notes.txt").write_text("mine")
    again = trainings.trained(store, tmp_path, epochs=2, overwrite=True)
    assert same(again, load_checkpoint(tmp_path / "model.safetensors"))
    assert len(trainings.log(tmp_path)) == 2
    left = {path.name for path in files(tmp_path)}
    assert left == {*FILES, "notes.txt"} - {"curves.png", "samples.png"}


@pytest.mark.parametrize(
    "mistake",
    [
        *({"arguments": {"depth": 3}}, {"size": 40}, {"votes_share": 0.5}),
        *({"model": "knn", "arguments": {}, "out_of_fold": True},),
    ],
)
def test_overwriting_with_invalid_options_removes_nothing(store, tmp_path, mistake):
    trainings.trained(store, tmp_path)
    before = files(tmp_path)
    with pytest.raises(ValueError, match=r"unknown arguments|takes images of|needs votes|needs a network that learns"):
        trainings.trained(store, tmp_path, overwrite=True, **mistake)
    assert files(tmp_path) == before


@pytest.mark.parametrize("options", [{}, {"members": 2, "epochs": 1}, {"model": "knn", "arguments": {}}])
def test_training_leaves_global_generators_unchanged(store, tmp_path, options):
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    trainings.trained(store, tmp_path, augment="strong", **options)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]


def test_tensorboard_events_are_written(store, tmp_path):
    trainings.trained(store, tmp_path, tensorboard=True)
    assert len(list(tmp_path.glob("tensorboard/events.out.tfevents.*"))) == 1


def test_members_are_averaged_into_one_model(store, tmp_path):
    checkpoint = trainings.trained(store, tmp_path, members=3, seed=4)
    members = [load_checkpoint(tmp_path / f"member-{number}" / "model.safetensors") for number in (1, 2, 3)]
    pixels = read_faces(store, ["dev"], checkpoint.input).pixels
    answers = np.stack([classify(member, pixels) for member in members])
    assert classify(load_checkpoint(tmp_path / "model.safetensors"), pixels) == pytest.approx(answers.mean(0), abs=1e-6)
    assert checkpoint.arguments == average_answers(members).arguments  # one form, whoever writes it
    assert [member.training["config"]["seed"] for member in members] == [4, 5, 6]
    assert read_toml(tmp_path / "config.toml")["members"] == 3
    assert [part["scores"] for part in checkpoint.training["members"]] == [member.scores for member in members]
    assert same(members[0], trainings.trained(store, tmp_path / "alone", seed=4))


def test_the_best_of_the_orders_is_kept(store, tmp_path):
    checkpoint = trainings.trained(store, tmp_path, orders=3, choose_by="loss", learning_rate=0.01)
    tried = [load_checkpoint(tmp_path / f"order-{number}" / "model.safetensors") for number in (1, 2, 3)]
    losses = [one.scores["dev"]["log_loss"] for one in tried]
    best = losses.index(min(losses))
    assert len(set(losses)) == 3
    assert checkpoint.training["orders"] == {"values": losses, "best": best + 1}
    assert same(checkpoint, tried[best])
    assert same(tried[1], trainings.trained(store, tmp_path / "alone", order=1, choose_by="loss", learning_rate=0.01))


def test_all_train_learns_from_dev_and_scores_nothing(store, tmp_path):
    checkpoint = trainings.trained(store, tmp_path, all_train=True)
    assert checkpoint.training["pictures"] == 28 + 7
    assert checkpoint.training["chosen_epoch"] == 3
    assert checkpoint.scores == {}
    assert [row.dev_accuracy for row in trainings.log(tmp_path)] == [None] * 3


def test_fold_chooses_on_that_fold(store, tmp_path):
    checkpoint = trainings.trained(store, tmp_path, fold=1)
    held = read_faces(store, ["train"], checkpoint.input, folds=(1, True))
    assert checkpoint.scores["dev"]["n"] == len(held) == 28 - checkpoint.training["pictures"]


def test_validation_and_test_are_never_opened(store, tmp_path):
    shutil.copytree(store.path, tmp_path / "store")
    for shard in [*(tmp_path / "store").glob("validation-*"), *(tmp_path / "store").glob("test-*")]:
        shard.unlink()
    sealed = open_store(tmp_path / "store")
    assert {"validation", "test"} < set(sealed.splits)
    for name, options in {"dev": {}, "fold": {"fold": 0}, "all": {"all_train": True}}.items():
        assert trainings.trained(sealed, tmp_path / name, **options).weights


def test_knn_is_trained_by_the_same_function(store, tmp_path):
    checkpoint = trainings.trained(store, tmp_path, model="knn", arguments={"neighbours": 1})
    train = read_faces(store, ["train"], checkpoint.input)
    loaded = load_checkpoint(tmp_path / "model.safetensors")
    assert (classify(loaded, train.pixels).argmax(1) == train.labels).all()
    assert loaded.scores["dev"]["n"] == 7
    assert same(loaded, trainings.trained(store, tmp_path, model="knn", arguments={"neighbours": 1}))


def test_init_starts_from_the_weights_of_a_model(store, start, tmp_path):
    began = trainings.trained(store, tmp_path, init=str(start), learning_rate=0, classes="")
    assert same(began, load_checkpoint(start))
    learned = trainings.trained(store, tmp_path / "on", init=str(start))
    assert trainings.log(tmp_path / "on")[-1].train_loss < trainings.log(start.parent)[-1].train_loss
    assert learned.input == load_checkpoint(start).input


@pytest.fixture(scope="module")
def other_start(store, tmp_path_factory):
    """Another model file of the same network."""
    folder = tmp_path_factory.mktemp("other")
    trainings.trained(store, folder, scaling="standardised", seed=1)
    return folder / "model.safetensors"


def test_init_averages_several_models(store, start, other_start, tmp_path):
    began = trainings.trained(store, tmp_path, init=f"{start},{other_start}", learning_rate=0)
    one, other = load_checkpoint(start), load_checkpoint(other_start)
    assert not same(one, other)
    for name, weights in began.weights.items():
        np.testing.assert_allclose(weights, (one.weights[name] + other.weights[name]) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"classes": "fer6", "learning_rate": 0}, "answer other classes"),
        ({"scaling": "unit"}, "do not see images alike"),
    ],
)
def test_init_refuses_the_mean_of_models_that_differ(store, start, tmp_path, options, why):
    trainings.trained(store, tmp_path / "other", **options)
    with pytest.raises(ValueError, match=f"have no mean: they {why}"):
        trainings.trained(
            store, tmp_path / "run", init=f"{start},{tmp_path / 'other' / 'model.safetensors'}", new_head=True
        )


def test_other_classes_need_new_head(store, start, tmp_path):
    options = {"init": str(start), "classes": "fer6", "learning_rate": 0}
    with pytest.raises(
        ValueError, match=r"answers angry, disgust, .*and the data have angry, fear, .*; `new_head` trains"
    ):
        trainings.trained(store, tmp_path, **options)
    before, after = load_checkpoint(start), trainings.trained(store, tmp_path, new_head=True, **options)
    fresh = {name for name in after.weights if not np.array_equal(after.weights[name], before.weights[name])}
    assert fresh == {"layers.16.weight", "layers.16.bias"}
    assert after.input == before.input  # the same statistics, although there are fewer images


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (trainings.LENET, r"is 'tuned_five' with .*, and the run trains 'lenet28'"),
        ({"arguments": {"widths": [2, 2, 2, 4]}}, r"'widths': \[4, 4, 4, 8\].*, and the run trains .*\[2, 2, 2, 4\]"),
    ],
)
def test_init_refuses_weights_of_another_network(store, start, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        trainings.trained(store, tmp_path, init=str(start), **options)


def test_a_nan_loss_names_step_and_images(store, start, tmp_path):
    with pytest.raises(TrainingError, match=r"the loss is nan at step 0 \(epoch 1\); try .* The batch: ") as raised:
        trainings.trained(store, tmp_path / "run", init=enlarged(start, tmp_path / "inf.safetensors", torch.inf))
    keys = str(raised.value).partition("The batch: ")[2].split(", ")
    assert len(keys) == 7
    assert set(keys) < set(read_faces(store, ["train"], load_checkpoint(start).input).keys)


def test_nan_answers_on_dev_are_an_error(store, tmp_path):
    trainings.trained(store, tmp_path, **trainings.LENET)
    init = enlarged(tmp_path / "model.safetensors", tmp_path / "large.safetensors", 1e25)
    options = {"optimizer": "sgd", "learning_rate": 100, "batch_size": 28, "schedule": "constant"}
    with pytest.raises(TrainingError, match=r"the answers on dev are no numbers at step 1; try a lower learning_rate"):
        trainings.trained(store, tmp_path / "run", init=init, **trainings.LENET, **options)


def test_divergence_advises_a_lower_rate(store, tmp_path):
    with pytest.raises(TrainingError, match="try a lower learning_rate"):
        trainings.trained(store, tmp_path, **trainings.LENET, optimizer="sgd", learning_rate=100, epochs=20)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "lenet82"}, "unknown model 'lenet82'; known models: emonet"),
        ({"arguments": {"depth": 3}}, "unknown arguments of the model 'tuned_five': depth; known arguments: classes"),
        ({"arguments": {"widths": 3}}, "widths must be 4 values"),
        ({"size": 40}, "tuned_five takes images of 48 pixels and 1 channels, not of 40 and 1"),
        ({"size": 4}, "size must be a whole number of pixels, at least 8, got 4"),
        ({"channels": 3}, "not of 48 and 3"),
        ({"channels": 2}, "channels must be 1 or 3, got 2"),
        ({"scaling": "zscore"}, "scaling must be one of unit, .*, got 'zscore'"),
        ({"classes": "ck8"}, "has no class contempt; its classes are angry"),
        ({"classes": "glee"}, "classes must be one of fer7"),
        ({"classes": "happy"}, "at least two classes"),
        ({"sources": ["jaffe", "fer2013"]}, "no training images from jaffe; there are some from fer2013"),
        ({"sources": ["jaffe"]}, "no training images from jaffe; there are some from fer2013"),
        ({"source_weights": {"jaffe": 2}}, "no training images from jaffe; there are some from fer2013"),
        ({"source_weights": {"fer2013": 0}}, "every image is left out"),
        ({"fold": 3}, "fold 3 is empty; `emonet build --folds N` numbers them from 0"),
        ({"device": "tpu"}, "device must be auto, cuda, mps, cpu"),
        ({"model": "knn", "arguments": {}, "size": 40}, "images"),
        ({"model": "knn", "arguments": {"neighbours": 0}}, "neighbours must be a whole number"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_written(store, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        trainings.trained(store, tmp_path / "run", **options)
    assert files(tmp_path) == {}


def test_a_missing_compiler_is_named_before_anything_is_written(store, tmp_path):
    command = [sys.executable, "-m", "emonet", "train", store.path, "-o", tmp_path / "run", "--compile"]
    environment = os.environ | {"CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "compiled")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "PyTorch cannot compile on this machine" in ended.stderr
    assert "'no-such-compiler'" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("init", "error", "words"),
    [
        ("nowhere.safetensors", FileNotFoundError, "no such model file: nowhere"),
        ("nowhere", ValueError, "no model 'nowhere': there are emonet, emonet_fast"),
        ("emonet_fast,nowhere", ValueError, "no model 'nowhere': there are emonet, emonet_fast"),
        ("emonet_fast,", ValueError, "no model ''"),
    ],
)
def test_a_missing_init_model_is_named(store, tmp_path, init, error, words):
    with pytest.raises(error, match=words):
        trainings.trained(store, tmp_path / "run", init=init)
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    ("options", "config", "words"),
    [
        ({"dev": 0}, {}, "has no split 'dev' to choose the epoch on: build it with --dev, choose on a `fold`, or"),
        ({"folds": 0}, {"fold": 0}, "no images are left to choose on: fold 0 is empty"),
    ],
)
def test_a_run_without_dev_images_is_refused(tmp_path, portrait, options, config, words):
    store = trainings.build_faces(tmp_path, portrait, **options)
    with pytest.raises(ValueError, match=words):
        trainings.trained(store, tmp_path / "run", **config)
    assert not (tmp_path / "run").exists()


def test_a_run_without_training_images_is_refused(store, tmp_path):
    info = replace(store.info, splits={"test": store.info.splits["test"]})
    with pytest.raises(ValueError, match="has nothing to train on: its splits are test"):
        trainings.trained(replace(store, info=info), tmp_path / "run")


def test_the_watch_is_told_what_is_learned_from(store, tmp_path):
    notes = []

    class Listening(trainings.Stopping):
        def note(self, text):
            notes.append(text)

    trainings.trained(store, tmp_path, Listening(), classes="angry,happy,sad,fear,surprise,neutral")
    trainings.trained(store, tmp_path, Listening(), classes="angry,happy,sad,fear,surprise,neutral")
    words = " ".join(notes)
    assert "tuned_five on cpu (" in words
    assert "to choose on: " in words
    assert "disgust" in words
    assert "is finished" in words
