"""The back ends that run a model, torch and ONNX Runtime: which is chosen, and that both answer alike."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from pretended_card import pretend_devices
from two_heads import one_head, two_heads

import emonet
from emonet import EmotionPredictor
from emonet.errors import CheckpointError, OptionError
from emonet.heads import Head
from emonet.inference import Processor, choose_machine, load_model, load_to_predict, open_classifier, open_machine
from emonet.inference import backends as choosing
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.graphs import find_graph
from emonet.inference.loading import BUNDLED, FOLDER
from emonet.inference.onnx import export_onnx
from emonet.inference.onnx_classifier import OnnxClassifier
from emonet.inference.views import VIEWS, check_pixel_view, find_pixel_view, find_view
from emonet.models import create_model
from emonet.models.inputs import InputSpec
from facecrop import CropSpec

ONE = Processor(threads=1)
CPU = {"device": "cpu", "precision": "fp32"}


def images(count=5, size=48):
    """Of another contrast each; the first is of one grey."""
    random = np.random.default_rng(7)
    shades = random.random((count, size, size, 1)) * random.integers(1, 256, (count, 1, 1, 1))
    shades[0] = 90
    return shades.astype(np.uint8)


@pytest.fixture(params=BUNDLED)
def bundled(request):
    return load_model(request.param)


@pytest.mark.parametrize("view", VIEWS)
def test_both_back_ends_answer_alike(bundled, view):
    by_torch = open_classifier(bundled, open_machine("cpu", "fp32"), view)(images())
    by_onnx = open_classifier(bundled, ONE, view)(images())
    assert by_onnx.dtype == np.float32
    assert by_onnx.shape == (5, 15)
    assert by_onnx == pytest.approx(by_torch, abs=1e-5)


def test_the_graphs_hold_no_weights_and_no_paths(bundled, root):
    path = find_graph(bundled)
    assert path == FOLDER / f"{bundled.model}.onnx"
    assert path.stat().st_size < 100_000
    content = path.read_bytes()
    assert b".py" not in content
    assert str(root).encode() not in content


def test_a_graph_serves_other_weights_and_names_of_the_same_network():
    first = load_model("emonet_fast")
    bias = first.weights["head.bias"].copy()
    bias[3] += 5
    turned = tuple(Head(f"my_{head.name}", head.classes[::-1]) for head in first.heads)
    changed = replace(first, weights={**first.weights, "head.bias": bias}, heads=turned, default_prior="training")
    classify = open_classifier(changed, ONE)
    assert classify(images()) == pytest.approx(
        open_classifier(changed, open_machine("cpu", "fp32"))(images()), abs=1e-5
    )
    assert (classify(images()).argmax(1) == 3).all()


@pytest.mark.parametrize(
    "other",
    [
        {"arguments": {"crop": 40}},
        {"input": InputSpec(scaling="standardised", mean=(0.5,), std=(0.25,))},
        {"heads": load_model("emonet_fast").heads[:1], "default_head": ""},
        {"model": "plain_cnn"},
    ],
    ids=["arguments", "scaling", "heads", "network"],
)
def test_another_network_has_no_graph(other):
    changed = replace(load_model("emonet_fast"), **other)
    assert find_graph(changed) is None
    with pytest.raises(OptionError, match="no ONNX graph for the network of '"):
        open_classifier(changed, ONE)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"tail.bias": np.zeros(3, np.float32)}, "tail.bias"),
        ({"head.weight": np.zeros((8, 7), np.float32)}, "dimensions do not match"),
        ({"head.bias": None}, "head.bias"),
    ],
    ids=["too many", "of another shape", "missing"],
)
def test_weights_that_do_not_fit_the_graph_are_refused(changes, match):
    model = load_model("emonet_fast")
    weights = {name: array for name, array in {**model.weights, **changes}.items() if array is not None}
    with pytest.raises(CheckpointError, match=rf"emonet_fast: onnxruntime says .*{match}"):
        open_classifier(replace(model, weights=weights), ONE)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(choosing, "_seems_to_have_gpu", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_auto_takes_onnxruntime_on_a_processor_where_there_is_a_graph():
    assert choose_machine([load_model("emonet")]).backend == "onnx"
    assert choose_machine([load_model("emonet"), two_heads()]).backend == "onnx"
    assert choose_machine([load_model("emonet"), one_head()]).backend == "torch"
    assert choose_machine([load_model("emonet")], "torch").backend == "torch"
    assert choose_machine([load_model("emonet")], precision="bf16").backend == "torch"


def test_auto_takes_torch_where_it_finds_a_gpu(monkeypatch):
    monkeypatch.setattr(choosing, "_seems_to_have_gpu", lambda: True)
    model = load_model("emonet")
    pretend_devices(monkeypatch, "cuda")
    assert str(choose_machine([model]).device) == "cuda"
    assert choose_machine([model], device="cpu").backend == "onnx"
    assert choose_machine([model], "onnx").backend == "onnx"
    assert str(choose_machine([model], device="cuda:1").device) == "cuda:1"
    pretend_devices(monkeypatch)  # a torch that was built without CUDA sees none
    assert choose_machine([model]).backend == "onnx"


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"backend": "tensorflow"}, "backend must be one of auto, torch, onnx, got 'tensorflow'"),
        ({"backend": "onnx", "device": "cuda"}, "runs on the processor, and device=cuda is asked for"),
        ({"backend": "onnx", "precision": "bf16"}, "runs in fp32, and precision=bf16 is asked for"),
        ({"precision": "fp16"}, "precision must be auto, fp32 or bf16"),
        ({"view": "twice"}, "no view 'twice'"),
        ({"device": "tpu"}, "device must be auto, cuda"),
    ],
)
def test_what_cannot_be_is_refused(asked, match):
    with pytest.raises(OptionError, match=match):
        choose_machine([load_model("emonet")], **asked)


def test_onnxruntime_is_refused_for_a_model_without_a_graph(tmp_path):
    one_head().save(tmp_path / "mine.safetensors")
    with pytest.raises(OptionError, match=r"no graph for the network of .*mine\.safetensors.*`emonet export`"):
        EmotionPredictor(tmp_path / "mine.safetensors", backend="onnx")


@pytest.mark.parametrize("scaling", ["per_picture", "local_contrast"])
def test_ten_crop_before_a_scaling_by_neighbours_needs_torch(scaling):
    with pytest.raises(OptionError, match=f"scaled by {scaling} needs the back end torch"):
        check_pixel_view("ten_crop", InputSpec(scaling=scaling))
    check_pixel_view("mirror", InputSpec(scaling=scaling))
    check_pixel_view("ten_crop", InputSpec(scaling="centred"))


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("scaling", ["unit", "centred", "per_picture", "local_contrast"])
def test_views_of_pixels_are_those_of_scaled_images(name, scaling):
    spec = InputSpec(scaling=scaling)
    if name == "ten_crop" and scaling in ("per_picture", "local_contrast"):
        return  # refused, as above
    pixels = images()
    scaled = [spec.scale(torch.from_numpy(view.copy()).permute(0, 3, 1, 2)) for view in find_pixel_view(name)(pixels)]
    expected = find_view(name)(spec.scale(torch.from_numpy(pixels).permute(0, 3, 1, 2)))
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(scaled, expected, strict=True))


def test_threads_are_those_that_the_process_may_use(monkeypatch, tmp_path):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("facecrop.machine.GROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert choosing.count_threads() == 6
    for quota, threads in (("max 100000", 6), ("150000 100000", 2), ("20000 100000", 1), ("900000 100000", 6)):
        (tmp_path / "cpu.max").write_text(quota)
        assert choosing.count_threads() == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert choosing.count_threads() == 3
    assert str(Processor(3)) == "cpu (3 threads), fp32"


def test_waiting_threads_leave_the_processor(monkeypatch):
    opened = []
    session = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", lambda *given, **options: opened.append(given[1]) or session(*given, **options)
    )
    open_classifier(load_model("emonet_fast"), Processor(2))
    (options,) = opened
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.intra_op_num_threads == 2


@pytest.fixture(scope="module")
def small():
    """A model of one head that nothing trained, whose answer divides a prior out."""
    torch.manual_seed(0)
    classes = load_model("emonet_fast").classes
    head = Head("fer2013", classes, (0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1))
    network = create_model("lenet28", classes=7, hidden=8)
    spec = InputSpec(size=28, scaling="per_picture")
    crop = CropSpec.fer2013()
    weights = network.state_dict()
    return Checkpoint("lenet28", {"hidden": 8}, (head,), crop, "mtcnn", spec, weights, default_prior="even")


@pytest.fixture(scope="module")
def exported(small, tmp_path_factory):
    return export_onnx(small, tmp_path_factory.mktemp("exported") / "small.onnx")


def test_an_exported_file_predicts_as_its_model_does(small, exported, portrait, mtcnn):
    faces = [image.repeat(3, axis=2) for image in images(size=28)]
    for asked in ({}, {"prior": "training"}, {"prior": "sqrt", "tta": "mirror"}):
        found = [EmotionPredictor(one, **CPU, **asked).predict_faces(faces) for one in (small, exported)]
        for one, other in zip(*found, strict=True):
            assert list(one.probabilities.values()) == pytest.approx(list(other.probabilities.values()), abs=1e-5)
    predictor = EmotionPredictor(exported, detector=mtcnn)
    assert predictor.answered_by["prior"] == "even"
    assert predictor.machine.backend == "onnx"
    assert len(predictor.predict(portrait)) == 1


def test_an_exported_file_describes_its_model(small, exported):
    model = load_to_predict(str(exported))
    for name in ("model", "heads", "crop", "detector", "input", "classes"):
        assert getattr(model, name) == getattr(small, name)
    assert model.choice() == small.choice()
    assert model.identity == load_to_predict(exported).identity != small.identity
    json.dumps(EmotionPredictor(exported).identity)


def test_an_exported_file_can_only_predict(exported, small, portrait, mtcnn):
    with pytest.raises(CheckpointError, match=r"small\.onnx: an ONNX file, which can only predict"):
        load_model(exported)
    predictor = EmotionPredictor(exported, detector=mtcnn)
    (found,) = predictor.predict(portrait)
    with pytest.raises(OptionError, match="an ONNX file holds no network of torch"):
        emonet.explain(portrait, found, predictor)
    with pytest.raises(OptionError, match="torch cannot run ONNX files"):
        open_classifier(load_to_predict(exported), open_machine("cpu"))
    with pytest.raises(OptionError, match="torch cannot run ONNX files"):
        EmotionPredictor(exported, backend="torch")
    with pytest.raises(OptionError, match="device=cuda"):
        EmotionPredictor(exported, device="cuda")
    with pytest.raises(OptionError, match="no graph for the network of 'lenet28'"):
        EmotionPredictor([exported, small])
    with pytest.raises(OptionError, match="needs the back end torch"):
        EmotionPredictor(exported, tta="ten_crop")


@pytest.mark.parametrize("given", ["bundled", "exported"])
def test_photos_side_by_side_have_one_thread_each(given, exported, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    predictor = EmotionPredictor(exported if given == "exported" else "emonet_fast", device="cpu", backend="onnx")
    alike = predictor.side_by_side()
    for one, threads in ((predictor, 2), (alike, 1)):
        assert one.classifiers[0].session.get_session_options().intra_op_num_threads == threads
    faces = [image.repeat(3, axis=2) for image in images()]
    for one, other in zip(predictor.predict_faces(faces), alike.predict_faces(faces), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_an_exported_file_that_has_changed_is_not_opened_again(exported, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    path = tmp_path / "small.onnx"
    path.write_bytes(exported.read_bytes())
    predictor = EmotionPredictor(path)
    rewrite(path, path, change_fact("coverage", None))
    with pytest.raises(CheckpointError, match="it has changed since it was opened"):
        predictor.side_by_side()


def rewrite(path, out, change):
    import onnx

    model = onnx.load(path)
    change(model)
    onnx.save(model, out)


def change_fact(name, value):
    def change(model):
        for entry in list(model.metadata_props):
            if entry.key == name:
                model.metadata_props.remove(entry)
        if value is not None:
            model.metadata_props.add(key=name, value=value)

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (change_fact("emonet", None), "an ONNX file of something else"),
        (change_fact("crop", None), "cannot be understood: 'crop'"),
        (change_fact("crop", "{"), "cannot be understood: "),
        (change_fact("input", '{"size": 1}'), "cannot be understood: size must be"),
        (change_fact("default", '{"head": "seen", "prior": "training"}'), "head must be one of fer2013, got 'seen'"),
        (change_fact("heads", "[]"), "cannot be understood: "),
        (lambda model: model.graph.output.pop(), "it has no output probabilities_fer2013: export the model again"),
    ],
)
def test_onnx_files_of_something_else_are_refused_with_the_reason(exported, tmp_path, change, match):
    rewrite(exported, tmp_path / "other.onnx", change)
    with pytest.raises(CheckpointError, match=match) as raised:
        load_to_predict(tmp_path / "other.onnx")
    assert raised.value.path == tmp_path / "other.onnx"


@pytest.mark.parametrize("content", [b"", b"weights" * 100])
def test_damaged_onnx_files_are_refused(tmp_path, content):
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"broken\.onnx: "):
        EmotionPredictor(tmp_path / "broken.onnx")
    with pytest.raises(FileNotFoundError, match="no such ONNX file"):
        EmotionPredictor(tmp_path / "none.onnx")


def test_the_batch_size_changes_no_answer():
    whole = open_classifier(load_model("emonet_fast"), ONE, "mirror")
    assert isinstance(whole, OnnxClassifier)
    assert replace(whole, batch_size=2)(images()) == pytest.approx(whole(images()), abs=1e-6)


def test_onnx_runtime_reports_nothing_to_its_makers(tmp_path):
    script = "import numpy as np, emonet; print(emonet.predict(np.zeros((60, 90, 3), np.uint8)))"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True)
    assert list(tmp_path.iterdir()) == []  # it would keep the number of its session here
