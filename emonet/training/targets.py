"""What the network shall answer to each training picture: its label, or partly what teachers answer to it.

Labels of expressions are noisy, and say nothing of how alike two are; other networks' answers know better. They are
asked for once, of the pictures as they are and mirrored, and serve for all that augmentation makes of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from emonet.checkpoint import Checkpoint
from emonet.classifier import Classifier
from emonet.devices import Machine
from emonet.training.data import Faces


def make_targets(faces: Faces, teachers: Sequence[Checkpoint], share: float, machine: Machine) -> Tensor:
    """Class probabilities (N, classes), of which the teachers' mean has this share."""
    labels = F.one_hot(torch.from_numpy(faces.labels), len(faces.classes)).float()
    if not teachers:
        return labels
    answers = [_answers(teacher, faces, machine) for teacher in teachers]
    return labels.lerp(torch.stack(answers).mean(0), share)


def _answers(teacher: Checkpoint, faces: Faces, machine: Machine) -> Tensor:
    classify = Classifier(teacher.network().to(machine.device), teacher.input, machine, view="mirror")
    return torch.from_numpy(classify(faces.pixels))
