"""Networks with several heads: for labels, and for the votes of FER+."""

from dataclasses import replace

import imitations
import numpy as np
import pytest
import torch
import trainings

from emonet.datasets.store.regrouped import regroup
from emonet.errors import OptionError
from emonet.evaluation.votes import seen_majority
from emonet.faces import read_faces
from emonet.heads import SEEN_CLASSES, Head, HeadChoice
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import open_machine
from emonet.labels import Emotion
from emonet.models.inputs import InputSpec
from emonet.training.heads import make_seen_targets, plan_heads
from emonet.training.objective import count_right, make_targets

SEVEN = tuple(Emotion)[:7]
TWO = {"fer2013": 1.0, "seen": 1.0}
WELL = {"epochs": 80, "learning_rate": 0.01, "keep": "last"}
CPU = open_machine("cpu", "fp32")


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    """A store in which four images of five have votes, most of them for the label."""
    return trainings.build_voted(tmp_path_factory.mktemp("voted"), portrait)


@pytest.fixture(scope="module")
def two(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    trainings.trained(store, folder / "run", heads=TWO, **WELL)
    return folder / "run" / "model.safetensors"


def faces_of(store, split="train"):
    return read_faces(store, [split], InputSpec(size=48))


def voted(faces, rows):
    return replace(faces.part(np.arange(len(faces)) < len(rows)), votes=np.array(rows, np.int16))


def test_a_model_file_keeps_its_heads(store, two):
    checkpoint = load_checkpoint(two)
    labels, seen = checkpoint.heads
    assert (labels.name, labels.classes) == ("fer2013", store.classes)
    assert (seen.name, seen.classes) == ("seen", SEEN_CLASSES)
    assert labels.prior == pytest.approx(np.bincount(faces_of(store).labels) / 28)
    assert sum(seen.prior) == pytest.approx(1)
    assert checkpoint.classes == store.classes


def test_each_head_answers_with_probabilities_of_its_own(store, two):
    checkpoint = load_checkpoint(two)
    answers = open_classifier(checkpoint, CPU)(faces_of(store).pixels)
    assert answers.shape[1] == 15
    assert checkpoint.choice("fer2013")(answers).sum(1) == pytest.approx(1, abs=1e-5)
    assert checkpoint.choice("seen")(answers).sum(1) == pytest.approx(1, abs=1e-5)


def test_both_heads_learn(store, two):
    checkpoint = load_checkpoint(two)
    faces = faces_of(store)
    answers = open_classifier(checkpoint, CPU)(faces.pixels)
    clear = seen_majority(faces) >= 0
    assert np.mean(checkpoint.choice("fer2013")(answers).argmax(1) == faces.labels) > 0.5
    assert np.mean(checkpoint.choice("seen")(answers).argmax(1)[clear] == seen_majority(faces)[clear]) > 0.5


def test_dev_is_scored_on_labels_and_votes(two):
    rows = trainings.log(two.parent)
    scores = load_checkpoint(two).scores
    assert rows[-1].dev_seen_accuracy is not None
    assert scores["dev"]["n"] == 7
    assert 0 < scores["dev_seen"]["n"] <= 7


def test_votes_for_no_expression_reduce_the_weight_of_an_image(store):
    rows = [[0, 0, 0, 6, 0, 0, 2, 0, 2, 0], [0, 0, 0, 0, 0, 0, 0, 0, 3, 7], [0] * 10]
    targets = make_seen_targets(voted(faces_of(store), rows))
    assert targets.sum(1) == pytest.approx([0.8, 0, 0])
    assert targets[0, 3] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("votes", "majority"),
    [
        ([0, 0, 0, 6, 0, 0, 4, 0, 0, 0], 3),
        ([0, 0, 0, 5, 0, 0, 5, 0, 0, 0], -1),  # a tie
        ([0, 0, 0, 4, 0, 0, 0, 0, 6, 0], -1),  # most votes are for "unknown"
        ([0, 0, 0, 4, 0, 0, 0, 0, 0, 6], -1),  # most votes are for "not a face"
        ([0] * 10, -1),
    ],
)
def test_majority_needs_more_votes_than_any_other_answer(store, votes, majority):
    assert seen_majority(voted(faces_of(store), [votes])).tolist() == [majority]


def test_an_image_without_votes_teaches_only_the_label_head(store):
    faces = faces_of(store)
    config = trainings.quick(heads={"fer2013": 1.0, "seen": 0.5})
    targets = make_targets(faces, plan_heads(faces, config), config).numpy()
    silent = faces.votes.sum(1) == 0
    assert 0 < silent.sum() < len(faces)
    assert targets[:, :7].sum(1) == pytest.approx(1)
    assert targets[silent, 7:].sum() == 0
    assert targets[~silent, 7:].sum(1) == pytest.approx(0.5 * 0.9)  # one vote of ten is for "unknown"


def test_adding_a_head_keeps_the_weights_of_the_start(store, tmp_path):
    """Heads that the start has keep their weights, whatever other heads there are."""
    one = trainings.trained(store, tmp_path / "one", epochs=5)
    still = {"learning_rate": 1e-12, "keep": "last", "epochs": 1}
    start = str(tmp_path / "one" / "model.safetensors")
    both = trainings.trained(store, tmp_path / "both", init=start, heads={"seen": 1.0, "fer2013": 1.0}, **still)
    pixels = faces_of(store).pixels
    before, after = (open_classifier(model, CPU)(pixels) for model in (one, both))
    assert both.choice("fer2013")(after) == pytest.approx(before, abs=1e-4)


def test_a_teacher_with_one_head_teaches_that_head(store, tmp_path):
    one = trainings.trained(store, tmp_path / "one", **WELL)
    options = {"teacher": [str(tmp_path / "one" / "model.safetensors")], "teacher_share": 1.0, "heads": TWO}
    student = trainings.trained(store, tmp_path / "student", **WELL, **options)
    faces = faces_of(store)
    said, wanted = open_classifier(student, CPU)(faces.pixels), open_classifier(one, CPU)(faces.pixels)
    assert np.mean(student.choice("fer2013")(said).argmax(1) == wanted.argmax(1)) > 0.5
    clear = seen_majority(faces) >= 0
    assert np.mean(student.choice("seen")(said).argmax(1)[clear] == seen_majority(faces)[clear]) > 0.5


def test_members_of_an_average_are_averaged_head_by_head(store, tmp_path):
    both = trainings.trained(store, tmp_path / "run", heads=TWO, members=2)
    members = [load_checkpoint(tmp_path / "run" / f"member-{n}" / "model.safetensors") for n in (1, 2)]
    pixels = faces_of(store).pixels
    said = [open_classifier(one, CPU)(pixels) for one in members]
    assert open_classifier(both, CPU)(pixels) == pytest.approx(np.mean(said, axis=0), abs=1e-5)


def test_a_stopped_run_with_two_heads_ends_in_the_same_weights(store, tmp_path):
    options = {"heads": TWO, "mixup": 0.2}
    whole = trainings.trained(store, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(store, tmp_path / "stopped", trainings.Stopping(epochs=2), **options)
    again = trainings.trained(store, tmp_path / "stopped", **options)
    assert whole.identity == again.identity


def test_adjusted_logits_leave_no_prior(store, tmp_path):
    checkpoint = trainings.trained(store, tmp_path / "run", heads=TWO, balance="logits")
    assert checkpoint.heads[1].prior == pytest.approx([1 / 8] * 8)


@pytest.mark.parametrize(
    ("heads", "words"),
    [
        ({"jaffe": 1.0}, "`heads` must be of seen, labels, fer2013, got jaffe"),
        ({"fer2013": 1.0, "labels": 1.0}, "'labels' has nothing to learn"),
        ({"fer2013": -1.0}, "heads must be numbers from 0 to 1,000"),
        ({"seen": 0}, "a weight above 0"),
    ],
)
def test_heads_that_cannot_learn_are_refused(store, tmp_path, heads, words):
    with pytest.raises(ValueError, match=words):
        trainings.trained(store, tmp_path / "run", heads=heads)


def test_a_head_whose_images_are_never_shown_is_refused(tmp_path, portrait):
    table = trainings.write_faces(tmp_path / "fer2013.csv", portrait)
    jaffe = imitations.write_jaffe(tmp_path / "jaffe", portrait, people=imitations.JAFFE_PEOPLE[:4])
    merged = trainings.build_store(tmp_path / "store", {"fer2013": table, "jaffe": jaffe}, dev=7)
    heads = {"fer2013": 1.0, "jaffe": 1.0}
    with pytest.raises(OptionError, match="the head 'jaffe' has nothing to learn from"):
        trainings.trained(merged, tmp_path / "run", heads=heads, source_weights={"jaffe": 0})
    assert not (tmp_path / "run").exists()
    made = trainings.trained(merged, tmp_path / "run", heads=heads, source_weights={"jaffe": 0.5}, epochs=1)
    assert all(np.isfinite(head.prior).all() for head in made.heads)


@pytest.mark.parametrize("share", [float("nan"), float("inf"), -0.1])
def test_a_prior_must_be_shares(share):
    with pytest.raises(OptionError, match="prior must be a share for each of 2 classes"):
        Head("fer2013", (Emotion.HAPPY, Emotion.SAD), (0.5, share))


def test_each_mixed_image_counts_once_in_the_training_accuracy():
    heads = (Head("fer2013", SEVEN), Head("jaffe", SEVEN), Head("seen", SEEN_CLASSES))
    labels = torch.zeros(5, 22)
    labels[0, 0], labels[0, 7 + 1] = 0.7, 0.3  # mostly of the first data set
    labels[1, 0], labels[1, 7 + 1] = 0.4, 0.6  # mostly of the second
    labels[2, 2], labels[2, 3] = 0.6, 0.4  # both of the first
    labels[:3, 14] = 1.0
    labels[4, 7 + 4] = 1.0
    assert count_right(labels, labels, heads) == 4  # the fourth has no label
    turned = labels.clone()
    turned[0, :7] = torch.eye(7)[5]  # wrong in the head of its larger share alone
    turned[1, :7] = torch.eye(7)[5]  # wrong in the other
    assert count_right(turned, labels, heads) == 3


def test_draws_are_averaged_for_one_head_alone(store, tmp_path):
    options = {"model": "apl_fmp", "arguments": {"draws": 2}, "epochs": 1, "classes": "fer6"}
    with pytest.raises(OptionError, match="draws must be 1 where a network has several heads, here 2, got 2"):
        trainings.trained(store, tmp_path / "run", heads=TWO, **options)
    assert not (tmp_path / "run").exists()


def test_votes_alone_need_votes_to_choose_by(store, tmp_path):
    rows = store.table("train", ["key", "votes"]).to_pylist()
    voted, silent = ([row["key"] for row in rows if has is (sum(row["votes"] or ()) > 0)] for has in (True, False))
    view = regroup(store, {"train": voted, "dev": silent}, {})
    with pytest.raises(OptionError, match=rf"dev has no votes to choose by: none of its {len(silent)} images"):
        trainings.trained(view, tmp_path / "run", heads={"seen": 1.0})
    assert not (tmp_path / "run").exists()
    assert trainings.trained(view, tmp_path / "both", heads=TWO, epochs=1).scores["dev"]
    assert trainings.trained(view, tmp_path / "all", heads={"seen": 1.0}, all_train=True, epochs=1).weights


def test_votes_must_be_there(tmp_path, portrait):
    without = trainings.build_faces(tmp_path / "faces", portrait)
    with pytest.raises(ValueError, match="emonet build --ferplus"):
        trainings.trained(without, tmp_path / "run", heads=TWO)


HEADS = (
    Head("fer2013", (Emotion.HAPPY, Emotion.SAD), (0.75, 0.25)),
    Head("seen", (Emotion.SAD, Emotion.NEUTRAL, Emotion.HAPPY), (0.25, 0.5, 0.25)),
)
SAID = np.float32([[0.6, 0.4, 0.2, 0.6, 0.2]])


@pytest.mark.parametrize(
    ("head", "prior", "answer"),
    [
        ("fer2013", "training", {"happy": 0.6, "sad": 0.4}),
        ("fer2013", "even", {"happy": 1 / 3, "sad": 2 / 3}),
        ("seen", "training", {"sad": 0.2, "neutral": 0.6, "happy": 0.2}),
        ("seen", "even", {"sad": 2 / 7, "neutral": 3 / 7, "happy": 2 / 7}),
        ("mean", "training", {"happy": 0.55, "sad": 0.45}),
    ],
)
def test_head_choice_combines_heads_and_priors(head, prior, answer):
    choice = HeadChoice(HEADS, head, prior)
    assert dict(zip(choice.classes, choice(SAID)[0], strict=True)) == pytest.approx(answer)


@pytest.mark.parametrize(
    ("heads", "head", "prior", "words"),
    [
        (HEADS, "ckplus", "training", "head must be one of fer2013, seen, mean, got 'ckplus'"),
        (HEADS[:1], "mean", "training", "head must be one of fer2013, got 'mean'"),
        (HEADS, "seen", "flat", "prior must be one of training, even, sqrt, got 'flat'"),
        ((Head("seen", SEEN_CLASSES),), "seen", "even", "stores none for seen"),
    ],
)
def test_unknown_head_or_prior_is_refused(heads, head, prior, words):
    with pytest.raises(ValueError, match=words):
        HeadChoice(heads, head, prior)
