import cv2
import numpy as np
import pytest

from emonet.datasets.curation.onset import Onset, OnsetRule, find_onset
from facecrop import Face

FACE = Face((180, 59, 270, 176), 1.0)  # of the portrait
LEFT_MOUTH, RIGHT_MOUTH, EYES = (202, 140), (246, 143), ((205, 101), (248, 104))
AUTO = OnsetRule()
RISE = np.clip((np.arange(12) - 3) / 8, 0, 1)  # half of the apex is reached in frame 7
RISEN_AT = 7


def bump(x, y, place, wide):
    return np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * wide**2))


def smiling(image, share):
    """The portrait with the corners of the mouth up to 6 pixels higher and farther out."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    left, right = bump(x, y, LEFT_MOUTH, 10), bump(x, y, RIGHT_MOUTH, 10)
    at_x, at_y = x + 6 * share * (left - right), y + 6 * share * (left + right)
    return cv2.remap(image, at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def smile(portrait):
    return [smiling(portrait, share) for share in RISE]


def blink(frames):
    frame = frames[1].copy()
    for x, y in EYES:
        frame[y - 6 : y + 6, x - 12 : x + 12] = frame[y - 14, x]
    return [frames[0], frame, *frames[2:]]


def head_shift(frames):
    shifts = [np.array([[1, 0.005 * t, 1.2 * t], [-0.005 * t, 1, -0.8 * t]]) for t in range(len(frames))]
    return [cv2.warpAffine(frame, shift, frame.shape[1::-1]) for frame, shift in zip(frames, shifts, strict=True)]


def light_drift(frames):
    side = np.linspace(-30, 30, frames[0].shape[1])[:, None]
    return [(frame * (1 - 0.03 * t) + side * t / 12).clip(0, 255).astype(np.uint8) for t, frame in enumerate(frames)]


def noise(frames):
    rng = np.random.default_rng(0)
    return [(frame + rng.normal(0, 5, frame.shape)).clip(0, 255).astype(np.uint8) for frame in frames]


def glitch(frames):
    return [*frames[:2], np.zeros_like(frames[2]), *frames[3:]]


def other_size(frames):
    return [cv2.resize(frames[0], None, fx=1.25, fy=1.25), *frames[1:]]


def landmarks(curve, jitter=0.3):
    """68 points of which the last 20, the mouth, move with the curve while the whole face shifts and turns."""
    rng = np.random.default_rng(1)
    face = rng.uniform(0, 90, (68, 2))
    moves = np.concatenate([np.zeros((48, 2)), rng.normal(0, 4, (20, 2))])
    turns = [np.array([[1, 0.01 * t], [-0.01 * t, 1]]) for t in range(len(curve))]
    points = [(face + share * moves) @ turn + t for t, (share, turn) in enumerate(zip(curve, turns, strict=True))]
    return [array + rng.normal(0, jitter, (68, 2)) for array in points]


@pytest.mark.parametrize(
    ("text", "rule", "canonical"),
    [
        ("auto", OnsetRule("auto", 0.5), "auto=0.5"),
        ("auto=0.65", OnsetRule("auto", 0.65), "auto=0.65"),
        ("fraction", OnsetRule("fraction", 0.5), "fraction=0.5"),
        ("fraction=0", OnsetRule("fraction", 0.0), "fraction=0"),
        ("last", OnsetRule("last", 3), "last=3"),
        ("last=5", OnsetRule("last", 5), "last=5"),
        ("peak", OnsetRule("peak"), "peak"),
    ],
)
def test_onset_rule_text_round_trips(text, rule, canonical):
    assert OnsetRule.parse(text) == rule
    assert str(rule) == canonical
    assert OnsetRule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    "text",
    [
        *["", "first", "Auto", "auto=", "auto=0", "auto=1.1", "auto=nan", "auto=half", "fraction=1", "fraction=-0.1"],
        *["last=0", "last=2.5", "last=inf", "last = 3", "peak=1"],
    ],
)
def test_unknown_onset_rules_are_refused(text):
    with pytest.raises(ValueError, match=r"one of auto, auto=0.5 .*, fraction=0.5 .*, last=3 .*, peak; got"):
        OnsetRule.parse(text)


def test_unknown_onset_method_is_refused():
    with pytest.raises(ValueError, match="method must be one of auto, fraction, last, peak, got 'first'"):
        OnsetRule("first")


@pytest.mark.parametrize(
    ("rule", "count", "kept"),
    [
        *[("fraction=0.5", 11, 6), ("fraction=0.5", 1, 1), ("fraction=0", 4, 4), ("fraction=0.99", 5, 1)],
        *[("last=3", 11, 3), ("last=3", 2, 2), ("last=1", 7, 1), ("peak", 7, 1), ("peak", 1, 1)],
    ],
)
def test_counting_rules_keep_the_last_frames(portrait, rule, count, kept):
    onset = find_onset([portrait] * count, [None] * count, OnsetRule.parse(rule))
    assert onset == Onset((False,) * (count - kept) + (True,) * kept)


@pytest.mark.parametrize(
    ("faces", "points", "message"),
    [([FACE], None, "faces must have one entry a frame, 2, got 1"), ([FACE] * 2, [None], "points must have one")],
)
def test_wrong_numbers_of_faces_or_points_are_refused(portrait, faces, points, message):
    with pytest.raises(ValueError, match=message):
        find_onset([portrait] * 2, faces, AUTO, points)


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match="at least one frame"):
        find_onset([], [], AUTO)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((68, 2), np.nan)])
def test_bad_landmark_shapes_are_refused(portrait, points):
    with pytest.raises(ValueError, match="68 finite"):
        find_onset([portrait] * 2, [FACE] * 2, AUTO, [points] * 2)


@pytest.mark.parametrize(("kept", "activation"), [((), None), ((False, False), None), ((True, True), (1.0,))])
def test_bad_onsets_are_refused(kept, activation):
    with pytest.raises(ValueError, match=r"at least one frame|activation must"):
        Onset(kept, activation)


def test_single_frame_is_kept(portrait):
    assert find_onset([portrait], [None], AUTO).kept == (True,)


@pytest.mark.parametrize(("count", "kept"), [(5, 3), (2, 2)])
def test_last_three_frames_are_kept_without_faces(portrait, count, kept):
    onset = find_onset([portrait] * count, [None] * count, AUTO, [landmarks([0])[0]] + [None] * (count - 1))
    assert onset.kept == (False,) * (count - kept) + (True,) * kept
    assert onset.activation is None
    assert onset.note == f"no face was found: the last {kept} frames are kept"


@pytest.mark.parametrize("change", [list, noise])
def test_last_three_frames_are_kept_without_motion(portrait, change):
    onset = find_onset(change([portrait] * 6), [FACE] * 6, AUTO)
    assert onset == Onset((False,) * 3 + (True,) * 3, (0.0,) * 6, "no rise was found: the last 3 frames are kept")


def test_blank_images_have_no_rise(portrait):
    assert "no rise" in find_onset([np.zeros_like(portrait)] * 6, [FACE] * 6, AUTO).note


@pytest.mark.parametrize("change", [list, blink, head_shift, light_drift, noise, glitch, other_size])
def test_rise_is_found(smile, change):
    jittering = [Face((180 + t % 3, 59 - t % 2, 269 + t % 4, 176), 1.0) if t % 5 else None for t in range(12)]
    onset = find_onset(change(smile), jittering, AUTO)
    assert abs(onset.kept.index(True) - RISEN_AT) <= 1
    assert all(onset.kept[RISEN_AT + 1 :])
    assert onset.note == ""


def test_activation_follows_the_expression(smile):
    activation = find_onset(smile, [FACE] * 12, AUTO).activation
    assert activation == tuple(np.round(activation, 4))
    assert activation[0] == 0
    assert max(activation) == 1
    assert activation[-1] > 0.95
    assert min(np.diff(activation)) > -0.02
    assert np.abs(activation - RISE).max() < 0.15


@pytest.mark.parametrize(("share", "first"), [(0.2, 5), (0.8, 10)])
def test_amount_of_auto_sets_the_first_frame(smile, share, first):
    kept = find_onset(smile, [FACE] * 12, OnsetRule("auto", share)).kept
    assert abs(kept.index(True) - first) <= 1


def test_what_follows_the_rise_is_kept_where_the_face_falls_back(smile):
    there_and_back = [*smile, *smile[10:4:-1], *smile[4:2:-1]]
    onset = find_onset(there_and_back, [FACE] * len(there_and_back), AUTO)
    assert abs(onset.kept.index(True) - RISEN_AT) <= 1
    assert all(onset.kept[RISEN_AT + 1 :])
    assert "doubtful" in onset.note


def test_last_frame_whose_motion_is_lost_is_kept(smile):
    """The flow breaks down in the last frame: the frame is kept, and the sequence is called doubtful."""
    broken = [*smile[:-1], smile[0]]
    onset = find_onset(broken, [FACE] * len(broken), AUTO)
    assert onset.activation[-1] < 0.5
    assert abs(onset.kept.index(True) - RISEN_AT) <= 1
    assert all(onset.kept[RISEN_AT + 1 :])
    assert "in the last frame" in onset.note


def test_earlier_peak_makes_a_sequence_doubtful(smile):
    flaring = [*smile[:2], smile[9], smile[9], *smile[:2], *smile]
    assert "before the rise" in find_onset(flaring, [FACE] * 18, AUTO).note


def test_peak_before_the_rise_is_dropped(smile):
    flaring = [*smile[:2], smile[9], smile[9], *smile[:2], *smile]
    kept = find_onset(flaring, [FACE] * 18, AUTO).kept
    assert abs(kept.index(True) - 6 - RISEN_AT) <= 1


def test_landmarks_are_preferred_to_pixels(portrait):
    onset = find_onset([portrait] * 12, [None] * 12, AUTO, landmarks(RISE))
    assert abs(onset.kept.index(True) - RISEN_AT) <= 1
    assert np.abs(onset.activation - RISE).max() < 0.1


def test_pixels_are_used_if_a_frame_lacks_landmarks(smile):
    points = [*landmarks(1 - RISE)[:-1], None]
    assert find_onset(smile, [FACE] * 12, AUTO, points) == find_onset(smile, [FACE] * 12, AUTO)


def test_still_landmarks_have_no_rise(portrait):
    assert "no rise" in find_onset([portrait] * 4, [FACE] * 4, AUTO, landmarks([0] * 4, jitter=0)).note


def test_onset_does_not_depend_on_threads(smile):
    threads = cv2.getNumThreads()
    answers = []
    for count in (1, 3, threads):
        cv2.setNumThreads(count)
        answers.append(find_onset(noise(smile), [FACE] * 12, AUTO))
    assert answers[0] == answers[1] == answers[2]
