"""Measures how builds grow: with cores, with images, and what Spark adds to the local engine.

    python benchmarks/scale.py [--images 36000,250000,1000000] [--leaks near] [--out results/scale.json]
    python benchmarks/scale.py --driver 36000,250000 --out results/scale.json
    python benchmarks/scale.py --table results/scale.json
    python benchmarks/scale.py --plan results/scale.json [--target 100000000]

Generated 48 x 48 faces in a CSV file of FER2013's layout are built by the local engine with one and two processes, and
by Spark with one and two threads, each in a process of its own; 1 % of the images are exact copies, and each image is a
face. For each build: the seconds of the whole, of the crops (summed over processes) and of the rest, images a second,
and the peak of the memory of the largest Python process (RSS) and of all processes (PSS). Spark's start is timed apart.
Compare figures of one run with each other.

--driver measures what stays on the driver of Spark (scale_driver.py). --table prints the figures of a file in Markdown,
and --plan works out a larger build from them, with the arithmetic behind each figure: what grows with the images, what
with their square, and what breaks first. Each run adds its figures to those that are in the file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from scale_driver import measure_driver
from scale_plan import Terms, print_measured, print_plan

from emonet.atomic import write_atomically
from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.datasets.builder.options import Leaks

ENGINES = ("local 1", "local 2", "spark 1", "spark 2")
COPIES = 100  # each so many images, one is a copy of an earlier one
SIDE = 48
CODES = 7
EVERY = 0.2  # seconds between two looks at the memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="36000,250000,1000000", help="numbers of images, with commas")
    parser.add_argument("--engines", default=",".join(ENGINES), help="of local 1, local 2, spark 1, spark 2")
    parser.add_argument("--leaks", choices=get_args(Leaks), default="near", help="as in emonet build")
    parser.add_argument("--tables", type=Path, help="folder to keep the generated images in, for another time")
    parser.add_argument("--out", type=Path, help="file to write the figures to, as JSON")
    parser.add_argument("--driver", help="numbers of rows for which to measure what stays on the driver, with commas")
    parser.add_argument("--table", type=Path, help="print the figures in this file as Markdown")
    parser.add_argument("--plan", type=Path, help="work out a larger build from the figures in this file")
    parser.add_argument("--target", type=int, default=100_000_000, help="images of the larger build")
    parser.add_argument("--price", type=float, default=0.05, help="of a core hour")
    parser.add_argument("--hours", type=float, default=24.0, help="that the larger build is to take")
    parser.add_argument("--cores", type=int, default=4, help="of an executor")
    parser.add_argument("--rate", type=float, default=1e10, help="multiply-adds a second of a core, stated")
    parser.add_argument("--driver-gib", type=float, default=64.0, help="memory of the driver")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # one build, in a process of its own
    arguments = parser.parse_args()
    if arguments.table:
        print_measured(json.loads(arguments.table.read_text()))
    elif arguments.plan:
        names = ("target", "price", "hours", "cores", "driver_gib", "rate")
        print_plan(json.loads(arguments.plan.read_text()), Terms(*(getattr(arguments, name) for name in names)))
    elif arguments.driver:
        add_figures(arguments.out, driver=measure_driver([int(count) for count in arguments.driver.split(",")]))
    elif arguments.one:
        engine, table, out = arguments.one
        print(json.dumps(build(engine, Path(table), Path(out), arguments.leaks)))
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    found: list[dict[str, Any]] = []
    print("images     engine   seconds  images/s  crops, s x processes  decisions, s  start, s  RSS MiB  PSS MiB")
    for count in map(int, arguments.images.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            table = find_table(arguments.tables or Path(folder), count)
            for engine in arguments.engines.split(","):
                one = {"images": count, "engine": engine, **measure(engine, table, Path(folder), arguments.leaks)}
                found.append(one)
                print(
                    f"{count:9,}  {engine}  {one['seconds']:8.1f}  {count / one['seconds']:8.0f}  {one['crops']:20.1f}"
                    f"  {one['decisions']:12.1f}  {one['start']:8.1f}  {one['rss']:7.0f}  {one['pss']:7.0f}",
                    flush=True,
                )
    add_figures(arguments.out, leaks=arguments.leaks, builds=found)


def add_figures(path: Path | None, **figures: object) -> None:
    """Write figures into a file, beside others that are there."""
    if path is not None:
        there = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(there | figures, indent=1) + "\n")


def find_table(folder: Path, count: int) -> Path:
    """Find the table of so many images in a folder, or write it."""
    path = folder / f"faces-{count}.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as temporary:
            write_table(temporary, count)
    return path


def write_table(path: Path, count: int) -> None:
    """Write faces of different people: a drawn face under noise of low frequencies."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    face = 150 - 60 * sum(
        np.exp(-(((x - a) / 0.08) ** 2 + ((y - b) / w) ** 2))
        for a, b, w in ((-0.19, -0.14, 0.05), (0.19, -0.14, 0.05), (0, 0.25, 0.04))
    )
    random = np.random.default_rng(0)
    kept: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        file.write("emotion,pixels,Usage\n")
        for number in range(count):
            if number % COPIES == COPIES - 1:
                text = kept[int(random.integers(len(kept)))]
            else:
                text = " ".join(map(str, make_face(face, random).reshape(-1).tolist()))
                kept = [*kept[-999:], text] if number % 10 == 0 else kept
            usage = ("Training", "PublicTest", "PrivateTest")[max(0, number % 10 - 7)]
            file.write(f"{number % CODES},{text},{usage}\n")


def make_face(face: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.uint8]:
    low = cv2.resize(random.normal(0, 30, (8, 8)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(face + low + random.normal(0, 4, (SIDE, SIDE)), 0, 255), np.uint8)


def measure(engine: str, table: Path, folder: Path, leaks: Leaks) -> dict[str, Any]:
    """Run one build in a process of its own, and watch the memory of all processes below it."""
    out = folder / engine.replace(" ", "-")
    command = [sys.executable, __file__, "--leaks", leaks, "--one", engine, str(table), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, watch(process.pid) as peak:
        told = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"{engine} failed")
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return {**found, **peak}


def build(engine: str, table: Path, out: Path, leaks: Leaks) -> dict[str, float]:
    name, processes = engine.split()
    begin = time.perf_counter()
    with open_engine(name, int(processes)) as opened:
        ready = time.perf_counter()
        options = BuildOptions({"fer2013": str(table)}, detector="whole", leaks=leaks)
        built = build_dataset(prepare(options), out, workers=int(processes), engine=opened)
        seconds = time.perf_counter() - ready
    crops = sum(built.seconds.values())
    decisions = seconds - crops / int(processes)
    return {"seconds": seconds, "start": ready - begin, "crops": crops, "decisions": decisions}


@contextmanager
def open_engine(name: str, processes: int) -> Iterator[Any]:
    if name == "local":
        yield None
        return
    from emonet.datasets.builder.spark import SparkEngine
    from emonet.spark import open_session

    with open_session("the benchmark", f"local[{processes}]", {"spark.driver.memory": "2g"}) as session:
        yield SparkEngine(session)


@contextmanager
def watch(leader: int) -> Iterator[dict[str, float]]:
    """Measure in MiB the peak of the largest Python process (RSS) and of all processes (PSS)."""
    peak = {"rss": 0.0, "pss": 0.0}
    over = threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            processes = [read_memory(one) for one in list_below(leader)]
            peak["rss"] = max([peak["rss"], *(rss for name, rss, _ in processes if "python" in name)])
            peak["pss"] = max(peak["pss"], sum(pss for _, _, pss in processes))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def list_below(leader: int) -> list[int]:
    """List a process and all that it and they have started."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                continue
    found = [leader]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def read_memory(number: int) -> tuple[str, float, float]:
    """Return the command of a process, and its RSS and PSS in MiB."""
    try:
        name = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")[0].decode()
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return "", 0.0, 0.0
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    return name, sizes.get("Rss", 0.0), sizes.get("Pss", 0.0)


if __name__ == "__main__":
    main()
