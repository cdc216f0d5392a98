"""How many altered copies does a build find, and does it take other faces for copies? On FER2013's own images.

    python benchmarks/near_copies.py fer2013.csv [--faces 2000] [--sheet pairs.png]

First, copies of --faces images drawn at random are altered in one way each, and looked for among all others as a build
looks for training copies of test images. Printed is how many are found. Another crop is a square of 85 to 97 % of the
side, anywhere in the image, or of 75 to 97 %, saved as JPEG of quality 60 to 92. Then all images of the table are
compared with each other, and the pairs counted by their correlation. --sheet draws pairs of each count, drawn at
random, one image above the other and mirrored ones turned back: whether they show one photo, only eyes can tell.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emonet.datasets.curation.duplicates import Indices, NearPair
from emonet.datasets.curation.likeness import Likeness, describe_likeness, shrink
from emonet.datasets.curation.near_copies import find_altered_copies
from emonet.datasets.formats.pixel_table import PixelRow, open_pixel_table, read_rows
from emonet.datasets.formats.tree import open_tree
from emonet.errors import ImageError

Grey = NDArray[np.uint8]
Alteration = Callable[[Grey, np.random.Generator], Grey]

BANDS = (0.86, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0001)
SHOWN = 16  # pairs of each band


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="fer2013.csv")
    parser.add_argument("--faces", type=int, default=2000, help="that are copied")
    parser.add_argument("--sheet", type=Path, help="PNG of pairs to write")
    arguments = parser.parse_args()
    greys, evaluated = read_faces(arguments.table)
    print(f"{len(greys):,} different images\n")
    likeness = describe(greys)
    print_recall(greys, likeness, arguments.faces)
    pairs = find(greys, likeness, evaluated, BANDS[0])
    print_pairs(pairs, evaluated)
    if arguments.sheet:
        draw_sheet(greys, pairs, arguments.sheet)


def read_faces(table: Path) -> tuple[list[Grey], NDArray[np.bool_]]:
    """All different images of the table, and which of them are not for training."""
    found: dict[bytes, tuple[Grey, bool]] = {}
    rows = open_pixel_table(open_tree(table), table.name, ("emotion", "pixels", "usage")).rows()
    while batch := [row for row in itertools.islice(rows, 256) if isinstance(row, PixelRow)]:
        for row, grey in zip(batch, read_rows([row.image for row in batch]), strict=True):
            if not isinstance(grey, ImageError):
                found.setdefault(grey.tobytes(), (grey, row.cells["usage"].lower() != "training"))
    return [grey for grey, _ in found.values()], np.array([is_tested for _, is_tested in found.values()])


def as_rgb(greys: Iterable[Grey]) -> list[Grey]:
    return [np.repeat(grey[..., None], 3, axis=2) for grey in greys]


def describe(greys: Sequence[Grey]) -> Likeness:
    parts = ([*map(shrink, as_rgb(greys[start : start + 256]))] for start in range(0, len(greys), 256))
    return Likeness.decode([packed for part in parts for packed in describe_likeness(part).encode()])


def find(greys: Sequence[Grey], likeness: Likeness, evaluated: NDArray[np.bool_], threshold: float) -> list[NearPair]:
    def read(wanted: Indices) -> list[Grey]:
        return as_rgb(greys[index] for index in wanted)

    return find_altered_copies(likeness, np.full(len(greys), -1), evaluated, read, threshold)


def cut(least: float) -> Alteration:
    def alter(grey: Grey, rng: np.random.Generator) -> Grey:
        side = grey.shape[0]
        size = rng.uniform(least, 0.97)
        x, y = rng.uniform(0, side * (1 - size), 2)
        move = np.array([[size, 0, x + size / 2 - 0.5], [0, size, y + size / 2 - 0.5]])
        crop = cv2.warpAffine(grey, move, grey.shape, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        packed = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 92))])[1]
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)

    return alter


def light(grey: Grey, rng: np.random.Generator) -> Grey:
    return np.asarray(cv2.convertScaleAbs(grey, alpha=rng.uniform(0.75, 1.1), beta=rng.uniform(-10, 30)), np.uint8)


def mirror(grey: Grey, _: np.random.Generator) -> Grey:
    return np.ascontiguousarray(grey[:, ::-1])


ALTERATIONS: dict[str, Alteration] = {
    "mirrored": mirror,
    "other light": light,
    "another crop, JPEG": cut(0.85),
    "the same, to 75 %": cut(0.75),
    "mirrored, another crop": lambda grey, rng: cut(0.85)(mirror(grey, rng), rng),
}


def print_recall(greys: list[Grey], likeness: Likeness, count: int) -> None:
    rng = np.random.default_rng(0)
    of = np.sort(rng.choice(len(greys), count, replace=False))
    print(f"of {count:,} altered copies are found")
    for name, alter in ALTERATIONS.items():
        copies = [alter(greys[index], rng) for index in of]
        packed = [*likeness.encode(), *describe(copies).encode()]
        is_copy = np.arange(len(packed)) >= len(greys)
        pairs = find([*greys, *copies], Likeness.decode(packed), is_copy, 0.97)
        right = {(int(index), len(greys) + place) for place, index in enumerate(of)}
        found = sum((pair.first, pair.second) in right for pair in pairs)
        print(f"  {name:24} {found / count:6.1%}")


def print_pairs(pairs: Sequence[NearPair], evaluated: NDArray[np.bool_]) -> None:
    print("\ncorrelation        pairs  mirrored")
    for low, high in itertools.pairwise(BANDS):
        band = [pair for pair in pairs if low <= pair.correlation < high]
        print(f"{low:.2f} to {high:.2f}  {len(band):9,}  {sum(pair.mirrored for pair in band):8,}")
    near = [(pair.first, pair.second) for pair in pairs if pair.correlation >= 0.97]
    crossing = [pair if evaluated[pair[0]] else pair[::-1] for pair in near if evaluated[pair[0]] != evaluated[pair[1]]]
    tested, trained = ({pair[side] for pair in crossing} for side in (0, 1))
    print(
        f"\n0.97 or more: {len(tested):,} images that are not for training have such a copy among {len(trained):,} of"
    )
    print(f"Training; they are {len(tested) / max(1, int(evaluated.sum())):.1%} of these images")


def draw_sheet(greys: Sequence[Grey], pairs: Sequence[NearPair], path: Path) -> None:
    rng, lines = np.random.default_rng(0), []
    for low, high in itertools.pairwise(BANDS):
        band = [pair for pair in pairs if low <= pair.correlation < high]
        shown = [band[index] for index in rng.permutation(len(band))[:SHOWN]]
        cells = [np.vstack([greys[pair.first], greys[pair.second][:, :: -1 if pair.mirrored else 1]]) for pair in shown]
        cells += [np.zeros((96, 48), np.uint8)] * (SHOWN - len(cells))
        lines.append(np.hstack(cells))
    cv2.imwrite(str(path), np.vstack(lines))


if __name__ == "__main__":
    main()
