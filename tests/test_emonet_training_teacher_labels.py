"""Teacher labels from a file, and their share of the targets."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import trainings

from emonet.faces import read_faces
from emonet.heads import SEEN, SEEN_CLASSES, Head
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.devices import open_machine
from emonet.inference.torch_classifier import TorchClassifier
from emonet.models.inputs import InputSpec
from emonet.training.objective import blend_labels
from emonet.training.teacher_labels import TeacherLabels, load_teacher_labels

STILL = {"batch_size": 28, "epochs": 1, "learning_rate": 1e-12, "keep": "last"}


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_voted(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture(scope="module")
def learned(store):
    return read_faces(store, ["train"], InputSpec(size=48))


def head(faces, name="fer2013"):
    return Head(name, faces.classes)


def some_labels(faces, *, chance=0, heads=(), count=None, folds=None):
    """Make random soft labels for the first images."""
    heads = heads or (head(faces),)
    keys = faces.keys[:count]
    drawn = np.random.default_rng(chance)
    parts = [drawn.dirichlet(np.ones(len(one.classes)), len(keys)).astype(np.float32) for one in heads]
    folds = np.zeros(len(keys), np.int64) if folds is None else folds
    return TeacherLabels(keys, folds, np.concatenate(parts, axis=1), tuple(heads), {"sources": ["fer2013"]})


@pytest.fixture
def write(tmp_path):
    """Write labels; return the path."""
    count = iter(range(100))

    def save(labels):
        path = tmp_path / f"{next(count)}.parquet"
        labels.save(path)
        return str(path)

    return save


def said(checkpoint, pixels):
    return TorchClassifier(checkpoint.network(), checkpoint.input, open_machine("cpu", "fp32"))(pixels)


def test_teacher_labels_are_read_back_unchanged(learned, tmp_path):
    folds = np.array([0, 1, -1, 2] * 7)
    labels = some_labels(learned, heads=(head(learned), Head(SEEN, SEEN_CLASSES)), folds=folds)
    labels.save(tmp_path / "labels.parquet")
    again = load_teacher_labels(tmp_path / "labels.parquet")
    assert (again.keys, again.heads, again.about) == (labels.keys, labels.heads, labels.about)
    assert (again.folds == folds).all()
    assert (again.answers == labels.answers).all()
    assert again.identity == labels.identity != some_labels(learned, chance=1).identity


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_teacher_labels_blend_with_smoothed_labels(store, learned, write, tmp_path, share):
    labels = some_labels(learned, count=20)
    options = {"teacher_labels": [write(labels)], "teacher_share": share, "smoothing": 0.1}
    student = trainings.trained(store, tmp_path / "run", **STILL, **options)
    wanted = 0.9 * np.eye(7)[learned.labels] + 0.1 / 7
    wanted[:20] = (1 - share) * wanted[:20] + share * labels.answers  # the other 8 keep their targets
    answers = said(student, learned.pixels)
    (row,) = trainings.log(tmp_path / "run")
    assert row.train_loss == pytest.approx(-(wanted * np.log(answers)).sum(1).mean(), rel=1e-4)
    assert row.train_accuracy == np.mean(answers.argmax(1) == learned.labels)


def test_several_files_are_averaged_for_each_image_and_head(learned):
    heads = (head(learned), Head(SEEN, SEEN_CLASSES))
    both, one = some_labels(learned, heads=heads, count=20), some_labels(learned, chance=1, count=10)
    targets = torch.zeros(28, 15)
    config = trainings.quick(teacher_share=1.0, heads={"fer2013": 1.0, "seen": 0.5})
    blended = blend_labels(targets, [both, one], learned, heads, config).numpy()
    assert blended[:10, :7] == pytest.approx((both.answers[:10, :7] + one.answers[:10]) / 2, abs=1e-6)
    assert blended[10:20, :7] == pytest.approx(both.answers[10:, :7], abs=1e-6)
    assert blended[:20, 7:] == pytest.approx(
        both.answers[:, 7:] / 2, abs=1e-6
    )  # the loss of this head has the weight 0.5
    assert (blended[20:] == 0).all()


@pytest.mark.parametrize("options", [{"mixup": 1.0}, {"cutmix": 1.0, "augment": "strong"}])
def test_teacher_labels_are_mixed_like_labels(store, learned, write, tmp_path, options):
    """Teacher labels that equal the labels change nothing."""
    labels = replace(some_labels(learned), answers=np.eye(7, dtype=np.float32)[learned.labels])
    plain = trainings.trained(store, tmp_path / "plain", **options)
    taught = trainings.trained(store, tmp_path / "taught", teacher_labels=[write(labels)], teacher_share=1.0, **options)
    assert all(np.array_equal(tensor, taught.weights[name]) for name, tensor in plain.weights.items())


def test_live_teachers_take_their_share_after_teacher_labels(store, learned, write, tmp_path):
    trainings.trained(store, tmp_path / "teacher", epochs=5)
    path = tmp_path / "teacher" / "model.safetensors"
    labels = some_labels(learned)
    options = {"teacher": [str(path)], "teacher_labels": [write(labels)], "teacher_share": 0.5}
    student = trainings.trained(store, tmp_path / "run", **STILL, **options)
    answered = said(load_checkpoint(path), learned.pixels)
    wanted = 0.25 * np.eye(7)[learned.labels] + 0.25 * labels.answers + 0.5 * answered
    loss = -(wanted * np.log(said(student, learned.pixels))).sum(1).mean()
    assert trainings.log(tmp_path / "run")[0].train_loss == pytest.approx(loss, rel=1e-4)


def notes_of(store, folder, **options):
    class Listening(trainings.Stopping):
        def note(self, text):
            notes.append(text)

    notes = []
    trainings.trained(store, folder, Listening(), epochs=1, **options)
    return " ".join(notes)


def test_images_without_teacher_labels_are_counted(store, learned, write, tmp_path):
    words = notes_of(store, tmp_path / "run", teacher_labels=[write(some_labels(learned, count=20))])
    assert "; teacher labels for 20 of 28; to choose on" in words


def test_a_note_warns_of_teachers_that_learned_from_dev(store, learned, write, tmp_path):
    path = write(some_labels(learned))
    assert "teacher labels for" in (words := notes_of(store, tmp_path / "run", teacher_labels=[path], fold=0))
    held = len(read_faces(store, ["train"], InputSpec(size=48), folds=(0, True)))
    assert f"their networks learned from {held} of those to choose on" in words


def test_labels_of_another_data_set_are_refused(store, learned, write, tmp_path):
    labels = some_labels(learned)
    path = write(replace(labels, keys=[f"other/{key}" for key in labels.keys]))
    with pytest.raises(ValueError, match=r"was made for another data set: .* for 0 of the 28 training images"):
        trainings.trained(store, tmp_path / "run", teacher_labels=[path])
    assert not (tmp_path / "run").exists()


def test_labels_of_other_classes_or_heads_are_refused(store, learned, write, tmp_path):
    heads = {"heads": {"fer2013": 1.0, "seen": 1.0}}
    with pytest.raises(ValueError, match="and the data have angry, fear"):
        trainings.trained(store, tmp_path / "run", teacher_labels=[write(some_labels(learned))], classes="fer6")
    other = write(some_labels(learned, heads=(head(learned, "jaffe"),)))
    with pytest.raises(ValueError, match="has the heads jaffe, and the run none of them: fer2013, seen"):
        trainings.trained(store, tmp_path / "run", teacher_labels=[other], **heads)


@pytest.mark.parametrize("spoil", ["nothing", "half", "plain", "null", "format"])
def test_damaged_teacher_labels_are_refused(store, learned, tmp_path, spoil):
    path = tmp_path / "labels.parquet"
    some_labels(learned).save(path)
    table = pq.read_table(path)
    if spoil == "nothing":
        path.write_bytes(b"")
    elif spoil == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif spoil == "plain":
        pq.write_table(table.replace_schema_metadata({}), path)
    elif spoil == "null":
        pq.write_table(table.set_column(2, "fer2013", [[None] * 28]), path)
    else:
        pq.write_table(table.replace_schema_metadata({"emonet.teacher_labels": '{"format": 9}'}), path)
    with pytest.raises(ValueError, match=r"labels\.parquet is no file of teacher labels, or a damaged one"):
        trainings.trained(store, tmp_path / "run", teacher_labels=[str(path)])


def test_missing_teacher_labels_are_named(store, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file of teacher labels: nowhere\.parquet"):
        trainings.trained(store, tmp_path / "run", teacher_labels=["nowhere.parquet"])


@pytest.mark.parametrize(
    "changes",
    [
        {"answers": np.full((28, 7), np.nan, np.float32)},
        {"answers": np.full((28, 6), 1 / 6, np.float32)},
        {"folds": np.zeros(3, np.int64)},
        {"keys": ["one"] * 28},
    ],
)
def test_impossible_teacher_labels_are_refused(learned, changes):
    with pytest.raises(ValueError, match=r"probabilities|answers|only once"):
        replace(some_labels(learned), **changes)


@pytest.mark.parametrize("kind", ["teacher", "teacher_labels", "init"])
def test_resume_refuses_a_changed_file_of_the_same_name(store, learned, tmp_path, kind):
    path = tmp_path / "taught.file"
    for seed in (0, 1):
        if kind == "teacher_labels":
            some_labels(learned, chance=seed).save(path)
        else:
            trainings.trained(store, tmp_path / f"{seed}", epochs=1, seed=seed).save(path)
        options = {kind: str(path) if kind == "init" else [str(path)]}
        if seed == 0:
            with pytest.raises(KeyboardInterrupt):
                trainings.trained(store, tmp_path / "run", trainings.Stopping(epochs=1), **options)
    with pytest.raises(ValueError, match=f"holds a run with other content of {kind};"):
        trainings.trained(store, tmp_path / "run", **options)


def test_a_resumed_run_with_teacher_labels_ends_in_the_same_weights(store, learned, write, tmp_path):
    options = {"teacher_labels": [write(some_labels(learned))], "mixup": 0.2}
    whole = trainings.trained(store, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(store, tmp_path / "stopped", trainings.Stopping(epochs=2), **options)
    again = trainings.trained(store, tmp_path / "stopped", **options)
    assert all(np.array_equal(tensor, again.weights[name]) for name, tensor in whole.weights.items())
