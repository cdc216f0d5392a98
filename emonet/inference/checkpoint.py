"""A model file: weights and all that is needed to use them as they were trained, in one safetensors file.

No code runs when it is opened. What is not weights is JSON in the file's header.
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
    """A trained network: what it is, what it sees, what it answers, how it came to be and what it scored."""

    model: str
    arguments: Mapping[str, Any]
    heads: tuple[Head, ...]  # in the order of the network's scores
    crop: CropSpec  # how its faces were cut out
    detector: str  # what found them
    input: InputSpec
    weights: Mapping[str, Tensor]
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    default_head: str = ""  # whose answer is given unless another is asked for; the first one's if empty
    default_prior: str = "training"

    def __post_init__(self) -> None:
        self.choice()  # a default that is not there is refused at once
        for name in ("arguments", "training", "scores"):  # as JSON has them, and so as a file will give them back
            object.__setattr__(self, name, json.loads(json.dumps(dict(getattr(self, name)))))

    def choice(self, head: str = "", prior: str = "") -> HeadChoice:
        """Choose a head, or `mean`, and a prior; the file's own unless they are given."""
        return HeadChoice(self.heads, head or self.default_head or self.heads[0].name, prior or self.default_prior)

    @property
    def classes(self) -> tuple[Emotion, ...]:
        """The classes of the answer that is given unless another is asked for."""
        return self.choice().classes

    def network(self) -> Network:
        """The network with its weights, ready to predict, its kernels laid out as pictures are in a Classifier."""
        import torch

        network = _outline(self)
        network.load_state_dict(dict(self.weights), assign=True)
        return network.eval().to(memory_format=torch.channels_last)

    @property
    def identity(self) -> str:
        """A hash of all that the answers of its heads depend on; which of them is the default changes none."""
        answers = {key: value for key, value in self._header().items() if key not in ("default", "training", "scores")}
        whole = hashlib.sha256(json.dumps(answers, sort_keys=True).encode())
        for name, tensor in sorted(self.weights.items()):
            whole.update(name.encode())
            whole.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return whole.hexdigest()

    def save(self, path: str | os.PathLike[str], *, half: bool = False) -> None:
        """Writes the file, whole or not at all; `half` stores kernels in 16 bits."""
        import torch
        from safetensors.torch import save

        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in self.weights.items()}
        if half:  # what has one dimension (biases, batch norm) is small, and may not bear the loss
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
    """The model in a file, checked to fit its own description."""
    header, weights = _read(Path(path))
    try:
        checkpoint = Checkpoint(
            model=str(header["model"]),
            arguments=header["arguments"],
            heads=_heads(header),
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
    """Store in a model file which answer it gives unless another is asked for.

    Only the description is written anew, whole or not at all: the weights stay as they are, byte for byte. A file of
    the first format becomes one of the current format.

    Args:
        path: The model file.
        head: The name of one of its heads, or `mean`.
        prior: `training`, or `even` or `sqrt` if the model stores the shares of the classes in training.

    Returns:
        What was stored.

    Raises:
        ValueError: The file has no such head, or stores no shares for it.
        CheckpointError: It is no model file that can be used.
    """
    checkpoint = load_checkpoint(path)
    choice = HeadChoice(checkpoint.heads, head, prior)
    header = replace(checkpoint, default_head=head, default_prior=prior)._header()
    content = _with_header(Path(path).read_bytes(), header)
    with write_atomically(Path(path)) as temporary:
        temporary.write_bytes(content)
    return choice


def _with_header(content: bytes, header: Mapping[str, Any]) -> bytes:
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


def _heads(header: Mapping[str, Any]) -> tuple[Head, ...]:
    """The heads of a file; one of before has a single one, named after the only data set it learned from."""
    if header["format"] == ONE_HEAD:
        sources = list(header["training"].get("sources", {}))
        name = sources[0] if len(sources) == 1 else LABELS
        return (Head(name, tuple(map(Emotion, header["classes"]))),)
    return tuple(map(Head.from_dict, header["heads"]))


def _outline(checkpoint: Checkpoint) -> Network:
    """The network of a description, without numbers."""
    from emonet.models import outline

    return outline(checkpoint.model, classes=sum(sizes(checkpoint.heads)), **checkpoint.arguments)


def _check_weights(path: Path, checkpoint: Checkpoint) -> None:
    """Raises unless the network that the file describes takes the file's weights."""
    try:
        network = _outline(checkpoint)
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
