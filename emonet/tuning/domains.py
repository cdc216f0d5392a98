"""What an option may be in a search: one of several values, or a number of a range.

batch_size = [32, 64, 128]          # or "32,64,128", as on the command line
learning_rate = "0.0001..0.01:log"  # evenly on a logarithmic scale
arguments.dropout = "0..0.6:0.1"    # in steps of 0.1
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emonet.errors import OptionError

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(?::(log|{NUMBER}))?")
LIKE_A_RANGE = re.compile(rf"{NUMBER}\.\.|\.\.{NUMBER}$")
GRAMMAR = "LOW..HIGH, LOW..HIGH:STEP or LOW..HIGH:log"
EXACT, DIGITS = 12, 4  # of numbers with and without a step
CLOSE = 1e-9  # of steps that fit into a range but for rounding


@dataclass(frozen=True, slots=True)
class Choices:
    """One of several values.

    Attributes:
        values: The values, as a TOML file has them.
    """

    values: tuple[Any, ...]

    @property
    def probes(self) -> tuple[Any, ...]:
        """The values that are checked before the first trial."""
        return self.values

    def __str__(self) -> str:
        """Write it as it is given on the command line."""
        return ", ".join(show_value(value) for value in self.values)

    @property
    def all_values(self) -> tuple[Any, ...] | None:
        """All values, for a grid."""
        return self.values


@dataclass(frozen=True, slots=True)
class Range:
    """A number from `low` to `high`.

    Attributes:
        low: The least number.
        high: The greatest number.
        step: The distance between neighbours; None: any number.
        log: Whether numbers are drawn evenly on a logarithmic scale.
        whole: Whether only whole numbers are meant.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    @property
    def probes(self) -> tuple[Any, ...]:
        """The values that are checked before the first trial: both ends."""
        return self.low, self.high

    @property
    def all_values(self) -> tuple[Any, ...] | None:
        """All values, for a grid; None without a step."""
        if self.step is None:
            return None
        count = round((self.high - self.low) / self.step) + 1
        return tuple(self.shorten(self.low + place * self.step) for place in range(count))

    def shorten(self, drawn: float) -> float:
        """Return a number that was drawn with as few digits as people write."""
        short = _as_kind(drawn, whole=self.whole, digits=DIGITS if self.step is None else EXACT)
        return min(max(short, self.low), self.high)

    def __str__(self) -> str:
        """Write it as it is given."""
        how = ":log" if self.log else "" if self.step is None or (self.whole and self.step == 1) else f":{self.step:g}"
        return f"{self.low:g}..{self.high:g}{how}"


Domain = Choices | Range


def parse_domain(name: str, given: Any, *, whole: bool | None = None) -> Domain:
    """Read what an option may be.

    Args:
        name: The option, for messages.
        given: A list of values, a text of the grammar above, or a single value.
        whole: Whether its numbers are whole; None: as they are written.

    Raises:
        OptionError: It cannot be understood.
    """
    if isinstance(given, str) and LIKE_A_RANGE.search(given.strip()):
        return _parse_range(name, given.strip(), whole)
    values = _split(given) if isinstance(given, str) else given if isinstance(given, list | tuple) else [given]
    if not values:
        raise OptionError(f"search: {name} has no values to choose from")
    texts = [json.dumps(value, sort_keys=True) for value in values]
    if twice := sorted({text for text in texts if texts.count(text) > 1}):
        raise OptionError(f"search: {name} has {', '.join(twice)} twice")
    return Choices(tuple(values))


def show_value(value: Any) -> str:
    """Write a value for people: texts as they are, numbers with few digits, lists as JSON."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return json.dumps(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _parse_range(name: str, text: str, whole: bool | None) -> Range:
    found = RANGE.fullmatch(text)
    if not found:
        raise OptionError(f"search: {name} must be a list of values or {GRAMMAR}, got {text!r}")
    low_text, high_text, how = found.groups()
    if whole is None:
        whole = all(re.fullmatch(r"[-+]?\d+|log", part) for part in found.groups() if part)
    log = how == "log"
    numbers = [float(part) for part in (low_text, high_text, *([how] if how and not log else []))]
    if whole and any(number != round(number) for number in numbers):
        raise OptionError(f"search: {name} must be a range of whole numbers, got {text!r}")
    low, high = (_as_kind(number, whole=whole) for number in numbers[:2])
    if low >= high:
        raise OptionError(f"search: {name} must be a range from a smaller number to a greater one, got {text!r}")
    if log and low <= 0:
        raise OptionError(f"search: {name} must begin above 0 to be drawn on a logarithmic scale, got {text!r}")
    step = _as_kind(numbers[2], whole=whole) if len(numbers) > 2 else 1 if whole and not log else None
    _check_step(name, text, high - low, step)
    return Range(low, high, step, log, whole)


def _check_step(name: str, text: str, length: float, step: float | None) -> None:
    if step is None:
        return
    if step <= 0 or abs(length / step - round(length / step)) > CLOSE:
        raise OptionError(f"search: {name} must have a step that divides its range, got {text!r}")


def _as_kind(number: float, *, whole: bool, digits: int = EXACT) -> float:
    return round(number) if whole else float(f"{number:.{digits}g}")  # 0.1 + 0.2 is meant to be 0.3


def _split(text: str) -> Sequence[Any]:
    """Split values at commas. Each is read as TOML; what is none is a text."""
    return [_read(part.strip()) for part in text.split(",") if part.strip()]


def _read(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
