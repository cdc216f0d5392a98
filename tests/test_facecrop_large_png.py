"""Large PNGs are read strip by strip: the pixels and the faults are those of a PNG that is read as a whole."""

import numpy as np
import PIL.Image
import pytest
from PIL.PngImagePlugin import PngInfo

from facecrop import ImageError
from facecrop.images import halve_image, read_image, read_photo

ORIENTATION = 0x0112
SIZE = (131, 94)


@pytest.fixture(autouse=True)
def _small_strips(monkeypatch):
    monkeypatch.setattr("facecrop._png.STRIP_PIXELS", 2000)


def drawing(mode):
    """Draw something of which every strip differs, and that PNG's writer stores with several filters."""
    chance = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    channels = [(x * y // 9), (x + 2 * y), chance.integers(0, 256, x.shape), 255 - x]
    return PIL.Image.fromarray((np.stack(channels, -1) % 256).astype(np.uint8), "RGBA").convert(mode)


def halved(path, monkeypatch, large=5000):
    monkeypatch.setattr("facecrop.images.LARGE", large)
    return read_photo(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_it_has_the_pixels_of_a_whole_one(tmp_path, monkeypatch, mode):
    drawing(mode).save(tmp_path / "a.png")
    read = halved(tmp_path / "a.png", monkeypatch)
    assert (read.size_wh, read.scale) == (SIZE, 2)
    assert np.array_equal(read.image, halve_image(read_image(tmp_path / "a.png")))


@pytest.mark.parametrize("options", [{"bits": 2}, {"bits": 4}, {"transparency": 5}])
def test_palettes_of_few_colours_and_with_a_transparent_one_are_kept(tmp_path, monkeypatch, options):
    drawing("RGB").quantize(2 ** options.get("bits", 8)).save(tmp_path / "a.png", **options)
    read = halved(tmp_path / "a.png", monkeypatch)
    assert np.array_equal(read.image, halve_image(read_image(tmp_path / "a.png")))


def test_a_transparent_colour_is_kept(tmp_path, monkeypatch):
    image = drawing("RGB")
    image.paste((1, 2, 3), (10, 10, 90, 70))
    image.save(tmp_path / "a.png", transparency=(1, 2, 3))
    read = halved(tmp_path / "a.png", monkeypatch)
    assert read.image[20, 20].tolist() == [255, 255, 255]
    assert np.array_equal(read.image, halve_image(read_image(tmp_path / "a.png")))


def test_grey_of_sixteen_bits_is_read(tmp_path, monkeypatch):
    PIL.Image.fromarray((np.arange(94 * 131).reshape(94, 131) * 5).astype(np.uint16)).save(tmp_path / "a.png")
    read = halved(tmp_path / "a.png", monkeypatch)
    assert np.abs(read.image.astype(int) - halve_image(read_image(tmp_path / "a.png"))).max() <= 1


@pytest.mark.parametrize("large", [0, 10**6])
def test_it_is_turned_as_its_orientation_says(tmp_path, monkeypatch, large):
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    drawing("RGB").save(tmp_path / "a.png", exif=exif)
    read = halved(tmp_path / "a.png", monkeypatch, large)
    assert read.size_wh == SIZE[::-1]
    assert read.image.shape[:2] == ((65, 47) if large == 0 else (131, 94))


def test_an_orientation_behind_the_pixels_is_found(tmp_path, monkeypatch):
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 3
    drawing("RGB").save(tmp_path / "a.png", exif=exif)
    data = (tmp_path / "a.png").read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    (tmp_path / "b.png").write_bytes(data[:start] + data[end:-12] + data[start:end] + data[-12:])
    expected = halve_image(np.asarray(drawing("RGB")))[::-1, ::-1]
    assert np.array_equal(halved(tmp_path / "b.png", monkeypatch).image, expected)


def test_a_text_that_is_no_text_does_no_harm(tmp_path, monkeypatch):
    notes = PngInfo()
    notes.add(b"iTXt", b"Note\0\0\0\0\0\xff\xfe", after_idat=True)
    drawing("RGB").save(tmp_path / "a.png", pnginfo=notes)
    assert halved(tmp_path / "a.png", monkeypatch).image.shape == (47, 65, 3)


@pytest.mark.parametrize("keep", [60, 100, 0.5, 0.9])
def test_a_truncated_one_says_so(tmp_path, monkeypatch, keep):
    drawing("RGB").save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: keep if keep > 1 else int(keep * len(data))])
    with pytest.raises(ImageError, match="cannot be decoded"):
        halved(tmp_path / "a.png", monkeypatch)


def test_a_damaged_one_says_so(tmp_path, monkeypatch):
    drawing("RGB").save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    place = data.index(b"IDAT") + 200
    data[place : place + 40] = b"\xff" * 40
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match="cannot be decoded"):
        halved(tmp_path / "a.png", monkeypatch)


def test_of_an_animated_one_the_first_image_is_read(tmp_path, monkeypatch):
    drawing("RGB").save(tmp_path / "a.png", save_all=True, append_images=[PIL.Image.new("RGB", SIZE)])
    assert np.array_equal(halved(tmp_path / "a.png", monkeypatch).image, halve_image(np.asarray(drawing("RGB"))))
