"""`emonet demo`: write an album of sample photos, to see that everything works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path("demo"),
    model: Annotated[str, typer.Option(help="Model to use: emonet, emonet_fast or a model file.")] = "emonet",
) -> None:
    """Name the expressions in sample photos, one of them broken, and write an album.

    Works offline.
    """
    from emonet.album import AlbumRun
    from emonet.commands._console.tally import Tally
    from emonet.folders import check_own
    from emonet.prediction import EmotionPredictor
    from emonet.samples import FIRST, write_samples

    check_own(out, "a demo", [f"photos/{FIRST}"])
    write_samples(out / "photos")
    tally = Tally(names_unreadable=True)
    run = AlbumRun(out / "photos", out / "album", EmotionPredictor(model), annotate=True)
    album = run.run(lambda entry, known: tally.add(entry.result, known=known))
    typer.echo(str(tally))
    typer.echo(f"look at {album}")
