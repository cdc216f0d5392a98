"""Checks that the constructors of networks share: their arguments come from command lines and stored files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facecrop.errors import OptionError


def check_whole(name: str, value: Any, least: int = 1) -> None:
    """A whole number, no smaller than `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name} must be a whole number, at least {least}, got {value!r}")


def check_between(name: str, value: Any, least: float, most: float) -> None:
    """A number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise OptionError(f"{name} must be a number from {least} to {most}, got {value!r}")


def check_dropout(name: str, value: Any) -> None:
    """A share of units to drop, less than all."""
    check_between(name, value, 0, 0.99)


def check_switch(name: str, value: Any) -> None:
    """True or False, and no word for it."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be true or false, got {value!r}")


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> None:
    """One of a few words."""
    if value not in allowed:
        raise OptionError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")


def check_each(name: str, values: Any, count: int) -> None:
    """A value for each of `count` layers."""
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != count:
        raise OptionError(f"{name} must be {count} values, one for each layer, got {values!r}")
