"""How fast the faces of a film are named, and how well they are followed.

    python benchmarks/video.py FOLDER [--seconds 10] [--repeats 3] [--size 596x336] [--peer PYTHON]

FOLDER holds photos. Faces are cut out of them and moved over a photo without a face, on lanes of their own, so that
they do not overlap: films of one, two and three faces, 640 x 360, 30 frames a second (MPEG-4, written by OpenCV). Each
is read by `predict_video` with the bundled model, decoding, detection and classification included, beside a loop that
reads frames with OpenCV and calls `predict` of the same predictor for each. Rates are the best of the repeats; beside
the clock's stands that of the processor time of all threads, which says less of what else the machine does. Switches
are counted against the true places: another track for a face that had one, or a track that goes over to another face.

With --peer, `fer`'s Video.analyze, under the interpreter PYTHON of an environment that has `fer`, and emonet read the
same films by turns, each in a process of its own with one thread: put `taskset -c 0` before the command.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emonet import EmotionPredictor, FrameResult, predict_video
from emonet.errors import ImageError
from facecrop import Face, find_faces, iter_images
from facecrop.face import Box
from facecrop.images import Image

RATE = 30
LANE = 195  # pixels: the width of the lane that a face has for itself
FACE = 110  # pixels: the height of a face's box, which grows and shrinks by a fifth
MARGIN = 0.35  # of the box's width, around a face that is cut out
LEAST_FACE = 60  # pixels in the photo
READERS = ("emonet", "fer", "emonet-files", "fer-files")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")


@dataclass(frozen=True)
class Cutout:
    """A face with what is around it, and where its box is in that, in shares of its width and height."""

    image: Image
    box: Box


@dataclass(frozen=True)
class Clip:
    """A film and the true boxes of each frame, in the order of the faces."""

    path: Path
    boxes: list[list[Box]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", default="640x360", help="width and height of the films")
    parser.add_argument("--peer", type=Path, help="the interpreter of an environment that has fer")
    parser.add_argument("--readers", nargs="+", default=READERS, choices=READERS)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    cutouts, background = cut_out(arguments.folder, (width, height))
    predictor = EmotionPredictor(detector="yunet", tta="none")
    print(f"{cv2.getNumThreads()} threads, load {os.getloadavg()[0]:.1f}, OpenCV {cv2.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        for faces in (1, 2, 3):
            path = Path(folder) / f"{faces}.mp4"
            clip = write_clip(path, cutouts[:faces], background, round(RATE * arguments.seconds))
            if arguments.peer:
                compare_with_peer(clip, arguments.peer, arguments.repeats, arguments.readers)
            else:
                compare(clip, predictor, arguments.repeats)


def compare_with_peer(clip: Clip, peer: Path, repeats: int, readers: Sequence[str]) -> None:
    print(f"\n{len(clip.boxes[0])} faces, {len(clip.boxes)} frames; frames/s by processor time, and by the clock")
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in readers}
    for _ in range(repeats):  # by turns, so that what else the machine does hits all alike
        for name, before in runs.items():
            before.append(read_apart(name, clip.path, peer if name.startswith("fer") else Path(sys.executable)))
    for name, found in runs.items():
        rates = [[one["frames"] / one[key] for one in found] for key in ("processor_s", "clock_s")]
        each = "; ".join(", ".join(f"{rate:.1f}" for rate in some) for some in rates)
        ratio = statistics.median(one["frames"] / one["processor_s"] for one in runs["fer"])
        print(
            f"  {name:14} {statistics.median(rates[0]):6.1f}, {statistics.median(rates[1]):6.1f}  ({each}), "
            f"{statistics.median(rates[0]) / ratio:4.2f} x fer, {found[0]['faces']:.0f} faces",
            flush=True,
        )


def read_apart(name: str, film: Path, python: Path) -> dict[str, float]:
    """Read a film in a process of its own."""
    command = [str(python), str(Path(__file__).with_name("video_reader.py")), name, str(film)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_THREAD}, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def compare(clip: Clip, predictor: EmotionPredictor, repeats: int) -> None:
    contenders: dict[str, Callable[[], list[FrameResult]]] = {
        "each frame": lambda: list(one_at_a_time(clip.path, predictor)),
        "predict_video": lambda: list(predict_video(clip.path, predictor)),
        "classify_s=0": lambda: list(predict_video(clip.path, predictor, classify_s=0)),
    }
    print(f"\n{len(clip.boxes[0])} faces, {len(clip.boxes)} frames")
    for name, read in contenders.items():
        read()
        runs = [timed(read) for _ in range(repeats)]
        frames = len(runs[0][2])
        clock, processor = frames / min(run[0] for run in runs), frames / min(run[1] for run in runs)
        said = describe(clip, runs[0][2]) if name != "each frame" else ""
        times = ", ".join(f"{frames / run[0]:.0f}" for run in runs)
        print(
            f"  {name:14} {clock:6.1f} frames/s ({times}), {clock / RATE:4.1f} x real time; "
            f"{processor:6.1f} frames a second of processor time  {said}"
        )


def one_at_a_time(path: Path, predictor: EmotionPredictor) -> Iterator[FrameResult]:
    capture = cv2.VideoCapture(str(path))
    index = 0
    while True:
        ok, pixels = capture.read()
        if not ok:
            return
        predictor.predict(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8))
        yield FrameResult(index, index / RATE)
        index += 1


def timed(read: Callable[[], list[FrameResult]]) -> tuple[float, float, list[FrameResult]]:
    clock, processor = time.perf_counter(), time.process_time()
    results = read()
    return time.perf_counter() - clock, time.process_time() - processor, results


def describe(clip: Clip, results: Sequence[FrameResult]) -> str:
    """Count what was found, and switches between tracks."""
    found = extra = switches = 0
    track_of: dict[int, int] = {}
    face_of: dict[int, int] = {}
    for boxes, result in zip(clip.boxes, results, strict=True):
        free = list(result.predictions)
        for number, box in enumerate(boxes):
            best = max(free, key=lambda one: one.face.overlap(box), default=None)
            if best is None or best.face.overlap(box) < 0.3:
                continue
            free.remove(best)
            found += 1
            switches += track_of.get(number, best.track) != best.track or face_of.get(best.track, number) != number
            track_of[number], face_of[best.track] = best.track, number
        extra += len(free)
    total = sum(map(len, clip.boxes))
    return f"found {found / total:.1%}, {extra} extra, {switches} switches"


def cut_out(folder: Path, size_wh: tuple[int, int]) -> tuple[list[Cutout], Image]:
    """Cut the largest face out of each photo; a photo without a face is the background."""
    cutouts: list[Cutout] = []
    background: Image = np.full((size_wh[1], size_wh[0], 3), 128, np.uint8)
    for _, image in iter_images(folder):
        if isinstance(image, ImageError):
            continue
        faces = find_faces(image, "yunet")
        if not faces:
            background = np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
        elif (largest := max(faces, key=lambda face: face.area)).height >= LEAST_FACE:
            cutouts.append(cut(image, largest))
    if len(cutouts) < 3:
        raise SystemExit(f"{folder} must have three photos with a face of at least {LEAST_FACE} pixels")
    return cutouts, background


def cut(image: Image, face: Face) -> Cutout:
    margin = MARGIN * face.width
    x1, y1, x2, y2 = face.box
    left, top = max(0, int(x1 - margin)), max(0, int(y1 - margin))
    right, bottom = min(image.shape[1], int(x2 + margin)), min(image.shape[0], int(y2 + margin))
    wide, high = right - left, bottom - top
    box = ((x1 - left) / wide, (y1 - top) / high, (x2 - left) / wide, (y2 - top) / high)
    return Cutout(image[top:bottom, left:right], box)


def write_clip(path: Path, cutouts: Sequence[Cutout], background: Image, frames: int) -> Clip:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, background.shape[1::-1])
    boxes = []
    for index in range(frames):
        canvas = background.copy()
        boxes.append([paste(canvas, one, number, index / RATE) for number, one in enumerate(cutouts)])
        writer.write(cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))
    writer.release()
    return Clip(path, boxes)


def paste(canvas: Image, one: Cutout, number: int, time_s: float) -> Box:
    """Draw a face where it is at a time, inside an ellipse with soft edges; return its box."""
    turn = 2 * math.pi * time_s / (3 + number) + number
    high = FACE * (1 + 0.2 * math.sin(0.7 * turn)) / (one.box[3] - one.box[1])
    wide = high * one.image.shape[1] / one.image.shape[0]
    wide, high = min(round(wide), LANE - 2), min(round(high), canvas.shape[0] - 2)
    image = cv2.resize(one.image, (wide, high), interpolation=cv2.INTER_AREA)
    mask = np.zeros((high, wide), np.float32)
    cv2.ellipse(mask, (wide // 2, high // 2), (wide // 2 - 4, high // 2 - 4), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)[..., None]
    left = 10 + number * LANE + round((LANE - wide) / 2 * (1 + math.sin(turn)))
    top = round((canvas.shape[0] - high) / 2 * (1 + math.cos(1.3 * turn)))
    under = canvas[top : top + high, left : left + wide]
    canvas[top : top + high, left : left + wide] = (mask * image + (1 - mask) * under).astype(np.uint8)
    x1, y1, x2, y2 = one.box
    return left + x1 * wide, top + y1 * high, left + x2 * wide, top + y2 * high


if __name__ == "__main__":
    main()
