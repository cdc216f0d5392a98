"""Compares `emonet build` on FER2013 with the loop that one would write instead, in one run.

    python benchmarks/build.py fer2013.csv [--rows 600] [--skip-memory]
    python benchmarks/build.py fer2013.csv --near

The loop reads with the csv module, enlarges one image at a time to 160 pixels for facenet-pytorch's MTCNN and writes
a PNG for each. It is timed on the first --rows rows, with the detector open; the build on all of them, with everything
it does from its first look at the table on, its workers' start included. Then the table is doubled, and the memory of
all the build's processes (PSS, which counts shared pages once) is compared. Rates are to be compared with each other,
not with other machines. --near tells instead how far the perceptual hashes of near copies lie apart, having compared
every image with every other.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.datasets.curation.duplicates import perceptual_hash
from emonet.datasets.formats.pixel_table import PixelRow, open_pixel_table, read_rows
from emonet.datasets.formats.tree import open_tree
from emonet.errors import ImageError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="fer2013.csv")
    parser.add_argument("--rows", type=int, default=600, help="that the loop is timed on")
    parser.add_argument("--skip-memory", action="store_true", help="leave the doubled table out")
    parser.add_argument("--near", action="store_true", help="only look at the hashes of near copies")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)  # one build, in a process of its own
    arguments = parser.parse_args()
    if arguments.near:
        print_near(arguments.table)
    elif arguments.out:
        build(arguments.table, arguments.out)
    else:
        compare(arguments.table, arguments.rows, arguments.skip_memory)


def compare(table: Path, rows: int, skip_memory: bool) -> None:
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    compare_parsing(table)
    with tempfile.TemporaryDirectory() as folder:
        loop = plain_loop(table, rows, Path(folder) / "loop")
        print(f"plain loop           {loop:8.1f} images/s ({rows} rows)")
        once = measured(table, Path(folder) / "once")
        rate = once["images"] / once["all"]
        print(f"emonet build         {rate:8.1f} images/s ({once['images']:,} rows in {once['all']:.1f} s)")
        print(f"                     {rate / loop:8.1f} times as fast\n")
        for step, seconds in once["seconds"].items():
            print(f"  {step:8} {once['images'] / seconds:9,.0f} images/s and core ({seconds:.1f} s)")
        later = once["all"] - sum(once["seconds"].values()) / once["workers"]
        print(f"  the rest {later:.1f} s: workers that start, copies, splits, shards, report")
        print(f"\npeak memory          {once['pss'] / 2**20:8.0f} MiB over all processes")
        if not skip_memory:
            twice = measured(doubled(table, Path(folder)), Path(folder) / "twice")
            print(f"with doubled rows    {twice['pss'] / 2**20:8.0f} MiB ({twice['images']:,} rows)")


def compare_parsing(table: Path) -> None:
    """The best of three each, in one thread; every image is let go before the next."""
    theirs, ours = (max(rate(table) for _ in range(3)) for rate in (plain_parsing, own_parsing))
    print(f"csv and np.array     {theirs:8.0f} rows/s")
    print(f"pixel_table          {ours:8.0f} rows/s, {ours / theirs:.1f} times as fast, in one thread\n")


def plain_parsing(table: Path) -> float:
    start = time.perf_counter()
    with table.open(newline="") as file:
        for _, row in zip(range(4000), csv.DictReader(file), strict=False):
            np.array(row["pixels"].split(), np.uint8)
    return 4000 / (time.perf_counter() - start)


def own_parsing(table: Path) -> float:
    start = time.perf_counter()
    count = sum(len(batch) for batch in read_pixels(table))
    return count / (time.perf_counter() - start)


def read_pixels(table: Path) -> Iterator[list[NDArray[np.uint8] | ImageError]]:
    rows = open_pixel_table(open_tree(table), table.name).rows()
    while batch := [row.image for row in itertools.islice(rows, 256) if isinstance(row, PixelRow)]:
        yield list(read_rows(batch))


def plain_loop(table: Path, rows: int, folder: Path) -> float:
    """Images a second, the detector being open already."""
    from facenet_pytorch import MTCNN

    folder.mkdir()
    mtcnn = MTCNN(keep_all=True)
    with table.open(newline="") as file:
        reader = csv.DictReader(file)
        start = time.perf_counter()
        for number, row in zip(range(rows), reader, strict=False):
            face = np.array(row["pixels"].split(), np.uint8).reshape(48, 48)
            large = cv2.cvtColor(cv2.resize(face, (160, 160)), cv2.COLOR_GRAY2RGB)
            if mtcnn.detect(large)[0] is not None:
                cv2.imwrite(str(folder / f"{row['Usage']}-{row['emotion']}-{number}.png"), face)
        return rows / (time.perf_counter() - start)


def build(table: Path, out: Path) -> None:
    """One build; prints what it took as JSON."""
    start = time.perf_counter()
    prepared = prepare(BuildOptions({"fer2013": str(table)}, dev=3000))
    workers = os.cpu_count()
    built = build_dataset(prepared, out, workers=workers)
    seconds = time.perf_counter() - start
    print(json.dumps({"images": prepared.samples, "seconds": built.seconds, "all": seconds, "workers": workers}))


def measured(table: Path, out: Path) -> dict[str, Any]:
    """A build in a process of its own: what it printed, and its peak memory."""
    process = subprocess.Popen([sys.executable, __file__, table, "--out", out], stdout=subprocess.PIPE, text=True)
    peak = Peak(process.pid)
    printed, _ = process.communicate()
    peak.stop()
    found: dict[str, Any] = json.loads(printed)
    return found | {"pss": peak.most}


class Peak:
    """Watches the memory of a process and all that it started."""

    def __init__(self, leader: int) -> None:
        self.most = 0
        self._leader = leader
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.25):
            self.most = max(self.most, sum(map(proportional_set_size, family(self._leader))))


def family(leader: int) -> list[int]:
    """A process and its descendants."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended meanwhile
            continue
    found = [leader]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def proportional_set_size(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def doubled(table: Path, folder: Path) -> Path:
    path = folder / "doubled.csv"
    text = table.read_bytes()
    path.write_bytes(text + text[text.index(b"\n") + 1 :])
    return path


def print_near(table: Path) -> None:
    """Bits in which the hashes differ of all pairs that correlate by 0.97 or more, exact copies left out."""
    read = (grey for batch in read_pixels(table) for grey in batch)
    images = np.unique(np.stack([grey for grey in read if not isinstance(grey, ImageError)]), axis=0)
    hashes = np.array([perceptual_hash(np.repeat(image[..., None], 3, axis=2)) for image in images], np.uint64)
    vectors = torch.from_numpy(images.reshape(len(images), -1).astype(np.float32))
    vectors -= vectors.mean(1, keepdim=True)
    vectors /= vectors.norm(dim=1, keepdim=True).clamp(min=1e-6)
    counts = np.zeros(65, np.int64)
    for first in range(0, len(vectors), 2048):
        left, right = torch.nonzero(vectors[first : first + 2048] @ vectors[first:].T >= 0.97, as_tuple=True)
        pairs = (left < right).numpy()
        left, right = left.numpy()[pairs] + first, right.numpy()[pairs] + first
        np.add.at(counts, np.bitwise_count(hashes[left] ^ hashes[right]), 1)
    print(f"{len(images):,} different images, {counts.sum()} near pairs")
    for bits in np.flatnonzero(counts):
        print(f"  {bits:2} bits: {counts[bits]}")


if __name__ == "__main__":
    main()
