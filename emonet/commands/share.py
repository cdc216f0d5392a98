"""`emonet share`: write a model as a folder in the layout of the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emonet.commands._console.arguments import ModelArgument


def share(
    model: ModelArgument,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    card: Annotated[
        Path | None,
        typer.Option(
            help="The card to give with it, such as card.md of `emonet evaluate MODEL STORE -o REPORT`. (default: the "
            "card of a model of the package, or a short one)"
        ),
    ] = None,
) -> None:
    """Write a model as a folder that you can give to others, or upload to the Hugging Face Hub.

    The folder holds the model file, config.json and README.md, the card. `emonet predict --model FOLDER` uses it, and
    so does `emonet.from_pretrained` in Python. Once it is uploaded, its name there is a model too: `--model
    hf://OWNER/NAME`, or `hf://OWNER/NAME@REVISION`. That needs the package of the extra hub.
    """
    from emonet.errors import MissingFileError
    from emonet.inference import load_model

    if card is not None and not card.is_file():
        raise MissingFileError(f"no such card: {card}")
    checkpoint = load_model(model)
    folder = checkpoint.save_pretrained(out, card=card.read_text(encoding="utf-8") if card else "")
    for path in sorted(folder.iterdir()):
        typer.echo(f"{path}: {path.stat().st_size:,} bytes")
    typer.echo(f"to upload it: hf upload OWNER/NAME {folder}")
