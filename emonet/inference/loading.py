"""Open a model: one that comes with the package, by its name, or any other, by the path of its file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.errors import CheckpointError, OptionError

if TYPE_CHECKING:
    from emonet.inference.checkpoint import Checkpoint
    from emonet.inference.onnx_model import OnnxModel

FOLDER = Path(__file__).parents[1] / "weights"
RUN_MODEL = "model.safetensors"  # in the folder of a run, also of several networks that are averaged
HUB = "hf://"  # before the name of a repository on the Hugging Face Hub
BUNDLED = ("emonet", "emonet_fast")  # each is a model file in FOLDER, beside its card


def load_model(model: str | os.PathLike[str]) -> Checkpoint:
    """Open a model that comes with the package, or a model file.

    Args:
        model: `emonet`, `emonet_fast`, or the path of a model file or of the folder of a run. A path has a dot or a
            folder in it, or is that of a folder. `hf://somebody/faces` is fetched from the Hugging Face Hub.

    Returns:
        The model with its weights.

    Raises:
        OptionError: No model of this name comes with the package.
        MissingFileError: There is no such file.
        CheckpointError: The file is no model file, or is damaged.

    Examples:
        >>> from emonet.inference import load_model
        >>> model = load_model("emonet_fast")
        >>> [str(emotion) for emotion in model.classes]
        ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral']
    """
    from emonet.inference.checkpoint import load_checkpoint

    if is_onnx_file(model):
        raise CheckpointError(model, "an ONNX file, which can only predict; here a model file is needed")
    if not is_file_name(model) and str(model) not in BUNDLED:
        raise OptionError(f"no model {str(model)!r}: there are {', '.join(BUNDLED)}, and model files by their path")
    return load_checkpoint(find_model_file(model))


def find_model_file(model: str | os.PathLike[str]) -> Path:
    """Find the file of a model, which need not exist: of a bundled one, in the folder of a run, or on the Hub.

    Raises:
        MissingFileError: The Hub has no such model, or cannot be reached.
        CheckpointError: The path is a folder without a model.
    """
    if str(model) in BUNDLED:
        return FOLDER / f"{model}.safetensors"
    if str(model).startswith(HUB):
        from emonet.inference.sharing import download

        return download(str(model).removeprefix(HUB))
    path = Path(model)
    if not path.is_dir():
        return path
    if not (path / RUN_MODEL).is_file():
        raise CheckpointError(path, f"a folder without {RUN_MODEL}, which `emonet train` writes when it has ended")
    return path / RUN_MODEL


def is_bundled(path: Path | None) -> bool:
    """Tell whether a model file is one that comes with the package."""
    return path is not None and path.stem in BUNDLED and path.resolve().parent == FOLDER.resolve()


def load_to_predict(model: str | os.PathLike[str]) -> Checkpoint | OnnxModel:
    """Open whatever predicts: what `load_model` opens, or an ONNX file that `emonet export` wrote.

    Args:
        model: `emonet`, `emonet_fast`, or a path.

    Raises:
        OptionError: No model of this name comes with the package.
        MissingFileError: There is no such file.
        CheckpointError: The file is neither, or is damaged.
    """
    if is_onnx_file(model):
        from emonet.inference.onnx_model import load_onnx_model

        return load_onnx_model(Path(model))
    return load_model(model)


def is_onnx_file(model: str | os.PathLike[str]) -> bool:
    """Tell whether an ONNX file is meant, by its ending."""
    return Path(model).suffix.lower() == ".onnx"


def is_file_name(model: str | os.PathLike[str]) -> bool:
    """Tell whether a file or a folder is meant: a path has a dot or a folder in it, or is a folder."""
    path = Path(model)
    return bool(path.suffix) or len(path.parts) > 1 or (str(model) not in ("", *BUNDLED) and path.is_dir())
