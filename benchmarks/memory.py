"""How much memory `emonet predict` takes for large photos.

    python benchmarks/memory.py [--portrait photo.jpg] [--case 3] [--photos 4] [--threads 4]

Each case is a process of its own, which reads photos that are made here: PNGs of 196 megapixels, of two colours (24 kB)
and of all, JPEGs of 60, 48 and 12, and others of 60: PNGs of 16 bits and interlaced ones, TIFF, WebP, HEIC (written by
pillow-heif), AVIF, BMP and GIF. --side WIDTHxHEIGHT gives these another size. Each photo holds a face, of --portrait or
scikit-image's astronaut. Printed are the peak of the process, what it takes before the first photo, and the seconds.
Needs Linux.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import PIL.Image
from peak import read_peak

from emonet import EmotionPredictor
from emonet.album import AlbumRun
from emonet.inference.backends import count_threads
from facecrop.images import Image, read_image

T = TypeVar("T")

SIDES = (9_000, 6_700)
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # of PNG


class Case(NamedTuple):
    """Photos of one kind."""

    title: str
    photos: int
    write: Callable[..., None]
    size_wh: tuple[int, int] | None = None  # of those whose size may be chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="emonet")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--detector", default="yunet")
    parser.add_argument("--portrait", type=Path)
    parser.add_argument("--case", type=int, choices=range(1, len(CASES) + 1), help="only this one")
    parser.add_argument("--photos", type=int, help="so many of each kind")
    parser.add_argument("--threads", type=int, default=count_threads(), help="photos that are read at the same time")
    parser.add_argument("--side", help="width and height of the photos of other formats, such as 14000x14000")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # of the processes that are started here
    portrait = read_portrait(arguments.portrait)
    for case in CASES if arguments.case is None else [CASES[arguments.case - 1]]:
        asked = case._replace(photos=arguments.photos or case.photos)
        if arguments.side and case.size_wh:
            width, height = map(int, arguments.side.split("x"))
            asked = asked._replace(size_wh=(width, height))
        with tempfile.TemporaryDirectory() as folder:
            photos = Path(folder) / "photos"
            apply_apart(write_photos, asked, photos, portrait)
            before, peak, faces, seconds = apply_apart(
                run, photos, arguments.model, arguments.backend, arguments.detector
            )
        print(
            f"{asked.photos} {asked.title}: peak {peak} MB, of which {before} before; {faces} faces, {seconds:.0f} s",
            flush=True,
        )


def apply_apart(function: Callable[..., T], *values: object) -> T:
    """Call a function in a process of its own, because a peak of memory is that of a whole process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, values)


def read_portrait(path: Path | None) -> Image:
    if path is not None:
        return read_image(path)
    from skimage import data

    return np.array(data.astronaut()[:320])


def write_photos(case: Case, folder: Path, portrait: Image) -> None:
    folder.mkdir()
    for number in range(case.photos):
        if number and case.size_wh:  # they take long to write
            first = next(folder.glob("00.*"))
            os.link(first, folder / f"{number:02}{first.suffix}")
        else:
            case.write(folder / f"{number:02}", portrait, *case.size_wh or ())


def write_black(path: Path, _: Image) -> None:
    PIL.Image.new("1", (14_000, 14_000)).save(path.with_suffix(".png"))


def write_colours(path: Path, portrait: Image) -> None:
    draw_around(portrait, 14_000, 14_000).save(path.with_suffix(".png"), compress_level=1)


def write_jpeg(path: Path, portrait: Image, width: int, height: int) -> None:
    draw_around(portrait, width, height).save(path.with_suffix(".jpg"), quality=85)


def write_60(path: Path, portrait: Image) -> None:
    write_jpeg(path, portrait, 9_000, 6_700)


def write_48(path: Path, portrait: Image) -> None:
    write_jpeg(path, portrait, 8_000, 6_000)


def write_12(path: Path, portrait: Image) -> None:
    write_jpeg(path, portrait, 4_000, 3_000)


def write_deep_png(path: Path, portrait: Image, width: int, height: int) -> None:
    deep = np.asarray(draw_around(portrait, width, height)).astype(np.uint16) * 257
    cv2.imwrite(str(path.with_suffix(".png")), deep[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])


def write_interlaced_png(path: Path, portrait: Image, width: int, height: int) -> None:
    pixels = np.asarray(draw_around(portrait, width, height))
    packer, parts = zlib.compressobj(1), []
    for left, top, across, down in ADAM7:
        rows = pixels[top::down, left::across].reshape(-(-(height - top) // down), -1)
        parts.append(packer.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes()))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", b"".join(parts) + packer.flush()), (b"IEND", b""))
    file = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    path.with_suffix(".png").write_bytes(b"\x89PNG\r\n\x1a\n" + file)


def write_tiff(path: Path, portrait: Image, width: int, height: int) -> None:
    draw_around(portrait, width, height).save(path.with_suffix(".tif"))


def write_packed_tiff(path: Path, portrait: Image, width: int, height: int) -> None:
    draw_around(portrait, width, height).save(path.with_suffix(".tif"), compression="tiff_lzw")


def write_float_tiff(path: Path, portrait: Image, width: int, height: int) -> None:
    draw_around(portrait, width, height).convert("F").save(path.with_suffix(".tif"))


def write_webp(path: Path, portrait: Image, width: int, height: int) -> None:
    draw_around(portrait, width, height).save(path.with_suffix(".webp"), lossless=True, quality=0, method=0)


def write_heic(path: Path, portrait: Image, width: int, height: int) -> None:
    import pillow_heif

    pillow_heif.from_pillow(draw_around(portrait, width, height)).save(
        path.with_suffix(".heic"), enc_params={"preset": "ultrafast"}
    )


def write_avif(path: Path, portrait: Image, width: int, height: int) -> None:
    draw_around(portrait, width, height).save(path.with_suffix(".avif"), speed=10)


def write_bmp(path: Path, portrait: Image, width: int, height: int) -> None:
    draw_around(portrait, width, height).save(path.with_suffix(".bmp"))


def write_gif(path: Path, portrait: Image, width: int, height: int) -> None:
    draw_around(portrait, width, height).quantize(64).save(path.with_suffix(".gif"))


def draw_around(portrait: Image, width: int, height: int) -> PIL.Image.Image:
    """Draw the portrait, enlarged to a third of the height, into a grey photo."""
    canvas = PIL.Image.new("RGB", (width, height), (120, 130, 140))
    side = height // 3
    canvas.paste(PIL.Image.fromarray(portrait).resize((side * portrait.shape[1] // portrait.shape[0], side)), (99, 99))
    return canvas


def run(photos: Path, model: str, backend: str, detector: str) -> tuple[int, int, int, float]:
    predictor = EmotionPredictor(model, detector=detector, device="cpu", backend=backend)
    predictor.predict(np.zeros((300, 300, 3), np.uint8))
    before, faces, started = read_peak(), 0, time.perf_counter()
    album = AlbumRun(photos, photos.with_name("album"), predictor, annotate=True)
    album.run(lambda *_: None)
    faces = sum(len(entry.result.predictions) for entry in album.entries())
    return before, read_peak(), faces, time.perf_counter() - started


CASES = (
    Case("PNGs of 196 megapixels in two colours", 6, write_black),
    Case("PNGs of 196 megapixels in colour", 6, write_colours),
    Case("JPEGs of 60 megapixels", 10, write_60),
    Case("JPEGs of 48 megapixels", 4, write_48),
    Case("JPEGs of 12 megapixels", 40, write_12),
    Case("PNGs of 16 bits", 10, write_deep_png, SIDES),
    Case("interlaced PNGs", 10, write_interlaced_png, SIDES),
    Case("TIFFs", 10, write_tiff, SIDES),
    Case("TIFFs with LZW", 10, write_packed_tiff, SIDES),
    Case("TIFFs of 32-bit floats", 10, write_float_tiff, SIDES),
    Case("WebPs", 10, write_webp, SIDES),
    Case("HEICs", 10, write_heic, SIDES),
    Case("AVIFs", 10, write_avif, SIDES),
    Case("BMPs", 10, write_bmp, SIDES),
    Case("GIFs", 10, write_gif, SIDES),
)

if __name__ == "__main__":
    main()
