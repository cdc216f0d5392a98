"""The training loop: five steps per batch."""

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

from emonet.errors import TrainingError
from emonet.heads import sizes
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import Machine
from emonet.inference.torch_classifier import TorchClassifier, images_as_tensor
from emonet.models._network import Network
from emonet.training.averaging import make_average
from emonet.training.chance import sample_seed
from emonet.training.config import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.examples import Preparation
from emonet.training.feeding import Batch, Feed, ImageFeed, Planner, TensorFeed
from emonet.training.figures import Figures, StepFigures, choose_reading_interval
from emonet.training.log import EpochRow, Watch
from emonet.training.material import Material
from emonet.training.objective import count_right, make_objective, make_targets
from emonet.training.optimizing import LearningRate, make_optimizer, set_rate
from emonet.training.packages import augments_with_torch
from emonet.training.sampling import Sampling
from emonet.training.scoring import DevScores, classify_share, score_dev
from emonet.training.state import Progress, State, read_state

ADVICE = "try a lower learning_rate, clip, or fp32"


class Trainer:
    """Trains one network. `run` yields a row for each epoch; `finish` then returns the chosen network.

    Args:
        network: The network with its first weights.
        material: What it learns from and is scored on.
        config: The options.
        machine: The device and its precision.
        processes: This process among all.
        identity: What must stay the same for the run to be resumed.
    """

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
        self._network = processes.synchronise(network.to(machine.device), machine)
        if config.channels_last:
            self._network = self._network.to(memory_format=torch.channels_last)
        self._wrapped = processes.wrap(self._network, machine)
        self._learner = torch.compile(self._wrapped) if config.compile else self._wrapped
        self._optimizer = make_optimizer(self._network, config)
        teachers = [open_classifier(teacher, machine) for teacher in material.teachers]
        targets = make_targets(material.train, material.heads, config)
        self._preparation = Preparation(material, targets, teachers, config, machine.device)
        self._objective = make_objective(config, material.heads, material.train, machine.device)
        self._sampling = Sampling(material.train, config)
        self._feed = _open_feed(material, config, machine, Planner(self._sampling, processes, config.part_size))
        self.steps_an_epoch = self._sampling.count_steps()
        self.steps = config.steps or config.epochs * self.steps_an_epoch
        self._average = make_average(self._network, config, self.steps, self.steps_an_epoch)
        self._rate = LearningRate(config, self.steps, self.steps_an_epoch)
        self._figures = Figures(processes, choose_reading_interval(machine.device, processes))
        self._state = State(self._network, self._average, self._optimizer, identity)
        self._saved_at = time.monotonic()

    @property
    def progress(self) -> Progress:
        """Where the run stands."""
        return self._state.progress

    @property
    def done(self) -> int:
        """Steps of the run so far."""
        return self.progress.epoch * self.steps_an_epoch + self.progress.step

    def restore(self, path: Path) -> None:
        """Resume from the state of a stopped run, if the first process finds one; it sends the state to all others."""
        saved = self._processes.ask_first(lambda: read_state(path) if path.is_file() else None)
        if saved is not None:
            self._state.restore(saved)
            self._rate.drops = self.progress.drops

    def run(self, path: Path, watch: Watch) -> Iterator[EpochRow]:
        """Train to the end.

        Args:
            path: The file of the state. It is saved at the end of each epoch, and every `save_every` seconds.
            watch: Told about each step and epoch.

        Yields:
            A row for each epoch, after its state was saved.

        Raises:
            TrainingError: The loss or the answers on dev are no numbers any more.
        """
        epochs = math.ceil(self.steps / self.steps_an_epoch)
        if self._is_over():
            return
        self._preparation.open_answers(path.parent, self._processes, fresh=not self.done)
        batches = self._feed.make_batches(self.progress.epoch, self.progress.step, epochs)
        for batch, waited, began in _time_waits(batches):
            self._learn_part(batch)
            if batch.plan.last:
                self._end_step(batch.whole)
            ended = batch.plan.last and self._is_epoch_over()
            if ended or self._figures.due:
                self._read_figures(path, watch, save=not ended)
            self.progress.add("waiting", waited)
            self.progress.add("seconds", time.monotonic() - began)
            if ended:
                yield self._end_epoch(path, watch)
                if self._is_over():
                    return

    def _learn_part(self, batch: Batch) -> None:
        """Add the gradient of a part of a batch; by default, the part is all that this process has of it."""
        # 1. Seed all random numbers of the part from the seed, the epoch, the step and the number of the part.
        seed = self._seed_part(batch.plan.part)

        # 2. Scale and mix the images, and look up what the network should answer to them.
        x, labels, targets = self._preparation.prepare(batch, seed, self.done / self.steps)

        # 3. Let the network answer, and measure how far it is from what it should answer.
        if batch.plan.first:
            self._optimizer.zero_grad()
        self._network.train()
        with self._processes.hold_back(self._wrapped, last=batch.plan.last):
            with self._machine.autocast():
                scores = self._learner(x)
            losses = self._objective(scores.float(), targets)
            # The mean over the images of all parts, also those of the other processes.
            loss = losses.sum() * (self._processes.count / batch.whole)
            torch.autograd.backward(loss)
        self._figures.add(losses, count_right(scores, labels, self._material.heads), batch.places)

    def _end_step(self, images: int) -> None:
        # 4. Move the weights against the gradient of all parts; their moving average follows.
        rate = self._rate.at(self.done)
        set_rate(self._optimizer, rate)
        if self._config.clip:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._config.clip)
        self._optimizer.step()
        if self._average is not None:
            self._average.update()

        # 5. Note the figures on the device; `run` reads them now and then, which waits for it.
        self._figures.end_step(images, rate)
        self.progress.step += 1

    def _seed_part(self, part: int) -> int:
        config, progress = self._config, self.progress
        seed = sample_seed(config.seed, config.order, progress.epoch, progress.step, part) >> 1
        torch.manual_seed(seed)  # takes 63 bits
        return seed

    def _read_figures(self, path: Path, watch: Watch, *, save: bool) -> None:
        """Read the figures of the steps since the last reading, and save the state if it is time to."""
        ask = save and time.monotonic() - self._saved_at > self._config.save_every
        rows, save_now = self._figures.read(ask)
        first = self.done - len(rows)
        for number, row in enumerate(rows):
            self._check_finite(row, first + number)
            self.progress.add("loss", row.loss)
            self.progress.add("right", row.right)
            self.progress.add("pictures", row.images)
            watch.step(row.loss / row.images, row.right / row.images, row.rate)
        if save_now:
            self._save(path)

    def _check_finite(self, row: StepFigures, step: int) -> None:
        if not row.finite:
            keys = [self._material.train.keys[place] for places in row.places for place in places.tolist()]
            raise TrainingError(
                f"the loss is {row.loss} at step {step} (epoch {self.progress.epoch + 1}); {ADVICE}. "
                f"The batch: {', '.join(keys)}"
            )

    def _save(self, path: Path) -> None:
        if self._processes.first:
            self._state.save(path)
        self._saved_at = time.monotonic()

    def _is_epoch_over(self) -> bool:
        return self.progress.step == self.steps_an_epoch or self.done == self.steps

    def _is_over(self) -> bool:
        patience = self._config.stop_after
        return self.done >= self.steps or bool(patience and self.progress.count_stale() >= patience)

    def _end_epoch(self, path: Path, watch: Watch) -> EpochRow:
        """Score the epoch on dev, keep its weights if it is the best, prepare the next, and save the state."""
        progress = self.progress
        row = self._make_row(self.score_dev())
        progress.rows.append(row)
        if row.dev_loss is None or self._is_better(row):
            progress.best = len(progress.rows) - 1
            self._state.keep(self._choose_network())
        self._rate.observe(progress.count_stale())
        progress.drops = self._rate.drops
        if progress.step == self.steps_an_epoch:
            progress.epoch, progress.step = progress.epoch + 1, 0
        progress.sums = {}
        self._save(path)
        watch.epoch(row)
        return row

    def _choose_network(self) -> Network:
        """Return the network that is scored and kept: the average if there is one."""
        return self._network if self._average is None else cast("Network", self._average.module)

    def score_dev(self) -> DevScores | None:
        """Score the network as it is now on dev; each process answers its share of the images."""
        dev, processes = self._material.dev, self._processes
        if dev is None:
            return None
        network = self._choose_network()
        processes.share_buffers(network)
        classify = TorchClassifier(network, self._material.spec, self._machine, heads=sizes(self._material.heads))
        answers = processes.gather(classify_share(classify, dev.pixels, processes), len(dev))
        if not np.isfinite(answers).all():
            raise TrainingError(f"the answers on dev are no numbers at step {self.done}; {ADVICE}")
        return score_dev(answers, dev, self._material.heads)

    def _make_row(self, scores: DevScores | None) -> EpochRow:
        sums = self.progress.sums
        return EpochRow(
            epoch=len(self.progress.rows) + 1,
            step=self.done,
            learning_rate=self._rate.at(self.done - 1),
            train_loss=sums["loss"] / sums["pictures"],
            train_accuracy=sums["right"] / sums["pictures"],
            **({} if scores is None else scores.to_columns()),
            seconds=sums["seconds"],
            waiting_share=sums["waiting"] / sums["seconds"],
            pictures_per_second=sums["pictures"] / sums["seconds"],
        )

    def _is_better(self, row: EpochRow) -> bool:
        """Compare with the best epoch so far; of equal epochs, the earlier stays the best."""
        if self.progress.best < 0:
            return True
        measure = self._config.choose_by
        sign = -1 if measure == "loss" else 1
        best = self.progress.rows[self.progress.best]
        return sign * row.measure_on_dev(measure) > sign * best.measure_on_dev(measure)

    def finish(self) -> Network:
        """Return the network with the chosen weights; batch norm is estimated again if the options say so."""
        network = self._choose_network()
        if self._config.keep == "best":
            network.load_state_dict(self._state.kept)
        if self._config.bn_batches:
            torch.manual_seed(sample_seed(self._config.seed, self._config.order) >> 1)  # for dropout and random crops
            with torch.no_grad(), self._machine.autocast():
                update_bn(self._make_clean_batches(), network)
        return network.eval()

    def _make_clean_batches(self) -> Iterator[Tensor]:
        """Yield training images that are not augmented, in batches whose sizes differ by 1 at most: all count alike."""
        order = self._sampling.draw_order(self.progress.epoch)
        order = order[: self._config.bn_batches * self._config.batch_size]
        for places in np.array_split(order, -(-len(order) // self._config.batch_size)):
            pixels = images_as_tensor(self._material.train.pixels[places])
            yield self._material.spec.scale(pixels.to(self._machine.device))


def _open_feed(material: Material, config: TrainConfig, machine: Machine, planner: Planner) -> Feed:
    if augments_with_torch(config, machine.device):
        return TensorFeed(material.train.pixels, planner, config, machine.device)
    return ImageFeed(material.train.pixels, planner, config, machine.device)


def _time_waits(batches: Iterator[Batch]) -> Iterator[tuple[Batch, float, float]]:
    """Yield each batch, how many seconds it was waited for, and when the waiting began."""
    while True:
        began = time.monotonic()
        batch = next(batches, None)
        if batch is None:
            return
        yield batch, time.monotonic() - began, began
