"""The album as a browser shows it: what can be clicked and pressed, what is seen then, and that nothing is fetched."""

import csv
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from albums import CLASSES, entry, said, unreadable
from PIL import Image
from tabs import PHONE_WH, Tabs, launch_chromium, wait_until

from emonet.album.album import EMBEDDED, write_album
from emonet.labels import Emotion
from emonet.palette import EXPRESSIONS
from emonet.prediction import Prediction
from facecrop import Face, Rejection
from facecrop.filtering import Reason

HOSTILE = "<script>document.title = 'run'</script><img src=x onerror=alert(1)>\n\u202e" + "long" * 40 + ".jpg"
NO_FACE = Rejection(Reason.NO_FACE, "no face was found")


@pytest.fixture(scope="module")
def browser():
    with launch_chromium() as started:
        yield started


@pytest.fixture
def opened(browser):
    """Opens a file at a choice."""
    tabs = Tabs(browser)
    yield lambda path, choice="", **options: tabs.open(f"{path.as_uri()}{choice}", **options)
    tabs.close("file:", "data:", "blob:")


def write(folder, entries, **options):
    return write_album(entries, folder, classes=CLASSES, count=len(entries), **({"title": "holiday"} | options))


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    entries = [
        entry("a.jpg", said("happy", 0.6), said("sad", 0.9, (300, 100, 330, 140))),
        entry("b.jpg", said("happy", 0.8)),
        entry("c.jpg", rejections=[NO_FACE]),
        entry("d.jpg", said("happy", 0.7, rest="sad"), said("happy", 0.5, (300, 100, 400, 230))),
        unreadable("e.jpg", "the file is empty"),
        entry(HOSTILE, said("sad", 0.55)),
        entry("sub/f.jpg", said("angry", 0.52, unsure="in doubt")),
    ]
    return write(tmp_path_factory.mktemp("a folder #1"), entries, title="<b>holiday</b>")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Forty small faces in rows that nearly touch, and a photo of many hundred that do touch."""
    faces = [
        said("happy", 0.9, (60 * (n % 10) + 12, 100 * (n // 10) + 40, 60 * (n % 10) + 52, 100 * (n // 10) + 90))
        for n in range(40)
    ]
    tight = [
        said("happy", 0.9, (20 * (n % 32), 24 * (n // 32), 20 * (n % 32) + 20, 24 * (n // 32) + 24))
        for n in range(32 * 20)
    ]
    return write(tmp_path_factory.mktemp("crowd"), [entry("a.jpg", *faces), entry("b.jpg", *tight)])


@pytest.fixture(scope="module")
def bursts(tmp_path_factory):
    smile = said("happy", 0.9)
    entries = [
        entry("p/1.jpg", smile, likeness=0, sharpness=1.0),
        entry("p/2.jpg", smile, likeness=1, sharpness=2.0),
        entry("p/3.jpg", smile, likeness=3, sharpness=0.2),
        entry("q.jpg", smile),
    ]
    return write(tmp_path_factory.mktemp("bursts"), entries)


@pytest.fixture(scope="module")
def long_album(tmp_path_factory):
    """More photos than a page holds the images of, of which only the last has a sad face."""
    happy = [entry(f"{number:05}.jpg", said("happy", 0.5 + number / 3000)) for number in range(2 * EMBEDDED)]
    return write(tmp_path_factory.mktemp("long"), [*happy, entry("z.jpg", said("sad", 0.9))])


def test_of_two_shares_that_are_rounded_to_one_the_answer_stands_first(opened, tmp_path):
    shares = dict.fromkeys(CLASSES, 0.0) | {Emotion.ANGRY: 0.49960, Emotion.HAPPY: 0.50040}
    face = Prediction(Face(box=(30, 30, 90, 110), score=1.0), shares)
    tab = opened(write(tmp_path, [entry("a.jpg", face)]))
    assert tab.evaluate("readAlbum().faces[0].emotion") == face.emotion == "happy"


def shown(tab):
    """The first letters of the names that are to be seen, from the first on."""
    return "".join(name.removeprefix("sub/")[0] for name in tab.locator("article .name").all_text_contents())


def press(tab, name):
    tab.get_by_role("button", name=name).first.click()


def pressed(tab):
    return tab.locator(".controls [aria-pressed=true]").evaluate_all("found => found.map((button) => button.value)")


def status(tab):
    return tab.get_by_role("status").inner_text()


def address(tab):
    return tab.evaluate("decodeURIComponent(location.hash)")


def focused(tab):
    """The accessible name of what has the focus, up to the colon."""
    return tab.evaluate(
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    ).split(":")[0]


@contextmanager
def saved(tab, button):
    """The rows of a table that is saved."""
    with tab.expect_download() as download:
        press(tab, button)
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        yield download.value.suggested_filename, list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("choice", "letters"),
    [("happy", "abd"), ("sad", "<a"), ("no face", "c"), ("unreadable", "e"), ("unsure", "f"), ("all", "<abcdef")],
)
def test_a_choice_shows_the_photos_with_such_a_face(opened, album, choice, letters):
    tab = opened(album)
    tab.locator(".chips").get_by_role("button", name=choice).click()
    assert shown(tab) == letters
    assert pressed(tab) == ["photos", choice.replace(" ", "_")]
    assert status(tab) == f"{len(letters)} of 7 photos shown"


@pytest.mark.parametrize(
    ("choice", "letters"),
    [
        ("#sort=surest", "abd<fce"),
        ("#sort=unsurest", "f<dbace"),
        ("#show=happy&sort=surest", "bda"),
        ("#show=happy&sort=unsurest", "adb"),
        ("#sort=faces", "ad<bfce"),
        ("#find=sub", "f"),
        ("#find=SUB/F", "f"),
        ("#sure=70", "abd"),
        ("#size=50&show=sad", "<"),
        ("#unsure=false&show=unsure", ""),
        ("#unsure=false", "<abcdef"),
    ],
)
def test_the_address_says_what_is_shown(opened, album, choice, letters):
    tab = opened(album, choice)
    assert sorted(shown(tab)) == sorted(letters)
    assert "unsurest" in choice or shown(tab) == letters


@pytest.mark.parametrize("typed", ["caf\u00e9", "CAFE\u0301"])
def test_accents_are_found_however_they_are_written(opened, tmp_path, typed):
    names = ["caf\u00e9 1.jpg", "cafe\u0301 2.jpg", "cafe 3.jpg"]  # from Windows, and from a Mac
    tab = opened(write(tmp_path, [entry(name, said("happy", 0.9)) for name in names]))
    tab.get_by_label("Search").fill(typed)
    assert status(tab) == "2 of 3 photos shown"


def test_choices_are_written_into_the_address_and_taken_back(opened, album):
    tab = opened(album)
    press(tab, "happy")
    tab.get_by_label("Sort").select_option("surest")
    tab.get_by_label("Confidence").fill("75")
    tab.get_by_label("Search").fill(".jpg")
    assert shown(tab) == "b"
    assert address(tab) == "#show=happy&sort=surest&sure=75&find=.jpg"
    other = opened(album, tab.evaluate("location.hash"))
    assert shown(other) == "b"
    assert other.get_by_label("Confidence").input_value() == "75"
    press(tab, "Show all again")
    assert (shown(tab), address(tab)) == ("<abcdef", "")


def test_choices_say_how_many_they_would_show(opened, album):
    tab = opened(album, "#size=50")
    assert tab.locator(".chips button").all_inner_texts() == [
        "all\n5",
        "happy\n3",
        "sad\n1",
        "unsure\n1",
        "no face\n1",
        "unreadable\n1",
    ]
    tab = opened(album, "#view=faces")
    assert tab.locator(".chips button").all_inner_texts() == ["all\n7", "happy\n4", "sad\n2", "unsure\n1"]


@pytest.mark.parametrize("choice", ["#show=nothing&sort=%3Cb%3E&view=x&sure=x", "#%", "#top", "#photo=nothing"])
def test_an_address_with_another_choice_shows_all(opened, album, choice):
    tab = opened(album, choice)
    assert (shown(tab), pressed(tab)) == ("<abcdef", ["photos", "all"])


def test_an_expression_that_is_asked_for_marks_its_faces(opened, album):
    tab = opened(album, "#show=sad")
    card = tab.locator("article", has_text="a.jpg").last
    assert card.locator(".mark.pale").evaluate_all("found => found.map((one) => one.dataset.face)") == ["0"]
    assert card.locator(".answer span:nth-child(2)").all_inner_texts() == [
        "sad",
        "happy",
    ]  # what was asked for is first


def test_a_row_and_its_face_light_each_other_up(opened, album):
    tab = opened(album)
    card = tab.locator("article", has_text="a.jpg").last
    card.locator(".answer").nth(1).hover()
    assert card.locator(".mark.lit").get_attribute("data-face") == "1"
    card.locator(".mark[data-face='0'] .frame").hover(force=True)
    assert card.locator(".answer.lit").get_attribute("data-face") == "0"


def test_numbers_cover_no_face(opened, crowd):
    tab = opened(crowd)
    for card in tab.locator("article").all():
        fields, faces = (
            card.locator(f"rect.{kind}").evaluate_all(
                "found => found.map((one) => ['x', 'y', 'width', 'height'].map((name) => one.getBBox()[name]))"
            )
            for kind in ("field", "frame")
        )
        covered = [
            (field, face)
            for field in fields
            for face in faces
            if all(field[k] < face[k] + face[k + 2] and face[k] < field[k] + field[k + 2] for k in (0, 1))
        ]
        assert covered == []
    assert tab.locator("article").first.locator("rect.field").count() == 40
    assert tab.locator("article").last.locator("rect.field").count() < 640  # where there is no room, there is no number


def test_faces_stand_in_groups_surest_first(opened, album):
    tab = opened(album)
    press(tab, "Faces")
    assert [re.sub(r"\s+", " ", text) for text in tab.locator("h3").all_inner_texts()] == [
        "happy 4",
        "sad 2",
        "unsure 1",
    ]
    assert tab.locator("button.face").all_inner_texts() == [
        "80.0 %",
        "70.0 %",
        "60.0 %",
        "50.0 %",
        "90.0 %",
        "55.0 %",
        "52.0 %",
    ]
    assert status(tab) == "7 of 7 faces shown"
    assert address(tab) == "#view=faces"
    tab.keyboard.press("5")
    assert tab.locator("button.face").count() == 2


def test_enter_enlarges_arrows_move_and_escape_closes(opened, album):
    tab = opened(album, "#show=happy")
    tab.keyboard.press("ArrowDown")
    assert focused(tab) == "a.jpg"
    tab.keyboard.press("Enter")
    box = tab.get_by_role("dialog", name="Photo")
    assert (box.locator(".name").inner_text(), address(tab)) == ("a.jpg", "#show=happy&photo=a.jpg")
    tab.keyboard.press("ArrowRight")
    assert (box.locator(".name").inner_text(), box.locator(".head .soft").inner_text()) == ("b.jpg", "2 of 3")
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")  # there is none before the first
    assert box.locator(".name").inner_text() == "a.jpg"
    tab.keyboard.press("ArrowDown")
    assert box.locator("button.answer[aria-pressed=true]").get_attribute("data-face") == "0"
    tab.keyboard.press("m")
    assert not box.locator("svg").is_visible()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Escape")
    wait_until(tab, "!location.hash.includes('photo')")  # a dialog tells a moment later that it was closed
    assert (tab.locator("dialog[open]").count(), focused(tab), address(tab)) == (0, "b.jpg", "#show=happy")


def test_the_back_button_closes_what_was_enlarged(opened, album):
    tab = opened(album)
    tab.locator("article .photo").nth(1).click()
    assert tab.locator("dialog[open]").count() == 1
    tab.go_back()
    wait_until(tab, "!document.querySelector('dialog[open]')")
    tab.go_forward()
    wait_until(tab, "document.querySelector('dialog[open] .name')?.textContent === 'a.jpg'")


def test_keys_choose_search_and_explain(opened, album):
    tab = opened(album)
    tab.keyboard.press("4")
    assert shown(tab) == "abd"
    tab.keyboard.press("4")
    assert shown(tab) == "<abcdef"
    tab.keyboard.press("5")
    tab.keyboard.press("0")
    assert pressed(tab) == ["photos", "all"]
    tab.keyboard.press("/")
    tab.keyboard.type("b4")
    assert (shown(tab), pressed(tab)) == ("", ["photos", "all"])
    tab.keyboard.press("Escape")
    tab.keyboard.press("?")
    assert "correct the answer" in tab.get_by_role("dialog", name="Keys").inner_text()
    tab.keyboard.press("Escape")
    assert tab.locator("dialog[open]").count() == 0


def test_everything_can_be_reached_with_the_tab_key(opened, album):
    tab = opened(album)
    seen = set()
    for _ in range(30):
        tab.keyboard.press("Tab")
        seen.add(
            tab.evaluate(
                "document.activeElement.name || document.activeElement.className || document.activeElement.value"
            )
        )
    assert {"view", "find", "sort", "help", "show", "sure", "size", "unsure", "reset", "photo"} <= seen


def test_arrows_move_among_faces_past_the_headings(opened, album):
    tab = opened(album, "#view=faces")
    places = []
    for key in ("ArrowDown", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowLeft"):
        tab.keyboard.press(key)
        places.append(tab.evaluate("document.activeElement.innerText"))
    assert places == ["80.0 %", "70.0 %", "55.0 %", "52.0 %", "90.0 %", "50.0 %"]


@pytest.mark.parametrize(("name", "side"), [("a.jpg", 900), ("b # ?.png", 900), ("c.heic", 700), ("gone.jpg", 4)])
def test_a_photo_is_enlarged_from_the_best_there_is(browser, tmp_path, name, side):
    """The original, a larger copy of what no browser shows, or the thumbnail."""
    (tmp_path / "photos").mkdir()
    for path in ("photos/a.jpg", "photos/b # ?.png"):
        Image.new("RGB", (900, 600)).save(tmp_path / path)
    Image.new("RGB", (700, 500)).save(tmp_path / "c.jpg")
    preview = "../c.jpg" if name == "c.heic" else None
    entries = [entry(name, said("happy", 0.9))]
    page = write(tmp_path / "album", entries, originals="../photos/", find_preview=lambda _: preview)
    with browser.new_context() as context:  # of its own: the browser complains of the file that is gone
        tab = context.new_page()
        tab.goto(page.as_uri())
        tab.locator("article .photo").click()
        wait_until(tab, f"document.querySelector('.stage img').naturalWidth === {side}")
        if name == "gone.jpg":
            wait_until(tab, "document.querySelector('.lightbox .original') === null")
            return
        link = tab.get_by_role("link", name="original").evaluate("link => decodeURIComponent(link.href)")
        assert link == f"{(tmp_path / 'photos').as_uri()}/{name}"


def test_a_correction_is_kept_shown_and_saved(opened, album):
    tab = opened(album)
    tab.locator("article .photo").nth(1).click()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("r")
    tab.keyboard.press("7")  # neutral
    assert "neutral, as you corrected it (sad 90.0 %)" in tab.get_by_role("dialog", name="Photo").inner_text().lower()
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("r")
    tab.get_by_role("button", name="not a face").click()
    tab.keyboard.press("Escape")
    wait_until(tab, "!location.hash")  # or the photo would be open again
    tab.reload()  # the browser keeps it
    assert tab.locator(".unsaved span").inner_text() == "2 corrections"
    tab.keyboard.press("7")
    assert shown(tab) == "a"
    with saved(tab, "Save corrections.csv") as (name, rows):
        assert name == "corrections.csv"
        found = [
            (row["path"], row["label"], row["answer"], [float(row[side]) for side in ("x1", "y1", "x2", "y2")])
            for row in rows
        ]
        assert found == [
            ("a.jpg", "drop", "happy", [100, 120, 200, 250]),
            ("a.jpg", "neutral", "sad", [300, 100, 330, 140]),
        ]
    press(tab, "Undo all")
    assert not tab.locator(".unsaved").is_visible()


def test_a_face_is_corrected_in_the_view_by_faces_and_can_be_taken_back(opened, album):
    tab = opened(album, "#view=faces")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("r")
    tab.keyboard.press("1")
    assert tab.locator(".unsaved span").inner_text() == "1 correction"
    assert focused(tab) == "angry, as you corrected it (happy 80.0 %), b.jpg"
    tab.keyboard.press("r")
    tab.keyboard.press("u")
    assert not tab.locator(".unsaved").is_visible()


def test_corrections_of_faces_that_another_run_leaves_out_come_back(opened, tmp_path):
    first, others = entry("a.jpg", said("happy", 0.9)), [entry("b.jpg", said("sad", 0.9))]
    tab = opened(write(tmp_path, [first, *others]))
    press(tab, "Faces")
    for entries in ([first, *others], others, [first, *others]):
        write(tmp_path, entries)
        tab.reload()
        tab.keyboard.press("ArrowDown")
        tab.keyboard.press("r")
        tab.keyboard.press("1")
    assert tab.locator(".unsaved span").inner_text() == "2 corrections"
    press(tab, "Undo all")
    tab.reload()
    assert not tab.locator(".unsaved").is_visible()


@pytest.mark.parametrize(("name", "begins"), [('a, "b".jpg', '"a, ""b"".jpg",'), ("=1+2.jpg", "'=1+2.jpg,")])
def test_saved_corrections_are_labels_and_no_formulas(opened, tmp_path, name, begins):
    from emonet.album import read_labels

    (tmp_path / name).touch()
    tab = opened(write(tmp_path / "album", [entry(name, said("happy", 0.9))]))
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("r")
    tab.keyboard.press("5")
    with tab.expect_download() as download:
        press(tab, "Save corrections.csv")
    download.value.save_as(tmp_path / "corrections.csv")
    assert (tmp_path / "corrections.csv").read_text().splitlines()[1].startswith(begins)
    labels, *_ = read_labels(tmp_path / "corrections.csv", tmp_path)
    assert labels == {name: "sad"}


def test_a_burst_shows_the_suggestion_first_to_say_and_saves_a_list(opened, bursts):
    tab = opened(bursts)
    press(tab, "Bursts")
    assert tab.locator(".burst").count() == 1
    assert tab.locator("article.kept .name").all_inner_texts() == ["p/2.jpg"]
    assert tab.locator("article.kept .why").inner_text().lower().startswith("suggested: sharpest (2.0 times the next)")
    assert tab.locator("article").nth(2).get_attribute("title").startswith("blurred")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("k")
    assert tab.locator("article.kept .name").all_inner_texts() == ["p/1.jpg", "p/2.jpg"]
    with saved(tab, "Save bursts.csv") as (name, rows):
        assert name == "bursts.csv"
        assert [(row["burst"], row["path"], row["choice"], row["suggested"]) for row in rows] == [
            ("1", "p/1.jpg", "keep", "no"),
            ("1", "p/2.jpg", "keep", "yes"),
            ("1", "p/3.jpg", "near copy", "no"),
        ]


def test_hostile_names_are_text_and_run_nothing(opened, album):
    tab = opened(album)
    name = tab.locator("article .name").first.inner_text()
    assert name == HOSTILE.replace("\n", "\\n").replace("\u202e", "\\u202e")
    assert tab.title() == "<b>holiday</b>"
    tab.locator("article .photo").first.click()
    assert tab.locator("body :is(script:not(#data), img[src=x], h1 b, h2 b)").count() == 1  # the album's own script


def test_a_script_that_got_in_would_not_run(browser, album):
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(album.as_uri())
        tab.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
        tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x: onerror=\"window.ran = 1\">')")
        tab.wait_for_timeout(100)
        assert tab.evaluate("window.ran") is None


@pytest.mark.parametrize("choice", ["", "#view=faces", "#view=bursts", "#photo=a.jpg"])
def test_a_phone_shows_the_whole_width(opened, album, bursts, crowd, choice):
    for path in (album, bursts, crowd):
        tab = opened(path, choice, size_wh=PHONE_WH)
        assert tab.evaluate("document.documentElement.scrollWidth") == PHONE_WH[0]


def test_marks_lie_on_their_faces(opened, album):
    tab = opened(album, "#find=b.jpg")
    card = tab.locator("article", has_text="b.jpg").last
    image, frame = card.locator("img").bounding_box(), card.locator("rect.frame").bounding_box()
    scale = image["width"] / 640
    found = [frame["x"] - image["x"], frame["y"] - image["y"], frame["width"], frame["height"]]
    assert [value / scale for value in found] == pytest.approx([100, 120, 100, 130], abs=9)


def test_every_expression_is_drawn_in_its_colour(opened, album):
    tab = opened(album)
    for name, colour in ((emotion, EXPRESSIONS[emotion]) for emotion in ("happy", "sad")):
        seen = [
            tab.locator(f"article {part}").first.evaluate(f"one => getComputedStyle(one)['{style}']")
            for part, style in (
                (f"rect.frame.{name}", "stroke"),
                (f".answer b.{name}", "borderTopColor"),
                (f".track i.{name}", "backgroundColor"),
            )
        ]
        assert seen == [f"rgb{tuple(bytes.fromhex(colour[1:]))}"] * 3


def test_without_a_script_all_is_shown_and_nothing_to_press(opened, album):
    tab = opened(album, "#show=happy", java_script_enabled=False)
    assert tab.locator("figure").count() == 7
    assert tab.get_by_role("button").count() == 0


def test_print_has_every_photo_that_is_chosen(opened, long_album):
    tab = opened(long_album, "#find=001")
    chosen = int(status(tab).split()[0])
    assert tab.locator("article").count() < chosen
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    tab.emulate_media(media="print")
    assert tab.locator("article").count() == chosen
    assert not tab.locator(".controls").is_visible()
    tops = tab.locator("article").evaluate_all("found => found.map((one) => one.getBoundingClientRect().top)")
    assert tops == sorted(tops)


def test_of_many_photos_only_those_in_sight_exist(opened, long_album):
    tab = opened(long_album)
    assert tab.locator("article").count() < 60
    tab.evaluate("scrollTo(0, document.body.scrollHeight)")
    wait_until(tab, "[...document.querySelectorAll('article .name')].some((name) => name.textContent === 'z.jpg')")
    assert tab.locator("article").count() < 60
    wait_until(tab, "[...document.querySelectorAll('article img')].every((image) => image.naturalWidth === 4)")


def test_all_of_many_photos_are_searched_and_sorted(opened, long_album):
    tab = opened(long_album, "#show=sad")
    assert shown(tab) == "z"
    tab = opened(long_album, "#sort=surest&view=faces")
    assert tab.locator("button.face").first.inner_text() == "83.3 %"
    assert status(tab) == f"{2 * EMBEDDED + 1:,} of {2 * EMBEDDED + 1:,} faces shown"
    tab.keyboard.press("ArrowDown")
    for _ in range(40):
        tab.keyboard.press("ArrowDown")
    assert tab.locator("button.face").count() < 400
    box = tab.locator("button.face:focus").bounding_box()
    assert 0 <= box["y"] <= 900 - box["height"] + 1
