"""`emonet demo`: an album of sample pictures, to see that all works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("demo"),
    model: Annotated[str, typer.Option(help="emonet or emonet_fast.")] = "emonet",
) -> None:
    """Write sample pictures, one of them broken, name the expressions in them, and say where the album is.

    Works without a network. Needs scikit-image, whose portrait it shows: the extra demo.
    """
    from emonet.album import AlbumRun
    from emonet.commands._console.predicted import Tally
    from emonet.prediction import EmotionPredictor
    from emonet.samples import write_samples

    write_samples(out / "photos")
    tally = Tally()
    run = AlbumRun(out / "photos", out / "album", EmotionPredictor(model), annotate=True)
    album = run.run(lambda entry, known: tally.add(entry.result, known=known))
    typer.echo(str(tally))
    typer.echo(f"look at {album}")
