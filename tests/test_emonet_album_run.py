import contextlib
import csv
import errno
import os
import sqlite3
from io import BytesIO

import PIL.Image
import pyarrow.parquet as pq
import pytest
from albums import make_photos, run_album

from emonet import EmotionPredictor, PhotoResult
from emonet.album import AlbumRun, Entry, list_photos
from emonet.atomic import write_atomically
from emonet.errors import OptionError
from facecrop import FilterRules

EXIF_MAKER = 0x010F
DONE = [True, False, True, True]  # what an earlier run did: broken.jpg is tried again


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
    assert second.known == [True, False, False, False]
    assert [entry.to_dict() for entry in second.entries[:2]] == [entry.to_dict() for entry in first.entries]
    assert run_album(photos, predictor).known == DONE


def test_parts_of_files_that_a_killed_run_left_are_removed(photos, predictor):
    run_album(photos, predictor)
    part = photos.with_name("album") / "album.html.7.emonet-part"
    part.touch()
    assert run_album(photos, predictor).known == DONE
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
    assert run_album(photos, predictor).known == DONE


def test_a_folder_of_other_things_is_refused(photos, predictor):
    album = photos.with_name("album")
    (album / "album").mkdir(parents=True)
    for name in ("predictions.csv", "notes.txt", "album/2024.html"):
        (album / name).write_text("mine")
    with pytest.raises(OptionError, match=r"holds other things than an album, .*--overwrite"):
        run_album(photos, predictor)
    assert (album / "predictions.csv").read_text() == "mine"
    run_album(photos, predictor, overwrite=True)
    assert (album / "predictions.csv").read_text() != "mine"
    assert [(album / name).read_text() for name in ("notes.txt", "album/2024.html")] == ["mine", "mine"]
    assert run_album(photos, predictor).known == DONE


@pytest.mark.parametrize("name", ["predictions.csv", "annotated/a.png.jpg"])
def test_a_file_that_no_run_wrote_is_not_replaced(photos, predictor, name):
    run_album(photos, predictor, stop_after=1)
    file = photos.with_name("album") / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    if file.name == "predictions.csv":
        with pytest.raises(OptionError, match=r"predictions\.csv is in the way"):
            run_album(photos, predictor)
    else:
        watch = run_album(photos, predictor, annotate=True)
        assert "is in the way" in watch.entries[0].result.error.reason
    assert file.read_text() == "mine"


def test_the_album_of_other_photos_is_refused(photos, predictor, tmp_path, face):
    run_album(photos, predictor)
    (tmp_path / "others").mkdir()
    PIL.Image.fromarray(face).save(tmp_path / "others" / "c.png")
    with pytest.raises(OptionError, match="holds the album of 'photos'"):
        run_album(tmp_path / "others", predictor)
    assert run_album(photos, predictor).known == DONE
    assert run_album(tmp_path / "others", predictor, overwrite=True).known == [False]


def test_the_album_of_another_folder_of_the_same_name_is_refused(photos, predictor, tmp_path, face):
    run_album(photos, predictor)
    album, others = photos.with_name("album"), tmp_path / "elsewhere" / "photos"
    others.mkdir(parents=True)
    PIL.Image.fromarray(face).save(others / "c.png")
    with pytest.raises(OptionError, match=r"none of its 4 photos is in .*elsewhere.photos as .*renamed.* --overwrite"):
        AlbumRun(others, album, predictor).run(lambda *_: None)
    assert run_album(photos, predictor).known == DONE


def test_the_album_of_photos_of_the_same_names_is_refused_and_that_of_a_renamed_folder_goes_on(photos, predictor, face):
    run_album(photos, predictor)
    for name in ("april", "april/photos"):
        april = make_photos(photos.parent / name, face[::-1])
        with pytest.raises(OptionError, match=rf"holds the album of 'photos', and none of its 4 photos is in .*{name}"):
            AlbumRun(april, photos.with_name("album"), predictor).run(lambda *_: None)
    assert run_album(photos.rename(photos.with_name("march")), predictor).known == DONE


def test_the_album_of_photos_that_were_all_renamed_is_replaced_when_asked(photos, predictor):
    run_album(photos, predictor)
    for path in [*photos.rglob("*.*g")]:
        path.rename(path.with_stem(f"new-{path.stem}"))
    with pytest.raises(OptionError, match=r"renamed or replaced, .*--overwrite"):
        run_album(photos, predictor)
    assert run_album(photos, predictor, overwrite=True).known == [False] * 4
    assert run_album(photos, predictor).known == DONE


def test_a_folder_that_a_run_wrote_is_not_read_as_photos(photos, predictor):
    run_album(photos, predictor, annotate=True)
    listing = list_photos(photos.parent)
    assert [photo.name for photo in listing.photos] == [
        f"photos/{name}" for name in ("a.png", "broken.jpg", "sky.png", "summer/b.png")
    ]
    assert listing.albums == ["album"]


def test_an_album_of_the_last_version_is_gone_on_with(photos, predictor):
    watch = run_album(photos, predictor, annotate=True)
    album = photos.with_name("album")
    with contextlib.closing(sqlite3.connect(album / "journal.sqlite")) as database, database:  # made what it was
        identity = database.execute("SELECT identity FROM makers").fetchone()
        database.execute("CREATE TABLE identity (format INTEGER, identity TEXT)")
        database.execute("INSERT INTO identity VALUES (2, ?)", identity)
        database.execute("CREATE TABLE old (name BLOB PRIMARY KEY, stamp TEXT, entry BLOB)")
        database.execute("INSERT INTO old SELECT name, stamp, entry FROM photos")
        for name in ("album", "makers", "photos", "written"):
            database.execute(f"DROP TABLE {name}")
        database.execute("ALTER TABLE old RENAME TO photos")
    assert run_album(photos, predictor).known == DONE
    assert list_copies(photos) == {}  # nobody knows what they were made from
    assert run_album(photos, predictor, annotate=True).known == [False, False, False, False]
    assert len(list_copies(photos)) == len(watch.entries) - 1


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
    assert again.known == [True, False, False]
    assert [row["path"] for row in read_table(photos)] == ["a.png", "broken.jpg", "sky.png"]
    assert len(again.entries[2].result.predictions) == 1


@pytest.fixture(scope="module")
def plain(mtcnn):
    return EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", precision="fp32", tta="none")


def test_answers_of_another_predictor_are_kept_beside_those_of_the_first(photos, predictor, plain):
    run_album(photos, predictor)
    assert run_album(photos, plain).known == [False] * 4
    assert run_album(photos, plain).known == DONE
    assert run_album(photos, predictor).known == DONE


def test_tables_and_pages_name_what_answered_and_the_size_of_photos(photos, predictor):
    run_album(photos, predictor)
    rows = read_table(photos)
    facts = pq.read_schema(photos.with_name("album") / "predictions.parquet").metadata
    assert [(row["width"], row["height"]) for row in rows] == [(200, 160), (None, None), (90, 60), (200, 160)]
    for name, value in {"head": b"mean", "detector": b"mtcnn", "rules": b"any face", "tta": b"mirror"}.items():
        assert facts[name.encode()] == value
    assert facts[b"model"].startswith(b"emonet_fast (")
    assert {row["model"].encode() for row in rows} == {facts[b"model"]}
    page = (photos.with_name("album") / "album.html").read_text()
    assert f"{facts[b'model'].decode()}, head mean" in page


def test_missing_annotated_copies_are_written(photos, predictor):
    run_album(photos, predictor)
    assert run_album(photos, predictor, annotate=True).known == [False, False, False, False]
    copies = photos.with_name("album") / "annotated"
    assert sorted(path.relative_to(copies).as_posix() for path in copies.rglob("*.jpg")) == [
        "a.png.jpg",
        "sky.png.jpg",
        "summer/b.png.jpg",
    ]
    (copies / "a.png.jpg").unlink()
    assert run_album(photos, predictor, annotate=True).known == [False, False, True, True]


def list_copies(photos):
    copies = photos.with_name("album") / "annotated"
    return {path.relative_to(copies).as_posix(): path.read_bytes() for path in copies.rglob("*") if path.is_file()}


def test_copies_of_another_predictor_are_drawn_again(photos, predictor, mtcnn):
    strict = EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", rules=FilterRules(min_size=1000))
    run_album(photos, predictor, annotate=True)
    first = list_copies(photos)
    assert run_album(photos, strict, annotate=True).known == [False] * 4
    assert list_copies(photos).keys() == first.keys()
    assert list_copies(photos)["a.png.jpg"] != first["a.png.jpg"]
    assert run_album(photos, predictor, annotate=True).known == [False, False, False, False]
    assert list_copies(photos) == first


def test_copies_of_changed_and_of_removed_photos_go(photos, predictor, face):
    run_album(photos, predictor, annotate=True)
    PIL.Image.fromarray(face).save(photos / "sky.png")
    (photos / "summer" / "b.png").unlink()
    run_album(photos, predictor)  # which draws none
    assert list(list_copies(photos)) == ["a.png.jpg"]
    assert not (photos.with_name("album") / "annotated" / "summer").exists()


def test_answers_about_removed_photos_leave_the_journal(photos, predictor):
    run_album(photos, predictor)
    picture = (photos / "a.png").read_bytes()
    stamp = (photos / "a.png").stat()
    (photos / "a.png").unlink()
    run_album(photos, predictor)
    (photos / "a.png").write_bytes(picture)
    os.utime(photos / "a.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert run_album(photos, predictor).known == [False, False, True, True]


def test_answers_are_kept_when_the_photos_cannot_be_seen(photos, predictor):
    run_album(photos, predictor, annotate=True, previews=True)
    photos.rename(photos.with_name("elsewhere"))
    photos.mkdir()  # as where a disk is not mounted
    before = sorted(photos.with_name("album").rglob("*"))
    with pytest.raises(OptionError, match=r"no photo in 'photos', and .*album is the album of 4: is the disk away"):
        run_album(photos, predictor, annotate=True, previews=True)
    assert sorted(photos.with_name("album").rglob("*")) == before
    photos.rmdir()
    photos.with_name("elsewhere").rename(photos)
    assert run_album(photos, predictor, annotate=True, previews=True).known == DONE


@pytest.fixture
def lock(monkeypatch):
    """Makes a folder one that cannot be listed, until it is called with False."""

    def lock_(folder, locked=True):
        def scan(path):
            if locked and path == folder:
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(path)

        monkeypatch.setattr("facecrop.folders.os.scandir", scan)

    real = os.scandir
    return lock_


def test_an_album_is_kept_when_the_folder_of_photos_cannot_be_listed(photos, predictor, lock):
    run_album(photos, predictor, annotate=True, previews=True)
    before = {path: path.is_file() and path.read_bytes() for path in photos.with_name("album").rglob("*")}
    lock(photos)
    with pytest.raises(OptionError, match=r"cannot be listed: Permission denied, .*the album of 4: is the disk away"):
        run_album(photos, predictor)
    assert {path: path.is_file() and path.read_bytes() for path in before} == before
    lock(photos, locked=False)
    assert run_album(photos, predictor, annotate=True, previews=True).known == DONE


def test_a_folder_that_cannot_be_listed_is_no_photo_of_the_album(photos, predictor, lock):
    lock(photos)
    for _ in range(2):
        (entry,) = run_album(photos, predictor).entries
        assert (entry.path, entry.result.error.reason) == (".", "cannot be listed: Permission denied")
    lock(photos / "summer")
    rows = [entry.path for entry in run_album(photos, predictor, annotate=True).entries]
    assert rows == ["a.png", "broken.jpg", "sky.png", "summer"]
    assert {row["reason"] for row in read_table(photos) if row["path"] == "summer"} == {"unreadable"}
    lock(photos, locked=False)
    assert run_album(photos, predictor, annotate=True).known == [True, False, True, False]


def test_photos_that_could_not_be_read_are_tried_again(photos, predictor):
    run = AlbumRun(photos, photos.with_name("album"), predictor)
    photos.rename(photos.with_name("elsewhere"))  # as a disk that is lost meanwhile
    run.run(lambda entry, _: entry.result.error or pytest.fail("it was read"))
    photos.with_name("elsewhere").rename(photos)
    again = run_album(photos, predictor)
    assert again.known == [False] * 4
    assert [bool(entry.result.error) for entry in again.entries] == [False, True, False, False]


def test_a_photo_beside_a_folder_with_the_name_of_its_copy_has_one(photos, predictor, face):
    (photos / "a.png.jpg").mkdir()
    PIL.Image.fromarray(face).save(photos / "a.png.jpg" / "c.png")
    watch = run_album(photos, predictor, annotate=True)
    assert [entry.path for entry in watch.entries if entry.result.error] == ["broken.jpg"]
    assert {"a.png.jpg", "a.png.jpg_/c.png.jpg"} <= set(list_copies(photos))


@pytest.mark.parametrize("length", [234, 255])
def test_long_names_have_copies(photos, predictor, face, length):
    name = "\N{CJK UNIFIED IDEOGRAPH-7530}" * ((length - 4) // 3)
    name += "x" * (length - 4 - len(name.encode())) + ".png"
    PIL.Image.fromarray(face).save(photos / name)
    run_album(photos, predictor, annotate=True)
    assert len(list_copies(photos)) == 4
    assert run_album(photos, predictor, annotate=True).known == [True, False, True, True, True]


def test_a_copy_that_cannot_be_written_is_an_error_of_its_photo_alone(photos, predictor, monkeypatch):
    def refuse(path):  # as a system does that does not take the name
        if path.name == "a.png.jpg":
            raise OSError(errno.EINVAL, "Invalid argument")
        return write_atomically(path)

    monkeypatch.setattr("emonet.album.output.write_atomically", refuse)
    run_album(photos, predictor, annotate=True)
    rows = {row["path"]: (row["reason"], row["detail"]) for row in read_table(photos)}
    assert rows["a.png"] == ("unreadable", "its annotated copy cannot be written: Invalid argument")
    assert rows["summer/b.png"] == (None, None)
    assert set(list_copies(photos)) == {"sky.png.jpg", "summer/b.png.jpg"}


def test_a_full_disk_ends_the_run(photos, predictor, monkeypatch):
    def refuse(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("emonet.album.output.write_atomically", refuse)
    with pytest.raises(OSError, match="No space left"):
        run_album(photos, predictor, annotate=True)


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


HOSTILE = [
    "a\r=cmd|calc.png",
    "\rb.png",
    "=cmd|calc.png",
    "two\nlines.png",
    "<script>alert(1)</script>.png",
    "-1.png",
    "quote\"s, comma's.png",
]


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


def test_a_carriage_return_in_a_name_does_not_break_its_row(photos, predictor, face):
    PIL.Image.fromarray(face).save(photos / "a\r=cmd|calc.png", "PNG")
    run_album(photos, predictor, excel=True)
    text = (photos.with_name("album") / "predictions.csv").read_bytes().decode("utf-8-sig")
    assert '"a\r=cmd|calc.png",1,' in text
    assert (photos.with_name("album") / "predictions.csv").read_bytes().startswith(b"\xef\xbb\xbfpath,")


def test_file_names_that_are_no_utf8_are_kept(photos, predictor, face):
    name = os.fsdecode(b"caf\xe9.png")
    PIL.Image.fromarray(face).save(photos / name)
    run_album(photos, predictor, annotate=True)
    assert "caf\\xe9.png" in [row["path"] for row in read_table(photos)]
    assert run_album(photos, predictor, annotate=True).known == [True, False, True, True, True]
    named = photos.rename(photos.with_name(os.fsdecode(b"caf\xe9")))
    page = AlbumRun(named, named.with_name("named"), predictor).run(lambda *_: None)
    assert "<title>caf\\xe9" in page.read_text(encoding="utf-8")


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


def test_previews_are_written_for_the_album_and_follow_their_photos(photos, predictor):
    run_album(photos, predictor, previews=True)
    folder = photos.with_name("album") / "album"
    first = {path.name for path in folder.iterdir()}
    assert len(first) == 3  # one cannot be read
    assert all(f'"preview": "album/{name}"' in (folder.parent / "album.html").read_text() for name in first)
    assert run_album(photos, predictor, previews=True).known == DONE
    PIL.Image.new("RGB", (1600, 20)).save(photos / "sky.png")
    (photos / "a.png").unlink()
    assert run_album(photos, predictor, previews=True).known == [False, False, True]
    second = {path.name for path in folder.iterdir()}
    assert len(second & first) == 1
    (new,) = second - first
    with PIL.Image.open(folder / new) as preview:
        assert preview.size == (1280, 16)
    run_album(photos, predictor)
    assert not folder.exists()


def test_an_album_links_to_its_originals(photos, predictor):
    run_album(photos, predictor)
    assert '"originals": "../photos/"' in (photos.with_name("album") / "album.html").read_text()
