"""Read a film with one library, twice, and print the second time as JSON; `benchmarks/video.py --peer` runs it.

    python benchmarks/video_reader.py emonet|emonet-files|fer|fer-files FILM

It runs under the interpreter of the library that it reads with, so it needs nothing of the other. `-files` also writes
what the library writes by default: emonet its tables and its page, fer frames, a film with boxes, and a zip.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

Read = Callable[[str, str], tuple[int, int]]  # from a film and a folder to write into, to frames and faces


def main() -> None:
    name, film = sys.argv[1], str(Path(sys.argv[2]).resolve())
    cv2.setNumThreads(1)
    read = prepare_fer(name) if name.startswith("fer") else prepare_emonet(name)
    for _ in range(2):  # the first time loads and warms up
        with tempfile.TemporaryDirectory() as folder:
            began, processor = time.perf_counter(), time.process_time()
            frames, faces = read(film, folder)
            times = time.perf_counter() - began, time.process_time() - processor
    print(json.dumps({"frames": frames, "faces": faces, "clock_s": times[0], "processor_s": times[1]}))


def prepare_emonet(name: str) -> Read:
    from emonet import EmotionPredictor, predict_video
    from emonet.video import VideoRun

    predictor = EmotionPredictor(detector="yunet", tta="none")

    def read(film: str, folder: str) -> tuple[int, int]:
        if name == "emonet-files":
            summary = VideoRun(film, Path(folder) / "out", predictor).run(lambda *_: None)
            return summary.frames, -1
        counts = [len(frame.predictions) for frame in predict_video(film, predictor)]
        return len(counts), sum(counts)

    return read


def prepare_fer(name: str) -> Read:
    from fer.classes import Video
    from fer.fer import FER

    detector = FER()
    writes = name == "fer-files"
    kept: dict[str, Any] = (
        {} if writes else dict.fromkeys(("save_frames", "save_video", "annotate_frames", "zip_images"), False)
    )

    def read(film: str, folder: str) -> tuple[int, int]:
        os.chdir(folder)  # where it leaves data.csv
        video = Video(film, outdir=folder)
        rows = video.analyze(detector, **kept)  # frames without a face have none
        return video.frameCount, sum(key.startswith("box") for row in rows for key in row)

    return read


if __name__ == "__main__":
    main()
