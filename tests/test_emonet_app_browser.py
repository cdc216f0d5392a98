"""The app in Chromium: photos, explanations, the camera, a film and opened pages; and that it asks nobody else."""

import csv
import io

import cv2
import PIL.Image
import pytest
from apps import run_app
from films import make_images, write_film
from tabs import PHONE_WH, Tabs, launch_with_camera, wait_until

CARDS = "document.querySelectorAll('#shown-photos .photo').length"
SPY = """<!doctype html><title>spy</title><link rel="icon" href="data:,"><img src="secret.png"><script>
onload = () => {
  const pen = document.createElement("canvas").getContext("2d");
  pen.drawImage(document.images[0], 0, 0);
  try { pen.getImageData(0, 0, 1, 1); document.title = "saw it"; } catch (error) { document.title = error.name; }
};
</script>"""
ASKING = """<!doctype html><title>asking</title><link rel="icon" href="data:,"><p>corrections<script>
addEventListener("beforeunload", event => event.preventDefault());
</script>"""
GRADIO_SAYS = "Method not implemented."  # into the console, at each upload


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    pages = tmp_path_factory.mktemp("pages")
    (pages / "<i>album.html").write_text("<!doctype html><title>an album</title><p>an album")
    (pages / "spy.html").write_text(SPY)
    (pages / "asking.html").write_text(ASKING)
    PIL.Image.new("RGB", (4, 4), "teal").save(pages / "secret.png")
    options = ("--model", "emonet_fast", "--detector", "yunet", "--max-megabytes", "5", "--open", str(pages))
    with run_app(tmp_path_factory.mktemp("app"), *options) as running:
        yield running


@pytest.fixture(scope="module")
def browser(portrait, tmp_path_factory):
    with launch_with_camera(portrait, tmp_path_factory.mktemp("camera")) as started:
        yield started


@pytest.fixture
def tabs(browser, app):
    opened = Tabs(browser)
    yield opened
    opened.complaints[:] = [text for text in opened.complaints if text != GRADIO_SAYS]
    opened.close(app.address, "data:", "blob:")
    assert app.uploads() == []
    assert [one for one in app.connected_to() if "127.0.0.1" not in one] == []


@pytest.fixture(scope="module")
def photos(portrait, tmp_path_factory):
    """One face; none; a broken photo with a name that is markup and a formula."""
    folder = tmp_path_factory.mktemp("photos")
    PIL.Image.fromarray(portrait).save(folder / "one.jpg", quality=92)
    PIL.Image.new("RGB", (200, 120), "teal").save(folder / "none.png")
    (folder / "=<img src=x onerror=alert(1)>.jpg").write_bytes(b"no photo")
    return folder


def open_tab(tabs, app, name="", **options):
    tab = tabs.open(app.address, **options)
    tab.wait_for_selector("#photos input[type=file]", state="attached", timeout=120_000)
    if name:
        tab.get_by_role("tab", name=name).click()
    return tab


def choose(tab, *paths):
    tab.set_input_files("#photos input[type=file]", [str(path) for path in paths])
    wait_until(tab, f"{CARDS} === {len(paths)}", 120)


def test_photos_are_read_and_names_are_text(tabs, app, photos):
    tab = open_tab(tabs, app)
    strange = next(photos.glob("=*"))
    choose(tab, photos / "one.jpg", photos / "none.png", strange)
    one, none, broken = tab.locator("#shown-photos .photo").all()
    assert "1 face" in one.inner_text()
    assert "happy" in one.locator(".face strong").inner_text()
    assert one.locator("svg rect").count() == one.locator("img.crop").count() == 1
    assert "No face was found" in none.inner_text()
    assert "cannot be read" in broken.inner_text()
    assert broken.locator("h3").inner_text() == "=img src=x onerror=alert(1).jpg"  # as Gradio stores it
    one.locator("svg rect").evaluate("box => box.classList.replace('happy', 'unsure')")
    assert one.locator("svg rect").evaluate("box => getComputedStyle(box).strokeDasharray") == "6px, 3px"
    with tab.expect_download() as download:
        tab.click("#shown-photos a[download]")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [row["emotion"] or row["reason"] for row in rows] == ["happy", "no_face", "unreadable"]
    assert rows[2]["path"].startswith("'=")


def test_the_same_photo_may_be_chosen_twice(tabs, app, photos, tmp_path):
    for name in ("copy.jpg", "again/one.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((photos / "one.jpg").read_bytes())
    tab = open_tab(tabs, app)
    choose(tab, photos / "one.jpg", tmp_path / "copy.jpg", tmp_path / "again" / "one.jpg")
    assert tab.locator("#shown-photos .faces > p").all_inner_texts() == ["1 face"] * 3


def test_a_face_is_explained_on_demand(tabs, app, photos):
    tab = open_tab(tabs, app)
    choose(tab, photos / "one.jpg")
    tab.select_option(".face select", "sad")
    tab.click("[data-explain]")
    wait_until(tab, "document.querySelector('.face figure img').naturalWidth > 0", 120)
    assert "sad" in tab.locator(".face figcaption").inner_text()


def test_a_photo_is_pasted(tabs, app, photos):
    tab = open_tab(tabs, app)
    pixels = list((photos / "one.jpg").read_bytes())
    tab.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(bytes)], 'pasted.jpg', { type: 'image/jpeg' }));
            document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }));
        }""",
        pixels,
    )
    wait_until(tab, f"{CARDS} === 1", 120)
    assert tab.locator("#shown-photos h3").inner_text() == "pasted.jpg"


def test_the_camera_is_read_live_recorded_and_stopped(tabs, app):
    tab = open_tab(tabs, app, "Live")
    frame = tab.locator("iframe.live").content_frame
    frame.locator("#camera").click()
    frame.locator("#live-faces .face").first.wait_for(timeout=120_000)
    assert frame.locator("#live-faces strong").inner_text().startswith("1: ")
    saved = []
    tab.on("download", lambda download: saved.append(download))
    frame.locator("#record").click()
    tab.wait_for_timeout(2500)
    frame.locator("#record").click()
    for _ in range(300):
        if len(saved) == 2:
            break
        tab.wait_for_timeout(100)
    files = {one.suggested_filename: one.path() for one in saved}
    rows = list(csv.DictReader(io.StringIO(files["expressions.csv"].read_text())))
    assert rows
    assert {row["face"] for row in rows} == {"1"}
    assert files["expressions.webm"].stat().st_size > 1000
    tab.get_by_role("tab", name="Film").click()  # nobody sees the camera: it waits
    tab.wait_for_timeout(1500)
    before = sum(url.endswith("/frame") for url in tabs.requests)
    tab.wait_for_timeout(1500)
    assert sum(url.endswith("/frame") for url in tabs.requests) == before
    tab.get_by_role("tab", name="Live").click()
    frame.locator("#stop").click()
    tab.wait_for_timeout(1500)
    before = sum(url.endswith("/frame") for url in tabs.requests)
    tab.wait_for_timeout(1500)
    assert sum(url.endswith("/frame") for url in tabs.requests) == before


def test_a_film_becomes_a_timeline(tabs, app, face, tmp_path):
    film = write_film(tmp_path / "<b>walk.webm", make_images(cv2.resize(face, (200, 160)), 20))
    tab = open_tab(tabs, app, "Film")
    tab.set_input_files("#film input[type=file]", str(film))
    tab.wait_for_selector("#shown-film iframe", timeout=120_000)
    timeline = tab.locator("#shown-film iframe").content_frame
    assert "walk.webm" in timeline.locator("h1").inner_text()
    assert timeline.locator("svg").count() >= 1
    timeline.get_by_role("link", name="Segments").click()
    tab.wait_for_timeout(500)
    assert timeline.locator("#segments").is_visible()
    with tab.expect_download() as download:
        tab.click("#shown-film a[download='segments.csv']")
    assert download.value.path().read_text().startswith("track,expression")


def test_a_film_that_waits_for_another_can_be_stopped(tabs, app, face, tmp_path):
    image = cv2.resize(face, (200, 160))
    long = write_film(tmp_path / "long.webm", make_images(image, 1500, step=0))
    short = write_film(tmp_path / "short.webm", make_images(image, 60))
    first, second = (open_tab(tabs, app, "Film") for _ in range(2))
    for tab, film, words in ((first, long, "frame"), (second, short, "queue")):
        tab.set_input_files("#film input[type=file]", str(film))
        wait_until(tab, f"document.querySelector('#shown-film').innerText.includes('{words}')", 60)
    for tab in (second, first):
        tab.click("#stop-film")
    for tab in (second, first):
        tab.wait_for_selector("#shown-film iframe", timeout=120_000)
        assert "Stopped" in tab.locator("#shown-film .soft").inner_text()


def test_what_is_no_film_is_said_and_the_app_goes_on(tabs, app, photos, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    tab = open_tab(tabs, app, "Film")
    tab.set_input_files("#film input[type=file]", str(tmp_path / "broken.mp4"))
    tab.wait_for_selector(".toast-body", timeout=120_000)
    tab.get_by_role("tab", name="Photo").click()
    choose(tab, photos / "one.jpg")


def test_pages_of_earlier_runs_are_opened(tabs, app):
    tab = open_tab(tabs, app, "Albums")
    link = tab.get_by_role("link", name="<i>album.html")
    with tab.context.expect_page() as opened:
        link.click()
    opened.value.wait_for_load_state()
    assert opened.value.title() == "an album"


def test_a_page_of_others_shows_images_and_cannot_look_into_them(tabs, app):
    tab = tabs.open(f"{app.address}/open/0/spy.html")
    wait_until(tab, "document.title !== 'spy'", 20)
    assert tab.title() == "SecurityError"
    assert tab.evaluate("document.images[0].naturalWidth") == 4


def test_a_page_asks_before_changes_are_lost(tabs, app):
    tab = tabs.open(f"{app.address}/open/0/asking.html")
    tab.click("p")
    with tab.expect_event("dialog") as asked:
        tab.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    assert tabs.complaints == [""]
    tabs.complaints.clear()


@pytest.mark.parametrize("dark", [False, True])
def test_the_app_fits_a_phone(tabs, app, photos, dark):
    tab = open_tab(tabs, app, size_wh=PHONE_WH, color_scheme="dark" if dark else "light")
    choose(tab, photos / "one.jpg")
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    light = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(253, 253, 252)"
    assert light != dark
