"""Views of a data set: the chosen rows and no others, in the order of the data set, from the same files."""

import itertools

import imitations
import pytest
import trainings

from emonet.datasets.store import open_store
from emonet.datasets.store.regrouped import regroup
from emonet.faces import read_faces
from emonet.models.inputs import InputSpec


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    folder = tmp_path_factory.mktemp("store")
    inputs = {
        "fer2013": trainings.write_faces(folder / "fer2013.csv", portrait),
        "jaffe": imitations.write_jaffe(folder / "jaffe", portrait, people=imitations.JAFFE_PEOPLE[:2]),
    }
    return trainings.build_store(folder / "out", inputs, dev=7)


def keys(store, split):
    return store.table(split, ["key"])["key"].to_pylist()


@pytest.fixture
def view(store):
    """Every third row to learn from, the next to score; dev's rows last, though they come first in the mapping."""
    rows = [key for split in ("dev", "train", "validation") for key in keys(store, split)]
    return regroup(store, {"test": rows[1::3], "train": rows[::3]}, {"round": 1})


def test_view_holds_the_chosen_rows(store, view):
    everything = [key for split in store.splits for key in keys(store, split)]
    rows = [key for split in ("dev", "train", "validation") for key in keys(store, split)]
    assert list(view.splits) == ["train", "test"]
    for split, chosen in (("train", rows[::3]), ("test", rows[1::3])):
        assert keys(view, split) == [key for key in everything if key in chosen]
        assert view.splits[split] == len(chosen)


def test_view_rows_are_unchanged_but_for_their_split(store, view):
    before = {row["key"]: row for split in store.splits for row in store.table(split).to_pylist()}
    for split in view.splits:
        assert all(row == before[row["key"]] | {"split": split} for row in view.table(split).to_pylist())
    assert view.table("test").schema.equals(store.table("test").schema, check_metadata=True)


def test_view_returns_the_chosen_columns(view):
    assert view.table("train", ["emotion", "source"]).column_names == ["emotion", "source"]
    assert view.table("train", ["key"]).column_names == ["key"]


def test_view_batches_are_small_and_not_empty(view):
    for size in (1, 5):  # of one in three, many are empty
        sizes = [batch.num_rows for batch in view.batches("train", ["label"], size)]
        assert sum(sizes) == view.splits["train"]
        assert 0 < min(sizes) <= max(sizes) <= size


@pytest.mark.parametrize("storage", ["memory", "disk", "stream"])
def test_read_faces_reads_a_view(store, view, storage):
    faces = read_faces(view, ["train"], InputSpec(48, 1), storage=storage)
    assert faces.keys == keys(view, "train")
    whole = read_faces(store, list(store.splits), InputSpec(48, 1))
    assert (faces.array == whole.array[[whole.keys.index(key) for key in faces.keys]]).all()
    assert len(read_faces(store, ["train", "dev"], InputSpec(48, 1))) == store.splits["train"] + store.splits["dev"]


def test_view_info_counts_its_splits(store, view):
    for split, source in itertools.product(view.splits, ("fer2013", "jaffe")):
        rows = [row for row in view.table(split, ["source", "emotion"]).to_pylist() if row["source"] == source]
        counts = view.info.counts[source][split]
        assert counts == {name: [row["emotion"] for row in rows].count(name) for name in counts}
        assert sum(counts.values()) == len(rows)
    assert (view.info.regrouped, view.info.evaluated) == ({"round": 1}, {})
    assert (view.classes, view.crop) == (store.classes, store.crop)
    assert store.info.regrouped is None


def test_view_of_a_view_has_no_other_rows(view):
    inner = regroup(view, {"validation": keys(view, "test")[:4]}, {})
    assert inner.splits == {"validation": 4}
    with pytest.raises(ValueError, match="unknown keys"):
        regroup(inner, {"test": keys(view, "train")[:1]}, {})


def test_unknown_split_of_a_view_is_named(view):
    with pytest.raises(ValueError, match="has no split 'validation'; it has train, test"):
        view.table("validation")


def test_view_identity_depends_on_its_rows(store, view):
    def identity(splits, why=""):
        return regroup(store, splits, {"why": why}).identity

    first, second, *rest = keys(store, "train")
    one = identity({"train": [first, second], "dev": rest})
    assert one == identity({"train": [second, first], "dev": rest}, "another reason")
    others = [{"train": [first, *rest], "dev": [second]}, {"train": [first, second]}, {"test": rest, "train": [first]}]
    assert len({one, store.identity, view.identity, *map(identity, others)}) == 6
    assert store.identity == open_store(store.path).identity
    assert view.differences() == []


def test_run_stores_the_identity_of_its_view(store, view, tmp_path):
    checkpoint = trainings.trained(view, tmp_path, epochs=1, all_train=True)
    assert checkpoint.training["identity"]["data"] == view.identity
    with pytest.raises(ValueError, match="a run with other data"):
        trainings.trained(store, tmp_path, epochs=1, all_train=True)


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ({"train": ["a", "b"], "test": ["b"]}, "named twice: b \\(1 keys\\)"),
        ({"train": ["a", "a"]}, "named twice: a"),
        ({"train": ["fer2013/nobody"]}, "has no fer2013/nobody \\(1 unknown keys\\)"),
        ({"learn": ["a"]}, "splits are train, dev, validation, test; got learn"),
    ],
)
def test_bad_splits_of_a_view_are_refused(store, splits, words):
    with pytest.raises(ValueError, match=words):
        regroup(store, splits, {})
