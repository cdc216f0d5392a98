"""Options: what a field's annotation says is checked, written to TOML, and made into a command line."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from typer.testing import CliRunner

from emonet.commands import app
from emonet.commands.evaluate import EvaluateOptions
from emonet.commands.faces import FacesOptions
from emonet.commands.predict import PredictOptions
from emonet.commands.protocol import CrossOptions, CurveOptions, FoldOptions
from emonet.datasets import READERS
from emonet.datasets.builder import BuildOptions
from emonet.options import (
    Group,
    Option,
    check_options,
    format_toml,
    from_table,
    option_fields,
    read_toml,
    split_names,
    to_table,
    write_toml,
)
from emonet.training import TrainConfig
from facecrop import CropSpec, FilterRules

DESCRIBED = [BuildOptions, CrossOptions, CurveOptions, EvaluateOptions, FacesOptions, FoldOptions, PredictOptions]
DESCRIBED += [TrainConfig]
SMALL = CropSpec(size=16)


@dataclass(frozen=True, slots=True)
class Baking:
    loaves: Annotated[int, Option("Number of loaves.", 1, 12)] = 2
    heat: Annotated[float, Option("Heat.", above=0)] = 220.0
    flour: Annotated[Literal["rye", "wheat"], Option("Flour: rye or wheat.")] = "rye"
    name: Annotated[str | None, Option("Name of the baker.")] = None
    seeds: Annotated[tuple[str, ...], Option("Seeds on top.")] = ()
    times: Annotated[tuple[float, ...], Option("Minutes of each round.", 0)] = (30.0,)
    shares: Annotated[Mapping[str, float], Option("Shares.", 0, 1, keys=("rye", "wheat"))] = field(default_factory=dict)
    crop: Annotated[CropSpec, Group(size=Option("Size of the loaf."), align=Option("Straighten it."))] = SMALL

    def __post_init__(self) -> None:
        check_options(self)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `emonet ...` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def printed(run):
    """The options that a command would take, as `--print-config` prints them."""

    def ask(*arguments):
        result = run(*arguments, "--print-config")
        assert result.exit_code == 0, (result.output, result.exception)
        return tomllib.loads(result.stdout)

    return ask


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"loaves": 0}, "loaves must be a number from 1 to 12, got 0"),
        ({"loaves": "two"}, "loaves must be a whole number, got 'two'"),
        ({"loaves": True}, "loaves must be a whole number, got True"),
        ({"heat": 0}, "heat must be a number above 0, got 0.0"),
        ({"heat": float("inf")}, "heat must be a number above 0, got inf"),
        ({"flour": "oat"}, "flour must be one of rye, wheat, got 'oat'"),
        ({"name": 3}, "name must be a text, got 3"),
        ({"seeds": "poppy"}, "seeds must be a list of names, got 'poppy'"),
        ({"times": [5, -1]}, r"times must be numbers of at least 0, got \[5.0, -1.0\]"),
        ({"times": ["long"]}, r"times must be a list of numbers, got \['long'\]"),
        ({"size": "large"}, "size must be a whole number, got 'large'"),
        ({"oven": 1, "bakers": 2}, "unknown options: bakers, oven; there are loaves, heat, flour, name"),
    ],
)
def test_an_error_names_the_value_and_what_is_allowed(values, words):
    with pytest.raises(ValueError, match=words):
        from_table(Baking, values)


def test_what_means_the_same_is_converted():
    baking = from_table(Baking, {"heat": 200, "seeds": ["poppy"], "times": [5], "name": None})
    assert (baking.heat, baking.seeds, baking.times) == (200.0, ("poppy",), (5.0,))
    assert type(baking.heat) is type(baking.times[0]) is float


def test_options_of_a_group_stand_beside_the_others():
    baking = from_table(Baking, {"align": True})
    assert baking.crop == CropSpec(size=16, align=True)
    assert to_table(baking)["size"] == 16
    assert [one.name for one in option_fields(Baking)][-2:] == ["size", "align"]


def test_options_come_back_from_their_file(tmp_path):
    baking = Baking(seeds=("poppy", 'a "b" \\ 😀'), times=(1e-16, 3), crop=CropSpec(size=8))
    write_toml(baking, tmp_path / "baking.toml", "bake with this")
    assert from_table(Baking, read_toml(tmp_path / "baking.toml")) == baking
    assert (tmp_path / "baking.toml").read_text().startswith("# bake with this\nloaves = 2\n")
    assert "name" not in read_toml(tmp_path / "baking.toml")  # TOML has no null


def test_a_file_of_options_is_whole_or_not_there(tmp_path, monkeypatch):
    write_toml(Baking(), tmp_path / "baking.toml")
    monkeypatch.setattr("emonet.options.format_toml", lambda _: "\ud800")  # cannot be encoded
    with pytest.raises(UnicodeEncodeError):
        write_toml(Baking(loaves=3), tmp_path / "baking.toml")
    assert read_toml(tmp_path / "baking.toml")["loaves"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["baking.toml"]


def test_commas_divide_names_and_not_the_path_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b.safetensors").touch()
    assert split_names("a,b.safetensors", paths=True) == ("a,b.safetensors",)
    assert split_names("a,b.safetensors") == ("a", "b.safetensors")
    assert split_names("c,d.safetensors", paths=True) == ("c", "d.safetensors")
    assert split_names("x" * 5000, paths=True) == ("x" * 5000,)
    assert split_names("", paths=True) == ()


@pytest.mark.parametrize("described", DESCRIBED)
def test_every_help_text_is_a_sentence_that_names_all_choices(described):
    for one in option_fields(described):
        text = one.option.help
        assert re.fullmatch(r"[A-Z].+[.]", text), (one.name, text)
        assert not [choice for choice in one.choices if choice not in text and choice not in ("all", "auto")], one.name


def test_every_data_set_and_every_filter_rule_is_an_option_of_build():
    names = {one.name for one in option_fields(BuildOptions)}
    assert set(READERS) <= names
    assert {name for name in FilterRules().to_dict() if name != "detector"} <= names


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        (("build",), ("--fer2013", "data/", "--colour", "--min-size", "9"), {"fer2013": "data", "grey": False}),
        (("train", "s", "-o", "r"), ("--model", "lenet28", "--epochs", "3"), {"oversample": {"disgust": 4.0}}),
        (("predict", "p"), ("--annotate", "--tta", "none"), {"annotate": True, "tta": "none"}),
        (("evaluate", "m", "s"), ("--sizes", "48,24", "--views", "none"), {"sizes": [48, 24], "views": ["none"]}),
        (("faces", "p"), ("--option", "min_face=3", "--align"), {"detector_options": {"min_face": 3}, "align": True}),
        (("protocol", "ckplus", "s", "-o", "r"), ("--folds", "3", "--seed", "2"), {"folds": 3, "seed": 2}),
        (("protocol", "cross", "s", "-o", "r"), ("--from", "a,b"), {"from_sources": ["a", "b"], "to_sources": []}),
        (("protocol", "learning-curve", "s", "-o", "r"), ("--shares", "1,0.5"), {"shares": [1.0, 0.5]}),
    ],
)
def test_what_is_printed_can_be_read_by_every_command(printed, tmp_path, command, options, expected):
    first = printed(*command, *options)
    assert {name: first[name] for name in expected} == expected
    (tmp_path / "options.toml").write_text(format_toml(first))
    assert printed(*command, "--config", "options.toml") == first


def test_options_of_the_command_line_come_before_those_of_the_file(printed, tmp_path):
    (tmp_path / "mine.toml").write_text('annotate = true\nbatch = 8\nmin_size = 30\nmodel = ["a", "b"]\n')
    found = printed("predict", "p", "--config", "mine.toml", "--batch", "9", "--no-annotate")
    assert (found["annotate"], found["batch"], found["min_size"], found["model"]) == (False, 9, 30.0, ["a", "b"])


@pytest.mark.parametrize("name", ["--min-size", "--min-face"])
@pytest.mark.parametrize("command", ["faces", "predict"])
def test_the_least_size_of_a_face_has_one_name_and_an_older_one(printed, command, name):
    assert printed(command, "p", name, "40")["min_size"] == 40.0


def test_an_older_name_is_not_listed(run):
    assert "--min-face" not in run("faces", "--help").output


def test_lists_are_given_with_commas_or_one_by_one(printed, tmp_path):
    (tmp_path / "my,model.safetensors").touch()
    found = printed("predict", "p", "--model", "emonet,emonet_fast", "--model", "my,model.safetensors")
    assert found["model"] == ["emonet", "emonet_fast", "my,model.safetensors"]


@pytest.mark.parametrize(
    ("command", "content", "words"),
    [
        ("predict", "min_face = 3", "unknown options in mine.toml: min_face; there are model, "),
        ("predict", 'min_size = "large"', "min_size must be a number, got 'large'"),
        ("predict", 'tta = "five"', "tta must be one of none, mirror, ten_crop, got 'five'"),
        ("faces", "size = 0", "size"),
    ],
)
def test_a_mistake_in_a_file_is_status_1(run, tmp_path, command, content, words):
    (tmp_path / "mine.toml").write_text(content)
    result = run(command, "p", "--config", "mine.toml")
    assert result.exit_code == 1
    assert words in str(result.exception)


def test_an_option_that_must_be_given_may_stand_in_the_file(run, printed, tmp_path):
    assert run("protocol", "cross", "s", "-o", "r").exit_code == 2
    (tmp_path / "mine.toml").write_text('from_sources = ["jaffe"]\n')
    assert printed("protocol", "cross", "s", "-o", "r", "--config", "mine.toml")["from_sources"] == ["jaffe"]


def test_a_repeated_build_takes_no_file(run, tmp_path):
    (tmp_path / "mine.toml").write_text("seed = 3\n")
    result = run("build", "--from", "dataset.json", "--config", "mine.toml")
    assert result.exit_code == 1
    assert "leave out seed" in str(result.exception)
