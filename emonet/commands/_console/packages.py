"""What the commands need that learn, score or build data sets, and the plain install does not bring."""

from __future__ import annotations

from facecrop.packages import check_installed

TRAINING = ("torch", "torchvision", "pyarrow", "sklearn", "scipy", "matplotlib")


def check_training_packages(command: str, *others: str, extra: str = "train") -> None:
    """Refuse a command before its first step where packages that it needs are missing; say which extra brings them."""
    check_installed(f"emonet {command}", f"emonet[{extra}]", (*TRAINING, *others))
