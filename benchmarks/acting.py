"""Faces that put on an expression along a known curve: made of photos, for the benchmark of the onset.

It must not know how an onset is found, and imports nothing of emonet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from annotated import AnnotatedPhoto
from numpy.typing import NDArray

from facecrop import Face, open_detector
from facecrop.images import Image

Array = NDArray[np.float64]
Rng = np.random.Generator

SIZE_WH = (640, 490)
LEAST_WIDTH, MOST_YAW = 80, 20  # pixels and degrees of the faces that are taken
STEP = 5  # pixels between the nodes on which warps are computed

# Smooth moves of the viewer's right half of the face, mirrored on the left: by which of MTCNN's landmarks (mouth is
# between its corners), how far off (x y), which way (x y) and how wide, all in distances between the eyes.
EXPRESSIONS = {
    "smile": "corner 0 0 0.8 -0.6 0.22, eye 0 0.4 0.1 -0.4 0.25, eye 0 0.1 0 -0.2 0.1",
    "open": "mouth 0 0.3 0 0.5 0.35, eye 0 -0.35 0 -0.7 0.25",
    "frown": "eye -0.25 -0.3 -0.5 0.8 0.2, mouth 0 0.15 0 -0.25 0.15, eye 0 0.1 0 -0.3 0.12",
    "sad": "corner 0 0 0.2 0.9 0.2, eye -0.25 -0.3 -0.2 -0.6 0.18",
    "disgust": "mouth 0 -0.15 0 -0.5 0.2, nose 0 0 0 -0.25 0.2, eye 0 0.12 0 -0.5 0.15, eye -0.1 -0.3 0 0.6 0.2",
    "stretch": "corner 0 0.05 1 0.2 0.25, eye 0 -0.35 0 -0.5 0.25",
}
# Folds, shadows and teeth: where, how far off, how wide, and by how many grey levels.
SHADES = {
    "smile": "corner 0.05 -0.25 0.1 -25, mouth 0 0 0.12 40",
    "open": "mouth 0 0.12 0.15 -60",
    "frown": "eye -0.45 -0.2 0.08 -30",
    "sad": "corner 0.1 0.05 0.08 -20",
    "disgust": "nose 0.25 0 0.1 -30",
    "stretch": "mouth 0 0 0.12 30",
}


@dataclass(frozen=True)
class Actor:
    """A face in a frame of CK+'s size."""

    image: Image
    face: Face

    @property
    def axes(self) -> Array:
        """The distance between the eyes to the right and down, as two rows."""
        assert self.face.landmarks is not None
        (x1, y1), (x2, y2) = self.face.landmarks[:2]
        return np.array([[x2 - x1, y2 - y1], [y1 - y2, x2 - x1]])

    def placed(self, table: str) -> Iterator[tuple[Array, Array, Array]]:
        """For every entry of a table and each half of the face: the place, the mirror and the rest of the numbers."""
        left_eye, right_eye, nose, left_corner, right_corner = np.array(self.face.landmarks)
        mouth = (left_corner + right_corner) / 2
        sides = {"eye": (left_eye, right_eye), "corner": (left_corner, right_corner), "mouth": (mouth, mouth)}
        for name, *words in (entry.split() for entry in table.split(",")):
            numbers = np.array(words, float)
            for place, mirror in zip(sides.get(name, (nose, nose)), ([-1, 1], [1, 1]), strict=True):
                yield place + (numbers[:2] * mirror) @ self.axes, np.array(mirror), numbers[2:]


@dataclass
class Script:
    """What happens in a sequence."""

    curve: Array
    moves: list[tuple[Array, Array, float]]  # place, way and width in pixels
    shades: list[tuple[Array, float, float]]  # place, width and grey levels
    head: Array  # (n, 6): x and y in pixels, roll, zoom, foreshortening, how far the middle of the face moves off
    light: Array  # (n, 3): gain, offset, slope across the image
    noise: float = 1.0  # grey levels
    quality: int | None = None  # of JPEG
    jitter: float = 2.0  # pixels of the box
    blinks: dict[int, float] = field(default_factory=dict)  # frame -> how far the eyes are closed


def scripted(actor: Actor, curve: Array, rng: Rng) -> Script:
    """A random expression of 3 to 10 % of the face's width, with folds and shadows half of the time."""
    name = str(rng.choice(list(EXPRESSIONS)))
    far = rng.uniform(0.03, 0.1) * actor.face.width
    eyes = float(np.linalg.norm(actor.axes[0]))
    moves = [
        (place, (numbers[:2] * mirror) @ actor.axes * far / eyes, numbers[2] * eyes)
        for place, mirror, numbers in actor.placed(EXPRESSIONS[name])
    ]
    shades = [(place, numbers[0] * eyes, numbers[1]) for place, _, numbers in actor.placed(SHADES[name])]
    n = len(curve)
    return Script(curve, moves, shades if rng.random() < 0.5 else [], np.zeros((n, 6)), np.tile([1.0, 0, 0], (n, 1)))


# ---- curves


def sigmoid(n: int, rng: Rng) -> Array:
    curve = 1 / (1 + np.exp(-rng.uniform(8, 20) * (np.linspace(0, 1, n) - rng.uniform(0.3, 0.7))))
    scaled: Array = (curve - curve[0]) / (curve[-1] - curve[0])
    return scaled


def still(n: int, rng: Rng) -> Array:
    start = rng.uniform(0.2, 0.7)
    return np.clip((np.linspace(0, 1, n) - start) / (1 - start), 0, 1)


CURVES: dict[str, Callable[[int, Rng], Array]] = {
    "still, then rise": still,
    "linear": lambda n, _: np.linspace(0, 1, n),
    "late": lambda n, rng: np.linspace(0, 1, n) ** rng.uniform(4, 10),
    "early": lambda n, rng: np.clip(np.linspace(0, 1, n) / rng.uniform(0.2, 0.5), 0, 1),
    "sigmoid": sigmoid,
    "step": lambda n, rng: (np.arange(n) >= rng.integers(1, n)).astype(float),
}

# ---- disturbances


def wander(n: int, rng: Rng, most: Sequence[float]) -> Array:
    """Walks of straight legs that begin at 0, one a column, each at most as far as told."""
    knots = np.vstack([np.zeros(len(most)), rng.uniform(-1, 1, (3, len(most)))]) * most
    return np.stack([np.interp(np.linspace(0, 3, n), range(4), knot) for knot in knots.T], axis=1)


def blink(script: Script, rng: Rng) -> None:
    n = len(script.curve)
    for start in rng.choice(n, rng.integers(1, 3), replace=False):
        for frame in range(start, min(n, start + rng.integers(1, 4))):
            script.blinks[frame] = rng.uniform(0.5, 1)


def head(script: Script, rng: Rng) -> None:
    script.head = wander(len(script.curve), rng, (12, 12, 0.07, 0.04, 0.03, 6))


def light(script: Script, rng: Rng) -> None:
    script.light = np.add(wander(len(script.curve), rng, (0.25, 20, 40)), (1, 0, 0))


def noise(script: Script, rng: Rng) -> None:
    script.noise, script.quality = rng.uniform(3, 8), int(rng.integers(35, 80))


def boxes(script: Script, _: Rng) -> None:
    script.jitter = 6.0


def everything(script: Script, rng: Rng) -> None:
    for disturb in (blink, head, light, noise):
        disturb(script, rng)


DISTURBANCES: dict[str, Callable[[Script, Rng], None]] = {
    "none": lambda *_: None,
    "blinks": blink,
    "the head moves": head,
    "the light drifts": light,
    "noise and JPEG": noise,
    "the box jitters": boxes,
    "all of these": everything,
}


# ---- playing a script


def bump(points: Array, place: Array, wide: float) -> Array:
    height: Array = np.exp(-((points - place) ** 2).sum(axis=-1) / (2 * wide**2))
    return height


def expressed(points: Array, script: Script, share: float) -> Array:
    return points + sum(bump(points, place, wide)[..., None] * way * share for place, way, wide in script.moves)


def carried(points: Array, pose: Array, face: Face) -> Array:
    """Points of the face where the head carries them."""
    x, y, roll, zoom, narrower, turn = pose
    off = (points - face.centre) * [1 - narrower, 1]
    cos, sin = np.cos(roll) * (1 + zoom), np.sin(roll) * (1 + zoom)
    middle = turn * bump(points, np.array(face.centre), 0.4 * face.width)[..., None] * [1, 0]
    moved: Array = off @ np.array([[cos, sin], [-sin, cos]]) + face.centre + [x, y] + middle
    return moved


def traced(forward: Callable[[Array], Array], points: Array) -> Array:
    """Where points came from, by fixed-point iteration."""
    source = points
    for _ in range(6):
        source = source + points - forward(source)
    return source


def grid(step: int) -> Array:
    width, height = SIZE_WH
    return np.stack(np.meshgrid(np.arange(0, width + step, step), np.arange(0, height + step, step)), -1).astype(float)


def enlarged(nodes: Array) -> NDArray[np.float32]:
    """Values at the nodes, drawn out to every pixel."""
    matrix = np.array([[1 / STEP, 0, 0], [0, 1 / STEP, 0]])
    return cv2.warpAffine(nodes.astype(np.float32), matrix, SIZE_WH, flags=cv2.WARP_INVERSE_MAP).astype(np.float32)


def drawn(actor: Actor, script: Script, t: int, rng: Rng) -> Image:
    """One frame."""
    share, nodes, image = script.curve[t], grid(STEP), actor.image.astype(np.float32)
    for place, wide, levels in script.shades:
        image += enlarged(bump(nodes, place, wide) * levels * share)[..., None]
    if t in script.blinks:
        image = closed(image, actor, script.blinks[t])
    at = traced(lambda points: carried(points, script.head[t], actor.face), nodes)
    at = traced(lambda points: expressed(points, script, share), at)
    warped = cv2.remap(image, enlarged(at[..., 0]), enlarged(at[..., 1]), cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE)
    gain, offset, slope = script.light[t]
    image = (
        warped.astype(np.float32) * gain + offset + slope * np.linspace(-1, 1, SIZE_WH[0], dtype=np.float32)[:, None]
    )
    image += script.noise * rng.standard_normal(image.shape, np.float32)
    frame = image.clip(0, 255).astype(np.uint8)
    if script.quality is not None:
        frame = cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, script.quality])[1], 1)
    return np.asarray(frame)


def closed(image: NDArray[np.float32], actor: Actor, share: float) -> NDArray[np.float32]:
    """Eyes covered by the skin above them."""
    eyes = float(np.linalg.norm(actor.axes[0]))
    lid = np.roll(cv2.GaussianBlur(image, (0, 0), 0.05 * eyes), int(0.22 * eyes), axis=0)
    for place in np.array(actor.face.landmarks)[:2]:
        off = (grid(STEP) - place) @ np.linalg.inv(actor.axes) / [0.25, 0.12]
        image = image + (lid - image) * share * enlarged(np.exp(-(off**4).sum(axis=-1)))[..., None]
    return np.asarray(image, np.float32)


def boxes_of(actor: Actor, script: Script, rng: Rng) -> list[Face | None]:
    """The face's box as a detector sees it: off by some pixels in every frame, now and then not there at all."""
    faces: list[Face | None] = []
    for pose in script.head:
        dx, dy, larger = rng.normal(0, script.jitter, 3)
        x1, y1, x2, y2 = actor.face.box + np.tile(np.add(pose[:2], (dx, dy)), 2) + larger * np.array([-1, -1, 1, 1])
        faces.append(Face((x1, y1, x2, y2), 1.0) if rng.random() > script.jitter / 60 else None)
    return faces


def landmarks_of(actor: Actor, script: Script, rng: Rng) -> list[Array]:
    """68 landmarks laid on the face by its five, carried through the sequence, with 0.5 to 1 pixel of noise."""
    five = np.array([(-0.5, 0, 1), (0.5, 0, 1), (0, 0.6, 1), (-0.42, 1.1, 1), (0.42, 1.1, 1)])
    fit = np.linalg.lstsq(five, np.array(actor.face.landmarks), rcond=None)[0]
    points, sigma = np.c_[template(), np.ones(68)] @ fit, rng.uniform(0.5, 1)
    moved = [expressed(points, script, share) for share in script.curve]
    poses = zip(moved, script.head, strict=True)
    return [carried(at, pose, actor.face) + rng.normal(0, sigma, (68, 2)) for at, pose in poses]


def template() -> Array:
    """The usual 68 landmarks in distances between the eyes, from the point between them."""

    def arc(x: float, y: float, wide: float, high: float, first: float, last: float, count: int) -> list[Array]:
        turns = np.radians(np.linspace(first, last, count))
        return list(np.stack([x + wide * np.cos(turns), y + high * np.sin(turns)], axis=1))

    brows = arc(-0.52, -0.3, 0.33, 0.1, -180, 0, 5) + arc(0.52, -0.3, 0.33, 0.1, -180, 0, 5)
    nose = [np.array([0, y]) for y in np.linspace(0, 0.55, 4)] + arc(0, 0.62, 0.22, 0.06, 180, 0, 5)
    eyes = arc(-0.5, 0, 0.2, 0.07, -180, 120, 6) + arc(0.5, 0, 0.2, 0.07, -180, 120, 6)
    lips = arc(0, 1.1, 0.42, 0.17, -180, 150, 12) + arc(0, 1.1, 0.34, 0.04, -180, 135, 8)
    return np.array(arc(0, 0.1, 1, 1.5, 180, 0, 17) + brows + nose + eyes + lips)


# ---- actors


def find_actors(images: Sequence[AnnotatedPhoto]) -> list[Actor]:
    """The faces that are large enough and turned to the camera, each alone in a frame, 200 to 280 pixels wide."""
    detector, rng = open_detector("mtcnn"), np.random.default_rng(0)
    actors = []
    for photo, faces in zip(images, detector.detect([photo.image for photo in images]), strict=True):
        for face in faces:
            if face.width >= LEAST_WIDTH and abs(face.yaw or 0) <= MOST_YAW:
                frame = framed(photo.image, face, rng.uniform(200, 280))
                found = max(detector.detect([frame])[0], key=lambda face: face.area, default=None)
                actors += [Actor(frame, found)] if found is not None else []
    return actors


def framed(image: Image, face: Face, width: float) -> Image:
    zoom = width / face.width
    (x, y), (wide, high) = face.centre, SIZE_WH
    matrix = np.array([[zoom, 0, wide / 2 - zoom * x], [0, zoom, high / 2 - zoom * y]])
    return np.asarray(cv2.warpAffine(image, matrix, SIZE_WH, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def portrait() -> AnnotatedPhoto:
    from skimage import data

    return AnnotatedPhoto(data.astronaut(), None)
