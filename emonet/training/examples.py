"""What the network sees in a step and what it should answer: scaled images and targets, perhaps mixed or taught."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from emonet.errors import OptionError
from emonet.inference.torch_classifier import TorchClassifier
from emonet.training.config import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.feeding import Batch, choose_view
from emonet.training.material import Material
from emonet.training.objective import blend_labels, weigh_columns
from emonet.training.teacher_answers import ANSWERS, TeacherAnswers, find_missing, open_answers
from facecrop.devices import to_device


class Examples(NamedTuple):
    """Input and wanted output of one step, on the device."""

    x: Tensor  # (N, channels, size, size), scaled
    labels: Tensor  # (N, all heads' classes), without teachers
    targets: Tensor  # (N, all heads' classes), with the teachers' share


class Preparation:
    """Makes examples from batches. Everything it needs lies on the device, so that no step waits for a copy.

    Args:
        material: The training images, the heads and the teachers.
        targets: What `make_targets` made (N, all heads' classes).
        teachers: The networks of `material.teachers`.
        config: Options of the run.
        device: Where the network learns.
    """

    def __init__(
        self,
        material: Material,
        targets: Tensor,
        teachers: list[TorchClassifier],
        config: TrainConfig,
        device: torch.device,
    ) -> None:
        self._spec, self._config, self._teachers, self._device = material.spec, config, teachers, device
        self._images, self._classes = targets.shape
        self._targets = _append_blended(targets, material, config).to(device)
        matched = material.match_teacher_columns()
        self._columns = [torch.tensor(pair).to(device) for pair in matched]
        counts = torch.zeros(self._classes)  # how many teachers answer each column
        for _, own in matched:
            counts[list(own)] += 1
        self._teacher_share = (config.teacher_share * (counts > 0).float()).to(device)
        self._answer_weights = (weigh_columns(material.heads, config) / counts.clamp_min(1)).to(device)
        self._mixing = Mixing(config.mixup, config.cutmix)
        self._answers: TeacherAnswers | None = None

    def open_answers(self, folder: Path, processes: Processes, *, fresh: bool) -> None:
        """Keep the teachers' answers in a folder, if the views are fixed; a fresh run begins without answers."""
        if self._config.teacher_views:
            shape = (self._config.teacher_views, self._images, self._classes)
            self._answers = open_answers(folder / ANSWERS, shape, processes, fresh=fresh)

    def prepare(self, batch: Batch, seed: int, done: float) -> Examples:
        """Scale the images of a batch, look up their targets, mix both, and give the teachers their share.

        Args:
            batch: The images, and where they stand in the training data.
            seed: Decides how they are mixed.
            done: Share of all steps that is done.
        """
        mixed = done < self._config.mix_until
        rows = self._targets[batch.places]
        if self._answers is not None:
            rows = torch.cat([rows, self._look_up_answers(batch, self._answers)], dim=1)
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
        """Mix images and targets alike. The same seed mixes them in the same way, however images are scaled."""
        return self._mixing(x, targets, random.Random(seed)) if mixed else (x, targets)

    def _teach(self, targets: Tensor, answers: Tensor) -> Tensor:
        """Give the mean answer of the teachers its share."""
        return targets.lerp(answers * self._answer_weights, self._teacher_share)

    def _ask(self, batch: Batch, seed: int, mixed: bool) -> Tensor:
        """Sum the teachers' answers to the images that the network sees (N, all heads' classes)."""
        answers = torch.zeros(len(batch.places), self._classes, device=self._device)
        with torch.no_grad():
            for teacher, columns in zip(self._teachers, self._columns, strict=True):
                seen, _ = self._mix(teacher.spec.scale(batch.pixels), answers, seed, mixed)
                answers.index_add_(1, columns[1], teacher.answers(seen)[:, columns[0]])
        return answers

    def _look_up_answers(self, batch: Batch, answers: TeacherAnswers) -> Tensor:
        """Look up the teachers' answers to a batch before mixing; ask the teachers where there are none.

        If any answer is missing, they are asked about the whole batch. Parts of it could differ in the last bit, and a
        resumed run would not end in the same weights.
        """
        view, _ = choose_view(batch.plan, self._config.teacher_views)
        places = batch.plan.places
        if find_missing(answers.read(view, places)).any():
            answers.write(view, places, self._ask(batch, 0, mixed=False).half().cpu().numpy())
        return to_device(torch.from_numpy(answers.read(view, places)), self._device).float()


def _append_blended(targets: Tensor, material: Material, config: TrainConfig) -> Tensor:
    """Append the targets with the share of teacher labels, in columns of their own, if there are teacher labels."""
    if not material.teacher_labels:
        return targets
    blended = blend_labels(targets, material.teacher_labels, material.train, material.heads, config)
    return torch.cat([targets, blended], dim=1)


@dataclass(frozen=True, slots=True)
class Mixing:
    """Mix images of a batch in pairs, and their targets alike: mixup blends them, cutmix pastes a piece.

    Args:
        mixup: Alpha of the distribution Beta(alpha, alpha) of the partner's share; 0 for no mixup.
        cutmix: The same for cutmix.

    Raises:
        OptionError: An alpha is negative or not finite.
    """

    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mixup", "cutmix"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"{name} must be a finite alpha, 0 or more, got {getattr(self, name)!r}")

    def __call__(self, x: Tensor, targets: Tensor, chance: random.Random) -> tuple[Tensor, Tensor]:
        """Mix each image with the one before it. With both alphas, one kind is drawn for the whole batch.

        Args:
            x: Images (N, channels, height, width), in random order.
            targets: Their targets (N, classes).
            chance: Generator that decides the shares.
        """
        wanted = [(mix, alpha) for mix, alpha in ((_mixup, self.mixup), (_cutmix, self.cutmix)) if alpha]
        if not wanted:
            return x, targets
        mix, alpha = chance.choice(wanted)
        mixed, share = mix(x, chance.betavariate(alpha, alpha), chance)
        return mixed, targets.lerp(targets.roll(1, 0), share)


def _mixup(x: Tensor, share: float, _: random.Random) -> tuple[Tensor, float]:
    return x.lerp(x.roll(1, 0), share), share


def _cutmix(x: Tensor, share: float, chance: random.Random) -> tuple[Tensor, float]:
    """Paste a piece around a random centre. What lies outside the image is lost and does not count."""
    height, width = x.shape[-2:]
    top, bottom = _draw_stretch(height, math.sqrt(share), chance)
    left, right = _draw_stretch(width, math.sqrt(share), chance)
    mixed = x.clone()
    mixed[..., top:bottom, left:right] = x[..., top:bottom, left:right].roll(1, 0)
    return mixed, (bottom - top) * (right - left) / (height * width)


def _draw_stretch(side: int, share: float, chance: random.Random) -> tuple[int, int]:
    centre, half = chance.randrange(side), side * share / 2
    return max(round(centre - half), 0), min(round(centre + half), side)
