"""The space of a search: which options vary, and the training that some of their values make.

Names are those of `TrainConfig`. Parts of a table, items of a list and all items of a list have names with dots:
`class_weights.disgust`, `arguments.dropout`, `arguments.widths.2` (the second layer), `arguments.activations.each`.
"""

from __future__ import annotations

import inspect
import json
import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from emonet.errors import OptionError
from emonet.models import create_meta_model, model_class
from emonet.options import OptionField, option_fields, refuse_unknown
from emonet.training.config import Panel, TrainConfig
from emonet.training.recipes import recipe
from emonet.training.sampling import count_passes
from emonet.tuning.domains import Domain, parse_domain
from emonet.tuning.options import flatten_search

EACH = "each"
TRAIN_HELP = "`emonet train --help`"
TRIED = 64  # combinations that are tried before a value is refused that some options do not go with
FIELDS = {option.name: option for option in option_fields(TrainConfig)}
COMPARED = ("choose_by", "classes", "sources", "heads", "fold", "leave_out", "all_train")
SEVERAL = ("members", "orders", "out_of_fold")
LENGTHS = ("model", "epochs", "epoch_images", "steps", "batch_size", "teacher_views")  # decide how long a trial is


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option that varies.

    Attributes:
        name: Its name, with dots.
        domain: What it may be.
        option: The field of `TrainConfig` that it is, or is a part of.
        key: The key of a table that it is, if any.
        place: The place in a list that it is, if any; the first is 0.
    """

    name: str
    domain: Domain
    option: OptionField
    key: str = ""
    place: int | None = None

    def list_values(self) -> tuple[Any, ...]:
        """List all values, for a grid.

        Raises:
            OptionError: There are endlessly many.
        """
        if (values := self.domain.all_values) is None:
            raise OptionError(f"a grid needs a list of values or a step for {self.name}, not {self.domain}")
        return values


@dataclass(frozen=True, slots=True)
class Space:
    """The options that vary, and those that all trials have in common.

    Attributes:
        parameters: The options that vary.
        training: Options of `TrainConfig` for all trials. What is not among them is the recipe of the network.
    """

    parameters: tuple[Parameter, ...]
    training: Mapping[str, Any]
    _models: set[str] = field(default_factory=set, compare=False, repr=False)  # that were made already

    def make_config(self, values: Mapping[str, Any]) -> TrainConfig:
        """Make the training of some values: of parameters by their names; others are as without a search.

        Raises:
            OptionError: The values contradict one another.
        """
        given = dict(self.training)
        chosen = [(one, values[one.name]) for one in self.parameters if one.name in values]
        given |= {one.option.name: value for one, value in chosen if not one.key}
        options = recipe(str(given.pop("model", TrainConfig().model)), **given)
        for one, value in chosen:
            if one.key:
                options[one.option.name] = _place(one, value, options)
        return TrainConfig.from_dict(options)

    def check(self) -> None:
        """Check every value that is listed, and both ends of every range, before the first trial.

        Raises:
            OptionError: A value is beyond the limits of its option, or is possible in no combination.
        """
        self._try(self.make_config({}))
        for one in self.parameters:
            for value in one.domain.probes:
                _check_value(one, value)
                self._check_possible(one, value)

    def count_grid(self) -> int:
        """Count all combinations.

        Raises:
            OptionError: An option has endlessly many values.
        """
        count = 1
        for one in self.parameters:
            count *= len(one.list_values())
        return count

    def find_point(self, number: int) -> dict[str, Any]:
        """Return the values of a point of the grid, from 0; the last option varies fastest."""
        values = {}
        for one in reversed(self.parameters):
            listed = one.list_values()
            number, place = divmod(number, len(listed))
            values[one.name] = listed[place]
        return {one.name: values[one.name] for one in self.parameters}

    def _check_possible(self, one: Parameter, value: Any) -> None:
        """Raise if a value is possible neither alone nor in some combinations that are drawn at random."""
        first: OptionError | None = None
        for values in self._combine(one, value):
            try:
                self._try(self.make_config(values))
            except OptionError as error:
                first = first or error
            else:
                return
        raise OptionError(f"search: {one.name} = {json.dumps(value)} cannot be used: {first}") from first

    def _combine(self, one: Parameter, value: Any) -> Iterator[dict[str, Any]]:
        yield {one.name: value}
        draw = random.Random(0)
        for _ in range(TRIED):
            yield {other.name: draw.choice(other.domain.probes) for other in self.parameters} | {one.name: value}

    def _try(self, config: TrainConfig) -> None:
        """Make the network without its weights, whose constructor checks its arguments."""
        text = json.dumps([config.model, config.to_dict()["arguments"]], sort_keys=True)
        if text not in self._models:
            create_meta_model(config.model, **config.arguments)
            self._models.add(text)


def make_space(search: Mapping[str, Any], training: Mapping[str, Any]) -> Space:
    """Read a space and check it.

    Args:
        search: Option -> what it may be, as `parse_domain` reads it.
        training: Options of `TrainConfig` that all trials have in common.

    Raises:
        OptionError: An option is unknown or cannot be searched, or a value cannot be used.
    """
    refuse_unknown(training, FIELDS, "options of the trainings", TRAIN_HELP)
    for name in ("all_train", *SEVERAL):
        if training.get(name, FIELDS[name].default) != FIELDS[name].default:
            raise OptionError(f"a trial trains one network and scores it on dev: leave out `{name}`")
    base = Space((), training)
    base.check()
    flat = flatten_search(search)
    any_model = "model" in flat
    parameters = [
        one for name, given in flat.items() for one in _make_parameters(name, given, base, any_model=any_model)
    ]
    if not parameters:
        raise OptionError("there is nothing to search: name an option, such as --search learning_rate=0.001..0.1:log")
    names = [one.name for one in parameters]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(f"search: {twice[0]} is there twice")
    for one in parameters:
        if whole := [other for other in names if one.name.startswith(f"{other}.")]:
            raise OptionError(f"search: {one.name} is a part of {whole[0]}, which is searched as a whole")
    space = Space(tuple(parameters), training)
    space.check()
    return space


def _make_parameters(name: str, given: Any, base: Space, *, any_model: bool) -> Iterator[Parameter]:
    """Make the parameter of a name; of a list of which each item is searched, one for each item."""
    first, _, key = name.partition(".")
    refuse_unknown({first}, FIELDS, "options in the search", TRAIN_HELP)
    option = FIELDS[first]
    _refuse_fixed(option)
    if option.kind is not Mapping and key:
        raise OptionError(f"search: {first} is no table, and has no part {key!r}")
    if option.kind is Mapping and not key:
        raise OptionError(f"search: name a part of {first}, such as {first}.{_example(option)}")
    if first != "arguments":
        yield Parameter(name, parse_domain(name, given, whole=_is_whole(option)), option, key)
        return
    argument, _, item = key.partition(".")
    default = _find_default(argument, base, any_model=any_model)
    places = [None] if not item else _find_places(name, item, default)
    for place in places:
        own = f"arguments.{argument}" + ("" if place is None else f".{place + 1}")
        whole = _is_whole_like(default if place is None else default[place])
        yield Parameter(own, parse_domain(own, given, whole=whole), option, argument, place)


def _refuse_fixed(option: OptionField) -> None:
    if option.name in COMPARED:
        raise OptionError(f"{option.name} cannot be searched: it decides what trials are compared by")
    if option.name in SEVERAL:
        raise OptionError(f"{option.name} cannot be searched: a trial trains one network")
    if option.option.panel == Panel.MACHINE and option.name != "precision":
        raise OptionError(f"{option.name} cannot be searched: it does not change what is learned")


def _example(option: OptionField) -> str:
    return "dropout" if option.name == "arguments" else next(iter(option.option.keys), "NAME")


def _find_default(argument: str, base: Space, *, any_model: bool) -> Any:
    """Return what an argument is without a search; None if only another network has it."""
    config = base.make_config({})
    if argument in config.arguments:
        return config.arguments[argument]
    known = inspect.signature(model_class(config.model)).parameters
    if argument in known and argument != "classes":
        return known[argument].default
    if any_model:
        return None
    arguments = ", ".join(name for name in known if name != "classes") or "none"
    raise OptionError(f"search: {config.model} has no argument {argument!r}; it has {arguments}")


def _find_places(name: str, item: str, default: Any) -> list[int | None]:
    if not isinstance(default, list | tuple):
        raise OptionError(f"search: {name.rpartition('.')[0]} is no list, and has no item {item!r}")
    if item == EACH:
        return [*range(len(default))]
    if not item.isdecimal() or not 1 <= int(item) <= len(default):
        raise OptionError(f"search: {name} must end with a layer from 1 to {len(default)}, or with {EACH}")
    return [int(item) - 1]


def _place(one: Parameter, value: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with the value of a parameter in it."""
    table = dict(options.get(one.option.name, {}))
    if one.place is None:
        return {**table, one.key: value}
    known = inspect.signature(model_class(options["model"])).parameters
    items = list(table[one.key] if one.key in table else known[one.key].default if one.key in known else ())
    if one.place >= len(items):
        raise OptionError(f"{options['model']} has no {one.name}")
    items[one.place] = value
    return {**table, one.key: items}


def _check_value(one: Parameter, value: Any) -> None:
    """Check a value by the type and the limits of its option."""
    if one.option.name != "arguments":
        one.option.check({one.key: value} if one.key else value)


def _is_whole(option: OptionField) -> bool | None:
    kind = option.item if option.kind is Mapping else option.kind
    return True if kind is int else False if kind is float else None


def _is_whole_like(default: Any) -> bool | None:
    if isinstance(default, bool) or not isinstance(default, int | float):
        return None
    return isinstance(default, int)


def count_epochs(space: Space, images: int) -> int:
    """Return the most epochs that a trial of the space may have.

    Args:
        space: The space.
        images: About how many images a trial learns from.
    """
    deciding = [one for one in space.parameters if one.name in LENGTHS]
    counts = []
    for values in product(*(one.domain.probes for one in deciding)):
        with suppress(OptionError):  # options that contradict one another make no trial
            config = space.make_config({one.name: value for one, value in zip(deciding, values, strict=True)})
            counts.append(_count_own_epochs(config, images))
    return max(counts, default=1)


def _count_own_epochs(config: TrainConfig, images: int) -> int:
    """Count the epochs of a training, which ends after `steps` or has more of them where they show each image once."""
    passes = count_passes(images, config)
    if not config.steps:
        return config.epochs * (passes if config.teacher_views else 1)
    shown = images * (1 if config.teacher_views else passes)
    return -(-config.steps // max(1, -(-shown // config.batch_size)))
