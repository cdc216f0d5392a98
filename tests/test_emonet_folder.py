import csv
import os
import sys
from io import BytesIO

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest

from emonet import EmotionPredictor, PhotoResult
from emonet.album import Entry, FolderRun, folder_labels, list_photos, listed_labels, score_folder
from emonet.labels import Emotion

EXIF_MAKER = 0x010F


@pytest.fixture(scope="module")
def predictor(mtcnn):
    return EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", precision="fp32")


@pytest.fixture
def photos(tmp_path, face):
    """Four files: two of a face, one of nobody, one broken."""
    folder = tmp_path / "photos"
    (folder / "summer").mkdir(parents=True)
    PIL.Image.fromarray(face).save(folder / "a.png")
    PIL.Image.fromarray(face[:, ::-1]).save(folder / "summer" / "b.png")
    PIL.Image.new("RGB", (90, 60)).save(folder / "sky.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


class Told:
    """A watch that remembers what it was told, and may stop the run."""

    def __init__(self, stop_after=None):
        self.entries, self.known, self.stop_after = [], [], stop_after

    def __call__(self, entry, known):
        self.entries.append(entry)
        self.known.append(known)
        if len(self.entries) == self.stop_after:
            raise KeyboardInterrupt


def done(photos, predictor, *, stop_after=None, **options):
    told = Told(stop_after)
    run = FolderRun(photos, photos.with_name("out"), predictor, **options)
    if stop_after:
        with pytest.raises(KeyboardInterrupt):
            run.run(told)
    else:
        run.run(told)
    return told


def table(photos):
    return pq.read_table(photos.with_name("out") / "predictions.parquet").to_pylist()


def test_every_photo_has_a_row_or_the_reason_why_not(photos, predictor):
    told = done(photos, predictor)
    assert [entry.path for entry in told.entries] == ["a.png", "broken.jpg", "sky.png", "summer/b.png"]
    rows = table(photos)
    assert [(row["path"], row["face"], row["reason"]) for row in rows] == [
        ("a.png", 1, None),
        ("broken.jpg", None, "unreadable"),
        ("sky.png", None, "no_face"),
        ("summer/b.png", 1, None),
    ]
    assert sum(rows[0][f"p_{emotion}"] for emotion in predictor.classes) == pytest.approx(1)
    assert rows[0]["emotion"] == told.entries[0].result.predictions[0].emotion


def test_both_tables_say_the_same(photos, predictor):
    done(photos, predictor)
    with (photos.with_name("out") / "predictions.csv").open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    expected = [{name: "" if value is None else str(value) for name, value in row.items()} for row in table(photos)]
    assert written == expected


def test_a_run_that_was_stopped_goes_on(photos, predictor):
    first = done(photos, predictor, stop_after=2)
    assert not (photos.with_name("out") / "album.html").exists()
    second = done(photos, predictor)
    assert second.known == [True, True, False, False]
    assert [entry.to_dict() for entry in second.entries[:2]] == [entry.to_dict() for entry in first.entries]
    assert done(photos, predictor).known == [True] * 4


def test_a_run_that_was_killed_while_it_wrote_loses_that_photo_alone(photos, predictor):
    done(photos, predictor)
    journal = photos.with_name("out") / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10])
    (journal.parent / "album.html.7.emonet-part").touch()
    assert done(photos, predictor).known == [True, True, True, False]
    assert not list(journal.parent.glob("*part"))
    assert done(photos, predictor).known == [True] * 4


@pytest.mark.parametrize("damage", [b"\0", b"{{", b"[]\n"])
def test_a_line_that_the_disk_spoilt_loses_that_photo_alone(photos, predictor, damage):
    done(photos, predictor)
    journal = photos.with_name("out") / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = damage + lines[2][len(damage) :]
    journal.write_bytes(b"".join(lines))
    assert done(photos, predictor).known == [True, False, True, True]
    assert done(photos, predictor).known == [True] * 4


@pytest.mark.skipif(sys.platform == "win32", reason="journals are not locked there")
def test_two_runs_do_not_write_into_one_folder(photos, predictor):
    def second(*_):
        with pytest.raises(ValueError, match="another run is writing into"):
            done(photos, predictor)

    run = FolderRun(photos, photos.with_name("out"), predictor)
    run.run(second)
    assert done(photos, predictor).known == [True] * 4


def test_photos_that_have_changed_are_done_anew_and_those_that_left_are_forgotten(photos, predictor, face):
    done(photos, predictor)
    PIL.Image.fromarray(face).save(photos / "sky.png")
    (photos / "summer" / "b.png").unlink()
    again = done(photos, predictor)
    assert again.known == [True, True, False]
    assert [row["path"] for row in table(photos)] == ["a.png", "broken.jpg", "sky.png"]
    assert len(again.entries[2].result.predictions) == 1


def test_another_model_does_all_anew(photos, predictor, mtcnn):
    done(photos, predictor)
    plain = EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", precision="fp32", tta="none")
    assert done(photos, plain).known == [False] * 4
    assert done(photos, plain).known == [True] * 4


def test_copies_are_made_when_they_are_asked_for_and_are_not_there(photos, predictor):
    done(photos, predictor)
    assert done(photos, predictor, annotate=True).known == [False, True, False, False]
    copies = photos.with_name("out") / "annotated"
    assert sorted(path.relative_to(copies).as_posix() for path in copies.rglob("*.jpg")) == [
        "a.png.jpg",
        "sky.png.jpg",
        "summer/b.png.jpg",
    ]
    (copies / "a.png.jpg").unlink()
    assert done(photos, predictor, annotate=True).known == [False, True, True, True]


def test_photos_that_are_longer_than_a_jpeg_can_be_are_annotated_smaller(photos, predictor):
    PIL.Image.new("RGB", (66_000, 4)).save(photos / "strip.png")
    done(photos, predictor, annotate=True)
    with PIL.Image.open(photos.with_name("out") / "annotated" / "strip.png.jpg") as copy:
        assert copy.size == (65_500, 4)


def test_the_originals_are_not_touched_and_nothing_is_written_among_them(photos, predictor):
    def state():
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.rglob("*.*")}

    before = state()
    done(photos, predictor, annotate=True)
    assert state() == before
    for inside in (photos, photos / "out", photos / "summer" / ".." / "out"):
        with pytest.raises(ValueError, match="is among the photos"):
            FolderRun(photos, inside, predictor)


def test_what_a_camera_remarks_and_where_photos_lie_is_not_passed_on(photos, predictor, face):
    exif = PIL.Image.Exif()
    exif[EXIF_MAKER] = "Daguerre and sons"
    PIL.Image.fromarray(face).save(photos / "a.jpg", exif=exif)
    done(photos, predictor, annotate=True)
    for path in photos.with_name("out").rglob("*.*"):
        data = path.read_bytes()
        assert b"Daguerre" not in data
        assert os.fsencode(photos.parent) not in data


HOSTILE = ["=cmd|calc.png", "two\nlines.png", "<script>alert(1)</script>.png", "-1.png", "quote\"s, comma's.png"]


def test_names_are_data(photos, predictor, face):
    for name in HOSTILE:
        path = photos / name.replace("/", "_")
        PIL.Image.fromarray(face).save(path, "PNG")
    done(photos, predictor)
    names = [row["path"] for row in table(photos)]
    with (photos.with_name("out") / "predictions.csv").open(newline="", encoding="utf-8") as file:
        cells = [row["path"] for row in csv.DictReader(file)]
    assert {"=cmd|calc.png", "two\nlines.png", "-1.png"} <= set(names)
    assert [cell.removeprefix("'") for cell in cells] == names
    assert not any(cell.startswith(("=", "-")) for cell in cells)
    assert "<script>alert" not in (photos.with_name("out") / "album.html").read_text()


def test_names_that_are_no_text_survive(photos, predictor, face):
    name = os.fsdecode(b"caf\xe9.png")
    PIL.Image.fromarray(face).save(photos / name)
    done(photos, predictor, annotate=True)
    assert "caf\\xe9.png" in [row["path"] for row in table(photos)]
    assert all(done(photos, predictor, annotate=True).known)


def test_a_photo_that_went_away_is_listed_and_cannot_be_read(tmp_path, predictor):
    (photo,) = list_photos(tmp_path / "gone.jpg").photos
    (result,) = predictor.predict_many([photo.path])
    assert (photo.name, photo.stamp) == ("gone.jpg", (0, 0))
    assert result.error.reason == "no such file"


def test_an_entry_is_of_one_photo():
    with pytest.raises(ValueError, match=r"the result of 'a\.jpg' is that of 'b\.jpg'"):
        Entry("a.jpg", 0, 0, PhotoResult("b.jpg"))


def test_a_folder_without_files_gives_empty_tables(tmp_path, predictor):
    (tmp_path / "photos").mkdir()
    assert done(tmp_path / "photos", predictor).entries == []
    assert table(tmp_path / "photos") == []


def test_thumbnails_are_small(photos, predictor, face):
    PIL.Image.fromarray(face).crop((0, 0, 400, 200)).save(photos / "summer" / "b.png")
    told = done(photos, predictor)
    sizes = [PIL.Image.open(BytesIO(entry.thumbnail)).size if entry.thumbnail else None for entry in told.entries]
    assert sizes == [(200, 160), None, (90, 60), (320, 160)]
    assert [(entry.width, entry.height) for entry in told.entries] == [(200, 160), (0, 0), (90, 60), (400, 200)]


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("happy/a.jpg", Emotion.HAPPY),
        ("Sadness/summer/a.jpg", Emotion.SAD),
        ("a.jpg", None),
        ("holiday/a.jpg", None),
        ("happy/sad/a.jpg", None),
        ("happy.jpg", None),
    ],
)
def test_folders_named_after_one_expression_are_labels(path, label):
    assert folder_labels([path]).get(path) == label


def test_a_list_may_name_photos_and_its_bad_rows_are_told(photos):
    rows = ["path,label", "photos/a.png,happy", "photos/sky.png,glum", "photos/none.png,sad"]
    photos.with_name("labels.csv").write_text("\n".join(rows))
    labels, rejected = listed_labels(photos.with_name("labels.csv"), photos)
    assert labels == {"a.png": Emotion.HAPPY}
    assert [one.reason.value for one in rejected] == ["bad_label", "unreadable"]


def test_answers_are_scored_against_labels(photos, predictor):
    entries = done(photos, predictor).entries
    answer = entries[0].result.predictions[0].emotion
    other = next(emotion for emotion in predictor.classes if emotion != answer)
    labels = {"a.png": answer, "summer/b.png": other, "sky.png": answer, "broken.jpg": Emotion.CONTEMPT}
    found = score_folder(entries, labels, predictor.classes)
    assert (found.labelled, found.without_face, found.unknown) == (4, 1, 1)
    assert (found.scores.correct, found.scores.n) == (1, 2)
    assert [(one.path, one.label) for one in found.worst] == [("summer/b.png", other)]
    assert found.to_dict()["scores"]["n"] == 2


def test_without_an_answer_there_is_no_score(photos, predictor):
    entries = done(photos, predictor).entries
    found = score_folder(entries, {"sky.png": Emotion.HAPPY}, predictor.classes)
    assert found.scores is None
    assert found.to_dict()["scores"] is None


def test_the_largest_face_answers(tmp_path, predictor, face):
    (tmp_path / "photos").mkdir()
    small = np.array(PIL.Image.fromarray(face).resize((120, 96)))
    canvas = np.zeros((160, 320, 3), np.uint8)
    canvas[:96, :120], canvas[:, 120:] = small, face
    PIL.Image.fromarray(canvas).save(tmp_path / "photos" / "two.png")
    (entry,) = done(tmp_path / "photos", predictor).entries
    assert len(entry.result.predictions) == 2
    right = entry.result.predictions[1].emotion
    assert score_folder([entry], {"two.png": right}, predictor.classes).scores.correct == 1
