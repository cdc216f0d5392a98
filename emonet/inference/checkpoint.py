"""A model file: weights and all that is needed to use them as they were trained, in one safetensors file.

No code runs when it is opened. The description of the model is JSON in the header of the file. Weights are arrays:
reading a file needs no torch. `Checkpoint.network` does.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.errors import CheckpointError, OptionError
from emonet.heads import LABELS, Head, HeadChoice, sizes
from emonet.inference.coverage import CoverageCurve
from emonet.inference.model import Model
from emonet.inference.model_file import FORMAT, ONE_HEAD, as_array, encode_model_file, read_model_file, replace_header
from emonet.labels import Emotion
from emonet.models.inputs import InputSpec
from facecrop import CropSpec

if TYPE_CHECKING:
    from emonet.models import Network

NO_ANSWERS = ("default", "training", "scores", "coverage")  # what answers of the heads do not depend on


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint(Model):
    """A trained network: its weights, and all that is needed to use them.

    Attributes:
        model: The name of the network, a key of `emonet.models.MODELS`.
        arguments: What its constructor takes.
        heads: In the order of the network's logits.
        crop: How the faces of the training images were cut out.
        detector: The detector that found these faces.
        input: The crops that the network takes, and how they are scaled.
        weights: Name -> array. Tensors, as `Network.state_dict()` gives them, become arrays.
        training: How the network was trained: options, data, epochs.
        scores: What it scored, by split.
        default_head: The head that answers unless another is asked for; the first one if empty.
        default_prior: The prior that is divided out unless another is asked for.
        coverage: How many faces it answers, and how often rightly, by the least confidence; empty if not measured.
        path: The file that it was read from; None if it was made otherwise, or changed since.

    Examples:
        >>> from emonet.inference import load_model
        >>> model = load_model("emonet_fast")
        >>> model.model, model.input.size, model.detector
        ('emonet_fast', 48, 'whole')
        >>> network = model.network()  # a torch module, ready to predict
    """

    model: str
    arguments: Mapping[str, Any]
    heads: tuple[Head, ...]
    crop: CropSpec
    detector: str
    input: InputSpec
    weights: Mapping[str, NDArray[Any]] = field(repr=False)
    training: Mapping[str, Any] = field(default_factory=dict, repr=False)
    scores: Mapping[str, Any] = field(default_factory=dict, repr=False)
    default_head: str = ""
    default_prior: str = "training"
    coverage: tuple[CoverageCurve, ...] = field(default=(), repr=False)
    path: Path | None = field(default=None, init=False)  # `replace` does not copy it

    def __post_init__(self) -> None:
        self.choice()  # refuses a default that the heads do not have
        for name in ("arguments", "training", "scores"):  # as JSON, and so a file, gives them back
            object.__setattr__(self, name, json.loads(json.dumps(dict(getattr(self, name)))))
        object.__setattr__(self, "weights", {name: as_array(value) for name, value in self.weights.items()})

    def network(self) -> Network:
        """Create the network with its weights, in evaluation.

        Its kernels have the memory format in which a TorchClassifier hands over images.

        Raises:
            CheckpointError: The weights do not fit the network, or there is no such network.
            MissingPackageError: PyTorch is not installed.
        """
        network = _create_empty(self)
        _check_weights(network, self)
        import torch

        network.load_state_dict({name: torch.from_numpy(array) for name, array in self.weights.items()}, assign=True)
        return network.eval().to(memory_format=torch.channels_last)

    @property
    def identity(self) -> str:
        """A hash of all that the answers of the heads depend on.

        The default head and prior do not change it, nor does what was measured.
        """
        answers = {key: value for key, value in self._header().items() if key not in NO_ANSWERS}
        whole = hashlib.sha256(json.dumps(answers, sort_keys=True).encode())
        for name, array in sorted(self.weights.items()):
            whole.update(name.encode())
            whole.update(array.tobytes())
        return whole.hexdigest()

    def save(self, path: str | os.PathLike[str], *, half: bool = False) -> None:
        """Write the model file, whole or not at all.

        Args:
            path: The file.
            half: Store kernels in 16 bits. Biases and batch norm stay in 32: they are small, and may not bear the loss.
        """
        content = encode_model_file(self._header(), self.weights, half=half)
        with write_atomically(Path(path)) as temporary:
            temporary.write_bytes(content)

    def save_pretrained(self, folder: str | os.PathLike[str], *, card: str = "") -> Path:
        """Write a folder that can be given to others: the model file, config.json and a card.

        It has the layout of the Hugging Face Hub, and `emonet.from_pretrained` opens it.

        Args:
            folder: The folder; files of another model of ours are replaced.
            card: The card, in Markdown; a short one by default.

        Returns:
            The folder.

        Raises:
            OptionError: The folder holds something else that would be replaced.
        """
        from emonet.inference.sharing import save_pretrained

        return save_pretrained(self, folder, card=card)

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
            "coverage": [curve.to_dict() for curve in self.coverage],
        }


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a model file.

    That its weights fit the network is checked here if torch has been imported, for that takes seconds; otherwise by
    whatever runs the network first.

    Raises:
        MissingFileError: There is no such file.
        CheckpointError: The file is no model file, or is damaged.
    """
    header, weights = read_model_file(Path(path))
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
            coverage=tuple(map(CoverageCurve.from_dict, header.get("coverage", ()))),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(path, f"its description cannot be understood: {error}") from error
    object.__setattr__(checkpoint, "path", Path(path))
    if sys.modules.get("torch") is not None:
        _check_weights(_create_empty(checkpoint), checkpoint)
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
    _rewrite(path, replace(checkpoint, default_head=head, default_prior=prior))
    return choice


def set_coverage(path: str | os.PathLike[str], curves: Iterable[CoverageCurve]) -> None:
    """Store in a model file how many faces it answers, and how often rightly, by the least confidence.

    Only the description is written, as `set_default` does. Curves of the same ways to answer are replaced.

    Args:
        path: The model file.
        curves: What was measured, on dev.

    Raises:
        MissingFileError: There is no such file.
        CheckpointError: The file is no model file, or is damaged.
    """
    checkpoint = load_checkpoint(path)
    kept = {(one.head, one.prior, one.view): one for one in (*checkpoint.coverage, *curves)}
    _rewrite(path, replace(checkpoint, coverage=tuple(kept.values())))


def set_temperatures(path: str | os.PathLike[str], temperatures: Mapping[str, float]) -> None:
    """Store in a model file what the logits of its heads are divided by.

    Only the description is written, as `set_default` does. Answers get other confidences, so what was measured of their
    coverage is left out.

    Args:
        path: The model file.
        temperatures: Name of a head -> its temperature. Other heads keep theirs.

    Raises:
        OptionError: The file has no such head, or a temperature is not above 0.
        MissingFileError: There is no such file.
        CheckpointError: The file is no model file, or is damaged.
    """
    checkpoint = load_checkpoint(path)
    if unknown := sorted(set(temperatures) - {head.name for head in checkpoint.heads}):
        known = ", ".join(head.name for head in checkpoint.heads)
        raise OptionError(f"temperatures must be of {known}, got {', '.join(unknown)}")
    heads = tuple(replace(head, temperature=temperatures.get(head.name, head.temperature)) for head in checkpoint.heads)
    _rewrite(path, replace(checkpoint, heads=heads, coverage=()))


def _rewrite(path: str | os.PathLike[str], described: Checkpoint) -> None:
    """Write another description into a model file; the weights stay as they are, byte for byte."""
    content = replace_header(Path(path).read_bytes(), described._header())
    with write_atomically(Path(path)) as temporary:
        temporary.write_bytes(content)


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

    try:
        return create_meta_model(checkpoint.model, classes=sum(sizes(checkpoint.heads)), **checkpoint.arguments)
    except (ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(checkpoint.shown, f"its network cannot be made: {error}") from error


def _check_weights(network: Network, checkpoint: Checkpoint) -> None:
    """Refuse weights that do not fit the network that their description names."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: array.shape for name, array in checkpoint.weights.items()}
    if differing := sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name)):
        name = differing[0]
        raise CheckpointError(
            checkpoint.shown,
            f"{len(differing)} weights differ from those of {checkpoint.model!r}; {name}: "
            f"{found.get(name, 'not there')} in the file, {expected.get(name, 'not there')} in the network",
        )
