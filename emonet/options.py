"""Options: frozen dataclasses that say of each field, in one place, its type, its limits and what it does.

    epochs: Annotated[int, Option("Number of passes over the training data.", at_least=1)] = 60

The annotation is all there is: `check_options` checks values by it, `from_table` and `format_toml` read and write files
of options, and `emonet/commands/_console/options.py` makes a command line of them.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from emonet.atomic import write_atomically
from emonet.errors import OptionError

T = TypeVar("T")

MANY = 30  # names that a message still lists
MOST = 10**12  # numbers without a limit of their own end here: infinity is no number of epochs

KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "a list",
    Mapping: "a table",
}
ITEMS: dict[Any, str] = {int: "whole numbers", float: "numbers", str: "names"}


@dataclass(frozen=True, slots=True)
class Option:
    """What an option does, and which values it takes.

    Attributes:
        help: What it does, in a plain sentence for `--help`.
        at_least: The least number; of a list or a table, the least of its numbers.
        at_most: The greatest number.
        panel: The part of `--help` that lists it.
        above: A number that is too small itself, where there is no least one.
        keys: The names that a table may have; any if empty. On the command line its values may be given by position.
        path: Whether it is the path of a file or folder. A list of paths is not split at commas within a file's name.
        flag: Its name on the command line, where that is not the field's.
        aliases: Older names on the command line, which still work and are not listed.
        default: The default in words, where the field's own does not tell.
    """

    help: str
    at_least: float = -MOST
    at_most: float = MOST
    panel: str = ""
    above: float | None = None
    keys: tuple[str, ...] = ()
    path: bool = False
    flag: str = ""
    aliases: tuple[str, ...] = ()
    default: str = ""


class Group(dict[str, Option]):
    """Options that are parts of one field: of a dataclass by its fields' names, or of a table by its keys."""


class OptionField(NamedTuple):
    """An option with the type and the default of its field."""

    name: str
    kind: type  # one of KINDS
    item: Any  # the type of what a list or a table holds
    choices: tuple[str, ...]  # of a text, or of the texts of a list
    optional: bool  # whether it may be None
    default: Any  # MISSING if it must be given
    option: Option
    group: str  # the field that it is a part of, or nothing

    def check(self, value: Any) -> Any:
        """Return the value as the field holds it, or raise an OptionError that says what is allowed."""
        if value is None and self.optional:
            return None
        value = self._fit(value)
        if not _is(value, self.kind):
            raise OptionError(f"{self.name} must be {self._kind_words()}, got {value!r}")
        for shown, part in self._parts(value):
            self._check_part(shown, part)
        if unknown := sorted(set(value) - set(self.option.keys)) if self.kind is Mapping and self.option.keys else []:
            raise OptionError(f"{self.name} must be of {', '.join(self.option.keys)}, got {', '.join(unknown)}")
        return value

    def get(self, options: Any) -> Any:
        """Look the option up in an instance of its dataclass."""
        if not self.group:
            return getattr(options, self.name)
        holder = getattr(options, self.group)
        return holder.get(self.name) if isinstance(holder, Mapping) else getattr(holder, self.name)

    def _fit(self, value: Any) -> Any:
        """Convert what means the same: 1 is 1.0, TOML's lists are tuples, and tables are copied as JSON has them."""
        if self.kind is float and _is(value, int):
            return float(value)
        if self.kind is tuple and isinstance(value, list | tuple):
            return tuple(float(part) if self.item is float and _is(part, int) else part for part in value)
        if self.kind is Mapping and isinstance(value, Mapping):
            return json.loads(json.dumps(dict(value)))
        return value

    def _parts(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield each value that is held, and how a message shows it."""
        if self.kind is Mapping:
            yield from ((f"{key}={part!r}", part) for key, part in value.items())
        elif self.kind is tuple:
            yield from ((repr(list(value)), part) for part in value)
        else:
            yield repr(value), value

    def _check_part(self, shown: str, part: Any) -> None:
        if self.item is not Any and not _is(part, self.item):
            raise OptionError(f"{self.name} must be {self._kind_words()}, got {shown}")
        if self.choices and part not in self.choices:
            raise OptionError(f"{self.name} must be one of {', '.join(self.choices)}, got {shown}")
        if self.item in (int, float) and not self._is_within(part):
            raise OptionError(f"{self.name} must be {self._limit_words()}, got {shown}")

    def _is_within(self, number: float) -> bool:
        low, high = self.option.at_least, self.option.at_most
        return low <= number <= high and (self.option.above is None or number > self.option.above)

    def _kind_words(self) -> str:
        if self.kind is Mapping and self.item in (int, float):
            return self._limit_words()
        listed = f" of {ITEMS[self.item]}" if self.kind in (tuple, Mapping) and self.item in ITEMS else ""
        return f"{KINDS[self.kind]}{listed}"

    def _limit_words(self) -> str:
        numbers = "numbers" if self.kind in (tuple, Mapping) else "a number"
        low, high, above = self.option.at_least, self.option.at_most, self.option.above
        begin = f"above {above:,g}" if above is not None else f"from {low:,g}"
        if high < MOST:
            return f"{numbers} {begin} {'to' if above is None else 'and at most'} {high:,.12g}"
        return f"{numbers} {begin}" if above is not None else f"{numbers} of at least {low:,g}"


_FIELDS: dict[Any, tuple[OptionField, ...]] = {}  # of dataclasses that were read before


def option_fields(described: type) -> tuple[OptionField, ...]:
    """List the options of a dataclass, those of groups among them, in order."""
    if described not in _FIELDS:
        _FIELDS[described] = tuple(_read_fields(described))
    return _FIELDS[described]


def check_options(options: Any) -> None:
    """Check every option of a frozen dataclass, and convert what means the same.

    Call it in `__post_init__`.

    Raises:
        OptionError: A value is of another kind, not among the choices, or beyond the limits.
    """
    for field in option_fields(type(options)):
        value = field.check(field.get(options))
        if not field.group:
            object.__setattr__(options, field.name, value)


def from_table(described: type[T], values: Mapping[str, Any]) -> T:
    """Make a dataclass from a table of its options, whose names in groups stand beside the others.

    Raises:
        OptionError: A name is unknown, or a value cannot be used.
    """
    known = {field.name: field for field in option_fields(described)}
    refuse_unknown(values, known, "options", described.__name__)
    own: dict[str, Any] = {}
    grouped: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, value in values.items():
        field = known[name]
        (grouped[field.group] if field.group else own)[name] = field.check(value)
    defaults = {own_field.name: own_field.default for own_field in fields(cast("Any", described))}
    for group in {field.group for field in known.values() if field.group}:
        own[group] = _fill_group(defaults[group], grouped[group])
    return described(**own)


def to_table(options: Any) -> dict[str, Any]:
    """Return every option of a dataclass by its name, as JSON takes it."""
    found = {field.name: field.get(options) for field in option_fields(type(options))}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def refuse_unknown(names: Mapping[str, Any] | set[str], known: Mapping[str, Any], what: str, where: str) -> None:
    """Raise an OptionError if there are unknown names. It lists the known ones, or some and `where` all are."""
    if unknown := sorted(set(names) - set(known)):
        listed = f"there are {', '.join(known)}" if len(known) <= MANY else f"{where} lists all"
        if len(known) > MANY and (closest := _find_closest(unknown[0], known)):
            listed = f"the closest to {unknown[0]}: {', '.join(closest)}; {listed}"
        raise OptionError(f"unknown {what}: {', '.join(unknown)}; {listed}")


def _find_closest(name: str, known: Iterable[str]) -> list[str]:
    """Find a few names that hold a name, or are like it."""
    holding = [one for one in known if name in one]
    return [*dict.fromkeys([*holding, *difflib.get_close_matches(name, known, cutoff=0.5)])][:3]


def split_names(text: str, *, paths: bool = False) -> tuple[str, ...]:
    """Split names at commas; of paths, the name of a file that exists is one, whatever commas it holds."""
    if not text:
        return ()
    return (text,) if paths and _is_file(text) else tuple(text.split(","))


def read_toml(path: Path) -> dict[str, Any]:
    """Read the options in a file, which are not checked yet."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is not TOML: {error}") from error


def format_toml(table: Mapping[str, Any]) -> str:
    """Write a table of options as TOML, a line each; those that are None are left out, for TOML has no such value."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in table.items() if value is not None)


def write_toml(options: Any, path: Path, heading: str = "") -> None:
    """Write every option of a dataclass into a file, below a comment; the file is whole or not there."""
    comment = f"# {heading}\n" if heading else ""
    with write_atomically(path) as temporary:
        temporary.write_text(comment + format_toml(to_table(options)), encoding="utf-8")


def _read_fields(described: type) -> Iterator[OptionField]:
    hints = get_type_hints(described, include_extras=True)
    for own in fields(cast("Any", described)):
        plain, said = get_args(hints[own.name])
        if not isinstance(said, Group):
            default = own.default if own.default_factory is MISSING else own.default_factory()
            yield _make_field(own.name, plain, default, said)
        elif get_origin(plain) is Mapping:
            yield from (
                _make_field(name, get_args(plain)[1] | None, None, part, own.name) for name, part in said.items()
            )
        else:
            types = get_type_hints(plain)
            for name, part in said.items():
                yield _make_field(name, types[name], getattr(own.default, name), part, own.name)


def _make_field(name: str, hint: Any, default: Any, option: Option, group: str = "") -> OptionField:
    arguments = get_args(hint)
    optional = type(None) in arguments
    plain = next(part for part in arguments if part is not type(None)) if optional else hint
    origin = get_origin(plain)
    item = plain if origin in (None, Literal) else get_args(plain)[-1 if origin is Mapping else 0]
    choices = get_args(item) if get_origin(item) is Literal else ()
    item = str if choices else item
    kind = item if origin in (None, Literal) else origin
    if kind not in KINDS:
        raise TypeError(f"{name}: an option cannot be of the type {hint}")
    return OptionField(name, kind, item, choices, optional, default, option, group)


def _fill_group(default: Any, given: Mapping[str, Any]) -> Any:
    if default is MISSING:
        return {name: value for name, value in given.items() if value is not None}
    return replace(default, **given)


def _is(value: Any, kind: Any) -> bool:
    """Say whether a value is of a kind; a bool is no number."""
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # too long for a name
        return False


def _toml(value: Any) -> str:
    """Write strings, numbers and truth as JSON does; tables in one line are TOML's own."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # JSON's escapes beyond 16 bits are none of TOML's
