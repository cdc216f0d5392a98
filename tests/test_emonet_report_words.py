import re
from dataclasses import replace

import pytest
from evaluations import SEVEN, checkpoint, evaluated, store, training

from emonet.datasets.store.info import Completeness
from emonet.labels import Emotion
from emonet.report.board import ENTRIES, Entry
from emonet.report.head import head
from emonet.report.provenance import chosen, learned_from, part_of_split
from emonet.report.scores import class_table, cost_table, score_tables
from emonet.report.standing import comparable, standing

BOARD = [Entry(f"team {number}", 1 - number / 40) for number in range(1, 31)]


def text(markup):
    """What is read of markup."""
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", markup))


def rows(markup):
    return [text(row).strip() for row in re.findall("<tr>(.*?)</tr>", markup)]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "epoch 3 of 5, by accuracy on dev"),
        ({"choose_by": "macro_f1", "fold": 2}, "epoch 3 of 5, by macro f1 on fold 2 of train"),
        (
            {"schedule": "plateau", "stop_after": 3, "orders": 4},
            "epoch 3 of 5, when the learning rate fell, when to stop, one of 4 data orders, by accuracy on dev",
        ),
        ({"keep": "last"}, "nothing: it learned at a fixed schedule, and dev was only looked at"),
        ({"all_train": True}, "nothing: it learned from train and dev at a fixed schedule"),
    ],
)
def test_what_was_chosen_is_told(config, words):
    assert chosen(training(**config)) == words


def test_of_an_average_each_member_has_its_epoch():
    averaged = {name: value for name, value in training(members=3).items() if name not in ("epochs", "chosen_epoch")}
    assert chosen(averaged) == "each member's epoch, by accuracy on dev"


def test_models_from_elsewhere_have_no_history():
    elsewhere = evaluated([0], [0], made=replace(checkpoint(hidden=4), training={}))
    assert (chosen({}), learned_from({})) == ("not recorded", "not recorded")
    assert "is not known" in part_of_split(elsewhere)


@pytest.mark.parametrize(
    ("split", "config", "words"),
    [
        ("validation", {}, "the training neither learned from it nor chose anything on it"),
        ("dev", {}, "the model was chosen on it: this is no test"),
        ("dev", {"all_train": True}, "the model learned from it: this is no test"),
        ("train", {}, "the model learned from it: this is no test"),
        ("dev", {"fold": 1}, "the training neither learned from it nor chose anything on it"),
        ("dev", {"keep": "last"}, "the training neither learned from it nor chose anything on it"),
        ("test", {"init": "old.safetensors"}, "of the model that it began with nothing is known"),
    ],
)
def test_what_the_split_has_to_do_with_the_model_is_told(split, config, words):
    scored = evaluated([0], [0], split=split, made=checkpoint(about=training(**config), hidden=4))
    assert words in part_of_split(scored)


def test_other_data_may_share_pictures():
    assert "another data set" in part_of_split(evaluated([0], [0], data=store(files={"a": "b"})))


def test_what_a_model_learned_from_is_counted():
    assert learned_from(training()) == "1,200 pictures: fer2013 1,000, jaffe 200"
    assert learned_from(training(init="old")).endswith("; it began with the weights of old")
    assert learned_from(training(init="old,older")).endswith("; it began with the mean weights of old, older")


def test_the_head_states_views_apart():
    words = text(head(evaluated([0, 1, 2, 3], [0, 1, 2, 2], views=("none", "ten_crop"))))
    assert "Without test-time augmentation: 75.00 % , 3 of 4 pictures right; with 95 % confidence between" in words
    assert "With test-time augmentation (ten crop): 75.00 % , 3 of 4" in words
    assert "all figures are of the answers with test-time augmentation (ten crop)" in words
    assert "validation: 4 of 4 pictures are scored" in words


def test_the_head_warns_of_what_is_left_out():
    words = head(evaluated([0], [0], left_out={"contempt": 2}))
    assert '<div class="warning"><p>1 of 3 pictures are scored' in words
    assert 'class="fine"' not in words


def test_the_head_warns_of_data_that_are_not_whole():
    words = head(evaluated([0], [0], data=store(evaluated={"validation": Completeness(3, 5)})))
    assert "the data set has 3 of 5 pictures of validation" in words


def test_names_are_escaped():
    words = head(evaluated([0], [0], name="<script>&"))
    assert "&lt;script&gt;&amp;" in words
    assert "<script" not in words


def test_every_view_has_a_table_and_every_part_a_row():
    scored = evaluated([0, 1], [0, 0], views=("none", "mirror"))
    parts = {"all": scored.scores["none"]["all"], "source <x>": evaluated([0], [0]).scores["none"]["all"]}
    markup = score_tables(replace(scored, scores=dict.fromkeys(("none", "mirror"), parts)))
    assert re.findall("<h3>(.*?)</h3>", markup) == [
        "Without test-time augmentation",
        "With test-time augmentation (mirror)",
    ]
    assert [row.split()[0] for row in rows(markup)] == ["pictures", "all", "source"] * 2
    assert "macro F2" in rows(markup)[0]
    assert rows(markup)[1].startswith("all 2 50.00 % 9.5 to 90.5 % 0.333 0.333 0.417 0.000 100.0 % ")
    assert "source &lt;x&gt;" in markup
    assert "nan" not in markup


def test_classes_without_pictures_or_answers_have_no_figures():
    lines = rows(class_table(evaluated([0, 0, 1], [0, 2, 0])))
    assert lines[:4] == [
        "class precision recall F1 F2 pictures",
        "angry 0.500 0.500 0.500 0.500 2",
        "disgust - 0.000 0.000 0.000 1",
        "fear 0.000 - - - 0",
    ]


def test_the_cost_is_given_in_units():
    words = text(cost_table(evaluated([0], [0]).cost))
    assert "1,234,567, of which 1,234,000 are learned" in words
    assert "56.0 million a picture" in words
    assert "789 pictures a second" in words
    assert "1.3 ms a picture" in words


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"source": "jaffe"}, False),
        ({"left_out": {"contempt": 1}}, False),
        ({"classes": tuple(Emotion)}, True),
    ],
)
def test_only_all_of_fer2013_is_compared_with_its_board(given, expected):
    assert comparable(evaluated(range(7), range(7), **given)) is expected


def test_pictures_of_six_classes_are_not_compared():
    assert not comparable(evaluated(range(6), range(6)))


@pytest.mark.parametrize(
    ("right", "place", "shown"),
    [
        (7, 1, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]),
        (5, 12, [*map(str, range(1, 16))]),
        (3, 23, [*map(str, range(1, 11)), "…", *map(str, range(20, 27))]),
        (0, 31, [*map(str, range(1, 11)), "…", "28", "29", "30", "-"]),
    ],
)
def test_a_model_has_its_place_on_the_board(right, place, shown):
    answers = [number if number < right else (number + 1) % 7 for number in range(7)]
    markup = standing(evaluated(range(7), answers), BOARD)
    words = f"Place {place}" if place < 31 else "Below the 30 places that are known"
    assert f"{words}, without test-time augmentation." in markup
    assert [row.split()[0] for row in rows(markup)[1:]] == shown
    assert markup.count("(this model)") == markup.count('class="ours"') == 1


def test_of_equals_ours_comes_first():
    assert "Place 1, " in standing(evaluated(range(7), range(7)), [Entry("perfect", 1.0)])


@pytest.mark.parametrize(
    ("split", "repeats", "warned"), [("validation", 1, True), ("test", 1, True), ("test", 513, False)]
)
def test_only_the_whole_test_may_be_compared_without_a_caveat(split, repeats, warned):
    labels = [*range(7)] * repeats
    scored = evaluated(labels[:3589] if repeats > 1 else labels, labels[:3589], split=split)
    assert ('class="warning"' in standing(replace(scored, split=split), BOARD)) is warned


def test_the_board_is_in_order():
    assert [entry.accuracy for entry in ENTRIES] == sorted((entry.accuracy for entry in ENTRIES), reverse=True)
    assert len(SEVEN) == 7


def test_accuracies_are_shares():
    with pytest.raises(ValueError, match=r"accuracy must be a share from 0 to 1, got 71"):
        Entry("a team", 71)
