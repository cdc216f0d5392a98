"""What must run where only the plain install is there: `.ci/light` runs it as a script, with no other module of tests.

With `--hide`, packages that are installed here are hidden first, as if they were not.
"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
from PIL import Image

MISSING = ("albumentations", "dlib", "facenet_pytorch", "matplotlib", "onnx", "onnxscript", "pyarrow", "scipy")
MISSING += ("optuna", "skimage", "sklearn", "tensorboard", "torch", "torchvision")

MISTAKES = {  # commands that need more, and what they say is to be installed
    ("train", "STORE", "-o", "OUT"): "emonet[train]",
    ("tune", "STORE", "-o", "OUT", "--search", "seed=1,2"): "emonet[tune]",
    ("export-images", "STORE", "-o", "OUT"): "emonet[tables]",
    ("evaluate", "emonet", "STORE", "-o", "OUT"): "emonet[train]",
    ("compare", "STORE", "STORE"): "emonet[train]",
    ("protocol", "fer2013", "STORE", "-o", "OUT"): "emonet[train]",
    ("build", "--folder", "PHOTOS", "-o", "OUT"): "emonet[train]",
    ("review", "STORE"): "emonet[train]",
    ("adapt", "PHOTOS", "-o", "OUT/own.safetensors"): "emonet[train]",
    ("video", "PHOTOS", "-o", "OUT"): "emonet[video]",
    ("models",): "emonet[train]",
    ("models", "emonet"): "emonet[train]",
    ("models", "MODEL", "--fit-temperature", "STORE"): "emonet[train]",
    ("export", "emonet", "-o", "OUT/emonet.onnx"): "emonet[onnx]",
    ("faces", "PHOTOS", "--detector", "mtcnn"): "emonet[train]",
    ("predict", "PHOTOS", "-o", "OUT", "--detector", "mtcnn"): "emonet[train]",
    ("predict", "PHOTOS", "-o", "OUT", "--detector", "whole", "--backend", "torch"): "emonet[train]",
    ("predict", "PHOTOS", "-o", "OUT", "--detector", "whole", "--device", "cuda"): "emonet[train]",
}


def run(*arguments):
    """Run a command of `emonet` in this process; return its exit status and what it wrote to stderr."""
    from emonet.commands import main

    said = io.StringIO()
    with mock.patch.object(sys, "argv", ["emonet", *map(str, arguments)]), redirect_stderr(said):
        try:
            main()
        except SystemExit as ended:
            return ended.code or 0, said.getvalue()
    return 0, said.getvalue()


def check(fact, what):
    if not fact:
        raise RuntimeError(what)


def write_photos(folder):
    """Write labelled images: blobs, which are taken for faces."""
    for number, name in enumerate(("happy", "sad")):
        (folder / name).mkdir(parents=True)
        blobs = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(blobs.repeat(12, 0).repeat(12, 1)).save(folder / name / "me.png")


def check_prediction(photos, album):
    status, said = run("predict", photos, "-o", album, "--detector", "whole", "--annotate")
    check(status == 0, f"predict failed: {said}")
    check("by onnxruntime" in said and 'pip install "emonet[tables]"' in said, f"predict said {said}")
    names = {path.name for path in album.iterdir()}
    check(names >= {"album.html", "predictions.csv", "score.json", "annotated"}, f"the album holds {names}")
    check(len((album / "predictions.csv").read_text().splitlines()) == 3, "predictions.csv holds other than two faces")
    check(run("predict", photos / "happy" / "me.png", "--detector", "whole", "--json")[0] == 0, "one photo failed")
    status, said = run("predict", photos, "-o", album.with_name("searched"))
    check(status == 0 and "and yunet on" in said, f"predict searched photos and said {said}")
    check(run("info")[0] == 0 and run("info", "--json")[0] == 0, "info failed")


def check_mistakes(photos, out):
    from emonet.inference.loading import FOLDER

    model = FOLDER / "emonet.safetensors"
    places = {"PHOTOS": photos, "OUT": out, "STORE": photos, "OUT/emonet.onnx": out / "emonet.onnx", "MODEL": model}
    places["OUT/own.safetensors"] = out / "own.safetensors"
    for arguments, requirement in MISTAKES.items():
        status, said = run(*(places.get(argument, argument) for argument in arguments))
        words = " ".join(arguments)
        check(status == 1, f"emonet {words} ended with {status}")
        check(said.splitlines()[-1].endswith(f'pip install "{requirement}"'), f"emonet {words} said {said}")
        check(not out.exists(), f"emonet {words} wrote something")


def check_names(photos, tmp):
    """Use what Python offers, and ask for what needs more."""
    import emonet
    from emonet.errors import MissingPackageError

    image = photos / "happy" / "me.png"
    predictor = emonet.EmotionPredictor(["emonet", "emonet_fast"], detector="whole", tta="ten_crop")
    ((found,), (again,)) = (predictor.predict(image), predictor.predict_faces([image]))
    check(found == again, "a photo that is a face is answered otherwise than the face")
    model = emonet.load_model("emonet")
    model.save(tmp / "again.safetensors", half=True)
    check(emonet.load_model(tmp / "again.safetensors").identity == model.identity, "a model changed when it was saved")
    asked = (
        lambda: emonet.explain(image, found, predictor),
        model.network,
        lambda: emonet.to_table([]),
        lambda: emonet.open_store(photos),
        lambda: emonet.evaluate,
    )
    for ask in asked:
        try:
            ask()
        except MissingPackageError as error:
            check('pip install "emonet[' in str(error), f"an error said {error}")
        else:
            raise RuntimeError("something that needs a missing package did not say so")


def main():
    if "--hide" in sys.argv:
        sys.modules.update(dict.fromkeys(MISSING))
    if there := [name for name in MISSING if find_spec(name)]:
        raise SystemExit(f"this is to be tried without {', '.join(there)}")
    with TemporaryDirectory() as created:
        tmp = Path(created)
        write_photos(tmp / "photos")
        check_prediction(tmp / "photos", tmp / "album")
        check_names(tmp / "photos", tmp)
        check_mistakes(tmp / "photos", tmp / "out")
    sys.stdout.write(f"all steps ran without {', '.join(MISSING)}\n")


if __name__ == "__main__":
    main()
