"""A process or the network fails in the middle of an epoch: all end with one line, and the run goes on without loss."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import trainings
from torch import distributed

from emonet.datasets.store import open_store
from emonet.errors import OptionError, TrainingError
from emonet.inference.checkpoint import load_checkpoint
from emonet.options import write_toml
from emonet.training.distributed import Processes, join_processes
from emonet.training.missing import end_when_told, name_missing
from emonet.training.session import check_agreement, check_contents

# Two processes with batch norm and dropout; the state is saved every eight steps of the 14 of an epoch.
OPTIONS = {**trainings.FAST, "augment": "classic", "batch_size": 2, "ema": 0.9, "save_every": 0.0, "epochs": 8}
TOOL = Path(__file__).parents[1] / "tools" / "train.py"
SECONDS = 300.0  # in which a process must have ended, on a busy machine


@pytest.fixture(scope="module")
def data(tmp_path_factory, portrait):
    """A folder with a data set and the options."""
    folder = tmp_path_factory.mktemp("data")
    store = trainings.build_faces(folder, portrait)
    assert store.path == folder / "store"
    write_toml(trainings.quick(**OPTIONS, wait_seconds=30.0), folder / "config.toml")
    return folder


@pytest.fixture(scope="module")
def place(data):
    """The same folder with a run that was never stopped."""
    finish(start([data, data]))
    return data


def find_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def copy_data(place, folders):
    """Give each process a copy of the data set and the options."""
    for folder in set(folders):
        shutil.copytree(place / "store", folder / "store")
        shutil.copy(place / "config.toml", folder)


def start(folders, *, address="127.0.0.1", prefixes=((), ()), variables=None):
    """Start two processes, each in a folder that has the data set and the options."""
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": address, "MASTER_PORT": str(find_port()), "OMP_NUM_THREADS": "1"}
    shared |= {
        "LOCAL_RANK": "0",
        "PYTHONPATH": os.pathsep.join([str(TOOL.parents[1]), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, str(TOOL), "store", "--out", "run", "--config", "config.toml"]
    return [
        subprocess.Popen(
            [*prefix, *command],
            cwd=folder,
            env=os.environ | shared | {"RANK": str(rank)} | (variables or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, (folder, prefix) in enumerate(zip(folders, prefixes, strict=True))
    ]


def finish(processes):
    """Wait until all have ended as they should."""
    for process in processes:
        _, text = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, text


def wait_for_state(processes, run):
    """Wait until a state was saved within an epoch, so that there is something to go on from."""
    while not (run / "state.safetensors").is_file():
        assert all(process.poll() is None for process in processes)
        time.sleep(0.005)


def read_complaints(text):
    return [line for line in text.splitlines() if line.startswith("emonet: ")]


def assert_same_weights(folder, other_folder):
    one, other = (load_checkpoint(path / "run" / "model.safetensors") for path in (folder, other_folder))
    assert one.identity == other.identity


@pytest.mark.parametrize(("killed", "shared"), [(0, True), (1, False)])
def test_a_killed_process_ends_the_other_and_the_run_goes_on(place, tmp_path, killed, shared):
    """The folder of the run may be one for all, or that of the first process alone."""
    folders = [tmp_path / "a", tmp_path / ("a" if shared else "b")]
    copy_data(place, folders)
    processes = start(folders)
    wait_for_state(processes, folders[0] / "run")
    processes[killed].kill()
    other = processes[1 - killed]
    _, text = other.communicate(timeout=SECONDS)
    processes[killed].communicate()
    assert other.returncode == 1, text
    (complaint,) = read_complaints(text)
    assert f"process {killed} of 2 does not answer process {1 - killed}" in complaint, text
    assert "the same command" in complaint
    assert "Traceback" not in text
    finish(start(folders))
    assert_same_weights(place, folders[0])
    assert shared or not (folders[1] / "run").exists()


def find_rank(launcher, rank):
    """Find the process of a rank among the children of torchrun."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    wanted = f"RANK={rank}".encode()
    return next(int(pid) for pid in children if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux lists the children of a process")
def test_torchrun_starts_a_killed_run_again(root, place, tmp_path):
    """With --max-restarts nobody need do anything: torchrun starts all processes again, and they go on."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = ["tools/train.py", str(place / "store"), "--out", str(tmp_path / "run"), "--config"]
    running = subprocess.Popen(
        [*launcher, "--max-restarts", "1", *command, str(place / "config.toml")],
        cwd=root,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_state([running], tmp_path / "run")
    os.kill(find_rank(running.pid, 1), signal.SIGKILL)
    _, text = running.communicate(timeout=2 * SECONDS)
    assert running.returncode == 0, text
    assert len(read_complaints(text)) == 1  # of the process that was not killed
    assert_same_weights(place, tmp_path)


class Hosts:
    """Two network namespaces with a link between them: to a process, each is a machine of its own."""

    names = ("emonet-a", "emonet-b")
    addresses = ("10.77.0.1", "10.77.0.2")

    def __enter__(self):
        for name in self.names:
            ip("netns", "add", name)
        ip("-n", self.names[0], "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", self.names[1])
        for name, address in zip(self.names, self.addresses, strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "veth0")
            ip("-n", name, "link", "set", "lo", "up")
        self.set_link("up")
        return self

    def set_link(self, state):
        for name in self.names:
            ip("-n", name, "link", "set", "veth0", state)

    def prefixes(self):
        return [["ip", "netns", "exec", name] for name in self.names]

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def hosts():
    if shutil.which("ip") is None:
        pytest.skip("no iproute2: install the package that has the command ip")
    try:
        with Hosts() as made:
            yield made
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces: {error.stderr.decode().strip()}; they need root")


def test_two_machines_lose_one_another_and_go_on(place, tmp_path, hosts):
    """Each has a copy of the data and a folder of its own; only the first keeps the run."""
    folders = [tmp_path / "a", tmp_path / "b"]
    copy_data(place, folders)
    given = {"address": hosts.addresses[0], "prefixes": hosts.prefixes()}
    given["variables"] = {"GLOO_SOCKET_IFNAME": "veth0"}
    processes = start(folders, **given)
    wait_for_state(processes, folders[0] / "run")
    hosts.set_link("down")
    for rank, process in enumerate(processes):
        _, text = process.communicate(timeout=SECONDS)
        assert process.returncode == 1
        (complaint,) = read_complaints(text)
        assert f"process {1 - rank} of 2 does not answer process {rank}" in complaint, text
    hosts.set_link("up")
    finish(start(folders, **given))
    assert_same_weights(place, folders[0])
    assert not (folders[1] / "run").exists()


def test_processes_that_do_not_meet_say_so(monkeypatch):
    shown = {"WORLD_SIZE": 2, "RANK": 0, "LOCAL_RANK": 0, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": find_port()}
    for name, value in shown.items():
        monkeypatch.setenv(name, str(value))
    with (
        pytest.raises(TrainingError, match="the 2 processes did not meet within 1 seconds"),
        join_processes("cpu", wait_seconds=1.0),
    ):
        pass
    assert not distributed.is_initialized()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:561] Connection closed by peer [10.0.0.2]"),
        RuntimeError("Application timeout caused pair closure"),  # where another operation has timed out before
        RuntimeError("Gloo connectFullMesh failed with [...]"),
        distributed.DistBackendError("NCCL communicator was aborted"),
    ],
)
def test_every_error_of_a_connection_names_the_other_process(monkeypatch, error):
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainingError, match="process 0 of 2 does not answer process 1") as raised, name_missing():
        raise error
    signal.signal(signal.SIGTERM, before)
    assert raised.value.__cause__ is error


def test_of_several_processes_those_are_named_that_notice_nothing(monkeypatch):
    """All that still run say in the store of the group that they have noticed the error."""
    store = distributed.HashStore()
    store.set("emonet: process 2 has noticed an error", "noticed")
    monkeypatch.setattr(distributed, "get_rank", lambda: 0)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 4)
    monkeypatch.setattr(distributed.distributed_c10d, "_get_default_store", lambda: store)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainingError, match="processes 1 and 3 of 4 do not answer process 0"), name_missing():
        raise RuntimeError("Application timeout caused pair closure")
    signal.signal(signal.SIGTERM, before)
    assert store.check(["emonet: process 0 has noticed an error"])


def test_an_error_of_the_network_itself_is_not_taken_for_a_lost_process():
    with pytest.raises(RuntimeError, match="shapes") as raised, name_missing():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert not isinstance(raised.value, TrainingError)


def test_a_process_that_is_told_to_end_says_how_to_go_on():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainingError, match=r"told to end \(SIGTERM\).*the same command"), end_when_told():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


class Other(Processes):
    """A process whose first process was started with other options."""

    def agree_on(self, value):
        return {**value, "seed": 7, "data": "another"}


def test_machines_with_other_options_or_data_are_refused(data):
    with pytest.raises(OptionError, match="process 1 was started with other data, seed than process 0"):
        check_agreement(Other(1, 2), trainings.quick(), open_store(data / "store"))


class OneOfTwo(Processes):
    """One of two processes, of which the second has another teacher."""

    def agree_on(self, value):
        return {**value, "teacher": ["first"]}

    def sum(self, values):
        return values + (torch.tensor([0.0, 1.0]) if self.first else 0)


@pytest.mark.parametrize(("rank", "teacher"), [(0, "first"), (1, "second")])
def test_machines_with_other_teachers_are_refused_in_all_processes(rank, teacher):
    with pytest.raises(OptionError, match="the files of `teacher` are not the same for all processes"):
        check_contents(OneOfTwo(rank, 2), {"init": ["start"], "teacher": [teacher]})
    check_contents(Processes(), {"teacher": [teacher]})
    check_contents(OneOfTwo(rank, 2), {})
