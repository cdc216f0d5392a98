"""The page of a review in a browser: keys, filters, the map, sequences, several tabs, and that nothing is lost."""

import csv
import http.client
import json
import threading
from contextlib import closing
from urllib.parse import urlsplit

import pytest
import reviews
from tabs import DESK_WH, PHONE_WH, Tabs, launch_chromium

from emonet.review import ReviewOptions, ReviewServer, open_review, write_review

FIRST, SECOND, THIRD = reviews.WRONG  # the most doubtful faces


@pytest.fixture(scope="module")
def browser():
    with launch_chromium() as started:
        yield started


@pytest.fixture
def opened(browser, serve):  # noqa: ARG001  # it ends after this one
    """Opens an address, and waits for what it shows. Its tabs are closed before what serves them."""
    tabs = Tabs(browser)

    def open_(address, size_wh=DESK_WH, context=None):
        tab = tabs.open(address, size_wh, context, accept_downloads=True)
        tab.locator(".tile:visible, .strip:visible").first.wait_for()
        return tab

    yield open_
    tabs.close("file:", "data:", "blob:", "http://127.0.0.1:")


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return reviews.build_copied(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture(scope="module")
def sequences(tmp_path_factory, portrait):
    return reviews.build_sequences(tmp_path_factory.mktemp("sequences"), portrait)


@pytest.fixture
def serve():
    """Serves a review; returns its server."""
    running = []

    def serve_(review):
        running.append(ReviewServer(review))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return running[-1]

    yield serve_
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def page(opened, serve, store, tmp_path):
    """The page of a review that is sorted by made-up answers."""
    return opened(serve(reviews.open_answered(store, tmp_path)).address)


def key(tab):
    return tab.locator("#key").inner_text()


def press(tab, *keys):
    for name in keys:
        tab.keyboard.press(name)


def settle(tab):
    """Wait until all is saved."""
    tab.locator("[role=status]").filter(has_not_text="saving").wait_for()


def status(tab):
    settle(tab)
    return tab.get_by_role("status").inner_text()


def corrections(folder):
    with (folder / "corrections.csv").open(newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def shown(tab):
    return tab.locator(".tile:visible").evaluate_all("tiles => tiles.map((tile) => tile.title)")


# ---- keys


def test_keys_relabel_drop_and_keep_and_go_on_to_the_next(page, tmp_path):
    assert key(page) == FIRST
    press(page, "5", "x")
    assert key(page) == THIRD
    press(page, "Enter")
    assert "3 of 42 decided: 1 relabelled, 1 dropped, 1 kept" in status(page)
    assert sorted(corrections(tmp_path)) == sorted([(FIRST, "sad"), (SECOND, "drop")])


def test_undo_takes_decisions_back_one_by_one_and_goes_to_their_faces(page, tmp_path):
    press(page, "5", "x", "u")
    assert key(page) == SECOND
    assert "1 of 42 decided" in status(page)
    press(page, "u")
    assert key(page) == FIRST
    assert "0 of 42 decided" in status(page)
    assert corrections(tmp_path) == []
    press(page, "u")
    assert "nothing to undo" in page.get_by_role("alert").inner_text()


def test_the_key_of_the_label_itself_keeps_it(page, tmp_path):
    press(page, "4")
    assert "1 of 42 decided: 0 relabelled, 0 dropped, 1 kept" in status(page)
    assert corrections(tmp_path) == []


def test_undo_of_a_second_decision_returns_to_the_first(page, tmp_path):
    press(page, "5", "ArrowLeft", "1", "u")
    settle(page)
    assert corrections(tmp_path) == [(FIRST, "sad")]


def test_arrows_move_in_the_grid(page):
    columns = page.evaluate(
        "new Set([...document.querySelectorAll('.row')].map((r) => r.children.length)).values().next().value"
    )
    press(page, "ArrowDown", "ArrowRight")
    assert page.locator(".tile.selected").get_attribute("data-position") == str(columns + 1)
    press(page, "ArrowUp", "ArrowLeft", "ArrowLeft")
    assert key(page) == FIRST
    press(page, "End")
    assert page.locator(".tile.selected").get_attribute("data-position") == "41"


def test_space_on_a_button_presses_the_button(page):
    page.locator("[name=decide][value=fear]").focus()
    press(page, "Space")
    assert "1 relabelled" in status(page)


def test_buttons_do_what_keys_do(page, tmp_path):
    page.locator("[name=decide][value=fear]").click()
    page.locator("[name=decide][value=drop]").click()
    page.locator("[name=undo]").click()
    settle(page)
    assert corrections(tmp_path) == [(FIRST, "fear")]


# ---- what is shown


def test_the_most_doubtful_faces_are_first(page):
    assert shown(page)[:3] == list(reviews.WRONG)
    page.locator("#show").select_option("doubtful")
    assert shown(page) == list(reviews.WRONG)
    page.locator("#sort").select_option("key")
    assert shown(page) == sorted(reviews.WRONG)


def test_a_cell_of_the_matrix_opens_its_faces(page):
    page.get_by_role("button", name="1 labelled happy, answered sad").click()
    assert shown(page) == [FIRST]
    page.get_by_role("button", name="happy answered sad").click()
    assert len(shown(page)) > 20


def test_decided_faces_can_be_left_out(page):
    press(page, "5", "5")
    page.locator("#show").select_option("open")
    assert shown(page)[0] == THIRD
    page.locator("#show").select_option("decided")
    assert shown(page) == [FIRST, SECOND]


def test_copies_with_different_labels_stand_side_by_side(page, tmp_path):
    page.locator("[name=view][value=copies]").click()
    assert shown(page) == ["fer2013/fer0000002", "fer2013/fer0000008"]
    tops = page.locator(".tile:visible").evaluate_all("tiles => tiles.map((tile) => tile.getBoundingClientRect().top)")
    assert tops[0] == tops[1]
    press(page, "ArrowRight", "3")
    settle(page)
    assert corrections(tmp_path) == [("fer2013/fer0000008", "fear")]


def test_tiles_show_their_own_crops(page, store):
    """The sheet of the first faces holds what the data set does, each in its place."""
    drawn = page.evaluate(
        """async () => {
          const tile = document.querySelector(".tile:nth-child(2) i"), style = getComputedStyle(tile);
          const image = new Image();
          image.src = style.backgroundImage.slice(5, -2);
          await image.decode();
          return [image.naturalWidth, style.backgroundPosition, image.src];
        }"""
    )
    assert drawn[0] == 8 * 48
    assert drawn[1].startswith("14.28")  # the second of eight
    faces = [int(place) for place in drawn[2].split("faces=")[1].split(",")]
    keys = [key for split in store.splits for key in store.table(split, ["key"])["key"].to_pylist()]
    assert [keys[place] for place in faces[:3]] == list(reviews.WRONG)


def test_a_line_around_dots_of_the_map_filters_the_grid(opened, serve, store, tmp_path):
    tab = opened(serve(open_review(store, tmp_path, ReviewOptions(model="emonet_fast"))).address)
    canvas = tab.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    line = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0), (0.0, 0.0)]
    places = [(box["x"] + 2 + x * (box["width"] - 4), box["y"] + 2 + y * (box["height"] - 4)) for x, y in line]
    tab.mouse.move(*places[0])
    tab.mouse.down()
    for place in places[1:]:
        tab.mouse.move(*place, steps=4)
    tab.mouse.up()
    inside = int(tab.get_by_role("status").inner_text().split("; ")[1].split()[0])
    assert 0 < inside < 42
    tab.get_by_role("button", name="drawn around").click()
    assert "42 shown" in status(tab)


def test_a_phone_shows_the_whole_width_and_can_decide(opened, serve, store, tmp_path):
    tab = opened(serve(reviews.open_answered(store, tmp_path)).address, PHONE_WH)
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE_WH[0]
    tab.locator("[name=decide][value=sad]").click()
    assert "1 relabelled" in status(tab)
    tab.get_by_role("button", name="Matrix and map").click()
    tab.get_by_role("button", name="1 labelled happy, answered sad").click()
    tab.get_by_role("button", name="Matrix and map").click()
    assert shown(tab) == [FIRST]


def test_only_rows_in_sight_are_in_the_page(opened, serve, store, tmp_path):
    tab = opened(serve(reviews.open_answered(store, tmp_path)).address, (500, 400))
    assert tab.locator(".tile").count() < 42
    before = shown(tab)
    tab.locator("#faces").evaluate("scroller => { scroller.scrollTop = scroller.scrollHeight; }")
    tab.locator('.tile[data-position="41"]').wait_for()
    assert not set(before[:3]) & set(shown(tab))


# ---- sequences


def test_an_onset_is_dragged_and_a_sequence_is_relabelled(opened, serve, sequences, tmp_path):
    tab = opened(serve(open_review(sequences, tmp_path)).address)
    tab.locator("[name=view][value=sequences]").click()
    handle = tab.locator(".handle").first
    box = handle.bounding_box()
    tab.mouse.move(box["x"] + 7, box["y"] + 20)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 7 - 2 * 60, box["y"] + 20, steps=5)
    tab.mouse.up()
    assert handle.get_attribute("aria-valuenow") == "4"
    settle(tab)
    assert corrections(tmp_path) == [("ckplus/S015_001", "onset=4")]
    press(tab, "ArrowRight", "ArrowRight")  # where the build cut it: no correction
    settle(tab)
    assert corrections(tmp_path) == []
    press(tab, "u", "ArrowDown", "3")
    settle(tab)
    assert corrections(tmp_path) == [("ckplus/S015_001", "onset=5"), ("ckplus/S017_001", "fear")]


def test_arrows_move_the_onset_that_has_the_focus(opened, serve, sequences, tmp_path):
    tab = opened(serve(open_review(sequences, tmp_path)).address)
    tab.locator("[name=view][value=sequences]").click()
    focused = "document.activeElement.getAttribute('aria-label')"
    tab.locator(".handle").nth(1).focus()
    assert key(tab) == "ckplus/S017_001"
    press(tab, "ArrowLeft")
    settle(tab)
    assert corrections(tmp_path) == [("ckplus/S017_001", "onset=5")]
    press(tab, "ArrowUp")
    assert tab.evaluate(focused) == "onset of ckplus/S015_001"
    press(tab, "ArrowLeft", "ArrowLeft")
    settle(tab)
    assert ("ckplus/S015_001", "onset=4") in corrections(tmp_path)
    active = tab.locator("#faces").get_attribute("aria-activedescendant")
    assert tab.locator(f"#{active}").get_attribute("aria-selected") == "true"
    assert "S015_001" in tab.locator(f"#{active}").inner_text()


def test_frames_before_the_onset_come_from_the_original_data(opened, serve, sequences, tmp_path):
    server = serve(open_review(sequences, tmp_path))
    tab = opened(server.address)
    frame = tab.request.get(f"{server.address}frame.jpg?sequence=0&place=0")
    assert (frame.status, frame.headers["content-type"]) == (200, "image/jpeg")


# ---- several tabs, and the end of the server


def test_tabs_see_and_keep_each_others_decisions(opened, serve, store, tmp_path):
    server = serve(reviews.open_answered(store, tmp_path))
    one = opened(server.address)
    other = opened(server.address, context=one.context)
    press(one, "5")
    settle(one)
    press(other, "ArrowRight", "x")
    settle(other)
    assert sorted(corrections(tmp_path)) == sorted([(FIRST, "sad"), (SECOND, "drop")])
    one.bring_to_front()
    one.get_by_text("2 of 42 decided").wait_for()


@pytest.fixture
def behind(browser, serve, store, tmp_path):
    """A tab that has not seen yet what another has decided about FIRST."""
    server = serve(reviews.open_answered(store, tmp_path))
    with browser.new_context() as context:
        tab = context.new_page()
        tab.route("**/decisions.json*", lambda route: route.fulfill(json=[]))
        tab.goto(server.address)
        tab.locator(".tile").first.wait_for()
        server.review.decide(FIRST, "label", "sad")
        yield tab


def test_a_decision_does_not_hide_one_of_another_tab_just_before(behind):
    press(behind, "ArrowRight", "x")
    settle(behind)
    behind.unroute_all()
    behind.get_by_text("2 of 42 decided").wait_for()


def test_two_tabs_that_decide_about_one_face_are_told(behind, tmp_path):
    press(behind, "1")
    behind.get_by_text("was decided in another tab").wait_for()
    assert "1 of 42 decided: 1 relabelled" in status(behind)
    assert corrections(tmp_path) == [(FIRST, "sad")]


def test_a_decision_that_cannot_be_saved_is_taken_back_and_said(browser, serve, store, tmp_path):
    server = serve(reviews.open_answered(store, tmp_path))
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(server.address)
        tab.locator(".tile").first.wait_for()
        tab.route("**/decide", lambda route: route.abort())  # as if the server had ended
        press(tab, "4")
        tab.get_by_text("not saved").wait_for()
        assert "0 of 42 decided" in status(tab)


def test_decisions_are_there_after_the_server_ends(opened, serve, store, tmp_path):
    first = serve(reviews.open_answered(store, tmp_path))
    press(opened(first.address), "5", "x")
    tab = opened(serve(reviews.open_answered(store, tmp_path)).address)
    assert "2 of 42 decided: 1 relabelled, 1 dropped" in status(tab)
    press(tab, "u")
    settle(tab)
    assert corrections(tmp_path) == [(FIRST, "sad")]


# ---- one file


def test_one_file_keeps_decisions_in_the_browser_and_saves_them(opened, store, tmp_path):
    review = reviews.open_answered(store, tmp_path)
    write_review(review, tmp_path / "review.html")
    tab = opened((tmp_path / "review.html").as_uri())
    assert shown(tab)[:3] == list(reviews.WRONG)
    press(tab, "5", "x", "Enter")
    settle(tab)
    tab.reload()
    tab.locator(".tile").first.wait_for()
    assert "3 of 42 decided: 1 relabelled, 1 dropped, 1 kept" in status(tab)
    with tab.expect_download() as download:
        tab.locator("#download").click()
    saved = download.value.path().read_text()
    for name, value in ((FIRST, "sad"), (SECOND, "drop"), (THIRD, "keep")):
        review.decide(name, "label", value)
    assert saved == (tmp_path / "corrections.csv").read_text()


def test_in_a_sandbox_decisions_last_as_long_as_the_page_is_open(browser, opened, store, tmp_path):
    write_review(reviews.open_answered(store, tmp_path), tmp_path / "review.html")
    answer = {
        "body": (tmp_path / "review.html").read_text(),
        "headers": {"content-type": "text/html", "content-security-policy": "sandbox allow-scripts allow-downloads"},
    }
    with browser.new_context() as context:
        context.route("**/review.html", lambda route: route.fulfill(**answer))
        tab = opened("http://127.0.0.1:9/review.html", context=context)
        assert "only while this page is open" in tab.get_by_role("alert").inner_text()
        press(tab, "5", "x", "u")
        assert "1 of 42 decided: 1 relabelled" in status(tab)
        with tab.expect_download() as download:
            tab.locator("#download").click()
        assert f"{FIRST},sad" in download.value.path().read_text()


# ---- the server


def ask(server, path, method="GET", body=None, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)) as connection:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")


@pytest.fixture
def server(serve, store, tmp_path):
    return serve(reviews.open_answered(store, tmp_path))


def decide(server, body, kind="application/json", **headers):
    return ask(server, f"/{server.token}/decide", "POST", body, Content_Type=kind, **headers)


def test_the_server_listens_on_loopback_and_asks_for_its_token(server):
    assert server.server_address[0] == "127.0.0.1"
    assert urlsplit(server.address).path.strip("/") == server.token
    assert ask(server, f"/{server.token}/data.json")[0] == 200
    for path in ("/", "/data.json", "/wrong/data.json", f"/{server.token}", f"/{server.token}/../../etc/passwd"):
        assert ask(server, path)[0] == 404


def test_another_host_is_refused(server):
    assert ask(server, f"/{server.token}/", Host="evil.example")[0] == 403
    assert ask(server, f"/{server.token}/", Host=f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize(
    "path",
    ["sheet.jpg", "sheet.jpg?faces=9999", "sheet.jpg?faces=a", "crop.png?face=-1", "frame.jpg?sequence=0&place=0"],
)
def test_what_is_not_there_is_refused(server, path):
    assert ask(server, f"/{server.token}/{path}")[0] == 400


def test_decisions_that_are_no_json_of_ours_are_refused(server):
    body = json.dumps({"key": FIRST, "kind": "label", "value": "sad"})
    assert decide(server, body, kind="text/plain")[0] == 400
    assert decide(server, "{")[0] == 400
    assert decide(server, "[]")[0] == 400
    assert decide(server, body.replace("sad", "smiling"))[0] == 400
    assert decide(server, body.replace(FIRST, "none"))[0] == 400
    assert decide(server, "x" * 20_000)[0] == 400
    assert server.review.decisions.current() == {}
    assert decide(server, body)[0] == 200
    assert decide(server, json.dumps({"key": FIRST, "kind": "label", "value": "fear", "expected": ""}))[0] == 409


def test_a_page_cannot_be_framed_or_run_other_scripts(server, browser):
    with browser.new_context() as context:
        tab = context.new_page()
        answer = tab.goto(server.address)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        tab.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
        assert tab.evaluate("window.ran") is None
