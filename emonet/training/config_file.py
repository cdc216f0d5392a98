"""The options of a training as TOML: read for `--config`, written beside what was trained with them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emonet.errors import OptionError
from emonet.training.config import TrainConfig


def read_config(path: Path) -> dict[str, Any]:
    """The options in a file, not yet checked."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is not TOML: {error}") from error


def write_config(config: TrainConfig, path: Path) -> None:
    """Every option, its default or not."""
    lines = ["# emonet train --config this-file"]
    for name, value in config.to_dict().items():
        lines.append(f"{name} = {_toml(value)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(value: Any) -> str:
    """Strings, numbers and truth are written as JSON writes them; tables in one line are TOML's own."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # JSON's escapes beyond 16 bits are none of TOML's
