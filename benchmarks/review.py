"""How smoothly does the page of `emonet review` scroll? In Chromium, driven by playwright.

    python benchmarks/review.py STORE [--faces 36000] [--seconds 10] [--speed 3000]

The page shows the faces of STORE, over and over until there are as many as --faces, without a model: sorting does not
change what scrolling costs. It scrolls by so many pixels a second for some seconds, and then jumps to random places.
Printed are the time until the first crop is there, the times between frames (requestAnimationFrame), beside those of a
page of plain stripes on the same machine, and how long a jump takes until all crops in sight are decoded.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from emonet.datasets import open_store
from emonet.review import ReviewServer, open_review
from emonet.review.crops import CropFile
from emonet.review.review import Review

SCROLL = """([seconds, speed]) => new Promise((done) => {
  const scroller = document.querySelector("#faces"), times = [], start = performance.now();
  requestAnimationFrame(function step(now) {
    times.push(now);
    scroller.scrollTop = ((now - start) / 1000) * speed;
    if (now - start < 1000 * seconds) requestAnimationFrame(step);
    else done(times.slice(1).map((time, place) => time - times[place]));
  });
})"""
STRIPES = """<div id=faces style="height: 880px; overflow: scroll"><div style="height: 600000px;
  background: repeating-linear-gradient(#ccc 0 100px, #eee 100px 140px)"></div></div>"""
JUMP = """async (share) => {
  const scroller = document.querySelector("#faces"), start = performance.now();
  scroller.scrollTop = share * scroller.scrollHeight;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const tiles = [...document.querySelectorAll(".tile i")];
  const urls = new Set(tiles.map((tile) => tile.style.backgroundImage.slice(5, -2)));
  await Promise.all([...urls].map((url) => Object.assign(new Image(), { src: url }).decode()));
  return performance.now() - start;
}"""


class RepeatedCrops(CropFile):
    """The crops of a data set, over and over."""

    def __init__(self, crops: CropFile) -> None:
        self._crops, self.cell = crops, crops.cell

    def __len__(self) -> int:
        return len(self._crops)

    def read(self, place: int) -> bytes:
        return self._crops.read(place % len(self._crops))


def repeat(review: Review, count: int) -> Review:
    """Show the faces of a review over and over, until there are so many."""
    faces, places = review.faces, np.arange(count) % len(review.faces)
    rows: dict[str, Any] = {
        name: [getattr(faces, name)[place] for place in places] for name in ("splits", "sources", "subjects", "votes")
    }
    keys = [f"{faces.keys[place]} {number}" for number, place in enumerate(places)]
    many = replace(faces, keys=keys, labels=faces.labels[places], sequences=(), copies=(), **rows)
    return replace(review, faces=many, order=np.arange(count))


def scroll(page: Page, seconds: float, speed: float, what: str) -> None:
    frames = np.array(page.evaluate(SCROLL, [seconds, speed]))
    middle, late, last = np.percentile(frames, [50, 99, 100])
    print(
        f"{what}: {len(frames) / frames.sum() * 1000:.0f} frames/s at {speed:,.0f} pixels/s; "
        f"between frames: median {middle:.1f} ms, 99 % below {late:.1f} ms, longest {last:.1f} ms"
    )


def jump(page: Page) -> None:
    jumps = [page.evaluate(JUMP, share) for share in np.random.default_rng(0).uniform(size=20)]
    print(f"a jump to a random place: {np.median(jumps):.0f} ms until all crops are there, at most {max(jumps):.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--faces", type=int, default=36_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--speed", type=float, default=3000, help="pixels a second; a window is 900 high")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        review = open_review(open_store(arguments.store), Path(folder))
        with ReviewServer(review) as server, sync_playwright() as session:
            server.crops = RepeatedCrops(server.crops)
            server.review = repeat(review, arguments.faces)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            browser = session.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            start = time.perf_counter()
            page.goto(server.address)
            page.locator(".tile").first.wait_for()
            print(f"{arguments.faces:,} faces; the first are there after {time.perf_counter() - start:.1f} s")
            scroll(page, arguments.seconds, arguments.speed, "faces")
            jump(page)
            page.goto("about:blank")
            page.set_content(STRIPES)
            scroll(page, arguments.seconds, arguments.speed, "stripes")
            browser.close()
            server.shutdown()


if __name__ == "__main__":
    main()
