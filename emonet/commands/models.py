"""`emonet models`: the networks there are, or one of them layer by layer, counted without making any weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands.settings import parsed_settings

if TYPE_CHECKING:
    from emonet.inputs import InputSpec
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
        networks = {known: outline(known) for known in MODELS}
        counted = {known: summary(network) for known, network in networks.items()}
        if as_json:
            facts = [_facts(known, networks[known], counted[known]) for known in MODELS]
            typer.echo(json.dumps(facts, indent=2))
        else:
            _show_all(networks, counted)
        return
    network = outline(name, **parsed_settings(settings or []))
    layers = summary(network)
    if as_json:
        typer.echo(json.dumps(_facts(name, network, layers) | layers.to_dict(), indent=2))
    else:
        _show_layers(name, network, layers)


def _facts(name: str, network: Network, counted: Summary) -> dict[str, Any]:
    return {
        "name": name,
        "title": network.title,
        "input": network.input.to_dict(),
        "trainable": counted.trainable,
        "parameters": counted.parameters,
        "macs": counted.macs,
    }


def _show_all(networks: dict[str, Network], counted: dict[str, Summary]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    numbers = [Column(heading, justify="right", no_wrap=True) for heading in ("parameters", "MACs")]
    table = Table(Column("model", no_wrap=True), "input", *numbers, "", box=None, pad_edge=False)
    for name, network in networks.items():
        one = counted[name]
        table.add_row(name, _words(network.input), f"{one.parameters:,}", _millions(one.macs), network.title)
    Console().print(table)


def _show_layers(name: str, network: Network, counted: Summary) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    numbers = [Column(heading, justify="right") for heading in ("answer", "parameters", "MACs")]
    table = Table("layer", "kind", *numbers, box=None, pad_edge=False)
    for layer in counted.layers:
        shape = " x ".join(map(str, layer.shape))
        table.add_row(layer.name, layer.kind, shape, f"{layer.parameters:,}", f"{layer.macs:,}")
    typer.echo(f"{name}: {network.title}\ninput: {_words(network.input)}")
    Console().print(table)
    typer.echo(
        f"{counted.parameters:,} parameters, {counted.trainable:,} of them trainable; {_millions(counted.macs)} MACs"
    )


def _words(spec: InputSpec) -> str:
    return f"{spec.size}x{spec.size} {'grey' if spec.channels == 1 else 'colour'}, {spec.scaling}"


def _millions(macs: int) -> str:
    return f"{macs / 1e6:,.1f} M" if macs else "-"
