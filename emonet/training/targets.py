"""What the network shall answer to each training picture: its label, or partly what a teacher answers to it.

Labels of expressions are noisy, and say nothing of how alike two are; another network's answers know better. They are
asked for once, of the pictures as they are and mirrored, and serve for all that augmentation makes of these.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from emonet.checkpoint import Checkpoint
from emonet.classifier import Classifier
from emonet.devices import Machine
from emonet.training.data import Faces


def make_targets(faces: Faces, teacher: Checkpoint | None, share: float, machine: Machine) -> Tensor:
    """Class probabilities (N, classes), of which the teacher's have this share."""
    labels = F.one_hot(torch.from_numpy(faces.labels), len(faces.classes)).float()
    if teacher is None:
        return labels
    classify = Classifier(teacher.network().to(machine.device), teacher.input, machine, view="mirror")
    return labels.lerp(torch.from_numpy(classify(faces.pixels)), share)
