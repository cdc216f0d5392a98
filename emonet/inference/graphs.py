"""The ONNX graphs that come with the package: networks without weights, which a model file gives.

A graph serves every model file with the same network: the bundled ones, and others that were trained as these were.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from emonet.heads import sizes
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.loading import BUNDLED, FOLDER
from emonet.inference.model_file import read_header
from emonet.models.inputs import InputSpec


def find_graph(checkpoint: Checkpoint) -> Path | None:
    """Find the graph of a network; None if the package has none."""
    network = _describe(checkpoint.model, checkpoint.arguments, checkpoint.input, sizes(checkpoint.heads))
    return next((path for path, known in _read_networks().items() if known == network), None)


@cache
def _read_networks() -> Mapping[Path, Mapping[str, Any]]:
    """Read from the model file beside each graph which network it is of."""
    return {
        path: _describe(
            header["model"],
            header["arguments"],
            InputSpec.from_dict(header["input"]),
            tuple(len(head["classes"]) for head in header["heads"]),
        )
        for name in BUNDLED
        if (path := FOLDER / f"{name}.onnx").is_file()
        for header in [read_header(path.with_suffix(".safetensors"))]
    }


def _describe(model: str, arguments: Mapping[str, Any], spec: InputSpec, counts: tuple[int, ...]) -> dict[str, Any]:
    """Put together all that a graph depends on: not the weights, nor the names of heads and classes."""
    return {"model": model, "arguments": dict(arguments), "input": spec, "heads": counts}
