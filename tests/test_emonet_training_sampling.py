"""Which images an epoch shows, and how batches are made of them."""

from collections import Counter

import numpy as np
import pytest
import torch

from emonet.errors import OptionError
from emonet.faces import Faces
from emonet.labels import Emotion
from emonet.training import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.feeding import ImageFeed, Planner, TensorFeed
from emonet.training.sampling import Sampling, make_class_weights

CLASSES = (Emotion.ANGRY, Emotion.HAPPY, Emotion.SAD)
CPU = torch.device("cpu")


def some_faces(**counts):
    """Make images of noise: for each source, as many of each class as the counts say."""
    rows = [
        (source, label) for source, each in counts.items() for label, count in enumerate(each) for _ in range(count)
    ]
    sources, labels = zip(*np.random.default_rng(3).permutation(np.array(rows, object)), strict=True)
    pixels = np.random.default_rng(4).integers(0, 256, (len(rows), 12, 12, 1), np.uint8)
    keys = [str(place) for place in range(len(rows))]
    return Faces(pixels, np.array(labels, np.int64), np.array(sources, np.str_), keys, CLASSES, {})


ALONE = Processes()
FACES = some_faces(fer2013=(20, 10, 6), jaffe=(2, 2, 2))


def shown(faces=FACES, epoch=0, **options):
    """Count how often an epoch shows each image."""
    order = Sampling(faces, TrainConfig(**options)).draw_order(epoch)
    return np.bincount(order, minlength=len(faces))


def by_source(times, faces=FACES):
    return {source: int(times[faces.sources == source].sum()) for source in np.unique(faces.sources).tolist()}


def by_class(times, faces=FACES):
    return [int(times[faces.labels == label].sum()) for label in range(len(faces.classes))]


@pytest.mark.parametrize("epoch", [0, 1, 7])
def test_an_epoch_shows_each_image_once(epoch):
    assert (shown(epoch=epoch) == 1).all()


@pytest.mark.parametrize(
    ("options", "fer2013", "jaffe"),
    [
        ({"source_weights": {"jaffe": 3.0}}, 36, 18),
        ({"source_weights": {"jaffe": 2.5, "fer2013": 0.5}}, 18, 15),
        ({"source_weights": {"jaffe": 0.0}}, 36, 0),
    ],
)
def test_source_weights_decide_how_often_sources_are_shown(options, fer2013, jaffe):
    assert by_source(shown(**options)) == {"fer2013": fer2013, "jaffe": jaffe}


@pytest.mark.parametrize(("epoch_images", "passes"), [(0, 1), (20, 1), (42, 1), (60, 1), (84, 2), (420, 10)])
def test_a_small_data_set_is_shown_several_times_an_epoch(epoch_images, passes):
    assert (shown(epoch_images=epoch_images) == passes).all()
    steps = Sampling(FACES, TrainConfig(epoch_images=epoch_images, batch_size=7)).count_steps()
    assert steps == passes * 6


def test_balance_sources_shows_all_sources_equally_often():
    faces = some_faces(fer2013=(20, 12, 8), ckplus=(8, 2, 6), jaffe=(0, 2, 2))
    assert by_source(shown(faces, balance_sources=True), faces) == {"fer2013": 20, "ckplus": 20, "jaffe": 20}


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({"oversample": {"sad": 4.0}}, [22, 12, 32]),
        ({"oversample": {"sad": 1.5, "angry": 0.5, "disgust": 4.0}}, [11, 12, 12]),
        ({"balance": "oversample"}, [14, 14, 14]),
    ],
)
def test_oversample_decides_how_often_classes_are_shown(options, counts):
    assert by_class(shown(some_faces(fer2013=(22, 12, 8)), **options), some_faces(fer2013=(22, 12, 8))) == counts


def test_sources_and_classes_multiply():
    times = shown(source_weights={"jaffe": 2.0}, oversample={"sad": 3.0})
    of_jaffe = FACES.sources == "jaffe"
    assert set(times[of_jaffe & (FACES.labels == 2)]) == {6}
    assert set(times[of_jaffe & (FACES.labels == 0)]) == {2}
    assert set(times[~of_jaffe & (FACES.labels == 2)]) == {3}


def test_a_fractional_factor_repeats_a_random_part():
    first, second = (shown(oversample={"angry": 2.5}, epoch=epoch) for epoch in (0, 1))
    angry = FACES.labels == 0
    assert Counter(first[angry].tolist()) == {2: 11, 3: 11}
    assert (first[angry] != second[angry]).any()
    assert by_class(first) == by_class(second) == [55, 12, 8]


def test_an_epoch_without_images_is_refused():
    with pytest.raises(ValueError, match="every image is left out"):
        Sampling(FACES, TrainConfig(oversample={"angry": 0, "happy": 0, "sad": 0}))


def test_the_order_is_decided_by_seed_order_and_epoch():
    def order(epoch=0, **options):
        return Sampling(FACES, TrainConfig(**options)).draw_order(epoch).tolist()

    assert order() == order()
    assert order(batch_size=3, augment="none", epochs=9) == order()
    others = [order(), order(1), order(seed=1), order(order=1), order(1, seed=1), order(1, order=1)]
    assert len(set(map(tuple, others))) == 6


@pytest.mark.parametrize("batch_size", [5, 8, 12, 41, 42, 64])
def test_batches_are_of_one_size(batch_size):
    sampling = Sampling(FACES, TrainConfig(batch_size=batch_size))
    batches = sampling.draw_batches(2)
    sizes = {len(batch) for batch in batches}
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) == sampling.count_smallest()
    assert len(batches) == sampling.count_steps() == -(-42 // batch_size)
    assert np.concatenate(batches).tolist() == sampling.draw_order(2).tolist()


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({}, None),
        ({"class_weights": {"sad": 2, "disgust": 9}}, [1, 1, 2]),
        ({"balance": "weights"}, [42 / 3 / 22, 42 / 3 / 12, 42 / 3 / 8]),
        ({"balance": "oversample"}, None),
    ],
)
def test_class_weights_follow_the_options(options, weights):
    assert make_class_weights(FACES, TrainConfig(**options)) == (None if weights is None else pytest.approx(weights))


def test_a_class_without_images_has_no_weight():
    faces = some_faces(fer2013=(6, 0, 2))
    assert make_class_weights(faces, TrainConfig(balance="weights")) == [4 / 6, 0, 4 / 2]
    assert by_class(shown(faces, balance="oversample"), faces) == [4, 0, 4]


def feed(kind, processes=ALONE, **options):
    config = TrainConfig(**{"batch_size": 10, "augment": "strong", "workers": 0, **options})
    return kind(FACES.pixels, Planner(Sampling(FACES, config), processes, config.part_size), config, CPU)


def drawn(kind, epoch=0, step=0, epochs=2, **options):
    return list(feed(kind, **options).make_batches(epoch, step, epochs))


def alike(some, others):
    """Compare batches bit for bit."""
    pairs = list(zip(some, others, strict=True))
    return all(
        torch.equal(one.pixels, other.pixels) and torch.equal(one.places, other.places) and one.whole == other.whole
        for one, other in pairs
    )


both = pytest.mark.parametrize("kind", [ImageFeed, TensorFeed])


@both
def test_a_feed_gives_the_batches_of_all_epochs(kind):
    batches = drawn(kind, augment="none")
    assert [batch.whole for batch in batches] == [9, 9, 8, 8, 8] * 2
    for batch in batches:
        assert (batch.pixels.permute(0, 2, 3, 1).numpy() == FACES.pixels[batch.places]).all()
    for epoch in (batches[:5], batches[5:]):
        assert sorted(torch.cat([batch.places for batch in epoch]).tolist()) == list(range(42))


@both
def test_a_feed_repeats_bit_for_bit(kind):
    assert alike(drawn(kind), drawn(kind))
    assert not alike(drawn(kind), drawn(kind, seed=1))
    assert not alike(drawn(kind), drawn(kind, order=1))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_bit(workers):
    assert alike(drawn(ImageFeed), drawn(ImageFeed, workers=workers))


@both
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("epoch", "step"), [(0, 3), (1, 0), (1, 2), (1, 4), (2, 0)])
def test_a_feed_resumes_within_an_epoch(kind, workers, epoch, step):
    options = {"workers": workers, "augment_from": {"1": "mirror"}}
    assert alike(drawn(kind, epoch, step, **options), drawn(kind, **options)[5 * epoch + step :])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_feed_can_be_closed_early(workers):
    batches = feed(ImageFeed, workers=workers).make_batches(0, 0, 1000)
    assert next(batches).whole == 9
    batches.close()
    assert next(batches, None) is None


@both
def test_augment_from_changes_the_policy_of_later_epochs(kind):
    batches = drawn(kind, augment="strong", augment_from={"2": "none"})
    assert alike(batches[5:], drawn(kind, augment="none")[5:])
    assert alike(batches[:5], drawn(kind)[:5])


@both
def test_an_image_that_is_shown_twice_is_augmented_twice(kind):
    batches = drawn(kind, epochs=1, oversample={"sad": 2.0})
    images = {}
    for batch in batches:
        for place, image in zip(batch.places.tolist(), batch.pixels, strict=True):
            images.setdefault(place, []).append(image)
    twice = [own for own in images.values() if len(own) == 2]
    assert len(twice) == 8
    assert not any(torch.equal(*own) for own in twice)


@both
def test_processes_share_each_batch(kind):
    alone = drawn(kind, batch_size=20)
    shares = [drawn(kind, batch_size=20, processes=Processes(rank, 2)) for rank in range(2)]
    for whole, *parts in zip(alone, *shares, strict=True):
        assert [part.whole for part in parts] == [whole.whole] * 2
        for rank, part in enumerate(parts):
            assert torch.equal(part.places, whole.places[rank::2])
            assert torch.equal(part.pixels, whole.pixels[rank::2])


@both
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_parts_of_a_batch_are_the_same_whatever_the_number_of_processes(kind, count):
    """42 images in batches of 14, and parts of 4 at most: three processes need two rounds of three parts."""
    options = {"batch_size": 14, "part_size": 4}
    shares = [drawn(kind, processes=Processes(rank, count), **options) for rank in range(count)]
    parts = sorted((part for share in shares for part in share), key=step_and_part)
    rounds = len(shares[0]) // 6
    assert [part.plan.part for part in parts] == list(range(rounds * count)) * 6
    assert max(len(part.places) for part in parts) <= 4
    for share in shares:
        assert [part.plan.first for part in share] == ([True] + [False] * (rounds - 1)) * 6
        assert [part.plan.last for part in share] == ([False] * (rounds - 1) + [True]) * 6
    if count in (1, 2, 4):
        assert alike(parts, drawn(kind, **options))
    batches = [sorted(torch.cat(group).tolist()) for group in grouped_places(parts, rounds * count)]
    assert batches == [sorted(batch.places.tolist()) for batch in drawn(kind, batch_size=14)]


def step_and_part(batch):
    """Order the parts of all processes; the first image of an epoch that a batch shows tells its step."""
    return batch.plan.epoch, min(batch.plan.turns) // 14, batch.plan.part


def grouped_places(parts, count):
    return [[part.places for part in parts[start : start + count]] for start in range(0, len(parts), count)]


@pytest.mark.parametrize("part_size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_no_part_is_empty_and_no_image_is_lost(part_size, count):
    sampling = Sampling(FACES, TrainConfig(batch_size=5))
    plans = [list(Planner(sampling, Processes(rank, count), part_size).plan(0, 0, 1)) for rank in range(count)]
    assert len({len(own) for own in plans}) == 1  # all processes send as many gradients
    assert all(len(plan.places) for own in plans for plan in own)
    assert sorted(place for own in plans for plan in own for place in plan.places) == list(range(42))


def test_a_batch_of_fewer_images_than_processes_is_refused():
    with pytest.raises(OptionError, match=r"6 processes cannot share a batch of 4: .* larger `batch_size`"):
        Planner(Sampling(FACES, TrainConfig(batch_size=5)), Processes(0, 6))
