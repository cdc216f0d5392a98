"""What the commands need that learn, score or build data sets, and the plain install does not bring."""

from __future__ import annotations

from facecrop.packages import check_installed

TRAINING = ("torch", "torchvision", "pyarrow", "sklearn", "scipy", "matplotlib")


def check_training_packages(command: str) -> None:
    """Refuse a command before its first step where packages of the extra `train` are missing."""
    check_installed(f"emonet {command}", "emonet[train]", TRAINING)
