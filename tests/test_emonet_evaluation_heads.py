"""Evaluations of models with several heads: whose answer is scored, and the table of all of them."""

import importlib.util
import json
from dataclasses import replace

import evaluations
import imitations
import numpy as np
import pytest
import trainings
from typer.testing import CliRunner

from emonet.commands import app
from emonet.errors import OptionError
from emonet.evaluation import evaluate
from emonet.evaluation.head_scores import list_choices, score_heads
from emonet.heads import Head, HeadChoice
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import open_machine
from emonet.labels import Emotion
from emonet.protocols import LearningCurve, OfficialSplits, run_protocol
from emonet.report.card import model_card, stored_scores

CPU = open_machine("cpu", "fp32")
CHOICES = [(head, prior) for head in ("seen", "fer2013", "mean") for prior in ("training", "even", "sqrt")]


@pytest.fixture(scope="module", autouse=True)
def at_once():
    """Without timing answers and drawing curves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emonet.evaluation.cost.SECONDS", 1e-9)
        trainings.fit_on_few(patch)
        patch.setattr("emonet.training.record.draw_curves", lambda *_, **__: None)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    """Faces of seven classes that people voted on."""
    return trainings.build_voted(tmp_path_factory.mktemp("voted"), portrait)


@pytest.fixture(scope="module")
def model(tmp_path_factory, store):
    """A model whose first head is that of the votes."""
    folder = tmp_path_factory.mktemp("run")
    trainings.trained(store, folder, epochs=1, heads={"seen": 1, "fer2013": 1})
    return folder / "model.safetensors"


@pytest.fixture(scope="module")
def checkpoint(model):
    return load_checkpoint(model)


@pytest.mark.parametrize(("head", "prior"), CHOICES)
def test_the_answer_of_any_head_and_prior_is_scored(store, checkpoint, head, prior):
    found = evaluate(checkpoint, store, views=("none",), machine=CPU, head=head, prior=prior)
    expected = checkpoint.choice(head, prior)(open_classifier(checkpoint, CPU)(found.faces.pixels))
    assert found.answers["none"] == pytest.approx(expected)
    assert found.faces.classes == checkpoint.choice(head, prior).classes
    assert (found.to_dict()["head"], found.to_dict()["prior"]) == (head, prior)
    (row,) = (row for row in found.by_head["none"] if (row.head, row.prior) == (head, prior))
    assert row.labels.correct == found.scores["none"]["all"].correct
    assert row.seen == found.votes["none"].majority


def test_the_default_head_of_the_file_is_scored(store, checkpoint):
    assert evaluate(checkpoint, store, machine=CPU).head == "seen"
    named = replace(checkpoint, default_head="mean", default_prior="sqrt")
    found = evaluate(named, store, machine=CPU)
    assert (found.head, found.prior) == ("mean", "sqrt")
    assert found.remarks == ()
    assert "the data know no contempt" in evaluate(named, store, machine=CPU, head="seen").remarks[0]


def test_every_head_and_prior_has_a_row_for_each_view(store, checkpoint):
    told = json.loads(json.dumps(evaluate(checkpoint, store, machine=CPU).to_dict(), allow_nan=False))
    for view in ("none", "mirror"):
        assert [(row["head"], row["prior"]) for row in told["heads"][view]] == CHOICES
        assert {row["labels"]["n"] for row in told["heads"][view]} == {told["scores"][view]["all"]["n"]}
        assert told["votes"][view]["majority"]["n"] == told["heads"][view][0]["seen"]["n"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "seen"}, "head must be one of fer2013, got 'seen'"),
        ({"head": "mean"}, "head must be one of fer2013, got 'mean'"),
        ({"prior": "even"}, "prior=even needs the shares of the classes in training, and the model stores none"),
        ({"prior": "flat"}, "prior must be one of training, even, sqrt, got 'flat'"),
    ],
)
def test_impossible_heads_and_priors_are_refused_before_data_are_read(options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(evaluations.checkpoint(hidden=4), evaluations.store(), machine=CPU, **options)


def test_scores_of_heads_and_priors_worked_out_by_hand():
    """The network saw the first class three times as often; the second head has other classes."""
    angry, sad, happy = Emotion.ANGRY, Emotion.SAD, Emotion.HAPPY
    heads = (Head("fer2013", (angry, sad), (0.75, 0.25)), Head("seen", (angry, sad, happy)))
    given = np.array([[0.6, 0.4, 0.1, 0.2, 0.7], [0.9, 0.1, 0.8, 0.1, 0.1]])
    votes = np.zeros((2, 10), int)
    votes[0, 3] = votes[1, 0] = 10
    rows = score_heads(heads, given, evaluations.faces([1, 0], classes=(angry, sad), votes=votes))
    found = {(row.head, row.prior): (row.labels.accuracy, row.seen.accuracy) for row in rows}
    assert found == {
        ("fer2013", "training"): (0.5, 0.5),
        ("fer2013", "even"): (1.0, 0.5),
        ("fer2013", "sqrt"): (1.0, 0.5),
        ("seen", "training"): (0.5, 1.0),
        ("mean", "training"): (1.0, 0.5),
    }


def test_a_model_of_one_head_has_no_mean():
    assert [choice.head for choice in list_choices((Head("fer2013", evaluations.SEVEN),))] == ["fer2013"]


@pytest.mark.parametrize("first", [(Emotion.ANGRY, Emotion.SAD), (Emotion.ANGRY, Emotion.HAPPY)])
def test_heads_that_share_fewer_than_two_classes_have_no_mean(first):
    heads = (Head("fer2013", first), Head("jaffe", (Emotion.HAPPY, Emotion.NEUTRAL)))
    assert [choice.head for choice in list_choices(heads)] == ["fer2013", "jaffe"]
    with pytest.raises(OptionError, match="one of fer2013, jaffe, got 'mean': the heads share fewer than two"):
        HeadChoice(heads, "mean")


def test_the_command_shows_votes_and_the_table(store, model):
    options = ["--head", "mean", "--prior", "even", "--views", "none", "--device", "cpu", "--split", "dev"]
    result = CliRunner().invoke(app, ["evaluate", str(model), str(store.path), *options])
    assert result.exit_code == 0
    assert "answers of the head mean, with the prior even" in result.stdout
    assert "Of the voters, two agree with each other in " in result.stdout
    assert [line.split()[:3] for line in result.stdout.splitlines() if "*" in line] == [["mean", "*", "even"]]
    assert "This is dev: a default head and prior may be chosen by this table." in result.stdout
    assert "…" not in result.stdout


def test_the_card_and_the_file_have_both_label_systems(store, checkpoint):
    found = evaluate(checkpoint, store, name="mine", machine=CPU, head="fer2013")
    card = model_card(found)
    assert "That is the answer of `fer2013` with the prior `training`; its heads are `seen`, `fer2013`." in card
    assert "--split validation --head fer2013`" in card
    assert f"| mirror | {found.votes['mirror'].majority.n:,} |" in card
    assert "| fer2013 * | training |" in card
    assert "must be chosen on dev, not by this table, which is of validation" in card
    stored = stored_scores(found)["validation"]["mirror"]
    assert set(stored) == {"all", "votes", "heads"}


@pytest.fixture
def tool(root, tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("bundle_model", root / "tools" / "bundle_model.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(tool, "FOLDER", tmp_path)
    return tool


def test_bundled_models_may_be_given_a_default(tool, store, model, tmp_path):
    tool.bundle(model, store.path, "emonet_fast", default_head="mean", default_prior="even", note="By lot.")
    bundled = load_checkpoint(tmp_path / "emonet_fast.safetensors")
    assert (bundled.default_head, bundled.default_prior) == ("mean", "even")
    assert {"all", "votes", "heads"} == set(bundled.scores["validation"]["none"])
    assert "\n\nBy lot.\n\n## Figures\n" in (tmp_path / "emonet_fast.md").read_text()
    assert "| mean * | even |" in (tmp_path / "emonet_fast.md").read_text()
    assert {(one.head, one.prior, one.view) for one in bundled.coverage} == {
        ("mean", "even", "none"),
        ("mean", "even", "mirror"),
    }
    assert "| 100.0% |" in (tmp_path / "emonet_fast.md").read_text().partition("## Sure answers")[2]
    with pytest.raises(ValueError, match="head must be one of seen, fer2013, mean, got 'labels'"):
        tool.bundle(model, store.path, "emonet", default_head="labels")
    assert not (tmp_path / "emonet.safetensors").exists()


def test_a_bundled_model_that_learned_from_dev_has_a_twin_that_did_not(tool, store, model, tmp_path):
    tool.bundle(model, store.path, "emonet_fast", default_head="mean", default_prior="even")
    twin = load_checkpoint(tmp_path / "emonet_fast.safetensors")
    training = {**twin.training, "config": {**twin.training["config"], "all_train": True}}
    whole = replace(twin, training=training, scores={}, coverage=(), heads=load_checkpoint(model).heads)
    whole.save(tmp_path / "whole.safetensors")
    with pytest.raises(ValueError, match="learned from dev"):
        tool.bundle(tmp_path / "whole.safetensors", store.path, "emonet")
    tool.bundle(tmp_path / "whole.safetensors", store.path, "emonet", twin=twin.path)
    bundled, card = load_checkpoint(tmp_path / "emonet.safetensors"), (tmp_path / "emonet.md").read_text()
    assert bundled.heads == twin.heads != whole.heads
    assert [one.points for one in bundled.coverage] == [one.points for one in twin.coverage]
    assert "dev (by its twin)" in card
    assert f"A twin, which did not learn from dev, has {twin.scores['dev']['accuracy']:.2%} of its 7 images" in card
    with pytest.raises(ValueError, match="the twin learned from dev, too"):
        tool.bundle(tmp_path / "whole.safetensors", store.path, "emonet", twin=tmp_path / "emonet.safetensors")
    tool.bundle(tmp_path / "whole.safetensors", store.path, "emonet_fast", twin=twin.path)  # which it replaces
    assert load_checkpoint(twin.path).heads == bundled.heads


def test_protocols_score_labels_by_their_head(store, tmp_path):
    """The first head is that of the votes, and would answer by default."""
    config = trainings.quick(epochs=1, heads={"seen": 1, "fer2013": 1})
    result = run_protocol(OfficialSplits(), store, config, tmp_path)
    (outcome,) = (one.outcomes["validation"] for one in result.rounds)
    made = load_checkpoint(tmp_path / "fer2013" / "model.safetensors")
    assert outcome.scores["none"]["all"] == evaluate(made, store, machine=CPU, head="fer2013").scores["none"]["all"]
    assert json.loads((tmp_path / "protocol.json").read_text())["rounds"][0]["scored"]["test"]["head"] == "fer2013"


def test_protocols_refuse_labels_of_several_heads_before_training(portrait, tmp_path):
    table = trainings.write_faces(tmp_path / "fer2013.csv", portrait)
    jaffe = imitations.write_jaffe(tmp_path / "jaffe", portrait, people=imitations.JAFFE_PEOPLE[:4])
    shares = {"train": 0.6, "validation": 0.4}
    merged = trainings.build_store(tmp_path / "store", {"fer2013": table, "jaffe": jaffe}, dev=7, shares=shares)
    with pytest.raises(ValueError, match="fer2013, jaffe have fer2013, jaffe: give `heads` 'labels'"):
        run_protocol(LearningCurve((1,)), merged, trainings.quick(heads={"fer2013": 1, "jaffe": 1}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
