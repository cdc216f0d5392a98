from dataclasses import replace

import numpy as np
import pytest
import trainings

from emonet.faces import read_faces
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.devices import open_machine
from emonet.inference.torch_classifier import TorchClassifier
from emonet.models.inputs import InputSpec
from emonet.training.heads import plan_heads
from emonet.training.objective import make_targets

CPU = open_machine("cpu", "fp32")


@pytest.fixture(scope="module")
def faces(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("teacher"), portrait)


@pytest.fixture(scope="module")
def teacher(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    trainings.trained(faces, folder / "run", epochs=30)
    return folder / "run" / "model.safetensors"


def said(checkpoint, pixels):
    return TorchClassifier(checkpoint.network(), checkpoint.input, CPU)(pixels)


def first_loss(faces, folder, teachers, **options):
    """Return the loss of an epoch with one batch and a tiny rate, and the student, which has hardly changed."""
    still = {"batch_size": 28, "epochs": 1, "learning_rate": 1e-12, "keep": "last"}
    student = trainings.trained(faces, folder, teacher=list(map(str, teachers)), **still, **options)
    return trainings.log(folder)[0].train_loss, student


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_teacher_share_blends_labels_and_answers(faces, teacher, tmp_path, share, smoothing):
    """Labels are smoothed. Answers are not, because they are soft already."""
    options = {
        "teacher_share": share,
        "smoothing": smoothing,
        "scaling": "centred",
    }  # the teacher scales images in its own way
    loss, student = first_loss(faces, tmp_path / "run", [teacher], **options)
    learned = read_faces(faces, ["train"], student.input)
    labels = (1 - smoothing) * np.eye(7)[learned.labels] + smoothing / 7
    wanted = (1 - share) * labels + share * said(load_checkpoint(teacher), learned.pixels)
    answers = said(student, learned.pixels)
    assert trainings.log(tmp_path / "run")[0].train_accuracy == np.mean(answers.argmax(1) == learned.labels)
    assert loss == pytest.approx(-(wanted * np.log(answers)).sum(1).mean(), rel=1e-4)


def voted(faces, kinds):
    """Give each image the votes that a table has for its label."""
    rows = [kinds[label] for label in faces.labels.tolist()]
    return replace(faces, votes=np.array(rows, np.int16))


def targets_of(learned, **options):
    config = trainings.quick(**options)
    return make_targets(learned, plan_heads(learned, config), config).numpy()


def test_votes_share_learns_the_labels_that_votes_suggest(faces):
    learned = read_faces(faces, ["train"], InputSpec(size=48))
    ballots = {
        label: [10 * (kind == label % 6) for kind in range(10)] for label in range(7)
    }  # labels 0 and 6 get the same votes
    expected = targets_of(voted(learned, ballots), votes_share=1.0)
    assert expected.sum(1) == pytest.approx(1)
    sad, angry = learned.labels == 4, learned.labels == 0
    assert expected[sad, 4].min() > 0.5
    assert expected[angry, 0] == pytest.approx(expected[angry, 6], abs=0.05)


def test_images_without_votes_keep_their_labels(faces):
    learned = read_faces(faces, ["train"], InputSpec(size=48))
    ballots = {label: [10 * (kind == 9 - label) for kind in range(10)] if label else [0] * 10 for label in range(7)}
    half = targets_of(voted(learned, ballots), votes_share=0.5)
    assert half[learned.labels == 0, 0] == pytest.approx(1)
    assert (half[learned.labels == 1].max(1) < 1).all()


def test_votes_must_be_there(faces, tmp_path):
    with pytest.raises(ValueError, match="`emonet build --ferplus` adds them"):
        trainings.trained(faces, tmp_path / "run", votes_share=0.5)


def test_several_teachers_answer_with_their_mean(faces, teacher, tmp_path):
    other = trainings.trained(faces, tmp_path / "other", epochs=2, seed=1)
    both = [teacher, tmp_path / "other" / "model.safetensors"]
    seen = read_faces(faces, ["train"], other.input).pixels
    assert np.abs(said(load_checkpoint(teacher), seen) - said(other, seen)).max() > 0.01
    losses = [first_loss(faces, tmp_path / f"{n}", [one], teacher_share=1.0)[0] for n, one in enumerate(both)]
    together, _ = first_loss(faces, tmp_path / "both", both, teacher_share=1.0)
    assert together == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize(
    "options", [{"augment": "strong"}, {"mixup": 2.0}, {"cutmix": 1.0}, {"scaling": "per_picture"}]
)
def test_a_teacher_sees_the_same_views_as_its_student(faces, tmp_path, options):
    """A network that is its own teacher learns nothing if both see the same views."""
    certain = {"arguments": {"widths": [4, 4, 4, 8], "dropout": [0.0] * 4}, "optimizer": "sgd"}
    teacher = trainings.trained(faces, tmp_path / "teacher", **certain, **options)
    path = str(tmp_path / "teacher" / "model.safetensors")
    taught = {**certain, "init": path, "teacher": [path], "weight_decay": 0, "learning_rate": 0.1, "keep": "last"}
    students = [
        trainings.trained(faces, tmp_path / f"{share}", teacher_share=share, **taught, **options)
        for share in (1.0, 0.5)
    ]
    moved = [
        max(float(np.abs(student.weights[name] - w).max()) for name, w in teacher.weights.items())
        for student in students
    ]
    assert moved[0] < 1e-5
    assert moved[1] > 1e-3


def test_a_student_learns_to_answer_like_its_teacher(faces, teacher, tmp_path):
    options = {"epochs": 30, "keep": "last"}
    students = {
        share: trainings.trained(faces, tmp_path / f"{share}", teacher=[str(teacher)], teacher_share=share, **options)
        for share in (0.0, 1.0)
    }
    seen = read_faces(faces, ["train"], students[0.0].input).pixels
    wanted = said(load_checkpoint(teacher), seen)
    off = {share: np.abs(said(student, seen) - wanted).mean() for share, student in students.items()}
    assert off[1.0] < off[0.0]


def test_a_resumed_run_with_a_teacher_ends_in_the_same_weights(faces, teacher, tmp_path):
    options = {"teacher": [str(teacher)], "mixup": 0.2}
    whole = trainings.trained(faces, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(faces, tmp_path / "stopped", trainings.Stopping(epochs=2), **options)
    again = trainings.trained(faces, tmp_path / "stopped", **options)
    assert all(np.array_equal(tensor, again.weights[name]) for name, tensor in whole.weights.items())


def test_a_teacher_of_other_classes_is_refused(faces, teacher, tmp_path):
    with pytest.raises(ValueError, match="and the data have angry, fear"):
        trainings.trained(faces, tmp_path / "run", teacher=[str(teacher)], classes="fer6")


def test_a_teacher_of_another_image_size_is_refused(faces, teacher, tmp_path):
    small = load_checkpoint(teacher)
    replace(small, input=replace(small.input, size=28)).save(tmp_path / "small.safetensors")
    with pytest.raises(ValueError, match="sees images of 28 pixels and 1 channels, 'tuned_five' of 48 and 1"):
        trainings.trained(faces, tmp_path / "run", teacher=[str(tmp_path / "small.safetensors")])


@pytest.mark.parametrize("options", [{"loss": "hinge"}, {"teacher_share": 1.5}, {"votes_share": -1}])
def test_options_that_contradict_teachers_are_refused(teacher, options):
    with pytest.raises(ValueError, match=r"teacher|votes"):
        trainings.quick(teacher=[str(teacher)], **options)
