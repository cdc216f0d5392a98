"""How `emonet app` bears many clients at a time, and how many camera images it reads in a second.

    python benchmarks/app.py [--clients 8] [--requests 200] [--model emonet]

Starts the app on a free port of this machine and posts the sample photo to `/predict`, from all clients at a time,
until all requests are answered. Says how many were lost (anything but status 200), the times they took, and the memory
of the app after a quarter of them and after all. Then one client posts camera images of 640 x 480 pixels to `/frame`,
each when the one before was answered; beside the clock's rate stands that of the app's processor time over all threads,
which says less of what else the machine does. Needs Linux (/proc), and the packages of the extra app.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from emonet.samples import PORTRAIT
from facecrop import Image, read_image
from facecrop.images import encode_jpeg

FRAMES = 60
FRAME_WH = (640, 480)


@dataclass(frozen=True)
class App:
    """A running app."""

    address: str
    pid: int

    def post(self, path: str, body: bytes) -> tuple[int, float]:
        """Post a body; return the status, and the seconds until the answer was there."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=300)
        try:
            connection.request("POST", path, body)
            answer = connection.getresponse()
            answer.read()
            return answer.status, time.perf_counter() - began
        finally:
            connection.close()

    @property
    def megabytes(self) -> float:
        """The memory that the app has now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def processor_s(self) -> float:
        """The processor time of the app so far."""
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def run_app(*options: str) -> Iterator[App]:
    command = [sys.executable, "-m", "emonet", "app", "--port", "0", "--no-browser", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise SystemExit("the app did not start: emonet app says why")
        try:
            yield App(address, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


def load(app: App, clients: int, requests: int) -> None:
    photo = encode_jpeg(read_image(PORTRAIT))
    app.post("/predict", photo)  # opens what is opened at first use
    with ThreadPoolExecutor(clients) as pool:
        began, used = time.perf_counter(), app.processor_s
        first = list(pool.map(lambda _: app.post("/predict", photo), range(requests // 4)))
        early = app.megabytes
        rest = list(pool.map(lambda _: app.post("/predict", photo), range(requests - len(first))))
        took, used = time.perf_counter() - began, app.processor_s - used
    answers = [*first, *rest]
    lost = sum(status != 200 for status, _ in answers)
    middle, slowest = np.percentile([seconds for _, seconds in answers], [50, 95])
    print(f"{clients} clients, {requests} requests: {lost} lost")
    print(f"answers a second: {requests / took:.1f} by the clock, {requests / used:.1f} by processor time")
    print(f"seconds to an answer: median {middle:.2f}, 95th percentile {slowest:.2f}")
    print(f"memory: {early:.0f} MB after {len(first)} requests, {app.megabytes:.0f} MB after all")


def show_frames(app: App) -> None:
    frames = [encode_jpeg(frame) for frame in make_frames(read_image(PORTRAIT))]
    app.post("/frame", frames[0])
    began, used = time.perf_counter(), app.processor_s
    statuses = [app.post("/frame", frames[place % len(frames)])[0] for place in range(FRAMES)]
    took, used = time.perf_counter() - began, app.processor_s - used
    assert statuses == [200] * FRAMES
    print(f"camera, one face: {FRAMES / took:.1f} frames a second by the clock, {FRAMES / used:.1f} by processor time")


def make_frames(photo: Image) -> Iterator[Image]:
    """Show the photo as a camera might, a little further to the right on each image."""
    import cv2

    whole = np.asarray(cv2.resize(photo, FRAME_WH, interpolation=cv2.INTER_AREA), np.uint8)
    for step in range(8):
        yield np.roll(whole, 6 * step, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--model", default="emonet")
    options = parser.parse_args()
    with run_app("--model", options.model) as app:
        load(app, options.clients, options.requests)
        show_frames(app)


if __name__ == "__main__":
    main()
