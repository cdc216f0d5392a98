"""The README's Python is run as it stands."""

import re

import imitations
import PIL.Image
import pytest

from emonet.datasets.builder import BuildOptions, build_dataset, prepare


def examples(root):
    return re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)


@pytest.fixture
def holiday(tmp_path, monkeypatch, portrait):
    """A folder to stand in, with what the examples read."""
    (tmp_path / "holiday").mkdir()
    for name in ("party.jpg", "photo.jpg", "holiday/me.jpg"):
        PIL.Image.fromarray(portrait).save(tmp_path / name)
    PIL.Image.new("RGB", (90, 60)).save(tmp_path / "holiday" / "sky.jpg")
    (tmp_path / "holiday" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("holiday")
def test_the_examples_name_the_expression(root, capsys):
    first, many, *_ = examples(root)
    exec(first, {})
    assert capsys.readouterr().out.startswith("happy 0.")
    names = {}
    exec(many, names)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("photo.jpg happy 0.")
    assert "broken.jpg: cannot be" in said[-1]
    assert names["drawn"].shape == names["reasons"].shape == (320, 512, 3)
    assert names["table"].num_rows == 1


@pytest.mark.usefixtures("holiday")
def test_the_examples_find_the_face(root, capsys):
    _, _, first, folder, *_ = examples(root)
    names = {}
    exec(first, names)
    assert len(names["faces"]) == 1
    assert names["crop"].shape == (224, 224, 3)
    names = {}
    exec(folder, names)
    assert names["reasons"] == {"unreadable": 1, "no_face": 1}
    assert "unreadable" in capsys.readouterr().out


@pytest.mark.usefixtures("holiday")
def test_the_examples_read_data_sets(root, tmp_path, portrait, capsys):
    imitations.write_jaffe(tmp_path / "jaffe", portrait, people=("KA", "KL"))
    build_dataset(prepare(BuildOptions({"jaffe": "jaffe"}, detector="whole")), "merged", workers=1)
    names = {}
    exec(examples(root)[4], names)
    assert names["labels"].num_rows == names["store"].splits["train"]
    assert "jaffe/KA.AN1.1 angry KA (256, 256, 3)" in capsys.readouterr().out


@pytest.mark.usefixtures("holiday")
def test_the_examples_train_a_network(root, tmp_path, portrait):
    rows = imitations.fer2013_rows(portrait, training=40, tests=2)
    imitations.write_fer2013_csv(tmp_path / "fer2013.csv", rows)
    build_dataset(prepare(BuildOptions({"fer2013": "fer2013.csv"}, detector="whole", dev=10)), "merged", workers=1)
    names = {}
    exec(examples(root)[5], names)
    assert names["network"].training is False
    assert (tmp_path / "runs" / "lenet28" / "curves.png").is_file()


@pytest.mark.usefixtures("holiday")
def test_the_examples_score_a_model(root, tmp_path, portrait, capsys):
    imitations.write_fer2013_csv(tmp_path / "fer2013.csv", imitations.fer2013_rows(portrait, training=14, tests=7))
    build_dataset(prepare(BuildOptions({"fer2013": "fer2013.csv"}, detector="whole")), "merged", workers=1)
    names = {}
    exec(examples(root)[6], names)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["none", "mirror"]
    assert (tmp_path / "report" / "report.html").is_file()


def test_every_folder_it_shows_exists(root):
    tree = re.search(r"## The folders\n+```\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)[1]
    shown = re.findall(r"^(\w+)/", tree, re.MULTILINE)
    assert shown == ["facecrop", "datasets", "emonet", "tools", "benchmarks", "docs", "tests"]
    assert all((root / name).is_dir() for name in shown)
