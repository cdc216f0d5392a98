"""Images that are streamed from the Parquet files: the same bits as from memory, in an order that reads little."""

import gc
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import trainings

from emonet.datasets.builder import shards
from emonet.datasets.store.shard import list_row_groups
from emonet.errors import OptionError
from emonet.faces import read_faces
from emonet.inference.checkpoint import load_checkpoint
from emonet.models.inputs import InputSpec
from emonet.streamed import StreamedImages, stream
from emonet.training import storing
from emonet.training.distributed import Processes
from emonet.training.feeding import BatchPlan, ImageFeed, Planner, TensorFeed
from emonet.training.log import Silent
from emonet.training.sampling import Sampling, Windows
from emonet.training.scoring import classify_share
from emonet.training.storing import WINDOW, settle_storage

GREY = InputSpec(48, 1)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    """Build 28 training faces in row groups of 4, and 7 each for dev, validation and test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "GROUP_ROWS", 4)
        return trainings.build_faces(tmp_path_factory.mktemp("faces"), portrait)


@pytest.fixture(scope="module")
def streamed(store):
    return read_faces(store, ["train", "dev"], GREY, storage="stream")


@pytest.fixture(scope="module")
def held(store):
    return read_faces(store, ["train", "dev"], GREY, storage="memory")


def test_streamed_faces_equal_those_in_memory(streamed, held):
    assert isinstance(streamed.pixels, StreamedImages)
    assert streamed.pixels.shape == held.pixels.shape == (35, 48, 48, 1)
    assert (streamed.array == held.array).all()
    assert streamed.keys == held.keys
    for name in ("labels", "sources", "votes", "folds", "subjects", "splits", "groups"):
        assert (getattr(streamed, name) == getattr(held, name)).all()
    assert len(set(held.groups.tolist())) == 9  # 7 of train and 2 of dev


def test_streamed_images_are_indexed_as_an_array(streamed, held):
    places = np.array([30, 2, 2, 17, 0])
    assert (streamed.pixels[places] == held.pixels[places]).all()
    assert (streamed.pixels[3:20:5] == held.pixels[3:20:5]).all()
    assert streamed.pixels[:0].shape == (0, 48, 48, 1)


def test_a_part_of_streamed_faces_is_streamed(streamed, held):
    part, there = (faces.part(faces.folds == 1) for faces in (streamed, held))
    assert isinstance(part.pixels, StreamedImages)
    assert part.keys == there.keys
    assert (part.array == there.array).all()


def test_statistics_are_those_of_all_images(streamed, held):
    spec = InputSpec(48, 1, "standardised")
    assert spec.with_statistics(streamed.pixels) == spec.with_statistics(held.pixels)


def test_the_share_of_a_process_is_classified_in_pieces(streamed, held):
    images = [classify_share(lambda pixels: pixels, faces.pixels, Processes(1, 2)) for faces in (streamed, held)]
    assert (images[0] == images[1]).all()


@pytest.mark.parametrize("size", [1, 8, 10, 1000])
def test_a_window_has_few_row_groups_and_all_images_of_them(size):
    groups = np.repeat(np.arange(12), 5)
    shown = np.random.default_rng(0).permutation(np.tile(np.arange(60), 2))
    order = Windows(groups, size).arrange(shown, np.random.default_rng(1))
    assert sorted(order.tolist()) == sorted(shown.tolist())
    first, last = (np.array([uses[end] for uses in find_uses(groups[order])]) for end in (0, -1))
    needed = [5 * np.count_nonzero((first <= place) & (place <= last)) for place in range(len(order))]
    assert max(needed) < min(size, 60) + 5  # rows of all row groups that are needed at once
    if size > 60:
        assert order.tolist() == shown.tolist()


def find_uses(groups):
    """Find where in an order each row group is needed."""
    return [np.flatnonzero(groups == group) for group in range(12)]


def test_an_epoch_shows_the_same_images_with_and_without_windows(held):
    """Only the order differs; a window of the whole data set changes nothing."""
    plain, windowed, whole = (
        Sampling(held, trainings.quick(window=window, oversample={"happy": 2.5})) for window in (0, 8, 1000)
    )
    for epoch in range(2):
        assert sorted(plain.draw_order(epoch).tolist()) == sorted(windowed.draw_order(epoch).tolist())
        assert plain.draw_order(epoch).tolist() != windowed.draw_order(epoch).tolist()
        assert plain.draw_order(epoch).tolist() == whole.draw_order(epoch).tolist()
    assert windowed.draw_order(0).tolist() != windowed.draw_order(1).tolist()


def drawn(kind, faces, start=(0, 0), processes=None, **options):
    config = trainings.quick(**{"augment": "strong", "window": 8, "epochs": 3, **options})
    planner = Planner(Sampling(faces, config), processes or Processes(), config.part_size)
    return list(kind(faces.pixels, planner, config, CPU).make_batches(*start, 3))


def alike(some, others):
    pairs = list(zip(some, others, strict=True))
    return all(torch.equal(one.pixels, other.pixels) and torch.equal(one.places, other.places) for one, other in pairs)


@pytest.mark.parametrize("kind", [ImageFeed, TensorFeed])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("start", [(0, 0), (1, 2)])
def test_streamed_batches_are_those_from_memory(streamed, held, kind, workers, start):
    assert alike(drawn(kind, streamed, start, workers=workers), drawn(kind, held, start))
    second = Processes(1, 2)
    assert alike(drawn(kind, streamed, start, second, part_size=2), drawn(kind, held, start, second, part_size=2))


@pytest.mark.parametrize("kind", [ImageFeed, TensorFeed])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_streamed_feed_can_be_closed_early(streamed, kind, workers):
    config = trainings.quick(window=8, workers=workers)
    batches = kind(streamed.pixels, Planner(Sampling(streamed, config), Processes()), config, CPU).make_batches(0, 0, 9)
    next(batches)
    batches.close()
    assert next(batches, None) is None


class Counting(StreamedImages):
    """Counts how often each row group is read."""

    def __init__(self, *given):
        super().__init__(*given)
        self.reads = Counter()

    def read(self, group):
        self.reads[group] += 1
        return super().read(group)


def test_an_epoch_reads_each_row_group_once(store, held):
    groups = [group for split in ("train", "dev") for path in store.files(split) for group in list_row_groups(path)]
    rows = np.concatenate([np.arange(group.rows) for group in groups])
    images = Counting(groups, held.groups, rows, GREY)
    plans = Planner(Sampling(held, trainings.quick(window=8, batch_size=2)), Processes()).plan(0, 0, 1)
    for plan, load in stream(images, plans, 8):
        assert (load() == held.array[plan.places]).all()
    assert images.reads == dict.fromkeys(range(9), 1)


@pytest.mark.parametrize("augment_with", ["albumentations", "torch"])
def test_a_streamed_run_ends_in_the_weights_of_one_from_memory(store, tmp_path, augment_with):
    options = {**trainings.FAST, "augment": "strong", "augment_with": augment_with, "mixup": 0.3, "bn_batches": 1}
    options |= {"scaling": "standardised", "init": "", "batch_size": 5}
    memory = trainings.trained(store, tmp_path / "memory", **options, storage="memory", window=8)
    assert memory.scores == trainings.trained(store, tmp_path / "stream", **options, storage="stream", window=8).scores
    assert load_checkpoint(tmp_path / "stream" / "model.safetensors").identity == memory.identity


def test_a_streamed_run_resumes_within_an_epoch(store, tmp_path):
    options = {**trainings.FAST, "augment": "strong", "storage": "stream", "window": 8, "batch_size": 4}
    whole = trainings.trained(store, tmp_path / "whole", **options)
    for steps in (3, 6):
        with pytest.raises(KeyboardInterrupt):
            trainings.trained(store, tmp_path / "run", trainings.Stopping(steps=steps), save_every=0, **options)
    assert trainings.trained(store, tmp_path / "run", **options).identity == whole.identity


def test_folds_of_streamed_images_are_learned(store, tmp_path):
    options = {"epochs": 1, "window": 8, "out_of_fold": True}
    one, other = (
        trainings.trained(store, tmp_path / storage, **options, storage=storage) for storage in ("stream", "memory")
    )
    assert one.identity == other.identity


class Notes(Silent):
    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


def settled(store, folders=(), fits=True, processes=1, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storing, "fit_in_memory", lambda count, _: fits and count <= 35)
        config = settle_storage(trainings.quick(**options), store, folders, processes, Silent())
    return config.storage, config.window


def test_auto_streams_images_that_do_not_fit_into_memory(store):
    assert settled(store) == ("auto", 0)
    assert settled(store, fits=False) == ("stream", WINDOW)
    assert settled(store, processes=2) == ("stream", WINDOW)  # the memory of a machine is shared
    assert settled(store, fits=False, window=100) == ("stream", 100)
    assert settled(store, storage="stream") == ("stream", WINDOW)
    assert settled(store, fits=False, storage="memory") == ("memory", 0)
    assert settled(store, fits=False, storage="disk") == ("disk", 0)


def test_a_resumed_run_keeps_its_window(store, tmp_path):
    plain, windowed = tmp_path / "plain", tmp_path / "windowed"
    trainings.trained(store, plain, epochs=1)
    trainings.trained(store, windowed, epochs=1, storage="stream", window=8)
    assert settled(store, [plain], fits=False) == ("disk", 0)  # its order reads all row groups at once
    assert settled(store, [windowed], fits=False) == ("stream", 8)
    assert settled(store, [windowed]) == ("auto", 8)
    with pytest.raises(OptionError, match="other window"):
        trainings.trained(store, plain, epochs=1, storage="stream")


PROGRAM = """
import re, sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from emonet.datasets.store.shard import list_row_groups
from emonet.models.inputs import InputSpec
from emonet.streamed import StreamedImages, stream
groups = list_row_groups(Path(sys.argv[1]))
rows = [np.arange(group.rows) for group in groups]
group_of = np.repeat(np.arange(len(groups)), [len(own) for own in rows])
images = StreamedImages(groups, group_of, np.concatenate(rows), InputSpec(96, 3))
plans = (SimpleNamespace(places=np.arange(start, start + 16)) for start in range(0, len(images), 16))
total = sum(int(load().sum()) for _, load in stream(images, plans, 128))
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def write_images(path, count):
    """Write noise, which does not compress, in row groups of 64."""
    chance = np.random.default_rng(0)
    kind = pa.schema({"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64()})
    with pq.ParquetWriter(path, kind) as writer:
        for _ in range(0, count, 64):
            noise = chance.integers(0, 256, (64, 96, 96, 3), np.uint8)
            cells = [{"bytes": cv2.imencode(".png", image)[1].tobytes(), "path": "noise.png"} for image in noise]
            writer.write_table(pa.table({"image": cells, "label": [0] * 64}, schema=kind))
    return path.stat().st_size


def test_plans_of_past_epochs_are_let_go(store):
    faces = read_faces(store, ["train"], GREY)
    config = trainings.quick(batch_size=4)
    sampling = Sampling(faces, config)
    feed = TensorFeed(faces.array, Planner(sampling, Processes()), config, CPU)
    for _ in feed.make_batches(0, 0, epochs=6):
        alive = sum(type(one) is BatchPlan for one in gc.get_objects())
        assert alive <= 2 * sampling.count_steps()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory was used at most")
def test_memory_does_not_grow_with_the_data(tmp_path):
    """A fresh process each: what a process inherits would count, too. The same one takes 16 MB more now and then."""
    sizes = [write_images(tmp_path / f"{count}.parquet", count) for count in (512, 4096)]
    peaks = []
    for count in (512, 4096):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / f"{count}.parquet")]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(5)]
        peaks.append(1024 * min(int(run.stdout) for run in runs))
    assert peaks[1] - peaks[0] < (sizes[1] - sizes[0]) / 5
