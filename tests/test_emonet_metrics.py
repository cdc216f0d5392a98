import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score, f1_score, fbeta_score

from emonet.evaluation.metrics import ClassScores, reliability, score, wilson_interval
from emonet.labels import Emotion

CLASSES = ("cat", "dog", "owl")


def answers(*places, classes=3, sure=0.8):
    """Probabilities whose highest stand at the places; the others share the rest."""
    rest = (1 - sure) / (classes - 1)
    return np.where(np.arange(classes) == np.array(places)[:, None], sure, rest)


def test_figures_worked_out_by_hand():
    scores = score(answers(0, 0, 0, 1, 2, 1), np.array([0, 0, 1, 1, 1, 2]), CLASSES)
    assert scores.n == 6
    assert scores.accuracy == 3 / 6
    assert scores.confusion == ((2, 0, 0), (1, 1, 1), (0, 1, 0))
    assert scores.classes["cat"] == ClassScores(precision=2 / 3, recall=1.0, f1=0.8, f_beta=10 / 11, support=2)
    assert scores.classes["dog"] == ClassScores(precision=1 / 2, recall=1 / 3, f1=0.4, f_beta=5 / 14, support=3)
    assert scores.classes["owl"] == ClassScores(precision=0.0, recall=0.0, f1=0.0, f_beta=0.0, support=1)
    assert scores.macro_f1 == pytest.approx((0.8 + 0.4 + 0.0) / 3)
    assert scores.weighted_f1 == pytest.approx((2 * 0.8 + 3 * 0.4 + 0.0) / 6)
    assert scores.log_loss == pytest.approx(-(3 * math.log(0.8) + 3 * math.log(0.1)) / 6)
    assert scores.macro_f_beta == pytest.approx((10 / 11 + 5 / 14) / 3)
    assert scores.kappa == pytest.approx((3 / 6 - 13 / 36) / (1 - 13 / 36))
    assert scores.calibration_error == pytest.approx(0.8 - 3 / 6)


def test_classes_that_do_not_occur_are_left_out_of_the_mean():
    scores = score(answers(0, 1, 0), np.array([0, 0, 0]), CLASSES)
    assert scores.classes["dog"] == ClassScores(precision=0.0, recall=None, f1=None, f_beta=None, support=0)
    assert scores.classes["owl"] == ClassScores(precision=None, recall=None, f1=None, f_beta=None, support=0)
    assert scores.classes["cat"].f1 == 0.8
    assert (scores.macro_f1, scores.weighted_f1) == pytest.approx((0.8, 0.8))


def test_a_class_that_is_never_answered_counts_as_zero():
    scores = score(answers(0, 0), np.array([0, 1]), CLASSES)
    assert scores.classes["dog"] == ClassScores(precision=None, recall=0.0, f1=0.0, f_beta=0.0, support=1)
    assert scores.macro_f1 == pytest.approx(1 / 3)


@pytest.mark.parametrize(("label", "accuracy", "loss"), [(1, 1.0, 0.0), (2, 0.0, -math.log(2**-52))])
def test_one_image_with_a_certain_answer_can_be_scored(label, accuracy, loss):
    scores = score(answers(1, sure=1.0), np.array([label]), CLASSES)
    assert (scores.accuracy, scores.macro_f1, scores.n) == (accuracy, accuracy, 1)
    assert scores.log_loss == pytest.approx(loss, abs=1e-9)


@settings(deadline=None)  # the first call imports scikit-learn and scipy
@given(st.integers(2, 8), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]))
def test_all_is_finite_and_agrees_with_scikit_learn(classes, n, seed, dtype):
    chance = np.random.default_rng(seed)
    probabilities = chance.dirichlet(np.full(classes, 0.3), n).astype(dtype)
    labels = chance.integers(0, classes, n)
    scores = score(probabilities, labels, list(Emotion)[:classes])
    json.dumps(scores.to_dict(), allow_nan=False)
    occurring, answered = np.unique(labels), probabilities.argmax(1)
    expected = f1_score(labels, answered, labels=occurring, average="macro", zero_division=0)
    assert scores.macro_f1 == pytest.approx(expected)
    assert scores.weighted_f1 == pytest.approx(f1_score(labels, answered, average="weighted", zero_division=0))
    f_beta = fbeta_score(labels, answered, beta=2, labels=occurring, average="macro", zero_division=0)
    assert scores.macro_f_beta == pytest.approx(f_beta)
    if scores.kappa is not None:
        assert scores.kappa == pytest.approx(cohen_kappa_score(labels, answered))
    assert scores.accuracy <= scores.top_2 <= 1
    assert 0 <= scores.calibration_error <= 1


def test_scores_in_json_bear_the_names_of_the_classes():
    scores = score(answers(0, 1, 2), np.array([0, 1, 2]), list(Emotion)[:3])
    stored = json.loads(json.dumps(scores.to_dict()))
    assert list(stored["classes"]) == ["angry", "disgust", "fear"]
    assert stored["classes"]["fear"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "f_beta": 1.0, "support": 1}
    assert stored["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (0, 30), (17, 30), (30, 30), (2512, 3589)])
def test_the_interval_is_wilsons(correct, n):
    low, high = wilson_interval(correct, n)
    expected = binomtest(correct, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-7)
    assert 0 <= low <= correct / n <= high <= 1


def test_scores_carry_the_interval():
    scores = score(answers(0, 1, 1), np.array([0, 1, 2]), CLASSES)
    assert scores.accuracy_interval == wilson_interval(2, 3)


@pytest.mark.parametrize(("correct", "n"), [(0, 0), (-1, 3), (4, 3)])
def test_impossible_counts_are_refused(correct, n):
    with pytest.raises(ValueError, match=f"got {correct} of {n}"):
        wilson_interval(correct, n)


@pytest.mark.parametrize(
    ("probabilities", "labels", "classes", "words"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), CLASSES, "no images"),
        (answers(0), np.array([3]), CLASSES, "from 0 to 2, got 3"),
        (answers(0), np.array([-1]), CLASSES, "from 0 to 2, got -1"),
        (answers(0), np.array([0.0]), CLASSES, "whole numbers, got float64"),
        (answers(0), np.array([0, 1]), CLASSES, r"\(1, 3\) and \(2,\)"),
        (answers(0, 1), np.array([[0], [1]]), CLASSES, r"\(2, 3\) and \(2, 1\)"),
        (answers(0, 1)[0], np.array([0]), CLASSES, r"\(3,\) and \(1,\)"),
        (answers(0, classes=4), np.array([0]), CLASSES, r"\(1, 4\) and \(1,\)"),
        (np.array([[1, 0, 0], [math.nan, 1, 0]]), np.array([0, 1]), CLASSES, "finite; row 1"),
        (np.array([[math.inf, 0, 0]]), np.array([0]), CLASSES, "finite; row 0"),
        (np.array([[2.5, -1, -0.5]]), np.array([0]), CLASSES, "before softmax"),
        (np.array([[0.9, 0.9, 0.9]]), np.array([0]), CLASSES, "before softmax"),
        (answers(0), np.array([0]), ("cat", "cat", "dog"), "different names, got cat, cat, dog"),
        (np.ones((1, 1)), np.array([0]), ("cat",), "two or more different names, got cat"),
    ],
)
def test_what_cannot_be_scored_is_refused(probabilities, labels, classes, words):
    with pytest.raises(ValueError, match=words):
        score(probabilities, labels, classes)


def test_probabilities_in_half_precision_are_accepted():
    rounded = np.array([[0.6, 0.3, 0.1]], np.float16)
    scores = score(rounded, np.array([0]), CLASSES)
    assert scores.log_loss == pytest.approx(-math.log(0.6), abs=1e-3)


def test_the_second_guess_counts_for_top_2():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
    assert score(probabilities, np.array([1, 2, 2]), CLASSES).top_2 == pytest.approx(2 / 3)


def test_kappa_is_none_where_chance_would_always_agree():
    assert score(answers(0, 0), np.array([0, 0]), CLASSES).kappa is None
    assert score(answers(0, 1), np.array([0, 1]), CLASSES).kappa == 1


@pytest.mark.parametrize("beta", [0, -1, math.inf, math.nan])
def test_a_beta_without_meaning_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be above 0"):
        score(answers(0), np.array([0]), CLASSES, beta=beta)


def test_bins_hold_confidence_and_accuracy():
    probabilities = np.array([[0.55, 0.45], [0.45, 0.55], [0.95, 0.05], [1.0, 0.0]])
    bins = reliability(probabilities, np.array([0, 0, 0, 1]), bins=10)
    assert [one.n for one in bins] == [0, 0, 0, 0, 0, 2, 0, 0, 0, 2]
    assert (bins[5].confidence, bins[5].accuracy) == (pytest.approx(0.55), 0.5)
    assert (bins[9].confidence, bins[9].accuracy) == (pytest.approx(0.975), 0.5)
    assert (bins[0].low, bins[0].high, bins[0].confidence, bins[0].accuracy) == (0, 0.1, None, None)
