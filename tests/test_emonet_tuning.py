"""Searches: trials on tiny data sets, stopped, killed and resumed, by one process and by several."""

import csv
import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
import trainings
from pages import Tags, words
from trainings import FIVE, QUICK

from emonet.datasets.store.regrouped import regroup
from emonet.errors import MissingPackageError, OptionError
from emonet.inference.checkpoint import load_checkpoint
from emonet.options import format_toml, read_toml
from emonet.training import TrainConfig, train
from emonet.training.log import EpochRow, Silent
from emonet.tuning import TuneOptions, tune
from emonet.tuning.space import make_space
from emonet.tuning.study import Claim, Study
from emonet.tuning.trial import TrialWatch

pytest.importorskip("optuna", reason="emonet[tune] is not installed")

TRAINING = {**FIVE, **QUICK}
SEARCH = {"learning_rate": "0.0001..0.1:log", "arguments.activations.each": ["relu", "tanh"]}
THREE = TuneOptions(search=SEARCH, trials=3, pruner="none")


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture(autouse=True)
def without_plots(monkeypatch):
    monkeypatch.setattr("emonet.tuning.run.write_report", lambda *_: None)


@pytest.fixture
def open_study(tmp_path):
    """Open a study without trainings, as often as asked."""

    def open_one(longest=8, lowest=False, **options):
        chosen = replace(THREE, **options)
        space = make_space(chosen.search, TRAINING)
        return Study(tmp_path / "study", space, chosen, {"data": "one"}, longest=longest, lowest=lowest)

    return open_one


def table(folder, *, without=("seconds",)):
    with (folder / "trials.csv").open(newline="") as file:
        return [{name: cell for name, cell in row.items() if name not in without} for row in csv.DictReader(file)]


class Noting(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


class StoppingAt(Silent):
    """Interrupts a search after so many steps, as Ctrl-C does."""

    def __init__(self, steps):
        self._left = steps

    def step(self, *_):
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def searched(store, tmp_path_factory):
    """A search that was not stopped."""
    folder = tmp_path_factory.mktemp("searched")
    watch = Noting()
    return folder, tune(THREE, store, folder, TRAINING, watch), watch.notes


def test_a_search_writes_its_trials_and_the_best_options(searched):
    folder, found, notes = searched
    rows = table(folder)
    assert [row["trial"] for row in rows] == ["1", "2", "3"]
    assert {row["state"] for row in rows} == {"complete"}
    scores = [float(row["score"]) for row in rows]
    best = scores.index(max(scores))
    assert found.score == max(scores)
    assert found.config.learning_rate == float(rows[best]["learning_rate"])
    assert list(found.config.arguments["activations"]) == [
        rows[best][f"arguments.activations.{n}"] for n in (1, 2, 3, 4)
    ]
    assert TrainConfig.from_dict(read_toml(folder / "best.toml")) == found.config
    assert [note.partition(":")[0] for note in notes] == [f"trial {number} of 3" for number in (1, 2, 3)]
    assert "best so far: trial" in notes[-1]
    kept = [path.parent.name for path in folder.glob("*/model.safetensors")]
    assert kept == [f"trial-{best + 1:04d}"]


def test_the_best_options_train_the_same_network(searched, store, tmp_path):
    folder, found, _ = searched
    config = TrainConfig.from_dict(read_toml(folder / "best.toml"))
    again = train(config, store, tmp_path, draw=False)
    (kept,) = folder.glob("*/model.safetensors")
    assert again.identity == load_checkpoint(kept).identity
    assert again.scores["dev"]["accuracy"] == pytest.approx(found.score)


def test_the_page_shows_the_search_and_loads_nothing(searched):
    folder, found, _ = searched
    text = (folder / "tuning.html").read_text()
    tags = Tags(text)
    assert (tags.open, tags.wrong) == ([], [])
    assert all(source.startswith("data:") for source in tags.values("src"))
    shown = words(text)
    assert f"{100 * found.score:.2f} %" in shown
    assert "arguments.activations.1" in shown
    assert "validation and test were not opened" in shown
    assert f"--config {folder / 'best.toml'}" in shown


def test_validation_and_test_are_not_opened(searched, store, tmp_path):
    whole, found, _ = searched
    keys = {split: store.table(split, ["key"])["key"].to_pylist() for split in ("train", "dev")}
    without = regroup(store, keys, {})
    assert tune(THREE, without, tmp_path, TRAINING).score == found.score
    assert table(tmp_path) == table(whole)


@pytest.mark.parametrize("steps", [1, 7, 14])
def test_a_stopped_search_goes_on_to_the_same_trials(searched, store, tmp_path, steps):
    whole, _, _ = searched
    with pytest.raises(KeyboardInterrupt):
        tune(THREE, store, tmp_path, TRAINING, StoppingAt(steps))
    assert table(tmp_path)[-1]["state"] == "interrupted"
    tune(THREE, store, tmp_path, TRAINING)
    assert table(tmp_path) == table(whole)


def test_a_killed_search_goes_on_to_the_same_trials(searched, store, tmp_path):
    whole, _, _ = searched
    search = [
        f"--search={name}={value if isinstance(value, str) else ','.join(value)}" for name, value in SEARCH.items()
    ]
    config = tmp_path / "training.toml"
    config.write_text(format_toml(TRAINING))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "emonet", "tune", store.path, "-o", out, "--config", config, *search]
    process = subprocess.Popen([*command, "--trials", "3", "--pruner", "none"], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while not (out / "trial-0002" / "state.safetensors").is_file() and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    tune(THREE, store, out, TRAINING)
    assert table(out) == table(whole)


def test_two_processes_share_the_trials(store, tmp_path):
    command = [sys.executable, "-m", "emonet", "tune", store.path, "-o", tmp_path, "--model", "tuned_five"]
    command += ["--set", "widths=[4,4,4,8]", "--epochs", "2", "--augment", "none", "--device", "cpu", "--workers", "0"]
    command += ["--search", "learning_rate=0.0001..0.1:log", "--trials", "8", "--pruner", "none"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    rows = table(tmp_path)
    assert [row["trial"] for row in rows] == [str(number) for number in range(1, 9)]
    assert {row["state"] for row in rows} == {"complete"}
    assert len({row["learning_rate"] for row in rows}) == 8
    done = [line.split()[1] for _, errors in ended for line in errors.splitlines() if line.startswith("trial ")]
    assert sorted(done, key=int) == [str(number) for number in range(1, 9)]


def test_a_trial_of_another_process_is_left_to_it(open_study):
    first, second = open_study(), open_study()
    with first.claim() as mine, second.claim() as other:
        assert (mine.number, other.number) == (1, 2)
        assert mine.values != other.values
        assert [one.state for one in second.list_trials()] == ["running", "running"]
        third = open_study().claim()
        assert third.number == 3
        assert first.claim() is None
        mine.finish(0.5, {})
    third.__exit__()
    assert [one.state for one in first.list_trials()] == ["complete", "interrupted", "interrupted"]
    again = second.claim()
    assert (again.number, again.values) == (2, other.values)


def test_a_study_that_is_worked_on_is_not_replaced(open_study, store):
    study = open_study()
    with study.claim(), pytest.raises(OptionError, match=r"another process works on .*trial-0001"):
        tune(THREE, store, study.folder, TRAINING, overwrite=True)
    assert (study.folder / "study.journal").is_file()


def test_an_interrupted_trial_keeps_what_it_reported(open_study):
    study = open_study(pruner="median")
    with study.claim() as claim:
        assert not claim.report(1, 0.25)
    with open_study(pruner="median").claim() as again:
        assert again.number == claim.number
        again.report(1, 0.75)  # as a training does that repeats an epoch; the first report counts
        again.report(2, 0.5)
        again.finish(0.5, {})
    assert [(one.number, one.state, one.score) for one in study.list_trials()] == [(1, "complete", 0.5)]


def test_a_trial_that_was_killed_while_it_failed_is_run_again(open_study, monkeypatch):
    def kill(*_, **__):
        raise KeyboardInterrupt

    with open_study().claim() as claim, monkeypatch.context() as patch:
        patch.setattr("optuna.Study.tell", kill)
        with pytest.raises(KeyboardInterrupt):
            claim.give_up({}, "odd")
    assert [(one.state, one.error) for one in open_study().list_trials()] == [("interrupted", "")]
    with open_study().claim() as claim:
        claim.finish(0.5, {})
    assert [(one.state, one.error) for one in open_study().list_trials()] == [("complete", "")]


def test_a_torn_line_of_the_journal_is_dropped(open_study):
    with open_study().claim() as claim:
        claim.finish(0.5, {})
    journal = open_study().folder / "study.journal"
    journal.write_bytes(journal.read_bytes() + b'{"op_code": 5, "work')
    assert [one.score for one in open_study().list_trials()] == [0.5]


def test_a_damaged_journal_is_refused(open_study):
    open_study()
    journal = open_study().folder / "study.journal"
    journal.write_bytes(b"not JSON\n" + journal.read_bytes())
    with pytest.raises(OptionError, match=r"study\.journal is damaged"):
        open_study()


def test_poor_trials_are_pruned(open_study):
    study = open_study(trials=7, pruner="median")
    for score in (0.5, 0.6, 0.7, 0.6, 0.5):
        with study.claim() as claim:
            assert not any(claim.report(step, score) for step in (1, 2, 3))
            claim.finish(score, {})
    with study.claim() as good:
        assert not good.report(2, 0.9)
        good.finish(0.9, {})
    with study.claim() as poor:
        assert poor.report(2, 0.1)
        poor.give_up({"epochs": 2})
    assert study.list_trials()[-1].state == "pruned"
    assert study.find_best().number == 6


def test_a_low_loss_is_the_best(open_study):
    study = open_study(lowest=True)
    for score in (0.5, 0.2, 0.9):
        with study.claim() as claim:
            claim.finish(score, {})
    assert study.find_best().number == 2


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_sampler_draws_the_same_again(open_study, sampler, tmp_path):
    drawn = []
    for turn in range(2):
        for number in range(3):
            with open_study(sampler=sampler).claim() as claim:  # opened anew for each trial, as after a stop
                drawn.append(claim.values)
                claim.finish(number / 3, {})
        (tmp_path / "study").rename(tmp_path / f"before-{turn}")
    assert drawn[:3] == drawn[3:]
    assert len({json.dumps(values) for values in drawn}) == 3


def test_a_grid_is_tried_once_in_its_order(open_study):
    search = {"batch_size": [4, 8], "learning_rate": "0.1..0.3:0.1", "augment": ["none"]}
    tried = []
    while claim := open_study(search=search, sampler="grid", trials=50).claim():
        with claim:
            tried.append((claim.values["batch_size"], claim.values["learning_rate"]))
            claim.finish(0.5, {})
    assert tried == [(4, 0.1), (4, 0.2), (4, 0.3), (8, 0.1), (8, 0.2), (8, 0.3)]


@pytest.mark.parametrize("sampler", ["tpe", "grid"])
def test_values_of_any_kind_are_tried(open_study, sampler):
    search = {"arguments.widths": [[4, 4, 4, 4], [8, 8, 8, 8]], "alternate_mirror": [True, False], "epochs": "2..3"}
    study = open_study(search=search, sampler=sampler, trials=8)
    while claim := study.claim():
        with claim:
            assert claim.values["arguments.widths"] in search["arguments.widths"]
            assert type(claim.values["alternate_mirror"]) is bool
            assert type(claim.values["epochs"]) is int
            claim.finish(claim.values["arguments.widths"][0] + claim.values["epochs"], {})
    shares = study.measure_importance()
    assert set(shares) == set(search)
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=shares.get) == "arguments.widths"


def test_nothing_explains_equal_scores(open_study):
    study = open_study(trials=7)
    while claim := study.claim():
        with claim:
            claim.finish(0.5, {})
    assert study.measure_importance() == {}


@pytest.mark.parametrize(
    ("changes", "training", "differing"),
    [
        ({"search": {"learning_rate": "0.0001..0.2:log"}}, {}, "search"),
        ({}, {"epochs": 4}, "epochs"),
        ({"objective": "folds"}, {}, "objective"),
    ],
)
def test_another_study_in_the_folder_is_refused(searched, store, changes, training, differing):
    folder, _, _ = searched
    before = (folder / "study.journal").read_bytes()
    with pytest.raises(OptionError, match=rf"holds a study with other {differing};"):
        tune(replace(THREE, **changes), store, folder, {**TRAINING, **training})
    assert (folder / "study.journal").read_bytes() == before


def test_a_study_of_other_data_is_refused_and_may_be_replaced(store, tmp_path):
    keys = {split: store.table(split, ["key"])["key"].to_pylist() for split in ("train", "dev")}
    other = regroup(store, {**keys, "train": keys["train"][1:]}, {})
    one = replace(THREE, trials=1)
    tune(one, store, tmp_path, TRAINING)
    with pytest.raises(OptionError, match="other data"):
        tune(one, other, tmp_path, TRAINING)
    assert len(tune(one, other, tmp_path, TRAINING, overwrite=True).trials) == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_is_searched_among_other_things(store, tmp_path, overwrite):
    mine = tmp_path / "trial-0001" / "notes.txt"
    mine.parent.mkdir()
    mine.touch()
    with pytest.raises(OptionError, match="holds other things than a search, such as 'trial-0001'"):
        tune(THREE, store, tmp_path, TRAINING, overwrite=overwrite)
    assert [*tmp_path.rglob("*")] == [mine.parent, mine]


def test_budgets_may_grow(store, tmp_path):
    first = tune(replace(THREE, trials=1), store, tmp_path, TRAINING)
    options = replace(THREE, trials=2, sampler="random", pruner="hyperband", minutes=60)
    found = tune(options, store, tmp_path, {**TRAINING, "workers": 1})
    assert [one.number for one in found.trials] == [1, 2]
    assert found.trials[0] == first.trials[0]


def test_time_ends_a_search_within_a_trial(store, tmp_path):
    watch = Noting()
    found = tune(replace(THREE, minutes=1e-6), store, tmp_path / "none", TRAINING, watch)
    assert (found.config, found.score, found.trials) == (None, None, ())
    found = tune(replace(THREE, minutes=0.01), store, tmp_path / "one", {**TRAINING, "epochs": 1000}, watch)
    assert [one.state for one in found.trials] == ["interrupted"]
    assert "the time is up within trial 1" in watch.notes[-1]
    assert (tmp_path / "one" / "trial-0001" / "state.safetensors").is_file()


def test_a_pruned_trial_logs_all_of_its_epochs(store, tmp_path, monkeypatch):
    monkeypatch.setattr("emonet.tuning.study.Claim.report", lambda *given: given[1] == 2)
    found = tune(replace(THREE, trials=1), store, tmp_path, TRAINING)
    assert [(one.state, one.score, one.facts["epochs"]) for one in found.trials] == [("pruned", None, 2)]
    assert [row.epoch for row in trainings.log(tmp_path / "trial-0001")] == [1, 2]
    assert not list(tmp_path.glob("*/*.safetensors"))
    assert (tmp_path / "tuning.html").exists() is False


def test_folds_are_scored_in_turn(store, tmp_path):
    keys = store.table("train", ["key"])["key"].to_pylist()
    bare = regroup(store, {"train": keys}, {})
    options = replace(THREE, trials=2, objective="folds")
    found = tune(options, bare, tmp_path, TRAINING)
    own = [trainings.trained(bare, tmp_path / f"own-{fold}", fold=fold, **_chosen(found)) for fold in (0, 1, 2)]
    assert found.score == pytest.approx(sum(one.scores["dev"]["accuracy"] for one in own) / 3)
    assert found.config.fold == 0  # there is no dev to choose the epoch on
    assert next(one for one in found.trials if one.score == found.score).facts["images"] == len(keys)
    train(found.config, bare, tmp_path / "best", draw=False)


def test_each_fold_has_steps_of_its_own_to_be_pruned_by(store, tmp_path, monkeypatch):
    """Outside a fold lie 18 or 19 images, three batches: 12 steps are four epochs, whatever `epochs` says."""
    reported = []
    monkeypatch.setattr(Claim, "report", lambda _, step, _score: reported.append(step))
    options = replace(THREE, trials=1, objective="folds")
    tune(options, store, tmp_path, {**TRAINING, "epochs": 2, "steps": 12})
    folds = store.table("train", ["fold"])["fold"].to_pylist()  # old packages divide them otherwise
    epochs = [math.ceil(12 / math.ceil(sum(one != fold for one in folds) / 8)) for fold in (0, 1, 2)]
    # What is beyond the count is the last step of its fold.
    assert reported == [4 * fold + min(epoch, 4) for fold in (0, 1, 2) for epoch in range(1, epochs[fold] + 1)]


class Reports:
    """A claim that notes what is reported."""

    def __init__(self):
        self.steps = []

    def report(self, step, _):
        self.steps.append(step)


def test_epochs_that_were_not_counted_stay_within_their_fold():
    figures = dict.fromkeys(("learning_rate", "train_loss", "train_accuracy", "seconds", "waiting_share"), 0.0)
    row = EpochRow(**figures, epoch=1, step=1, dev_accuracy=0.5, pictures_per_second=1.0)
    watch = TrialWatch(Reports(), Silent(), "", "accuracy", float("inf"), [0.5], first_step=5, epochs=5)
    for epoch in (1, 5, 6, 9):
        watch.epoch(replace(row, epoch=epoch))
    assert watch.claim.steps == [6, 10, 10, 10]


def _chosen(found):
    return {"learning_rate": found.config.learning_rate, "arguments": found.config.arguments}


def test_trials_that_cannot_be_trained_fail_and_others_go_on(store, tmp_path):
    options = TuneOptions(search={"learning_rate": [0.003, 100.0]}, sampler="grid", trials=2)
    training = {**TRAINING, "optimizer": "sgd", "weight_decay": 10.0, "epochs": 6}  # 100 x 10 in each step
    found = tune(options, store, tmp_path, training)
    assert [one.state for one in found.trials] == ["complete", "failed"]
    assert "are no numbers at step" in found.trials[1].error
    assert found.config.learning_rate == 0.003


def test_a_search_in_which_all_fails_ends(store, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OptionError("odd")

    monkeypatch.setattr("emonet.tuning.trial.train", fail)
    with pytest.raises(OptionError, match="all of 20 trials failed, the last because: odd"):
        tune(replace(THREE, trials=50), store, tmp_path, TRAINING)


@pytest.mark.parametrize(
    ("options", "training", "words"),
    [
        ({"objective": "folds"}, {"fold": 1}, "leave out `fold`"),
        ({"sampler": "grid"}, {}, "a step for learning_rate"),
        ({}, {"all_train": True}, "leave out `all_train`"),
    ],
)
def test_contradictions_are_told_before_a_folder_is_made(store, tmp_path, options, training, words):
    with pytest.raises(OptionError, match=words):
        tune(replace(THREE, **options), store, tmp_path / "out", {**TRAINING, **training})
    assert not (tmp_path / "out").exists()


def test_a_data_set_must_have_what_trials_are_compared_on(store, tmp_path):
    keys = store.table("train", ["key"])["key"].to_pylist()
    with pytest.raises(OptionError, match="no split 'dev'"):
        tune(THREE, regroup(store, {"train": keys}, {}), tmp_path, TRAINING)


def test_torchrun_is_refused(store, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(OptionError, match="without torchrun"):
        tune(THREE, store, tmp_path, TRAINING)


def test_a_missing_package_comes_first(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingPackageError, match=r'pip install "emonet\[tune\]"'):
        tune(None, None, None)


def test_memory_that_is_too_small_is_a_failed_trial(store, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory.\nMore words")

    monkeypatch.setattr("emonet.tuning.trial.train", fail)
    found = tune(replace(THREE, trials=1), store, tmp_path, TRAINING)
    assert [(one.state, one.error) for one in found.trials] == [("failed", "CUDA out of memory.")]
