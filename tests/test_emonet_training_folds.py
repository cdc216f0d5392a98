"""Out-of-fold training: each network learns from all folds but one, and gives soft labels to that one."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import trainings

from emonet.faces import read_faces
from emonet.heads import sizes
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.devices import open_machine
from emonet.inference.torch_classifier import TorchClassifier
from emonet.training.heads import check_examples
from emonet.training.teacher_labels import load_teacher_labels

OPTIONS = {"out_of_fold": True, "heads": {"fer2013": 1.0, "seen": 0.5}, "epochs": 2}
LABELS = "teacher_labels.parquet"


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_voted(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture(scope="module")
def run(store, tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("run")
    trainings.trained(store, folder, **OPTIONS)
    return folder


def said(checkpoint, faces, view="mirror"):
    machine = open_machine("cpu", "fp32")
    network = checkpoint.network()
    return TorchClassifier(network, checkpoint.input, machine, view=view, heads=sizes(checkpoint.heads))(faces.pixels)


def fold(store, checkpoint, number):
    return read_faces(store, ["train"], checkpoint.input, folds=(number, True))


def test_each_fold_gets_labels_from_the_network_that_did_not_learn_from_it(store, run):
    labels = load_teacher_labels(run / LABELS)
    for number in range(3):
        network = load_checkpoint(run / f"fold-{number}" / "model.safetensors")
        faces = fold(store, network, number)
        assert network.training["pictures"] == 28 - len(faces)
        assert network.scores["dev"]["n"] == 7
        places = labels.find_rows(faces.keys)
        assert (labels.folds[places] == number).all()
        assert labels.answers[places] == pytest.approx(said(network, faces), abs=1e-6)


def test_dev_images_get_the_mean_of_all_networks(store, run):
    labels = load_teacher_labels(run / LABELS)
    networks = [load_checkpoint(run / f"fold-{number}" / "model.safetensors") for number in range(3)]
    dev = read_faces(store, ["dev"], networks[0].input)
    places = labels.find_rows(dev.keys)
    assert (labels.folds[places] == -1).all()
    mean = np.mean([said(network, dev) for network in networks], axis=0)
    assert labels.answers[places] == pytest.approx(mean, abs=1e-6)
    assert len(labels.keys) == 28 + 7


def test_teacher_labels_file_describes_its_origin(store, run):
    table = pq.read_table(run / LABELS)
    assert table.column_names == ["key", "fold", "fer2013", "seen"]
    assert {len(row) for row in table["seen"].to_pylist()} == {8}
    labels = load_teacher_labels(run / LABELS)
    assert [(head.name, len(head.classes)) for head in labels.heads] == [("fer2013", 7), ("seen", 8)]
    assert labels.about["model"] == "tuned_five"
    assert (labels.about["store"], labels.about["view"]) == (store.identity, "mirror")
    assert labels.about["sources"] == ["fer2013"]


def test_out_of_fold_result_averages_the_networks(store, run):
    checkpoint = load_checkpoint(run / "model.safetensors")
    networks = [load_checkpoint(run / f"fold-{number}" / "model.safetensors") for number in range(3)]
    dev = read_faces(store, ["dev"], checkpoint.input)
    mean = np.mean([said(network, dev, "none") for network in networks], axis=0)
    assert said(checkpoint, dev, "none") == pytest.approx(mean, abs=1e-6)
    assert (checkpoint.training["pictures"], checkpoint.training["teacher_labels"]) == (28, 35)


@pytest.mark.parametrize("options", [{"scaling": "standardised"}, {"balance": "logits"}, {"storage": "disk"}])
def test_networks_of_all_folds_scale_images_alike(store, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    checkpoint = trainings.trained(store, tmp_path / "run", out_of_fold=True, epochs=1, **options)
    networks = [load_checkpoint(tmp_path / "run" / f"fold-{number}" / "model.safetensors") for number in range(3)]
    assert all(network.input == checkpoint.input for network in networks)
    alone = trainings.trained(store, tmp_path / "alone", leave_out=1, epochs=1, **options)
    assert all(np.array_equal(tensor, alone.weights[name]) for name, tensor in networks[1].weights.items())


def test_a_resumed_out_of_fold_run_writes_the_same_labels(store, run, tmp_path):
    for stop in ({"steps": 2}, {"epochs": 1}, {"epochs": 2}, {"steps": 3}, {"epochs": 2}):
        with pytest.raises(KeyboardInterrupt):
            trainings.trained(store, tmp_path, trainings.Stopping(**stop), save_every=0, **OPTIONS)
    trainings.trained(store, tmp_path, **OPTIONS)
    assert (tmp_path / LABELS).read_bytes() == (run / LABELS).read_bytes()


def test_missing_teacher_labels_are_written_again(store, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / LABELS).unlink()
    trainings.trained(store, tmp_path / "run", trainings.Stopping(steps=1), **OPTIONS)
    assert (tmp_path / "run" / LABELS).read_bytes() == (run / LABELS).read_bytes()


def test_with_all_train_the_networks_learn_from_dev_too(store, tmp_path):
    trainings.trained(store, tmp_path, out_of_fold=True, all_train=True, epochs=1, label_view="none")
    labels = load_teacher_labels(tmp_path / LABELS)
    assert sorted(set(labels.folds.tolist())) == [0, 1, 2]
    network = load_checkpoint(tmp_path / "fold-0" / "model.safetensors")
    assert network.training["pictures"] == 35 - (labels.folds == 0).sum()
    faces = fold(store, network, 0)
    assert labels.answers[labels.find_rows(faces.keys)] == pytest.approx(said(network, faces, "none"), abs=1e-6)


def test_overwriting_removes_folds_and_teacher_labels(store, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    trainings.trained(store, tmp_path / "run", overwrite=True, epochs=1)
    assert not list((tmp_path / "run").glob("fold-*/model.safetensors"))
    assert not (tmp_path / "run" / LABELS).exists()


@pytest.mark.parametrize(
    ("folds", "options", "words"),
    [
        (0, {"out_of_fold": True}, "have no folds: `emonet build --folds N` numbers them"),
        (0, {"leave_out": 0}, "have no folds: `emonet build --folds N` numbers them"),
        (3, {"leave_out": 3}, "`leave_out` must be one of the folds 0, 1, 2, got 3"),
        (3, {"out_of_fold": True, "model": "knn", "arguments": {}}, "knn memorises images"),
    ],
)
def test_folds_that_cannot_be_left_out_are_refused(tmp_path, portrait, folds, options, words):
    store = trainings.build_faces(tmp_path, portrait, folds=folds)
    with pytest.raises(ValueError, match=words):
        trainings.trained(store, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"out_of_fold": True, "members": 2},
        {"out_of_fold": True, "orders": 2},
        {"out_of_fold": True, "fold": 0},
        {"out_of_fold": True, "leave_out": 0},
        {"fold": 1, "leave_out": 0},
    ],
)
def test_options_that_contradict_out_of_fold_are_refused(options):
    with pytest.raises(ValueError, match="out_of_fold"):
        trainings.quick(**options)


def test_a_head_without_images_is_refused(store, run):
    checkpoint = load_checkpoint(run / "model.safetensors")
    faces = read_faces(store, ["train"], checkpoint.input)
    check_examples(checkpoint.heads, faces)
    with pytest.raises(ValueError, match="'seen' has nothing to learn from"):
        check_examples(checkpoint.heads, faces.part(faces.votes.sum(1) == 0))
