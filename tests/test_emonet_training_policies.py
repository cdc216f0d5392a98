import math
from dataclasses import replace

import pytest

from emonet.training.chance import sample_seed
from emonet.training.policies import POLICIES, Policy, find_policy


def test_the_defaults_change_nothing():
    policy = Policy()
    assert find_policy("none") == policy
    assert not any([policy.mirror, policy.places, policy.shades, policy.erase, policy.degrades])


@pytest.mark.parametrize(
    ("arguments", "places", "shades"),
    [
        ({"mirror": 1}, False, False),
        ({"turn": (10, 10)}, True, False),
        ({"turn": (10, 10), "placed": 0}, False, False),
        ({"zoom": (1, 1.1)}, True, False),
        ({"shear": (0, 1)}, True, False),
        ({"shift": (-0.1, 0)}, True, False),
        ({"contrast": (0.9, 1.1)}, False, True),
        ({"brightness": (1.1, 1.1)}, False, True),
    ],
)
def test_a_policy_knows_what_it_does(arguments, places, shades):
    policy = Policy(**arguments)
    assert (policy.places, policy.shades) == (places, shades)


@pytest.mark.parametrize(
    ("arguments", "degrades"),
    [
        *(({name: 0.1}, True) for name in ("gamma", "blur", "shrink", "noise", "jpeg")),
        ({"jpeg": 1, "degraded": 0}, False),
    ],
)
def test_a_policy_knows_whether_it_degrades(arguments, degrades):
    assert Policy(**arguments).degrades is degrades


@pytest.mark.parametrize("name", ["mirror", "placed", "erase", "degraded", "gamma", "blur", "shrink", "noise", "jpeg"])
@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_probabilities_lie_between_0_and_1(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a probability"):
        Policy(**{name: value})


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("zoom", (0, 1)),
        ("turn", (10, -10)),
        ("turn", (0, 361)),
        ("shear", (-90, 90)),
        ("shift", (-1.5, 0)),
        ("contrast", (-0.1, 1)),
        ("brightness", (1, math.nan)),
        ("erased", (0.2, 0.6)),
        ("erased", (-0.1, 0.2)),
        ("gamma_exponent", (0, 1)),
        ("blur_sigma", (0, 1)),
        ("shrink_to", (1, 20)),
        ("noise_std", (-1, 1)),
        ("jpeg_quality", (0, 101)),
    ],
)
def test_impossible_ranges_are_refused(name, limits):
    with pytest.raises(ValueError, match=f"{name} must be a range within"):
        Policy(**{name: limits})


def test_an_unknown_policy_lists_the_known_ones():
    with pytest.raises(ValueError, match="'stronk'; known augmentations: none, mirror, tilted, classic"):
        find_policy("stronk")


def test_turned_and_shifted_are_classic_with_wider_ranges():
    classic, turned, shifted = (POLICIES[name] for name in ("classic", "turned", "shifted"))
    assert (classic.turn, turned.turn, shifted.turn) == ((-30, 30), (-45, 45), (-30, 30))
    assert (classic.shift, turned.shift, shifted.shift) == ((-0.2, 0.2), (-0.2, 0.2), (-0.5, 0.5))


def test_degraded_is_strong_with_a_third_of_the_pictures_degraded():
    strong, degraded = (POLICIES[name] for name in ("strong", "degraded"))
    assert (strong.degrades, degraded.degrades, degraded.degraded) == (False, True, 1 / 3)
    off = dict.fromkeys(("gamma", "blur", "shrink", "noise", "jpeg"), 0.0)
    assert replace(degraded, degraded=strong.degraded, **off) == strong


def test_seeds_are_the_same_everywhere_and_all_different():
    assert sample_seed(1, 2, 3) == 7_503_343_373_756_962_847
    seeds = {sample_seed(seed, epoch, index) for seed in range(10) for epoch in range(10) for index in range(100)}
    assert len(seeds) == 10_000
    assert all(0 <= seed < 2**64 for seed in seeds)


def test_neighbouring_seeds_share_half_of_their_bits():
    flipped = [(sample_seed(0, 0, index) ^ sample_seed(0, 0, index + 1)).bit_count() for index in range(1000)]
    assert 31 < sum(flipped) / len(flipped) < 33
