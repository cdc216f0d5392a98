"""The page that needs no server: what is written, and what is refused."""

import json
import re
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from emonet.adapting.fitting import Layer
from emonet.adapting.head import add_head
from emonet.errors import OptionError
from emonet.inference import Processor, open_classifier
from emonet.inference.graphs import find_graph
from emonet.inference.loading import load_to_predict
from emonet.inference.onnx_classifier import open_graph
from emonet.labels import Emotion
from emonet.webpage import write_webpage
from emonet.webpage.networks import complete_graph, make_detector
from facecrop import CropSpec

pytest.importorskip("onnx", reason="emonet[page] is not installed")


@pytest.fixture(scope="module")
def fast():
    return load_to_predict("emonet_fast")


@pytest.fixture(scope="module")
def site(fast, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    return write_webpage(fast, folder)


def test_the_page_may_connect_to_nothing(site):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', site.read_text()).group(1)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules
    assert "'unsafe-eval'" not in rules["script-src"]
    assert "'unsafe-inline'" not in rules["script-src"]


def test_the_page_is_one_file_with_the_licences_of_what_it_holds(site):
    assert sorted(path.name for path in site.parent.iterdir()) == [
        "LICENSE-onnxruntime.txt",
        "LICENSE-yunet.txt",
        "index.html",
    ]
    assert "src=" not in re.sub(r"<script type.*?</script>|<script>.*?</script>", "", site.read_text(), flags=re.DOTALL)


def test_the_page_knows_the_classes_and_priors_of_the_model(site, fast):
    settings = json.loads(re.search(r'id="settings">(.*?)</script>', site.read_text(), flags=re.DOTALL).group(1))
    choice = fast.choice()
    assert settings["answer"]["classes"] == [str(emotion) for emotion in choice.classes]
    assert [part["columns"] for part in settings["answer"]["parts"]] == [part.columns for part in choice.parts()]


def test_the_completed_network_answers_as_the_graph_with_the_model_file(fast):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 1, 48, 48), dtype=np.uint8)
    graph = find_graph(fast)
    outputs = ["probabilities_fer2013", "probabilities_seen"]
    expected = open_graph(graph.read_bytes(), graph, fast.weights).run(outputs, {"pixels": pixels})
    found = onnxruntime.InferenceSession(complete_graph(fast)).run(None, {"pixels": pixels})
    assert all(np.allclose(one, other, atol=1e-6) for one, other in zip(found, expected, strict=True))


def test_the_completed_network_has_further_heads_of_the_model(fast):
    rows = np.random.default_rng(0).normal(size=(2, 192)) / 10
    new = Layer(rows, np.array([0.5, -0.5]))
    model = add_head(fast, "head", new, "own", (Emotion.HAPPY, Emotion.SAD), (0.5, 0.5), "sqrt", {})
    pixels = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), dtype=np.uint8)
    expected = open_classifier(model, Processor(1))(pixels)
    session = onnxruntime.InferenceSession(complete_graph(model))
    found = session.run(None, {"pixels": pixels.transpose(0, 3, 1, 2)})
    assert [answers.shape for answers in found] == [(3, 7), (3, 8), (3, 2)]
    assert np.hstack(found) == pytest.approx(expected, abs=1e-6)


def test_the_detector_takes_images_of_any_size():
    session = onnxruntime.InferenceSession(make_detector())
    for height, width in ((64, 96), (320, 256)):
        image = np.zeros((1, 3, height, width), np.float32)
        classes = session.run(["cls_8"], {session.get_inputs()[0].name: image})[0]
        assert classes.shape == (1, height * width // 64, 1)


def test_the_same_page_is_written_again(site, fast):
    before = site.read_bytes()
    assert write_webpage(fast, site.parent).read_bytes() == before


def test_a_page_of_others_is_not_replaced(fast, tmp_path):
    (tmp_path / "index.html").write_text("my holidays")
    with pytest.raises(OptionError, match="another page"):
        write_webpage(fast, tmp_path)
    assert (tmp_path / "index.html").read_text() == "my holidays"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop": CropSpec(size=48, align=True, grey=True)}, "not turned"),
        ({"crop": CropSpec(size=64, grey=True)}, "own size"),
        ({"model": "lenet28"}, "lenet28"),
    ],
)
def test_models_that_the_page_cannot_use_are_refused(fast, changes, words, tmp_path):
    with pytest.raises(OptionError, match=words):
        write_webpage(replace(fast, **changes), tmp_path / "site")
    assert not (tmp_path / "site").exists()
