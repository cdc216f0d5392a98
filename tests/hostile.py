"""A folder of photos as nobody wants it: odd names, broken and lying files, links, deep folders, very large images."""

from __future__ import annotations

import os
from io import BytesIO

import numpy as np
import PIL.Image

LARGE_WH, JPEG_WH = (14_000, 14_000), (9_000, 6_700)
DEPTH = 300

NAMES = [
    b"=cmd|calc.png",
    b"a\r=1+1.png",
    b"two\nlines.png",
    b"<script>alert(1)</script>.png",
    b"quote\"s, comma's.png",
    b"caf\xe9 \xff.png",
    "\N{CJK UNIFIED IDEOGRAPH-7530}".encode() * 78 + b".png",
    b"x" * 251 + b".png",
    b"-rf.png",
    b"a.jpg",
    b"a.jpg.jpg/a.jpg",
    b"a.jpg.jpg_/a.jpg",
]


def make_hostile_folder(folder, face, count, *, large):
    """Write about `count` files; `large` adds images of 196 and 60 megapixels."""
    encoded = {kind: encode(face, kind) for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")}
    contents = [*encoded.values(), b"", b"\xff\xd8\xff", b"<svg onload=alert(1)>", os.urandom(5000)]
    contents += [content[: len(content) // 2] for content in encoded.values()]
    contents += [encode(face, "JPEG", mode="CMYK"), encode(face, "PNG", mode="P"), encode(face, "PNG", mode="LA")]
    for name in NAMES:
        write(folder, name, encoded["PNG"])
    for number in range(count):
        ending = ("png", "jpg", "heic", "txt", "mov", "webp", "")[number % 7]
        write(folder, b"%d/%05d.%s" % (number // 500, number, ending.encode()), contents[number % len(contents)])
    write(folder, b"/".join([b"d"] * DEPTH) + b"/a.png", encoded["PNG"])
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.png").symlink_to("gone.png")
    os.mkfifo(folder / "pipe.png")
    for number in range(3 if large else 0):
        PIL.Image.new("1", LARGE_WH).save(folder / f"large {number}.png")
        PIL.Image.new("RGB", JPEG_WH, "grey").save(folder / f"large {number}.jpg")


def write(folder, name, content):
    path = folder / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def encode(image, kind, mode="RGB"):
    stream = BytesIO()
    PIL.Image.fromarray(np.asarray(image)).convert(mode).save(stream, kind)
    return stream.getvalue()
