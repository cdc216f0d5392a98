import io
import os
import pickle
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.TiffImagePlugin
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import features

from facecrop import ImageError, read_image
from facecrop.errors import EmonetError
from facecrop.images import is_image_file

RED, GREEN = (255, 0, 0), (0, 153, 0)  # both in the palette that Pillow converts to
LOSSY = 12  # how far lossy formats may be from the colour that was saved


def sketch(mode="RGB", size=(40, 30)):
    """Red on the left, green on the right."""
    picture = PIL.Image.new("RGB", size, RED)
    picture.paste(GREEN, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def saved(picture, file_format, **options):
    stream = io.BytesIO()
    picture.save(stream, file_format, **options)
    return stream.getvalue()


def heic(picture, exif=None):
    stream = io.BytesIO()
    pillow_heif.from_pillow(picture).save(stream, quality=90, exif=exif)
    return stream.getvalue()


FILES = {
    "jpeg": lambda: saved(sketch(), "JPEG", quality=95),
    "jpeg cmyk": lambda: saved(sketch("CMYK"), "JPEG", quality=95),
    "png": lambda: saved(sketch(), "PNG"),
    "png palette": lambda: saved(sketch("P"), "PNG"),
    "gif": lambda: saved(sketch(), "GIF", save_all=True, append_images=[PIL.Image.new("RGB", (40, 30), "blue")]),
    "webp": lambda: saved(sketch(), "WEBP", quality=95),
    "webp animated": lambda: saved(
        sketch(), "WEBP", quality=95, save_all=True, append_images=[PIL.Image.new("RGB", (40, 30), "blue")]
    ),
    "tiff": lambda: saved(sketch(), "TIFF"),
    "tiff lzw": lambda: saved(sketch(), "TIFF", compression="tiff_lzw"),
    "bmp": lambda: saved(sketch(), "BMP"),
    "heic": lambda: heic(sketch()),
    "avif": lambda: saved(sketch(), "AVIF", quality=90),
}


@pytest.fixture(params=FILES)
def file_bytes(request):
    if request.param == "avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    return FILES[request.param]()


def assert_sketch(image):
    assert image.dtype == np.uint8
    assert image.shape == (30, 40, 3)
    assert image.flags.writeable
    assert np.abs(image[15, 5].astype(int) - RED).max() <= LOSSY
    assert np.abs(image[15, 35].astype(int) - GREEN).max() <= LOSSY


def test_every_format_is_read_from_bytes(file_bytes):
    assert_sketch(read_image(file_bytes))


def test_the_format_is_told_by_content_and_not_by_name(tmp_path, file_bytes):
    path = tmp_path / "IMG_0001.jpg"
    path.write_bytes(file_bytes)
    assert_sketch(read_image(path))
    assert_sketch(read_image(str(path)))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [("L", "PNG"), ("1", "PNG"), ("LA", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("I;16", "PNG"), ("I", "TIFF")],
)
def test_every_mode_becomes_rgb(mode, file_format):
    black_and_white = np.repeat([[0, 255]], 10, axis=1).astype(np.uint8).repeat(10, 0)
    if mode.startswith("I"):
        picture = PIL.Image.fromarray(black_and_white.astype(np.uint16) * 257).convert(mode)
    else:
        picture = PIL.Image.fromarray(black_and_white).convert(mode)
    image = read_image(saved(picture, file_format))
    assert image.shape == (10, 20, 3)
    assert (image[:, 0] == 0).all()
    assert (image[:, -1] == 255).all()


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_floats_are_scaled_by_their_range(white):
    picture = PIL.Image.fromarray(np.array([[0, white / 2, white]], np.float32))
    assert read_image(saved(picture, "TIFF"))[0, :, 0].tolist() == [0, 128, 255]


def test_transparent_parts_become_white():
    picture = sketch("RGBA")
    picture.putalpha(PIL.Image.new("L", picture.size, 0))
    assert (read_image(saved(picture, "PNG")) == 255).all()
    palette = PIL.Image.new("P", (4, 4), 0)
    assert (read_image(saved(palette, "GIF", transparency=0)) == 255).all()


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}])
def test_pillow_has_no_limit_of_its_own_for_tiff(monkeypatch, options):
    data = saved(sketch(), "TIFF", **options)
    whole = read_image(data)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", whole.shape[0] * whole.shape[1] // 3)
    monkeypatch.setattr("facecrop._large.STRIP_PIXELS", 100)
    assert (read_image(data) == whole).all()
    with pytest.raises(ImageError, match="more than the limit of 100"):
        read_image(data, max_pixels=100)


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF", "WEBP", "PNG", "HEIC", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation, file_format):
    undo = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90"}
    undo |= {7: "TRANSVERSE", 8: "ROTATE_270"}
    picture = sketch()
    if orientation > 1:
        picture = picture.transpose(PIL.Image.Transpose[undo[orientation]])
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    if file_format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    data = (
        heic(picture, exif.tobytes()) if file_format == "HEIC" else saved(picture, file_format, exif=exif, quality=95)
    )
    assert_sketch(read_image(data))


def test_pillow_images_are_read_and_left_alone():
    picture = sketch("RGBA")
    assert_sketch(read_image(picture))
    assert picture.mode == "RGBA"


@pytest.mark.parametrize(
    "array",
    [
        np.asarray(sketch()),
        np.asarray(sketch("RGBA")),
        np.asarray(sketch()).astype(np.uint16) * 257,
        np.asarray(sketch()) / 255,
        np.asarray(sketch()).astype(np.float32),
    ],
    ids=["rgb", "rgba", "16 bit", "floats to 1", "floats to 255"],
)
def test_arrays_are_read(array):
    assert_sketch(read_image(array))


@pytest.mark.parametrize("kind", ["int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float64"])
def test_arrays_of_other_numbers_up_to_255_are_no_black_images(kind):
    assert_sketch(read_image(np.asarray(sketch()).astype(kind)))


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint32])
def test_wider_integers_may_hold_16_bits(kind):
    assert_sketch(read_image(np.asarray(sketch()).astype(kind) * 257))


def test_values_that_overshoot_a_little_are_clipped():
    wide = np.asarray(sketch()).astype(np.float32) / 255 * 1.04 - 0.02
    assert np.abs(read_image(wide).astype(int) - np.asarray(sketch())).max() <= LOSSY


@pytest.mark.parametrize(
    "array",
    [
        np.asarray(sketch()) / 127.5 - 1,
        (np.asarray(sketch()) / 255 - 0.45) / 0.22,
        np.asarray(sketch()).astype(np.int16) - 128,
        np.asarray(sketch()).astype(np.int64) * 2**16,
    ],
    ids=["-1 to 1", "standardised", "signed", "more than 16 bits"],
)
def test_arrays_that_were_scaled_for_a_network_are_refused(array):
    with pytest.raises(ImageError, match="scale them to 0 to"):
        read_image(array)


def test_open_files_are_read(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(saved(sketch(), "PNG"))
    with path.open("rb") as file:
        assert_sketch(read_image(file))
    assert_sketch(read_image(io.BytesIO(path.read_bytes())))
    with pytest.raises(ImageError, match="more than the limit"):
        read_image(io.BytesIO(path.read_bytes()), max_bytes=10)
    with path.open(encoding="latin-1") as file, pytest.raises(TypeError, match="binary"):
        read_image(file)


@pytest.mark.parametrize("url", ["https://example.org/a.jpg", "HTTP://example.org/a", "data:image/png;base64,AAAA"])
def test_urls_are_refused_with_the_reason(url):
    with pytest.raises(ImageError, match="network"):
        read_image(url)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1)])
@pytest.mark.parametrize("kind", [bool, np.uint8])
def test_grey_and_bool_arrays_are_read(shape, kind):
    image = read_image(np.ones(shape, kind))
    assert image.shape == (5, 6, 3)
    assert (image == (255 if kind is bool else 1)).all()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5, 6, 2), np.uint8),
        np.zeros((0, 6, 3), np.uint8),
        np.zeros(7, np.uint8),
        np.full((5, 6), np.nan),
        np.full((5, 6), "a"),
    ],
    ids=["two channels", "empty", "a line", "nan", "text"],
)
def test_arrays_of_other_shapes_and_types_are_refused(array):
    with pytest.raises(ImageError):
        read_image(array)


def test_an_array_is_copied():
    array = np.zeros((4, 4, 3), np.uint8)
    read_image(array)[:] = 9
    assert (array == 0).all()


@pytest.mark.parametrize(
    ("max_side", "shape"), [(20, (15, 20, 3)), (40, (30, 40, 3)), (999, (30, 40, 3)), (1, (1, 1, 3))]
)
def test_max_side_reduces_and_never_enlarges(file_bytes, max_side, shape):
    assert read_image(file_bytes, max_side).shape == shape


def test_a_large_jpeg_is_decoded_at_a_reduced_scale():
    noise = np.random.default_rng(0).integers(0, 255, (1200, 1600, 3), np.uint8)
    data = saved(PIL.Image.fromarray(noise), "JPEG")
    with PIL.Image.open(io.BytesIO(data)) as reduced:
        reduced.draft(None, (200, 150))
        assert (read_image(data, 200) == np.asarray(reduced)).all()


@pytest.mark.parametrize("keep", [0, 1, 3, 10, 20, 64, 0.3, 0.6])
def test_cut_off_files_raise_image_error_with_path_and_reason(tmp_path, file_bytes, keep):
    path = tmp_path / "cut.jpg"
    path.write_bytes(file_bytes[: keep if isinstance(keep, int) else int(len(file_bytes) * keep)])
    with pytest.raises(ImageError, match=r"cut\.jpg: ") as caught:
        read_image(path)
    assert caught.value.path == path
    assert caught.value.reason


@pytest.mark.parametrize(
    "content",
    [
        b"hello, I am a text",
        b"%PDF-1.7 ...",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"SIMPLE  =                    T",
        b"PK\x03\x04" + bytes(100),
        b"\0\0\0\x18ftypmp42" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0\0\x01\0\x01\0" + bytes(100),
        b"P6 2 2 255 " + bytes(12),
    ],
    ids=["text", "pdf", "eps", "fits", "zip", "film", "svg", "icon", "ppm"],
)
def test_other_files_are_refused_whatever_their_names(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="not an image"):
        read_image(path)


def bomb(width, height):
    """A PNG whose header promises more than its data hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    body = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@pytest.mark.parametrize("size", [(20_000, 10_001), (100_000, 100_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_by_its_header(size):
    with pytest.raises(ImageError, match="more than the limit of 200,000,000"):
        read_image(bomb(*size))


def promising(file_format, width, height):
    """A small file of another format whose header promises that many pixels."""
    data = bytearray(saved(sketch(), file_format))
    if file_format == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    elif file_format == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    else:
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "JPEG"])
def test_decompression_bombs_of_other_formats_are_refused(file_format):
    with pytest.raises(ImageError, match="60000 x 50000 pixels, more than the limit of 200,000,000"):
        read_image(promising(file_format, 60_000, 50_000), max_side=100)


def test_max_pixels_and_max_bytes_refuse_larger_files():
    data = saved(sketch(), "PNG")
    with pytest.raises(ImageError, match="limit of 1,199"):
        read_image(data, max_pixels=1199)
    with pytest.raises(ImageError, match="bytes, more than the limit of 10"):
        read_image(data, max_bytes=10)
    assert_sketch(read_image(data, max_pixels=1200))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not a regular file"):
        read_image(tmp_path / "pipe.jpg")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ImageError):
        read_image(tmp_path)


@pytest.mark.parametrize("error", [FileNotFoundError, EmonetError])
def test_a_missing_file_is_named(tmp_path, error):
    with pytest.raises(error, match=r"no such file: .*nowhere\.jpg"):
        read_image(tmp_path / "nowhere.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_no_image_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert not is_image_file(tmp_path / "pipe")


@pytest.mark.parametrize("source", [3, None, ["a.jpg"]])
def test_a_source_of_another_type_is_a_type_error(source):
    with pytest.raises(TypeError, match=type(source).__name__):
        read_image(source)


def test_max_side_below_one_is_refused():
    with pytest.raises(ValueError, match="max_side"):
        read_image(np.zeros((2, 2), np.uint8), 0)


def test_image_errors_can_be_pickled(tmp_path):
    error = ImageError(tmp_path / "a\nb.jpg", "broken")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.path, copy.reason, str(copy)) == (error.path, error.reason, str(error))
    assert "\n" not in str(error)


def read_or_refused(data):
    """Any input gives an image or an ImageError, and nothing else."""
    try:
        image = read_image(data, max_pixels=1_000_000)
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3


SIGNATURES = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*"]
SIGNATURES += [b"RIFF\x20\0\0\0WEBP", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif"]
random_files = st.builds(lambda head, body: head + body, st.sampled_from(SIGNATURES), st.binary(max_size=300))


@st.composite
def damaged_files(draw):
    """A good file, cut off and with some bytes changed."""
    data = bytearray(FILES[draw(st.sampled_from(sorted(set(FILES) - {"avif"})))]())
    data = data[: draw(st.integers(1, len(data)))]
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[place] = draw(st.integers(0, 255))
    return bytes(data)


@settings(max_examples=200, deadline=None)
@given(random_files)
def test_random_bytes_give_an_image_or_an_image_error(data):
    read_or_refused(data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged_files())
def test_damaged_files_give_an_image_or_an_image_error(data):
    read_or_refused(data)


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(random_files, damaged_files()))
def test_many_odd_files_give_an_image_or_an_image_error(data):
    read_or_refused(data)


@pytest.mark.parametrize("name", FILES)
def test_an_image_file_is_told_by_its_bytes(name, tmp_path):
    (tmp_path / "odd.name").write_bytes(FILES[name]())
    assert is_image_file(tmp_path / "odd.name")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [("a.JPG", b"", True), ("a.txt", b"text", False), ("a.mov", b"\0\0\0\x14ftypqt  ", False), ("a", b"", False)],
)
def test_an_image_file_is_told_by_its_name(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    assert is_image_file(tmp_path / name) == expected


def test_a_file_that_cannot_be_opened_counts_as_an_image_file(tmp_path):
    assert is_image_file(tmp_path / "gone")


def raw_file(**tags):
    """A TIFF file with the tags of a camera's RAW."""
    info = PIL.TiffImagePlugin.ImageFileDirectory_v2()
    numbers = {"subfile": 254, "make": 271, "sub_ifds": 330, "dng": 50706}
    for name, value in tags.items():
        info[numbers[name]] = value
    return saved(sketch(), "TIFF", tiffinfo=info)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jxl", b"\xff\x0a" + bytes(90), "JPEG XL"),
        ("b.jxl", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(90), "JPEG XL"),
        ("a.cr2", b"II*\0\x10\0\0\0CR\2\0" + bytes(90), "RAW"),
        ("a.cr3", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(90), "RAW"),
        ("a.raf", b"FUJIFILMCCD-RAW 0201" + bytes(90), "Fujifilm"),
        ("a.dng", raw_file(dng=b"\1\4\0\0"), "RAW"),
        ("a.nef", raw_file(subfile=1, sub_ifds=8, make="NIKON CORPORATION"), "NIKON"),
    ],
)
def test_formats_that_are_not_read_are_named(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert is_image_file(tmp_path / name)
    with pytest.raises(ImageError, match=words) as caught:
        read_image(tmp_path / name)
    assert "export" in caught.value.reason
