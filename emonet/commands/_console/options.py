"""The options of a command, made of the frozen dataclasses that hold them (`emonet/options.py`).

What is given on the command line comes before what stands in the file of `--config`, and that before the defaults.
`--print-config` prints what came out as such a file, and nothing is done.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from emonet.errors import OptionError
from emonet.options import (
    OptionField,
    format_toml,
    from_table,
    option_fields,
    read_toml,
    refuse_unknown,
    split_names,
    to_table,
)

T = TypeVar("T")

CONFIG = typer.Option(help="Read options from this TOML file; those of the command line come first.")
PRINT_CONFIG = typer.Option("--print-config", help="Print all options as TOML, for --config, and stop.")
OPENINGS = ('"', "'", "[", "{")  # of values that are no bare words: a mistake in them is one


@dataclass(frozen=True, slots=True)
class Given:
    """The options that a call was given.

    Attributes:
        values: Those of the command line and, where it is silent, of the file, by their fields' names.
        print_config: Whether they shall be printed, and nothing done.
    """

    values: Mapping[str, Any]
    print_config: bool

    def choose(self, described: type[T], complete: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> T:
        """Make a dataclass of its options; `complete` adds those that others ask for."""
        fields = option_fields(described)
        own = complete({field.name: self.values[field.name] for field in fields if field.name in self.values})
        if missing := [_flag(field) for field in fields if field.default is MISSING and field.name not in own]:
            raise typer.BadParameter("it must be given", param_hint=missing[0])
        return from_table(described, own)

    def end_if_printed(self, *options: Any) -> None:
        """Print the options that were chosen, as TOML, and end the command, if `--print-config` asks for it."""
        if self.print_config:
            print_options(*options)
            raise typer.Exit


def with_options(*described: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of dataclasses, and `--config` and `--print-config`; it gets them as `given`."""
    fields = [field for one in described for field in option_fields(one)]

    def add(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def accept(*, config: Path | None, print_config: bool, **values: Any) -> None:
            typed = {field.name: value for field in fields if (value := _take(field, values)) is not None}
            read = _read_file(config, fields) if config else {}
            flags = {field.name: _flag(field).partition("/")[0] for field in fields}
            for field in fields:
                if field.name in typed:
                    field._replace(name=flags[field.name]).check(typed[field.name])
            with _naming_as_typed({name: flag for name, flag in flags.items() if name in typed or name not in read}):
                command(**values, given=Given({**read, **typed}, print_config))

        own = [part for name, part in inspect.signature(command, eval_str=True).parameters.items() if name != "given"]
        settings = [
            _parameter("config", Path | None, CONFIG, None),
            _parameter("print_config", bool, PRINT_CONFIG, False),
        ]
        parts = [*own, *settings, *(part for field in fields for part in _parameters(field))]
        accept.__signature__ = inspect.Signature(parts)  # type: ignore[attr-defined]  # where typer looks for options
        accept.__annotations__ = {part.name: part.annotation for part in parts}
        return accept

    return add


def print_options(*options: Any) -> None:
    """Print options as TOML."""
    typer.echo("".join(format_toml(to_table(one)) for one in options), nl=False)


def parse_settings(items: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """Read NAME=VALUE, values as TOML has them (0.5, true, [1, 2], {a = 1}); bare words are texts."""
    settings: dict[str, Any] = {}
    for item in items:
        name, equals, text = (part.strip() for part in item.partition("="))
        if not equals or not name:
            raise OptionError(f"{option} takes NAME=VALUE, got {item!r}")
        if name in settings:
            raise OptionError(f"{option} gives {name} twice")
        settings[name] = _parse_value(name, text)
    return settings


def _read_file(path: Path, fields: Iterable[OptionField]) -> dict[str, Any]:
    known = {field.name: field for field in fields}
    read = read_toml(path)
    refuse_unknown(read, known, f"options in {path}", "--print-config")
    return {name: _normalise(known[name], value) for name, value in read.items()}


def _normalise(field: OptionField, value: Any) -> Any:
    """Write a path as the command line does: without a slash at its end."""
    return str(Path(value)) if field.option.path and field.kind is str and isinstance(value, str) else value


def _take(field: OptionField, values: dict[str, Any]) -> Any:
    """Take an option's value out of what typer gives, by its name or an older one; None if it was not given."""
    found = [values.pop(_parameter_name(name)) for name in (f"--{field.name}", *field.option.aliases)]
    return next((_parse(field, value) for value in found if value not in (None, [])), None)


def _parse(field: OptionField, value: Any) -> Any:
    """Read what was typed as the field has it."""
    if field.kind is Mapping:
        if field.option.keys and "=" not in value[0]:
            return _by_position(field, value[-1])
        table = parse_settings(value, _flag(field))
        return {key: str(part) for key, part in table.items()} if field.item is str else table
    if field.kind is tuple:
        parts = [part for text in value for part in split_names(text, paths=field.option.path)]
        return parts if field.item is str else [_parse_number(part) for part in parts]
    return _normalise(field, str(value)) if field.kind is str else value


def _by_position(field: OptionField, text: str) -> dict[str, Any]:
    keys, parts = field.option.keys, text.split(",")
    if len(parts) != len(keys):
        raise OptionError(f"{_flag(field)} takes {len(keys)} values, {','.join(keys)}; got {text!r}")
    return dict(zip(keys, map(_parse_number, parts), strict=True))


def _parse_number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text  # the check of the option says what is wrong


def _parse_value(name: str, text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if text.startswith(OPENINGS):
            raise OptionError(f"the value of {name} cannot be understood: {text}: {error}") from error
        return text


def _parameters(field: OptionField) -> list[inspect.Parameter]:
    """Return an option's parameter, and a hidden one for each of its older names."""
    kind: Any = list[str] if field.kind in (tuple, Mapping) else field.kind
    kind = Path if field.option.path and kind is str else kind
    asked = typer.Option(
        _flag(field),
        rich_help_panel=field.option.panel or None,
        help=_help(field),
        show_default=False,
        metavar=_metavar(field),
    )
    older = [
        _parameter(_parameter_name(name), kind | None, typer.Option(name, hidden=True)) for name in field.option.aliases
    ]
    return [_parameter(field.name, kind | None, asked), *older]


def _parameter(name: str, kind: Any, asked: Any, default: Any = None) -> inspect.Parameter:
    annotation = Annotated[kind, asked]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _parameter_name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _metavar(field: OptionField) -> str | None:
    """Return how the help shows the value of a list or a table; typer knows the others."""
    if field.kind is Mapping and (not field.default or not field.option.keys):
        return "NAME=VALUE"
    return ("NAME,..." if field.item is str else "NUMBER,...") if field.kind in (tuple, Mapping) else None


def _flag(field: OptionField) -> str:
    name = field.option.flag or f"--{field.name.replace('_', '-')}"
    return f"{name}/--no-{name[2:]}" if field.kind is bool and "/" not in name else name


@contextmanager
def _naming_as_typed(flags: Mapping[str, str]) -> Iterator[None]:
    """Name options in errors, where they stand in backticks, by what is typed for them."""
    try:
        yield
    except OptionError as error:
        text = re.sub(r"`(\w+)`", lambda found: flags.get(found[1], found[0]), str(error))
        if text == str(error):
            raise
        raise OptionError(text) from error


def _help(field: OptionField) -> str:
    """Return the help with the default at its end; rich would take square brackets for a style."""
    default = f" (default: {shown})" if (shown := _default_words(field)) else ""
    return f"{field.option.help}{default}".replace("[", "\\[")


def _default_words(field: OptionField) -> str:
    if field.option.default or field.default in (None, MISSING, "") or field.default is False:
        return field.option.default
    if field.default is True:
        return "yes"
    parts = field.default.values() if isinstance(field.default, Mapping) else field.default
    return ",".join(map(str, parts)) if field.kind in (Mapping, tuple) else str(field.default)
