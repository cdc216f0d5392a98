"""A model file: weights and all that is needed to use them as they were trained, in one safetensors file.

No code runs when it is opened. The description of the model is JSON in the header of the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.atomic import write_atomically
from emonet.errors import CheckpointError, MissingFileError
from emonet.heads import LABELS, Head, HeadChoice, sizes
from emonet.labels import Emotion
from emonet.models.inputs import InputSpec
from facecrop import CropSpec

if TYPE_CHECKING:
    from torch import Tensor

    from emonet.models import Network

FORMAT = 2
ONE_HEAD = 1  # the format whose files have `classes` in the place of heads
HEADER = "emonet"  # the key of the JSON in the file's header
LENGTH = 8  # bytes at the start of a safetensors file that say how long its header is


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Hold a trained network: its weights, and all that is needed to use them.

    Attributes:
        model: The name of the network, a key of `emonet.models.MODELS`.
        arguments: What its constructor takes.
        heads: In the order of the network's logits.
        crop: How the faces of the training images were cut out.
        detector: The detector that found these faces.
        input: The crops that the network takes, and how they are scaled.
        weights: Name -> tensor.
        training: How the network was trained: options, data, epochs.
        scores: What it scored, by split.
        default_head: The head that answers unless another is asked for; the first one if empty.
        default_prior: The prior that is divided out unless another is asked for.

    Examples:
        >>> from emonet.inference import load_model
        >>> model = load_model("emonet_fast")
        >>> model.model, model.input.size, model.detector
        ('emonet_fast', 48, 'mtcnn')
        >>> network = model.network()  # a torch module, ready to predict
    """

    model: str
    arguments: Mapping[str, Any]
    heads: tuple[Head, ...]
    crop: CropSpec
    detector: str
    input: InputSpec
    weights: Mapping[str, Tensor]
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    default_head: str = ""
    default_prior: str = "training"

    def __post_init__(self) -> None:
        self.choice()  # refuses a default that the heads do not have
        for name in ("arguments", "training", "scores"):  # as JSON, and so a file, gives them back
            object.__setattr__(self, name, json.loads(json.dumps(dict(getattr(self, name)))))

    def choice(self, head: str = "", prior: str = "") -> HeadChoice:
        """Choose the head that answers, or `mean`, and the prior.

        Args:
            head: The default of the file if empty.
            prior: The default of the file if empty.
        """
        return HeadChoice(self.heads, head or self.default_head or self.heads[0].name, prior or self.default_prior)

    @property
    def classes(self) -> tuple[Emotion, ...]:
        """The classes of the default answer."""
        return self.choice().classes

    def network(self) -> Network:
        """Create the network with its weights, in evaluation.

        Its kernels have the memory format in which a Classifier hands over images.
        """
        import torch

        network = _create_empty(self)
        network.load_state_dict(dict(self.weights), assign=True)
        return network.eval().to(memory_format=torch.channels_last)

    @property
    def identity(self) -> str:
        """A hash of all that the answers of the heads depend on.

        The default head and prior do not change it.
        """
        answers = {key: value for key, value in self._header().items() if key not in ("default", "training", "scores")}
        whole = hashlib.sha256(json.dumps(answers, sort_keys=True).encode())
        for name, tensor in sorted(self.weights.items()):
            whole.update(name.encode())
            whole.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return whole.hexdigest()

    def save(self, path: str | os.PathLike[str], *, half: bool = False) -> None:
        """Write the model file, whole or not at all.

        Args:
            path: The file.
            half: Store kernels in 16 bits. Biases and batch norm stay in 32: they are small, and may not bear the loss.
        """
        import torch
        from safetensors.torch import save

        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in self.weights.items()}
        if half:
            weights = {
                name: tensor.to(torch.float16) if tensor.is_floating_point() and tensor.ndim > 1 else tensor
                for name, tensor in weights.items()
            }
        with write_atomically(Path(path)) as temporary:  # save_file would let nobody else read the file
            temporary.write_bytes(save(weights, {HEADER: json.dumps(self._header())}))

    def _header(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "model": self.model,
            "arguments": self.arguments,
            "heads": [head.to_dict() for head in self.heads],
            "default": {"head": self.default_head, "prior": self.default_prior},
            "crop": self.crop.to_dict(),
            "detector": self.detector,
            "input": self.input.to_dict(),
            "training": self.training,
            "scores": self.scores,
        }


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a model file, and check that its weights fit its own description.

    Raises:
        MissingFileError: There is no such file.
        CheckpointError: The file is no model file, or is damaged.
    """
    header, weights = _read(Path(path))
    try:
        checkpoint = Checkpoint(
            model=str(header["model"]),
            arguments=header["arguments"],
            heads=_read_heads(header),
            crop=CropSpec(**header["crop"]),
            detector=header["detector"],
            input=InputSpec.from_dict(header["input"]),
            weights=weights,
            training=header["training"],
            scores=header["scores"],
            default_head=header.get("default", {}).get("head", ""),
            default_prior=header.get("default", {}).get("prior", "training"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(path, f"its description cannot be understood: {error}") from error
    _check_weights(Path(path), checkpoint)
    return checkpoint


def set_default(path: str | os.PathLike[str], head: str, prior: str = "training") -> HeadChoice:
    """Store in a model file which head and prior answer unless others are asked for.

    Only the description is written, whole or not at all: the weights stay as they are, byte for byte. A file of
    format 1 becomes one of the current format.

    Args:
        path: The model file.
        head: The name of one of its heads, or `mean`.
        prior: `training`, or `even` or `sqrt` if the model stores the shares of the classes in training.

    Returns:
        What was stored.

    Raises:
        OptionError: The file has no such head, or stores no shares for it.
        MissingFileError: There is no such file.
        CheckpointError: The file is no model file, or is damaged.
    """
    checkpoint = load_checkpoint(path)
    choice = HeadChoice(checkpoint.heads, head, prior)
    header = replace(checkpoint, default_head=head, default_prior=prior)._header()
    content = _replace_header(Path(path).read_bytes(), header)
    with write_atomically(Path(path)) as temporary:
        temporary.write_bytes(content)
    return choice


def _replace_header(content: bytes, header: Mapping[str, Any]) -> bytes:
    """Replace the description in a safetensors file: 8 bytes of length, JSON of that length, then the weights."""
    weights = LENGTH + int.from_bytes(content[:LENGTH], "little")
    tensors = json.loads(content[LENGTH:weights])
    tensors["__metadata__"][HEADER] = json.dumps(header)
    text = json.dumps(tensors, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH)  # weights begin at a multiple of 8
    return len(text).to_bytes(LENGTH, "little") + text + content[weights:]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    import torch
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    if not path.is_file():
        raise MissingFileError(f"no such model file: {path}; `emonet train` writes them")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        weights = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(path, f"not a safetensors file, or a damaged one: {error}") from error
    if HEADER not in metadata:
        raise CheckpointError(path, "weights of something else: it has no description of emonet's")
    try:
        header = json.loads(metadata[HEADER])
    except json.JSONDecodeError as error:
        raise CheckpointError(path, f"its description is not JSON: {error}") from error
    found = header.get("format") if isinstance(header, dict) else None
    if found not in (ONE_HEAD, FORMAT):
        raise CheckpointError(path, f"format {found!r}, and this version reads {ONE_HEAD} and {FORMAT}")
    return header, {
        name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in weights.items()
    }


def _read_heads(header: Mapping[str, Any]) -> tuple[Head, ...]:
    """Read the heads of a file. Format 1 has a single head; it is named after the data set if there was only one."""
    if header["format"] == ONE_HEAD:
        sources = list(header["training"].get("sources", {}))
        name = sources[0] if len(sources) == 1 else LABELS
        return (Head(name, tuple(map(Emotion, header["classes"]))),)
    return tuple(map(Head.from_dict, header["heads"]))


def _create_empty(checkpoint: Checkpoint) -> Network:
    """Create the network of a description, without weights."""
    from emonet.models import create_meta_model

    return create_meta_model(checkpoint.model, classes=sum(sizes(checkpoint.heads)), **checkpoint.arguments)


def _check_weights(path: Path, checkpoint: Checkpoint) -> None:
    """Refuse a file whose weights do not fit the network that it describes."""
    try:
        network = _create_empty(checkpoint)
    except (ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(path, f"its network cannot be made: {error}") from error
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in checkpoint.weights.items()}
    if differing := sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name)):
        name = differing[0]
        raise CheckpointError(
            path,
            f"{len(differing)} weights differ from those of {checkpoint.model!r}; {name}: "
            f"{found.get(name, 'not there')} in the file, {expected.get(name, 'not there')} in the network",
        )
