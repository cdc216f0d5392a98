"""Our own networks: the limits that they keep to, and what their arguments may be."""

import pytest
import torch

from emonet.models import create_meta_model, create_model
from emonet.models._summary import summarise


@pytest.mark.parametrize(
    ("name", "parameters", "most_parameters", "most_macs"),
    [("emonet", 3_807_467, 4_000_000, 400_000_000), ("emonet_fast", 511_079, 600_000, 25_000_000)],
)
def test_our_networks_keep_to_their_limits(name, parameters, most_parameters, most_macs):
    counted = summarise(create_meta_model(name))
    assert parameters == counted.parameters <= most_parameters
    assert 0 < counted.macs <= most_macs


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"widths": (8, 8), "blocks": (1,)}, "widths and blocks be as many"),
        ({"widths": (), "blocks": ()}, "widths and blocks be as many"),
        ({"stem": ()}, "stem must not be empty"),
        ({"widths": (8, 0), "blocks": (1, 1)}, "widths must be a whole number, at least 1, got 0"),
        ({"dropout": 1.0}, "dropout must be a number"),
        ({"crop": 0}, "crop must be a whole number"),
    ],
)
def test_arguments_that_make_no_network_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        create_model("se_resnet", **arguments)


def test_only_the_first_block_of_a_stage_halves_the_resolution():
    network = create_model("se_resnet", stem=[4], widths=[4, 8], blocks=[1, 2]).eval()
    assert network.stages(torch.zeros(1, 4, 22, 22)).shape == (1, 8, 11, 11)
