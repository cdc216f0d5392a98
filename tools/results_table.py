"""Print the table of docs/results.md, from what `emonet evaluate -o` wrote of each run.

python tools/results_table.py results/runs
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from emonet.commands import run
from emonet.errors import MissingFileError
from emonet.html.formatting import markdown_table

HEADER = (
    *("run", "data", "learned from", "dev", "PublicTest, as it is", "PublicTest, mirror", "95 %", "macro F1"),
    *("no copy, mirror", "parameters", "MACs", "epoch", "hours"),
)


def results_table(
    folder: Annotated[Path, typer.Argument(help="The folder of the runs' evaluations, NAME.json.")],
) -> None:
    """Print a row for each run, the best first."""
    told = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    if not told:
        raise MissingFileError(f"no NAME.json in {folder}: `emonet evaluate -o` writes evaluation.json")
    order = sorted(told, key=lambda name: -told[name]["scores"]["mirror"]["all"]["accuracy"])
    typer.echo(markdown_table(HEADER, [_row(name, told[name]) for name in order]))


def _row(name: str, told: Mapping[str, Any]) -> tuple[str, ...]:
    training, cost = told["training"], told["cost"]
    plain, mirrored = (told["scores"][view]["all"] for view in ("none", "mirror"))
    apart = told["scores"]["mirror"].get("no training copy")
    low, high = mirrored["accuracy_interval"]
    dev = told["dev"]
    return (
        f"`{name}`",
        told["store"],
        f"{training['pictures']:,}",
        f"{dev['accuracy']:.2%} of {dev['n']:,}" if dev else "learned from",
        f"{plain['accuracy']:.2%} of {plain['n']:,}",
        f"**{mirrored['accuracy']:.2%}**",
        f"{low:.2%} to {high:.2%}",
        f"{mirrored['macro_f1']:.3f}",
        f"{apart['accuracy']:.2%} of {apart['n']:,}" if apart else "-",
        f"{cost['parameters']:,}",
        f"{cost['macs'] / 1e6:,.1f} M",
        f"{training['chosen_epoch']} of {training['epochs']}" if "chosen_epoch" in training else "-",
        f"{training['seconds'] / 3600:.1f}",
    )


if __name__ == "__main__":
    run(results_table)
