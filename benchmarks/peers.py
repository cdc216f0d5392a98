"""Score the network that the library `fer` brings beside ours, on the same face crops.

    python benchmarks/peers.py STORE [--peer PYTHON] [--split validation]

PYTHON is the interpreter of an environment in which `fer` is installed (pip install fer). STORE has FER2013's images as
they are (`emonet build --detector whole`), with FER+'s votes. Both networks see these crops, without a detector, which
are what both learned from: FER2013's Training split. `fer` learned from all of it, with the copies of test images that
`emonet` left out. Accuracy is of the published labels, and of what most of ten people see, with 95 % intervals; faces
are also shrunk to 20 pixels. Ours answer with the head for labels and with that for what people see.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emonet.datasets import open_store
from emonet.evaluation.intervals import estimate_share
from emonet.evaluation.sizes import shrink_faces
from emonet.evaluation.votes import seen_majority
from emonet.faces import Faces, read_faces
from emonet.html.formatting import markdown_table
from emonet.inference import load_model, open_machine
from emonet.inference.classifier import open_classifier
from emonet.labels import Emotion

SIZES = (48, 20)
# Runs in the environment of the peer. Its constructor makes a Haar detector, which newer releases of OpenCV lack.
PEER = """
import sys
import cv2
import numpy as np
cv2.CascadeClassifier = getattr(cv2, "CascadeClassifier", lambda *_: None)
from fer.fer import FER
network = FER()
pixels = np.load(sys.argv[1])
faces = np.array([cv2.resize(face, (64, 64)) for face in pixels], np.float32) / 255
probabilities = [network._classify_emotions((part - 0.5) * 2) for part in np.array_split(faces, 20)]
np.save(sys.argv[2], np.concatenate([np.asarray(part) for part in probabilities]))
"""
PEER_CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

Places = NDArray[np.int64]  # of expressions in `Emotion`


def main() -> None:
    """Print a table: a row for each network, head and size of faces."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("store", type=Path)
    options.add_argument("--peer", type=Path, help="the Python of an environment with fer; without it, ours alone")
    options.add_argument("--split", default="validation")
    given = options.parse_args()
    faces = read_faces(open_store(given.store), [given.split], load_model("emonet").input)
    truths = {"labels": place(faces.classes)[faces.labels], "voters": seen_majority(faces)}
    rows = [
        (name, f"{size} px", *(describe(answers, truth) for truth in truths.values()))
        for size in SIZES
        for name, answers in answer(faces, size, given.peer)
    ]
    print(markdown_table(("network", "faces", f"labels, {given.split}", "majority of voters"), rows))


def answer(faces: Faces, size: int, peer: Path | None) -> Iterator[tuple[str, Places]]:
    """Let all networks name the expressions of faces of one size."""
    pixels = shrink_faces(faces.array, size)
    if peer is not None:
        yield "fer", ask_peer(pixels, peer)
    for name in ("emonet", "emonet_fast"):
        model = load_model(name)
        probabilities = open_classifier(model, open_machine("cpu", "fp32"))(pixels)
        for head in ("fer2013", "seen"):
            choice = model.choice(head, "training")
            yield f"{name}, head {head}", place(choice.classes)[choice(probabilities).argmax(1)]


def ask_peer(pixels: NDArray[np.uint8], peer: Path) -> Places:
    """Let `fer` answer in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        given, answered = Path(folder, "pixels.npy"), Path(folder, "answers.npy")
        np.save(given, pixels[..., 0])
        subprocess.run([peer, "-c", PEER, given, answered], check=True, stdout=sys.stderr)
        answers: Places = np.load(answered).argmax(1)
        return place(list(map(Emotion, PEER_CLASSES)))[answers]


def place(classes: Sequence[Emotion]) -> Places:
    """Find the place of each class among all expressions."""
    return np.array([list(Emotion).index(one) for one in classes])


def describe(answers: Places, truth: Places) -> str:
    """Write the share of right answers where there is a truth, with its interval."""
    known = truth >= 0
    right = answers[known] == truth[known]
    low, high = estimate_share(right).ends
    return f"{right.mean():.2%} of {known.sum():,} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
