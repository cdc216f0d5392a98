"""Check the arguments of networks, which come from command lines and stored files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facecrop.errors import OptionError


def check_whole(name: str, value: Any, least: int = 1) -> None:
    """Refuse all but whole numbers of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name} must be a whole number, at least {least}, got {value!r}")


def check_between(name: str, value: Any, least: float, most: float) -> None:
    """Refuse all but numbers from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise OptionError(f"{name} must be a number from {least} to {most}, got {value!r}")


def check_dropout(name: str, value: Any) -> None:
    """Refuse all but shares of units to drop, less than all."""
    check_between(name, value, 0, 0.99)


def check_switch(name: str, value: Any) -> None:
    """Refuse all but True and False."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be true or false, got {value!r}")


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Refuse all but the allowed words."""
    if value not in allowed:
        raise OptionError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")


def check_each(name: str, values: Any, count: int) -> None:
    """Refuse all but a list of one value for each of `count` layers."""
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != count:
        raise OptionError(f"{name} must be {count} values, one for each layer, got {values!r}")
