"""`emonet protocol`, as people call it."""

import re
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import merged
import pytest
import trainings
from typer.testing import CliRunner

from emonet.commands import app, main
from emonet.options import write_toml
from emonet.protocols import PROTOCOLS, Cross, LearningCurve, LeaveOneSubjectOut, OfficialSplits, SubjectFolds
from emonet.training import TrainConfig, recipe


@pytest.fixture
def run():
    """Runs `emonet protocol ...` in this process; ValueError and OSError are what `main` makes one line of."""
    runner = CliRunner(env={"COLUMNS": "160"})
    return lambda *arguments: runner.invoke(app, ["protocol", *map(str, arguments)])


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return merged.build_merged(tmp_path_factory.mktemp("merged"), portrait, people=3)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("emonet.training.record.draw_curves", lambda *_, **__: None)
    monkeypatch.setattr("emonet.evaluation.cost.SECONDS", 1e-9)


@pytest.fixture
def config(tmp_path):
    """A file of options for a moment's training."""
    write_toml(trainings.quick(epochs=1), tmp_path / "quick.toml")
    return tmp_path / "quick.toml"


@pytest.fixture
def given(run, store, tmp_path, monkeypatch):
    """What a command line asks `run_protocol` for."""
    calls = []

    def note(protocol, _, config, *__, overwrite):
        calls.append((protocol, config, overwrite))
        return SimpleNamespace(pooled={}, collapsed=[])

    def ask(name, *arguments):
        monkeypatch.setattr("emonet.protocols.run.run_protocol", note)
        result = run(name, store.path, "--out", tmp_path / "run", *arguments)
        assert result.exit_code == 0, result.output
        return calls[-1]

    return ask


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["fer2013"], OfficialSplits()),
        (["ckplus"], SubjectFolds(10)),
        (["ckplus", "--folds", "5"], SubjectFolds(5)),
        (["jaffe"], LeaveOneSubjectOut()),
        (["cross", "--from", "fer2013"], Cross(("fer2013",))),
        (["cross", "--from", "fer2013,jaffe", "--to", "ckplus"], Cross(("fer2013", "jaffe"), ("ckplus",))),
        (["learning-curve"], LearningCurve((0.1, 0.25, 0.5, 1.0), "steps")),
        (["learning-curve", "--shares", "1,0.5", "--equal", "epochs"], LearningCurve((0.5, 1.0), "epochs")),
    ],
)
def test_options_arrive(given, arguments, expected):
    assert given(*arguments) == (expected, TrainConfig.from_dict(recipe("emonet")), False)


def test_options_of_the_training_arrive(given, config):
    _, chosen, overwrite = given("jaffe", "--config", config, "--seed", "3", "--all-train", "--overwrite")
    assert chosen == trainings.quick(epochs=1, seed=3, all_train=True)
    assert overwrite is True


def test_the_help_lists_every_protocol(run):
    lines = run("--help").output.splitlines()
    for name in PROTOCOLS:
        (line,) = [line for line in lines if line.startswith(f"│ {name} ")]
        assert len(line.split()) > 8
    assert any("Example: emonet protocol ckplus " in line for line in lines)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_each_gives_an_example(run, name):
    assert f"Example: emonet protocol {name} data/" in run(name, "--help").output


def test_a_protocol_from_the_command_line(run, store, config, tmp_path):
    result = run("ckplus", store.path, "-o", tmp_path / "run", "--config", config, "--folds", 3)
    assert result.exit_code == 0, result.output
    header, *rows, how, last = result.stdout.splitlines()
    assert re.split(" {2,}", header) == ["scored, view", "n", "accuracy", "95 %", "macro F1", "over rounds"]
    titles = ["ckplus, none", "  per sequence", "ckplus, mirror", "  per sequence"]
    assert [row[: len(title)] for row, title in zip(rows, titles, strict=True)] == titles
    assert all("±" in row for row in rows)
    assert how.endswith("7 people")
    assert last == f"look at {tmp_path / 'run' / 'report.html'}"
    assert "round 3 of 3, fold-3: epoch: on fold 1, who are not learned from; scored once on fold 3" in result.stderr


def test_the_table_fits_into_80_columns(store, config, tmp_path):
    options = ["-o", tmp_path / "run", "--config", config, "--folds", 3, "--classes", "ck6,ck8"]
    arguments = ["protocol", "ckplus", store.path, *options]
    result = CliRunner(env={"COLUMNS": "80"}).invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    table = result.stdout.splitlines()[:9]
    assert max(map(len, table)) <= 80
    assert [row.split("  ")[0] for row in table if row.startswith("ckplus")] == [
        f"ckplus {classes}, {view}" for classes in ("ck6", "ck8") for view in ("none", "mirror")
    ]


def test_a_protocol_that_is_stopped_says_how_to_go_on(run, store, config, tmp_path, monkeypatch):
    @contextmanager
    def watched(*, shown):
        yield trainings.Stopping(epochs=2 if shown else 0)

    arguments = ("jaffe", store.path, "-o", tmp_path / "run", "--config", config)
    with monkeypatch.context() as patched:
        patched.setattr("emonet.commands._console.progress.training_bar", watched)
        stopped = run(*arguments)
    assert stopped.exit_code == 130
    assert stopped.stderr == "emonet: stopped; run the same command again to go on\n"
    again = run(*arguments)
    assert again.exit_code == 0
    assert "KA is finished" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cross", "--from", "kdef"], "has no images from kdef"),
        (["cross", "--from", "jaffe", "--to", "jaffe"], "jaffe cannot be learned from and scored"),
        (["learning-curve", "--shares", "half"], "shares must be a list of numbers, got ['half']"),
        (["learning-curve", "--equal", "words"], "equal must be one of steps, epochs, got 'words'"),
        (["ckplus", "--folds", "100"], "folds must be from 2 to 7"),
        (["jaffe", "--fold", "0"], "leave out --fold and --sources"),
        (["fer2013", "--epochs", "0"], "epochs must be a number from 1 to 100,000, got 0"),
        (["fer2013", "--config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_mistaken_calls_end_with_one_line(store, tmp_path, capsys, monkeypatch, arguments, words):
    name, *rest = arguments
    command = ["emonet", "protocol", name, str(store.path), "-o", str(tmp_path / "run"), *rest]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("emonet: ")
    assert words in line
    assert not (tmp_path / "run").exists()
