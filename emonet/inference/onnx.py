"""Export trained networks to ONNX, for other languages and devices: from the pixels of a face to probabilities.

Scaling is part of the graph. How faces are found and cut out cannot be, and stands in the file's metadata as JSON.
The first output, `probabilities`, is the default answer of the model. If there are several heads, each has a further
output, such as `probabilities_seen` for the head `seen`, from which no prior is divided out.
"""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from emonet.atomic import write_atomically
from emonet.datasets import find_terms
from emonet.errors import OptionError
from emonet.heads import HeadChoice, sizes, softmax_heads
from emonet.inference.checkpoint import Checkpoint
from emonet.labels import Emotion
from emonet.models import Network, model_class
from emonet.models.inputs import InputSpec
from facecrop.packages import importing

if TYPE_CHECKING:
    from onnx import ModelProto

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
OPSET = 18  # the first that torch writes by itself
LARGEST = 2**31  # bytes: what protobuf, and so one file, can hold
TOLERANCE = 1e-3  # of probabilities
INPUT, OUTPUT = "pixels", "probabilities"


def export_onnx(checkpoint: Checkpoint, path: Path) -> Path:
    """Write an ONNX file that maps pixels to probabilities.

    Its input `pixels` is (N, channels, size, size), uint8; its output `probabilities` is (N, classes), float32. If
    there are several heads, each has a further output: `probabilities_NAME` (N, its classes). The file is only written
    if onnxruntime gives torch's probabilities, within 0.001.

    Args:
        checkpoint: The model.
        path: The file.

    Returns:
        The same path.

    Raises:
        OptionError: The network cannot be exported.
        MissingPackageError: A package is missing.
    """
    _check_packages()
    _check_exportable(checkpoint)
    import onnx

    whole = Whole(checkpoint.network(), checkpoint.input, checkpoint.choice()).eval()
    names = list(list_outputs(checkpoint))
    model = _export_graph(whole, checkpoint.model, names)
    _describe(model, describe(checkpoint))
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    _check_answers(content, whole, checkpoint.model)
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
    return path


def list_outputs(checkpoint: Checkpoint) -> dict[str, tuple[Emotion, ...]]:
    """List the outputs of the file in their order, each with its classes."""
    several = checkpoint.heads if len(checkpoint.heads) > 1 else ()
    return {OUTPUT: checkpoint.classes} | {f"{OUTPUT}_{head.name}": head.classes for head in several}


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
        "detector": checkpoint.detector,
        "face": f"a square about the middle of the box that a detector finds, {1 + 2 * crop.margin:.4g} of the box's "
        f"width a side, {turned}; where it reaches over the photo's edge, the edge is repeated",
        "crop": crop.to_dict(),
        "input": spec.to_dict(),
        "pixels": f"uint8 from 0 to 255, (N, {spec.channels}, {spec.size}, {spec.size}), {colours}; scaled inside",
        "terms": {source: find_terms(source) for source in checkpoint.training.get("sources", {})},
    }


class Whole(nn.Module):
    """Scale pixels, apply a network, and answer."""

    def __init__(self, network: Network, spec: InputSpec, choice: HeadChoice) -> None:
        super().__init__()
        self.network = network
        self.spec = spec
        self.choice = choice

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:  # (N, channels, size, size), uint8 -> each (N, classes)
        counts = sizes(self.choice.heads)
        probabilities = softmax_heads(self.network(self.spec.scale(pixels)), counts)
        parts = torch.split(probabilities, list(counts), dim=1) if len(counts) > 1 else ()
        return self._answer(probabilities), *parts

    def _answer(self, probabilities: Tensor) -> Tensor:
        """Compute the default answer, as HeadChoice does for arrays."""
        if self.choice.is_plain and len(self.choice.heads) == 1:
            return probabilities
        shares = [probabilities[:, columns] / torch.from_numpy(by).float() for columns, by in self.choice.parts()]
        return torch.stack([one / one.sum(1, keepdim=True) for one in shares]).mean(0)


def _check_packages() -> None:
    for package in PACKAGES:
        with importing("an export to ONNX", "emonet[onnx]"):
            import_module(package)


def _check_exportable(checkpoint: Checkpoint) -> None:
    if model_class(checkpoint.model).fit == "memorise":
        raise _refuse(checkpoint.model, "it memorises images, and scikit-learn compares faces with all of them")
    size = sum(tensor.nbytes for tensor in checkpoint.weights.values())
    if size >= LARGEST:
        raise _refuse(checkpoint.model, f"its weights take {size / 1e9:.1f} GB, and a file holds {LARGEST / 1e9:.1f}")


def _refuse(model: str, reason: str) -> OptionError:
    return OptionError(f"the network {model!r} cannot be exported to ONNX: {reason}")


def _export_graph(whole: Whole, model: str, names: list[str]) -> ModelProto:
    try:
        program = torch.onnx.export(
            whole,
            (_draw_images(whole.spec, 2),),
            dynamo=True,
            dynamic_shapes={"pixels": {0: torch.export.Dim("N")}},
            input_names=[INPUT],
            output_names=names,
            opset_version=OPSET,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        raise _refuse(model, _find_cause(error)) from error
    return cast("torch.onnx.ONNXProgram", program).model_proto


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


def _check_answers(content: bytes, whole: Whole, model: str) -> None:
    """Refuse a file whose answers in onnxruntime are not torch's, for one face and for several."""
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    batches = [_draw_images(whole.spec, 1), _draw_images(whole.spec, 5)]
    with torch.inference_mode():
        expected = torch.cat([torch.cat(whole(pixels), dim=1) for pixels in batches]).numpy()
    try:
        found = _run(content, batches)
    except (errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.NotImplemented) as error:
        raise _refuse(model, f"onnxruntime says {_find_cause(error)}") from error
    if not np.allclose(found, expected, rtol=0, atol=TOLERANCE):
        apart = np.abs(found - expected).max()
        raise _refuse(model, f"onnxruntime's probabilities are up to {apart:.3f} from torch's")


def _run(content: bytes, batches: list[Tensor]) -> NDArray[np.float32]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more would try to leave the processors that we were given
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return np.concatenate([np.hstack(session.run(None, {INPUT: pixels.numpy()})) for pixels in batches])


def _draw_images(spec: InputSpec, count: int) -> Tensor:
    """Draw smooth blobs, no two alike: most networks answer the same to all noise."""
    generator = torch.Generator().manual_seed(count)
    coarse = torch.randint(256, (count, spec.channels, 4, 4), generator=generator).float()
    return F.interpolate(coarse, size=(spec.size, spec.size), mode="bilinear").to(torch.uint8)
