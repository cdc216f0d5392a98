"""One trial: its trainings, and what it is told to stop by."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from emonet.datasets.store import Store
from emonet.errors import OptionError, TrainingError
from emonet.inference.checkpoint import Checkpoint
from emonet.training.config import TrainConfig
from emonet.training.log import EpochRow, Watch
from emonet.training.run import train
from emonet.training.scoring import measure_on_dev
from emonet.tuning.space import Space
from emonet.tuning.study import Claim

NO_FOLD = -1


class PrunedError(Exception):
    """The study stopped a trial early."""


class TimeIsUpError(Exception):
    """The minutes of the search are over."""


@dataclass(slots=True)
class TrialWatch:
    """A `Watch` that reports each epoch of a trial to its study, and stops the training when the study or time says so.

    Attributes:
        claim: The trial.
        shown: Who shows the steps.
        title: What the steps are shown as.
        measure: What epochs are compared by.
        ends_at: When the time is up, by the monotonic clock.
        before: The scores of the folds that were trained before.
        first_step: The steps that were reported for them.
        epochs: The most epochs of a training; later ones are reported as the last, so that the next fold has its steps.
        rows: The epochs so far.
    """

    claim: Claim
    shown: Watch
    title: str
    measure: str
    ends_at: float
    before: Sequence[float] = ()
    first_step: int = 0
    epochs: int = 1
    rows: list[EpochRow] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Show nothing: what there is to learn from is the same in all trials."""

    def begin(self, title: str, steps: int, done: int) -> None:
        del title  # the folder's name
        self.shown.begin(self.title, steps, done)

    def step(self, loss: float, accuracy: float, rate: float) -> None:
        self.shown.step(loss, accuracy, rate)

    def epoch(self, row: EpochRow) -> None:
        self.rows.append(row)
        scores = [*self.before, row.measure_on_dev(self.measure)]
        step = self.first_step + min(row.epoch, self.epochs)
        if self.claim.report(step, sum(scores) / len(scores)):
            raise PrunedError
        if time.monotonic() > self.ends_at:
            raise TimeIsUpError


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs trials, one after the other.

    Attributes:
        space: What is searched.
        store: The data set.
        folds: The folds whose mean score counts; empty: the score on dev does.
        epochs: The most epochs of a training.
        watch: Who shows the steps.
        ends_at: When the time is up, by the monotonic clock.
        trials: How many trials there shall be.
    """

    space: Space
    store: Store
    folds: tuple[int, ...]
    epochs: int
    watch: Watch
    ends_at: float
    trials: int

    def run(self, claim: Claim, folder: Path) -> None:
        """Train what a trial asks for, and note what became of it.

        A trial whose values cannot be used, whose loss is no number any more, or that needs more memory than the
        device has, is noted as failed: others may do. All else is raised, and the trial is run again later.

        Raises:
            TimeIsUpError: The minutes of the search are over; the state of the trial is saved.
        """
        began = time.monotonic()
        done: list[Checkpoint] = []
        rows: list[EpochRow] = []  # of the training that is not done
        try:
            config = self.space.make_config(claim.values)
            self._train(claim, config, folder, done, rows)
        except PrunedError:
            claim.give_up(_describe_stopped(done, rows, began))
        except (OptionError, TrainingError, torch.OutOfMemoryError) as error:
            claim.give_up(_describe_stopped(done, rows, began), str(error).splitlines()[0])
        else:
            scores = [measure_on_dev(one.scores, config.choose_by) for one in done]
            claim.finish(sum(scores) / len(scores), _describe_finished(done))

    def _train(
        self, claim: Claim, config: TrainConfig, folder: Path, done: list[Checkpoint], rows: list[EpochRow]
    ) -> None:
        """Train one network, or one for each fold."""
        for number, fold in enumerate(self.folds or (NO_FOLD,)):
            rows.clear()
            title = f"trial {claim.number} of {self.trials}" + (f", fold {fold}" if self.folds else "")
            before = [measure_on_dev(one.scores, config.choose_by) for one in done]
            first, most = number * self.epochs, self.epochs
            watch = TrialWatch(claim, self.watch, title, config.choose_by, self.ends_at, before, first, most, rows)
            own = replace(config, fold=fold) if self.folds else config
            done.append(train(own, self.store, folder / f"fold-{fold}" if self.folds else folder, watch, draw=False))


def _describe_stopped(done: Sequence[Checkpoint], rows: Sequence[EpochRow], began: float) -> dict[str, Any]:
    epochs = sum(one.training["epochs"] for one in done) + (rows[-1].epoch if rows else 0)
    return {"epochs": epochs, "seconds": time.monotonic() - began}


def _describe_finished(done: Sequence[Checkpoint]) -> dict[str, Any]:
    """Describe the whole of a trial, also where it was interrupted and resumed."""
    trainings: list[Mapping[str, Any]] = [one.training for one in done]
    return {
        "epochs": sum(one["epochs"] for one in trainings),
        "best_epoch": trainings[0]["chosen_epoch"] if len(trainings) == 1 else None,
        "seconds": sum(one["seconds"] for one in trainings),
        "images": sum(one.scores.get("dev", one.scores.get("dev_seen", {})).get("n", 0) for one in done),
    }
