"""Intervals: images of one person are not independent, so people are drawn where they are known."""

import numpy as np
import pytest

from emonet.evaluation.intervals import (
    WILSON,
    Clusters,
    draw_sums,
    estimate_mean,
    estimate_share,
    find_clusters,
    name_clusters,
    wilson_interval,
)
from emonet.evaluation.metrics import score

PEOPLE, FRAMES = 100, 10


def group(groups, kind=0):
    return Clusters(np.array(groups), np.full(len(groups), kind))


def answer_people(seed=0):
    """Return which of ten images each of a hundred people are answered rightly; some people are hard."""
    chance = np.random.default_rng(seed)
    easy = chance.beta(1, 1, PEOPLE)
    return chance.random((PEOPLE, FRAMES)) < easy[:, None]


ANSWERED = answer_people()
BY_PERSON = group(np.repeat(np.arange(PEOPLE), FRAMES))


def width(interval):
    return interval.high - interval.low


def test_an_interval_over_people_is_wider_than_one_over_their_images():
    over_people = estimate_share(ANSWERED.ravel(), BY_PERSON)
    over_images = estimate_share(ANSWERED.ravel())
    assert (over_people.method, over_images.method) == ("cluster bootstrap over 100 people", WILSON)
    assert width(over_people) > 1.5 * width(over_images)
    assert over_people.low < ANSWERED.mean() < over_people.high


def test_an_interval_over_people_is_that_of_the_mean_over_people():
    """All have equally many images, so the t-interval of the people's shares is what the bootstrap must come near."""
    from scipy.stats import t

    shares = ANSWERED.mean(1)
    half = t.ppf(0.975, PEOPLE - 1) * shares.std(ddof=1) / np.sqrt(PEOPLE)
    found = estimate_share(ANSWERED.ravel(), BY_PERSON)
    assert (found.low, found.high) == pytest.approx((shares.mean() - half, shares.mean() + half), abs=0.005)


def test_few_people_are_covered_too():
    """Of 200 experiments with eight people each, about 95 % of the intervals must hold the truth."""
    chance = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        right = chance.random((8, 20)) < chance.beta(4, 4, 8)[:, None]
        found = estimate_share(right.ravel(), group(np.repeat(np.arange(8), 20)))
        held += found.low <= 0.5 <= found.high
    assert held >= 180


def test_an_interval_is_the_same_each_time():
    assert estimate_share(ANSWERED.ravel(), BY_PERSON) == estimate_share(ANSWERED.ravel(), BY_PERSON)


def test_drawing_kinds_of_clusters_is_drawing_clusters():
    sums = np.array([[3.0, 4.0], [3.0, 4.0], [0.0, 2.0], [1.0, 6.0]])
    drawn = draw_sums(sums)
    assert drawn.mean(0) == pytest.approx(sums.sum(0), rel=0.02)
    assert drawn.var(0) == pytest.approx(len(sums) * sums.var(0), rel=0.05)


def test_people_come_before_sequences_and_sequences_before_images():
    clusters = name_clusters(
        ["ckplus", "ckplus", "ckplus", "films", "films", "fer2013"],
        ["S1", "S1", "S2", None, None, None],
        ["S1_1", "S1_2", "S2_1", "a", "a", None],
        list("abcdef"),
    )
    assert clusters.groups.tolist() == [0, 0, 1, 2, 2, 3]
    assert clusters.words == "2 people, 1 sequence and 1 image"
    assert clusters.part(np.array([True, True, False, False, False, True])).words == "1 person and 1 image"


def test_people_of_the_same_code_in_two_data_sets_are_two_people():
    clusters = name_clusters(["ckplus", "jaffe"], ["KA", "KA"], [None, None], ["a", "b"])
    assert clusters.count == 2


@pytest.mark.parametrize(
    ("right", "groups", "interval", "method"),
    [
        ([1, 0, 1], [0, 1, 2], (2, 3), "Wilson"),  # one image of each person: they are independent
        ([1, 0, 1], [0, 0, 0], (2, 3), "Wilson, within 1 person"),
        ([1, 1, 1, 1], [0, 0, 1, 1], (2, 2), "Wilson over 2 people"),
        ([0, 0, 0, 0], [0, 0, 1, 1], (0, 2), "Wilson over 2 people"),
        ([1, 0, 1, 0], [0, 0, 1, 1], (2, 4), "Wilson, for 2 people that score alike"),
    ],
)
def test_an_interval_is_never_without_width(right, groups, interval, method):
    found = estimate_share(np.array(right, np.bool_), group(groups))
    assert (found.ends, found.method) == (wilson_interval(*interval), method)


def test_scores_say_how_their_interval_was_computed():
    right = ANSWERED.ravel().astype(int)
    probabilities = np.stack([right, 1 - right], axis=1).astype(float)
    labels = np.zeros(len(right), int)
    scores = score(probabilities, labels, ("cat", "dog"), clusters=BY_PERSON)
    assert scores.interval_method == scores.to_dict()["interval_method"] == "cluster bootstrap over 100 people"
    assert scores.accuracy_interval == estimate_share(ANSWERED.ravel(), BY_PERSON).ends
    assert score(probabilities, labels, ("cat", "dog")).interval_method == WILSON


def test_a_mean_over_single_images_is_no_cluster_bootstrap():
    assert estimate_mean(np.array([0.0, 1.0, 0.5]), group([0, 1, 2], kind=2)).method == "bootstrap over 3 images"


def test_faces_without_names_of_people_are_independent():
    import evaluations

    assert find_clusters(evaluations.faces([0, 1, 2])).are_images
