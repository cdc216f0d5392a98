from dataclasses import replace

import pytest
import trainings

from emonet.datasets import find_terms
from emonet.evaluation import evaluate
from emonet.evaluation.sizes import SizeScores
from emonet.inference.devices import open_machine
from emonet.report.card import model_card, stored_scores

CPU = open_machine("cpu", "fp32")


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("card"), portrait)


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory):
    def train(**options):
        checkpoint = trainings.trained(store, tmp_path_factory.mktemp("run"), **{"epochs": 1, **options})
        return evaluate(checkpoint, store, name="mine", machine=CPU)

    return train


@pytest.fixture(scope="module")
def evaluation(trained):
    return trained()


def sections(card):
    return [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]


def test_a_card_has_all_that_one_must_know(evaluation):
    card = model_card(evaluation)
    assert card.startswith("# mine: a model card\n")
    assert sections(card) == ["Learned from", "Chosen on", "Figures", "What it sees", "Use", "Limits"]
    assert "fer2013: 28 images. FER2013's images were collected from the web" in card
    assert "squares about the box of the face, with 12.5 % of its width on each side, not turned" in card
    assert "in training, each image was taken as a face" in card
    assert "tuned_five` (widths=[4, 4, 4, 8])" in card
    assert "nan" not in card


def test_it_names_votes_and_teachers(evaluation):
    assert "FER+" not in model_card(evaluation).split("## Chosen on")[0]
    heads = {"heads": {"fer2013": 1.0, "seen": 1.0}}
    taught = {"teacher": ["emonet", "ours"], "teacher_share": 0.4}
    card = write_card(evaluation, heads | taught)
    assert " Its head `seen` learned FER+'s votes. 40% of its targets are answers of `emonet`, `ours`.\n" in card
    given = {"teacher_labels": ["runs/folds"], "teacher_share": 0.4}
    others = "answers of networks that had not learned from the image, from `runs/folds`"
    assert f" 40% of its targets are {others}.\n" in write_card(evaluation, given)
    assert f" `ours`. 40% of the other targets are {others}.\n" in write_card(evaluation, taught | given)


def write_card(evaluation, config):
    """Write the card of a model that was trained with other options."""
    training = evaluation.checkpoint.training
    training = {**training, "config": {**training["config"], **config}}
    return model_card(replace(evaluation, checkpoint=replace(evaluation.checkpoint, training=training)))


def test_the_card_of_an_ensemble_counts_its_networks(trained):
    assert "Network `averaged` (2 x tuned_five): " in model_card(trained(members=2))


@pytest.mark.parametrize("view", ["none", "mirror"])
def test_its_figures_are_those_of_the_evaluation(evaluation, view):
    scores = evaluation.scores[view]["all"]
    assert f"| {view} | all | 7 | {scores.correct} | {scores.accuracy:.2%} |" in model_card(evaluation)


def test_classes_stand_with_what_is_wrong_with_them(evaluation):
    card, scores = model_card(evaluation), evaluation.scores["mirror"]["all"]
    worst = min((one.recall, name) for name, one in scores.classes.items())
    assert f"It recognises least: {worst[1]} ({worst[0]:.0%})" in card
    assert "of 1 " in card.split("Most often it takes ")[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 2}, "Chosen: epoch 2 of 2, by accuracy on dev. Its score there: "),
        ({"all_train": True}, "Chosen: nothing: it learned from train and dev at a fixed schedule.\n"),
    ],
)
def test_it_says_what_was_chosen_on_what(trained, options, words):
    card = model_card(trained(**options)).replace("epoch 1 of 2", "epoch 2 of 2")
    assert words in card
    assert "The split `validation`, whose figures follow: the training neither learned from it nor chose" in card


def test_remarks_and_unknown_sources_are_told(evaluation):
    training = {**evaluation.checkpoint.training, "sources": {"folder": 28}}
    checkpoint = replace(evaluation.checkpoint, training=training, crop=replace(evaluation.checkpoint.crop, margin=0.3))
    card = model_card(replace(evaluation, checkpoint=checkpoint))
    assert f"- folder: 28 images. {find_terms('folder')}" in card
    assert "Note: the faces of the data were cropped differently" in card


def test_sizes_of_faces_are_a_table_where_they_were_scored(evaluation):
    sizes = (SizeScores(48, 7, 0.5, 0.45, {"sad": 0.4, "happy": 0.6}), SizeScores(12, 7, 0.25, 0.2, {"sad": 1.0}))
    assert "px" not in model_card(evaluation)
    card = model_card(replace(evaluation, sizes=sizes))
    assert "| 48 px | 50.00% | 0.4500 | happy (60.0% of the answers) |\n" in card
    assert "| 12 px | 25.00% | 0.2000 | sad (100.0% of the answers) |\n" in card


def test_a_perfect_model_takes_nothing_for_anything_else(evaluation):
    scores = evaluation.scores["mirror"]["all"]
    perfect = replace(scores, confusion=tuple(tuple(int(i == j) for j in range(7)) for i in range(7)))
    card = model_card(replace(evaluation, scores={"mirror": {"all": perfect}}))
    assert "Most often" not in card


def test_a_file_is_given_the_figures_by_split_and_view(evaluation):
    stored = stored_scores(evaluation)
    assert stored["validation"]["mirror"]["all"]["n"] == 7
    assert list(stored["validation"]) == ["none", "mirror"]
