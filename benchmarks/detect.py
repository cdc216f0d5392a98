"""Compares facecrop's detectors with the libraries they are built on, on the same photos in one run.

    python benchmarks/detect.py FOLDER [--fer2013 fer2013.csv] [--rows 28709] [--repeats 3]

FOLDER holds photos, and XML files in dlib's format with the faces people marked in them (without those, recall is not
printed). Montages of up to 12 megapixels are made of them. With --fer2013, the 48-pixel faces of its Training rows
are looked for as well. Rates are the best of the repeats: compare them with each other, not with other machines.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from annotated import MONTAGES, AnnotatedPhoto, fer2013_faces, montage, read_photos, recall
from peak import read_peak

from facecrop import Face, iter_images, open_detector
from facecrop.filtering import contrast, sharpness
from facecrop.images import Image
from facecrop.scanning import scan_batches

Detect = Callable[[Sequence[Image]], list[list[Face]]]

FACES = 500  # FER2013 faces that the peer is timed on
OURS, PEER = "facecrop mtcnn", "facenet-pytorch"
NAMES = ("yunet", "mtcnn", "dlib")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fer2013", type=Path, help="fer2013.csv")
    parser.add_argument("--rows", type=int, default=28_709, help="Training rows of FER2013 to look at")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--photos", type=int, default=1000, help="photos of the memory run; 0 leaves it out")
    arguments = parser.parse_args()
    if arguments.photos:
        print_memory(arguments.folder, arguments.photos)
    photos = read_photos(arguments.folder)
    photos += [montage(photos, *shape) for shape in MONTAGES]
    contenders = {PEER: facenet_pytorch(), "dlib, enlarged once": own_dlib()}
    contenders |= {f"facecrop {name}": open_detector(name).detect for name in NAMES}
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    answers = compare(photos, contenders, arguments.repeats)
    print_agreement(answers[PEER], answers[OURS])
    for name in ("yunet", "dlib"):
        print_eyes(answers, name)
    if arguments.fer2013:
        compare_crops(arguments.fer2013, arguments.rows, arguments.repeats)


def facenet_pytorch() -> Detect:
    """facenet-pytorch as its README has it: one photo at a time, at full size."""
    from facenet_pytorch import MTCNN

    mtcnn = MTCNN(keep_all=True)

    def detect(images: Sequence[Image]) -> list[list[Face]]:
        found = [mtcnn.detect(image) for image in images]
        return [[Face(b, s) for b, s in zip(*pair, strict=True)] if pair[0] is not None else [] for pair in found]

    return detect


def own_dlib() -> Detect:
    import dlib

    hog = dlib.get_frontal_face_detector()

    def detect(images: Sequence[Image]) -> list[list[Face]]:
        return [[Face((r.left(), r.top(), r.right(), r.bottom()), 0.0) for r in hog(image, 1)] for image in images]

    return detect


def compare(photos: list[AnnotatedPhoto], contenders: dict[str, Detect], repeats: int) -> dict[str, list[list[Face]]]:
    """Prints rates and recall by size of photo; returns everybody's faces in the order of the groups."""
    groups = {
        "small, under 0.3 MP": [photo for photo in photos if photo.megapixels < 0.3],
        "middle": [photo for photo in photos if 0.3 <= photo.megapixels < 2.5],
        "large, 2.5 to 12 MP": [photo for photo in photos if photo.megapixels >= 2.5],
    }
    answers: dict[str, list[list[Face]]] = {name: [] for name in contenders}
    for title, group in groups.items():
        if not group:
            continue
        print(f"{title}: {len(group)} photos, {sum(photo.megapixels for photo in group):.1f} megapixels")
        images = [photo.image for photo in group]
        rates = {}
        for name, detect in contenders.items():
            detect(images[:2])
            seconds, found = min((timed(detect, images) for _ in range(repeats)), key=lambda run: run[0])
            answers[name] += found
            rates[name] = len(group) / seconds
            times = rates[name] / rates[PEER]
            print(f"  {name:22} {rates[name]:8.2f} photos/s {times:7.2f} x the peer's   {recall(group, found)}")
    return answers


def timed(detect: Detect, images: Sequence[Image]) -> tuple[float, list[list[Face]]]:
    started = time.perf_counter()
    found = detect(images)
    return time.perf_counter() - started, found


def print_agreement(peers: list[list[Face]], ours: list[list[Face]]) -> None:
    overlaps = [
        max((face.overlap(other) for other in mine), default=0.0)
        for theirs, mine in zip(peers, ours, strict=True)
        for face in theirs
    ]
    both = [overlap for overlap in overlaps if overlap >= 0.5]
    print(f"\nOf the {len(overlaps)} faces of {PEER}, {OURS} finds {len(both)}; mean IoU of those {np.mean(both):.3f}")


def print_eyes(answers: dict[str, list[list[Face]]], other: str) -> None:
    """Where the eyes (as MTCNN sees them) lie in each detector's canonical box, over the faces that both found."""
    pairs = [
        (face, max(mtcnn, key=face.overlap))
        for mtcnn, others in zip(answers[OURS], answers[f"facecrop {other}"], strict=True)
        for face in others
        if mtcnn and max(map(face.overlap, mtcnn)) >= 0.5
    ]
    places = np.array([[eyes_in(box, mtcnn) for box in (mtcnn, theirs)] for theirs, mtcnn in pairs])
    print(f"\nEyes in the canonical box, medians over {len(pairs)} faces that both found")
    for name, (distance, line) in zip(("mtcnn", other), np.median(places, axis=0), strict=True):
        print(f"  {name:6} eye distance {distance:.3f} of the box's width, eye line {line:.3f} of its height")


def eyes_in(box: Face, landmarked: Face) -> tuple[float, float]:
    assert landmarked.landmarks is not None
    (x1, y1), (x2, y2) = landmarked.landmarks[:2]
    return float(np.hypot(x2 - x1, y2 - y1)) / box.width, ((y1 + y2) / 2 - box.box[1]) / box.height


def compare_crops(path: Path, rows: int, repeats: int) -> None:
    images = list(itertools.islice(fer2013_faces(path), rows))
    enlarged = [
        cv2.resize(image, (160, 160), interpolation=cv2.INTER_CUBIC).astype(np.uint8) for image in images[:FACES]
    ]
    print(f"\nFER2013, {len(images)} Training faces of 48 pixels ({PEER}: {len(enlarged)} of them, enlarged to 160)")
    contenders = {PEER: (facenet_pytorch(), enlarged)}
    contenders |= {f"facecrop {name}": (open_detector(name).detect, images) for name in ("yunet", "mtcnn")}
    answers, peer_rate = {}, None
    for name, (detect, searched) in contenders.items():
        part = searched[: 8 * FACES]
        seconds, _ = min((timed(detect, part) for _ in range(repeats)), key=lambda run: run[0])
        rate = len(part) / seconds
        peer_rate = peer_rate or rate
        answers[name] = detect(searched)
        any_face, one_face = np.mean([[len(faces) > 0, len(faces) == 1] for faces in answers[name]], axis=0)
        print(f"  {name:22} {rate:8.0f} faces/s {rate / peer_rate:7.2f} x the peer's")
        print(f"  {'':22} a face in {any_face:.1%} of {len(searched)}, exactly one in {one_face:.1%}")
    print_quality([(image, faces[0]) for image, faces in zip(images, answers[OURS], strict=True) if faces])


def print_quality(found: list[tuple[Image, Face]]) -> None:
    """What the rules on sharpness and contrast can be measured against."""
    for measure in (sharpness, contrast):
        low, median, high = np.percentile([measure(image, face) for image, face in found[::10]], [5, 50, 95])
        print(f"  {measure.__name__} of the faces: median {median:.0f}, nine in ten from {low:.0f} to {high:.0f}")


def print_memory(folder: Path, photos: int) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        early, late = pool.apply(peak_memory, (folder, photos))
    print(f"Peak memory of scan_batches: {early} MB after {photos // 10} photos, {late} MB after {photos}")


def peak_memory(folder: Path, photos: int) -> tuple[int, int]:
    endless = itertools.chain.from_iterable(iter_images(folder) for _ in itertools.count())
    batches = scan_batches(itertools.islice(endless, photos), open_detector("mtcnn"))
    peaks = []
    for count, _ in enumerate(itertools.chain.from_iterable(batches), start=1):
        if count in (photos // 10, photos):
            peaks.append(read_peak())
    return peaks[0], peaks[-1]


if __name__ == "__main__":
    main()
