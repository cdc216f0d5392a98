"""The form of a model file: a safetensors file whose header also holds, as JSON, a description of the model.

No code runs when it is opened, and reading it needs no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.errors import CheckpointError, MissingFileError

FORMAT = 2
ONE_HEAD = 1  # the format whose files have `classes` in the place of heads
HEADER = "emonet"  # the key of the JSON in the file's header
LENGTH = 8  # bytes at the start of a safetensors file that say how long its header is

# Keys of `training`, which says in the header how the model came to be.
LEARNED_VALIDATION = "learned_validation"  # whether images that are published as validation were learned from
LEARNED_DEV = "learned_dev"  # data sets whose dev was learned from, also by the start; without it see `all_train`
TAUGHT_DEV = "taught_dev"  # data sets whose dev a teacher learned from
ADAPTED = "adapted"  # how `emonet adapt` added a head

Weights = dict[str, NDArray[Any]]


def read_model_file(path: Path) -> tuple[dict[str, Any], Weights]:
    """Read the description and the weights; what was stored in 16 bits comes in 32."""
    from safetensors.numpy import load_file

    header = read_header(path)
    return header, {
        name: array.astype(np.float32) if array.dtype == np.float16 else array
        for name, array in load_file(path).items()
    }


def read_header(path: Path) -> dict[str, Any]:
    """Read the description in a model file, without the weights.

    Raises:
        MissingFileError: There is no such file.
        CheckpointError: The file is no model file, or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise MissingFileError(f"no such model file: {path}; `emonet train` writes them")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise CheckpointError(path, f"not a safetensors file, or a damaged one: {error}") from error
    return _check_header(path, metadata)


def encode_model_file(header: Mapping[str, Any], weights: Mapping[str, NDArray[Any]], *, half: bool = False) -> bytes:
    """Make the content of a model file; `half` stores kernels in 16 bits."""
    from safetensors.numpy import save

    stored = {name: np.asarray(array, order="C") for name, array in weights.items()}
    if half:
        stored = {name: array.astype(np.float16) if _is_kernel(array) else array for name, array in stored.items()}
    return bytes(save(stored, {HEADER: json.dumps(header)}))


def fits_half(weights: Mapping[str, NDArray[Any]]) -> bool:
    """Say whether 16 bits hold all kernels as they are: those that were read from 16 bits, for one."""
    kernels = [array for array in weights.values() if _is_kernel(array)]
    return all(np.array_equal(round_to_half(array), array) for array in kernels)


def round_to_half(array: NDArray[Any]) -> NDArray[np.float32]:
    """Round numbers to those that 16 bits hold; numbers that are too large become infinite."""
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)


def replace_header(content: bytes, header: Mapping[str, Any]) -> bytes:
    """Replace the description in a safetensors file: 8 bytes of length, JSON of that length, then the weights."""
    weights = LENGTH + int.from_bytes(content[:LENGTH], "little")
    tensors = json.loads(content[LENGTH:weights])
    tensors["__metadata__"][HEADER] = json.dumps(header)
    text = json.dumps(tensors, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH)  # weights begin at a multiple of 8
    return len(text).to_bytes(LENGTH, "little") + text + content[weights:]


def as_array(weights: Any) -> NDArray[Any]:
    """Return weights as an array that shares its memory with the tensor, where they are one on the processor."""
    return weights if isinstance(weights, np.ndarray) else np.asarray(weights.detach().cpu().numpy())


def _check_header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if HEADER not in metadata:
        raise CheckpointError(path, "weights of something else: it has no description of emonet's")
    try:
        header = json.loads(metadata[HEADER])
    except json.JSONDecodeError as error:
        raise CheckpointError(path, f"its description is not JSON: {error}") from error
    found = header.get("format") if isinstance(header, dict) else None
    if found not in (ONE_HEAD, FORMAT):
        raise CheckpointError(path, f"format {found!r}, and this version reads {ONE_HEAD} and {FORMAT}")
    return dict(header)


def _is_kernel(array: NDArray[Any]) -> bool:
    return array.ndim > 1 and np.issubdtype(array.dtype, np.floating)
