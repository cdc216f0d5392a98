"""`emonet export`: a model as ONNX, for other languages and devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file, or emonet or emonet_fast.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write. (default: here, MODEL's name and .onnx)")
    ] = None,
) -> None:
    """Write a model as ONNX, from a face's pixels to probabilities.

    Faces go in as pixels from 0 to 255, any number at a time: scaling is inside. The output probabilities is the
    model's default answer; of several heads, each also has an output of its own. How faces are to be cut out, the heads
    with their classes and the terms of use stand in the file's metadata, as JSON. The file is checked to answer as the
    model does. Needs the packages of the extra onnx.
    """
    from emonet.inference import load_model
    from emonet.inference.onnx import describe, export_onnx, list_outputs

    checkpoint = load_model(model)
    path = export_onnx(checkpoint, out or Path(f"{Path(model).stem}.onnx"))
    facts = describe(checkpoint)
    typer.echo(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB")
    typer.echo(f"pixels: {facts['pixels']}")
    for name, classes in list_outputs(checkpoint).items():
        typer.echo(f"{name}: (N, {len(classes)}), {', '.join(classes)}")
    for source, terms in facts["terms"].items():
        typer.echo(f"emonet: learned from {source}: {terms}", err=True)
