"""Measures the memory that a build takes on the driver of Spark: all of a build but its images, in one Python process.

    python benchmarks/scale.py --driver 36000,250000

What executors do is left out: the crops are one small image, with made-up hashes and descriptions, and no two images
are copies. All else is the build as it is: samples are listed from a CSV of FER2013's layout (a pixel a row: the driver
does not look at them), a dev split is held out and folds are numbered, shards are planned, the report is written.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.datasets.builder.chunks import Done, chunk_path
from emonet.datasets.builder.engine import LocalEngine
from emonet.datasets.builder.plan import Chunk
from emonet.datasets.builder.rows import CropRow, write_rows
from emonet.datasets.builder.search import CopySearch
from emonet.datasets.builder.shards import ShardPlan
from emonet.datasets.builder.workers import Workers
from emonet.datasets.curation.duplicates import Indices, NearPair
from emonet.datasets.curation.likeness import FITS, list_places
from emonet.datasets.sample import Sample

Steps = dict[str, dict[str, float]]

SIDE = 48
CODES = 7
DEV = 12  # one of so many images
FREQUENCIES = 54  # of a description
FOLDS = 5
WARM = 700  # rows of a first build
USAGES = ("Training",) * 8 + ("PublicTest", "PrivateTest")


class Meter:
    """Notes, between two marks, the peak of this process's memory (VmHWM, in bytes) and its CPU seconds."""

    def __init__(self) -> None:
        self.steps: Steps = {}
        self._reset()
        self._base = self._read()

    def mark(self, step: str) -> None:
        self.steps[step] = {"bytes": self._read() - self._base, "cpu": time.process_time() - self._begin}
        self._reset()

    def _read(self) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

    def _reset(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self._begin = time.process_time()


class DriverEngine(LocalEngine):
    """Stands for executors, and marks the memory when they would be asked."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(Workers(["cpu"]))
        self._meter = meter

    def run_chunks(self, chunks: Iterable[Chunk], folder: Path, _options: BuildOptions, done: Done) -> None:
        self._meter.mark("list samples")
        random = np.random.default_rng(0)
        image = cv2.imencode(".png", np.full((SIDE, SIDE), 128, np.uint8))[1].tobytes()
        for chunk in chunks:
            samples = [sample for unit in chunk.units for sample in unit]
            write_rows(list(make_rows(samples, image, random)), chunk_path(folder, chunk))
            done(chunk.source, len(chunk), {})
        self._meter.mark("hand out chunks")

    def open_search(self, _paths: Sequence[Path]) -> CopySearch:
        self._meter.mark("read rows")
        return NoSearch()

    def write_shards(self, plans: Iterable[ShardPlan], folder: Path) -> list[str]:
        self._meter.mark("decide")
        return super().write_shards(plans, folder)


class NoSearch:
    """Finds no copies."""

    def find_copies(self, hashes: pa.ChunkedArray) -> Indices:
        return np.arange(len(hashes), dtype=np.int64)

    def find_near_pairs(self, *_: object) -> list[NearPair]:
        return []

    def find_altered_copies(self, *_: object) -> list[NearPair]:
        return []


def make_rows(samples: Sequence[Sample], image: bytes, random: np.random.Generator) -> Iterator[CropRow]:
    places = len(list_places().at)
    for sample in samples:
        numbers = random.integers(-100, 100, (FITS, FREQUENCIES)).astype(np.int8).tobytes()
        yield CropRow(
            sample.key,
            sample.source,
            sample.split,
            str(sample.emotion),
            sample.subject,
            sample.sequence,
            sample.frame,
            image=image,
            size=len(image),
            sha1=random.bytes(20).hex(),
            perceptual=int(random.integers(2**63)),
            likeness=numbers + random.integers(0, places, FITS).astype("<u2").tobytes(),
            box=[0.0, 0.0, SIDE, SIDE],
            score=1.0,
            detector="whole",
        )


def measure_driver(counts: Sequence[int]) -> Steps:
    """Measure for each step how bytes and CPU seconds rise with an image, from the least to the most."""
    found = {count: measure_apart(count) for count in counts}
    print("rows       step             peak, MiB  CPU, s")
    for count, steps in found.items():
        for step, one in steps.items():
            print(f"{count:9,}  {step:15}  {one['bytes'] / 2**20:9.1f}  {one['cpu']:6.1f}")
    few, many = min(counts), max(counts)
    return {
        step: {unit: (value - found[few][step][unit]) / max(1, many - few) for unit, value in one.items()}
        for step, one in found[many].items()
    }


def measure_apart(count: int) -> Steps:
    """Measure in a process of its own, whose memory nothing else has used."""
    command = [sys.executable, __file__, str(count)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: Steps = json.loads(told.splitlines()[-1])
    return found


def measure(count: int, folder: Path) -> Steps:
    build(WARM, folder / "first", Meter())  # what is imported and kept once is no memory of rows
    meter = Meter()
    build(count, folder / "second", meter)
    meter.mark("write")
    return meter.steps


def build(count: int, folder: Path, meter: Meter) -> None:
    folder.mkdir()
    table = folder / "fer2013.csv"
    with table.open("w", encoding="utf-8") as file:
        file.write("emotion,pixels,Usage\n")
        file.writelines(f"{number % CODES},0,{USAGES[number % len(USAGES)]}\n" for number in range(count))
    options = BuildOptions({"fer2013": str(table)}, detector="whole", dev=count // DEV, folds=FOLDS)
    build_dataset(prepare(options), folder / "out", engine=DriverEngine(meter))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(int(sys.argv[1]), Path(scratch))))
