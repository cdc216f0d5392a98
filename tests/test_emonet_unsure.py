import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

import emonet
from emonet import DoubtRules, EmotionPredictor, Prediction
from emonet.prediction.doubts import mark_unsure
from facecrop import Face, FilterRules, crop_face

SHARES = {"happy": 0.5, "sad": 0.3, "neutral": 0.2}
EYES = ((40, 45), (80, 45), (60, 65), (45, 85), (75, 85))
ASIDE = ((40, 45), (60, 45), (80, 65), (45, 85), (75, 85))  # the nose lies beside the eyes


class Finder:
    """A detector that finds in each image what it is told to."""

    name = "made_up"
    has_landmarks = True

    def __init__(self, *found):
        self.found, self.seen = found, []

    def detect(self, images):
        self.seen += images
        return [list(self.found) for _ in images]


def texture():
    return np.random.default_rng(0).integers(0, 256, (160, 160, 3)).astype(np.uint8)


def reason(rules, face=None, image=None, detector=None, shares=SHARES):
    given = (texture() if image is None else image, Prediction(face or Face((20, 20, 100, 120), 0.9, EYES), shares))
    (marked,) = mark_unsure([given], rules, detector or Finder())
    assert marked.probabilities == shares
    return marked.unsure


@pytest.mark.parametrize(
    ("rules", "face", "expected"),
    [
        (DoubtRules(min_score=0.95), None, "maybe not a face"),
        (DoubtRules(sure_size=81), None, "too small"),
        (DoubtRules(min_sharpness=1e6), None, "blurred"),
        (DoubtRules(max_yaw=50), Face((20, 20, 100, 120), 0.9, ASIDE), "turned"),
        (DoubtRules(least_confidence=0.51), None, "in doubt"),
        (DoubtRules(0.9, 0.9, 80, 1, 50, 0.5), None, ""),
        (DoubtRules(max_yaw=0), Face((20, 20, 100, 120), 0.9), ""),  # no landmarks, no yaw
        (DoubtRules(sure_size=200, least_confidence=1), None, "too small"),  # the gravest reason is told
    ],
)
def test_each_rule_has_its_reason(rules, face, expected):
    assert reason(rules, face) == expected


def test_a_doubtful_box_is_looked_at_again_and_a_sure_one_is_not():
    there = Face((60, 60, 164, 180), 0.9)  # where a face lies in its own crop of 224 pixels
    rules = DoubtRules(second_look=0.95)
    assert reason(rules, detector=Finder(there)) == ""
    assert reason(rules, detector=Finder()) == "maybe not a face"
    assert reason(rules, detector=Finder(Face((0, 0, 30, 30), 0.9))) == "maybe not a face"
    asked = Finder()
    assert reason(DoubtRules(second_look=0.9), detector=asked) == ""
    assert asked.seen == []


def test_rules_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="sure_size must be a finite number"):
        DoubtRules(sure_size=float("nan"))


def test_given_rules_come_before_the_measured_ones():
    measured = DoubtRules.for_photos("mtcnn")
    given = DoubtRules(sure_size=50.0, max_yaw=0.0).over(measured)
    assert given == replace(measured, sure_size=50.0, max_yaw=0.0)
    assert DoubtRules.for_photos("whole") == DoubtRules()
    assert DoubtRules(**json.loads(json.dumps(measured.to_dict()))) == measured


@pytest.fixture(scope="module")
def predictor(mtcnn):
    return EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", tta="none")


def test_a_clear_face_is_answered_and_a_small_one_is_unsure(predictor, portrait):
    small = cv2.resize(portrait, None, fx=0.24, fy=0.24, interpolation=cv2.INTER_AREA)
    large, little = predictor.predict_many([portrait, small])
    assert [one.answer for one in large.predictions] == ["happy"]
    assert [one.unsure for one in little.predictions] == ["too small"]
    assert little.rejections == ()


def test_a_blurred_face_is_unsure(predictor, portrait):
    (found,) = predictor.predict(cv2.GaussianBlur(portrait, (0, 0), 5))
    assert found.answer == "unsure"
    assert found.unsure in ("blurred", "maybe not a face")


def test_rules_leave_faces_out_and_doubts_do_not(mtcnn, portrait):
    doubting = EmotionPredictor("emonet_fast", detector=mtcnn, doubts=DoubtRules(sure_size=500))
    strict = EmotionPredictor("emonet_fast", detector=mtcnn, rules=FilterRules(min_size=500))
    (doubted,) = doubting.predict_many([portrait])
    (refused,) = strict.predict_many([portrait])
    assert ([one.answer for one in doubted.predictions], doubted.rejections) == (["unsure"], ())
    assert (refused.predictions, [one.reason.value for one in refused.rejections]) == ((), ["too_small"])
    assert doubting.identity != EmotionPredictor("emonet_fast", detector=mtcnn).identity


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_photo_without_its_orientation_is_read_as_the_upright_one(predictor, portrait, quarters):
    (upright,) = predictor.predict(portrait)
    lying = np.ascontiguousarray(np.rot90(portrait, -quarters))
    (found,) = predictor.predict(lying)
    assert found.face == upright.face.turned(90 * quarters, *portrait.shape[1::-1])
    assert list(found.probabilities.values()) == pytest.approx(list(upright.probabilities.values()), abs=0.02)
    crops = [
        crop_face(image, one.face, predictor.models[0].crop) for image, one in ((portrait, upright), (lying, found))
    ]
    assert np.abs(crops[0].astype(int) - crops[1]).max() <= 2
    drawn = emonet.draw(lying, [found])
    assert drawn.shape == lying.shape


def test_turns_can_be_left_out(mtcnn, portrait):
    plain = EmotionPredictor("emonet_fast", detector=mtcnn, turns=False)
    assert plain.predict(np.ascontiguousarray(portrait[::-1, ::-1])) == []


def test_the_explanation_of_a_photo_on_its_side_lies_on_its_side(predictor, portrait):
    (upright,) = predictor.predict(portrait)
    lying = np.ascontiguousarray(np.rot90(portrait, -1))
    (found,) = predictor.predict(lying)
    shown = emonet.explain(lying, found, predictor)
    expected = np.rot90(emonet.explain(portrait, upright, predictor), -1)
    assert np.abs(shown.astype(int) - expected).mean() < 1


def test_tables_have_the_reason_and_keep_the_probabilities(predictor, portrait):
    small = cv2.resize(portrait, None, fx=0.24, fy=0.24, interpolation=cv2.INTER_AREA)
    table = emonet.to_table(predictor.predict_many([portrait, small])).to_pylist()
    assert [row["unsure"] for row in table] == ["", "too small"]
    assert all(row["emotion"] and row["p_happy"] is not None for row in table)


def test_an_unsure_face_is_drawn_grey(portrait):
    face = Face((180, 60, 270, 175), 0.9)
    sure, unsure = (emonet.draw(portrait, [Prediction(face, SHARES, unsure=why)]) for why in ("", "blurred"))
    edge = (slice(60, 175), 180)
    assert np.ptp(unsure[edge].astype(int), axis=1).max() == 0
    assert np.ptp(sure[edge].astype(int), axis=1).max() > 50
