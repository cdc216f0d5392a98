import base64
import hashlib
import re
from html import unescape
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from emonet.html.page import (
    Digits,
    Html,
    Part,
    bars,
    chip,
    drawing,
    facts,
    join,
    page,
    percent,
    photo,
    picture,
    table,
    tag,
    tiles,
)
from emonet.labels import Emotion


def cells(markup):
    return re.findall(r"<t[hd]\b[^>]*>.*?</t[hd]>", markup)


def shown(markup):
    """The picture that an img element holds."""
    kind, data = re.search(r'src="data:image/(\w+);base64,([^"]+)"', markup).groups()
    with Image.open(BytesIO(base64.b64decode(data))) as image:
        assert image.format.lower() == kind
        return np.array(image)


def test_text_is_escaped_and_markup_is_not():
    assert join("<b>", Html("<b>"), 3) == "&lt;b&gt;<b>3"
    assert tag("p", "a & b", class_="x", title='"', id=None) == '<p class="x" title="&quot;">a &amp; b</p>'
    assert tag("meta", http_equiv="x") == '<meta http-equiv="x">'


def test_numbers_stand_to_the_right():
    rows = [("one", 1234, 0.123, Digits("-"), "words")]
    first, *rest = cells(table(("name", "a", "b", "c", "d"), rows))[5:]
    assert first == '<th scope="row">one</th>'
    assert rest[:3] == [f'<td class="number">{text}</td>' for text in ("1,234", "12.3 %", "-")]
    assert rest[3] == "<td>words</td>"


def test_a_table_may_have_no_rows():
    assert cells(table(("a", "b"), [])) == ['<th scope="col">a</th>', '<th scope="col">b</th>']


@pytest.mark.parametrize(("share", "places", "text"), [(0.5, 1, "50.0 %"), (0.98765, 2, "98.77 %"), (1.0, 0, "100 %")])
def test_shares_are_given_in_percent(share, places, text):
    assert percent(share, places) == text


def test_the_longest_bar_fills_the_room():
    markup = bars({"happy": 8, "sad": 2, "fear": 0})
    assert re.findall(r"width:([\d.]+)%", markup) == ["100.00", "25.00", "0.00"]
    assert re.findall(r"width:([\d.]+)%", bars({"happy": 0})) == ["0.00"]


def test_figures_and_facts_keep_their_order():
    assert re.findall(r"<strong>(.*?)</strong>(.*?)</div>", tiles([("a", "1"), ("b", "2")])) == [("1", "a"), ("2", "b")]
    assert facts([("a", "<"), ("b", chip("sad"))]).startswith("<dl><dt>a</dt><dd>&lt;</dd><dt>b</dt><dd><span")


@pytest.mark.parametrize(("channels", "shape"), [(1, (9, 12)), (3, (9, 12, 3))])
def test_pictures_come_back_in_their_colours(channels, shape):
    image = np.full((9, 12, channels), 200, np.uint8)
    image[..., 0] = 90
    markup = picture(image, "a <face>")
    assert 'alt="a &lt;face&gt;"' in markup
    assert 'width="12" height="9"' in markup
    assert shown(markup).shape == shape
    assert np.abs(shown(markup).reshape(image.shape).astype(int) - image).max() <= 3


def test_no_picture_is_nothing():
    assert picture(None, "a face") == ""


def test_drawings_are_the_bytes_of_their_file(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    markup = drawing(tmp_path / "a.png", "what it shows")
    assert 'width="500" height="300"' in markup
    assert (shown(markup) == image).all()


def test_a_page_has_a_head_and_links_to_its_parts():
    text = page([Part("top", "A & B", Html("<p>x</p>")), Part("more", "More", Html())], style=".own { color: red; }")
    assert text.startswith("<!doctype html>")
    assert "<title>A &amp; B</title>" in text
    assert "<h1>A &amp; B</h1><p>x</p></section>" in text
    assert '<nav><a href="#more">More</a></nav>' in text
    assert '<section id="more"><h2>More</h2></section>' in text
    assert ".own { color: red; }</style>" in text


def test_a_page_may_load_and_run_nothing():
    text = page([Part("top", "title", Html())])
    assert "default-src &#x27;none&#x27;; img-src data:; style-src &#x27;unsafe-inline&#x27;" in text
    assert not re.search(r"https?:|<script|@import|url\(|<link", text)


def test_every_expression_has_a_colour_of_its_own():
    colours = dict(re.findall(r"i\.(\w+)\.\w+ \{ background: (#\w+)", page([Part("top", "", Html())])))
    assert list(colours) == [*Emotion]
    assert len(set(colours.values())) == len(Emotion)


def test_a_script_is_allowed_by_its_hash_alone():
    text = page([Part("top", "title", Html())], script="let a = 1 < 2 && 'é';\n")
    policy, script = re.search(r'Policy" content="([^"]+)".*<script>(.*)</script></body>', text, re.DOTALL).groups()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert unescape(policy).endswith(f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'")
    assert script == "let a = 1 < 2 && 'é';\n"


@pytest.mark.parametrize("script", ["a = '</SCRIPT>'", "a = '<!-- <script>'"])
def test_a_script_must_not_end_its_element(script):
    with pytest.raises(ValueError, match="must not hold"):
        page([Part("top", "title", Html())], script=script)


def test_links_to_other_pages_stand_first():
    parts = [Part("top", "title", Html()), Part("more", "More", Html())]
    text = page(parts, links=[tag("a", "next", href="2.html")])
    assert '<nav><a href="2.html">next</a><a href="#more">More</a></nav>' in text


def test_photos_are_the_bytes_they_were():
    markup = photo(b"\xff\xd8", "a <photo>", loading="lazy")
    assert markup == '<img src="data:image/jpeg;base64,/9g=" alt="a &lt;photo&gt;" loading="lazy">'
