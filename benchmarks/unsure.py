"""When shall an answer be "unsure"? Counts faces that are none, and what becomes of small and blurred ones.

    python benchmarks/unsure.py photos fer2013.csv [--faces 2000] [--model emonet] [--detectors mtcnn yunet]

Real faces: those that people marked in the photos (XML files in dlib's format), at four scales, and faces of FER2013's
PublicTest laid over backgrounds, 12 to 80 pixels wide, some blurred, saved as JPEG. What is no face: everything that is
found in images without faces. These are the photos' backgrounds, the sample images of scikit-image, scikit-learn and
matplotlib in tiles, and patterns, at several scales and two ways up. Printed is, for each limit, how many false
faces it leaves and how many faces it doubts. Printed too is how often answers to faces of each size, sharpness, yaw and
confidence are right: by the label, or, for marked faces, by the answer to the same face in the photo as it is.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from annotated import AnnotatedPhoto, read_photos

from emonet import EmotionPredictor
from emonet.datasets import READERS, Sample
from emonet.prediction import DoubtRules, Prediction
from emonet.prediction.doubts import mark_unsure
from emonet.prediction.turned import look_if_turned
from facecrop import Detector, Face, open_detector, read_image
from facecrop.face import Box
from facecrop.filtering import sharpness
from facecrop.images import Image, encode_jpeg
from facecrop.scanning import ScannedPhoto
from facecrop.second_look import look_again

SCALES = (1.0, 0.6, 0.4, 0.25)  # of the photos with marked faces
ENLARGED = (0.5, 1.0, 2.0, 3.0)  # of backgrounds
SIDES = (15, 19, 22, 25, 28, 32, 40, 50, 64, 80, 100)  # pixels of a FER2013 image, whose face is 0.8 as wide
BLURS = (0.0, 0.0, 0.02, 0.05)  # sigma, as a share of the side
QUALITIES = (40, 60, 80, 95)
CELL, COLUMNS, ROWS = 160, 4, 3
MISSED = -np.inf
TILE = 250  # pixels of a part of a sample image


@dataclass(frozen=True)
class Found:
    """A face that the detector found, with what the limits look at."""

    face: Face
    second: float  # its score in its own crop
    sharpness: float
    said: Prediction
    image: Image
    label: str = ""  # the right answer, where there is one

    @property
    def is_right(self) -> bool:
        return self.said.emotion.value == self.label


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("fer2013", type=Path)
    parser.add_argument("--faces", type=int, default=900, help="faces of PublicTest that are laid over backgrounds")
    parser.add_argument("--crops", type=int, default=1500, help="images of PublicTest that are read as they are")
    parser.add_argument("--model", default="emonet")
    parser.add_argument("--turns", action="store_true", help="print only what becomes of photos on their side")
    parser.add_argument("--detectors", nargs="+", default=["mtcnn", "yunet"])
    arguments = parser.parse_args()
    photos = read_photos(arguments.photos)
    if arguments.turns:
        for name in arguments.detectors:
            print(f"# {name}")
            print_turns(open_detector(name), photos, list(list_grounds(photos)))
        return
    samples = [one for one in READERS["fer2013"](arguments.fer2013) if one.split == "validation"]
    grounds = list(list_grounds(photos))
    samples = [samples[place] for place in np.random.default_rng(0).permutation(len(samples))]
    montages = list(make_montages(samples[: arguments.faces], grounds))
    samples = samples[-arguments.crops :]
    print_confidence(arguments.model, samples)
    for name in arguments.detectors:
        measure(
            name, EmotionPredictor(arguments.model, detector=open_detector(name)), photos, grounds, montages, samples
        )


def measure(
    name: str,
    predictor: EmotionPredictor,
    photos: Sequence[AnnotatedPhoto],
    grounds: Sequence[Image],
    montages: Sequence[tuple[Image, dict[Box, str]]],
    samples: Sequence[Sample],
) -> None:
    """Print the tables of one detector."""
    named = [name_boxes(predictor, photo) for photo in photos if photo.boxes]
    marked = [scale_photo(image, boxes, scale) for scale in SCALES for image, boxes in named]
    real, extra = find(predictor, marked)
    pasted, beside = find(predictor, montages)
    _, false = find(predictor, [(image, {}) for image in grounds])
    total = sum(len(boxes) for _, boxes in marked)
    print(f"\n# {name}: {len(real)} of {total} marked faces found and {len(extra)} extra; {len(pasted)} of")
    print(f"{sum(len(boxes) for _, boxes in montages)} pasted faces, {len(beside)} extra; {len(false)} in")
    print(f"{len(grounds)} images without faces")
    false += beside
    print_limits("score", [0, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99], lambda one: one.face.score, real, pasted, false)
    print_limits("second score", [0.5, 0.8, 0.9, 0.95, 0.98, 0.99], lambda one: one.second, real, pasted, false)
    for least in (0.8, 0.9, 0.95, 0.99):
        print_limits(
            f"second score of those below {least}",
            [0.5, 0.8, 0.9, 0.95, 0.98],
            partial(score_below, least),
            real,
            pasted,
            false,
        )
    print_defaults(name, predictor, {"marked": real, "pasted": pasted, "no face": false})
    sizes = [0, 16, 20, 24, 28, 32, 40, 52, 999]
    print_answers("shorter side, pasted faces", sizes, lambda one: one.face.size, pasted)
    print_answers("shorter side, marked faces", sizes, lambda one: one.face.size, real)
    crowd = [photo.image for photo in photos if photo.boxes is None]
    _, unmarked = find(predictor, [scale_photo(image, {}, scale) for scale in SCALES for image in crowd])
    print_answers("shorter side, photos without marks", sizes, lambda one: one.face.size, unmarked)
    large = [one for one in pasted if one.face.width >= 24]
    print_answers("sharpness, from 24 px", [0, 5, 10, 15, 20, 30, 45, 70, 100, 150, 1e9], lambda o: o.sharpness, large)
    print_answers("shorter side, no face", [0, 20, 30, 50, 80, 9999], lambda one: one.face.size, false)
    alone, _ = find(predictor, [enlarge(sample) for sample in samples], again=False)
    print_answers("yaw, PublicTest", [0, 10, 20, 30, 40, 50, 60, 70, 91], lambda one: abs(one.face.yaw or 0), alone)
    print_answers("sharpness, PublicTest", [0, 30, 70, 120, 250, 500, 1e9], lambda one: one.sharpness, alone)
    print_turns(predictor.detector, photos, grounds)


def list_grounds(photos: Sequence[AnnotatedPhoto]) -> Iterator[Image]:
    """Images without faces: backgrounds of photos, sample images of packages, patterns; each in two ways up."""
    plain = [part for photo in photos for part in cut_backgrounds(photo)]
    plain += [*read_package_images(), *draw_patterns()]
    for number, image in enumerate(plain):
        scale = ENLARGED[number % len(ENLARGED)] if max(image.shape) < 400 else 1.0
        scaled = resize(image, scale, cv2.INTER_CUBIC)
        yield from (np.ascontiguousarray(np.rot90(scaled, turn)) for turn in (0, 1 + number % 3))


def resize(image: Image, scale: float, how: int) -> Image:
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=how), np.uint8)


def cut_backgrounds(photo: AnnotatedPhoto) -> Iterator[Image]:
    """The parts of a photo left, right, above and below all its marked faces."""
    if not photo.boxes:
        return
    x1, y1, x2, y2 = np.array(photo.boxes).T
    least = 0.6 * float((x2 - x1).max())  # hair, chin and ears are no background
    height, width = photo.image.shape[:2]
    left, top = int(x1.min() - least), int(y1.min() - least)
    right, bottom = int(x2.max() + least), int(y2.max() + least)
    parts = [(0, left, 0, height), (right, width, 0, height), (0, width, 0, top), (0, width, bottom, height)]
    for first, last, upper, lower in parts:
        if last - first >= 60 and lower - upper >= 60:
            yield photo.image[upper:lower, first:last]
            for x in range(first, last - 120, 120):
                for y in range(upper, lower - 120, 120):
                    yield photo.image[y : y + 120, x : x + 120]


def read_package_images() -> Iterator[Image]:
    """The sample images that the packages ship, but for those with a person's or a cat's face."""
    import matplotlib
    import skimage
    import sklearn.datasets

    with_faces = {"astronaut", "camera", "chelsea", "grace_hopper", "no_time_for_that_tiny"}
    folders = [Path(skimage.__file__).parent / "data", Path(sklearn.datasets.__file__).parent / "images"]
    for folder in [*folders, Path(matplotlib.get_data_path()) / "sample_data"]:
        for path in sorted(folder.iterdir()):
            if path.suffix in (".png", ".jpg") and path.stem not in with_faces:
                image = read_image(path)[:1000, :1000]
                yield image
                for y in range(0, image.shape[0] - TILE + 1, TILE):
                    yield from (image[y : y + TILE, x : x + TILE] for x in range(0, image.shape[1] - TILE + 1, TILE))


def draw_patterns() -> Iterator[Image]:
    """Noise of several grains."""
    rng = np.random.default_rng(0)
    for grain in (1, 4, 10, 20, 40):
        noise = rng.integers(0, 256, (360 // grain, 480 // grain, 3)).astype(np.uint8)
        yield np.asarray(cv2.resize(noise, (480, 360), interpolation=cv2.INTER_CUBIC), np.uint8)


def make_montages(samples: Sequence[Sample], grounds: Sequence[Image]) -> Iterator[tuple[Image, dict[Box, str]]]:
    """Lay faces over backgrounds, one in a cell; with each montage go the boxes of its faces and their labels."""
    rng = np.random.default_rng(1)
    large = [ground for ground in grounds if min(ground.shape[:2]) >= 200]
    count = COLUMNS * ROWS
    for start in range(0, len(samples) - count + 1, count):
        ground = large[rng.integers(len(large))]
        canvas = cv2.resize(ground, (COLUMNS * CELL, ROWS * CELL), interpolation=cv2.INTER_AREA).astype(np.float32)
        boxes = {}
        for place, sample in enumerate(samples[start : start + count]):
            side = SIDES[rng.integers(len(SIDES))]
            free = CELL - 2 * side if 2 * side < CELL else 0
            x, y = (int(value) * CELL + int(rng.integers(free + 1)) for value in divmod(place, ROWS))
            edge = min(side // 2, (CELL - side) // 2)
            paste(canvas[y : y + side + 2 * edge, x : x + side + 2 * edge], sample.image.read(), side, edge, rng)
            corner = (x + edge + 0.1 * side, y + edge + 0.1 * side)
            boxes[(*corner, corner[0] + 0.8 * side, corner[1] + 0.8 * side)] = str(sample.emotion)
        quality = int(rng.choice(QUALITIES))
        _, data = cv2.imencode(".jpg", np.rint(canvas.clip(0, 255)).astype(np.uint8)[..., ::-1], [1, quality])
        yield read_image(bytes(data)), boxes


def paste(part: np.ndarray, face: Image, side: int, edge: int, rng: np.random.Generator) -> None:
    """Draw a face into a part of an image, whose edges fade into it."""
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA if side < 48 else cv2.INTER_CUBIC)
    sigma = float(rng.choice(BLURS)) * side
    wide = cv2.copyMakeBorder(small, edge, edge, edge, edge, cv2.BORDER_REPLICATE).astype(np.float32)
    if sigma > 0.3:
        wide = cv2.GaussianBlur(wide, (0, 0), sigma).astype(np.float32)
    inside = np.zeros(wide.shape[:2], np.float32)
    inside[edge:-edge, edge:-edge] = 1
    distance = cv2.distanceTransform((1 - inside).astype(np.uint8), cv2.DIST_L2, 5)
    share = np.clip(1 - distance / edge, 0, 1)[..., None]
    part[:] = share * wide + (1 - share) * part


def name_boxes(predictor: EmotionPredictor, photo: AnnotatedPhoto) -> tuple[Image, dict[Box, str]]:
    """Give the marked faces of a photo the answer that they get in the photo as it is."""
    (faces,) = predictor.detector.detect([photo.image])
    said = predictor.classify_faces([(photo.image, face) for face in faces])
    return photo.image, {
        box: next((one.emotion.value for one in said if lies_in(one.face, box)), "") for box in photo.boxes or ()
    }


def scale_photo(image: Image, boxes: dict[Box, str], scale: float) -> tuple[Image, dict[Box, str]]:
    """Reduce a photo, save it as JPEG and read it."""
    reduced = resize(image, scale, cv2.INTER_AREA)
    moved = {(x1 * scale, y1 * scale, x2 * scale, y2 * scale): label for (x1, y1, x2, y2), label in boxes.items()}
    return read_image(encode_jpeg(reduced)), moved


def find(
    predictor: EmotionPredictor, images: Sequence[tuple[Image, dict[Box, str]]], *, again: bool = True
) -> tuple[list[Found], list[Found]]:
    """Find the faces of images: those that lie where one is, and all others."""
    real: list[Found] = []
    false: list[Found] = []
    for image, boxes in images:
        (faces,) = predictor.detector.detect([image])
        given = [(image, face) for face in faces]
        seconds = look_again(given, predictor.detector) if again else [MISSED] * len(given)
        said = predictor.classify_faces(given)
        for face, second, answer in zip(faces, seconds, said, strict=True):
            label = next((label for box, label in boxes.items() if lies_in(face, box)), None)
            one = Found(face, second, sharpness(image, face), answer, image, label or "")
            (false if label is None else real).append(one)
    return real, false


def enlarge(sample: Sample) -> tuple[Image, dict[Box, str]]:
    """Make an image of FER2013 a photo: three times as large, its edges repeated."""
    face = cv2.resize(sample.image.read(), (144, 144), interpolation=cv2.INTER_CUBIC)
    wide: Image = cv2.copyMakeBorder(face, 40, 40, 40, 40, cv2.BORDER_REPLICATE).astype(np.uint8)
    return wide, {(54, 54, 170, 170): str(sample.emotion)}


def lies_in(face: Face, box: Box) -> bool:
    (x, y), (x1, y1, x2, y2) = face.centre, box
    return (x1 <= x <= x2 and y1 <= y <= y2) and 0.4 < face.width / (x2 - x1) < 2.5


def print_limits(
    what: str,
    limits: Sequence[float],
    measured: Callable[[Found], float],
    real: Sequence[Found],
    pasted: Sequence[Found],
    false: Sequence[Found],
) -> None:
    print(f"{what}, at least | false faces left | marked faces doubted | pasted faces doubted")
    for limit in limits:
        left = sum(measured(one) >= limit for one in false)
        lost, doubted = (sum(measured(one) < limit for one in group) for group in (real, pasted))
        print(f"  {limit:>6} | {left:>4} of {len(false)} | {lost:>4} of {len(real)} | {doubted:>5} of {len(pasted)}")


def score_below(least: float, one: Found) -> float:
    """Return the second score of a face whose first is low; no limit doubts others."""
    return 2.0 if one.face.score >= least else one.second


def print_defaults(name: str, predictor: EmotionPredictor, groups: dict[str, Sequence[Found]]) -> None:
    """Print what becomes of the faces by the measured rules, and how often answers are right, before and after."""
    print(f"by DoubtRules.for_photos({name!r}) | faces | answered | right before | right after | right of the unsure")
    for what, found in groups.items():
        seen = [(one.image, one.said) for one in found]
        marked = mark_unsure(seen, DoubtRules.for_photos(name), predictor.detector)
        reasons = np.array([one.unsure for one in marked])
        right = np.array([one.is_right for one in found])
        sure = reasons == ""
        shares = " | ".join(f"{part.mean():.1%}" if len(part) else "-" for part in (right, right[sure], right[~sure]))
        print(f"  {what} | {len(found)} | {sure.mean():.1%} | {shares} | {dict(Counter(reasons[~sure].tolist()))}")
        small = np.array([one.face.size <= 30 for one in found])
        for when, group in (("before", small), ("after", small & sure)):
            said = Counter(one.said.emotion.value for one, shown in zip(found, group, strict=True) if shown)
            print(f"    up to 30 pixels, {when}: {group.sum()}, {dict(said.most_common(4))}")


def print_answers(
    what: str, edges: Sequence[float], measured: Callable[[Found], float], found: Sequence[Found]
) -> None:
    print(f"{what} | faces | right | commonest answers")
    for low, high in itertools.pairwise(edges):
        group = [one for one in found if low <= measured(one) < high]
        if group:
            said = Counter(one.said.emotion.value for one in group).most_common(4)
            shares = ", ".join(f"{name} {count / len(group):.0%}" for name, count in said)
            print(
                f"  {low:g} to {high:g} | {len(group):>5} | {np.mean([one.is_right for one in group]):.1%} | {shares}"
            )


def print_turns(detector: Detector, photos: Sequence[AnnotatedPhoto], grounds: Sequence[Image]) -> None:
    """Print how many photos are read as they stand when they lie on their side, and what it costs without a face."""
    lying = [(photo, turn) for photo in photos if photo.boxes for turn in (1, 2, 3)]
    righted = faces = 0
    for photo, turn in lying:
        (upright,) = detector.detect([photo.image])
        image = np.ascontiguousarray(np.rot90(photo.image, -turn))
        found = look_if_turned(scan(image, detector), detector).faces
        righted += len(found) == len(upright) and all(face.turn == 90 * turn for face in found)
    for image in grounds[::2]:
        faces += sum(face.turn != 0 for face in look_if_turned(scan(image, detector), detector).faces)
    print(f"photos on their side: {righted} of {len(lying)} have the faces of the upright one")
    print(f"images without faces: {faces} faces more by turning {len(grounds[::2])} of them")


def scan(image: Image, detector: Detector) -> ScannedPhoto[int]:
    (faces,) = detector.detect([image])
    return ScannedPhoto(0, image, tuple(faces))


def print_confidence(model: str, samples: Sequence[Sample]) -> None:
    """Print how often answers are right, and how many are left, where those below a confidence are not given."""
    said = EmotionPredictor(model).predict_faces(sample.image.read() for sample in samples)
    confidence = np.array([one.confidence for one in said])
    right = np.array([one.emotion == sample.emotion for one, sample in zip(said, samples, strict=True)])
    print("least confidence | answered | right among these | right among the others")
    for limit in (0, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9):
        kept = confidence >= limit
        others = f"{right[~kept].mean():.1%}" if (~kept).any() else ""
        print(f"  {limit:>4} | {kept.mean():.1%} | {right[kept].mean():.1%} | {others}")


if __name__ == "__main__":
    main()
