"""Doubtful labels, decisions and corrections of a review, in Python and on the command line."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import imitations
import numpy as np
import pytest
import reviews
import trainings
from typer.testing import CliRunner

from emonet.commands import app
from emonet.datasets import open_store
from emonet.datasets.labels import Corrections, read_corrections
from emonet.errors import DatasetError, MissingFileError, MissingPackageError, OptionError
from emonet.evaluation import evaluate, make_answers, write_answers
from emonet.inference import load_model
from emonet.labels import Emotion
from emonet.review import ReviewOptions, find_doubtful, measure_labels, open_review, write_review
from emonet.review.decisions import ConflictError, Decisions
from emonet.review.features import draw_map
from emonet.review.originals import Originals


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return reviews.build_copied(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture(scope="module")
def sequences(tmp_path_factory, portrait):
    return reviews.build_sequences(tmp_path_factory.mktemp("sequences"), portrait)


# ---- confident learning

P = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.0, 0.7, 0.3], [0.2, 0.3, 0.5]])
LABELS = np.array([0, 0, 0, 1, 1, 2])


def test_confidence_and_margin_are_those_of_the_published_formulas():
    found = measure_labels(LABELS, P)
    assert found.confidence == pytest.approx([0.8, 0.3, 0.5, 0.8, 0.7, 0.5])
    assert found.margin == pytest.approx([0.85, 0.35, 0.55, 0.85, 0.7, 0.6])
    assert found.thresholds == pytest.approx([1.6 / 3, 0.75, 0.5])
    assert found.suggested.tolist() == [1, 1, 1, 0, 2, 1]


def test_a_face_is_doubtful_if_another_class_reaches_its_own_threshold():
    # The second face is answered 1, but only with 0.6: class 1 is answered with 0.75 on average, where it is the label.
    assert not measure_labels(LABELS, P).doubtful.any()
    surer = P.copy()
    surer[1] = [0.15, 0.8, 0.05]
    found = measure_labels(LABELS, surer)
    assert found.doubtful.tolist() == [False, True, False, False, False, False]
    assert found.rank()[0] == 1


def test_a_class_below_the_label_is_no_doubt_though_it_reaches_its_threshold():
    labels, p = np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]])
    assert measure_labels(labels, p).doubtful.tolist() == [False, False, False]


def test_faces_without_an_answer_are_last_and_not_doubtful():
    p = P.copy()
    p[0] = np.nan
    found = measure_labels(LABELS, p)
    assert (found.rank()[-1], found.answers[0], bool(found.doubtful[0])) == (0, -1, False)
    assert np.isnan(found.margin[0])


@pytest.mark.parametrize("labels", [[0, 3, 0, 0, 0, 0], [0], [0, 0, 0, 0, 0, -1]])
def test_labels_that_are_no_classes_are_refused(labels):
    with pytest.raises(OptionError):
        measure_labels(np.array(labels), P)


# ---- second opinions


def test_doubtful_labels_are_found_by_answers_the_most_doubtful_first(store, tmp_path):
    path = reviews.write_answers(store, tmp_path / "teacher_labels.parquet")
    found = find_doubtful(store, answers=path)
    assert [(doubt.key, doubt.suggested) for doubt in found] == list(reviews.WRONG.items())
    assert found[0].label == "happy"
    assert 0 < found[0].margin < found[1].margin < 0.5


def test_a_model_answers_all_faces_and_its_answers_are_kept(store, tmp_path):
    asked = []
    first = open_review(store, tmp_path, ReviewOptions(model="emonet_fast"), asked.append)
    again = open_review(store, tmp_path, ReviewOptions(model="emonet_fast"), asked.append)
    assert sum(asked) == len(first.faces) == sum(store.splits.values())
    assert np.array_equal(first.opinion.probabilities, again.opinion.probabilities)
    assert np.array_equal(first.places, again.places)
    assert first.opinion.probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    assert first.places.min() >= 0
    assert first.places.max() <= 1
    evaluated = evaluate(load_model("emonet_fast"), store, "all", views=("none",))
    assert first.opinion.probabilities == pytest.approx(evaluated.answers["none"], abs=1e-5)


def test_a_model_that_may_have_learned_from_the_images_is_remarked_on(store, tmp_path):
    (remark,) = open_review(store, tmp_path, ReviewOptions(model="emonet_fast")).remarks
    assert f"{store.splits['train']} of the {sum(store.splits.values())} images" in remark
    assert "--out-of-fold" in remark


def test_answers_of_an_evaluation_sort_the_faces_of_its_split(store, tmp_path):
    evaluated = evaluate(load_model("emonet_fast"), store, "validation", views=("none",))
    write_answers(make_answers(evaluated), tmp_path / "answers.parquet")
    opened = open_review(store, tmp_path / "review", ReviewOptions(answers=str(tmp_path)))
    known = np.isfinite(opened.opinion.probabilities).all(1)
    assert {opened.faces.splits[place] for place in np.flatnonzero(known)} == {"validation"}
    assert any("have no answer" in remark for remark in opened.remarks)
    assert set(opened.order[: known.sum()].tolist()) == set(np.flatnonzero(known).tolist())


def test_answers_of_another_data_set_are_refused(store, sequences, tmp_path):
    path = reviews.write_answers(sequences, tmp_path / "teacher_labels.parquet", wrong={})
    with pytest.raises(DatasetError, match="keys differ"):
        find_doubtful(store, answers=path)


def test_files_that_hold_no_answers_are_refused(store, tmp_path):
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(DatasetError, match="Parquet"):
        find_doubtful(store, answers=tmp_path / "text.parquet")
    with pytest.raises(MissingFileError, match="neither"):
        find_doubtful(store, answers=tmp_path)
    with pytest.raises(DatasetError, match="neither"):
        find_doubtful(store, answers=store.files("train")[0])


def test_a_map_by_pca_shows_the_direction_in_which_faces_differ_most():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 5)).astype(np.float32) * [0.1, 5, 0.1, 1, 0.1] + 3
    places = draw_map(features)
    assert abs(np.corrcoef(places[:, 0], features[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(places[:, 1], features[:, 3])[0, 1]) > 0.99
    assert np.array_equal(places, draw_map(features))


def test_a_map_by_umap_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingPackageError, match="umap-learn"):
        draw_map(np.eye(5, dtype=np.float32), "umap")


# ---- what is shown


def test_copies_with_different_labels_are_listed_and_others_are_not(store, tmp_path):
    faces = open_review(store, tmp_path).faces
    assert [[faces.keys[place] for place in group] for group in faces.copies] == [
        ["fer2013/fer0000002", "fer2013/fer0000008"]
    ]


def test_sequences_have_their_dropped_frames_and_their_onset(sequences, tmp_path):
    first = open_review(sequences, tmp_path).faces.sequences[0]
    assert (first.key, first.onset) == ("ckplus/S015_001", 6)
    assert [frame.number for frame in first.frames] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [frame.face >= 0 for frame in first.frames] == [False] * 5 + [True] * 3


def test_dropped_frames_are_read_with_the_choices_of_the_build(portrait, tmp_path):
    data = imitations.write_oulucasia(tmp_path / "Oulu", portrait, people=1, lights=("Dark",))
    inputs, choices = {"oulucasia": data}, {"oulucasia_light": "dark"}
    store = trainings.build_store(tmp_path / "store", inputs, choices=choices, onset="last=1")
    sequence = open_review(store, tmp_path).faces.sequences[0]
    assert Originals(store).read(sequence, 0)[:2] == b"\xff\xd8"  # a JPEG


def test_a_first_frame_that_became_a_neutral_face_is_no_onset(sequences, portrait, tmp_path):
    store = reviews.build_sequences(sequences.path.parent, portrait, "neutral", neutral="first")
    assert open_review(store, tmp_path).faces.sequences[0].onset == 6


# ---- decisions


def test_decisions_survive_and_the_last_one_holds(tmp_path):
    decisions = Decisions(tmp_path / "decisions.sqlite")
    for value in ("sad", "drop", "happy"):
        decisions.add("a", "label", value)
    decisions.add("b", "label", "keep")
    decisions.add("b", "label", "")
    decisions.close()
    again = Decisions(tmp_path / "decisions.sqlite")
    assert again.current() == {("a", "label"): "happy"}
    assert [one.value for one in again.since(3)] == ["keep", ""]


def test_a_decision_that_did_not_know_of_another_tabs_is_refused(tmp_path):
    one, other = Decisions(tmp_path / "d.sqlite"), Decisions(tmp_path / "d.sqlite")
    one.add("a", "label", "sad", expected="")
    with pytest.raises(ConflictError) as raised:
        other.add("a", "label", "happy", expected="")
    assert raised.value.value == "sad"
    other.add("a", "label", "happy", expected="sad")
    assert one.current() == {("a", "label"): "happy"}


@pytest.mark.parametrize(
    ("kind", "value"), [("label", "smiling"), ("label", "onset=3"), ("onset", "sad"), ("x", "sad")]
)
def test_decisions_of_another_kind_are_refused(tmp_path, kind, value):
    with pytest.raises(OptionError):
        Decisions(tmp_path / "d.sqlite").add("a", kind, value)


def test_no_decision_of_many_threads_is_lost(tmp_path):
    decisions = Decisions(tmp_path / "d.sqlite")
    others = [Decisions(tmp_path / "d.sqlite") for _ in range(2)]

    def decide(number):
        for place in range(10):
            (decisions, *others)[number % 3].add(f"{number}-{place}", "label", "sad")

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decisions.current()) == 60


KILLED = """
import sys, time
from pathlib import Path
from emonet.review.decisions import Decisions
decisions = Decisions(Path(sys.argv[1]))
for number in range(1000):
    decisions.add(f"key {number}", "label", "sad")
    print(number, flush=True)
"""


def test_a_kill_loses_no_decision_that_was_answered(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "d.sqlite")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(20):
            process.stdout.readline()
        process.kill()
        answered = 20 + len(process.stdout.read().splitlines())
    assert len(Decisions(tmp_path / "d.sqlite").current()) >= answered


def test_only_faces_and_sequences_of_the_data_set_are_decided_about(sequences, tmp_path):
    review = open_review(sequences, tmp_path)
    review.decide("ckplus/S015_001", "onset", "onset=4")
    with pytest.raises(OptionError, match="ckplus/S999_001"):
        review.decide("ckplus/S999_001", "label", "sad")


def test_corrections_are_written_at_once_and_kept_labels_are_none(store, tmp_path):
    review = open_review(store, tmp_path)
    keys = review.faces.keys
    for place, value in enumerate(("sad", "drop", "keep", "happy")):
        review.decide(keys[place], "label", value)
    review.decide(keys[3], "label", "")
    assert read_corrections(tmp_path / "corrections.csv") == [(keys[0], Emotion.SAD), (keys[1], None)]


# ---- the build takes them


def build_again(store, folder, relabel):
    inputs = {name: Path(path) for name, path in store.info.options["inputs"].items()}
    kept = {name: store.info.options[name] for name in ("ferplus", "near", "leaks", "onset")}
    return trainings.build_store(folder, inputs, relabel=str(relabel), **kept)


def test_a_build_takes_the_corrections_of_a_review(store, tmp_path):
    review = open_review(store, tmp_path)
    review.decide("fer2013/fer0000003", "label", "sad")
    review.decide("fer2013/fer0000004", "label", "drop")
    built = build_again(store, tmp_path / "again", review.export())
    labels = {row["key"]: row["emotion"] for row in built.table("train", ["key", "emotion"]).to_pylist()}
    assert labels["fer2013/fer0000003"] == "sad"
    assert "fer2013/fer0000004" not in labels


def test_corrections_of_an_earlier_review_stay_in_the_next(store, tmp_path):
    first = open_review(store, tmp_path / "first")
    first.decide("fer2013/fer0000003", "label", "sad")
    first.decide("fer2013/fer0000004", "label", "drop")
    built = build_again(store, tmp_path / "again", first.export())
    second = open_review(built, tmp_path / "second")
    second.decide("fer2013/fer0000003", "label", "fear")
    assert read_corrections(second.export()) == [("fer2013/fer0000003", Emotion.FEAR), ("fer2013/fer0000004", None)]
    (tmp_path / "first" / "corrections.csv").unlink()
    assert any("corrections" in remark for remark in open_review(built, tmp_path / "third").remarks)


def test_a_correction_of_a_data_set_built_with_the_reviews_own_export_can_be_taken_back(store, tmp_path):
    review = open_review(store, tmp_path / "own")
    review.decide("fer2013/fer0000003", "label", "sad")
    built = build_again(store, tmp_path / "again", review.export())
    again = open_review(built, tmp_path / "own")
    again.decide("fer2013/fer0000005", "label", "fear")
    again.decide("fer2013/fer0000003", "label", "angry")
    reopened = open_review(built, tmp_path / "own")
    assert not reopened.remarks
    reopened.decide("fer2013/fer0000005", "label", "keep")
    reopened.decide("fer2013/fer0000003", "label", "keep")
    assert read_corrections(reopened.export()) == [("fer2013/fer0000003", Emotion.SAD)]


def test_corrections_that_have_changed_since_the_build_are_not_taken_for_those_of_the_build(store, tmp_path):
    (tmp_path / "c.csv").write_text("fer2013/fer0000003,sad\n")
    built = build_again(store, tmp_path / "again", tmp_path / "c.csv")
    (tmp_path / "c.csv").write_text("fer2013/fer0000003,fear\n")
    review = open_review(built, tmp_path / "own")
    assert not review.corrections()
    assert any("changed" in remark for remark in review.remarks)


def test_a_build_cuts_sequences_where_a_review_did(sequences, tmp_path):
    review = open_review(sequences, tmp_path)
    review.decide("ckplus/S015_001", "onset", "onset=3")
    review.decide("ckplus/S017_001", "label", "fear")
    built = build_again(sequences, tmp_path / "again", review.export())
    rows = [row for split in built.splits for row in built.table(split, ["key", "emotion", "frame"]).to_pylist()]
    kept = {row["frame"]: row["emotion"] for row in rows if "S015" in row["key"]}
    assert kept == dict.fromkeys(range(3, 9), "happy")
    assert {row["emotion"] for row in rows if "S017" in row["key"]} == {"fear"}
    assert open_review(built, tmp_path / "next").faces.sequences[0].onset == 3


def test_an_onset_after_the_last_frame_keeps_the_last(sequences, tmp_path):
    (tmp_path / "c.csv").write_text("ckplus/S015_001,onset=99\n")
    built = build_again(sequences, tmp_path / "again", tmp_path / "c.csv")
    frames = [row["frame"] for split in built.splits for row in built.table(split, ["key", "frame"]).to_pylist()]
    assert sorted(frames) == [6, 7, 8, 8]


def test_an_onset_of_an_unknown_sequence_is_unused(tmp_path):
    (tmp_path / "c.csv").write_text("key,label\nckplus/S1_1,onset=7\nckplus/S1_1,sad\n")
    corrections = Corrections.read(tmp_path / "c.csv")
    assert corrections.unused() == ["ckplus/S1_1"]
    assert read_corrections(tmp_path / "c.csv") == [("ckplus/S1_1", 7), ("ckplus/S1_1", Emotion.SAD)]


@pytest.mark.parametrize("label", ["onset=", "onset=x", "onset=-1", "onset"])
def test_an_onset_that_is_no_number_is_refused(tmp_path, label):
    (tmp_path / "c.csv").write_text(f"ckplus/S1_1,{label}\n")
    with pytest.raises(DatasetError, match="onset=N"):
        Corrections.read(tmp_path / "c.csv")


# ---- the command


def run(*arguments):
    return CliRunner().invoke(app, ["review", *map(str, arguments)])


def test_the_command_writes_one_file_with_the_most_doubtful_faces(store, tmp_path):
    answers = reviews.write_answers(store, tmp_path / "teacher_labels.parquet")
    done = run(store.path, "--answers", answers, "-o", tmp_path / "out", "--html", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    assert f"{sum(store.splits.values())} faces in {tmp_path / 'r.html'}" in done.output.replace("\n", "")
    assert "connect-src" not in (tmp_path / "r.html").read_text()


def test_one_file_holds_as_many_faces_as_asked_for_and_no_more_than_3000(store, tmp_path):
    review = reviews.open_answered(store, tmp_path)
    assert write_review(review, tmp_path / "r.html", limit=5) == 5
    text = (tmp_path / "r.html").read_text()
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert data["keys"][:3] == list(reviews.WRONG)
    for limit in (0, 3001):
        with pytest.raises(OptionError, match="3,000"):
            write_review(review, tmp_path / "r.html", limit=limit)


def test_keys_with_markup_stay_text(portrait, tmp_path):
    name = "</script><script>alert(1)</script>"
    (tmp_path / "photos" / "happy").mkdir(parents=True)
    (tmp_path / "photos" / "sad").mkdir()
    for place in ("happy", "sad"):
        imitations.save(tmp_path / "photos" / place / "a.png", imitations.small_face(portrait, 1))
    faces = open_review(trainings.build_store(tmp_path / "store", {"folder": tmp_path / "photos"}), tmp_path / "r")
    faces.faces.keys[0] = name
    write_review(faces, tmp_path / "r.html")
    assert name not in (tmp_path / "r.html").read_text()


def test_the_command_names_what_is_wrong(store, tmp_path):
    for arguments in ((tmp_path / "none",), (store.path, "--model", "none"), (store.path, "--map", "tsne")):
        assert run(*arguments, "-o", tmp_path / "out", "--no-browser").exception


def test_ctrl_c_ends_the_command_and_says_what_to_do_next(store, tmp_path):
    command = [sys.executable, "-m", "emonet", "review", store.path, "-o", tmp_path / "out", "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert f"--relabel {tmp_path / 'out' / 'corrections.csv'}" in rest
    with (tmp_path / "out" / "corrections.csv").open() as file:
        assert list(csv.reader(file)) == [["key", "label"]]
    assert open_store(store.path).differences() == []
