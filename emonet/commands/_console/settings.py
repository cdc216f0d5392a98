"""`--set key=value` and its like: tables on the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from emonet.errors import OptionError

OPENINGS = ('"', "'", "[", "{")  # of values that are no bare words: a mistake in them is one


def parsed_settings(items: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """Values as TOML has them (0.5, true, [1, 2], {a = 1}); words that are none are strings without quotes."""
    settings: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or not key.strip():
            raise OptionError(f"{option} takes KEY=VALUE, got {item!r}")
        if key.strip() in settings:
            raise OptionError(f"{option} gives {key.strip()} twice")
        settings[key.strip()] = _value(key.strip(), text.strip())
    return settings


def _value(key: str, text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if text.startswith(OPENINGS):
            raise OptionError(f"the value of {key} cannot be understood: {text}: {error}") from error
        return text
