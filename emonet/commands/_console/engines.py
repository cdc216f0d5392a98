"""The options by which commands choose where their work is done."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emonet.commands._console.arguments import RUNNING
from emonet.errors import OptionError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEFAULT_MASTER = "local[*]"

EngineName = Annotated[
    Literal["local", "spark"],
    typer.Option("--engine", rich_help_panel=RUNNING, help="Work on this machine, or on Apache Spark."),
]
Master = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=RUNNING,
        help="Master of Spark: local[N], spark://HOST:PORT, yarn, or k8s://https://HOST:PORT. (default: local[*])",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--conf",
        rich_help_panel=RUNNING,
        metavar="NAME=VALUE",
        help="Setting of Spark, as of spark-submit; repeatable.",
    ),
]


@dataclass(frozen=True, slots=True)
class SparkPlace:
    """Where Spark works for a command.

    Attributes:
        feature: The command; messages begin with it.
        master: Of Spark.
        settings: Of Spark.
    """

    feature: str
    master: str
    settings: Mapping[str, str]

    @contextmanager
    def open(self) -> Iterator[SparkSession]:
        """Open a session for a block."""
        from emonet.spark import open_session

        typer.echo(f"starting Spark on {self.master}", err=True)
        with warnings.catch_warnings(), open_session(self.feature, self.master, self.settings) as session:
            # emonet hands Spark Arrow tables, and never uses pandas with it.
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
            yield session


def choose_spark(
    command: str, engine: str, master: str | None, settings: Sequence[str] | None, **others: object
) -> SparkPlace | None:
    """Check the options of an engine, and that Spark can run; return None where it is not asked for.

    Args:
        command: The name of the command.
        engine: The engine that was chosen.
        master: Of Spark.
        settings: Of Spark, as NAME=VALUE.
        others: Options that only the local engine has, with their values; None if they were not given.
    """
    if engine == "local":
        if given := [name for name, value in (("--master", master), ("--conf", settings)) if value]:
            raise OptionError(f"{' and '.join(given)} belong to Spark: add --engine spark")
        return None
    if given := [f"--{name}" for name, value in others.items() if value is not None]:
        raise OptionError(f"{', '.join(given)}: not with --engine spark, whose master says how many work")
    from emonet.spark.needs import check_needs

    place = SparkPlace(f"emonet {command} --engine spark", master or DEFAULT_MASTER, _parse(settings or ()))
    check_needs(place.feature, place.master)
    return place


def _parse(settings: Sequence[str]) -> dict[str, str]:
    parsed = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.startswith("spark."):
            raise OptionError(f"--conf takes spark.NAME=VALUE, got {setting!r}")
        parsed[name] = value
    return parsed
