"""An ONNX file that `emonet export` wrote, as a model to predict with: no model file and no torch are needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.errors import CheckpointError, MissingFileError
from emonet.heads import Head, HeadChoice
from emonet.inference.backends import count_threads
from emonet.inference.coverage import CoverageCurve
from emonet.inference.model import Model
from emonet.labels import Emotion
from emonet.models.inputs import InputSpec
from facecrop import CropSpec
from facecrop.packages import importing

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

INPUT, OUTPUT = "pixels", "probabilities"


@dataclass(frozen=True, slots=True, eq=False)
class OnnxModel(Model):
    """An ONNX file that `emonet export` wrote, opened by ONNX Runtime.

    Attributes:
        path: The file.
        model: The name of its network.
        heads: As in Checkpoint, like all that follow.
        session: What runs the graph, in as many threads as this process should use.
        identity: A hash of the file.
    """

    path: Path
    model: str
    heads: tuple[Head, ...]
    crop: CropSpec
    detector: str
    input: InputSpec
    default_head: str
    default_prior: str
    coverage: tuple[CoverageCurve, ...]
    session: InferenceSession
    digest: str

    @property
    def identity(self) -> str:
        """A hash of the file."""
        return self.digest

    def open_session(self, threads: int) -> InferenceSession:
        """Return what runs the graph in so many threads; the file is opened anew if `session` has more or fewer.

        Raises:
            CheckpointError: The file has changed since.
        """
        if threads == self.session.get_session_options().intra_op_num_threads:
            return self.session
        content = self.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise CheckpointError(self.path, "it has changed since it was opened")
        return open_session(content, self.path, threads=threads)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The output of each head, in order."""
        return tuple(name for name in list_outputs(self.heads, self.choice()) if name != OUTPUT) or (OUTPUT,)


def list_outputs(heads: tuple[Head, ...], choice: HeadChoice) -> dict[str, tuple[Emotion, ...]]:
    """List the outputs of an exported file, each with its classes: the default answer, then each head as it is.

    A single head has no output of its own where it is the default answer.
    """
    several = heads if len(heads) > 1 or not choice.is_plain else ()
    return {OUTPUT: choice.classes} | {name_output(head): head.classes for head in several}


def name_output(head: Head) -> str:
    """Name the output of one head."""
    return f"{OUTPUT}_{head.name}"


def load_onnx_model(path: Path) -> OnnxModel:
    """Open an ONNX file that `emonet export` wrote.

    Raises:
        MissingFileError: There is no such file.
        CheckpointError: The file is no such ONNX file, or is damaged.
    """
    if not path.is_file():
        raise MissingFileError(f"no such ONNX file: {path}; `emonet export` writes them")
    content = path.read_bytes()
    session = open_session(content, path)
    facts = session.get_modelmeta().custom_metadata_map
    if "emonet" not in facts:
        raise CheckpointError(path, "an ONNX file of something else: `emonet export` has not written it")
    try:
        told = {name: json.loads(facts[name]) for name in ("model", "heads", "default", "crop", "detector", "input")}
        model = OnnxModel(
            path=path,
            model=str(told["model"]),
            heads=tuple(map(Head.from_dict, told["heads"])),
            crop=CropSpec(**told["crop"]),
            detector=str(told["detector"]),
            input=InputSpec.from_dict(told["input"]),
            default_head=told["default"]["head"],
            default_prior=told["default"]["prior"],
            coverage=tuple(map(CoverageCurve.from_dict, json.loads(facts.get("coverage", "[]")))),
            session=session,
            digest=hashlib.sha256(content).hexdigest(),
        )
        outputs = set(model.outputs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(path, f"its description cannot be understood: {error}") from error
    if missing := outputs - {output.name for output in session.get_outputs()}:
        raise CheckpointError(path, f"it has no output {', '.join(sorted(missing))}: export the model again")
    return model


def open_session(
    graph: bytes, path: Path, weights: Mapping[str, NDArray[Any]] | None = None, threads: int | None = None
) -> InferenceSession:
    """Let ONNX Runtime open a graph.

    Args:
        graph: The content of an ONNX file.
        path: The file that an error names.
        weights: Initialisers that the file leaves out, by their name.
        threads: How many threads it uses; by default, as many as this process should.

    Raises:
        CheckpointError: ONNX Runtime cannot open it, or the weights do not fit.
        MissingPackageError: ONNX Runtime is not installed.
    """
    with importing("ONNX Runtime", "onnxruntime"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or count_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads leave their processor
    options.log_severity_level = 4  # what is wrong is raised
    if weights:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
    with refusing(path):
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn what ONNX Runtime raises about a file into a CheckpointError."""
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    kinds = (errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf, errors.NotImplemented)
    try:
        yield
    except (*kinds, errors.RuntimeException) as error:
        first = str(error).strip().partition("\n")[0]
        raise CheckpointError(path, f"onnxruntime says {first}") from error
