"""Large WebP, AVIF and HEIC photos have the pixels and the faults of photos that are read as a whole."""

from io import BytesIO

import numpy as np
import PIL.Image
import pytest

from facecrop import ImageError
from facecrop.images import halve_image, read_image, read_photo

ORIENTATION = 0x0112
KINDS = {
    "WebP": ("WEBP", {}),
    "lossless WebP": ("WEBP", {"lossless": True}),
    "animated WebP": ("WEBP", {"save_all": True, "append_images": [PIL.Image.new("RGB", (131, 94), "red")]}),
    "AVIF": ("AVIF", {}),
    "HEIC": ("HEIF", {}),
}


@pytest.fixture(autouse=True)
def _large(monkeypatch):
    monkeypatch.setattr("facecrop.images.LARGE", 5000)


@pytest.fixture(autouse=True, scope="module")
def _heic_writer():
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed: it writes HEIC for the tests")
    heif.register_heif_opener()


def save(mode="RGB", kind="WebP", **more):
    y, x = np.mgrid[:94, :131]
    pixels = (np.stack([x * y // 9, x + 2 * y, x * 3, 255 - x], -1) % 256).astype(np.uint8)
    file_format, options = KINDS[kind]
    file = BytesIO()
    PIL.Image.fromarray(pixels, "RGBA").convert(mode).save(file, file_format, **options, **more)
    return file.getvalue()


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_has_the_pixels_of_a_whole_one(kind, mode, orientation):
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    file = save(mode, kind, exif=exif)
    read = read_photo(file)
    whole = read_image(file)
    assert (read.size_wh, read.scale) == (whole.shape[1::-1], 2)
    assert whole.shape[:2] == ((131, 94) if orientation == 6 and kind != "HEIC" else (94, 131))  # its writer turns it
    assert np.abs(read.image.astype(int) - halve_image(whole)).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_is_an_error(kind):
    file = save("RGB", kind)
    with pytest.raises(ImageError, match="cannot be"):
        read_photo(file[: len(file) // 2])


@pytest.mark.parametrize("kind", ["WebP", "AVIF", "HEIC"])
def test_an_image_that_was_changed_after_it_was_opened_is_read_as_it_is(kind):
    image = PIL.Image.open(BytesIO(save("RGB", kind)))
    image.paste("white", (0, 0, 131, 94))
    assert read_photo(image).image.min() == 255
