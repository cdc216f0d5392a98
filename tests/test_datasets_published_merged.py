"""All published data sets in one store: built, trained on, scored by a protocol and two evaluations, compared."""

import imitations
import pytest
import trainings
from typer.testing import CliRunner

from emonet.commands import app
from emonet.datasets import READERS

CHOSEN = ("--device", "cpu")
QUICK = ("--model", "lenet28", "--epochs", "1", "--batch-size", "64", "--workers", "0", *CHOSEN)


def write_all(folder, portrait):
    """Write a small imitation of every data set; reader -> what it is given."""
    rows = imitations.fer2013_rows(portrait, training=21)
    clips = [imitations.Clip(f"S{10 + code:03d}", "001", code, (1, 2, 3), (240, 240)) for code in range(1, 8)]
    return {
        "fer2013": trainings.write_faces(folder / "fer2013.csv", portrait, training=14),
        "ckplus": imitations.write_ckplus(folder / "ckplus", portrait, clips=clips),
        "jaffe": imitations.write_jaffe(folder / "jaffe", portrait, people=("KA", "KL", "KM")),
        "fer2013plus": imitations.write_fer2013plus(folder / "fer2013plus", rows),
        "rafdb": imitations.write_rafdb(folder / "rafdb", portrait),
        "affectnet": imitations.write_affectnet_sets(folder / "affectnet", portrait),
        "kdef": imitations.write_kdef(folder / "kdef", portrait, people=("F01", "M02"), angles=("S",)),
        "rafd": imitations.write_rafd(folder / "rafd", portrait, people=2, angles=("090",), gazes=("left",)),
        "oulucasia": imitations.write_oulucasia(folder / "oulucasia", portrait, frames=3, lights=("Strong",)),
        "sfew": imitations.write_sfew(folder / "sfew", portrait),
        "expw": imitations.write_expw(folder / "expw", portrait),
        "folder": imitations.write_folder(folder / "folder", portrait),
    }


@pytest.fixture
def run():
    def invoke(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code in (0, 3), result.exception or result.output
        return result.output

    return invoke


def test_all_published_data_sets_go_through_every_step(run, portrait, tmp_path):
    inputs = write_all(tmp_path / "data", portrait)
    assert set(inputs) == set(READERS)
    flags = [word for name, place in inputs.items() for word in (f"--{name}", place)]
    options = ("--classes", "ck8", "--neutral", "first", "--leaks", "exact", "--detector", "whole", "--dev", "24")
    built = run("build", *flags, *options, *CHOSEN, "--workers", "1", "-o", tmp_path / "store")
    assert all(f"\n{name} " in built for name in READERS)
    for seed in ("1", "2"):
        run("train", tmp_path / "store", "-o", tmp_path / seed, "--seed", seed, *QUICK)
        scored = (tmp_path / seed / "model.safetensors", tmp_path / "store", "--split", "validation")
        run("evaluate", *scored, "-o", tmp_path / f"report-{seed}", *CHOSEN)
    compared = run("compare", tmp_path / "report-1", tmp_path / "report-2")
    assert "McNemar" in compared
    assert "jaffe" in run("protocol", "jaffe", tmp_path / "store", "-o", tmp_path / "protocol", *QUICK).lower()
