"""Steps of a training do not wait for the card, which is a pretended one, and what they find is read late."""

from dataclasses import replace

import pytest
import torch
import trainings
from pretended_card import PretendedCard

from emonet.training import trainer


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_voted(tmp_path_factory.mktemp("waiting"), portrait)


def count_waits(monkeypatch, store, folder, **options):
    """Count for what an epoch of 28 images waits on a card; it has 28 / batch_size steps."""
    with monkeypatch.context() as patch, PretendedCard(patch) as card:
        trainings.trained(store, folder, **{"epochs": 1, "augment_with": "torch", "device": "cuda:1", **options})
    return card.waits


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"augment": "strong", "mixup": 0.2, "cutmix": 1.0, "heads": {"fer2013": 1.0, "seen": 1.0}},
        {**trainings.FAST, "ema": 0.9, "clip": 1.0, "optimizer": "sgd", "channels_last": True},
        {**trainings.FAST, "ema": 0.9, "optimizer": "muon", "precision": "bf16", "part_size": 7},
        {**trainings.FAST, "size_from": {"0": 32, "0.5": 44}, "alternate_mirror": True}
        | {"average_last": 1, "keep": "last"},
        {"balance": "weights", "smoothing": 0.1, "votes_share": 0.2},
        {"balance": "logits", "optimizer": "adamw"},
        {"augment": "degraded"},
        {"augment_with": "albumentations", "augment": "strong"},
    ],
)
def test_no_step_waits_for_the_card(store, tmp_path, monkeypatch, options):
    monkeypatch.setattr(trainer, "choose_reading_interval", lambda *_: 100)
    few = count_waits(monkeypatch, store, tmp_path / "few", batch_size=14, **options)
    many = count_waits(monkeypatch, store, tmp_path / "many", batch_size=4, **options)
    assert many == few


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
