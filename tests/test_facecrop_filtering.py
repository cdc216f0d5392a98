from collections import Counter

import cv2
import numpy as np
import pytest

from facecrop import Face, FilterRules, Reason, Rejection, Selection, choose_faces

UPRIGHT = ((30, 40), (70, 40), (50, 60), (35, 80), (65, 80))
PROFILE = ((30, 40), (50, 40), (64, 60), (35, 80), (55, 80))
TILTED = ((30, 40), (70, 80), (40, 75), (15, 90), (45, 110))

SMALL = Face((0, 0, 20, 30), 0.99, UPRIGHT)
LARGE = Face((20, 20, 120, 150), 0.8, UPRIGHT)
CENTRAL = Face((90, 70, 150, 130), 0.95, UPRIGHT)


@pytest.fixture
def image():
    noise = np.random.default_rng(0).integers(0, 255, (50, 60, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (240, 200), interpolation=cv2.INTER_CUBIC))


def reasons(selection):
    return Counter(rejection.reason for rejection in selection.rejections)


def test_without_rules_every_face_is_chosen(image):
    assert choose_faces(image, [SMALL, LARGE], FilterRules()) == Selection((SMALL, LARGE), ())


@pytest.mark.parametrize("allow", ["all", "one", "largest", "most_central"])
def test_an_image_without_a_face_has_a_rejection(image, allow):
    selection = choose_faces(image, [], FilterRules(allow=allow))
    assert selection.faces == ()
    assert reasons(selection) == {Reason.NO_FACE: 1}


@pytest.mark.parametrize(
    ("rule", "face", "reason"),
    [
        ({"min_size": 21}, SMALL, Reason.TOO_SMALL),
        ({"min_share": 0.11}, SMALL, Reason.TOO_SMALL_A_SHARE),
        ({"min_score": 0.9}, LARGE, Reason.LOW_SCORE),
        ({"max_roll": 30}, Face((20, 20, 90, 120), 1, TILTED), Reason.TOO_MUCH_ROLL),
        ({"max_yaw": 40}, Face((20, 20, 90, 120), 1, PROFILE), Reason.TOO_MUCH_YAW),
    ],
)
def test_each_rule_rejects_with_its_reason(image, rule, face, reason):
    selection = choose_faces(image, [face, CENTRAL], FilterRules(**rule))
    assert selection.faces == (CENTRAL,)
    (rejection,) = selection.rejections
    assert (rejection.reason, rejection.face) == (reason, face)
    assert f"{next(iter(rule.values())):g}" in rejection.detail


def test_a_value_at_the_limit_passes(image):
    rules = FilterRules(min_size=20, min_share=0.1, min_score=0.99, max_roll=0, max_yaw=0)
    assert choose_faces(image, [SMALL], rules).faces == (SMALL,)


def test_blank_and_blurred_faces_have_different_reasons(image):
    face = Face((0, 0, 200, 200), 1)
    rules = FilterRules(min_contrast=5, min_sharpness=50)
    blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), 20)).astype(float)
    blurred = (128 + (blurred - blurred.mean()) * 5).clip(0, 255).astype(np.uint8)
    assert choose_faces(image, [face], rules).faces == (face,)
    assert reasons(choose_faces(blurred, [face], rules)) == {Reason.BLURRED: 1}
    assert reasons(choose_faces(np.zeros_like(image), [face], rules)) == {Reason.NO_CONTRAST: 1}


def test_allow_one_rejects_images_with_several_faces(image):
    rules = FilterRules(allow="one", min_size=25)
    assert choose_faces(image, [LARGE], rules).faces == (LARGE,)
    several = choose_faces(image, [LARGE, CENTRAL], rules)
    assert several == Selection((), (Rejection(Reason.SEVERAL_FACES, "2 faces, exactly one is allowed"),))
    bystander = choose_faces(image, [LARGE, SMALL], rules)
    assert bystander.faces == (LARGE,)
    assert reasons(bystander) == {Reason.TOO_SMALL: 1}
    assert reasons(choose_faces(image, [SMALL], rules)) == {Reason.TOO_SMALL: 1}


@pytest.mark.parametrize(("allow", "chosen"), [("largest", LARGE), ("most_central", CENTRAL)])
def test_allow_largest_and_most_central_choose_one_face(image, allow, chosen):
    selection = choose_faces(image, [SMALL, LARGE, CENTRAL], FilterRules(allow=allow))
    assert selection.faces == (chosen,)
    assert reasons(selection) == {Reason.NOT_CHOSEN: 2}


@pytest.mark.parametrize("rule", [{"max_roll": 20}, {"max_yaw": 20}])
def test_pose_rules_need_landmarks(image, rule):
    for detector in ("dlib", "whole"):
        with pytest.raises(ValueError, match=f"{next(iter(rule))}.*{detector}"):
            FilterRules(detector=detector, **rule)
    FilterRules(detector="mtcnn", **rule)
    with pytest.raises(ValueError, match="no landmarks"):
        choose_faces(image, [Face((0, 0, 9, 9), 1, detector="dlib")], FilterRules(**rule))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"allow": "two"}, "all, one, largest, most_central"),
        ({"min_size": float("nan")}, "min_size"),
        ({"min_size": -3}, "min_size must be 0 or more"),
        ({"min_size": "40"}, "min_size must be a finite number or None, got '40'"),
        ({"max_yaw": -1}, "max_yaw must be 0 or more"),
        ({"max_yaw": 20, "detector": "haar"}, "known detectors"),
    ],
)
def test_invalid_rules_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        FilterRules(**arguments)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_how_far_a_head_is_tilted_is_measured_beside_how_its_photo_lies(image, degrees):
    rules = FilterRules(max_roll=10)
    upright, tilted = (Face((0, 0, 100, 110), 1, points).turned(degrees, 240, 200) for points in (UPRIGHT, TILTED))
    assert choose_faces(image, [upright], rules).faces == (upright,)
    assert reasons(choose_faces(image, [tilted], rules)) == {Reason.TOO_MUCH_ROLL: 1}


def test_real_faces_pass_sensible_rules(mtcnn, portrait):
    rules = FilterRules(
        min_size=40,
        min_share=0.1,
        min_score=0.9,
        max_roll=15,
        max_yaw=30,
        min_sharpness=100,
        min_contrast=15,
        allow="one",
    )
    selection = choose_faces(portrait, mtcnn.detect([portrait])[0], rules)
    assert len(selection.faces) == 1
    assert selection.rejections == ()


def test_rules_and_rejections_become_plain_data(image):
    rules = FilterRules(min_size=3, allow="one")
    assert FilterRules(**rules.to_dict()) == rules
    (rejection,) = choose_faces(image, [SMALL], FilterRules(min_size=50)).rejections
    assert rejection.to_dict() == {
        "reason": "too_small",
        "detail": "20 px, at least 50",
        "face": SMALL.to_dict(),
    }
