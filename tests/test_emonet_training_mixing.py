import math
import random

import pytest
import torch

from emonet.training.examples import Mixing

MIXUP, CUTMIX = Mixing(mixup=1), Mixing(cutmix=1)


def batch(count=4, side=8):
    """Make images with a class each, and 1 in the channel of that class, so that pixels equal targets."""
    targets = torch.eye(count)
    return targets[:, :, None, None].repeat(1, 1, side, side), targets


def chance(seed=0):
    return random.Random(seed)


@pytest.mark.parametrize("mixing", [MIXUP, CUTMIX, Mixing(mixup=0.2, cutmix=1)])
@pytest.mark.parametrize("seed", range(8))
def test_targets_equal_the_share_of_each_image(mixing, seed):
    x, targets = mixing(*batch(), chance(seed))
    assert torch.allclose(x.mean(dim=(2, 3)), targets)
    assert torch.allclose(targets.sum(dim=1), torch.ones(4))
    assert (targets > 0).sum(dim=1).max() <= 2


def test_mixup_blends_every_pixel():
    x, targets = MIXUP(*batch(), chance())
    assert torch.allclose(x, targets[:, :, None, None].expand_as(x))


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_pastes_one_rectangle_of_the_partner(seed):
    x, _ = CUTMIX(*batch(), chance(seed))
    pasted = x[1, 0] == 1
    assert torch.isin(x, torch.tensor([0.0, 1.0])).all()
    assert torch.equal(pasted, pasted.any(dim=1)[:, None] & pasted.any(dim=0)[None, :])


def shares(mixing, count=400):
    generator = chance()
    return torch.stack([mixing(*batch(2, 16), generator)[1][0, 1] for _ in range(count)])


@pytest.mark.parametrize(("alpha", "spread"), [(1.0, 1 / 12), (0.2, 1 / 5.6), (5.0, 1 / 44)])
def test_shares_of_mixup_follow_the_beta_distribution(alpha, spread):
    drawn = shares(Mixing(mixup=alpha))
    assert drawn.mean() == pytest.approx(0.5, abs=0.06)
    assert drawn.var() == pytest.approx(spread, rel=0.15)


def test_cutmix_shares_exclude_what_lies_outside_the_image():
    drawn = shares(CUTMIX)
    assert 0 <= drawn.min() < 0.02
    assert 0.25 < drawn.mean() < 0.4


def test_mixup_and_cutmix_are_chosen_equally_often():
    both, generator = Mixing(mixup=1, cutmix=1), chance()
    blended = [not torch.isin(both(*batch(), generator)[0], torch.tensor([0.0, 1.0])).all() for _ in range(200)]
    assert 70 < sum(blended) < 130


def test_the_generator_decides_how_images_are_mixed():
    first, again, other = (CUTMIX(*batch(), chance(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_without_alphas_nothing_is_drawn_or_changed():
    (x, targets), generator = batch(), chance()
    state = generator.getstate()
    mixed = Mixing()(x, targets, generator)
    assert mixed[0] is x
    assert mixed[1] is targets
    assert generator.getstate() == state


@pytest.mark.parametrize("mixing", [MIXUP, CUTMIX])
def test_mixing_leaves_its_input_unchanged(mixing):
    x, targets = batch()
    mixing(x, targets, chance())
    assert all(torch.equal(one, other) for one, other in zip((x, targets), batch(), strict=True))


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
@pytest.mark.parametrize("alpha", [-1, math.inf, math.nan])
def test_impossible_alphas_are_refused(name, alpha):
    with pytest.raises(ValueError, match=f"{name} must be a finite alpha"):
        Mixing(**{name: alpha})
