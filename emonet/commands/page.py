"""`emonet page`: write a page that reads faces in the browser, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def page(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("site"),
    model: Annotated[str, typer.Option(help="Name of a bundled model, or a model file with such a network.")] = (
        "emonet_fast"
    ),
) -> None:
    """Write a page that reads faces in the browser, without a server.

    Open index.html from the disk, or put the folder on any web server. Photos and camera images stay in the browser:
    the page is not able to connect to anything. Needs the packages of the extra page.
    """
    from emonet.inference.loading import load_model
    from emonet.webpage import write_webpage

    path = write_webpage(load_model(model), out)
    typer.echo(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB: open it in a browser")
