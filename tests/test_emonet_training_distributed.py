"""Several processes, started by `torchrun`, train like one process."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import trainings
from torch import distributed

from emonet.errors import OptionError
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.devices import open_machine
from emonet.models import create_model
from emonet.options import write_toml
from emonet.training.distributed import Processes, join_processes
from emonet.training.figures import Figures

OPTIONS = {**trainings.LENET, "augment": "classic", "optimizer": "sgd", "learning_rate": 0.02, "clip": 1}
# Everything is decided for each part of a batch, so any number of processes shows the same.
PARTS = {**OPTIONS, "mixup": 0.4, "part_size": 2, "batch_size": 8, "save_every": 0.0}


CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("faces"), portrait)


def several(store, folder, config, count=2):
    """Return the command that starts some processes on this machine, on a free port."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    return [*launcher, "tools/train.py", str(store.path), "--out", str(folder), "--config", str(config)]


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def run_several(root, store, folder, config, count=2):
    command = several(store, folder, config, count)
    return subprocess.run(command, cwd=root, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def stop_two(root, store, folder, config):
    """Stop both processes when the first state is written."""
    running = subprocess.Popen(several(store, folder, config), cwd=root, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    while not (folder / "state.safetensors").is_file():
        assert running.poll() is None
        time.sleep(0.01)
    running.terminate()  # the launcher passes it on to both
    assert running.wait() != 0


def test_two_processes_train_as_one(root, store, tmp_path):
    one = trainings.trained(store, tmp_path / "one", **OPTIONS, batch_size=8)
    write_toml(trainings.quick(**OPTIONS, batch_size=8), tmp_path / "config.toml")
    result = run_several(root, store, tmp_path / "two", tmp_path / "config.toml")
    assert result.returncode == 0, result.stderr
    two = load_checkpoint(tmp_path / "two" / "model.safetensors")
    assert distance(one, two) < 1e-5
    for row, other in zip(trainings.log(tmp_path / "two"), trainings.log(tmp_path / "one"), strict=True):
        assert (row.step, row.learning_rate) == (other.step, other.learning_rate)
        assert (row.train_loss, row.dev_loss) == pytest.approx((other.train_loss, other.dev_loss), rel=1e-4)
        assert (row.train_accuracy, row.dev_accuracy) == (other.train_accuracy, other.dev_accuracy)
    assert two.training["processes"] == 2
    assert result.stdout.count("model.safetensors") == 1  # only the first process prints
    assert result.stderr.count("epoch   3") == 1


def test_two_processes_resume_within_an_epoch(root, store, tmp_path):
    """Processes used to save their state only at the ends of epochs when there were several."""
    options = {**OPTIONS, **trainings.FAST, "batch_size": 2, "ema": 0.9, "save_every": 0.0, "epochs": 1}
    write_toml(trainings.quick(**options), tmp_path / "config.toml")
    whole = run_several(root, store, tmp_path / "whole", tmp_path / "config.toml")
    assert whole.returncode == 0, whole.stderr
    stop_two(root, store, tmp_path / "stopped", tmp_path / "config.toml")
    assert not (tmp_path / "stopped" / "log.csv").exists()
    again = run_several(root, store, tmp_path / "stopped", tmp_path / "config.toml")
    assert again.returncode == 0, again.stderr
    assert identity_of(tmp_path / "stopped") == identity_of(tmp_path / "whole")
    for row, other in zip(trainings.log(tmp_path / "stopped"), trainings.log(tmp_path / "whole"), strict=True):
        assert (row.step, row.train_loss, row.dev_loss) == (other.step, other.train_loss, other.dev_loss)


@pytest.mark.parametrize("count", [1, 4])
def test_a_run_stopped_with_two_processes_goes_on_with_another_number(root, store, tmp_path, count):
    """A run could only be resumed with the same number of processes, because a batch was larger with more of them."""
    write_toml(trainings.quick(**PARTS, epochs=4), tmp_path / "config.toml")
    one = trainings.trained(store, tmp_path / "one", **PARTS | {"epochs": 4})
    stop_two(root, store, tmp_path / "run", tmp_path / "config.toml")
    result = run_several(root, store, tmp_path / "run", tmp_path / "config.toml", count)
    assert result.returncode == 0, result.stderr
    assert distance(one, load_checkpoint(tmp_path / "run" / "model.safetensors")) < 1e-5
    for row, other in zip(trainings.log(tmp_path / "run"), trainings.log(tmp_path / "one"), strict=True):
        assert (row.step, row.learning_rate) == (other.step, other.learning_rate)
        assert (row.train_loss, row.dev_loss) == pytest.approx((other.train_loss, other.dev_loss), rel=1e-4)
        assert (row.train_accuracy, row.dev_accuracy) == (other.train_accuracy, other.dev_accuracy)


@pytest.mark.parametrize("part_size", [4, 3, 1])
def test_parts_of_a_batch_have_the_gradient_of_the_whole(store, tmp_path, part_size):
    options = {**OPTIONS, "batch_size": 8, "clip": 0}
    whole = trainings.trained(store, tmp_path / "whole", **options)
    parts = trainings.trained(store, tmp_path / "parts", **options, part_size=part_size)
    assert distance(whole, parts) < 1e-6
    for row, other in zip(trainings.log(tmp_path / "whole"), trainings.log(tmp_path / "parts"), strict=True):
        assert row.train_loss == pytest.approx(other.train_loss, rel=1e-6)
        assert (row.step, row.train_accuracy) == (other.step, other.train_accuracy)


def test_parts_draw_random_numbers_of_their_own(store, tmp_path):
    """With one seed for all parts, the same neurons would be dropped in each of them."""
    drawn = []
    draw = torch.manual_seed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "manual_seed", lambda seed: (drawn.append(seed), draw(seed))[1])
        trainings.trained(store, tmp_path, **OPTIONS, batch_size=14, part_size=7, epochs=2)
    of_steps = [seed for seed in drawn if seed != drawn[0]]  # the first is that of the weights
    assert len(of_steps) == len(set(of_steps)) == 2 * 2 * 2


def distance(one, other):
    return max(float(np.abs(other.weights[name] - tensor).max()) for name, tensor in one.weights.items())


def identity_of(folder):
    return load_checkpoint(folder / "model.safetensors").identity


@pytest.mark.parametrize("network", [trainings.FAST, {"model": "emonet"}])
def test_batch_norm_on_cards_uses_all_processes_and_keeps_its_names(network):
    """There is no card here: the meta device replaces it, and nothing is computed."""
    made = create_model(network["model"], classes=7, **network.get("arguments", {}))
    names, parameters = list(made.state_dict()), [id(parameter) for parameter in made.parameters()]
    machine = open_machine("cpu", "fp32")
    norms = [module for module in made.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    assert Processes(0, 2, CPU).synchronise(made, machine) is made
    assert Processes().synchronise(made, replace(machine, device=torch.device("cuda:0"))) is made
    assert not any(isinstance(module, torch.nn.SyncBatchNorm) for module in made.modules())
    joined = Processes(0, 2, CPU).synchronise(made, replace(machine, device=torch.device("cuda:0")))
    synchronised = [module for module in joined.modules() if isinstance(module, torch.nn.SyncBatchNorm)]
    assert len(synchronised) == len(norms) > 0
    assert type(joined) is type(made)
    assert list(joined.state_dict()) == names
    assert [id(parameter) for parameter in joined.parameters()] == parameters
    joined.eval()
    assert joined(torch.zeros(2, made.input.channels, made.input.size, made.input.size)).shape == (2, 7)


def test_a_single_process_needs_no_communication():
    alone = Processes()
    network = torch.nn.Linear(2, 2)
    assert alone.first
    assert alone.wrap(network, None) is network
    assert alone.agree_on("so be it") == "so be it"
    assert alone.sum(torch.tensor([1.0, 2.0])).tolist() == [1, 2]


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_processes("auto") as (processes, device):
        assert (processes, device) == (Processes(0, 1), "auto")


@pytest.fixture
def group(tmp_path):
    """A process group of one."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_several_processes_wrap_agree_sum_and_gather():
    several = Processes(0, 2, torch.device("cpu"))
    network = torch.nn.Linear(2, 2)
    joined = several.wrap(network, open_machine("cpu", "fp32"))
    assert isinstance(joined, torch.nn.parallel.DistributedDataParallel)
    assert joined.module is network
    assert several.agree_on(["so be it"]) == ["so be it"]
    assert several.sum(torch.tensor([1.0, 2.0])).tolist() == [1, 2]
    assert several.gather(np.float32([[1, 2], [3, 4]]), 3).tolist() == [[1, 2], [0, 0], [3, 4]]


def test_tensors_are_sent_from_the_device_of_the_process_group(monkeypatch):
    """NCCL refuses tensors in host memory. The meta device replaces a card here."""
    card, sent = torch.device("meta"), []
    monkeypatch.setattr(distributed, "all_reduce", lambda values: sent.append(values.device))
    monkeypatch.setattr(distributed, "broadcast_object_list", lambda _, **given: sent.append(given["device"]))
    several = Processes(0, 2, card)
    several.sum(torch.ones(2))
    several.agree_on("so be it")
    figures = Figures(several, 1)
    figures.add(torch.ones(3), torch.tensor(2), torch.arange(3))
    figures.end_step(6, 0.1)
    for received in (lambda: several.gather(np.float32([[1, 2]]), 2), figures.read):
        with pytest.raises(NotImplementedError, match="meta tensor"):  # the result is copied to the host at the end
            received()
    assert sent == [card] * 4


@pytest.mark.usefixtures("group")
def test_an_existing_process_group_is_used_and_kept(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with join_processes("cpu") as (processes, device):
        assert (processes, device) == (Processes(0, 1, torch.device("cpu")), "cpu")
    assert distributed.is_initialized()


@pytest.mark.parametrize(
    ("cards", "asked", "device", "backend"),
    [
        (2, "auto", "cuda:1", "nccl"),
        (2, "cuda", "cuda:1", "nccl"),
        (2, "cpu", "cpu", "gloo"),
        (0, "auto", "cpu", "gloo"),
    ],
)
def test_each_process_uses_its_own_card(monkeypatch, cards, asked, device, backend):
    calls = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    monkeypatch.setattr(torch.cuda, "set_device", calls.append)
    monkeypatch.setattr(
        "emonet.training.distributed.rendezvous", lambda *_, **__: iter([(distributed.HashStore(), 1, 2)])
    )
    monkeypatch.setattr(distributed, "init_process_group", lambda backend, **_: calls.append(backend))
    monkeypatch.setattr(distributed, "barrier", lambda device_ids: calls.append(device_ids))
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: calls.append("end"))
    with join_processes(asked) as (_, given):
        assert given == device
    wait = None if device == "cpu" else [1]  # NCCL needs to know the card
    assert calls == [device, backend, wait, "end"][device == "cpu" :]


def test_number_of_processes_without_torchrun_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(OptionError, match="unset WORLD_SIZE"), join_processes("cpu"):
        pass


@pytest.mark.parametrize(("device", "words"), [("cuda:0", "say cuda, or start one process"), ("cuda", "there are 1;")])
def test_processes_that_would_share_a_card_are_refused(monkeypatch, device, words):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match=words), join_processes(device):
        pass


OTHER_TEACHERS = """
from emonet.errors import OptionError
from emonet.training.distributed import join_processes
from emonet.training.session import check_contents

with join_processes("cpu") as (processes, _):
    check_contents(processes, {"init": ["a"], "teacher": ["b"]})
    try:
        check_contents(processes, {"init": ["a"], "teacher": [f"of {processes.rank}"]})
    except OptionError as error:
        print(error, flush=True)
"""


def test_two_processes_with_other_teachers_both_say_so(root, tmp_path):
    (tmp_path / "check.py").write_text(OTHER_TEACHERS)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = ENVIRONMENT | {"PYTHONPATH": str(root)}
    found = subprocess.run(
        [*launcher, str(tmp_path / "check.py")], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("the files of `teacher` are not the same for all processes") == 2
