"""What the network sees in a step, and what it should answer: scaled images and targets, perhaps mixed or taught."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from emonet.heads import sizes
from emonet.inference.classifier import Classifier
from emonet.training.config import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.feeding import Batch, chance_of
from emonet.training.material import Material
from emonet.training.mixing import Mixing
from emonet.training.targets import blend_labels, column_weights
from emonet.training.teacher_answers import ANSWERS, TeacherAnswers, missing, open_answers
from facecrop.devices import to_device


class Examples(NamedTuple):
    """One step's input and wanted output, on the device."""

    x: Tensor  # (N, channels, size, size), scaled
    labels: Tensor  # (N, all heads' classes), what the data say
    targets: Tensor  # (N, all heads' classes), of which teachers may have their share


class Preparation:
    """Makes examples of batches. All that it needs lies on the device, so that no step waits for a copy."""

    def __init__(
        self, material: Material, targets: Tensor, teachers: list[Classifier], config: TrainConfig, device: torch.device
    ) -> None:
        self._spec, self._config, self._teachers, self._device = material.spec, config, teachers, device
        self._pictures, self._classes = targets.shape
        self._targets = _with_teacher_labels(targets, material, config).to(device)
        self._taught = _taught(material, config).to(device)
        self._columns = [_columns(material, number).to(device) for number in range(len(teachers))]
        self._weights = _weights(material, config).to(device)
        self._mixing = Mixing(config.mixup, config.cutmix)
        self._answers: TeacherAnswers | None = None

    def open_answers(self, folder: Path, processes: Processes, *, fresh: bool) -> None:
        """Keep what teachers answer in a folder, if the views are fixed; a fresh run begins without answers."""
        if self._config.teacher_views:
            shape = (self._config.teacher_views, self._pictures, self._classes)
            self._answers = open_answers(folder / ANSWERS, shape, processes, fresh=fresh)

    def prepare(self, batch: Batch, seed: int, done: float) -> Examples:
        """Scale the images of a batch, look up their targets, mix both, and give the teachers their share.

        Args:
            batch: The images, and where they stand in the training data.
            seed: Decides how they are mixed.
            done: The share of all steps that is done.
        """
        mixed = done < self._config.mix_until
        rows = self._targets[batch.places]
        if self._answers is not None:
            rows = torch.cat([rows, self._kept_answers(batch, self._answers)], dim=1)
        x, rows = self._mix(self._spec.scale(batch.pixels), rows, seed, mixed)
        parts = list(torch.split(rows, self._classes, dim=1))
        labels = parts[0]
        if self._answers is not None:
            answers = parts.pop()
        elif self._teachers:
            answers = self._ask(batch, seed, mixed)
        targets = self._teach(parts[-1], answers) if self._teachers else parts[-1]
        size = self._config.shown_size(done)
        if size is not None and size != x.shape[-1]:
            x = F.interpolate(x, (size, size), mode="bilinear", antialias=True)
        return Examples(x.contiguous(memory_format=self._layout), labels, targets)

    @property
    def _layout(self) -> torch.memory_format:
        return torch.channels_last if self._config.channels_last else torch.contiguous_format

    def _mix(self, x: Tensor, targets: Tensor, seed: int, mixed: bool) -> tuple[Tensor, Tensor]:
        """Mix images and targets alike. However images are scaled, the same seed mixes them the same way."""
        return self._mixing(x, targets, random.Random(seed)) if mixed else (x, targets)

    def _teach(self, targets: Tensor, answers: Tensor) -> Tensor:
        """Give the mean answer of the teachers its share."""
        return targets.lerp(answers * self._weights, self._taught)

    def _ask(self, batch: Batch, seed: int, mixed: bool) -> Tensor:
        """The sum of what the teachers answer to the views that their pupil sees (N, all heads' classes)."""
        answers = torch.zeros(len(batch.places), self._classes, device=self._device)
        with torch.no_grad():
            for teacher, columns in zip(self._teachers, self._columns, strict=True):
                seen, _ = self._mix(teacher.spec.scale(batch.pixels), answers, seed, mixed)
                answers.index_add_(1, columns[1], teacher.answers(seen)[:, columns[0]])
        return answers

    def _kept_answers(self, batch: Batch, answers: TeacherAnswers) -> Tensor:
        """What the teachers answered to the views of a batch, before they are mixed.

        If any is missing, the teachers are asked for the whole batch: parts of it could differ in the last bit, and a
        run that was killed would not end in the same weights.
        """
        view, _ = chance_of(batch.order, self._config.teacher_views)
        places = batch.order.places
        if missing(answers.read(view, places)).any():
            answers.write(view, places, self._ask(batch, 0, mixed=False).half().cpu().numpy())
        return to_device(torch.from_numpy(answers.read(view, places)), self._device).float()


def _with_teacher_labels(targets: Tensor, material: Material, config: TrainConfig) -> Tensor:
    """The targets; after them, in columns of their own, the same with the share of teacher labels, if there are any."""
    if not material.teacher_labels:
        return targets
    blended = blend_labels(targets, material.teacher_labels, material.train, material.heads, config)
    return torch.cat([targets, blended], dim=1)


def _columns(material: Material, number: int) -> Tensor:
    """Where the classes that a teacher answers stand: among its scores, and among the pupil's (2, shared classes)."""
    return torch.tensor(material.teacher_columns[number])


def _taught(material: Material, config: TrainConfig) -> Tensor:
    """The share that teachers have in each column: none in those of heads that no teacher has."""
    return config.teacher_share * (_teachers_of(material) > 0).float()


def _weights(material: Material, config: TrainConfig) -> Tensor:
    """What the sum of the teachers' answers is multiplied by in each column: the head's weight, for their mean."""
    return column_weights(material.heads, config) / _teachers_of(material).clamp_min(1)


def _teachers_of(material: Material) -> Tensor:
    """How many teachers answer each column."""
    counts = torch.zeros(sum(sizes(material.heads)))
    for _, own in material.teacher_columns:
        counts[list(own)] += 1
    return counts
