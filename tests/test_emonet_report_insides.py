"""Images of what goes on inside a network."""

import numpy as np
import pytest
import torch
from imitations import small_face
from PIL import Image
from torch import nn

from emonet.models import create_model
from emonet.report.inside_network import draw_attention, draw_feature_maps

GREY = "lenet28"


def faces(portrait, spec, count):
    crops = [np.repeat(small_face(portrait, number)[..., None], 3, axis=2) for number in range(count)]
    return np.stack([spec.resize(crop) for crop in crops])


def drawn(name, portrait, path, **arguments):
    torch.manual_seed(0)
    network = create_model(name, **arguments)
    assert draw_feature_maps(network, network.input, faces(portrait, network.input, 1)[0], path) == path
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return np.asarray(Image.open(path))


def attention(network, portrait, captions, path):
    pixels = faces(portrait, network.input, len(captions))
    places = range(len(captions))  # of some class something speaks, however the weights fell
    return np.asarray(Image.open(draw_attention(network, network.input, pixels, places, captions, path)))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create_model(GREY)


@pytest.mark.parametrize("name", [GREY, "torchvision:mobilenet_v2", "leaky_cifar"])
def test_feature_maps_are_drawn(name, portrait, tmp_path):
    sheet = drawn(name, portrait, tmp_path / "maps.png")
    assert sheet.shape[1:] == (900, 3)
    assert len(np.unique(sheet)) > 100


def test_at_most_twenty_convolutions_are_drawn(portrait, tmp_path):
    heights = [
        drawn("averaged", portrait, tmp_path / "maps.png", model=GREY, members=members).shape[0]
        for members in (1, 2, 10, 12)
    ]
    assert heights[1] - heights[0] == (heights[2] - heights[0]) / 9
    assert heights[3] == heights[2]


def test_attention_is_drawn_in_colour_beside_each_face(network, portrait, tmp_path):
    sheet = attention(network, portrait, ["happy 90.0%"] * 5, tmp_path / "attention.png")
    grey = (sheet == sheet[..., :1]).all(axis=2)
    assert not grey.all()  # colour
    assert grey[:, :140].all()  # and none on the plain face
    fewer = attention(network, portrait, ["happy 90.0%"], tmp_path / "attention.png")
    assert fewer.shape[1] < sheet.shape[1] / 2


def test_faces_without_evidence_stay_grey(network, portrait, tmp_path):
    nn.init.zeros_(network.layers[-1].weight)
    sheet = attention(network, portrait, ["neutral"], tmp_path / "attention.png")
    left, right = sheet[-100:-40, 12:140], sheet[-100:-40, 143:271]
    assert np.array_equal(left, right)


def test_captions_have_as_many_lines_as_they_need(network, portrait, tmp_path):
    heights = [
        len(attention(network, portrait, [caption], tmp_path / "attention.png"))
        for caption in ("happy", "said happy 90.0%\nis sad 2.0%", "a caption that is longer than two faces are wide")
    ]
    assert heights[0] < heights[1] == heights[2]


def test_every_face_has_a_caption(network, portrait, tmp_path):
    pixels = faces(portrait, network.input, 2)
    with pytest.raises(ValueError, match=r"2 .*got 1"):
        draw_attention(network, network.input, pixels, [0, 0], ["happy"], tmp_path / "attention.png")


def test_networks_that_memorise_have_no_feature_maps(portrait, tmp_path):
    with pytest.raises(ValueError, match="no convolution"):
        drawn("knn", portrait, tmp_path / "maps.png", examples=5)
