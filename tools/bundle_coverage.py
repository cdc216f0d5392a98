"""Measure on dev how many faces the models of the package answer by the least confidence, and store it with them.

python tools/bundle_coverage.py merged

It is written into the model files and their cards; weights stay as they are. `tools/bundle_model.py` does it as well.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from emonet.atomic import write_atomically
from emonet.commands import run
from emonet.datasets.store import open_store
from emonet.evaluation.coverage import measure_on_dev
from emonet.inference.checkpoint import set_coverage
from emonet.inference.coverage import CoverageCurve
from emonet.inference.loading import BUNDLED, FOLDER, load_model
from emonet.report.card import SURE, describe_coverage

BEFORE = "\n## What it sees\n"  # the section of a card that follows


def bundle_coverage(
    store: Annotated[Path, typer.Argument(help="The data set with the split dev that the models were chosen on.")],
) -> None:
    """Measure the coverage of the bundled models, by their default head and prior, and store it with them."""
    for name in BUNDLED:
        path = FOLDER / f"{name}.safetensors"
        curves = measure_on_dev(load_model(path), open_store(store))
        set_coverage(path, curves)
        _write_section(path.with_suffix(".md"), curves[-1])
        typer.echo(f"{path}: {', '.join(f'{one.view} on {one.n:,} images' for one in curves)}")


def _write_section(card: Path, curve: CoverageCurve) -> None:
    text = re.sub(rf"\n## {SURE}\n.*?(?=\n## )", "", card.read_text(encoding="utf-8"), flags=re.DOTALL)
    section = f"\n## {SURE}\n\n{describe_coverage(curve)}\n"
    with write_atomically(card) as temporary:
        temporary.write_text(text.replace(BEFORE, section + BEFORE, 1), encoding="utf-8")


if __name__ == "__main__":
    run(bundle_coverage)
