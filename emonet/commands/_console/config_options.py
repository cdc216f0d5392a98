"""A command-line option for every field of TrainConfig: name, type and help are said once, in the dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from emonet.commands._console.settings import parsed_settings
from emonet.training.config import TrainConfig
from emonet.training.config_file import read_config
from emonet.training.options import Option, options_of
from emonet.training.recipes import recipe

ConfigPath = Annotated[Path | None, typer.Option(help="A TOML file of options; those given here come first.")]

SPELT = {"arguments": "--set"}  # where an option's name is not the field's


def with_config_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option a field besides its own; it gets those that were given as the dictionary `given`."""

    @wraps(command)
    def accepting(**values: Any) -> None:
        chosen = [(option, values.pop(option.name)) for option in options_of(TrainConfig)]
        given = {option.name: _parsed(option, value) for option, value in chosen if value not in (None, [])}
        command(**values, given=given)

    own = [part for name, part in inspect.signature(command, eval_str=True).parameters.items() if name != "given"]
    signature = inspect.Signature([*own, *map(_parameter, options_of(TrainConfig))])
    accepting.__signature__ = signature  # type: ignore[attr-defined]  # where typer looks for options
    accepting.__annotations__ = {name: part.annotation for name, part in signature.parameters.items()}
    return accepting


def chosen_config(path: Path | None, given: Mapping[str, Any]) -> TrainConfig:
    """The recipe of the network, but for what stands in the file, but for what was given."""
    asked = (read_config(path) if path else {}) | dict(given)
    model = asked.pop("model", TrainConfig().model)
    return TrainConfig.from_dict(recipe(str(model), **asked) | {"model": model})


def _parameter(option: Option) -> inspect.Parameter:
    is_table, is_switch = option.kind is Mapping, option.kind is bool
    kind: Any = list[str] if is_table else str if option.kind is tuple else option.kind
    name = _spelt(option)
    asked = typer.Option(
        f"{name}/--no-{name[2:]}" if is_switch else name,
        rich_help_panel=option.panel,
        help=_help(option),
        show_default=False,
        metavar="NAME=VALUE" if is_table else None,
    )
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, asked]
    )


def _spelt(option: Option) -> str:
    return SPELT.get(option.name, f"--{option.name.replace('_', '-')}")


def _help(option: Option) -> str:
    """With the default at the end, where there is one to show; in square brackets rich would take it for a style."""
    shown = option.kind in (int, float, str) and option.default != ""
    return f"{option.help}{f' (default: {option.default})' if shown else ''}"


def _parsed(option: Option, value: Any) -> Any:
    """As the dataclass has it: names=values as a table, names with commas as a list."""
    if option.kind is Mapping:
        table = parsed_settings(value, _spelt(option))
        return {key: str(item) for key, item in table.items()} if option.name == "augment_from" else table
    return value.split(",") if option.kind is tuple else value
