"""Classify faces with ONNX Runtime on the processor: from pixels to probabilities, in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.inference.backends import Processor
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.graphs import find_graph
from emonet.inference.model import Model
from emonet.inference.onnx_model import INPUT, OnnxModel, open_session
from emonet.inference.views import check_pixel_view, find_pixel_view
from emonet.models.inputs import InputSpec, Pixels

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH = 32  # faces that are classified together


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
    """

    session: InferenceSession
    spec: InputSpec
    machine: Processor
    outputs: tuple[str, ...]
    view: str = "none"
    batch_size: int = BATCH

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
        return np.hstack(self.session.run(list(self.outputs), {INPUT: images}))


def open_onnx_classifier(model: Model, machine: Processor, view: str = "none") -> OnnxClassifier:
    """Open an ONNX file, or the graph of a model file with its weights.

    Raises:
        CheckpointError: The weights do not fit the graph.
        OptionError: The package has no graph for the network, or the view cannot be done before scaling.
    """
    if isinstance(model, OnnxModel):
        return OnnxClassifier(model.session, model.input, machine, model.outputs, view)
    if not isinstance(model, Checkpoint):
        raise OptionError(f"ONNX Runtime runs model files and ONNX files, and no {type(model).__name__}")
    graph = find_graph(model)
    if graph is None:
        raise OptionError(f"the package has no ONNX graph for the network of {model.path or model.model!r}")
    session = open_graph(graph.read_bytes(), model.path or Path(model.model), model.weights, machine.threads)
    return OnnxClassifier(session, model.input, machine, tuple(one.name for one in session.get_outputs()), view)


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
