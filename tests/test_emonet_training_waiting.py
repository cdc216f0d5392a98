"""Steps of a training do not wait for the device. Operations that would wait for a card are counted on the CPU."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
import trainings
from torch.utils._python_dispatch import TorchDispatchMode

from emonet.heads import sizes
from emonet.inference.devices import Machine
from emonet.models import create_model
from emonet.training import trainer
from emonet.training.distributed import Processes
from emonet.training.log import Silent
from emonet.training.material import gather_material
from emonet.training.trainer import Trainer

# These read a number from the device, or need one to know how large their result is.
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "unique_consecutive", "_unique2"}
WAITING |= {"lift_fresh"}  # numbers of Python or numpy are made a tensor, which is copied to a card


class Waits(TorchDispatchMode):
    """Counts the operations that wait for the device."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.overloadpacket.__name__
        if name in WAITING or (name.startswith("index") and any(_is_mask(one) for one in args[1:])):
            self.counts[name] += 1
        return operation(*args, **kwargs or {})


def _is_mask(value):
    masks = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(one, torch.Tensor) and one.dtype == torch.bool for one in masks)


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_voted(tmp_path_factory.mktemp("waiting"), portrait)


def waits(store, folder, batch_size, **options):
    """Count how often an epoch of 28 images waits; it has 28 / batch_size steps."""
    with Waits() as counted:
        trainings.trained(store, folder, epochs=1, batch_size=batch_size, augment_with="torch", **options)
    return sum(counted.counts.values())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"augment": "strong", "mixup": 0.2, "cutmix": 1.0, "heads": {"fer2013": 1.0, "seen": 1.0}},
        {**trainings.FAST, "ema": 0.9, "clip": 1.0, "optimizer": "sgd"},
        {**trainings.FAST, "ema": 0.9, "optimizer": "muon"},
        {"balance": "weights", "smoothing": 0.1, "votes_share": 0.2},
        {"balance": "logits", "optimizer": "adamw"},
        {"augment": "degraded"},
    ],
)
def test_no_step_waits_for_the_device(store, tmp_path, monkeypatch, options):
    monkeypatch.setattr(trainer, "choose_reading_interval", lambda *_: 100)
    few = waits(store, tmp_path / "few", 14, **options)
    many = waits(store, tmp_path / "many", 4, **options)
    assert many == few


def meta_trainer(store, config):
    """Make a trainer on torch's meta device, whose tensors raise if a number is read from them."""
    material = gather_material(config, store)
    network = create_model(config.model, classes=sum(sizes(material.heads)), **config.arguments)
    return Trainer(network, material, config, Machine(torch.device("meta"), bf16=False), Processes(), {})


@pytest.mark.parametrize(
    "options",
    [
        {**trainings.FAST, "ema": 0.9, "clip": 1.0, "mixup": 0.2, "heads": {"fer2013": 1.0, "seen": 1.0}},
        {"augment": "strong", "balance": "logits"},
    ],
)
def test_an_epoch_runs_without_reading_a_number(store, tmp_path, options):
    config = trainings.quick(**options, optimizer="muon", augment_with="torch", batch_size=4)
    learning = meta_trainer(store, config)
    with pytest.raises(NotImplementedError, match="out of meta tensor"):
        next(learning.run(tmp_path / "state", Silent()))
    assert learning.done == learning.steps_an_epoch == 7


def test_a_late_reading_still_names_the_first_nan_step(store, tmp_path, monkeypatch):
    """The error comes some steps later, but names the step and the images where it began."""
    spoilt = trainings.trained(store, tmp_path / "good")
    last = list(spoilt.weights)[-1]
    replace(spoilt, weights={**spoilt.weights, last: spoilt.weights[last] * torch.inf}).save(
        tmp_path / "bad.safetensors"
    )
    monkeypatch.setattr(trainer, "choose_reading_interval", lambda *_: 3)
    with pytest.raises(trainer.TrainingError, match=r"the loss is nan at step 0 \(epoch 1\).* The batch: ") as raised:
        trainings.trained(store, tmp_path / "run", init=str(tmp_path / "bad.safetensors"), batch_size=4)
    assert len(str(raised.value).partition("The batch: ")[2].split(", ")) == 4


def test_the_reading_interval_changes_no_bit(store, tmp_path, monkeypatch):
    often = trainings.trained(store, tmp_path / "often")
    monkeypatch.setattr(trainer, "choose_reading_interval", lambda *_: 3)
    seldom = trainings.trained(store, tmp_path / "seldom")
    assert often.identity == seldom.identity
    assert [row.train_loss for row in trainings.log(tmp_path / "often")] == [
        row.train_loss for row in trainings.log(tmp_path / "seldom")
    ]
