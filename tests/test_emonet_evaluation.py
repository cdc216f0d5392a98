import json
from dataclasses import replace

import imitations
import merged
import numpy as np
import pytest
import trainings

from emonet.datasets.ferplus import VOTES
from emonet.datasets.store.leaks import has_training_copy
from emonet.evaluation import evaluate, make_answers, read_answers, write_answers
from emonet.evaluation.metrics import score
from emonet.evaluation.parts import find_parts
from emonet.heads import Head
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.devices import open_machine
from emonet.labels import Emotion

CPU = open_machine("cpu", "fp32")
TWO = {"fer2013": 1.0, "seen": 1.0}


@pytest.fixture(scope="module")
def faces(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, faces):
    folder = tmp_path_factory.mktemp("run")
    trainings.trained(faces, folder / "run", epochs=1)
    return load_checkpoint(folder / "run" / "model.safetensors")


@pytest.fixture(scope="module")
def evaluation(faces, checkpoint):
    return evaluate(checkpoint, faces, name="five", views=("none", "mirror"), machine=CPU)


def test_every_image_is_answered_and_scored_for_each_view(evaluation, faces):
    assert list(evaluation.answers) == list(evaluation.scores) == ["none", "mirror"]
    assert evaluation.view == "mirror"
    for view, answers in evaluation.answers.items():
        assert answers.shape == (faces.splits["validation"], 7)
        assert answers.sum(1) == pytest.approx(1, abs=1e-5)
        expected = score(answers, evaluation.faces.labels, evaluation.faces.classes)
        assert evaluation.scores[view]["all"] == expected


def test_dev_scores_are_those_that_training_stored(checkpoint, faces):
    again = evaluate(checkpoint, faces, "dev", views=["none"], machine=CPU)
    stored, scores = checkpoint.scores["dev"], again.scores["none"]["all"].to_dict()
    assert scores["confusion"] == tuple(map(tuple, stored["confusion"]))
    assert scores["log_loss"] == pytest.approx(stored["log_loss"], abs=1e-5)
    assert "this is no test" in again.remarks[0]


def test_the_figures_in_json_name_model_and_data(evaluation, faces):
    told = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert (told["name"], told["model"], told["split"]) == ("five", "tuned_five", "validation")
    assert told["data"] == faces.info.inputs
    assert told["scores"]["none"]["all"]["n"] == 7
    assert told["remarks"] == []


def test_smaller_faces_are_scored_by_the_answer_that_is_made_of_all_heads(checkpoint, leaking, tmp_path):
    two = trainings.trained(leaking["keep"], tmp_path / "run", heads=TWO, all_train=True, epochs=1)
    for model in (checkpoint, two):
        evaluation = evaluate(model, leaking["keep"], machine=CPU, sizes=(48, 24))
        whole, small = evaluation.sizes
        assert (whole.size, small.size) == (48, 24)
        assert whole.accuracy == evaluation.scores["none"]["all"].accuracy
        assert list(small.shares) == list(map(str, model.classes))
        assert json.loads(json.dumps(evaluation.to_dict()))["sizes"][1] == small.to_dict()


def test_the_cost_is_measured_once_when_it_is_asked_for(checkpoint, faces, monkeypatch):
    measured = []
    monkeypatch.setattr("emonet.evaluation.evaluation.measure_cost", lambda *_: measured.append(1) or "cost")
    evaluation = evaluate(checkpoint, faces, machine=CPU)
    assert measured == []
    assert evaluation.cost == evaluation.cost == "cost"
    assert measured == [1]


def test_the_summary_is_of_all_images_in_the_last_view(evaluation):
    assert evaluation.summary is evaluation.scores["mirror"]["all"]


def test_costs_are_counted_and_measured(evaluation):
    cost = evaluation.cost
    assert 0 < cost.trainable <= cost.parameters
    assert cost.macs > 0
    assert cost.pictures_per_second > 0
    assert cost.milliseconds > 0
    assert cost.machine == str(CPU)


def test_images_of_classes_that_the_model_does_not_know_are_counted(faces, tmp_path):
    six = trainings.trained(faces, tmp_path / "run", classes="fer6", epochs=1)
    evaluation = evaluate(six, faces, machine=CPU)
    assert evaluation.faces.left_out == {"disgust": 1}
    assert evaluation.scores["none"]["all"].n == 6
    assert evaluation.remarks == ("6 of 7 images are scored; the model does not know disgust 1",)


def test_a_class_of_the_model_may_have_no_images(checkpoint, portrait, tmp_path):
    rows = [row for row in imitations.fer2013_rows(portrait, training=14, tests=7) if row.code != 1]  # no disgust
    imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    store = trainings.build_store(tmp_path / "six", {"fer2013": tmp_path / "fer2013.csv"}, classes="fer6")
    evaluation = evaluate(checkpoint, store, machine=CPU)
    scores = evaluation.scores["mirror"]["all"]
    assert (scores.n, scores.classes["disgust"].support, scores.classes["disgust"].recall) == (6, 0, None)
    assert "the data know no disgust" in evaluation.remarks[0]


def test_a_model_and_data_that_share_no_class_are_refused(checkpoint, faces):
    stranger = replace(checkpoint, heads=(Head("fer2013", (Emotion.CONTEMPT,)),))
    with pytest.raises(ValueError, match="nothing to score in 'validation': the model knows contempt"):
        evaluate(stranger, faces, machine=CPU)


def test_an_unknown_split_lists_those_there_are(checkpoint, portrait, tmp_path):
    rows = imitations.fer2013_rows(portrait, training=14, tests=0)
    imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    store = trainings.build_store(tmp_path / "store", {"fer2013": tmp_path / "fer2013.csv"})
    with pytest.raises(ValueError, match="no split 'validation'; it has train"):
        evaluate(checkpoint, store, machine=CPU)


@pytest.mark.parametrize("views", [[], ["none", "none"], ["sideways"]])
def test_views_must_be_known_and_different(checkpoint, faces, views):
    with pytest.raises(ValueError, match="view"):
        evaluate(checkpoint, faces, views=views, machine=CPU)


def test_another_crop_is_remarked_on(checkpoint, faces):
    wide = replace(checkpoint, crop=replace(checkpoint.crop, margin=0.5))
    assert "cropped differently" in evaluate(wide, faces, machine=CPU).remarks[0]


@pytest.fixture(scope="module")
def leaking(tmp_path_factory, portrait):
    """Two of the evaluated pictures are in the training data too; people voted on all."""
    folder = tmp_path_factory.mktemp("leaking")
    rows = imitations.fer2013_rows(portrait, training=28, tests=7)
    tests = [row for row in rows if row.usage == "PublicTest"]
    rows = [*rows, *(replace(row, usage="Training") for row in tests[:2])]
    imitations.write_fer2013_csv(folder / "fer2013.csv", rows)
    imitations.write_ferplus_votes(folder / "votes.csv", rows)
    inputs = {"fer2013": folder / "fer2013.csv"}
    return {
        leaks: trainings.build_store(folder / leaks, inputs, leaks=leaks, ferplus=str(folder / "votes.csv"))
        for leaks in ("keep", "drop")
    }


@pytest.mark.parametrize("leaks", ["keep", "drop"])
def test_copies_of_training_images_are_scored_apart(checkpoint, leaking, leaks):
    evaluation = evaluate(checkpoint, leaking[leaks], machine=CPU)
    assert has_training_copy(leaking[leaks], "validation").sum() == 2
    scores = evaluation.scores["none"]
    assert (scores["training copy"].n, scores["no training copy"].n) == (2, 5)
    assert [int(mask.sum()) for mask in (evaluation.parts["all"], evaluation.parts["training copy"])] == [7, 2]


def test_images_are_scored_by_how_far_voters_agree(checkpoint, leaking):
    evaluation = evaluate(checkpoint, leaking["keep"], machine=CPU)
    levels = [mask for name, mask in evaluation.parts.items() if name.startswith("FER+ agree")]
    assert (np.sum(levels, axis=0) <= 1).all()
    votes = leaking["keep"].table("validation", ["votes"])["votes"].to_pylist()
    for name, low, high in (("FER+ agree 50-70 %", 0.5, 0.7), ("FER+ agree 70-90 %", 0.7, 0.9)):
        expected = [low < max(row) / sum(row) <= high for row in votes]
        assert not any(expected) or all(expected) or evaluation.parts[name].tolist() == expected


def test_without_a_majority_the_voters_see_neither_the_label_nor_another(checkpoint, leaking):
    evaluation = evaluate(checkpoint, leaking["keep"], views=["none"], machine=CPU)
    labels = [list(Emotion).index(evaluation.faces.classes[label]) for label in evaluation.faces.labels[:3]]
    votes = np.zeros((len(evaluation.faces), len(VOTES)), np.int16)
    votes[0, labels[0]] = votes[1, (labels[1] + 1) % 7] = votes[3, VOTES.index("unknown")] = 9
    votes[2, [labels[2], (labels[2] + 1) % 7]] = 5  # a tie
    parts = find_parts(leaking["keep"], replace(evaluation.faces, votes=votes))
    assert np.flatnonzero(parts["FER+ sees the label"]).tolist() == [0]
    assert np.flatnonzero(parts["FER+ sees another"]).tolist() == [1]


def test_sources_and_sequences_are_scored_apart(checkpoint, portrait, tmp_path):
    imitations.write_ckplus(tmp_path / "ckplus", portrait, subjects=3, frames=6)
    trainings.write_faces(tmp_path / "fer2013.csv", portrait)
    inputs = {"fer2013": tmp_path / "fer2013.csv", "ckplus": tmp_path / "ckplus"}
    store = trainings.build_store(tmp_path / "store", inputs, dev=7, onset="last=3")
    split = next(split for split in ("validation", "test", "train") if "ckplus" in sources(store, split))
    scores = evaluate(checkpoint, store, split, machine=CPU).scores["none"]
    assert scores["source ckplus"].n == sources(store, split).count("ckplus")
    assert 0 < scores["per sequence"].n < scores["source ckplus"].n


def sources(store, split):
    return store.table(split, ["source"])["source"].to_pylist() if split in store.splits else []


@pytest.fixture(scope="module")
def everything(tmp_path_factory, portrait):
    """FER2013, CK+ and JAFFE in one data set."""
    return merged.build_merged(tmp_path_factory.mktemp("everything"), portrait, people=3, classes="fer7")


def test_a_whole_data_set_is_scored_whatever_its_splits(checkpoint, everything):
    evaluation = evaluate(checkpoint, everything, "all", sources=["jaffe"], machine=CPU)
    rows = merged.rows(everything)
    assert len(evaluation.faces) == sum(row["source"] == "jaffe" for row in rows) == 21
    assert evaluation.faces.left_out == {}  # what was not asked for is not left out
    assert evaluation.scored == "all (jaffe)"
    assert {f"split {split}" for split in evaluation.faces.splits.tolist()} <= set(evaluation.parts)
    assert "3 people" in evaluation.summary.interval_method
    assert evaluation.to_dict()["sources"] == ["jaffe"]


def test_several_data_sets_can_be_scored_together(checkpoint, everything):
    whole = evaluate(checkpoint, everything, "all", machine=CPU)
    two = evaluate(checkpoint, everything, "all", sources=["jaffe", "ckplus"], machine=CPU)
    assert len(whole.faces) == sum(everything.splits.values())
    assert {"source ckplus", "source jaffe"} <= set(two.parts)
    assert "source fer2013" not in two.parts


def test_images_that_the_model_may_know_are_remarked_on(checkpoint, everything):
    """The model learned from FER2013 alone."""
    assert not any("no test" in one for one in evaluate(checkpoint, everything, "all", sources=["jaffe"]).remarks)
    remarks = evaluate(checkpoint, everything, "all", machine=CPU).remarks
    known = sum(row["source"] == "fer2013" for row in merged.rows(everything, "train", "dev"))
    assert any(f"as are {known} of the" in remark and "this is no test" in remark for remark in remarks)


def test_an_unknown_source_lists_those_there_are(checkpoint, everything):
    with pytest.raises(ValueError, match="has no source kdef; it has fer2013, ckplus, jaffe"):
        evaluate(checkpoint, everything, "all", sources=["kdef"])


def test_intervals_are_over_people_where_they_are_known(checkpoint, everything):
    evaluation = evaluate(checkpoint, everything, "all", sources=["ckplus"], machine=CPU)
    for part in ("all", "per sequence"):
        assert evaluation.scores["none"][part].interval_method.startswith(
            ("cluster bootstrap over 7 people", "Wilson over 7 people")
        )
    faces = evaluate(checkpoint, everything, "all", sources=["fer2013"], machine=CPU)
    assert faces.summary.interval_method == "Wilson"


def test_answers_of_an_evaluation_are_those_of_its_heads(checkpoint, everything, tmp_path):
    evaluation = evaluate(checkpoint, everything, "all", sources=["ckplus"], machine=CPU)
    answers = read_answers(write_answers(make_answers(evaluation), tmp_path / "answers.parquet"))
    assert set(answers.keys) == {row["key"] for row in merged.rows(everything) if row["source"] == "ckplus"}
    assert (answers.probabilities("none", "fer2013") == evaluation.head_answers["none"]).all()
    assert answers.clusters.words == "7 people"
    splits = {row["key"]: split for split in everything.splits for row in merged.rows(everything, split)}
    assert answers.column("split") == [splits[key] for key in answers.keys]
