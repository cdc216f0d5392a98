"""`emonet models`: list the networks; show one layer by layer, or the heads of a model file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands._console.options import parse_settings
from emonet.commands._console.output import print_json, print_table
from emonet.errors import OptionError

if TYPE_CHECKING:
    from emonet.evaluation.calibration import Calibration
    from emonet.heads import Head
    from emonet.inference.model import Model
    from emonet.models import Network
    from emonet.models._summary import Summary


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|FILE", help="Show this network's layers, or the heads of this model file or ONNX file."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set an argument of the network, such as dropout=0.2."),
    ] = None,
    default: Annotated[
        str | None,
        typer.Option(
            "--set-default",
            metavar="HEAD[,PRIOR]",
            help="Store in FILE which head answers by default, and with which prior: training (if not given), even or "
            "sqrt. The weights stay as they are.",
        ),
    ] = None,
    coverage: Annotated[
        Path | None,
        typer.Option(
            "--set-coverage",
            metavar="REPORT",
            help="Store in FILE what the report of `emonet evaluate FILE STORE --split dev -o REPORT` measured: the "
            "confidence for each share of faces that `emonet predict --coverage` may ask for.",
        ),
    ] = None,
    temperatures: Annotated[
        Path | None,
        typer.Option(
            "--fit-temperature",
            metavar="STORE",
            help="Find on the split dev of this data set how sure each head of FILE may be, and store it: afterwards a "
            "probability of 0.8 by one head with the prior training means that about 8 of 10 such answers are right.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array, or one object for one network or file.")
    ] = False,
) -> None:
    """List the networks with their input and cost; show the layers of one, or the heads of a model file.

    Heads are shown with their classes, the share of each class in training, and which head answers by default. Of
    emonet and emonet_fast, layers and heads are shown.
    """
    from emonet.inference.loading import find_model_file, is_file_name

    changes = {"--set-default": default, "--fit-temperature": temperatures, "--set-coverage": coverage}
    if name is not None and is_file_name(name):
        if settings:
            raise OptionError(f"--set needs the name of a network, and {name} is a model file")
        name = str(find_model_file(name)) if Path(name).is_dir() else name
        if default is not None:
            _change_default(name, default)
        if temperatures is not None:
            _fit_temperatures(name, temperatures, quiet=as_json)
        if coverage is not None:
            _store_coverage(name, coverage)
        _show_file(name, as_json=as_json)
    elif given := [name for name, value in changes.items() if value is not None]:
        raise OptionError(f"{given[0]} needs a model file by its path")
    elif name is not None:
        _show_network(name, parse_settings(settings or []), as_json=as_json)
    elif settings:
        raise OptionError("--set needs the name of a network")
    else:
        _list_networks(as_json=as_json)


def _list_networks(*, as_json: bool) -> None:
    from emonet.models import MODELS

    listed = [_listed(known) for known in MODELS]
    if as_json:
        print_json(listed)
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
        heads = {} if bundled is None else _head_facts(bundled)
        print_json(_facts(name, network, layers) | layers.to_dict() | heads)
        return
    _show_layers(name, network, layers)
    if bundled is not None:
        typer.echo("\nthe weights that come with the package:")
        _show_heads(bundled)


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
    rows = [
        (
            one["name"],
            _words(one["input"]),
            "-" if one["parameters"] is None else f"{one['parameters']:,}",
            _millions(one["macs"]),
            one["title"],
        )
        for one in listed
    ]
    numbers = ("parameters", "MACs")
    print_table(("model", "input", *numbers, ""), rows, numbers)
    for one in listed:
        if one["error"]:
            typer.echo(one["error"])


def _show_layers(name: str, network: Network, counted: Summary) -> None:
    rows = [
        (layer.name, layer.kind, " x ".join(map(str, layer.shape)), f"{layer.parameters:,}", f"{layer.macs:,}")
        for layer in counted.layers
    ]
    numbers = ("answer", "parameters", "MACs")
    typer.echo(f"{name}: {network.title}\ninput: {_words(network.input.to_dict())}")
    print_table(("layer", "kind", *numbers), rows, numbers)
    typer.echo(
        f"{counted.parameters:,} parameters, {counted.trainable:,} of them trainable; {_millions(counted.macs)} MACs"
    )


def _words(spec: Mapping[str, Any]) -> str:
    return f"{spec['size']}x{spec['size']} {'grey' if spec['channels'] == 1 else 'colour'}, {spec['scaling']}"


def _millions(macs: int | None) -> str:
    return f"{macs / 1e6:,.1f} M" if macs else "-"


def _change_default(path: str, asked: str) -> None:
    """Store another default answer in a model file, given as HEAD or HEAD,PRIOR."""
    from emonet.inference.checkpoint import set_default

    head, comma, prior = asked.partition(",")
    set_default(path, head.strip(), prior.strip() if comma else "training")


def _store_coverage(path: str, report: Path) -> None:
    """Store in a model file the curves that a report of it has."""
    from emonet.evaluation.coverage import read_curves
    from emonet.inference.checkpoint import load_checkpoint, set_coverage

    set_coverage(path, read_curves(report, load_checkpoint(path)))


def _fit_temperatures(path: str, store: Path, *, quiet: bool) -> None:
    """Fit the temperatures of a model file on dev, store them, and show what they change there."""
    from emonet.evaluation import fit_temperatures  # isort: skip - the first to say what is to be installed
    from emonet.datasets import open_store
    from emonet.inference.checkpoint import load_checkpoint, set_temperatures

    checkpoint = load_checkpoint(path)
    found = fit_temperatures(checkpoint, open_store(store))
    set_temperatures(path, {one.head: one.temperature for one in found})
    if quiet:
        return
    rows = [
        (fit.head, f"{old.size} px", f"{old.n:,}", f"{old.accuracy:.1%}", _calibration(old), _calibration(new))
        for fit in found
        for old, new in zip(fit.before, fit.after, strict=True)
    ]
    print_table(("dev: head", "face size", "images", "right", "sure (error) before", "after"), rows)
    if checkpoint.coverage:
        typer.echo("its table of coverage is left out, because confidences have changed: measure it again")


def _calibration(one: Calibration) -> str:
    return f"{one.confidence:.1%} ({one.error:.1%})"


def _show_file(path: str, *, as_json: bool) -> None:
    """Say which network a file holds, and with which heads it answers."""
    from emonet.inference.loading import load_to_predict

    opened = load_to_predict(path)
    if as_json:
        facts = {"model": opened.model, "input": opened.input.to_dict(), "detector": opened.detector}
        print_json(facts | _head_facts(opened))
        return
    typer.echo(f"{path}: {opened.model}")
    _show_heads(opened)


def _head_facts(opened: Model) -> dict[str, Any]:
    """Give the heads with their classes and priors, and the default answer, as JSON takes them."""
    choice = opened.choice()
    return {
        "heads": [head.to_dict() for head in opened.heads],
        "default": {"head": choice.head, "prior": choice.prior, "classes": list(choice.classes)},
        "coverage": [curve.to_dict() for curve in opened.coverage],
    }


def _show_heads(opened: Model) -> None:
    """Show each head with its classes, and the default answer."""
    choice = opened.choice()
    rows = [(head.name, _classes(head)) for head in opened.heads]
    print_table(("head", "classes (share in training)"), rows)
    if fitted := [f"{head.name} {head.temperature:.3g}" for head in opened.heads if head.temperature != 1]:
        typer.echo(f"temperatures, fitted on dev: {', '.join(fitted)}")
    typer.echo(f"answers by default: head {choice.head}, prior {choice.prior}")
    if about := getattr(opened, "training", {}).get("adapted"):
        typer.echo(_adapted_words(about))
    measured = [(one.head, one.prior, one.view, f"{one.n:,} of {one.data}") for one in opened.coverage]
    if measured:
        print_table(("--coverage: head", "prior", "test-time augmentation", "measured on"), measured)


def _adapted_words(about: Mapping[str, Any]) -> str:
    """Say what the newest head was adapted from, and what it scored in cross-validation."""
    people = f" of {about['people']:,} people" if about["people"] else ""
    before, after = (about["judgement"][name]["accuracy"] for name in ("before", "after"))
    return (
        f"head {about['head']} adapted from {about['from']} to {sum(about['faces'].values()):,} faces{people}; "
        f"cross-validated accuracy {before:.1%} before, {after:.1%} after"
    )


def _classes(head: Head) -> str:
    """Write the classes in their order, each with its share if that is known."""
    if not head.prior:
        return f"{', '.join(head.classes)} (shares not known)"
    return ", ".join(f"{name} {share:.1%}" for name, share in zip(head.classes, head.prior, strict=True))
