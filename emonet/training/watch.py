"""Whoever wants to see a run's progress."""

from __future__ import annotations

from typing import Protocol

from emonet.training.log import EpochRow


class Watch(Protocol):
    """Whoever wants to see a run's progress."""

    def note(self, text: str) -> None: ...

    def begin(self, title: str, steps: int, done: int) -> None: ...

    def step(self, loss: float, accuracy: float, rate: float) -> None: ...

    def epoch(self, row: EpochRow) -> None: ...


class Silent:
    """A `Watch` that shows nothing, for those who do not look."""

    def note(self, text: str) -> None:
        """Nothing."""

    def begin(self, title: str, steps: int, done: int) -> None:
        """Nothing."""

    def step(self, loss: float, accuracy: float, rate: float) -> None:
        """Nothing."""

    def epoch(self, row: EpochRow) -> None:
        """Nothing."""
