"""Spaces of searches: what options may be, which training their values make, and what is refused at once."""

import math

import pytest
from trainings import FIVE

from emonet.errors import EmonetError, MissingFileError, OptionError
from emonet.options import from_table
from emonet.training import TrainConfig, recipe
from emonet.tuning import TuneOptions, list_spaces, read_space
from emonet.tuning.domains import Choices, Range, parse_domain
from emonet.tuning.options import flatten_search, split_options
from emonet.tuning.space import count_epochs, make_space


def names(space):
    return [one.name for one in space.parameters]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0.001..0.1:log", Range(0.001, 0.1, log=True)),
        ("1e-4..1e-2:log", Range(1e-4, 1e-2, log=True)),
        ("0..0.6", Range(0, 0.6)),
        ("0..0.6:0.1", Range(0.0, 0.6, 0.1)),
        ("-1.5..2.5", Range(-1.5, 2.5)),
        ("16..128:16", Range(16, 128, 16, whole=True)),
        ("2..5", Range(2, 5, 1, whole=True)),
        ("8..64:log", Range(8, 64, log=True, whole=True)),
        ("32,64,128", Choices((32, 64, 128))),
        ("relu, elu,tanh", Choices(("relu", "elu", "tanh"))),
        ("true,false", Choices((True, False))),
        ("../one.safetensors", Choices(("../one.safetensors",))),
        ([[32, 64], [64, 128]], Choices(([32, 64], [64, 128]))),
        (0.5, Choices((0.5,))),
    ],
)
def test_domains_are_read_as_they_are_written(given, expected):
    assert parse_domain("x", given) == expected


@pytest.mark.parametrize(
    ("given", "whole", "expected"), [("1..2", False, Range(1.0, 2.0)), ("1..4", True, Range(1, 4, 1, whole=True))]
)
def test_an_option_decides_whether_a_range_is_of_whole_numbers(given, whole, expected):
    found = parse_domain("x", given, whole=whole)
    assert found == expected
    assert type(found.low) is type(expected.low)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("1..0", "from a smaller number"),
        ("1..", "LOW..HIGH"),
        ("1..2:3:log", "LOW..HIGH"),
        ("0..1:log", "above 0"),
        ("0..1:0.3", "step that divides"),
        ("0..1:0", "step that divides"),
        ("", "no values"),
        ([], "no values"),
        ("a,b,a", '"a" twice'),
    ],
)
def test_what_is_no_domain_is_refused(given, words):
    with pytest.raises(OptionError, match=words) as caught:
        parse_domain("learning_rate", given)
    assert "learning_rate" in str(caught.value)


def test_numbers_are_written_with_few_digits():
    assert parse_domain("x", "0..0.6:0.1").all_values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    assert parse_domain("x", "0.0001..0.01:log").shorten(0.00234567) == 0.002346
    assert parse_domain("x", "0.012354..1").shorten(0.0123541) == 0.012354  # and not 0.01235


def test_values_make_a_training_on_top_of_the_recipe():
    search = {
        "learning_rate": "0.001..0.1:log",
        "arguments": {"widths": {"2": [8, 16]}, "activations": {"each": ["relu", "tanh"]}},
        "class_weights.disgust": "1..4",
    }
    space = make_space(search, {**FIVE, "epochs": 5})
    assert names(space) == [
        "learning_rate",
        "arguments.widths.2",
        *(f"arguments.activations.{layer}" for layer in (1, 2, 3, 4)),
        "class_weights.disgust",
    ]
    values = {"learning_rate": 0.01, "arguments.widths.2": 16, "arguments.activations.4": "relu"}
    config = space.make_config({**values, "class_weights.disgust": 2.5})
    assert config.arguments == {"widths": [4, 16, 4, 8], "activations": ["tanh", "tanh", "tanh", "relu"]}
    assert config == TrainConfig.from_dict(
        recipe("tuned_five", epochs=5)
        | {"learning_rate": 0.01, "arguments": config.arguments, "class_weights": {"disgust": 2.5}}
    )


def test_a_searched_table_keeps_the_rest_of_the_recipe():
    space = make_space({"oversample.fear": "1..4"}, {"model": "lenet28"})
    assert space.make_config({"oversample.fear": 2.0}).oversample == {"disgust": 4.0, "fear": 2.0}


def test_each_network_has_its_own_recipe():
    space = make_space({"model": ["lenet28", "tuned_five"], "arguments.hidden": "8..16"}, {"epochs": 2})
    five, lenet = (space.make_config({"model": name}) for name in ("tuned_five", "lenet28"))
    assert (five.optimizer, lenet.optimizer) == ("adam", "sgd")
    assert space.make_config({"model": "lenet28", "arguments.hidden": 8}).arguments == {"hidden": 8}


def test_values_that_go_only_with_some_others_are_allowed():
    search = {"arguments.widths": [[8, 8], [8, 8, 8]], "arguments.convolutions": [[1, 1], [1, 1, 1]]}
    make_space(search, {"model": "emonet_fast"})
    make_space({"loss": ["softmax", "hinge"], "smoothing": [0.0, 0.1]}, {"model": "tuned_five"})


@pytest.mark.parametrize(
    ("search", "training", "words"),
    [
        ({}, {}, "nothing to search"),
        ({"rate": "0..1"}, {}, "closest to rate: learning_rate, .*; `emonet train --help` lists all$"),
        ({"learning_rate": "0..200"}, {}, "from 0 to 100, got 200"),
        ({"batch_size": "8,many"}, {}, "batch_size must be a whole number, got 'many'"),
        ({"batch_size": "0.5..2"}, {}, "whole numbers"),
        ({"optimizer": "adam,lion"}, {}, "one of sgd, adam, adamw, muon, got 'lion'"),
        ({"augment": "none,odd"}, {}, "known augmentations: none, mirror"),
        ({"arguments.dropuot": "0..1"}, {}, "emonet has no argument 'dropuot'; it has stem, widths, blocks"),
        ({"arguments.classes": "2..7"}, {}, "no argument 'classes'"),
        ({"arguments.dropout": "0..2"}, {}, "from 0 to 0.99, got 2"),
        ({"arguments.widths.5": "8..16"}, FIVE, "a layer from 1 to 4, or with each"),
        ({"arguments.widths.0": "8..16"}, FIVE, "a layer from 1 to 4, or with each"),
        ({"arguments.dropout.1": "0..1"}, {}, "no list"),
        ({"arguments.activations.each": "relu,lu"}, FIVE, "one of relu, elu, tanh, got 'lu'"),
        ({"arguments.widths.1": "4..8", "arguments.widths.each": "4..8"}, FIVE, r"arguments.widths.1 is there twice"),
        ({"arguments.widths": [[4, 4, 4, 4]], "arguments.widths.1": "4..8"}, FIVE, "searched as a whole"),
        ({"arguments": "1"}, {}, "name a part of arguments"),
        ({"epochs.first": "1..2"}, {}, "epochs is no table"),
        ({"class_weights.joy": "1..2"}, {}, "must be of angry, .*, got joy"),
        ({"choose_by": "loss,accuracy"}, {}, "compared by"),
        ({"sources": [["a"], ["b"]]}, {}, "compared by"),
        ({"members": "1..3"}, {}, "one network"),
        ({"workers": "1..2"}, {}, "does not change what is learned"),
        ({"seed": "1..2"}, {"all_train": True}, "leave out `all_train`"),
        ({"seed": "1..2"}, {"orders": 3}, "leave out `orders`"),
        ({"seed": "1..2"}, {"sed": 3}, "unknown options of the trainings: sed"),
    ],
)
def test_mistakes_are_told_before_the_first_trial(search, training, words):
    with pytest.raises(OptionError, match=words):
        make_space(search, training)


def test_a_grid_has_every_combination_once():
    space = make_space({"batch_size": [4, 8], "learning_rate": "0.1..0.3:0.1"}, {})
    points = [tuple(space.find_point(number).values()) for number in range(space.count_grid())]
    assert points == [(4, 0.1), (4, 0.2), (4, 0.3), (8, 0.1), (8, 0.2), (8, 0.3)]
    with pytest.raises(OptionError, match=r"a step for learning_rate, not 0.1..0.3"):
        make_space({"learning_rate": "0.1..0.3"}, {}).count_grid()


@pytest.mark.parametrize(("search", "most"), [({"seed": "1,2"}, 7), ({"epochs": "2..9"}, 9), ({"epochs": "4,30"}, 30)])
def test_the_longest_training_is_known(search, most):
    assert count_epochs(make_space(search, {"epochs": 7}), 1000) == most


@pytest.mark.parametrize(
    ("search", "training", "most"),
    [
        ({"seed": "1,2"}, {"steps": 100, "batch_size": 10}, 4),  # 32 steps an epoch
        ({"seed": "1,2"}, {"model": "lenet28"}, 1601),  # 16,001 steps, 10 an epoch
        ({"batch_size": [10, 64]}, {"steps": 100}, 20),
        ({"steps": "10..64"}, {"batch_size": 320}, 64),
        ({"model": ["emonet", "emonet_fast"]}, {}, 180),
        ({"seed": "1,2"}, {"epochs": 7, "epoch_images": 960, "teacher": ["emonet"], "teacher_views": 2}, 21),
        ({"seed": "1,2"}, {"epochs": 7, "epoch_images": 960}, 7),
        ({"epochs": "2..9", "teacher_views": [0, 2]}, {"epoch_images": 960, "teacher": ["emonet"]}, 27),
    ],
)
def test_steps_and_views_of_a_teacher_decide_how_many_epochs_there_are(search, training, most):
    assert count_epochs(make_space(search, training), 320) == most


def test_dotted_names_and_tables_are_the_same():
    assert flatten_search({"arguments": {"a": 1, "b": {"1": 2}}, "c.d": 3}) == {
        "arguments.a": 1,
        "arguments.b.1": 2,
        "c.d": 3,
    }
    with pytest.raises(OptionError, match=r"arguments.a is there twice"):
        flatten_search({"arguments.a": 1, "arguments": {"a": 2}})


@pytest.mark.parametrize("name", list_spaces())
def test_spaces_of_emonet_can_be_searched(name):
    own, training = split_options(read_space(name))
    options = from_table(TuneOptions, own)
    space = make_space(options.search, training)
    draws = [{one.name: one.domain.probes[end] for one in space.parameters} for end in (0, -1)]
    assert all(space.make_config(values).epochs <= 60 for values in draws)


def test_the_space_of_the_ckplus_team_is_layer_by_layer():
    space = make_space(read_space("ckplus_team")["search"], {"model": "tuned_five"})
    for argument in ("widths", "activations", "dropout"):
        assert [name for name in names(space) if argument in name] == [
            f"arguments.{argument}.{n}" for n in (1, 2, 3, 4)
        ]


def test_spaces_are_read_from_files(tmp_path):
    (tmp_path / "mine.toml").write_text('epochs = 3\n[search]\narguments.dropout = "0..0.5"\n')
    assert read_space(str(tmp_path / "mine.toml")) == {"epochs": 3, "search": {"arguments": {"dropout": "0..0.5"}}}
    (tmp_path / "odd.toml").write_text("epoch = 3\n")
    with pytest.raises(OptionError, match=r"epoch; the closest to epoch: epochs, .*; `emonet tune --help` lists all"):
        read_space(str(tmp_path / "odd.toml"))
    with pytest.raises(MissingFileError, match="the spaces are ckplus_team, emonet_fast, tiny_vgg"):
        read_space("unknown")


@pytest.mark.parametrize("values", [{"trials": 0}, {"minutes": -1}, {"sampler": "cma"}, {"minutes": math.inf}])
def test_options_of_a_search_have_limits(values):
    with pytest.raises(EmonetError):
        TuneOptions(**values)
