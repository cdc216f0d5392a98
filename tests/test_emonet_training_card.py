"""Networks learn, answer and explain on a card as on the CPU. The card is a pretended one, and not the first."""

import pytest
import torch
import trainings
from pretended_card import PretendedCard

from emonet import EmotionPredictor, evaluate, explain, load_model
from emonet.inference.devices import open_machine
from emonet.training import trainer

TWO_HEADS = {"heads": {"fer2013": 1.0, "seen": 1.0}}
CARD = "cuda:1"

pytestmark = pytest.mark.usefixtures("card")


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_voted(tmp_path_factory.mktemp("card"), portrait)


@pytest.fixture(scope="module")
def teacher(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    trainings.trained(store, folder, **TWO_HEADS)
    return str(folder / "model.safetensors")


@pytest.fixture
def card(monkeypatch):
    with PretendedCard(monkeypatch) as card:
        yield card


def learn(store, folder, **options):
    return trainings.trained(store, folder, **{"epochs": 1, "augment_with": "torch", **options})


def have_same_weights(one, other):
    return all((one.weights[name] == other.weights[name]).all() for name in one.weights | other.weights)


@pytest.mark.parametrize(
    "options",
    [
        {**TWO_HEADS, "augment": "strong", "mixup": 0.2, "cutmix": 1.0, "smoothing": 0.1},
        {**trainings.FAST, "optimizer": "muon", "ema": 0.9, "clip": 1.0, "bn_batches": 2, "size_from": {"0": 32}},
        {"members": 2, "balance": "logits"},
        {"storage": "stream"},
    ],
)
def test_a_card_learns_what_the_cpu_learns(store, tmp_path, card, options):
    there = learn(store, tmp_path / "there", device=CARD, **options)
    here = learn(store, tmp_path / "here", device="cpu", **options)
    assert card.sent
    assert have_same_weights(there, here)


@pytest.mark.parametrize("views", [0, 2])
def test_a_teacher_answers_on_the_card(store, tmp_path, teacher, views):
    options = {"teacher": (teacher,), "teacher_share": 0.5, "teacher_views": views, "mixup": 0.2, **TWO_HEADS}
    there = learn(store, tmp_path / "there", device=CARD, **options)
    assert have_same_weights(there, learn(store, tmp_path / "here", device="cpu", **options))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_a_stopped_run_goes_on_upon_the_card(store, tmp_path, optimizer):
    options = {**trainings.FAST, "device": CARD, "optimizer": optimizer, "ema": 0.9}
    whole = learn(store, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        learn(store, tmp_path / "parts", watch=trainings.Stopping(steps=2), save_every=0, **options)
    assert have_same_weights(whole, learn(store, tmp_path / "parts", **options))


def test_images_that_do_not_fit_are_sent_without_waiting(store, tmp_path, card, monkeypatch):
    """Half of the card's free memory is for the images: 28 of 48x48 pixels are more than that."""
    monkeypatch.setattr(trainer, "choose_reading_interval", lambda *_: 100)
    counts = []
    for free, batch_size in ((1 << 30, 14), (1 << 16, 14), (1 << 16, 4)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device, free=free: (free, 1 << 34))
        card.waits.clear()
        learn(store, tmp_path / f"{free}-{batch_size}", epochs=1, batch_size=batch_size, device=CARD)
        counts.append(dict(card.waits))
    held, few, many = counts
    assert few == many
    assert few["a copy to the card"] == held["a copy to the card"] - 1


def test_a_card_answers_and_explains_as_the_cpu_does(teacher, portrait):
    there, here = (
        EmotionPredictor(teacher, detector="mtcnn", device=device, precision="fp32", backend="torch")
        for device in (CARD, "cpu")
    )
    (answer,), (same,) = there.predict(portrait), here.predict(portrait)
    assert there.detector.device == CARD
    assert answer.box == pytest.approx(same.box, abs=0.2)
    assert list(answer.probabilities.values()) == pytest.approx(list(same.probabilities.values()), abs=1e-3)
    assert explain(portrait, answer, there).shape == portrait.shape


def test_a_card_scores_as_the_cpu_does(store, teacher):
    scores = [
        evaluate(load_model(teacher), store, machine=open_machine(device, "fp32"), head="seen").scores["mirror"]["all"]
        for device in (CARD, "cpu")
    ]
    assert scores[0] == scores[1]
