"""What the loop does with weights, rates and losses."""

import math
import shutil

import numpy as np
import pytest
import torch
import trainings
from torch.nn import functional as F

from emonet.faces import read_faces
from emonet.inference.devices import open_machine
from emonet.inference.torch_classifier import TorchClassifier, images_as_tensor

PLAIN = {"optimizer": "sgd", "momentum": 0, "weight_decay": 0, "schedule": "constant", "keep": "last"}
STILL = {**PLAIN, "learning_rate": 0, "batch_size": 64, "epochs": 1}  # one step that changes no weight
LONG = {"arguments": {"widths": [8, 8, 8, 32]}, "scaling": "standardised", "learning_rate": 0.01, "batch_size": 16}


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture
def trained(store, tmp_path):
    """Train in a new folder; return the checkpoint and the log."""
    count = iter(range(100))

    def train(**options):
        folder = tmp_path / str(next(count))
        return trainings.trained(store, folder, **options), trainings.log(folder)

    return train


def faces(store, checkpoint, split="train"):
    return read_faces(store, [split], checkpoint.input, classes=checkpoint.classes)


def scores_of(store, checkpoint):
    """Return the logits of the training images, and their labels."""
    train = faces(store, checkpoint)
    x = checkpoint.input.scale(images_as_tensor(train.pixels))
    return checkpoint.network()(x).detach(), torch.from_numpy(train.labels)


def same(one, other):
    return list(one.weights) == list(other.weights) and all(
        np.array_equal(one.weights[name], other.weights[name]) for name in one.weights
    )


def distance(one, other):
    """Measure the distance between the weights of two networks."""
    return math.sqrt(sum(float(np.square(one.weights[name] - other.weights[name]).sum()) for name in one.weights))


def test_a_small_training_set_is_memorised(trained, store):
    checkpoint, rows = trained(epochs=40, classes="angry,happy,sad,neutral", keep="last", **LONG)
    assert rows[-1].train_accuracy == 1.0
    train = faces(store, checkpoint)
    classify = TorchClassifier(checkpoint.network(), checkpoint.input, open_machine("cpu", "fp32"))
    assert (classify(train.pixels).argmax(1) == train.labels).all()


@pytest.mark.parametrize("options", [{}, {**trainings.FAST, "augment": "strong", "ema": 0.5, "mixup": 0.2}])
def test_a_run_repeats_bit_for_bit(trained, options):
    one, rows = trained(**options)
    other, again = trained(**options)
    assert same(one, other)
    assert [row.train_loss for row in rows] == [row.train_loss for row in again]


def test_the_seed_decides_the_first_weights_and_the_order_does_not(trained):
    first, seeded, ordered = (trained(**STILL | options)[0] for options in ({}, {"seed": 1}, {"order": 1}))
    assert same(first, ordered)
    assert not same(first, seeded)
    assert not same(trained()[0], trained(order=1)[0])


@pytest.mark.parametrize(
    ("options", "shares"),
    [
        ({"schedule": "constant"}, [1, 1, 1, 1]),
        ({"schedule": "constant", "warmup": 1.5}, [4 / 6, 1, 1, 1]),
        ({"schedule": "cosine"}, [(1 + math.cos(math.pi * step / 16)) / 2 for step in (3, 7, 11, 15)]),
        ({"warmup": 1}, [1, *((1 + math.cos(math.pi * step / 12)) / 2 for step in (3, 7, 11))]),
        ({"schedule": "trapezoid", "decay_share": 0.5}, [1, 1, 5 / 8, 1 / 8]),
        ({"schedule": "trapezoid", "warmup": 1, "decay_share": 1}, [1, 9 / 12, 5 / 12, 1 / 12]),
        ({"warmup": 9}, [4 / 16, 8 / 16, 12 / 16, 1]),
        ({"schedule": "plateau", "patience": 1, "factor": 0.5}, [1, 1, 0.5, 0.25]),
        ({"schedule": "plateau", "patience": 2, "factor": 0.1}, [1, 1, 1, 0.1, 0.1, 0.01]),
        ({"schedule": "plateau", "patience": 4, "warmup": 2}, [0.5, 1, 1, 1]),
    ],
)
def test_the_learning_rate_follows_its_schedule(trained, options, shares):
    rate = 1e-12  # so small that nothing improves
    _, rows = trained(epochs=len(shares), learning_rate=rate, **options)
    assert [row.learning_rate / rate for row in rows] == pytest.approx(shares, rel=1e-6)


def test_steps_end_a_run_in_the_middle_of_an_epoch(trained):
    _, rows = trained(steps=6, epochs=1)
    assert [(row.epoch, row.step) for row in rows] == [(1, 4), (2, 6)]


def test_stop_after_ends_a_run_that_does_not_improve(trained):
    checkpoint, rows = trained(epochs=9, learning_rate=1e-12, stop_after=2)
    assert len(rows) == 3
    assert (checkpoint.training["epochs"], checkpoint.training["chosen_epoch"]) == (3, 1)


@pytest.mark.parametrize("measure", ["accuracy", "macro_f1", "loss"])
def test_the_best_epoch_is_kept(trained, measure):
    checkpoint, rows = trained(epochs=12, choose_by=measure, schedule="constant", **LONG)
    values = [getattr(row, f"dev_{measure}") for row in rows]
    best = values.index(min(values) if measure == "loss" else max(values))
    assert checkpoint.training["chosen_epoch"] == best + 1
    assert checkpoint.scores["dev"]["log_loss"] == pytest.approx(rows[best].dev_loss, rel=1e-6)
    assert same(checkpoint, trained(epochs=best + 1, keep="last", schedule="constant", **LONG)[0])


def test_keep_last_keeps_the_last_epoch(trained):
    checkpoint, rows = trained(epochs=12, keep="last", schedule="constant", **LONG)
    assert checkpoint.training["chosen_epoch"] == 12
    assert checkpoint.scores["dev"]["log_loss"] == pytest.approx(rows[-1].dev_loss, rel=1e-6)
    assert checkpoint.scores["dev"]["accuracy"] == rows[-1].dev_accuracy


def softmax(scores, labels):
    return F.cross_entropy(scores, labels, reduction="none")


def hinge(scores, labels):
    signs = 2 * F.one_hot(labels, 7) - 1
    return (1 - signs * scores).clamp_min(0).square().mean(1)


def smoothed(scores, labels):
    return 0.9 * softmax(scores, labels) - 0.1 * scores.log_softmax(1).mean(1)


def weighted(scores, labels):
    return softmax(scores, labels) * torch.tensor([1.0, 3, 1, 0.5, 1, 1, 1])[labels]


def balanced(scores, labels):
    return softmax(scores, labels) * (len(labels) / 7 / torch.bincount(labels))[labels]


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({}, softmax),
        ({"loss": "hinge"}, hinge),
        ({"smoothing": 0.1}, smoothed),
        ({"class_weights": {"disgust": 3, "happy": 0.5}}, weighted),
        ({"balance": "weights"}, balanced),
        ({"loss": "hinge", "balance": "weights"}, lambda *of: hinge(*of) * (28 / 7 / torch.bincount(of[1]))[of[1]]),
    ],
)
def test_losses_have_the_expected_value(trained, store, options, loss):
    checkpoint, rows = trained(**STILL, **options)
    expected = loss(*scores_of(store, checkpoint))
    assert rows[0].train_loss == pytest.approx(float(expected.mean()), rel=1e-5)


@pytest.mark.parametrize("options", [{"loss": "hinge"}, {"smoothing": 0.1, "balance": "weights"}])
def test_every_loss_learns(trained, options):
    _, rows = trained(epochs=15, **LONG, **options)
    assert rows[-1].train_loss < 0.7 * rows[0].train_loss
    assert rows[-1].train_accuracy > 0.5


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon"])
def test_every_optimizer_learns(trained, optimizer):
    _, rows = trained(epochs=15, **LONG | {"optimizer": optimizer})
    assert rows[-1].train_accuracy > rows[0].train_accuracy


def test_a_step_goes_down_the_gradient_of_the_mean(trained, store):
    before, after = (trained(**PLAIN, batch_size=64, steps=1, learning_rate=rate)[0] for rate in (0, 0.5))
    train = faces(store, before)
    network = before.network()
    scores = network(before.input.scale(images_as_tensor(train.pixels)))
    F.cross_entropy(scores, torch.from_numpy(train.labels)).backward()
    for name, parameter in network.named_parameters():
        assert np.allclose(after.weights[name], before.weights[name] - 0.5 * parameter.grad.numpy(), atol=1e-6)


@pytest.mark.parametrize(("decay", "kernels_only"), [("kernels", True), ("all", False)])
def test_weight_decay_affects_kernels_or_everything(trained, decay, kernels_only):
    step = {**PLAIN, **trainings.LENET, "steps": 1, "learning_rate": 0.1}  # its biases begin at 1
    before, free, decayed = (
        trained(**step | options)[0].weights
        for options in ({"learning_rate": 0}, {}, {"weight_decay": 0.5, "decay": decay})
    )
    for name, array in before.items():
        lost = 0.0 if kernels_only and name.endswith("bias") else 0.1 * 0.5
        assert np.allclose(free[name] - decayed[name], lost * array, atol=1e-6)


def test_clip_limits_the_norm_of_the_gradient(trained):
    step = {**PLAIN, **trainings.LENET, "steps": 1, "learning_rate": 1.0}
    before, free, cut = (trained(**step | options)[0] for options in ({"learning_rate": 0}, {}, {"clip": 0.01}))
    assert distance(before, free) > 0.02
    assert distance(before, cut) == pytest.approx(0.01, rel=1e-3)


def test_ema_follows_the_weights(trained):
    options = {**PLAIN, "learning_rate": 0.1}
    one, two = (trained(**options, steps=steps)[0].weights for steps in (1, 2))
    assert same(trained(**options, steps=1, ema=0.9)[0], trained(**options, steps=1)[0])
    slow, quick = (trained(**options, steps=2, ema=decay)[0].weights for decay in (0.9, 0.05))
    for name in one:
        step = two[name] - one[name]
        assert np.allclose(slow[name], one[name] + step * (1 - 2 / 11), atol=1e-7)  # the first steps follow faster
        assert np.allclose(quick[name], one[name] + step * 0.95, atol=1e-7)


def test_average_last_averages_the_last_epochs(trained):
    options = {**PLAIN, "learning_rate": 0.1}
    two, three = (trained(**options, epochs=epochs)[0].weights for epochs in (2, 3))
    assert same(trained(**options, epochs=3, average_last=1)[0], trained(**options, epochs=3)[0])
    mean = trained(**options, epochs=3, average_last=2)[0].weights
    for name in two:
        assert np.allclose(mean[name], (two[name] + three[name]) / 2, atol=1e-7)
    assert same(trained(**options, epochs=2, average_last=9)[0], trained(**options, epochs=2, average_last=2)[0])


def test_average_last_scores_the_network_itself_before_the_last_epochs(trained):
    options = {**PLAIN, "learning_rate": 0.1}
    plain, averaged = (trained(**options, epochs=3, average_last=last)[1] for last in (0, 2))
    assert [row.dev_loss for row in averaged[:2]] == [row.dev_loss for row in plain[:2]]
    assert averaged[2].dev_loss != plain[2].dev_loss


@pytest.mark.parametrize("batch_size", [32, 27])  # 27 of 28 images would leave a batch of one
def test_bn_batches_estimates_batch_norm_from_clean_images(trained, store, batch_size):
    network = {**trainings.FAST["arguments"], "crop": 48, "dropout": 0.0}
    options = {**trainings.FAST, "arguments": network, "batch_size": batch_size, "epochs": 2}
    usual, anew = trained(**options)[0], trained(**options, bn_batches=2)[0]
    x = anew.input.scale(images_as_tensor(faces(store, anew).pixels))
    with torch.no_grad():
        expected = anew.network().stages[0][0].convolutions[0](x).mean(dim=(0, 2, 3))
    assert np.allclose(anew.weights["stages.0.0.norms.0.running_mean"], expected, atol=1e-5)
    assert not np.allclose(usual.weights["stages.0.0.norms.0.running_mean"], expected, atol=1e-4)
    learned = [name for name in usual.weights if not name.endswith(("running_mean", "running_var", "batches_tracked"))]
    assert all(np.array_equal(usual.weights[name], anew.weights[name]) for name in learned)


def test_mix_until_ends_mixing(trained):
    plain, never, always = (trained(**options)[0] for options in ({}, {"mixup": 1, "mix_until": 0}, {"mixup": 1}))
    assert same(plain, never)
    assert not same(plain, always)
    half, longer = (trained(cutmix=1, mix_until=0.5, epochs=epochs, schedule="constant") for epochs in (2, 4))
    assert half[1][0].train_loss == longer[1][0].train_loss
    assert half[1][1].train_loss != longer[1][1].train_loss


def test_standardised_input_uses_statistics_of_the_training_images(trained, store):
    checkpoint, _ = trained(**STILL, scaling="standardised")
    pixels = faces(store, checkpoint).pixels / 255
    assert checkpoint.input.mean == pytest.approx([pixels.mean()])
    assert checkpoint.input.std == pytest.approx([pixels.std()])


def test_bf16_learns_and_keeps_fp32_weights(trained):
    checkpoint, rows = trained(epochs=15, precision="bf16", **LONG)
    assert checkpoint.training["machine"].endswith("bf16")
    assert {array.dtype for array in checkpoint.weights.values()} == {np.dtype(np.float32)}
    assert rows[-1].train_loss < 0.8 * rows[0].train_loss
    assert np.isfinite([row.dev_loss for row in rows]).all()


@pytest.mark.parametrize("options", [{"augment_with": "torch"}, {"workers": 2}, {"channels_last": False}])
def test_training_works_with_torch_threads_and_other_layouts(trained, options):
    _, rows = trained(augment="strong", **options)
    assert len(rows) == 3
    assert all(row.pictures_per_second > 0 and 0 <= row.waiting_share <= 1 for row in rows)


def test_workers_change_no_weight(trained):
    assert same(trained(augment="strong", workers=2)[0], trained(augment="strong")[0])


def test_compile_changes_no_weight(trained, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda learner: compiled.append(learner) or learner)
    assert same(trained(compile=True)[0], trained()[0])
    assert len([learner for learner in compiled if isinstance(learner, torch.nn.Module)]) == 1


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++, which is not on this machine")
def test_a_compiled_network_learns_alike(trained):
    """The last bits of its sums may differ."""
    losses, compiled = ([row.train_loss for row in trained(compile=choice)[1]] for choice in (False, True))
    assert compiled == pytest.approx(losses, rel=1e-3)
