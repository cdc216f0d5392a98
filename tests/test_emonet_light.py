"""The plain install: prediction without torch and the other packages of the extras."""

import subprocess
import sys
import tomllib

import PIL.Image
import pytest
from light_steps import MISSING

HEAVY = {"torch", "torchvision", "sklearn", "scipy", "matplotlib", "facenet_pytorch", "albumentations", "onnx", "dlib"}


def run_python(*arguments, cwd=None):
    result = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_photos_are_predicted_where_only_the_plain_install_is_there(root):
    assert "all steps ran without" in run_python(root / "tests" / "light_steps.py", "--hide")


@pytest.mark.parametrize("given", ["PHOTOS", "PHOTOS/me.png"])
def test_predict_imports_nothing_that_it_does_not_use(tmp_path, face, given):
    """Though everything is installed here. The detector is a stub."""
    (tmp_path / "PHOTOS").mkdir()
    PIL.Image.fromarray(face).save(tmp_path / "PHOTOS" / "me.png")
    script = f"""
import sys
from emonet.commands import main
sys.argv = ["emonet", "predict", {given!r}, "--detector", "whole", "--device", "cpu"]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    loaded = run_python("-c", script, cwd=tmp_path).splitlines()[-1].split()
    assert "onnxruntime" in loaded
    assert not HEAVY & set(loaded)


def test_the_extras_hold_what_the_plain_install_lacks(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    plain = {requirement.split(">")[0].split("=")[0] for requirement in project["dependencies"]}
    packages = {"dlib": "dlib-bin", "sklearn": "scikit-learn", "skimage": "scikit-image"}
    missing = {packages.get(name, name.replace("_", "-")) for name in MISSING}
    assert not missing & plain
    extras = [one for extra in project["optional-dependencies"].values() for one in extra]
    assert missing - {"scikit-image"} == {name for name in missing if any(one.startswith(name) for one in extras)}
    assert project["optional-dependencies"]["all"] == ["emonet[hub,log,onnx,page,train,tune,video]"]
