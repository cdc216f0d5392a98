"""Protocols that are run: every figure is computed again from the models of the rounds."""

import json
from dataclasses import replace
from types import SimpleNamespace

import imitations
import merged
import numpy as np
import pytest
import trainings
from matplotlib.text import Text
from pages import rows

from emonet.errors import OptionError
from emonet.evaluation import compare_answers, read_answers
from emonet.evaluation.metrics import score
from emonet.evaluation.parts import WITH_COPY, WITHOUT_COPY, average_sequences
from emonet.faces import read_faces
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.devices import open_machine
from emonet.inference.torch_classifier import TorchClassifier
from emonet.protocols import Cross, LearningCurve, LeaveOneSubjectOut, OfficialSplits, SubjectFolds, run_protocol
from emonet.protocols.curve_plot import draw_learning_curve
from emonet.training.run import train


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return merged.build_merged(tmp_path_factory.mktemp("merged"), portrait, people=3)


@pytest.fixture(scope="module", autouse=True)
def at_once():
    """Without drawing curves of trainings and timing answers, which take longer than training networks so small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emonet.training.record.draw_curves", lambda *_, **__: None)
        patch.setattr("emonet.evaluation.cost.SECONDS", 1e-9)
        yield


def carried_out(protocol, store, folder, watch=None, *, overwrite=False, **options):
    config = trainings.quick(**{"epochs": 1, "classes": "ck8", **options})
    return run_protocol(protocol, store, config, folder, watch, overwrite=overwrite)


@pytest.fixture(scope="module")
def folds(store, tmp_path_factory):
    """CK+ in three folds: where it lies, and what came out."""
    folder = tmp_path_factory.mktemp("folds")
    return folder, carried_out(SubjectFolds(folds=3), store, folder)


def answered(one, folder, view="none"):
    """What a round's model says to what the round is scored on."""
    checkpoint = load_checkpoint(folder / one.name / "model.safetensors")
    (held_out,) = one.scored.values()
    faces = read_faces(held_out.store, [held_out.split], checkpoint.input, classes=checkpoint.classes)
    classify = TorchClassifier(checkpoint.network(), checkpoint.input, open_machine("cpu", "fp32"), view=view)
    return faces, classify(faces.pixels)


@pytest.mark.parametrize("view", ["none", "mirror"])
def test_pooled_scores_are_those_of_all_answers(store, folds, view):
    folder, result = folds
    answers = [
        answered(one, folder, view) for one in SubjectFolds(folds=3).rounds(store, trainings.quick(classes="ck8"))
    ]
    labels = np.concatenate([faces.labels for faces, _ in answers])
    probabilities = np.concatenate([own for _, own in answers])
    (pool,) = result.pooled.values()
    expected = score(probabilities, labels, result.rounds[0].outcomes["ckplus ck8"].classes)
    found = pool.scores[view]["all"]
    over_images = {"accuracy_interval": expected.accuracy_interval, "interval_method": "Wilson"}
    assert replace(found, **over_images) == expected
    assert found.interval_method.endswith("7 people")
    assert found.accuracy_interval != expected.accuracy_interval
    assert expected.n == sum(row["source"] == "ckplus" for row in merged.rows(store))
    assert (pool.rounds, pool.people) == (3, 7)


def test_sequence_scores_average_frames(store, folds):
    """Of every sequence there are a neutral frame and two of its expression."""
    folder, result = folds
    votes, labels = [], []
    for one in SubjectFolds(folds=3).rounds(store, trainings.quick(classes="ck8")):
        faces, probabilities = answered(one, folder)
        names = {row["key"]: row["sequence"] for row in merged.rows(store)}
        for name in dict.fromkeys(names[key] for key in faces.keys):
            for label in set(faces.labels.tolist()):
                frames = [
                    row for row, key in enumerate(faces.keys) if names[key] == name and faces.labels[row] == label
                ]
                if frames:
                    votes.append(probabilities[frames].sum(0) / len(frames))
                    labels.append(label)
    found = result.pooled["ckplus ck8"].scores["none"]["per sequence"]
    assert found.n == len(labels) == 28
    assert found.correct == sum(vote.argmax() == label for vote, label in zip(votes, labels, strict=True))


def test_per_sequence_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.5, 0.5], [0.0, 1.0]])
    means, labels = average_sequences(probabilities, np.array([0, 0, 0, 1, 1]), ["a", "a", "b", None, "a"])
    assert means == pytest.approx(np.array([[0.55, 0.45], [0.3, 0.7], [0.0, 1.0]]))
    assert labels.tolist() == [0, 0, 1]


def test_every_answer_is_kept_with_its_round(store, folds):
    folder, result = folds
    answers = read_answers(folder)
    pool = result.pooled["ckplus ck8"]
    for view in ("none", "mirror"):
        assert answers.right(view).sum() == pool.scores[view]["all"].correct
    rows = {row["key"]: row for row in merged.rows(store)}
    assert set(answers.keys) == {key for key, row in rows.items() if row["source"] == "ckplus"}
    assert answers.column("subject") == [rows[key]["subject"] for key in answers.keys]
    assert set(answers.column("fold")) == {one.round.name for one in result.rounds}
    splits = {row["key"]: split for split in store.splits for row in merged.rows(store, split)}
    assert answers.column("split") == [splits[key] for key in answers.keys]
    assert (answers.about["store_identity"], answers.about["protocol"]) == (store.identity, "ckplus")
    assert set(answers.about["model_identity"]) == {one.round.name for one in result.rounds}
    assert answers.clusters.words == "7 people"


def test_protocols_are_compared_image_by_image(store, folds, tmp_path):
    folder, result = folds
    carried_out(SubjectFolds(folds=3), store, tmp_path, seed=1)
    found = compare_answers(folder, tmp_path)
    assert found.n == result.pooled["ckplus ck8"].scores["none"]["all"].n
    assert found.accuracy.interval_method == "cluster bootstrap over 7 people"


def test_rounds_that_answer_one_class_are_marked(store, tmp_path):
    """A network that hardly learns answers one class."""
    result = carried_out(SubjectFolds(folds=3), store, tmp_path, learning_rate=1e-9)
    collapsed = [one for one in result.rounds if one.outcomes["ckplus ck8"].collapsed]
    assert collapsed
    for one in collapsed:
        outcome = one.outcomes["ckplus ck8"]
        name, share = outcome.commonest
        counts = np.bincount(outcome.answers["none"].argmax(1), minlength=8)
        assert share == counts.max() / counts.sum() >= 0.9
        assert one.to_dict()["scored"]["ckplus ck8"]["collapsed"] is True
        assert f"{one.round.name} answers {name} to" in (tmp_path / "report.html").read_text()
    assert [name for name, *_ in result.collapsed] == [one.round.name for one in collapsed]


def test_spread_over_rounds(folds):
    _, result = folds
    pool = result.pooled["ckplus ck8"]
    for part in ("all", "per sequence"):
        values = [one.outcomes["ckplus ck8"].scores["mirror"][part].accuracy for one in result.rounds]
        spread = pool.spread["mirror"][part]["accuracy"]
        mean = sum(values) / 3
        assert spread.mean == pytest.approx(mean)
        assert spread.deviation == pytest.approx((sum((value - mean) ** 2 for value in values) / 2) ** 0.5)


def test_protocol_writes_its_result(store, folds):
    folder, result = folds
    written = json.loads((folder / "protocol.json").read_text())
    assert written == json.loads(json.dumps(result.to_dict()))
    assert (written["protocol"], written["options"]) == ("ckplus", {"folds": 3})
    for one, written_round in zip(
        SubjectFolds(folds=3).rounds(store, trainings.quick(classes="ck8")), written["rounds"], strict=True
    ):
        scored = written_round["scored"]["ckplus ck8"]
        (held_out,) = one.scored.values()
        assert written_round["train"] == one.learned.splits["train"]
        assert written_round["dev"] == one.learned.splits["dev"]
        assert (scored["pictures"], scored["people"]) == (held_out.store.splits["test"], list(held_out.people))
        assert written_round["chosen"].startswith("epoch: on fold ")
        assert written_round["chosen_epoch"] == 1
    pooled = written["pooled"]["ckplus ck8"]
    assert pooled["scores"]["none"]["all"]["n"] == sum(
        one["scored"]["ckplus ck8"]["pictures"] for one in written["rounds"]
    )
    assert set(pooled["over_rounds"]["none"]) == {"all", "per sequence"}


def test_report_holds_the_figures(folds):
    folder, result = folds
    text = (folder / "report.html").read_text()
    pool = result.pooled["ckplus ck8"]
    for parts in pool.scores.values():
        assert f"{100 * parts['all'].accuracy:.2f} %" in text
        assert f"{parts['per sequence'].macro_f1:.4f}" in text
    spread = pool.spread["none"]["all"]["accuracy"]
    assert f"{100 * spread.mean:.2f} ± {100 * spread.deviation:.2f} %" in text
    for one in result.rounds:
        assert one.round.chosen in text
    assert " ".join(["angry", *map(str, pool.scores["none"]["all"].confusion[0])]) in rows(text)
    assert "accuracy over rounds" in text
    assert "<script" not in text


def test_stopped_protocol_resumes(store, folds, tmp_path):
    _, expected = folds
    with pytest.raises(KeyboardInterrupt):
        carried_out(SubjectFolds(folds=3), store, tmp_path, trainings.Stopping(epochs=2))
    first = tmp_path / "ck8-fold-1" / "model.safetensors"
    written = first.stat().st_mtime_ns
    assert not (tmp_path / "protocol.json").exists()
    assert not (tmp_path / "ck8-fold-2" / "model.safetensors").exists()
    assert carried_out(SubjectFolds(folds=3), store, tmp_path).to_dict() == expected.to_dict()
    assert first.stat().st_mtime_ns == written


def test_finished_protocol_is_only_scored(store, folds):
    folder, expected = folds
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/model.safetensors")}
    assert len(before) == 3
    assert carried_out(SubjectFolds(folds=3), store, folder).to_dict() == expected.to_dict()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_other_rounds_are_not_overwritten(store, folds):
    folder, _ = folds
    before = (folder / "protocol.json").read_text()
    for protocol, options in ((SubjectFolds(folds=4), {}), (SubjectFolds(folds=3), {"epochs": 2})):
        with pytest.raises(ValueError, match="holds a run with other"):
            carried_out(protocol, store, folder, **options)
    assert (folder / "protocol.json").read_text() == before


def test_overwrite_replaces_other_rounds(store, tmp_path):
    carried_out(LeaveOneSubjectOut(), store, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        carried_out(LeaveOneSubjectOut(), store, tmp_path, trainings.Stopping(epochs=1), overwrite=True, seed=1)
    assert not (tmp_path / "protocol.json").exists()
    assert carried_out(LeaveOneSubjectOut(), store, tmp_path, seed=1).config["seed"] == 1


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("place", ["notes.txt", "ck8-fold-1/dataset.json"])
def test_nothing_is_written_among_other_things(store, tmp_path, place, overwrite):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).touch()
    with pytest.raises(OptionError, match=rf"holds other things than .*{(tmp_path / place).name!r}"):
        carried_out(SubjectFolds(folds=3), store, tmp_path, overwrite=overwrite)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / place]


def test_train_is_given_no_scored_rows(store, tmp_path, monkeypatch):
    given = []

    def training(config, learned, folder, watch):
        given.append(merged.keys(learned))
        return train(config, learned, folder, watch)

    monkeypatch.setattr("emonet.protocols.run.train", training)
    result = carried_out(LeaveOneSubjectOut(), store, tmp_path)
    assert len(given) == 3
    for keys, one in zip(given, result.rounds, strict=True):
        (outcome,) = one.outcomes.values()
        assert len(outcome.keys) == 7
        assert not keys & set(outcome.keys)
        assert len(keys) == one.learned + one.chosen_on == 14


def test_each_subject_is_left_out_once(store, tmp_path):
    result = carried_out(LeaveOneSubjectOut(), store, tmp_path, classes="", all_train=True)
    (pool,) = result.pooled.values()
    assert (pool.rounds, pool.people, pool.scores["none"]["all"].n) == (3, 3, 21)
    assert [(one.learned, one.chosen_on) for one in result.rounds] == [(14, 0)] * 3
    assert set(pool.scores["none"]) == set(pool.spread["none"]) == {"all"}
    assert set(result.pooled) == {"jaffe"}


def test_each_class_list_has_its_scores(store, tmp_path):
    result = carried_out(SubjectFolds(folds=3), store, tmp_path, classes="ck6,ck7")
    counts = {name: pool.scores["none"]["all"].n for name, pool in result.pooled.items()}
    assert counts == {"ckplus ck6": 24, "ckplus ck7": 28}
    answers = read_answers(tmp_path)
    assert {name: len(answers.select(name)) for name in answers.scored} == counts
    assert [len(answers.select(name).classes("none")) for name in counts] == [6, 7]
    with pytest.raises(ValueError, match="ckplus ck6, ckplus ck7: choose one as `scored`"):
        compare_answers(tmp_path, tmp_path)
    assert compare_answers(tmp_path, tmp_path, scored="ckplus ck7").n == 28
    assert [len(pool.scores["none"]["all"].classes) for pool in result.pooled.values()] == [6, 7]


def test_official_splits_score_validation_and_test(store, tmp_path):
    result = carried_out(OfficialSplits(), store, tmp_path)
    assert list(result.pooled) == ["validation", "test"]
    for pool in result.pooled.values():
        assert (pool.rounds, pool.spread) == (1, {})
        assert set(pool.scores) == {"none", "mirror"}
        assert pool.scores["none"]["all"].n == 7
    (one,) = result.rounds
    assert (one.learned, one.chosen_on) == (27, 8)  # of FER2013's 35: dev's 14 are shared among the data sets


def test_kept_copies_have_their_own_scores(tmp_path, portrait):
    rows = imitations.fer2013_rows(portrait, training=35, tests=7)
    rows[35:38] = [replace(row, usage="PublicTest") for row in rows[:3]]
    table = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    store = trainings.build_store(tmp_path / "store", {"fer2013": table}, dev=7, leaks="keep")
    scores = carried_out(OfficialSplits(), store, tmp_path / "run", classes="").pooled["validation"].scores["none"]
    assert (scores[WITH_COPY].n, scores[WITHOUT_COPY].n) == (3, 4)


def test_cross_scores_each_other_source(store, tmp_path):
    result = carried_out(Cross(("fer2013",)), store, tmp_path, classes="fer7")
    parts = {name: pool.scores["none"] for name, pool in result.pooled.items()}
    assert {name: scores["all"].n for name, scores in parts.items()} == {"ckplus": 38, "jaffe": 21}
    assert ("per sequence" in parts["ckplus"], "per sequence" in parts["jaffe"]) == (True, False)
    assert {path.name for path in tmp_path.iterdir()} == {
        "answers.parquet",
        "from-fer2013",
        "protocol.json",
        "report.html",
    }


def test_learning_curve_is_drawn(store, tmp_path):
    result = carried_out(LearningCurve((0.4, 1)), store, tmp_path)
    few, all_ = (one.learned for one in result.rounds)
    assert few < all_ == store.splits["train"]
    assert list(result.pooled) == ["share 0.4", "share 1"]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "report.html").read_text()
    assert "data:image/png" in text
    assert "shares 0.4, 1; equal steps" in text
    assert "accuracy over rounds" not in text


def test_the_legend_of_a_learning_curve_covers_nothing(tmp_path, monkeypatch):
    """With three views it is wide: it must neither cover the titles nor leave the figure."""
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, **_: note(figure, path))

    def note(figure, path):
        figure.draw_without_rendering()
        drawn.append(figure)
        path.write_bytes(b"")

    def made(accuracy):
        return {"all": SimpleNamespace(accuracy=accuracy, accuracy_interval=(accuracy - 0.1, accuracy + 0.1))}

    views = ("none", "mirror", "ten_crop")
    outcome = SimpleNamespace(answers=dict.fromkeys(views), scores={view: made(0.5) for view in views})
    rounds = [SimpleNamespace(learned=number, outcomes={"share": outcome}) for number in (10, 100)]
    draw_learning_curve(SimpleNamespace(rounds=rounds, config={"model": "emonet"}), tmp_path / "curve.png")
    (figure,) = drawn
    (axes,) = figure.axes
    (legend,) = [*figure.legends, *filter(None, [axes.get_legend()])]
    box = legend.get_window_extent()
    own = legend.findobj(Text)
    others = [text for text in figure.findobj(Text) if text.get_text() and text not in own]
    assert not [text.get_text() for text in others if box.overlaps(text.get_window_extent())]
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= figure.bbox.y0


def test_learning_curve_of_one_point_is_drawn(store, tmp_path):
    result = carried_out(LearningCurve((1,)), store, tmp_path)
    assert result.rounds[0].round.chosen == "epoch: on dev; scored once on validation"
    assert (tmp_path / "curve.png").is_file()


def test_ensemble_rounds_are_scored(store, tmp_path):
    result = carried_out(LeaveOneSubjectOut(), store, tmp_path, members=2)
    assert [one.epoch for one in result.rounds] == [None] * 3


def test_several_processes_are_refused(store, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="a protocol runs in one process"):
        carried_out(LeaveOneSubjectOut(), store, tmp_path)
