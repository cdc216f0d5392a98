"""`emonet export`: write a model as ONNX, for other languages and devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emonet.commands._console.arguments import ModelArgument
from facecrop.packages import importing


def export(
    model: ModelArgument,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write. (default: MODEL.onnx in this folder)")
    ] = None,
) -> None:
    """Write a model as ONNX, from a face's pixels to probabilities.

    The input is crops with pixels from 0 to 255, any number at a time; the file scales them itself. The output
    "probabilities" is the model's default answer; if there are several heads, each has an output of its own too. The
    metadata of the file say, as JSON, how to crop faces, which classes each head has, and the terms of use. The file is
    checked to answer as the model does. Needs the packages of the extra onnx.

    `emonet predict --model FILE.onnx` reads photos with the file, and needs no torch.
    """
    from emonet.inference import load_model
    from emonet.inference.onnx_model import list_outputs

    with importing("an export to ONNX", "emonet[onnx]"):
        from emonet.inference.onnx import describe, export_onnx

    checkpoint = load_model(model)
    path = export_onnx(checkpoint, out or Path(f"{Path(model).stem}.onnx"))
    facts = describe(checkpoint)
    typer.echo(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB")
    typer.echo(f"pixels: {facts['pixels']}")
    for name, classes in list_outputs(checkpoint.heads, checkpoint.choice()).items():
        typer.echo(f"{name}: (N, {len(classes)}), {', '.join(classes)}")
    for source, terms in facts["terms"].items():
        typer.echo(f"emonet: learned from {source}: {terms}", err=True)
