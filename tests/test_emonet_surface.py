import copy
import io
import json
import pickle
import threading

import numpy as np
import pandas as pd
import PIL.Image
import pytest

import emonet
from emonet import Emotion, EmotionPredictor, PhotoResult, Prediction
from emonet.errors import CheckpointError
from emonet.inference import load_model
from emonet.prediction import kept
from emonet.prediction.table import BUNDLED_CLASSES
from facecrop import Face, ImageError, Reason, Rejection

SHARES = {"happy": 0.87, "sad": 0.13}


@pytest.fixture
def prediction():
    return Prediction(Face((179, 59, 269, 175), 0.99), SHARES)


@pytest.fixture(scope="module")
def predictor(mtcnn):
    return EmotionPredictor("emonet_fast", detector=mtcnn, device="cpu", tta="none")


def test_probabilities_cannot_be_changed(prediction):
    for change in (
        lambda shares: shares.update(happy=1.0),
        lambda shares: shares.pop(Emotion.HAPPY),
        lambda shares: shares.clear(),
        lambda shares: shares.setdefault(Emotion.FEAR, 0.1),
        lambda shares: shares.__setitem__(Emotion.HAPPY, 1.0),
        lambda shares: shares.__ior__({Emotion.HAPPY: 1.0}),
    ):
        with pytest.raises(TypeError, match="cannot be changed"):
            change(prediction.probabilities)
    with pytest.raises(TypeError, match="cannot be changed"):
        del prediction.probabilities[Emotion.HAPPY]
    assert prediction.probabilities == SHARES
    for twin in (copy.deepcopy(prediction), pickle.loads(pickle.dumps(prediction))):
        assert twin == prediction
    assert json.loads(json.dumps(prediction.probabilities)) == SHARES
    given = dict(SHARES)
    own = Prediction(prediction.face, given)
    given["happy"] = 0.0
    assert own.probabilities == SHARES


@pytest.mark.parametrize("name", ["evaluation", "inference", "models", "training", "tuning", "video"])
def test_packages_and_their_names_are_found_without_being_imported(name):
    package = getattr(emonet, name)
    assert set(package.__all__) == set(dir(package))
    assert all(getattr(package, found) is not None for found in dir(package))
    assert not hasattr(package, "no_such_name")


def test_names_of_other_libraries(prediction):
    assert prediction.emotions == SHARES
    assert {type(name) for name in prediction.emotions} == {str}
    assert type(prediction.dominant_emotion) is str
    assert prediction.dominant_emotion == "happy"


def test_a_notebook_shows_the_crop_and_bars(predictor, portrait, prediction):
    (found,) = predictor.predict(portrait)
    shown = found._repr_html_()
    assert "data:image/jpeg;base64," in shown
    assert "happy" in shown
    assert len(shown) < 20_000
    assert "<img" not in prediction._repr_html_()
    result = PhotoResult("<b>.jpg", rejections=(Rejection(Reason.NO_FACE, "no face was found"),))
    assert "&lt;b&gt;.jpg" in result._repr_html_()
    assert "thumbnail" not in found.to_dict()


@pytest.mark.parametrize(
    "one", [np.zeros((48, 48, 3), np.uint8), np.zeros((48, 48), np.uint8), "a.jpg", b"", PIL.Image.new("RGB", (9, 9))]
)
def test_one_image_is_not_taken_for_a_list_of_rows(predictor, one):
    with pytest.raises(TypeError, match="this is one"):
        predictor.predict_faces(one)
    with pytest.raises(TypeError, match="this is one"):
        predictor.predict_many(one)


def test_a_stack_of_grey_crops_is_many_crops(predictor):
    assert len(predictor.predict_faces(np.zeros((3, 48, 48), np.uint8))) == 3


def test_one_bad_crop_does_not_lose_the_others(predictor, face):
    crops = [face, b"\xff\xd8\xff", face]
    with pytest.raises(ImageError, match="crop 1"):
        predictor.predict_faces(crops)
    first, bad, last = predictor.predict_faces(crops, on_error="return")
    assert isinstance(bad, ImageError)
    assert first.probabilities == pytest.approx(last.probabilities)
    with pytest.raises(ValueError, match="on_error must be raise or return"):
        predictor.predict_faces(crops, on_error="ignore")


def assert_alike(found, expected):
    """Photos that are read side by side have one thread each, which may change the last bits."""
    assert [(one.box, one.emotion) for one in found] == [(one.box, one.emotion) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_opencv_frames_are_read_as_they_are(predictor, portrait):
    frame = portrait[..., ::-1]
    (right,) = predictor.predict(portrait)
    (found,) = predictor.predict(frame, bgr=True)
    assert found == right
    (many,) = predictor.predict_many([frame], bgr=True)
    assert_alike(many.predictions, [right])
    drawn = emonet.draw(frame, [found], bgr=True)
    assert (drawn[..., ::-1] == emonet.draw(portrait, [right])).all()


def test_open_files_and_streams_are_read(predictor, face, tmp_path):
    PIL.Image.fromarray(face).save(tmp_path / "face.png")
    by_path = predictor.predict(tmp_path / "face.png")
    with (tmp_path / "face.png").open("rb") as file:
        assert predictor.predict(file) == by_path
    stream = io.BytesIO((tmp_path / "face.png").read_bytes())
    (result, refused) = predictor.predict_many([stream, "https://example.org/face.png"])
    assert_alike(result.predictions, by_path)
    assert "network" in refused.error.reason


def test_predict_takes_a_model_and_opens_it_once(portrait, monkeypatch):
    opened, ready = [], threading.Barrier(4)
    monkeypatch.setattr(kept, "_kept", {})
    make = kept.EmotionPredictor
    monkeypatch.setattr(kept, "EmotionPredictor", lambda *given, **more: opened.append(given) or make(*given, **more))
    answers = []

    def ask():
        ready.wait()
        answers.append(emonet.predict(portrait, model="emonet_fast"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [("emonet_fast",)]
    assert answers == [answers[0]] * 4
    assert [one.answer for one in answers[0]] == ["happy"]


def test_a_model_may_be_the_folder_of_a_run(tmp_path):
    model = load_model("emonet_fast")
    run = tmp_path / "runs" / "five"
    run.mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"without model\.safetensors"):
        load_model(run)
    model.save(run / "model.safetensors")
    assert load_model(run).identity == model.identity
    assert EmotionPredictor(run, detector="whole").models[0].identity == model.identity


def test_a_model_file_that_has_changed_is_opened_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "_kept", {})
    path = tmp_path / "model.safetensors"
    load_model("emonet_fast").save(path)
    first = kept.keep_predictor(path)
    assert kept.keep_predictor(str(path)) is first
    load_model("emonet").save(path)
    assert kept.keep_predictor(path).models[0].identity != first.models[0].identity


def test_tables_without_faces_have_the_columns_of_probabilities():
    results = [PhotoResult("sea.jpg", rejections=(Rejection(Reason.NO_FACE, "no face was found"),))]
    table = emonet.to_table(results)
    assert {f"p_{emotion}" for emotion in load_model("emonet").classes} <= set(table.column_names)
    assert load_model("emonet").classes == BUNDLED_CLASSES
    assert "p_contempt" in emonet.to_table(results, classes=tuple(Emotion)).column_names


def test_a_data_frame_has_the_rows_and_columns_of_the_table(prediction):
    results = [
        PhotoResult("a.jpg", (prediction,)),
        PhotoResult("sea.jpg", rejections=(Rejection(Reason.NO_FACE, "no face was found"),)),
    ]
    frame = emonet.to_dataframe(results)
    table = emonet.to_table(results)
    assert list(frame.columns) == table.column_names
    assert frame["emotion"].tolist() == ["happy", pd.NA]
    assert frame["p_happy"].iloc[0] == 0.87
    assert np.isnan(frame["x1"].iloc[1])
    assert len(emonet.to_dataframe([])) == 0


def test_a_folder_is_read_with_and_without_an_album(predictor, face, tmp_path):
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    PIL.Image.fromarray(face).save(tmp_path / "photos" / "sub" / "me.png")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    plain = list(emonet.predict_folder(tmp_path / "photos", predictor=predictor))
    assert [(str(one.source), len(one.predictions)) for one in plain] == [("broken.jpg", 0), ("sub/me.png", 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]
    written = list(emonet.predict_folder(tmp_path / "photos", tmp_path / "album", predictor=predictor))
    assert [one.predictions for one in written] == [one.predictions for one in plain]
    assert (tmp_path / "album" / "album.html").is_file()
    with pytest.raises(FileNotFoundError):
        emonet.predict_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="album"):
        emonet.predict_folder(tmp_path / "photos", annotate=True)
