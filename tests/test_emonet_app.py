"""The app over HTTP, and its parts: what it answers, what it refuses, and that it keeps nothing."""

import asyncio
import base64
import csv
import io
import json
import shlex
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
from apps import run_app
from pages import Tags, words

from emonet import EmotionPredictor, PhotoResult
from emonet.app import AppLimits, AppPlace, PhotoReader
from emonet.app.film import FilmReader
from emonet.app.guard import Guard
from emonet.app.opened import OpenedFolders
from emonet.app.photo import describe_error, describe_photo, format_table, render_photos
from emonet.app.reader import AnsweredPhoto, BusyError, cut_around
from emonet.commands import main
from emonet.errors import ImageError, MissingFileError, OptionError
from emonet.html.render import render_page
from emonet.inference import load_model
from emonet.webpage.webpage import POLICY
from facecrop import FilterRules, Reason, Rejection
from facecrop.images import encode_jpeg

MODEL = ("--model", "emonet_fast", "--detector", "yunet")


@pytest.fixture(scope="module")
def jpeg(portrait):
    return encode_jpeg(portrait)


@pytest.fixture(scope="module")
def reader():
    predictor = EmotionPredictor("emonet_fast", detector="yunet", device="cpu")
    return PhotoReader(predictor, AppLimits(max_megapixels=0.5, queue=2))


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    pages = tmp_path_factory.mktemp("pages")
    (pages / "album.html").write_text("<p>an album</p>")
    (pages / "secret.sqlite").write_text("no page")
    folder = tmp_path_factory.mktemp("app")
    limits = ("--queue", "8", "--max-megabytes", "1", "--max-megapixels", "1")
    with run_app(folder, *MODEL, *limits, "--open", str(pages)) as running:
        yield running
    assert list(running.temporary.iterdir()) == []  # nothing is left when it has ended
    assert [one for one in running.connected_to() if "127.0.0.1" not in one] == []


def test_predict_answers_as_python_does(app, jpeg, tmp_path):
    (tmp_path / "party.jpg").write_bytes(jpeg)
    predictor = EmotionPredictor("emonet_fast", detector="yunet", device="cpu")
    expected = json.loads(json.dumps([one.to_dict() for one in predictor.predict(jpeg)]))
    status, answer = app.ask_json("/predict", jpeg)
    assert (status, answer["size_wh"]) == (200, [512, 320])
    assert len(answer["predictions"]) == len(expected) == 1
    assert answer["predictions"][0]["face"] == expected[0]["face"]
    assert answer["predictions"][0]["probabilities"] == pytest.approx(expected[0]["probabilities"], abs=1e-6)


def test_the_curl_line_of_the_guide_works(app, jpeg, tmp_path, root):
    guide = (root / "docs" / "how-to" / "app.md").read_text()
    lines = [
        line for line in guide.splitlines() if line.startswith("curl ") and "/predict" in line and "-u " not in line
    ]
    assert len(lines) == 2
    (tmp_path / "party.jpg").write_bytes(jpeg)
    for line in lines:
        words = shlex.split(line.replace("http://127.0.0.1:7860", app.address))
        answer = json.loads(subprocess.run([*words, "-s"], cwd=tmp_path, capture_output=True, check=True).stdout)
        assert answer["predictions"][0]["emotion"] == "happy"


def test_a_photo_without_a_face_has_no_predictions_and_a_reason(app):
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (80, 60), "teal").save(buffer, "png")
    status, answer = app.ask_json("/predict", buffer.getvalue())
    assert (status, answer["predictions"]) == (200, [])
    assert [one["reason"] for one in answer["rejections"]] == ["no_face"]


@pytest.mark.parametrize("body", [b"", b"no photo", b"\xff\xd8\xff\xe0 broken"])
def test_what_is_no_photo_is_refused_and_the_app_goes_on(app, jpeg, body):
    status, answer = app.ask_json("/predict", body)
    assert status == 400
    assert answer["error"]
    assert app.ask("/predict", jpeg)[0] == 200


PART = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a.jpg"\r\n\r\n\r\n'


@pytest.mark.parametrize(
    ("kind", "body"),
    [("multipart/form-data; boundary=x", PART * 2 + b"--x--\r\n"), ("multipart/form-data", PART)],
)
def test_a_form_that_cannot_be_read_says_why(app, kind, body):
    status, answer = app.ask_json("/predict", body, {"Content-Type": kind})
    assert status == 400
    assert answer["error"]


def test_another_method_is_refused_in_json(app):
    for path in ("/predict", "/frame", "/explain"):
        status, answer = app.ask_json(path)
        assert (status, "POST" in answer["error"]) == (405, True)
    assert app.ask("/live", b"")[0] == 405
    assert app.ask("/live", method="HEAD") == (200, b"")


def test_uploads_are_limited_in_bytes_and_in_pixels(app):
    assert app.ask("/predict", bytes(1_200_000))[0] == 413
    buffer = io.BytesIO()
    PIL.Image.new("1", (2000, 600)).save(buffer, "png")
    status, answer = app.ask_json("/predict", buffer.getvalue())
    assert status == 400
    assert "1,000,000" in answer["error"]


def test_a_face_is_explained_for_any_class(app, portrait, reader):
    (result,) = reader.predictor.answer([(0, portrait)])
    cut, face = cut_around(portrait, result.predictions[0].face)
    question = {"image": base64.b64encode(encode_jpeg(cut)).decode(), "face": face.to_dict(), "emotion": "sad"}
    kind = {"Content-Type": "application/json"}
    status, image = app.ask("/explain", json.dumps(question).encode(), kind)
    assert status == 200
    with PIL.Image.open(io.BytesIO(image)) as shown:
        assert shown.size == cut.shape[1::-1]
    for wrong in ({**question, "emotion": "bored"}, {**question, "face": {}}, {**question, "image": "?"}, {}):
        assert app.ask("/explain", json.dumps(wrong).encode(), kind)[0] == 400
    assert app.ask("/explain", json.dumps(question).encode())[0] == 400  # as a form of another site could send it


def test_folders_that_were_opened_are_handed_out_and_nothing_else(app):
    assert app.ask("/open/0/album.html") == (200, b"<p>an album</p>")
    for path in ("/open/0/secret.sqlite", "/open/0/../secret", "/open/1/album.html", "/open/0/%2e%2e/x.html", "/x"):
        assert app.ask(path)[0] == 404


@pytest.mark.parametrize(
    "path", ["/gradio_api/proxy=https://example.com/x", "/gradio_api/file=/etc/passwd", "/monitoring", "/docs"]
)
def test_what_gradio_can_do_beyond_the_app_is_not_there(app, path):
    assert app.ask(path)[0] == 404


def test_an_address_is_no_upload(app):
    told = {"data": [[{"path": "http://127.0.0.2:9/x.jpg", "meta": {"_type": "gradio.FileData"}}]]}
    kind = {"Content-Type": "application/json"}
    status, asked = app.ask_json("/gradio_api/call/photos", json.dumps(told).encode(), kind)
    assert status == 200
    assert "error" in app.ask(f"/gradio_api/call/photos/{asked['event_id']}")[1].decode()
    assert [one for one in app.connected_to() if "127.0.0.2" in one] == []


def call_page(app, name, path):
    """Let the page read an upload, as Gradio's clients do; return what it sends."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    kind = {"Content-Type": "application/json"}
    told = json.dumps({"data": [[file] if name == "photos" else file]}).encode()
    _, asked = app.ask_json(f"/gradio_api/call/{name}", told, kind)
    return app.ask(f"/gradio_api/call/{name}/{asked['event_id']}")[1].decode()


def test_an_upload_that_another_session_has_read_is_said_to_be_taken(app, jpeg):
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n' + jpeg + b"\r\n--x--\r\n"
    _, (path,) = app.ask_json("/gradio_api/upload", part, {"Content-Type": "multipart/form-data; boundary=x"})
    assert "1 face" in call_page(app, "photos", path)
    assert "uploaded twice at the same time" in call_page(app, "photos", path)
    assert "uploaded twice at the same time" in call_page(app, "film", path.replace(".jpg", ".mp4"))


def test_eight_clients_are_all_answered_in_flat_memory(app, jpeg):
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: app.ask("/predict", jpeg)[0], range(16)))
        before = app.megabytes()
        statuses += list(pool.map(lambda _: app.ask("/predict", jpeg)[0], range(24)))
    assert statuses == [200] * 40
    assert app.megabytes() < before + 50
    assert app.uploads() == []


def test_a_full_queue_is_busy_and_empties_again(app, jpeg):
    port = int(app.address.rpartition(":")[2])
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    for one in waiting:
        one.sendall(f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 9\r\n\r\n".encode())
    deadline = 100
    while (asked := app.ask_json("/predict", jpeg))[0] != 503 and deadline:
        deadline -= 1
    assert asked[0] == 503
    assert asked[1]["error"].startswith("busy")
    for one in waiting:
        one.close()
    deadline = 100
    while (status := app.ask("/predict", jpeg)[0]) == 503 and deadline:
        deadline -= 1
    assert status == 200


def test_reading_is_bounded(reader):
    with reader.place(), reader.place(), pytest.raises(BusyError), reader.place():
        pass
    with reader.place():
        pass
    with pytest.raises(ImageError, match="500,000"):
        reader.read(
            np.zeros((1000, 1000, 3), np.uint8).tobytes()[:0] + encode_jpeg(np.zeros((1000, 1000, 3), np.uint8))
        )


def test_a_cut_face_is_where_it_was(portrait, reader):
    (result,) = reader.predictor.answer([(0, portrait)])
    face = result.predictions[0].face
    cut, moved = cut_around(portrait, face)
    x1, y1, x2, y2 = (round(value) for value in face.box)
    u1, v1, u2, v2 = (round(value) for value in moved.box)
    assert np.abs(portrait[y1:y2, x1:x2].astype(int) - cut[v1:v2, u1:u2]).mean() < 20
    assert moved.size == pytest.approx(face.size, abs=1)


def test_names_are_shown_as_text(portrait, reader):
    name = "<script>alert(1)</script>\"'\n.jpg"
    with reader.place():
        photo = reader.read(encode_jpeg(portrait))
    cards = [describe_photo(name, photo, reader), describe_error(name, "<b>broken</b>")]
    markup = render_photos(cards, [], reader.classes)
    assert Tags(markup).wrong == []
    assert "<script" not in markup
    assert "<b>" not in markup
    assert words(markup).count("<script>alert(1)</script>") == 2


def say(*rejections, portrait):
    """The words of a photo whose faces were left out."""
    result = PhotoResult("a.jpg", rejections=rejections)
    return describe_photo("a.jpg", AnsweredPhoto(portrait, result), SimpleNamespace(predictor=None)).words


def test_faces_that_the_rules_left_out_are_told_of(portrait, jpeg):
    strict = PhotoReader(
        EmotionPredictor("emonet_fast", detector="yunet", device="cpu", rules=FilterRules(min_size=900))
    )
    with strict.place():
        photo = strict.read(jpeg)
    assert describe_photo("a.jpg", photo, strict).words == "1 face left out: too small"
    face = photo.result.rejections[0].face
    small, blurred = (Rejection(reason, "", face) for reason in (Reason.TOO_SMALL, Reason.BLURRED))
    assert say(small, small, portrait=portrait) == "2 faces left out: too small"
    assert say(small, blurred, small, portrait=portrait) == "3 faces left out: 2 too small, 1 blurred"
    assert say(Rejection(Reason.NO_FACE, "none"), portrait=portrait) == "No face was found."
    assert (
        say(Rejection(Reason.SEVERAL_FACES, "2 faces, one is allowed"), portrait=portrait) == "2 faces, one is allowed"
    )


def test_a_table_holds_no_formulas():
    text = format_table([PhotoResult("=1+2.jpg"), PhotoResult("x", error=ImageError("x", "broken"))], ())
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["path"], row["reason"]) for row in rows] == [("x", "unreadable")]
    (row,) = csv.DictReader(io.StringIO(format_table([PhotoResult("=1", error=ImageError(None, "=2"))], ())))
    assert (row["path"], row["detail"]) == ("'=1", "'=2")


@pytest.mark.parametrize(
    ("place", "host", "known"),
    [
        (AppPlace(), "127.0.0.1:7860", True),
        (AppPlace(), "localhost", True),
        (AppPlace("::1"), "[::1]:7860", True),
        (AppPlace(), "attacker.example", False),
        (AppPlace(), "192.168.0.7:7860", False),
        (AppPlace(), "", False),
        (AppPlace("0.0.0.0", auth="a:b"), "192.168.0.7:7860", True),
        (AppPlace("0.0.0.0", auth="a:b"), "[fe80::1]:7860", True),
        (AppPlace("0.0.0.0", auth="a:b"), "attacker.example", False),
        (AppPlace("0.0.0.0", auth="a:b", names=("photos.example",)), "photos.example", True),
    ],
)
def test_only_names_of_this_machine_are_answered(place, host, known):
    assert place.knows(host) is known


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, "--auth"),
        ({"host": "::"}, "--no-auth"),
        ({"auth": "me"}, "user:password"),
        ({"auth": "me:secret", "anybody": True}, "contradict"),
        ({"port": 70000}, "65535"),
    ],
)
def test_places_that_cannot_be_meant_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        AppPlace(**options)


def test_names_of_the_app_are_known_however_they_are_written():
    assert AppPlace(names=("Photos.Example",)).knows("photos.example:7860")


def test_cameras_and_films_are_read_by_the_backend_that_was_asked_for():
    predictor = EmotionPredictor("emonet_fast", device="cpu", backend="torch")
    for one in (PhotoReader(predictor)._live, FilmReader(predictor)._predictor):
        assert one.answered_by["backend"].startswith("torch")


def test_cameras_and_films_are_read_by_the_heads_that_were_asked_for():
    models = [
        load_model("emonet"),
        replace(load_model("emonet_fast"), default_head="fer2013", default_prior="training"),
    ]
    predictor = EmotionPredictor(models, device="cpu")
    for one in (PhotoReader(predictor)._live, FilmReader(predictor)._predictor):
        assert one.answered_by == predictor.answered_by


def test_another_host_without_a_password_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["emonet", "app", "--host", "0.0.0.0"])
    with pytest.raises(SystemExit) as caught:
        main()
    error = capsys.readouterr().err
    assert caught.value.code == 1
    assert "--auth" in error
    assert error.count("\n") == 1


def ask_guard(place, path="/predict", body=b"", method="POST", limits=None, **headers):
    """Send a request through the guard to an app that says how much it got; return the status and the headers."""
    sent = []

    async def app(_, receive, send):
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(len(message["body"])).encode()})

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    named = {"host": "127.0.0.1:7860", **{name.replace("_", "-"): value for name, value in headers.items()}}
    pairs = [(name.encode(), value.encode()) for name, value in named.items()]
    scope = {"type": "http", "path": path, "method": method, "headers": pairs}
    asyncio.run(Guard(app, place, limits or AppLimits())(scope, receive, send))
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"origin": "https://127.0.0.1:7860"}, 200),
        ({"origin": "http://127.0.0.1:8000"}, 403),
        ({"origin": "http://attacker.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "attacker.example:7860"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"content_length": "999999999999"}, 413),
        ({"content_length": "-1"}, 413),
    ],
)
def test_other_pages_may_not_use_the_app(headers, status):
    assert ask_guard(AppPlace(), **headers)[0] == status


@pytest.mark.parametrize("path", ["/", "/predict", "/open/0/album.html", "/gradio_api/queue/join", "/assets/x.js"])
def test_every_address_asks_for_the_password(path):
    place = AppPlace(auth="me:s:ecret")
    status, headers = ask_guard(place, path)
    assert status == 401
    assert headers["www-authenticate"].startswith("Basic")
    for text, expected in (("me:s:ecret", 200), ("me:wrong", 401), ("", 401)):
        given = base64.b64encode(text.encode()).decode()
        assert ask_guard(place, path, authorization=f"Basic {given}")[0] == expected
    assert ask_guard(place, path, authorization="Basic ???")[0] == 401


def test_a_body_that_does_not_say_its_length_ends_at_the_limit():
    limits = AppLimits(max_megabytes=0.01)
    assert ask_guard(AppPlace(), body=bytes(1000), limits=limits)[0] == 200
    assert ask_guard(AppPlace(), body=bytes(1_000_000), limits=limits)[0] == 413


def test_answers_say_what_a_page_may_load():
    _, headers = ask_guard(AppPlace(), "/", method="GET")
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_pages_that_the_sandbox_does_not_let_run_are_not_listed(tmp_path):
    (tmp_path / "site").mkdir()
    pages = {"site/index.html": {"more_policy": POLICY}, "album.html": {}}
    for name, options in pages.items():
        text = render_page("app_live.html.j2", script="app.js", title="x" * 5000, sections={}, settings={}, **options)
        (tmp_path / name).write_text(text)
    assert [page.name for page in OpenedFolders([tmp_path]).pages()] == [f"{tmp_path.name}/album.html"]


def test_opened_folders_list_their_pages_and_keep_to_themselves(tmp_path):
    inside, outside = tmp_path / "runs", tmp_path / "private"
    for folder in (inside / "album", inside / ".hidden", outside):
        folder.mkdir(parents=True)
    (inside / "album" / "album.html").write_text("")
    (inside / "<b>timeline.html").write_text("")
    (inside / ".hidden" / "x.html").write_text("")
    (outside / "diary.html").write_text("")
    (inside / "link.html").symlink_to(outside / "diary.html")
    opened = OpenedFolders([inside])
    assert sorted((page.kind, page.name) for page in opened.pages()) == [
        ("album", "runs/album/album.html"),
        ("film", "runs/<b>timeline.html"),
    ]
    assert opened.find(0, "album/album.html") == inside / "album" / "album.html"
    for path in ("link.html", "../private/diary.html", ".hidden/x.html", "album", "missing.html", "a\0b.html"):
        with pytest.raises(FileNotFoundError):
            opened.find(0, path)
    with pytest.raises(MissingFileError, match="nowhere"):
        OpenedFolders([tmp_path / "nowhere"])
