"""Classify faces with ONNX Runtime on the processor: from pixels to probabilities, in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emonet.errors import CheckpointError, OptionError
from emonet.heads import sizes
from emonet.inference.backends import Processor
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.graphs import FEATURES, count_heads, find_graph, find_grown
from emonet.inference.model import Model
from emonet.inference.onnx_model import INPUT, OnnxModel, open_session
from emonet.inference.views import check_pixel_view, find_pixel_view
from emonet.models.inputs import InputSpec, Pixels

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH = 32  # faces that are classified together


@dataclass(frozen=True, slots=True, eq=False)
class AddedHead:
    """A head that a graph lacks: some rows of the last layer.

    Attributes:
        weights: (classes, D).
        bias: (classes,).
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the probabilities (N, classes) of features (N, D)."""
        logits = features @ self.weights.T + self.bias
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(shares / shares.sum(1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class OnnxClassifier:
    """Turn faces into probabilities with ONNX Runtime. Scaling is part of the graph.

    Attributes:
        session: What runs the graph.
        spec: The crops that the network takes.
        machine: The processor.
        outputs: The output of each head, in order.
        view: Test-time augmentation, which is done to pixels before they are scaled.
        batch_size: Faces that are classified together.
        added: Heads that the graph lacks, in order.
    """

    session: InferenceSession
    spec: InputSpec
    machine: Processor
    outputs: tuple[str, ...]
    view: str = "none"
    batch_size: int = BATCH
    added: tuple[AddedHead, ...] = ()

    def __post_init__(self) -> None:
        check_pixel_view(self.view, self.spec)

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """Classify faces (N, size, size, channels): probabilities (N, all heads' classes)."""
        starts = range(0, max(len(pixels), 1), self.batch_size)
        return np.concatenate([self._answer(pixels[start : start + self.batch_size]) for start in starts])

    def _answer(self, pixels: Pixels) -> NDArray[np.float32]:
        """Average the probabilities of all views of one batch."""
        return np.asarray(np.mean([self._run(view) for view in find_pixel_view(self.view)(pixels)], axis=0), np.float32)

    def _run(self, pixels: Pixels) -> NDArray[np.float32]:
        images = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        asked = [*self.outputs, *([FEATURES] if self.added else ())]
        found = self.session.run(asked, {INPUT: images})
        return np.hstack([*found[: len(self.outputs)], *(head(found[-1]) for head in self.added)])


def open_onnx_classifier(model: Model, machine: Processor, view: str = "none") -> OnnxClassifier:
    """Open an ONNX file, or the graph of a model file with its weights.

    Raises:
        CheckpointError: The weights do not fit the graph.
        OptionError: The package has no graph for the network, or the view cannot be done before scaling.
    """
    if isinstance(model, OnnxModel):
        return OnnxClassifier(model.open_session(machine.threads), model.input, machine, model.outputs, view)
    if not isinstance(model, Checkpoint):
        raise OptionError(f"ONNX Runtime runs model files and ONNX files, and no {type(model).__name__}")
    graph = find_graph(model)
    if graph is None:
        raise OptionError(f"the package has no ONNX graph for the network of {str(model.shown)!r}")
    weights, added = split_last_layer(model, graph)
    session = open_graph(graph.read_bytes(), model.shown, weights, machine.threads)
    outputs = tuple(one.name for one in session.get_outputs() if one.name != FEATURES)
    return OnnxClassifier(session, model.input, machine, outputs, view, added=added)


def split_last_layer(model: Checkpoint, graph: Path) -> tuple[Mapping[str, NDArray[Any]], tuple[AddedHead, ...]]:
    """Divide the rows of the last layer among the heads that a graph knows and those that it lacks.

    Returns:
        The weights as the graph takes them, and the other heads.

    Raises:
        CheckpointError: The weights do not fit the heads.
    """
    if len(model.heads) == count_heads(graph):
        return model.weights, ()
    ends = list(accumulate(sizes(model.heads)))[count_heads(graph) - 1 :]
    grown = find_grown(graph, model)
    if [len(model.weights[name]) for name in grown] != [ends[-1]] * 2:
        raise CheckpointError(model.shown, "its last layer has not a row for each class")
    bias, kernel = (model.weights[name] for name in grown)  # in the order of the alphabet
    first = {name: model.weights[name][: ends[0]] for name in grown}
    added = tuple(AddedHead(kernel[start:end], bias[start:end]) for start, end in pairwise(ends))
    return {**model.weights, **first}, added


def open_graph(
    graph: bytes, path: Path, weights: Mapping[str, NDArray[Any]], threads: int | None = None
) -> InferenceSession:
    """Open a graph without weights, and give it the weights of a model file.

    Raises:
        CheckpointError: The weights do not fit the graph; the message names `path`.
    """
    numbers = {  # what is left out counts the batches of training
        name: np.asarray(array, order="C") for name, array in weights.items() if np.issubdtype(array.dtype, np.floating)
    }
    return open_session(graph, path, numbers, threads)
