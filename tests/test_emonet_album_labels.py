import os
import unicodedata
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from albums import make_photos, run_album

from emonet import Emotion, EmotionPredictor
from emonet.album import find_labels, match_labels, read_labels, score_album
from emonet.commands._console.scoring import score_lines
from emonet.errors import DatasetError, OptionError


@pytest.fixture(scope="module")
def predictor(mtcnn):
    return EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", precision="fp32")


@pytest.fixture
def photos(tmp_path, face):
    return make_photos(tmp_path / "photos", face)


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
def test_labels_come_from_folders_named_after_one_expression(path, label):
    assert find_labels([path]).get(path) == label


def test_a_csv_gives_labels_and_its_bad_rows_are_rejected(photos):
    rows = ["path,label", "photos/a.png,happy", "photos/sky.png,glum", "photos/none.png,sad"]
    photos.with_name("labels.csv").write_text("\n".join(rows))
    labels, rejected = read_labels(photos.with_name("labels.csv"), photos)
    assert labels == {"a.png": Emotion.HAPPY}
    assert [one.reason.value for one in rejected] == ["bad_label", "unreadable"]


NAMES = ["a.png", "broken.jpg", "sky.png", "summer/b.png"]


def write_table(photos, *rows, header="path,label", place="labels.csv"):
    path = photos.parent / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]))
    return path


@pytest.mark.parametrize(
    ("rows", "place", "base"),
    [
        (["photos/a.png,happy", "photos/summer/b.png,sad"], "labels.csv", "the folder of labels.csv"),
        (["a.png,happy", "summer/b.png,sad", "photos/sky.png,sad"], "labels.csv", "the folder of photos"),
        (["../../photos/a.png,happy", "../../photos/summer/b.png,sad"], "x/y/labels.csv", "the folder of labels.csv"),
        (["'a.png,happy", "summer\\b.png,sad"], "lists/labels.csv", "the folder of photos"),
    ],
)
def test_paths_are_relative_to_the_table_or_to_the_photos_as_fits(photos, rows, place, base):
    found = match_labels(write_table(photos, *rows, place=place), photos, NAMES)
    emotions = {path: [label.emotion for label in labels] for path, labels in found.labels.items()}
    assert emotions == {"a.png": [Emotion.HAPPY], "summer/b.png": [Emotion.SAD]}
    assert found.base == base


def test_rows_that_fit_no_photo_and_bad_labels_are_kept_apart(photos):
    table = write_table(photos, "a.png,happy", "none.png,sad", "sky.png,glum", "summer/b.png,drop")
    found = match_labels(table, photos, NAMES)
    assert list(found.labels) == ["a.png"]
    assert found.unmatched == ["none.png"]
    assert found.faults == ["row 4: 'glum' is no expression"]


def test_a_table_that_fits_no_photo_is_refused(photos):
    with pytest.raises(
        OptionError, match=r"no row of .*labels\.csv names a photo .*'x/a\.png', and a photo is 'a\.png'"
    ):
        match_labels(write_table(photos, "x/a.png,happy"), photos, NAMES)


def test_a_table_that_names_photos_but_no_expressions_is_refused_for_its_labels(photos):
    with pytest.raises(OptionError, match=r"gives a photo an expression \(angry, .*\): row 2: 'glum' is no expression"):
        match_labels(write_table(photos, "a.png,glum"), photos, NAMES)


BOXES = "path,label,x1,y1,x2,y2"


def test_decimal_commas_are_read_where_semicolons_part_the_cells(photos):
    table = write_table(photos, "a.png;happy;1,5;2;30;40,25", header=BOXES.replace(",", ";"))
    assert match_labels(table, photos, NAMES).labels["a.png"][0].box == (1.5, 2, 30, 40.25)


@pytest.mark.parametrize("label", ["happy", "drop"])
def test_a_row_whose_box_cannot_be_read_does_not_name_the_largest_face(photos, label):
    rows = [f"a.png,{label},1,2,,40", f'a.png,{label},"1,5",2,30,40', f"a.png,{label},9,9,9,9", "sky.png,sad,,,,"]
    found = match_labels(write_table(photos, *rows, header=BOXES), photos, NAMES)
    assert (list(found.labels), found.dropped) == (["sky.png"], {})
    assert found.labels["sky.png"][0].box is None
    assert [fault.partition(" in ")[0] for fault in found.faults] == [f"row {row}: no box" for row in (2, 3, 4)]


def test_of_several_rows_of_one_face_the_first_is_taken(photos):
    rows = ["a.png,happy,1,2,3,4", "./a.png,sad,1,2,3,4", "a.png,sad,5,2,7,4", "a.png,drop,1,2,3,4"]
    found = match_labels(write_table(photos, *rows, header=BOXES), photos, NAMES)
    assert [label.emotion for label in found.labels["a.png"]] == [Emotion.HAPPY, Emotion.SAD]
    assert found.faults == [f"row {row}: 'a.png' again, and row 2 is taken" for row in (3, 5)]
    assert found.dropped == {}


def test_spaces_around_a_path_are_its_own_where_a_photo_has_them(photos):
    found = match_labels(write_table(photos, " a.png,happy", " sky.png ,sad"), photos, [*NAMES, " a.png"])
    assert list(found.labels) == [" a.png", "sky.png"]


@pytest.mark.parametrize(("written", "stored"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_are_found_however_a_system_writes_them(written, stored, photos):
    name = unicodedata.normalize(stored, "jürgen.png")
    found = match_labels(write_table(photos, f"{unicodedata.normalize(written, name)},happy"), photos, [*NAMES, name])
    assert list(found.labels) == [name]


def test_a_table_on_another_drive_than_its_photos_is_read(photos, monkeypatch):
    relpath = os.path.relpath

    def refuse(path, start):
        if not os.fspath(path).startswith(os.fspath(photos)):
            raise ValueError("path is on mount 'C:', start on mount 'D:'")
        return relpath(path, start)

    monkeypatch.setattr(os.path, "relpath", refuse)
    assert list(match_labels(write_table(photos, "a.png,happy"), photos, NAMES).labels) == ["a.png"]


def test_a_photo_in_place_of_a_table_is_refused(photos):
    with pytest.raises(DatasetError, match=r"a\.png: this is no CSV of path,label"):
        match_labels(photos / "a.png", photos, NAMES)


def test_corrections_of_an_album_label_the_faces_of_their_boxes(photos, predictor):
    entries = run_album(photos, predictor).entries
    (said,) = entries[0].result.predictions
    x1, y1, x2, y2 = said.box
    rows = [f"a.png,{said.emotion},{x1 + 2},{y1},{x2},{y2},unsure,0.5", "a.png,sad,0,0,9,9,happy,0.9"]
    table = write_table(photos, *rows, header="path,label,x1,y1,x2,y2,answer,confidence", place="corrections.csv")
    found = score_album(entries, match_labels(table, photos, NAMES).labels, predictor.classes)
    assert (found.labelled, found.without_face, found.scores.correct) == (2, 1, 1)
    assert any(line.startswith("the answer agrees in 1 of 1") for line in score_lines(found))


def test_predictions_are_scored_against_labels(photos, predictor):
    entries = run_album(photos, predictor).entries
    answer = entries[0].result.predictions[0].emotion
    other = next(emotion for emotion in predictor.classes if emotion != answer)
    labels = {"a.png": answer, "summer/b.png": other, "sky.png": answer, "broken.jpg": Emotion.CONTEMPT}
    found = score_album(entries, labels, predictor.classes)
    assert (found.labelled, found.without_face, found.unknown) == (4, 1, 1)
    assert (found.scores.correct, found.scores.n) == (1, 2)
    assert [(one.path, one.label) for one in found.worst] == [("summer/b.png", other)]
    assert found.to_dict()["scores"]["n"] == 2


def test_unsure_faces_are_scored_apart(photos, predictor):
    entries = run_album(photos, predictor).entries
    (said,) = entries[0].result.predictions
    doubted = replace(entries[-1].result, predictions=(replace(said, unsure="blurred"),))
    entries = [entries[0], replace(entries[-1], result=doubted)]
    other = next(emotion for emotion in predictor.classes if emotion != said.emotion)
    found = score_album(entries, {"a.png": said.emotion, "summer/b.png": other}, predictor.classes)
    assert (found.scores.n, found.scores.correct) == (2, 1)
    assert (found.sure.n, found.sure.correct, found.coverage) == (1, 1, 0.5)
    assert [line for line in score_lines(found) if "sure ones" in line] == [
        "of the 1 sure ones, 50.0%, it agrees in 1: 100.0% (95 % interval 20.7% to 100.0%)"
    ]
    unsure = score_album(entries[1:], {"summer/b.png": other}, predictor.classes)
    assert (unsure.sure, unsure.coverage) == (None, 0.0)
    assert "all of these faces are unsure" in list(score_lines(unsure))


def test_photos_without_a_face_give_no_scores(photos, predictor):
    entries = run_album(photos, predictor).entries
    found = score_album(entries, {"sky.png": Emotion.HAPPY}, predictor.classes)
    assert found.scores is None
    assert found.to_dict()["scores"] is None


def test_the_largest_face_is_scored(tmp_path, predictor, face):
    (tmp_path / "photos").mkdir()
    small = np.array(PIL.Image.fromarray(face).resize((120, 96)))
    canvas = np.zeros((160, 320, 3), np.uint8)
    canvas[:96, :120], canvas[:, 120:] = small, face
    PIL.Image.fromarray(canvas).save(tmp_path / "photos" / "two.png")
    (entry,) = run_album(tmp_path / "photos", predictor).entries
    assert len(entry.result.predictions) == 2
    right = entry.result.predictions[1].emotion
    assert score_album([entry], {"two.png": right}, predictor.classes).scores.correct == 1
