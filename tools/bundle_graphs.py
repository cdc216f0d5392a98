"""Write the ONNX graphs of the models that come with the package, for the weights that are there now.

python tools/bundle_graphs.py
"""

from __future__ import annotations

import typer

from emonet.commands import run
from emonet.inference.loading import BUNDLED, FOLDER, load_model
from emonet.inference.onnx import export_graph


def bundle_graphs() -> None:
    """Write graphs without weights, which ONNX Runtime completes with those of the model files."""
    for name in BUNDLED:
        path = export_graph(load_model(name), FOLDER / f"{name}.onnx")
        typer.echo(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    run(bundle_graphs)
