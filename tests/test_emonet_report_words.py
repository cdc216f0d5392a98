from dataclasses import replace

import pytest
from evaluations import SEVEN, checkpoint, evaluated, store, training
from pages import Tags, block, headings, parts, rows, sentences, words

from emonet.evaluation.metrics import score
from emonet.evaluation.remarks import list_learned_sources
from emonet.html.images import EmbeddedImage
from emonet.inference.model_file import LEARNED_VALIDATION
from emonet.labels import Emotion
from emonet.report.leaderboard import ENTRIES, LeaderboardEntry, find_standing, is_comparable
from emonet.report.provenance import chosen, learned_from, part_of_split
from emonet.report.report import describe

BOARD = [LeaderboardEntry(f"team {number}", 1 - number / 40) for number in range(1, 31)]


def shown(evaluation, name, **changes):
    """A section of the report."""
    return block("evaluation.html.j2", name, **(describe(evaluation) | changes))


def board(evaluation, entries):
    return shown(evaluation, "board", standing=find_standing(evaluation, entries), source="")


@pytest.mark.parametrize(
    ("config", "said"),
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
def test_what_was_chosen_is_told(config, said):
    assert chosen(training(**config)) == said


def test_of_an_average_each_member_has_its_epoch():
    averaged = {name: value for name, value in training(members=3).items() if name not in ("epochs", "chosen_epoch")}
    assert chosen(averaged) == "each member's epoch, by accuracy on dev"


def test_models_from_elsewhere_have_no_history():
    elsewhere = evaluated([0], [0], made=replace(checkpoint(hidden=4), training={}))
    assert (chosen({}), learned_from({})) == ("not recorded", "not recorded")
    assert "is not known" in part_of_split(elsewhere)


@pytest.mark.parametrize(
    ("split", "config", "said"),
    [
        ("validation", {}, "the training neither learned from it nor chose anything on it"),
        ("dev", {}, "the model was chosen on it: this is no test"),
        ("dev", {"all_train": True}, "the model learned from it: this is no test"),
        ("train", {}, "the model learned from it: this is no test"),
        ("dev", {"fold": 1}, "the training neither learned from it nor chose anything on it"),
        ("dev", {"keep": "last"}, "the training neither learned from it nor chose anything on it"),
        ("test", {"init": "old.safetensors"}, "whether the model that it began with did is not recorded"),
    ],
)
def test_what_the_split_has_to_do_with_the_model_is_told(split, config, said):
    scored = evaluated([0], [0], split=split, made=checkpoint(about=training(**config), hidden=4))
    assert said in part_of_split(scored)


def test_images_that_are_published_as_validation_may_have_been_learned_from():
    learned = checkpoint(about=training() | {LEARNED_VALIDATION: True}, hidden=4)
    known, unknown = (evaluated([0], [0], split=split, made=learned) for split in ("validation", "test"))
    for told in (part_of_split(known), *known.remarks):
        assert told == "the model learned from images that are published as validation: this is no test"
    assert "nor chose anything" in part_of_split(unknown)
    assert not unknown.remarks


def test_other_data_may_share_pictures():
    assert "another data set" in part_of_split(evaluated([0], [0], data=store(files={"a": "b"})))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("kdef", "learned from fer2013, jaffe alone, and none of these images"),
        ("jaffe", "2 of its images are of train or dev, which the model learned from"),
    ],
)
def test_a_whole_data_set_is_no_test_if_the_model_knows_it(source, said):
    scored = evaluated([0, 0, 1], [0, 0, 0], split="all", source=source, splits=["train", "dev", "test"])
    assert said in part_of_split(scored)
    assert any("this is no test" in remark for remark in scored.remarks) == (source == "jaffe")


@pytest.mark.parametrize(("init", "known"), [("emonet_fast", ["fer2013", "jaffe"]), ("old.safetensors", None)])
def test_what_a_start_learned_from_counts_too(init, known):
    assert list_learned_sources(checkpoint(about=training(init=init), hidden=4)) == known


def test_a_model_without_a_history_may_know_everything():
    assert list_learned_sources(replace(checkpoint(hidden=4), training={})) is None


def test_what_a_model_learned_from_is_counted():
    assert learned_from(training()) == "1,200 images: fer2013 1,000, jaffe 200"
    assert learned_from(training(init="old")).endswith("; it began with the weights of old")
    assert learned_from(training(init="old,older")).endswith("; it began with the mean weights of old, older")


def test_the_head_states_views_apart():
    head = sentences(shown(evaluated([0, 1, 2, 3], [0, 1, 2, 2], views=("none", "ten_crop")), "top"))
    assert "Without test-time augmentation: 75.00 %, 3 of 4 images right; with 95 % confidence between" in head
    assert "With test-time augmentation (ten crop): 75.00 %, 3 of 4" in head
    assert "of the answers with test-time augmentation (ten crop)" in head
    assert "validation: 4 of 4 images are scored" in head


def test_the_head_warns_of_what_is_left_out():
    head = shown(evaluated([0], [0], left_out={"contempt": 2}), "top")
    assert [words(found)[:6] for found in parts(head, "div") if 'class="warning"' in found] == ["1 of 3"]
    assert not Tags(head).named("p", "fine")


def test_the_head_warns_of_data_that_are_not_whole():
    head = shown(evaluated([0], [0], data=store(evaluated={"validation": {"kept": 3, "of": 5}})), "top")
    assert "the data set has 3 of 5 images of validation" in words(head)
    assert Tags(head).named("div", "warning")


def test_names_are_escaped():
    head = shown(evaluated([0], [0], name="<script>&"), "top")
    assert "<script>&" in words(head)
    assert "<script" not in head


def test_every_view_has_a_table_and_every_part_a_row():
    scored = evaluated([0, 1], [0, 0], views=("none", "mirror"))
    found = {"all": scored.scores["none"]["all"], "source <x>": evaluated([0], [0]).scores["none"]["all"]}
    markup = shown(replace(scored, scores=dict.fromkeys(("none", "mirror"), found)), "scores")
    assert headings(markup, 3) == ["Without test-time augmentation", "With test-time augmentation (mirror)"]
    assert [row.split()[0] for row in rows(markup)] == ["images", "all", "source"] * 2
    assert "macro F2" in rows(markup)[0]
    assert rows(markup)[1].startswith("all 2 50.00 % 9.5 to 90.5 % 0.333 0.333 0.417 0.000 100.0 % ")
    assert rows(markup)[2].startswith("source <x> ")
    assert "nan" not in markup


def test_with_a_beta_of_1_each_figure_still_has_its_heading():
    scored = evaluated([0, 1], [0, 0])
    scores = {"all": score(scored.answers["none"], scored.faces.labels, scored.faces.classes, beta=1.0)}
    scored, plots = replace(scored, scores={"none": scores}), dict.fromkeys(("answers", "mistakes"), EmbeddedImage(""))
    for name, columns in (("scores", 11), ("classes", 6)):
        first, second, *_ = parts(shown(scored, name, plots=plots), "tr")
        assert len(parts(first, "th")) == columns
        assert len(parts(second, "th") + parts(second, "td")) == columns


def test_classes_without_images_or_answers_have_no_figures():
    scored = evaluated([0, 0, 1], [0, 2, 0])
    assert describe(scored)["class_rows"][:3] == [
        ("angry", "0.500", "0.500", "0.500", "0.500", 2),
        ("disgust", "-", "0.000", "0.000", "0.000", 1),
        ("fear", "0.000", "-", "-", "-", 0),
    ]


def test_the_cost_is_given_in_units():
    cost = words(shown(evaluated([0], [0]), "cost"))
    assert "1,234,567, of which 1,234,000 are learned" in cost
    assert "56.0 million an image" in cost
    assert "789 images a second" in cost
    assert "1.3 ms an image" in cost


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
    assert is_comparable(evaluated(range(7), range(7), **given)) is expected


def test_images_of_six_classes_are_not_compared():
    assert not is_comparable(evaluated(range(6), range(6)))


@pytest.mark.parametrize(
    ("right", "place", "places"),
    [
        (7, 1, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]),
        (5, 12, [*map(str, range(1, 16))]),
        (3, 23, [*map(str, range(1, 11)), "…", *map(str, range(20, 27))]),
        (0, 31, [*map(str, range(1, 11)), "…", "28", "29", "30", "-"]),
    ],
)
def test_a_model_has_its_place_on_the_board(right, place, places):
    answers = [number if number < right else (number + 1) % 7 for number in range(7)]
    markup = board(evaluated(range(7), answers), BOARD)
    said = f"Place {place}" if place < 31 else "Below the 30 places that are known"
    assert f"{said}, without test-time augmentation." in words(markup)
    assert [row.split()[0] for row in rows(markup)[1:]] == places
    assert markup.count("(this model)") == len(Tags(markup).named("i", "ours")) == 1


def test_of_equals_ours_comes_first():
    found = find_standing(evaluated(range(7), range(7)), [LeaderboardEntry("perfect", 1.0)])
    assert [line.is_ours for line in found.lines] == [True, False]
    assert found.place == 1


@pytest.mark.parametrize(
    ("split", "repeats", "warned"), [("validation", 1, True), ("test", 1, True), ("test", 513, False)]
)
def test_only_the_whole_test_may_be_compared_without_a_caveat(split, repeats, warned):
    labels = [*range(7)] * repeats
    scored = evaluated(labels[:3589] if repeats > 1 else labels, labels[:3589], split=split)
    assert bool(Tags(board(replace(scored, split=split), BOARD)).named("div", "warning")) is warned


def test_the_board_is_in_order():
    assert [entry.accuracy for entry in ENTRIES] == sorted((entry.accuracy for entry in ENTRIES), reverse=True)
    assert len(SEVEN) == 7


def test_accuracies_are_shares():
    with pytest.raises(ValueError, match=r"accuracy must be a share from 0 to 1, got 71"):
        LeaderboardEntry("a team", 71)
