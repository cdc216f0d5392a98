"""Which views of an image a training shows: mirrored in turn, several in a batch, small ones first."""

import numpy as np
import pytest
import torch
import trainings

from emonet.faces import read_faces
from emonet.models.inputs import InputSpec
from emonet.models.plain_cnn import EmonetFast
from emonet.training.distributed import Processes
from emonet.training.feeding import ImageFeed, Planner, TensorFeed
from emonet.training.sampling import Sampling


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("views"), portrait)


@pytest.fixture(scope="module")
def faces(store):
    return read_faces(store, ["train"], InputSpec(size=48))


def fed(faces, feed, epochs, **options):
    """Collect for each epoch what it shows of each image."""
    config = trainings.quick(**options)
    plan = Planner(Sampling(faces, config), Processes())
    shown = [{} for _ in range(epochs)]
    for batch in feed(faces.pixels, plan, config, torch.device("cpu")).make_batches(0, 0, epochs):
        for place, pixels in zip(batch.places.tolist(), batch.pixels, strict=True):
            shown[batch.plan.epoch].setdefault(place, []).append(pixels.float().numpy())
    return shown


@pytest.mark.parametrize("feed", [TensorFeed, ImageFeed])
@pytest.mark.parametrize("augment", ["none", "mirror"])
def test_alternate_mirror_mirrors_each_image_in_every_second_epoch(faces, feed, augment):
    epochs = fed(faces, feed, 4, alternate_mirror=True, augment=augment)
    plain = faces.pixels[..., 0]
    mirrored = [[np.array_equal(shown[place][0][0], plain[place][:, ::-1]) for place in range(28)] for shown in epochs]
    assert mirrored[0] == mirrored[2] == [not turned for turned in mirrored[1]]
    assert mirrored[1] == mirrored[3]
    assert 5 < sum(mirrored[0]) < 23


@pytest.mark.parametrize("feed", [TensorFeed, ImageFeed])
def test_repeats_shows_several_views_of_an_image_in_a_batch(faces, feed):
    (shown,) = fed(faces, feed, 1, repeats=4, augment="strong")
    assert len(shown) == 7
    for views in shown.values():
        assert len(views) == 4
        assert len({view.tobytes() for view in views}) == 4


def test_repeats_keeps_the_number_of_steps(faces):
    steps = [Sampling(faces, trainings.quick(repeats=repeats)).count_steps() for repeats in (1, 2, 4)]
    assert steps == [4, 4, 4]
    assert [len(Sampling(faces, trainings.quick(repeats=2)).draw_batches(0))] == steps[:1]


def test_repeats_does_not_place_views_of_an_image_side_by_side(faces):
    batches = Sampling(faces, trainings.quick(repeats=4, batch_size=28)).draw_batches(0)
    assert np.mean(batches[0][1:] == batches[0][:-1]) < 0.5


def test_size_from_changes_the_image_size(store, tmp_path):
    sizes = []

    def note(module, inputs):
        if isinstance(module, EmonetFast) and module.training:
            sizes.append(inputs[0].shape[-1])

    handle = torch.nn.modules.module.register_module_forward_pre_hook(note)
    options = {**trainings.FAST, "size_from": {"0": 32, "0.5": 40, "0.75": 48}, "epochs": 4}
    trainings.trained(store, tmp_path / "run", **options)
    handle.remove()
    assert sizes == [32] * 8 + [40] * 4 + [48] * 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size_from": {"half": 32}}, "`size_from` must be share=pixels"),
        ({"size_from": {"0.5": 4}}, "size_from must be numbers from 8 to 1,024, got 0.5=4"),
        ({"repeats": 0}, "repeats must be a number from 1 to 64"),
    ],
)
def test_impossible_size_from_and_repeats_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        trainings.quick(**options)


def test_size_from_is_refused_by_a_network_of_fixed_size(store, tmp_path):
    with pytest.raises(ValueError, match="takes images of 28 pixels and 1 channels, not of 16 and 1"):
        trainings.trained(store, tmp_path / "run", **trainings.LENET, size_from={"0": 16})


def test_size_from_only_shrinks_images(store, tmp_path):
    with pytest.raises(ValueError, match="`size_from` shrinks images, which have 48 pixels, got 96"):
        trainings.trained(store, tmp_path / "run", **trainings.FAST, size_from={"0": 96})
