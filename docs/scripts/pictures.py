"""Write the pictures of README.md into docs/images: an album, the page, a timeline and the app in a browser.

    make demo && .venv/bin/pip install '.[app]' && .venv/bin/python docs/scripts/pictures.py demo

Needs Chromium (`apt-get install chromium`). The people are those of `emonet demo`; the film moves over one photo.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from playwright.sync_api import Browser, Page, sync_playwright

from facecrop import read_image

IMAGES = Path(__file__).parents[1] / "images"
COLOURS = 200  # few enough for 150 KB, and enough for skin
ALBUM_WH, OTHERS_WH = (1180, 800), (880, 960)
FRAMES, FRAME_WH = 75, (480, 360)
PATIENCE_MS, SETTLED_MS = 120_000, 2_000
EMONET = (sys.executable, "-m", "emonet")


def main(demo: Path) -> None:
    """Write all pictures; `demo` is what `emonet demo` wrote."""
    photo = demo / "photos" / "group.webp"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        save("album", open_tab(browser, (demo / "album" / "album.html").resolve().as_uri(), ALBUM_WH).screenshot())
        save("page", show_page(browser, Path(folder), photo))
        save("timeline", show_timeline(browser, Path(folder), photo))
        save("app", show_app(browser, photo))
        browser.close()


def show_page(browser: Browser, folder: Path, photo: Path) -> bytes:
    """Read a photo on the page that needs no server."""
    subprocess.run([*EMONET, "page", "-o", folder / "site"], check=True)
    tab = open_tab(browser, (folder / "site" / "index.html").as_uri())
    tab.set_input_files("#choose", photo)
    tab.locator(".face").first.wait_for(timeout=PATIENCE_MS)
    return tab.screenshot()


def show_timeline(browser: Browser, folder: Path, photo: Path) -> bytes:
    """Read a film."""
    write_film(folder / "film.webm", photo)
    subprocess.run([*EMONET, "video", folder / "film.webm", "-o", folder / "film"], check=True)
    tab = open_tab(browser, (folder / "film" / "timeline.html").as_uri())
    tab.get_by_role("heading", name="Tracks").scroll_into_view_if_needed()
    tab.mouse.wheel(0, OTHERS_WH[1] // 2)
    tab.wait_for_timeout(SETTLED_MS)
    return tab.screenshot()


def show_app(browser: Browser, photo: Path) -> bytes:
    """Read a photo in the app."""
    with serve("app", "--port", "0", "--no-browser") as address:
        tab = open_tab(browser, address)
        tab.set_input_files("#photos input[type=file]", photo)
        tab.locator("#shown-photos .face").first.wait_for(timeout=PATIENCE_MS)
        tab.evaluate("document.querySelector('#shown-photos').scrollIntoView()")
        tab.wait_for_timeout(SETTLED_MS)
        return tab.screenshot()


def write_film(path: Path, photo: Path) -> None:
    """Move over a photo from left to right."""
    image = read_image(photo)
    width, height = FRAME_WH
    image = cv2.resize(image, None, fx=height / image.shape[0], fy=height / image.shape[0])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), 25, FRAME_WH)
    for left in np.linspace(0, image.shape[1] - width, FRAMES):
        writer.write(cv2.cvtColor(image[:, round(left) : round(left) + width], cv2.COLOR_RGB2BGR))
    writer.release()


@contextmanager
def serve(*command: str) -> Iterator[str]:
    """Run a command that serves pages and prints their address first."""
    process = subprocess.Popen([*EMONET, *command], stdout=subprocess.PIPE, text=True)
    try:
        yield next(iter(process.stdout or ())).strip()
    finally:
        process.terminate()
        process.wait()


def open_tab(browser: Browser, address: str, size_wh: tuple[int, int] = OTHERS_WH) -> Page:
    """Open an address."""
    tab = browser.new_page(viewport={"width": size_wh[0], "height": size_wh[1]})
    tab.goto(address)
    return tab


def save(name: str, shown: bytes) -> None:
    """Save a picture in few colours."""
    path = IMAGES / f"{name}.png"
    image = PIL.Image.open(BytesIO(shown)).convert("RGB")
    if image.size == OTHERS_WH:  # three stand side by side
        image = image.resize((image.width * 2 // 3, image.height * 2 // 3))
    image.quantize(COLOURS, dither=PIL.Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
