"""`emonet models`: the networks there are, or one of them layer by layer, counted without making any weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands.settings import parsed_settings

if TYPE_CHECKING:
    from emonet.models import Network
    from emonet.models.summary import Summary


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one's layers.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An argument of the network.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array, or one object for one network.")] = False,
) -> None:
    """List the networks with what they see and cost, or show the layers of one."""
    from emonet.models import MODELS, outline
    from emonet.models.summary import summary

    if name is None:
        if settings:
            raise ValueError("--set needs the name of a network")
        listed = [_listed(known) for known in MODELS]
        if as_json:
            typer.echo(json.dumps(listed, indent=2))
        else:
            _show_all(listed)
        return
    network = outline(name, **parsed_settings(settings or []))
    layers = summary(network)
    if as_json:
        typer.echo(json.dumps(_facts(name, network, layers) | layers.to_dict(), indent=2))
    else:
        _show_layers(name, network, layers)


def _listed(name: str) -> dict[str, Any]:
    """The facts of a network; without figures, and with the reason, where its package is missing."""
    from emonet.models import MODELS, outline
    from emonet.models.summary import summary
    from facecrop.packages import MissingPackageError

    try:
        network = outline(name)
    except MissingPackageError as error:
        return _facts(name, MODELS[name], None) | {"error": str(error)}
    return _facts(name, network, summary(network)) | {"error": None}


def _facts(name: str, network: Network | type[Network], counted: Summary | None) -> dict[str, Any]:
    return {
        "name": name,
        "title": network.title,
        "input": network.input.to_dict(),
        "trainable": counted and counted.trainable,
        "parameters": counted and counted.parameters,
        "macs": counted and counted.macs,
    }


def _show_all(listed: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    numbers = [Column(heading, justify="right", no_wrap=True) for heading in ("parameters", "MACs")]
    table = Table(Column("model", no_wrap=True), "input", *numbers, "", box=None, pad_edge=False)
    for one in listed:
        parameters = "-" if one["parameters"] is None else f"{one['parameters']:,}"
        table.add_row(one["name"], _words(one["input"]), parameters, _millions(one["macs"]), one["title"])
    Console().print(table)
    for one in listed:
        if one["error"]:
            typer.echo(one["error"])


def _show_layers(name: str, network: Network, counted: Summary) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    numbers = [Column(heading, justify="right") for heading in ("answer", "parameters", "MACs")]
    table = Table("layer", "kind", *numbers, box=None, pad_edge=False)
    for layer in counted.layers:
        shape = " x ".join(map(str, layer.shape))
        table.add_row(layer.name, layer.kind, shape, f"{layer.parameters:,}", f"{layer.macs:,}")
    typer.echo(f"{name}: {network.title}\ninput: {_words(network.input.to_dict())}")
    Console().print(table)
    typer.echo(
        f"{counted.parameters:,} parameters, {counted.trainable:,} of them trainable; {_millions(counted.macs)} MACs"
    )


def _words(spec: Mapping[str, Any]) -> str:
    return f"{spec['size']}x{spec['size']} {'grey' if spec['channels'] == 1 else 'colour'}, {spec['scaling']}"


def _millions(macs: int | None) -> str:
    return f"{macs / 1e6:,.1f} M" if macs else "-"
