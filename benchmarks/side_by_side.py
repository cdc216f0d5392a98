"""How many photos a second `emonet predict` reads, by the number of threads, on an idle and on a busy machine.

    python benchmarks/side_by_side.py PHOTOS [--busy 2] [--repeats 3] [--model emonet_fast] [--backend auto]

Compared are one thread, all threads with photos of their own, and photos one after the other with all of torch's
threads in each. --busy starts so many processes that take all of a processor that they get. Rates are the best of the
repeats; the seconds of processor time are those of the same run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from emonet import EmotionPredictor
from emonet.album import list_photos
from emonet.inference.backends import count_threads
from emonet.prediction.many import answer_photos
from facecrop import read_image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", default="emonet_fast")
    parser.add_argument("--backend", default="auto")
    arguments = parser.parse_args()
    predictor = EmotionPredictor(arguments.model, device="cpu", backend=arguments.backend)
    files = [photo.path for photo in list_photos(arguments.photos).photos]
    ways: dict[str, Callable[[], int]] = {
        f"{threads} photos at a time": partial(read, predictor, files, threads)
        for threads in sorted({1, count_threads()})
    }
    ways["one photo at a time, torch's threads in it"] = partial(read_one_by_one, predictor, files)
    read(predictor, files[:2], 1)  # opens what is opened at first use
    with busy_processes(arguments.busy):
        for name, way in ways.items():
            seconds, processor, faces = min(measure(way) for _ in range(arguments.repeats))
            print(f"{name:45} {len(files) / seconds:7.2f} photos/s, {processor:7.1f} s of processors, {faces} faces")


def read(predictor: EmotionPredictor, files: list[Path], threads: int) -> int:
    named = ((str(path), path) for path in files)
    return sum(answer_photos(predictor, named, lambda answer: len(answer.result.predictions), threads=threads))


def read_one_by_one(predictor: EmotionPredictor, files: list[Path]) -> int:
    return sum(len(predictor.predict(read_image(path))) for path in files)


def measure(way: Callable[[], int]) -> tuple[float, float, int]:
    started, used = time.perf_counter(), time.process_time()
    faces = way()
    return time.perf_counter() - started, time.process_time() - used, faces


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    processes = [multiprocessing.get_context("spawn").Process(target=spin, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()


def spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    main()
