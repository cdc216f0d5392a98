"""Whether a face in a photo is cut out as it was for training: FER2013's faces in large photos, found and cropped.

    python benchmarks/framing.py fer2013.csv [--faces 1000] [--model emonet]

Faces of PublicTest are enlarged to several sizes and put at several places into photos of 0.8 megapixels, their edges
repeated for a while. What the model answers to the crops of those that a detector finds is compared with what it
answers to the same faces directly, and between detectors on the faces that both find. How much of the difference
between detectors is chance shows a detector beside itself, in the same photos enlarged by a twentieth.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from emonet import EmotionPredictor
from emonet.datasets import READERS, Sample
from emonet.evaluation.metrics import wilson_interval
from emonet.prediction import Prediction
from facecrop import open_detector
from facecrop.images import Image

SIDES = (70, 110, 170, 260)  # pixels of a FER2013 photo, whose face is 0.8 as wide
WIDTH, HEIGHT = 1024, 768
LARGER = 1.05  # the same photo again, of which a detector finds the same faces, but for chance
EDGE = 0.5  # of the side: how far the edge is repeated, and fades into the background


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fer2013", type=Path)
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--model", default="emonet")
    parser.add_argument("--detectors", nargs="+", default=["yunet", "mtcnn", "dlib"])
    arguments = parser.parse_args()
    samples = [sample for sample in READERS["fer2013"](arguments.fer2013) if sample.split == "validation"]
    chosen = np.random.default_rng(0).permutation(len(samples))[: arguments.faces]
    samples = [samples[place] for place in chosen]
    answers = {}
    for name in arguments.detectors:
        predictor = EmotionPredictor(arguments.model, detector=open_detector(name))
        direct = predictor.predict_faces(sample.image.read() for sample in samples)
        answers[name] = [result.largest for result in predictor.predict_many(pasted(samples))]
        report(name, samples, direct, answers[name])
        larger = predictor.predict_many(map(enlarge, pasted(samples)))
        again = f"{name} in larger photos"
        compare(name, again, samples, {name: answers[name], again: [result.largest for result in larger]})
    for first, second in itertools.combinations(answers, 2):
        compare(first, second, samples, answers)


def compare(first: str, second: str, samples: list[Sample], answers: dict[str, list[Prediction | None]]) -> None:
    """Prints how the answers agree on the faces that two detectors both find."""
    rows = [
        (one.emotion == other.emotion, sample.emotion == one.emotion, sample.emotion == other.emotion)
        for sample, one, other in zip(samples, answers[first], answers[second], strict=True)
        if one is not None and other is not None
    ]
    same, rightly, other_rightly = np.mean(rows, axis=0)
    print(
        f"{first} and {second} both find {len(rows):,}: same answer {same:.1%}, right with {first} {rightly:.1%}, "
        f"with {second} {other_rightly:.1%}"
    )


def pasted(samples: list[Sample]) -> Iterator[Image]:
    """Each in a photo of its own."""
    rng = np.random.default_rng(1)
    for number, sample in enumerate(samples):
        side = SIDES[number % len(SIDES)]
        yield _paste(sample.image.read(), side, rng)


def enlarge(photo: Image) -> Image:
    """Enlarge a photo by a twentieth."""
    return np.asarray(cv2.resize(photo, None, fx=LARGER, fy=LARGER, interpolation=cv2.INTER_LINEAR), np.uint8)


def _paste(face: Image, side: int, rng: np.random.Generator) -> Image:
    edge = round(EDGE * side)
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    wide = cv2.copyMakeBorder(large, edge, edge, edge, edge, cv2.BORDER_REPLICATE).astype(np.float32)
    inside = np.zeros(wide.shape[:2], np.float32)
    inside[edge:-edge, edge:-edge] = 1
    distance = cv2.distanceTransform((1 - inside).astype(np.uint8), cv2.DIST_L2, 5)
    share = np.clip(1 - distance / edge, 0, 1)[..., None]
    ground = np.full((HEIGHT, WIDTH, 3), rng.integers(60, 180), np.float32) + rng.normal(0, 3, (HEIGHT, WIDTH, 1))
    x, y = int(rng.integers(0, WIDTH - len(wide))), int(rng.integers(0, HEIGHT - len(wide)))
    part = ground[y : y + len(wide), x : x + len(wide)]
    part[:] = share * wide + (1 - share) * part
    pasted: Image = np.rint(ground.clip(0, 255)).astype(np.uint8)
    return pasted


def report(name: str, samples: list[Sample], direct: list[Prediction], found: list[Prediction | None]) -> None:
    print(f"{name}: {sum(one is not None for one in found):,} of {len(found):,} faces are found")
    for side in (*SIDES, None):
        rows = [
            (sample.emotion == first.emotion, sample.emotion == second.emotion, first.emotion == second.emotion)
            for number, (sample, first, second) in enumerate(zip(samples, direct, found, strict=True))
            if second is not None and side in (None, SIDES[number % len(SIDES)])
        ]
        first, second, same = np.mean(rows, axis=0)
        low, high = wilson_interval(int(first * len(rows) + 0.5), len(rows))
        print(
            f"  {'all' if side is None else f'{side} pixels':>10}: {len(rows):>5,} faces, directly {first:.1%} "
            f"({low:.1%} to {high:.1%}), found and cropped {second:.1%} ({100 * (second - first):+.1f}), "
            f"same answer {same:.1%}"
        )


if __name__ == "__main__":
    main()
