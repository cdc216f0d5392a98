import numpy as np
import pytest
import torch

from emonet.inference.devices import open_machine
from emonet.inference.torch_classifier import TorchClassifier
from emonet.inference.views import VIEWS, find_view
from emonet.models import create_model
from emonet.models.inputs import InputSpec


def pictures(count=4, size=48):
    return np.random.default_rng(3).integers(0, 256, (count, size, size, 1), np.uint8)


def tensor(size=48):
    return torch.from_numpy(pictures(size=size)).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize(("name", "count"), [("none", 1), ("mirror", 2), ("ten_crop", 10)])
@pytest.mark.parametrize("size", [8, 28, 48])
def test_views_are_as_large_as_the_image_and_all_different(name, count, size):
    views = find_view(name)(tensor(size))
    assert [view.shape for view in views] == [(4, 1, size, size)] * count
    assert not any(torch.equal(one, other) for place, one in enumerate(views) for other in views[:place])
    assert torch.equal(views[0], tensor(size))


def test_ten_crop_shows_a_network_that_crops_the_corners_and_the_centre():
    x = tensor()
    middles = [view[:, :, 2:46, 2:46] for view in find_view("ten_crop")(x)]
    corners = [x[:, :, top : top + 44, left : left + 44] for top, left in [(2, 2), (0, 0), (0, 4), (4, 0), (4, 4)]]
    assert all(torch.equal(seen, corner) for seen, corner in zip(middles[::2], corners, strict=True))
    assert all(torch.equal(seen, corner.flip(3)) for seen, corner in zip(middles[1::2], corners, strict=True))


def classified(view, pixels):
    torch.manual_seed(0)
    network = create_model("emonet_fast", widths=[4, 8], convolutions=[1, 1])
    spec = InputSpec(scaling="unit")
    return TorchClassifier(network, spec, open_machine("cpu", "fp32"), view=view)(pixels)


@pytest.mark.parametrize("view", ["mirror", "ten_crop"])
def test_a_face_and_its_mirror_image_get_the_same_answer(view):
    assert classified(view, pictures()) == pytest.approx(classified(view, pictures()[:, :, ::-1].copy()), abs=1e-6)
    assert classified("none", pictures()) != pytest.approx(classified("none", pictures()[:, :, ::-1].copy()), abs=1e-6)


def test_mirroring_averages_probabilities():
    plain = [classified("none", pixels) for pixels in (pictures(), pictures()[:, :, ::-1].copy())]
    assert classified("mirror", pictures()) == pytest.approx((plain[0] + plain[1]) / 2, abs=1e-6)


def test_an_unknown_view_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=f"no view 'flip'; there are {', '.join(VIEWS)}"):
        classified("flip", pictures())
