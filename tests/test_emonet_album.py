import base64
import json
import re
from pathlib import Path

import pytest
from albums import BOX, CLASSES, CROP, THUMBNAIL, entry, said, unreadable
from pages import Tags, parts, words

from emonet.album.album import EMBEDDED, write_album
from emonet.album.page_data import locate_originals
from emonet.prediction import Prediction
from facecrop import Face, Rejection
from facecrop.filtering import Reason

HOSTILE = '<script>alert("1")</script>\n\u202egpj.exe & \\xff'
URI = f"data:image/jpeg;base64,{base64.b64encode(THUMBNAIL).decode()}"


def write(entries, folder, title="holiday", classes=CLASSES, **options):
    """The text of album.html."""
    return write_album(iter(entries), folder, title=title, classes=classes, count=len(entries), **options).read_text()


def read_data(text):
    """What the script knows."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def plain(text):
    return [words(figure) for figure in parts(text, "figure")]


def tiles(text):
    return dict(reversed(found) for found in re.findall(r"<div><strong>([\d,]+)</strong>([\w ]+)</div>", text))


def many(count):
    return (entry(f"{number:05}.jpg", said("happy", 0.9)) for number in range(count))


def test_without_a_script_there_are_photos_names_and_answers(tmp_path):
    text = write([entry("a/b.jpg", said("sad", 0.7), said("happy", 0.96)), entry("c.jpg")], tmp_path)
    assert plain(text) == ["a/b.jpg sad 70%, happy 96%", "c.jpg no face"]
    assert [image["src"] for image in Tags(text).named("img")] == [URI, URI]


def test_the_script_knows_boxes_probabilities_and_crops(tmp_path):
    (found,) = read_data(write([entry("a.jpg", said("sad", 0.7))], tmp_path))["photos"]
    (face,) = found.pop("faces")
    assert found == {"name": "a.jpg", "size": [640, 480]}
    assert face["box"] == [100, 120, 100, 130]
    assert dict(zip(CLASSES, face["shares"], strict=True)) == dict.fromkeys(CLASSES, 0) | {"sad": 700, "neutral": 300}
    assert base64.b64decode(face["crop"].partition(",")[2]) == CROP
    assert "unsure" not in face


def test_boxes_end_where_the_photo_ends(tmp_path):
    (found,) = read_data(write([entry("a.jpg", said("sad", 1.0, (-20, 400, 90.25, 500)))], tmp_path))["photos"]
    assert found["faces"][0]["box"] == [0, 400, 90.2, 80]


def test_unsure_faces_say_why_and_are_counted_apart(tmp_path):
    doubtful = Prediction(Face(box=BOX, score=1.0), {"angry": 0.4, "happy": 0.6}, unsure="blurred")
    text = write([entry("a.jpg", doubtful, said("sad", 1.0))], tmp_path)
    assert plain(text) == ["a.jpg unsure (blurred; happy 60%), sad 100%"]
    assert [face.get("unsure") for face in read_data(text)["photos"][0]["faces"]] == ["blurred", None]
    assert tiles(text) == {"photos": "1", "faces": "1", "unsure faces": "1"}


def test_faces_that_were_left_out_are_told_of(tmp_path):
    left_out = Rejection(Reason.TOO_SMALL, "20 px, at least 40", Face(box=(300, 100, 320, 120), score=1.0))
    (found,) = read_data(write([entry("a.jpg", rejections=[left_out])], tmp_path))["photos"]
    assert found["out"] == [[300, 100, 20, 20]]
    assert found["reasons"] == ["a face was left out, too small: 20 px, at least 40"]


def test_an_unreadable_file_has_its_reason_and_no_image(tmp_path):
    text = write([unreadable("notes.txt", "the file is <empty>")], tmp_path)
    assert plain(text) == ["notes.txt the file is <empty>"]
    assert "<img" not in text
    assert read_data(text)["photos"] == [
        {"name": "notes.txt", "size": [0, 0], "reasons": ["the file is <empty>"], "failed": True}
    ]


def test_names_and_titles_are_text_on_one_line_and_corrections_have_the_true_name(tmp_path):
    text = write([entry(HOSTILE)], tmp_path, title=HOSTILE)
    shown = '<script>alert("1")</script>\\n\\u202egpj.exe & \\xff'
    (figure,) = parts(text, "figure")
    assert words(parts(figure, "code")[0]) == shown
    assert [words(heading) for heading in parts(text, "h1")] == [shown]
    (found,) = read_data(text)["photos"]
    assert (found["name"], found["path"]) == (shown, HOSTILE)
    assert len(re.findall("<script", text)) == 2  # the data, and what the policy allows to run
    assert "\u202e" not in text


def test_the_head_counts_what_there_is(tmp_path):
    faces = [said("sad", 0.9), said("happy", 0.9), said("happy", 0.8)]
    text = write([entry("a", *faces), entry("b", faces[1]), entry("c"), unreadable("d", "broken")], tmp_path)
    assert tiles(text) == {"photos": "4", "faces": "4", "without a face": "1", "unreadable": "1"}


def test_a_folder_without_photos_has_an_album(tmp_path):
    text = write([], tmp_path / "new")
    assert read_data(text)["photos"] == []
    assert plain(text) == []


def test_an_album_of_few_photos_is_one_file(tmp_path):
    text = write([entry("a.jpg", said("happy", 0.9))], tmp_path)
    assert not re.search(r"https?:|@import|url\(|<link", text.replace("http://www.w3.org/2000/svg", ""))
    assert [path.name for path in tmp_path.iterdir()] == ["album.html"]


def test_the_page_may_load_images_and_nothing_else(tmp_path):
    (policy,) = [found["content"] for found in Tags(write([], tmp_path)).named("meta") if "http-equiv" in found]
    found = dict(directive.split(" ", 1) for directive in policy.split("; "))
    assert found.keys() == {"default-src", "img-src", "style-src", "script-src"}
    assert found["default-src"] == "'none'"
    assert found["img-src"] == "data: 'self' file:"
    assert re.fullmatch("'sha256-[^']+'", found["script-src"])


@pytest.fixture(scope="module")
def long_album(tmp_path_factory):
    """An album of one photo more than a page holds the images of; all photos look the same."""
    folder = tmp_path_factory.mktemp("long")
    write_album(many(EMBEDDED + 1), folder, title="many", classes=CLASSES, count=EMBEDDED + 1)
    return folder


def test_images_of_many_photos_are_files_beside_the_page(long_album):
    text = (long_album / "album.html").read_text()
    addresses = {image["src"] for image in Tags(text).named("img")}
    crops = {face["crop"] for photo in read_data(text)["photos"] for face in photo["faces"]}
    assert {(long_album / address).read_bytes() for address in addresses} == {THUMBNAIL}
    assert {(long_album / address).read_bytes() for address in crops} == {CROP}
    assert len([*(long_album / "album").iterdir()]) == 2
    assert len(plain(text)) == EMBEDDED + 1


def test_as_many_photos_as_a_page_holds_need_no_files(tmp_path):
    write(list(many(EMBEDDED)), tmp_path)
    assert not (tmp_path / "album").exists()


@pytest.mark.parametrize("count", [EMBEDDED + 1, 1])
def test_images_of_earlier_runs_are_removed_and_nothing_else(tmp_path, count):
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("003.html", "0123456789abcdef.jpg", "12.html", "notes.html", "holiday.jpg"):
        (folder / name).touch()
    (folder / "005.html").mkdir()
    write(list(many(count)), tmp_path)
    found = {path.name for path in folder.iterdir()}
    assert {"003.html", "12.html", "notes.html", "holiday.jpg", "005.html"} <= found
    assert "0123456789abcdef.jpg" not in found
    assert len(found) == (7 if count > EMBEDDED else 5)


@pytest.mark.parametrize(("count", "words"), [(501, "501, but more"), (503, "503, but 502"), (3, "3, but more")])
def test_more_or_fewer_photos_than_announced_are_an_error(tmp_path, count, words):
    with pytest.raises(ValueError, match=words):
        write_album(many(502), tmp_path, title="", classes=CLASSES, count=count)
    assert not (tmp_path / "album.html").exists()


def test_the_page_knows_the_way_to_the_originals(tmp_path):
    (tmp_path / "a # photos").mkdir()
    assert locate_originals(tmp_path / "a # photos", tmp_path / "album") == "../a%20%23%20photos/"
    (tmp_path / "one.jpg").touch()
    assert locate_originals(tmp_path / "one.jpg", tmp_path / "album") == "../"


def test_originals_are_found_from_an_album_behind_a_link(tmp_path):
    photos = tmp_path / "a" / "photos"
    photos.mkdir(parents=True)
    (tmp_path / "b" / "c" / "album").mkdir(parents=True)
    for name, target in (("link", "b/c/album"), ("whole", "a"), ("pictures", "a/photos")):
        (tmp_path / name).symlink_to(tmp_path / target)
    assert locate_originals(photos, tmp_path / "link") == f"{photos.as_uri()}/"
    assert locate_originals(tmp_path / "whole" / "photos", tmp_path / "whole" / "album") == "../photos/"
    assert locate_originals(tmp_path / "pictures", tmp_path / "album") == "../a/photos/"


def test_larger_copies_are_known_where_there_are_some(tmp_path):
    entries = [entry("a.heic"), entry("b.jpg")]
    found = {"a.heic": "previews/a.heic.jpg"}
    text = write(entries, tmp_path, originals="../photos/", find_preview=found.get)
    data = read_data(text)
    assert data["originals"] == "../photos/"
    assert [photo.get("preview") for photo in data["photos"]] == ["previews/a.heic.jpg", None]


def test_bursts_are_known_by_the_places_of_their_photos(tmp_path):
    entries = [entry("a.jpg", likeness=0), entry("b/1.jpg", likeness=5), entry("b/2.jpg", likeness=7)]
    (burst,) = read_data(write(entries, tmp_path))["bursts"]
    assert burst["photos"] == [1, 2]
    assert len(burst["reasons"]) == 2
    assert Path(entries[burst["best"]].path).parent.name == "b"
