"""Fields of a dataclass as options: what each is for, of what kind, and one of which words, all said in the annotation.

epochs: Annotated[int, LEARNING, "Times through the training data."] = 60
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from emonet.errors import OptionError

KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "a list of names",
    Mapping: "a table",
}


class Option(NamedTuple):
    """A field, for checks and command lines."""

    name: str
    kind: type  # one of KINDS
    choices: tuple[str, ...]  # of a str that is one of few
    panel: str  # the part of the help it is shown in
    help: str
    default: Any

    def fitted(self, value: Any) -> Any:
        """As the field has it: TOML knows no tuples, people write 1 for 1.0, and tables are stored as JSON."""
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if self.kind is tuple and isinstance(value, list):
            return tuple(value)
        if self.kind is Mapping and isinstance(value, Mapping):
            return json.loads(json.dumps(dict(value)))
        return value

    def check(self, value: Any) -> None:
        """Raises unless the value is of the kind, and one of the words."""
        fits = isinstance(value, self.kind) and not (self.kind is int and isinstance(value, bool))
        if not fits or (self.kind is tuple and not all(isinstance(item, str) for item in value)):
            raise OptionError(f"{self.name} must be {KINDS[self.kind]}, got {value!r}")
        if self.choices and value not in self.choices:
            raise OptionError(f"{self.name} must be one of {', '.join(self.choices)}, got {value!r}")


@cache
def options_of(described: type) -> tuple[Option, ...]:
    """All fields of a dataclass, in order."""
    hints = get_type_hints(described, include_extras=True)
    found = []
    for own in fields(described):
        plain, panel, words = get_args(hints[own.name])
        origin = get_origin(plain)
        choices = get_args(plain) if origin is Literal else ()
        kind = str if choices else origin or plain
        default = {} if own.default is MISSING else own.default
        found.append(Option(own.name, cast("type", kind), choices, panel, words, default))
    return tuple(found)
