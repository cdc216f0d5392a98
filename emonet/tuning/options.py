"""The options of a search, beside those of the trainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal

from emonet.errors import OptionError
from emonet.options import Option, check_options, option_fields, refuse_unknown
from emonet.training.config import TrainConfig

Sampler = Literal["tpe", "random", "grid"]
Pruner = Literal["median", "hyperband", "none"]
Objective = Literal["dev", "folds"]

SEARCH = partial(Option, panel="Search")


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """The options of a search.

    A study that is resumed may have other budgets, another sampler and another pruner; `search` and `objective` must
    stay the same.

    Raises:
        OptionError: A value cannot be used.

    Examples:
        >>> from emonet.tuning import TuneOptions
        >>> TuneOptions(search={"learning_rate": "0.001..0.1:log", "batch_size": [32, 64]}).trials
        50
    """

    search: Annotated[
        Mapping[str, Any],
        SEARCH(
            "Search this option: learning_rate=0.001..0.1:log, batch_size=32,64,128, arguments.dropout=0..0.6, "
            "arguments.widths.2=16..64:16, or arguments.activations.each=relu,tanh for each layer."
        ),
    ] = field(default_factory=dict)
    trials: Annotated[int, SEARCH("Stop when the study has so many trials.", 1, 1_000_000)] = 50
    minutes: Annotated[
        float, SEARCH("Stop after so many minutes, at the end of an epoch; 0: no limit.", 0, 1_000_000)
    ] = 0.0
    sampler: Annotated[
        Sampler,
        SEARCH("Choose values by tpe (by the trials so far), at random, or in the order of a grid (all combinations)."),
    ] = "tpe"
    pruner: Annotated[
        Pruner, SEARCH("Stop poor trials early: median (worse than half of the others), hyperband, or none.")
    ] = "median"
    objective: Annotated[
        Objective,
        SEARCH("Compare trials by --choose-by on dev, or by its mean over the folds that `emonet build --folds` made."),
    ] = "dev"
    sampler_seed: Annotated[int, SEARCH("Seed of the values that are tried.", 0)] = 0

    def __post_init__(self) -> None:
        check_options(self)


def split_options(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a table of options into those of the search and those of its trainings.

    Args:
        values: Options of `TuneOptions` and of `TrainConfig` by their names.

    Raises:
        OptionError: A name is unknown.
    """
    own = {option.name: option for option in option_fields(TuneOptions)}
    known = {**own, **{option.name: option for option in option_fields(TrainConfig)}}
    refuse_unknown(values, known, "options", "`emonet tune --help`")
    return (
        {name: value for name, value in values.items() if name in own},
        {name: value for name, value in values.items() if name not in own},
    )


def flatten_search(search: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Flatten the tables that dotted names make in TOML: {"arguments": {"dropout": x}} is {"arguments.dropout": x}.

    Raises:
        OptionError: A name is there twice.
    """
    flat: dict[str, Any] = {}
    for name, value in search.items():
        whole = f"{before}{name}"
        found = flatten_search(value, f"{whole}.") if isinstance(value, Mapping) else {whole: value}
        if twice := sorted(set(flat) & set(found)):
            raise OptionError(f"search: {twice[0]} is there twice")
        flat |= found
    return flat
