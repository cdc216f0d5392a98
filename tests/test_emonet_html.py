import base64
import hashlib
import re
from html import unescape
from io import BytesIO

import numpy as np
import pytest
from jinja2 import UndefinedError
from pages import Tags, macro, rows, section, words
from PIL import Image

from emonet.html.formatting import decimal, markdown_table, number, percent, percent_range
from emonet.html.images import embed_jpeg, embed_pixels, embed_png
from emonet.html.render import TEMPLATES, open_templates, render_page, write_page
from emonet.labels import Emotion
from emonet.palette import EXPRESSIONS

HOSTILE = "<script>alert(\"1\")</script>\n& 'x'"


def page(title="title", sections=(), script="", **model):
    """A page of the base template alone."""
    return render_page("base.html.j2", script=script, title=title, sections=dict(sections), **model)


def decode(source):
    """The pixels that a data URI holds."""
    kind, data = re.fullmatch(r"data:image/(\w+);base64,(.+)", source).groups()
    with Image.open(BytesIO(base64.b64decode(data))) as image:
        assert image.format.lower() == kind
        return np.array(image)


@pytest.mark.parametrize(
    "markup",
    [
        macro("table", {HOSTILE: "", "b": "code", "c": "chip", "d": "number"}, [[HOSTILE] * 4]),
        macro("bars", {HOSTILE: 1}),
        macro("tiles", [(HOSTILE, HOSTILE)]),
        macro("chip", HOSTILE, HOSTILE),
        macro("warning", HOSTILE, HOSTILE),
        macro("image", embed_jpeg(b""), HOSTILE, hover=True),
    ],
    ids=["table", "bars", "tiles", "chip", "warning", "image"],
)
def test_all_text_is_escaped(markup):
    assert "<script" not in markup
    tags = Tags(markup)
    assert (tags.open, tags.wrong) == ([], [])
    shown = [words(markup), *tags.values("alt")]
    assert any(" ".join(HOSTILE.split()) in " ".join(text.split()) for text in shown)


def test_columns_of_numbers_stand_to_the_right():
    columns = {"name": "", "a": "number", "b": "number", "c": "number", "d": "number", "e": ""}
    markup = macro("table", columns, [("one", 1234, 0.123, "0.5", None, "words")])
    assert rows(markup) == ["name a b c d e", "one 1,234 12.3 % 0.5 - words"]
    assert [attributes.get("class") for attributes in Tags(markup).named("td")] == ["number"] * 4 + [None]
    assert len(Tags(markup).named("th", "number")) == 4


def test_cells_may_be_chips_code_and_bars():
    markup = macro("table", {"a": "", "b": "chip", "c": "code", "d": "bar"}, [("x", "sad", "<y>", 0.5)])
    assert rows(markup)[1] == "x sad <y>"
    assert len(Tags(markup).named("i", "sad")) == len(Tags(markup).named("code")) == 1
    assert "width:50.00%" in Tags(markup).values("style")


def test_a_table_may_have_no_rows():
    assert rows(macro("table", {"a": "", "b": "number"}, [])) == ["a b"]


@pytest.mark.parametrize(("share", "places", "text"), [(0.5, 1, "50.0 %"), (0.98765, 2, "98.77 %"), (1.0, 0, "100 %")])
def test_shares_are_written_in_percent(share, places, text):
    assert percent(share, places) == text


def test_numbers_are_written_by_their_type():
    assert [number(value) for value in (12345, 0.5, "0.123", None)] == ["12,345", "50.0 %", "0.123", "-"]
    assert (decimal(0.98765), decimal(None), percent_range(0.1, 0.25, 2)) == ("0.988", "-", "10.00 to 25.00 %")


def test_tables_in_markdown():
    assert markdown_table(("a", "b"), [("x", 1)]) == "| a | b |\n| --- | --- |\n| x | 1 |"
    assert markdown_table(("a", "b"), [], align_right=True).endswith("| --- | ---: |")


def test_the_longest_bar_fills_the_room():
    markup = macro("bars", {"happy": 8, "sad": 2, "fear": 0})
    assert re.findall(r"width:([\d.]+)%", markup) == ["100.00", "25.00", "0.00"]
    assert re.findall(r"width:([\d.]+)%", macro("bars", {"happy": 0})) == ["0.00"]


def test_tiles_keep_their_order():
    assert words(macro("tiles", [("a", 1234), ("b", "2")])) == "1,234 a 2 b"


@pytest.mark.parametrize(("channels", "shape"), [(1, (9, 12)), (3, (9, 12, 3))])
def test_pixels_are_embedded_in_their_colours(channels, shape):
    pixels = np.full((9, 12, channels), 200, np.uint8)
    pixels[..., 0] = 90
    embedded = embed_pixels(pixels)
    assert (embedded.width, embedded.height) == (12, 9)
    assert decode(embedded.source).shape == shape
    assert np.abs(decode(embedded.source).reshape(pixels.shape).astype(int) - pixels).max() <= 3


def test_png_files_are_embedded_as_they_are(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    embedded = embed_png(tmp_path / "a.png")
    assert (embedded.width, embedded.height) == (500, 300)
    assert (decode(embedded.source) == pixels).all()


def test_jpeg_files_are_embedded_as_they_are():
    markup = macro("image", embed_jpeg(b"\xff\xd8"), "a <photo>", lazy=True)
    (attributes,) = Tags(markup).named("img")
    assert attributes == {"src": "data:image/jpeg;base64,/9g=", "alt": "a <photo>", "loading": "lazy"}


def test_a_page_has_a_heading_and_a_title():
    text = page("A & B")
    assert text.startswith("<!doctype html>")
    assert text.count("A &amp; B") == 2
    assert Tags(section(text, "top")).named("h1")


def test_a_page_may_load_and_run_nothing():
    text = page()
    (policy,) = Tags(text).values("content")[:1]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert not re.search(r"https?:|<script|@import|url\(|<link", text)


def test_every_expression_has_a_colour_of_its_own():
    colours = dict(re.findall(r"\.(\w+) \{ --expression: (#\w+)", page()))
    assert colours == EXPRESSIONS
    assert list(colours) == [*Emotion]
    assert len(set(colours.values())) == len(Emotion)


def test_a_script_is_allowed_by_its_hash_alone():
    text = page(script="album.js")
    policy, script = re.search(r'Policy" content="([^"]+)".*<script>(.*)</script>', text, re.DOTALL).groups()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert unescape(policy).endswith(f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'")
    assert script == (TEMPLATES / "album.js").read_text(encoding="utf-8")


def test_no_script_ends_its_element():
    for path in TEMPLATES.glob("*.js"):
        assert not re.search("</script|<!--", path.read_text(encoding="utf-8"), re.IGNORECASE)


def test_no_template_marks_data_as_safe():
    for path in TEMPLATES.glob("*.j2"):
        assert not re.search(r"\|\s*safe|autoescape", path.read_text(encoding="utf-8")), path.name
    assert open_templates().autoescape is True


def test_a_name_that_the_model_lacks_is_an_error():
    with pytest.raises(UndefinedError, match="title"):
        render_page("base.html.j2", sections={})


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    write_page(tmp_path / "a.html", "base.html.j2", title="caf\udce9", sections={})
    assert "caf\\udce9" in (tmp_path / "a.html").read_text(encoding="utf-8")
    with pytest.raises(UndefinedError):
        write_page(tmp_path / "b.html", "base.html.j2", title="x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
