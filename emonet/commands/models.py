"""`emonet models`: the networks there are, one of them layer by layer, or the heads of a model file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands._console.model_file import change_default, head_facts, show_file, show_heads
from emonet.commands._console.settings import parsed_settings
from emonet.errors import OptionError

if TYPE_CHECKING:
    from emonet.models import Network
    from emonet.models._summary import Summary


def models(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FILE", help="Show this network's layers, or the heads of this model file."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An argument of the network.")
    ] = None,
    default: Annotated[
        str | None,
        typer.Option(
            "--set-default",
            metavar="HEAD[,PRIOR]",
            help="Store in FILE which head answers unless another is asked for, and with which prior: training (if not "
            "given), even or sqrt. The weights stay as they are.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON array, or one object for one network or file.")
    ] = False,
) -> None:
    """List the networks with what they see and cost; show the layers of one, or the heads of a model file.

    Heads are shown with their classes, the share of each class in training, and which head answers by default. Of
    emonet and emonet_fast, layers and heads are shown.
    """
    from emonet.inference.loading import is_file_name

    if name is not None and is_file_name(name):
        if settings:
            raise OptionError(f"--set needs the name of a network, and {name} is a model file")
        if default is not None:
            change_default(name, default)
        show_file(name, as_json=as_json)
    elif default is not None:
        raise OptionError("--set-default needs a model file by its path")
    elif name is not None:
        _show_network(name, parsed_settings(settings or []), as_json=as_json)
    elif settings:
        raise OptionError("--set needs the name of a network")
    else:
        _list_networks(as_json=as_json)


def _list_networks(*, as_json: bool) -> None:
    from emonet.models import MODELS

    listed = [_listed(known) for known in MODELS]
    if as_json:
        typer.echo(json.dumps(listed, indent=2))
    else:
        _show_all(listed)


def _show_network(name: str, arguments: dict[str, Any], *, as_json: bool) -> None:
    """Its layers and, unless it has other arguments, the heads of the weights that come with the package."""
    from emonet.inference.loading import BUNDLED, load_model
    from emonet.models import create_meta_model
    from emonet.models._summary import summarise

    network = create_meta_model(name, **arguments)
    layers = summarise(network)
    bundled = load_model(name) if name in BUNDLED and not arguments else None
    if as_json:
        heads = {} if bundled is None else head_facts(bundled)
        typer.echo(json.dumps(_facts(name, network, layers) | layers.to_dict() | heads, indent=2))
        return
    _show_layers(name, network, layers)
    if bundled is not None:
        typer.echo("\nthe weights that come with the package:")
        show_heads(bundled)


def _listed(name: str) -> dict[str, Any]:
    """The facts of a network; without figures, and with the reason, where its package is missing."""
    from emonet.errors import MissingPackageError
    from emonet.models import MODELS, create_meta_model
    from emonet.models._summary import summarise

    try:
        network = create_meta_model(name)
    except MissingPackageError as error:
        return _facts(name, MODELS[name], None) | {"error": str(error)}
    return _facts(name, network, summarise(network)) | {"error": None}


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
