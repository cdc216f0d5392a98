"""How large the page of an album is, and how long it takes to write, open and search.

    python benchmarks/album_page.py [--photos 10000] [--faces 1]

Entries are made up: their thumbnails and crops are noise that packs as photos do, each with other bytes. Chromium opens
the page from the disk and is told to choose; times of choices end when the layout is done. Needs Chromium and
playwright; without them, only the writing is measured.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from emonet.album.album import write_album
from emonet.album.entry import Entry
from emonet.album.looks import Looks
from emonet.labels import Emotion
from emonet.prediction import PhotoResult, Prediction
from facecrop import Face
from facecrop.images import encode_jpeg

CLASSES = tuple(emotion for emotion in Emotion if emotion is not Emotion.CONTEMPT)
CHOICES = {
    "faces": "choose({ view: 'faces' })",
    "one expression": "choose({ show: 'happy' })",
    "search": "choose({ show: 'all', find: 'IMG_07' })",
    "photos, surest first": "choose({ find: '', view: 'photos', sort: 'surest' })",
}
LAYOUT = "place.clientHeight; return performance.now() - began"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--photos", type=int, default=10_000)
    arguments.add_argument("--faces", type=int, default=1, help="faces of each photo")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for words in ("written in", "written again in"):
            entries = make_entries(given.photos, given.faces)
            began = time.perf_counter()
            page = write_album(entries, folder, title="benchmark", classes=CLASSES, count=given.photos)
            print(f"{words} {time.perf_counter() - began:.1f} s, with the making of entries")
        images = [path.stat().st_size for path in folder.glob("album/*.jpg")]
        print(f"page {page.stat().st_size / 1e6:.1f} MB; {len(images):,} images beside it, {sum(images) / 1e6:.0f} MB")
        open_page(page)


def make_entries(photos: int, faces: int) -> Iterator[Entry]:
    rng, chance = np.random.default_rng(0), random.Random(0)
    thumbnail, crop = (make_jpeg(rng, size) for size in ((240, 320), (128, 128)))
    for number in range(photos):
        mark = number.to_bytes(4)  # behind the end of a JPEG, where no decoder looks
        path = f"{2000 + number // 1000}/IMG_{number:05}.jpg"
        found = tuple(make_prediction(chance) for _ in range(faces))
        crops = tuple(crop + mark + place.to_bytes(2) for place in range(faces))
        looks = Looks(crops, chance.getrandbits(64), 1.0)
        yield Entry(path, 4000, 3000, PhotoResult(path, found), thumbnail + mark, looks)


def make_jpeg(rng: np.random.Generator, shape: tuple[int, int]) -> bytes:
    noise = rng.integers(0, 256, (shape[0] // 8, shape[1] // 8, 3), np.uint8)
    return encode_jpeg(np.asarray(cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC), np.uint8))


def make_prediction(chance: random.Random) -> Prediction:
    shares = [chance.random() ** 4 + 1e-3 for _ in CLASSES]
    probabilities: dict[Emotion, float] = {one: share / sum(shares) for one, share in zip(CLASSES, shares, strict=True)}
    x, y, side = chance.uniform(0, 3600), chance.uniform(0, 2600), chance.uniform(40, 400)
    return Prediction(Face((x, y, x + side, y + side), score=0.9), probabilities)


def open_page(page: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("there is no chromium here: the page is not opened")
        return
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as driver,
        driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
    ):
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.perf_counter()
        tab.goto(page.as_uri(), timeout=120_000)
        tab.locator("article").first.wait_for()
        print(f"opened in {time.perf_counter() - began:.1f} s")
        for words, choice in CHOICES.items():
            took = tab.evaluate(f"(() => {{ const began = performance.now(); {choice}; {LAYOUT}; }})()")
            elements = tab.evaluate("document.querySelectorAll('*').length")
            print(f"{words}: {took:.0f} ms, {elements} elements in the page")


if __name__ == "__main__":
    main()
