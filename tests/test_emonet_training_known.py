"""What the models that a run begins with or is taught by know of dev goes into its model file, and is warned of."""

from dataclasses import replace
from pathlib import Path

import imitations
import pytest
import trainings

from emonet.errors import OptionError
from emonet.evaluation import evaluate
from emonet.evaluation.calibration import fit_temperatures
from emonet.evaluation.coverage import measure_on_dev
from emonet.inference.averaging import average_answers, average_weights
from emonet.inference.checkpoint import load_checkpoint
from emonet.inference.devices import open_machine
from emonet.inference.learned import learned_from_dev
from emonet.inference.model_file import LEARNED_DEV, LEARNED_VALIDATION, TAUGHT_DEV
from emonet.report.provenance import chosen, part_of_split
from emonet.report.tables import choice_words, may_choose
from emonet.training.teacher_labels import load_teacher_labels

CPU = open_machine("cpu", "fp32")


class Listening(trainings.Stopping):
    def __init__(self):
        super().__init__()
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    """28 training faces and 7 for dev of FER2013, and some of JAFFE."""
    folder = tmp_path_factory.mktemp("known")
    inputs = {
        "fer2013": trainings.write_faces(folder / "fer2013.csv", portrait),
        "jaffe": imitations.write_jaffe(folder / "jaffe", portrait, people=imitations.JAFFE_PEOPLE[:4]),
    }
    shares = {"train": 0.75, "validation": 0.25}
    return trainings.build_store(folder / "store", inputs, dev=14, folds=3, shares=shares)


@pytest.fixture(scope="module")
def make(store, tmp_path_factory):
    """Train a model once, by a name; return the path of its file."""
    folder = tmp_path_factory.mktemp("runs")

    def train(name, **options):
        path = folder / name / "model.safetensors"
        if not path.exists():
            trainings.trained(store, path.parent, **{"epochs": 1, "sources": ["fer2013"], **options})
        return str(path)

    return train


@pytest.fixture
def whole(make):
    """A model that learned from dev of FER2013, too."""
    return make("whole", all_train=True)


@pytest.fixture
def held(make):
    """A model that was chosen on dev."""
    return make("held")


def learned(path):
    return load_checkpoint(path).training


def labels_of(path):
    """The file of soft labels of an out-of-fold run."""
    return Path(path).with_name("teacher_labels.parquet")


def notes_of(store, folder, **options):
    watch = Listening()
    trainings.trained(store, folder, watch, epochs=1, **{"sources": ["fer2013"], **options})
    return " ".join(watch.notes)


def test_a_model_that_learned_from_dev_names_its_data_sets(whole, held):
    assert learned(whole)[LEARNED_DEV] == ["fer2013"]
    assert LEARNED_DEV not in learned(held)
    assert (learned_from_dev(learned(whole)), learned_from_dev(learned(held))) == (True, False)


def test_what_a_start_learned_from_dev_passes_to_the_model(store, make, whole):
    began = load_checkpoint(make("began", init=whole))
    assert began.training[LEARNED_DEV] == ["fer2013"]
    for measure in (fit_temperatures, measure_on_dev):
        with pytest.raises(OptionError, match="learned from dev, or the weights that it began with did"):
            measure(began, store)
    scored = evaluate(began, store, "dev", sources=["fer2013"], machine=CPU)
    assert not may_choose(scored)
    assert choice_words(scored).startswith("The model learned from dev")
    assert part_of_split(scored) == "the weights that the model began with learned from it: this is no test"
    again = make("again", init=make("began", init=whole))
    assert learned(again)[LEARNED_DEV] == ["fer2013"]


def test_choices_on_images_that_the_start_knows_are_told(make, whole, held):
    known = learned(make("best", init=whole, epochs=2))
    assert chosen(known).endswith("by accuracy on dev, from which the weights that it began with had learned")
    assert chosen(learned(make("fresh", init=held, epochs=2))).endswith("by accuracy on dev")


@pytest.mark.parametrize("written", ["now", "before there was a list"])
def test_a_warning_comes_before_the_first_step(store, whole, held, tmp_path, written):
    start = load_checkpoint(whole)
    if written != "now":
        start = replace(start, training={name: it for name, it in start.training.items() if name != LEARNED_DEV})
    start.save(tmp_path / "start.safetensors")
    count = store.info.counts["fer2013"]["dev"]
    words = f"learned from {sum(count.values())} of the {sum(count.values())} images to choose on"
    assert words in notes_of(store, tmp_path / "run", init=str(tmp_path / "start.safetensors"))
    assert learned(tmp_path / "run" / "model.safetensors")[LEARNED_DEV] == ["fer2013"]
    assert "to begin with" not in notes_of(store, tmp_path / "held", init=held)
    assert "to begin with" not in notes_of(store, tmp_path / "all", init=whole, all_train=True)


def test_a_fold_that_the_start_learned_from_is_warned_of(store, make, held, tmp_path):
    assert "to begin with" in notes_of(store, tmp_path / "run", init=held, fold=1)
    same = make("fold", fold=1)
    assert "to begin with" not in notes_of(store, tmp_path / "same", init=same, fold=1)
    assert "to begin with" in notes_of(store, tmp_path / "other", init=same, fold=2)
    later = make("later fold", init=make("other fold", fold=2), fold=1)
    assert "to begin with" in notes_of(store, tmp_path / "later", init=later, fold=1)
    elsewhere = {**learned(same), "identity": {**learned(same)["identity"], "data": "another"}}
    replace(load_checkpoint(same), training=elsewhere).save(tmp_path / "elsewhere.safetensors")
    assert "to begin with" in notes_of(store, tmp_path / "here", init=str(tmp_path / "elsewhere.safetensors"), fold=1)


@pytest.mark.parametrize("option", ["fold", "leave_out"])
def test_an_average_has_learned_the_fold_that_one_of_its_models_left_alone(store, make, tmp_path, option):
    starts = [make(f"{option} {fold}", **{option: fold}) for fold in (0, 1)]
    assert "to begin with" in notes_of(store, tmp_path / "run", init=",".join(starts), fold=0)
    average_weights([load_checkpoint(one) for one in (starts[0], starts[0])]).save(tmp_path / "same.safetensors")
    assert "to begin with" not in notes_of(store, tmp_path / "same", init=str(tmp_path / "same.safetensors"), fold=0)


def test_other_data_sets_stay_free_of_what_a_start_knows(store, whole, tmp_path):
    """Dev of JAFFE is new to weights that learned from dev of FER2013, and they still know that of FER2013."""
    words = notes_of(store, tmp_path / "jaffe", init=whole, sources=["jaffe"])
    other = load_checkpoint(tmp_path / "jaffe" / "model.safetensors")
    assert "to begin with" not in words
    assert learned_from_dev(other.training, ["fer2013", "jaffe"])
    assert not learned_from_dev(other.training, ["jaffe"])
    assert may_choose(evaluate(other, store, "dev", sources=["jaffe"], machine=CPU))
    back = notes_of(store, tmp_path / "back", init=str(tmp_path / "jaffe" / "model.safetensors"))
    assert "images to choose on" in back.partition("to begin with")[2]


def test_a_teacher_that_learned_from_dev_is_a_remark_and_no_refusal(store, make, whole, monkeypatch):
    trainings.fit_on_few(monkeypatch)
    taught = load_checkpoint(make("taught", teacher=[whole], keep="last"))
    assert (taught.training[TAUGHT_DEV], learned_from_dev(taught.training)) == (["fer2013"], False)
    assert fit_temperatures(taught, store)
    scored = evaluate(taught, store, "dev", sources=["fer2013"], machine=CPU)
    assert may_choose(scored)
    assert any("a teacher of the model learned from dev" in remark for remark in scored.remarks)
    assert part_of_split(scored).endswith("chose anything on it, but a teacher of the model learned from it")
    elsewhere = evaluate(taught, store, "dev", sources=["jaffe"], machine=CPU)
    assert not any("a teacher" in remark for remark in elsewhere.remarks)
    later = make("later", init=make("taught", teacher=[whole], keep="last"))
    assert learned(later)[TAUGHT_DEV] == ["fer2013"]


def test_teacher_labels_of_networks_that_learned_from_dev_are_a_remark(make):
    path = labels_of(make("folds", out_of_fold=True, all_train=True, label_view="none"))
    labels = load_teacher_labels(path)
    assert labels.about[LEARNED_DEV] == labels.about["sources"] == ["fer2013"]
    assert learned(make("student", teacher_labels=[str(path)]))[TAUGHT_DEV] == ["fer2013"]
    older = {name: it for name, it in labels.about.items() if name != LEARNED_DEV}
    replace(labels, about=older).save(path.with_name("old.parquet"))
    assert learned(make("old student", teacher_labels=[str(path.with_name("old.parquet"))]))[TAUGHT_DEV] == ["fer2013"]


def test_teacher_labels_say_what_their_starts_learned_from(make, tmp_path):
    start = make("on jaffe", sources=["jaffe"], all_train=True)
    known = replace(load_checkpoint(start), training=learned(start) | {LEARNED_VALIDATION: True})
    known.save(tmp_path / "start.safetensors")
    path = labels_of(make("begun folds", init=str(tmp_path / "start.safetensors"), out_of_fold=True, label_view="none"))
    about = load_teacher_labels(path).about
    assert (about["sources"], about[LEARNED_DEV], about[LEARNED_VALIDATION]) == (["fer2013", "jaffe"], ["jaffe"], True)
    assert learned(make("their student", teacher_labels=[str(path)]))[LEARNED_VALIDATION]


@pytest.mark.parametrize("average", [average_answers, average_weights])
def test_an_average_knows_what_any_of_its_models_knows(make, whole, held, average):
    models = [load_checkpoint(one) for one in (held, whole, make("taught", teacher=[whole], keep="last"))]
    made = average(models)
    assert (made.training[LEARNED_DEV], made.training[TAUGHT_DEV]) == (["fer2013"], ["fer2013"])
    with_unknown = average([replace(models[0], training={}), *models[1:]])
    assert learned_from_dev(with_unknown.training)
