"""The page of a film as a browser shows it: how it is moved through, and that nothing leaves the machine."""

import pytest
from films import make_images, write_film
from tabs import PHONE_WH, Tabs, launch_chromium, wait_until
from test_emonet_video import said

from emonet.labels import Emotion
from emonet.video import FrameResult
from emonet.video.journal import Thumbnail
from emonet.video.timeline import write_timeline
from facecrop.images import encode_jpeg

CLASSES = tuple(map(Emotion, ("happy", "sad", "neutral")))
NAMES = ["happy"] * 50 + ["sad"] * 50
HOSTILE = "<script>document.title = 'run'</script>.webm"


@pytest.fixture(scope="module")
def page(tmp_path_factory, face):
    """A film of four seconds: one face from happy to sad, another in the second half."""
    folder = tmp_path_factory.mktemp("a page #1")
    images = list(make_images(face, 100, step=1))
    film = write_film(folder / "a film.webm", images)
    results = [
        FrameResult(index, index / 25, (said(name, 0.8), *([said("neutral", 0.6, 2)] if index >= 60 else [])))
        for index, name in enumerate(NAMES)
    ]
    (folder / "out").mkdir()
    path, _ = write_timeline(
        results,
        folder / "out",
        title=HOSTILE,
        classes=CLASSES,
        length_s=99 / 25,
        frames=100,
        gap_s=1.0,
        thumbnails=[Thumbnail(index / 25, encode_jpeg(images[index])) for index in range(0, 100, 10)],
        film=f"../{film.name.replace(' ', '%20')}",
        footer="done",
    )
    return path


@pytest.fixture(scope="module")
def browser():
    with launch_chromium() as started:
        yield started


@pytest.fixture
def opened(browser):
    """Opens a page."""
    tabs = Tabs(browser)
    yield lambda path, **options: tabs.open(path.as_uri(), **options)
    tabs.close("file:", "data:", "blob:")


def click(element, share):
    place = element.bounding_box()
    element.click(position={"x": share * place["width"], "y": place["height"] / 2})


def now(tab):
    return tab.locator(".now").all_inner_texts()


def wait_for_film(tab, seconds):
    wait_until(tab, f"Math.abs(document.querySelector('video').currentTime - {seconds}) < 0.1")


@pytest.mark.parametrize("name", [".lane", "svg.seek >> nth=0", ".strip >> nth=0"])
def test_a_click_goes_to_its_time_in_the_film(opened, page, name):
    tab = opened(page)
    wait_until(tab, "document.querySelector('video').readyState > 0")
    click(tab.locator(name), 0.75)
    assert tab.locator("output").inner_text() == "0:03.0"
    assert now(tab) == ["sad", "neutral"]
    wait_for_film(tab, 2.97)


def test_the_table_and_the_slider_go_there_too(opened, page):
    tab = opened(page)
    tab.get_by_role("button", name="0:02.0").click()
    assert (tab.locator("output").inner_text(), now(tab)) == ("0:02.0", ["sad", ""])
    tab.get_by_role("slider").fill("0.5")
    assert (tab.locator("output").inner_text(), now(tab)) == ("0:00.5", ["happy", ""])


def test_the_player_moves_the_cursor(opened, page):
    tab = opened(page)
    wait_until(tab, "document.querySelector('video').readyState > 0")
    tab.evaluate("document.querySelector('video').currentTime = 1.98")
    wait_until(tab, "document.querySelector('output').textContent === '0:02.0'")
    assert tab.locator(".cursor").first.evaluate("one => one.style.left") == "50%"


def test_segments_can_be_saved(opened, page, tmp_path):
    tab = opened(page, accept_downloads=True)
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Save as CSV").click()
    download.value.save_as(tmp_path / "saved.csv")
    assert download.value.suggested_filename == "segments.csv"
    lines = (tmp_path / "saved.csv").read_text(encoding="utf-8").splitlines()
    assert lines == [
        "track,expression,from_s,to_s,strength",
        "1,happy,0.0,1.96,0.8",
        "1,sad,2.0,3.96,0.8",
        "2,neutral,2.4,3.96,0.6",
    ]


def test_areas_fill_the_plot_where_a_face_is_seen(opened, page):
    tab = opened(page)
    plots = tab.locator("svg.seek")
    boxes = [plots.nth(place).locator("polygon").first.evaluate("one => one.getBBox().x") for place in range(2)]
    assert boxes == pytest.approx([0, 606], abs=5)
    sad = tab.locator("polygon.sad").first.evaluate("one => getComputedStyle(one).fill")
    assert sad == "rgb(0, 114, 178)"


def test_without_the_film_the_page_says_so_and_works(browser, page, tmp_path):
    moved = tmp_path / "timeline.html"
    moved.write_bytes(page.read_bytes())
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(moved.as_uri())
        tab.get_by_text("The film is not where it was").wait_for()
        assert not tab.locator("video").is_visible()
        click(tab.locator(".lane"), 0.25)
        assert (tab.locator("output").inner_text(), now(tab)) == ("0:01.0", ["happy", ""])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_whole_width(opened, page, scheme):
    tab = opened(page, size_wh=PHONE_WH, color_scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE_WH[0]


def test_a_hostile_name_is_text(opened, page):
    tab = opened(page)
    assert tab.locator("h1").inner_text() == HOSTILE
    assert tab.title() == HOSTILE


def test_without_a_script_there_is_nothing_to_move(opened, page):
    tab = opened(page, java_script_enabled=False)
    assert tab.get_by_role("slider").count() == 0
    assert tab.locator("tbody tr").count() == 3
