"""Training on three merged data sets: what is learned from each, and how each is scored."""

from collections import Counter

import imitations
import pytest
import trainings

from emonet.evaluation.metrics import score
from emonet.faces import read_faces
from emonet.inference.devices import open_machine
from emonet.inference.torch_classifier import TorchClassifier
from emonet.training.material import gather_material
from emonet.training.sampling import Sampling

SOURCES = ("ckplus", "fer2013", "jaffe")


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    folder = tmp_path_factory.mktemp("merged")
    inputs = {
        "fer2013": trainings.write_faces(folder / "fer2013.csv", portrait),
        "ckplus": imitations.write_ckplus(folder / "CK+", portrait, subjects=6, frames=5),
        "jaffe": imitations.write_jaffe(folder / "jaffe", portrait, people=imitations.JAFFE_PEOPLE[:4]),
    }
    return trainings.build_store(folder / "store", inputs, dev=24, shares={"train": 1.0})


@pytest.fixture(scope="module")
def checkpoint(store, tmp_path_factory):
    return trainings.trained(store, tmp_path_factory.mktemp("run"), balance_sources=True)


def counted(store, split):
    return {source: sum(splits.get(split, {}).values()) for source, splits in store.info.counts.items()}


def test_training_uses_all_sources(store, checkpoint):
    assert checkpoint.training["sources"] == counted(store, "train")
    assert set(checkpoint.training["sources"]) == set(SOURCES)
    assert min(checkpoint.training["sources"].values()) > 0


def test_balance_sources_shows_sources_equally_often(store, checkpoint):
    faces = read_faces(store, ["train"], checkpoint.input)
    order = Sampling(faces, trainings.quick(balance_sources=True)).draw_order(0)
    shares = Counter(faces.sources[order].tolist())
    for source in SOURCES:
        assert shares[source] == pytest.approx(len(faces) / 3, abs=3.5)  # counts are rounded for each class of a source
    assert len(set(counted(store, "train").values())) == 3


def test_dev_is_scored_by_source(store, checkpoint):
    dev = read_faces(store, ["dev"], checkpoint.input)
    answers = TorchClassifier(checkpoint.network(), checkpoint.input, open_machine("cpu", "fp32"))(dev.pixels)
    parts = checkpoint.scores["dev_by_source"]
    assert {source: part["n"] for source, part in parts.items()} == counted(store, "dev")
    for source, part in parts.items():
        own = dev.sources == source
        expected = score(answers[own], dev.labels[own], dev.classes)
        assert (part["accuracy"], part["macro_f1"]) == (expected.accuracy, expected.macro_f1)
    right = sum(part["accuracy"] * part["n"] for part in parts.values())
    assert right / len(dev) == pytest.approx(checkpoint.scores["dev"]["accuracy"])


def test_a_source_with_weight_is_learned_better(store, tmp_path):
    options = {"arguments": {"widths": [8, 8, 8, 32]}, "scaling": "standardised", "learning_rate": 0.01, "epochs": 6}
    losses = {}
    for name, weights in {"fer2013": {"jaffe": 0}, "jaffe": {"fer2013": 0}}.items():
        trained = trainings.trained(store, tmp_path / name, source_weights=weights, **options)
        faces = read_faces(store, ["train"], trained.input, sources=["jaffe"])
        answers = TorchClassifier(trained.network(), trained.input, open_machine("cpu", "fp32"))(faces.pixels)
        losses[name] = score(answers, faces.labels, faces.classes).log_loss
    assert losses["jaffe"] < losses["fer2013"]


def test_sources_restricts_training_and_scores(store, tmp_path):
    checkpoint = trainings.trained(store, tmp_path, sources=["ckplus", "jaffe"])
    counts = counted(store, "train")
    assert checkpoint.training["sources"] == {source: counts[source] for source in ("ckplus", "jaffe")}
    assert checkpoint.training["left_out"] == {"fer2013": counts["fer2013"]}
    assert set(checkpoint.scores["dev_by_source"]) == {"ckplus", "jaffe"}


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_heads_have_the_same_names_whichever_fold_is_chosen_on(tmp_path, portrait):
    inputs = {
        "fer2013": trainings.write_faces(tmp_path / "fer2013.csv", portrait),
        "jaffe": imitations.write_jaffe(tmp_path / "jaffe", portrait, people=imitations.JAFFE_PEOPLE[:1]),
    }
    store = trainings.build_store(tmp_path / "store", inputs, folds=3, shares={"train": 1.0})
    materials = [gather_material(trainings.quick(fold=fold), store) for fold in range(3)]
    assert {len({*one.train.sources.tolist()}) for one in materials} == {1, 2}  # all of JAFFE is in one fold
    assert [[head.name for head in one.heads] for one in materials] == [["labels"]] * 3
