import numpy as np
import pytest
import torch

from emonet.training.batch_augmenter import BatchAugmenter
from emonet.training.policies import find_policy
from emonet.training.sheet import draw_sheet
from facecrop import read_image

NAMES = ["angry", "happy", "surprise"]


def images(channels=1, side=24):
    return np.random.default_rng(1).integers(0, 256, (3, side, side, channels), np.uint8)


def tiles(sheet, versions):
    """Cut a sheet into rows of images: from its lower right corner, tiles of 96 pixels and gaps of 4."""
    rows = [sheet.shape[0] - 16 - 96 - 100 * row for row in (2, 1, 0)]
    columns = [sheet.shape[1] - 16 - 96 - 100 * column for column in range(versions - 1, -1, -1)]
    columns.insert(0, columns[0] - 16 - 100)
    return [[sheet[y : y + 96, x : x + 96] for x in columns] for y in rows]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [24, 48, 96])
@pytest.mark.parametrize("with_torch", [False, True])
def test_a_row_shows_the_original_and_its_versions_enlarged(tmp_path, channels, side, with_torch):
    shown = images(channels, side)
    path = tmp_path / "sheet.png"
    draw_sheet(path, shown, NAMES, find_policy("strong"), versions=4, with_torch=with_torch)
    for image, (original, *versions) in zip(shown, tiles(read_image(tmp_path / "sheet.png"), 4), strict=True):
        colours = np.broadcast_to(image, (side, side, 3))
        assert (original[:: 96 // side, :: 96 // side] == colours).all()
        assert (original == colours.repeat(96 // side, axis=0).repeat(96 // side, axis=1)).all()
        assert len({version.tobytes() for version in versions}) == 4


def test_a_sheet_with_torch_shows_what_the_batch_augmenter_makes(tmp_path):
    shown = images()
    policy = find_policy("strong")
    draw_sheet(tmp_path / "sheet.png", shown, NAMES, policy, versions=2, seed=5, with_torch=True)
    batch = torch.from_numpy(shown).permute(0, 3, 1, 2)
    augment = BatchAugmenter(policy, len(shown), 5)
    made = [augment(batch, version, torch.arange(3)).round() for version in range(2)]
    for row, (_, *versions) in enumerate(tiles(read_image(tmp_path / "sheet.png"), 2)):
        assert [version[::4, ::4, 0].tolist() for version in versions] == [one[row, 0].tolist() for one in made]


def test_a_sheet_has_names_beside_its_rows(tmp_path):
    draw_sheet(tmp_path / "sheet.png", images(), NAMES, find_policy("none"), versions=2)
    sheet = read_image(tmp_path / "sheet.png")
    names = sheet[16 + 26 :, : sheet.shape[1] - 3 * 100 - 32]
    dark = (names < 60).all(axis=2).any(axis=1)
    assert [dark[100 * row : 100 * row + 96].any() for row in range(3)] == [True] * 3
    assert (np.unique(sheet[-8:]).size, np.unique(sheet[:, :8]).size) == (1, 1)


def test_the_same_seed_draws_the_same_sheet(tmp_path):
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        draw_sheet(tmp_path / name, images(), NAMES, find_policy("classic"), seed=seed)
    first, again, other = ((tmp_path / name).read_bytes() for name in ("first", "again", "other"))
    assert first == again != other
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "first", "other"]


@pytest.mark.parametrize("names", [[], ["angry"]])
def test_a_sheet_needs_a_name_for_each_image(tmp_path, names):
    with pytest.raises(ValueError, match=f"3 images and {len(names)} names"):
        draw_sheet(tmp_path / "sheet.png", images(), names, find_policy("none"))
