import json
import math
import pickle
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import PIL.Image
import pytest
import torch
from pretended_card import pretend_devices
from two_heads import LABELS_PRIOR, SEEN_PRIOR, one_head, two_heads

import emonet
from emonet import Emotion, EmotionPredictor, PhotoResult, Prediction
from emonet.datasets import open_store
from emonet.errors import EmonetError
from emonet.evaluation import evaluate
from emonet.heads import SEEN_CLASSES, Head
from emonet.inference import load_model
from facecrop import CropSpec, Face, FilterRules, ImageError, Reason, Rejection, crop_face, open_detector

BLANK = np.zeros((60, 90, 3), np.uint8)


@pytest.fixture(scope="module", params=["torch", "onnx"])
def backend(request):
    return request.param


@pytest.fixture(scope="module")
def predictor(mtcnn, backend):
    return EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", precision="fp32", backend=backend)


@pytest.fixture(scope="module")
def pair(portrait):
    """The portrait twice: its mirror image on the left."""
    return np.concatenate([portrait[:, ::-1], portrait], axis=1)


@pytest.fixture(scope="module")
def prediction(predictor, portrait):
    (found,) = predictor.predict(portrait)
    return found


def shares(**given):
    return {Emotion(name): share for name, share in given.items()}


def test_the_bundled_model_names_the_expression(portrait):
    (found,) = emonet.predict(portrait)
    assert found.emotion is Emotion.HAPPY
    assert found.confidence > 0.5
    assert emonet.predict(BLANK) == []


def test_every_public_name_can_be_imported():
    assert set(emonet.__all__) <= set(dir(emonet))
    assert emonet.open_store is open_store
    assert emonet.evaluate is evaluate
    assert emonet.EmonetError is EmonetError
    assert emonet.load_model("emonet_fast").classes == load_model("emonet_fast").classes
    with pytest.raises(AttributeError, match="has no attribute 'prophecy'"):
        emonet.prophecy  # noqa: B018


def test_emotion_confidence_and_margin_follow_from_the_probabilities(prediction):
    probabilities = list(prediction.probabilities.values())
    assert list(prediction.probabilities) == list(load_model("emonet_fast").classes)
    assert math.fsum(probabilities) == pytest.approx(1, abs=1e-12)
    assert prediction.confidence == max(probabilities) == prediction.probabilities[prediction.emotion]
    assert prediction.margin == pytest.approx(np.diff(sorted(probabilities))[-1])
    assert prediction.box == prediction.face.box


def test_an_unsure_prediction_keeps_its_probabilities_and_says_why(prediction):
    doubted = replace(prediction, unsure="too small")
    assert (prediction.answer, prediction.unsure) == (prediction.emotion.value, "")
    assert (doubted.answer, doubted.emotion) == ("unsure", prediction.emotion)
    assert "unsure (too small)" in repr(doubted)
    assert Prediction.from_dict(json.loads(json.dumps(doubted.to_dict()))) == doubted
    with pytest.raises(emonet.EmonetError, match="in doubt"):
        replace(prediction, unsure="tired")


def test_predictions_stored_before_there_was_unsure_open_as_sure(prediction):
    stored = prediction.to_dict()
    del stored["unsure"]
    assert Prediction.from_dict(stored) == prediction


def test_a_prediction_shows_as_one_short_line():
    found = Prediction(Face((178.6, 59.2, 269, 175), 0.9), shares(happy=0.871, sad=0.129))
    assert repr(found) == "<Prediction happy 87 % at (179, 59, 269, 175)>"


def test_predict_many_of_the_bundled_model_yields_results(portrait):
    first, second = emonet.predict_many(iter([portrait, BLANK]))
    assert [one.emotion for one in first.predictions] == [Emotion.HAPPY]
    assert (second.source, second.predictions) == (1, ())
    with pytest.raises(TypeError, match="this is one"):
        emonet.predict_many("holiday")


def test_a_prediction_survives_json_and_pickle(prediction):
    assert Prediction.from_dict(json.loads(json.dumps(prediction.to_dict()))) == prediction
    assert pickle.loads(pickle.dumps(prediction)) == prediction


@pytest.mark.parametrize("given", [{}, {"happy": 0.5}, {"happy": 1.5, "sad": -0.5}, {"happy": math.nan, "sad": 1}])
def test_probabilities_that_do_not_sum_to_1_are_refused(given):
    with pytest.raises(ValueError, match="sum to 1"):
        Prediction(Face((0, 0, 1, 1), 1.0), shares(**given))


def test_the_margin_of_a_single_class_is_1():
    assert Prediction(Face((0, 0, 1, 1), 1.0), shares(happy=1)).margin == 1


def test_the_back_end_is_told(predictor, backend):
    package = {"torch": "torch", "onnx": "onnxruntime"}[backend]
    assert predictor.answered_by["backend"] == f"{package} {version(package)}"
    assert predictor.machine.backend == backend


def test_predictions_are_sorted_from_left_to_right(predictor, pair):
    found = predictor.predict(pair)
    assert len(found) == 2
    assert found[0].box[0] < pair.shape[1] / 2 < found[1].box[0]


def test_predict_many_keeps_the_order_and_goes_on_after_a_bad_image(predictor, portrait, pair, tmp_path):
    PIL.Image.fromarray(portrait).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff")
    given = [tmp_path / "a.png", str(tmp_path / "b.jpg"), pair, tmp_path / "none.jpg", BLANK]
    found = list(predictor.predict_many(iter(given)))
    assert [result.source for result in found] == [given[0], given[1], 2, given[3], 4]
    assert [len(result.predictions) for result in found] == [1, 0, 2, 0, 0]
    assert [result.error is None for result in found] == [True, False, True, False, True]
    assert found[3].error.reason == "no such file"
    assert [rejection.reason for rejection in found[4].rejections] == [Reason.NO_FACE]


def test_the_batch_size_changes_no_prediction(predictor, mtcnn, portrait, pair, backend):
    options = {"device": "cpu", "precision": "fp32", "backend": backend}
    one_by_one = EmotionPredictor("emonet_fast", detector=mtcnn, batch=1, **options)
    alone = [result.predictions for result in one_by_one.predict_many([portrait, pair, portrait])]
    together = [result.predictions for result in predictor.predict_many([portrait, pair, portrait])]
    for first, second in zip(alone, together, strict=True):
        assert [one.face for one in first] == [one.face for one in second]
        for one, other in zip(first, second, strict=True):
            assert list(one.probabilities.values()) == pytest.approx(list(other.probabilities.values()), abs=1e-5)


def test_predict_many_reads_only_a_batch_ahead(mtcnn):
    taken = []

    def pictures():
        for number in range(1000):
            taken.append(number)
            yield np.zeros((20, 20, 3), np.uint8)

    found = EmotionPredictor("emonet_fast", detector=mtcnn, batch=2).predict_many(pictures())
    next(found)
    found.close()
    assert len(taken) < 20


def test_an_image_that_cannot_be_read_is_an_image_error(predictor, tmp_path):
    (tmp_path / "note.txt").write_text("hello")
    with pytest.raises(ImageError, match=r"note\.txt"):
        predictor.predict(tmp_path / "note.txt")
    with pytest.raises(FileNotFoundError):
        predictor.predict(tmp_path / "none.jpg")
    with pytest.raises(TypeError, match="must be a path"):
        list(predictor.predict_many([3.5]))


@pytest.mark.parametrize("one", ["holiday", b"bytes", BLANK])
def test_predict_many_refuses_a_single_image(predictor, one):
    with pytest.raises(TypeError, match="this is one"):
        predictor.predict_many(one)


def test_allow_one_rejects_photos_with_several_faces(mtcnn, portrait, pair):
    strict = EmotionPredictor("emonet_fast", detector=mtcnn, rules=FilterRules(allow="one"))
    one, two = strict.predict_many([portrait, pair])
    assert len(one.predictions) == 1
    assert two.predictions == ()
    assert [rejection.reason for rejection in two.rejections] == [Reason.SEVERAL_FACES]


def test_faces_are_cropped_as_in_training(predictor, mtcnn, portrait, prediction):
    ((face,),) = mtcnn.detect([portrait])
    crop = crop_face(portrait, face, predictor.models[0].crop)
    (direct,) = predictor.predict_faces([crop])
    assert list(direct.probabilities.values()) == pytest.approx(list(prediction.probabilities.values()), abs=1e-5)


def test_crops_with_another_framing_are_cropped_to_the_models_own(predictor, mtcnn, portrait, prediction):
    ((face,),) = mtcnn.detect([portrait])
    wide = CropSpec(size=300, margin=0.5)
    (framed,) = predictor.predict_faces([crop_face(portrait, face, wide)], framing=wide)
    assert framed.probabilities[Emotion.HAPPY] == pytest.approx(prediction.probabilities[Emotion.HAPPY], abs=0.1)
    assert framed.face.width == pytest.approx(150)
    assert predictor.predict_faces([]) == []


def test_several_models_are_averaged(mtcnn, portrait, backend):
    options = {"detector": mtcnn, "device": "cpu", "precision": "fp32", "backend": backend}
    alone = [EmotionPredictor(name, **options).predict(portrait)[0] for name in ("emonet", "emonet_fast")]
    (both,) = EmotionPredictor(["emonet", "emonet_fast"], **options).predict(portrait)
    expected = np.mean([list(one.probabilities.values()) for one in alone], axis=0)
    assert list(both.probabilities.values()) == pytest.approx(expected, abs=1e-6)


def test_models_that_know_other_classes_cannot_be_averaged(mtcnn):
    other = one_head()
    turned = replace(other, heads=(Head("fer2013", other.classes[::-1]),))
    with pytest.raises(ValueError, match=r"the same classes in one order: angry, .* and neutral"):
        EmotionPredictor([other, turned], detector=mtcnn)
    with pytest.raises(ValueError, match="got an empty list"):
        EmotionPredictor([], detector=mtcnn)


@pytest.fixture(scope="module")
def several(mtcnn, backend):
    """Makes a predictor of a model with two heads, or of several models."""
    model = two_heads()

    def make(given=model, **options):
        return EmotionPredictor(given, detector=mtcnn, device="cpu", precision="fp32", backend=backend, **options)

    return make


def answer(predictor, portrait):
    (found,) = predictor.predict(portrait)
    return np.array(list(found.probabilities.values()))


def summing_to_1(shares):
    return shares / shares.sum()


def test_the_chosen_head_and_prior_answer(several, portrait):
    labels, seen = answer(several(), portrait), answer(several(head="seen"), portrait)
    assert several().classes == load_model("emonet_fast").classes
    assert several(head="seen").classes == SEEN_CLASSES
    even = summing_to_1(seen / SEEN_PRIOR)
    assert answer(several(head="seen", prior="even"), portrait) == pytest.approx(even, abs=1e-5)
    root = summing_to_1(labels / np.sqrt(LABELS_PRIOR))
    assert answer(several(prior="sqrt"), portrait) == pytest.approx(root, abs=1e-5)
    mean = (labels + summing_to_1(seen[:7])) / 2
    assert answer(several(head="mean"), portrait) == pytest.approx(mean, abs=1e-5)
    both = (summing_to_1(labels / LABELS_PRIOR) + summing_to_1(even[:7])) / 2
    assert answer(several(head="mean", prior="even"), portrait) == pytest.approx(both, abs=1e-5)


def test_the_model_file_chooses_the_default_head_and_prior(several):
    stored = two_heads(default_head="seen", default_prior="sqrt")

    def told(*given, **options):
        answered_by = several(*given, **options).answered_by
        return answered_by["head"], answered_by["prior"]

    assert told(stored) == ("seen", "sqrt")
    assert told(stored, prior="even") == ("seen", "even")
    assert told([stored, "emonet"], head="fer2013", prior="training") == ("fer2013", "training")


def test_the_bundled_model_answers_by_any_of_its_heads(portrait):
    assert emonet.predict(portrait, head="mean", prior="sqrt") == emonet.predict(portrait)
    ((seen,), (label,)) = (emonet.predict(portrait, head=head, prior="training") for head in ("seen", "fer2013"))
    assert (len(seen.probabilities), len(label.probabilities)) == (8, 7)
    with pytest.raises(ValueError, match="head must be one of fer2013, seen, mean, got 'jaffe'"):
        emonet.predict(portrait, head="jaffe")


def test_a_model_without_shares_has_no_other_prior(several):
    with pytest.raises(ValueError, match="head must be one of fer2013, got 'seen'"):
        several(one_head(), head="seen")
    with pytest.raises(ValueError, match="prior=even needs the shares of the classes in training"):
        several(one_head(), prior="even")


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"head": "jaffe"}, "head must be one of fer2013, seen, mean, got 'jaffe'"),
        ({"prior": "uniform"}, "prior must be one of training, even, sqrt, got 'uniform'"),
    ],
)
def test_unknown_heads_and_priors_are_refused_with_the_known_ones(several, asked, match):
    with pytest.raises(ValueError, match=match):
        several(**asked)


def test_models_are_averaged_over_the_chosen_head(several, portrait):
    other = two_heads(seed=2, default_head="seen")
    both = several([two_heads(), other], head="seen")
    expected = np.mean([answer(several(one, head="seen"), portrait) for one in both.models], axis=0)
    assert answer(both, portrait) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match=r"the same classes in one order: .* neutral and .* contempt"):
        several([two_heads(), other])


@pytest.mark.parametrize("made_with", ["dlib", "mtcnn", "whole"])
def test_yunet_finds_faces_whichever_detector_the_model_was_made_with(made_with):
    checkpoint = replace(load_model("emonet_fast"), detector=made_with)
    assert EmotionPredictor(checkpoint, device="cpu").detector.name == "yunet"


@pytest.mark.parametrize(
    ("device", "detector", "finds_on"),
    [("cuda:1", "mtcnn", "cuda:1"), ("cuda", "yunet", "cpu"), ("mps", "mtcnn", "cpu"), ("cuda:1", "dlib", "cpu")],
)
def test_the_detector_runs_on_the_device_of_the_network_if_it_can(monkeypatch, device, detector, finds_on):
    pretend_devices(monkeypatch, "cuda", "mps")
    monkeypatch.setattr(torch.nn.Module, "to", lambda network, *_, **__: network)
    predictor = EmotionPredictor("emonet_fast", detector=detector, device=device, precision="fp32")
    assert (predictor.machine.device, predictor.detector.device) == (torch.device(device), finds_on)


def test_landmark_rules_are_refused_for_a_detector_without_landmarks():
    with pytest.raises(ValueError, match=r"max_roll: .*'dlib' gives no landmarks"):
        EmotionPredictor("emonet_fast", detector="dlib", rules=FilterRules(max_roll=20))
    aligned = replace(load_model("emonet_fast"), crop=CropSpec(align=True))
    with pytest.raises(ValueError, match="aligned crops: 'dlib' gives no landmarks"):
        EmotionPredictor(aligned, detector="dlib")


@pytest.mark.parametrize("wrong", [{"tta": "twice"}, {"device": "tpu"}, {"model": "emonet_huge"}, {"detector": "eyes"}])
def test_unknown_options_are_refused_with_the_known_ones(wrong):
    with pytest.raises(ValueError, match=r"there (is|are)|must be|known detectors"):
        EmotionPredictor(**{"model": "emonet_fast", **wrong})


def test_an_empty_batch_is_refused(mtcnn):
    with pytest.raises(ValueError, match="at least one photo, got 0"):
        list(EmotionPredictor("emonet_fast", detector=mtcnn, batch=0).predict_many([BLANK]))


def test_the_identity_changes_with_model_detector_rules_and_tta(predictor, mtcnn):
    first = load_model("emonet_fast")
    weights = {**first.weights, "head.bias": first.weights["head.bias"] + 1}
    others = [
        EmotionPredictor(replace(first, weights=weights), detector=mtcnn),
        EmotionPredictor(first, detector=open_detector("mtcnn", min_face=30)),
        EmotionPredictor(first, detector=mtcnn, rules=FilterRules(min_size=30)),
        EmotionPredictor(first, detector=mtcnn, tta="none"),
    ]
    same = EmotionPredictor(replace(first, scores={}), detector=mtcnn)
    assert same.identity == predictor.identity
    assert all(other.identity != predictor.identity for other in others)
    json.dumps(predictor.identity)


def test_the_identity_holds_the_head_and_the_prior(several):
    model, asked = two_heads(), {"head": "seen", "prior": "training"}
    found = [several(model, head=head, prior=prior).identity for head in ("seen", "mean") for prior in ("even", "sqrt")]
    assert len({json.dumps(one) for one in found}) == 4
    assert several(replace(model, default_head="seen")).identity == several(model, **asked).identity
    assert several(replace(model, default_prior="even"), **asked).identity == several(model, **asked).identity


def test_a_table_has_a_row_for_each_face_and_each_reason(predictor, pair, tmp_path):
    results = list(predictor.predict_many([pair, BLANK, tmp_path / "none.jpg"]))
    table = emonet.to_table(results).to_pylist()
    assert [(row["path"], row["face"], row["reason"]) for row in table] == [
        ("0", 1, None),
        ("0", 2, None),
        ("1", None, "no_face"),
        (str(tmp_path / "none.jpg"), None, "unreadable"),
    ]
    assert table[0]["p_happy"] == results[0].predictions[0].probabilities[Emotion.HAPPY]
    assert table[0]["left_eye_x"] == results[0].predictions[0].face.landmarks[0][0]
    assert emonet.to_table([]).num_rows == 0


def test_rejected_faces_have_their_boxes_in_the_table(mtcnn, pair):
    largest = EmotionPredictor("emonet_fast", detector=mtcnn, rules=FilterRules(allow="largest"))
    rows = emonet.to_table(largest.predict_many([pair])).to_pylist()
    assert [row["reason"] for row in rows] == [None, "not_chosen"]
    assert rows[1]["x2"] > rows[1]["x1"]
    assert rows[1]["emotion"] is None


def test_a_result_survives_json_and_refuses_an_error_with_predictions(prediction):
    with pytest.raises(ValueError, match="cannot be read has neither"):
        PhotoResult("a.jpg", (prediction,), error=ImageError("a.jpg", "cut off"))
    for said in (PhotoResult("a.jpg", (prediction,)), PhotoResult(3, rejections=(Rejection(Reason.NO_FACE, "none"),))):
        assert PhotoResult.from_dict(json.loads(json.dumps(said.to_dict()))) == said
    unreadable = PhotoResult(4, error=ImageError(None, "cut off"))
    assert PhotoResult.from_dict(unreadable.to_dict()).error.reason == "cut off"
    assert PhotoResult(b"\xff.jpg".decode("utf-8", "surrogateescape")).to_dict()["source"] == "\\xff.jpg"


def test_draw_draws_into_a_copy(portrait, prediction):
    before = portrait.copy()
    drawn = emonet.draw(portrait, [prediction])
    assert (portrait == before).all()
    assert drawn.shape == portrait.shape
    x1, y1 = (round(value) for value in prediction.box[:2])
    assert drawn[y1 + 20, x1].tolist() == [0xE6, 0x9F, 0x00]  # happy's colour


def test_bars_cover_no_face():
    """One right below another, one as near to it as can be, and one at each corner's end of the photo."""
    boxes = [(200, 100, 260, 180), (200, 185, 260, 265), (262, 140, 322, 220), (0, 400, 60, 480), (580, 0, 640, 80)]
    faces = [Prediction(Face(box, 1.0), shares(happy=0.8, sad=0.2)) for box in boxes]
    blank = np.full((480, 640, 3), 255, np.uint8)
    drawn = emonet.draw(blank, faces)
    for x1, y1, x2, y2 in boxes:
        assert (drawn[y1 + 5 : y2 - 5, x1 + 5 : x2 - 5] == 255).all()
    assert (drawn == (20, 24, 28)).all(2).sum() > 5 * 300  # the bars are somewhere, on their dark ground


def test_bars_stay_inside_an_image_that_the_face_fills():
    drawn = emonet.draw(np.full((48, 48, 3), 255, np.uint8), [Prediction(Face((0, 0, 48, 48), 1.0), shares(happy=1))])
    assert (drawn != 255).any(2).mean() > 0.1


def test_an_explanation_colours_the_face_alone(portrait, predictor, prediction):
    shown = emonet.explain(portrait, prediction, predictor)
    changed = np.argwhere((shown != portrait).any(2))
    x1, y1, x2, y2 = prediction.box
    assert len(changed) > 100
    assert (changed.min(0) > (y1 - 30, x1 - 30)).all()
    assert (changed.max(0) < (y2 + 30, x2 + 30)).all()


def test_an_explanation_is_of_an_expression_that_the_model_knows(portrait, predictor, prediction):
    scornful = Prediction(prediction.face, shares(contempt=1))
    with pytest.raises(ValueError, match="contempt is none of the classes angry"):
        emonet.explain(portrait, scornful, predictor)


def largest_difference(image, other):
    return np.abs(image.astype(int) - other).max()


def test_an_explanation_is_of_the_head_that_answers(portrait, several, prediction):
    model = two_heads()
    silent = model.weights["head.weight"].copy()
    silent[7:] = 0  # nothing in a face speaks for what the second head answers
    half = replace(model, weights={**model.weights, "head.weight": silent})
    shown = {
        head: emonet.explain(portrait, prediction, several(half, head=head)) for head in ("fer2013", "seen", "mean")
    }
    assert (shown["fer2013"] != portrait).any()
    assert (shown["seen"] == portrait).all()
    assert largest_difference(shown["mean"], shown["fer2013"]) < 10
    both = emonet.explain(portrait, prediction, several(model, head="mean"))
    assert largest_difference(both, shown["fer2013"]) > 20


def test_an_explanation_is_of_any_class_of_the_head(portrait, several, prediction):
    scornful = Prediction(prediction.face, shares(contempt=1))
    assert (emonet.explain(portrait, scornful, several(head="seen", prior="even")) != portrait).any()
    with pytest.raises(ValueError, match="contempt is none of the classes angry"):
        emonet.explain(portrait, scornful, several(head="mean"))


def test_a_face_at_the_edge_can_be_explained(portrait):
    cut = portrait[:, 200:]
    found = emonet.predict(cut)
    assert emonet.explain(cut, found[0]).shape == cut.shape
