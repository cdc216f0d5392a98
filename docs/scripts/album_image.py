"""Write docs/images/album.png: what `emonet demo` shows in a browser.

    make demo && .venv/bin/python docs/scripts/album_image.py demo/album/album.html

Needs Chromium (`apt-get install chromium`).
"""

import shutil
import sys
from io import BytesIO
from pathlib import Path

import PIL.Image
from playwright.sync_api import sync_playwright

IMAGE = Path(__file__).parents[1] / "images" / "album.png"
WIDTH, HEIGHT = 1180, 800
COLOURS = 200  # few enough for 150 KB, and enough for skin

with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto(Path(sys.argv[1]).resolve().as_uri())
    shown = page.screenshot()
    browser.close()
image = PIL.Image.open(BytesIO(shown)).convert("RGB")
image.quantize(COLOURS, dither=PIL.Image.Dither.NONE).save(IMAGE, optimize=True)
print(f"{IMAGE}: {IMAGE.stat().st_size:,} bytes")
