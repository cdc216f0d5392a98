"""Which views of a picture a training shows: mirrored in turn, several in a batch, smaller ones first."""

import numpy as np
import pytest
import torch
import trainings

from emonet.faces import read_faces
from emonet.models.inputs import InputSpec
from emonet.models.se_resnet import EmonetFast
from emonet.training.distributed import Processes
from emonet.training.feeding import PictureFeed, Plan, TensorFeed
from emonet.training.sampling import Sampling


@pytest.fixture(scope="module")
def store(tmp_path_factory, portrait):
    return trainings.build_faces(tmp_path_factory.mktemp("views"), portrait)


@pytest.fixture(scope="module")
def faces(store):
    return read_faces(store, ["train"], InputSpec(size=48))


def fed(faces, feed, epochs, **options):
    """Picture -> what an epoch shows of it, for each epoch."""
    config = trainings.quick(**options)
    plan = Plan(Sampling(faces, config), Processes())
    shown = [{} for _ in range(epochs)]
    for batch in feed(faces.pixels, plan, config, torch.device("cpu")).batches(0, 0, epochs):
        for place, pixels in zip(batch.places.tolist(), batch.pixels, strict=True):
            shown[batch.order.epoch].setdefault(place, []).append(pixels.float().numpy())
    return shown


@pytest.mark.parametrize("feed", [TensorFeed, PictureFeed])
@pytest.mark.parametrize("augment", ["none", "mirror"])
def test_each_picture_is_mirrored_in_every_second_epoch(faces, feed, augment):
    epochs = fed(faces, feed, 4, alternate_mirror=True, augment=augment)
    plain = faces.pixels[..., 0]
    mirrored = [[np.array_equal(shown[place][0][0], plain[place][:, ::-1]) for place in range(28)] for shown in epochs]
    assert mirrored[0] == mirrored[2] == [not turned for turned in mirrored[1]]
    assert mirrored[1] == mirrored[3]
    assert 5 < sum(mirrored[0]) < 23


@pytest.mark.parametrize("feed", [TensorFeed, PictureFeed])
def test_a_batch_has_several_views_of_a_picture(faces, feed):
    (shown,) = fed(faces, feed, 1, repeats=4, augment="strong")
    assert len(shown) == 7
    for views in shown.values():
        assert len(views) == 4
        assert len({view.tobytes() for view in views}) == 4


def test_an_epoch_has_as_many_steps_however_often_pictures_are_repeated(faces):
    steps = [Sampling(faces, trainings.quick(repeats=repeats)).steps() for repeats in (1, 2, 4)]
    assert steps == [4, 4, 4]
    assert [len(Sampling(faces, trainings.quick(repeats=2)).batches(0))] == steps[:1]


def test_views_of_a_picture_do_not_stand_beside_each_other(faces):
    batches = Sampling(faces, trainings.quick(repeats=4, batch_size=28)).batches(0)
    assert np.mean(batches[0][1:] == batches[0][:-1]) < 0.5


def test_pictures_grow(store, tmp_path):
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
        ({"size_from": {"half": 32}}, "size_from must be of the form share=pixels"),
        ({"size_from": {"0.5": 4}}, "size_from must be numbers from 8 to 1024, got 0.5=4"),
        ({"repeats": 0}, "repeats must be a number from 1 to 64"),
    ],
)
def test_views_that_cannot_be_shown_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        trainings.quick(**options)


def test_a_network_of_one_size_is_shown_no_other(store, tmp_path):
    with pytest.raises(ValueError, match="takes pictures of 28 pixels and 1 channels, not of 16 and 1"):
        trainings.trained(store, tmp_path / "run", **trainings.LENET, size_from={"0": 16})
