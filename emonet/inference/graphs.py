"""The ONNX graphs that come with the package: networks without weights, which a model file gives.

A graph serves every model file with the same network: the bundled ones, and others that were trained as these were.
It serves those with further heads, too: such a head is computed from what the graph gives out as FEATURES.
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

FEATURES = "features"  # the output of a graph that is what the last layer is given


def find_graph(checkpoint: Checkpoint) -> Path | None:
    """Find the graph of a network, which may lack the last heads of the model; None if the package has none."""
    counts = sizes(checkpoint.heads)
    network = _describe(checkpoint.model, checkpoint.arguments, checkpoint.input, counts)
    for path, known in _read_networks().items():
        if network | {"heads": counts[: len(known["heads"])]} == known:
            return path
    return None


def count_heads(graph: Path) -> int:
    """Count the heads of a graph."""
    return len(_read_networks()[graph]["heads"])


def find_grown(graph: Path, checkpoint: Checkpoint) -> list[str]:
    """Find the weights that have other shapes than those of the model file beside a graph, in order."""
    from safetensors import safe_open

    with safe_open(graph.with_suffix(".safetensors"), framework="np") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  # no mapping
    return sorted(name for name, array in checkpoint.weights.items() if array.shape != shapes.get(name))


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
