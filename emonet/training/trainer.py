"""The loop: a network, its pictures and where the run stands; stopped anywhere, it goes on from its state."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from emonet.classifier import Classifier, pictures_as_tensor
from emonet.devices import Machine
from emonet.metrics import Scores, score
from emonet.models.network import Network
from emonet.training.averaging import moving_average
from emonet.training.config import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.feeding import Batch, Feed, PictureFeed, Plan, TensorFeed
from emonet.training.log import EpochRow
from emonet.training.material import Material
from emonet.training.mixing import Mixing
from emonet.training.objective import LearningRate, make_objective, make_optimizer, set_rate
from emonet.training.sampling import Sampling, class_weights
from emonet.training.seeds import sample_seed
from emonet.training.state import Progress, State
from emonet.training.targets import make_targets
from emonet.training.watch import Watch

ADVICE = "try a lower learning_rate, clip, or fp32"


class TrainingError(ValueError):
    """Training that cannot go on: the step, and the keys of the pictures that it was about."""


class Trainer:
    """Trains one network: `run` gives a row for each epoch that is done, `finish` the network as it was chosen."""

    def __init__(
        self,
        network: Network,
        material: Material,
        config: TrainConfig,
        machine: Machine,
        processes: Processes,
        identity: Mapping[str, Any],
    ) -> None:
        self._config, self._material, self._machine, self._processes = config, material, machine, processes
        self._network = network.to(machine.device)
        if config.channels_last:
            self._network = self._network.to(memory_format=torch.channels_last)
        learner = processes.joined(self._network, machine)
        self._learner = torch.compile(learner) if config.compile else learner
        self._average = moving_average(self._network, config.ema) if config.ema else None
        self._optimizer = make_optimizer(self._network, config)
        self._targets = make_targets(material.train, config)
        self._teachers = [
            Classifier(teacher.network().to(machine.device), teacher.input, machine) for teacher in material.teachers
        ]
        self._objective = make_objective(config, class_weights(material.train, config), machine.device)
        self._mixing = Mixing(config.mixup, config.cutmix)
        self._sampling = Sampling(material.train, config)
        self._feed = _open_feed(material, config, machine, Plan(self._sampling, processes))
        self.steps_an_epoch = self._sampling.steps(processes.count)
        self.steps = config.steps or config.epochs * self.steps_an_epoch
        self._rate = LearningRate(config, self.steps, self.steps_an_epoch)
        self._state = State(self._network, self._average, self._optimizer, identity)

    @property
    def progress(self) -> Progress:
        return self._state.progress

    def restore(self, path: Path) -> None:
        """Goes back to where a run stood when its state was written."""
        self._state.load(path)
        self._rate.drops = self.progress.drops

    def run(self, path: Path, watch: Watch) -> Iterator[EpochRow]:
        """Trains to the end, a row an epoch; the state is in `path` before the row is given."""
        progress = self.progress
        saved = time.monotonic()
        epochs = math.ceil(self.steps / self.steps_an_epoch)
        if self._over():
            return
        batches = iter(self._feed.batches(progress.epoch, progress.step, epochs))
        for batch, waited in _timed(batches):
            began = time.monotonic()
            self._step(batch, watch)
            progress.add("waiting", waited)
            progress.add("seconds", waited + time.monotonic() - began)
            if progress.step == self.steps_an_epoch or self.done == self.steps:
                row = self._end_epoch()
                self._save(path)
                watch.epoch(row)
                yield row
                if self._over():
                    return
            elif self._processes.count == 1 and time.monotonic() - saved > self._config.save_every:
                self._save(path)
                saved = time.monotonic()

    @property
    def done(self) -> int:
        """Steps of the run so far."""
        return self.progress.epoch * self.steps_an_epoch + self.progress.step

    def _over(self) -> bool:
        patience = self._config.stop_after
        return self.done >= self.steps or bool(patience and self.progress.stale() >= patience)

    def _save(self, path: Path) -> None:
        if self._processes.first:
            self._state.save(path)

    def _step(self, batch: Batch, watch: Watch) -> None:
        """One step: all its chance comes from the seed, the epoch, the step and the process."""
        progress, config = self.progress, self._config
        seed = sample_seed(config.seed, config.order, progress.epoch, progress.step, self._processes.rank)
        torch.manual_seed(seed >> 1)  # of 63 bits
        rate = self._rate.at(self.done)
        set_rate(self._optimizer, rate)
        self._network.train()

        x, labels, targets = self._inputs(batch, seed >> 1)
        with self._machine.autocast():
            scores = self._learner(x)
        losses = self._objective(scores.float(), targets)
        loss = losses.sum() * (self._processes.count / batch.whole)  # the mean over all processes' pictures
        self._check_finite(loss, batch)

        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        if config.clip:
            nn.utils.clip_grad_norm_(self._network.parameters(), config.clip)
        self._optimizer.step()
        if self._average is not None:
            self._average.update_parameters(self._network)

        right = float((scores.argmax(1) == labels.argmax(1)).sum())
        progress.add("loss", float(losses.detach().sum()))
        progress.add("right", right)
        progress.add("pictures", len(x))
        progress.step += 1
        watch.step(float(loss.detach()), right / len(x), rate)

    def _inputs(self, batch: Batch, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """A batch as the network takes it: scaled pictures and what the data say of them, both perhaps mixed; and what
        the network shall answer, of which teachers may have their share."""
        device, config = self._machine.device, self._config
        pixels = batch.pixels.to(device, non_blocking=True)
        unmixed = self._targets[batch.places].to(device)
        x, labels = self._mixed(self._material.spec.scale(pixels), unmixed, seed)
        targets = labels
        if self._teachers:
            with torch.no_grad():
                seen = [self._mixed(teacher.spec.scale(pixels), unmixed, seed)[0] for teacher in self._teachers]
                answers = [teacher.answers(view) for teacher, view in zip(self._teachers, seen, strict=True)]
            targets = labels.lerp(torch.stack(answers).mean(0), config.teacher_share)
        return (x.contiguous(memory_format=torch.channels_last) if config.channels_last else x), labels, targets

    def _mixed(self, x: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """The same pictures are mixed alike, however they are scaled: teachers see what their pupil sees."""
        if self.done >= self._config.mix_until * self.steps:
            return x, targets
        return self._mixing(x, targets, torch.Generator().manual_seed(seed))

    def _check_finite(self, loss: Tensor, batch: Batch) -> None:
        if not torch.isfinite(loss):
            keys = [self._material.train.keys[place] for place in batch.places.tolist()]
            raise TrainingError(
                f"the loss is {float(loss.detach())} at step {self.done} "
                f"(epoch {self.progress.epoch + 1}); {ADVICE}. The batch: {', '.join(keys)}"
            )

    def _end_epoch(self) -> EpochRow:
        """Scores the epoch on dev, remembers it if it is the best, and makes ready for the next."""
        progress = self.progress
        scores = self.score_dev()
        row = self._row(scores)
        progress.rows.append(row)
        if scores is None or self._is_better(row):
            progress.best = len(progress.rows) - 1
            self._state.keep(self._candidate())
        self._rate.observe(progress.stale())
        progress.drops = self._rate.drops
        if progress.step == self.steps_an_epoch:
            progress.epoch, progress.step = progress.epoch + 1, 0
        progress.sums = {}
        return row

    def _candidate(self) -> Network:
        """The network as it would be used now."""
        return self._network if self._average is None else cast("Network", self._average.module)

    def score_dev(self) -> Scores | None:
        """What the network as it stands scores on dev; the first process says it to all."""
        dev = self._material.dev
        if dev is None:
            return None
        scores = None
        if self._processes.first:
            answers = Classifier(self._candidate(), self._material.spec, self._machine)(dev.pixels)
            if not np.isfinite(answers).all():
                raise TrainingError(f"the answers on dev are no numbers at step {self.done}; {ADVICE}")
            scores = score(answers, dev.labels, dev.classes)
        agreed: Scores = self._processes.agreed(scores)
        return agreed

    def _row(self, scores: Scores | None) -> EpochRow:
        names = ("loss", "right", "pictures")
        sums = torch.tensor([self.progress.sums[name] for name in names], dtype=torch.float64)
        loss, right, pictures = self._processes.summed(sums).tolist()
        seconds = self.progress.sums["seconds"]
        accuracy = right / pictures
        return EpochRow(
            epoch=len(self.progress.rows) + 1,
            step=self.done,
            learning_rate=self._rate.at(self.done - 1),
            train_loss=loss / pictures,
            train_accuracy=accuracy,
            dev_loss=None if scores is None else scores.log_loss,
            dev_accuracy=None if scores is None else scores.accuracy,
            dev_macro_f1=None if scores is None else scores.macro_f1,
            seconds=seconds,
            waiting_share=self.progress.sums["waiting"] / seconds,
            pictures_per_second=pictures / seconds,
        )

    def _is_better(self, row: EpochRow) -> bool:
        """Strictly: of equals, the earlier stays."""
        if self.progress.best < 0:
            return True
        best = self.progress.rows[self.progress.best]
        name = f"dev_{self._config.choose_by}"
        sign = -1 if self._config.choose_by == "loss" else 1
        return bool(sign * getattr(row, name) > sign * getattr(best, name))

    def finish(self) -> Network:
        """The network with the weights chosen, its batch norm estimated anew if that was asked for."""
        network = self._candidate()
        if self._config.keep == "best":
            network.load_state_dict(self._state.kept)
        if self._config.bn_batches:
            torch.manual_seed(sample_seed(self._config.seed, self._config.order) >> 1)  # of dropout, and random crops
            with torch.no_grad(), self._machine.autocast():
                update_bn(self._clean_batches(), network)
        return network.eval()

    def _clean_batches(self) -> Iterator[Tensor]:
        """Training pictures as they are, in an order of their own."""
        order = self._sampling.order(self.progress.epoch)[: self._config.bn_batches * self._config.batch_size]
        for places in torch.split(torch.from_numpy(order), self._config.batch_size):
            pixels = pictures_as_tensor(self._material.train.pixels[places.numpy()])
            yield self._material.spec.scale(pixels.to(self._machine.device))


def _open_feed(material: Material, config: TrainConfig, machine: Machine, plan: Plan) -> Feed:
    """Albumentations where the processor is the device; on a faster one, torch."""
    with_torch = config.augment_with == "torch" or (config.augment_with == "auto" and machine.device.type != "cpu")
    if with_torch:
        return TensorFeed(material.train.pixels, plan, config, machine.device)
    return PictureFeed(material.train.pixels, plan, config, machine.device)


def _timed(batches: Iterator[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch, and the seconds that it was waited for."""
    while True:
        began = time.monotonic()
        batch = next(batches, None)
        if batch is None:
            return
        yield batch, time.monotonic() - began
