"""Photos and entries for tests of albums. The photos of made-up entries are grey; their faces are made up."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO

import pytest
from PIL import Image

from emonet.album import AlbumRun, Entry
from emonet.album.looks import Looks
from emonet.labels import Emotion
from emonet.prediction import PhotoResult, Prediction
from facecrop import Face, ImageError

CLASSES = tuple(emotion for emotion in Emotion if emotion is not Emotion.CONTEMPT)
SIZE_WH = (640, 480)
BOX = (100, 120, 200, 250)


def jpeg(size_wh, colour):
    data = BytesIO()
    Image.new("RGB", size_wh, colour).save(data, "JPEG")
    return data.getvalue()


THUMBNAIL, CROP = jpeg((4, 3), "grey"), jpeg((4, 4), "tan")


def said(emotion, confidence, box=BOX, rest="neutral", unsure=""):
    """A prediction whose remaining probability goes to one other expression."""
    shares = dict.fromkeys(CLASSES, 0.0) | {Emotion(rest): 1 - confidence, Emotion(emotion): confidence}
    return Prediction(Face(box=box, score=1.0), shares, unsure=unsure)


def entry(path, *faces, rejections=(), size_wh=SIZE_WH, likeness=None, sharpness=1.0):
    """An entry that looks like no other, unless its likeness is given."""
    if likeness is None:
        likeness = int.from_bytes(sha256(path.encode("utf-8", "backslashreplace")).digest()[:8])
    looks = Looks((CROP,) * len(faces), likeness, sharpness)
    return Entry(path, *size_wh, PhotoResult(path, faces, tuple(rejections)), THUMBNAIL, looks)


def unreadable(path, reason):
    return Entry(path, 0, 0, PhotoResult(path, error=ImageError(path, reason)))


def make_photos(folder, face):
    """Write four files: two with a face, one without, and a broken one."""
    (folder / "summer").mkdir(parents=True)
    Image.fromarray(face).save(folder / "a.png")
    Image.fromarray(face[:, ::-1]).save(folder / "summer" / "b.png")
    Image.new("RGB", (90, 60)).save(folder / "sky.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


class Watch:
    """Keeps what a run tells it, and may stop the run."""

    def __init__(self, stop_after=None):
        self.entries, self.known, self.stop_after = [], [], stop_after

    def __call__(self, entry, known):
        self.entries.append(entry)
        self.known.append(known)
        if len(self.entries) == self.stop_after:
            raise KeyboardInterrupt


def run_album(photos, predictor, *, stop_after=None, **options):
    """Write the album of some photos beside them, and return the watch."""
    watch = Watch(stop_after)
    run = AlbumRun(photos, photos.with_name("album"), predictor, **options)
    if stop_after:
        with pytest.raises(KeyboardInterrupt):
            run.run(watch)
    else:
        run.run(watch)
    return watch
