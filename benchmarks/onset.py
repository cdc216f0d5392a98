"""How many frames off is the onset that emonet.datasets.curation.onset finds? On sequences made of photos.

    python benchmarks/onset.py [FOLDER] [--repeats 4] [--detect]

Real faces (of the photos in FOLDER, or scikit-image's portrait) are warped along known curves of activation, in frames
like CK+'s, with one disturbance at a time. The truth is the first frame with half of the last frame's activation.
Printed are the errors in frames of the rule auto, from the images alone and from 68 noisy landmarks, beside those of
the rules that look at nothing. --detect takes the boxes from MTCNN in every frame instead of disturbing the true one.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from acting import (
    CURVES,
    DISTURBANCES,
    LEAST_WIDTH,
    SIZE_WH,
    Actor,
    Array,
    boxes_of,
    drawn,
    find_actors,
    landmarks_of,
    portrait,
    scripted,
)
from annotated import read_photos

from emonet.datasets.curation.onset import OnsetRule, find_onset
from facecrop import Face, open_detector
from facecrop.images import Image

METHODS = ("auto", "auto, landmarks", "fraction=0.5", "last=3")


@dataclass(frozen=True)
class Score:
    groups: tuple[str, str]  # curve and disturbance
    frames: int
    seconds: float
    errors: dict[str, int]  # by method, in frames


def play(actors: Sequence[Actor], repeats: int, detect: bool) -> Iterator[Score]:
    """Every curve with every disturbance, `repeats` times over; faces, expressions and lengths are drawn at random."""
    for seed, (curve, disturbance, _) in enumerate(itertools.product(CURVES, DISTURBANCES, range(repeats))):
        rng = np.random.default_rng(seed)
        actor = actors[int(rng.integers(len(actors)))]
        n = int(np.clip(16 * np.exp(0.5 * rng.standard_normal()), 6, 71))  # CK+: 6 to 71, median 16
        script = scripted(actor, CURVES[curve](n, rng), rng)
        DISTURBANCES[disturbance](script, rng)
        frames = [drawn(actor, script, t, rng) for t in range(n)]
        faces, points = boxes_of(actor, script, rng), landmarks_of(actor, script, rng)
        if detect:
            found = open_detector("mtcnn").detect(frames)
            faces = [max(some, key=lambda face: face.area, default=None) for some in found]
        yield score((curve, disturbance), script.curve, frames, faces, points)


def score(
    groups: tuple[str, str], curve: Array, frames: list[Image], faces: list[Face | None], points: list[Array]
) -> Score:
    truth = int(np.argmax(curve >= 0.5 - 1e-9))
    started = time.perf_counter()
    onsets = {"auto": find_onset(frames, faces, OnsetRule())}
    seconds = time.perf_counter() - started
    onsets["auto, landmarks"] = find_onset(frames, faces, OnsetRule(), points)
    onsets |= {rule: find_onset(frames, faces, OnsetRule.parse(rule)) for rule in METHODS[2:]}
    errors = {method: abs(onset.kept.index(True) - truth) for method, onset in onsets.items()}
    return Score(groups, len(frames), seconds, errors)


def print_table(scores: Sequence[Score]) -> None:
    print(" " * 18 + "".join(f"{method:>26}" for method in METHODS))
    print("errors in frames  " + "   median  p90  mean  exact" * len(METHODS))
    for name in (*CURVES, *DISTURBANCES):
        print_row(name, [score for score in scores if name in score.groups])
    print_row("all", scores)


def print_row(name: str, scores: Sequence[Score]) -> None:
    cells = []
    for method in METHODS:
        errors = np.array([score.errors[method] for score in scores])
        median, most = np.percentile(errors, [50, 90])
        cells.append(f"{median:9.1f} {most:4.1f} {errors.mean():5.2f} {(errors == 0).mean():5.0%}")
    print(f"{name:18}" + "".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help=f"photos with faces of at least {LEAST_WIDTH} pixels")
    parser.add_argument("--repeats", type=int, default=4, help="sequences for each curve with each disturbance")
    parser.add_argument("--detect", action="store_true", help="take the boxes from MTCNN")
    arguments = parser.parse_args()
    started = time.perf_counter()
    actors = find_actors(read_photos(arguments.folder) if arguments.folder else [portrait()])
    scores = list(play(actors, arguments.repeats, arguments.detect))
    frames = sum(score.frames for score in scores)
    print(f"{len(scores)} sequences of {len(actors)} faces, {frames} frames of {SIZE_WH[0]} x {SIZE_WH[1]} pixels\n")
    print_table(scores)
    rate = sum(score.seconds for score in scores) / frames
    print(f"\nauto takes {1000 * rate:.1f} ms a frame, {20 * rate:.3f} s for 20 frames")
    print(f"the whole run took {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
