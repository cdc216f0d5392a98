"""What the network sees in a step, and what it should answer: scaled images and targets, perhaps mixed or taught."""

from __future__ import annotations

import random
from typing import NamedTuple

import torch
from torch import Tensor

from emonet.classifier import Classifier
from emonet.heads import sizes
from emonet.training.config import TrainConfig
from emonet.training.feeding import Batch
from emonet.training.material import Material
from emonet.training.mixing import Mixing
from emonet.training.targets import head_weights


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
        self._spec, self._config, self._teachers = material.spec, config, teachers
        self._targets = targets.to(device)
        self._taught = _taught(material, config).to(device)
        self._columns = [_columns(material, number).to(device) for number in range(len(teachers))]
        self._weights = _weights(material, config).to(device)
        self._mixing = Mixing(config.mixup, config.cutmix)

    def prepare(self, batch: Batch, seed: int, *, mixed: bool) -> Examples:
        """Scale the images of a batch, look up their targets, mix both, and ask the teachers."""
        unmixed = self._targets[batch.places]
        x, labels = self._mix(self._spec.scale(batch.pixels), unmixed, seed, mixed)
        targets = self._teach(batch, labels, seed, mixed) if self._teachers else labels
        return Examples(x.contiguous(memory_format=self._layout), labels, targets)

    @property
    def _layout(self) -> torch.memory_format:
        return torch.channels_last if self._config.channels_last else torch.contiguous_format

    def _mix(self, x: Tensor, targets: Tensor, seed: int, mixed: bool) -> tuple[Tensor, Tensor]:
        """Mix images and targets alike. However images are scaled, the same seed mixes them the same way."""
        return self._mixing(x, targets, random.Random(seed)) if mixed else (x, targets)

    def _teach(self, batch: Batch, labels: Tensor, seed: int, mixed: bool) -> Tensor:
        """Give the mean answer of the teachers its share; they see the views that their pupil sees."""
        answers = torch.zeros_like(labels)
        with torch.no_grad():
            for teacher, columns in zip(self._teachers, self._columns, strict=True):
                seen, _ = self._mix(teacher.spec.scale(batch.pixels), labels, seed, mixed)
                answers.index_add_(1, columns[1], teacher.answers(seen)[:, columns[0]])
        return labels.lerp(answers * self._weights, self._taught)


def _columns(material: Material, number: int) -> Tensor:
    """Where the classes that a teacher answers stand: among its scores, and among the pupil's (2, shared classes)."""
    return torch.tensor(material.teacher_columns[number])


def _taught(material: Material, config: TrainConfig) -> Tensor:
    """The share that teachers have in each column: none in those of heads that no teacher has."""
    return config.teacher_share * (_teachers_of(material) > 0).float()


def _weights(material: Material, config: TrainConfig) -> Tensor:
    """What the sum of the teachers' answers is multiplied by in each column: the head's weight, for their mean."""
    by_head = head_weights(material.heads, config)
    weights = [
        by_head[head.name]
        for head, count in zip(material.heads, sizes(material.heads), strict=True)
        for _ in range(count)
    ]
    return torch.tensor(weights) / _teachers_of(material).clamp_min(1)


def _teachers_of(material: Material) -> Tensor:
    """How many teachers answer each column."""
    counts = torch.zeros(sum(sizes(material.heads)))
    for _, own in material.teacher_columns:
        counts[list(own)] += 1
    return counts
