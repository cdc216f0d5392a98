import base64
import re

import pytest
from albums import BOX, CLASSES, THUMBNAIL, entry, said, unreadable
from pages import Tags, parts, words

from emonet.album.album import PHOTOS, write_album
from emonet.prediction import Prediction
from facecrop import Face, Rejection
from facecrop.filtering import Reason

HOSTILE = '<script>alert("1")</script>\n\u202egpj.exe & \\xff'


def write(entries, folder, title="holiday", classes=CLASSES):
    """The text of album.html."""
    return write_album(iter(entries), folder, title=title, classes=classes, count=len(entries)).read_text()


def cards(text):
    return parts(text, "article")


def frames(card, kind):
    """Where the rectangles of a kind lie: x, y, width, height."""
    found = Tags(card).named("rect", kind)
    return [tuple(float(one[name]) for name in ("x", "y", "width", "height")) for one in found]


def many(count):
    return (entry(f"{number:05}.jpg", said("happy", 0.9)) for number in range(count))


def choices(text):
    """The buttons that choose what is shown."""
    buttons = [button for button in parts(text, "button") if 'name="show"' in button]
    return {Tags(button).found[0][1]["value"]: words(button).split()[-1] for button in buttons}


def test_a_card_has_the_photo_its_name_and_its_faces(tmp_path):
    text = write([entry("a/b.jpg", said("sad", 0.7), said("happy", 0.96, (300, 100, 400, 230)))], tmp_path)
    (card,) = cards(text)
    assert words(card) == "1 2 a/b.jpg 1 sad 70.0 % neutral 30.0 % {} 2 happy 96.0 % neutral 4.0 %, {}".format(
        *(", ".join(f"{name} 0.0 %" for name in CLASSES if name not in ("neutral", said)) for said in ("sad", "happy"))
    )
    (image,) = Tags(card).named("img")
    assert image["src"] == f"data:image/jpeg;base64,{base64.b64encode(THUMBNAIL).decode()}"
    assert image["alt"].endswith("from left to right: sad, happy")
    assert image["loading"] == "lazy"
    assert Tags(card).values("data-holds") == ["sad=0.700000 happy=0.960000"]


def test_boxes_are_in_pixels_of_the_photo_and_end_where_it_ends(tmp_path):
    (card,) = cards(write([entry("a.jpg", said("sad", 1.0, (-20, 400, 90.25, 500)))], tmp_path))
    assert Tags(card).values("viewbox") == ["0 0 640 480"]
    assert frames(card, "sad") == [(0.0, 400.0, 90.2, 80.0), (0.0, 366.0, 34.0, 34.0)]
    assert frames(card, "field") == [(0.0, 366.0, 34.0, 34.0)]


def test_numbers_stay_in_the_photo(tmp_path):
    (card,) = cards(write([entry("a.jpg", said("sad", 1.0, (620, 2, 640, 20)))], tmp_path))
    assert frames(card, "field") == [(606.0, 0.0, 34.0, 34.0)]


@pytest.mark.parametrize(("size_wh", "shape"), [((640, 480), "1.3333"), ((300, 400), "1.0000"), ((9, 9), "1.0000")])
def test_upright_photos_stand_in_a_square(tmp_path, size_wh, shape):
    assert f"aspect-ratio:{shape}" in write([entry("a.jpg", size_wh=size_wh)], tmp_path)


@pytest.mark.parametrize(("faces", "opened"), [(3, 3), (4, 0)])
def test_of_many_faces_the_other_classes_are_folded(tmp_path, faces, opened):
    text = write([entry("a.jpg", *[said("happy", 0.8)] * faces)], tmp_path)
    folds = Tags(text).named("details", "face")
    assert len(folds) == faces
    assert len([fold for fold in folds if "open" in fold]) == opened


def test_a_face_whose_classes_are_all_probable_has_bars_alone(tmp_path):
    pair = Prediction(Face(box=BOX, score=1.0), {"angry": 0.4, "happy": 0.6})
    (card,) = cards(write([entry("a.jpg", pair)], tmp_path))
    assert words(card) == "1 a.jpg 1 happy 60.0 % angry 40.0 %"


def test_a_photo_without_a_face_says_so(tmp_path):
    (card,) = cards(write([entry("a.jpg", rejections=[Rejection(Reason.NO_FACE, "no face was found")])], tmp_path))
    assert words(card) == "a.jpg no face was found"
    assert Tags(card).values("alt") == ["photo without a marked face"]
    assert Tags(card).values("data-holds") == ["no_face"]


def test_faces_that_were_left_out_are_dashed_and_told_of(tmp_path):
    left_out = Rejection(Reason.TOO_SMALL, "20 px, at least 40", Face(box=(300, 100, 320, 120), score=1.0))
    (card,) = cards(write([entry("a.jpg", said("happy", 0.9), rejections=[left_out])], tmp_path))
    assert words(card).endswith("a face was left out, too small: 20 px, at least 40")
    assert frames(card, "left-out") == [(300.0, 100.0, 20.0, 20.0)]
    (card,) = cards(write([entry("a.jpg", rejections=[left_out] * 4)], tmp_path))
    assert words(card).startswith("a.jpg 4 faces left out (dashed) a face was left out")


def test_an_unreadable_file_has_a_card_without_a_picture(tmp_path):
    (card,) = cards(write([unreadable("notes.txt", "the file is <empty>")], tmp_path))
    assert "<img" not in card
    assert "<svg" not in card
    assert words(card) == "notes.txt the file is <empty>"
    assert Tags(card).values("data-holds") == ["unreadable"]


def test_names_and_titles_are_text_on_one_line(tmp_path):
    text = write([entry(HOSTILE)], tmp_path, title=HOSTILE)
    shown = '<script>alert("1")</script>\\n\\u202egpj.exe & \\xff'
    (card,) = cards(text)
    assert words(parts(card, "code")[0]) == shown
    assert [words(heading) for heading in parts(text, "h1")] == [shown]
    assert text.count("<script>") == 1
    assert "\u202e" not in text


def test_what_is_there_can_be_chosen_and_says_of_how_many_photos(tmp_path):
    faces = [said("sad", 0.9), said("happy", 0.9), said("happy", 0.8)]
    text = write([entry("a", *faces), entry("b", faces[1]), entry("c"), unreadable("d", "broken")], tmp_path)
    assert choices(text) == {"all": "4", "happy": "2", "sad": "1", "no_face": "1", "unreadable": "1"}
    tiles = re.findall(r"<div><strong>(\d+)</strong>([\w ]+)</div>", text)
    assert tiles == [("4", "photos"), ("4", "faces"), ("1", "without a face"), ("1", "unreadable")]


def test_a_folder_without_photos_has_an_album(tmp_path):
    text = write([], tmp_path / "new")
    assert choices(text) == {"all": "0"}
    assert cards(text) == []


def test_the_album_needs_nothing_but_itself(tmp_path):
    text = write([entry("a.jpg", said("happy", 0.9))], tmp_path)
    assert not re.search(r"https?:|@import|url\(|<link", text)
    assert [path.name for path in tmp_path.iterdir()] == ["album.html"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """An album of one photo more than two pages hold."""
    folder = tmp_path_factory.mktemp("pages")
    write_album(many(2 * PHOTOS + 1), folder, title="many", classes=CLASSES, count=2 * PHOTOS + 1)
    return folder


def test_many_photos_are_on_several_pages(pages):
    found = {path.name: cards(path.read_text()) for path in sorted((pages / "album").iterdir())}
    assert {name: len(shown) for name, shown in found.items()} == {"001.html": 500, "002.html": 500, "003.html": 1}
    assert 'aria-label="00500.jpg"' in found["002.html"][0]
    assert "<h1>many, page 2 of 3</h1>" in (pages / "album" / "002.html").read_text()


def test_pages_lead_to_their_neighbours_and_to_the_index(pages):
    def links(number):
        return re.findall(r'<a href="([^"]+)"', (pages / "album" / f"{number:03}.html").read_text())

    assert links(1) == ["../album.html", "002.html"] * 2  # above and below
    assert links(2) == ["../album.html", "001.html", "003.html"] * 2
    assert links(3) == ["../album.html", "002.html"] * 2


def test_the_index_says_what_is_on_which_page(pages):
    text = (pages / "album.html").read_text()
    assert cards(text) == []
    assert re.findall(r'<a href="([^"]+)"', text) == ["album/001.html", "album/002.html", "album/003.html"]
    assert "Page 2 00500.jpg to 00999.jpg 500 photos, 500 faces" in words(text)
    assert "<strong>1,001</strong>photos" in text
    assert "happy 1,001" in words(text)


def test_every_page_offers_every_class_so_that_a_choice_can_be_taken_along(pages):
    numbers = choices((pages / "album" / "003.html").read_text())
    assert list(numbers) == ["all", *CLASSES, "no_face", "unreadable"]
    assert (numbers["happy"], numbers["sad"]) == ("1", "0")


def test_as_many_photos_as_a_page_holds_are_on_one(tmp_path):
    text = write(list(many(PHOTOS)), tmp_path)
    assert len(cards(text)) == PHOTOS
    assert not (tmp_path / "album").exists()


def test_pages_that_nobody_lists_are_left_alone(tmp_path):
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "2024.html").touch()
    write(list(many(1)), tmp_path)
    assert (tmp_path / "album" / "2024.html").exists()


@pytest.mark.parametrize(("count", "words"), [(501, "501, but more"), (503, "503, but 502"), (3, "3, but more")])
def test_more_or_fewer_photos_than_announced_are_an_error(tmp_path, count, words):
    with pytest.raises(ValueError, match=words):
        write_album(many(502), tmp_path, title="", classes=CLASSES, count=count)
    assert not (tmp_path / "album.html").exists()


def test_pages_are_written_while_photos_come(tmp_path):
    def watched():
        for number, one in enumerate(many(1100)):
            assert len([*tmp_path.glob("album/*.html")]) == number // PHOTOS
            yield one

    write_album(watched(), tmp_path, title="", classes=CLASSES, count=1100)
