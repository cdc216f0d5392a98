"""The page that needs no server, in Chromium: photos, what is no photo, tables, and the camera."""

import csv

import cv2
import numpy as np
import PIL.Image
import pytest
from tabs import PHONE_WH, Tabs, launch_with_camera, wait_until

from emonet import EmotionPredictor
from emonet.inference.loading import load_to_predict
from emonet.webpage import write_webpage
from facecrop import open_detector

pytest.importorskip("onnx", reason="emonet[page] is not installed")

STATUS = "document.getElementById('status').textContent"
ANSWERS = """results.map(({ name, faces }) => [name, faces.map(
    ({ box, probabilities, unsure }) => [box, probabilities, unsure])])"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return write_webpage(load_to_predict("emonet_fast"), tmp_path_factory.mktemp("site")).as_uri()


@pytest.fixture(scope="module")
def browser(portrait, tmp_path_factory):
    with launch_with_camera(portrait, tmp_path_factory.mktemp("camera")) as started:
        yield started


@pytest.fixture
def tabs(browser, address):
    opened = Tabs(browser)
    yield opened
    opened.close(address, "blob:")


def open_page(tabs, address, **options):
    tab = tabs.open(address, **options)
    wait_until(tab, f"{STATUS} === 'Ready'", 120)
    return tab


def choose(tab, *paths):
    tab.set_input_files("#choose", [str(path) for path in paths])
    wait_until(tab, f"{STATUS} === 'Ready' && !document.body.innerText.includes('waiting')", 240)


@pytest.fixture(scope="module")
def photos(portrait, tmp_path_factory):
    """One face as JPEG, PNG and on its side with EXIF; lying without it; six faces of other sizes; no face."""
    folder = tmp_path_factory.mktemp("photos")
    single = PIL.Image.fromarray(portrait)
    single.save(folder / "one.jpg", quality=92)
    single.save(folder / "one.png")
    turned = PIL.Image.Exif()
    turned[0x0112] = 6
    single.rotate(90, expand=True).save(folder / "turned.jpg", exif=turned)
    beside = cv2.copyMakeBorder(portrait, 300, 20, 60, 500, cv2.BORDER_REPLICATE)
    for degrees in (90, 180, 270):
        PIL.Image.fromarray(beside).rotate(degrees, expand=True).save(folder / f"lying-{degrees}.png")
    wide = np.full((900, 1500, 3), 90, np.uint8)
    for number, size in enumerate((400, 250, 160, 100, 70, 50)):
        face = cv2.resize(portrait[20:300, 80:360], (size, size), interpolation=cv2.INTER_AREA)
        wide[40 + 60 * number : 40 + 60 * number + size, 240 * number : 240 * number + size][:] = face[
            :, : wide.shape[1] - 240 * number
        ]
    PIL.Image.fromarray(wide).save(folder / "several.png")
    PIL.Image.new("RGB", (200, 120), "teal").save(folder / "none.png")
    blurred, vague = (cv2.GaussianBlur(portrait, (0, 0), by) for by in (9, 12))
    small = cv2.resize(portrait, (0, 0), fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
    narrow = cv2.resize(portrait, (0, 0), fx=0.55, fy=1)
    for name, image in {"blurred": blurred, "vague": vague, "small": small, "narrow": narrow}.items():
        PIL.Image.fromarray(cv2.copyMakeBorder(image, 40, 40, 40, 40, cv2.BORDER_REPLICATE)).save(
            folder / f"{name}.png"
        )
    return folder


def test_the_page_answers_as_python_does(tabs, address, photos):
    tab = open_page(tabs, address)
    paths = [photos / name for name in ("one.jpg", "one.png", "turned.jpg", "several.png", "none.png")]
    paths += [photos / f"{name}.png" for name in ("blurred", "vague", "small", "narrow")]
    paths += [photos / f"lying-{degrees}.png" for degrees in (90, 180, 270)]
    choose(tab, *paths)
    predictor = EmotionPredictor("emonet_fast", detector=open_detector("yunet"))
    answers = tab.evaluate(ANSWERS)
    assert [name for name, _ in answers] == [path.name for path in paths]
    found, doubts, turns = 0, set(), set()
    for path, (_, faces) in zip(paths, answers, strict=True):
        expected = predictor.predict(path)
        assert len(faces) == len(expected), path.name
        for prediction, (box, probabilities, unsure) in zip(expected, faces, strict=True):
            assert np.allclose(box, prediction.box, atol=1), path.name
            assert np.allclose(probabilities, list(prediction.probabilities.values()), atol=0.01), path.name
            assert unsure == (prediction.unsure or ""), path.name
            found += 1
            doubts.add(unsure)
            turns.add(prediction.face.turn)
    assert found >= 7
    assert doubts >= {"", "blurred", "maybe not a face", "too small"}
    assert turns == {0, 90, 180, 270}


def test_photos_without_a_face_and_what_is_no_photo_are_said_so(tabs, address, photos, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    PIL.Image.new("1", (70_000, 20)).save(tmp_path / "wide.png")  # no canvas is as wide
    tab = open_page(tabs, address)
    choose(tab, tmp_path / "wide.png", tmp_path / "broken.jpg", photos / "none.png", photos / "one.jpg")
    said = tab.locator("#photos article").all_inner_texts()
    assert "1 face" in said[0]
    assert "No face was found" in said[1]
    assert "cannot read" in said[2]
    assert "too large for this browser" in said[3]


def test_the_page_is_ready_when_no_photo_waits(tabs, address, photos, tmp_path):
    (tmp_path / "notes.txt").write_text("no photo")
    tab = open_page(tabs, address)
    tab.set_input_files("#choose", str(tmp_path / "notes.txt"))
    assert tab.evaluate(STATUS) == "These are no photos"
    tab.set_input_files("#choose", [str(photos / "several.png"), str(photos / "one.jpg")])
    tab.set_input_files("#choose", str(photos / "none.png"))
    wait_until(tab, f"{STATUS} === 'Ready'", 120)
    assert tab.evaluate("results.map(({ name }) => name)") == ["several.png", "one.jpg", "none.png"]


EARLY = """new MutationObserver((_, observer) => {
  if (!window.readPhotos) return;
  observer.disconnect();
  window.early = document.readyState;
  readPhotos([new File([Uint8Array.from(%s)], 'none.png', { type: 'image/png' })]);
}).observe(document, { childList: true, subtree: true });"""


def test_photos_that_are_chosen_while_the_page_loads_are_read(tabs, address, photos):
    with tabs.browser.new_context() as context:
        context.add_init_script(EARLY % list((photos / "none.png").read_bytes()))
        tab = open_page(tabs, address, context=context)
        wait_until(tab, "document.body.innerText.includes('No face was found')", 60)
        assert tab.evaluate("early") == "loading"


def test_a_page_that_cannot_start_says_so_and_keeps_saying_it(tabs, address, photos):
    broken = "window.Worker = class { constructor() { throw new Error('no worker'); } };"
    with tabs.browser.new_context() as context:
        context.add_init_script(broken)
        tab = tabs.open(address, context=context)
        wait_until(tab, f"{STATUS}.endsWith('cannot start in this browser: no worker')")
        tab.set_input_files("#choose", str(photos / "none.png"))
        wait_until(tab, "document.querySelector('#photos article').innerText.includes('the page cannot start')")
        assert tab.evaluate(STATUS).endswith("cannot start in this browser: no worker")


def test_what_is_cleared_while_it_is_read_stays_away_and_can_be_chosen_again(tabs, address, photos):
    tab = open_page(tabs, address)
    tab.set_input_files("#choose", [str(photos / "several.png"), str(photos / "one.jpg")])
    tab.click("#clear")
    wait_until(tab, f"{STATUS} === 'Ready'", 60)
    assert tab.evaluate("[results.length, document.querySelectorAll('#photos article').length]") == [0, 0]
    assert tab.evaluate("document.getElementById('choose').files.length") == 0
    choose(tab, photos / "one.jpg")
    assert tab.evaluate("results.map(({ name }) => name)") == ["one.jpg"]


def test_names_are_text_and_no_formulas(tabs, address, photos, tmp_path):
    name = "=1+2<img src=x onerror=alert(1)>.png"
    (tmp_path / name).write_bytes((photos / "one.png").read_bytes())
    tab = open_page(tabs, address)
    choose(tab, tmp_path / name)
    assert tab.locator("#photos h2").inner_text() == name
    with tab.expect_download() as download:
        tab.click("#save")
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("photo,face,x1,y1,x2,y2,score,emotion,confidence,unsure,")
    assert lines[1].startswith("\"'=1+2")
    tab.click("#clear")
    assert tab.locator("#photos article").count() == 0


def test_the_camera_is_read_live_and_stops(tabs, address):
    tab = open_page(tabs, address)
    tab.click("#camera")
    wait_until(tab, "document.querySelectorAll('#live-faces .face').length === 1", 60)
    first = tab.locator("#live-faces strong").inner_text()
    assert first.startswith("1: ")
    wait_until(tab, "parseFloat(document.getElementById('rate').textContent) > 0")
    tab.click("#stop")
    wait_until(tab, "document.getElementById('live').hidden && live.stream === null")
    assert tab.evaluate("document.activeElement.id") == "camera"


def test_a_camera_that_goes_away_is_noticed(tabs, address):
    tab = open_page(tabs, address)
    tab.click("#camera")
    wait_until(tab, "document.querySelectorAll('#live-faces .face').length === 1", 60)
    tab.evaluate("live.stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    assert tab.evaluate(STATUS) == "The camera has stopped"
    assert tab.locator("#camera").is_enabled()
    assert not tab.locator("#live").is_visible()


def test_a_double_click_opens_one_camera_which_stops(tabs, address):
    tab = open_page(tabs, address)
    tab.evaluate("""() => {
      const devices = navigator.mediaDevices, real = devices.getUserMedia.bind(devices);
      window.streams = [];
      devices.getUserMedia = async asked => { const got = await real(asked); streams.push(got); return got; };
    }""")
    tab.evaluate("document.getElementById('camera').click(), document.getElementById('camera').click()")
    wait_until(tab, "document.querySelectorAll('#live-faces .face').length === 1", 60)
    tab.click("#stop")
    states = "streams.flatMap(one => one.getTracks()).map(one => one.readyState)"
    assert tab.evaluate(states) == ["ended"]
    tab.click("#camera")
    wait_until(tab, "!document.getElementById('live').hidden")
    tab.click("#stop")
    assert tab.evaluate(states) == ["ended", "ended"]


def test_a_recording_is_saved_as_a_film_and_a_table(tabs, address):
    tab = open_page(tabs, address)
    tab.click("#camera")
    wait_until(tab, "document.querySelectorAll('#live-faces .face').length === 1", 60)
    saved = []
    tab.on("download", lambda download: saved.append(download))
    tab.click("#record")
    wait_until(tab, "live.lines.length > 2", 60)
    tab.wait_for_timeout(1500)
    tab.click("#record")
    assert tab.evaluate("live.lines.length") == 0
    for _ in range(300):
        if len(saved) == 2:
            break
        tab.wait_for_timeout(100)
    files = {one.suggested_filename: one.path() for one in saved}
    with files["expressions.csv"].open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert {row["face"] for row in rows} == {"1"}
    assert all(float(row["x1"]) < float(row["x2"]) for row in rows)
    assert sum(float(rows[0][name]) for name in list(rows[0])[9:]) == pytest.approx(1, abs=0.001)
    assert files["expressions.webm"].stat().st_size > 1000
    tab.click("#stop")


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_a_phone(tabs, address, photos, dark):
    tab = open_page(tabs, address, size_wh=PHONE_WH, color_scheme="dark" if dark else "light")
    choose(tab, photos / "several.png")
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    light = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(253, 253, 252)"
    assert light != dark
