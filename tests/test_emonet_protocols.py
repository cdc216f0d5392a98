"""The rounds of each protocol: which rows are learned from, chosen on and scored. Nothing is trained here."""

import math
from dataclasses import replace
from pathlib import Path

import imitations
import merged
import numpy as np
import pytest
import trainings

from emonet.datasets.store.regrouped import regroup
from emonet.heads import Head
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.model_file import LEARNED_VALIDATION
from emonet.protocols import PROTOCOLS, Cross, LearningCurve, LeaveOneSubjectOut, OfficialSplits, SubjectFolds
from emonet.training.teacher_labels import TeacherLabels


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return merged.build_merged(tmp_path_factory.mktemp("merged"), portrait)


def rows_of(store, source):
    return {row["key"]: row for row in merged.rows(store) if row["source"] == source}


def scored_keys(one):
    return {key for held_out in one.scored.values() for key in merged.keys(held_out.store, held_out.split)}


ALL_ROUNDS = [
    (OfficialSplits(), {}),
    (SubjectFolds(folds=4), {}),
    (SubjectFolds(folds=3), {"classes": "ck6", "all_train": True}),
    (LeaveOneSubjectOut(), {}),
    (LeaveOneSubjectOut(), {"all_train": True}),
    (Cross(("fer2013",)), {}),
    (Cross(("ckplus", "jaffe"), ("fer2013",)), {"all_train": True}),
    (LearningCurve((0.4, 1)), {}),
]


@pytest.mark.parametrize(("protocol", "options"), ALL_ROUNDS)
def test_training_view_lacks_scored_rows(store, protocol, options):
    for one in protocol.rounds(store, trainings.quick(**options)):
        assert set(one.learned.splits) == ({"train"} if options.get("all_train") else {"train", "dev"})
        assert not merged.keys(one.learned) & scored_keys(one)
        assert scored_keys(one)


@pytest.mark.parametrize("protocol", [SubjectFolds(folds=4), LeaveOneSubjectOut()])
def test_subjects_are_not_trained_on_and_scored(store, protocol):
    for one in protocol.rounds(store, trainings.quick()):
        (held_out,) = one.scored.values()
        sides = [merged.people(one.learned, "train"), merged.people(one.learned, "dev"), merged.people(held_out.store)]
        assert all(sides)
        assert sum(map(len, sides)) == len(set.union(*sides))
        assert set(held_out.people) == {f"{source}/{subject}" for source, subject in sides[2]}


@pytest.mark.parametrize(("protocol", "source"), [(SubjectFolds(folds=4), "ckplus"), (LeaveOneSubjectOut(), "jaffe")])
def test_every_row_is_scored_once(store, protocol, source):
    expected = rows_of(store, source)
    assert {row["key"] for row in merged.rows(store, "validation", "test")} & set(expected)
    assert merged.times(protocol.rounds(store, trainings.quick())) == dict.fromkeys(expected, 1)


@pytest.mark.parametrize(("protocol", "source"), [(SubjectFolds(folds=4), "ckplus"), (LeaveOneSubjectOut(), "jaffe")])
def test_dev_is_the_part_scored_next(store, protocol, source):
    rounds = protocol.rounds(store, trainings.quick())
    scored = [scored_keys(one) for one in rounds]
    for one, after in zip(rounds, [*scored[1:], scored[0]], strict=True):
        assert merged.keys(one.learned, "dev") == after
        assert len(merged.keys(one.learned, "train")) == len(rows_of(store, source)) - len(after) - len(
            scored_keys(one)
        )


def test_all_train_learns_from_all_other_subjects(store):
    for one in LeaveOneSubjectOut().rounds(store, trainings.quick(all_train=True)):
        assert merged.keys(one.learned, "train") == set(rows_of(store, "jaffe")) - scored_keys(one)
        assert one.chosen.startswith("nothing was chosen: a fixed schedule; scored once on K")


def test_folds_are_reproducible_and_even(store):
    first, second = (SubjectFolds(folds=3).rounds(store, trainings.quick(seed=seed)) for seed in (0, 1))
    assert [scored_keys(one) for one in first] == [scored_keys(one) for one in second]
    sizes = [len(scored_keys(one)) for one in first]
    assert max(sizes) <= 2 * min(sizes)
    assert [one.name for one in first] == ["fold-1", "fold-2", "fold-3"]


def test_several_class_lists_make_several_rounds(store):
    rounds = SubjectFolds(folds=3).rounds(store, trainings.quick(classes="ck6,ck7,ck8"))
    assert [one.name for one in rounds] == [f"{name}-fold-{k}" for name in ("ck6", "ck7", "ck8") for k in (1, 2, 3)]
    for one in rounds:
        (title,) = one.scored
        classes = one.config.classes
        assert title == f"ckplus {classes}"
        found = {row["emotion"] for row in merged.rows(one.learned)}
        assert ("contempt" in found, "neutral" in found) == (classes != "ck6", classes == "ck8")


def test_class_names_make_one_list(store):
    rounds = LeaveOneSubjectOut().rounds(store, trainings.quick(classes="happy,sad"))
    assert [one.name for one in rounds] == [f"happy-sad-{name}" for name in imitations.JAFFE_PEOPLE[:4]]
    assert {row["emotion"] for one in rounds for row in merged.rows(one.learned)} == {"happy", "sad"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "epoch: on KL, who are not learned from; scored once on KA"),
        ({"keep": "last"}, "nothing was chosen: a fixed schedule; scored once on KA"),
        (
            {"schedule": "plateau", "stop_after": 2, "orders": 2},
            "epoch, learning rate, number of epochs, data order: on KL, who are not learned from; scored once on KA",
        ),
    ],
)
def test_rounds_say_what_was_chosen(store, options, words):
    assert LeaveOneSubjectOut().rounds(store, trainings.quick(**options))[0].chosen == words


def test_official_splits_are_scored(store):
    (one,) = OfficialSplits().rounds(store, trainings.quick())
    for split in ("train", "dev"):
        own = {row["key"] for row in merged.rows(store, split) if row["source"] == "fer2013"}
        assert merged.keys(one.learned, split) == own
    assert list(one.scored) == ["validation", "test"]
    for split, held_out in one.scored.items():
        own = {row["key"] for row in merged.rows(store, split) if row["source"] == "fer2013"}
        assert merged.keys(held_out.store, held_out.split) == own
    assert one.chosen == "epoch: on dev, a part of Training; scored once on validation and test"


def test_cross_scores_all_rows_of_other_sources(store):
    (one,) = Cross(("fer2013",)).rounds(store, trainings.quick())
    assert {row["source"] for row in merged.rows(one.learned)} == {"fer2013"}
    assert set(one.scored) == {"ckplus", "jaffe"}
    for source, held_out in one.scored.items():
        assert merged.keys(held_out.store) == set(rows_of(store, source))
    (other,) = Cross(("fer2013", "ckplus"), ("jaffe",)).rounds(store, trainings.quick())
    assert ({row["source"] for row in merged.rows(other.learned)}, set(other.scored)) == (
        {"fer2013", "ckplus"},
        {"jaffe"},
    )


def test_copies_of_scored_rows_are_not_learned_from(tmp_path, portrait):
    """The first faces that one source has to learn from are the other's as well."""
    shared = imitations.fer2013_rows(portrait, training=35, tests=0)
    lines = ["emotion,pixels,Usage"]
    lines += [f"{row.code},{imitations.pixels(row.face)},Training" for row in shared[:5]]
    lines += [f"{7},{imitations.pixels(imitations.small_face(portrait, 900, 'contempt'))},Training"]
    inputs = {
        "fer2013": imitations.write_fer2013_csv(tmp_path / "fer2013.csv", shared),
        "ckplus": imitations.write_text(tmp_path / "ckextended.csv", "\n".join(lines) + "\n"),
    }
    store = trainings.build_store(tmp_path / "store", inputs, dev=7, near=0.9999)
    (one,) = Cross(("fer2013",)).rounds(store, trainings.quick())
    assert one.left_out == 5
    assert len(merged.keys(one.learned)) == 30
    assert len(scored_keys(one)) == 5


def test_shares_are_nested_and_keep_subjects_whole(store):
    rounds = LearningCurve((1, 0.5, 0.25)).rounds(store, trainings.quick())
    learned = [merged.keys(one.learned, "train") for one in rounds]
    assert learned[0] < learned[1] < learned[2] == merged.keys(store, "train")
    assert [one.name for one in rounds] == ["share-0.25", "share-0.5", "share-1"]
    for one, own in zip(rounds, learned, strict=True):
        known = {person for person in merged.people(one.learned, "train") if person[1]}
        others = {(row["source"], row["subject"]) for row in merged.rows(store, "train") if row["key"] not in own}
        assert not known & others
        assert merged.keys(one.learned, "dev") == merged.keys(store, "dev")
        assert scored_keys(one) == merged.keys(store, "validation")


def test_shares_do_not_depend_on_the_draw_of_dev(tmp_path, portrait):
    table = trainings.write_faces(tmp_path / "fer2013.csv", portrait, training=56)
    store = trainings.build_store(tmp_path / "store", {"fer2013": table}, dev=28, near=0.9999)
    quarter, half = LearningCurve((0.25, 0.5)).rounds(store, trainings.quick())
    assert 3 <= quarter.learned.splits["train"] <= 11
    assert 9 <= half.learned.splits["train"] <= 19


def test_shares_have_equal_steps(store):
    options = {"epochs": 40, "warmup": 1, "patience": 20, "stop_after": 30, "augment_from": {"3": "mirror"}}
    config = trainings.quick(**options)
    half, whole = LearningCurve((0.5, 1)).rounds(store, config)
    steps, own_steps = (math.ceil(len(merged.keys(one.learned, "train")) / 8) for one in (whole, half))
    times = steps / own_steps
    assert times > 1
    assert whole.config == config
    assert half.config.epochs * own_steps == pytest.approx(40 * steps, abs=own_steps / 2)
    assert half.config.warmup == pytest.approx(times)
    assert (half.config.patience, half.config.stop_after) == (round(20 * times), round(30 * times))
    assert half.config.augment_from == {str(1 + round(2 * times)): "mirror"}
    assert [one.config for one in LearningCurve((0.5, 1), "epochs").rounds(store, config)] == [config, config]


def test_shares_include_dev_with_all_train(store):
    (one,) = LearningCurve((1,)).rounds(store, trainings.quick(all_train=True))
    assert merged.keys(one.learned, "train") == merged.keys(store, "train", "dev")


def rewrite(path, **training):
    """Write a model file that says something else of its training; return its path."""
    stored = load_checkpoint(path)
    changed = Path(path).with_name(f"{'-'.join(training) or 'unknown'}.safetensors")
    replace(stored, training={**stored.training, **training} if training else {}).save(changed)
    return str(changed)


@pytest.fixture(scope="module")
def of_kdef(store, tmp_path_factory):
    """A model that says that it learned from KDEF alone, which is scored nowhere."""
    folder = tmp_path_factory.mktemp("kdef")
    trainings.trained(store, folder, epochs=1, sources=["jaffe"], all_train=True)
    return rewrite(str(folder / "model.safetensors"), sources={"kdef": 5})


def options_of(path, **options):
    """What the model file says of its options, changed."""
    return {**load_checkpoint(path).training["config"], **options}


ALL_PROTOCOLS = [LeaveOneSubjectOut(), SubjectFolds(folds=3), Cross(("fer2013",)), LearningCurve(), OfficialSplits()]


@pytest.mark.parametrize("use", ["init", "teacher"])
def test_what_a_start_began_with_or_was_taught_by_counts_too(store, of_kdef, use):
    others = {"init": {"init": "emonet_fast"}, "teacher": {"teacher": ["emonet"]}}[use]
    path = rewrite(of_kdef, config=options_of(of_kdef, **others))
    for learns in ({"init": path}, {"teacher": [path]}):
        config = trainings.quick(**learns)
        assert LeaveOneSubjectOut().rounds(store, config)
        for protocol in (Cross(("ckplus",), ("fer2013",)), LearningCurve()):
            with pytest.raises(ValueError, match="learned from fer2013 already: take weights that did not"):
                protocol.rounds(store, config)


@pytest.mark.parametrize("protocol", ALL_PROTOCOLS)
def test_weights_of_which_nothing_is_recorded_are_refused(store, of_kdef, protocol):
    assert protocol.rounds(store, trainings.quick(init=of_kdef))
    for path in (rewrite(of_kdef), rewrite(of_kdef, adapted={"data": []})):
        for learns in ({"init": path}, {"teacher": [path]}):
            with pytest.raises(ValueError, match="learned from is not known"):
                protocol.rounds(store, trainings.quick(**learns))


def test_weights_that_began_with_a_file_are_refused_where_train_is_scored(store, of_kdef):
    path = rewrite(of_kdef, config=options_of(of_kdef, init="old.safetensors"))
    for protocol in (LeaveOneSubjectOut(), LearningCurve()):
        with pytest.raises(ValueError, match="learned from is not known"):
            protocol.rounds(store, trainings.quick(init=path))
    assert OfficialSplits().rounds(store, trainings.quick(init=path))


@pytest.mark.parametrize("use", ["init", "teacher", "teacher labels"])
def test_weights_that_learned_from_validation_are_refused_where_it_is_scored(store, of_kdef, tmp_path, use):
    about = {"sources": ["kdef"], LEARNED_VALIDATION: True}
    path, labels = rewrite(of_kdef, **{LEARNED_VALIDATION: True}), tmp_path / "labels.parquet"
    TeacherLabels([], np.empty(0, np.int64), np.empty((0, 8), np.float32), (Head("x", store.classes),), about).save(
        labels
    )
    ways = {"init": {"init": path}, "teacher": {"teacher": [path]}, "teacher labels": {"teacher_labels": [str(labels)]}}
    config = trainings.quick(**ways[use])
    for protocol in (OfficialSplits(), LearningCurve()):
        with pytest.raises(ValueError, match="learned from validation, which is scored"):
            protocol.rounds(store, config)
    only_test = regroup(store, {split: list(merged.keys(store, split)) for split in ("train", "dev", "test")}, {})
    assert OfficialSplits().rounds(only_test, config)


@pytest.mark.parametrize("use", ["init", "one of several", "teacher", "teacher labels"])
def test_start_and_teacher_must_not_have_learned_scored_data(store, tmp_path, use):
    trainings.trained(store, tmp_path, epochs=1, sources=["jaffe"], all_train=True)
    known = str(tmp_path / "model.safetensors")
    other = rewrite(known, sources={"kdef": 5})
    labels = tmp_path / "labels.parquet"
    heads = (Head("jaffe", store.classes),)
    TeacherLabels([], np.empty(0, np.int64), np.empty((0, 8), np.float32), heads, {"sources": ["jaffe"]}).save(labels)
    ways = {
        "init": {"init": known},
        "one of several": {"init": f"{other},{known}"},
        "teacher": {"teacher": [known]},
        "teacher labels": {"teacher_labels": [str(labels)]},
    }
    config = trainings.quick(**ways[use])
    assert SubjectFolds(folds=3).rounds(store, config)
    for protocol in (LeaveOneSubjectOut(), Cross(("fer2013",)), LearningCurve()):
        with pytest.raises(ValueError, match="learned from jaffe already: take weights that did not"):
            protocol.rounds(store, config)


def test_unknown_subjects_are_refused(tmp_path, portrait):
    renamed = imitations.write_ckplus48(tmp_path / "renamed", portrait, names=False)
    store = trainings.build_store(tmp_path / "store", {"ckplus": renamed}, leaks="keep")
    with pytest.raises(ValueError, match=r"the subject of 18 of 18 images from ckplus is not known"):
        SubjectFolds(folds=3).rounds(store, trainings.quick())


@pytest.mark.parametrize("protocol", [OfficialSplits(), LearningCurve()])
def test_nothing_to_score_is_refused(store, protocol):
    only = regroup(store, {"train": list(merged.keys(store, "train"))}, {})
    with pytest.raises(ValueError, match="to score"):
        protocol.rounds(only, trainings.quick())


@pytest.mark.parametrize(
    ("protocol", "options", "words"),
    [
        (OfficialSplits(), {"fold": 1}, "leave out `fold` and `sources`"),
        (LeaveOneSubjectOut(), {"sources": ["jaffe"]}, "leave out `fold` and `sources`"),
        (LeaveOneSubjectOut(), {"leave_out": 1}, "leave out `leave_out` and `out_of_fold`"),
        (SubjectFolds(), {"out_of_fold": True}, "leave out `leave_out` and `out_of_fold`"),
        (SubjectFolds(folds=2), {}, "must make 3 parts or more"),
        (SubjectFolds(folds=1), {}, "folds must be from 2 to 7"),
        (SubjectFolds(folds=8), {}, "folds must be from 2 to 7, the number of groups"),
        (Cross(("kdef",)), {}, "has no images from kdef of these classes; its sources are fer2013, ckplus, jaffe"),
        (Cross(("jaffe",), ("kdef",)), {}, "no images from kdef"),
        (Cross(("fer2013", "ckplus", "jaffe")), {}, "has no other source to score"),
        (LearningCurve((0.0001, 1)), {}, "a share of 0.0001 holds none of the"),
        (LearningCurve(equal="epochs"), {"steps": 5}, "leave it out for equal epochs"),
        (SubjectFolds(), {"classes": "happy,cross"}, "classes must be one of"),
    ],
)
def test_impossible_rounds_are_refused(store, protocol, options, words):
    with pytest.raises(ValueError, match=words):
        protocol.rounds(store, trainings.quick(**options))


def test_missing_class_is_refused(tmp_path, portrait):
    store = trainings.build_faces(tmp_path, portrait)
    with pytest.raises(ValueError, match="has no class contempt; its classes are angry"):
        OfficialSplits().rounds(store, trainings.quick(classes="ck7"))


@pytest.mark.parametrize(("asked", "names"), [("ck7", "ck8"), ("happy,contempt", "ck8")])
def test_a_missing_class_names_the_build_that_has_it(tmp_path, portrait, asked, names):
    store = trainings.build_faces(tmp_path, portrait)
    with pytest.raises(ValueError, match=rf"Leave {asked} out, or build .*emonet build ... --classes {names}$"):
        OfficialSplits().rounds(store, trainings.quick(classes=asked))


def test_shares_keep_the_steps_of_a_recipe(store):
    """Forty images are shown ten times an epoch; a share has as many steps as all of them."""
    whole = len(merged.keys(store, "train"))
    config = trainings.quick(epochs=4, epoch_images=10 * whole)
    half, all_ = LearningCurve((0.5, 1)).rounds(store, config)
    steps = [one.config.epochs * math.ceil(one.learned.splits["train"] / 8) for one in (half, all_)]
    assert steps == pytest.approx([4 * 10 * whole / 8] * 2, rel=0.1)
    assert {one.config.epoch_images for one in (half, all_)} == {0}
    assert {one.config.epoch_images for one in LearningCurve((0.5, 1), "epochs").rounds(store, config)} == {0}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Cross(()), "name one source or more"),
        (lambda: Cross(("",)), "name one source or more"),
        (lambda: Cross(("jaffe", "ckplus"), ("jaffe",)), "jaffe cannot be learned from and scored"),
        (lambda: LearningCurve((0.5, 2)), "shares must be numbers above 0, at most 1, got 0.5, 2"),
        (lambda: LearningCurve(()), "shares must be"),
        (lambda: LearningCurve(equal="words"), "equal must be one of steps, epochs, got 'words'"),
    ],
)
def test_bad_protocol_options_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_every_protocol_has_a_name_and_a_title():
    assert list(PROTOCOLS) == ["fer2013", "ckplus", "jaffe", "cross", "learning-curve"]
    assert all(kind.title for kind in PROTOCOLS.values())
