"""Export trained networks to ONNX, for other languages and devices: from the pixels of a face to probabilities.

Scaling is part of the graph. How faces are found and cut out cannot be, and stands in the file's metadata as JSON.
The first output, `probabilities`, is the default answer of the model. If there are several heads, or a prior is divided
out of the only one, or it has a temperature, each has a further output, such as `probabilities_seen` for the head
`seen`, with the probabilities as the network gives them.

The package's own graphs are the same without weights, which a model file gives, and without the default answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emonet.atomic import write_atomically
from emonet.datasets import find_terms
from emonet.errors import CheckpointError, OptionError
from emonet.heads import HeadChoice, sizes, softmax_heads
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.graphs import FEATURES
from emonet.inference.onnx_classifier import open_graph
from emonet.inference.onnx_model import INPUT, list_outputs, name_output, open_session, refusing
from emonet.models import Network, model_class
from emonet.models.inputs import InputSpec
from facecrop.packages import import_packages

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
OPSET = 18  # the first that torch writes by itself
LARGEST = 2**31  # bytes: what protobuf, and so one file, can hold
TOLERANCE = 1e-3  # of probabilities
WEIGHTS = "network."  # before the names of weights, in what torch exports


def export_onnx(checkpoint: Checkpoint, path: Path) -> Path:
    """Write an ONNX file that maps pixels to probabilities.

    Its input `pixels` is (N, channels, size, size), uint8; its output `probabilities` is (N, classes), float32. If
    there are several heads, or the default answer is not that of the only one, each has a further output:
    `probabilities_NAME` (N, its classes). The file is only written if onnxruntime gives torch's probabilities, within
    0.001.

    Args:
        checkpoint: The model.
        path: The file.

    Returns:
        The same path.

    Raises:
        OptionError: The network cannot be exported.
        MissingPackageError: A package is missing.
    """
    import_packages("an export to ONNX", "emonet[onnx]", *PACKAGES)
    _check_exportable(checkpoint)
    import onnx

    whole = Whole(checkpoint.network(), checkpoint.input, checkpoint.choice()).eval()
    names = list(list_outputs(checkpoint.heads, checkpoint.choice()))
    model = _export(whole, checkpoint.model, names)
    _describe(model, describe(checkpoint))
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    _check_answers(whole, checkpoint.model, lambda: _open(content))
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
    return path


def export_graph(checkpoint: Checkpoint, path: Path) -> Path:
    """Write the graph of a network without its weights, for all model files with the same network.

    Its initialisers have the names of the weights in a model file. Its outputs are the probabilities of each head,
    `probabilities_NAME`, and what the last layer is given, `features`. It is only written if onnxruntime gives torch's
    probabilities, within 0.001.

    Args:
        checkpoint: A model with this network.
        path: The file.

    Returns:
        The same path.

    Raises:
        OptionError: The network cannot be exported.
        MissingPackageError: A package is missing.
    """
    import_packages("an export to ONNX", "emonet[onnx]", *PACKAGES)
    _check_exportable(checkpoint)
    whole = Whole(checkpoint.network(), checkpoint.input, checkpoint.choice(), answers=False).eval()
    model = _export(whole, checkpoint.model, list(map(name_output, checkpoint.heads)), optimise=False)
    _describe(model, {"emonet": version("emonet"), "model": checkpoint.model})
    _leave_out_weights(model, checkpoint)
    _give_features(model)
    content = model.SerializeToString()
    _check_answers(whole, checkpoint.model, lambda: open_graph(content, path, checkpoint.weights, threads=1))
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
    return path


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """Describe how to use the file: its pixels, its answers, the terms of the data."""
    spec, crop, choice = checkpoint.input, checkpoint.crop, checkpoint.choice()
    colours = "RGB" if spec.channels == 3 else "grey: 0.299 R + 0.587 G + 0.114 B"
    turned = "turned until its eyes are level" if crop.align else "not turned"
    return {
        "emonet": version("emonet"),
        "model": checkpoint.model,
        "classes": list(choice.classes),
        "heads": [head.to_dict() for head in checkpoint.heads],
        "default": {"head": choice.head, "prior": choice.prior},
        "coverage": [curve.to_dict() for curve in checkpoint.coverage],
        "detector": checkpoint.detector,
        "face": f"a square about the middle of the box that a detector finds, {1 + 2 * crop.margin:.4g} of the box's "
        f"width a side, {turned}; where it reaches over the photo's edge, the edge is repeated",
        "crop": crop.to_dict(),
        "input": spec.to_dict(),
        "pixels": f"uint8 from 0 to 255, (N, {spec.channels}, {spec.size}, {spec.size}), {colours}; scaled inside",
        "terms": {source: find_terms(source) for source in checkpoint.training.get("sources", {})},
    }


class Whole(nn.Module):
    """Scale pixels, apply a network, and give the default answer, if wanted, and the probabilities of each head."""

    def __init__(self, network: Network, spec: InputSpec, choice: HeadChoice, *, answers: bool = True) -> None:
        super().__init__()
        self.network = network
        self.spec = spec
        self.choice = choice
        self.answers = answers

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:  # (N, channels, size, size), uint8 -> each (N, classes)
        counts = sizes(self.choice.heads)
        probabilities = softmax_heads(self.network(self.spec.scale(pixels)), counts)
        parts = torch.split(probabilities, list(counts), dim=1)
        if not self.answers:
            return parts
        needed = len(list_outputs(self.choice.heads, self.choice)) > 1
        return self._answer(probabilities), *(parts if needed else ())

    def _answer(self, probabilities: Tensor) -> Tensor:
        """Compute the default answer, as HeadChoice does for arrays."""
        if self.choice.is_plain and len(self.choice.heads) == 1:
            return probabilities
        shares = [
            probabilities[:, part.columns] ** part.exponent / torch.from_numpy(part.divisors).float()
            for part in self.choice.parts()
        ]
        return torch.stack([one / one.sum(1, keepdim=True) for one in shares]).mean(0)


def _check_exportable(checkpoint: Checkpoint) -> None:
    if model_class(checkpoint.model).fit == "memorise":
        raise _make_error(checkpoint.model, "it memorises images, and scikit-learn compares faces with all of them")
    size = sum(array.nbytes for array in checkpoint.weights.values())
    if size >= LARGEST:
        raise _make_error(
            checkpoint.model, f"its weights take {size / 1e9:.1f} GB, and a file holds {LARGEST / 1e9:.1f}"
        )


def _make_error(model: str, reason: str) -> OptionError:
    return OptionError(f"the network {model!r} cannot be exported to ONNX: {reason}")


def _export(whole: Whole, model: str, names: list[str], *, optimise: bool = True) -> ModelProto:
    """Let torch write the graph; unless it is optimised, weights stay as they are, under their names."""
    try:
        program = torch.onnx.export(
            whole,
            (_draw_images(whole.spec, 2),),
            dynamo=True,
            dynamic_shapes={"pixels": {0: torch.export.Dim("N")}},
            input_names=[INPUT],
            output_names=names,
            opset_version=OPSET,
            optimize=optimise,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        raise _make_error(model, _find_cause(error)) from error
    return cast("torch.onnx.ONNXProgram", program).model_proto


def _leave_out_weights(model: ModelProto, checkpoint: Checkpoint) -> None:
    """Leave the values of weights to a model file, and name them as it does."""
    from onnx import TensorProto

    names = {f"{WEIGHTS}{name}": name for name in checkpoint.weights}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    for weights in model.graph.initializer:
        if weights.name in names:
            weights.name = names[weights.name]
            weights.ClearField("raw_data")
            weights.data_location = TensorProto.EXTERNAL
            weights.external_data.add(key="location", value="the model file")
    del model.graph.value_info[:]  # ONNX Runtime finds the shapes by itself


def _give_features(model: ModelProto) -> None:
    """Let a graph give out what the last dense layer is given, which heads that it lacks are computed from."""
    from onnx import TensorProto, helper

    dense = [node for node in model.graph.node if node.op_type == "Gemm"]
    if not dense:
        raise _make_error("of the package", "it has no dense layer")
    model.graph.node.append(helper.make_node("Identity", dense[-1].input[:1], [FEATURES]))
    model.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["N", None]))


def _find_cause(error: BaseException) -> str:
    """Find the first line of the first error: torch wraps pages of advice around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0]


def _describe(model: ModelProto, facts: dict[str, Any]) -> None:
    """Replace torch's metadata, which tell where on the exporting machine the code lies, by ours."""
    from onnx.helper import set_model_props

    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
    model.producer_name, model.producer_version = "emonet", facts["emonet"]
    set_model_props(model, {name: json.dumps(value) for name, value in facts.items()})


def _check_answers(whole: Whole, model: str, opened: Callable[[], InferenceSession]) -> None:
    """Refuse a graph whose answers in onnxruntime are not torch's, for one face and for several."""
    batches = [_draw_images(whole.spec, 1), _draw_images(whole.spec, 5)]
    with torch.inference_mode():
        expected = torch.cat([torch.cat(whole(pixels), dim=1) for pixels in batches]).numpy()
    try:
        with refusing(Path(model)):
            session = opened()
            names = [one.name for one in session.get_outputs() if one.name != FEATURES]
            found = np.concatenate([np.hstack(session.run(names, {INPUT: pixels.numpy()})) for pixels in batches])
    except CheckpointError as error:
        raise _make_error(model, error.reason) from error
    if not np.allclose(found, expected, rtol=0, atol=TOLERANCE):
        apart = np.abs(found - expected).max()
        raise _make_error(model, f"onnxruntime's probabilities are up to {apart:.3f} from torch's")


def _open(content: bytes) -> InferenceSession:
    return open_session(content, Path("the exported file"), threads=1)  # more would wait for processors that others use


def _draw_images(spec: InputSpec, count: int) -> Tensor:
    """Draw smooth blobs, no two alike: most networks answer the same to all noise."""
    generator = torch.Generator().manual_seed(count)
    coarse = torch.randint(256, (count, spec.channels, 4, 4), generator=generator).float()
    return F.interpolate(coarse, size=(spec.size, spec.size), mode="bilinear").to(torch.uint8)
