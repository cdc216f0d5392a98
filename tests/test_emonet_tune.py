"""The command `emonet tune`."""

from types import SimpleNamespace

import pytest
import trainings
from typer.testing import CliRunner

from emonet.commands import app
from emonet.options import format_toml, option_fields
from emonet.training import TrainConfig
from emonet.tuning import TuneOptions, list_spaces

pytest.importorskip("optuna", reason="emonet[tune] is not installed")


@pytest.fixture
def run():
    """Run `emonet tune ...` in this process, without the part of `main` that prints errors in one line."""
    runner = CliRunner(env={"COLUMNS": "200"})
    return lambda *arguments: runner.invoke(app, ["tune", *map(str, arguments)])


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture
def given(run, store, tmp_path, monkeypatch):
    """Return the options that a command line passes to `tune`."""
    calls = []

    def note(options, store, out, training, watch, *, overwrite):  # noqa: ARG001
        calls.append((options, training, overwrite))
        return SimpleNamespace(config=None, trials=())

    def ask(*arguments):
        monkeypatch.setattr("emonet.tuning.run.tune", note)
        result = run(store.path, "-o", tmp_path / "out", *arguments)
        assert result.exit_code == 0, result.output
        return calls[-1]

    return ask


def test_the_help_shows_every_option_and_space(run):
    text = run("--help").output
    for field in (*option_fields(TuneOptions), *option_fields(TrainConfig)):
        name = "--set" if field.name == "arguments" else f"--{field.name.replace('_', '-')}"
        assert f" {name} " in text.replace("│", " "), name
    assert all(name in text for name in list_spaces())


def test_options_are_divided_between_the_search_and_its_trainings(given):
    search = ["learning_rate=0.001..0.1:log", "batch_size=32,64", "arguments.widths=[[4, 4], [8, 8]]", "seed=3"]
    words = [word for one in search for word in ("--search", one)]
    options, training, overwrite = given(*words, "--trials", "7", "--minutes", "2.5", "--epochs", "3", "--model", "knn")
    assert options == TuneOptions(
        search={
            "learning_rate": "0.001..0.1:log",
            "batch_size": "32,64",
            "arguments.widths": [[4, 4], [8, 8]],
            "seed": 3,
        },
        trials=7,
        minutes=2.5,
    )
    assert training == {"epochs": 3, "model": "knn"}
    assert overwrite is False


def test_what_is_given_comes_before_a_space(given):
    options, training, _ = given(
        *("--space", "tiny_vgg", "--search", "arguments.widths.1=8,16", "--search", "batch_size=8,16"),
        *("--epochs", "2", "--pruner", "none", "--overwrite"),
    )
    assert options.search["arguments.widths.1"] == "8,16"
    assert options.search["arguments.widths.2"] == "8..64:2"
    assert options.search["batch_size"] == "8,16"
    assert (options.pruner, training["model"], training["epochs"]) == ("none", "tiny_vgg", 2)


def test_printed_options_are_a_file_of_the_same_search(run, given, store, tmp_path):
    arguments = ["--space", "emonet_fast", "--search", "clip=1,5", "--device", "cpu"]
    expected = given(*arguments)
    printed = run(store.path, "-o", tmp_path / "out", *arguments, "--print-config")
    (tmp_path / "printed.toml").write_text(printed.stdout)
    assert given("--config", tmp_path / "printed.toml") == expected
    assert given("--space", tmp_path / "printed.toml") == expected


def test_a_search_says_what_it_found(run, store, tmp_path):
    (tmp_path / "quick.toml").write_text(format_toml({**trainings.FIVE, **trainings.QUICK, "epochs": 1}))
    arguments = ["--config", tmp_path / "quick.toml", "--search", "learning_rate=0.001..0.1:log", "--trials", "2"]
    result = run(store.path, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'out' / 'best.toml'}: accuracy 0." in result.stdout
    assert "the best of 2 trials" in result.stdout
    assert "trial 2 of 2" in result.stderr
    again = run(store.path, "-o", tmp_path / "out", *arguments)
    assert "has 2 trials; best so far" in again.stderr
    assert again.stdout == result.stdout
