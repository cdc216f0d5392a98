"""How fast expressions are read off photos, and how fast faces are classified, in one run.

    python benchmarks/predict.py FOLDER [--repeats 3] [--photos 10000]

FOLDER holds photos, and XML files in dlib's format with the faces people marked in them (without those, recall is not
printed). Montages of up to 12 megapixels are made of them. All are files on the disk. The peer takes one at a time:
Pillow opens it, facenet-pytorch's own MTCNN finds its faces, and the same classifier names them. Rates are the best of
the repeats: compare them with each other, not with other machines.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from annotated import MONTAGES, AnnotatedPhoto, montage, read_photos, recall
from peak import read_peak

from emonet import EmotionPredictor
from emonet.album import AlbumRun
from emonet.inference.devices import open_machine
from emonet.inference.loading import BUNDLED, load_model
from emonet.inference.torch_classifier import TorchClassifier
from facecrop import Face

FACES = 4096  # that are classified
THUMBNAIL = 320  # pixels a side of the photos in the memory run

Read = Callable[[list[Path]], list[list[Face]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--photos", type=int, default=10_000, help="photos of the memory run; 0 leaves it out")
    arguments = parser.parse_args()
    photos = read_photos(arguments.folder)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.photos:
            print_memory(photos, Path(folder), arguments.photos)
        print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
        compare(photos + [montage(photos, *shape) for shape in MONTAGES], Path(folder), arguments.repeats)
    classify(arguments.repeats)


def compare(photos: list[AnnotatedPhoto], folder: Path, repeats: int) -> None:
    """Prints rates and recall by size of photo."""
    predictor = EmotionPredictor()
    contenders: dict[str, Read] = {"one at a time": one_at_a_time(predictor), "emonet": together(predictor)}
    paths = dict(written(photos, folder))
    groups = {
        "small, under 0.3 MP": [place for place, one in enumerate(photos) if one.megapixels < 0.3],
        "middle": [place for place, one in enumerate(photos) if 0.3 <= one.megapixels < 2.5],
        "large, 2.5 to 12 MP": [place for place, one in enumerate(photos) if one.megapixels >= 2.5],
        "all": list(range(len(photos))),
    }
    for title, places in groups.items():
        if places:
            print(f"{title}: {len(places)} photos, {sum(photos[place].megapixels for place in places):.1f} megapixels")
            rate = None
            for name, read in contenders.items():
                files = [paths[place] for place in places]
                read(files[:2])
                seconds, found = min((timed(read, files) for _ in range(repeats)), key=lambda run: run[0])
                rate = rate or len(files) / seconds
                said = recall([photos[place] for place in places], found)
                print(f"  {name:14} {len(files) / seconds:7.2f} photos/s {len(files) / seconds / rate:6.2f} x   {said}")


def written(photos: list[AnnotatedPhoto], folder: Path) -> Iterator[tuple[int, Path]]:
    for place, photo in enumerate(photos):
        path = folder / f"{place}.jpg"
        PIL.Image.fromarray(photo.image).save(path, quality=95)
        yield place, path


def together(predictor: EmotionPredictor) -> Read:
    return lambda paths: [[one.face for one in result.predictions] for result in predictor.predict_many(paths)]


def one_at_a_time(predictor: EmotionPredictor) -> Read:
    """facenet-pytorch as its README has it, at full size, and the faces of a photo classified together."""
    from facenet_pytorch import MTCNN

    mtcnn = MTCNN(keep_all=True)

    def read(paths: list[Path]) -> list[list[Face]]:
        found = []
        for path in paths:
            image = PIL.Image.open(path).convert("RGB")
            boxes, scores = mtcnn.detect(image)
            faces = [] if boxes is None else [Face(box, score) for box, score in zip(boxes, scores, strict=True)]
            predictor.predict_faces([image.crop(face.box) for face in faces])
            found.append(faces)
        return found

    return read


def timed(read: Read, paths: list[Path]) -> tuple[float, list[list[Face]]]:
    started = time.perf_counter()
    found = read(paths)
    return time.perf_counter() - started, found


def classify(repeats: int) -> None:
    """Faces that are cut out already, in memory."""
    print(f"\n{FACES:,} faces in batches")
    for name, precision, view in itertools.product(BUNDLED, ("fp32", "bf16"), ("none", "mirror")):
        checkpoint = load_model(name)
        classifier = TorchClassifier(checkpoint.network(), checkpoint.input, open_machine("cpu", precision), view=view)
        size, channels = checkpoint.input.size, checkpoint.input.channels
        pixels = np.random.default_rng(0).integers(0, 256, (FACES, size, size, channels), np.uint8)
        classifier(pixels[:512])
        best = float("inf")
        for _ in range(repeats):
            started = time.perf_counter()
            classifier(pixels)
            best = min(best, time.perf_counter() - started)
        print(f"  {name:12} {precision} {view:7} {FACES / best:8,.0f} faces/s")


def print_memory(photos: list[AnnotatedPhoto], folder: Path, most: int) -> None:
    for count in (most // 10, most):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            megabytes = pool.apply(peak_memory, (photos, folder / f"{count}", count))
        print(f"Peak memory of emonet predict, its tables and album: {megabytes} MB for {count:,} photos")


def peak_memory(photos: list[AnnotatedPhoto], folder: Path, count: int) -> int:
    """Of a run over small photos."""
    for number in range(count):
        thumbnail = PIL.Image.fromarray(photos[number % len(photos)].image)
        thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
        (folder / "photos" / f"{number // 1000}").mkdir(parents=True, exist_ok=True)
        thumbnail.save(folder / "photos" / f"{number // 1000}" / f"{number:05}.jpg")
    AlbumRun(folder / "photos", folder / "out", EmotionPredictor("emonet_fast")).run(lambda *_: None)
    return read_peak()


if __name__ == "__main__":
    main()
