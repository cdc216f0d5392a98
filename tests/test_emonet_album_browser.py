"""The album as a browser shows it: what can be clicked, what is seen then, and that nothing leaves the machine."""

import pytest
from albums import CLASSES, entry, said, unreadable
from tabs import PHONE_WH, Tabs, launch_chromium

from emonet.album.album import PHOTOS, write_album
from emonet.palette import EXPRESSIONS
from facecrop import Rejection
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
    tabs.close("file:", "data:")


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    entries = [
        entry("a.jpg", said("happy", 0.6), said("sad", 0.9)),
        entry("b.jpg", said("happy", 0.8)),
        entry("c.jpg", rejections=[NO_FACE]),
        entry("d.jpg", said("happy", 0.7, rest="sad"), said("happy", 0.5)),
        unreadable("e.jpg", "the file is empty"),
        entry(HOSTILE, said("sad", 0.55)),
    ]
    folder = tmp_path_factory.mktemp("a folder #1")
    return write_album(entries, folder, title="<b>holiday</b>", classes=CLASSES, count=len(entries))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """An album of two pages, of which only the second has a sad face."""
    happy = [entry(f"{number:03}.jpg", said("happy", 0.9)) for number in range(PHOTOS)]
    folder = tmp_path_factory.mktemp("pages")
    return write_album([*happy, entry("z.jpg", said("sad", 0.9))], folder, title="", classes=CLASSES, count=PHOTOS + 1)


def shown(tab):
    """The first letters of the names that are to be seen, from the first on."""
    return "".join(name[0] for name in tab.locator("article:visible .name").all_text_contents())


def press(tab, name):
    tab.get_by_role("button", name=name).click()


def pressed(tab):
    return tab.locator("[aria-pressed=true]").evaluate_all("found => found.map((button) => button.value)")


@pytest.mark.parametrize(
    ("choice", "letters"),
    [("happy", "abd"), ("sad", "a<"), ("no face", "c"), ("unreadable", "e"), ("all", "abcde<")],
)
def test_a_choice_shows_the_photos_with_such_a_face(opened, album, choice, letters):
    tab = opened(album)
    press(tab, choice)
    assert shown(tab) == letters
    assert pressed(tab) == [choice.replace(" ", "_"), "name"]
    assert tab.get_by_role("status").inner_text() == f"{len(letters)} of 6 photos shown"


@pytest.mark.parametrize(
    ("choice", "order", "letters"),
    [
        ("all", "surest first", "abd<ce"),
        ("all", "least sure first", "<dbace"),
        ("happy", "surest first", "bda"),
        ("happy", "least sure first", "adb"),
        ("no face", "least sure first", "c"),
    ],
)
def test_the_faces_that_are_shown_say_how_photos_are_sorted(opened, album, choice, order, letters):
    tab = opened(album)
    press(tab, order)
    press(tab, choice)
    assert shown(tab) == letters


def test_choices_can_be_taken_back(opened, album):
    tab = opened(album, "#show=happy&sort=surest")
    assert shown(tab) == "bda"
    press(tab, "all")
    press(tab, "by name")
    assert shown(tab) == "abcde<"


def test_keys_do_what_the_mouse_does(opened, album):
    tab = opened(album)
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert (shown(tab), pressed(tab)) == ("abd", ["happy", "name"])
    assert tab.evaluate("document.activeElement.value") == "happy"


@pytest.mark.parametrize("choice", ["#show=nothing&sort=%3Cb%3E", "#%", "#top"])
def test_an_address_with_another_choice_shows_all(opened, album, choice):
    tab = opened(album, choice)
    assert (shown(tab), pressed(tab)) == ("abcde<", ["all", "name"])


def test_hostile_names_are_text_and_run_nothing(opened, album):
    tab = opened(album)
    name = tab.locator("article .name").last.inner_text()
    assert name == HOSTILE.replace("\n", "\\n").replace("\u202e", "\\u202e")
    assert tab.title() == "<b>holiday</b>"
    assert tab.locator("article script, article img[src=x], h1 b").count() == 0


def test_a_script_that_got_in_would_not_run(browser, album):
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(album.as_uri())
        tab.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
        tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x: onerror=\"window.ran = 1\">')")
        tab.wait_for_timeout(100)
        assert tab.evaluate("window.ran") is None


def test_a_phone_shows_the_whole_width(opened, album, pages):
    for path in (album, pages, pages.parent / "album" / "002.html"):
        tab = opened(path, size_wh=PHONE_WH)
        assert tab.evaluate("document.documentElement.scrollWidth") == PHONE_WH[0]
        names = tab.locator(".name, h1, button").evaluate_all(
            "found => found.filter((one) => one.scrollWidth > one.clientWidth + 1).length"
        )
        assert names == 0


def test_marks_lie_on_their_faces(opened, album):
    tab = opened(album)
    picture = tab.locator("article img").first.bounding_box()
    frame = tab.locator("article rect.happy:not(.field)").first.bounding_box()
    scale = picture["width"] / 640
    found = [frame["x"] - picture["x"], frame["y"] - picture["y"], frame["width"], frame["height"]]
    assert [value / scale for value in found] == pytest.approx([100, 120, 100, 130], abs=5)


def test_every_expression_is_drawn_in_its_colour(opened, album):
    tab = opened(album)
    for name, colour in ((emotion, EXPRESSIONS[emotion]) for emotion in ("happy", "sad")):
        seen = [
            tab.locator(f"article {part}").first.evaluate(f"one => getComputedStyle(one)['{style}']")
            for part, style in (
                (f"rect.{name}:not(.field)", "stroke"),
                (f".face b.{name}", "borderTopColor"),
                (f".track i.{name}", "backgroundColor"),
            )
        ]
        assert seen == [f"rgb{tuple(bytes.fromhex(colour[1:]))}"] * 3


def test_without_a_script_all_is_shown_and_nothing_to_press(opened, album):
    tab = opened(album, "#show=happy", java_script_enabled=False)
    assert shown(tab) == "abcde<"
    assert tab.get_by_role("button").count() == 0


def test_links_take_the_choice_along(opened, pages):
    tab = opened(pages, "#show=sad&sort=surest")
    tab.get_by_role("link", name="Page 1").click()
    tab.get_by_text("0 of 500 photos shown").wait_for()
    assert (shown(tab), pressed(tab)) == ("", ["sad", "surest"])
    tab.get_by_role("link", name="Next").first.click()
    tab.get_by_text("1 of 1 photos shown").wait_for()
    assert (shown(tab), pressed(tab)) == ("z", ["sad", "surest"])
    tab.get_by_role("link", name="All pages").last.click()
    tab.wait_for_url(f"{pages.as_uri()}#show=sad&sort=surest")
