"""A run that is stopped at any moment and resumed ends in the weights and the log of one that was not stopped."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trainings
from trainings import Stopping

from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.devices import open_machine
from emonet.options import write_toml
from emonet.training.distributed import Processes
from emonet.training.log import Silent
from emonet.training.material import gather_material
from emonet.training.session import Session
from emonet.training.state import read_state

CASES = {
    "adam": {"optimizer": "adam"},
    "sgd": {"optimizer": "sgd", "weight_decay": 0.01, "clip": 1},
    "adamw without layout": {"optimizer": "adamw", "channels_last": False},
    "muon": {**trainings.FAST, "optimizer": "muon", "learning_rate": 0.02, "schedule": "trapezoid", "ema": 0.9},
    "muon without layout": {"optimizer": "muon", "learning_rate": 0.02, "channels_last": False},
    "augmented": {"augment": "strong", "augment_from": {"2": "mirror"}},
    "augmented by torch": {"augment": "strong", "augment_with": "torch"},
    "degraded by torch": {"augment": "degraded", "augment_with": "torch"},
    "augmented by threads": {"augment": "strong", "workers": 2},
    "mixed": {"mixup": 0.4, "cutmix": 1, "mix_until": 0.7},
    "parts": {**trainings.FAST, "mixup": 0.4, "part_size": 3},
    "averaged weights": {"ema": 0.9},
    "last epochs averaged": {**trainings.FAST, "average_last": 2, "keep": "last"},
    "dropout": trainings.FIVE_DROPPING,
    "batch norm and crops": {**trainings.FAST, "ema": 0.5, "bn_batches": 2},
    "plateau": {"schedule": "plateau", "patience": 1, "learning_rate": 1e-9},
    "patience": {"stop_after": 2, "epochs": 9, "learning_rate": 1e-9},
    "last": {"keep": "last", "choose_by": "loss", "warmup": 1.5},
    "steps": {"steps": 10, "epochs": 1},
    "all": {"all_train": True},
    "bf16": {"precision": "bf16"},
    "members": {"members": 2},
    "orders": {"orders": 2},
}
# Before the first save; within an epoch; without progress; in the last step of an epoch; before the log is written.
STOPS = [
    {"steps": 1},
    {"steps": 3},
    {"steps": 2},
    {"steps": 1},
    {"epochs": 1},
    {"steps": 2},
    {"epochs": 1},
    {"epochs": 1},
]


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("faces"), portrait)


def stopped(store, folder, stop, **options):
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(store, folder, Stopping(**stop), save_every=0, **options)


def results(folder):
    """Read the weights and the logs of a folder, without the columns of the clock."""
    weights = {path.relative_to(folder): load_checkpoint(path).weights for path in folder.rglob("model.safetensors")}
    logs = {path.parent.relative_to(folder): untimed(path.parent) for path in folder.rglob("log.csv")}
    return weights, logs


def untimed(folder):
    return [replace(row, seconds=0, waiting_share=0, pictures_per_second=0) for row in trainings.log(folder)]


def assert_same(folder, other):
    (weights, logs), (other_weights, other_logs) = results(folder), results(other)
    assert logs == other_logs
    assert weights.keys() == other_weights.keys()
    for name, own in weights.items():
        assert own.keys() == other_weights[name].keys()
        assert all(np.array_equal(tensor, other_weights[name][key]) for key, tensor in own.items())


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_a_run_stopped_many_times_ends_in_the_same_weights(store, tmp_path, options):
    trainings.trained(store, tmp_path / "whole", **options)
    for stop in STOPS:
        stopped(store, tmp_path / "run", stop, **options)
    trainings.trained(store, tmp_path / "run", **options)
    assert_same(tmp_path / "run", tmp_path / "whole")
    assert not list(tmp_path.rglob("state.safetensors"))
    assert not list(tmp_path.rglob("*-part"))


@pytest.mark.parametrize("stop", [{"steps": steps} for steps in (1, 2, 4, 5, 11, 12)] + [{"epochs": 3}])
def test_a_run_stopped_once_ends_in_the_same_weights(store, tmp_path, stop):
    options = {**trainings.FAST, "augment": "strong", "mixup": 0.3, "ema": 0.8, "bn_batches": 1}
    trainings.trained(store, tmp_path / "whole", **options)
    stopped(store, tmp_path / "run", stop, **options)
    trainings.trained(store, tmp_path / "run", **options)
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_resume_does_not_repeat_steps(store, tmp_path):
    class Counting(Silent):
        steps = begun = 0

        def begin(self, *place):
            self.begun = place[-1]

        def step(self, *_):
            self.steps += 1

    stopped(store, tmp_path, {"steps": 7})
    counting = Counting()
    trainings.trained(store, tmp_path, counting)
    assert (counting.begun, counting.steps) == (6, 12 - 6)


def test_the_state_is_saved_within_an_epoch_only_after_save_every(store, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(store, tmp_path, Stopping(steps=4), save_every=3600)
    assert not (tmp_path / "state.safetensors").exists()
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(store, tmp_path, Stopping(steps=6), save_every=3600)
    assert (tmp_path / "state.safetensors").exists()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not list what is mapped")
def test_a_state_that_was_read_can_be_replaced(store, tmp_path):
    """Windows replaces no file that is mapped, and the next state is written under the same name."""
    with pytest.raises(KeyboardInterrupt):
        trainings.trained(store, tmp_path, Stopping(epochs=1))
    saved = read_state(tmp_path / "state.safetensors")
    assert saved.tensors
    assert "state.safetensors" not in Path("/proc/self/maps").read_text()


def test_a_damaged_state_is_refused(store, tmp_path):
    (tmp_path / "state.safetensors").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"state\.safetensors is damaged"):
        trainings.trained(store, tmp_path)
    assert trainings.trained(store, tmp_path, overwrite=True).scores["dev"]["n"] == 7


def test_the_number_of_processes_is_not_part_of_the_identity(store):
    """A step has the same images with any number of processes, so a run may be resumed with another number."""
    config, machine = trainings.quick(), open_machine("cpu", "fp32")
    material = gather_material(config, store)
    alone, two = (Session(store, material, machine, Processes(0, count), Silent()).identify(config) for count in (1, 2))
    assert alone == two


def killed_after(process, path, changes):
    """Kill the process when the file has been replaced `changes` times, if it still runs."""
    seen = set()
    while process.poll() is None and len(seen) < changes:
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        time.sleep(0.0005)
    process.kill()
    process.communicate()


def test_a_killed_run_ends_in_the_same_weights(store, tmp_path):
    options = {"epochs": 5, "batch_size": 4, "augment": "classic", "ema": 0.9, "save_every": 0}
    trainings.trained(store, tmp_path / "whole", **options)
    write_toml(trainings.quick(**options), tmp_path / "config.toml")
    command = [sys.executable, "-m", "emonet", "train", store.path, "--config", tmp_path / "config.toml"]
    for changes in (1, 6):
        process = subprocess.Popen([*command, "--out", tmp_path / "run"], stderr=subprocess.PIPE)
        killed_after(process, tmp_path / "run" / "state.safetensors", changes)
    assert not (tmp_path / "run" / "model.safetensors").exists()
    subprocess.run([*command, "--out", tmp_path / "run"], check=True, capture_output=True)
    assert_same(tmp_path / "run", tmp_path / "whole")
