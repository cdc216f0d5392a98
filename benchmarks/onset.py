"""How many frames emonet.datasets.onset is off where it says that an expression begins, on sequences made of photos.

    python benchmarks/onset.py [FOLDER] [--repeats 4] [--detect]

Real faces (of the photos in FOLDER, or scikit-image's portrait) are warped along known curves of activation, in frames
like CK+'s, with one disturbance at a time. The truth is the first frame with half of the last frame's activation.
Printed are the errors in frames of the rule `auto`, from the pictures alone and from 68 noisy landmarks, beside those
of the rules that look at nothing. --detect takes the boxes from MTCNN in every frame instead of disturbing the true one.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from annotated import Picture, read_pictures
from numpy.typing import NDArray

from emonet.datasets.onset import OnsetRule, find_onset
from facecrop import Face, open_detector
from facecrop.images import Image

Array = NDArray[np.float64]
Rng = np.random.Generator

SIZE_WH = (640, 490)
LEAST_WIDTH, MOST_YAW = 80, 20  # pixels and degrees of the faces that are taken
STEP = 5  # pixels between the nodes on which warps are computed
LENGTHS = (6, 71)
METHODS = ("auto", "auto, landmarks", "fraction=0.5", "last=3")

# Smooth moves about MTCNN's landmarks, in distances between the eyes, for the viewer's right half of the face: where
# from (eye, nose, corner of the mouth or its middle), how far off, which way and how wide. The left half mirrors them.
Move = tuple[str, tuple[float, float], tuple[float, float], float]
EXPRESSIONS: dict[str, list[Move]] = {
    "smile": [
        ("corner", (0.0, 0.0), (0.8, -0.6), 0.22),
        ("eye", (0.0, 0.4), (0.1, -0.4), 0.25),
        ("eye", (0.0, 0.1), (0, -0.2), 0.1),
    ],
    "open": [("mouth", (0.0, 0.3), (0.0, 0.5), 0.35), ("eye", (0.0, -0.35), (0.0, -0.7), 0.25)],
    "frown": [
        ("eye", (-0.25, -0.3), (-0.5, 0.8), 0.2),
        ("mouth", (0.0, 0.15), (0.0, -0.25), 0.15),
        ("eye", (0.0, 0.1), (0.0, -0.3), 0.12),
    ],
    "sad": [("corner", (0.0, 0.0), (0.2, 0.9), 0.2), ("eye", (-0.25, -0.3), (-0.2, -0.6), 0.18)],
    "disgust": [
        ("mouth", (0.0, -0.15), (0.0, -0.5), 0.2),
        ("nose", (0.0, 0.0), (0.0, -0.25), 0.2),
        ("eye", (0.0, 0.12), (0.0, -0.5), 0.15),
        ("eye", (-0.1, -0.3), (0.0, 0.6), 0.2),
    ],
    "stretch": [("corner", (0.0, 0.05), (1.0, 0.2), 0.25), ("eye", (0.0, -0.35), (0.0, -0.5), 0.25)],
}
# Folds, shadows and teeth: where, how far off, how wide, and by how many grey levels.
Shade = tuple[str, tuple[float, float], float, float]
SHADES: dict[str, list[Shade]] = {
    "smile": [("corner", (0.05, -0.25), 0.1, -25), ("mouth", (0.0, 0.0), 0.12, 40)],
    "open": [("mouth", (0.0, 0.12), 0.15, -60)],
    "frown": [("eye", (-0.45, -0.2), 0.08, -30)],
    "sad": [("corner", (0.1, 0.05), 0.08, -20)],
    "disgust": [("nose", (0.25, 0.0), 0.1, -30)],
    "stretch": [("mouth", (0.0, 0.0), 0.12, 30)],
}


@dataclass(frozen=True)
class Actor:
    """A face in a frame of CK+'s size."""

    image: Image
    face: Face

    @property
    def axes(self) -> Array:
        """The distance between the eyes as vectors to the right and down: rows of (2, 2)."""
        left, right = np.array(self.face.landmarks)[:2]
        return np.array([right - left, [left[1] - right[1], right[0] - left[0]]])

    def anchors(self, name: str) -> list[tuple[Array, int]]:
        """Where a move is anchored, and whether it is as written (1) or mirrored (-1)."""
        points = np.array(self.face.landmarks)
        pairs = {"eye": (points[1], points[0]), "corner": (points[4], points[3])}
        middle = (points[3] + points[4]) / 2 if name == "mouth" else points[2]
        return list(zip(pairs.get(name, (middle, middle)), (1, -1), strict=True))


@dataclass
class Script:
    """What happens in a sequence: one entry a frame, and nothing at all by default."""

    curve: Array
    moves: list[tuple[Array, Array, float]]  # place, way and width in pixels
    shades: list[tuple[Array, float, float]]
    noise: float = 1.0
    quality: int | None = None
    jitter: float = 2.0
    blinks: dict[int, float] = field(default_factory=dict)  # frame -> how far the eyes are closed
    shift: Array = field(default_factory=lambda: np.zeros(0))  # (n, 5): x, y in pixels, roll, zoom, turn
    light: Array = field(default_factory=lambda: np.zeros(0))  # (n, 3): gain, offset, slope over the face


# ---- curves


def still(n: int, rng: Rng) -> Array:
    start = rng.uniform(0.2, 0.7) * n
    return np.clip((np.arange(n) - start) / (n - 1 - start), 0, 1)


def linear(n: int, _: Rng) -> Array:
    return np.linspace(0, 1, n)


def late(n: int, rng: Rng) -> Array:
    return np.linspace(0, 1, n) ** rng.uniform(4, 10)


def early(n: int, rng: Rng) -> Array:
    return np.clip(np.arange(n) / max(1.0, rng.uniform(0.2, 0.5) * n), 0, 1)


def sigmoid(n: int, rng: Rng) -> Array:
    curve = 1 / (1 + np.exp(-rng.uniform(8, 20) * (np.linspace(0, 1, n) - rng.uniform(0.3, 0.7))))
    return (curve - curve[0]) / (curve[-1] - curve[0])


def step(n: int, rng: Rng) -> Array:
    return (np.arange(n) >= rng.integers(1, n)).astype(float)


CURVES: dict[str, Callable[[int, Rng], Array]] = {
    curve.__name__: curve for curve in (still, linear, late, early, sigmoid, step)
}

# ---- disturbances


def blink(script: Script, rng: Rng) -> None:
    n = len(script.curve)
    for start in rng.choice(n, rng.integers(1, 3), replace=False):
        for frame in range(start, min(n, start + rng.integers(1, 4))):
            script.blinks[frame] = rng.uniform(0.5, 1)


def wander(n: int, rng: Rng, most: Sequence[float]) -> Array:
    """Smooth random walks that begin at 0, (n, len(most)), each at most as far as told."""
    knots = np.vstack([np.zeros(len(most)), rng.uniform(-1, 1, (3, len(most)))])
    times = np.linspace(0, 3, n)
    return np.stack([np.interp(times, range(4), knots[:, i]) * far for i, far in enumerate(most)], axis=1)


def head(script: Script, rng: Rng) -> None:
    script.shift = wander(len(script.curve), rng, (12, 12, np.radians(4), 0.04, 0.03))


def light(script: Script, rng: Rng) -> None:
    script.light = wander(len(script.curve), rng, (0.25, 20, 40)) + [1, 0, 0]


def noise(script: Script, rng: Rng) -> None:
    script.noise, script.quality = rng.uniform(3, 8), int(rng.integers(35, 80))


def boxes(script: Script, _: Rng) -> None:
    script.jitter = 6.0


def everything(script: Script, rng: Rng) -> None:
    for disturb in (blink, head, light, noise):
        disturb(script, rng)


def nothing(*_: object) -> None:
    pass


DISTURBANCES: dict[str, Callable[[Script, Rng], None]] = {
    disturb.__name__: disturb for disturb in (nothing, blink, head, light, noise, boxes, everything)
}

# ---- playing a script


def scripted(actor: Actor, curve: Array, rng: Rng) -> Script:
    """A random expression of 3 to 10 % of the face's width, with folds and shadows half of the time."""
    name = str(rng.choice(list(EXPRESSIONS)))
    axes, far = actor.axes, rng.uniform(0.03, 0.1) * actor.face.width
    eyes = float(np.linalg.norm(axes[0]))
    moves, shades = [], []
    for where, off, way, wide in EXPRESSIONS[name]:
        for place, side in actor.anchors(where):
            flip = np.array([side, 1])
            moves.append((place + (off * flip) @ axes, (way * flip) @ axes * (far / eyes), wide * eyes))
    for where, off, wide, levels in SHADES[name] if rng.random() < 0.5 else []:
        for place, side in actor.anchors(where):
            shades.append((place + (off * np.array([side, 1])) @ axes, wide * eyes, levels))
    n = len(curve)
    script = Script(curve, moves, shades)
    script.shift, script.light = np.zeros((n, 5)), np.zeros((n, 3)) + [1, 0, 0]
    return script


def bump(points: Array, place: Array, wide: float) -> Array:
    return np.exp(-((points - place) ** 2).sum(axis=-1) / (2 * wide**2))


def displacement(points: Array, script: Script) -> Array:
    return sum((bump(points, place, wide)[..., None] * way for place, way, wide in script.moves), np.zeros_like(points))


def shifted(points: Array, shift: Array, face: Face) -> Array:
    """Points of the face where the head carries them: shift, roll, zoom and a turn that moves what stands out."""
    x, y, roll, zoom, turn = shift
    off = points - face.centre
    turned = turn * face.width * bump(points, np.array(face.centre), 0.4 * face.width)
    cos, sin = np.cos(roll) * (1 + zoom), np.sin(roll) * (1 + zoom)
    rolled = off @ np.array([[cos, sin], [-sin, cos]])
    return rolled + face.centre + [x, y] + turned[..., None] * [1, 0]


def solved(forward: Callable[[Array], Array], points: Array) -> Array:
    """Where the points came from, by fixed-point iteration."""
    source = points.copy()
    for _ in range(6):
        source += points - forward(source)
    return source


def frame_of(actor: Actor, script: Script, t: int, rng: Rng) -> Image:
    width, height = SIZE_WH
    nodes = np.stack(np.meshgrid(np.arange(0, width + STEP, STEP), np.arange(0, height + STEP, STEP)), axis=-1)
    face, image = actor.face, actor.image.astype(np.float32)
    for place, wide, levels in script.shades:
        image += enlarged(bump(nodes, place, wide) * levels * script.curve[t])[..., None]
    image = closed(image, actor, script.blinks.get(t, 0.0))
    at = solved(lambda points: shifted(points, script.shift[t], face), nodes.astype(float))
    at = solved(lambda points: points + script.curve[t] * displacement(points, script), at)
    image = cv2.remap(image, enlarged(at[..., 0]), enlarged(at[..., 1]), cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE)
    gain, offset, slope = script.light[t]
    image = image * gain + offset + slope * np.linspace(-1, 1, width, dtype=np.float32)[:, None]
    image += script.noise * rng.standard_normal(image.shape, dtype=np.float32)
    frame = image.clip(0, 255).astype(np.uint8)
    if script.quality is not None:
        frame = cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, script.quality])[1], 1)
    return np.asarray(frame)


def enlarged(nodes: Array) -> NDArray[np.float32]:
    """Values at the nodes, drawn out to every pixel."""
    width, height = SIZE_WH
    matrix = np.array([[1 / STEP, 0, 0], [0, 1 / STEP, 0]])
    return cv2.warpAffine(nodes.astype(np.float32), matrix, (width, height), flags=cv2.WARP_INVERSE_MAP)


def closed(image: NDArray[np.float32], actor: Actor, share: float) -> NDArray[np.float32]:
    """Eyes covered by the skin above them."""
    if not share:
        return image
    eyes = float(np.linalg.norm(actor.axes[0]))
    lifted = np.roll(cv2.GaussianBlur(image, (0, 0), 0.05 * eyes), int(0.22 * eyes), axis=0)
    nodes = np.stack(np.meshgrid(np.arange(SIZE_WH[0]), np.arange(SIZE_WH[1])), axis=-1)
    for place, _ in actor.anchors("eye"):
        off = (nodes - place) @ np.linalg.inv(actor.axes)
        cover = np.exp(-((off[..., 0] / 0.25) ** 4) - (off[..., 1] / 0.12) ** 4)[..., None] * share
        image = image * (1 - cover) + lifted * cover
    return image.astype(np.float32)


def template() -> Array:
    """68 landmarks in their usual order, in distances between the eyes from the point between them."""
    jaw = [(-np.cos(turn), 0.1 + 1.5 * np.sin(turn)) for turn in np.linspace(0, np.pi, 17)]
    brow = [(x, -0.3 - 0.1 * np.sin(np.pi * (x - 0.2) / 0.65)) for x in np.linspace(0.2, 0.85, 5)]
    bridge = [(0.0, y) for y in np.linspace(0, 0.55, 4)] + [(x, 0.68) for x in np.linspace(-0.22, 0.22, 5)]
    eye = [(-0.2, 0.0), (-0.07, -0.07), (0.07, -0.07), (0.2, 0.0), (0.07, 0.06), (-0.07, 0.06)]
    turns = -np.pi + np.arange(12) * np.pi / 6
    lips = [(0.42 * np.cos(turn), 1.1 + 0.17 * np.sin(turn)) for turn in turns]
    inner = [(0.34 * np.cos(turn), 1.1 + 0.04 * np.sin(turn)) for turn in -np.pi + np.arange(8) * np.pi / 4]
    brows = [(-x, y) for x, y in reversed(brow)] + brow
    eyes = [(x - 0.5, y) for x, y in eye] + [(x + 0.5, y) for x, y in eye]
    return np.array(jaw + brows + bridge + eyes + lips + inner)


def landmarks_of(actor: Actor, script: Script, rng: Rng) -> list[Array]:
    """The template laid on the face, carried through the sequence, and noise of 0.5 to 1 pixel."""
    five = np.array([(-0.5, 0), (0.5, 0), (0, 0.6), (-0.42, 1.1), (0.42, 1.1)])
    fit = np.linalg.lstsq(np.c_[five, np.ones(5)], np.array(actor.face.landmarks), rcond=None)[0]
    points = np.c_[template(), np.ones(68)] @ fit
    moved = displacement(points, script)
    return [
        shifted(points + share * moved, shift, actor.face) + rng.normal(0, rng.uniform(0.5, 1), (68, 2))
        for share, shift in zip(script.curve, script.shift, strict=True)
    ]


def boxes_of(actor: Actor, script: Script, rng: Rng) -> list[Face | None]:
    """The face's box as a detector sees it: off by some pixels in every frame, now and then not at all."""
    faces: list[Face | None] = []
    for shift in script.shift:
        x1, y1, x2, y2 = (np.array(actor.face.box).reshape(2, 2) + shift[:2]).ravel()
        dx, dy, larger = rng.normal(0, script.jitter, 3)
        face = Face((x1 + dx - larger, y1 + dy - larger, x2 + dx + larger, y2 + dy + larger), 1.0)
        faces.append(face if rng.random() > script.jitter / 60 else None)
    return faces


# ---- actors


def find_actors(pictures: Sequence[Picture]) -> list[Actor]:
    """The faces that are large enough and turned to the camera, each in a frame of its own."""
    detector = open_detector("mtcnn")
    rng = np.random.default_rng(0)
    actors = []
    for picture, faces in zip(pictures, detector.detect([picture.image for picture in pictures]), strict=True):
        for face in faces:
            if face.width >= LEAST_WIDTH and abs(face.yaw or 0) <= MOST_YAW:
                frame = framed(picture.image, face, rng.uniform(200, 280))
                found = max(detector.detect([frame])[0], key=lambda face: face.area, default=None)
                if found is not None:
                    actors.append(Actor(frame, found))
    return actors


def framed(image: Image, face: Face, width: float) -> Image:
    zoom = width / face.width
    (x, y), (wide, high) = face.centre, SIZE_WH
    matrix = np.array([[zoom, 0, wide / 2 - zoom * x], [0, zoom, high / 2 - zoom * y]])
    return np.asarray(cv2.warpAffine(image, matrix, SIZE_WH, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


# ---- scoring


@dataclass(frozen=True)
class Score:
    curve: str
    disturbance: str
    frames: int
    seconds: float
    errors: dict[str, int]  # by method


def play(actors: Sequence[Actor], repeats: int, detect: bool) -> Iterator[Score]:
    """Every curve with every disturbance, `repeats` times over with faces, expressions and lengths drawn by lot."""
    detector = open_detector("mtcnn")
    kinds = itertools.product(CURVES, DISTURBANCES, range(repeats))
    for seed, (curve, disturbance, _) in enumerate(kinds):
        rng = np.random.default_rng(seed)
        actor = actors[rng.integers(len(actors))]
        n = int(np.clip(16 * np.exp(0.5 * rng.standard_normal()), *LENGTHS))
        script = scripted(actor, CURVES[curve](n, rng), rng)
        DISTURBANCES[disturbance](script, rng)
        frames = [frame_of(actor, script, t, rng) for t in range(n)]
        faces, points = boxes_of(actor, script, rng), landmarks_of(actor, script, rng)
        if detect:
            faces = [max(found, key=lambda face: face.area, default=None) for found in detector.detect(frames)]
        yield score(curve, disturbance, script, frames, faces, points)


def score(
    curve: str, disturbance: str, script: Script, frames: list[Image], faces: list[Face | None], points: list[Array]
) -> Score:
    truth = int(np.argmax(script.curve >= 0.5 - 1e-9))
    started = time.perf_counter()
    onsets = {"auto": find_onset(frames, faces, OnsetRule())}
    seconds = time.perf_counter() - started
    onsets["auto, landmarks"] = find_onset(frames, faces, OnsetRule(), points)
    for rule in METHODS[2:]:
        onsets[rule] = find_onset(frames, faces, OnsetRule.parse(rule))
    errors = {method: abs(onset.kept.index(True) - truth) for method, onset in onsets.items()}
    return Score(curve, disturbance, len(frames), seconds, errors)


def report(scores: list[Score]) -> None:
    """A row a group, and in it for each method: median, 90th percentile, mean, share of exact answers."""
    print(f"{'errors in frames':18}" + "".join(f"{method:>26}" for method in METHODS))
    print(" " * 18 + f"{'med  p90  mean  exact':>26}" * len(METHODS))
    for title, names in (("curve", CURVES), ("disturbance", DISTURBANCES)):
        for name in names:
            print_row(name, [score for score in scores if getattr(score, title) == name])
        print()
    print_row("all", scores)


def print_row(name: str, scores: Sequence[Score]) -> None:
    cells = []
    for method in METHODS:
        errors = np.array([score.errors[method] for score in scores])
        median, most = np.percentile(errors, [50, 90])
        cells.append(f"{median:4.1f} {most:4.1f} {errors.mean():5.2f} {(errors == 0).mean():6.0%}")
    print(f"{name:18}" + "".join(f"{cell:>26}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="photos with faces of at least 80 pixels")
    parser.add_argument("--repeats", type=int, default=4, help="sequences for each curve with each disturbance")
    parser.add_argument("--detect", action="store_true", help="run MTCNN on every frame")
    arguments = parser.parse_args()
    started = time.perf_counter()
    actors = find_actors(read_pictures(arguments.folder) if arguments.folder else [portrait()])
    scores = list(play(actors, arguments.repeats, arguments.detect))
    frames = sum(score.frames for score in scores)
    print(f"{len(scores)} sequences of {len(actors)} faces, {frames} frames of {SIZE_WH[0]} x {SIZE_WH[1]}\n")
    report(scores)
    rate = sum(score.seconds for score in scores) / frames
    print(
        f"\nauto takes {1000 * rate:.1f} ms a frame, {20 * rate:.3f} s for 20 frames on {cv2.getNumThreads()} threads"
    )
    print(f"The whole run took {time.perf_counter() - started:.0f} s")


def portrait() -> Picture:
    from skimage import data

    return Picture(data.astronaut(), None)


if __name__ == "__main__":
    main()
