"""Fixed views of each image, and the teachers' answers to them, which are kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trainings

from emonet.faces import read_faces
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.devices import open_machine
from emonet.inference.torch_classifier import TorchClassifier
from emonet.models.inputs import InputSpec
from emonet.training.distributed import Processes
from emonet.training.feeding import ImageFeed, Planner, TensorFeed
from emonet.training.sampling import Sampling
from emonet.training.teacher_answers import open_answers
from emonet.training.teacher_labels import TeacherLabels

ANSWERS = "teacher_answers.bin"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_voted(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture(scope="module")
def teachers(store, tmp_path_factory):
    """Two model files."""
    folder = tmp_path_factory.mktemp("teachers")
    for seed in (0, 1):
        trainings.trained(store, folder / f"{seed}", epochs=8, seed=seed, heads={"fer2013": 1.0, "seen": 1.0})
    return [str(folder / f"{seed}" / "model.safetensors") for seed in (0, 1)]


def same(one, other):
    return all(np.array_equal(tensor, other.weights[name]) for name, tensor in one.weights.items())


@pytest.mark.parametrize("feed", [ImageFeed, TensorFeed])
@pytest.mark.parametrize("options", [{}, {"oversample": {"sad": 3.0, "happy": 0.5}}])
def test_teacher_views_repeat_the_views_of_images(store, feed, options):
    faces = read_faces(store, ["train"], InputSpec(size=48))
    config = trainings.quick(augment="strong", teacher=["emonet"], teacher_views=2, **options)
    batches = feed(faces.pixels, Planner(Sampling(faces, config), Processes()), config, CPU).make_batches(0, 0, 4)
    seen = [{} for _ in range(4)]
    for batch in batches:
        for place, pixels in zip(batch.places.tolist(), batch.pixels, strict=True):
            seen[batch.plan.epoch].setdefault(place, pixels)
            assert torch.equal(seen[batch.plan.epoch][place], pixels)
    for early, late in ((0, 2), (1, 3)):
        both = seen[early].keys() & seen[late].keys()
        assert len(both) > 20
        assert all(torch.equal(seen[early][place], seen[late][place]) for place in both)
    assert not all(torch.equal(seen[0][place], seen[1][place]) for place in seen[0].keys() & seen[1].keys())


@pytest.mark.parametrize("options", [{}, {"mixup": 1.0, "cutmix": 1.0}, {"augment_with": "torch"}])
def test_teachers_are_asked_once_for_each_view(store, teachers, tmp_path, monkeypatch, options):
    asked = []
    answers = TorchClassifier.answers
    monkeypatch.setattr(TorchClassifier, "answers", lambda self, x: asked.append(len(x)) or answers(self, x))
    options = {"augment": "strong", "all_train": True, "epochs": 5, **options}
    trainings.trained(store, tmp_path, teacher=teachers, teacher_views=2, **options)
    assert sum(asked) == 2 * 2 * 35


def test_few_images_are_shown_in_other_views_and_not_several_times_in_one(store, teachers, tmp_path):
    options = {"teacher": teachers, "teacher_views": 4, "augment": "strong"}
    trainings.trained(store, tmp_path / "passes", epochs=2, epoch_images=56, **options)
    trainings.trained(store, tmp_path / "epochs", epochs=4, **options)
    passes, epochs = (trainings.log(tmp_path / name) for name in ("passes", "epochs"))
    assert [row.train_loss for row in passes] == [row.train_loss for row in epochs]


def test_kept_answers_equal_live_answers(store, teachers, tmp_path):
    options = {"teacher": teachers, "teacher_share": 1.0, "epochs": 4, "heads": {"fer2013": 1.0, "seen": 0.5}}
    live = trainings.trained(store, tmp_path / "live", **options)
    kept = trainings.trained(store, tmp_path / "kept", teacher_views=1, **options)
    losses = [[row.train_loss for row in trainings.log(tmp_path / name)] for name in ("live", "kept")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert max(float(np.abs(kept.weights[name] - w).max()) for name, w in live.weights.items()) < 1e-2


def test_kept_answers_are_mixed_like_labels(store, teachers, tmp_path):
    """Without augmentation all views are equal, so kept answers work like a file of teacher labels."""
    teacher = load_checkpoint(teachers[0])
    faces = read_faces(store, ["train"], teacher.input)
    classify = TorchClassifier(teacher.network(), teacher.input, open_machine("cpu", "fp32"), heads=(7, 8))
    labels = TeacherLabels(faces.keys, np.zeros(28, np.int64), classify(faces.pixels), teacher.heads, {})
    labels.save(tmp_path / "labels.parquet")
    options = {"mixup": 1.0, "heads": {"fer2013": 1.0, "seen": 1.0}}
    trainings.trained(store, tmp_path / "file", teacher_labels=[str(tmp_path / "labels.parquet")], **options)
    trainings.trained(store, tmp_path / "views", teacher=teachers[:1], teacher_views=1, **options)
    losses = [[row.train_loss for row in trainings.log(tmp_path / name)] for name in ("file", "views")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


RESUMED = {
    "mixed": {"augment": "strong", "mixup": 0.5, "oversample": {"sad": 2.5}},
    "by torch": {"augment": "strong", "augment_with": "torch", **trainings.FAST},
    "some images an epoch": {"epochs": 6, "heads": {"fer2013": 1.0, "seen": 0.5}, "source_weights": {"fer2013": 0.6}},
}


@pytest.mark.parametrize("options", RESUMED.values(), ids=RESUMED)
def test_a_resumed_run_with_kept_answers_ends_in_the_same_weights(store, teachers, tmp_path, options):
    options = {"teacher": teachers, "teacher_views": 2, "epochs": 4, **options}
    whole = trainings.trained(store, tmp_path / "whole", **options)
    for stop in ({"steps": 1}, {"steps": 3}, {"epochs": 1}, {"steps": 2}, {"epochs": 1}, {"steps": 3}):
        with pytest.raises(KeyboardInterrupt):
            trainings.trained(store, tmp_path / "run", trainings.Stopping(**stop), save_every=0, **options)
    assert (tmp_path / "run" / ANSWERS).exists()
    assert same(whole, trainings.trained(store, tmp_path / "run", **options))
    assert not list(tmp_path.rglob(ANSWERS))
    assert not list(tmp_path.rglob("*-part"))


@pytest.mark.parametrize("left", [None, b"", b"half a file"])
def test_missing_answers_are_asked_for_again(store, teachers, tmp_path, left):
    options = {"teacher": teachers, "teacher_views": 2, "epochs": 4, "augment": "strong", "batch_size": 28}
    whole = trainings.trained(store, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(store, tmp_path / "run", trainings.Stopping(epochs=3), **options)
    (tmp_path / "run" / ANSWERS).unlink()
    if left is not None:
        (tmp_path / "run" / ANSWERS).write_bytes(left)
    again = trainings.trained(store, tmp_path / "run", **options)
    assert max(float(np.abs(again.weights[name] - w).max()) for name, w in whole.weights.items()) < 1e-3


def test_answers_of_another_run_are_not_used(store, teachers, tmp_path):
    """The other run was stopped before it saved a state, which would have been refused."""
    options = {"teacher_views": 2, "augment": "strong"}
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(store, tmp_path / "run", trainings.Stopping(steps=2), teacher=teachers[:1], **options)
    assert (tmp_path / "run" / ANSWERS).exists()
    other = trainings.trained(store, tmp_path / "run", teacher=teachers[1:], **options)
    assert same(other, trainings.trained(store, tmp_path / "clean", teacher=teachers[1:], **options))


def test_members_keep_answers_of_their_own(store, teachers, tmp_path):
    options = {"teacher": teachers, "teacher_views": 2, "augment": "strong"}
    trainings.trained(store, tmp_path / "both", members=2, **options)
    second = load_checkpoint(tmp_path / "both" / "member-2" / "model.safetensors")
    assert same(second, trainings.trained(store, tmp_path / "second", seed=1, **options))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"teacher_views": 2}, "`teacher_views` belongs to `teacher`"),
        ({"teacher_views": 2, "teacher": ["emonet"], "augment_from": {"2": "none"}}, "leave out `augment_from`"),
        ({"teacher_views": 2, "teacher": ["emonet"], "repeats": 2}, "leave out `repeats`"),
        ({"teacher_views": -1, "teacher": ["emonet"]}, "teacher_views must be a number from 0 to 1,000, got -1"),
    ],
)
def test_options_that_contradict_teacher_views_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        trainings.quick(**options)


def test_a_live_teacher_changes_no_view(store):
    faces = read_faces(store, ["train"], InputSpec(size=48))
    config = trainings.quick(augment="strong")
    live = replace(config, teacher=("emonet",))
    plan = Planner(Sampling(faces, config), Processes())
    one, other = (list(ImageFeed(faces.pixels, plan, each, CPU).make_batches(0, 0, 2)) for each in (config, live))
    assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(one, other, strict=True))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not list what is mapped")
def test_the_file_of_answers_is_renamed_when_nothing_maps_it(tmp_path, monkeypatch):
    """Windows renames no file that is mapped."""
    mapped = []
    rename = Path.replace

    def look(path, target):
        mapped.append(str(path) in Path("/proc/self/maps").read_text())
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", look)
    answers = open_answers(tmp_path / ANSWERS, (2, 3, 7), Processes(), fresh=True)
    assert mapped == [False]
    assert ANSWERS in Path("/proc/self/maps").read_text()  # what is used is
    assert np.isnan(answers.read(1, np.array([0, 2]))).all()
