"""What a user installs: the wheel, beside the package whose import name ours must not touch."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"

CHECK = """
import socket
def refuse(*_):
    raise AssertionError("nothing needs a network")
socket.socket.connect = socket.getaddrinfo = refuse
import datasets, emonet.datasets, facecrop
from emonet import Emotion
from emonet.inference.loading import BUNDLED, load_model
assert "site-packages/datasets/" in datasets.__file__.replace("\\\\", "/"), datasets.__file__
assert datasets.load_dataset, "Hugging Face's own"
assert "emonet/datasets" in emonet.datasets.__file__.replace("\\\\", "/"), emonet.datasets.__file__
assert emonet.__file__.startswith(sys.prefix), emonet.__file__
assert facecrop.open_detector("mtcnn").detect([]) == []
assert [load_model(name).model for name in BUNDLED] == ["emonet", "emonet_fast"]
from emonet.samples import HEIC
(face,) = emonet.predict(HEIC)
assert face.emotion is Emotion.HAPPY, face
"""


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    """The wheel as pip would build it, without the network, from a copy of what git would hand out."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if not (root / name).is_symlink() and (root / name).exists():  # a checkout without links must do
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((root / name).read_bytes())
    subprocess.run([sys.executable, "-c", BUILD, target], cwd=source, check=True, capture_output=True)
    (path,) = target.glob("*.whl")
    return path


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"emonet", "facecrop"}
    assert {"emonet/py.typed", "facecrop/py.typed", "emonet/datasets/__init__.py"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("datasets/", "tests/", "tools/"))]


def test_the_wheel_works_beside_hugging_face_datasets(wheel, tmp_path):
    """Installed by pip into a new environment that borrows this one's torch, and everything else."""
    venv.create(tmp_path, with_pip=True, symlinks=os.name != "nt")
    scripts = tmp_path / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True, capture_output=True)
    inside = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    (Path(inside.stdout.strip()) / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    subprocess.run([python, "-P", "-c", "import sys" + CHECK], check=True, cwd=tmp_path)
    command = subprocess.run([scripts / "emonet", "info"], check=True, cwd=tmp_path, capture_output=True, text=True)
    assert "facenet-pytorch" in command.stdout
