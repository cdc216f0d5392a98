"""Scores on FER+'s votes, by hand; and beside what the voters of the published file reach among themselves."""

import json

import numpy as np
import pytest
from conftest import FER2013
from evaluations import SEVEN, faces

from emonet.datasets.ferplus import VOTES, read_votes
from emonet.evaluation.votes import published_majority, rater_and_others, score_votes, two_raters
from emonet.labels import Emotion

ANGRY, HAPPY, CONTEMPT = 0, 3, 7


def votes(*images):
    """The ten counts of each image, from those that are not zero."""
    return np.array([[image.get(name, 0) for name in VOTES] for image in images], np.int64)


def answers(places, classes=tuple(Emotion), sure=0.8):
    """Probabilities of answers that are so sure, the rest spread evenly."""
    there = np.arange(len(classes)) == np.array(places)[:, None]
    return np.where(there, sure, (1 - sure) / (len(classes) - 1))


def scored(counts, places, classes=tuple(Emotion)):
    return score_votes(answers(places, classes), faces([0] * len(counts), classes=classes, votes=counts))


def test_agreement_with_the_majority():
    counts = votes({"happy": 10}, {"happy": 6, "sad": 4}, {"angry": 5, "sad": 3, "unknown": 2})
    found = scored(counts, [HAPPY, ANGRY, ANGRY])
    assert (found.majority.n, found.majority.correct) == (3, 2)
    assert found.majority.macro_recall == pytest.approx((1 / 2 + 1) / 2)
    assert found.confusion[HAPPY][ANGRY] == found.confusion[HAPPY][HAPPY] == found.confusion[ANGRY][ANGRY] == 1
    assert np.sum(found.confusion) == 3
    assert found.left_out == {}


def test_images_without_a_majority_are_counted_by_reason():
    tie, unknown, nobody = {"happy": 5, "sad": 5}, {"unknown": 6, "sad": 4}, {}
    counts = votes({"happy": 10}, tie, unknown, {"not_a_face": 9, "sad": 1}, nobody, {"unknown": 5, "sad": 5})
    found = scored(counts, [HAPPY] * 6)
    assert found.majority.n == 1
    assert found.left_out == {"tie": 2, "unknown": 1, "not a face": 1, "no votes": 1}


def test_the_published_rule_strikes_single_votes_and_wants_more_than_half():
    scattered = {"happy": 4, "sad": 1, "fear": 1, "angry": 1, "disgust": 1, "neutral": 1, "surprise": 1}
    counts = votes(scattered, {"happy": 4, "sad": 3, "fear": 3}, {"unknown": 8, "sad": 2}, {"happy": 5, "sad": 5})
    assert published_majority(counts).tolist() == [HAPPY, -1, -1, -1]


def test_a_random_rater_gives_the_answer_in_proportion_to_the_votes():
    counts = votes({"happy": 7, "not_a_face": 3}, {"happy": 5, "sad": 5}, {})
    assert scored(counts, [HAPPY, ANGRY, HAPPY]).one_rater == pytest.approx((0.7 + 0) / 2)


def test_cross_entropy_is_over_the_classes_of_the_answer():
    counts = votes({"happy": 6, "sad": 2, "contempt": 2}, {"contempt": 10}, {"happy": 9, "unknown": 1})
    found = scored(counts, [HAPPY] * 3, SEVEN)
    sure, rest = np.log(0.8), np.log(0.2 / 6)
    assert found.cross_entropy == pytest.approx(-((0.75 * sure + 0.25 * rest) + sure) / 2)
    assert found.entropy == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / 2)
    assert found.votes_left_out == pytest.approx(12 / 29)


def test_no_answer_has_a_lower_cross_entropy_than_the_votes_themselves():
    counts = votes({"happy": 6, "sad": 4}, {"angry": 3, "fear": 3, "disgust": 4})
    own = score_votes(counts[:, :8] / 10, faces([0, 0], classes=tuple(Emotion), votes=counts))
    assert own.cross_entropy == pytest.approx(own.entropy)
    assert scored(counts, [HAPPY, ANGRY]).cross_entropy > own.entropy


def test_an_expression_that_a_head_does_not_have_is_missed():
    found = scored(votes({"contempt": 10}, {"happy": 10}), [ANGRY, HAPPY], SEVEN)
    assert (found.majority.n, found.majority.correct, found.majority.macro_recall) == (2, 1, 0.5)
    assert found.confusion[CONTEMPT][ANGRY] == 1


def test_without_votes_there_is_nothing_to_score():
    assert score_votes(answers([0]), faces([0], classes=tuple(Emotion))) is None
    assert scored(votes({}, {"unknown": 10}), [0, 0]) is None


def test_vote_scores_can_be_json():
    found = scored(votes({"contempt": 10}), [0], SEVEN)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["cross_entropy"] is None


def test_agreement_between_raters_worked_out_by_hand():
    counts = votes({"happy": 3, "sad": 1}, {"happy": 2})
    assert two_raters(counts) == pytest.approx((6 / 12 + 1) / 2)
    assert rater_and_others(counts) == pytest.approx((3 / 4 + 1) / 2)
    assert rater_and_others(votes({"happy": 1, "sad": 1, "fear": 1})) == 0
    assert rater_and_others(votes({"happy": 2, "sad": 1})) == pytest.approx((2 * 0.5 + 0) / 3)
    assert two_raters(votes({"happy": 1})) is rater_and_others(votes({"happy": 1})) is None


@pytest.mark.parametrize(("usage", "pairs", "others"), [("Training", 0.605, 0.698), ("PublicTest", 0.648, 0.733)])
def test_agreement_between_the_raters_of_the_published_votes(usage, pairs, others):
    if not FER2013.is_dir():
        pytest.skip("FER+'s votes are not on this machine")
    counts = np.array([row.votes for row in read_votes(FER2013 / "fer2013new.csv") if row.usage == usage])
    assert two_raters(counts) == pytest.approx(pairs, abs=5e-4)
    assert rater_and_others(counts) == pytest.approx(others, abs=5e-4)
