"""The command `emonet train`."""

import io
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import trainings
from rich.console import Console
from rich.progress import Progress, TextColumn
from typer.testing import CliRunner

from emonet.commands import app, main
from emonet.commands._console.progress import TrainingBar, training_bar
from emonet.inference.checkpoint import load_checkpoint
from emonet.options import option_fields, write_toml
from emonet.training import TrainConfig, recipe
from emonet.training.config import Panel
from emonet.training.log import EpochRow

ROW = EpochRow(
    epoch=3,
    step=30,
    learning_rate=0.1,
    train_loss=1.5,
    train_accuracy=0.5,
    dev_loss=1.75,
    dev_accuracy=0.25,
    dev_macro_f1=0.2,
    seconds=2.0,
    waiting_share=0.25,
    pictures_per_second=1234.5,
)


@pytest.fixture
def run():
    """Run `emonet train ...` in this process, without the part of `main` that prints errors in one line."""
    runner = CliRunner(env={"COLUMNS": "200"})
    return lambda *arguments: runner.invoke(app, ["train", *map(str, arguments)])


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture
def config(tmp_path):
    """A file with the options of a very short training."""
    write_toml(trainings.quick(), tmp_path / "quick.toml")
    return tmp_path / "quick.toml"


@pytest.fixture
def given(run, store, tmp_path, monkeypatch):
    """Return the options that a command line passes to `train`."""
    calls = []

    def note(config, *_, overwrite):
        calls.append((config, overwrite))
        return SimpleNamespace(model=config.model, training={"seconds": 0}, scores={})

    def ask(*arguments):
        monkeypatch.setattr("emonet.training.run.train", note)
        result = run(store.path, "--out", tmp_path / "run", *arguments)
        assert result.exit_code == 0, result.output
        return calls[-1]

    return ask


def test_the_help_shows_every_option(run):
    text = run("--help").output
    for field in option_fields(TrainConfig):
        name = "--set" if field.name == "arguments" else f"--{field.name.replace('_', '-')}"
        assert f" {name} " in text.replace("│", " "), name
    assert all(f" {panel} " in text for panel in Panel)
    assert "(default: 60)" in text
    assert "emonet[log]" in text
    assert "--no-all-train" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--epochs", "3", "--learning-rate", "1e-3", "--ema", "0"], {"epochs": 3, "learning_rate": 1e-3, "ema": 0.0}),
        (
            ["--set", "hidden=8", "--set", "a=[1, 2]", "--set", "b=x"],
            {"arguments": {"hidden": 8, "a": [1, 2], "b": "x"}},
        ),
        (["--class-weights", "sad=2", "--class-weights", "fear=0.5"], {"class_weights": {"sad": 2, "fear": 0.5}}),
        (["--augment-from", "10=mirror", "--augment", "none"], {"augment_from": {"10": "mirror"}, "augment": "none"}),
        (["--sources", "fer2013,jaffe"], {"sources": ("fer2013", "jaffe")}),
        (
            ["--teacher", "a.safetensors,emonet", "--teacher-views", "16"],
            {"teacher": ("a.safetensors", "emonet"), "teacher_views": 16},
        ),
        (["--all-train", "--no-channels-last"], {"all_train": True, "channels_last": False}),
        (["--fold", "0", "--workers", "0", "--steps", "7"], {"fold": 0, "workers": 0, "steps": 7}),
    ],
)
def test_options_of_the_command_line_reach_train(given, arguments, expected):
    config, overwrite = given(*arguments)
    assert config == TrainConfig.from_dict(recipe("emonet", **expected))
    assert overwrite is False


def test_options_override_the_file_and_the_file_the_recipe(given, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('model = "tiny_vgg"\nbatch_size = 16\nepochs = 5\nsource_weights = {jaffe = 3}\n')
    config, _ = given("--config", path, "--epochs", "2")
    assert (config.optimizer, config.stop_after) == ("adam", 15)  # from the recipe
    assert (config.model, config.batch_size, config.source_weights) == ("tiny_vgg", 16, {"jaffe": 3})
    assert config.epochs == 2
    other, _ = given("--config", path, "--model", "crop_three")
    assert (other.model, other.optimizer, other.batch_size) == ("crop_three", "sgd", 16)


def test_emonet_is_the_default_model(given):
    assert given()[0] == TrainConfig.from_dict(recipe("emonet"))
    assert given("--model", "torchvision:resnet18", "--overwrite") == (
        TrainConfig.from_dict(recipe("torchvision:resnet18")),
        True,
    )


def test_train_command_writes_a_model_and_reports_it(run, store, config, tmp_path):
    result = run(store.path, "-o", tmp_path / "run", "--config", config, "--epochs", 2)
    assert result.exit_code == 0, result.output
    checkpoint = load_checkpoint(tmp_path / "run" / "model.safetensors")
    assert checkpoint.training["config"] == trainings.quick(epochs=2, augment_with="albumentations").to_dict()
    first, epoch, dev = result.stdout.splitlines()
    assert first.startswith(f"{tmp_path / 'run' / 'model.safetensors'}: tuned_five, 0.0 minutes")
    assert epoch == f"epoch {checkpoint.training['chosen_epoch']} of 2"
    assert dev.startswith(f"dev: {checkpoint.scores['dev']['accuracy']:.2%} of 7 (95 % interval ")
    assert "tuned_five on cpu" in result.stderr
    assert "epoch   2  train " in result.stderr


def test_train_command_writes_and_uses_teacher_labels(run, store, config, tmp_path):
    result = run(store.path, "-o", tmp_path / "run", "--config", config, "--epochs", 1, "--out-of-fold")
    assert result.exit_code == 0, result.output
    path = tmp_path / "run" / "teacher_labels.parquet"
    assert f"{path}: out-of-fold labels for 35 images" in result.stdout
    assert "fold 2, not learned from: " in result.stderr
    taught = ["--teacher-labels", f"{path},{path}", "--teacher-share", 0.3]
    result = run(store.path, "-o", tmp_path / "pupil", "--config", config, "--epochs", 1, *taught)
    assert result.exit_code == 0, result.output
    assert "teacher labels for 28 of 28" in result.stderr


def test_config_toml_repeats_a_run(run, store, config, tmp_path):
    run(store.path, "-o", tmp_path / "run", "--config", config)
    again = run(store.path, "-o", tmp_path / "again", "--config", tmp_path / "run" / "config.toml")
    assert again.exit_code == 0, again.output
    assert trainings.log(tmp_path / "run")[-1].train_loss == trainings.log(tmp_path / "again")[-1].train_loss


def test_a_stopped_training_says_how_to_resume(run, store, config, tmp_path, monkeypatch):
    @contextmanager
    def watched(*, shown):
        yield trainings.Stopping(steps=6 if shown else 0)

    arguments = (store.path, "-o", tmp_path / "run", "--config", config)
    with monkeypatch.context() as patched:
        patched.setattr("emonet.commands._console.progress.training_bar", watched)
        stopped = run(*arguments)
    assert stopped.exit_code == 130
    assert stopped.stderr == "emonet: stopped; run the same command again to go on\n"
    assert (tmp_path / "run" / "state.safetensors").is_file()
    assert run(*arguments).exit_code == 0
    assert len(trainings.log(tmp_path / "run")) == 3


def test_scores_by_source_are_shown(run, store, tmp_path, monkeypatch):
    dev = {"accuracy": 0.5, "n": 1200, "accuracy_interval": (0.25, 0.75), "macro_f1": 0.4}
    scores = {"dev": dev, "dev_by_source": {"fer2013": dev, "jaffe": dev | {"n": 3}}}
    done = SimpleNamespace(model="knn", training={"seconds": 90}, scores=scores)
    monkeypatch.setattr("emonet.training.run.train", lambda *_, **__: done)
    lines = run(store.path, "-o", tmp_path).stdout.splitlines()
    assert lines[0].endswith("model.safetensors: knn, 1.5 minutes")
    assert lines[1:] == [
        "dev: 50.00% of 1,200 (95 % interval 25.00% to 75.00%), macro F1 0.4000",
        "  fer2013: 50.00% of 1,200 (95 % interval 25.00% to 75.00%), macro F1 0.4000",
        "  jaffe: 50.00% of 3 (95 % interval 25.00% to 75.00%), macro F1 0.4000",
    ]


def test_only_the_first_process_prints(run, store, config, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    result = run(store.path, "-o", tmp_path / "run", "--config", config, "--epochs", 1)
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], "epochs must be a number from 1 to 100,000, got 0"),
        (["--model", "lenet82"], "unknown model 'lenet82'; known models: emonet"),
        (["--schedule", "step"], "schedule must be one of constant, cosine, plateau, trapezoid, got 'step'"),
        (["--set", "hidden"], "takes NAME=VALUE, got 'hidden'"),
        (["--set", "depth=3"], "unknown arguments of the model 'emonet': depth"),
        (["--oversample", "disgust=often"], "oversample must be numbers from 0 to 1,000, got disgust='often'"),
        (["--sources", "jaffe"], "no training images from jaffe; there are some from fer2013"),
        (["--init", "nowhere.safetensors"], "no such model file: nowhere.safetensors"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
        (["--members", "2", "--orders", "2"], "--members are averaged and --orders chosen from"),
        (["--teacher-views", "2"], "--teacher-views belongs to --teacher"),
        (["--set", "classes=3"], "choose among them with --classes, not in --set"),
        (["--batch-size", "0"], "emonet: --batch-size must be a number"),
    ],
)
def test_invalid_options_end_with_one_line(store, tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.setattr(sys, "argv", ["emonet", "train", str(store.path), "-o", str(tmp_path / "run"), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("emonet: ")]
    assert words in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("epochs three", "mine.toml is not TOML"),
        ("epoch = 3", "mine.toml: epoch; the closest to epoch: epochs, epoch_images"),
        ('epochs = "3"', "epochs must be a whole number, got '3'"),
        ("model = 3", "model must be a text, got 3"),
        ('sources = "jaffe"', "sources must be a list of names, got 'jaffe'"),
        ("batch_size = 0", "batch_size must be a number"),
        ("teacher_views = 2", "`teacher_views` belongs to --teacher"),
    ],
)
def test_mistakes_in_the_config_file_are_reported(run, store, tmp_path, content, words):
    (tmp_path / "mine.toml").write_text(content)
    result = run(store.path, "-o", tmp_path / "run", "--config", tmp_path / "mine.toml")
    assert result.exit_code == 1
    assert words in str(result.exception)


@pytest.mark.parametrize("arguments", [["--epochs", "many"], ["--epoch", "3"], ["--learning-rate"]])
def test_invalid_command_lines_name_the_option(run, store, tmp_path, arguments):
    result = run(store.path, "-o", tmp_path / "run", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


def test_a_folder_without_a_store_is_refused(run, config, tmp_path):
    result = run(tmp_path, "-o", tmp_path / "run", "--config", config)
    assert result.exit_code == 1
    assert "no dataset.json in it" in str(result.exception)


def drawn(*calls):
    """Return what a terminal shows at the end of a training."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, color_system=None)
    with Progress(TextColumn("{task.description} {task.fields[figures]}"), console=console) as progress:
        bar = TrainingBar(progress)
        for name, *arguments in calls:
            getattr(bar, name)(*arguments)
    return file.getvalue()


def test_the_bar_shows_smoothed_figures():
    begin = ("begin", "member-1", 10, 0)
    assert "member-1 loss 2.000  accuracy 50.0%  rate 0.1" in drawn(begin, ("step", 2.0, 0.5, 0.1))
    smoothed = drawn(begin, ("step", 2.0, 0.5, 0.1), ("step", 1.0, 1.0, 0.05))
    assert "member-1 loss 1.950  accuracy 52.5%  rate 0.05" in smoothed


def test_each_network_of_a_run_gets_a_new_bar():
    text = drawn(("begin", "order-1", 10, 4), ("step", 2.0, 0.5, 0.1), ("begin", "order-2", 10, 0))
    before, new, after = text.partition("order-2")
    assert "order-1" in before
    assert new
    assert "order-1" not in after


def test_lines_are_printed_above_the_bar():
    line = "epoch   3  train 1.500 50.00%  dev 1.750 25.00%  1,234 images/s, 25% waiting"
    assert line in drawn(("begin", "run", 10, 0), ("epoch", ROW))
    assert "[bold]run is finished" in drawn(("note", "[bold]run is finished"))


def test_step_before_begin_is_an_error():
    with pytest.raises(RuntimeError, match="begin comes before step"):
        drawn(("step", 1.0, 0.5, 0.1))


def test_a_hidden_bar_prints_nothing(capsys):
    with training_bar(shown=False) as watch:
        watch.note("hello")
        watch.begin("run", 10, 0)
        watch.step(1.0, 0.5, 0.1)
        watch.epoch(ROW)
    assert capsys.readouterr() == ("", "")
