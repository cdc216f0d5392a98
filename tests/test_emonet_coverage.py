"""`--coverage`: how many faces are answered by the least confidence, as it was measured, stored and asked for."""

import json

import evaluations
import numpy as np
import pytest
from two_heads import two_heads
from typer.testing import CliRunner

from emonet import DoubtRules, EmotionPredictor
from emonet.commands import app
from emonet.errors import MissingFileError, OptionError
from emonet.evaluation.coverage import find_points, read_curves
from emonet.inference.checkpoint import load_checkpoint, set_coverage
from emonet.inference.coverage import CoverageCurve, CoveragePoint
from emonet.inference.loading import BUNDLED, load_model
from emonet.inference.model_file import LEARNED_DEV
from emonet.prediction.doubts import choose_doubts

POINTS = (CoveragePoint(1.0, 0.2, 0.6), CoveragePoint(0.5, 0.6, 0.8), CoveragePoint(0.1, 0.9, 1.0))


def curve(head="fer2013", prior="training", view="mirror", points=POINTS):
    return CoverageCurve(head, prior, view, "made up, dev", 10, points)


def test_points_have_the_share_of_answers_and_of_right_ones():
    confidences = np.linspace(0.55, 0.95, 5)
    probabilities = np.stack([confidences, 1 - confidences], axis=1)
    points = find_points(probabilities, np.array([1, 1, 0, 1, 0]), steps=5)
    assert [round(one.coverage, 3) for one in points] == [1.0, 0.8, 0.6, 0.4, 0.2]
    assert [one.confidence for one in points] == pytest.approx(confidences.tolist())
    assert [one.accuracy for one in points] == pytest.approx([2 / 5, 2 / 4, 2 / 3, 1 / 2, 1.0])


def test_answers_of_the_same_confidence_are_counted_together():
    probabilities = np.tile([0.7, 0.3], (8, 1))
    assert {one.coverage for one in find_points(probabilities, np.zeros(8, np.int64), steps=4)} == {1.0}


@pytest.mark.parametrize(
    ("coverage", "confidence"), [(1, 0.0), (0.5, 0.6), (0.75, 0.4), (0.3, 0.75), (0.1, 0.9), (0.01, 0.9)]
)
def test_between_points_confidence_is_interpolated(coverage, confidence):
    assert curve().least_confidence(coverage) == pytest.approx(confidence)


@pytest.mark.parametrize("coverage", [0, -1, 1.01, float("nan")])
def test_what_is_no_share_is_refused(coverage):
    with pytest.raises(OptionError, match="coverage must be above 0 and at most 1"):
        curve().least_confidence(coverage)


def test_a_stored_curve_leaves_weights_and_identity_as_they_are(tmp_path):
    path = tmp_path / "model.safetensors"
    two_heads().save(path, half=True)
    before = load_checkpoint(path)
    set_coverage(path, [curve()])
    set_coverage(path, [curve(view="none"), curve(points=POINTS[:2])])
    after = load_checkpoint(path)
    assert after.coverage == (curve(points=POINTS[:2]), curve(view="none"))
    assert after.identity == before.identity
    assert all(np.array_equal(after.weights[name], array) for name, array in before.weights.items())


def write_report(folder, checkpoint, **changes):
    told = {"identity": checkpoint.identity, "split": "dev", "training": {}, "coverage": [curve().to_dict()]}
    folder.mkdir()
    (folder / "evaluation.json").write_text(json.dumps({**told, **changes}))
    return folder


def test_the_command_stores_what_a_report_on_dev_measured(tmp_path):
    path = tmp_path / "model.safetensors"
    two_heads().save(path)
    report = write_report(tmp_path / "report", load_checkpoint(path))
    result = CliRunner().invoke(app, ["models", str(path), "--set-coverage", str(report)])
    assert result.exit_code == 0
    assert "10 of made up, dev" in result.stdout
    assert load_checkpoint(path).coverage == (curve(),)
    shown = json.loads(CliRunner().invoke(app, ["models", str(path), "--json"]).stdout)
    assert shown["coverage"] == [json.loads(json.dumps(curve().to_dict()))]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"split": "validation"}, "of images that are not dev"),
        ({"training": {"config": {"all_train": True}}}, "that the model learned from"),
        ({"identity": "another"}, "the report of another model"),
    ],
)
def test_reports_that_may_not_decide_are_refused(tmp_path, changes, match):
    with pytest.raises(OptionError, match=match):
        read_curves(write_report(tmp_path / "report", two_heads(), **changes), two_heads())
    with pytest.raises(MissingFileError, match=r"evaluation\.json"):
        read_curves(tmp_path, two_heads())


def test_a_report_may_be_of_another_dev_than_the_model_learned_from(tmp_path):
    scored = evaluations.evaluated([0, 1], [0, 1], split="dev").to_dict()["sources"]
    training = {LEARNED_DEV: ["jaffe"]}
    report = write_report(tmp_path / "report", two_heads(), training=training, sources=scored)
    assert read_curves(report, two_heads()) == (curve(),)


def test_a_model_without_the_table_says_how_to_make_one(mtcnn):
    predictor = EmotionPredictor(two_heads(), detector=mtcnn, device="cpu")
    with pytest.raises(OptionError, match=r"head fer2013, prior training .*--split dev .*--set-coverage"):
        choose_doubts(predictor, DoubtRules(), 0.8)


def test_coverage_decides_the_least_confidence_alone(tmp_path, mtcnn):
    path = tmp_path / "model.safetensors"
    two_heads().save(path)
    set_coverage(path, [curve()])
    predictor = EmotionPredictor(path, detector=mtcnn, device="cpu")
    chosen = choose_doubts(predictor, DoubtRules(sure_size=50.0), 0.75)
    assert chosen.least_confidence == pytest.approx(0.4)
    assert (chosen.sure_size, chosen.max_yaw) == (50.0, predictor.doubts.max_yaw)
    assert choose_doubts(predictor, DoubtRules(), answer_all=True) == DoubtRules()
    with pytest.raises(OptionError, match="give one model"):
        choose_doubts(EmotionPredictor([path, path], detector=mtcnn, device="cpu"), DoubtRules(), 0.75)


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("view", ["none", "mirror"])
def test_bundled_models_know_their_coverage_on_dev(name, view):
    model = load_model(name)
    choice = model.choice()
    (found,) = [one for one in model.coverage if (one.head, one.prior, one.view) == (choice.head, choice.prior, view)]
    assert found.data.endswith((", dev", ", dev (by its twin)"))
    assert found.n == 3000
    accuracies = [one.accuracy for one in found.points]
    assert accuracies[-1] > accuracies[10] > accuracies[0]
    assert 0.2 < model.least_confidence(0.8, choice, view) < model.least_confidence(0.4, choice, view) < 1


def test_the_command_answers_for_the_share_that_is_asked_for(tmp_path, face):
    from PIL import Image

    Image.fromarray(face).save(tmp_path / "a.png")

    def answer(*options):
        call = ["predict", str(tmp_path / "a.png"), "--model", "emonet_fast", "--device", "cpu", "--json", *options]
        result = CliRunner().invoke(app, call)
        return result if result.exception else json.loads(result.stdout)["predictions"][0]

    confidence = answer()["confidence"]
    limits = load_model("emonet_fast")
    limit = limits.least_confidence(0.05, limits.choice(), "mirror")
    assert answer("--coverage", "1")["unsure"] == ""
    assert answer("--coverage", "0.05")["unsure"] == ("in doubt" if confidence < limit else "")
    assert "leave out --least-confidence" in str(answer("--coverage", "0.5", "--answer-all").exception)
    assert "leave out --least-confidence" in str(answer("--coverage", "0.5", "--least-confidence", "0.3").exception)
