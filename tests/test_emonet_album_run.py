import csv
import os
from io import BytesIO

import PIL.Image
import pyarrow.parquet as pq
import pytest
from albums import make_photos, run_album

from emonet import EmotionPredictor, PhotoResult
from emonet.album import AlbumRun, Entry, list_photos

EXIF_MAKER = 0x010F


@pytest.fixture(scope="module", params=["torch", "onnx"])
def predictor(mtcnn, request):
    return EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", precision="fp32", backend=request.param)


@pytest.fixture
def photos(tmp_path, face):
    return make_photos(tmp_path / "photos", face)


def read_table(photos):
    return pq.read_table(photos.with_name("album") / "predictions.parquet").to_pylist()


def test_every_photo_has_a_row_with_a_face_or_a_reason(photos, predictor):
    watch = run_album(photos, predictor)
    assert [entry.path for entry in watch.entries] == ["a.png", "broken.jpg", "sky.png", "summer/b.png"]
    rows = read_table(photos)
    assert [(row["path"], row["face"], row["reason"]) for row in rows] == [
        ("a.png", 1, None),
        ("broken.jpg", None, "unreadable"),
        ("sky.png", None, "no_face"),
        ("summer/b.png", 1, None),
    ]
    assert sum(rows[0][f"p_{emotion}"] for emotion in predictor.classes) == pytest.approx(1)
    assert rows[0]["emotion"] == watch.entries[0].result.predictions[0].emotion


def test_csv_and_parquet_hold_the_same_rows(photos, predictor):
    run_album(photos, predictor)
    with (photos.with_name("album") / "predictions.csv").open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    expected = [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in read_table(photos)
    ]
    assert written == expected


def test_a_stopped_run_goes_on_where_it_stopped(photos, predictor):
    first = run_album(photos, predictor, stop_after=2)
    assert not (photos.with_name("album") / "album.html").exists()
    second = run_album(photos, predictor)
    assert second.known == [True, True, False, False]
    assert [entry.to_dict() for entry in second.entries[:2]] == [entry.to_dict() for entry in first.entries]
    assert run_album(photos, predictor).known == [True] * 4


def test_parts_of_files_that_a_killed_run_left_are_removed(photos, predictor):
    run_album(photos, predictor)
    part = photos.with_name("album") / "album.html.7.emonet-part"
    part.touch()
    assert run_album(photos, predictor).known == [True] * 4
    assert not part.exists()


def test_a_refused_second_run_leaves_the_files_of_the_first_alone(photos, predictor):
    part = photos.with_name("album") / "album.html.7.emonet-part"
    refused = []

    def watch(*_):
        if not refused:
            part.touch()
            with pytest.raises(ValueError, match="another run is writing into"):
                run_album(photos, predictor)
            refused.append(part.exists())

    AlbumRun(photos, photos.with_name("album"), predictor).run(watch)
    assert refused == [True]
    assert run_album(photos, predictor).known == [True] * 4


def test_a_finished_album_holds_these_files_and_no_others(photos, predictor):
    run_album(photos, predictor)
    names = sorted(path.name for path in photos.with_name("album").iterdir())
    assert names == ["album.html", "journal.sqlite", "predictions.csv", "predictions.parquet"]


def test_entries_are_read_after_a_run(photos, predictor):
    run = AlbumRun(photos, photos.with_name("album"), predictor)
    with pytest.raises(ValueError, match=r"'a\.png' is not in the album yet"):
        next(run.entries())
    watch = run_album(photos, predictor)
    assert [entry.to_dict() for entry in run.entries()] == [entry.to_dict() for entry in watch.entries]


def test_changed_photos_are_done_again_and_removed_photos_leave_the_tables(photos, predictor, face):
    run_album(photos, predictor)
    PIL.Image.fromarray(face).save(photos / "sky.png")
    (photos / "summer" / "b.png").unlink()
    again = run_album(photos, predictor)
    assert again.known == [True, True, False]
    assert [row["path"] for row in read_table(photos)] == ["a.png", "broken.jpg", "sky.png"]
    assert len(again.entries[2].result.predictions) == 1


def test_another_predictor_does_every_photo_again(photos, predictor, mtcnn):
    run_album(photos, predictor)
    plain = EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", precision="fp32", tta="none")
    assert run_album(photos, plain).known == [False] * 4
    assert run_album(photos, plain).known == [True] * 4


def test_missing_annotated_copies_are_written(photos, predictor):
    run_album(photos, predictor)
    assert run_album(photos, predictor, annotate=True).known == [False, True, False, False]
    copies = photos.with_name("album") / "annotated"
    assert sorted(path.relative_to(copies).as_posix() for path in copies.rglob("*.jpg")) == [
        "a.png.jpg",
        "sky.png.jpg",
        "summer/b.png.jpg",
    ]
    (copies / "a.png.jpg").unlink()
    assert run_album(photos, predictor, annotate=True).known == [False, True, True, True]


def test_annotated_copies_fit_into_a_jpeg(photos, predictor):
    PIL.Image.new("RGB", (66_000, 4)).save(photos / "strip.png")
    run_album(photos, predictor, annotate=True)
    with PIL.Image.open(photos.with_name("album") / "annotated" / "strip.png.jpg") as copy:
        assert copy.size == (65_500, 4)


def test_nothing_is_written_among_the_photos(photos, predictor):
    def state():
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.rglob("*.*")}

    before = state()
    run_album(photos, predictor, annotate=True)
    assert state() == before
    for inside in (photos, photos / "album", photos / "summer" / ".." / "album"):
        with pytest.raises(ValueError, match="is among the photos"):
            AlbumRun(photos, inside, predictor)


def test_the_album_holds_no_exif_and_no_absolute_paths(photos, predictor, face):
    exif = PIL.Image.Exif()
    exif[EXIF_MAKER] = "Daguerre and sons"
    PIL.Image.fromarray(face).save(photos / "a.jpg", exif=exif)
    run_album(photos, predictor, annotate=True)
    for path in photos.with_name("album").rglob("*.*"):
        data = path.read_bytes()
        assert b"Daguerre" not in data
        assert os.fsencode(photos.parent) not in data


HOSTILE = ["=cmd|calc.png", "two\nlines.png", "<script>alert(1)</script>.png", "-1.png", "quote\"s, comma's.png"]


def test_hostile_file_names_are_escaped(photos, predictor, face):
    for name in HOSTILE:
        path = photos / name.replace("/", "_")
        PIL.Image.fromarray(face).save(path, "PNG")
    run_album(photos, predictor)
    names = [row["path"] for row in read_table(photos)]
    with (photos.with_name("album") / "predictions.csv").open(newline="", encoding="utf-8") as file:
        cells = [row["path"] for row in csv.DictReader(file)]
    assert {"=cmd|calc.png", "two\nlines.png", "-1.png"} <= set(names)
    assert [cell.removeprefix("'") for cell in cells] == names
    assert not any(cell.startswith(("=", "-")) for cell in cells)
    assert "<script>alert" not in (photos.with_name("album") / "album.html").read_text()


def test_file_names_that_are_no_utf8_are_kept(photos, predictor, face):
    name = os.fsdecode(b"caf\xe9.png")
    PIL.Image.fromarray(face).save(photos / name)
    run_album(photos, predictor, annotate=True)
    assert "caf\\xe9.png" in [row["path"] for row in read_table(photos)]
    assert all(run_album(photos, predictor, annotate=True).known)


def test_a_removed_photo_is_listed_as_unreadable(tmp_path, predictor):
    (photo,) = list_photos(tmp_path / "gone.jpg").photos
    (result,) = predictor.predict_many([photo.path])
    assert (photo.name, photo.stamp) == ("gone.jpg", (0, 0))
    assert result.error.reason == "no such file"


def test_an_entry_refuses_the_result_of_another_photo():
    with pytest.raises(ValueError, match=r"the result of 'a\.jpg' is that of 'b\.jpg'"):
        Entry("a.jpg", 0, 0, PhotoResult("b.jpg"))


def test_an_empty_folder_gives_empty_tables(tmp_path, predictor):
    (tmp_path / "photos").mkdir()
    assert run_album(tmp_path / "photos", predictor).entries == []
    assert read_table(tmp_path / "photos") == []


def test_thumbnails_are_at_most_320_pixels_long(photos, predictor, face):
    PIL.Image.fromarray(face).crop((0, 0, 400, 200)).save(photos / "summer" / "b.png")
    watch = run_album(photos, predictor)
    sizes = [PIL.Image.open(BytesIO(entry.thumbnail)).size if entry.thumbnail else None for entry in watch.entries]
    assert sizes == [(200, 160), None, (90, 60), (320, 160)]
    assert [(entry.width, entry.height) for entry in watch.entries] == [(200, 160), (0, 0), (90, 60), (400, 200)]


def test_views_are_written_for_the_album_and_follow_their_photos(photos, predictor):
    run_album(photos, predictor, views=True)
    folder = photos.with_name("album") / "album"
    first = {path.name for path in folder.iterdir()}
    assert len(first) == 3  # one cannot be read
    assert all(f'"view": "album/{name}"' in (folder.parent / "album.html").read_text() for name in first)
    assert run_album(photos, predictor, views=True).known == [True] * 4
    PIL.Image.new("RGB", (1600, 20)).save(photos / "sky.png")
    (photos / "a.png").unlink()
    assert run_album(photos, predictor, views=True).known == [True, False, True]
    second = {path.name for path in folder.iterdir()}
    assert len(second & first) == 1
    (new,) = second - first
    with PIL.Image.open(folder / new) as view:
        assert view.size == (1280, 16)
    run_album(photos, predictor)
    assert not folder.exists()


def test_an_album_links_to_its_originals(photos, predictor):
    run_album(photos, predictor)
    assert '"originals": "../photos/"' in (photos.with_name("album") / "album.html").read_text()
