"""Reports of models with several heads, of answers in more classes than the labels have, and of votes."""

import re

import numpy as np
import pytest
from evaluations import SEVEN, checkpoint, evaluated, faces, training
from pages import Tags, block, headings, rows, section, words
from PIL import Image

from emonet.evaluation.head_scores import score_heads
from emonet.heads import MEAN, SEEN, Head
from emonet.labels import Emotion
from emonet.report import inside_network, write_report
from emonet.report.leaderboard import is_comparable
from emonet.report.report import describe
from emonet.report.tables import choice_words

EIGHT = tuple(Emotion)
HEADS = (Head("fer2013", SEVEN, (1 / 7,) * 7), Head(SEEN, EIGHT, (1 / 8,) * 8))
TIE = [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]


def clear(place):
    return [9 if place == column else column == 8 for column in range(10)]


def of_head(head, answers=range(7), *, split="validation", config=None, **given):
    """Seven images, one of each class, that people voted on; the last vote is a tie."""
    votes = [*map(clear, range(6)), TIE]
    classes = EIGHT if head == SEEN else SEVEN
    table = score_heads(HEADS, np.full((7, 15), 1 / 8), faces(range(7), classes=classes, votes=votes))
    made = checkpoint(heads=HEADS, hidden=4, **({"about": training(**config)} if config else {}))
    return evaluated(
        range(7), answers, classes=classes, votes=votes, head=head, made=made, by_head=table, split=split, **given
    )


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The page of an answer in eight classes, one of them contempt, which no label is."""
    return write_report(of_head(SEEN, [0, 1, 2, 3, 4, 5, 7]), tmp_path_factory.mktemp("seen"))


def test_an_answer_may_have_more_classes_than_the_labels(seen):
    page = seen.read_text(encoding="utf-8")
    assert {"What people see", "Heads and priors"} < set(headings(page))
    assert "The challenge of 2013" not in headings(page)
    assert "of the head seen, with the prior training" in page
    assert "contempt" in section(page, "classes")
    assert "There are no images." in section(page, "surest")
    assert "nan" not in re.sub('"data:[^"]+"', "", page)


def test_votes_have_a_table_and_a_matrix(seen):
    votes = section(seen.read_text(encoding="utf-8"), "votes")
    assert rows(votes)[1].startswith("none 6 100.00 % 61.0-100.0 100.00 % ")
    assert "are left out: tie 1." in words(votes)
    assert "two agree with each other in 74.9 %" in words(votes)
    with Image.open(seen.with_name("votes.png")) as image:
        image.load()


def test_the_mean_of_heads_is_reported_in_the_classes_that_they_share(tmp_path):
    page = write_report(of_head(MEAN), tmp_path).read_text(encoding="utf-8")
    assert "of the head mean, with the prior training" in page
    assert "shown for the head fer2013." in section(page, "workings")
    assert "over the 7 classes of the answer" in section(page, "votes")


@pytest.mark.parametrize(("head", "first"), [("fer2013", 0), (SEEN, 7), (MEAN, 0)])
def test_attention_is_that_of_the_scores_of_the_head_that_answers(head, first, tmp_path, monkeypatch):
    asked = []
    draw = inside_network.draw_attention
    monkeypatch.setattr(inside_network, "draw_attention", lambda *given: asked.extend(given[3]) or draw(*given))
    scored = of_head(head)
    inside_network.draw_workings(scored, inside_network.find_face(scored), tmp_path)
    assert asked == [first + place for place in range(7)]


def test_every_head_and_prior_has_a_row_and_the_one_that_answers_a_star():
    lines = rows(block("evaluation.html.j2", "heads", **describe(of_head(MEAN))))
    assert [line.split()[0] for line in lines] == ["head", *["fer2013"] * 3, *["seen"] * 3, *["mean"] * 3]
    assert [line.split()[:3] for line in lines if "*" in line] == [["mean", "*", "training"]]


@pytest.mark.parametrize(
    ("split", "config", "said", "kind"),
    [
        ("dev", {}, "may be chosen by this table", "fine"),
        ("dev", {"all_train": True}, "The model learned from dev: no default", "warning"),
        ("test", {}, "must be chosen on dev, not by this table, which is of test", "warning"),
    ],
)
def test_a_default_is_chosen_on_dev_alone(split, config, said, kind):
    scored = of_head("fer2013", split=split, config=config)
    assert said in choice_words(scored)
    shown = block("evaluation.html.j2", "heads", **describe(scored))
    assert said in words(shown)
    kinds = {name: len(Tags(shown).named(tag, name)) for tag, name in (("p", "fine"), ("div", "warning"))}
    assert kinds == {"fine": 0, "warning": 0} | {kind: 1}


@pytest.mark.parametrize(("head", "expected"), [("fer2013", True), (SEEN, False), (MEAN, False)])
def test_only_answers_with_labels_have_a_place_on_the_board(head, expected):
    assert is_comparable(of_head(head)) is expected


def test_without_votes_and_other_heads_there_is_nothing_of_them(tmp_path):
    page = write_report(evaluated([0, 1], [0, 1]), tmp_path).read_text(encoding="utf-8")
    assert not {"What people see", "Heads and priors"} & set(headings(page))
    assert "of the head fer2013, with the prior training" in words(section(page, "top"))
