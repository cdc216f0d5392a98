"""Films for tests: a face that moves over grey, as images and as files; and files with other times and turns."""

from __future__ import annotations

import struct

import cv2
import numpy as np

SIZE_WH = (320, 240)
TURNS = {90: (0, 65536, 0, -65536, 0, 0), 180: (-65536, 0, 0, 0, -65536, 0), 270: (0, -65536, 0, 65536, 0, 0)}


def make_images(face, count, step=2):
    """Images on which the face moves to the right by so many pixels from one to the next."""
    for index in range(count):
        canvas = np.full((SIZE_WH[1], SIZE_WH[0], 3), 110, np.uint8)
        left = 10 + step * index
        canvas[40:200, left : left + 200] = face[:, : SIZE_WH[0] - left]
        yield canvas


def write_film(path, images, fps=25.0):
    """Write images as a film; the ending of the name tells the format."""
    codec = {".mp4": "mp4v", ".avi": "MJPG", ".webm": "VP80"}[path.suffix]
    writer = None
    for image in images:
        if writer is None:
            size_wh = image.shape[1::-1]
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), fps, size_wh)
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def set_times(path, times_ms, fps=25.0):
    """Give the frames of a WebM film times of their own: they stand before each frame, in two bytes."""
    data, place = bytearray(path.read_bytes()), 0
    for index, time_ms in enumerate(times_ms):
        before = struct.pack(">Bh", 0x81, round(1000 * index / fps))
        place = min(found for flags in (b"\x80", b"\x00") if (found := data.find(before + flags, place)) >= 0)
        data[place + 1 : place + 3] = struct.pack(">h", time_ms)
        place += 4
    path.write_bytes(data)
    return path


def turn(path, degrees):
    """Write into an MP4 film that it is to be turned clockwise."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 4 + 20 + 16
    data[place : place + 24] = struct.pack(">6i", *TURNS[degrees])
    path.write_bytes(data)
    return path


def replace_bytes(path, old, new):
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


def cut(path, share=0.5):
    """Cut the end of a file off."""
    data = path.read_bytes()
    path.write_bytes(data[: round(share * len(data))])
    return path
