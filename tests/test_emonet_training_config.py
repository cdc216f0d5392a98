import json
from dataclasses import replace

import pytest

from emonet.models import MODELS, model_class
from emonet.options import option_fields, read_toml, write_toml
from emonet.training import TrainConfig, recipe
from emonet.training.config import Panel
from emonet.training.recipes import EPOCH_IMAGES, RECIPES

EVERYTHING = {
    "model": "tuned_five",
    "arguments": {"widths": [2, 2, 2, 4], "activations": ["elu"] * 4, "dropout": [0.0, 0.5, 0.0, 0.0]},
    "init": 'runs/"naïve" \\ 😀\n.safetensors',
    "new_head": True,
    "classes": "fer6",
    "fold": 2,
    "sources": ["fer2013", "jaffe"],
    "source_weights": {"jaffe": 3, "fer2013": 0.5},
    "class_weights": {"disgust": 1e-5, "happy": 1e3},
    "augment_from": {"10": "mirror", "20": "none"},
    "weight_decay": 1e-16,
    "epochs": 7,
    "keep": "last",
    "tensorboard": True,
}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epoch": 3, "batchsize": 4}, "unknown options: batchsize, epoch; .*: batch_size, .*; TrainConfig lists all$"),
        ({"epochs": "3"}, "epochs must be a whole number, got '3'"),
        ({"epochs": 2.5}, "epochs must be a whole number, got 2.5"),
        ({"epochs": True}, "epochs must be a whole number, got True"),
        ({"learning_rate": "high"}, "learning_rate must be a number, got 'high'"),
        ({"ema": True}, "ema must be a number, got True"),
        ({"compile": 1}, "compile must be true or false, got 1"),
        ({"augment": 1}, "augment must be a text, got 1"),
        ({"model": None}, "model must be a text, got None"),
        ({"arguments": ["hidden"]}, r"arguments must be a table, got \['hidden'\]"),
        ({"sources": "jaffe"}, "sources must be a list of names, got 'jaffe'"),
        ({"sources": [1]}, r"sources must be a list of names, got \[1\]"),
        ({"optimizer": "lion"}, "optimizer must be one of sgd, adam, adamw, muon, got 'lion'"),
        ({"schedule": "step"}, "schedule must be one of constant, cosine, plateau, trapezoid, got 'step'"),
        ({"precision": "fp16"}, "precision must be one of auto, fp32, bf16, got 'fp16'"),
        ({"augment": "wild"}, "unknown augmentation 'wild'; known augmentations: none, mirror"),
        ({"augment_from": {"3": "wild"}}, "unknown augmentation 'wild'; known augmentations: none, mirror"),
        ({"augment_from": {"soon": "none"}}, "`augment_from` must be of the form epoch=policy, got soon=none"),
        ({"augment_from": {"3": ["none"]}}, r"augment_from must be a table of names, got 3=\['none'\]"),
        ({"class_weights": {"joy": 2}}, "class_weights must be of angry, disgust, .*, contempt, got joy"),
        ({"oversample": {"joy": 2, "fun": 1}}, "oversample must be of angry, .*, got fun, joy"),
        ({"oversample": {"disgust": "often"}}, "oversample must be numbers from 0 to 1,000, got disgust='often'"),
        ({"source_weights": {"jaffe": -1}}, "source_weights must be numbers from 0 to 1,000, got jaffe=-1"),
        ({"source_weights": {"jaffe": True}}, "source_weights must be numbers from 0 to 1,000, got jaffe=True"),
        ({"class_weights": {"happy": float("nan")}}, "class_weights must be numbers .* got happy=nan"),
        ({"arguments": {"classes": 6}}, "a network has the classes of its data"),
    ],
)
def test_what_is_no_option_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig.from_dict(options)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("size", (-1, 2000)),
        ("channels", (-1, 4)),
        ("fold", (-2,)),
        ("leave_out", (-2,)),
        ("mixup", (-0.1, 11.0)),
        ("mix_until", (-0.1, 1.1)),
        ("epochs", (0,)),
        ("steps", (-1,)),
        ("batch_size", (0,)),
        ("learning_rate", (-0.1, 101.0, float("nan"))),
        ("rest_rate", (-0.1, 101.0)),
        ("decay_share", (0.0, 1.1)),
        ("momentum", (-0.1, 1.1)),
        ("weight_decay", (-1.0,)),
        ("warmup", (-1.0, float("inf"))),
        ("patience", (0,)),
        ("smoothing", (-0.1, 1.0)),
        ("clip", (-1.0, float("inf"))),
        ("ema", (-0.1, 1.0)),
        ("average_last", (-1,)),
        ("seed", (-1,)),
        ("order", (-1,)),
        ("members", (0, 101)),
        ("orders", (0, 101)),
        ("workers", (-2,)),
        ("save_every", (-1.0, float("inf"))),
    ],
)
def test_numbers_have_their_ranges(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"{name} must be a number (from .* to .*|of at least .*), got {value}"):
            TrainConfig(**{name: value})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"all_train": True, "schedule": "plateau"}, "`all_train` leaves nothing to choose on"),
        ({"all_train": True, "stop_after": 3}, "`all_train` leaves nothing to choose on"),
        ({"all_train": True, "orders": 2}, "`all_train` leaves nothing to choose on"),
        ({"all_train": True, "fold": 0}, "`all_train` leaves nothing to choose on"),
        ({"members": 2, "orders": 2}, "ask for one of the two"),
        ({"balance": "weights", "class_weights": {"sad": 2}}, "`balance` weights chooses the numbers itself"),
        ({"balance": "oversample", "oversample": {"sad": 2}}, "`balance` oversample chooses the numbers itself"),
        ({"balance_sources": True, "source_weights": {"jaffe": 2}}, "leave out `source_weights`"),
        ({"loss": "hinge", "smoothing": 0.1}, "`smoothing` belongs to the softmax loss"),
        ({"loss": "hinge", "heads": {"seen": 1}}, "takes one head of labels, with weight 1"),
        ({"loss": "hinge", "heads": {"fer2013": 0.5}}, "takes one head of labels, with weight 1"),
        ({"heads": {"seen": 1}, "balance": "weights"}, "the only head is 'seen'"),
        ({"heads": {"seen": 1}, "class_weights": {"sad": 2}}, "the only head is 'seen'"),
        ({"heads": {"seen": 1}, "votes_share": 0.5}, "the only head is 'seen'"),
        ({"average_last": 2}, "ask for `keep` last"),
        ({"average_last": 2, "keep": "last", "ema": 0.9}, "`average_last` replaces `ema`"),
        ({"average_last": 2, "keep": "last", "stop_after": 5}, "no `ema` or `stop_after`"),
        ({"new_head": True}, "`new_head` belongs to `init`"),
    ],
)
def test_contradictions_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig.from_dict(options)


def test_what_is_weighted_may_be_shown_more_often_too():
    TrainConfig(balance="weights", oversample={"disgust": 2})
    TrainConfig(balance="oversample", class_weights={"disgust": 2})


def test_people_may_write_it_as_they_do_in_python():
    loose = TrainConfig(learning_rate=1, warmup=0, augment_from={3: "none"}, arguments={"widths": (2, 4)})
    strict = TrainConfig(learning_rate=1.0, warmup=0.0, augment_from={"3": "none"}, arguments={"widths": [2, 4]})
    assert loose == strict
    assert type(loose.warmup) is float


def test_a_config_keeps_no_hold_on_what_it_was_given():
    given = {"widths": [2, 4]}
    config = TrainConfig(arguments=given)
    given["widths"].append(8)
    assert config.arguments == {"widths": [2, 4]}


@pytest.mark.parametrize("values", [{}, EVERYTHING, *map(recipe, RECIPES)])
def test_a_config_comes_back_from_its_file(tmp_path, values):
    config = TrainConfig.from_dict(values)
    write_toml(config, tmp_path / "config.toml")
    assert TrainConfig.from_dict(read_toml(tmp_path / "config.toml")) == config
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("content", [b"epochs 3", b"epochs = 3\nepochs = 4", b"\xff\xfe"])
def test_what_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"config\.toml is not TOML"):
        read_toml(path)


@pytest.mark.parametrize(
    ("epoch", "policy"), [(0, "strong"), (4, "strong"), (5, "mirror"), (9, "mirror"), (10, "none")]
)
def test_the_augmentation_of_an_epoch(epoch, policy):
    config = TrainConfig(augment="strong", augment_from={"10": "none", "05": "mirror"})
    assert config.policy(epoch) == policy


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, {"steps", "oversample"}),
        ({"epochs": 3}, {"oversample"}),
        ({"epochs": 3, "steps": 5}, {"steps", "oversample"}),
        ({"balance": "oversample"}, {"steps"}),
        ({"balance": "none"}, {"steps", "oversample"}),
    ],
)
def test_what_a_change_takes_the_place_of_leaves_the_recipe(changes, left):
    options = recipe("lenet28", **changes)
    assert {"steps", "oversample"} & set(options) == left
    TrainConfig.from_dict(options)


@pytest.mark.parametrize(("optimizer", "rate"), [("muon", 0.02), ("sgd", 0.1), ("adam", 0.001), ("adamw", 0.001)])
def test_another_optimizer_is_not_given_the_rates_of_the_recipe(optimizer, rate):
    assert TrainConfig.from_dict(recipe("emonet_fast", optimizer=optimizer)).learning_rate == rate
    assert TrainConfig.from_dict(recipe("emonet_fast", optimizer=optimizer, learning_rate=0.3)).learning_rate == 0.3


def test_naming_the_optimizer_of_a_recipe_changes_nothing():
    assert recipe("torchvision:resnet18", optimizer="sgd") == {**recipe("torchvision:resnet18"), "optimizer": "sgd"}
    assert recipe("tiny_vgg", optimizer="muon")["learning_rate"] == 0.02


def test_a_run_may_go_on_elsewhere_and_not_otherwise():
    identity = TrainConfig().identity()
    fields = option_fields(TrainConfig)
    machine = {field.name for field in fields if field.option.panel is Panel.MACHINE}
    assert machine - set(identity) == machine - {"precision"}
    assert {field.name for field in fields} - machine <= set(identity)
    other = TrainConfig(workers=3, storage="disk", device="cpu", save_every=1, channels_last=False, tensorboard=True)
    assert other.identity() == identity
    assert replace(other, precision="bf16").identity() != identity


def test_an_identity_is_what_json_gives_back():
    identity = TrainConfig.from_dict(EVERYTHING).identity()
    assert json.loads(json.dumps(identity)) == identity


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_trained(name):
    config = TrainConfig.from_dict(recipe(name))
    assert config.model == name
    assert model_class(name) is MODELS[name]
    assert all(getattr(config, key) == value for key, value in RECIPES[name].items())


def test_another_size_is_not_given_the_sizes_of_the_recipe():
    assert "size_from" not in recipe("emonet_fast", size=32)
    assert recipe("emonet_fast", size=96, size_from={"0": 64})["size_from"] == {"0": 64}


def test_every_network_that_is_trained_by_itself_has_a_recipe():
    assert set(MODELS) - set(RECIPES) == {"averaged"}


def test_a_family_shares_its_recipe():
    shared = {"epoch_images": EPOCH_IMAGES}
    assert recipe("torchvision:vgg16") == {"model": "torchvision:vgg16", **shared, **RECIPES["torchvision"]}
    assert recipe("unheard_of") == {"model": "unheard_of", **shared}


@pytest.mark.parametrize("changes", [{"epochs": 3}, {"steps": 9}, {"init": "emonet"}])
def test_whoever_says_how_long_to_train_is_not_given_the_steps_of_a_recipe(changes):
    assert TrainConfig.from_dict(recipe("emonet", **changes)).epoch_images == 0
    assert TrainConfig.from_dict(recipe("lenet28")).epoch_images == 0  # its recipe counts steps
