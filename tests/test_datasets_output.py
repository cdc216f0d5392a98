"""The folder that a build writes to, and what is refused: two builds at a time, a place inside the input, damage."""

import json
import shutil
from contextlib import contextmanager

import format_1
import imitations
import pytest
import trainings
from typer.testing import CliRunner

from emonet.commands import app
from emonet.datasets import DatasetError, open_store
from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.datasets.store import decode
from emonet.errors import ImageError, OptionError
from emonet.faces import read_faces
from emonet.models.inputs import InputSpec


@pytest.fixture(scope="module")
def jaffe(tmp_path_factory, portrait):
    folder = tmp_path_factory.mktemp("jaffe") / "jaffe"
    return str(imitations.write_jaffe(folder, portrait, people=imitations.JAFFE_PEOPLE[:3]))


@pytest.fixture(scope="module")
def store(jaffe, tmp_path_factory):
    return trainings.build_store(tmp_path_factory.mktemp("store") / "out", {"jaffe": jaffe})


@pytest.fixture
def copy(store, tmp_path):
    return open_store(shutil.copytree(store.path, tmp_path / "copy"))


def build(*arguments):
    return CliRunner().invoke(app, ["build", *map(str, arguments), "--detector", "whole", "--workers", "1"])


def test_second_build_is_locked_out_while_the_first_works(jaffe, tmp_path):
    prepared = prepare(BuildOptions({"jaffe": jaffe}, detector="whole"))
    refusals = []

    @contextmanager
    def start_another(_totals):
        with pytest.raises(OptionError, match=r"another build is writing to .*out: wait until it has ended") as caught:
            build_dataset(prepared, tmp_path / "out", workers=1)
        refusals.append(caught)
        yield lambda _source, _count: None

    store = build_dataset(prepared, tmp_path / "out", workers=1, progress=start_another).store
    assert len(refusals) == 1
    assert store.differences() == []
    assert not (tmp_path / "out" / ".build").exists()
    assert not build_dataset(prepared, tmp_path / "out", workers=1).new


def test_lock_of_a_build_that_failed_is_free(jaffe, tmp_path):
    prepared = prepare(BuildOptions({"jaffe": jaffe}, detector="whole"))

    @contextmanager
    def fail(_totals):
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        build_dataset(prepared, tmp_path / "out", workers=1, progress=fail)
    assert (tmp_path / "out" / ".build" / "plan.json").is_file()
    assert build_dataset(prepared, tmp_path / "out", workers=1).new


def test_refused_folder_is_left_as_it_was(jaffe, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(OptionError, match="holds no data set"):
        trainings.build_store(tmp_path, {"jaffe": jaffe})
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_old_files_are_replaced_when_a_folder_is_overwritten(store, jaffe, tmp_path):
    folder = format_1.write_format_1(store, tmp_path / "old")
    options = BuildOptions({"jaffe": jaffe}, detector="whole", seed=3)
    anew = build_dataset(prepare(options), folder, workers=1, overwrite=True).store
    assert anew.differences() == []
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"dataset.json", *anew.info.files}


@pytest.mark.parametrize("place", ["", "out", "deep/er"])
@pytest.mark.parametrize("option", ["-o", "--imagefolder"])
def test_output_inside_an_input_is_refused(place, option, jaffe, tmp_path):
    data = shutil.copytree(jaffe, tmp_path / "jaffe")
    before = sorted(data.rglob("*"))
    other = () if option == "-o" else ("-o", tmp_path / "out")
    result = build("--jaffe", data, option, data / place, *other)
    assert result.exit_code == 1
    assert f"is inside {data}, which jaffe is read from" in str(result.exception)
    assert sorted(data.rglob("*")) == before


def test_output_beside_a_table_is_allowed(portrait, tmp_path):
    table = imitations.write_fer2013_csv(
        tmp_path / "fer2013.csv", imitations.fer2013_rows(portrait, training=7, tests=7)
    )
    assert build("--fer2013", table, "-o", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize("size", [0, 1025, 4096])
def test_sizes_that_no_network_takes_are_refused(size, jaffe, tmp_path):
    result = build("--jaffe", jaffe, "--size", size, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "size must be" in str(result.exception)
    assert "1,024" in str(result.exception)


@pytest.mark.parametrize("damage", [("options", '"seed": 0', '"seed": 1'), ("space", "{\n", "{ \n")])
def test_verify_finds_a_changed_dataset_json(damage, copy):
    path = copy.path / "dataset.json"
    path.write_text(path.read_text().replace(*damage[1:], 1))
    result = build("--verify", copy.path)
    assert result.exit_code == 1
    assert str(result.exception).endswith("is not what it was: dataset.json has other bytes")


def test_verify_misses_the_hash_of_dataset_json(copy):
    path = copy.path / "dataset.json"
    stored = json.loads(path.read_text())
    del stored["sha256"]
    path.write_text(json.dumps(stored, indent=1) + "\n")
    assert copy.differences() == ["dataset.json has other bytes"]


def test_verify_says_that_old_data_sets_have_no_hash_of_dataset_json(store, tmp_path):
    good = build("--verify", store.path)
    assert f"all {len(store.info.files) + 1} files have the bytes" in good.output
    old = build("--verify", format_1.write_format_1(store, tmp_path / "old"))
    assert old.exit_code == 0
    assert "dataset.json was not checked" in old.output


@pytest.mark.parametrize("share", [0, 0.5, 0.98])
@pytest.mark.parametrize("read", ["table", "batches", "as_torch", "read_faces"])
def test_truncated_shard_is_named(share, read, copy):
    path = copy.files("train")[0]
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DatasetError, match=f"{path.name}: truncated or damaged"):
        list(read_faces(copy, ["train"], InputSpec()).keys if read == "read_faces" else getattr(copy, read)("train"))


def test_damaged_page_and_missing_shard_are_named(copy):
    path = copy.files("train")[0]
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=f"{path.name}: truncated or damaged"):
        copy.table("train")
    path.unlink()
    with pytest.raises(DatasetError, match=f"{path.name}: a file of the data set is missing"):
        copy.table("train")
    (copy.path / "rejected" / "rejected.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"rejected\.parquet: truncated or damaged"):
        copy.rejected()


def test_unknown_column_is_named(copy):
    for read in (copy.table, lambda *arguments: list(copy.batches(*arguments))):
        with pytest.raises(OptionError, match="no column emotoin; the columns are image, label"):
            read("train", ["emotoin"])


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_bytes_that_are_no_image_are_named(data):
    with pytest.raises(ImageError, match=r"mine\.png"):
        decode({"bytes": data, "path": "mine.png"})


def test_everything_can_be_test(jaffe, portrait, tmp_path):
    """With people, who are drawn, and without, where nothing says who is on an image."""
    mine = tmp_path / "mine"
    for number, emotion in enumerate(("happy", "sad")):
        imitations.write_photo(mine / emotion / f"{number}.jpg", portrait, number, emotion)
    result = build("--jaffe", jaffe, "--folder", mine, "--shares", "0,0,1", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    store = open_store(tmp_path / "out")
    assert set(store.splits) == {"test"}
    assert set(store.info.counts) == {"jaffe", "folder"}
    assert len(read_faces(store, ["test"], InputSpec())) == len(store.as_torch("test")) == store.splits["test"]
    for read in (lambda: read_faces(store, ["train"], InputSpec()), lambda: store.as_torch("train")):
        with pytest.raises(OptionError, match="no split 'train'; it has test"):
            read()


def test_split_that_is_listed_and_empty_is_no_split(copy):
    path = copy.path / "dataset.json"
    stored = json.loads(path.read_text())
    stored["splits"]["dev"] = []
    path.write_text(json.dumps(stored))
    opened = open_store(copy.path)
    assert opened.splits == copy.splits
    with pytest.raises(OptionError, match="no split 'dev'"):
        opened.table("dev")
